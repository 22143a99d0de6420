"""Where a stretcher may cut: the onsets of each stem, and all of them merged.

A false onset is worse than a missing one: it cuts through a tone that sounds on (a steady chord
with one each half second falls from 31 to 3 dB of harmonic to noise). So an attack counts only
where the stem itself rises by 10 dB within 10 ms, 6 dB of it for 30 ms, and it is placed where the
rise begins. What rises is the difference from frame to frame: bass that swells below a held note
is no onset.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.onset import Onsets, find_onsets, onset_times
from sfa_engine.prep.analyse.smooth import Curve, Floats, Ints, percentile, totals
from sfa_engine.track.media import RATE

MIN_RISE_DB = 10.0
SPAN_MS = 10  # of the energy before and after
MIN_LASTING_DB = 6.0
LASTING_MS = 30  # tones a third apart beat at 50 Hz, and rise by 10 dB for 10 ms
MIN_GAP_MS = 30  # between two splices; a cut is heard for 8 to 30 ms
_AROUND_MS = 12  # how far from an attack its rise may be
_FLOOR_DB = 50.0  # below the loud: the rise of what nobody hears
_BEGINS = 0.1  # of the highest after it: where a rise has begun, rather early than late
_AT_ONCE = 1000  # attacks, for memory
_FRAMES_MS = RATE // 1000


def stem_onsets(levels: Levels, onsets: Onsets | None = None) -> Ints:
    """Return the onsets of one stem, in frames at `RATE`, rising.

    Parameters
    ----------
    levels : Levels
        With `edges`.
    onsets : Onsets, optional
        Those of `find_onsets`, where they are known.

    Returns
    -------
    int64[n]
        Each at most a millisecond before its sound begins.
    """
    attacks = np.round(1000 * onset_times(onsets or find_onsets(levels))).astype(np.int64)
    edges = levels.edges
    if not len(attacks) or not edges.any():
        return np.zeros(0, np.int64)
    floor = percentile(edges[edges > 0], 95) ** 2 * 10 ** (-_FLOOR_DB / 10)
    around = np.arange(-_AROUND_MS, _AROUND_MS + 1)
    steep: set[int] = set()
    for at in range(0, len(attacks), _AT_ONCE):
        places = np.clip(attacks[at : at + _AT_ONCE, None] + around, 0, len(edges) - 1)
        rise_db = _rises(edges, floor, places, SPAN_MS)
        best = np.arange(len(places)), rise_db.argmax(axis=1)
        lasting_db = _rises(edges, floor, places[best], LASTING_MS)
        is_onset = (rise_db[best] >= MIN_RISE_DB) & (lasting_db >= MIN_LASTING_DB)
        steep.update(places[best][is_onset].tolist())
    begins = _begins(edges, np.array(sorted(steep), np.int64))
    return _separate(begins * _FRAMES_MS, MIN_GAP_MS * _FRAMES_MS)


def merge(stems: Mapping[str, Ints]) -> Ints:
    """Return the onsets of all stems as one list; of those within `MIN_GAP_MS` the first."""
    every = np.sort(np.concatenate([*stems.values(), np.zeros(0, np.int64)]))
    return _separate(every, MIN_GAP_MS * _FRAMES_MS)


def _rises(edges: Curve, floor: float, places: Ints, span_ms: int) -> Floats:
    """Return how much higher the energy is after some milliseconds' start than before, in dB."""
    first = max(0, int(places.min()) - span_ms)
    here = edges[first : int(places.max()) + span_ms]
    around = np.array([-span_ms, 0, span_ms]) - first
    total = totals(here, np.clip(places[..., None] + around, 0, len(here)), power=2)
    before, after = np.moveaxis(np.diff(total), -1, 0)
    least = span_ms * floor
    rises: Floats = 10 * np.log10(np.maximum(after, least) / np.maximum(before, least))
    return rises


def _begins(edges: Curve, steep: Ints) -> Ints:
    """Return the first millisecond of each rise that stands out from what was before."""
    padded = np.pad(edges, (SPAN_MS, SPAN_MS))
    rows = padded[steep[:, None] + np.arange(2 * SPAN_MS)].astype(np.float64)
    before = np.median(rows[:, : SPAN_MS // 2], axis=1)
    wanted = np.maximum(_BEGINS * rows.max(axis=1), 2 * before)
    first = (rows >= wanted[:, None]).argmax(axis=1)
    return np.unique(np.clip(steep + first - SPAN_MS, 0, len(edges) - 1))


def _separate(frames: Ints, gap: int) -> Ints:
    """Return those that are at least a gap after the last one that was kept."""
    kept: list[int] = []
    for frame in frames.tolist():
        if not kept or frame - kept[-1] >= gap:
            kept.append(frame)
    return np.array(kept, np.int64)
