"""Stems across decks: whose stem a slot plays, swaps and hand-overs, and what undoes them.

A slot that plays another deck's stem keeps the track (by its count of heads) and a map from its
own deck's beats to those of the track. Both are fixed when it is switched: whatever the other deck
does afterwards, the stem goes on, in time with the deck whose slot it plays in.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import (
    DECK_STRIDE,
    DECKS,
    LATCHED,
    NO_SOURCE,
    PATH,
    ROLLED,
    STRIPS,
    VALUE_INDEX,
)
from sfa_engine.host.kernel import grid, sync, transport
from sfa_engine.host.kernel.glide import legal, set_goal
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.stem_loop import STEM_STRIDE
from sfa_engine.host.kernel.verbs import verb
from sfa_engine.host.kernel.voice import set_slot

AT_SOURCE = VALUE_INDEX["deck1.stem.vocals.source"]
AT_ACAPELLA = VALUE_INDEX["deck1.acapella"]
AT_INSTRUMENTAL = VALUE_INDEX["deck1.instrumental"]
OWN = 0
IN_TIME = 0.1  # beats, 50 ms at 120 BPM: decks that are nearer are meant to be in time


@kernel
def index_of(deck, stem):
    """Return the index of a stem's source among the values."""
    return AT_SOURCE + deck * DECK_STRIDE + stem * STEM_STRIDE


@kernel
def copy(dsp, to, guest):
    """Copy where a stem comes from; its track has one more that needs it."""
    set_slot(dsp, to, guest.slot)
    to.source = guest.source
    to.offset = guest.offset
    to.multiple = guest.multiple
    for i in range(PATH):
        to.bundle[i] = guest.bundle[i]


@kernel
def exchange(one, other):
    """Exchange two sources of a stem."""
    slot = one.slot
    one.slot = other.slot
    other.slot = slot
    source = one.source
    one.source = other.source
    other.source = source
    offset = one.offset
    one.offset = other.offset
    other.offset = offset
    multiple = one.multiple
    one.multiple = other.multiple
    other.multiple = multiple
    for i in range(PATH):
        byte = one.bundle[i]
        one.bundle[i] = other.bundle[i]
        other.bundle[i] = byte


@kernel
def rest(dsp, guest, source):
    """Make a slot play the stem of its own deck, or none (`NO_SOURCE`)."""
    set_slot(dsp, guest, np.int64(-1))
    guest.source = source


@kernel
def show(engine, dsp, deck, stem, frame):
    """Bring the control to where the stem comes from."""
    source = np.float64(engine.transport[deck].stem[stem].now.source)
    change(engine, dsp, index_of(deck, stem), source, frame)
    engine.transport[deck].apart = 1


@kernel
def note(engine, dsp):
    """Keep where every stem comes from, for one press that undoes what follows."""
    for d in range(DECKS):
        for s in range(STRIPS):
            line = engine.transport[d].stem[s]
            copy(dsp, line.before, line.now)
    engine.stems_changed = 1


@kernel
def other_deck(engine, deck):
    """Return the deck that a stem is exchanged with: one that plays, else one with a track; -1."""
    best = np.int64(-1)
    for d in range(DECKS):
        if d == deck or engine.transport[d].head.slot < 0:
            continue
        if best < 0 or (engine.transport[d].playing != 0 and engine.transport[best].playing == 0):
            best = np.int64(d)
    return best


@kernel
def multiple_of(engine, dsp, deck, owner, beat_frames, owner_frames):
    """Return how many beats of another deck's track go on one beat of a deck: 0.5, 1 or 2."""
    media = dsp.media[engine.transport[owner].head.slot]
    tempo = transport.base_speed(dsp, engine, deck) / beat_frames
    owner_tempo = media.rate / dsp.sample_rate / owner_frames
    if engine.transport[owner].playing != 0:
        owner_tempo *= dsp.to.deck[owner].rate
    return sync.fold(tempo / owner_tempo)


