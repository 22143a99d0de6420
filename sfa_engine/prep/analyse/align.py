"""Bars aligned with the average bar of their track: what shows drift, steps and edits.

A track is cut into bars of one constant tempo, and each is shifted until it fits the average of
all best: the shifts stay flat if the tempo is constant, rise and fall if it drifts, have a bend
where it steps, and jump where an edit cut or added a part of a bar.

The best shifts of all bars are found at once by dynamic programming: little changes from bar to
bar are cheap, a jump costs `JUMP`. The average is taken again with the bars shifted, and so on.
What is gained over no shift at all decides: on 22 rendered constant tracks it is at most 0.7 bars,
with a drift of 0.2 % at least 3, with edits at least 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse import heap
from sfa_engine.prep.analyse.bar import novelty
from sfa_engine.prep.analyse.features import Spectra
from sfa_engine.prep.analyse.onset import Onsets
from sfa_engine.prep.analyse.smooth import Curve, Floats, Ints, gaussian_in_parts

POINTS = 512  # of a bar: 4 ms at 120 BPM
JUMP = 1.0  # bars that must fit perfectly to pay for a jump
REACH = 8  # points from bar to bar that are no jump: a change of tempo by 1.5 %
_BENT = 0.003 * np.arange(-REACH, REACH + 1.0) ** 2  # cost in bars of a change by some points
_EVEN = np.array([0.02, 0.0, 0.02])  # the same, for a tempo that is only not known exactly
_COARSE_MS = 4
_WEIGHTS = {"low": 1.0, "snare": 0.8, "mid": 0.8, "high": 0.6, "tones": 0.8, "levels": 0.4}
_REACH_FRAMES = 20  # 1 s: what a chord is compared over
_PART_FRAMES, _PART_BARS = 8192, 128  # at once, for memory
_SEEDS = (None, 0.15, 0.5, 0.8)  # where in the track the first average is taken; None: everywhere
_SEED_BARS = 3  # before and after
_ROUNDS = 4

Spectrum = NDArray[np.complex64]
_TURNS: Spectrum = np.exp(2j * np.pi / POINTS * np.arange(POINTS)).astype(np.complex64)


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the bars of a track lie to its average bar.

    Parameters
    ----------
    shifts : float64[bars]
        By how much each is late, in points, unwrapped; a jump is made good with whole bars.
    weights : float64[bars]
        How much of each fits, 1 on average if all did.
    average : float64[features, points]
    fits : float64[bars, features]
        How much of each fits, by feature: in the mean the energy of the average.
    gain : float
        Bars that fit more than with no shift.
    worth : float
        Bars that fit, less the cost of the shifts.
    """

    shifts: Floats
    weights: Floats
    average: Floats
    fits: Floats
    gain: float
    worth: float

    @property
    def jumps(self) -> Ints:
        """Return the bars before which the shift jumps."""
        found: Ints = np.flatnonzero(np.abs(np.diff(self.shifts)) > REACH) + 1
        return found


def describe(onsets: Onsets, spectra: Spectra) -> Curve:
    """Return what bars are compared by: attacks of each band, changes of chord and timbre.

    Parameters
    ----------
    onsets : Onsets
    spectra : Spectra

    Returns
    -------
    float32[features, n]
        At 250 Hz, 0 in silence.
    """
    n = onsets.ms // _COARSE_MS
    seconds = np.arange(n) * _COARSE_MS / 1000
    rows = np.empty((len(_WEIGHTS), n), np.float32)
    for i, (name, weight) in enumerate(_WEIGHTS.items()):
        if name in onsets.rises:
            rise = gaussian_in_parts(onsets.rises[name], 8.0, _COARSE_MS)[:n]
            top = np.percentile(rise[rise > 0], 99) if (rise > 0).any() else 1.0
            row = np.minimum(rise, top).astype(np.float64)
        else:
            change = _changes(spectra.curve(name), in_decibels=name == "levels")
            change = np.maximum(change - np.median(change), 0) if len(change) else np.zeros(1)
            row = np.interp(seconds, spectra.times_s if len(change) > 1 else np.zeros(1), change)
        size = np.sqrt(np.mean(np.square(row))) + 1e-9
        row *= weight
        row /= size
        rows[i] = row
    return rows


