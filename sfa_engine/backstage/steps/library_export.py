"""The step that exports tracks of the library for another program."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.exchange.exporting import (
    bundles_of,
    collection,
    lists_of,
    records_of,
    stems_of,
)
from sfa_engine.backstage.exchange.own_rows import pages, playlist_lines, track_lines
from sfa_engine.backstage.exchange.report import Report
from sfa_engine.backstage.exchange.reports import keep_report
from sfa_engine.backstage.exchange.shifts import ShiftRule, shifted
from sfa_engine.backstage.job import Job
from sfa_engine.errors import MediaError, Refused, SfaError
from sfa_engine.interchange.own import writing
from sfa_engine.interchange.record import Collection, List, Record
from sfa_engine.interchange.registry import OWN, Format, named
from sfa_engine.library import playlists, search
from sfa_engine.library.database import Connection
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.system.file_names import safe_name

MAX_SAME_NAME = 1000  # tracks of one name in a folder


@dataclass(frozen=True)
class Chosen:
    """Tracks to be exported, and the playlist that they are, if they are one."""

    numbers: list[int]
    playlist: str | None
    is_all: bool


@dataclass
class LibraryExport:
    """Exports tracks.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Write the tracks of a job's query or playlist to the path that it names."""
        form, path = named(job.args["format"]), Path(job.args["path"])
        rule = ShiftRule.parse(job.args["mp3_shift"])
        report = Report()
        progress(0.0, "reading the library")
        async with self.context.database.reading() as connection:
            chosen = await choose(connection, job.args["words"], job.args["playlist"])
        if not chosen.numbers:
            raise Refused("no track to export", "give another query, or import music")
        await asyncio.to_thread(check_target, path, form, replace=job.args["replace"])
        if form.name == OWN:
            await self._own(chosen, path, report, progress)
        elif form.each:
            made = await self._collection(chosen, form, rule, report, progress)
            await self._each(made, form, path, report, progress, replace=job.args["replace"])
        else:
            await self._whole(chosen, form, path, rule, report, progress)
        if not report.counts["tracks"]:
            why = f": {report.losses[0].why}" if report.losses else ""
            raise MediaError(
                f"nothing could be exported{why}", "prepare the tracks, or see the log"
            )
        await asyncio.to_thread(keep_report, self.context.places, job.id, report.losses)
        result = {"format": form.name, "title": form.title, "path": str(path)}
        return Outcome({**result, **report.to_dict()})

    # ------------------------------------------------------------------ kinds of formats

    async def _own(self, chosen: Chosen, path: Path, report: Report, progress: Progress) -> None:
        """Write our own format, a page of rows at a time."""
        with writing(path) as writer:
            done = 0
            for part in pages(sorted(set(chosen.numbers))):
                async with self.context.database.reading() as connection:
                    lines = await track_lines(connection, part)
                await asyncio.to_thread(writer.add, lines)
                done += len(lines)
                progress(min(1.0, done / len(chosen.numbers)), "writing")
            among = None if chosen.is_all else chosen.numbers
            async with self.context.database.reading() as connection:
                lists = [each async for each in playlist_lines(connection, among)]
            await asyncio.to_thread(writer.add, lists)
        report.counts["tracks"] += done
        report.counts["playlists"] += len(lists)

    async def _whole(
        self,
        chosen: Chosen,
        form: Format,
        path: Path,
        rule: ShiftRule,
        report: Report,
        progress: Progress,
    ) -> None:
        """Write all tracks at once."""
        made = await self._collection(chosen, form, rule, report, progress)
        progress(0.6, f"writing {form.title}")
        if form.is_folder:
            await asyncio.to_thread(_make_folder, path)
        losses = await asyncio.to_thread(form.write, made, path)
        report.extend(losses)
        lost = sum(loss.what == "track" for loss in losses)
        report.counts["tracks"] += len(made.tracks) - lost
        report.counts["playlists"] += len(made.playlists)
        _count(made.tracks, report)

    async def _each(
        self,
        made: Collection,
        form: Format,
        path: Path,
        report: Report,
        progress: Progress,
        *,
        replace: bool,
    ) -> None:
        """Write a file for each track; one that fails does not stop the others."""
        is_file = len(made.tracks) == 1 and path.name.lower().endswith(form.suffix)
        if not is_file:
            await asyncio.to_thread(_make_folder, path)
        taken: set[str] = set()
        for place, track in enumerate(made.tracks):
            progress(0.3 + 0.7 * place / len(made.tracks), track.name)
            target = path if is_file else path / _free_name(track, form, taken)
            # Not even a link that leads nowhere is written through.
            if not replace and await asyncio.to_thread(os.path.lexists, target):
                report.lose(track.name, "track", "a file of its name exists: see --replace")
                continue
            try:
                losses = await asyncio.to_thread(form.write, Collection((track,)), target)
            except SfaError as error:
                report.lose(track.name, "track", error.message)
                continue
            report.extend(losses)
            report.counts["tracks"] += 1
            _count([track], report)

    async def _collection(
        self,
        chosen: Chosen,
        form: Format,
        rule: ShiftRule,
        report: Report,
        progress: Progress,
    ) -> Collection:
        """Return the chosen tracks as a format wants them: with stems, in its count of frames."""
        numbers = list(dict.fromkeys(chosen.numbers))
        async with self.context.database.reading() as connection:
            records = await records_of(connection, numbers, extra=form.each)
            bundles = await bundles_of(connection, numbers) if form.sound else {}
            lists = await lists_of(connection, numbers, chosen.playlist)
        progress(0.2, "looking at the files")
        if chosen.playlist is None and form.name in {"m3u", "setlist"}:
            lists = ()  # one list: that of the query

        def complete() -> list[Record]:
            places = self.context.places
            whole = [
                changed(each, stems=stems_of(places, bundles.get(each.key))) for each in records
            ] if form.sound else records  # fmt: skip
            pairs = [(each, _file(each)) for each in whole]
            return list(shifted(pairs, form.program, rule, 1, report))

        return collection(await asyncio.to_thread(complete), _in_order(lists, chosen))


