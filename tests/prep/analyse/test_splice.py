"""Onsets for the stretchers: attacks are found to the millisecond, sustained tones have none."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.measurement import measure_stem
from sfa_engine.prep.analyse.splice import MIN_GAP_MS, merge, stem_onsets

RATE = 48_000
SECONDS = 8


def levels_of(sound: np.ndarray) -> Levels:
    stereo = np.repeat(np.asarray(sound, np.float32)[:, None], 2, axis=1)
    return measure_stem([stereo], len(sound))


def plucks(places: np.ndarray, hz: float = 330.0, seconds: float = 0.3) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    note = 0.4 * np.sin(2 * np.pi * hz * t) * np.exp(-t * 20) * np.minimum(t / 0.001, 1)
    sound = np.zeros(SECONDS * RATE)
    for place in places:
        part = sound[place : place + len(note)]
        part += note[: len(part)]
    return sound


def chord(swell_hz: float = 0.0) -> np.ndarray:
    t = np.arange(SECONDS * RATE) / RATE
    level = 0.1 * (1 + 0.5 * np.sin(2 * np.pi * swell_hz * t))
    return level * sum(np.sin(2 * np.pi * hz * t) for hz in (220.0, 277.2, 329.6))


def test_an_onset_is_at_most_a_millisecond_early_and_none_is_missed():
    rng = np.random.default_rng(3)
    places = (np.arange(14) * 0.5 + 0.3 + rng.uniform(0, 0.1, 14)) * RATE
    places = places.astype(int)
    found = stem_onsets(levels_of(plucks(places)))
    assert len(found) == len(places)
    early = places - found
    assert early.max() <= 1.5 * 48
    assert early.min() >= -1.5 * 48


@pytest.mark.parametrize("swell_hz", [0.0, 1.0, 4.0])
def test_a_sustained_chord_has_no_onset_but_its_begin(swell_hz):
    found = stem_onsets(levels_of(chord(swell_hz)))
    assert (found < 0.05 * RATE).all()


def test_a_soft_pluck_on_a_loud_chord_is_no_place_to_cut():
    places = (np.arange(1, 7) * RATE).astype(int)
    found = stem_onsets(levels_of(chord() + 0.1 * plucks(places)))
    assert (found < 0.05 * RATE).all()


def test_silence_has_no_onsets():
    assert len(stem_onsets(levels_of(np.zeros(RATE)))) == 0
    assert len(merge({})) == 0


def test_the_merged_list_has_the_first_of_what_is_close():
    gap = MIN_GAP_MS * 48
    stems = {
        "drums": np.array([1000, 50_000, 90_000]),
        "bass": np.array([1000 + gap // 2, 50_000 + gap, 89_900]),
    }
    assert merge(stems).tolist() == [1000, 50_000, 50_000 + gap, 89_900]
