"""``prep.*``: importing and preparing music."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from sfa_engine.backstage.access import (
    PREPARE,
    By,
    check_track,
    find,
    visible,
    visible_jobs,
)
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import Plan, State
from sfa_engine.backstage.services.input_sources import (
    LocalFile,
    LocalFolder,
    parse_source,
    sound_files,
)
from sfa_engine.backstage.steps.plans import (
    MAX_PREVIEW_S,
    ImportSource,
    PrepOptions,
    import_file,
    import_link,
    prepare,
)
from sfa_engine.backstage.verbs.library import TrackWord
from sfa_engine.backstage.verbs.paging import MAX_LISTED, batch_tracks, fit_in_frame, job_numbers
from sfa_engine.backstage.watch_folders import FolderWatcher
from sfa_engine.errors import MediaError, Refused, did_you_mean
from sfa_engine.library import analysis, cues, tracks
from sfa_engine.library.account_secrets import AccountSecrets, name_of
from sfa_engine.library.bundle import MAX_PADDING_S
from sfa_engine.library.ownership import MACHINE
from sfa_engine.library.secret import Secrets
from sfa_engine.library.sources import stem_sources
from sfa_engine.library.tags import read_tags
from sfa_engine.prep.separate.licence import SECRET, quota
from sfa_engine.system.aio import within_time
from sfa_engine.wire.frames import sayable
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import Count, Text, Texts, verb

MIN_STEMS = 2  # that make a folder one track
POLL_S = 10.0  # for one name; a disk that spins up takes 6 s
QUOTA_S = 60.0  # for LALAL.AI to answer, with retries
WALK_S = 600.0  # for a folder with all that is in it
Seen = TypeVar("Seen")


class PrepVerbs:
    """The verbs on preparation.

    Parameters
    ----------
    context : PrepContext
    dispatcher : Dispatcher
    watching : FolderWatcher
    """

    def __init__(
        self, context: PrepContext, dispatcher: Dispatcher, watching: FolderWatcher
    ) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._watching = watching

    @verb(scope="prepare", slow=True, owned=True)
    async def prep_add(
        self,
        sources: Texts,
        engine: Text | None = None,
        model: Text | None = None,
        again: bool = False,
        priority: Annotated[int, Meta(ge=-100, le=100)] = 0,
        watch: bool = False,
        quality: Text | None = None,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Queue files, folders and links; return the batch, its jobs, and unreadable folders.

        `quality` is that of downloads: 128k to 320k, or best; by default as configured.
        """
        options = PrepOptions(engine or "", model or "", again, priority, quality or "")
        plans: list[Plan] = []
        folders: list[Path] = []
        unread: list[Path] = []
        for word in sources:
            meant = await _in_time(word, POLL_S, parse_source, word)
            if isinstance(meant, LocalFolder):
                found, closed = await _in_time(
                    word, WALK_S, partial(_in_folder, meant.path, options, watched=watch)
                )
                plans += found
                unread += closed
                folders.append(meant.path)
            elif isinstance(meant, LocalFile):
                plans.append(import_file(ImportSource(str(meant.path)), options))
            else:
                plans.append(import_link(word, options))
        if watch and not folders:
            raise Refused("only folders can be watched", "name one")
        batch = uuid.uuid4().hex[:12]
        async with self._context.database.transaction() as connection:
            jobs = await self._context.queue.add_all(connection, plans, batch, actor.account)
        self._dispatcher.wake()
        if watch:
            for folder in folders:
                self._watching.add(folder, options)
        answer = [sayable(str(each)) for each in unread[:MAX_LISTED]]
        return {"batch": batch, **job_numbers(jobs), "unread": answer}

    @verb(scope="read")
    def prep_watched(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the watched folders; none to those who may not name files of this machine."""
        seen = self._watching.folders if actor.has("admin") else ()
        return {"folders": [str(folder) for folder in seen]}

    @verb(scope="prepare")
    def prep_unwatch(self, folder: Text) -> dict[str, Any]:
        """Stop watching a folder."""
        path = Path(folder)
        if not self._watching.remove(path):
            known = [str(each) for each in self._watching.folders]
            raise Refused(f'"{path}" is not watched', did_you_mean(str(path), known))
        return {}

    @verb(scope="prepare", owned=True)
    async def prep_separate(
        self,
        track: TrackWord,
        engine: Text | None = None,
        model: Text | None = None,
        preview_s: Annotated[float, Meta(ge=0, le=MAX_PREVIEW_S)] = 0.0,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Queue the separation of a track of the library; return the batch and its jobs.

        With `preview_s` only so much of it, where most goes on: stems to audition, which any other
        separation replaces.
        """
        # What a preview leaves as it is, the analysis, is not repeated.
        again = not preview_s
        options = PrepOptions(engine or "", model or "", again=again, preview_s=preview_s)
        batch = uuid.uuid4().hex[:12]
        async with self._context.database.transaction() as connection:
            found = await find(connection, actor, track)
            await check_track(connection, actor, PREPARE, found)
            if found.bundle is None or found.duration_s is None:
                raise Refused(f'"{found.name}" is not imported yet', "see `sfa jobs`")
            plans = prepare(found.id, found.name, options)
            jobs = await self._context.queue.add_chain(
                connection, plans, batch, account=actor.account
            )
        self._dispatcher.wake()
        return {"track": found.id, "batch": batch, **job_numbers(jobs)}

    @verb(scope="prepare", slow=True)
    async def prep_quota(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the plan of the LALAL.AI licence, and its minutes: left, and in all.

        Of the account's licence, else of the machine's.
        """
        settings = self._context.settings
        stored = AccountSecrets(Secrets(settings.data), actor.account)
        own: tuple[str, str] = ("", "")
        if actor.account != MACHINE and await asyncio.to_thread(stored.has, SECRET):
            own = name_of(SECRET, actor.account), str(settings.data)
        try:
            found = await within_time(QUOTA_S, quota, settings.separation.lalalai_url, *own)
        except TimeoutError:
            raise Refused(f"LALAL.AI did not answer in {QUOTA_S:g} s", "try again later") from None
        return asdict(found)

    @verb(scope="read", owned=True)
    async def prep_batch(self, batch: Text, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the number of a batch's jobs by state, and the playlists that were imported."""
        counts = {state.value: 0 for state in State}
        within = visible_jobs(actor)
        found = await self._context.database.fetch(
            "SELECT state, count(*) FROM batch_jobs JOIN jobs ON jobs.id = job_id"  # noqa: S608
            f" WHERE batch = ? AND {within} GROUP BY state",
            (batch,),
        )
        for each in found:
            counts[each[0]] = each[1]
        named = await self._context.database.fetch(
            "SELECT DISTINCT result ->> '$.playlist' FROM batch_jobs"  # noqa: S608 - ours
            f" JOIN jobs ON jobs.id = job_id WHERE batch = ? AND {within}"
            " AND kind = 'import' AND result ->> '$.playlist' IS NOT NULL LIMIT ?",
            (batch, MAX_LISTED),
        )
        return {"counts": counts, "playlists": [each[0] for each in named]}

    @verb(scope="read", owned=True)
    async def prep_tracks(
        self, batch: Text, after: Count = 0, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return a page of a batch's tracks, after a number."""
        async with self._context.database.reading() as connection:
            found = await batch_tracks(
                connection,
                batch,
                after,
                "max(coalesce(result ->> '$.truncated', 0)) AS truncated,"
                " max(coalesce(result ->> '$.repaired_samples', 0)) AS repaired_samples,"
                # '["' is less than '[]': the notes of the one job that has some
                " min(coalesce(result ->> '$.notes', '[]')) AS notes",
            )
            imported = {each["track_id"]: each for each in found}
            answer = [
                {
                    "id": track.id,
                    "title": track.title,
                    "artist": track.artist,
                    "bpm": track.bpm,
                    "key": track.key,
                    "state": track.state,
                    "cues": len(await cues.cues_of(connection, track.id)),
                    "stems": list(track.stems),
                    "preview": track.preview,
                    "sketch": any(s.sketch for s in await analysis.stems_of(connection, track.id)),
                    "truncated": bool(imported[track.id]["truncated"]),
                    "repaired_samples": imported[track.id]["repaired_samples"],
                    "notes": json.loads(imported[track.id]["notes"]),
                }
                for track in await tracks.listed(connection, list(imported), visible(actor))
            ]
        return {"tracks": fit_in_frame(answer)}


async def _in_time(word: str, limit_s: float, look: Callable[..., Seen], *of: str) -> Seen:
    """Call a function on files outside the event loop; a hung mount is an error."""
    try:
        return await within_time(limit_s, look, *of)
    except TimeoutError:
        raise Refused(
            f'"{word:.200}": no answer within {limit_s:g} s', "check its disk or network"
        ) from None


def _stems_in(folder: Path) -> dict[str, Path]:
    """Return the files of a folder that are the stems of one song; none if they are songs.

    Names alone are not enough: "Bass Culture" and "Vocal Anthem" differ in length.
    """
    try:
        stems = stem_sources(folder)
    except MediaError:
        return {}
    lengths_s = [read_tags(path).duration_s or 0.0 for path in stems.values()]
    alike = max(lengths_s) - min(lengths_s) <= MAX_PADDING_S
    return stems if len(stems) >= MIN_STEMS and alike else {}


def _in_folder(
    folder: Path, options: PrepOptions, *, watched: bool
) -> tuple[list[Plan], tuple[Path, ...]]:
    """Return the plans for a folder, and the folders in it that cannot be read.

    There is one plan for each sound file, or one for all if they are stems.
    """
    stems = _stems_in(folder)
    if stems:
        found = {name: str(path) for name, path in stems.items()}
        return [import_file(ImportSource(str(folder), found), options)], ()
    files = sound_files(folder)
    if not files.paths and not watched:
        hint = "name another folder, or a file"
        if files.unread:
            hint = f'"{sayable(str(files.unread[0]))}" cannot be read, mind its rights'
        raise Refused(f'no sound file in "{folder}"', hint)
    return [import_file(ImportSource(str(path)), options) for path in files.paths], files.unread
