"""Engine DJ: the library ``Engine Library/Database2/m.db``, read and written.

A track's path is relative to ``Engine Library``; its grid, cues and loops are the blobs of
`sfa_engine.interchange.engine_blobs`. Playlists are linked lists that may hold others; a track is
in one once. A database is read as a copy, and written only where there is none. Blocks.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sfa_engine.errors import MediaError, SfaError
from sfa_engine.interchange import engine_blobs as blobs
from sfa_engine.interchange.engine_schema import READABLE, SCHEMA, VERSION
from sfa_engine.interchange.pads import LOOPS_FROM, pads_of
from sfa_engine.interchange.record import Collection, List, Loss, Record
from sfa_engine.interchange.sqlite_copy import (
    blob,
    chosen,
    columns,
    moment,
    number,
    opened_copy,
    text,
    whole,
)
from sfa_engine.library.cues import Cue
from sfa_engine.system.atomic import atomic_file
from sfa_engine.track.key import KEYS, parse_key

HOME = "Engine Library"
DATABASE = Path("Database2") / "m.db"
STAR = 20  # of a rating of 100
MAX_DEPTH = 50  # of playlists in playlists
USUAL_RATE = 44_100  # Hz, of a file that cannot be looked at
_BLOBS = ("trackData", "beatData", "quickCues", "loops")
_COLUMNS = (
    "id", "length", "bpm", "year", "path", "bpmAnalyzed", "fileBytes", "title", "artist", "album",
    "genre", "comment", "label", "key", "rating", "timeLastPlayed", "dateAdded", "dateCreated",
    "streamingSource", "originDatabaseUuid", "originTrackId",
)  # fmt: skip
# Their code of each key: fifths from C, each followed by its relative minor.
_CODES = {key: 2 * (index % 12) + (index < 12) for index, key in enumerate(KEYS)}
_KEYS = {code: key for key, code in _CODES.items()}


def read(path: Path) -> Collection:
    """Read an ``Engine Library``, the folder above it, or an ``m.db``."""
    database = _database_of(path)
    losses: list[Loss] = []
    with opened_copy(database, "Engine DJ") as connection:
        own = _check(connection, database)
        home = database.parent.parent
        rows = list(_rows(connection))
        records = [record for row in rows if (record := _track(row, home, losses))]
        known = {record.key for record in records}
        lists = list(_lists(connection, _ids(rows, own), known, losses))
    return Collection(tuple(records), tuple(lists), tuple(losses))


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write ``Engine Library/Database2/m.db`` into a folder that has none."""
    target = path / HOME / DATABASE
    if target.exists() or target.is_symlink():
        raise MediaError(
            f'"{target}" exists: Engine DJ keeps it', "name another folder, or move it away"
        )
    losses: list[Loss] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as part, contextlib.closing(_created(part)) as connection:
            _fill(connection, collection, path / HOME, losses)
            connection.commit()
    except sqlite3.Error as problem:
        raise MediaError(f'cannot write "{target}": {problem}', "check the free space") from problem
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(
            f'cannot write "{target}": {reason}', "check the free space and the permissions there"
        ) from problem
    return losses


# ---------------------------------------------------------------- reading


def _database_of(path: Path) -> Path:
    places = (path, path / DATABASE, path / HOME / DATABASE, path / DATABASE.name)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise MediaError(f'"{path}" has no {HOME}', f'name the folder "{HOME}"')
    return found


def _check(connection: sqlite3.Connection, path: Path) -> str:
    """Return the database's own uuid; MediaError if its schema is not known."""
    names = ("uuid", "schemaVersionMajor", "schemaVersionMinor", "schemaVersionPatch")
    rows = (
        columns(connection, "Information")
        and connection.execute(
            f"SELECT {chosen(connection, 'Information', names)} FROM Information"  # noqa: S608
        ).fetchall()
    )
    if not rows or not columns(connection, "Track"):
        raise MediaError(f'"{path}" is not a library of Engine DJ', "name its m.db")
    version = whole(rows[0][1], 0, 1000), whole(rows[0][2], 0, 1000)
    if version not in READABLE:
        raise MediaError(
            f'"{path}" is of schema {rows[0][1]}.{rows[0][2]}.{rows[0][3]}',
            "schemas 2.18 to 2.21, 3.0 and 3.1 are read: Engine DJ 2 to 4",
        )
    return text(rows[0][0])


