"""Our own format: rows out and in. A library moves to another machine with all that is known.

A track that the other library has, by its uuid or its sound, is treated as one from another
program: it gets what it lacks. A new one gets its rows as they were, but for what is of another
machine: its account, and its bundle unless that was copied too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.backstage.exchange.exporting import AT_ONCE as RECORDS_AT_ONCE
from sfa_engine.backstage.exchange.importing import Importer
from sfa_engine.backstage.exchange.matching import Place
from sfa_engine.backstage.exchange.report import Report
from sfa_engine.errors import MediaError, SfaError
from sfa_engine.interchange.own import read_lines
from sfa_engine.interchange.paths import Finder, Mapping, mapped
from sfa_engine.interchange.record import GRID_RATE, Record
from sfa_engine.library.cues import EDITABLE, Cue
from sfa_engine.library.database import Connection, insert, row, rows
from sfa_engine.library.places import Places
from sfa_engine.track.correction import at_rate
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import read_bundle

AT_ONCE = min(200, RECORDS_AT_ONCE)  # tracks
_OF_TRACK = ("stems", "analyses", "grids", "cues", "unwanted_cues", "plays")
_TABLES = ("tracks", "sources", *_OF_TRACK, "playlists", "followed_entries")
_NUMBERS = frozenset({"id", "track_id", "playlist_id", "entry_id", "account", "trashed_s"})
_AMONG = "IN (SELECT value FROM json_each(?))"


# ---------------------------------------------------------------------- out


async def track_lines(connection: Connection, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return the lines of some tracks."""
    listed = (json.dumps(list(numbers)),)
    lines: dict[int, dict[str, Any]] = {}
    for each in await rows(connection, f"SELECT * FROM tracks WHERE id {_AMONG}", listed):  # noqa: S608
        lines[each["id"]] = {"track": _plain(each)}
    for table in ("sources", *_OF_TRACK):
        for each in await rows(
            connection,
            f"SELECT * FROM {table} WHERE track_id {_AMONG} ORDER BY {_ORDER[table]}",  # noqa: S608
            listed,
        ):
            lines[each["track_id"]].setdefault(table, []).append(_plain(each))
    return [lines[number] for number in numbers if number in lines]


_ORDER = {
    "sources": "id", "stems": "name", "analyses": "track_id", "grids": "origin", "cues": "id",
    "unwanted_cues": "id", "plays": "id",
}  # fmt: skip


async def playlist_lines(
    connection: Connection, numbers: Sequence[int] | None
) -> AsyncIterator[dict[str, Any]]:
    """Yield the lines of playlists, with their entries among some tracks; None: among all."""
    chosen = None if numbers is None else set(numbers)
    for each in await rows(connection, "SELECT * FROM playlists ORDER BY id"):
        entries = await rows(
            connection,
            "SELECT e.id, e.track_id, uuid FROM playlist_entries AS e"
            " JOIN tracks ON tracks.id = e.track_id AND deleted_at IS NULL"
            " WHERE playlist_id = ? ORDER BY place, e.id",
            (each["id"],),
        )
        kept = [entry for entry in entries if chosen is None or entry["track_id"] in chosen]
        if chosen is not None and not kept:
            continue
        places = {entry["id"]: place for place, entry in enumerate(kept)}
        followed = await rows(
            connection,
            "SELECT place, location, entry_id FROM followed_entries WHERE playlist_id = ?"
            " ORDER BY place",
            (each["id"],),
        )
        yield {
            "playlist": _plain(each),
            "entries": [entry["uuid"] for entry in kept],
            "followed": [
                [one["place"], one["location"], places.get(one["entry_id"])] for one in followed
            ],
        }


def _plain(found: sqlite3.Row) -> dict[str, Any]:
    """Return a row as plain values, without the numbers that are this library's."""
    return {
        name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in zip(found.keys(), found, strict=True)
        if name not in _NUMBERS
    }


# ---------------------------------------------------------------------- in


Plain = str | int | float | dict[str, str] | None
Columns = dict[str, Plain]


