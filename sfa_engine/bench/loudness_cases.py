"""The signals of EBU Tech 3341 and 3342 that can be generated, and what a meter should read.

Not among them are the two programmes of either document (3341: 7 and 8, 3342: 5 and 6), which
are recordings. Cases 20 to 23 of 3341 are generated at four times the rate and decimated at four
places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin

from sfa_engine.prep.analyse.loudness import lufs, measure
from sfa_engine.prep.master.meter import (
    MOMENTARY,
    SHORT,
    SLOTS_HZ,
    Block,
    LoudnessMeter,
    Meter,
    Slots,
    running,
    tenths,
)

RATE = 48_000
TONE_HZ = 1000.0
SURROUND = (1.0, 1.0, 1.0, 1.41, 1.41)  # left, right, centre, and those behind
LOUDNESS_LU = (0.1, 0.1)  # below and above what is right
RANGE_LU = (1.0, 1.0)
PEAK_DB = (0.4, 0.2)
Floats = NDArray[np.float64]


class Reading(NamedTuple):
    """What a meter read in a case.

    Parameters
    ----------
    name : str
    read, right : float
        The worst of several.
    below, above : float
        Tolerance.
    """

    name: str
    read: float
    right: float
    below: float
    above: float

    @property
    def error(self) -> float:
        """By how much it is wrong."""
        return self.read - self.right

    @property
    def tolerance(self) -> float:
        """The tolerance on the side of the error."""
        return self.above if self.error > 0 else self.below

    @property
    def is_met(self) -> bool:
        """Whether the meter is right."""
        return abs(self.error) <= self.tolerance


class Curves(NamedTuple):
    """Loudness over time, at each 10 ms: the last 3 s, the last 0.4 s."""

    short: Floats
    momentary: Floats
    integrated: float
    range_lu: float


def tone(parts: Sequence[tuple[float, float]], rate: int = RATE) -> Block:
    """Return a stereo tone of 1 kHz.

    Parameters
    ----------
    parts : sequence of (float, float)
        Level in dBFS and seconds of each; the phase goes on.
    rate : int
        Hz.
    """
    gain = np.concatenate(
        [np.full(round(seconds * rate), 10 ** (level / 20)) for level, seconds in parts]
    )
    side = gain * np.sin(2 * np.pi * TONE_HZ * np.arange(len(gain)) / rate)
    return np.stack([side, side], axis=1).astype(np.float32)


def curves(sound: Block, rate: int = RATE, weights: Sequence[float] = (1.0, 1.0)) -> Curves:
    """Return what the meters of a report read, over time."""
    slots, meter = Slots(rate, len(weights)), LoudnessMeter(rate, weights)
    meter.take(*slots.take(sound))
    power = meter.power
    loudness = measure(tenths(power))
    return Curves(
        lufs(running(power, SHORT)),
        lufs(running(power, MOMENTARY)),
        loudness.integrated_lufs,
        loudness.range_lu,
    )


def readings(rate: int = RATE) -> Iterator[Reading]:
    """Yield what the meters read in each case."""
    yield from _integrated(rate)
    yield from _short(rate)
    yield from _momentary(rate)
    yield from _peaks(rate)
    yield from _ranges(rate)


def _integrated(rate: int) -> Iterator[Reading]:
    quiet, loud = (-36.0, 10.0), (-23.0, 60.0)
    cases = {
        "3341_1": ([(-23.0, 20.0)], -23.0),
        "3341_2": ([(-33.0, 20.0)], -33.0),
        "3341_3": ([quiet, loud, quiet], -23.0),
        "3341_4": ([(-72.0, 10.0), quiet, loud, quiet, (-72.0, 10.0)], -23.0),
        "3341_5": ([(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
    }
    for name, (parts, right) in cases.items():
        found = curves(tone(parts, rate), rate)
        yield Reading(name, found.integrated, right, *LOUDNESS_LU)
    one = tone([(0.0, 20.0)], rate)[:, 0]
    levels = (-28.0, -28.0, -24.0, -30.0, -30.0)
    surround = np.stack([one * np.float32(10 ** (level / 20)) for level in levels], axis=1)
    found = curves(surround, rate, SURROUND)
    yield Reading("3341_6", found.integrated, -23.0, *LOUDNESS_LU)


def _short(rate: int) -> Iterator[Reading]:
    found = curves(tone([(-20.0, 1.34), (-30.0, 1.66)] * 5, rate), rate)
    yield Reading("3341_9", _worst(found.short, -23.0), -23.0, *LOUDNESS_LU)
    yield _each("3341_10", rate, 3.0, 0.15, lambda found: found.short)
    yield _successive("3341_11", rate, 3.0, 0.15, lambda found: found.short, SHORT)


def _momentary(rate: int) -> Iterator[Reading]:
    found = curves(tone([(-20.0, 0.18), (-30.0, 0.22)] * 25, rate), rate)
    after_1_s = found.momentary[SLOTS_HZ - MOMENTARY :]
    yield Reading("3341_12", _worst(after_1_s, -23.0), -23.0, *LOUDNESS_LU)
    yield _each("3341_13", rate, 0.4, 0.02, lambda found: found.momentary)
    yield _successive("3341_14", rate, 0.4, 0.02, lambda found: found.momentary, MOMENTARY)


def _each(
    name: str, rate: int, seconds: float, step_s: float, of: Callable[[Curves], Floats]
) -> Reading:
    """Measure twenty files: a tone that begins later in each."""
    silent = -200.0
    highest = [
        float(
            of(
                curves(tone([(silent, n * step_s), (-23.0, seconds), (silent, 1.0)], rate), rate)
            ).max()
        )
        for n in range(20)
    ]
    return Reading(name, _worst(np.array(highest), -23.0), -23.0, *LOUDNESS_LU)


def _successive(
    name: str, rate: int, seconds: float, step_s: float, of: Callable[[Curves], Floats], slots: int
) -> Reading:
    """Measure one file of twenty tones, each 1 dB louder: the maxima up to the end of each."""
    silent = -200.0
    parts = [
        part
        for n in range(20)
        for part in (
            (silent, n * step_s),
            (-38.0 + n, seconds),
            (silent, seconds - n * step_s),
        )
    ]
    curve = of(curves(tone(parts, rate), rate))
    ends = (np.arange(1, 21) * 2 * seconds * SLOTS_HZ).round().astype(int) - slots + 1
    errors = np.array([curve[:end].max() - (-38.0 + n) for n, end in enumerate(ends)])
    return Reading(name, -38.0 + _worst(errors, 0.0), -38.0, *LOUDNESS_LU)


def _peaks(rate: int) -> Iterator[Reading]:
    """Measure tones whose samples miss the peaks, and one loud period within a tone."""
    time = np.arange(5 * rate)
    cases = {
        "3341_15": (4, 0.50, 0.0, -6.0),
        "3341_16": (4, 0.50, 45.0, -6.0),
        "3341_17": (6, 0.50, 60.0, -6.0),
        "3341_18": (8, 0.50, 67.5, -6.0),
        "3341_19": (4, 1.41, 45.0, 3.0),
    }
    for name, (part, amplitude, degrees, right) in cases.items():
        side = amplitude * np.sin(2 * np.pi * time / part + np.radians(degrees))
        # faded in and out: a tone that is cut off has higher peaks
        yield Reading(name, _true_peak(_faded(side, rate), rate), right, *PEAK_DB)
    fine = np.sin(2 * np.pi * np.arange(20 * rate) / 24) * 0.5  # a sixth of the rate
    middle = len(fine) // 2 // 24 * 24
    fine[middle : middle + 24] *= 2.0
    fine = _faded(fine, 4 * rate)
    fine = np.convolve(fine, firwin(511, 0.245, window=("kaiser", 9.0)), mode="same")
    for offset in range(4):
        name = f"3341_{20 + offset}"
        yield Reading(name, _true_peak(fine[offset::4], rate), 0.0, *PEAK_DB)


def _faded(side: Floats, rate: int) -> Floats:
    ramp = np.sin(np.pi / 2 * np.arange(rate // 10) / (rate // 10)) ** 2
    faded = side.copy()
    faded[: len(ramp)] *= ramp
    faded[-len(ramp) :] *= ramp[::-1]
    return faded


def _true_peak(side: Floats, rate: int) -> float:
    meter = Meter(rate)
    meter.take(np.stack([side, side], axis=1).astype(np.float32))
    return meter.finish().true_peak_dbtp


def _ranges(rate: int) -> Iterator[Reading]:
    for number, (levels, right) in enumerate(
        (
            ((-20.0, -30.0), 10.0),
            ((-20.0, -15.0), 5.0),
            ((-40.0, -20.0), 20.0),
            ((-50.0, -35.0, -20.0, -35.0, -50.0), 15.0),
        ),
        1,
    ):
        found = curves(tone([(level, 20.0) for level in levels], rate), rate)
        yield Reading(f"3342_{number}", found.range_lu, right, *RANGE_LU)


def _worst(values: Floats, right: float) -> float:
    return float(values[np.abs(values - right).argmax()])