def _rows(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    if columns(connection, "PerformanceData"):
        data = chosen(connection, "PerformanceData", _BLOBS)
        join = "LEFT JOIN PerformanceData ON PerformanceData.trackId = Track.id"
    else:
        data, join = chosen(connection, "Track", _BLOBS), ""
    yield from connection.execute(
        f"SELECT {chosen(connection, 'Track', _COLUMNS)}, {data} FROM Track {join}"  # noqa: S608
        " ORDER BY Track.id"
    )


def _ids(rows: Iterable[sqlite3.Row], own: str) -> dict[tuple[str, Any], str]:
    """Return the keys of tracks by database and number: as they are here, as they came here."""
    found: dict[tuple[str, Any], str] = {}
    for row in rows:
        found[text(row["originDatabaseUuid"]), row["originTrackId"]] = str(row["id"])
    for row in rows:
        found.setdefault((own, row["id"]), str(row["id"]))
    return found


def _track(row: sqlite3.Row, home: Path, losses: list[Loss]) -> Record | None:
    values: dict[str, Any] = {
        "key": str(row["id"]),
        "location": _location(text(row["path"], 4000), home),
        **{
            name: text(row[name])
            for name in ("title", "artist", "album", "genre", "comment", "label")
        },
        "year": whole(row["year"], 1, 9999),
        "bpm": number(row["bpmAnalyzed"], 1, 1000) or number(row["bpm"], 1, 1000),
        "musical_key": _KEYS.get(row["key"], ""),
        "duration_s": number(row["length"], 1, 1e6),
        "size_bytes": whole(row["fileBytes"], 1, 1 << 50),
        "rating": _stars(row["rating"]),
        "played_at": moment(row["timeLastPlayed"]),
        "added_at": moment(row["dateAdded"]) or moment(row["dateCreated"]),
    }
    bare = Record(**values)
    if text(row["streamingSource"]):
        losses.append(Loss(bare.name, "track", "it is streamed: there is no file"))
        return None
    grid = None
    rate = _rate(row)
    try:
        grid = blobs.parse_beat_data(blob(row["beatData"]))
    except SfaError as problem:
        losses.append(Loss(bare.name, "grid", problem.message))
    return Record(**values, grid=grid, cues=_cues(bare.name, row, rate, losses))


def _rate(row: sqlite3.Row) -> float | None:
    """Return the rate in Hz of a track's file, by whichever blob is not damaged."""
    for name in ("trackData", "beatData"):
        with contextlib.suppress(MediaError):
            if rate := blobs.rate_of(blob(row[name])):
                return rate
    return None


def _stars(value: Any) -> int | None:
    rating = number(value, 1, 100)
    return None if rating is None else max(1, round(rating / STAR))


def _location(path: str, home: Path) -> str:
    """Return where a track's file is; the path is relative to the library's folder."""
    if not path:
        return ""
    return os.path.normpath(home.absolute() / path.replace("\\", "/"))


def _cues(where: str, row: sqlite3.Row, rate: float | None, losses: list[Loss]) -> tuple[Cue, ...]:
    found: list[tuple[str, dict[str, Any], blobs.Pad]] = []
    for name in ("quickCues", "loops"):
        try:
            if name == "loops":
                pads = blobs.parse_loops(blob(row[name]))
                found += [
                    (f"loop {index + 1}", {"slot": LOOPS_FROM + index, "kind": "loop"}, pad)
                    for index, pad in pads.items()
                ]
                continue
            pads, main = blobs.parse_quick_cues(blob(row[name]))
            found += [
                (f"hot cue {index + 1}", {"slot": index + 1}, pad) for index, pad in pads.items()
            ]
            if main is not None:
                found.append(("main cue", {"on_load": True}, blobs.Pad(main)))
        except MediaError as problem:
            losses.append(Loss(where, "cue", problem.message))
    if found and rate is None:
        losses.append(Loss(where, "cue", "the file's rate is not known there"))
        return ()
    cues: list[Cue] = []
    for what, values, pad in found:
        assert rate is not None
        try:
            cues.append(
                Cue(
                    pad.start / rate,
                    end_s=None if pad.end is None else pad.end / rate,
                    label=pad.label[:200],
                    color="" if "on_load" in values else f"#{pad.color:06x}",
                    **values,
                )
            )
        except SfaError as problem:
            losses.append(Loss(where, what, problem.message))
    return tuple(sorted(cues, key=lambda cue: cue.position_s))


def _lists(
    connection: sqlite3.Connection,
    ids: Mapping[tuple[str, Any], str],
    known: set[str],
    losses: list[Loss],
) -> Iterator[List]:
    if not columns(connection, "Playlist") or not columns(connection, "PlaylistEntity"):
        return
    entries: dict[Any, list[sqlite3.Row]] = defaultdict(list)
    for row in connection.execute(
        "SELECT id, listId, trackId, databaseUuid, nextEntityId FROM PlaylistEntity ORDER BY id"
    ):
        entries[row["listId"]].append(row)
    children: dict[Any, list[sqlite3.Row]] = defaultdict(list)
    for row in connection.execute(
        "SELECT id, title, parentListId, nextListId FROM Playlist ORDER BY id"
    ):
        children[row["parentListId"]].append(row)

    def below(parent: Any, folders: tuple[str, ...]) -> Iterator[List]:
        if len(folders) > MAX_DEPTH:
            losses.append(Loss(folders[0], "playlist", f"it is {MAX_DEPTH} lists deep"))
            return
        for row in _in_order(children.pop(parent, []), "nextListId"):
            name = text(row["title"]) or f"List {row['id']}"
            tracks = _in_order(entries[row["id"]], "nextEntityId")
            found = [ids.get((text(track["databaseUuid"]), track["trackId"])) for track in tracks]
            keys = tuple(key for key in found if key in known and key is not None)
            if len(keys) < len(found):
                losses.append(Loss(name, "playlist", "some of its tracks are not in the library"))
            if keys or row["id"] not in children:
                yield List(name, folders, keys)
            yield from below(row["id"], (*folders, name))

    yield from below(0, ())


def _in_order(rows: list[sqlite3.Row], following: str) -> list[sqlite3.Row]:
    """Return the rows of a linked list in its order; those that no link reaches come last."""
    before = {row[following]: row for row in rows}
    ordered: list[sqlite3.Row] = []
    seen: set[Any] = set()
    row = before.get(0)
    while row is not None and row["id"] not in seen:
        seen.add(row["id"])
        ordered.append(row)
        row = before.get(row["id"])
    ordered.reverse()
    return ordered + [row for row in rows if row["id"] not in seen]


# ---------------------------------------------------------------- writing


def _created(path: Path) -> sqlite3.Connection:
    """Create an empty library."""
    connection = sqlite3.connect(path)
    try:
        # Of a part that a rename completes: a crash leaves none.
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(SCHEMA)
        connection.execute(
            "INSERT INTO Information (uuid, schemaVersionMajor, schemaVersionMinor,"
            " schemaVersionPatch, currentPlayedIndiciator, lastRekordBoxLibraryImportReadCounter)"
            " VALUES (?, ?, ?, ?, ?, 0)",
            (str(uuid.uuid4()), *VERSION, secrets.randbits(63)),
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _fill(
    connection: sqlite3.Connection, collection: Collection, home: Path, losses: list[Loss]
) -> None:
    (own,) = connection.execute("SELECT uuid FROM Information").fetchone()
    numbers: dict[str, int] = {}
    paths: set[str] = set()
    for record in collection.tracks:
        if not record.location:
            losses.append(Loss(record.name, "track", "it has no file"))
            continue
        path = _relative(Path(record.location), home)
        if path in paths:
            losses.append(Loss(record.name, "track", "another one has the same file"))
            continue
        paths.add(path)
        sound = _sound_of(record)
        if not sound.is_known and (record.cues or record.grid):
            why = f"its file is not there: taken to be at {USUAL_RATE} Hz"
            losses.append(Loss(record.name, "cue", why))
        track_id = len(numbers) + 1
        _insert_track(connection, track_id, record, path, sound)
        _insert_data(connection, track_id, record, sound, losses)
        numbers[record.key] = track_id
    if collection.tracks and not numbers:
        raise MediaError("no track can be written", losses[0].why)
    _insert_lists(connection, collection, numbers, own, losses)


def _relative(source: Path, home: Path) -> str:
    return PurePosixPath(os.path.relpath(source.absolute(), home.absolute())).as_posix()


@dataclass(frozen=True, slots=True)
class _Sound:
    rate: float
    seconds: float
    bit_rate: int
    size: int
    is_known: bool


def _sound_of(record: Record) -> _Sound:
    """Return what is needed of a track's file."""
    import mutagen

    info: Any = None
    size = record.size_bytes or 0
    with contextlib.suppress(Exception):  # an odd or a missing file
        path = Path(record.location)
        size = size or path.stat().st_size
        info = mutagen.File(path).info
    rate = float(getattr(info, "sample_rate", 0) or 0)
    seconds = record.duration_s or float(getattr(info, "length", 0.0) or 0.0)
    if not seconds:
        ends = [cue.end_s or cue.position_s for cue in record.cues]
        seconds = max(ends, default=0.0) + 600
    is_known = blobs.RATES[0] <= rate <= blobs.RATES[1]
    bits = int(getattr(info, "bitrate", 0) or 0) // 1000
    return _Sound(rate if is_known else float(USUAL_RATE), seconds, bits, size, is_known)


def _insert_track(
    connection: sqlite3.Connection, track_id: int, record: Record, path: str, sound: _Sound
) -> None:
    bpm = record.bpm or (record.grid.bpm if record.grid else None)
    name = PurePosixPath(path)
    values = {
        "id": track_id,
        "length": round(record.duration_s or 0) or None,
        "bpm": None if bpm is None else round(bpm),
        "bpmAnalyzed": bpm,
        "year": record.year,
        "path": path,
        "filename": name.name,
        "bitrate": sound.bit_rate,
        "albumArtId": 1,
        "fileBytes": sound.size or None,
        "title": record.title or name.stem,
        "artist": record.artist or None,
        "album": record.album or None,
        "genre": record.genre or None,
        "comment": record.comment or None,
        "label": record.label or None,
        "key": _code(record.musical_key),
        "rating": STAR * (record.rating or 0),
        "timeLastPlayed": _whole_seconds(record.played_at),
        "isPlayed": bool(record.play_count),
        "fileType": name.suffix[1:].lower(),
        "isAnalyzed": record.grid is not None,
        "dateCreated": _whole_seconds(record.added_at),
        "dateAdded": _whole_seconds(record.added_at),
        "isAvailable": 1,
        "isMetadataOfPackedTrackChanged": 0,
        "isPerfomanceDataOfPackedTrackChanged": 0,
        "isMetadataImported": 1,
        "pdbImportKey": 0,
        "isBeatGridLocked": record.grid is not None,
        "streamingFlags": 0,
        "explicitLyrics": 0,
    }
    places = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO Track ({', '.join(values)}) VALUES ({places})",  # noqa: S608
        tuple(values.values()),
    )


def _insert_data(
    connection: sqlite3.Connection,
    track_id: int,
    record: Record,
    sound: _Sound,
    losses: list[Loss],
) -> None:
    pads = pads_of(record)
    losses += pads.losses
    beat_data = b""
    if record.grid is not None:
        beat_data, exact = blobs.beat_data(record.grid, sound.rate, sound.seconds)
        if not exact:
            why = "some beats are moved: markers are whole beats"
            losses.append(Loss(record.name, "grid", why))
        if record.grid.beats_per_bar != 4:
            losses.append(Loss(record.name, "grid", "bars are of four beats there"))
    if record.color:
        losses.append(Loss(record.name, "color", "tracks have no colour there"))
    main = next((cue.position_s for cue in record.cues if cue.on_load), None)
    cues = {index: _pad(record, cue, index, sound, losses) for index, cue in pads.cues.items()}
    loops = {index: _pad(record, cue, index, sound, losses) for index, cue in pads.loops.items()}
    samples = round(sound.seconds * sound.rate)
    connection.execute(
        "UPDATE PerformanceData SET trackData = ?, beatData = ?, quickCues = ?, loops = ?"
        " WHERE trackId = ?",
        (
            blobs.track_data(sound.rate, samples, _code(record.musical_key)),
            beat_data or None,
            blobs.quick_cues(cues, None if main is None else main * sound.rate),
            blobs.loops(loops),
            track_id,
        ),
    )


def _pad(record: Record, cue: Cue, index: int, sound: _Sound, losses: list[Loss]) -> blobs.Pad:
    if not blobs.fits_label(cue.label):
        losses.append(Loss(record.name, "label", "it has letters that are not of Latin-1"))
    return blobs.Pad(
        cue.position_s * sound.rate,
        None if cue.end_s is None else cue.end_s * sound.rate,
        cue.label,
        int(cue.color[1:], 16) if cue.color else blobs.COLORS[index],
    )


def _code(key: str) -> int | None:
    with contextlib.suppress(SfaError):
        return _CODES[parse_key(key)] if key else None
    return None


def _whole_seconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)


