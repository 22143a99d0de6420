"""``library.import`` and ``library.export``: libraries of other programs, in the background."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping as Values
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import (
    PREPARE,
    By,
    changeable,
    visible_jobs,
)
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.exchange.reports import read_report
from sfa_engine.backstage.exchange.shifts import ShiftRule
from sfa_engine.backstage.job import Kind, Plan, State
from sfa_engine.backstage.steps.library_export import check_target, choose
from sfa_engine.backstage.steps.plans import ImportSource, PrepOptions, import_file, import_link
from sfa_engine.backstage.verbs.paging import fit_in_frame, job_numbers
from sfa_engine.errors import Forbidden, MediaError, Refused
from sfa_engine.interchange.paths import Mapping
from sfa_engine.interchange.registry import FORMATS, named
from sfa_engine.library import search
from sfa_engine.library.database import rows
from sfa_engine.library.sources import stem_sources
from sfa_engine.system.aio import within_time
from sfa_engine.wire.frames import sayable
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, Text, verb

LIMIT_S = 6 * 3600.0  # stems of a whole library
LOOK_S = 10.0  # for a disk to say whether a file is there
Maps = Annotated[list[Text], Meta(max_length=100)]


class ExchangeVerbs:
    """The verbs on libraries of other programs.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    """

    def __init__(self, context: PrepContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._dispatcher = dispatcher

    @verb(scope="read", owned=True)
    def library_formats(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the formats of other programs: name, title, whether each is read and written."""
        del actor  # everybody may know
        return {
            "formats": [
                {
                    "name": each.name,
                    "title": each.title,
                    "reads": each.reads,
                    "writes": each.writes,
                    "files": list(each.files),
                }
                for each in FORMATS.values()
            ]
        }

    @verb(scope="library", slow=True, owned=True)
    async def library_import(
        self,
        source: Text,
        format: Text = "",  # noqa: A002 - a name of the protocol
        maps: Maps = [],  # noqa: B006 - never changed
        mp3_shift: Text = "auto",
        dry_run: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Queue the import of another program's library; return the batch and its job.

        `source` is its file or folder; `format` one of ``library.formats``, by default recognised.
        `maps` are ``FROM=TO``: where folders of another machine are here. `mp3_shift` is auto, none
        or milliseconds. With `dry_run` nothing is kept. ``library.exchanged`` has the report.
        """
        _check_admin(actor)
        path = Path(source)
        if not path.is_absolute():
            raise Refused(f'"{sayable(source)}" is not an absolute path', "give the whole path")
        if format and not named(format).reads:
            raise Refused(f"{named(format).title} is only written", "see `library.formats`")
        for each in maps:
            Mapping.parse(each)
        ShiftRule.parse(mp3_shift)
        if not await _in_time(source, path.exists):
            raise MediaError(f'no file or folder "{sayable(source)}"', "check the path")
        args = {
            "source": source,
            "format": format,
            "maps": list(maps),
            "mp3_shift": mp3_shift,
            "dry_run": dry_run,
        }
        return await self._queue(Kind.LIBRARY_IMPORT, args, path.name, actor)

    @verb(scope="library", slow=True, owned=True)
    async def library_export(
        self,
        path: Text,
        format: Text,  # noqa: A002 - a name of the protocol
        words: Text = "",
        playlist: Text = "",
        mp3_shift: Text = "auto",
        replace: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Queue the export of a query's tracks, or of a playlist; return the batch and its job.

        Without `words` and `playlist` it is the whole library. `path` is a file or a folder, as the
        `format` is; what is there is replaced only with `replace`.
        """
        _check_admin(actor)
        form = named(format)
        ShiftRule.parse(mp3_shift)
        async with self._context.database.reading() as connection:
            chosen = await choose(connection, words, playlist)
        if not chosen.numbers:
            raise Refused("no track to export", "give another query, or import music")

        def check() -> None:
            check_target(Path(path), form, replace=replace)

        await _in_time(path, check)
        args = {
            "path": path,
            "format": format,
            "words": words,
            "playlist": playlist,
            "mp3_shift": mp3_shift,
            "replace": replace,
        }
        return await self._queue(Kind.LIBRARY_EXPORT, args, Path(path).name, actor)

    @verb(scope="read", owned=True)
    async def library_exchanged(
        self, job: Count, after: Count = 0, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return what an import or an export has done, and a page of what it left out.

        ``counts`` has what came over, ``groups`` what did not, by kind, ``losses`` each, after a
        number of them.
        """
        found = await self._context.queue.get(job, visible_jobs(actor))
        if found.kind not in {Kind.LIBRARY_IMPORT, Kind.LIBRARY_EXPORT}:
            raise Refused(f"job {job} imports and exports no library", "see `sfa jobs`")
        if found.state is not State.DONE:
            raise Refused(f"job {job} is {found.state}", "see `sfa jobs`")
        losses = await asyncio.to_thread(read_report, self._context.places, job, after)
        return {"job": job, **found.result, "losses": fit_in_frame(losses)}

    @verb(scope="prepare", slow=True, owned=True)
    async def library_prepare(
        self, words: Text = "", playlist: Text = "", dry_run: bool = False, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Queue what a query or a playlist has that was never prepared; return batch and jobs.

        ``tracks`` is how many they are, ``missing`` how many more have no file here.
        """
        async with self._context.database.reading() as connection:
            right = changeable(actor, PREPARE)
            if playlist:
                chosen = (await choose(connection, words, playlist, right)).numbers
            else:
                chosen = await search.numbers(connection, words, right)
            found = await rows(
                connection,
                "SELECT id, title, coalesce(source_path, (SELECT location FROM sources"
                " WHERE track_id = tracks.id ORDER BY id LIMIT 1), '') AS source FROM tracks"
                " WHERE bundle IS NULL AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
                (json.dumps(chosen),),
            )
        sources = [each["source"] for each in found]
        plans = await asyncio.to_thread(lambda: [p for s in sources if (p := _plan(s)) is not None])
        batch = uuid.uuid4().hex[:12]
        jobs: list[int] = []
        if plans and not dry_run:
            async with self._context.database.transaction() as connection:
                jobs = await self._context.queue.add_all(connection, plans, batch, actor.account)
            self._dispatcher.wake()
        missing = len(sources) - len(plans)
        return {"tracks": len(plans), "missing": missing, "batch": batch, **job_numbers(jobs)}

    async def _queue(
        self, kind: Kind, args: Values[str, Any], title: str, actor: Actor
    ) -> dict[str, Any]:
        plan = Plan(
            kind,
            args,
            title=sayable(title),
            unique=f"{kind}:{json.dumps(args, sort_keys=True)}",
            max_attempts=1,
            time_limit_s=LIMIT_S,
        )
        batch = uuid.uuid4().hex[:12]
        async with self._context.database.transaction() as connection:
            jobs = await self._context.queue.add_all(connection, [plan], batch, actor.account)
        self._dispatcher.wake()
        return {"batch": batch, "job": jobs[0]}


def _check_admin(actor: Actor) -> None:
    """Refuse paths of this machine to those that may not name them."""
    if not actor.has("admin"):
        raise Forbidden("files of this machine need the role admin", "ask an admin")


def _plan(source: str) -> Plan | None:
    """Return the plan that prepares the file of a track; None if it is not here. Blocks."""
    options = PrepOptions()
    if "://" in source:
        return import_link(source, options)
    file = Path(source)
    if not file.is_absolute():
        return None
    try:
        if file.is_file():
            return import_file(ImportSource(source), options)
        if file.is_dir():
            stems = {name: str(path) for name, path in stem_sources(file).items()}
            return import_file(ImportSource(source, stems), options)
    except (OSError, MediaError):
        return None
    return None


async def _in_time(word: str, look: Any) -> Any:
    try:
        return await within_time(LOOK_S, look)
    except TimeoutError:
        raise Refused(
            f'"{sayable(word):.200}": no answer within {LOOK_S:g} s', "check its disk or network"
        ) from None
