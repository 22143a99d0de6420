"""Hot cues: positions in the track to jump to, to loop from, or to fade in from.

A loop and a fade-in have an end. Without one, or with one before the position, a press only jumps.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.desk import DESK
from sfa_engine.desk.deck import CUE_KINDS
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE, FADE, VALUE_INDEX
from sfa_engine.host.kernel import grid, slip, sync, transport, voice
from sfa_engine.host.kernel.glide import legal, set_goal
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change, changed
from sfa_engine.host.kernel.transport import (
    AT_HOTCUE,
    AT_LOOP_ACTIVE,
    AT_LOOP_END,
    AT_LOOP_START,
    HOTCUE_STRIDE,
    SHORTEST_LOOP,
)
from sfa_engine.host.kernel.verbs import verb

HOTCUES = len(DESK.deck[1].hotcue)
# From a hot cue's position among the values to what else it has.
END = VALUE_INDEX["deck1.hotcue1.end"] - AT_HOTCUE
KIND = VALUE_INDEX["deck1.hotcue1.kind"] - AT_HOTCUE
ON_LOAD = VALUE_INDEX["deck1.hotcue1.on_load"] - AT_HOTCUE
CUE = float(CUE_KINDS.index("cue"))
LOOP = float(CUE_KINDS.index("loop"))
FADE_IN = float(CUE_KINDS.index("fade_in"))
BEAT_S = 0.5  # of a track without a grid: 120 BPM


@kernel
def index_of(deck, command):
    """Return the index of a hot cue's position among the values, or -1."""
    if command.target < 0 or command.target >= HOTCUES:
        return np.int64(-1)
    return AT_HOTCUE + deck * DECK_STRIDE + np.int64(command.target) * HOTCUE_STRIDE


@kernel
def has_end(engine, index):
    """Return whether a hot cue ends after its start."""
    end = engine.flat[index + END]
    return end != NOT_SET and end > engine.flat[index]


@kernel
def end_from(engine, dsp, deck, start):
    """Return where a loop of `loop.length` beats from a position ends, in seconds.

    It ends with the track at the latest; `NOT_SET` if that leaves less than the shortest loop.
    """
    media = dsp.media[engine.transport[deck].head.slot]
    length = engine.values.deck[deck].loop.length
    place = start * media.rate
    if grid.has_grid(media):
        beat = grid.beat_near(media, engine.transport[deck].beat_hint, place)
        end = grid.position_of(media, beat + length)
    else:
        end = place + length * BEAT_S * media.rate
    end = min(end, np.float64(media.frames))
    return end / media.rate if end - place >= SHORTEST_LOOP else NOT_SET


@kernel
def forget(engine, dsp, index, frame):
    """Make a hot cue what it is when it was never set."""
    change(engine, dsp, index, NOT_SET, frame)
    change(engine, dsp, index + END, NOT_SET, frame)
    change(engine, dsp, index + KIND, CUE, frame)
    change(engine, dsp, index + ON_LOAD, 0.0, frame)


@kernel
def put_reported(engine, dsp, index, value, frame):
    """Change a value and report it, even if it stays: a new cue is reported whole."""
    set_goal(engine, dsp, index, value)
    changed(engine, dsp, index, frame)


@kernel
def store_here(engine, dsp, deck, index, frame):
    """Store a hot cue where the deck is, on the nearest beat if it quantises.

    A deck that goes round its loop stores that loop; a cue whose kind was chosen before keeps it.
    """
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    values = engine.values.deck[deck]
    here = transport.position_now(engine, deck, frame)
    kind = engine.flat[index + KIND]
    start = transport.snap(engine, dsp, deck, here) / media.rate
    end = NOT_SET
    loops = values.loop.active != 0.0 and transport.has_loop(values, media)
    begin = values.loop.start * media.rate
    if loops and begin <= here <= transport.loop_end(values, media):
        kind = LOOP
        start = values.loop.start
        end = transport.loop_end(values, media) / media.rate
    elif kind != CUE:
        end = end_from(engine, dsp, deck, start)
        if end == NOT_SET:
            kind = CUE
    put_reported(engine, dsp, index, start, frame)
    put_reported(engine, dsp, index + END, end, frame)
    put_reported(engine, dsp, index + KIND, kind, frame)
    put_reported(engine, dsp, index + ON_LOAD, 0.0, frame)


@kernel
def press_set(engine, dsp, deck, index, frame):
    """Jump to a hot cue that is set, into its loop, or fading in."""
    media = dsp.media[engine.transport[deck].head.slot]
    values = engine.values.deck[deck]
    start = engine.flat[index]
    end = engine.flat[index + END]
    kind = engine.flat[index + KIND]
    if kind == LOOP and has_end(engine, index):
        base = deck * DECK_STRIDE
        change(engine, dsp, AT_LOOP_START + base, start, frame)
        change(engine, dsp, AT_LOOP_END + base, end, frame)
        active = 1.0 if transport.has_loop(values, media) else 0.0
        change(engine, dsp, AT_LOOP_ACTIVE + base, active, frame)
    sync.go(engine, dsp, deck, frame, start * media.rate)
    voice.end_fade_in(dsp, deck)
    if kind == FADE_IN and has_end(engine, index):
        speed = transport.base_speed(dsp, engine, deck)
        frames = (end - start) * media.rate / max(speed, 1e-9)
        voice.fade_in(dsp, deck, max(np.float64(FADE), frames))


@verb(needs_track=True)
def hotcue_press(engine, dsp, deck, command, frame):
    """Jump to a hot cue, or store it here if it is not set; one that slips returns on release."""
    index = index_of(deck, command)
    if index < 0:
        return Reason.UNKNOWN
    hold = engine.transport[deck].slip
    if command.x == 0.0:
        if hold.cue == command.target:
            slip.end(engine, dsp, deck, frame, slip.HOTCUE)
        return Reason.NONE
    if engine.flat[index] != NOT_SET:
        if engine.values.deck[deck].slip != 0.0:
            if slip.begin(engine, dsp, deck, frame, slip.HOTCUE):
                hold.cue = command.target
        press_set(engine, dsp, deck, index, frame)
    else:
        store_here(engine, dsp, deck, index, frame)
    return Reason.NONE


@verb(needs_track=True)
def hotcue_store(engine, dsp, deck, command, frame):
    """Store a hot cue where the deck is."""
    index = index_of(deck, command)
    if index < 0:
        return Reason.UNKNOWN
    store_here(engine, dsp, deck, index, frame)
    return Reason.NONE


@verb(needs_track=True)
def hotcue_kind(engine, dsp, deck, command, frame):
    """Make a hot cue a cue, a loop or a fade-in; one without an end gets `loop.length` beats."""
    index = index_of(deck, command)
    if index < 0:
        return Reason.UNKNOWN
    kind = legal(dsp, index + KIND, command.x)
    start = engine.flat[index]
    if kind == CUE:
        change(engine, dsp, index + END, NOT_SET, frame)
    elif start != NOT_SET and not has_end(engine, index):
        end = end_from(engine, dsp, deck, start)
        if end == NOT_SET:
            return Reason.OUTSIDE
        change(engine, dsp, index + END, end, frame)
    command.x = kind
    set_goal(engine, dsp, index + KIND, kind)
    return Reason.NONE


@verb(needs_track=True)
def hotcue_clear(engine, dsp, deck, command, frame):
    """Forget a hot cue."""
    index = index_of(deck, command)
    if index < 0:
        return Reason.UNKNOWN
    forget(engine, dsp, index, frame)
    return Reason.NONE
