"""Imports a collection: new rows, and what rows lack; nothing that was set by hand is changed.

::

    records ─► places, matches ──────────► one transaction: tracks, sources, grids, cues, playlists
               (files are read, no lock)   (rows in bulk: 20,000 tracks lock the writer for seconds)

What is imported counts as set by hand: a person made it in the other program, and the analysis that
comes later must not replace it. So a second import finds everything there, and changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.exchange.exporting import cue_of, grid_of
from sfa_engine.backstage.exchange.matching import Place
from sfa_engine.backstage.exchange.report import Report
from sfa_engine.errors import MediaError
from sfa_engine.interchange.paths import name_of
from sfa_engine.interchange.record import GRID_RATE, Record, cue_name
from sfa_engine.library.color import is_color
from sfa_engine.library.cues import SAME_MEMORY_S, Cue
from sfa_engine.library.database import Connection, row, rows
from sfa_engine.library.tags import MAX_TEXT, TEMPOS, in_one_line, names_of
from sfa_engine.track.grid import Grid
from sfa_engine.track.key import KEYS, camelot, parse_key
from sfa_engine.track.media import MAX_CUES, check_drifts
from sfa_engine.wire.frames import sayable

AT_ONCE = 500  # tracks between two breaths of the event loop
MAX_DURATION_S = 86_400.0 * 7
MAX_TIME_S = 1e11  # since 1970
SAME_FRAMES = 0.002 * GRID_RATE  # of grids that are the same, by their anchors
SAME_BPM = 1e-3
ROUNDED_S = 1.0  # other programs give lengths in whole seconds
HERE = "another one is set here"
LONG = f"it has more than {MAX_TEXT} characters"
INVALID = "the value is not valid"

_TRACK = (
    *("uuid", "title", "artist", "album", "genre", "year", "duration_s", "tag_bpm", "tag_key"),
    *("bpm", "key", "camelot", "rating", "comment", "color", "label", "play_count", "played_at"),
    *("added_at", "changed_at"),
)
# Filled where the library has nothing.
_FILLED = {
    "title": "", "artist": "", "album": "", "genre": "", "year": None, "duration_s": None,
    "tag_bpm": None, "tag_key": None, "rating": 0, "comment": "", "color": "", "label": "",
}  # fmt: skip
_BY_HAND = ("rating", "comment", "color")  # a person sets them: what differs is told
_CAMELOT = " ".join(f"WHEN '{key}' THEN '{camelot(key)}'" for key in KEYS)
_SETTLE = f"""
UPDATE tracks SET
    bpm = coalesce(
        (SELECT bpm FROM grids WHERE track_id = tracks.id AND origin = 'hand'),
        (SELECT bpm FROM analyses WHERE track_id = tracks.id),
        (SELECT bpm FROM grids WHERE track_id = tracks.id AND origin = 'automatic'), tag_bpm),
    key = coalesce(hand_key, (SELECT key FROM analyses WHERE track_id = tracks.id), tag_key),
    camelot = CASE coalesce(hand_key, (SELECT key FROM analyses WHERE track_id = tracks.id),
        tag_key) {_CAMELOT} END,
    changed_at = ?2
