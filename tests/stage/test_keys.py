"""The key that is heard, and fitting one deck's to the other's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.desk import DESK
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import Refused
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.keys import Keys, audible_key


class Decks:
    """Two decks with tracks, without an audio process."""

    def __init__(self, *keys):
        self.conductor = Conductor(Memory.anonymous())
        for path in ("deck1.rate", "deck2.rate"):
            self.conductor.set_nowait(path, 1.0)
        self.keys = Keys(self.conductor)
        for number, key in enumerate(keys, 1):
            self.conductor.stage.show_track(number, {"key": key}, 120.0)

    def set(self, path, value):
        self.conductor.set_nowait(path, value)

    def heard(self, number=1):
        return self.conductor.get(f"deck{number}.audible_key")

    def match(self, number=1):
        self.conductor.press_nowait(f"deck{number}.key_match")
        return self.conductor.get(f"deck{number}.pitch")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "A minor"),
        ({"pitch": 1.0}, "Bb minor"),
        ({"pitch": -2.0}, "G minor"),
        ({"pitch": 0.25}, "A minor +25 ct"),
        ({"rate": 2 ** (1 / 12)}, "Bb minor"),
        ({"rate": 1.04}, "Bb minor -32 ct"),
        ({"rate": 1.04, "keylock": 1.0}, "A minor"),
        ({"rate": 1.04, "keylock": 1.0, "pitch": 3.0}, "C minor"),
        ({"rate": 2.5, "keylock": 1.0}, "C# minor -14 ct"),
        ({"rate": 0.5}, "A minor"),
    ],
)
def test_the_audible_key_counts_rate_keylock_and_pitch(changes, expected):
    decks = Decks("A minor", "")
    for name, value in changes.items():
        decks.set(f"deck1.{name}", value)
    assert decks.heard() == expected
    assert decks.heard(2) == ""


def test_listeners_are_notified_of_the_audible_key():
    decks, notified = Decks("A minor", ""), []
    decks.conductor.listen(lambda path, value, _: notified.append((path, value)))
    decks.set("deck1.pitch", 2.0)
    decks.conductor.stage.show_track(1, {"key": "C major"}, None)
    decks.conductor.stage.show_track(1, {}, None)
    found = [value for path, value in notified if path == "deck1.audible_key"]
    assert found == ["B minor", "D major", ""]


@pytest.mark.parametrize(
    ("key", "other", "pitch"),
    [
        ("A minor", "A minor", 0.0),
        ("A minor", "C major", 0.0),
        ("A minor", "E minor", 0.0),
        ("A minor", "Bb minor", 1.0),
        ("A minor", "G minor", -2.0),
        ("C major", "F# major", -1.0),
    ],
)
def test_key_match_takes_the_smallest_shift(key, other, pitch):
    decks = Decks(key, other)
    assert decks.match() == pitch
    assert decks.match() == pitch  # again, nothing changes


def test_key_match_counts_what_is_heard_of_the_other_deck():
    decks = Decks("A minor", "A minor")
    decks.set("deck2.rate", 1.03)
    assert decks.match() == pytest.approx(12 * math.log2(1.03))
    assert decks.heard(1) == decks.heard(2) == "Bb minor -49 ct"
    decks.set("deck1.rate", 1.03)
    assert decks.match() == 0.0
    decks.set("deck1.keylock", 1.0)
    decks.set("deck2.keylock", 1.0)
    decks.set("deck2.pitch", 1.0)
    assert decks.match() == 1.0


def test_the_other_deck_is_the_one_that_is_followed_or_leads():
    decks = Decks("A minor", "Bb minor")
    engine = decks.conductor.memory.engine
    assert decks.keys.other(1) == 2
    engine["lead"] = 2
    assert decks.keys.other(1) == 2
    engine["lead"] = 1
    assert decks.keys.other(1) == 2  # never itself
    assert decks.keys.other(2) == 1
    engine["transport"][0]["following"] = len(DESK.deck) + 1  # the session's clock has no key
    assert decks.keys.other(1) == 2


@pytest.mark.parametrize("keys", [("", "A minor"), ("A minor", ""), ("", "")])
def test_without_two_keys_there_is_nothing_to_match(keys):
    decks = Decks(*keys)
    with pytest.raises(Refused, match=r"deck1\.key_match: .*key is known"):
        decks.match()
    assert decks.conductor.get("deck1.pitch") == 0.0


@given(st.floats(-40, 40))
def test_the_name_and_the_cents_say_the_shift(semitones):
    name, _, cents = audible_key("C major", semitones).partition(" major")
    pitches = {"C": 0, "Db": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "F#": 6, "G": 7, "Ab": 8}
    pitches |= {"A": 9, "Bb": 10, "B": 11}
    off = float(cents.split()[0]) / 100 if cents else 0.0
    away = (pitches[name] + off - semitones + 6) % 12 - 6
    assert abs(away) <= 0.05 + 1e-9
