"""Verbs of tempo: sync and leader of a deck, tempo and downbeat of the session's clock."""

from __future__ import annotations

from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE, DECKS, VALUE_INDEX
from sfa_engine.host.kernel import clock
from sfa_engine.host.kernel.glide import legal, set_goal
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.sync import ask_for_bar, engage
from sfa_engine.host.kernel.values import put_value
from sfa_engine.host.kernel.verbs import verb

AT_SYNC = VALUE_INDEX["deck1.sync"]
AT_LEADER = VALUE_INDEX["deck1.leader"]


@verb()
def sync(engine, dsp, deck, command, frame):
    """Follow the leader: not at all, its tempo, or its beats."""
    at = AT_SYNC + deck * DECK_STRIDE
    before = engine.flat[at]
    command.x = legal(dsp, at, command.x)
    set_goal(engine, dsp, at, command.x)
    engage(engine, dsp, deck, frame, before)
    return Reason.NONE


@verb(needs_track=True)
def sync_bar(engine, dsp, deck, command, frame):
    """Jump to the bar of what the deck follows."""
    return ask_for_bar(engine, dsp, deck, frame)


@verb()
def leader(engine, dsp, deck, command, frame):
    """Make a deck the leader, and no other one."""
    at = AT_LEADER + deck * DECK_STRIDE
    command.x = legal(dsp, at, command.x)
    set_goal(engine, dsp, at, command.x)
    if command.x != 0.0:
        for other in range(DECKS):
            if other != deck:
                change(engine, dsp, AT_LEADER + other * DECK_STRIDE, 0.0, frame)
    return Reason.NONE


@verb(needs_deck=False)
def clock_tempo(engine, dsp, deck, command, frame):
    """Set the tempo of the session's clock, unless it follows another."""
    put_value(engine, dsp, clock.AT_TEMPO, command, frame)
    return Reason.NONE


@verb(needs_deck=False)
def clock_align(engine, dsp, deck, command, frame):
    """Make this moment a downbeat."""
    clock.align(engine, dsp, frame)
    return Reason.NONE


@verb(needs_deck=False)
def clock_tap(engine, dsp, deck, command, frame):
    """Take the tempo from the last taps, as soon as there are three."""
    return clock.tap(engine, dsp, frame)
