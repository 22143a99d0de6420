import numpy as np
import pytest

from sfa_engine.mix.measures import DeckSound, measure

RATE, BAR_S, SPAN = 48_000, 1.0, (8.0, 16.0)
TIMES = np.arange(24 * RATE) / RATE


def kicks(late_s=0.0):
    """Return a kick on each half second: 55 Hz, gone within 0.1 s."""
    phase = np.mod(TIMES - late_s, 0.5)
    return np.sin(2 * np.pi * 55 * phase) * np.exp(-phase / 0.05)


def tone(hz):
    return 0.3 * np.sin(2 * np.pi * hz * TIMES)


def between(start, end):
    return ((start <= TIMES) & (end > TIMES)).astype(float)


def measured(one, other, gain_out, gain_in, **stems):
    """Measure two sounds with a gain at each frame."""
    out = DeckSound(one * gain_out, one, **{k: v[0] for k, v in stems.items()})
    into = DeckSound(other * gain_in, other, **{k: v[1] for k, v in stems.items()})
    return measure(out, into, rate=RATE, start_s=SPAN[0], end_s=SPAN[1], bar_s=BAR_S)


ANGLE = np.clip((TIMES - SPAN[0]) / (SPAN[1] - SPAN[0]), 0, 1) * np.pi / 2
POWER = np.cos(ANGLE), np.sin(ANGLE)
CUT = between(0, 12), between(12, 24)


def test_a_cut_between_equals_is_even():
    found = measured(tone(400), tone(523), *CUT)
    assert found.over_louder_db == pytest.approx(0, abs=0.2)
    assert found.under_louder_db == pytest.approx(0, abs=0.2)
    assert found.step_lu == pytest.approx(0.2, abs=0.5)
    assert found.silence_s == 0


def test_two_at_once_stand_out_by_three_decibels():
    found = measured(tone(400), tone(523), between(0, 16), between(8, 24))
    assert found.over_louder_db == pytest.approx(3, abs=0.3)
    assert found.over_line_db == pytest.approx(3, abs=0.4)


def test_equal_power_is_even_and_equal_gain_sags():
    even = measured(tone(400), tone(523), *POWER)
    share = ANGLE / (np.pi / 2)
    sagging = measured(tone(400), tone(523), 1 - share, share)
    assert even.under_louder_db > -0.3
    assert sagging.under_louder_db == pytest.approx(-3, abs=0.4)


def test_bars_of_two_basses_and_of_none():
    one, other = tone(60) + tone(900), tone(70) + tone(800)
    assert measured(one, other, between(0, 16), between(8, 24)).bass_both_bars > 7
    apart = measured(one, other, *CUT)
    assert apart.bass_both_bars < 0.5
    assert apart.bass_neither_bars < 0.5
    assert measured(one, other, between(0, 10), between(14, 24)).bass_neither_bars == pytest.approx(
        4, abs=0.4
    )


@pytest.mark.parametrize("late_ms", [-30, 0, 40])
def test_how_far_the_kicks_are_apart(late_ms):
    drums = kicks(0.1), kicks(0.1 + late_ms / 1000)
    found = measured(*drums, *POWER, drums=drums)
    assert found.apart_ms == pytest.approx(late_ms, abs=2)


def test_seconds_of_two_voices():
    voices = tone(300) * between(5, 12), tone(350) * between(10, 20)
    found = measured(tone(900), tone(800), *POWER, vocals=voices, vocals_unity=voices)
    assert found.voices_s == pytest.approx(2, abs=0.2)
    assert measured(tone(900), tone(800), *POWER).voices_s is None


def test_a_gap_is_silence():
    found = measured(tone(400), tone(523), between(0, 11), between(13, 24))
    assert found.silence_s == pytest.approx(1.6, abs=0.3)
