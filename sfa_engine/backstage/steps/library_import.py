"""The step that imports the library of another program."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.exchange.importing import Importer
from sfa_engine.backstage.exchange.lists import ListImporter
from sfa_engine.backstage.exchange.matching import Library, Place, identity_of, places_of
from sfa_engine.backstage.exchange.own_rows import OwnImporter
from sfa_engine.backstage.exchange.report import Report
from sfa_engine.backstage.exchange.reports import keep_report
from sfa_engine.backstage.exchange.shifts import ShiftRule, shifted
from sfa_engine.backstage.job import Job
from sfa_engine.errors import MediaError, SfaError
from sfa_engine.interchange.paths import Finder, Mapping
from sfa_engine.interchange.record import Collection, Record
from sfa_engine.interchange.registry import OWN, Format, named, recognised
from sfa_engine.library.database import Connection, Row, rows
from sfa_engine.wire.frames import sayable

logger = logging.getLogger(__name__)


class _DryRunError(Exception):
    """Everything was done but the commit."""


@dataclass
class LibraryImport:
    """Imports libraries of other programs.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Import the file or folder of a job; with ``dry_run`` nothing is kept."""
        path = Path(job.args["source"])
        form: Format = (
            named(job.args["format"])
            if job.args["format"]
            else await asyncio.to_thread(recognised, path)
        )
        report = Report()
        if form.name == OWN:
            changed = await self._own(job, path, report, progress)
        else:
            changed = await self._foreign(job, path, form, report, progress)
        if not job.args["dry_run"]:
            await self._update_manifests(changed, progress)
        result = {
            "format": form.name,
            "title": form.title,
            "dry_run": job.args["dry_run"],
            **report.to_dict(),
        }
        await asyncio.to_thread(keep_report, self.context.places, job.id, report.losses)
        return Outcome(result)

    # ------------------------------------------------------------------ other programs

    async def _foreign(
        self, job: Job, path: Path, form: Format, report: Report, progress: Progress
    ) -> set[int]:
        progress(0.0, f"reading {form.title}")
        collection = await asyncio.to_thread(form.read, path)
        report.extend(collection.losses)
        if not collection.tracks and not collection.playlists:
            raise MediaError(f'"{path}" has no tracks', "name another file")
        mappings = [Mapping.parse(each) for each in job.args["maps"]]
        progress(0.2, "looking for the files")
        places = await asyncio.to_thread(places_of, collection.tracks, mappings, Finder())
        rule = ShiftRule.parse(job.args["mp3_shift"])

        def move() -> list[Record]:
            files = [place.file for place in places]
            pairs = zip(collection.tracks, files, strict=True)
            return list(shifted(pairs, form.program, rule, -1, report))

        records = await asyncio.to_thread(move)
        progress(0.4, "comparing with the library")
        async with self.context.database.reading() as connection:
            known = await Library.read(connection)
        matches = await asyncio.to_thread(_matches, known, records, places)
        del known
        return await self._commit(
            job,
            report,
            progress,
            partial(self._write, collection, records, places, matches, report),
        )

    @staticmethod
    async def _write(
        collection: Collection,
        records: Sequence[Record],
        places: Sequence[Place],
        matches: Sequence[int | None],
        report: Report,
        connection: Connection,
        progress: Callable[[float], None],
    ) -> set[int]:
        """Write rows in a transaction; return the tracks of before that are changed."""
        now = time.time()
        matches = await _rechecked(connection, places, matches)
        importer = Importer(connection, report, now)
        made = await importer.run(records, places, matches, progress)
        numbers = {record.key: number for record, number in zip(records, made.numbers, strict=True)}
        await ListImporter(connection, report, now).run(collection.playlists, numbers)
        return made.changed

    # ------------------------------------------------------------------ our own format

    async def _own(self, job: Job, path: Path, report: Report, progress: Progress) -> set[int]:
        mappings = [Mapping.parse(each) for each in job.args["maps"]]

        async def write(connection: Connection, step: Callable[[float], None]) -> set[int]:
            importer = OwnImporter(connection, self.context.places, report, mappings)
            return await importer.run(path, step)

        return await self._commit(job, report, progress, write)

    # ------------------------------------------------------------------ both

    async def _commit(
        self,
        job: Job,
        report: Report,
        progress: Progress,
        write: Callable[[Connection, Callable[[float], None]], Any],
    ) -> set[int]:
        def step(share: float) -> None:
            progress(0.5 + 0.4 * min(share, 1.0), "writing")

        changed: set[int] = set()
        try:
            async with self.context.database.transaction() as connection:
                changed = await write(connection, step)
                _check_kept(job)
        except _DryRunError:
            pass
        counts = report.counts
        if not counts["new"] + counts["updated"] + counts["unchanged"] + counts["playlists"]:
            why = f": {report.losses[0].why}" if report.losses else ""
            raise MediaError(f"nothing could be imported{why}", "see what the file has")
        return changed

    async def _update_manifests(self, changed: set[int], progress: Progress) -> None:
        """Bring the manifests of changed tracks up to date; a check finds what fails here."""
        async with self.context.database.reading() as connection:
            found = await rows(
                connection,
                "SELECT id FROM tracks WHERE bundle IS NOT NULL AND deleted_at IS NULL"
                " AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(changed)),),
            )
        for place, each in enumerate(found):
            progress(0.9 + 0.1 * place / len(found), "updating the bundles")
            try:
                await self.context.update_manifest(each["id"])
            except SfaError as error:
                logger.warning("track %s: %s", each["id"], error)


def _check_kept(job: Job) -> None:
    """Raise what rolls a transaction back, if the job keeps nothing."""
    if job.args["dry_run"]:
        raise _DryRunError


def _matches(
    known: tuple[list[Row], list[Row]], records: Sequence[Record], places: Sequence[Place]
) -> list[int | None]:
    """Return the track of each record. Blocks."""
    library = Library.of(*known)
    pairs = zip(records, places, strict=True)
    return [library.match(record, place, identity_of) for record, place in pairs]


async def _rechecked(
    connection: Connection, places: Sequence[Place], matches: Sequence[int | None]
) -> list[int | None]:
    """Return matches that hold in a transaction: others may have removed or added tracks."""
    listed = json.dumps([number for number in matches if number is not None])
    alive = {
        each["id"]
        for each in await rows(
            connection,
            "SELECT id FROM tracks WHERE deleted_at IS NULL"
            " AND id IN (SELECT value FROM json_each(?))",
            (listed,),
        )
    }
    checked = [number if number in alive else None for number in matches]
    new = [
        sayable(place.location)
        for place, number in zip(places, checked, strict=True)
        if number is None and place.location
    ]
    added = {
        each["location"]: each["track_id"]
        for each in await rows(
            connection,
            "SELECT location, track_id FROM sources JOIN tracks ON tracks.id = track_id"
            " WHERE deleted_at IS NULL AND location IN (SELECT value FROM json_each(?))",
            (json.dumps(new),),
        )
    }
    return [
        added.get(place.location) if number is None else number
        for place, number in zip(places, checked, strict=True)
    ]
