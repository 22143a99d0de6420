"""A steady tone has no attack where one transformed second meets the next."""

import numpy as np
import pytest

from sfa_engine.prep.analyse.analysis import analyse_blocks
from sfa_engine.prep.analyse.measurement import measure_track
from sfa_engine.prep.analyse.onset import find_onsets, struck

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


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.01, 1.02, 1.5, 2.03])
def test_levels_are_as_long_as_the_sound_and_keep_its_last_attack(seconds):
    sound = np.zeros((round(seconds * RATE), 2), np.float32)
    sound[-960:-912] = 0.5  # 20 ms before the end
    levels = measure_track(np.array_split(sound, 7)).levels
    assert levels.ms == round(seconds * 1000)
    assert abs(int(np.argmax(levels["high"] > 0.1)) - (levels.ms - 20)) <= 1