@kernel
def check(engine, dsp, deck, stem, owner):
    """Return whether a slot may play another deck's stem, as a `Reason`."""
    slot = engine.transport[deck].head.slot
    owner_slot = engine.transport[owner].head.slot
    if slot < 0 or owner_slot < 0:
        return Reason.NO_TRACK
    if dsp.media[owner_slot].address[stem] == 0:
        return Reason.NO_STEM
    if not grid.has_grid(dsp.media[slot]) or not grid.has_grid(dsp.media[owner_slot]):
        return Reason.NO_GRID
    return Reason.NONE


@kernel
def capture(engine, dsp, deck, stem, owner, frame):
    """Make a slot play another deck's stem from now on; `check` has been passed.

    Where the other deck plays in time with this one, its beat is kept, so that the stem goes on as
    it was heard. Else the bars are brought together, as near as they are.
    """
    machine = engine.transport[deck]
    other = engine.transport[owner]
    media = dsp.media[machine.head.slot]
    source = dsp.media[other.head.slot]
    beat, beat_frames = transport.beat_of(engine, dsp, deck, frame)
    owner_beat, owner_frames = transport.beat_of(engine, dsp, owner, frame)
    multiple = multiple_of(engine, dsp, deck, owner, beat_frames, owner_frames)
    away = owner_beat - beat * multiple
    both = machine.playing != 0 and other.playing != 0
    alike = engine.values.deck[deck].reverse == engine.values.deck[owner].reverse
    if both and alike and abs(away - math.floor(away + 0.5)) < IN_TIME:
        offset = math.floor(away + 0.5)
    else:
        down = math.floor(beat / media.beats_per_bar) * media.beats_per_bar
        bars = (owner_beat - (beat - down) * multiple) / source.beats_per_bar
        offset = math.floor(bars + 0.5) * source.beats_per_bar - down * multiple
    guest = machine.stem[stem].now
    set_slot(dsp, guest, other.head.slot)
    guest.source = owner + 1
    guest.offset = offset
    guest.multiple = multiple
    for i in range(PATH):
        guest.bundle[i] = other.bundle_bytes[i]


@verb(needs_track=True)
def stem_source(engine, dsp, deck, command, frame):
    """Let a slot play its own deck's stem, another deck's, or none."""
    stem = np.int64(command.target)
    if stem < 0 or stem >= STRIPS:
        return Reason.UNKNOWN
    index = index_of(deck, stem)
    command.x = legal(dsp, index, command.x)
    source = np.int64(command.x)
    guest = engine.transport[deck].stem[stem].now
    if source == deck + 1:
        source = np.int64(OWN)
        command.x = 0.0
    if source == OWN or source == NO_SOURCE:
        if guest.source != source:
            note(engine, dsp)
            rest(dsp, guest, source)
    else:
        reason = check(engine, dsp, deck, stem, source - 1)
        if reason != Reason.NONE:
            return reason
        is_there = guest.source == source
        if not is_there or guest.slot != engine.transport[source - 1].head.slot:
            note(engine, dsp)
            capture(engine, dsp, deck, stem, source - 1, frame)
    set_goal(engine, dsp, index, command.x)
    engine.transport[deck].apart = 1
    return Reason.NONE


@kernel
def swap(engine, dsp, deck, stem, frame):
    """Exchange a stem with the other deck's, or back; `can_swap` has been passed."""
    other = other_deck(engine, deck)
    mine = engine.transport[deck].stem[stem].now
    theirs = engine.transport[other].stem[stem].now
    if mine.source == other + 1 and theirs.source == deck + 1:
        rest(dsp, mine, OWN)
        rest(dsp, theirs, OWN)
    else:
        capture(engine, dsp, deck, stem, other, frame)
        capture(engine, dsp, other, stem, deck, frame)
    show(engine, dsp, deck, stem, frame)
    show(engine, dsp, other, stem, frame)