def _insert_lists(
    connection: sqlite3.Connection,
    collection: Collection,
    numbers: Mapping[str, int],
    own: str,
    losses: list[Loss],
) -> None:
    lists: dict[tuple[str, ...], int] = {}
    entry = 0
    for each in collection.playlists:
        parent = 0
        for depth in range(len(each.folders)):
            parent = _list(connection, lists, each.folders[: depth + 1], parent)
        path = (*each.folders, each.name)
        name, count = path, 1
        while name in lists and _has_tracks(connection, lists[name]):
            count += 1
            name = (*each.folders, f"{each.name} ({count})")
        if name != path:
            losses.append(Loss(each.name, "playlist", f'another one has its name: "{name[-1]}"'))
        list_id = _list(connection, lists, name, parent)
        found = [numbers[key] for key in each.keys if key in numbers]
        tracks = list(dict.fromkeys(found))
        if len(tracks) < len(found):
            losses.append(Loss(each.name, "playlist", "a list has each track once"))
        if len(found) < len(each.keys):
            losses.append(Loss(each.name, "playlist", "some of its tracks are not written"))
        rows = [
            (entry + place, list_id, track, own, entry + place + 1 if place < len(tracks) else 0)
            for place, track in enumerate(tracks, 1)
        ]
        connection.executemany(
            "INSERT INTO PlaylistEntity (id, listId, trackId, databaseUuid, nextEntityId,"
            " membershipReference) VALUES (?, ?, ?, ?, ?, 0)",
            rows,
        )
        entry += len(tracks)


def _list(
    connection: sqlite3.Connection,
    lists: dict[tuple[str, ...], int],
    path: tuple[str, ...],
    parent: int,
) -> int:
    """Return the number of a playlist, made at the end of its parent's unless it exists."""
    if path not in lists:
        cursor = connection.execute(
            "INSERT INTO Playlist (title, parentListId, isPersisted, nextListId, lastEditTime,"
            " isExplicitlyExported) VALUES (?, ?, 1, 0, strftime('%s'), 1)",
            (path[-1], parent),
        )
        assert cursor.lastrowid is not None
        lists[path] = cursor.lastrowid
    return lists[path]


def _has_tracks(connection: sqlite3.Connection, list_id: int) -> bool:
    found = connection.execute(
        "SELECT 1 FROM PlaylistEntity WHERE listId = ? LIMIT 1", (list_id,)
    ).fetchone()
    return found is not None
