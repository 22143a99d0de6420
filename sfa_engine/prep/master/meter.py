"""All meters of a report, in one pass over blocks of any length, in memory of a few MB an hour.

::

    block ─┬─► K-weighting ─► power of each 10 ms ─► loudness (gated), its maxima and range
           ├─► 4x oversampled peak of each 10 ms ──► true peak, PLR, PSR
           ├─► power spectra of 0.17 s ────────────► bands, third octaves, correlation in the bass
           └─► sums ───────────────────────────────► correlation, side, offset, clipped runs

References
----------
.. [1] ITU-R BS.1770-5, "Algorithms to measure audio programme loudness and true-peak audio
   level", 2023.
.. [2] EBU Tech 3341, "Loudness Metering", 2016; Tech 3342, "Loudness Range", 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.signal import sosfilt

from sfa_engine.mix.mastering.report import BANDS, LOW_HZ, SILENCE_LUFS, THIRDS_HZ, Report
from sfa_engine.mix.mastering.spectrum import NOTHING_DB, slope_of
from sfa_engine.prep.analyse.loudness import REACH, interpolators, lufs, measure

Block = NDArray[np.float32]
Floats = NDArray[np.float64]

SLOTS_HZ = 100  # a tone of 0.4 s that begins anywhere is read within 0.06 dB
TENTH = SLOTS_HZ // 10  # slots
MOMENTARY, SHORT = 4 * TENTH, 30 * TENTH
SHORTEST_S = 0.4  # a block of the integrated loudness
FULL_SCALE = 32_767 / 32_768  # the highest sample of 16 bits
CLIPPED_RUN = 3
SUSPECT = 0.5  # of a block's highest sample: between lower ones no higher value is looked for
SPECTRUM_S = 0.17
LOWEST_HZ = 10.0  # below is the offset, as a window of a spectrum shows it
FAINT = 1e-10  # power: -100 dB
FAINT_SHARE = 1e-6  # of the power: no bass to speak of
QUIET_LU = 10.0  # below the integrated loudness, PSR says nothing


def k_sections(rate: float) -> Floats:
    """Return the K-weighting for any rate: float64[2, 6], second-order sections.

    BS.1770 gives the coefficients for 48 kHz alone; these are the bilinear transforms of the
    analogue filters that they come from, and equal at that rate.

    Parameters
    ----------
    rate : float
        Hz.
    """
    k = math.tan(math.pi * 1681.974450955533 / rate)
    high, q = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [
        (high + middle * k / q + k * k) / a0, 2 * (k * k - high) / a0,
        (high - middle * k / q + k * k) / a0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0,
    ]  # fmt: skip
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    return np.array([shelf, high_pass])


class Slots:
    """Cuts blocks into slots of 10 ms; what is left of one waits for the next block.

    Parameters
    ----------
    rate : int
        Hz.
    channels : int
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._rest = np.empty((0, channels), np.float32)
        self._done = 0

    def take(self, block: Block) -> tuple[Block, NDArray[np.intp]]:
        """Return the sound of whole slots, and where each begins in it."""
        sound = np.concatenate([self._rest, block])
        begin = self._edge(self._done)
        slots = len(sound) * SLOTS_HZ // self._rate + 2
        edges = np.array([self._edge(self._done + n) - begin for n in range(slots)])
        whole = int(np.searchsorted(edges, len(sound), side="right")) - 1
        self._done += whole
        end = edges[whole]
        self._rest = sound[end:].copy()
        return sound[:end], edges[:whole]

    @property
    def rest(self) -> Block:
        """What is left of a slot."""
        return self._rest

    def _edge(self, slot: int) -> int:
        return (slot * self._rate + SLOTS_HZ // 2) // SLOTS_HZ


class LoudnessMeter:
    """The K-weighted power of each 10 ms.

    Parameters
    ----------
    rate : int
        Hz.
    weights : sequence of float
        Of each channel: 1, or 1.41 for those behind.
    mono : bool
        Whether to measure the sum of two channels too, as it plays on both sides.
    """

    def __init__(
        self, rate: int, weights: Sequence[float] = (1.0, 1.0), *, mono: bool = False
    ) -> None:
        self._sections = k_sections(rate)
        self._state = np.zeros((2, 2, len(weights)))
        self._weights = np.array(weights)
        self._power: list[Floats] = []
        self._mono: list[Floats] | None = [] if mono else None

    def take(self, sound: Block, starts: NDArray[np.intp]) -> None:
        """Take whole slots; see `Slots.take`."""
        if not len(starts):
            return
        heard, self._state = sosfilt(self._sections, sound.astype(float), axis=0, zi=self._state)
        lengths = np.diff(starts, append=len(sound))
        self._power.append(np.add.reduceat(heard**2 @ self._weights, starts) / lengths)
        if self._mono is not None:
            both = heard.sum(axis=1) ** 2 / 2
            self._mono.append(np.add.reduceat(both, starts) / lengths)

    @property
    def power(self) -> Floats:
        """Mean weighted power of each 10 ms: float64[slots]."""
        return np.concatenate(self._power) if self._power else np.zeros(0)

    @property
    def mono_power(self) -> Floats:
        """The same of the sum of two channels."""
        return np.concatenate(self._mono) if self._mono else np.zeros(0)


def running(values: Floats, slots: int) -> Floats:
    """Return the mean of each `slots` in a row; of all there is in shorter sound."""
    slots = min(slots, len(values))
    total = np.concatenate([[0.0], np.cumsum(values)])
    means: Floats = np.maximum(total[slots:] - total[:-slots], 0.0) / slots
    return means


def tenths(power: Floats) -> Floats:
    """Return the mean of each whole tenth of a second."""
    whole = len(power) // TENTH * TENTH
    means: Floats = power[:whole].reshape(-1, TENTH).mean(axis=1)
    return means


class PeakMeter:
    """The highest value of each 10 ms, between the samples too.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int = 2) -> None:
        self._kernels = interpolators()
        self._before = np.zeros((2 * REACH, channels), np.float32)
        self._peaks: list[NDArray[np.float32]] = []
        self.sample_peak = 0.0

    def take(self, sound: Block, starts: NDArray[np.intp]) -> None:
        """Take whole slots; what is between samples is seen `REACH` frames late."""
        if not len(sound):
            return
        x = np.concatenate([self._before, sound])
        self._before = x[-2 * REACH :].copy()
        # of each sample `REACH` frames ago, and of what is between it and the next
        size = np.abs(x[REACH : 1 - REACH])
        sizes = size[:-1].max(axis=1)
        self.sample_peak = max(self.sample_peak, float(np.abs(sound).max()))
        for channel in range(x.shape[1]):
            is_loud = size[:, channel] > SUSPECT * size[:, channel].max()
            loud = np.flatnonzero(is_loud[:-1] | is_loud[1:])
            if not len(loud) or size[:, channel].max() < 1e-6:
                continue
            windows = np.lib.stride_tricks.sliding_window_view(x[:, channel], 2 * REACH)
            between = np.abs(windows[loud + 1] @ self._kernels).max(axis=1)
            sizes[loud] = np.maximum(sizes[loud], between)
        if len(starts):
            self._peaks.append(np.maximum.reduceat(sizes, starts))
        else:
            self._peaks.append(np.array([sizes.max()], np.float32))

    def finish(self, rest: Block) -> None:
        """Take what is left of a slot, and see the last samples to their end."""
        end = np.zeros((2 * REACH, self._before.shape[1]), np.float32)
        self.take(np.concatenate([rest, end]), np.array([], np.intp))

    @property
    def peaks(self) -> NDArray[np.float32]:
        """Highest value of each 10 ms, and of the rest."""
        return np.concatenate(self._peaks) if self._peaks else np.zeros(0, np.float32)

    @property
    def true_peak(self) -> float:
        """Highest value of all; full scale is 1."""
        return max(self.sample_peak, float(self.peaks.max(initial=0.0)))


class SpectrumMeter:
    """Power spectra of both sides, and what they have in common.

    Parameters
    ----------
    rate : int
        Hz.
    """

    def __init__(self, rate: int) -> None:
        self.size = 1 << round(math.log2(rate * SPECTRUM_S))
        self.hz = np.arange(self.size // 2 + 1) * rate / self.size
        self._window = np.hanning(self.size + 1)[:-1].astype(np.float32)
        self._held = np.empty((0, 2), np.float32)
        self.left, self.right, self.common = np.zeros((3, len(self.hz)))
        self._frames = 0

    def take(self, sound: Block) -> None:
        """Take frames."""
        held = np.concatenate([self._held, sound])
        hop = self.size // 2
        count = max(0, (len(held) - self.size) // hop + 1)
        for begin in range(0, count, 16):  # a few MB at once
            rows = [
                held[n * hop : n * hop + self.size].T for n in range(begin, min(begin + 16, count))
            ]
            self._add(np.stack(rows))
        self._held = held[count * hop :].copy()

    def finish(self) -> None:
        """Take what is left if it is all there is."""
        if not self._frames and len(self._held):
            self._add(np.pad(self._held, [(0, self.size - len(self._held)), (0, 0)]).T[None])

    def _add(self, rows: NDArray[np.float32]) -> None:
        self._frames += len(rows)
        spectra = scipy.fft.rfft(rows * self._window, axis=2)
        left, right = spectra[:, 0], spectra[:, 1]
        self.left += (left.real**2 + left.imag**2).sum(axis=0, dtype=float)
        self.right += (right.real**2 + right.imag**2).sum(axis=0, dtype=float)
        self.common += (left.real * right.real + left.imag * right.imag).sum(axis=0, dtype=float)

    @property
    def power(self) -> Floats:
        """Of both sides, from `LOWEST_HZ` on."""
        power: Floats = np.where(self.hz >= LOWEST_HZ, self.left + self.right, 0.0)
        return power

    def share(self, low_hz: float, high_hz: float) -> float:
        """Return the part of the power between two frequencies; bins are split."""
        power = self.power
        if not power.sum():
            return 0.0
        step = self.hz[1]
        total = np.concatenate([[0.0], np.cumsum(power)])
        edges = np.concatenate([[0.0], self.hz + step / 2])
        low, high = np.interp([low_hz, high_hz], edges, total)
        return float((high - low) / total[-1])

    def low_correlation(self) -> float | None:
        """Return the correlation of left and right below `LOW_HZ`; None without bass."""
        used = (self.hz >= LOWEST_HZ) & (self.hz < LOW_HZ)
        left, right = self.left[used].sum(), self.right[used].sum()
        if min(left, right) <= FAINT_SHARE * self.power.sum():
            return None
        return float(self.common[used].sum() / np.sqrt(left * right))


class RunMeter:
    """Runs of samples at full scale."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0
        self._open = np.zeros(2, int)  # length of a run that has not ended, of each side

    def take(self, sound: Block) -> None:
        """Take frames."""
        for side in (0, 1):
            full = np.abs(sound[:, side]) >= FULL_SCALE
            if not full.any():
                self._end(side)
                continue
            change = np.flatnonzero(np.diff(full, prepend=False, append=False))
            begins, ends = change[::2], change[1::2]
            lengths = ends - begins
            if begins[0] > 0:
                self._end(side)
            else:
                lengths[0] += self._open[side]
                self._open[side] = 0
            if ends[-1] == len(full):
                self._open[side] = lengths[-1]
                lengths = lengths[:-1]
            self._count(lengths)

    def finish(self) -> None:
        """End the runs that are open."""
        for side in (0, 1):
            self._end(side)

    def _end(self, side: int) -> None:
        self._count(self._open[side : side + 1])
        self._open[side] = 0

    def _count(self, lengths: NDArray[np.integer]) -> None:
        long = lengths[lengths >= CLIPPED_RUN]
        self.count += len(long)
        self.longest = max(self.longest, int(long.max(initial=0)))


class Meter:
    """All of them, for two channels.

    Parameters
    ----------
    rate : int
        Hz.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.frames = 0
        self._slots = Slots(rate, 2)
        self._loudness = LoudnessMeter(rate, mono=True)
        self._peaks = PeakMeter()
        self._spectrum = SpectrumMeter(rate)
        self._runs = RunMeter()
        self._sums = np.zeros(2)
        self._products = np.zeros(3)  # left², right², left · right
        self._levels: list[NDArray[np.float32]] = []

    def take(self, block: Block) -> None:
        """Take the next frames: float32[n, 2], finite."""
        self.frames += len(block)
        self._runs.take(block)
        self._spectrum.take(block)
        wide = block.astype(float)
        self._sums += wide.sum(axis=0)
        squares = wide**2
        left_right = float((wide[:, 0] * wide[:, 1]).sum())
        self._products += (*squares.sum(axis=0), left_right)
        sound, starts = self._slots.take(block)
        self._loudness.take(sound, starts)
        if len(starts):
            self._peaks.take(sound, starts)
            mean = np.add.reduceat((sound.astype(float) ** 2).mean(axis=1), starts)
            lengths = np.diff(starts, append=len(sound))
            self._levels.append((mean / lengths).astype(np.float32))

    def finish(self, channels: int = 2) -> Report:
        """Return the report of all that was taken.

        Parameters
        ----------
        channels : int
            Of the file.
        """
        self._peaks.finish(self._slots.rest)
        self._spectrum.finish()
        self._runs.finish()
        power = self._loudness.power
        loudness = measure(tenths(power)) if len(power) >= MOMENTARY else None
        integrated = loudness.integrated_lufs if loudness else SILENCE_LUFS
        is_long = len(power) >= SHORT  # three seconds
        short = lufs(running(power, SHORT)) if len(power) else np.array([SILENCE_LUFS])
        momentary = lufs(running(power, MOMENTARY)) if len(power) else short
        peak_db = _db(self._peaks.true_peak)
        is_silent = integrated <= SILENCE_LUFS
        left, right, common = self._products / max(1, self.frames)
        is_two_sided = min(left, right) > FAINT
        thirds = tuple(
            round(_share_db(self._spectrum.share(hz * 10**-0.05, hz * 10**0.05)), 2)
            for hz in THIRDS_HZ
        )
        low = self._spectrum.low_correlation() if is_two_sided else None
        slope = slope_of(thirds)
        return Report(
            duration_s=round(self.frames / self.rate, 3),
            rate=self.rate,
            channels=channels,
            integrated_lufs=round(integrated, 2),
            short_max_lufs=round(max(SILENCE_LUFS, float(short.max())), 2),
            momentary_max_lufs=round(max(SILENCE_LUFS, float(momentary.max())), 2),
            loudest_s=round(float(short.argmax()) / SLOTS_HZ, 2),
            range_lu=round(loudness.range_lu, 2) if loudness and is_long else 0.0,
            true_peak_dbtp=round(peak_db, 2),
            sample_peak_dbfs=round(_db(self._peaks.sample_peak), 2),
            plr_db=None if is_silent else round(peak_db - integrated, 2),
            psr_db=self._psr_db(power, integrated) if is_long and not is_silent else None,
            shares={name: round(self._spectrum.share(*band), 4) for name, band in BANDS.items()},
            thirds_db=thirds,
            slope_db_per_octave=None if slope is None else round(slope, 2),
            correlation=round(float(common / math.sqrt(left * right)), 3) if is_two_sided else None,
            low_correlation=None if low is None else round(low, 3),
            side_db=_side_db(left, right, common),
            mono_loss_lu=None if is_silent else self._mono_loss_lu(integrated),
            dc=(self._dc(0), self._dc(1)),
            clipped_runs=self._runs.count,
            longest_run=self._runs.longest,
            level_95_db=round(self._level_95_db(), 2),
        )

    def _psr_db(self, power: Floats, integrated: float) -> float | None:
        short = lufs(running(tenths(power), SHORT // TENTH))
        slots = len(power) // TENTH * TENTH
        peaks = self._peaks.peaks[:slots].reshape(-1, TENTH).max(axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(peaks, SHORT // TENTH)
        highest = windows.max(axis=1)
        loud = short > integrated - QUIET_LU
        if not loud.any():
            return None
        return round(float((20 * np.log10(np.maximum(highest, 1e-6)) - short)[loud].min()), 2)

    def _mono_loss_lu(self, integrated: float) -> float:
        mono = measure(tenths(self._loudness.mono_power)).integrated_lufs
        return round(integrated - mono, 2) + 0.0

    def _dc(self, side: int) -> float:
        return round(float(self._sums[side] / max(1, self.frames)), 6) + 0.0

    def _level_95_db(self) -> float:
        levels = np.concatenate(self._levels) if self._levels else np.zeros(0, np.float32)
        audible = levels[levels > 1e-7]  # -70 dB
        return 10 * math.log10(float(np.percentile(audible, 95))) if len(audible) else -120.0


def _db(peak: float) -> float:
    return 20 * math.log10(max(peak, 1e-6))


def _share_db(share: float) -> float:
    return 10 * math.log10(max(share, 10 ** (NOTHING_DB / 10)))


def _side_db(left: float, right: float, common: float) -> float:
    """Return the power of the side against the middle."""
    side, middle = left + right - 2 * common, left + right + 2 * common
    if side <= FAINT_SHARE * FAINT_SHARE * max(middle, FAINT):
        return NOTHING_DB
    return round(float(np.clip(10 * math.log10(side / max(middle, FAINT)), NOTHING_DB, 120.0)), 2)
