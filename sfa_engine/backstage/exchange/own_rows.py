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
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
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


@dataclass
class _Ready:
    """A line of a track, with what is here of it.

    Attributes
    ----------
    line : _Line
    values : dict
        The columns of its row.
    locations : list of (str, float)
        Its places here, each with when it was seen.
    place : Place
        Of a file that is here.
    has_bundle : bool
        Whether its bundle was copied here.
    number : int, optional
        Of the track that it is here.
    in_trash : bool
    """

    line: _Line
    values: Columns
    locations: list[tuple[str, float]]
    place: Place
    has_bundle: bool
    number: int | None = None
    in_trash: bool = False

    @property
    def identity(self) -> str:
        """The uuid."""
        return str(self.values.get("uuid", ""))

    @property
    def name(self) -> str:
        """How a report names it."""
        return f"{self.values.get('artist', '')} - {self.values.get('title', '')}".strip(" -")


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
        ready = await asyncio.to_thread(lambda: [self._prepared(line) for line in lines])
        await self._find(ready)
        counts = self.report.counts
        known: list[tuple[Record, Place, int]] = []
        new = []
        for each in ready:
            if each.in_trash:
                counts["read"] += 1
                self.report.lose(each.name, "track", "it is in the trash here")
            elif each.number is None:
                new.append(each)
            else:
                self._numbers[each.identity] = each.number
                known.append((self._record(each), each.place, each.number))
        if new:
            await self._insert(new)
        if known:
            importer = Importer(self.connection, self.report)
            records, places, numbers = zip(*known, strict=True)
            made = await importer.run(records, places, numbers)
            self._changed |= made.changed

    def _prepared(self, line: _Line) -> _Ready:
        """Return a line with the places that its files have here. Blocks."""
        values = dict(line.track or {})
        locations = []
        for each in line.sources:
            location = mapped(each.location, self.mappings)
            locations.append((self._finder.found(location) or location, each.added_at))
        files = [file for place, _ in locations if (file := self._finder.found(place))]
        cover = values.get("cover")
        if cover and not (self.places.covers / Path(str(cover)).name).is_file():
            values["cover"] = None
        if path := values.get("source_path"):
            location = mapped(str(path), self.mappings)
            values["source_path"] = self._finder.found(location) or location
        return _Ready(
            line,
            values,
            locations,
            Place(files[0], files[0]) if files else Place("", None),
            has_bundle=self._has_bundle(values),
        )

    async def _find(self, ready: list[_Ready]) -> None:
        """Find the tracks that lines are of, by uuid, sound and place, and whose bundle it is."""

        async def found(sql: str, wanted: Iterable[Any]) -> dict[Any, sqlite3.Row]:
            listed = json.dumps([each for each in wanted if isinstance(each, str)])
            return {each[0]: each for each in await rows(self.connection, sql, (listed,))}

        alive = "deleted_at IS NULL"
        of_uuid = await found(
            f"SELECT uuid, id, deleted_at FROM tracks WHERE uuid {_AMONG}",  # noqa: S608 - ours
            (each.identity for each in ready),
        )
        of_sound = await found(
            f"SELECT content_hash, id FROM tracks WHERE {alive} AND content_hash {_AMONG}",  # noqa: S608
            (each.values.get("content_hash") for each in ready),
        )
        of_place = await found(
            "SELECT location, track_id AS id FROM sources JOIN tracks ON tracks.id = track_id"  # noqa: S608
            f" WHERE {alive} AND location {_AMONG}",
            (place for each in ready for place, _ in each.locations),
        )
        bundles = await found(
            f"SELECT bundle, id FROM tracks WHERE bundle {_AMONG}",  # noqa: S608 - ours
            (each.values.get("bundle") for each in ready),
        )
        for each in ready:
            each.has_bundle &= each.values.get("bundle") not in bundles
            sound = each.values.get("content_hash")
            if (row_there := of_uuid.get(each.identity)) is not None:
                each.number = row_there["id"]
                each.in_trash = row_there["deleted_at"] is not None
            elif sound:
                there = of_sound.get(sound) if isinstance(sound, str) else None
                each.number = there["id"] if there else None
            else:
                places = (of_place.get(place) for place, _ in each.locations)
                each.number = next((there["id"] for there in places if there), None)

    async def _insert(self, new: list[_Ready]) -> None:
        """Insert new tracks at once; if one is not valid, each alone."""
        await self.connection.execute("SAVEPOINT own_tracks")
        try:
            await self._insert_rows(new)
        except _INVALID as error:
            await self.connection.execute("ROLLBACK TO own_tracks")
            await self.connection.execute("RELEASE own_tracks")
            if len(new) > 1:
                for each in new:
                    await self._tracks([each.line])  # which finds what the one before has made
                return
            self.report.counts["read"] += 1
            self.report.lose(new[0].name, "track", f"its row is not valid: {error}"[:120])
            return
        await self.connection.execute("RELEASE own_tracks")
        self.report.counts["read"] += len(new)
        self.report.counts["new"] += len(new)
        self._numbers |= {each.identity: each.number for each in new if each.number is not None}

    async def _insert_rows(self, new: list[_Ready]) -> None:
        found = await row(self.connection, "SELECT seq FROM sqlite_sequence WHERE name = 'tracks'")
        first = (int(found["seq"]) if found else 0) + 1
        kept = []
        for number, each in enumerate(new, first):
            each.number = number
            if not each.has_bundle:
                each.values |= {"bundle": None, "state": "added", "problem": ""}
            kept.append({**each.values, "id": number})
        await self._insert_into("tracks", kept, "id")
        await self.connection.executemany(
            "INSERT OR IGNORE INTO sources (track_id, location, added_at) VALUES (?, ?, ?)",
            [(each.number, *place) for each in new for place in each.locations],
        )
        for table in _OF_TRACK:
            # A track's stems are files of its bundle.
            kept = [
                {**values, "track_id": each.number}
                for each in new
                if table != "stems" or each.has_bundle
                for values in getattr(each.line, table)
            ]
            await self._insert_into(table, kept, "track_id")
        # The triggers of plays and sources have counted again.
        await self.connection.executemany(
            "UPDATE tracks SET play_count = ?, played_at = ?, source_path = ? WHERE id = ?",
            [
                (
                    *(each.values.get("play_count", 0), each.values.get("played_at")),
                    *(each.values.get("source_path"), each.number),
                )
                for each in new
            ],
        )

    async def _insert_into(self, table: str, kept: list[Columns], key: str) -> None:
        """Insert rows: of the columns that both libraries know, those that the file has."""
        known = (*self._columns[table], key)
        alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for values in kept:
            names = tuple(name for name in known if name in values)
            alike.setdefault(names, []).append(tuple(_value(values[name]) for name in names))
        verb = "INSERT OR IGNORE" if table == "plays" else "INSERT"  # a uuid counts once
        for names, many in alike.items():
            slots = ", ".join("?" * len(names))
            sql = f"{verb} INTO {table} ({', '.join(names)}) VALUES ({slots})"
            await self.connection.executemany(sql, many)

    def _has_bundle(self, values: Columns) -> bool:
        """Return whether the bundle of a track was copied here. Blocks."""
        name = values.get("bundle")
        if not isinstance(name, str) or Path(name).name != name:
            return False
        try:
            return read_bundle(self.places.bundles / name).track.uuid == values.get("uuid")
        except MediaError:
            return False

    def _record(self, ready: _Ready) -> Record:
        """Return what was made by hand of a track that is here already."""
        line, values, name = ready.line, ready.values, ready.name
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
                playlist = await self._create(values)
            except _INVALID:
                self.report.lose(name, "playlist", "its row is not valid")
                return
            self.report.counts["playlists"] += 1
            entries = [
                (place, number) for place, number in enumerate(numbers) if number is not None
            ]
            await self._entries(playlist, entries)
            await self._follow(playlist, line)
            return
        await self._append(found["id"], [number for number in numbers if number is not None])

    async def _create(self, values: Columns) -> int:
        """Create a playlist with the columns of a line; return its number."""
        known = {
            name: _value(values[name]) for name in self._columns["playlists"] if name in values
        }
        slots = ", ".join("?" * len(known))
        sql = f"INSERT INTO playlists ({', '.join(known)}) VALUES ({slots})"  # noqa: S608
        return await insert(self.connection, sql, tuple(known.values()))

    async def _entries(self, playlist: int, entries: list[tuple[int, int]]) -> None:
        """Insert entries: place and track of each."""
        self.report.counts["playlist entries"] += len(entries)
        await self.connection.executemany(
            "INSERT INTO playlist_entries (playlist_id, place, track_id) VALUES (?, ?, ?)",
            [(playlist, *each) for each in entries],
        )

    async def _follow(self, playlist: int, line: _Line) -> None:
        """Insert what a playlist follows, by the entries that it has here."""
        if not line.followed:
            return
        found = await rows(
            self.connection,
            "SELECT place, id FROM playlist_entries WHERE playlist_id = ?",
            (playlist,),
        )
        entries = {each["place"]: each["id"] for each in found}
        await self.connection.executemany(
            "INSERT OR IGNORE INTO followed_entries VALUES (?, ?, ?, ?)",
            [(playlist, place, location, entries.get(at)) for place, location, at in line.followed],
        )

    async def _append(self, playlist: int, numbers: list[int]) -> None:
        there = await rows(
            self.connection,
            "SELECT track_id, place FROM playlist_entries WHERE playlist_id = ?",
            (playlist,),
        )
        left = Counter(each["track_id"] for each in there)
        place = max((each["place"] for each in there), default=-1) + 1
        entries: list[tuple[int, int]] = []
        for number in numbers:
            if left[number] > 0:
                left[number] -= 1
            else:
                entries.append((place + len(entries), number))
        if entries:
            await self._entries(playlist, entries)
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
