"""An evening of the automatic mix in the bench: short, with a track missing and one damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from house import RATE as HOUSE_RATE
from house import beat
from scipy.signal import resample_poly

from sfa_engine.bench.mix_set import DAMAGED, MISSING, copy, make, perform, silences
from sfa_engine.bench.pieces.truth import RATE
from sfa_engine.script.levels import WINDOWS_HZ, Levels

SOUND_S = 30.0


def test_silences_are_what_is_thirty_decibels_down_between_sounds() -> None:
    levels = np.full(200, 0.1)
    levels[:10] = levels[190:] = 0.0  # before and after
    levels[50:58] = 0.0
    levels[100:102] = 0.004  # a pause that is 28 dB down
    levels[150:151] = 0.002
    assert silences(levels) == [
        (50 / WINDOWS_HZ, 8 / WINDOWS_HZ),
        (150 / WINDOWS_HZ, 1 / WINDOWS_HZ),
    ]
    assert silences(np.zeros(50)) == []


def test_levels_do_not_depend_on_how_the_sound_is_cut() -> None:
    sound = np.random.default_rng(1).standard_normal((96_000, 2)).astype(np.float32)
    sound[30_000:60_000] = 0.0
    whole, pieces = Levels(48_000), Levels(48_000)
    whole.add(sound)
    for piece in np.array_split(sound, 77):
        pieces.add(piece)
    assert np.array_equal(whole.rows, pieces.rows)
    assert len(whole.rows) == 2 * WINDOWS_HZ
    assert whole.rows[0] == pytest.approx(1.0, abs=0.05)
    assert silences(whole.rows) == [(0.65, 0.6)]


@pytest.mark.slow
def test_an_evening_goes_on_past_what_is_missing_and_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "tracks"
    folder.mkdir()
    made = []
    for number, bpm in enumerate((120.0, 124.0), 1):
        sound = beat(SOUND_S, bpm, number)
        sound = resample_poly(sound, RATE, HOUSE_RATE).astype(np.float32)
        made.append(make(folder, f"Track {number}", {"mix": sound}))
    made += [copy(folder, made[0], title) for title in (MISSING, DAMAGED)]
    shares: list[float] = []
    found = perform(tmp_path, made, shares.append)
    assert (found.planned, found.played) == (4, 2)
    assert found.has_ended
    assert sorted(reason.partition(":")[0] for reason in found.left_out) == [
        "Artist of damaged - damaged",
        "Artist of missing - missing",
    ]
    assert 40.0 < found.seconds < 2 * SOUND_S + 10.0
    assert found.dead_air_s <= 0.4
    assert 0.0 < max(shares) <= 1.0
