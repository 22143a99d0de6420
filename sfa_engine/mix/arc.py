"""Arcs: how the energy of a set runs, as a share of the library's tracks.

An arc is a shape that the tracks of the list can fill: the place of each rank in the shape is
given the energy of that rank in the list. Pure numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Arc = Literal["steady", "rising", "falling", "wave", "peak"]
ARCS: tuple[Arc, ...] = get_args(Arc)
PEAK_AT = 0.7  # of the set
WAVE_TRACKS = 12  # in one wave: about 45 minutes
UNKNOWN = 0.5  # percentile of a track whose energy is not known


def percentiles(energies: Sequence[float | None], library: Sequence[float] = ()) -> Floats:
    """Return the share of a library's tracks that have less energy than each track.

    Parameters
    ----------
    energies : sequence of float or None
        Of the tracks; None: not known.
    library : sequence of float
        Energies of all tracks; without them, of these.

    Returns
    -------
    float64[tracks]
        0..1.
    """
    known = np.sort([e for e in (library or energies) if e is not None])
    if not len(known):
        return np.full(len(energies), UNKNOWN)
    asked = np.array([math.nan if e is None else e for e in energies])
    left, right = np.searchsorted(known, asked), np.searchsorted(known, asked, side="right")
    return np.where(np.isnan(asked), UNKNOWN, (left + right) / 2 / len(known))


def shape(arc: Arc, count: int) -> Floats:
    """Return the shape of an arc at each place of a list, 0..1: float64[count]."""
    t = np.linspace(0, 1, count) if count > 1 else np.zeros(count)
    if arc == "rising":
        return t
    if arc == "falling":
        return 1 - t
    if arc == "peak":
        return np.where(t <= PEAK_AT, t / PEAK_AT, 1 - 0.8 * (t - PEAK_AT) / (1 - PEAK_AT))
    if arc == "wave":
        waves = max(2.0, round(count / WAVE_TRACKS))
        return 0.5 - 0.5 * np.cos(2 * np.pi * waves * t) + 0.1 * t  # each a little higher
    return np.full(count, 0.5)


def targets(arc: Arc, energy: Floats) -> Floats:
    """Return the percentile of energy wanted at each place.

    Parameters
    ----------
    arc : str
        One of `ARCS`.
    energy : float64[tracks]
        Percentiles of the tracks of the list.

    Returns
    -------
    float64[tracks]
        0..1, by place.
    """
    if not len(energy) or arc == "steady":
        return np.full(len(energy), float(np.median(energy)) if len(energy) else 0.0)
    ranks = np.argsort(np.argsort(shape(arc, len(energy)), kind="stable"), kind="stable")
    return np.sort(energy)[ranks]
