"""The key: pitch classes of spectral peaks against the profiles of electronic music.

Peaks above their surroundings are counted by octave and by tenth of a semitone; when the whole
track is heard its tuning is known, and the counts become twelve pitch classes. The octave from
110 Hz, the bass line, counts most: it names the tonic.

References
----------
.. [1] A. Faraldo et al., "Key estimation in electronic dance music", ECIR 2016 (the profiles).
.. [2] E. Gómez, "Tonal description of polyphonic audio", 2006 (the pitch classes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.library.key import KEYS
from sfa_engine.prep.analyse.smooth import Curve, Floats

LOWEST_HZ, HIGHEST_HZ = 55.0, 2000.0
OCTAVES = np.array([0.5, 2.0, 1.0, 1.0, 0.0, 0.0])  # weight of 55 110 220 440 880 1760 Hz and up
FINE = 10  # parts of a semitone
_STANDS_OUT = 1.8  # a peak over the mean around it
_AROUND = 51  # bins of that mean: 75 Hz
PROFILES = {  # from the tonic up
    "major": (1, 0.29, 0.50, 0.40, 0.60, 0.56, 0.32, 0.80, 0.31, 0.45, 0.42, 0.39),
    "minor": (1, 0.31, 0.44, 0.58, 0.33, 0.49, 0.29, 0.78, 0.43, 0.29, 0.53, 0.32),
}
TRIADS = {
    "major": (1, 0, 0, 0, 0.7, 0, 0, 0.8, 0, 0, 0, 0),
    "minor": (1, 0, 0, 0.7, 0, 0, 0, 0.8, 0, 0, 0, 0),
}
_OF_CHORD = 0.25  # what the first chord of phrases counts, against the whole track
_MORE_MINOR = 0.06  # most electronic tracks are in minor [1]_
_PITCHES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SHARPS = {"C#": "Db", "D#": "Eb", "G#": "Ab", "A#": "Bb"}


class Pitches:
    """Counts the peaks of long spectra by octave and fine pitch.

    Parameters
    ----------
    rate, size, hop : int
        Hz and frames.
    """

    def __init__(self, rate: int, size: int, hop: int) -> None:
        self.size, self.hop = size, hop
        self._left = np.zeros(0, np.float32)
        self._window = np.hanning(size).astype(np.float32)
        self._bin_hz = rate / size
        self._first = int(LOWEST_HZ / self._bin_hz)
        self._last = int(HIGHEST_HZ / self._bin_hz) + 2
        self._counts: list[Curve] = []
        self._levels: list[Curve] = []

    def take(self, sound: Curve) -> None:
        """Take more mono sound."""
        sound = np.concatenate([self._left, sound])
        count = max(0, (len(sound) - self.size) // self.hop + 1)
        self._left = sound[count * self.hop :]
        if not count:
            return
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.size)[:: self.hop][:count]
        spectra = np.abs(np.fft.rfft(frames * self._window, axis=1))
        self._count(spectra[:, self._first - 1 : self._last + 1].astype(np.float32))

    def _count(self, spectra: Curve) -> None:
        """Add the peaks of some frames."""
        middle = spectra[:, 1:-1]
        padded = np.pad(middle, ((0, 0), (_AROUND // 2 + 1, _AROUND // 2)), mode="edge")
        total = np.cumsum(padded, axis=1, dtype=np.float64)
        around = (total[:, _AROUND:] - total[:, :-_AROUND]) / _AROUND + 1e-9
        peak = (middle > spectra[:, :-2]) & (middle >= spectra[:, 2:])
        frame, place = np.nonzero(peak & (middle > _STANDS_OUT * around) & (middle > 1e-6))
        below, at, above = (np.log(spectra[frame, place + k] + 1e-9) for k in (0, 1, 2))
        shift = np.clip(0.5 * (below - above) / (below - 2 * at + above - 1e-12), -0.5, 0.5)
        hz = (self._first + place + shift) * self._bin_hz
        weight = np.log1p(middle[frame, place] / around[frame, place])
        weight *= np.exp(-0.5 * (np.log2(hz / 300) / 1.6) ** 2)
        octave = np.clip(np.log2(hz / LOWEST_HZ), 0, len(OCTAVES) - 0.01).astype(int)
        fine = np.round(12 * FINE * np.log2(hz / 440)).astype(int) % (12 * FINE)
        shape = (len(spectra), len(OCTAVES), 12 * FINE)
        place = np.ravel_multi_index((frame, octave, fine), shape)
        counts = np.bincount(place, weight, int(np.prod(shape))).reshape(shape)
        self._counts.append(counts.astype(np.float32))
        self._levels.append(middle.sum(axis=1))

    def tuning(self) -> float:
        """Return how far the pitches lie off 440 Hz, in semitones, -0.5..0.5."""
        if not self._levels:
            return 0.0
        counts = self._weighed().sum(axis=(0, 1))
        turn = (counts * np.exp(2j * np.pi * np.arange(12 * FINE) / FINE)).sum()
        return float(np.angle(turn) / (2 * np.pi)) if abs(turn) > 0 else 0.0

    def classes(self, tuning: float, spans_s: Floats | None = None) -> Floats:
        """Return the twelve pitch classes, C first, the highest 1.

        Parameters
        ----------
        tuning : float
            Semitones.
        spans_s : float64[n, 2], optional
            The only parts that count: begin and end of each, in order, in seconds.

        Returns
        -------
        float64[12]
            All 0 where nothing has a pitch.
        """
        if not self._levels:
            return np.zeros(12)
        counts = self._weighed()
        if spans_s is not None:
            times = (np.arange(len(counts)) * self.hop + self.size / 2) / (self._bin_hz * self.size)
            before = np.searchsorted(spans_s[:, 0], times) - 1
            counts = counts[(before >= 0) & (times < spans_s[np.maximum(before, 0), 1])]
        fine = np.arange(12 * FINE)
        distance = (fine / FINE - tuning - np.arange(12)[:, None] + 6) % 12 - 6
        bells = np.exp(-0.5 * (distance / 0.22) ** 2) * (np.abs(distance) <= 0.5)
        per_octave = counts.sum(axis=0) @ bells.T
        per_octave /= per_octave.max(axis=1, keepdims=True) + 1e-9
        classes: Floats = np.roll(OCTAVES @ per_octave, -3)  # A first, to C first
        classes /= classes.max() + 1e-9
        return classes

    def _weighed(self) -> Curve:
        """Return the counts of each frame; quiet ones count less."""
        level = np.concatenate(self._levels)
        loud = np.minimum(1, level / (np.percentile(level, 60) + 1e-9))
        weighed: Curve = loud[:, None, None] * np.concatenate(self._counts)
        return weighed


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a track.

    Parameters
    ----------
    name : str or None
        One of `KEYS`; None where nothing has a pitch.
    confidence : float
        0..1: how far it is ahead of the next.
    classes : float64[12]
        From C up.
    tuning_cents : float
        -50..50, against 440 Hz.
    """

    name: str | None
    confidence: float
    classes: Floats
    tuning_cents: float


