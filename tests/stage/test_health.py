"""The health word: the worst that is known, with its reasons."""

import pytest

from sfa_engine.stage.health import WORDS, Facts, Misses, judge

WELL = Facts(silent_s=0.01, realtime=55, locked=True, driver="portaudio", device="x")


def changed(**facts):
    return Facts(**{**vars(WELL), **facts})


def test_an_engine_that_plays_well_is_ok_and_needs_no_reasons():
    assert judge(WELL) == ("ok", [])
    assert judge(changed(silent_s=2.0, block_s=0.512)) == ("ok", [])


@pytest.mark.parametrize(
    ("facts", "word", "reason"),
    [
        ({"silent_s": float("inf")}, "down", "audio process is not running"),
        ({"silent_s": 2.0}, "down", "no audio block for 2.0 s"),
        ({"silent_s": 2.0, "block_s": 0.4}, "down", "no audio block for 2.0 s"),
        ({"error": 'no device "x"'}, "failing", 'no device "x"'),
        ({"driver": "timer", "configured": "default"}, "failing", "timer"),
        ({"driver": "timer", "configured": "none"}, "degraded", "timer"),
        ({"decks": ["", "is gone"]}, "failing", "deck 2: is gone"),
        ({"underruns": [7, 0]}, "degraded", "deck 1: 7 frames"),
        ({"late": 3, "late_ago_s": 5.0}, "degraded", "3 late blocks"),
        ({"load_pct": 80.0}, "degraded", "80 %"),
        ({"ladder": 1}, "degraded", "overload: keylock stretches in time"),
        ({"ladder": 3}, "degraded", "effects are off; pads have 16 voices"),
        ({"realtime": 0}, "ok", "real-time priority"),
        ({"locked": False}, "ok", "not locked"),
        ({"realtime": 0, "late": 1, "late_ago_s": 5.0}, "degraded", "real-time priority"),
        ({"relinked_ago_s": 5.0}, "degraded", "linked again 5 s ago"),
        ({"reports_lost": 2}, "degraded", "2 reports"),
        ({"restarts": {"stage": "SIGKILL"}}, "degraded", "stage was restarted: SIGKILL"),
        ({"surfaces": ["OSC is off: taken"]}, "degraded", "OSC is off: taken"),
    ],
)
def test_each_trouble_has_its_word_and_its_reason(facts, word, reason):
    said, reasons = judge(changed(**facts))
    assert said == word
    assert any(reason in r for r in reasons)


def test_a_link_that_was_lost_is_forgotten_after_a_minute():
    assert judge(changed(relinked_ago_s=60.0)) == ("ok", [])


def test_the_worst_trouble_gives_the_word_and_comes_first():
    said, reasons = judge(changed(load_pct=90.0, error="gone", realtime=0))
    assert said == "failing"
    assert "gone" in reasons[0]
    assert WORDS.index(said) == 2


def test_the_last_miss_is_that_of_the_host_that_runs():
    misses = Misses()
    misses.count(1, 5, 10.0)
    assert misses.ago_s(10.0) == float("inf")  # when it was, nobody saw
    misses.count(1, 6, 20.0)
    assert misses.ago_s(25.0) == 5.0
    misses.count(1, 6, 30.0)
    assert misses.ago_s(30.0) == 10.0
    misses.count(2, 0, 31.0)
    assert misses.ago_s(31.0) == float("inf")
    misses.count(2, 1, 32.0)
    assert misses.ago_s(32.0) == 0.0
