"""The cue button of a CD player."""

from __future__ import annotations

from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE
from sfa_engine.host.kernel import sync, transport
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.transport import AT_CUE_POINT
from sfa_engine.host.kernel.verbs import verb


@verb(needs_track=True)
def cue(engine, dsp, deck, command, frame):
    """Store the cue point when paused elsewhere, play from it while held, else return to it."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    index = AT_CUE_POINT + deck * DECK_STRIDE
    point = transport.inside(media, engine.flat[index] * media.rate)
    if command.x == 0.0:
        if machine.cue_held != 0:
            machine.cue_held = 0
            transport.stop(engine, dsp, deck, frame)
            transport.locate(engine, dsp, deck, frame, point)
        return Reason.NONE
    here = transport.position_now(engine, deck, frame)
    if machine.playing != 0:
        transport.stop(engine, dsp, deck, frame)
        transport.locate(engine, dsp, deck, frame, point)
    elif abs(here - point) < 1.0:
        machine.cue_held = 1
        sync.start(engine, dsp, deck, frame)
    else:
        place = transport.snap(engine, dsp, deck, here)
        change(engine, dsp, index, place / media.rate, frame)
        transport.locate(engine, dsp, deck, frame, place)
    return Reason.NONE
