"""Spectral features, with librosa's definitions but without librosa.

Frames of 4096 at 48 kHz every 2400 (50 ms), not centred, Hann window. `tests` hold each against
``librosa.feature.*`` of the same frames where librosa is installed.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sfa_engine.prep.analyse.smooth import Curve, Floats

MELS = 128
MFCCS = 20
LEVELS = 24  # bands of equal ratio, for structure
CONTRAST_HZ = (0.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)  # lower edges
_QUANTILE = 0.02  # of a band's bins that make its peak and its valley
_ROLLOFF = 0.85
_ZERO = 1e-10  # what lies nearer to zero has no sign


class Spectra:
    """Spectral frames, made small as they come.

    After the pass ``curves()`` has one row a frame.

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
        self._tones = _tone_filters(self._hz)
        self._edges = np.searchsorted(self._hz, np.geomspace(60, 12_000, LEVELS + 1))
        self._bands = _contrast_bands(self._hz)
        self._rows: dict[str, list[Curve]] = {}

    def take(self, sound: Curve) -> None:
        """Take more mono sound."""
        sound = np.concatenate([self._left, sound])
        count = max(0, (len(sound) - self.size) // self.hop + 1)
        self._left = sound[count * self.hop :]
        if not count:
            return
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.size)[:: self.hop][:count]
        size = np.abs(np.fft.rfft(frames * self._window, axis=1)).astype(np.float32)
        power = size**2
        total = np.maximum(size.sum(axis=1), np.float32(1e-10))
        chroma = power @ self._chroma
        signs = np.signbit(np.where(np.abs(frames) <= _ZERO, np.float32(0), frames))
        rows = {
            "chroma": chroma / np.maximum(chroma.max(axis=1, keepdims=True), 1e-10),
            "tones": size**0.6 @ self._tones,
            "mel": power @ self._mel,
            "levels": np.add.reduceat(power[:, : self._edges[-1]], self._edges[:-1], axis=1),
            "centroid": (size @ self._hz / total)[:, None],
            "rolloff": self._rolloff(size)[:, None],
            "contrast": _contrast(size, self._bands),
            "crossings": (signs[:, 1:] != signs[:, :-1]).mean(axis=1, dtype=np.float32)[:, None]
            * np.float32((self.size - 1) / self.size),
        }
        for name, row in rows.items():
            self._rows.setdefault(name, []).append(row.astype(np.float32))

    def _rolloff(self, size: Curve) -> Curve:
        """Return the frequency below which 85 % of the magnitude lie."""
        total = np.cumsum(size, axis=1)
        place = (total < _ROLLOFF * total[:, -1:]).sum(axis=1)
        hz: Curve = self._hz[np.minimum(place, len(self._hz) - 1)]
        return hz

    def curve(self, name: str) -> Curve:
        """Return one feature, a row a frame."""
        parts = self._rows.get(name, [])
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)

    @property
    def times_s(self) -> Floats:
        """The middle of each frame, in seconds."""
        n = len(self.curve("centroid"))
        times: Floats = (np.arange(n) * self.hop + self.size / 2) / self.rate
        return times


def mfcc(mel: Curve) -> Curve:
    """Return the cepstral coefficients of mel spectra.

    Parameters
    ----------
    mel : float32[frames, 128]
        Power.

    Returns
    -------
    float32[frames, 20]
        The orthonormal cosine transform of their decibels, none more than 80 below the highest.
    """
    level = 10 * np.log10(np.maximum(mel, 1e-10))
    level = np.maximum(level, level.max(initial=-100.0) - 80.0)
    n = np.arange(MELS)
    basis = np.cos(np.pi * np.outer(2 * n + 1, np.arange(MFCCS)) / (2 * MELS))
    basis *= np.sqrt(2 / MELS)
    basis[:, 0] /= np.sqrt(2)
    coefficients: Curve = (level @ basis).astype(np.float32)
    return coefficients


def summary(spectra: Spectra) -> dict[str, object]:
    """Return mean and deviation of each feature over the track."""
    told: dict[str, object] = {}
    for name, curve in (
        ("chroma", spectra.curve("chroma")),
        ("mfcc", mfcc(spectra.curve("mel")) if len(spectra.curve("mel")) else np.zeros((0, 1))),
        ("spectral_centroid_hz", spectra.curve("centroid")),
        ("spectral_rolloff_hz", spectra.curve("rolloff")),
        ("spectral_contrast_db", spectra.curve("contrast")),
        ("zero_crossing_rate", spectra.curve("crossings")),
    ):
        if not len(curve):
            continue
        mean, deviation = curve.mean(axis=0), curve.std(axis=0)
        one = len(mean) == 1
        told[name] = {
            "mean": _rounded(mean)[0] if one else _rounded(mean),
            "std": _rounded(deviation)[0] if one else _rounded(deviation),
        }
    return told


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


def _tone_filters(hz: Curve) -> Curve:
    """Return which pitch class, A first, each bin from 100 to 2500 Hz belongs to."""
    tones = np.zeros((len(hz), 12), np.float32)
    sounding = np.flatnonzero((hz > 100) & (hz < 2500))
    tones[sounding, np.round(12 * np.log2(hz[sounding] / 440)).astype(int) % 12] = 1
    return tones


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
        ordered = np.partition(part, (some - 1, part.shape[1] - some), axis=1)
        valley = ordered[:, :some].mean(axis=1)
        peak = ordered[:, -some:].mean(axis=1)
        columns.append(10 * np.log10(np.maximum(peak, 1e-10) / np.maximum(valley, 1e-10)))
    return np.stack(columns, axis=1)
