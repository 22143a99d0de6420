"""The key: pitch classes of spectral peaks against the profiles of electronic music.

Peaks above their surroundings are counted by octave and by tenth of a semitone; when the whole
track is heard its tuning is known, and the counts become twelve pitch classes. With them the chord
that phrases begin with is asked, most likely the tonic's. A distorted kick has a dozen partials
that are no music's. So the key is also looked for with frames of kicks counting less, where there
are others, and less of what most of them have; the surer of both is taken.

References
----------
.. [1] A. Faraldo et al., "Key estimation in electronic dance music", ECIR 2016 (the profiles).
.. [2] E. Gómez, "Tonal description of polyphonic audio", 2006 (the pitch classes).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse.rows import Rows
from sfa_engine.prep.analyse.smooth import Curve, Floats
from sfa_engine.track.key import KEYS

LOWEST_HZ, HIGHEST_HZ = 55.0, 2000.0
OCTAVES = np.array([0.5, 2.0, 1.0, 1.0, 0.0, 0.0])  # weight of 55 110 220 440 880 1760 Hz and up
# The same, for which key it is: a bass line that plays fifths and octaves of its chords names their
# roots twice, and i-iv-i-v was heard in iv.
KEY_OCTAVES = np.array([0.25, 0.75, 1.0, 1.0, 0.5, 0.0])
FINE = 10  # parts of a semitone
_STANDS_OUT = 1.8  # a peak over the mean around it
_AUDIBLE = 1e-4  # of a frame's highest peak: below, a window's leakage has peaks too
_EXACT = 1e-5  # of what is below `LOWEST_HZ`: a constant of 0.3 has rounding errors that have peaks
_AT_ONCE = 16  # frames: with two or three, calls of NumPy took half of the time
_AROUND = 51  # bins of that mean: 75 Hz
PROFILES = {  # from the tonic up
    "major": (1, 0.29, 0.50, 0.40, 0.60, 0.56, 0.32, 0.80, 0.31, 0.45, 0.42, 0.39),
    "minor": (1, 0.31, 0.44, 0.58, 0.33, 0.49, 0.29, 0.78, 0.43, 0.29, 0.53, 0.32),
}
TRIADS = {
    "major": (1, 0, 0, 0, 0.7, 0, 0, 0.8, 0, 0, 0, 0),
    "minor": (1, 0, 0, 0.7, 0, 0, 0, 0.8, 0, 0, 0, 0),
}
# What the first chord of phrases counts, against the whole track. Less, and loops such as i-iv-i-v
# are heard in iv; more, and a loop that begins on another chord than the tonic's is always wrong.
_OF_CHORD = 0.5
_MORE_MINOR = 0.06  # most electronic tracks are in minor [1]_
# What has a key: measured on 27 noises, drums, voices and tones and on 24 pieces of music. From
# `MIN_…` on a key is named, and its confidence is whole from `SURE_…` on.
MIN_LIKENESS, SURE_LIKENESS = 0.58, 0.66  # to a profile: noise 0.26..0.55, music 0.60..0.96
MIN_LASTING, SURE_LASTING = 0.40, 0.46  # drums and speech 0.0..0.34 (two 0.47, 0.52), music 0.45..
# Where pitches last less than in music (drums that ring 0.54..0.65, music but for some loops of
# games 0.66..), or where each bar of a phrase sounds as the others do (drums, a drone), more
# likeness is needed: drums 0.54..0.76, those loops and music on one chord 0.79..
LIKENESS_OF_DRUMS, LASTING_OF_MUSIC, LASTING_OF_DRUMS = 0.78, 0.70, 0.55
UNCHANGING = 0.94  # correlation of each fourth bar with the whole: drums 0.948.., most music ..0.93
# Of drums alone, skins are all that rings from 110 to 220 Hz: one class or two there (1.0..2.1),
# where music has 2.4..10. Their likeness reaches 0.86 by chance; that of a chord alone is 0.89 and
# more.
_SKINS = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
CLASSES_OF_SKINS, LIKENESS_OF_SKINS = 2.6, 0.88
# Frames with kicks. Of 30 pieces with loud or distorted kicks (seeds 8901..8910) 28 of the keys
# were compatible, 25 without; nothing changed for 130 others. Distorted kicks pulled the tuning by
# 0.15 to 0.23 semitones.
_KICKED = 0.08  # what they count
_ALWAYS = 25  # percentile of them: what is there in so many and more is the kick's
# Share of them that is always there: distorted kicks 0.21..0.35; less, and it is no kick's.
_LEAST_ALWAYS, _MOST_ALWAYS = 0.2, 0.7  # more, and it is a drone
_LEAST_CLEAR_S, _LEAST_RUN = 6.0, 3  # seconds without kicks that say enough, in runs of frames
PHRASE_BARS = 4
MIN_CLASSES = 4.8  # pitch classes that sound: a tone or a hum 1.4..4.7, music 5.7..11
_LEAST_SURE = 0.1
_SOME_FRAMES = 4096  # of spectra, at a time
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
        self._left: list[Curve] = []
        self._window = np.hanning(size).astype(np.float32)
        self._bin_hz = rate / size
        self._first = int(LOWEST_HZ / self._bin_hz)
        self._last = int(HIGHEST_HZ / self._bin_hz) + 2
        self._sizes = Rows()  # number of peaks of each frame
        self._places = Rows()  # octave and fine pitch of each peak
        self._weights = Rows()
        self._levels = Rows()  # of each frame

    def take(self, sound: Curve) -> None:
        """Take more mono sound."""
        self._left.append(sound)
        if sum(map(len, self._left)) >= self.size + _AT_ONCE * self.hop:
            self.flush()

    def flush(self) -> None:
        """Count the frames that are complete."""
        sound = np.concatenate(self._left)
        count = max(0, (len(sound) - self.size) // self.hop + 1)
        self._left = [sound[count * self.hop :]]
        if not count:
            return
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.size)[:: self.hop][:count]
        spectra = np.abs(np.fft.rfft(frames * self._window, axis=1)[:, : self._last + 1])
        below = spectra[:, : self._first - 1].max(axis=1, keepdims=True)
        self._count(spectra[:, self._first - 1 :].astype(np.float32), below.astype(np.float32))

    def _count(self, spectra: Curve, below: Curve) -> None:
        """Add the peaks of some frames; `below` is the highest value under their spectra."""
        middle = spectra[:, 1:-1]
        padded = np.pad(middle, ((0, 0), (_AROUND // 2 + 1, _AROUND // 2)), mode="edge")
        total = np.cumsum(padded, axis=1, dtype=np.float64)
        around = (total[:, _AROUND:] - total[:, :-_AROUND]) / _AROUND + 1e-9
        audible = np.maximum(_AUDIBLE * middle.max(axis=1, keepdims=True), _EXACT * below)
        audible = np.maximum(audible, 1e-6)
        peak = (middle > spectra[:, :-2]) & (middle >= spectra[:, 2:]) & (middle > audible)
        frame, place = np.nonzero(peak & (middle > _STANDS_OUT * around))
        left, at, right = (np.log(spectra[frame, place + k] + 1e-9) for k in (0, 1, 2))
        shift = np.clip(0.5 * (left - right) / (left - 2 * at + right - 1e-12), -0.5, 0.5)
        hz = (self._first + place + shift) * self._bin_hz
        weight = np.log1p(middle[frame, place] / around[frame, place])
        weight *= np.exp(-0.5 * (np.log2(hz / 300) / 1.6) ** 2)
        octave = np.clip(np.log2(hz / LOWEST_HZ), 0, len(OCTAVES) - 0.01).astype(int)
        fine = np.round(12 * FINE * np.log2(hz / 440)).astype(int) % (12 * FINE)
        self._sizes.append(np.bincount(frame, minlength=len(spectra)).astype(np.uint16))
        self._places.append((octave * 12 * FINE + fine).astype(np.uint16))
        self._weights.append(weight.astype(np.float32))
        self._levels.append(middle.sum(axis=1))

    @property
    def starts_s(self) -> Floats:
        """Where each frame begins, in seconds."""
        starts: Floats = np.arange(len(self._levels), dtype=np.float64) * (
            self.hop / self.size * self.seconds
        )
        return starts

    @property
    def seconds(self) -> float:
        """How long a frame is."""
        return 1 / self._bin_hz

    def without(self, kicked: NDArray[np.bool_]) -> Self | None:
        """Return the pitches with less of the kicks in some frames; None if kicks have none.

        Parameters
        ----------
        kicked : bool[frames]
        """
        clear = _runs(~kicked, _LEAST_RUN)
        kicked = ~clear
        if not kicked.any():
            return None
        sizes = self._sizes.whole((), np.uint16)
        frames = np.repeat(np.arange(len(sizes)), sizes)
        weights = self._weights.whole((), np.float32).copy()
        if clear.sum() * self.hop / self.size * self.seconds >= _LEAST_CLEAR_S:
            weights[kicked[frames]] *= np.float32(_KICKED)
        rest = copy(self).weigh(weights)
        width = 12 * len(OCTAVES)
        cells = self._semitones(rest.tuning()) + frames * width
        each = np.bincount(cells, weights, len(sizes) * width).astype(np.float32)
        rows = each.reshape(-1, width)[kicked]
        always = np.percentile(rows, _ALWAYS, axis=0).astype(np.float32)
        share = 1 - np.maximum(rows - always, 0).sum() / (rows.sum() + 1e-9)
        if not _LEAST_ALWAYS <= share <= _MOST_ALWAYS:
            return None
        kept = np.maximum(1 - always[cells % width] / (each[cells] + np.float32(1e-9)), 0)
        return copy(self).weigh(weights * np.where(kicked[frames], kept, np.float32(1)))

    def weigh(self, weights: Curve) -> Self:
        """Give the peaks other weights, and return itself."""
        self._weights = Rows()
        self._weights.append(weights)
        return self

    def _semitones(self, tuning: float) -> NDArray[np.int64]:
        """Return octave and pitch class of each peak: 12 an octave, A first."""
        octave, fine = np.divmod(self._places.whole((), np.uint16).astype(np.int64), 12 * FINE)
        return octave * 12 + np.round(fine / FINE - tuning).astype(np.int64) % 12

    def tuning(self) -> float:
        """Return how far the pitches lie off 440 Hz, in semitones, -0.5..0.5."""
        if not len(self._levels):
            return 0.0
        counts = self._counted().sum(axis=0)
        turn = (counts * np.exp(2j * np.pi * np.arange(12 * FINE) / FINE)).sum()
        return float(np.angle(turn) / (2 * np.pi)) if abs(turn) > 0 else 0.0

    def classes(
        self, tuning: float, spans_s: Floats | None = None, octaves: Floats = OCTAVES
    ) -> Floats:
        """Return the twelve pitch classes, C first, the highest 1.

        Parameters
        ----------
        tuning : float
            Semitones.
        spans_s : float64[n, 2], optional
            The only parts that count: begin and end of each, in order, in seconds.
        octaves : float64[6]
            Weight of each.

        Returns
        -------
        float64[12]
            All 0 where nothing has a pitch.
        """
        if not len(self._levels):
            return np.zeros(12)
        inside = None
        if spans_s is not None:
            frames = np.arange(len(self._levels))
            times = (frames * self.hop + self.size / 2) / (self._bin_hz * self.size)
            before = np.searchsorted(spans_s[:, 0], times) - 1
            inside = (before >= 0) & (times < spans_s[np.maximum(before, 0), 1])
        counts = self._counted(inside)
        fine = np.arange(12 * FINE)
        distance = (fine / FINE - tuning - np.arange(12)[:, None] + 6) % 12 - 6
        bells = np.exp(-0.5 * (distance / 0.22) ** 2) * (np.abs(distance) <= 0.5)
        per_octave = counts @ bells.T
        per_octave /= per_octave.max(axis=1, keepdims=True) + 1e-9
        classes: Floats = np.roll(octaves @ per_octave, -3)  # A first, to C first
        classes /= classes.max() + 1e-9
        return classes

    def lasting(self) -> float:
        """Return what share of the peaks, by weight, was at the same pitch a frame before."""
        sizes = self._sizes.whole((), np.uint16)
        if not sizes.any():
            return 0.0
        width = len(OCTAVES) * 12 * FINE
        ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        whole = self._places.whole((), np.uint16)
        weights = self._weights.whole((), np.float32)
        lasts = total = 0.0
        for at in range(0, len(sizes), _SOME_FRAMES):  # for memory
            first, end = max(0, at - 1), min(len(sizes), at + _SOME_FRAMES)
            part = slice(ends[first], ends[end])
            frames = np.repeat(np.arange(end - first), sizes[first:end])
            places = frames * width + whole[part]
            there = np.concatenate([places - 1, places, places + 1])
            own = ends[at] - ends[first]  # not the frame before them
            weight = weights[ends[at] : ends[end]].astype(np.float64) + 1e-9
            lasts += float(weight[np.isin(places[own:] - width, there)].sum())
            total += float(weight.sum())
        return lasts / total

    def _counted(self, inside: NDArray[np.bool_] | None = None) -> Floats:
        """Return the peaks of some frames by octave and fine pitch; quiet ones count less."""
        level = self._levels.whole((), np.float32)
        loud = np.minimum(1, level / (np.percentile(level, 60) + 1e-9))
        if inside is not None:
            loud = loud * inside
        sizes = self._sizes.whole((), np.uint16)
        weights = self._weights.whole((), np.float32) * np.repeat(loud, sizes)
        shape = len(OCTAVES), 12 * FINE
        places = self._places.whole((), np.uint16)
        counts: Floats = np.bincount(places, weights, int(np.prod(shape))).astype(np.float64)
        return counts.reshape(shape)


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a track.

    Parameters
    ----------
    name : str or None
        One of `KEYS`; None where there is none.
    confidence : float
        0..1: how far it is ahead of the next, and how sure it is that there is one.
    classes : float64[12]
        From C up.
    tuning_cents : float
        -50..50, against 440 Hz.
    """

    name: str | None
    confidence: float
    classes: Floats
    tuning_cents: float


