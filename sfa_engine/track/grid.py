"""Beat grids: the mapping of frames to beats, for one tempo or many.

Pure arithmetic; knows no file and no kernel. `sfa_engine.host.kernel.grid` plays from the list
of beats that `Grid.beats` returns.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from sfa_engine.errors import MediaError

Floats = NDArray[np.float64]

TEMPOS = (20.0, 400.0)  # BPM of a grid
DRIFTS = (5.0, 1600.0)  # BPM between two anchors: a fermata, a hurried bar
SEAM_S = 0.001  # between the two anchors of a seam, where the beat number jumps
SEAMS = (0.0, 32.0)  # beats by which it may: the longest bar


class Anchor(Struct, frozen=True, forbid_unknown_fields=True):
    """A position whose beat number is known.

    Parameters
    ----------
    frame : float
        Position in frames at the track's rate; may be between two frames.
    beat : float
        Number of the beat; 0 is a downbeat.
    """

    frame: float
    beat: float


class Grid(Struct, frozen=True, forbid_unknown_fields=True):
    """A piecewise linear map of frames to beats.

    Before the first anchor the first segment is extended, after the last one `bpm` holds. A
    constant grid is one anchor and its tempo. Where an edit cut part of a beat or of a bar, two
    anchors `SEAM_S` apart have beat numbers between which the count jumps to the new bar.

    Parameters
    ----------
    anchors : tuple of Anchor
        At least one; frames and beats rise strictly.
    bpm : float
        Tempo after the last anchor, in beats a minute, 20..400.
    beats_per_bar : int
        1..32. Beat ``n`` is a downbeat if ``n % beats_per_bar == 0``.
    """

    anchors: tuple[Anchor, ...]
    bpm: float
    beats_per_bar: int = 4

    def __post_init__(self) -> None:
        if not self.anchors:
            raise MediaError("a grid has no anchor", "give at least one: a frame and its beat")
        within("grid.bpm", self.bpm, TEMPOS)
        within("grid.beats_per_bar", self.beats_per_bar, (1, 32))
        for anchor in self.anchors:
            within("grid anchor frame", anchor.frame, (-1e12, 1e12))
            within("grid anchor beat", anchor.beat, (-1e9, 1e9))
        for before, after in pairwise(self.anchors):
            if not (before.frame < after.frame and before.beat < after.beat):
                raise MediaError(
                    f"the grid goes from {before} to {after}",
                    "sort the anchors; both frames and beats must rise",
                )

    def frame_of(self, beats: ArrayLike, rate: int) -> Floats:
        """Return the position of each beat number.

        Parameters
        ----------
        beats : float64[n]
            Beat numbers; whole or not, inside the track or not.
        rate : int
            The track's rate in Hz.

        Returns
        -------
        float64[n]
            Positions in frames.
        """
        frames, numbers, before, after = self._segments(rate)
        return _piecewise(np.asarray(beats, np.float64), numbers, frames, before, after)

    def beat_of(self, frames: ArrayLike, rate: int) -> Floats:
        """Return the beat number, usually fractional, of each position in frames."""
        positions, numbers, before, after = self._segments(rate)
        return _piecewise(
            np.asarray(frames, np.float64), positions, numbers, 1.0 / before, 1.0 / after
        )

    def beats(self, frames: int, rate: int) -> Floats:
        """Return the position of every beat of a track.

        Parameters
        ----------
        frames : int
            Length of the track.
        rate : int
            Its rate in Hz.

        Returns
        -------
        float64[n]
            Positions in frames, rising, each in ``[0, frames)``. The number of the first is
            `first_beat`.
        """
        first, end = self._span(frames, rate)
        return self.frame_of(np.arange(first, end), rate)

    def first_beat(self, frames: int, rate: int) -> int:
        """Return the number of the first beat of `beats`; it may be negative."""
        return self._span(frames, rate)[0]

    def _segments(self, rate: int) -> tuple[Floats, Floats, float, float]:
        """Return frames and beats of the anchors, and frames per beat before and after them."""
        frames = np.array([anchor.frame for anchor in self.anchors])
        numbers = np.array([anchor.beat for anchor in self.anchors])
        after = 60.0 * rate / self.bpm
        if len(frames) == 1:
            return frames, numbers, after, after
        return frames, numbers, (frames[1] - frames[0]) / (numbers[1] - numbers[0]), after

    def _span(self, frames: int, rate: int) -> tuple[int, int]:
        """Return the first beat inside a track and the first after its end.

        Both are corrected by `frame_of`, so that rounding never puts a beat outside.
        """

        def first_from(edge: int) -> int:
            beat: int = math.ceil(float(self.beat_of(edge, rate)))
            while self.frame_of(beat, rate) < edge:
                beat += 1
            while self.frame_of(beat - 1, rate) >= edge:
                beat -= 1
            return beat

        first = first_from(0)
        return first, max(first, first_from(frames))


def _piecewise(x: Floats, xs: Floats, ys: Floats, before: float, after: float) -> Floats:
    """Interpolate points at `x`, with slopes before and after them."""
    y = np.interp(x, xs, ys)
    y = np.where(x < xs[0], ys[0] + (x - xs[0]) * before, y)
    return np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * after, y)


def is_seam(before: Anchor, after: Anchor, rate: int) -> bool:
    """Tell whether two anchors are where an edit cut the track, so that no tempo lies between."""
    return after.frame - before.frame <= SEAM_S * rate + 0.01  # a rounded frame more


def within(what: str, value: float, limits: tuple[float, float]) -> None:
    """Raise MediaError if a number is outside its limits, or NaN."""
    if not limits[0] <= value <= limits[1]:
        raise MediaError(f"{what} is {value}", f"it is a number from {limits[0]} to {limits[1]}")