class _Source(msgspec.Struct):
    """A place of a track."""

    location: str
    added_at: float


class _Line(msgspec.Struct):
    """A line, as it has to be; what it has besides is of a newer version, and left out."""

    track: Columns | None = None
    sources: list[_Source] = []
    stems: list[Columns] = []
    analyses: list[Columns] = []
    grids: list[Columns] = []
    cues: list[Columns] = []
    unwanted_cues: list[Columns] = []
    plays: list[Columns] = []
    playlist: Columns | None = None
    entries: list[str] = []
    followed: list[tuple[int, str, int | None]] = []


# What a value of a line may raise that SQLite or our own checks do not accept.
_INVALID = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
            TypeError, ValueError, KeyError, OverflowError, SfaError)  # fmt: skip


@dataclass
class OwnImporter:
    """Imports a file of our own format.

    Parameters
    ----------
    connection : Connection
        Of a transaction.
    places : Places
    report : Report
    mappings : list of Mapping
    """

    connection: Connection
    places: Places
    report: Report
    mappings: list[Mapping]
    _columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)  # of tracks by their uuid there
    _changed: set[int] = field(default_factory=set)
    _finder: Finder = field(default_factory=Finder)

    async def run(self, path: Path, progress: Callable[[float], None]) -> set[int]:
        """Import a file; return the tracks of before that are changed."""
        for table in _TABLES:
            found = await rows(self.connection, f"PRAGMA table_info({table})")
            self._columns[table] = tuple(
                each["name"] for each in found if each["name"] not in _NUMBERS
            )
        lines = read_lines(path)
        done = 0
        while part := await asyncio.to_thread(list, islice(lines, AT_ONCE)):
            known = [line for each in part if (line := self._line(each)) is not None]
            await self._tracks([line for line in known if line.track is not None])
            for line in known:
                if line.playlist is not None:
                    await self._playlist(line, line.playlist)
            done += len(part)
            progress(done / (done + 20 * AT_ONCE))
        return self._changed

    def _line(self, values: dict[str, Any]) -> _Line | None:
        """Return a line that has the form it has to have; else it is lost."""
        try:
            return msgspec.convert(values, _Line)
        except msgspec.ValidationError as error:
            self.report.lose("", "line", f"{error}"[:120])
            return None

    # ------------------------------------------------------------------ tracks

    async def _tracks(self, lines: list[_Line]) -> None:
        known: list[tuple[Record, Place, int]] = []
        for line in lines:
            values = line.track or {}
            identity = str(values.get("uuid", ""))
            name = f"{values.get('artist', '')} - {values.get('title', '')}".strip(" -")
            number, in_trash = await self._find(values, line)
            if in_trash:
                self.report.counts["read"] += 1
                self.report.lose(name, "track", "it is in the trash here")
                continue
            if number is not None:
                self._numbers[identity] = number
                known.append((self._record(line, values, name), self._place(line), number))
                continue
            self.report.counts["read"] += 1
            try:
                self._numbers[identity] = await self._insert(line, values)
            except _INVALID as error:
                self.report.lose(name, "track", f"its row is not valid: {error}"[:120])
                continue
            self.report.counts["new"] += 1
        if known:
            importer = Importer(self.connection, self.report)
            records, places, numbers = zip(*known, strict=True)
            made = await importer.run(records, places, numbers)
            self._changed |= made.changed

    async def _find(self, values: Columns, line: _Line) -> tuple[int | None, bool]:
        """Return the track that a line is of, and whether it was removed here."""
        found = await row(
            self.connection,
            "SELECT id, deleted_at FROM tracks WHERE uuid = ?",
            (str(values.get("uuid")),),
        )
        if found is not None:
            return found["id"], found["deleted_at"] is not None
        if values.get("content_hash"):
            found = await row(
                self.connection,
                "SELECT id FROM tracks WHERE content_hash = ? AND deleted_at IS NULL",
                (str(values["content_hash"]),),
            )
        else:
            found = await row(
                self.connection,
                "SELECT track_id AS id FROM sources JOIN tracks ON tracks.id = track_id"  # noqa: S608
                f" WHERE deleted_at IS NULL AND location {_AMONG} LIMIT 1",
                (json.dumps([place for place, _ in self._locations(line)]),),
            )
        return (None if found is None else found["id"]), False

    def _locations(self, line: _Line) -> list[tuple[str, float]]:
        """Return the places of a track here, each with when it was seen."""
        found = []
        for each in line.sources:
            location = mapped(each.location, self.mappings)
            found.append((self._finder.found(location) or location, each.added_at))
        return found

    def _place(self, line: _Line) -> Place:
        for location, _ in self._locations(line):
            if (file := self._finder.found(location)) is not None:
                return Place(file, file)
        return Place("", None)

    async def _insert(self, line: _Line, values: Columns) -> int:
        """Insert the rows of a new track; all of them, or none."""
        await self.connection.execute("SAVEPOINT own_track")
        try:
            number = await self._insert_rows(line, dict(values))
        except BaseException:
            await self.connection.execute("ROLLBACK TO own_track")
            await self.connection.execute("RELEASE own_track")
            raise
        await self.connection.execute("RELEASE own_track")
        return number

    async def _insert_rows(self, line: _Line, values: Columns) -> int:
        has_bundle = await asyncio.to_thread(self._has_bundle, values)
        if has_bundle:
            taken = await row(
                self.connection, "SELECT 1 FROM tracks WHERE bundle = ?", (values["bundle"],)
            )
            has_bundle = taken is None
        if not has_bundle:
            values |= {"bundle": None, "state": "added", "problem": ""}
        cover = values.get("cover")
        if cover and not (self.places.covers / Path(str(cover)).name).is_file():
            values["cover"] = None
        if path := values.get("source_path"):
            location = mapped(str(path), self.mappings)
            values["source_path"] = self._finder.found(location) or location
        number = await self._insert_into("tracks", values)
        for location, seen_at in self._locations(line):
            await self.connection.execute(
                "INSERT OR IGNORE INTO sources (track_id, location, added_at) VALUES (?, ?, ?)",
                (number, location, seen_at),
            )
        for table in _OF_TRACK:
            if table == "stems" and not has_bundle:
                continue  # there is no sound of them here
            for each in getattr(line, table):
                await self._insert_into(table, each, number)
        # The triggers of plays and sources have counted again.
        await self.connection.execute(
            "UPDATE tracks SET play_count = ?, played_at = ?, source_path = ? WHERE id = ?",
            (
                *(values.get("play_count", 0), values.get("played_at")),
                *(values.get("source_path"), number),
            ),
        )
        return number

    async def _insert_into(self, table: str, values: Columns, track: int | None = None) -> int:
        """Insert a row: of the columns that both libraries know, those that the file has."""
        known = {name: _value(values[name]) for name in self._columns[table] if name in values}
        if track is not None:
            known["track_id"] = track
        names, slots = ", ".join(known), ", ".join("?" * len(known))
        verb = "INSERT OR IGNORE" if table == "plays" else "INSERT"  # a uuid counts once
        sql = f"{verb} INTO {table} ({names}) VALUES ({slots})"
        return await insert(self.connection, sql, tuple(known.values()))

    def _has_bundle(self, values: Columns) -> bool:
        """Return whether the bundle of a track was copied here. Blocks."""
        name = values.get("bundle")
        if not isinstance(name, str) or Path(name).name != name:
            return False
        try:
            return read_bundle(self.places.bundles / name).track.uuid == values.get("uuid")
        except MediaError:
            return False

    def _record(self, line: _Line, values: Columns, name: str) -> Record:
        """Return what was made by hand of a track that is here already."""
        about: dict[str, Any] = {}
        texts = ("title", "artist", "album", "genre", "label", "comment", "color")
        numbers = ("year", "duration_s", "rating", "play_count", "played_at", "added_at")
        about |= {key: str(values.get(key) or "") for key in texts}
        about |= {key: _number(values.get(key)) for key in numbers}
        grid: Grid | None = None
        cues: list[Cue] = []
        for each in line.grids:
            if each.get("origin") == "hand":
                try:
                    grid = _grid(each)
                except _INVALID:
                    self.report.lose(name, "grid", "it is not valid")
        for each in line.cues:
            if each.get("origin") == "hand":
                try:
                    fields: dict[str, Any] = {key: each[key] for key in EDITABLE if key in each}
                    cues.append(Cue(**{**fields, "on_load": bool(fields.get("on_load"))}))
                except _INVALID:
                    self.report.lose(name, "cue", "it is not valid")
        return Record(
            str(values.get("uuid")),
            **about,
            bpm=_number(values.get("tag_bpm")),
            musical_key=str(values.get("hand_key") or values.get("tag_key") or ""),
            grid=grid,
            cues=tuple(cues),
        )

    # ------------------------------------------------------------------ playlists

    async def _playlist(self, line: _Line, values: Columns) -> None:
        """Create a playlist, or append what one of its name lacks."""
        name = str(values.setdefault("name", ""))
        numbers = [self._numbers.get(each) for each in line.entries]
        for missing in numbers:
            if missing is None:
                self.report.lose(name, "playlist entry", "its track was not imported")
        found = await row(
            self.connection, "SELECT id FROM playlists WHERE name = ? OR source = ?",
            (name, values.get("source")),
        )  # fmt: skip
        if found is None:
            try:
                _check_folders(values)
                playlist = await self._insert_into("playlists", values)
            except _INVALID:
                self.report.lose(name, "playlist", "its row is not valid")
                return
            self.report.counts["playlists"] += 1
            entries = [
                None if number is None else await self._entry(playlist, place, number)
                for place, number in enumerate(numbers)
            ]
            for place, location, at in line.followed:
                entry = entries[at] if at is not None and 0 <= at < len(entries) else None
                await self.connection.execute(
                    "INSERT OR IGNORE INTO followed_entries VALUES (?, ?, ?, ?)",
                    (playlist, place, location, entry),
                )
            return
        await self._append(found["id"], [number for number in numbers if number is not None])

    async def _entry(self, playlist: int, place: int, track: int) -> int:
        self.report.counts["playlist entries"] += 1
        return await insert(
            self.connection,
            "INSERT INTO playlist_entries (playlist_id, place, track_id) VALUES (?, ?, ?)",
            (playlist, place, track),
        )

    async def _append(self, playlist: int, numbers: list[int]) -> None:
        there = await rows(
            self.connection,
            "SELECT track_id, place FROM playlist_entries WHERE playlist_id = ?",
            (playlist,),
        )
        left = [each["track_id"] for each in there]
        place = max((each["place"] for each in there), default=-1) + 1
        for number in numbers:
            if number in left:
                left.remove(number)
                continue
            await self._entry(playlist, place, number)
            place += 1
        if place > max((each["place"] for each in there), default=-1) + 1:
            await self.connection.execute(
                "UPDATE playlists SET changed_at = ? WHERE id = ?", (time.time(), playlist)
            )


def pages(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Yield numbers of tracks, a page at a time."""
    for first in range(0, len(numbers), AT_ONCE):
        yield list(numbers[first : first + AT_ONCE])


def _value(value: Plain) -> Any:
    """Return a value of a line as a column has it."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"], validate=True)
    return value


def _check_folders(values: Columns) -> None:
    """Raise ValueError for folders that are not a list of names."""
    folders = values.setdefault("folders", "[]")
    if not isinstance(folders, str) or not all(
        isinstance(each, str) for each in msgspec.json.decode(folders, type=list[Any])
    ):
        raise ValueError(f"{folders!r:.40} are not folders")


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _grid(values: dict[str, Any]) -> Grid:
    anchors = tuple(Anchor(float(f), float(b)) for f, b in json.loads(values["anchors"]))
    grid = Grid(anchors, float(values["bpm"]), int(values["beats_per_bar"]))
    return at_rate(grid, int(values["rate"]), GRID_RATE)
