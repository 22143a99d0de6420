"""The session is locked while the room hears a deck, and what that refuses on the stage."""

from __future__ import annotations

import pytest

from sfa_engine.engine.audible import audible_decks
from sfa_engine.engine.layout import VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import Refused
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.session_lock import SessionLock


class Stage:
    """An engine's memory in which a test says what plays, and the lock beside it."""

    def __init__(self) -> None:
        self.memory = Memory.anonymous()
        self.conductor = Conductor(self.memory)
        self.lock = SessionLock(self.conductor)

    def play(self, deck: int, *, playing: bool = True) -> None:
        self.memory.engine["transport"][deck - 1]["playing"] = playing
        self.lock.update()

    def set(self, path: str, value: float) -> None:
        self.memory.engine["flat"][VALUE_INDEX[path]] = value
        self.lock.update()

    @property
    def audible(self) -> list[int]:
        return audible_decks(self.memory, self.conductor.get)

    @property
    def locked(self) -> bool:
        return bool(self.conductor.get("session.locked"))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_deck_is_audible_while_it_plays_with_its_fader_up(stage):
    assert stage.audible == []
    stage.play(1)
    assert stage.audible == [1]
    stage.play(2)
    assert stage.audible == [1, 2]
    stage.play(1, playing=False)
    assert stage.audible == [2]


@pytest.mark.parametrize(
    ("path", "value", "audible"),
    [
        ("deck1.fader", -60.0, []),
        ("deck1.fader", -59.0, [1]),
        ("deck1.stem.mix.mute", 1.0, [1]),  # a break of silence is part of the set
        ("deck1.trim", -60.0, [1]),
        ("master.volume", -60.0, []),
        ("crossfader", -100.0, [1]),
        ("crossfader", 0.0, [1]),
        ("crossfader", 95.0, [1]),
        ("crossfader", 100.0, []),
    ],
)
def test_what_a_dj_sees_decides(stage, path, value, audible):
    stage.play(1)
    stage.set(path, value)
    assert stage.audible == audible
    assert stage.locked is bool(audible)


def test_the_side_of_the_crossfader_counts(stage):
    stage.play(1)
    stage.set("crossfader", 100.0)
    stage.set("crossfader_reverse", 1.0)
    assert stage.audible == [1]
    stage.set("crossfader_reverse", 0.0)
    stage.set("deck1.assign", 2.0)  # through
    assert stage.audible == [1]


def test_a_change_of_the_lock_is_notified(stage):
    changes = []
    stage.conductor.listen(lambda path, value, _: changes.append((path, value)))
    stage.play(1)
    stage.play(2)
    stage.conductor.set_nowait("session.lock", "off", 1001)
    stage.conductor.set_nowait("session.lock", "on", 1001)
    assert [change for change in changes if change[0] == "session.locked"] == [
        ("session.locked", 1.0),
        ("session.locked", 0.0),
        ("session.locked", 1.0),
    ]
    assert changes.count(("session.lock", 0.0)) == changes.count(("session.lock", 2.0)) == 1


def test_a_fader_pulled_down_unlocks_at_once(stage):
    stage.play(1)
    assert stage.locked
    stage.conductor.set_nowait("deck1.fader", "off")
    assert not stage.locked


def test_a_load_over_an_audible_deck_is_refused_unless_forced(stage):
    stage.play(1)
    with pytest.raises(Refused, match=r"deck 1 is audible: session\.lock \(auto\) refuses loading"):
        stage.lock.check_deck(1, "loading", force=False)
    stage.lock.check_deck(1, "loading", force=True)
    stage.lock.check_deck(2, "loading", force=False)


def test_auto_allows_a_load_on_an_inaudible_deck_and_on_does_not(stage):
    stage.play(1)
    stage.set("deck1.fader", -60.0)
    stage.lock.check_deck(1, "loading", force=False)
    stage.conductor.set_nowait("session.lock", "on")
    with pytest.raises(Refused, match=r"deck 1 is playing: session\.lock \(on\) refuses ejecting"):
        stage.lock.check_deck(1, "ejecting", force=False)
    stage.play(1, playing=False)
    stage.lock.check_deck(1, "loading", force=False)


def test_off_refuses_nothing(stage):
    stage.play(1)
    stage.conductor.set_nowait("session.lock", "off")
    stage.lock.check_deck(1, "loading", force=False)
    assert not stage.locked
