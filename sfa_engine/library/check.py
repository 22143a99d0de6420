"""`library check`: where rows and files have come apart, and what can be mended.

================ ============================================== =================================
drift            what it is                                     mended by
================ ============================================== =================================
no-bundle        a row names a bundle that is not there         "failed", to be prepared again
unknown-bundle   a bundle that no row names                     a row made of what it says
other-stems      a bundle that has other stems than the rows    rows of what is there; without
                 say                                            stems it wants separation again
stale            a ``track.json`` that differs from the row     writing it anew
damaged          a bundle that cannot be read, or whose sound   "failed", to be prepared again
                 is not what its digest says (`deep`)
misplaced        a bundle of a removed track, not in the trash  moving it there
unknown-trash    something in the trash that no row names       putting it back among the bundles
leftover         what a killed writer left                      `clean_leftovers`
no-cover         a row names a picture that is not there        forgetting it
unknown-cover    a picture that no row names                    deleting it
database         the database itself is damaged                 a person: restore a backup
================ ============================================== =================================

Nothing that a person made is ever deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sfa_engine.audio.media import DESCRIPTION, WHOLE, Bundle, read_bundle
from sfa_engine.errors import MediaError
from sfa_engine.library import trash
from sfa_engine.library.analysis import set_stems, stems_of
from sfa_engine.library.backup import is_at_work
from sfa_engine.library.bundle import SUFFIX, pcm_digest
from sfa_engine.library.content import COVER_NAME
from sfa_engine.library.database import Database, rows
from sfa_engine.library.description import adopt, describe, follow, is_bundle_name, origins
from sfa_engine.library.draft import clean_leftovers
from sfa_engine.library.fault import blamed_files
from sfa_engine.library.places import Places, entries
from sfa_engine.library.track import SELECT, Track, track_of
from sfa_engine.library.tracks import set_cover, set_state

Drift = Literal[
    "no-bundle", "unknown-bundle", "other-stems", "stale", "damaged", "misplaced", "unknown-trash",
    "leftover", "no-cover", "unknown-cover", "database",
]  # fmt: skip


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
    """

    drift: Drift
    message: str
    track_id: int | None = None
    path: Path | None = None
    mended: bool = False


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
    return [finding async for finding in _Check(database, places, deep, mend).findings()]


class _Check:
    """One run, with what it was asked for."""

    def __init__(self, database: Database, places: Places, deep: bool, mend: bool) -> None:
        self.database = database
        self.places = places
        self.deep = deep
        self.mend = mend

    async def findings(self) -> AsyncIterator[Finding]:
        for row in await self.database.fetch("PRAGMA integrity_check(5)"):
            if row[0] != "ok":
                yield Finding("database", f"{row[0]}; restore a backup", path=self.database.path)
        for part in (self._leftovers, self._rows, self._bundles, self._trash, self._covers):
            async for finding in part():
                yield finding

    async def _tracks(self) -> list[Track]:
        found = await self.database.fetch(f"{SELECT} ORDER BY tracks.id")
        return [track_of(row) for row in found]

    async def _leftovers(self) -> AsyncIterator[Finding]:
        """What killed writers left, beside the bundles and in them."""
        folders = [self.places.bundles, *entries(self.places.bundles)]
        for folder in folders:
            for entry in entries(folder):
                if entry.name.startswith((".sfa-part-", ".sfa-old-")):
                    if self.mend:
                        await asyncio.to_thread(clean_leftovers, folder)
                    said = f"left by a killed writer, or at work: {entry.name}"
                    yield Finding("leftover", said, path=entry, mended=not entry.exists())
        for folder in (self.places.covers, self.places.backups):
            parts = [entry for entry in entries(folder) if entry.name.endswith(".part")]
            if not (parts and folder == self.places.backups and is_at_work(folder)):
                for entry in parts:
                    if self.mend:
                        entry.unlink(missing_ok=True)
                    said = f"left by a killed writer: {entry.name}"
                    yield Finding("leftover", said, path=entry, mended=self.mend)

    async def _rows(self) -> AsyncIterator[Finding]:
        """What each row says is there."""
        for track in await self._tracks():
            if track.cover is not None and not (self.places.covers / track.cover).is_file():
                if self.mend:
                    async with self.database.transaction(durable=False) as connection:
                        await set_cover(connection, track.id, None)
                said = f'"{track.name}" has no cover {track.cover}'
                yield Finding("no-cover", said, track.id, mended=self.mend)
            if track.bundle is None:
                continue
            folder = self.places.bundles / track.bundle
            if track.deleted_at is not None:
                if finding := self._misplaced(track, folder):
                    yield finding
            elif folder.exists():
                async for found in self._bundle_of(track, folder):
                    yield found
            elif track.state != "failed":  # else that is known
                said = f'bundle "{track.bundle}" of "{track.name}" is not there'
                yield await self._failed("no-bundle", track, folder, said)

    async def _bundle_of(self, track: Track, folder: Path) -> AsyncIterator[Finding]:
        """What is wrong with a bundle that is there.

        Yields
        ------
        Finding
        """
        try:
            bundle = await asyncio.to_thread(read_bundle, folder)
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
            yield await self._failed("damaged", track, folder, problem.message)
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

    async def _failed(self, drift: Drift, track: Track, folder: Path, said: str) -> Finding:
        """Mark a track as one to be prepared again."""
        if self.mend:
            async with self.database.transaction(durable=False) as connection:
                await set_state(connection, track.id, "failed", said)
        return Finding(drift, said, track.id, folder, self.mend)

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

    async def _bundles(self) -> AsyncIterator[Finding]:
        """What lies among the bundles."""
        named = {track.bundle for track in await self._tracks()}
        for folder in entries(self.places.bundles):
            if folder.name in named or not is_bundle_name(folder.name):
                continue
            said = f'no track has the bundle "{folder.name}"'
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

    async def _trash(self) -> AsyncIterator[Finding]:
        """What lies in the trash: it goes back if its track is in use, or unknown."""
        tracks = {f"{track.uuid}{SUFFIX}": track for track in await self._tracks()}
        for folder in entries(self.places.trash):
            track = tracks.get(folder.name)
            if track is not None and track.deleted_at is not None:
                continue
            name = folder.name if track is None or track.bundle is None else track.bundle
            home = self.places.bundles / name
            mended = self.mend and not home.exists()
            if mended:
                await asyncio.to_thread(_rename, folder, home)
            said = f'"{folder.name}" is in the trash, and no removed track has it'
            number = None if track is None else track.id
            yield Finding("unknown-trash", said, number, folder, mended)

    async def _covers(self) -> AsyncIterator[Finding]:
        """What lies among the covers."""
        async with self.database.reading() as connection:
            found = await rows(connection, "SELECT DISTINCT cover FROM tracks")
        named = {row["cover"] for row in found}
        for picture in entries(self.places.covers):
            if picture.name not in named and COVER_NAME.fullmatch(picture.name):
                if self.mend:
                    picture.unlink(missing_ok=True)
                said = f"no track has the cover {picture.name}"
                yield Finding("unknown-cover", said, path=picture, mended=self.mend)


def _listed(stems: set[str]) -> str:
    return ", ".join(sorted(stems)) or "no stems"


def _rename(old: Path, new: Path) -> None:
    with blamed_files(f'cannot move "{old}" to "{new}"'):
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
