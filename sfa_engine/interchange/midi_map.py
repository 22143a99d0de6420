"""MIDI files: the tempo map of a track, and its cues and sections as markers. Pure.

Time 0 of the file is time 0 of the sound, so that both are put at the same place of a project. The
first downbeat is seldom there: what is before it is one bar of its own, of so many parts of a note
that its tempo is near the track's. From then on bars are where the grid has them; the tempo of
each segment is that between its ends as they are rounded to ticks, so that nothing adds up.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import mido

from sfa_engine.errors import MediaError
from sfa_engine.interchange.record import GRID_RATE, Collection, Loss, Record
from sfa_engine.interchange.texts import written
from sfa_engine.library.tags import in_one_line
from sfa_engine.track.grid import Grid

TICKS = 9600  # a beat: one is 0.05 ms at 124 BPM
MICROSECONDS = 1_000_000
MAX_TEMPO = (1 << 24) - 1  # µs a beat
NOTES = (4, 8, 16, 32, 64)  # of the first bar, and what they may change its tempo by
NEAR_TEMPO = 0.25
LEAST_PICKUP_BEATS = 1.0 / 64.0  # of a first bar
MAX_ANCHORS = 100_000


@dataclass(frozen=True, slots=True)
class _Point:
    """A place in the file: its tick, and its time in seconds of the sound."""

    tick: int
    time_s: float


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write the tempo map and the markers of one track.

    Raises
    ------
    MediaError
        It has no grid, or the file cannot be written.
    """
    (track,) = collection.tracks
    if track.grid is None:
        raise MediaError(f'"{track.name}" has no beat grid', "analyse it, or set its tempo")
    points, pickup = _points(track.grid)
    events: list[tuple[int, int, mido.MetaMessage]] = []
    if pickup is not None:
        events.append((0, 1, _signature(*pickup)))
        events.append((points[1].tick, 1, _signature(track.grid.beats_per_bar, 4)))
    else:
        events.append((0, 1, _signature(track.grid.beats_per_bar, 4)))
    now_s = 0.0
    for before, after in pairwise(points):
        ticks = after.tick - before.tick
        tempo = min(max(round((after.time_s - now_s) * MICROSECONDS * TICKS / ticks), 1), MAX_TEMPO)
        events.append((before.tick, 2, mido.MetaMessage("set_tempo", tempo=tempo)))
        now_s += tempo * ticks / TICKS / MICROSECONDS
    last = mido.bpm2tempo(track.grid.bpm)
    events.append((points[-1].tick, 2, mido.MetaMessage("set_tempo", tempo=round(last))))
    for time_s, text in _markers(track):
        tick = _tick(points, track.grid, time_s)
        events.append((tick, 3, mido.MetaMessage("marker", text=text)))
    line = mido.MidiTrack([mido.MetaMessage("track_name", name=in_one_line(track.name))])
    at = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        line.append(message.copy(time=tick - at))
        at = tick
    line.append(mido.MetaMessage("end_of_track", time=max(0, _end(points, track) - at)))
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    file.tracks.append(line)
    with written(path) as part:
        file.save(part)
    return []


def _signature(numerator: int, denominator: int) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def _points(grid: Grid) -> tuple[list[_Point], tuple[int, int] | None]:
    """Return where the tempo changes, from the start on, and the signature of the first bar.

    None: the track begins with a downbeat.
    """
    bar = grid.beats_per_bar
    start = float(grid.beat_of(0.0, GRID_RATE))
    downbeat = math.ceil((start - LEAST_PICKUP_BEATS) / bar) * bar
    pickup = None
    points = [_Point(0, 0.0)]
    beats = downbeat - start
    if beats > LEAST_PICKUP_BEATS:
        note = next(
            (n for n in NOTES if abs(_parts(beats, n) * 4 / n / beats - 1) <= NEAR_TEMPO), NOTES[-1]
        )
        pickup = (_parts(beats, note), note)
        tick = pickup[0] * 4 * TICKS // note
        points.append(_Point(tick, float(grid.frame_of(downbeat, GRID_RATE)) / GRID_RATE))
    elif beats:  # too little for a bar: the first one is so much longer or shorter
        downbeat += bar
        points.append(_Point(bar * TICKS, float(grid.frame_of(downbeat, GRID_RATE)) / GRID_RATE))
    first = points[-1].tick
    for anchor in grid.anchors[:MAX_ANCHORS]:
        tick = first + round((anchor.beat - downbeat) * TICKS)
        time_s = anchor.frame / GRID_RATE
        if tick > points[-1].tick and time_s > points[-1].time_s:
            points.append(_Point(tick, time_s))
    return points, pickup


def _parts(beats: float, note: int) -> int:
    """Return how many notes of a kind some beats are, at least one."""
    return max(1, round(beats * note / 4))


def _tick(points: list[_Point], grid: Grid, time_s: float) -> int:
    """Return the tick of a time of the sound."""
    place = bisect_right([point.time_s for point in points], time_s) - 1
    at = points[max(place, 0)]
    if place + 1 < len(points):
        after = points[place + 1]
        share = (time_s - at.time_s) / (after.time_s - at.time_s)
        return at.tick + round(share * (after.tick - at.tick))
    return at.tick + round((time_s - at.time_s) * grid.bpm / 60.0 * TICKS)


def _markers(track: Record) -> list[tuple[float, str]]:
    """Return time and name of each cue, loop and section."""
    found = [(cue.position_s, in_one_line(cue.label) or cue.kind) for cue in track.cues]
    found += [
        (cue.end_s, f"{in_one_line(cue.label) or cue.kind} end")
        for cue in track.cues
        if cue.end_s is not None
    ]
    sections = track.extra.get("sections", ())
    found += [(float(each["start_s"]), in_one_line(str(each["label"]))) for each in sections]
    return sorted(found)


def _end(points: list[_Point], track: Record) -> int:
    assert track.grid is not None
    return _tick(points, track.grid, max(track.duration_s or 0.0, points[-1].time_s))