def find_key(pitches: Pitches, phrases_s: Floats | None = None) -> Key:
    """Return the key whose profile the pitch classes follow best.

    Parameters
    ----------
    pitches : Pitches
    phrases_s : float64[n, 2], optional
        First half bars of the phrases, begin and end in seconds: there the tonic's chord is
        more likely than elsewhere, which tells a minor key from its relative major.

    Returns
    -------
    Key
        The key, or one without a name where nothing has a pitch.
    """
    tuning = pitches.tuning()
    classes = pitches.classes(tuning)
    if classes.max(initial=0) <= 0 or classes.std() < 1e-6:
        return Key(None, 0.0, classes, 100 * tuning)
    begins = np.zeros(12)
    if phrases_s is not None and len(phrases_s):
        begins = pitches.classes(tuning, phrases_s)
    scores = []
    for key in KEYS:
        tonic, mode = key.split()
        root = _PITCHES.index(_SHARPS.get(tonic, tonic))
        score = float(np.corrcoef(np.roll(PROFILES[mode], root), classes)[0, 1])
        if begins.std() > 0:
            score += _OF_CHORD * float(np.corrcoef(np.roll(TRIADS[mode], root), begins)[0, 1])
        scores.append((score + _MORE_MINOR * (mode == "minor"), key))
    scores.sort(reverse=True)
    ahead = scores[0][0] - scores[1][0]
    return Key(scores[0][1], float(np.clip(ahead / 0.15, 0, 1)), classes, 100 * tuning)
