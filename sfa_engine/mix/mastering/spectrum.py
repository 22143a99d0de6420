"""What third octaves say: the slope, what stands out, and how to come to another spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfa_engine.mix.mastering.equaliser import Band, response_db
from sfa_engine.mix.mastering.report import THIRDS_HZ

Floats = NDArray[np.float64]

NOTHING_DB = -120.0
EMPTY_DB = -80.0  # a third octave with less has no sound worth an equaliser
SLOPE_HZ = (100.0, 4_000.0)
NEIGHBOURS = 3  # on either side, that a third octave is compared with
# Of the equaliser that matches a reference: two octaves apart, and two wide.
MATCH_HZ = (50.0, 125.0, 315.0, 800.0, 2_000.0, 5_000.0, 12_500.0)
MATCH_WEIGHT = 0.05  # of large gains in the fit, against an error of 1 dB in a third octave
_WIDTH = 10 ** (1 / 20) - 10 ** (-1 / 20)  # of a third octave, as a part of its middle


def slope_of(thirds_db: Sequence[float]) -> float | None:
    """Return the slope of the power per hertz in dB per octave; None where there is no sound."""
    hz, level = np.array(THIRDS_HZ), np.array(thirds_db)
    used = (hz > SLOPE_HZ[0] * 0.95) & (hz < SLOPE_HZ[1] * 1.05)
    if level[used].min() < EMPTY_DB:
        return None
    density = level[used] - 10 * np.log10(hz[used] * _WIDTH)
    return float(np.polyfit(np.log2(hz[used]), density, 1)[0])


def standing_out(thirds_db: Sequence[float], low_hz: float, high_hz: float) -> dict[float, float]:
    """Return by how many dB third octaves stand over their neighbours, the highest first.

    Parameters
    ----------
    thirds_db : sequence of float
    low_hz, high_hz : float
        Of what is looked at.
    """
    level = np.array(thirds_db)
    found = {}
    for n in range(NEIGHBOURS, len(level) - NEIGHBOURS):
        if not low_hz <= THIRDS_HZ[n] <= high_hz or level[n] < EMPTY_DB:
            continue
        beside = np.r_[level[n - NEIGHBOURS : n], level[n + 1 : n + 1 + NEIGHBOURS]]
        found[THIRDS_HZ[n]] = float(level[n] - beside.mean())
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def matching_bands(
    thirds_db: Sequence[float],
    reference_db: Sequence[float],
    rate: float,
    *,
    most_db: float,
    least_db: float,
) -> list[Band]:
    """Return the wide bands that bring a spectrum nearest to another's, the level left out.

    Parameters
    ----------
    thirds_db, reference_db : sequence of float
    rate : float
        Hz.
    most_db, least_db : float
        Largest gain of a band; smallest that is worth one.
    """
    hz, have, want = np.array(THIRDS_HZ), np.array(thirds_db), np.array(reference_db)
    used = (have > EMPTY_DB) & (want > EMPTY_DB) & (hz < 0.4 * rate)
    if used.sum() < len(MATCH_HZ):
        return []
    wanted = (want - have)[used]
    wanted -= wanted.mean()
    unit = [Band(shape="bell", hz=each, gain_db=1.0) for each in MATCH_HZ]
    effect = np.stack([response_db([band], hz[used], rate) for band in unit], axis=1)
    # least squares, held back where neighbours would fight each other
    square = effect.T @ effect + MATCH_WEIGHT * np.count_nonzero(used) * np.eye(len(unit))
    gains = np.clip(np.linalg.solve(square, effect.T @ wanted), -most_db, most_db)
    return [
        Band(shape="bell", hz=each, gain_db=round(float(gain), 1))
        for each, gain in zip(MATCH_HZ, gains, strict=True)
        if abs(gain) >= least_db
    ]
