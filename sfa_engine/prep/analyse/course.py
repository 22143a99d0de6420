"""The course of a tempo that bends, from the shifts of bars.

What is measured of each bar is the course, and how late what plays there seems to be::

    shift of a bar = course of the tempo + lateness of what plays + noise
                     smooth in time        alike where alike plays

Bars with drums are placed to a millisecond. Where they are silent, the swell of a pad or the claps
of a roll are compared with an average bar of drums, and seem 0 to 18 ms late, all bars of such a
part alike. Both are Gaussian processes [1]_: the course is a random walk of the tempo or of its
slope, in steps of the most likely size, and lateness depends on which features fit.

References
----------
.. [1] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006,
   sections 2.2, 2.7 and 5.4.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from sfa_engine.prep.analyse.smooth import Floats

# Measured on 55 pieces that drift or step (seeds 8801..8828, 5 kinds), in ms.
_LATE, _LATE_SD = 6.0, 12.0  # what soft bars are late, and how much that differs
_OWN = 0.3  # of its variance: of one bar alone
_ALIKE = 0.2  # share of what fits that may differ in bars that are late alike
_SOFT = 0.3  # of the average's strongest feature that a bar has: less, and it is soft
_STEPS = tuple(2.0**k for k in range(-3, 5))  # of the walk, in a bar
_NOISES = (0.7, 1.0, 1.5, 2.2, 3.3, 5.0)  # of a bar that fits as most do
_ORDERS = (2, 3)  # walks of the tempo, of its slope
_ANY_SD = 100.0  # of where the course is and how it is inclined, which is not known
_PART, _MARGIN = 128, 16  # bars that are solved at once, and what they see of their neighbours


def course(late_s: Floats, weights: Floats, fits: Floats, usual: Floats) -> tuple[Floats, Floats]:
    """Return the course through the shifts of bars that follow each other.

    Parameters
    ----------
    late_s : float64[bars]
        By how much each is late, in seconds.
    weights : float64[bars]
        How well each fits.
    fits : float64[bars, features]
        The same for each feature that bars are compared by.
    usual : float64[features]
        Of a bar that is as the average.

    Returns
    -------
    course_s : float64[bars]
        Without the lateness of what plays and the noise, up to a constant.
    unsure_s : float64[bars]
        Its standard deviation.
    """
    count = len(late_s)
    found, unsure = np.zeros(count), np.zeros(count)
    for at in range(0, count, _PART):
        end = count if count - at < _PART + 2 * _MARGIN else at + _PART
        first, last = max(0, at - _MARGIN), min(count, end + _MARGIN)
        ms, sd = _part(1000 * late_s[first:last], weights[first:last], fits[first:last], usual)
        found[at:end], unsure[at:end] = ms[at - first :][: end - at], sd[at - first :][: end - at]
        if end == count:
            break
    return found / 1000, unsure / 1000


def _part(late: Floats, weights: Floats, fits: Floats, usual: Floats) -> tuple[Floats, Floats]:
    """Return the course of some bars and its standard deviation, in ms; see `course`."""
    count = len(late)
    lateness, softness = _lateness(fits, usual)
    noise = np.diag(np.median(weights) / (weights + 0.02 * np.median(weights)))
    middle = np.median(late)
    rest = late - middle - _LATE * softness
    any_sd = max(_ANY_SD, float(np.ptp(rest)))
    best, chosen = -np.inf, (np.eye(count), np.eye(count))
    for order, step in product(_ORDERS, _STEPS):
        walk = step**2 * _walk(count, order) + any_sd**2 * _lines(count, order)
        for sd in _NOISES:
            both = walk + lateness + sd**2 * noise
            size = float(np.log(np.diag(np.linalg.cholesky(both))).sum())
            likely = -0.5 * float(rest @ np.linalg.solve(both, rest)) - size
            likely += order * np.log(any_sd)
            if likely > best:
                best, chosen = likely, (walk, both)
    walk, both = chosen
    gain = np.linalg.solve(both, walk).T
    variance = np.diag(walk) - np.einsum("ij,ji->i", gain, walk)
    return gain @ rest + middle, np.sqrt(np.maximum(variance, 0.0))


def _lateness(fits: Floats, usual: Floats) -> tuple[Floats, Floats]:
    """Return the covariance of how late bars seem to be, and how soft each is, 0..1."""
    strongest = int(usual.argmax())
    softness = np.clip(1 - fits[:, strongest] / (_SOFT * usual[strongest] + 1e-12), 0, 1)
    shares = np.maximum(fits, 0.0)
    shares /= shares.sum(axis=1, keepdims=True) + 0.05 * usual.sum() + 1e-12
    apart = 0.5 * np.abs(shares[:, None] - shares[None]).sum(axis=2)
    alike = (1 - _OWN) * np.exp(-0.5 * (apart / _ALIKE) ** 2) + _OWN * np.eye(len(fits))
    return _LATE_SD**2 * np.outer(softness, softness) * alike, softness


def _walk(count: int, order: int) -> Floats:
    """Return the covariance of a sum of sums of noise of 1."""
    sums = np.tril(np.ones((count, count)))
    total = np.linalg.matrix_power(sums, order)
    return np.asarray(total @ total.T, np.float64)


def _lines(count: int, order: int) -> Floats:
    """Return the covariance of a polynomial of which nothing is known."""
    x = np.linspace(-1, 1, count)
    powers = np.stack([x**k for k in range(order)])
    return np.asarray(powers.T @ powers, np.float64)
