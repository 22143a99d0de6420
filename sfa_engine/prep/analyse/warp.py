"""Time at a constant tempo: what straightens a track that drifts or was edited.

::

    seconds of the track    ├────┼────┼────┼───┤├────┼────┼──┼──┼──┼──┤
                                  drifts        ▲ seam    faster
    straight seconds        ├────┼────┼────┼────┼────┼────┼────┼────┼────┤

A *piece* is a stretch without a seam; a track that only drifts is one piece. At a seam straight
time jumps by less than a bar, so that bars lie on one lattice before and after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.smooth import Curve, Floats
from sfa_engine.track.grid import SEAM_S

Flags = NDArray[np.bool_]

_LEAST_GAP = 0.005  # of a bar that straight time rises by at a seam
_ON_BEAT = 0.06  # of a beat that a seam may be found late
_ON_BAR = 0.3  # bars that a seam on a downbeat may explain less than the best place
_PART = 1 << 18  # points
_FAR_S = 3600.0  # how far beyond its ends a piece is extended, at its first and last slope


@dataclass(frozen=True, slots=True)
class Seam:
    """Where a piece may start.

    Parameters
    ----------
    first_s, step_s : float
        The first place, and how far apart places are.
    losses : float64[n]
        Bars that fit less than with the best place, of each.
    is_clear : bool
        Whether the music says where, to some bars.
    """

    first_s: float
    step_s: float
    losses: Floats
    is_clear: bool

    @property
    def seconds(self) -> float:
        """How far the last place is from the first."""
        return self.step_s * (len(self.losses) - 1)

    def loss(self, times_s: Floats, within_s: float) -> Floats:
        """Return the least loss around each of some times, infinite where there is no place."""
        first, last = (
            np.round((times_s + side - self.first_s) / self.step_s).astype(int)
            for side in (-within_s, within_s)
        )
        inside = (first >= 0) & (last < len(self.losses))
        spans = zip(first, last, inside, strict=True)
        return np.array([self.losses[a : b + 1].min() if ok else np.inf for a, b, ok in spans])


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch without a seam.

    Parameters
    ----------
    start_s, end_s : float
        In the track.
    real_s, straight_s : float64[n]
        At least two points of its map, both rising; lines between and beyond them.
    is_even : bool
        Whether its tempo is constant, that of the whole.
    seam : Seam, optional
        Where it may start; not of the first.
    unsure_s : float
        Standard deviation of the map, of the least sure part.
    """

    start_s: float
    end_s: float
    real_s: Floats
    straight_s: Floats
    is_even: bool
    seam: Seam | None = None
    unsure_s: float = 0.0

    def straight(self, real_s: Floats) -> Floats:
        """Return the straight time of some times, also outside the piece."""
        return _extended(real_s, self.real_s, self.straight_s)

    def real(self, straight_s: Floats) -> Floats:
        """Return the time in the track of some straight times, also outside the piece."""
        return _extended(straight_s, self.straight_s, self.real_s)


