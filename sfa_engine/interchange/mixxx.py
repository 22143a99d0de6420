"""Mixxx: its database ``mixxxdb.sqlite``, read.

Positions are twice the frame number, at the file's rate, and may have a fraction. Beats are a
protobuf: all of them (``BeatMap-1.0``) or the first one and the tempo (``BeatGrid-2.0``). Mixxx
knows no downbeats: the first beat counts as one. A hot cue and a loop share one numbering.

References
----------
.. [1] Mixxx, ``res/schema.xml`` and ``src/proto/beats.proto``.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfa_engine.desk.deck import HOT_CUES
from sfa_engine.errors import MediaError, SfaError
from sfa_engine.interchange.beat_markers import grid_of, thinned
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
from sfa_engine.track.grid import Grid
from sfa_engine.track.key import parse_key

NEWEST = 41  # schema that is known; newer ones that say that they are compatible are read too
MAX_BEATS = 500_000
BEAT_S = 0.0005  # by which a beat may be off the line through its neighbours
CRATES = "Crates"  # the folder of crates among playlists
RATES = (8_000, 384_000)  # Hz
_HOT, _MAIN, _LOOP, _INTRO, _OUTRO = 1, 2, 4, 6, 7
_KINDS = {_INTRO: "intro", _OUTRO: "outro"}
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_COLUMNS = (
    "id", "artist", "title", "album", "year", "genre", "comment", "duration", "samplerate", "bpm",
    "key", "key_id", "rating", "timesplayed", "last_played_at", "datetime_added", "color", "beats",
    "beats_version",
)  # fmt: skip


def read(path: Path) -> Collection:
    """Read a ``mixxxdb.sqlite``, or the one in a folder."""
    if path.is_dir():
        path /= "mixxxdb.sqlite"
    if not path.exists():
        raise MediaError(f'no file "{path}"', "it is in the folder of Mixxx' settings")
    with opened_copy(path, "Mixxx") as connection:
        _check(connection, path)
        losses: list[Loss] = []
        cues = _cues(connection)
        tracks = [_track(row, cues, losses) for row in _rows(connection)]
        lists = [*_playlists(connection), *_crates(connection)]
        known = {track.key for track in tracks}
        lists = [
            List(each.name, each.folders, tuple(key for key in each.keys if key in known))
            for each in lists
        ]
    if any(track.grid for track in tracks):
        losses.append(Loss("", "downbeats", "Mixxx has none: the first beat counts as one"))
    return Collection(tuple(tracks), tuple(lists), tuple(losses))


def _check(connection: sqlite3.Connection, path: Path) -> None:
    for table in ("library", "track_locations", "cues"):
        if not columns(connection, table):
            raise MediaError(
                f'"{path}" is not a database of Mixxx: it has no table {table}',
                "name mixxxdb.sqlite in the folder of Mixxx' settings",
            )
    if not columns(connection, "settings"):
        return
    found = connection.execute(
        "SELECT value FROM settings WHERE name = 'mixxx.schema.min_compatible_version'"
    ).fetchone()
    oldest = whole(found[0], 0, 1 << 31) if found else None
    if oldest is not None and oldest > NEWEST:
        raise MediaError(
            f'"{path}" is of schema {oldest}, which is newer than {NEWEST}',
            "update Sound Forge Alchemy",
        )


def _rows(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    yield from connection.execute(
        f"SELECT {chosen(connection, 'library', _COLUMNS)},"  # noqa: S608 - our own names
        " track_locations.location AS path, track_locations.filesize AS size"
        " FROM library JOIN track_locations ON library.location = track_locations.id"
        " WHERE COALESCE(library.mixxx_deleted, 0) = 0 ORDER BY library.id"
    )


def _cues(connection: sqlite3.Connection) -> dict[Any, list[sqlite3.Row]]:
    names = ("track_id", "type", "position", "length", "hotcue", "label", "color")
    cues: dict[Any, list[sqlite3.Row]] = defaultdict(list)
    for row in connection.execute(
        f"SELECT {chosen(connection, 'cues', names)} FROM cues ORDER BY id"  # noqa: S608
    ):
        cues[row["track_id"]].append(row)
    return cues


def _playlists(connection: sqlite3.Connection) -> Iterator[List]:
    if not columns(connection, "Playlists") or not columns(connection, "PlaylistTracks"):
        return
    yield from _lists(
        connection.execute(
            "SELECT Playlists.id, Playlists.name, PlaylistTracks.track_id FROM Playlists"
            " LEFT JOIN PlaylistTracks ON PlaylistTracks.playlist_id = Playlists.id"
            # 1 is the queue of the automatic DJ, 2 a history
            " WHERE Playlists.hidden = 0 ORDER BY Playlists.position, Playlists.id,"
            " PlaylistTracks.position, PlaylistTracks.id"
        ),
        (),
    )


def _crates(connection: sqlite3.Connection) -> Iterator[List]:
    if not columns(connection, "crates") or not columns(connection, "crate_tracks"):
        return
    yield from _lists(
        connection.execute(
            "SELECT crates.id, crates.name, crate_tracks.track_id FROM crates"
            " LEFT JOIN crate_tracks ON crate_tracks.crate_id = crates.id"
            " ORDER BY crates.name, crates.id, crate_tracks.track_id"
        ),
        (CRATES,),
    )


def _lists(rows: sqlite3.Cursor, folders: tuple[str, ...]) -> Iterator[List]:
    names: dict[Any, str] = {}
    keys: dict[Any, list[str]] = defaultdict(list)
    for list_id, name, track in rows:
        names[list_id] = text(name) or f"List {list_id}"
        if track is not None:
            keys[list_id].append(str(track))
    for list_id, name in names.items():
        yield List(name, folders, tuple(keys[list_id]))


def _track(row: sqlite3.Row, cues: dict[Any, list[sqlite3.Row]], losses: list[Loss]) -> Record:
    values: dict[str, Any] = {
        "key": str(row["id"]),
        "location": text(row["path"], 4000),
        **{name: text(row[name]) for name in ("title", "artist", "album", "genre", "comment")},
        "year": _year(row["year"]),
        "bpm": number(row["bpm"], 1, 1000),
        "musical_key": _key(row),
        "duration_s": number(row["duration"], 0.001, 1e7),
        "size_bytes": whole(row["size"], 1, 1 << 50),
        "rating": whole(row["rating"], 1, 5),
        "color": _color(row["color"]),
        "play_count": whole(row["timesplayed"], 1, 1 << 31),
        "played_at": moment(row["last_played_at"]),
        "added_at": moment(row["datetime_added"]),
    }
    bare = Record(**values)
    rate = number(row["samplerate"], *RATES)
    mine = cues.get(row["id"], [])
    beats = blob(row["beats"])
    if rate is None:
        if mine or beats:
            losses.append(Loss(bare.name, "cue", "the file's rate is not known there"))
        return bare
    return Record(
        **values,
        grid=_grid(bare.name, beats, text(row["beats_version"]), rate, losses),
        cues=_cues_of(bare.name, mine, rate, losses),
    )


def _year(value: Any) -> int | None:
    word = text(value, 4) or str(value or "")[:4]
    return int(word) if word.isascii() and word.isdigit() and int(word) else None


def _key(row: sqlite3.Row) -> str:
    code = whole(row["key_id"], 1, 24)
    if code is not None:
        mode = "major" if code <= 12 else "minor"
        return parse_key(f"{_TONICS[(code - 1) % 12]} {mode}")
    with contextlib.suppress(SfaError):
        return parse_key(text(row["key"]))
    return ""


def _color(value: Any) -> str:
    code = whole(value, 0, 0xFFFFFFFF)
    return "" if code is None else f"#{code & 0xFFFFFF:06x}"


def _cues_of(
    where: str, rows: list[sqlite3.Row], rate: float, losses: list[Loss]
) -> tuple[Cue, ...]:
    cues: list[Cue] = []
    used: set[int] = set()
    for row in rows:
        kind = row["type"]
        begin = number(row["position"], 0, 1e12)
        if kind not in {_HOT, _MAIN, _LOOP, _INTRO, _OUTRO} or begin is None:
            continue  # a mark of the analysis, or not set
        if kind == _MAIN and begin == 0:
            continue
        start_s = begin / 2 / rate
        length_s = (number(row["length"], 0, 1e12) or 0.0) / 2 / rate
        what = _KINDS.get(kind, "loop" if kind == _LOOP else "cue")
        slot = whole(row["hotcue"], 0, 1000)
        if slot is not None and (slot >= HOT_CUES or slot + 1 in used):
            losses.append(Loss(where, f"hot cue {slot + 1}", "it keeps its place without a number"))
            slot = None
        if kind in _KINDS and length_s:
            losses.append(Loss(where, f"end of the {what}", "a cue with an end is a loop here"))
        try:
            cue = Cue(
                start_s,
                kind=what,
                end_s=start_s + length_s if kind == _LOOP else None,
                slot=None if slot is None else slot + 1,
                label=text(row["label"], 200),
                color=_color(row["color"]) if kind in {_HOT, _LOOP} else "",
                on_load=kind == _MAIN,
            )
        except SfaError as problem:
            losses.append(Loss(where, what, problem.message))
            continue
        used.add(cue.slot or 0)
        cues.append(cue)
    return tuple(sorted(cues, key=lambda cue: cue.position_s))


def _grid(where: str, data: bytes, version: str, rate: float, losses: list[Loss]) -> Grid | None:
    if not data:
        return None
    try:
        if version.startswith("BeatMap"):
            return parse_beat_map(data, rate)
        if version.startswith("BeatGrid-2"):
            return parse_beat_grid(data, rate)
        raise MediaError(f'beats of version "{version:.20}" are not known', "analyse them in Mixxx")
    except SfaError as problem:
        losses.append(Loss(where, "grid", problem.message))
    return None


def parse_beat_map(data: bytes, rate: float) -> Grid | None:
    """Parse a ``BeatMap``, the beats of a file of a rate in Hz; None for less than two."""
    frames = sorted(
        frame
        for field, beat in _protobuf(data)
        if field == 1 and isinstance(beat, bytes) and (frame := _frame(beat)) is not None
    )
    places = [frame / rate for frame in frames]
    if len(places) < 2:
        return None
    kept = thinned(places, BEAT_S)
    before, last = kept[-2], kept[-1]
    spacing = (places[last] - places[before]) / (last - before)
    if spacing <= 0:
        raise MediaError("two beats are at one place", "analyse them in Mixxx")
    return grid_of([places[index] for index in kept], kept, 60 / spacing)


def parse_beat_grid(data: bytes, rate: float) -> Grid:
    """Parse a ``BeatGrid``, a tempo and the first beat, of a file of a rate in Hz."""
    fields = {field: value for field, value in _protobuf(data) if isinstance(value, bytes)}
    bpm = next((value for field, value in _protobuf(fields.get(1, b"")) if field == 1), None)
    frame = _frame(fields.get(2, b""))
    if not isinstance(bpm, float) or frame is None:
        raise MediaError("its beats have no tempo or no first beat", "analyse them in Mixxx")
    return grid_of([frame / rate], [0], bpm)


def _frame(beat: bytes) -> float | None:
    """Return the position of a beat; None if it is disabled, or has none."""
    fields = dict(_protobuf(beat))
    frame = fields.get(1, 0.0)  # an absent number is zero
    if fields.get(2, 1) == 0 or isinstance(frame, bytes):
        return None
    return float(frame) if abs(frame) < 1e12 else None


def _protobuf(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield the fields of a protobuf message: number and value; doubles as float."""
    at = 0
    for _ in range(MAX_BEATS):
        if at >= len(data):
            return
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value: int | float | bytes
            value, at = _varint(data, at)
            value -= (value >> 63) << 64  # a negative one has all 64 bits
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
            if at + size > len(data):
                raise MediaError("its beats are cut", "analyse them in Mixxx")
            value = struct.unpack_from("<d" if kind == 1 else "<f", data, at)[0]
            at += size
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise MediaError("its beats are cut", "analyse them in Mixxx")
            value, at = data[at : at + length], at + length
        else:
            raise MediaError("its beats are damaged", "analyse them in Mixxx")
        yield tag >> 3, value
    raise MediaError(f"it has more than {MAX_BEATS} beats", "analyse them in Mixxx")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise MediaError("its beats are cut", "analyse them in Mixxx")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return value, at
