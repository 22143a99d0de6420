"""Running means, maxima and fits of curves. Plain arithmetic on arrays, no music."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Curve = NDArray[np.float32]
Ints = NDArray[np.int64]
_PART = 1 << 18  # points: some MB of arithmetic
Real = TypeVar("Real", bound=np.number)


def gaussian(curve: ArrayLike, sigma: float) -> Curve:
    """Return a curve smoothed by a bell of `sigma` points, its ends held."""
    values = np.asarray(curve, np.float32)
    reach = max(1, round(4 * sigma))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (bell / bell.sum()).astype(np.float32)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel, "valid")


def gaussian_in_parts(curve: Curve, sigma: float, by: int = 1) -> Curve:
    """Return what `gaussian` returns, or means of it, computed a part at a time, for memory.

    Parameters
    ----------
    curve : float32[n]
    sigma : float
        Points.
    by : int
        How many points a mean is of, a power of two.
    """
    reach = max(1, round(4 * sigma))
    means = np.empty(len(curve) // by, np.float32)
    for at in range(0, len(curve), _PART):
        first = max(0, at - reach)
        part = gaussian(curve[first : at + _PART + reach], sigma)[at - first :][:_PART]
        means[at // by : (at + _PART) // by] = part if by == 1 else decimate(part, by)
    return means


def mean(curve: ArrayLike, width: int) -> Curve:
    """Return the mean of `width` points around each, its ends held."""
    before = width // 2
    padded = np.pad(np.asarray(curve, np.float64), (before + 1, width - before - 1), mode="edge")
    total = np.cumsum(padded)
    return ((total[width:] - total[:-width]) / width).astype(np.float32)


def in_parts(curve: Curve, reach: int, smoothed: Callable[[Curve], Curve]) -> Curve:
    """Return a curve smoothed a part at a time, for memory.

    Parameters
    ----------
    curve : float32[n]
    reach : int
        Points on either side of each that `smoothed` looks at.
    smoothed : callable
        Returns a curve of the same length.
    """
    whole = np.empty_like(curve)
    for at in range(0, len(curve), _PART):
        first = max(0, at - reach)
        part = smoothed(curve[first : at + _PART + reach])
        whole[at : at + _PART] = part[at - first : at - first + _PART]
    return whole


def totals(curve: Curve, places: Ints, power: int = 1) -> Floats:
    """Return the sums of the first so many points, in double precision.

    Parameters
    ----------
    curve : float32[n]
        Summed a part at a time, for memory: an hour's sums would take 29 MB.
    places : int64[any shape]
        How many points, 0..n.
    power : int
        That each point is raised to.
    """
    sums = np.zeros(places.shape)
    total = 0.0
    for at in range(0, len(curve), _PART):
        part = np.empty(min(_PART, len(curve) - at) + 1)
        part[0] = total
        part[1:] = curve[at : at + _PART]
        if power != 1:
            part[1:] **= power
        np.cumsum(part, out=part)
        inside = (places > at) & (places < at + len(part))
        sums[inside] = part[places[inside] - at]
        total = float(part[-1])
    return sums


def percentile(curve: Curve, q: float) -> float:
    """Return a percentile of a curve that is no longer needed: it is sorted in place."""
    return float(np.percentile(curve, q, overwrite_input=True))


def highest(curve: NDArray[Real], width: int, *, trailing: bool = False) -> NDArray[Real]:
    """Return the highest of `width` points around each, or of the last `width`, unrounded."""
    values = curve
    if width <= 1 or not len(values):
        return values
    before = width - 1 if trailing else (width - 1) // 2
    top = np.pad(values, (before, width - 1 - before), mode="edge")
    span = 1
    while span < width:  # the highest of two spans, then of four …
        step = min(span, width - span)
        top = np.maximum(top[:-step], top[step:])
        span += step
    return top


def peaks(curve: ArrayLike, width: int, least: float) -> Ints:
    """Return the places that are the highest within `width` points, and above `least`."""
    values = np.asarray(curve, np.float32)
    parts = [np.zeros(0, np.int64)]
    for at in range(0, len(values), _PART):  # for memory
        first = max(0, at - width)
        part = values[first : at + _PART + width]
        tops = (part >= highest(part, width)) & (part > least)
        parts.append(at + np.flatnonzero(tops[at - first :][:_PART]))
    found = np.concatenate(parts)
    if len(found) < 2:
        return found
    keep = np.concatenate([[True], np.diff(found) > 1])
    kept: Ints = found[keep]
    return kept


def line(x: Floats, y: Floats, weights: Floats) -> tuple[float, float]:
    """Return slope and height at 0 of the weighted least-squares line through some points."""
    total = weights.sum() + 1e-12
    x0, y0 = (weights * x).sum() / total, (weights * y).sum() / total
    slope = (weights * (x - x0) * (y - y0)).sum() / ((weights * (x - x0) ** 2).sum() + 1e-12)
    return float(slope), float(y0 - slope * x0)


def weighted_median(values: Floats, weights: Floats) -> float:
    """Return the value that half the weight lies below."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])


def standard(values: ArrayLike) -> Floats:
    """Return values less their mean, over their standard deviation; column by column."""
    x = np.asarray(values, np.float64)
    even: Floats = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)
    return even


def decimate(curve: ArrayLike, by: int) -> Curve:
    """Return the means of `by` points each."""
    x = np.asarray(curve, np.float32)
    means: Curve = x[: len(x) // by * by].reshape(-1, by).mean(axis=1)
    return means


def autocorrelation(curve: ArrayLike, lags: int) -> Floats:
    """Return the correlation of a curve with itself, `lags` + 1 of them, 1 at lag 0."""
    x = np.asarray(curve, np.float64)
    x = x - x.mean()
    n = len(x)
    size = fast_size(min(n, max(_PART // 4, 8 * lags)) + lags + 1)
    step = size - lags - 1
    r = np.zeros(lags + 1)
    for at in range(0, n, step):  # each part with itself and the next `lags`, for memory
        part = np.fft.rfft(x[at : at + step], size)
        r += np.fft.irfft(part.conj() * np.fft.rfft(x[at : at + size], size), size)[: lags + 1]
    unbiased: Floats = r / (r[0] + 1e-12) * (n / np.maximum(n - np.arange(lags + 1), 1))
    return unbiased


def fast_size(n: int) -> int:
    """Return the next size that is quick to transform: 2, 3, 5, 9 or 15 times a power of two."""
    return min(odd << max(0, (-(-n // odd) - 1).bit_length()) for odd in (1, 3, 5, 9, 15))