def _changes(curve: Curve, *, in_decibels: bool) -> Floats:
    """Return the novelty of each row of a feature, a part at a time, for memory."""
    change = np.zeros(len(curve))
    if len(curve) <= 2:
        return change
    margin = 2 * _REACH_FRAMES
    for at in range(0, len(curve), _PART_FRAMES):
        first = max(0, at - margin)
        part = curve[first : at + _PART_FRAMES + margin].astype(np.float64)
        if in_decibels:
            part = 10 * np.log10(part + 1e-4)
        else:
            part /= np.linalg.norm(part, axis=1, keepdims=True) + 1e-9
        here = novelty(part, _REACH_FRAMES)[at - first :][:_PART_FRAMES]
        change[at : at + len(here)] = here
    return change


def align(
    described: Curve, edges_s: Floats, start: Floats | None = None, *, even: bool = False
) -> Alignment:
    """Align bars with their average.

    Parameters
    ----------
    described : float32[features, n]
        See `describe`.
    edges_s : float64[bars + 1]
        Where each bar begins, and where the last one ends.
    start : float64[bars], optional
        Shifts to begin with, if some are known.
    even : bool
        Whether the tempo is constant, so that shifts only jump.

    Returns
    -------
    Alignment
        Of all that were tried, the one by which most fits.
    """
    heap.trim()
    spectra, energy = _transformed(described, edges_s)
    bars = len(spectra)
    none = np.zeros(bars, np.int64)
    unshifted = _explained(spectra, none, energy)
    best = (-np.inf, none, (np.zeros(bars), np.zeros(bars)), 0.0)
    cost = _EVEN if even else _BENT
    begins = none if start is None else np.round(start).astype(np.int64) % POINTS
    for seed in _SEEDS if start is None else (None,):
        use = slice(0, bars)
        if seed is not None:
            first = max(0, int(seed * bars) - _SEED_BARS)
            use = slice(first, first + 2 * _SEED_BARS)
        shifts, fits = _settle(spectra, energy, begins, use, cost)
        explained = _explained(spectra, shifts, energy)
        worth = explained * bars - _cost(shifts, cost)
        if worth > best[0]:
            best = worth, shifts, _between(fits, shifts), explained
    worth, shifts, (exact, weights), explained = best
    average = _average(spectra, shifts)
    by_feature = _fits(spectra, average, shifts)
    whole = np.fft.irfft(average, POINTS, axis=1).astype(np.float64)
    return Alignment(exact, weights, whole, by_feature, (explained - unshifted) * bars, worth)


