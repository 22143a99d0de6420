"""`library check`: where rows and files have come apart, and what can be repaired.

================ ============================================== =================================
drift            what it is                                     mended by
================ ============================================== =================================
no-bundle        a row names a bundle that is not there         nothing; "failed" until it is
                                                                prepared again
found-again      that bundle is there, or whole, again: a disk  "ready", as it was
                 was away
unknown-bundle   a bundle that no row names                     a row made of what it says
other-stems      a bundle that has other stems than the rows    rows of what is there; without
                 say                                            stems it wants separation again
stale            a ``track.json`` that differs from the row     writing it anew
damaged          a bundle that cannot be read, or whose sound   nothing; "failed" until it is
                 is not what its digest says (`deep`)           prepared again
misplaced        a bundle of a removed track, not in the trash  moving it there
unknown-trash    something in the trash that no row names       putting it back among the bundles
leftover         what a killed writer left                      `clean_leftovers`
no-cover         a row names a picture that is not there        forgetting it
unknown-cover    a picture that no row names                    deleting it
database         the database itself is damaged                 a person: restore a backup
================ ============================================== =================================

Nothing that a person made is ever deleted. What was repaired is looked at again, and counts as
repaired only if it is found no more. The work is cut into steps, one for each row, bundle,
picture and thing in the trash, so that a large library can be checked a part at a time.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sfa_engine.audio.media import DESCRIPTION, WHOLE, Bundle, read_bundle
from sfa_engine.errors import MediaError, Refused
from sfa_engine.library import trash
from sfa_engine.library.analysis import set_stems, stems_of
from sfa_engine.library.backup import is_at_work
from sfa_engine.library.bundle import SUFFIX, pcm_digest
from sfa_engine.library.content import COVER_NAME
from sfa_engine.library.database import Database
from sfa_engine.library.description import adopt, describe, follow, is_bundle_name, origins
from sfa_engine.library.draft import clean_leftovers
from sfa_engine.library.fault import blamed_files
from sfa_engine.library.places import Places, entries
from sfa_engine.library.track import SELECT, Track, track_of
from sfa_engine.library.tracks import by_uuid, set_cover, set_state
from sfa_engine.wire.frames import sayable

Drift = Literal[
    "no-bundle", "found-again", "unknown-bundle", "other-stems", "stale", "damaged", "misplaced",
    "unknown-trash", "leftover", "no-cover", "unknown-cover", "database",
]  # fmt: skip
NOT_THERE = "check: its bundle is not there"  # what a track's `problem` says then
UNREADABLE = "check: its bundle cannot be read: "  # how it begins then
PREPARE = "cannot be repaired: prepare it again"
PART_S = 1.0
MOST_FOUND = 200  # in a part: they go into one answer


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Parameters
    ----------
    drift : str
        A word of the table above.
    message : str
        One line, with the value.
    track_id : int, optional
        Whose it is.
    path : Path, optional
        Where it is.
    mended : bool
        Whether it is right now.
    hint : str
        What to do where a repair is not possible.
    """

    drift: Drift
    message: str
    track_id: int | None = None
    path: Path | None = None
    mended: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of a check found.

    Parameters
    ----------
    findings : tuple of Finding
    share : float
        How much of the whole check is behind, 0 to 1.
    after : str
        Where the next part begins; empty: nothing is left.
    """

    findings: tuple[Finding, ...]
    share: float
    after: str


async def check(
    database: Database, places: Places, *, deep: bool = False, mend: bool = False
) -> list[Finding]:
    """Compare rows and files, both ways.

    Parameters
    ----------
    database : Database
    places : Places
    deep : bool
        Whether to read all sound too and compare its digest: a second for each 500 MB or so.
    mend : bool
        Whether to put right what can be.

    Returns
    -------
    list of Finding
        Empty: all is well.
    """
    part = await check_part(database, places, deep=deep, mend=mend)
    found = [*part.findings]
    while part.after:
        part = await check_part(database, places, part.after, deep=deep, mend=mend)
        found += part.findings
    return found


async def check_part(
    database: Database,
    places: Places,
    after: str = "",
    *,
    deep: bool = False,
    mend: bool = False,
) -> Part:
    """Compare rows and files for a moment, and say where it goes on.

    Parameters
    ----------
    database : Database
    places : Places
    after : str
        As the part before said; empty: from the beginning.
    deep, mend : bool
        As for `check`.

    Raises
    ------
    Refused
        No part ends so.
    """
    begun = time.monotonic()
    steps = await asyncio.to_thread(_steps, places, await _numbers(database))
    looked = time.monotonic()
    enough = looked + max(PART_S, looked - begun)
    work = _Check(database, places, deep, mend)
    found: list[Finding] = []
    for place in range(_place(steps, after), len(steps)):
        kind, what = steps[place]
        found += [finding async for finding in work.findings(kind, what)]
        await asyncio.sleep(0)  # others have their turn
        if time.monotonic() > enough or len(found) > MOST_FOUND:
            return Part(tuple(found), (place + 1) / len(steps), f"{kind}:{sayable(what)}")
    return Part(tuple(found), 1.0, "")


KINDS = ("database", "leftovers", "trash", "bundle", "row", "cover")
Step = tuple[str, str]  # a kind, and of what


def _steps(places: Places, numbers: list[int]) -> list[Step]:
    """Return everything there is to look at: rows when what was astray is in its place again."""
    bundles, trashed, covers = (
        sorted((path.name for path in entries(folder)), key=sayable)
        for folder in (places.bundles, places.trash, places.covers)
    )
    return [
        ("database", ""),
        *(("leftovers", name) for name in ("", *bundles)),
        *(("trash", name) for name in trashed),
        *(("bundle", name) for name in bundles),
        *(("row", str(number)) for number in numbers),
        *(("cover", name) for name in covers),
    ]


async def _numbers(database: Database) -> list[int]:
    found = await database.fetch("SELECT id FROM tracks ORDER BY id")
    return [int(row["id"]) for row in found]


def _place(steps: list[Step], after: str) -> int:
    """Return where steps go on after one that may have been mended away."""
    if not after:
        return 0
    kind, _, what = after.partition(":")
    if kind not in KINDS or (kind == "row" and not what.isdecimal()):
        raise Refused(f'"{after:.60}" is no part of a check', "say what the last answer said")

    def order(step: Step) -> tuple[int, int, str]:
        number = step[0] == "row"
        name = "" if number else sayable(step[1])
        return KINDS.index(step[0]), int(step[1]) if number else 0, name

    return bisect_right(steps, order((kind, what)), key=order)


class _Check:
    """One run, with what it was asked for."""

    def __init__(self, database: Database, places: Places, deep: bool, mend: bool) -> None:
        self.database = database
        self.places = places
        self.deep = deep
        self.mend = mend
        self._looks: dict[str, Callable[[str], AsyncIterator[Finding]]] = {
            "database": self._database,
            "leftovers": self._leftovers,
            "row": self._row,
            "bundle": self._bundle,
            "trash": self._trash,
            "cover": self._cover,
        }

    async def findings(self, kind: str, what: str) -> AsyncIterator[Finding]:
        """Tell what is wrong with one thing."""
        if what != sayable(what):
            said = f'"{sayable(what)}" is no name in UTF-8; rename it'
            if kind == "bundle" and is_bundle_name(what):
                yield Finding("unknown-bundle", said, path=self.places.bundles / what)
            elif kind == "trash":
                yield Finding("unknown-trash", said, path=self.places.trash / what)
            return
        found = [finding async for finding in self._looks[kind](what)]
        left: set[tuple[Drift, int | None, Path | None]] = set()
        if any(finding.mended for finding in found):
            again = _Check(self.database, self.places, deep=False, mend=False)
            left = {_what(finding) async for finding in again._looks[kind](what)}
        for finding in found:
            if _what(finding) in left and finding.mended:
                yield replace(finding, mended=False, hint="the repair failed")
            else:
                yield finding

    async def _database(self, _: str) -> AsyncIterator[Finding]:
        """What is wrong with the database itself."""
        for row in await self.database.fetch("PRAGMA integrity_check(5)"):
            if row[0] != "ok":
                yield Finding("database", f"{row[0]}; restore a backup", path=self.database.path)

    async def _leftovers(self, name: str) -> AsyncIterator[Finding]:
        """What killed writers left in a bundle; beside the bundles, if it is none."""
        folder = self.places.bundles / name
        for entry in entries(folder):
            if entry.name.startswith((".sfa-part-", ".sfa-old-")):
                if self.mend:
                    await asyncio.to_thread(clean_leftovers, folder)
                said = f"left by a killed writer, or at work: {entry.name}"
                yield Finding("leftover", said, path=entry, mended=not entry.exists())
        for folder in () if name else (self.places.covers, self.places.backups):
            parts = [entry for entry in entries(folder) if entry.name.endswith(".part")]
            if not (parts and folder == self.places.backups and is_at_work(folder)):
                for entry in parts:
                    if self.mend:
                        with suppress(OSError):  # it is looked at again
                            entry.unlink()
                    said = f"left by a killed writer: {entry.name}"
                    yield Finding("leftover", said, path=entry, mended=self.mend)

    async def _row(self, number: str) -> AsyncIterator[Finding]:
        """What a row says is there."""
        wanted = f"{SELECT} WHERE tracks.id = ?"
        for told in await self.database.fetch(wanted, (int(number),)):  # none: it went meanwhile
            try:
                async for finding in self._track(track_of(told)):
                    yield finding
            except Refused:
                if await self.database.fetch(wanted, (int(number),)):
                    raise

    async def _track(self, track: Track) -> AsyncIterator[Finding]:
        """What the row of a track says is there.

        Yields
        ------
        Finding
        """
        if track.cover is not None and not (self.places.covers / track.cover).is_file():
            if self.mend:
                async with self.database.transaction(durable=False) as connection:
                    await set_cover(connection, track.id, None)
            said = f'"{track.name}" has no cover {track.cover}'
            yield Finding("no-cover", said, track.id, mended=self.mend)
        if track.bundle is None:
            return
        folder = self.places.bundles / track.bundle
        if track.deleted_at is not None:
            if finding := self._misplaced(track, folder):
                yield finding
        elif folder.exists():
            async for found in self._bundle_of(track, folder):
                yield found
        elif track.duration_s is not None:  # else it is on its way
            said = f'bundle "{track.bundle}" of "{track.name}" is not there'
            was_ready = NOT_THERE if track.state == "ready" else None
            yield await self._failed("no-bundle", track, folder, said, was_ready)

    async def _bundle_of(self, track: Track, folder: Path) -> AsyncIterator[Finding]:
        """What is wrong with a bundle that is there.

        Yields
        ------
        Finding
        """
        try:
            bundle = await asyncio.to_thread(read_bundle, folder)
            if track.problem == NOT_THERE or track.problem.startswith(UNREADABLE):
                if self.mend:
                    async with self.database.transaction(durable=False) as connection:
                        await set_state(connection, track.id, "ready")
                said = f'bundle "{track.bundle}" of "{track.name}" is there again'
                yield Finding("found-again", said, track.id, folder, self.mend)
            if self.deep and await asyncio.to_thread(pcm_digest, bundle.stems) != (
                bundle.track.digest
            ):
                said = f'the sound of "{track.bundle}" is not what its digest says'
                yield await self._failed("damaged", track, folder, said)
                return
            if finding := await self._stems(track, bundle):
                yield finding
            async with self.database.reading() as connection:
                wanted = await describe(connection, track, bundle.track)
            if wanted == bundle.track:
                return
            if self.mend:
                await follow(self.database, self.places, track.id)
        except MediaError as problem:
            said = problem.message
            was_ready = f"{UNREADABLE}{said}" if track.state == "ready" else None
            yield await self._failed("damaged", track, folder, said, was_ready)
            return
        said = f'"{track.bundle}/{DESCRIPTION}" differs from the library'
        yield Finding("stale", said, track.id, folder, self.mend)

    async def _stems(self, track: Track, bundle: Bundle) -> Finding | None:
        """What is wrong with the stems that the rows say are there."""
        there = origins(bundle.track)
        told = set(track.stems) - {WHOLE}
        names = {stem.name for stem in there}
        if told == names:
            return None
        if self.mend:
            async with self.database.transaction(durable=False) as connection:
                known = [
                    stem for stem in await stems_of(connection, track.id) if stem.name in names
                ]
                new = [stem for stem in there if stem.name not in told]
                await set_stems(connection, track.id, [*known, *new])
        said = f'bundle "{track.bundle}" has {_listed(names)}, and the library says {_listed(told)}'
        return Finding("other-stems", said, track.id, bundle.path, self.mend)

    async def _failed(
        self, drift: Drift, track: Track, folder: Path, said: str, problem: str | None = None
    ) -> Finding:
        """Mark a track as one to be prepared again, unless it has failed before."""
        if self.mend and track.state != "failed":
            async with self.database.transaction(durable=False) as connection:
                await set_state(connection, track.id, "failed", problem or f"check: {said}")
        return Finding(drift, said, track.id, folder, hint=PREPARE)

    def _misplaced(self, track: Track, folder: Path) -> Finding | None:
        """A removed track whose bundle was not moved any more."""
        home = trash.place_in_trash(self.places, track)
        if not folder.exists():
            return None
        if home.exists():
            said = f'"{track.bundle}" is the name of a bundle in the trash; give it another'
            return Finding("unknown-bundle", said, path=folder)
        if self.mend:
            _rename(folder, home)
        said = f'bundle "{track.bundle}" of the removed "{track.name}" is not in the trash'
        return Finding("misplaced", said, track.id, folder, self.mend)

    async def _bundle(self, name: str) -> AsyncIterator[Finding]:
        """What lies among the bundles, and no row names.

        Yields
        ------
        Finding
        """
        folder = self.places.bundles / name
        if not is_bundle_name(name) or not folder.exists() or await self._has("bundle", name):
            return
        said = f'no track has the bundle "{name}"'
        mended = False
        try:
            bundle: Bundle = await asyncio.to_thread(read_bundle, folder)
        except MediaError as problem:
            said += f", and it cannot be read: {problem.message}"
        else:
            if self.mend:
                async with self.database.transaction() as connection:
                    track = await adopt(connection, bundle)
                await follow(self.database, self.places, track.id)
                mended = True
        yield Finding("unknown-bundle", said, path=folder, mended=mended)

    async def _trash(self, name: str) -> AsyncIterator[Finding]:
        """What lies in the trash: it goes back if its track is in use, or unknown.

        Yields
        ------
        Finding
        """
        folder = self.places.trash / name
        async with self.database.reading() as connection:
            track = await by_uuid(connection, name.removesuffix(SUFFIX))
        if not folder.exists() or (track is not None and track.deleted_at is not None):
            return
        home = self.places.bundles / (name if track is None else track.bundle or name)
        mended = self.mend and not home.exists()
        if mended:
            await asyncio.to_thread(_rename, folder, home)
        said = f'"{name}" is in the trash, and no removed track has it'
        number = None if track is None else track.id
        yield Finding("unknown-trash", said, number, folder, mended)

    async def _cover(self, name: str) -> AsyncIterator[Finding]:
        """What lies among the covers, and no row names."""
        picture = self.places.covers / name
        if not (COVER_NAME.fullmatch(name) and picture.exists()):
            return
        if not await self._has("cover", name):
            if self.mend:
                with suppress(OSError):  # it is looked at again
                    picture.unlink()
            said = f"no track has the cover {name}"
            yield Finding("unknown-cover", said, path=picture, mended=self.mend)

    async def _has(self, column: Literal["bundle", "cover"], name: str) -> bool:
        """Return whether a row, of a removed track too, names a file."""
        wanted = f"SELECT 1 FROM tracks WHERE {column} = ?"  # noqa: S608 - one of two
        return bool(await self.database.fetch(wanted, (name,)))


def _what(finding: Finding) -> tuple[Drift, int | None, Path | None]:
    """Return what tells a finding from others, whatever became of it."""
    return finding.drift, finding.track_id, finding.path


def _listed(stems: set[str]) -> str:
    return ", ".join(sorted(stems)) or "no stems"


def _rename(old: Path, new: Path) -> None:
    with blamed_files(f'cannot move "{old}" to "{new}"'):
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