WHERE id IN (SELECT value FROM json_each(?1))
"""  # noqa: S608


@dataclass
class Rows:
    """Rows to be written.

    Attributes
    ----------
    numbers : list of int
        The track of each record, in their order; 0 for one that is left out.
    changed : set of int
        Tracks of before that are changed.
    """

    tracks: list[tuple[Any, ...]] = field(default_factory=list)
    sources: list[tuple[int, str, float]] = field(default_factory=list)
    updates: dict[int, dict[str, Any]] = field(default_factory=dict)
    grids: list[tuple[Any, ...]] = field(default_factory=list)
    cues: list[tuple[Any, ...]] = field(default_factory=list)
    freed: list[tuple[int, int]] = field(default_factory=list)  # hot cues of the analysis
    numbers: list[int] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)


@dataclass
class _There:
    """What the library has of a track."""

    values: dict[str, Any]
    duration_s: float | None
    is_exact: bool  # whether the duration is that of the sound
    grid: Grid | None = None  # by hand
    cues: list[Cue] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)


class Importer:
    """Makes rows of records.

    Parameters
    ----------
    connection : Connection
        Of a transaction.
    report : Report
    now : float
        Seconds since 1970.
    """

    def __init__(self, connection: Connection, report: Report, now: float | None = None) -> None:
        self._connection = connection
        self._report = report
        self._now = time.time() if now is None else now
        self._rows = Rows()
        self._there: dict[int, _There] = {}
        self._new: dict[str, int] = {}  # by the place of the file
        self._first = self._next = 0  # numbers of new tracks

    async def run(
        self,
        records: Sequence[Record],
        places: Sequence[Place],
        matches: Sequence[int | None],
        progress: Callable[[float], None] = lambda _share: None,
    ) -> Rows:
        """Write the rows of records; return them, with the number of each record's track."""
        found = await row(self._connection, "SELECT seq FROM sqlite_sequence WHERE name = 'tracks'")
        self._first = self._next = (int(found["seq"]) if found else 0) + 1
        await self._read({number for number in matches if number is not None})
        for first in range(0, len(records), AT_ONCE):
            last = first + AT_ONCE
            for each in zip(
                records[first:last], places[first:last], matches[first:last], strict=True
            ):
                self._rows.numbers.append(self._add(*each))
            progress(last / len(records))
            await asyncio.sleep(0)
        await self._write()
        return self._rows

    # ------------------------------------------------------------------ what is there

    async def _read(self, numbers: set[int]) -> None:
        """Read what the library has of tracks."""
        wanted = sorted(numbers)
        for first in range(0, len(wanted), AT_ONCE):
            listed = (json.dumps(wanted[first : first + AT_ONCE]),)
            among = "IN (SELECT value FROM json_each(?))"
            for each in await rows(
                self._connection,
                f"SELECT * FROM tracks WHERE id {among}",  # noqa: S608
                listed,
            ):
                values = {name: each[name] for name in (*_FILLED, "play_count", "played_at")}
                is_exact = each["content_hash"] is not None
                self._there[each["id"]] = _There(values, each["duration_s"], is_exact)
            for each in await rows(
                self._connection,
                f"SELECT * FROM grids WHERE origin = 'hand' AND track_id {among}",  # noqa: S608
                listed,
            ):
                self._there[each["track_id"]].grid = grid_of(each)
            for each in await rows(
                self._connection,
                f"SELECT * FROM cues WHERE track_id {among}",  # noqa: S608
                listed,
            ):
                self._there[each["track_id"]].cues.append(cue_of(each))
            for each in await rows(
                self._connection,
                f"SELECT track_id, location FROM sources WHERE track_id {among}",  # noqa: S608
                listed,
            ):
                self._there[each["track_id"]].sources.add(each["location"])

    # ------------------------------------------------------------------ one record

    def _add(self, record: Record, place: Place, match: int | None) -> int:
        """Make the rows of a record; return the number of its track."""
        counts = self._report.counts
        counts["read"] += 1
        if match is None and (not place.location or place.location != sayable(place.location)):
            why = "its path is not UTF-8" if place.location else "it has no file"
            self._report.lose(record.name, "track", why)
            return 0
        number = match if match in self._there else self._new.get(place.location)
        is_new = number is None
        if number is None:
            number, self._next = self._next, self._next + 1
            self._new[place.location] = number
            self._there[number] = _There(dict(_FILLED) | {"play_count": 0, "played_at": None},
                                         None, is_exact=False)  # fmt: skip
        there = self._there[number]
        values = self._values(record, place)
        filled = self._filled(record, there, values)
        grid = self._grid(record, number, there)
        cues = self._cues(record, number, there)
        is_place = self._place(number, there, place, is_new=is_new)
        if is_new:
            counts["new"] += 1
            self._insert(number, record, there, grid)
        elif filled or grid or cues or is_place:
            if number < self._first and number not in self._rows.changed:
                counts["updated"] += 1
                self._rows.changed.add(number)
            self._rows.updates.setdefault(number, {}).update(filled)
        else:
            counts["unchanged"] += 1
        return number

    def _insert(self, number: int, record: Record, there: _There, grid: Grid | None) -> None:
        values = there.values
        key = values["tag_key"]
        added = record.added_at
        if added is None or not 0 < added <= self._now:
            added = self._now
        row_of = {
            **values,
            "uuid": str(uuid.uuid4()),
            "bpm": values["tag_bpm"] if grid is None else grid.bpm,
            "key": key,
            "camelot": camelot(key) if key else None,
            "added_at": added,
            "changed_at": self._now,
        }
        self._rows.tracks.append((number, *(row_of[name] for name in _TRACK)))

    def _place(self, number: int, there: _There, place: Place, *, is_new: bool) -> bool:
        """Add where a track's file is; return whether that is new."""
        # A path of another machine names a new track, and adds nothing to one that is here.
        is_fit = is_new or (place.file and place.file == sayable(place.file))
        if place.location in there.sources or not is_fit:
            return False
        there.sources.add(place.location)
        self._rows.sources.append((number, place.location, self._now))
        return True

    def _values(self, record: Record, place: Place) -> dict[str, Any]:
        """Return the columns of a record, with what is not valid left out and told."""

        def text(name: str) -> str:
            value = getattr(record, name)
            if len(value) > MAX_TEXT:
                self._report.lose(record.name, f"part of the {name}", LONG)
            if name == "comment":
                return str(value[:MAX_TEXT]).encode("utf-8", "replace").decode()
            return in_one_line(value)

        values: dict[str, Any] = {
            name: text(name) for name in ("title", "artist", "album", "genre", "label", "comment")
        }
        if not values["title"]:
            artist, values["title"] = names_of(name_of(place.location))
            values["artist"] = values["artist"] or artist
        limits: dict[str, tuple[str, float, float]] = {
            "year": ("year", 1, 9999),
            "tag_bpm": ("bpm", *TEMPOS),
            "duration_s": ("duration_s", 0.001, MAX_DURATION_S),
            "rating": ("rating", 0, 5),
            "play_count": ("play_count", 0, 1 << 31),
            "played_at": ("played_at", 0, MAX_TIME_S),
        }
        for column, (name, least, most) in limits.items():
            value = getattr(record, name)
            if value is not None and not least <= value <= most:
                if value and column != "duration_s":  # 0 is how several say "unknown"
                    self._report.lose(record.name, name.replace("_", " "), INVALID)
                value = None
            values[column] = value
        values["color"] = record.color if is_color(record.color) else ""
        if record.color and not values["color"]:
            self._report.lose(record.name, "color", INVALID)
        values["tag_key"] = None
        if record.musical_key:
            try:
                values["tag_key"] = parse_key(record.musical_key)
            except MediaError:
                self._report.lose(record.name, "key", INVALID)
        return values

    def _filled(self, record: Record, there: _There, values: dict[str, Any]) -> dict[str, Any]:
        """Fill what a track lacks; return the columns that change."""
        filled: dict[str, Any] = {}
        for name, nothing in _FILLED.items():
            value = values[name]
            if value is None or value == nothing:
                continue
            if there.values[name] == nothing:
                filled[name] = value
            elif name in _BY_HAND and there.values[name] != value:
                self._report.lose(record.name, name, HERE)
        for name in ("play_count", "played_at"):
            if values[name] and values[name] > (there.values[name] or 0):
                filled[name] = values[name]
        there.values |= filled
        for name in ("rating", "comment", "color"):
            self._report.counts[f"{name}s"] += name in filled
        if "duration_s" in filled:
            there.duration_s = filled["duration_s"]
        return filled

    def _grid(self, record: Record, number: int, there: _There) -> Grid | None:
        """Return the grid of a record, if the track is to have it."""
        grid = record.grid
        if grid is None or (there.grid is not None and _is_same_grid(there.grid, grid)):
            return None
        if there.grid is not None:
            self._report.lose(record.name, "grid", HERE)
            return None
        try:
            check_drifts(grid, GRID_RATE)
        except MediaError as error:
            self._report.lose(record.name, "grid", f"{error.message:.80}")
            return None
        there.grid = grid
        self._rows.grids.append(
            (number, GRID_RATE, _anchors(grid), grid.bpm, grid.beats_per_bar, self._now)
        )
        self._report.counts["grids"] += 1
        return grid

    def _cues(self, record: Record, number: int, there: _There) -> int:
        """Make the rows of a record's cues; return how many."""
        added = 0
        limit_s = there.duration_s
        if limit_s is not None and not there.is_exact:
            limit_s += ROUNDED_S
        for cue in record.cues:
            if limit_s is not None and max(cue.position_s, cue.end_s or 0.0) > limit_s:
                self._report.lose(record.name, cue_name(cue), "it is after the end")
                continue
            others = [each for each in there.cues if each.by_hand]
            if cue.slot is None:
                is_there = any(_is_same_cue(each, cue) for each in others)
            else:
                holder = next((each for each in others if each.slot == cue.slot), None)
                is_there = holder is not None
                if holder is not None and not _is_same_cue(holder, cue):
                    self._report.lose(record.name, cue_name(cue), HERE)
            if is_there:
                continue
            if len(there.cues) >= MAX_CUES:
                self._report.lose(record.name, "cue", f"a track has up to {MAX_CUES}")
                continue
            if cue.slot is not None and any(each.slot == cue.slot for each in there.cues):
                self._rows.freed.append((number, cue.slot))
            there.cues.append(cue)
            self._rows.cues.append(
                (
                    *(number, "hand", cue.kind, cue.position_s, cue.end_s, cue.slot, cue.label),
                    *(cue.color, cue.stem, cue.on_load, self._now),
                )
            )
            self._report.counts["loops" if cue.end_s is not None else "cues"] += 1
            added += 1
        return added

    # ------------------------------------------------------------------ writing

    async def _write(self) -> None:
        made, connection = self._rows, self._connection
        slots = ", ".join("?" * (len(_TRACK) + 1))
        for sql, values in (
            (f"INSERT INTO tracks (id, {', '.join(_TRACK)}) VALUES ({slots})", made.tracks),  # noqa: S608
            (
                "INSERT OR IGNORE INTO sources (track_id, location, added_at) VALUES (?, ?, ?)",
                made.sources,
            ),
            (
                (
                    "INSERT OR REPLACE INTO grids (track_id, origin, rate, anchors, bpm,"
                    " beats_per_bar, changed_at) VALUES (?, 'hand', ?, ?, ?, ?, ?)"
                ),
                made.grids,
            ),
            ("UPDATE cues SET slot = NULL WHERE track_id = ? AND slot = ?", made.freed),
            (
                (
                    "INSERT INTO cues (track_id, origin, kind, position_s, end_s, slot, label, color,"  # noqa: E501
                    " stem, on_load, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                ),
                made.cues,
            ),
        ):
            for first in range(0, len(values), 10 * AT_ONCE):
                await connection.executemany(sql, values[first : first + 10 * AT_ONCE])
        alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for number, columns in made.updates.items():
            if columns:
                alike.setdefault(tuple(columns), []).append((*columns.values(), number))
        for names, values in alike.items():
            assigned = ", ".join(f"{name} = ?" for name in names)
            await connection.executemany(
                f"UPDATE tracks SET {assigned} WHERE id = ?",  # noqa: S608
                values,
            )
        touched = sorted(made.changed | set(made.updates))
        for first in range(0, len(touched), AT_ONCE):
            listed = json.dumps(touched[first : first + AT_ONCE])
            await connection.execute(_SETTLE, (listed, self._now))


def _anchors(grid: Grid) -> str:
    return json.dumps([[anchor.frame, anchor.beat] for anchor in grid.anchors])


def _is_same_grid(one: Grid, other: Grid) -> bool:
    """Return whether two grids have the same beats, up to rounding.

    Programs write other anchors for the same beats: they are compared where either has one.
    """
    if abs(one.bpm - other.bpm) > SAME_BPM or one.beats_per_bar != other.beats_per_bar:
        return False
    frames = [anchor.frame for grid in (one, other) for anchor in grid.anchors]
    apart = other.beat_of(frames, GRID_RATE) - one.beat_of(frames, GRID_RATE)
    bars = round(float(apart[0]) / one.beats_per_bar) * one.beats_per_bar
    return bool((abs(apart - bars) * 60.0 * GRID_RATE / one.bpm <= SAME_FRAMES).all())


def _is_same_cue(one: Cue, other: Cue) -> bool:
    """Return whether two cues are at the same place."""
    if (one.end_s is None, one.stem) != (other.end_s is None, other.stem):
        return False
    pairs: Iterator[tuple[float, float]] = iter(
        ((one.position_s, other.position_s), (one.end_s or 0.0, other.end_s or 0.0))
    )
    return all(abs(a - b) <= SAME_MEMORY_S for a, b in pairs)