@kernel
def hand_over(engine, dsp, deck, stem, frame):
    """Move a stem to the other deck, or take it back; `can_hand_over` has been passed."""
    other = other_deck(engine, deck)
    mine = engine.transport[deck].stem[stem].now
    theirs = engine.transport[other].stem[stem].now
    if mine.source == NO_SOURCE:
        rest(dsp, mine, OWN)
        if theirs.source == deck + 1:
            rest(dsp, theirs, OWN)
    elif mine.source == other + 1:
        rest(dsp, mine, NO_SOURCE)  # it goes home
        rest(dsp, theirs, OWN)
    else:
        capture(engine, dsp, other, stem, deck, frame)
        rest(dsp, mine, NO_SOURCE)
    show(engine, dsp, deck, stem, frame)
    show(engine, dsp, other, stem, frame)


@kernel
def exchange_stem(engine, dsp, deck, command, frame, moves, held):
    """Swap a stem with the other deck's or, if it `moves`, hand it over; return a `Reason`.

    If it is `held`, a press does it and a release takes it back; else `stems_undo` does.
    """
    stem = np.int64(command.target)
    if stem < 0 or stem >= STRIPS:
        return Reason.UNKNOWN
    if held and command.x == 0.0:
        return let_go(engine, dsp, deck, stem, frame)
    if moves:
        reason = can_hand_over(engine, dsp, deck, stem)
    else:
        reason = can_swap(engine, dsp, deck, stem)
    if reason != Reason.NONE:
        return reason
    if not held:
        note(engine, dsp)
    elif not hold(engine, dsp, deck, stem):
        return Reason.NONE
    if moves:
        hand_over(engine, dsp, deck, stem, frame)
    else:
        swap(engine, dsp, deck, stem, frame)
    return Reason.NONE


@verb(needs_track=True)
def stem_swap(engine, dsp, deck, command, frame):
    """Exchange a stem with the other deck's, or back."""
    return exchange_stem(engine, dsp, deck, command, frame, False, False)


@verb(needs_track=True)
def stem_hand_over(engine, dsp, deck, command, frame):
    """Move a stem to the other deck, or take it back."""
    return exchange_stem(engine, dsp, deck, command, frame, True, False)


@verb(needs_track=True)
def stem_swap_hold(engine, dsp, deck, command, frame):
    """Exchange a stem with the other deck's while held."""
    return exchange_stem(engine, dsp, deck, command, frame, False, True)


@verb(needs_track=True)
def stem_lend(engine, dsp, deck, command, frame):
    """Move a stem to the other deck while held."""
    return exchange_stem(engine, dsp, deck, command, frame, True, True)


@kernel
def can_swap(engine, dsp, deck, stem):
    """Return whether `swap` can be done, as a `Reason`."""
    other = other_deck(engine, deck)
    if other < 0:
        return Reason.NO_OTHER
    mine = engine.transport[deck].stem[stem].now
    theirs = engine.transport[other].stem[stem].now
    if mine.source == other + 1 and theirs.source == deck + 1:
        return Reason.NONE
    reason = check(engine, dsp, deck, stem, other)
    if reason != Reason.NONE:
        return reason
    return check(engine, dsp, other, stem, deck)


@kernel
def can_hand_over(engine, dsp, deck, stem):
    """Return whether `hand_over` can be done, as a `Reason`."""
    other = other_deck(engine, deck)
    if other < 0:
        return Reason.NO_OTHER
    source = engine.transport[deck].stem[stem].now.source
    if source == NO_SOURCE or source == other + 1:
        return Reason.NONE
    return check(engine, dsp, other, stem, deck)


@kernel
def hold(engine, dsp, deck, stem):
    """Keep where a stem comes from on every deck until a button is released.

    Returns
    -------
    bool
        False if another button holds it already.
    """
    for d in range(DECKS):
        if engine.transport[d].stem[stem].holding != 0:
            return False
    for d in range(DECKS):
        line = engine.transport[d].stem[stem]
        copy(dsp, line.held, line.now)
    engine.transport[deck].stem[stem].holding = 1
    return True


