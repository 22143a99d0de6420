"""Hot cues: positions in the track to jump to."""

from __future__ import annotations

import numpy as np

from sfa_engine.desk import DESK
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE
from sfa_engine.host.kernel import slip, sync, transport
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.transport import AT_HOTCUE, HOTCUE_STRIDE
from sfa_engine.host.kernel.verbs import verb

HOTCUES = len(DESK.deck[1].hotcue)


@kernel
def index_of(deck, command):
    """Return the index of a hot cue's position among the values, or -1."""
    if command.target < 0 or command.target >= HOTCUES:
        return np.int64(-1)
    return AT_HOTCUE + deck * DECK_STRIDE + np.int64(command.target) * HOTCUE_STRIDE


@kernel
def store_here(engine, dsp, deck, index, frame):
    """Store a hot cue where the deck is, on the nearest beat if it quantises."""
    rate = dsp.media[engine.transport[deck].head.slot].rate
    here = transport.position_now(engine, deck, frame)
    change(engine, dsp, index, transport.snap(engine, dsp, deck, here) / rate, frame)


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
    stored = engine.flat[index]
    if stored != NOT_SET and engine.values.deck[deck].slip != 0.0:
        if slip.begin(engine, dsp, deck, frame, slip.HOTCUE):
            hold.cue = command.target
    if stored != NOT_SET:
        rate = dsp.media[engine.transport[deck].head.slot].rate
        sync.go(engine, dsp, deck, frame, stored * rate)
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
def hotcue_clear(engine, dsp, deck, command, frame):
    """Forget a hot cue."""
    index = index_of(deck, command)
    if index < 0:
        return Reason.UNKNOWN
    change(engine, dsp, index, NOT_SET, frame)
    return Reason.NONE
