"""Verbs that move a deck: play, seek, jump, and the load of a track."""

from __future__ import annotations

import numpy as np

from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Handover, Reason
from sfa_engine.engine.layout import DECK_STRIDE, SLOTS
from sfa_engine.host.kernel import (
    cue,
    grid,
    hotcue,
    motion,
    slip,
    stem_loop,
    stem_source,
    sync,
    transport,
    voice,
)
from sfa_engine.host.kernel.glide import set_goal
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.tempo import AT_LEADER
from sfa_engine.host.kernel.transport import (
    AT_CUE_POINT,
    AT_HOTCUE,
    AT_LOOP_ACTIVE,
    AT_LOOP_END,
    AT_LOOP_START,
    AT_PLAY,
    HOTCUE_STRIDE,
)
from sfa_engine.host.kernel.verbs import verb


@verb()
def play(engine, dsp, deck, command, frame):
    """Run the deck, or halt it where it is."""
    at_play = AT_PLAY + deck * DECK_STRIDE
    if command.x == 0.0:
        set_goal(engine, dsp, at_play, 0.0)
        motion.halt(engine, dsp, deck, frame)
        return Reason.NONE
    if engine.transport[deck].head.slot < 0:
        change(engine, dsp, at_play, 0.0, frame)
        return Reason.NO_TRACK
    engine.transport[deck].cue_held = 0  # playing on from a held cue
    command.x = 1.0
    set_goal(engine, dsp, at_play, 1.0)
    if engine.transport[deck].playing != 0:
        motion.run(engine, deck, frame)
        return Reason.NONE
    cue.move_by_play(engine, dsp, deck, frame)
    sync.start(engine, dsp, deck, frame)
    motion.start_up(engine, deck, frame)
    return Reason.NONE


@verb(needs_track=True)
def seek(engine, dsp, deck, command, frame):
    """Move the deck to a position, in seconds; it is reported as far as the track goes."""
    machine = engine.transport[deck]
    rate = dsp.media[machine.head.slot].rate
    sync.go(engine, dsp, deck, frame, command.x * rate)
    voice.end_fade_in(dsp, deck)
    command.x = machine.position / rate
    return Reason.NONE


@verb(needs_track=True)
def needle(engine, dsp, deck, command, frame):
    """Move the deck to a share of its track, in percent."""
    media = dsp.media[engine.transport[deck].head.slot]
    share = min(100.0, max(0.0, command.x)) / 100.0
    sync.go(engine, dsp, deck, frame, share * media.frames)
    command.x = 100.0 * engine.transport[deck].position / max(1, media.frames)
    return Reason.NONE


@verb(needs_track=True)
def brake(engine, dsp, deck, command, frame):
    """Let the deck slow down and stop."""
    motion.brake(engine, dsp, deck, frame)
    return Reason.NONE


@verb(needs_track=True)
def spinback(engine, dsp, deck, command, frame):
    """Throw the deck back; it slows down and stops."""
    motion.spin_back(engine, dsp, deck, frame)
    return Reason.NONE


@verb()
def censor(engine, dsp, deck, command, frame):
    """Run backwards while the button is held, and then where the track would be."""
    if command.x != 0.0:
        slip.begin(engine, dsp, deck, frame, slip.CENSOR)
    else:
        slip.end(engine, dsp, deck, frame, slip.CENSOR)
    return Reason.NONE


@verb(needs_track=True)
def jump(engine, dsp, deck, command, frame):
    """Move the deck by so many beats."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    if not grid.has_grid(media):
        return Reason.NO_GRID
    beat, _ = transport.beat_of(engine, dsp, deck, frame)
    place = transport.inside(media, grid.position_of(media, beat + command.x))
    if sync.is_beat_synced(engine, deck, machine.following - 1):
        place = sync.land(engine, dsp, deck, frame, place, 1.0)
    transport.locate(engine, dsp, deck, frame, place)
    voice.end_fade_in(dsp, deck)
    return Reason.NONE


@kernel
def load(engine, dsp, deck, command, frame):
    """Put a media slot on a deck, or take the deck's away (slot -1)."""
    slot = np.int64(command.target)
    how = np.int64(command.y)
    if slot < -1 or slot >= SLOTS:
        return Reason.UNKNOWN
    if how == Handover.GUEST:
        return stem_source.resume(engine, dsp, deck, np.int64(command.x), slot, frame)
    if slot < 0 and how != Handover.NEW:
        return Reason.UNKNOWN
    machine = engine.transport[deck]
    main = machine.head
    playing = machine.playing
    if how == Handover.SAME:
        if main.slot < 0 or main.slot != np.int64(command.x):
            return Reason.NO_TRACK
        stem_source.regrid(engine, dsp, deck, dsp.media[main.slot], dsp.media[slot], frame)
        dsp.media[main.slot].heads -= 1
        main.slot = slot
        dsp.media[slot].heads += 1
        sync.regrid(engine, deck)
        return Reason.NONE
    if how == Handover.RESUMED:
        # A new host: the head is where it was, it only has its track again.
        if main.slot >= 0:
            dsp.media[main.slot].heads -= 1
        main.slot = slot
        dsp.media[slot].heads += 1
        if playing != 0:
            voice.begin(dsp, deck)
            transport.go_round(engine, dsp, deck, frame)
        return Reason.NONE
    if playing != 0:
        transport.stop(engine, dsp, deck, frame)
    machine.cue_held = 0
    if main.slot >= 0:
        dsp.media[main.slot].heads -= 1
    main.slot = slot
    sync.regrid(engine, deck)
    base = deck * DECK_STRIDE
    voice.end_fade_in(dsp, deck)
    change(engine, dsp, AT_LEADER + base, 0.0, frame)
    change(engine, dsp, AT_LOOP_ACTIVE + base, 0.0, frame)
    machine.unrolled = 0.0
    machine.rolling = 0
    machine.rolled = 0.0
    stem_loop.reset(engine, dsp, deck, frame)
    stem_source.reset(engine, dsp, deck, frame)
    if slot < 0:
        machine.position = 0.0
        engine.values.deck[deck].position = 0.0
        transport.anchor(main, frame, 0.0, 0.0)
        return Reason.NONE
    media = dsp.media[slot]
    media.heads += 1
    machine.beat_hint = 0
    machine.underruns = 0
    machine.position = transport.inside(media, command.x * media.rate)
    command.x = machine.position / media.rate
    transport.anchor(main, frame, machine.position, 0.0)
    change(engine, dsp, AT_LOOP_START + base, NOT_SET, frame)
    change(engine, dsp, AT_LOOP_END + base, NOT_SET, frame)
    change(engine, dsp, AT_CUE_POINT + base, command.x, frame)
    for k in range(hotcue.HOTCUES):
        hotcue.forget(engine, dsp, AT_HOTCUE + base + k * HOTCUE_STRIDE, frame)
    return Reason.NONE