@kernel
def let_go(engine, dsp, deck, stem, frame):
    """Put a stem back to where it came from before a button was held."""
    if engine.transport[deck].stem[stem].holding == 0:
        return Reason.NONE
    engine.transport[deck].stem[stem].holding = 0
    for d in range(DECKS):
        line = engine.transport[d].stem[stem]
        exchange(line.now, line.held)
        set_slot(dsp, line.held, np.int64(-1))
        show(engine, dsp, np.int64(d), stem, frame)
    return Reason.NONE


@verb(needs_deck=False)
def stems_undo(engine, dsp, deck, command, frame):
    """Put every stem back to where it came from before the last change; again repeats it."""
    if engine.stems_changed == 0:
        return Reason.NO_CHANGE
    for d in range(DECKS):
        for s in range(STRIPS):
            line = engine.transport[d].stem[s]
            exchange(line.now, line.before)
            show(engine, dsp, np.int64(d), np.int64(s), frame)
    return Reason.NONE


@verb()
def acapella(engine, dsp, deck, command, frame):
    """Play the vocals alone, or everything again."""
    command.x = 1.0 if command.x != 0.0 else 0.0
    if command.x != 0.0:
        change(engine, dsp, AT_INSTRUMENTAL + deck * DECK_STRIDE, 0.0, frame)
    set_goal(engine, dsp, AT_ACAPELLA + deck * DECK_STRIDE, command.x)
    return Reason.NONE


@verb()
def instrumental(engine, dsp, deck, command, frame):
    """Play everything but the vocals, or everything again."""
    command.x = 1.0 if command.x != 0.0 else 0.0
    if command.x != 0.0:
        change(engine, dsp, AT_ACAPELLA + deck * DECK_STRIDE, 0.0, frame)
    set_goal(engine, dsp, AT_INSTRUMENTAL + deck * DECK_STRIDE, command.x)
    return Reason.NONE


# ---------------------------------------------------------------------- what happens to a track


@kernel
def reset(engine, dsp, deck, frame):
    """Give a deck its own stems again: another track comes, and its beats are others."""
    for s in range(STRIPS):
        line = engine.transport[deck].stem[s]
        rest(dsp, line.now, OWN)
        rest(dsp, line.before, OWN)
        rest(dsp, line.held, OWN)
        line.holding = 0
        show(engine, dsp, deck, np.int64(s), frame)


@kernel
def resume(engine, dsp, deck, stem, slot, frame):
    """Give a stem from another deck its track again after a restart, or its own deck's without."""
    if stem < 0 or stem >= STRIPS:
        return Reason.UNKNOWN
    guest = engine.transport[deck].stem[stem].now
    if guest.source == OWN or guest.source == NO_SOURCE or guest.slot >= 0:
        return Reason.NONE
    if slot < 0:
        rest(dsp, guest, OWN)
        show(engine, dsp, deck, stem, frame)
    else:
        set_slot(dsp, guest, slot)
    return Reason.NONE


@kernel
def regrid(engine, dsp, deck, before, after, frame):
    """Keep loops and guests of a deck's stems in place while its beats are renumbered."""
    if not grid.has_grid(before) or not grid.has_grid(after):
        return
    here = transport.position_now(engine, deck, frame)
    hint = engine.transport[deck].beat_hint
    was = grid.beat_near(before, hint, here)
    now = grid.beat_near(after, hint, here)
    for s in range(STRIPS):
        line = engine.transport[deck].stem[s]
        for which in (LATCHED, ROLLED):
            start = grid.position_of(before, line.loop_start[which])
            line.loop_start[which] = grid.beat_near(after, hint, start)
        line.now.offset += (was - now) * line.now.multiple
        line.before.offset += (was - now) * line.before.multiple
        line.held.offset += (was - now) * line.held.multiple