def _transformed(described: Curve, edges_s: Floats) -> tuple[Spectrum, float]:
    """Return the spectra of the bars, complex64[bars, features, points], and their mean energy."""
    place = np.arange(POINTS) / POINTS
    bars = len(edges_s) - 1
    spectra = np.empty((bars, len(described), POINTS // 2 + 1), np.complex64)
    energy = 0.0
    for at in range(0, bars, _PART_BARS):
        edges = edges_s[at : at + _PART_BARS + 1]
        times = edges[:-1, None] + place * np.diff(edges)[:, None]
        index = np.clip(times * 1000 / _COARSE_MS, 0, described.shape[1] - 1.001)
        whole = index.astype(int)
        share = (index - whole).astype(np.float32)
        rows = described[:, whole] * (1 - share) + described[:, whole + 1] * share
        rows = rows.transpose(1, 0, 2)
        rows -= rows.mean(axis=2, keepdims=True)
        energy += float(np.square(rows).sum())
        spectra[at : at + _PART_BARS] = np.fft.rfft(rows, axis=2)
    return spectra, energy / bars + 1e-9


def _settle(
    spectra: Spectrum, energy: float, shifts: Ints, use: slice, cost: Floats
) -> tuple[Ints, Curve]:
    """Return the shifts and fits that the average of some bars leads to."""
    everything = slice(0, len(spectra))
    fits = np.zeros((len(spectra), POINTS), np.float32)
    for _ in range(_ROUNDS):
        average = _average(spectra[use], shifts[use]).conj()
        for at in range(0, len(spectra), _PART_BARS):
            part = (spectra[at : at + _PART_BARS] * average).sum(axis=1)
            fits[at : at + _PART_BARS] = np.fft.irfft(part, POINTS, axis=1) / energy
        new = _path(fits, cost)
        if use == everything and np.array_equal(new, shifts):
            break
        shifts, use = new, everything
    return shifts, fits


def _path(fits: Curve, cost: Floats) -> Ints:
    """Return the shift of each bar, 0..POINTS - 1, by dynamic programming."""
    reach = len(cost) // 2
    here = np.arange(POINTS)
    before = (here - np.arange(-reach, reach + 1)[:, None]) % POINTS
    cost = cost[:, None]
    value = fits[0].astype(np.float64)
    back = np.zeros(fits.shape, np.int16)
    for i in range(1, len(fits)):
        near = value[before] - cost
        step = near.argmax(axis=0)
        value_near = near[step, here]
        top = int(value.argmax())
        jumps = value[top] - JUMP > value_near
        back[i] = np.where(jumps, top, before[step, here])
        value = np.where(jumps, value[top] - JUMP, value_near) + fits[i]
    path = np.zeros(len(fits), np.int64)
    path[-1] = int(value.argmax())
    for i in range(len(fits) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path


def _average(spectra: Spectrum, shifts: Ints) -> Spectrum:
    """Return the average of bars whose shifts are taken back: complex64[features, points]."""
    harmonics = np.arange(spectra.shape[2])
    total = np.zeros(spectra.shape[1:], np.complex64)
    for at in range(0, len(spectra), _PART_BARS):
        turn = _TURNS[harmonics * shifts[at : at + _PART_BARS, None] % POINTS]
        total += (spectra[at : at + _PART_BARS] * turn[:, None]).sum(axis=0)
    return total / np.float32(len(spectra))


def _fits(spectra: Spectrum, average: Spectrum, shifts: Ints) -> Floats:
    """Return how much of each bar fits the average, by feature: float64[bars, features]."""
    fits = np.empty(spectra.shape[:2])
    harmonics = np.arange(spectra.shape[2])
    for at in range(0, len(spectra), _PART_BARS):
        turn = _TURNS[harmonics * shifts[at : at + _PART_BARS, None] % POINTS]
        part = spectra[at : at + _PART_BARS] * turn[:, None] * average.conj()
        fits[at : at + _PART_BARS] = part.real.sum(axis=2)
    return fits * (2 / POINTS)  # of both halves of the spectrum


def _explained(spectra: Spectrum, shifts: Ints, energy: float) -> float:
    """Return the share of the bars' energy that is in their average."""
    average = np.fft.irfft(_average(spectra, shifts), POINTS, axis=1)
    return float((average**2).sum()) / energy


def _cost(shifts: Ints, cost: Floats) -> float:
    """Return what the shifts cost in bars."""
    steps = (np.diff(shifts) + POINTS // 2) % POINTS - POINTS // 2
    reach = len(cost) // 2
    small = np.abs(steps) <= reach
    return float(cost[steps[small] + reach].sum()) + JUMP * float((~small).sum())


def _between(fits: Curve, shifts: Ints) -> tuple[Floats, Floats]:
    """Return shifts to a part of a point, unwrapped, and how well each fits."""
    row = np.arange(len(shifts))
    left, mid, right = (fits[row, (shifts + k) % POINTS].astype(np.float64) for k in (-1, 0, 1))
    curve = np.minimum(left - 2 * mid + right, -1e-9)
    part = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
    turns = np.unwrap(shifts * (2 * np.pi / POINTS)) * POINTS / (2 * np.pi)
    return turns + part, np.maximum(mid, 0.0)
