"""One pass over the sound: everything that is as long as the track is made small here.

Each second is transformed once, with 0.225 s of what came before and 0.025 s of what follows, and
every filter is a product in the transform::

    mono ─► FFT ─┬─► four bands ─► level of each ms                      (attacks, pictures)
                 ├─► at 12 kHz ─► long spectra ─► peaks                  (key)
    side ─► FFT ─┴─► K-weighting at 12 kHz ─► energy of each 0.1 s       (loudness)
    mono ─► spectra of 4096 every 50 ms ─► features                      (structure, features)
    left, right ─► differences ─► RMS of each ms                         (onsets)
                └► highest sample of each 1/150 s                        (pictures)

The band filters answer as causal ones do: an attack never shows before it sounds. Mono is half of
left + right and side half of left - right; in a second where left + right cancel, the other way
round. Above 6 kHz K-weighting is a constant within 0.1 dB, so only what is below is filtered; the
energy above is the rest of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.features import Spectra
from sfa_engine.prep.analyse.key import Pitches
from sfa_engine.prep.analyse.levels import Levels, halves
from sfa_engine.prep.analyse.loudness import TruePeak, k_weighting
from sfa_engine.prep.analyse.rows import Rows
from sfa_engine.prep.analyse.smooth import Curve, Floats
from sfa_engine.track.media import RATE

NEW = RATE  # frames a step
# A transform continues the end of a window with its start. Where they did not meet, the sharp edges
# of the bands rang before the end, as an attack in each second: a steady tone of 217 Hz had 60 BPM.
# So both ends fade, over frames that are not looked at.
AHEAD = RATE // 40  # of after
OLD = RATE // 4 - AHEAD  # of before, which the longest filter (38 Hz) has forgotten by then
SIZE = OLD + NEW + AHEAD
MS = 48  # frames a millisecond
SHORT = 4096  # of the spectra for features: 85 ms
HOP = 2400  # 50 ms
COLUMN_HZ = 150  # of a waveform's picture
COLUMN = RATE // COLUMN_HZ
CANCELS = 0.1  # of the energy of left - right: below, left + right is not what is heard
KEY_RATE = RATE // 4
LONG = 8192  # of the spectra for the key: 0.68 s at 12 kHz
LONG_HOP = 4096
ABOVE = float(
    np.abs(k_weighting(np.array([9000.0])))[0] ** 2
)  # K-weighting from 6 kHz on, as power

_FADE_IN = np.square(np.sin(np.linspace(0, np.pi / 2, AHEAD, dtype=np.float32)))

Complexes = NDArray[np.complex64]
Block = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the spectrum whose attacks are looked for.

    Parameters
    ----------
    low_hz, high_hz : float
        Corners of a Butterworth filter; 0 and `RATE` / 2 for none.
    rate : int
        Of the filtered sound, in Hz.
    hold_ms : int
        How long a level is held: half a period of the lowest tone, and more.
    analytic : bool
        Whether the level is that of the complex signal; not where periods are long, for that
        one knows the future.
    """

    low_hz: float
    high_hz: float
    rate: int
    hold_ms: int
    analytic: bool


