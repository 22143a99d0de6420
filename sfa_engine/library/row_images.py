"""Rows as they are before and after a change, so that it can be undone exactly.

::

    image_of ─► change ─► image_of          differences: rows that it added, changed, removed
                                                 └──► restore: they are as before

Functions on a connection of `Database`; `restore` needs a durable transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from sfa_engine.errors import LibraryError, Refused
from sfa_engine.library.database import Connection, change, row, rows

Value: TypeAlias = str | int | float | None
Values: TypeAlias = dict[str, Value]
Image: TypeAlias = dict[tuple[Value, ...], Values]  # rows by their table and key

KEYS = {
    "cues": ("id",),
    "unwanted_cues": ("id",),
    "grids": ("track_id", "origin"),
    "playlists": ("id",),
    "playlist_entries": ("id",),
}
OF_TRACKS = ("cues", "unwanted_cues", "grids")
# Others may have changed them since without a conflict: then they stay.
SOFT = frozenset({"changed_at", "place"})
_WHAT = {
    "cues": "a cue",
    "unwanted_cues": "a cue",
    "grids": "the grid",
    "playlists": "the playlist",
    "playlist_entries": "an entry of the playlist",
}


@dataclass(frozen=True)
class Targets:
    """What a change is of.

    Attributes
    ----------
    cues, grids : frozenset of int
        Numbers of tracks.
    playlists : frozenset of str
        Names, in any case.
    """

    cues: frozenset[int] = frozenset()
    grids: frozenset[int] = frozenset()
    playlists: frozenset[str] = frozenset()


class RowChange(msgspec.Struct, frozen=True):
    """A row before and after a change; None where there is none."""

    table: str
    before: Values | None
    after: Values | None


async def image_of(connection: Connection, targets: Targets) -> Image:
    """Return the rows that a change of some targets can concern."""
    found: Image = {}
    for track in sorted(targets.cues):
        for table in ("cues", "unwanted_cues"):
            await _read(connection, found, table, "track_id", track)
    for track in sorted(targets.grids):
        await _read(connection, found, "grids", "track_id", track)
    for name in sorted(targets.playlists):
        number = await playlist_number(connection, name)
        if number is not None:
            await _read(connection, found, "playlists", "id", number)
            await _read(connection, found, "playlist_entries", "playlist_id", number)
    return found


async def playlist_number(connection: Connection, name: str) -> int | None:
    """Return the number of the playlist of a name, ignoring case."""
    found = await rows(connection, "SELECT id, name FROM playlists")
    return next(
        (int(each["id"]) for each in found if each["name"].casefold() == name.casefold()), None
    )


def differences(before: Image, after: Image) -> list[RowChange]:
    """Return the rows that differ between two images."""
    keys = dict.fromkeys((*before, *after))
    return [
        RowChange(str(key[0]), before.get(key), after.get(key))
        for key in keys
        if before.get(key) != after.get(key)
    ]


def tracks_of(changes: Sequence[RowChange]) -> set[int]:
    """Return the numbers of the tracks whose cues or grids some changes are of."""
    return {
        track
        for each in changes
        if each.table in OF_TRACKS
        and type(track := (each.before or each.after or {}).get("track_id")) is int
    }


async def restore(connection: Connection, changes: Sequence[RowChange]) -> None:
    """Put rows back as they were before a change.

    Rows that were added and are gone by now are no conflict. Of a row that was changed since in
    its place or time of change alone, these stay.

    Raises
    ------
    Refused
        A row is not as the change left it, or its place is taken: nothing may be committed then.
    LibraryError
        The changes are not of rows that an image has.
    """
    for each in changes:
        await _check_known(connection, each)
    added = [each for each in changes if each.before is None]
    for each in sorted(added, key=lambda each: each.table == "playlists"):  # its entries first
        assert each.after is not None
        there = await _there(connection, each.table, each.after)
        if there is None:
            continue
        _check_same(each, there)
        if each.table == "playlists":
            await _check_empty(connection, each.after)
        where, key = _where(each.table, each.after)
        await change(connection, f"DELETE FROM {each.table} WHERE {where}", key)  # noqa: S608
    others = [(each, each.before) for each in changes if each.before is not None]
    new = [await _restored(connection, each, before) for each, before in others]
    for each, before in others:
        if each.table == "cues" and each.after is not None:  # two may have changed numbers
            await change(connection, "UPDATE cues SET slot = NULL WHERE id = ?", (before["id"],))
    for (each, before), values in zip(others, new, strict=True):
        try:
            await _put_back(connection, each, before, values)
        except sqlite3.IntegrityError:
            raise _conflict(each, "its number or its track has been taken") from None


async def _restored(connection: Connection, each: RowChange, before: Values) -> Values:
    """Return the values that a row that was changed or removed gets back."""
    there = await _there(connection, each.table, before)
    if each.after is None:
        if there is not None:
            raise _conflict(each, "there is another one")
        return before
    if there is None:
        raise _conflict(each, "it was deleted")
    _check_same(each, there)
    return {
        name: value
        for name, value in before.items()
        if name not in SOFT or there[name] == each.after.get(name)
    }


async def _put_back(
    connection: Connection, each: RowChange, before: Values, values: Values
) -> None:
    if each.after is None:
        names, slots = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {each.table} ({names}) VALUES ({slots})"  # noqa: S608
        await change(connection, sql, tuple(values.values()))
        return
    where, key = _where(each.table, before)
    columns = ", ".join(f"{name} = ?" for name in values)
    sql = f"UPDATE {each.table} SET {columns} WHERE {where}"  # noqa: S608
    await change(connection, sql, (*values.values(), *key))


async def _read(
    connection: Connection, found: Image, table: str, column: str, value: Value
) -> None:
    sql = f"SELECT * FROM {table} WHERE {column} = ? ORDER BY {', '.join(KEYS[table])}"  # noqa: S608
    for each in await rows(connection, sql, (value,)):
        values = dict(each)
        found[table, *(values[name] for name in KEYS[table])] = values


async def _there(connection: Connection, table: str, values: Values) -> Values | None:
    """Return the row that has the key of some values."""
    where, key = _where(table, values)
    found = await row(connection, f"SELECT * FROM {table} WHERE {where}", key)  # noqa: S608
    return None if found is None else dict(found)


def _where(table: str, values: Values) -> tuple[str, tuple[Value, ...]]:
    names = KEYS[table]
    return " AND ".join(f"{name} = ?" for name in names), tuple(values[name] for name in names)


async def _check_known(connection: Connection, each: RowChange) -> None:
    """Refuse a table or column that no image has."""
    if each.table not in KEYS:
        raise LibraryError(f'no image has rows of "{each.table:.40}"', "it was changed by hand")
    table = await rows(connection, f"PRAGMA table_info({each.table})")
    names = {column["name"] for column in table}
    for values in (each.before, each.after):
        if values is not None and not set(KEYS[each.table]) <= set(values) <= names:
            raise LibraryError(
                f"the image of a row of {each.table} does not fit", "it was changed by hand"
            )


async def _check_empty(connection: Connection, playlist: Mapping[str, Value]) -> None:
    found = await row(
        connection, "SELECT 1 FROM playlist_entries WHERE playlist_id = ?", (playlist["id"],)
    )
    if found is not None:
        raise Refused(
            f'the playlist "{playlist["name"]}" has other tracks by now', "remove it by hand"
        )


def _check_same(each: RowChange, there: Values) -> None:
    """Refuse a row that is not as a change left it."""
    assert each.after is not None
    if any(there.get(name) != value for name, value in each.after.items() if name not in SOFT):
        raise _conflict(each, "it was changed")


def _conflict(each: RowChange, why: str) -> Refused:
    values = each.before or each.after or {}
    of = f" of track {values['track_id']}" if each.table in OF_TRACKS else ""
    return Refused(
        f"{_WHAT[each.table]}{of} is not as it was left: {why} since", "change it by hand"
    )