def find_key(
    pitches: Pitches, bars_s: Floats | None = None, kicked: NDArray[np.bool_] | None = None
) -> Key:
    """Return the key whose profile the pitch classes follow best.

    Parameters
    ----------
    pitches : Pitches
    bars_s : float64[n], optional
        Edges of the bars in seconds, from the first of a phrase on: the chord that phrases begin
        with is more likely the tonic's than another, which tells a minor key from its relative
        major, and a tonic from its fourth or fifth.
    kicked : bool[frames], optional
        In which frames of `pitches` there is a kick; left out where none is on the beats.

    Returns
    -------
    Key
        The key, or one without a name where nothing has a pitch, or all is noise, drums, speech or
        one tone.
    """
    lasting = pitches.lasting()
    found = _find(pitches, bars_s, lasting)
    rest = None if kicked is None else pitches.without(kicked)
    if rest is not None:
        found = max(found, _find(rest, bars_s, lasting), key=lambda key: key.confidence)
    return found


def _find(pitches: Pitches, bars_s: Floats | None, lasting: float) -> Key:
    """Return the key of some pitches, of which so many last; see `find_key`."""
    tuning = pitches.tuning()
    classes = pitches.classes(tuning)
    if classes.max(initial=0) <= 0 or classes.std() < 1e-6:
        return Key(None, 0.0, classes, 100 * tuning)
    tones = pitches.classes(tuning, octaves=KEY_OCTAVES)
    begins = np.zeros(12)
    if bars_s is not None and len(bars_s) > 1:
        starts, ends = bars_s[:-1:PHRASE_BARS], bars_s[1::PHRASE_BARS]
        first_halves = np.stack([starts, (starts + ends) / 2], axis=1)
        begins = pitches.classes(tuning, first_halves, KEY_OCTAVES)
    scores = []
    likeness = -1.0
    for key in KEYS:
        tonic, mode = key.split()
        root = _PITCHES.index(_SHARPS.get(tonic, tonic))
        profile = np.roll(PROFILES[mode], root)
        like = float(np.corrcoef(profile, tones)[0, 1]) if tones.std() > 0 else 0.0
        likeness = max(likeness, like, float(np.corrcoef(profile, classes)[0, 1]))
        score = like + _MORE_MINOR * (mode == "minor")
        if begins.std() > 0:
            score += _OF_CHORD * float(np.corrcoef(np.roll(TRIADS[mode], root), begins)[0, 1])
        scores.append((score, key))
    scores.sort(reverse=True)
    sure = _tonality(classes, lasting, likeness)
    skins = pitches.classes(tuning, octaves=_SKINS)
    are_skins = _count(skins) < CLASSES_OF_SKINS
    least = LIKENESS_OF_SKINS if are_skins else LIKENESS_OF_DRUMS
    short = are_skins and lasting < LASTING_OF_MUSIC
    if likeness < least and (short or not _changes(pitches, classes, tuning, bars_s)):
        sure = 0.0
    if sure < _LEAST_SURE:
        return Key(None, 0.0, classes, 100 * tuning)
    ahead = float(np.clip((scores[0][0] - scores[1][0]) / 0.15, 0, 1))
    return Key(scores[0][1], sure * ahead, classes, 100 * tuning)