BANDS = {
    "low": Band(0, 150, 6_000, 16, analytic=False),
    "mid": Band(250, 2_500, 12_000, 8, analytic=False),
    "snare": Band(1_200, 5_000, 12_000, 6, analytic=True),
    "high": Band(6_500, RATE / 2, 12_000, 5, analytic=True),
}
_WHOLE, _EDGES, _SWINGS = "whole", "edges", "swings"  # beside the bands, in the same lists
SWING_HZ = 100  # a row of `Levels.swings`: half a period of the lowest kicks
_FLOORS = {"snare": 0, "high": 5_000}  # Hz: where the kept part of an analytic band begins


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is kept of a track.

    Parameters
    ----------
    frames : int
        Its length at `RATE`.
    levels : Levels
        Peak level of each band in each millisecond.
    power : float64[tenths]
        Mean K-weighted power of both channels together, of each 0.1 s.
    true_peak : float
        Highest value between the samples, full scale 1.
    spectra : Spectra
    pitches : Pitches
    """

    frames: int
    levels: Levels
    power: Floats
    true_peak: float
    spectra: Spectra
    pitches: Pitches

    @property
    def seconds(self) -> float:
        """Length of the track."""
        return self.frames / RATE


def measure_track(blocks: Iterable[Block], spectra: Spectra | None = None) -> Measurement:
    """Go once through a track.

    Parameters
    ----------
    blocks : iterable of float32[n, 2]
        The sound at `RATE`, in pieces of any length.
    spectra : Spectra, optional
        Takes the mono sound, frames of `SHORT` every `HOP`; see `features`.

    Returns
    -------
    Measurement
        What is kept of it.
    """
    pass_ = _Pass(spectra or Spectra(RATE, SHORT, HOP))
    for block in blocks:
        pass_.take(block)
    return pass_.finish()


def measure_stem(blocks: Iterable[Block], frames: int) -> Levels:
    """Go once through a stem, for its levels alone.

    Parameters
    ----------
    blocks : iterable of float32[n, 2]
    frames : int
        Length of the track; the stem is cut to it, or ends in silence.

    Returns
    -------
    Levels
        As `Measurement.levels`.
    """
    pass_ = _Pass(None)
    for block in blocks:
        pass_.take(block)
    return pass_.levels_of(frames)


class _Pass:
    """The state between two seconds."""

    def __init__(self, spectra: Spectra | None) -> None:
        """Prepare for a track, or without `spectra` for a stem, of which only levels are kept."""
        self.window = np.zeros((SIZE, 2), np.float32)
        self.filled = OLD
        self.frames = 0
        self.cancels = False
        self.levels = {name: Rows() for name in (*BANDS, _WHOLE, _EDGES, _SWINGS)}
        self.power: list[Floats] = []
        self.peak = TruePeak()
        self.spectra = spectra
        self.pitches = Pitches(KEY_RATE, LONG, LONG_HOP)
        weighted_hz: Floats = np.arange(KEY_RATE // 2 * SIZE // RATE + 1.0) * (RATE / SIZE)
        self.weighting = k_weighting(weighted_hz).astype(np.complex64)
        self.filters = {name: _response(name, band) for name, band in BANDS.items()}

    def take(self, block: Block) -> None:
        """Take the next frames, and go through each second that is full."""
        at = 0
        while at < len(block):
            n = min(SIZE - self.filled, len(block) - at)
            self.window[self.filled : self.filled + n] = block[at : at + n]
            at += n
            self.filled += n
            if self.filled == SIZE:
                self._step(NEW)

    def finish(self) -> Measurement:
        """Go through what is left, and hand over."""
        levels = self.levels_of(None)
        assert self.spectra is not None
        self.spectra.take(np.zeros(SHORT, np.float32))
        self.pitches.take(np.zeros(LONG, np.float32))
        self.spectra.end()
        self.pitches.flush()
        power = np.concatenate(self.power) if self.power else np.zeros(1)
        return Measurement(self.frames, levels, power, self.peak.value, self.spectra, self.pitches)

    def levels_of(self, frames: int | None) -> Levels:
        """Go through what is left; return the levels of so many frames, or of all."""
        left = self.filled - OLD
        while left > 0:
            self.window[self.filled :] = 0.0
            self._step(min(left, NEW))
            left -= NEW
        frames = self.frames if frames is None else frames
        curves = {name: rows.whole((), np.float16) for name, rows in self.levels.items()}
        whole, edges, swings = (curves.pop(name) for name in (_WHOLE, _EDGES, _SWINGS))
        kept = Levels(curves, whole=whole, edges=edges, swings=swings)
        return kept.cut(max(1, frames // MS), max(1, -(-frames // COLUMN)))

    def _step(self, frames: int) -> None:
        """Go through one second, of which `frames` are the track's."""
        self.frames += frames
        new = self.window[OLD : OLD + frames]
        energy = new.T @ new
        alike, unlike = (energy.trace() + sign * 2 * energy[0, 1] for sign in (1, -1))
        # as it was, until the other one is clearly what is heard
        self.cancels = alike <= CANCELS * unlike if not self.cancels else unlike > CANCELS * alike
        self.cancels &= bool(unlike > 0)
        left, right = np.float32(0.5) * self.window.T
        sound = left - right if self.cancels else left + right
        mono = _transformed(sound)
        ms = -(-frames // MS)
        for name, band in BANDS.items():
            banded = _banded(mono, name, band, self.filters[name])
            self.levels[name].append(halves(_level(banded, band)[:ms]))
            if name == "low":
                swings = _swings(banded, band)
                self.levels[_SWINGS].append(halves(swings[: -(-frames * SWING_HZ // RATE)]))
        self._note_columns(frames)
        if self.spectra is not None:
            slower = _resampled(mono, KEY_RATE)
            power = self._power(sound, mono, slower)
            side = left + right if self.cancels else left - right
            if side.any():
                other = _transformed(side)
                power += self._power(side, other, _resampled(other, KEY_RATE))
            self.power.append(2 * power[: max(1, frames // (RATE // 10))])
            self.pitches.take(slower[: -(-frames * KEY_RATE // RATE)])
            self.spectra.take(sound[OLD : OLD + frames])
            self.peak.take(self.window[OLD - 64 : OLD + frames])
        self.window[: OLD + AHEAD] = self.window[NEW:]
        self.filled = OLD + AHEAD

    def _power(self, sound: Curve, spectrum: Complexes, slower: Curve) -> Floats:
        """Return the K-weighted power of each tenth of the new second: float64[10].

        Parameters
        ----------
        sound : float32[SIZE]
        spectrum : complex64[SIZE // 2 + 1]
        slower : float32[KEY_RATE]
            The new second at that rate.
        """
        weighted = _resampled(spectrum[: len(self.weighting)] * self.weighting, KEY_RATE)
        whole, low, heard = map(_tenths, (sound[OLD : OLD + NEW], slower, weighted))
        return heard + ABOVE * np.maximum(whole - low, 0.0)

    def _note_columns(self, frames: int) -> None:
        """Note the highest sample of each column, and the RMS of the differences of each ms."""
        new = self.window[OLD - 1 : OLD + NEW]
        columns = np.abs(new[1:]).reshape(COLUMN_HZ, -1).max(axis=1)
        steps = np.diff(new, axis=0)
        steps *= steps
        edges = np.sqrt(steps.reshape(1000, -1).mean(axis=1))
        self.levels[_WHOLE].append(halves(columns[: -(-frames // COLUMN)]))
        self.levels[_EDGES].append(halves(edges[: -(-frames // MS)]))


def _transformed(sound: Curve) -> Complexes:
    """Return the spectrum of a window, in single precision; its ends are faded in place."""
    sound[:AHEAD] *= _FADE_IN
    sound[-AHEAD:] *= _FADE_IN[::-1]
    spectrum: Complexes = np.fft.rfft(sound).astype(np.complex64, copy=False)
    return spectrum


def _tenths(second: Curve) -> Floats:
    """Return the mean square of each tenth of a second."""
    power: Floats = np.square(second).reshape(10, -1).mean(axis=1, dtype=np.float64)
    return power


def _response(name: str, band: Band) -> Complexes:
    """Return what a band's filter does to each bin that is kept of it."""
    if band.analytic:
        first = _FLOORS[name] * SIZE // RATE
        hz = (first + np.arange(SIZE * band.rate // RATE)) * RATE / SIZE
    else:
        hz = np.arange(SIZE * band.rate // RATE // 2 + 1) * RATE / SIZE
    answer = np.ones(len(hz), np.complex128)
    if band.low_hz:
        answer *= _butterworth(np.maximum(hz, 1e-3), band.low_hz, low_pass=False)
    if band.high_hz < RATE / 2:
        answer *= _butterworth(hz, band.high_hz, low_pass=True)
    fade = len(hz) // 8  # a sharp edge would ring
    answer[-fade:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, fade))
    return answer.astype(np.complex64)


def _butterworth(hz: Floats, corner_hz: float, *, low_pass: bool) -> NDArray[np.complex128]:
    """Return the causal answer of a second-order Butterworth filter."""
    s = 1j * hz / corner_hz
    answer: NDArray[np.complex128] = (1.0 if low_pass else s**2) / (s**2 + np.sqrt(2.0) * s + 1.0)
    return answer


def _banded(mono: Complexes, name: str, band: Band, answer: Complexes) -> Curve | Floats:
    """Return a band of the new second: its power where it is analytic."""
    size = SIZE * band.rate // RATE
    new = _new(band.rate)
    if band.analytic:
        first = _FLOORS[name] * SIZE // RATE
        turning = np.fft.ifft(mono[first : first + size] * answer)[new]
        return turning.real**2 + turning.imag**2
    return np.fft.irfft(mono[: size // 2 + 1] * answer, size)[new]


def _new(rate: int) -> slice:
    """Return where the new second of a window is, at a rate."""
    return slice(OLD * rate // RATE, (OLD + NEW) * rate // RATE)


def _level(sound: Curve | Floats, band: Band) -> Curve:
    """Return the peak level of a band in each millisecond of the new second; see `_banded`."""
    size = SIZE * band.rate // RATE
    if band.analytic:
        return np.sqrt(_highest_of_ms(sound)) * np.float32(2 * size / SIZE)
    return _highest_of_ms(np.abs(sound)) * np.float32(size / SIZE)


def _swings(sound: Curve | Floats, band: Band) -> Curve:
    """Return `Levels.swings` of the new second of a band: float32[SWING_HZ, 2]."""
    scale = np.float32(band.rate / RATE)
    speed = np.diff(sound, prepend=sound[:1]) * (scale * np.float32(band.rate / (2 * np.pi)))
    both = np.stack([sound * scale, speed]).reshape(2, SWING_HZ, -1)
    swings: Curve = np.sqrt(np.square(both).mean(axis=2, dtype=np.float32)).T
    return swings


def _highest_of_ms(second: Curve | Floats) -> Curve:
    """Return the highest value of each millisecond of a second."""
    # transposed first: ten times as fast as along the short axis
    highest: Curve = np.ascontiguousarray(second.reshape(1000, -1).T, np.float32).max(axis=0)
    return highest


def _resampled(mono: Complexes, rate: int) -> Curve:
    """Return the new second at a lower rate."""
    size = SIZE * rate // RATE
    sound = np.fft.irfft(mono[: size // 2 + 1], size)[_new(rate)]
    new: Curve = sound.astype(np.float32, copy=False) * np.float32(size / SIZE)
    return new
