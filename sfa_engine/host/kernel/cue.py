"""The cue button of a player, and the lamps beside it, as `cue_mode` says.

============== ======================== ======================= ==========================
mode           pressed while it plays   paused at the cue point paused elsewhere
============== ======================== ======================= ==========================
cdj, mixxx     stops at the cue point   plays while held        stores the cue point here
numark         stops at the cue point   plays while held        goes to the cue point
============== ======================== ======================= ==========================

In each of them PLAY while the button is held goes on playing after its release. In numark mode
PLAY, from a pause, also moves the cue point to where it starts. A deck that a hand holds counts as
paused: in cdj mode it stays at the point that was stored when the hand lets go, in mixxx mode it
plays on.

References
----------
.. [1] Mixxx user manual, chapter "The Mixxx User Interface", section "Using Cue Modes".
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE, Move
from sfa_engine.host.kernel import sync, transport
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.transport import AT_CUE_POINT, AT_PLAY
from sfa_engine.host.kernel.verbs import verb

CDJ, MIXXX, NUMARK = 0, 1, 2
FAST_BLINK_S = 0.25  # on, and as long off: what the next press moves, on a CDJ
SLOW_BLINK_S = 0.5


@kernel
def point_of(engine, dsp, deck):
    """Return a deck's cue point, in track frames."""
    media = dsp.media[engine.transport[deck].head.slot]
    at = AT_CUE_POINT + deck * DECK_STRIDE
    return transport.inside(media, engine.flat[at] * media.rate)


@kernel
def is_free(engine, deck):
    """Return whether a deck plays and no hand holds it."""
    machine = engine.transport[deck]
    return machine.playing != 0 and machine.motion.kind != Move.HAND


@kernel
def store(engine, dsp, deck, frame):
    """Store the cue point where the deck is, on the nearest beat if it quantises, and go there."""
    rate = dsp.media[engine.transport[deck].head.slot].rate
    here = transport.position_now(engine, deck, frame)
    place = transport.snap(engine, dsp, deck, here)
    change(engine, dsp, AT_CUE_POINT + deck * DECK_STRIDE, place / rate, frame)
    if place != here:
        transport.locate(engine, dsp, deck, frame, place)


@verb(needs_track=True)
def cue(engine, dsp, deck, command, frame):
    """Do what the cue button does in the deck's `cue_mode`."""
    machine = engine.transport[deck]
    mode = np.int64(engine.values.deck[deck].cue_mode)
    point = point_of(engine, dsp, deck)
    if command.x == 0.0:
        if machine.cue_held != 0:
            machine.cue_held = 0
            transport.stop(engine, dsp, deck, frame)
            transport.locate(engine, dsp, deck, frame, point)
        return Reason.NONE
    here = transport.position_now(engine, deck, frame)
    is_there = abs(here - point) < 1.0
    last = np.float64(dsp.media[machine.head.slot].frames)
    if is_free(engine, deck) or (not is_there and (mode == NUMARK or here >= last)):
        transport.stop(engine, dsp, deck, frame)
        transport.locate(engine, dsp, deck, frame, point)
    elif machine.playing != 0:
        store(engine, dsp, deck, frame)
        if mode == CDJ:
            change(engine, dsp, AT_PLAY + deck * DECK_STRIDE, 0.0, frame)
    elif is_there:
        machine.cue_held = 1
        sync.start(engine, dsp, deck, frame)
    else:
        store(engine, dsp, deck, frame)
    return Reason.NONE


@kernel
def move_by_play(engine, dsp, deck, frame):
    """Move the cue point to where a paused deck starts, in numark mode; called before it does."""
    if np.int64(engine.values.deck[deck].cue_mode) == NUMARK:
        media = dsp.media[engine.transport[deck].head.slot]
        here = engine.transport[deck].position / media.rate
        change(engine, dsp, AT_CUE_POINT + deck * DECK_STRIDE, here, frame)


@kernel
def blinks(dsp, frame, half_s):
    """Return 1 and 0 by turns, each so long."""
    half = max(np.int64(1), np.int64(half_s * dsp.sample_rate))
    return np.float64((frame // half) % 2 == 0)


@kernel
def light(engine, dsp, deck, frame, reading):
    """Publish the lamps of the cue and the play button.

    In cdj mode a lamp that blinks quickly says that the next press moves the cue point, in mixxx
    mode it blinks slowly; in numark mode the cue lamp is lit at the cue point alone. The play lamp
    of a paused CDJ blinks.
    """
    machine = engine.transport[deck]
    reading.cue_lamp = 0.0
    reading.play_lamp = 0.0
    if machine.head.slot < 0:
        return
    mode = np.int64(engine.values.deck[deck].cue_mode)
    if is_free(engine, deck):
        reading.play_lamp = np.float64(machine.cue_held == 0)
        reading.cue_lamp = np.float64(machine.cue_held != 0)
        return
    if mode == CDJ:
        reading.play_lamp = blinks(dsp, frame, SLOW_BLINK_S)
    here = transport.position_now(engine, deck, frame)
    if abs(here - point_of(engine, dsp, deck)) < 1.0:
        reading.cue_lamp = 1.0
    elif here < dsp.media[machine.head.slot].frames:
        if mode == CDJ:
            reading.cue_lamp = blinks(dsp, frame, FAST_BLINK_S)
        elif mode == MIXXX:
            reading.cue_lamp = blinks(dsp, frame, SLOW_BLINK_S)
