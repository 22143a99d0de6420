"""Spectral features, with librosa's definitions but without librosa.

Frames of 4096 at 48 kHz every 2400 (50 ms), not centred, Hann window. Tones and levels, which
beats and structure are judged by, are taken of each; what only describes the sound, of two
thirds. `tests` hold each against ``librosa.feature.*`` of the same frames.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.rows import Rows
from sfa_engine.prep.analyse.smooth import Curve, Floats

MELS = 128
MFCCS = 20
LEVELS = 24  # bands of equal ratio, for structure
CONTRAST_HZ = (0.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)  # lower edges
_QUANTILE = 0.02  # of a band's bins that make its peak and its valley
_ROLLOFF = 0.85
_ZERO = np.float32(1e-10)  # what lies nearer to zero has no sign
# Frames of 85 ms each 50 ms overlap: 0.62 of them see the sound too, and save 0.05 CPU-s a minute.
# The golden ratio keeps them from following a rhythm: at 150 BPM every second frame met the same
# sixteenth, and the mean MFCC was off by 0.34 standard deviations.
DESCRIBED = 1.618034
_SOME = 4096  # rows


class Spectra:
    """Spectral frames, made small as they come.

    After the pass ``curve(name)`` has a row for each frame, or for those that are `described`.

    Parameters
    ----------
    rate, size, hop : int
        Hz and frames.
    """

    def __init__(self, rate: int, size: int, hop: int) -> None:
        self.rate, self.size, self.hop = rate, size, hop
        self._left = np.zeros(0, np.float32)
        n = np.arange(size)
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * n / size)).astype(np.float32)
        self._hz = np.fft.rfftfreq(size, 1 / rate).astype(np.float32)
        self._mel = _mel_filters(rate, size)
        self._chroma = _chroma_filters(rate, size)
        self._sounding, self._tones = _tone_filters(self._hz)
        self._edges = np.searchsorted(self._hz, np.geomspace(60, 12_000, LEVELS + 1))
        self._bands = _contrast_bands(self._hz)
        self._frames = 0
        self._rows: dict[str, Rows] = {}
        self._mfcc: Curve | None = None

    def take(self, sound: Curve) -> None:
        """Take more mono sound."""
        sound = np.concatenate([self._left, sound])
        count = max(0, (len(sound) - self.size) // self.hop + 1)
        self._left = sound[count * self.hop :]
        if not count:
            return
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.size)[:: self.hop][:count]
        spectra = np.fft.rfft(frames * self._window, axis=1)
        power = (spectra.real**2 + spectra.imag**2).astype(np.float32, copy=False)
        tonal = power[:, self._sounding] ** np.float32(0.3)  # of the magnitude: 0.6
        rows: dict[str, NDArray[Any]] = {
            "tones": tonal @ self._tones,
            "levels": np.add.reduceat(power[:, : self._edges[-1]], self._edges[:-1], axis=1),
        }
        chosen = described(self._frames, self._frames + count) - self._frames
        self._frames += count
        if len(chosen):
            rows |= self._described(frames[chosen], power[chosen])
        for name, row in rows.items():
            self._rows.setdefault(name, Rows()).append(row)

    def _described(self, frames: Curve, power: Curve) -> dict[str, NDArray[Any]]:
        """Return the features of some frames; ``mel`` in hundredths of a decibel."""
        size = np.sqrt(power)
        total = np.maximum(size.sum(axis=1), np.float32(1e-10))
        chroma = power @ self._chroma
        negative = frames < -_ZERO
        crossings = np.count_nonzero(negative[:, 1:] != negative[:, :-1], axis=1) / self.size
        return {
            "chroma": chroma / np.maximum(chroma.max(axis=1, keepdims=True), np.float32(1e-10)),
            "mel": centibels(power @ self._mel),
            "centroid": (size @ self._hz / total)[:, None],
            "rolloff": self._rolloff(size)[:, None],
            "contrast": _contrast(size, self._bands),
            "crossings": crossings.astype(np.float32)[:, None],
        }

    def _rolloff(self, size: Curve) -> Curve:
        """Return the frequency below which 85 % of the magnitude lie."""
        total = np.cumsum(size, axis=1)
        place = (total < _ROLLOFF * total[:, -1:]).sum(axis=1)
        hz: Curve = self._hz[np.minimum(place, len(self._hz) - 1)]
        return hz

    def curve(self, name: str) -> Curve:
        """Return one feature, a row a frame."""
        rows = self._rows.get(name)
        return rows.whole((1,), np.float32) if rows else np.zeros((0, 1), np.float32)

    def mfcc(self) -> Curve:
        """Return the cepstral coefficients of each described frame: float32[frames, 20]."""
        return self._cepstrum(self.curve("mel")) if self._mfcc is None else self._mfcc

    def end(self) -> None:
        """Keep the cepstral coefficients, and the mel spectra no more: three times the memory."""
        self._mfcc = self.mfcc()
        self._rows.pop("mel", None)

    def _cepstrum(self, mel: NDArray[Any]) -> Curve:
        """Return the cepstral coefficients of mel spectra in hundredths of a decibel."""
        return mfcc(mel)

    @property
    def times_s(self) -> Floats:
        """The middle of each frame, in seconds."""
        return self._times_s(np.arange(len(self.curve("tones"))))

    @property
    def described_s(self) -> Floats:
        """The middle of each described frame, in seconds."""
        return self._times_s(described(0, self._frames))

    def _times_s(self, frames: NDArray[np.integer[Any]]) -> Floats:
        times: Floats = (frames * self.hop + self.size / 2) / self.rate
        return times


def described(first: int, end: int) -> NDArray[np.int64]:
    """Return which of the frames from `first` to before `end` are described."""
    steps = np.arange(np.ceil(first / DESCRIBED), end / DESCRIBED + 1)
    chosen = np.floor(steps * DESCRIBED).astype(np.int64)
    return chosen[(chosen >= first) & (chosen < end)]


def centibels(power: Curve) -> NDArray[np.int16]:
    """Return power in hundredths of a decibel, from -100 dB: a quarter of the memory."""
    level = 1000 * np.log10(np.maximum(power, np.float32(1e-10)))
    kept: NDArray[np.int16] = np.rint(np.minimum(level, 32_767)).astype(np.int16)
    return kept


def mfcc(mel: NDArray[Any]) -> Curve:
    """Return the cepstral coefficients of mel spectra.

    Parameters
    ----------
    mel : int16[frames, 128]
        Power in hundredths of a decibel.

    Returns
    -------
    float32[frames, 20]
        The orthonormal cosine transform of their decibels, none more than 80 below the highest.
    """
    if not len(mel):
        return np.zeros((0, MFCCS), np.float32)
    n = np.arange(MELS)
    basis = np.cos(np.pi * np.outer(2 * n + 1, np.arange(MFCCS)) / (2 * MELS))
    basis *= np.sqrt(2 / MELS)
    basis[:, 0] /= np.sqrt(2)
    basis = (0.01 * basis).astype(np.float32)
    lowest = int(mel.max()) - 8000
    parts = [
        np.maximum(mel[at : at + _SOME], lowest).astype(np.float32) @ basis
        for at in range(0, len(mel), _SOME)  # some at a time, for memory
    ]
    return np.concatenate(parts)


def summary(spectra: Spectra) -> dict[str, object]:
    """Return mean and deviation of each feature over the track."""
    found: dict[str, object] = {}
    for name, curve in (
        ("chroma", spectra.curve("chroma")),
        ("mfcc", spectra.mfcc()),
        ("spectral_centroid_hz", spectra.curve("centroid")),
        ("spectral_rolloff_hz", spectra.curve("rolloff")),
        ("spectral_contrast_db", spectra.curve("contrast")),
        ("zero_crossing_rate", spectra.curve("crossings")),
    ):
        if not len(curve):
            continue
        mean, deviation = curve.mean(axis=0, dtype=np.float64), curve.std(axis=0, dtype=np.float64)
        one = len(mean) == 1
        found[name] = {
            "mean": _rounded(mean)[0] if one else _rounded(mean),
            "std": _rounded(deviation)[0] if one else _rounded(deviation),
        }
    return found


def _rounded(values: Curve) -> list[float]:
    return [float(f"{v:.5g}") for v in values]


def _mel_filters(rate: int, size: int) -> Curve:
    """Return Slaney's triangles, each of the same area: float32[bins, 128]."""

    def mel(hz: float) -> float:
        return hz / (200 / 3) if hz < 1000 else 15 + np.log(hz / 1000) / (np.log(6.4) / 27)

    mels = np.linspace(mel(0), mel(rate / 2), MELS + 2)
    hz = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))
    bins = np.linspace(0, rate / 2, size // 2 + 1)
    rising = (bins[None] - hz[:-2, None]) / np.diff(hz)[:-1, None]
    falling = (hz[2:, None] - bins[None]) / np.diff(hz)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling)) * (2 / (hz[2:] - hz[:-2]))[:, None]
    return np.ascontiguousarray(triangles.T, np.float32)


