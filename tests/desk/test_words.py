"""What the desk takes and says in words: times, ranges, and the nearest name."""

from __future__ import annotations

import pytest

from sfa_engine.desk import CONTROLS, find
from sfa_engine.errors import Refused

SECONDS = [path for path, control in CONTROLS.items() if control.scale.unit == "s"]


def test_every_control_in_seconds_takes_minutes_too():
    times = (("0:30", 30.0), ("1:01.5", 61.5), ("0:01:01.5", 61.5), ("90", 90.0))
    for control in map(CONTROLS.__getitem__, SECONDS):
        for words, seconds in times:
            if seconds <= control.scale.high:
                assert control.check(words) == seconds, control.path
        assert control.check("0:05 s") == 5.0, control.path
        if control.scale.low < 0:
            assert control.check("-0:10") == -10.0, control.path


@pytest.mark.parametrize("words", ["1:99", "0:-30", "--0:10", "1:", ":30", "1:2:3:4", "-", "--5"])
def test_what_is_no_time_is_refused(words):
    with pytest.raises(Refused, match=r"deck1\.position: "):
        find("deck1.position").check(words)


@pytest.mark.parametrize("path", ["deck1.rate", "clock.tempo", "deck1.jump", "crossfader"])
def test_only_seconds_are_written_in_minutes(path):
    with pytest.raises(Refused, match="is not a number"):
        find(path).check("0:01")


@pytest.mark.parametrize("path", ["deck1.fader", "master.volume", "deck2.eq.low.gain"])
def test_a_level_below_its_range_is_told_that_its_end_is_silence(path):
    with pytest.raises(Refused, match=r"give one from -60\.0 dB \(off\) to"):
        find(path).check(-90.0)
    assert find(path).check("off") == find(path).check("-60") == find(path).check("-inf") == -60.0


def test_the_end_of_a_threshold_is_no_silence():
    with pytest.raises(Refused, match=r"give one from -12\.0 dB to 0\.0 dB"):
        find("master.limiter.ceiling").check(-90.0)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("deck2.time", "deck2.position"),
        ("deck1.speed", "deck1.rate"),
        ("deck1.volume", "deck1.fader"),
        ("deck1.pause", "deck1.play"),
        ("deck1.length", "deck1.duration"),
        ("deck1.headphones", "deck1.pfl"),
        ("deck1.tempoo", "deck1.tempo"),
        ("dek1.tempo", "deck1.tempo"),
        ("deck1.stems.vocals.mute", "deck1.stem.vocals.mute"),
    ],
)
def test_a_wrong_name_is_answered_with_what_is_meant(wrong, right):
    with pytest.raises(Refused) as refusal:
        find(wrong)
    assert refusal.value.hint == f'did you mean "{right}"?'


@pytest.mark.parametrize("wrong", ["deck1.xyz", "deck1.qqq", "zzz"])
def test_a_name_that_is_like_none_is_answered_with_no_guess(wrong):
    with pytest.raises(Refused) as refusal:
        find(wrong)
    assert refusal.value.hint == "see `sfa describe` for all"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("deck1.fader", "off to 6 dB"),
        ("deck1.play", "on, off"),
        ("deck1.sync", "off, tempo, beat"),
        ("deck1.jump", "-256 to 256 beats"),
        ("deck1.cue", ""),
        ("engine.late", "0 and more"),
        ("clock.beat", "any number of beats"),
    ],
)
def test_every_kind_of_control_says_its_range(path, text):
    assert CONTROLS[path].range_text() == text
