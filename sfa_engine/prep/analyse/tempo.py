"""The tempo: how long a beat is, before anyone asks where it is.

Three questions in a row. Which periods come back (autocorrelation, weighed by how usual a tempo
is)? Which of their neighbours fits the whole track best (a comb of eight harmonics, to some
0.005 BPM)? And does its phase hold from window to window (coherence)? The last tells 3:2 errors,
whose phase wanders (0.4 and less against 0.7 and more).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.onset import FRAME_HZ
from sfa_engine.prep.analyse.smooth import (
    Curve,
    Floats,
    autocorrelation,
    decimate,
    fast_size,
    highest,
)

SLOWEST, FASTEST = 58.0, 215.0  # BPM
USUAL, SPREAD = 122.0, 0.55  # BPM and octaves of the bell of usual tempi
_BEATS = ((0.5, 0.9), (1, 1.0), (2, 0.8), (4, 1.1), (8, 0.8), (16, 0.5))  # lag, weight
Path = tuple[Floats, Floats, Floats, Floats]  # see `local_tempi`
COARSE_MS = 4  # a point of the slower curves
COARSE_HZ = FRAME_HZ / COARSE_MS
_WINDOW_S = 8.0
_PART = 1 << 17  # points
_HARMONICS = 8
_FINER = 4  # times as many bins of a spectrum as its length asks for
_PARTS = 16  # of which it is transformed
_RIVAL = 0.85  # of the best rank; 3:2 errors have 0.75 and less, but where both tempi hold
# A bar of five has quarters too, and what returns after it returns after four of those; but after
# one nothing does: -0.1..0.04, where after a beat of the bar of five 0.4..0.55 does.
_UNBEATEN, _BEATEN, _HOLDS, _WORTH = 0.1, 0.3, 0.9, 0.5
_SAME_BAR = 0.01  # share that it may be longer
_METRES = (3, 5, 7)  # beats of bars that are not of four
_CLEARER = 0.06  # than four; pieces in four reached 0.03, in three 0.09 and more


@dataclass(frozen=True, slots=True)
class Tempo:
    """A tempo and what speaks for it.

    Parameters
    ----------
    bpm : float
    coherence : float
        0..1: how well its phase holds.
    strength : float
        0..1: how much the music comes back after its beats.
    rivals : tuple of float
        BPM of others that fit nearly as well: of music that returns after three beats and after
        four, or whose beat is of three parts or of four.
    """

    bpm: float
    coherence: float
    strength: float
    rivals: tuple[float, ...] = ()

    @property
    def period_s(self) -> float:
        """Seconds a beat."""
        return 60.0 / self.bpm


def find_tempo(strength: Curve, usual: float = USUAL) -> Tempo | None:
    """Return the tempo of a track, or None where nothing comes back.

    Parameters
    ----------
    strength : float32[ms]
        See `Onsets.strength`.
    usual : float
        BPM that is preferred among tempi that fit as well.

    Returns
    -------
    Tempo or None
        The best; None for silence, and for less than two seconds.
    """
    curve = decimate(strength, COARSE_MS)
    if len(curve) < 2 * COARSE_HZ or curve.max(initial=0) <= 0:
        return None
    lags = min(int(COARSE_HZ * 60 / SLOWEST * 16.5), len(curve) - 2)
    returns = autocorrelation(curve, lags)
    spectrum, bin_hz = _spectrum(curve)
    ranked: list[tuple[float, float, float, float]] = []
    found = _candidates(returns, usual)
    for bpm, score, plain in found:
        if score < 0.4 * found[0][1]:
            continue
        fine = _comb(spectrum, bin_hz, bpm, len(curve) / COARSE_HZ)
        holds = max(coherence(curve, 60 / fine).values())
        ranked.append((score * (0.25 + holds), fine, holds, plain))
    rank, bpm, holds, plain = max(ranked)
    if _after(returns, 60 / bpm) < _UNBEATEN:
        # a quarter of a bar of five or seven, perhaps
        for other in sorted(ranked, reverse=True):
            if other[0] < _WORTH * rank or _after(returns, 60 / other[1]) < _BEATEN:
                continue
            beats = count_bar(strength, 60 / other[1])
            apart = [abs(other[1] / bpm * quarters / beats - 1) for quarters in (4, 8)]
            if beats > 4 and min(apart) < _SAME_BAR and other[2] >= _HOLDS:
                rank, bpm, holds, plain = other
                break
    if plain <= 0:
        return None
    rivals = [other for other_rank, other, *_ in ranked if _RIVAL * rank <= other_rank < rank]
    return Tempo(bpm, holds, min(1.0, plain), tuple(rivals))


def _candidates(returns: Floats, usual: float) -> list[tuple[float, float, float]]:
    """Return up to five tempi as BPM, weighed score, plain score; best first."""
    tops = np.maximum(highest(returns, 3), 0).astype(np.float64)
    bpm = np.exp(np.arange(np.log(SLOWEST), np.log(FASTEST), 0.002))
    score, weights = np.zeros(len(bpm)), np.zeros(len(bpm))
    for beats, weight in _BEATS:
        lag = 60 * COARSE_HZ / bpm * beats
        known = lag < len(returns) - 1
        score += np.where(known, weight * np.interp(lag, np.arange(len(tops)), tops), 0)
        weights += np.where(known, weight, 0)
    plain = score / np.maximum(weights, 1e-9)
    weighed = plain * np.exp(-0.5 * (np.log2(bpm / usual) / SPREAD) ** 2)
    found = []
    left = weighed.copy()
    for _ in range(5):
        i = int(np.argmax(left))
        found.append((float(bpm[i]), float(weighed[i]), float(plain[i])))
        left[np.abs(np.log(bpm / bpm[i])) < 0.03] = 0
    return found


def _after(returns: Floats, seconds: float) -> float:
    """Return how much the music comes back after some seconds."""
    lag = round(seconds * COARSE_HZ)
    return float(returns[max(0, lag - 2) : lag + 3].max(initial=0.0))


def _spectrum(curve: Curve) -> tuple[Curve, float]:
    """Return the spectrum of the whole track's attacks, finely sampled, and its bin in Hz.

    It ends with the eighth harmonic of the fastest tempo. Of `_PARTS` bins one after another each
    is in a transform of its own, of the sound turned by a part of a bin and folded: in one
    transform, an hour took 110 MB.
    """
    sound = curve - curve.mean()
    for at in range(0, len(sound), _PART):  # faded by the fourth root of a Hann window
        turn = np.arange(at, min(at + _PART, len(sound))) / max(1, len(sound) - 1)
        sound[at : at + _PART] *= np.sqrt(np.sin(np.pi * turn).clip(0))
    size = fast_size(len(curve) * _FINER)
    length = size // _PARTS
    bins = int(_HARMONICS * 1.02 * FASTEST / 60 / COARSE_HZ * length) + 2
    spectrum = np.empty((bins, _PARTS), np.float32)
    for part in range(_PARTS):
        folded = np.zeros(length, np.complex64)
        for at in range(0, len(sound), length):
            here = sound[at : at + length]
            turned = np.exp(-2j * np.pi * part / size * np.arange(at, at + len(here)))
            folded[: len(here)] += here * turned.astype(np.complex64)
        spectrum[:, part] = np.abs(np.fft.fft(folded)[:bins])
    return spectrum.ravel(), COARSE_HZ / size


def _comb(spectrum: Curve, bin_hz: float, bpm: float, seconds: float) -> float:
    """Return the tempo near `bpm` whose first eight harmonics hold the most power."""
    step = max(0.12 / seconds / 8 * 60, 0.0005)
    bpms = np.arange(bpm * 0.988, bpm * 1.012, step)
    power = np.zeros(len(bpms))
    for k in range(1, _HARMONICS + 1):
        place = bpms / 60 * k / bin_hz
        first = int(place[0])
        near = spectrum[first : int(place[-1]) + 2]
        power += np.interp(place - first, np.arange(len(near)), near) ** 2
    return float(bpms[int(np.argmax(power))])


def coherence(curve: Curve, period_s: float) -> dict[int, float]:
    """Return how well the phase of a period, its half and its quarter holds, 0..1.

    Parameters
    ----------
    curve : float32[n]
        Attacks at 250 Hz.
    period_s : float
        Seconds a beat.

    Returns
    -------
    dict of int to float
        For 1, 2 and 4 to the beat: the length of the sum of the windows' phasors over the sum
        of their lengths.
    """
    centred = curve - curve.mean()
    width = min(int(_WINDOW_S * COARSE_HZ), len(curve))
    starts = np.arange(0, max(1, len(curve) - width + 1), max(1, width // 2))
    ends = np.stack([starts, starts + width])
    totals = {k: np.zeros(ends.shape, np.complex128) for k in (1, 2, 4)}
    last = dict.fromkeys(totals, 0j)
    for at in range(0, len(curve), _PART):  # a part at a time, for memory
        part = centred[at : at + _PART]
        seconds = np.arange(at, at + len(part)) / COARSE_HZ
        inside = (ends > at) & (ends <= at + len(part))
        turn: NDArray[np.complex128] = np.exp(-2j * np.pi / period_s * seconds)
        for k, total in totals.items():
            sums = np.cumsum(np.append(last[k], part * turn))
            total[inside] = sums[ends[inside] - at]
            last[k] = sums[-1]
            turn *= turn
    windows = {k: total[1] - total[0] for k, total in totals.items()}
    return {
        k: float(np.abs(each.sum()) / (np.abs(each).sum() + 1e-9)) for k, each in windows.items()
    }


def count_bar(strength: Curve, period_s: float) -> int:
    """Return the beats of a bar: 3, 5 or 7 where the music returns after so many rather than 4.

    How much it returns falls with the distance and alternates with the backbeat, so each count is
    held against its neighbours, and twice the count against its own.

    Parameters
    ----------
    strength : float32[ms]
    period_s : float
        Seconds a beat.

    Returns
    -------
    int
        3, 4, 5 or 7.
    """
    curve = decimate(strength, COARSE_MS)
    most = min(int(15.5 * period_s * COARSE_HZ), len(curve) // 2)
    returns = autocorrelation(curve, max(1, most))

    def after(beats: int) -> float | None:
        lag = round(beats * period_s * COARSE_HZ)
        return float(returns[max(0, lag - 2) : lag + 3].max()) if lag + 3 < len(returns) else None

    def stands_out(beats: int) -> float:
        total = 0.0
        for count in (beats, 2 * beats):
            here, before, behind = after(count), after(count - 1), after(count + 1)
            if here is not None and before is not None and behind is not None:
                total += here - (before + behind) / 2
        return total

    best = max(_METRES, key=stands_out)
    return best if stands_out(best) > max(0.0, stands_out(4)) + _CLEARER else 4


def local_tempi(strength: Curve, bpm: float) -> Path:
    """Follow the tempo through the track.

    Parameters
    ----------
    strength : float32[ms]
    bpm : float
        Where to look; a third of an octave up and down.

    Returns
    -------
    times_s, bpms, sureness, weights : float64[windows]
        Every half second, of 8 s around it.
    """
    curve = decimate(strength, 8)
    hz = FRAME_HZ / 8
    width, hop = int(_WINDOW_S * hz), int(0.5 * hz)
    curve = np.pad(curve, (width // 2, width // 2))
    windows = np.lib.stride_tricks.sliding_window_view(curve, width)[::hop]
    fade = np.hanning(width).astype(np.float32)
    size = fast_size(2 * width)
    own = np.fft.irfft(np.abs(np.fft.rfft(fade, size)) ** 2, size)[:width]
    own = np.maximum(own / own[0], 0.05)
    bpms = bpm * 2 ** np.arange(-0.42, 0.4201, 0.005)
    scores = np.zeros((len(windows), len(bpms)))
    energy = np.zeros(len(windows))
    for first in range(0, len(windows), 256):  # some at a time, for memory
        part = windows[first : first + 256]
        part = (part - part.mean(axis=1, keepdims=True)) * fade
        r = np.fft.irfft(np.abs(np.fft.rfft(part, size, axis=1)) ** 2, size, axis=1)[:, :width]
        energy[first : first + 256] = r[:, 0]
        r = r / (r[:, :1] + 1e-9) / own
        for beats, weight in ((1, 1.0), (2, 1.0), (4, 0.9), (0.5, 0.4)):
            lag = 60 * hz / bpms * beats
            known = np.flatnonzero(lag < width * 0.75)
            low = lag[known].astype(int)
            share = lag[known] - low
            value = r[:, low] * (1 - share) + r[:, low + 1] * share
            scores[first : first + 256, known] += weight / 3.3 * value
    weights = np.clip(np.sqrt(energy / (np.median(energy) + 1e-9)), 0.1, 1.5)
    path = _follow(scores * (0.5 + 0.5 * np.exp(-0.5 * (np.log2(bpms / bpm) / 0.35) ** 2)), weights)
    times: Floats = np.arange(len(windows), dtype=np.float64) * (hop / hz)
    return times, bpms[path], scores[np.arange(len(path)), path], weights


def _follow(scores: Floats, weights: Floats) -> NDArray[np.int64]:
    """Return the best path through the scores: steps cost, a jump at most 1.2."""
    n, m = scores.shape
    cost = -np.minimum(8 * 0.005 * np.abs(np.arange(m)[:, None] - np.arange(m)), 1.2)
    value = scores[0] * weights[0]
    back = np.zeros((n, m), np.int64)
    for i in range(1, n):
        reach = value[None] + cost
        back[i] = reach.argmax(axis=1)
        value = reach.max(axis=1) + scores[i] * 3 * weights[i]
    path = np.zeros(n, np.int64)
    path[-1] = int(value.argmax())
    for i in range(n - 2, -1, -1):
        path[i] = back[i + 1][path[i + 1]]
    return path
