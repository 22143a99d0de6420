"""Ticks to frames: the tempo map of an arrangement. Pure arithmetic.

Places on the grid are ticks, `TICKS` a beat: whole numbers, in which triplets of 1/32 are exact.
Lengths of sound are frames. `TempoMap.frame_of` is the only way from one to the other, and rounds
once, so that what ends where another begins leaves no gap and doubles no frame.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from msgspec import Struct

from sfa_engine.errors import Refused
from sfa_engine.track.grid import DRIFTS, TEMPOS

TICKS = 960  # a beat
MAX_TICK = 1 << 30  # 12 days at 60 BPM


class TempoAnchor(Struct, frozen=True, forbid_unknown_fields=True):
    """A tick whose frame is known."""

    tick: int
    frame: int


class TempoMap(Struct, frozen=True, forbid_unknown_fields=True):
    """A piecewise linear map of ticks to frames.

    Parameters
    ----------
    anchors : tuple of TempoAnchor
        The first at tick 0 and frame 0; ticks and frames rise strictly.
    bpm : float
        Tempo after the last anchor, in beats a minute, 20..400.
    beats_per_bar : int
        1..32; bar 1 begins at tick 0.
    """

    anchors: tuple[TempoAnchor, ...] = (TempoAnchor(0, 0),)
    bpm: float = 120.0
    beats_per_bar: int = 4

    def frame_of(self, tick: int, rate: int) -> int:
        """Return the frame at which a tick is.

        Parameters
        ----------
        tick : int
            From 0 on.
        rate : int
            Of the arrangement in Hz.
        """
        at = bisect_right(self.anchors, tick, key=lambda anchor: anchor.tick) - 1
        here = self.anchors[at]
        if at + 1 == len(self.anchors):
            return here.frame + round((tick - here.tick) * 60.0 * rate / (self.bpm * TICKS))
        there = self.anchors[at + 1]
        over, span = (tick - here.tick) * (there.frame - here.frame), there.tick - here.tick
        return here.frame + (2 * over + span) // (2 * span)  # exact: whole numbers, half up

    def tick_of(self, frame: int, rate: int) -> int:
        """Return the tick that is nearest to a frame."""
        at = bisect_right(self.anchors, frame, key=lambda anchor: anchor.frame) - 1
        here = self.anchors[at]
        if at + 1 == len(self.anchors):
            return here.tick + round((frame - here.frame) * self.bpm * TICKS / (60.0 * rate))
        there = self.anchors[at + 1]
        over, span = (frame - here.frame) * (there.tick - here.tick), there.frame - here.frame
        return here.tick + (2 * over + span) // (2 * span)


def check_tempo(tempo: TempoMap, rate: int) -> None:
    """Raise Refused unless a tempo map can be played at a rate in Hz."""
    if not TEMPOS[0] <= tempo.bpm <= TEMPOS[1]:  # nan is neither
        raise Refused(f"invalid tempo {tempo.bpm:g} BPM", "give {:g} to {:g}".format(*TEMPOS))
    if not 1 <= tempo.beats_per_bar <= 32:
        raise Refused(f"invalid bar of {tempo.beats_per_bar} beats", "give 1 to 32")
    if not tempo.anchors or tempo.anchors[0] != TempoAnchor(0, 0):
        raise Refused("a tempo map begins at tick 0 and frame 0", "put its first anchor there")
    if tempo.anchors[-1].tick > MAX_TICK:
        raise Refused(f"invalid anchor at tick {tempo.anchors[-1].tick}", f"give up to {MAX_TICK}")
    for here, there in pairwise(tempo.anchors):
        if not (here.tick < there.tick and here.frame < there.frame):
            raise Refused(
                f"the tempo map goes from {here} to {there}", "both ticks and frames must rise"
            )
        bpm = (there.tick - here.tick) * 60.0 * rate / ((there.frame - here.frame) * TICKS)
        if not DRIFTS[0] <= bpm <= DRIFTS[1]:
            raise Refused(
                f"the tempo from tick {here.tick} on would be {bpm:.4g} BPM",
                "give {:g} to {:g}".format(*DRIFTS),
            )
