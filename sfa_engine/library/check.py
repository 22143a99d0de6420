"""`library check`: differences between rows and files, and their repair.

================ ============================================== =================================
drift            what it is                                     repair
================ ============================================== =================================
no-bundle        a row names a bundle that is missing           none; "failed" until it is
                                                                prepared again
found-again      that bundle is back, or readable: a disk was   "ready", as it was
                 away
unknown-bundle   a bundle that no row names                     its row gets the new name; without
                                                                one it is made from its manifest
other-stems      a bundle with other stems than the rows        the rows are corrected; without
                                                                stems it needs separation again
stale            a ``track.json`` that differs from the row     it is written again
damaged          a bundle that cannot be read, or whose sound   none; "failed" until it is
                 does not match its digest (`deep`)             prepared again
old-curves       curves of another version or sound, or damaged they are deleted; the next
                                                                analysis makes them
misplaced        a bundle of a removed track, not in the trash  it is moved there
unknown-trash    something in the trash that no row names       it is moved to the bundles
leftover         what a killed writer left                      it is deleted, or put back
no-cover         a row names a picture that is missing          the bundle's, or none
unknown-cover    a picture that no row names                    it is deleted
database         the database itself is damaged                 none; restore a backup
================ ============================================== =================================

Nothing that the user made is ever deleted. A repair is checked again, and counts only if the
difference is gone. There is one step for each row, bundle, picture and entry of the trash, so that
a large library can be checked a page at a time.
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

from sfa_engine.errors import MediaError, Refused
from sfa_engine.library import manifest, trash
from sfa_engine.library.analysis import set_stems, stems_of
from sfa_engine.library.backup import is_backing_up
from sfa_engine.library.bundle import SUFFIX, pcm_digest
from sfa_engine.library.content import COVER_NAME, bundle_cover, keep_cover
from sfa_engine.library.database import Database
from sfa_engine.library.manifest import is_bundle_name, origins
from sfa_engine.library.places import Places, entries
from sfa_engine.library.sqlite_errors import os_errors_as
from sfa_engine.library.track import SELECT, Track, track_of
from sfa_engine.library.tracks import by_uuid, set_bundle, set_cover, set_state
from sfa_engine.system.atomic import PREFIXES, clean_leftovers
from sfa_engine.track.curves import FILE, read_curves
from sfa_engine.track.media import MANIFEST, WHOLE, Bundle, read_bundle
from sfa_engine.wire.frames import sayable

Drift = Literal[
    "no-bundle", "found-again", "unknown-bundle", "other-stems", "stale", "damaged", "old-curves",
    "misplaced", "unknown-trash", "leftover", "no-cover", "unknown-cover", "database",
]  # fmt: skip
MISSING = "check: its bundle is missing"  # a track's `problem` then
UNREADABLE = "check: its bundle cannot be read: "  # its prefix then
PREPARE = "cannot be repaired: prepare it again"
PAGE_S = 1.0
MAX_FOUND = 200  # on a page, which is one answer


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference between rows and files.

    Parameters
    ----------
    drift : str
        One of the table above.
    message : str
        One line, with the value.
    track_id : int, optional
        The track.
    path : Path, optional
        The file or folder.
    repaired : bool
        Whether it is repaired now.
    hint : str
        What to do if it cannot be repaired.
    """

    drift: Drift
    message: str
    track_id: int | None = None
    path: Path | None = None
    repaired: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a check.

    Parameters
    ----------
    findings : tuple of Finding
    share : float
        Part of the check that is done, 0..1.
    after : str
        Cursor of the next page; empty: the check is done.
    """

    findings: tuple[Finding, ...]
    share: float
    after: str


async def check(
    database: Database, places: Places, *, deep: bool = False, repair: bool = False
) -> list[Finding]:
    """Compare rows and files, both ways.

    Parameters
    ----------
    database : Database
    places : Places
    deep : bool
        Whether to read all sound and compare its digest: about a second per 500 MB.
    repair : bool
        Whether to repair what can be repaired.

    Returns
    -------
    list of Finding
        Empty: no difference.
    """
    page = await check_page(database, places, deep=deep, repair=repair)
    found = [*page.findings]
    while page.after:
        page = await check_page(database, places, page.after, deep=deep, repair=repair)
        found += page.findings
    return found


async def check_page(
    database: Database,
    places: Places,
    after: str = "",
    *,
    deep: bool = False,
    repair: bool = False,
) -> Page:
    """Compare rows and files for a second or so; return the findings and a cursor.

    Parameters
    ----------
    database : Database
    places : Places
    after : str
        Cursor of the previous page; empty: from the beginning.
    deep, repair : bool
        As for `check`.

    Raises
    ------
    Refused
        The cursor is invalid.
    """
    started = time.monotonic()
    steps = await asyncio.to_thread(_steps, places, await _numbers(database))
    listed = time.monotonic()
    deadline = listed + max(PAGE_S, listed - started)
    work = _Check(database, places, deep, repair)
    found: list[Finding] = []
    for index in range(_resume(steps, after), len(steps)):
        kind, what = steps[index]
        found += [finding async for finding in work.findings(kind, what)]
        await asyncio.sleep(0)  # let other tasks run
        if time.monotonic() > deadline or len(found) > MAX_FOUND:
            return Page(tuple(found), (index + 1) / len(steps), f"{kind}:{sayable(what)}")
    return Page(tuple(found), 1.0, "")


KINDS = ("database", "leftovers", "trash", "bundle", "row", "cover")
Step = tuple[str, str]  # kind and name


def _steps(places: Places, numbers: list[int]) -> list[Step]:
    """Return all steps: rows after bundles and trash, which may be moved back first."""
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


def _resume(steps: list[Step], after: str) -> int:
    """Return the index after a step, which may have been repaired away."""
    if not after:
        return 0
    kind, _, what = after.partition(":")
    if kind not in KINDS or (kind == "row" and not what.isdecimal()):
        raise Refused(f'invalid cursor "{after:.60}"', "give what the last answer returned")

    def order(step: Step) -> tuple[int, int, str]:
        number = step[0] == "row"
        name = "" if number else sayable(step[1])
        return KINDS.index(step[0]), int(step[1]) if number else 0, name

    return bisect_right(steps, order((kind, what)), key=order)


class _Check:
    """One run with its options."""

    def __init__(self, database: Database, places: Places, deep: bool, repair: bool) -> None:
        self.database = database
        self.places = places
        self.deep = deep
        self.repair = repair
        self._checks: dict[str, Callable[[str], AsyncIterator[Finding]]] = {
            "database": self._database,
            "leftovers": self._leftovers,
            "row": self._row,
            "bundle": self._bundle,
            "trash": self._trash,
            "cover": self._cover,
        }

    async def findings(self, kind: str, what: str) -> AsyncIterator[Finding]:
        """Yield the differences of one step."""
        if what != sayable(what):
            message = f'"{sayable(what)}": the name is not UTF-8; rename it'
            if kind == "bundle" and is_bundle_name(what):
                yield Finding("unknown-bundle", message, path=self.places.bundles / what)
            elif kind == "trash":
                yield Finding("unknown-trash", message, path=self.places.trash / what)
            return
        found = [finding async for finding in self._checks[kind](what)]
        left: set[tuple[Drift, int | None, Path | None]] = set()
        if any(finding.repaired for finding in found):
            again = _Check(self.database, self.places, deep=False, repair=False)
            left = {_identity(finding) async for finding in again._checks[kind](what)}
        for finding in found:
            if _identity(finding) in left and finding.repaired:
                yield replace(finding, repaired=False, hint="the repair failed")
            else:
                yield finding

    async def _database(self, _: str) -> AsyncIterator[Finding]:
        """Check the database itself."""
        for row in await self.database.fetch("PRAGMA integrity_check(5)"):
            if row[0] != "ok":
                yield Finding("database", f"{row[0]}; restore a backup", path=self.database.path)

    async def _leftovers(self, name: str) -> AsyncIterator[Finding]:
        """Find what killed writers left in a bundle; without a name, beside the bundles."""
        folder = self.places.bundles / name
        for place in (folder,) if name else (folder, self.places.covers):
            for entry in entries(place):
                if entry.name.startswith(PREFIXES):
                    if self.repair:
                        await asyncio.to_thread(clean_leftovers, place)
                    message = f"left by a killed writer, or being written: {entry.name}"
                    yield Finding("leftover", message, path=entry, repaired=not entry.exists())
        if name or is_backing_up(self.places.backups):
            return
        for entry in entries(self.places.backups):
            if entry.name.endswith(".part"):
                if self.repair:
                    with suppress(OSError):  # checked again afterwards
                        entry.unlink()
                message = f"left by a killed writer: {entry.name}"
                yield Finding("leftover", message, path=entry, repaired=self.repair)

    async def _row(self, number: str) -> AsyncIterator[Finding]:
        """Check the files of a row."""
        wanted = f"{SELECT} WHERE tracks.id = ?"
        for found in await self.database.fetch(wanted, (int(number),)):  # none: deleted meanwhile
            try:
                async for finding in self._track(track_of(found)):
                    yield finding
            except Refused:
                if await self.database.fetch(wanted, (int(number),)):
                    raise

    async def _track(self, track: Track) -> AsyncIterator[Finding]:
        """Check the files of a track.

        Yields
        ------
        Finding
        """
        if track.cover is not None and not (self.places.covers / track.cover).is_file():
            if self.repair:
                there = bundle_cover(self.places.bundles / track.bundle) if track.bundle else None
                name = keep_cover(self.places.covers, there[1]) if there else None
                async with self.database.transaction(durable=False) as connection:
                    await set_cover(connection, track.id, name)
            message = f'"{track.name}" has no cover {track.cover}'
            yield Finding("no-cover", message, track.id, repaired=self.repair)
        if track.bundle is None:
            return
        folder = self.places.bundles / track.bundle
        if track.deleted_at is not None:
            if finding := self._misplaced(track, folder):
                yield finding
        elif folder.exists():
            async for found in self._bundle_of(track, folder):
                yield found
        elif track.duration_s is not None:  # else it is being imported
            message = f'bundle "{track.bundle}" of "{track.name}" is missing'
            was_ready = MISSING if track.state == "ready" else None
            yield await self._failed("no-bundle", track, folder, message, was_ready)

    async def _bundle_of(self, track: Track, folder: Path) -> AsyncIterator[Finding]:
        """Check an existing bundle of a track.

        Yields
        ------
        Finding
        """
        try:
            bundle = await asyncio.to_thread(read_bundle, folder)
            if track.problem == MISSING or track.problem.startswith(UNREADABLE):
                if self.repair:
                    async with self.database.transaction(durable=False) as connection:
                        await set_state(connection, track.id, "ready")
                message = f'bundle "{track.bundle}" of "{track.name}" is back'
                yield Finding("found-again", message, track.id, folder, self.repair)
            if self.deep and await asyncio.to_thread(pcm_digest, bundle.stems) != (
                bundle.track.digest
            ):
                message = f'the sound of "{track.bundle}" does not match its digest'
                yield await self._failed("damaged", track, folder, message)
                return
            if finding := await self._stems(track, bundle):
                yield finding
            if finding := await asyncio.to_thread(self._curves, track, bundle):
                yield finding
            async with self.database.reading() as connection:
                wanted = await manifest.build(connection, track, bundle.track)
            if wanted == bundle.track:
                return
            if self.repair:
                await manifest.update(self.database, self.places, track.id)
        except MediaError as problem:
            message = problem.message
            was_ready = f"{UNREADABLE}{message}" if track.state == "ready" else None
            yield await self._failed("damaged", track, folder, message, was_ready)
            return
        message = f'"{track.bundle}/{MANIFEST}" differs from the library'
        yield Finding("stale", message, track.id, folder, self.repair)

    async def _stems(self, track: Track, bundle: Bundle) -> Finding | None:
        """Compare the stems of a bundle with the rows."""
        present = origins(bundle.track)
        expected = set(track.stems) - {WHOLE}
        names = {stem.name for stem in present}
        if expected == names:
            return None
        if self.repair:
            async with self.database.transaction(durable=False) as connection:
                known = [
                    stem for stem in await stems_of(connection, track.id) if stem.name in names
                ]
                new = [stem for stem in present if stem.name not in expected]
                await set_stems(connection, track.id, [*known, *new])
        message = (
            f'bundle "{track.bundle}" has {_listed(names)}, the library has {_listed(expected)}'
        )
        return Finding("other-stems", message, track.id, bundle.path, self.repair)

    def _curves(self, track: Track, bundle: Bundle) -> Finding | None:
        """Find curves that nobody can use; a bundle without any is in order."""
        path = bundle.path / FILE
        if not path.exists():
            return None
        try:
            if read_curves(path).digest == bundle.track.digest:
                return None
            message = f'the curves of "{track.bundle}" are of another sound'
        except MediaError as problem:
            message = problem.message
        if self.repair:
            with suppress(OSError):  # checked again afterwards
                path.unlink()
        return Finding("old-curves", message, track.id, path, repaired=self.repair)

    async def _failed(
        self, drift: Drift, track: Track, folder: Path, message: str, problem: str | None = None
    ) -> Finding:
        """Set a track to failed, unless it is."""
        if self.repair and track.state != "failed":
            async with self.database.transaction(durable=False) as connection:
                await set_state(connection, track.id, "failed", problem or f"check: {message}")
        return Finding(drift, message, track.id, folder, hint=PREPARE)

    def _misplaced(self, track: Track, folder: Path) -> Finding | None:
        """Find a removed track whose bundle is not in the trash."""
        home = trash.path_in_trash(self.places, track)
        if not folder.exists():
            return None
        if home.exists():
            message = f'"{track.bundle}" is the name of a bundle in the trash; rename it'
            return Finding("unknown-bundle", message, path=folder)
        if self.repair:
            _rename(folder, home)
        message = f'bundle "{track.bundle}" of the removed "{track.name}" is not in the trash'
        return Finding("misplaced", message, track.id, folder, self.repair)

    async def _bundle(self, name: str) -> AsyncIterator[Finding]:
        """Find a bundle that no row names.

        Yields
        ------
        Finding
        """
        folder = self.places.bundles / name
        if not is_bundle_name(name) or not folder.exists() or await self._has("bundle", name):
            return
        message = f'no track has the bundle "{name}"'
        repaired = False
        try:
            bundle: Bundle = await asyncio.to_thread(read_bundle, folder)
        except MediaError as problem:
            message += f", and it cannot be read: {problem.message}"
        else:
            renamed = await self._renamed(bundle)
            if renamed is not None:
                message += f': it is that of "{renamed.name}", renamed'
            if self.repair:
                async with self.database.transaction() as connection:
                    if renamed is not None:
                        await set_bundle(connection, renamed.id, name)
                        if renamed.problem == MISSING:
                            await set_state(connection, renamed.id, "ready")
                        track = renamed
                    else:
                        track = await manifest.import_bundle(connection, bundle, self.places.covers)
                await manifest.update(self.database, self.places, track.id)
                repaired = True
        yield Finding("unknown-bundle", message, path=folder, repaired=repaired)

    async def _renamed(self, bundle: Bundle) -> Track | None:
        """Return the track that a bundle was made for, if that has lost its own."""
        if not bundle.track.uuid:
            return None
        async with self.database.reading() as connection:
            track = await by_uuid(connection, bundle.track.uuid)
        if track is None or track.bundle is None or track.deleted_at is not None:
            return None
        return None if (self.places.bundles / track.bundle).exists() else track

    async def _trash(self, name: str) -> AsyncIterator[Finding]:
        """Find an entry of the trash whose track is in use or unknown.

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
        repaired = self.repair and not home.exists()
        if repaired:
            await asyncio.to_thread(_rename, folder, home)
        message = f'"{name}" is in the trash, and no removed track names it'
        number = None if track is None else track.id
        yield Finding("unknown-trash", message, number, folder, repaired)

    async def _cover(self, name: str) -> AsyncIterator[Finding]:
        """Find a cover that no row names."""
        picture = self.places.covers / name
        if not (COVER_NAME.fullmatch(name) and picture.exists()):
            return
        if not await self._has("cover", name):
            if self.repair:
                with suppress(OSError):  # checked again afterwards
                    picture.unlink()
            message = f"no track has the cover {name}"
            yield Finding("unknown-cover", message, path=picture, repaired=self.repair)

    async def _has(self, column: Literal["bundle", "cover"], name: str) -> bool:
        """Return whether a row names a file, also one of a removed track."""
        wanted = f"SELECT 1 FROM tracks WHERE {column} = ?"  # noqa: S608 - one of two
        return bool(await self.database.fetch(wanted, (name,)))


def _identity(finding: Finding) -> tuple[Drift, int | None, Path | None]:
    """Return what identifies a finding, repaired or not."""
    return finding.drift, finding.track_id, finding.path


def _listed(stems: set[str]) -> str:
    return ", ".join(sorted(stems)) or "no stems"


def _rename(old: Path, new: Path) -> None:
    with os_errors_as(f'cannot move "{old}" to "{new}"'):
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