def _chroma_filters(rate: int, size: int) -> Curve:
    """Return the twelve pitch classes, C first, by D. Ellis's bells: float32[bins, 12]."""
    octaves = np.log2(np.arange(1, size) * rate / size / (440 / 16))
    bins = 12 * octaves
    bins = np.concatenate([[bins[0] - 18], bins])
    width = np.concatenate([np.maximum(np.diff(bins), 1), [1]])
    distance = np.remainder(bins[None] - np.arange(12)[:, None] + 126, 12) - 6
    bells = np.exp(-0.5 * (2 * distance / width) ** 2)
    bells /= np.sqrt((bells**2).sum(axis=0))
    bells *= np.exp(-0.5 * ((bins / 12 - 5) / 2) ** 2)
    return np.ascontiguousarray(np.roll(bells, -3, axis=0)[:, : size // 2 + 1].T, np.float32)


def _tone_filters(hz: Curve) -> tuple[slice, Curve]:
    """Return the bins from 100 to 2500 Hz, and which pitch class, A first, each belongs to."""
    inside = np.flatnonzero((hz > 100) & (hz < 2500))
    sounding = slice(int(inside[0]), int(inside[-1]) + 1)
    tones = np.zeros((len(inside), 12), np.float32)
    pitch = np.round(12 * np.log2(hz[sounding] / 440)).astype(int) % 12
    tones[np.arange(len(inside)), pitch] = 1
    return sounding, tones


def _contrast_bands(hz: Curve) -> list[tuple[slice, int]]:
    """Return the bins of each octave band, and how many of them make a peak or a valley."""
    bands = []
    edges = (*CONTRAST_HZ, 12_800.0)
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((hz >= low) & (hz <= high))
        first, last = int(inside[0]), int(inside[-1])
        if k:
            first -= 1
        if k == len(CONTRAST_HZ) - 1:
            last = len(hz) - 1
        count = last - first + 1
        some = max(1, round(_QUANTILE * count))
        bands.append((slice(first, last + 1 if k == len(CONTRAST_HZ) - 1 else last), some))
    return bands


def _contrast(size: Curve, bands: list[tuple[slice, int]]) -> Curve:
    """Return how far the peaks of each band stand above its valleys, in dB."""
    columns = []
    for bins, some in bands:
        part = size[:, bins]
        ordered = np.sort(part, axis=1)  # vectorised; np.partition takes six times as long
        valley = ordered[:, :some].mean(axis=1)
        peak = ordered[:, -some:].mean(axis=1)
        columns.append(10 * np.log10(np.maximum(peak, 1e-10) / np.maximum(valley, 1e-10)))
    return np.stack(columns, axis=1)
