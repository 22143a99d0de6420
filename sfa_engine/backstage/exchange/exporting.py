"""A collection of rows of the library, for writers of other programs' formats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.library.cues import Cue
from sfa_engine.library.database import Connection, Row, rows
from sfa_engine.library.places import Places
from sfa_engine.track.correction import at_rate
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import read_bundle

AT_ONCE = 500  # tracks of one query
_AMONG = "IN (SELECT value FROM json_each(?))"


async def records_of(
    connection: Connection, numbers: Sequence[int], *, extra: bool = False
) -> list[Record]:
    """Return the tracks of some numbers, in their order, without those that are removed.

    Parameters
    ----------
    connection : Connection
    numbers : sequence of int
    extra : bool
        Whether with the rest of the analysis, and what separated the stems.
    """
    found: list[Record] = []
    for first in range(0, len(numbers), AT_ONCE):
        part = list(numbers[first : first + AT_ONCE])
        made = await _records(connection, part, extra=extra)
        found += [made[number] for number in part if number in made]
    return found


async def _records(connection: Connection, numbers: list[int], *, extra: bool) -> dict[int, Record]:
    listed = (json.dumps(numbers),)
    grids: dict[int, Grid] = {}
    for each in await rows(
        connection,
        f"SELECT * FROM grids WHERE track_id {_AMONG} ORDER BY origin",  # noqa: S608
        listed,
    ):
        grids[each["track_id"]] = grid_of(each)
    cues: dict[int, list[Cue]] = {}
    for each in await rows(
        connection,
        f"SELECT * FROM cues WHERE track_id {_AMONG} ORDER BY position_s, id",  # noqa: S608
        listed,
    ):
        cues.setdefault(each["track_id"], []).append(cue_of(each))
    more = await _extra(connection, listed) if extra else {}
    made = {}
    for each in await rows(
        connection,
        "SELECT tracks.*, (SELECT location FROM sources WHERE track_id = tracks.id"  # noqa: S608
        f" ORDER BY id LIMIT 1) AS source FROM tracks WHERE id {_AMONG} AND deleted_at IS NULL",
        listed,
    ):
        number = each["id"]
        made[number] = _record(
            each, grids.get(number), tuple(cues.get(number, ())), more.get(number, {})
        )
    return made


def _record(found: Row, grid: Grid | None, cues: tuple[Cue, ...], extra: dict[str, Any]) -> Record:
    source = found["source_path"] or found["source"] or ""
    return Record(
        key=str(found["id"]),
        location="" if "://" in source else source,
        title=found["title"],
        artist=found["artist"],
        album=found["album"],
        genre=found["genre"],
        label=found["label"],
        comment=found["comment"],
        year=found["year"],
        bpm=found["bpm"],
        musical_key=found["key"] or "",
        duration_s=found["duration_s"],
        rating=found["rating"] or None,
        color=found["color"],
        play_count=found["play_count"] or None,
        played_at=found["played_at"],
        added_at=found["added_at"],
        grid=grid,
        cues=cues,
        extra=extra,
    )


async def _extra(connection: Connection, listed: tuple[str]) -> dict[int, dict[str, Any]]:
    """Return what only our own formats have of tracks."""
    found: dict[int, dict[str, Any]] = {}
    for each in await rows(
        connection,
        "SELECT track_id, confidence, variable, lufs, peak_dbtp, energy, sections"  # noqa: S608
        f" FROM analyses WHERE track_id {_AMONG}",
        listed,
    ):
        values = dict(each)
        sections = json.loads(values.pop("sections"))
        found[values.pop("track_id")] = {
            **values,
            "variable": bool(each["variable"]),
            "sections": [{"start_s": s, "end_s": e, "label": label} for s, e, label in sections],
        }
    for each in await rows(
        connection,
        f"SELECT track_id, name, engine, model, version FROM stems WHERE track_id {_AMONG}",  # noqa: S608
        listed,
    ):
        values = dict(each)
        origins = found.setdefault(values.pop("track_id"), {}).setdefault("origins", [])
        origins.append(values)
    return found


async def lists_of(
    connection: Connection, numbers: Sequence[int], only: str | None = None
) -> tuple[List, ...]:
    """Return the playlists with what is in them of some tracks, without empty ones.

    Parameters
    ----------
    connection : Connection
    numbers : sequence of int
    only : str, optional
        The name of the one that is wanted.
    """
    chosen = set(numbers)
    found: dict[int, tuple[str, tuple[str, ...], list[str]]] = {}
    for each in await rows(
        connection,
        "SELECT playlist_id, name, folders, track_id FROM playlist_entries"
        " JOIN playlists ON playlists.id = playlist_id"
        " WHERE ?1 IS NULL OR name = ?1 ORDER BY name, playlist_id, place",
        (only,),
    ):
        if each["track_id"] not in chosen:
            continue
        folders = tuple(json.loads(each["folders"]))
        about = found.setdefault(each["playlist_id"], (each["name"], folders, []))
        about[2].append(str(each["track_id"]))
    return tuple(List(name, folders, tuple(keys)) for name, folders, keys in found.values())


async def bundles_of(connection: Connection, numbers: Sequence[int]) -> dict[str, str]:
    """Return the names of bundles by the keys of tracks that have one."""
    found = await rows(
        connection,
        "SELECT id, bundle FROM tracks WHERE bundle IS NOT NULL AND duration_s IS NOT NULL"  # noqa: S608
        f" AND id {_AMONG}",
        (json.dumps(list(numbers)),),
    )
    return {str(each["id"]): each["bundle"] for each in found}


def stems_of(places: Places, bundle: str | None) -> tuple[tuple[str, str], ...]:
    """Return the stems in a bundle with their files; none if it cannot be read. Blocks."""
    if bundle is None:
        return ()
    folder = places.bundles / bundle
    try:
        stems = read_bundle(folder).track.stems
    except MediaError:
        return ()
    return tuple((stem.name, str(Path(folder) / stem.file)) for stem in stems)


def collection(records: Sequence[Record], lists: tuple[List, ...]) -> Collection:
    """Return a collection of some tracks, with what its lists have of them."""
    keys = {record.key for record in records}
    kept = tuple(
        List(each.name, each.folders, tuple(key for key in each.keys if key in keys))
        for each in lists
    )
    return Collection(tuple(records), tuple(each for each in kept if each.keys))


def grid_of(found: Row) -> Grid:
    """Return the grid of a row, in frames at `GRID_RATE`."""
    anchors = tuple(Anchor(float(f), float(b)) for f, b in json.loads(found["anchors"]))
    return at_rate(Grid(anchors, found["bpm"], found["beats_per_bar"]), found["rate"], GRID_RATE)


def cue_of(found: Row) -> Cue:
    """Return the cue of a row."""
    return Cue(
        found["position_s"],
        found["kind"],
        found["end_s"],
        found["slot"],
        found["label"],
        found["color"],
        found["stem"],
        bool(found["on_load"]),
        found["origin"] == "hand",
        found["id"],
    )