@dataclass(frozen=True, slots=True)
class Warp:
    """Pieces, one after another, that cover the track.

    Parameters
    ----------
    pieces : tuple of Piece
    """

    pieces: tuple[Piece, ...]

    @property
    def is_even(self) -> bool:
        """Whether the tempo is constant throughout."""
        return all(piece.is_even for piece in self.pieces)

    @property
    def seams_s(self) -> list[float]:
        """Where one piece ends and the next one starts."""
        return [piece.start_s for piece in self.pieces[1:]]

    @property
    def is_constant(self) -> bool:
        """Whether it is no more than one tempo and phase."""
        return len(self.pieces) == 1 and self.is_even

    @classmethod
    def constant(cls, seconds: float) -> Warp:
        """Return the warp that changes nothing."""
        ends = np.array([0.0, max(seconds, 1e-3)])
        return cls((Piece(0.0, seconds, ends, ends, is_even=True),))

    def numbered(self, bar_s: float) -> Warp:
        """Return it with straight time 0 at the start, rising by at most a bar at each seam."""
        start = self.pieces[0].straight(np.zeros(1))[0]
        pieces = [replace(piece, straight_s=piece.straight_s - start) for piece in self.pieces]
        for i, piece in enumerate(pieces[1:]):
            seam = np.array([piece.start_s])
            gap = float((piece.straight(seam) - pieces[i].straight(seam))[0])
            bars = np.ceil((_LEAST_GAP * bar_s - gap) / bar_s)
            pieces[i + 1] = replace(piece, straight_s=piece.straight_s + bars * bar_s)
        return Warp(tuple(pieces))

    def on_beats(self, phase_s: float, period_s: float, beats_per_bar: int) -> Warp:
        """Return it with each seam on a beat of the piece that starts there.

        That is the downbeat by which most fits, if hardly less does than at the best place: edits
        mostly begin with a bar, and where both pieces fit alike, as in a break, nothing else tells.
        Otherwise it is the first beat after the best place.

        Parameters
        ----------
        phase_s : float
            A downbeat, in straight time.
        period_s : float
            Of the beats.
        beats_per_bar : int
        """
        pieces = list(self.pieces)
        bar_s = beats_per_bar * period_s
        for i, piece in enumerate(pieces[1:]):
            beat = _first_beat(piece, phase_s, period_s, beats_per_bar)
            seam = piece.real(beat)
            gap = float((beat - pieces[i].straight(seam))[0])
            bars = np.ceil((_LEAST_GAP * bar_s - gap) / bar_s)
            start_s = float(seam[0])
            pieces[i] = replace(pieces[i], end_s=start_s)
            pieces[i + 1] = replace(
                piece, start_s=start_s, straight_s=piece.straight_s + bars * bar_s
            )
        return Warp(tuple(pieces))

    def points(
        self, first_s: float = -_FAR_S, last_s: float = _FAR_S * 24
    ) -> tuple[Floats, Floats]:
        """Return times between two and their straight times, where the map bends; both rise."""
        real, straight = [], []
        for piece in self.pieces:
            first = first_s if piece is self.pieces[0] else piece.start_s
            last = last_s if piece is self.pieces[-1] else piece.end_s - SEAM_S
            inside = (piece.real_s > first + SEAM_S) & (piece.real_s < last - SEAM_S)
            times = np.concatenate([[first], piece.real_s[inside], [last]])
            if piece.is_even:
                times = times[[0, -1]]
            real.append(times)
            straight.append(piece.straight(times))
        return np.concatenate(real), np.concatenate(straight)

    def real(self, straight_s: Floats) -> Floats:
        """Return the time in the track of some straight times."""
        if self.is_constant:
            return straight_s
        real, straight = self.points()
        return np.interp(straight_s, straight, real)

    def straight(self, real_s: Floats) -> Floats:
        """Return the straight time of some times."""
        if self.is_constant:
            return real_s
        real, straight = self.points()
        return np.interp(real_s, real, straight)

    def sounds(self, straight_s: Floats, before_s: float = SEAM_S) -> Flags:
        """Tell which straight times a seam does not jump over; nor are `before_s` before it."""
        inside = np.ones(len(straight_s), bool)
        for before, after in pairwise(self.pieces):
            seam = np.array([after.start_s])
            first, last = before.straight(seam - before_s)[0], after.straight(seam)[0]
            inside &= (straight_s < first) | (straight_s >= last - 1e-6)
        return inside

    def keeps_bars(self, straight_s: Floats, steps: int) -> Flags:
        """Tell which of some even places to keep, so that none is in a seam and bars go on.

        Parameters
        ----------
        straight_s : float64[n]
            Places of sixteenths, say.
        steps : int
            Of a bar: so many are left out at each seam, or a multiple.

        Returns
        -------
        bool[n]
            Those to keep.
        """
        keep = np.ones(len(straight_s), bool)
        for before, after in pairwise(self.pieces):
            seam = np.array([after.start_s])
            first = int(np.searchsorted(straight_s, before.straight(seam - SEAM_S)[0]))
            last = int(np.searchsorted(straight_s, after.straight(seam)[0] - 1e-6))
            keep[first : first + -(-(last - first) // steps) * steps] = False
        return keep

    def straighten(self, curve: Curve) -> Curve:
        """Return a curve of one value a millisecond in straight time, 0 where a seam jumps."""
        if self.is_constant:
            return curve
        end = int(np.ceil(self.straight(np.array([len(curve) / 1000.0]))[0] * 1000))
        straightened = np.zeros(max(1, end), np.float32)
        for at in range(0, len(straightened), _PART):  # a part at a time, for memory
            straight = (np.arange(at, min(at + _PART, len(straightened))) + 0.5) / 1000
            real = self.real(straight) * 1000 - 0.5
            first = int(np.clip(real[0] - 1, 0, len(curve) - 1))
            above = curve[first : int(max(real[-1], 0)) + 2]
            places = np.arange(first, first + len(above))
            values = np.interp(real, places, above, left=0.0, right=0.0)
            straightened[at : at + _PART] = np.where(self.sounds(straight), values, 0.0)
        return straightened


def _first_beat(piece: Piece, phase_s: float, period_s: float, beats_per_bar: int) -> Floats:
    """Return the straight time of the beat that a piece starts with; see `Warp.on_beats`."""
    if piece.seam is not None:
        bar_s = beats_per_bar * period_s
        near = piece.straight(piece.seam.first_s + np.array([0.0, piece.seam.seconds]))
        bars = np.arange(*np.ceil((near - phase_s) / bar_s))
        ones: Floats = phase_s + bar_s * bars.astype(np.float64)
        losses = piece.seam.loss(piece.real(ones), _ON_BEAT * period_s)
        if losses.min(initial=np.inf) <= _ON_BAR:
            return ones[[int(losses.argmin())]]
    place = (piece.straight(np.array([piece.start_s])) - phase_s) / period_s
    beat: Floats = phase_s + period_s * np.ceil(place - _ON_BEAT)
    return beat


def _extended(x: Floats, xs: Floats, ys: Floats) -> Floats:
    """Interpolate, and go on at the first and last slope."""
    before = (ys[1] - ys[0]) / (xs[1] - xs[0])
    after = (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    y = np.interp(x, xs, ys)
    y = np.where(x < xs[0], ys[0] + (x - xs[0]) * before, y)
    return np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * after, y)


def few(x: Floats, y: Floats, within: float) -> tuple[Floats, Floats]:
    """Return few points of a polygon that stays near all of some.

    Each line goes as far as it can: of all slopes from its first point, those remain by which no
    point passed so far is left out by more than `within` (the cone of Imai and Iri).

    Parameters
    ----------
    x, y : float64[n]
        Rising `x`.
    within : float
        Distance in `y` that no left-out point exceeds.

    Returns
    -------
    x, y : float64[m]
        The first and the last among them.
    """
    keep = [0]
    while keep[-1] < len(x) - 1:
        first = keep[-1]
        reached = first + 1
        low, high = -np.inf, np.inf
        for here in range(first + 1, len(x)):
            run, rise = x[here] - x[first], y[here] - y[first]
            if low <= rise / run <= high:
                reached = here
            low, high = max(low, (rise - within) / run), min(high, (rise + within) / run)
            if low > high:
                break
        keep.append(reached)
    return x[keep], y[keep]
