"""Beats of a track: where each lies, and how far a place is between two of them.

A grid is a list of beat positions, so that music that was played by hand has one too. Beyond
its ends it goes on at the tempo of its first and last beat.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from sfa_engine.host.kernel.intrinsics import float64_at, kernel


@kernel
def has_grid(media):
    """Return whether there are two beats at least."""
    return media.beats >= 2


@kernel
def interval_at(media, hint, position):
    """Return the index of the beat at or before a place, kept inside the list."""
    grid = carray(float64_at(media.beats_address), (media.beats,))
    last = media.beats - 2
    k = min(max(hint, np.int64(0)), last)
    if grid[k] <= position and (k == last or position < grid[k + 1]):
        return k
    low = np.int64(0)
    high = last
    while low < high:
        middle = (low + high + 1) // 2
        if grid[middle] <= position:
            low = middle
        else:
            high = middle - 1
    return low


@kernel
def beat_at(media, k, position):
    """Return the beat number of a place; `k` is its interval."""
    grid = carray(float64_at(media.beats_address), (media.beats,))
    return media.first_beat + k + (position - grid[k]) / (grid[k + 1] - grid[k])


@kernel
def frames_per_beat(media, k):
    """Return the length of an interval in track frames."""
    grid = carray(float64_at(media.beats_address), (media.beats,))
    return grid[k + 1] - grid[k]


@kernel
def position_of(media, beat):
    """Return the place of a beat number, which may lie between two beats."""
    grid = carray(float64_at(media.beats_address), (media.beats,))
    index = beat - media.first_beat
    k = min(max(np.int64(math.floor(index)), np.int64(0)), media.beats - 2)
    return grid[k] + (index - k) * (grid[k + 1] - grid[k])


@kernel
def beat_near(media, hint, position):
    """Return the beat number of a position; `hint` is an interval that is near, perhaps its own."""
    return beat_at(media, interval_at(media, hint, position), position)


@kernel
def nearest_beat(media, hint, position):
    """Return the place of the beat nearest to a place."""
    return position_of(media, math.floor(beat_near(media, hint, position) + 0.5))