async def choose(
    connection: Connection, words: str, playlist: str, within: str = EVERYTHING
) -> Chosen:
    """Return the tracks of a query, else those of a playlist in its order, else all.

    Raises
    ------
    Refused
        There is no such playlist, the query is invalid, or both are given.
    """
    if words and playlist:
        raise Refused("a query and a playlist do not go together", "leave one out")
    if playlist:
        found = await playlists.find(connection, playlist, within)
        entries = await playlists.entries(connection, found.id, within=within)
        return Chosen([each.track.id for each in entries], found.name, is_all=False)
    if search.track_number(words) is not None and words.strip().startswith("#"):
        one = await search.find_one(connection, words, within)
        return Chosen([one.id], None, is_all=False)
    numbers = await search.ordered(connection, words, within)
    return Chosen(numbers, None, is_all=not words)


def check_target(path: Path, form: Format, *, replace: bool) -> None:
    """Refuse a path that cannot be written to, or has something that would be lost. Blocks.

    Raises
    ------
    Refused, MediaError
    """
    if not form.writes:
        raise Refused(f"{form.title} is only read", "see `sfa library export --help`")
    if not path.is_absolute():
        raise Refused(f'"{path}" is not an absolute path', "give the whole path")
    try:
        if not path.parent.is_dir():
            raise MediaError(f'"{path.parent}" is not a folder', "make it first")
        if path.is_dir():
            if not form.is_folder and not form.each:
                raise Refused(f'"{path}" is a folder', f"name a file, as library{form.suffix}")
        elif path.exists():
            if form.is_folder:
                raise Refused(f'"{path}" is a file', f"{form.title} is a folder of files")
            if not replace:
                raise Refused(f'"{path}" exists', "name another file, or give --replace")
    except OSError as error:
        raise MediaError(f'cannot look at "{path}": {error.strerror}', "check the path") from None


def _in_order(lists: tuple[List, ...], chosen: Chosen) -> tuple[List, ...]:
    """Return the lists; of a playlist that was chosen, with the entries that were chosen."""
    if chosen.playlist is None:
        return lists
    return tuple(List(each.name, each.folders, tuple(map(str, chosen.numbers))) for each in lists)


def _file(track: Record) -> str | None:
    return track.location if track.location and Path(track.location).is_file() else None


def _free_name(track: Record, form: Format, taken: set[str]) -> str:
    """Return a name for the file of a track that no other one has, whatever its case."""
    stem = safe_name(track.name, "track")
    for number in range(1, MAX_SAME_NAME):
        name = f"{stem}{f' ({number})' if number > 1 else ''}{form.suffix}"
        if name.casefold() not in taken:
            break
    taken.add(name.casefold())
    return name


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise MediaError(
            f'cannot make "{folder}": {error.strerror}', "check the space and the rights there"
        ) from None


def _count(tracks: Sequence[Record], report: Report) -> None:
    """Count what tracks have; what of it is lost is among the losses."""
    report.counts["grids"] += sum(track.grid is not None for track in tracks)
    cues = [cue for track in tracks for cue in track.cues]
    report.counts["cues"] += sum(cue.end_s is None for cue in cues)
    report.counts["loops"] += sum(cue.end_s is not None for cue in cues)
