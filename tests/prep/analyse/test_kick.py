"""Kicks are told from bass notes by their falling pitch, however loud the bass is."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.prep.analyse.analysis import analyse_blocks
from sfa_engine.prep.analyse.bar import _kicks
from sfa_engine.prep.analyse.measurement import SWING_HZ, measure_track

RATE = 48_000


def swings_of(early_hz: list[float], late_hz: list[float]) -> np.ndarray:
    early, late = np.array(early_hz), np.array(late_hz)
    one = np.ones(len(early))
    return np.stack([one, early**2, one, late**2], axis=1)


def test_what_falls_is_a_kick_and_a_bass_of_steady_pitch_is_none():
    rises = np.array([0.5, 0.0, 1.0, 0.2])
    kicks = _kicks(rises, swings_of([90.0, 60.0, 60.0, 62.0], [50.0, 60.0, 61.0, 60.0]))
    assert kicks[0] == 1.0
    assert kicks[2] == 0.0
    assert 0.0 < kicks[3] < 1.0


@pytest.mark.parametrize("kick_hz", [60.0, 65.0])
def test_where_no_pitch_falls_all_may_be_kicks(kick_hz):
    rises = np.array([0.5, 0.0, 1.0, 0.2])
    even = swings_of([kick_hz, 60.0, 60.0, 60.0], [60.0, 60.0, 60.0, 60.0])
    np.testing.assert_array_equal(_kicks(rises, even), np.ones(4))


@pytest.mark.parametrize("hz", [45.0, 60.0, 100.0])
def test_the_swings_of_a_tone_have_its_frequency(hz):
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(3 * RATE + 1000) / RATE)
    sound = np.repeat(tone[:, None], 2, axis=1).astype(np.float32)
    levels = measure_track([sound]).levels
    swings = levels.swings
    assert swings.shape == (-(-levels.ms * SWING_HZ // 1000), 2)
    energy = np.square(swings[50:250]).sum(axis=0)  # without the ends
    assert np.sqrt(energy[1] / energy[0]) == pytest.approx(hz, rel=0.02)


def laid(hits: dict[float, np.ndarray], seconds: float) -> np.ndarray:
    sound = np.zeros(round(seconds * RATE))
    for time, hit in hits.items():
        at = round(time * RATE)
        n = min(len(hit), len(sound) - at)
        sound[at : at + n] += hit[:n]
    return sound


@pytest.mark.slow
@pytest.mark.parametrize(("bpm", "bass_hz"), [(124.0, 70.0), (128.0, 55.0)])
def test_beats_are_where_the_kick_is_though_bass_and_hat_between_are_louder(bpm, bass_hz):
    period = 60 / bpm
    t = np.arange(round(0.24 * period * 2 * RATE)) / RATE
    kick = np.sin(2 * np.pi * np.cumsum(48 + 110 * np.exp(-t / 0.02)) / RATE) * np.exp(-t / 0.09)
    bass = sum(np.sin(2 * np.pi * k * bass_hz * t) / k for k in range(1, 6))
    bass *= np.minimum(1.0, np.minimum(t / 0.003, (t[-1] - t) / 0.02))
    hat = np.random.default_rng(1).standard_normal(len(t)) * np.exp(-t / 0.05)
    beats = np.arange(0.31, 32.0, period)
    kicks = laid(dict.fromkeys(beats, 0.35 * kick), 32.5)
    between = laid(
        {b + period / 2: 0.6 * bass + 0.25 * np.diff(hat, prepend=0) for b in beats}, 32.5
    )
    sound = np.repeat((kicks + between)[:, None], 2, axis=1).astype(np.float32)
    told = analyse_blocks([sound])
    assert told["bpm"] == pytest.approx(bpm, abs=0.02)
    off_s = np.abs(np.array(told["beats"])[:, None] - beats).min(axis=1)
    assert np.median(off_s[2:-2]) < 0.025
