"""What a new analysis of a track found otherwise than the previous one. Pure arithmetic.

::

    beats before    |    |    |    |    |        each beat of before against the nearest of now:
    beats now       | |  | |  | |  | |  |        0 ms here, though the tempo is doubled
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sfa_engine.library.analysis import Analysis
from sfa_engine.library.cues import Cue
from sfa_engine.library.grids import TrackGrid
from sfa_engine.track.key import parse_key

SAME_S = 0.02  # cues and sections are on bars: a shift by less is that of the grid
SAME_MS = 0.1  # of a grid: anchors are rounded to frames
SEAM_S = 0.002  # between the two anchors of an edit, where the number of the beat jumps
SAME_TEMPO = 0.03  # ratio; above it bars cannot be compared
DROP = "drop"


def analysis_changes(
    before: Analysis,
    now: Analysis,
    grid_before: TrackGrid | None,
    grid_now: TrackGrid | None,
    length_s: float,
) -> dict[str, Any]:
    """Return what differs between two analyses of a track; empty if nothing does.

    Parameters
    ----------
    before, now : Analysis
    grid_before, grid_now : TrackGrid, optional
        The grids that they found.
    length_s : float
        Of the track.

    Returns
    -------
    dict
        Of these, those that differ: ``bpm, key, confidence`` (before and now), ``drops`` (their
        starts in seconds before and now), ``grid_moved_ms`` (the largest distance of a beat),
        ``bar_later_beats`` (how much later a bar begins, in beats of now).
    """
    found: dict[str, Any] = {}
    for name, decimals in (("bpm", 3), ("confidence", 2)):
        pair = [_rounded(getattr(each, name), decimals) for each in (before, now)]
        if pair[0] != pair[1]:
            found[name] = pair
    keys = [parse_key(each.key) if each.key else None for each in (before, now)]
    if keys[0] != keys[1]:
        found["key"] = keys
    drops = [
        [round(part.start_s, 3) for part in each.sections if part.label == DROP]
        for each in (before, now)
    ]
    if not _alike(*drops):
        found["drops"] = drops
    if grid_before is not None and grid_now is not None:
        moved_ms = grid_distance_ms(grid_before, grid_now, length_s)
        if moved_ms > SAME_MS:
            found["grid_moved_ms"] = round(moved_ms, 2)
        if later := bar_shift(grid_before, grid_now, length_s):
            found["bar_later_beats"] = later
    return found


def grid_distance_ms(before: TrackGrid, now: TrackGrid, length_s: float) -> float:
    """Return the largest distance of a beat of `before` from the nearest beat of `now`."""
    old_s, new_s = _beats_s(before, length_s), _beats_s(now, length_s)
    if not (len(old_s) and len(new_s)):
        return 0.0
    at = np.clip(np.searchsorted(new_s, old_s), 1, max(1, len(new_s) - 1))
    nearest = np.abs(old_s - new_s[at - 1])
    if len(new_s) > 1:
        nearest = np.minimum(nearest, np.abs(old_s - new_s[at]))
    inside = (old_s >= new_s[0] - 1e-9) & (old_s <= new_s[-1] + 1e-9)
    chosen = nearest[inside] if inside.any() else nearest
    return float(chosen.max()) * 1000.0


def bar_shift(before: TrackGrid, now: TrackGrid, length_s: float) -> int:
    """Return how many beats later a bar of `now` begins, in most bars; 0 if that is no question."""
    bar = now.grid.beats_per_bar
    ratio = now.grid.bpm / before.grid.bpm
    if bar != before.grid.beats_per_bar or abs(ratio - 1.0) > SAME_TEMPO:
        return 0
    beats_s = _beats_s(before, length_s)
    places = np.rint(before.grid.beat_of(beats_s * before.rate, before.rate)).astype(np.int64)
    downbeats_s = beats_s[places % bar == 0]
    numbers = np.rint(now.grid.beat_of(downbeats_s * now.rate, now.rate)).astype(np.int64)
    counts = np.bincount(-numbers % bar, minlength=bar)
    return int(np.argmax(counts)) if len(numbers) else 0


def cue_changes(before: Sequence[Cue], now: Sequence[Cue]) -> dict[str, int]:
    """Return how many automatic cues are new and gone, as ``cues_new`` and ``cues_gone``."""
    new = sum(not any(_is_same(cue, other) for other in before) for cue in now)
    gone = sum(not any(_is_same(cue, other) for other in now) for cue in before)
    counts = {"cues_new": new, "cues_gone": gone}
    return {name: count for name, count in counts.items() if count}


def _is_same(cue: Cue, other: Cue) -> bool:
    kinds = (cue.kind, cue.stem, cue.end_s is None) == (other.kind, other.stem, other.end_s is None)
    places = abs(cue.position_s - other.position_s), abs((cue.end_s or 0.0) - (other.end_s or 0.0))
    return kinds and max(places) <= SAME_S


def _alike(before: Sequence[float], now: Sequence[float]) -> bool:
    return len(before) == len(now) and all(
        abs(old - new) <= SAME_S for old, new in zip(before, now, strict=True)
    )


def _beats_s(grid: TrackGrid, length_s: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the beats of a track in seconds, without those between the anchors of a seam."""
    frames = grid.grid.beats(round(length_s * grid.rate), grid.rate)
    anchors = np.array([anchor.frame for anchor in grid.grid.anchors])
    seams = anchors[:-1][np.diff(anchors) <= SEAM_S * grid.rate]
    for start in seams:
        end = anchors[np.searchsorted(anchors, start, "right")]
        frames = frames[(frames <= start) | (frames >= end)]
    return frames / grid.rate


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
