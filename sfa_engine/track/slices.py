"""Where a track is cut into slices for pads: at its beats, or at its onsets. Pure.

::

    beats    |       |       |       |          each slice as long as so many beats
    onsets   |    |      ||        |            each from one onset up to the next; one that
             [ 1 ][  2  ][    3   ][ 4 …        follows too soon belongs to the one before
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

By = Literal["beat", "onset"]
SHORTEST_S = 0.03  # of a slice at an onset: a flam is one hit
EARLY_S = 0.005  # by which an onset may come before the place that is named
JUST = 0.001  # of a beat: a place that is so near to one is it


class Slice(NamedTuple):
    """A stretch of a track, in its frames."""

    start: int
    frames: int


def by_beats(
    beats: npt.NDArray[np.float64], start: float, length: float, count: int, frames: int
) -> list[Slice]:
    """Return slices that follow each other from the beat at or before a place on.

    Parameters
    ----------
    beats : float64[n]
        Positions in track frames, rising.
    start : float
        Track frames.
    length : float
        Of a slice, in beats.
    count : int
        Of slices; fewer are returned where the track ends.
    frames : int
        Of the track.
    """
    if len(beats) < 2:
        return []
    numbers = np.arange(len(beats), dtype=np.float64)
    here = float(np.interp(start, beats, numbers))
    first = np.floor(here + JUST)
    edges = first + length * np.arange(count + 1)
    edges = edges[edges <= numbers[-1]]
    places = np.clip(np.round(np.interp(edges, numbers, beats)), 0, frames).astype(np.int64)
    return _between(places)


def by_onsets(
    onsets: npt.NDArray[np.int64], start: float, count: int, frames: int, rate: float
) -> list[Slice]:
    """Return slices from onset to onset, from the first at or after a place on.

    Parameters
    ----------
    onsets : int64[n]
        Track frames, rising.
    start : float
        Track frames.
    count : int
        Of slices; fewer are returned where the track has no more onsets.
    frames : int
        Of the track: the last onset's slice ends there.
    rate : float
        Frames a second.
    """
    shortest = SHORTEST_S * rate
    kept: list[int] = []
    for onset in onsets[np.searchsorted(onsets, start - EARLY_S * rate) :].tolist():
        if not kept or onset - kept[-1] >= shortest:
            kept.append(onset)
        if len(kept) > count:
            break
    if kept and len(kept) <= count and frames > kept[-1]:
        kept.append(frames)
    return _between(np.array(kept, np.int64))


def _between(places: npt.NDArray[np.int64]) -> list[Slice]:
    """Return the slices between neighbouring places."""
    pairs = zip(places[:-1].tolist(), places[1:].tolist(), strict=True)
    return [Slice(start, end - start) for start, end in pairs if end > start]
