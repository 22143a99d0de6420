"""Loudness by ITU-R BS.1770-4 and EBU R 128: integrated, over time, range, and true peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.smooth import Floats

SILENCE_LUFS = -70.0  # the absolute gate; what lies below is silence
TENTHS_MOMENTARY = 4  # 0.4 s
TENTHS_SHORT = 30  # 3 s
_OVERSAMPLING = 4
REACH = 12  # frames on either side of the interpolating filter
_SUSPECT = 0.7  # of the highest sample: beside lower ones no higher value was found in music


def k_weighting(hz: Floats) -> NDArray[np.complex128]:
    """Return the K-weighting filter's answer at some frequencies, for 48 kHz.

    Parameters
    ----------
    hz : float64[n]
        May be negative.

    Returns
    -------
    complex128[n]
        What each is multiplied with.

    References
    ----------
    .. [1] ITU-R BS.1770-4, tables 1 and 2.
    """
    z = np.exp(-2j * np.pi * hz / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    answer: NDArray[np.complex128] = shelf * high_pass
    return answer


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud a track is.

    Parameters
    ----------
    integrated_lufs : float
        Gated mean of the whole; `SILENCE_LUFS` for silence.
    range_lu : float
        Loudness range: between the tenth and the 95th part of a hundred of the gated
        three-second values.
    short_lufs : float64[seconds]
        Of the last three seconds, every second.
    """

    integrated_lufs: float
    range_lu: float
    short_lufs: Floats


def measure(power: Floats) -> Loudness:
    """Measure the loudness from the weighted power of each tenth of a second.

    Parameters
    ----------
    power : float64[tenths]
        Mean square of left plus that of right, K-weighted.

    Returns
    -------
    Loudness
        Of the whole, and over time.
    """
    blocks = _running(power, TENTHS_MOMENTARY)
    loud = blocks[lufs(blocks) > SILENCE_LUFS]
    integrated = SILENCE_LUFS
    if len(loud):
        gate = float(lufs(loud.mean())) - 10.0
        integrated = float(lufs(loud[lufs(loud) > gate].mean()))
    short = lufs(_running(power, TENTHS_SHORT))
    audible = short[short > SILENCE_LUFS]
    spread = 0.0
    if len(audible):
        gate = float(lufs((10 ** ((audible + 0.691) / 10)).mean())) - 20.0
        low, high = np.percentile(audible[audible > gate], [10, 95])
        spread = float(high - low)
    return Loudness(integrated, spread, np.maximum(short[::10], SILENCE_LUFS))


def lufs(power: Floats | np.floating) -> Floats:
    """Return loudness units of a mean square."""
    units: Floats = -0.691 + 10 * np.log10(np.maximum(power, 1e-12))
    return units


def _running(power: Floats, tenths: int) -> Floats:
    """Return the mean power of `tenths` in a row; of all there is in a shorter track."""
    tenths = min(tenths, len(power))
    total = np.concatenate([[0.0], np.cumsum(power)])
    means: Floats = (total[tenths:] - total[:-tenths]) / tenths
    return means


class TruePeak:
    """The highest value of the sound between its samples too, four times oversampled.

    Only around samples that are loud against the highest so far is it looked for.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self._kernels = interpolators()

    def take(self, block: NDArray[np.float32]) -> None:
        """Take the next frames, with those before that the filter reaches back to.

        Parameters
        ----------
        block : float32[n, 2]
            The first 64 are those before.
        """
        for channel in (0, 1):
            x = np.pad(block[:, channel], (0, REACH + 1))
            size = np.abs(x)
            highest = float(size.max())
            self.value = max(self.value, highest)
            suspect = _SUSPECT * self.value
            if self.value < 1e-6 or highest <= suspect:
                continue
            # an interval is worth a look if either end is loud
            is_loud = size > suspect
            ends = is_loud[REACH : -REACH - 1] | is_loud[REACH + 1 : -REACH]
            loud = np.flatnonzero(ends)
            if not len(loud):
                continue
            rows = np.lib.stride_tricks.sliding_window_view(x, 2 * REACH)[loud + 1]
            self.value = max(self.value, float(np.abs(rows @ self._kernels).max()))

    @property
    def dbtp(self) -> float:
        """The same in dB; -inf is given as -120."""
        return decibels(self.value)


def decibels(peak: float) -> float:
    """Return a peak in dB; silence is -120."""
    return float(20 * np.log10(max(peak, 1e-6)))


def interpolators() -> NDArray[np.float32]:
    """Return the three windowed sincs of the places between two samples, as columns."""
    columns = []
    for step in range(1, _OVERSAMPLING):
        x = np.arange(-REACH + 1, REACH + 1) - step / _OVERSAMPLING
        window = np.cos(np.pi * x / (2 * REACH + 1)) ** 2
        column = np.sinc(x) * window
        columns.append(column / column.sum())
    return np.stack(columns, axis=1).astype(np.float32)
