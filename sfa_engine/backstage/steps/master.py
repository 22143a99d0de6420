"""The step that measures a track, and makes a master of it in the folder of exports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.step_inputs import load_inputs
from sfa_engine.errors import MediaError, Refused
from sfa_engine.library import tracks
from sfa_engine.library.places import Places
from sfa_engine.library.track import Track
from sfa_engine.system.aio import within_time

WORKER = "sfa_engine.prep.master"
LOOK_S = 10.0  # for a disk to say whether a file is there
NUMBERS = ("target_lufs", "ceiling_dbtp", "limit_db")
PARTS = ("before", "after")


@dataclass(frozen=True)
class Master:
    """Masters tracks.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Measure a job's track; if it asks for a file, make a master of it.

        The result is the worker's, with names in the folder of exports in place of paths.
        """
        inputs = await load_inputs(self.context, job)
        places = self.context.places
        args = job.args
        request: dict[str, Any] = {name: args.get(name) for name in NUMBERS}
        request |= {name: args[name] for name in ("preset", "codec", "bits")}
        request["path"] = str(await _sound_of(inputs.track, inputs.bundle))
        if args.get("reference") is not None:
            async with self.context.database.reading() as connection:
                reference = await tracks.get(connection, args["reference"])
            if reference.bundle is None:
                raise Refused(f'"{reference.name}" is not imported yet', "see `sfa jobs`")
            bundle = places.bundles / reference.bundle
            request["reference"] = str(await _sound_of(reference, bundle))
        if args["format"]:
            out = export_path(places, inputs.bundle, job.id, args["format"])
            await asyncio.to_thread(make_folder, out.parent)
            request["out"] = str(out)
            request["compare"] = str(out.parent) if args["compare"] else ""
        answer = await self.context.run_local(job, WORKER, request, progress)
        return Outcome(_with_names(answer))


def export_path(places: Places, bundle: Path, job: int, form: str) -> Path:
    """Return where the master of a job is written; a retry replaces it."""
    return places.exports / f"{bundle.stem} (master {job}).{form}"


async def _sound_of(track: Track, bundle: Path) -> Path:
    """Return the file that a track came from if it is still there, else its bundle."""
    if track.source_path:
        source = Path(track.source_path)
        try:
            if await within_time(LOOK_S, source.is_file):
                return source
        except TimeoutError:
            pass
    return bundle


def make_folder(folder: Path) -> None:
    """Make the folder of exports; raise MediaError if it cannot be made."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(
            f'cannot make "{folder}": {error.strerror}', "check the space and the rights there"
        ) from None


def _with_names(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without paths of this machine."""
    kept = {name: value for name, value in answer.items() if name != "path"}
    result, compare = answer["result"], answer["compare"]
    if result is not None:
        kept["result"] = {**result, "file": Path(result["file"]).name}
    if compare is not None:
        kept["compare"] = {**compare, **{name: Path(compare[name]).name for name in PARTS}}
    return kept
