"""What it costs to play one track after another, and what it costs to have them in an order.

Lower is better; 1 is about a clash of keys. All pairs are priced at once, as a matrix.

========================  =======================================================================
tempo                     0.5 at 4 % apart, 1.5 at 8 %, at most 3; half or double 0.3 more
key                       1.2 times what the grade on the wheel lacks of 1
similarity                distance from the middle of the list's own: neither the same nor a break
energy                    distance from the arc, in percentiles, four times
artist                    0.8 for the next track but falling to 0.16 for the fifth
key streak                1 for each track beyond six in one key
========================  =======================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfa_engine.mix import wheel
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.tempo import RATIOS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FREE = 0.04  # tempo apart that one deck takes alone; 82 % of played tracks are changed by less
TEMPO_UNKNOWN = 0.8
OCTAVE = 0.3
MOST_TEMPO = 3.0
KEY = 1.2
SIMILARITY = 0.8
ENERGY = 4.0
ARTIST = 0.8
ARTIST_REACH = 5
STREAK = 6  # tracks in one key, and not more
STREAK_COST = 1.0


def tempo_costs(bpms: Sequence[float | None]) -> Floats:
    """Return the cost of each pair of tempi, half and double tried.

    Parameters
    ----------
    bpms : sequence of float or None
        None: not known.

    Returns
    -------
    float64[tracks, tracks]
        0..3.
    """
    logs = np.log([bpm or math.nan for bpm in bpms])
    apart = logs[None] - logs[:, None]
    ways = np.stack([np.abs(apart - math.log(ratio)) for ratio in RATIOS])
    octave = np.array([0.0 if ratio == 1.0 else 1.0 for ratio in RATIOS])[:, None, None]
    steps = ways / FREE
    costs = np.where(steps <= 1, 0.5 * steps, steps - 0.5) + OCTAVE * octave
    least: Floats = np.minimum(costs.min(axis=0), MOST_TEMPO)
    return np.where(np.isnan(apart), TEMPO_UNKNOWN, least)


def key_costs(codes: Sequence[str | None]) -> Floats:
    """Return the cost of each pair of keys, by their Camelot codes: float64[tracks, tracks]."""
    known = sorted({code for code in codes if code is not None})
    table = np.array([[wheel.grade(a, b) for b in (*known, None)] for a in (*known, None)])
    which = [len(known) if code is None else known.index(code) for code in codes]
    costs: Floats = KEY * (1 - table[np.ix_(which, which)])
    return costs


def pair_costs(tracks: Sequence[TrackFacts]) -> Floats:
    """Return the cost of each pair in sequence: float64[tracks, tracks], row before column."""
    return (
        tempo_costs([track.bpm for track in tracks])
        + key_costs([track.camelot for track in tracks])
        + SIMILARITY * _unlike_the_middle(tracks)
    )


def _unlike_the_middle(tracks: Sequence[TrackFacts]) -> Floats:
    """Return how far the likeness of each pair is from the middle one of the list, 0..1."""
    count = len(tracks)
    sizes = {len(track.vector) for track in tracks if track.vector}
    if len(sizes) != 1 or count < 3:
        return np.zeros((count, count))
    size = sizes.pop()
    known = np.array([bool(track.vector) for track in tracks])
    vectors = np.array([track.vector or (0.0,) * size for track in tracks])
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    likeness = vectors @ vectors.T
    both = known[:, None] & known[None] & ~np.eye(count, dtype=bool)
    if not both.any():
        return np.zeros((count, count))
    middle = float(np.median(likeness[both]))
    spread = float(np.max(np.abs(likeness[both] - middle))) or 1.0
    apart: Floats = np.where(both, np.abs(likeness - middle) / spread, 0.0)
    return apart


class Pricing:
    """Prices whole orders and the next track of one that grows.

    Parameters
    ----------
    tracks : sequence of TrackFacts
    energy : float64[tracks]
        Percentiles.
    wanted : float64[tracks]
        Percentile wanted at each place.
    """

    def __init__(self, tracks: Sequence[TrackFacts], energy: Floats, wanted: Floats) -> None:
        self.pairs = pair_costs(tracks)
        self.energy, self.wanted = energy, wanted
        self._artists = _numbers([track.artist.casefold() or None for track in tracks])
        self._keys = _numbers([track.camelot for track in tracks])

    def cost(self, order: Ints) -> float:
        """Return the cost of an order of all tracks: int64[tracks] of their indices."""
        total = float(self.pairs[order[:-1], order[1:]].sum())
        total += ENERGY * float(np.abs(self.energy[order] - self.wanted[: len(order)]).sum())
        artists, keys = self._artists[order], self._keys[order]
        for reach in range(1, min(ARTIST_REACH, len(order) - 1) + 1):
            same = (artists[reach:] == artists[:-reach]) & (artists[reach:] >= 0)
            total += ARTIST * (1 - (reach - 1) / ARTIST_REACH) * int(same.sum())
        if len(order) > STREAK:
            runs = np.ones(len(order) - STREAK, dtype=bool)
            for step in range(1, STREAK + 1):
                runs &= keys[step : len(keys) - STREAK + step] == keys[: len(keys) - STREAK]
            total += STREAK_COST * int((runs & (keys[: len(keys) - STREAK] >= 0)).sum())
        return total

    def next_costs(self, before: Sequence[int], place: int) -> Floats:
        """Return what each track would add at a place after others: float64[tracks]."""
        costs: Floats = ENERGY * np.abs(self.energy - self.wanted[place])
        if before:
            costs = costs + self.pairs[before[-1]]
        for reach, earlier in enumerate(reversed(before[-ARTIST_REACH:])):
            artist = self._artists[earlier]
            if artist >= 0:
                costs = costs + ARTIST * (1 - reach / ARTIST_REACH) * (self._artists == artist)
        last = self._keys[list(before[-STREAK:])]
        if len(last) == STREAK and last[0] >= 0 and (last == last[0]).all():
            costs = costs + STREAK_COST * (self._keys == last[0])
        return costs


def _numbers(words: Sequence[str | None]) -> Ints:
    """Return a number for each word, equal for equal words; -1 for none."""
    known: dict[str, int] = {}
    return np.array([-1 if w is None else known.setdefault(w, len(known)) for w in words], np.int64)
