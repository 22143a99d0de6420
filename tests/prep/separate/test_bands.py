"""Beats and tones are told apart, and a spectrum has a way back."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.prep.separate import bands

RATE = 44_100
TIME = np.arange(3 * RATE) / RATE


def stereo(sound):
    return np.repeat(sound[:, None], 2, axis=1).astype(np.float32)


def power_db(sound):
    return 10 * np.log10(np.mean(np.square(sound, dtype=float)) + 1e-20)


@pytest.mark.parametrize("frames", [1, 511, 512, 2048, 44_101])
@pytest.mark.parametrize("window", [2048, 8192])
def test_a_spectrum_gives_its_sound_back(frames, window):
    sound = np.random.default_rng(1).standard_normal((frames, 2)).astype(np.float32)
    back = bands.from_spectrum(bands.spectrum(sound, window), frames, window)
    np.testing.assert_allclose(back, sound, atol=2e-6)


def test_the_parts_sum_to_the_backing():
    sound = stereo(np.random.default_rng(1).standard_normal(RATE))
    np.testing.assert_allclose(sum(bands.split_backing(sound, RATE).values()), sound, atol=1e-5)


@pytest.mark.parametrize(
    ("sound", "stem"),
    [
        (
            np.random.default_rng(2).standard_normal(len(TIME)) * np.exp(-(TIME % 0.5) / 0.01),
            "drums",
        ),
        (np.sin(2 * np.pi * 60 * TIME) * np.exp(-(TIME % 0.5) / 0.04), "drums"),
        (np.sin(2 * np.pi * 60 * TIME), "bass"),
        (np.sin(2 * np.pi * 660 * TIME), "other"),
    ],
    ids=["a snare", "a bass drum", "a bass", "a flute"],
)
def test_each_sound_goes_mostly_to_its_stem(sound, stem):
    parts = bands.split_backing(stereo(sound), RATE)
    levels = {name: power_db(part) for name, part in parts.items()}
    assert max(levels, key=levels.__getitem__) == stem
    assert power_db(parts[stem] - stereo(sound)) < power_db(stereo(sound)) - 5.0
