"""Where one constant grid does not fit a track: drift, steps and edits.

::

    bars aligned ─► jumps ─► pieces ─┬─ even: a seam, and the same tempo beyond it
                                     └─ bent: aligned again ─► course ─► few points
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from sfa_engine.prep.analyse.align import POINTS, REACH, Alignment, align, describe
from sfa_engine.prep.analyse.course import course
from sfa_engine.prep.analyse.features import Spectra
from sfa_engine.prep.analyse.onset import Onsets
from sfa_engine.prep.analyse.smooth import Curve, Floats, Ints, weighted_median
from sfa_engine.prep.analyse.warp import Piece, Seam, Warp, few

_LEAST_BARS = 8
_LEAST_PART = 3  # bars of a piece; what lies between is a seam that was not found at once
_MAX_SEAMS = 8
_PACE_BARS = 2  # over which the pace is taken
_LEAST_GAIN = 1.0  # bars; see `align`
_LEAST_SEAM_GAIN = 0.8  # bars for each seam; jumps gain at most 0.2 on constant tracks
# Bars that a constant tempo may explain less, for each of its jumps, and still be believed: a jump
# costs 1, a quarter of a beat bent over four bars 0.8. Of cuts it was 0.4 for two, of drift and
# steps that take jumps 4.6.. .
_EVEN_ALIKE = 0.3
_EVEN_S = 0.004  # within which the shifts of an even piece stay
_BENT_SHARE = 0.12  # of the bars that lie elsewhere: from which on a piece is not even
_SLOPE_BARS = 4  # before and after a jump, whose tempo tells how far it is
_SMOOTH_BARS = 1.5
_WITHIN_S = 0.0015  # of the smooth curve the polygon stays
_FEATURE_HZ = 250
# Where a seam lies is clear if enough says so, in bars that fit one piece and not the other, and if
# what says nearly as much lies near. Of 30 seams two were found three bars off, in breaks: their
# evidence was 0.48 and 0.69, and 3.7 and 2.1 bars were open. The others had 0.53 to 3.1 and at most
# 1.7 bars open, but for one of 0.31, a cut of whole beats.
_LEAST_EVIDENCE = 0.8
_NEARLY, _MOST_OPEN = 0.2, 2.0


def find_pieces(
    onsets: Onsets, spectra: Spectra, period_s: float, beats_per_bar: int
) -> tuple[Warp, float] | None:
    """Return the warp that a track needs, or None where its tempo is constant.

    Parameters
    ----------
    onsets : Onsets
    spectra : Spectra
    period_s : float
        Seconds a beat, as far as one is right for the whole.
    beats_per_bar : int

    Returns
    -------
    Warp, float or None
        The warp, and seconds a beat in its straight time; None too for less than eight bars.
    """
    described = describe(onsets, spectra)
    bar_s = period_s * beats_per_bar
    if onsets.seconds < _LEAST_BARS * bar_s:
        return None
    found = _aligned(described, bar_s, onsets.seconds)
    bar_s, found = _retimed(described, found, bar_s, onsets.seconds, even=False)
    if found.gain < _LEAST_GAIN:
        return None
    even_s, even = max(
        (
            _retimed(described, found, bar_s, onsets.seconds, even=True, slope=slope)
            for slope in (_slope(found, _ranges(found)), _pace(found))
        ),
        key=lambda one: one[1].worth,
    )
    if even.worth > found.worth - _EVEN_ALIKE * max(1, len(even.jumps)):
        bar_s, found = _retimed(described, even, even_s, onsets.seconds, even=True)
    ranges = _ranges(found)
    if not ranges or len(ranges) > _MAX_SEAMS + 1:
        return None
    if found.gain < _LEAST_SEAM_GAIN * (len(ranges) - 1):
        return None
    pieces = [_piece(found, bars, bar_s) for bars in ranges]
    if len(pieces) == 1:
        ranges = [np.arange(len(found.shifts))]
    pieces = [
        piece if piece.is_even else _refined(described, piece, bars, bar_s)
        for piece, bars in zip(pieces, ranges, strict=True)
    ]
    if len(pieces) == 1 and pieces[0].is_even:
        return None
    starts: list[float] = [0.0]
    seams: list[Seam | None] = [None]
    for (one, two), (before, after) in zip(pairwise(pieces), pairwise(ranges), strict=True):
        span = (float(before[-1]) - 1, float(after[0]) + 2)
        start_s, seam = _seam(described, found.average, one, two, bar_s, span)
        starts.append(start_s)
        seams.append(seam)
    ends = [*starts[1:], onsets.seconds]
    if any(end - start < bar_s for start, end in zip(starts, ends, strict=True)):
        return None
    pieces = [
        replace(p, start_s=start, end_s=end, seam=seam)
        for p, start, end, seam in zip(pieces, starts, ends, seams, strict=True)
    ]
    return Warp(tuple(pieces)).numbered(bar_s), bar_s / beats_per_bar


def _aligned(
    described: Curve,
    bar_s: float,
    seconds: float,
    start: Floats | None = None,
    *,
    even: bool = False,
) -> Alignment:
    edges = np.arange(int(seconds / bar_s) + 1, dtype=np.float64) * bar_s
    return align(described, edges, start, even=even)


def _retimed(
    described: Curve,
    found: Alignment,
    bar_s: float,
    seconds: float,
    *,
    even: bool,
    slope: float | None = None,
) -> tuple[float, Alignment]:
    """Return the length of a bar that an alignment says is right, and the alignment with it."""
    slope = _slope(found, _ranges(found)) if slope is None else slope
    bar_s *= 1 + slope / POINTS
    start = found.shifts - slope * np.arange(len(found.shifts))
    count = int(seconds / bar_s)
    start = start[np.minimum(np.arange(count), len(start) - 1)]
    return bar_s, _aligned(described, bar_s, seconds, start, even=even)


def _ranges(found: Alignment) -> list[Ints]:
    """Return the bars of each piece: runs without a jump, those that go on in one line as one."""
    edges = [0, *found.jumps, len(found.shifts)]
    runs = [np.arange(a, b) for a, b in pairwise(edges)]
    kept: list[Ints] = []
    for run in runs:
        if len(run) < _LEAST_PART:
            continue
        if kept:
            apart = found.shifts[run[0]] - found.shifts[kept[-1][-1]]
            apart -= (
                _incline(found, kept[-1][-_SLOPE_BARS:]) + _incline(found, run[:_SLOPE_BARS])
            ) / 2
            if abs((apart + POINTS / 2) % POINTS - POINTS / 2) <= REACH:
                found.shifts[run] -= round(apart / POINTS) * POINTS
                kept[-1] = np.concatenate([kept[-1], run])
                continue
        kept.append(run)
    return kept


def _incline(found: Alignment, bars: Ints) -> float:
    """Return by how many points some bars are longer than thought, in the median."""
    return float(np.median(np.diff(found.shifts[bars])))


def _slope(found: Alignment, ranges: list[Ints]) -> float:
    """Return by how many points a bar is longer than thought, all pieces together."""
    top, bottom = 0.0, 1e-9
    for bars in ranges:
        w = found.weights[bars] + 1e-6
        x = bars - np.average(bars, weights=w)
        y = found.shifts[bars] - np.average(found.shifts[bars], weights=w)
        top += float((w * x * y).sum())
        bottom += float((w * x**2).sum())
    return top / bottom


def _pace(found: Alignment) -> float:
    """Return by how many points most bars are longer than thought.

    A cut of a quarter of a beat costs less as a bend over four bars than as a jump, and the mean
    of all slopes then hides that the tempo is constant but for these bars.
    """
    steps = (found.shifts[_PACE_BARS:] - found.shifts[:-_PACE_BARS]) / _PACE_BARS
    weights = np.minimum(found.weights[_PACE_BARS:], found.weights[:-_PACE_BARS]) + 1e-6
    return weighted_median(steps, weights)


def _piece(found: Alignment, bars: Ints, bar_s: float) -> Piece:
    """Return a piece whose ends are not known yet."""
    late = found.shifts[bars] * bar_s / POINTS
    weights = found.weights[bars] + 1e-3
    middle = weighted_median(late, weights)
    straight = bars.astype(np.float64) * bar_s + 0.5 * bar_s
    off = np.abs(late - middle) > _EVEN_S
    # Cubed: pads of a break fit a third to half as well as drums, and seem to come 5 to 8 ms early.
    # Seven of 16 bars then count 0.08 (squared, 0.16); of tracks that drift or step it is 0.65.. .
    if np.average(off, weights=weights**3) < _BENT_SHARE:
        ends = straight[[0, -1]]
        return Piece(0.0, 0.0, ends + middle, ends, is_even=True)
    smooth = _smoothed(bars.astype(np.float64), late, weights)
    x, y = few(straight, smooth, _WITHIN_S)
    return Piece(0.0, 0.0, x + y, x, is_even=False)


def _refined(described: Curve, piece: Piece, bars: Ints, bar_s: float) -> Piece:
    """Return a bent piece drawn again, from bars that are cut where it says."""
    lines = np.arange(bars[0], bars[-1] + 2, dtype=np.float64) * bar_s
    edges = piece.real(lines)
    inside = (edges >= 0) & (edges * _FEATURE_HZ < described.shape[1])
    edges, middles = edges[inside], lines[inside][:-1] + 0.5 * bar_s
    found = align(described, edges, np.zeros(len(middles)))
    late = (found.shifts - round(float(np.median(found.shifts)) / POINTS) * POINTS) * bar_s / POINTS
    late = late + piece.real(middles) - middles
    usual = np.square(found.average).sum(axis=1)
    smooth, unsure = course(late, found.weights + 1e-3, found.fits, usual)
    x, y = few(middles, smooth, _WITHIN_S)
    return Piece(0.0, 0.0, x + y, x, is_even=False, unsure_s=float(np.percentile(unsure, 95)))


def _smoothed(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Return local weighted parabolas through some points, each at its own place."""
    dx = x[None] - x[:, None]
    w = (weights + 1e-3) * np.exp(-0.5 * (dx / _SMOOTH_BARS) ** 2)
    powers = np.stack([dx**k for k in range(3)])
    left = np.einsum("ipq,jpq,pq->pij", powers, powers, w) + 1e-6 * np.eye(3)
    right = np.einsum("ipq,pq,q->pi", powers, w, y)
    return np.linalg.solve(left, right[..., None])[:, 0, 0]