def _changes(pitches: Pitches, classes: Floats, tuning: float, bars_s: Floats | None) -> bool:
    """Tell whether some bar of the phrases is unlike the whole; true too if that is not known."""
    if bars_s is None or len(bars_s) <= 2 * PHRASE_BARS:
        return True
    for number in range(PHRASE_BARS):
        starts, ends = bars_s[number:-1:PHRASE_BARS], bars_s[number + 1 :: PHRASE_BARS]
        own = pitches.classes(tuning, np.stack([starts, ends], axis=1))
        if own.std() > 0 and np.corrcoef(own, classes)[0, 1] <= UNCHANGING:
            return True
    return False


def _runs(flags: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Return flags without runs of less than so many."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    kept = np.zeros(len(flags), bool)
    for first, end in edges.reshape(-1, 2):
        kept[first:end] = end - first >= least
    return kept


def _count(classes: Floats) -> float:
    """Return how many pitch classes sound, by their entropy; 1 where none does."""
    shares = classes / (classes.sum() + 1e-9)
    return float(np.exp(-(shares * np.log(shares + 1e-12)).sum()))


def _tonality(classes: Floats, lasting: float, likeness: float) -> float:
    """Return how sure it is that there is a key at all, 0..1.

    Noise is like no profile, the pitches of drums and speech do not last, and a tone alone, with
    its harmonics, has too few pitch classes.
    """
    if _count(classes) < MIN_CLASSES:
        return 0.0
    ringing = np.interp(lasting, [LASTING_OF_DRUMS, LASTING_OF_MUSIC], [1.0, 0.0])
    least = MIN_LIKENESS + ringing * (LIKENESS_OF_DRUMS - MIN_LIKENESS)
    like = (likeness - least) / (SURE_LIKENESS - MIN_LIKENESS)
    lasts = (lasting - MIN_LASTING) / (SURE_LASTING - MIN_LASTING)
    return float(np.clip(min(like, lasts), 0, 1))
