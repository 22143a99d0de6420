"""The picture of a track: how loud bass, middle and treble are, ten times a second."""

from __future__ import annotations

import numpy as np

from sfa_engine.prep.analyse.levels import Levels

RATE_HZ = 10
MAX_POINTS = 12_000  # 20 minutes; a longer track has fewer a second
_BANDS = {"low": "low", "mid": "mid", "high": "high"}


def overview(levels: Levels) -> dict[str, object]:
    """Return the peaks of three bands as whole numbers.

    Parameters
    ----------
    levels : Levels

    Returns
    -------
    dict
        ``rate_hz`` and, for ``low``, ``mid`` and ``high``, a list of 0..255, linear, 255 the
        highest of all three.
    """
    count = levels.ms
    step = max(1000 // RATE_HZ, -(-count // MAX_POINTS))
    highest = max(float(levels[band].max(initial=0)) for band in _BANDS.values()) or 1.0
    found: dict[str, object] = {"rate_hz": 1000 / step}
    for name, band in _BANDS.items():
        peaks = np.maximum.reduceat(levels[band], np.arange(0, count, step))
        found[name] = np.round(255 * peaks / highest).astype(int).tolist()
    return found
