"""SET: a control's value, and what else has to be seen to when it changes."""

from __future__ import annotations

from sfa_engine.engine.layout import DECK_STRIDE, SetRule
from sfa_engine.host.kernel import clock, effects, motion, sync, transport
from sfa_engine.host.kernel.glide import legal, set_goal
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.transport import AT_LOOP_ACTIVE


@kernel
def put_value(engine, dsp, index, command, frame):
    """Set a control to the nearest legal value; what is followed keeps the followed value."""
    command.x = legal(dsp, index, command.x)
    rule = dsp.set_rule[index]
    deck = dsp.deck_of[index]
    if rule == SetRule.RATE and sync.follow(engine, dsp, deck, frame) >= 0:
        command.x = engine.flat[index]
        return
    if rule == SetRule.TEMPO and clock.followed(engine, dsp, frame) != 0:
        command.x = engine.flat[index]
        return
    if rule == SetRule.CLOCK_SOURCE and engine.flat[index] != command.x:
        engine.clock_shift = 0
        engine.clock_leads = 0
    if rule == SetRule.EFFECT and engine.flat[index] != command.x:
        effects.choose(engine, dsp, index, command.x, frame)
    set_goal(engine, dsp, index, command.x)
    if rule == SetRule.LOOP:
        check_loop(engine, dsp, deck, frame)
    elif rule == SetRule.PLATTER:
        motion.turn(engine, dsp, deck, frame)


@kernel
def check_loop(engine, dsp, deck, frame):
    """Leave a loop whose ends came too close, or crossed: it is none any more."""
    slot = engine.transport[deck].head.slot
    values = engine.values.deck[deck]
    if values.loop.active != 0.0:
        if slot < 0 or not transport.has_loop(values, dsp.media[slot]):
            change(engine, dsp, AT_LOOP_ACTIVE + deck * DECK_STRIDE, 0.0, frame)
