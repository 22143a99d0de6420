"""A fader that moves does not have the session's lock look at the decks each time."""

import pytest

from sfa_engine.engine.layout import VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.stage import session_lock
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.session_lock import SessionLock


@pytest.fixture
def looks(monkeypatch):
    """How often the decks were looked at, one entry each time."""
    found = []
    look = session_lock.audible_decks

    def counted(*given):
        found.append(1)
        return look(*given)

    monkeypatch.setattr(session_lock, "audible_decks", counted)
    return found


def test_the_decks_are_looked_at_when_what_decides_has_changed(looks):
    memory = Memory.anonymous()
    conductor = Conductor(memory)
    memory.engine["transport"][0]["playing"] = True
    SessionLock(conductor)
    conductor.set_nowait("deck1.fader", -1.0)
    assert conductor.get("session.locked") == 1.0
    del looks[:]
    for number in range(50):
        conductor.set_nowait("deck1.fader", -2.0 - number / 10)
        conductor.set_nowait("crossfader", -90.0 + number)
        conductor.set_nowait("master.volume", -number / 10)
    assert len(looks) <= 2
    conductor.set_nowait("deck1.fader", -60.0)
    assert conductor.get("session.locked") == 0.0
    conductor.set_nowait("deck1.fader", 0.0)
    assert conductor.get("session.locked") == 1.0
    conductor.set_nowait("crossfader", 100.0)
    assert conductor.get("session.locked") == 0.0
    assert memory.engine["flat"][VALUE_INDEX["crossfader"]] == 0.0  # the kernel has not run
