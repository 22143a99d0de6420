"""The course of a track in a mix: where it is at each moment, and how fast it runs.

::

    rate   in_rate ────╮                        ╭──── out_rate
    1                   ╰──────────────────────╯
           blend     glide                   glide  blend

A glide is straight in time. Times are seconds of the mix, places seconds of the track.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Segment(NamedTuple):
    """A part of a course: from place to place, from rate to rate, from a time on."""

    place_s: float
    until_s: float
    rate: float
    until_rate: float
    time_s: float

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return 2 * (self.until_s - self.place_s) / (self.rate + self.until_rate)


class Course:
    """The course of one track, made of segments one after another.

    Parameters
    ----------
    place_s, time_s : float
        Where it begins, and when.

    Attributes
    ----------
    begin_s, start_s : float
        The same.
    segments : list of Segment
    """

    def __init__(self, place_s: float, time_s: float) -> None:
        self.begin_s, self.start_s = place_s, time_s
        self.segments: list[Segment] = []

    @property
    def place_s(self) -> float:
        """Where it has come to."""
        return self.segments[-1].until_s if self.segments else self.begin_s

    @property
    def time_s(self) -> float:
        """When it has come there."""
        if not self.segments:
            return self.start_s
        return self.segments[-1].time_s + self.segments[-1].seconds

    @property
    def rate(self) -> float:
        """How fast it runs there."""
        return self.segments[-1].until_rate if self.segments else 1.0

    @property
    def first_rate(self) -> float:
        """How fast it runs at its beginning."""
        return self.segments[0].rate if self.segments else 1.0

    def run(self, until_s: float, rate: float, until_rate: float | None = None) -> None:
        """Go on to a place; one that lies before is left out."""
        if until_s > self.place_s:
            until = rate if until_rate is None else until_rate
            self.segments.append(Segment(self.place_s, until_s, rate, until, self.time_s))

    def cut(self, until_s: float) -> None:
        """End at a place that lies before: a glide is left where it has come to."""
        while self.segments and self.segments[-1].place_s >= until_s:
            self.segments.pop()
        if self.segments and self.segments[-1].until_s > until_s:
            last = self.segments.pop()
            share = (until_s - last.place_s) / (last.until_s - last.place_s)
            square = last.rate**2 + share * (last.until_rate**2 - last.rate**2)
            self.segments.append(last._replace(until_s=until_s, until_rate=math.sqrt(square)))

    def time_at(self, place_s: float) -> float:
        """Return when the track is at a place; outside the course its ends are extended."""
        for segment in self.segments:
            if place_s <= segment.until_s:
                ahead = place_s - segment.place_s
                length = segment.until_s - segment.place_s
                slope = (segment.until_rate**2 - segment.rate**2) / (2 * length)
                # Of a rate that is straight in time, its square is straight in place.
                rate = math.sqrt(max(segment.rate**2 + 2 * slope * ahead, 1e-9))
                return segment.time_s + 2 * ahead / (segment.rate + rate)
        return self.time_s + (place_s - self.place_s) / self.rate

    def rate_at(self, place_s: float) -> float:
        """Return how fast the track runs at a place."""
        for segment in self.segments:
            if place_s <= segment.until_s:
                share = (place_s - segment.place_s) / (segment.until_s - segment.place_s)
                square = segment.rate**2 + share * (segment.until_rate**2 - segment.rate**2)
                return math.sqrt(max(square, 1e-9))
        return self.rate

    def place_at(self, time_s: float) -> float:
        """Return where the track is at a time; outside the course its ends are extended."""
        for segment in self.segments:
            if time_s <= segment.time_s + segment.seconds:
                gone = time_s - segment.time_s
                slope = (segment.until_rate - segment.rate) / segment.seconds
                return segment.place_s + segment.rate * gone + slope * gone**2 / 2
        return self.place_s + (time_s - self.time_s) * self.rate
