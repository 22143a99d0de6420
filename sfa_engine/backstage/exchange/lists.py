"""Playlists of a collection: created in their folders, or filled with what they lack."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sfa_engine.backstage.exchange.report import Report
from sfa_engine.interchange.record import List
from sfa_engine.library.database import Connection, change, insert, rows
from sfa_engine.library.playlists import MAX_NAME
from sfa_engine.library.tags import in_one_line

MAX_LISTS = 20_000
MAX_FOLDERS = 20  # above a playlist


@dataclass(frozen=True, slots=True)
class _There:
    """A playlist of the library."""

    id: int
    folders: tuple[str, ...]
    is_free: bool  # it follows no service


@dataclass
class ListImporter:
    """Imports playlists.

    Parameters
    ----------
    connection : Connection
        Of a transaction.
    report : Report
    now : float
        Seconds since 1970.
    """

    connection: Connection
    report: Report
    now: float
    _there: dict[str, _There] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)  # two lists of one name stay two

    async def run(self, lists: Sequence[List], numbers: Mapping[str, int]) -> None:
        """Import playlists, by the numbers of the tracks that their keys name."""
        for found in await rows(self.connection, "SELECT id, name, folders, source FROM playlists"):
            folders = tuple(json.loads(found["folders"]))
            there = _There(found["id"], folders, found["source"] is None)
            self._there[found["name"].casefold()] = there
        for each in lists[:MAX_LISTS]:
            wanted = [numbers.get(key, 0) for key in each.keys]
            missing = wanted.count(0)
            if missing:
                why = "its track was not imported"
                for _ in range(missing):
                    self.report.lose(each.name, "playlist entry", why)
            await self._import(each, [number for number in wanted if number])
        for each in lists[MAX_LISTS:]:
            self.report.lose(each.name, "playlist", f"more than {MAX_LISTS} are not imported")

    async def _import(self, wanted: List, numbers: list[int]) -> None:
        folders = tuple(in_one_line(name)[:MAX_NAME] for name in wanted.folders[:MAX_FOLDERS])
        name, there = self._named(wanted.name, folders)
        if there is None:
            number = await insert(
                self.connection,
                "INSERT INTO playlists (name, folders, changed_at) VALUES (?, ?, ?)",
                (name, json.dumps(folders), self.now),
            )
            self._there[name.casefold()] = _There(number, folders, is_free=True)
            self.report.counts["playlists"] += 1
        else:
            number = there.id
        self._used.add(number)
        await self._fill(number, numbers, is_new=there is None)

    def _named(self, name: str, folders: tuple[str, ...]) -> tuple[str, _There | None]:
        """Return the name to use, and the playlist that has it, if it is the same one."""
        for candidate in _names(in_one_line(name) or "Playlist", folders):
            there = self._there.get(candidate.casefold())
            if there is None:
                return candidate, None
            is_same = there.is_free and there.folders == folders
            if is_same and there.id not in self._used:
                return candidate, there
        raise AssertionError("names do not end")

    async def _fill(self, playlist: int, numbers: list[int], *, is_new: bool) -> None:
        """Append what a playlist lacks, in its order."""
        found = await rows(
            self.connection,
            "SELECT track_id, place FROM playlist_entries WHERE playlist_id = ?",
            (playlist,),
        )
        left = Counter(each["track_id"] for each in found)
        place = max((each["place"] for each in found), default=-1) + 1
        added: list[tuple[int, int, int]] = []
        for number in numbers:
            if left[number] > 0:
                left[number] -= 1
                continue
            added.append((playlist, place + len(added), number))
        if not added:
            return
        self.report.counts["playlist entries"] += len(added)
        await self.connection.executemany(
            "INSERT INTO playlist_entries (playlist_id, place, track_id) VALUES (?, ?, ?)", added
        )
        if not is_new:
            self.report.counts["playlists filled"] += 1
            await change(
                self.connection,
                "UPDATE playlists SET changed_at = ? WHERE id = ?",
                (self.now, playlist),
            )


def _names(name: str, folders: tuple[str, ...]) -> Iterator[str]:
    """Yield names for a playlist: its own, with its folders, with a number.

    Yields
    ------
    str
    """
    yield name[:MAX_NAME].strip()
    path = " / ".join(folders)
    whole = f"{name} ({path})" if path else name
    whole = whole[: MAX_NAME - 8].strip()
    if path:
        yield whole
    number = 2
    while True:
        yield f"{whole} ({number})"
        number += 1
