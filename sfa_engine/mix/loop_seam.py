"""The seam of a loop, measured in its sound: level, spectrum, likeness and click.

::

    track   … before ][ first beat … loop … last beat ][ what follows …
                  the loop's first beat is compared with what follows its end: the track goes on
                  so, the loop goes back
    click   a jump from its last frame to its first, beyond those in the sound itself

Pure; arrays of sound in, numbers out.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Sound = NDArray[np.float32]

JOIN_S = 0.005  # of a loop that clicks: its end is faded over to what lies before its start
EDGE_S = 0.02  # around the seam, whose own jumps a click is compared with
LEVEL_S = 0.05
CLICK = 3.0  # times the jumps around it
LEAST_JUMP = 1e-3  # -60 dB: below, a jump is not audible
SILENT_DB = -60.0  # of a loop, at its peak
MAX_LEVEL_DB = 9.0
MAX_SPECTRUM_DB = 6.0
_LOWEST_HZ, _OCTAVES = 40.0, 8
_FLOOR_DB = -50.0  # below the loudest band


class Seam(Struct, frozen=True):
    """What is measured of a seam.

    Parameters
    ----------
    level_db : float, optional
        How much louder the loop begins than what follows its end; None: nothing follows.
    spectrum_db : float, optional
        Mean difference of their octaves.
    correlation : float, optional
        Of their waves, -1..1.
    clicks : bool
    """

    level_db: float | None
    spectrum_db: float | None
    correlation: float | None
    clicks: bool


def measure(loop: Sound, after: Sound, rate: int) -> Seam:
    """Measure the seam of a loop.

    Parameters
    ----------
    loop : float32[frames, 2]
    after : float32[n, 2]
        What follows it in the track, a beat or more; empty at the track's end.
    rate : int
        Hz.
    """
    count = min(len(loop), len(after))
    if count < LEVEL_S * rate:
        return Seam(None, None, None, _clicks(loop, rate))
    first, then = loop[:count].astype(float), after[:count].astype(float)
    edge = round(LEVEL_S * rate)
    energy = math.sqrt(float((first**2).sum() * (then**2).sum()))
    return Seam(
        round(_db(first[:edge]) - _db(then[:edge]), 2) + 0.0,
        round(_apart(_octaves(first, rate), _octaves(then, rate)), 2),
        round(float((first * then).sum()) / energy, 3) if energy else 1.0,
        _clicks(loop, rate),
    )


def fault(loop: Sound, seam: Seam, *, is_voice: bool) -> str:
    """Return why a loop is not to be used; empty if it is."""
    peak = float(np.abs(loop).max(initial=0.0))
    if not math.isfinite(peak):
        return "has samples that are no numbers"
    if peak < 10 ** (SILENT_DB / 20):
        return "is silent"
    if is_voice or seam.level_db is None or seam.spectrum_db is None:
        return ""
    if abs(seam.level_db) > MAX_LEVEL_DB:
        return f"has a step of {seam.level_db:+.1f} dB at its seam"
    if seam.spectrum_db > MAX_SPECTRUM_DB:
        return f"sounds different at its seam, by {seam.spectrum_db:.1f} dB"
    return ""


def joined(loop: Sound, before: Sound, rate: int) -> Sound:
    """Return a loop whose end is faded over to what lies before its start, in `JOIN_S`.

    Parameters
    ----------
    loop : float32[frames, 2]
    before : float32[n, 2]
        What lies before it; where that is shorter, silence comes before.
    rate : int
        Hz.
    """
    count = min(round(JOIN_S * rate), len(loop))
    lead = np.zeros((count, 2), np.float32)
    have = min(count, len(before))
    if have:
        lead[count - have :] = before[len(before) - have :]
    fade = (np.arange(1, count + 1, dtype=np.float32) / np.float32(count))[:, None]
    made = loop.copy()
    made[len(loop) - count :] = loop[len(loop) - count :] * (1 - fade) + lead * fade
    return made


def _clicks(loop: Sound, rate: int) -> bool:
    edge = max(2, round(EDGE_S * rate))
    usual = np.concatenate([np.diff(loop[:edge], axis=0), np.diff(loop[-edge:], axis=0)])
    jump = float(np.abs(loop[0] - loop[-1]).max())
    around = float(np.percentile(np.abs(usual), 99)) if len(usual) else 0.0
    return jump > max(LEAST_JUMP, CLICK * around)


def _db(sound: NDArray[np.float64]) -> float:
    return 10 * math.log10(max(float((sound**2).mean()), 10 ** (SILENT_DB / 10)))


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the mean difference of levels, of which those far below the loudest are silence."""
    floor = max(float(one.max()), float(other.max())) + _FLOOR_DB
    return float(np.abs(np.maximum(one, floor) - np.maximum(other, floor)).mean())


def _octaves(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the level of each octave in dB."""
    mono = sound.mean(axis=1) * np.hanning(len(sound))
    power = np.abs(np.fft.rfft(mono)) ** 2
    hertz = np.fft.rfftfreq(len(mono), 1 / rate)
    edges = _LOWEST_HZ * 2.0 ** np.arange(_OCTAVES + 1)
    at = np.searchsorted(hertz, edges)
    total = np.concatenate([[0.0], np.cumsum(power)])
    at = np.minimum(at, len(power))
    level: NDArray[np.float64] = 10 * np.log10(np.diff(total[at]) + 1e-12)
    return level