def _seam(
    described: Curve,
    average: Floats,
    before: Piece,
    after: Piece,
    bar_s: float,
    span: tuple[float, float],
) -> tuple[float, Seam]:
    """Return where one piece stops to fit and the next one begins to, in seconds, and where else.

    Each moment is compared with the average bar where either piece has it. A silence fits none:
    the seam is at its end.
    """
    first = max(0, int(span[0] * bar_s * _FEATURE_HZ))
    last = min(described.shape[1], int(span[1] * bar_s * _FEATURE_HZ))
    times = np.arange(first, last) / _FEATURE_HZ
    fits = []
    for piece in (before, after):
        place = (piece.straight(times) / bar_s * POINTS).astype(int) % POINTS
        fits.append((described[:, first:last] * average[:, place]).sum(axis=0))
    total = np.concatenate([[0.0], np.cumsum(fits[0] - fits[1])])
    best = np.flatnonzero(total >= total.max() - 1e-3 * np.ptp(total))
    of_a_bar = float((average**2).sum()) * bar_s * _FEATURE_HZ / POINTS
    nearly = np.flatnonzero(total > total.max() - _NEARLY * of_a_bar)
    open_s = float(nearly[-1] - nearly[0]) / _FEATURE_HZ
    is_clear = float(np.ptp(total)) >= _LEAST_EVIDENCE * of_a_bar and open_s <= _MOST_OPEN * bar_s
    losses = (total.max() - total) / of_a_bar
    seam = Seam(first / _FEATURE_HZ, 1 / _FEATURE_HZ, losses, is_clear)
    return (first + int(best[-1])) / _FEATURE_HZ, seam
