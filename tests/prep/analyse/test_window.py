"""A steady tone has no attack where one transformed second meets the next, and no tempo."""

import numpy as np
import pytest

from sfa_engine.prep.analyse.analysis import analyse_blocks
from sfa_engine.prep.analyse.measurement import measure_track
from sfa_engine.prep.analyse.onset import find_onsets, is_steady, struck

RATE = 48_000
HZ = (41.0, 98.0, 130.8, 217.0, 330.0, 523.3, 977.0, 1318.0, 5000.0, 10_007.0)


def tone(hz, seconds):
    t = np.arange(round(seconds * RATE)) / RATE
    return np.repeat(0.3 * np.sin(2 * np.pi * hz * t)[:, None], 2, axis=1).astype(np.float32)


@pytest.mark.parametrize("hz", HZ)
def test_a_steady_tone_rises_only_once(hz):
    onsets = find_onsets(measure_track([tone(hz, 8)]).levels)
    assert struck(onsets) < 0.3
    for name, rise in onsets.rises.items():
        assert rise[1500:-1000].max() < 0.12, name


@pytest.mark.slow
@pytest.mark.parametrize("hz", [98.0, 130.8, 217.0, 330.0, 440.5])
def test_no_tempo_is_invented_for_a_steady_tone(hz):
    assert analyse_blocks([tone(hz, 40)])["bpm"] is None


WAVES = {
    "square": lambda turns: np.sign(turns % 1 - 0.5),
    "saw": lambda turns: 2 * (turns % 1) - 1,
    "pulse": lambda turns: np.where(turns % 1 < 0.01, 1.0, -0.01),
}


def wave(name, hz, seconds, other_hz=None):
    t = np.arange(round(seconds * RATE)) / RATE
    sound = WAVES[name](hz * t) + (WAVES[name](other_hz * t) if other_hz else 0)
    return np.repeat(0.3 * sound[:, None], 2, axis=1).astype(np.float32)


def test_the_edges_of_a_steady_wave_are_no_attacks():
    for name in WAVES:
        for hz in (30.0, 55.0, 98.0, 196.0):
            onsets = find_onsets(measure_track([wave(name, hz, 8)]).levels)
            assert struck(onsets) > 0.3, (name, hz)
            assert is_steady(onsets), (name, hz)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "hz", "other_hz"),
    [("square", 55.0, None), ("square", 98.0, None), ("saw", 196.0, None), ("square", 55.0, 55.3)],
)
def test_no_tempo_is_invented_for_a_steady_wave(name, hz, other_hz):
    assert analyse_blocks([wave(name, hz, 40, other_hz)])["bpm"] is None


def test_notes_with_short_gaps_are_not_steady():
    t = np.arange(8 * RATE) / RATE
    gap = np.ones(RATE // 4)
    gap[: RATE // 20] = np.abs(np.linspace(1, -1, RATE // 20))
    sound = 0.3 * np.sin(2 * np.pi * 220 * t) * np.tile(gap, 32)
    stereo = np.repeat(sound[:, None], 2, axis=1).astype(np.float32)
    assert not is_steady(find_onsets(measure_track([stereo]).levels))


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.01, 1.02, 1.5, 2.03])
def test_levels_are_as_long_as_the_sound_and_keep_its_last_attack(seconds):
    sound = np.zeros((round(seconds * RATE), 2), np.float32)
    sound[-960:-912] = 0.5  # 20 ms before the end
    levels = measure_track(np.array_split(sound, 7)).levels
    assert levels.ms == round(seconds * 1000)
    assert abs(int(np.argmax(levels["high"] > 0.1)) - (levels.ms - 20)) <= 1
