"""The tool that starts jobs: an analysis, a separation, a master."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from sfa_engine.agents.tools.answer import TrackNumber
from sfa_engine.agents.tools.loudness import Preset
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.desk import DESK
from sfa_engine.errors import Locked, SfaError

LOCK = DESK.session.lock.path
JobName = Literal["analyse", "separate", "master"]


class JobOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `job_start` takes; the preset is for a master."""

    job: JobName
    track: TrackNumber
    preset: Preset


class JobStarted(Struct, frozen=True):
    """A job that was queued."""

    job: str
    track: int
    name: str
    batch: str


async def _start(bench: Workbench, params: JobOf) -> JobStarted:
    await check_lock(bench, "starting a job")
    track = bench.check_track(params.track)
    shown = await bench.call("library.show", track=track)
    queued: dict[str, Any]
    if params.job == "analyse":
        queued = await bench.call("library.reanalyse", words=f"#{track}")
    elif params.job == "separate":
        queued = await bench.call("prep.separate", track=track)
    else:
        queued = await bench.call("prep.master", track=track, preset=params.preset)
    return JobStarted(params.job, track, clean(shown["name"]), queued["batch"])


async def check_lock(bench: Workbench, doing: str) -> None:
    """Refuse while ``session.lock`` is on: all but reading waits.

    Raises
    ------
    Locked
        It is.
    """
    lock = await lock_of(bench)
    if lock == "on":
        raise Locked(f"session.lock is on: it refuses {doing}", "switch it off, or ask later")


async def lock_of(bench: Workbench) -> str:
    """Return what ``session.lock`` is set to; ``off`` without an engine."""
    try:
        found = await bench.call("get", path=LOCK)
    except SfaError:
        return "off"
    return str(found["text"])


JOB_START = AgentTool(
    "job_start",
    "Queue a job for a track: analyse it again, separate its stems, or make a master of it.",
    JobOf,
    JobStarted,
    "prepare",
    is_read_only=False,
    run=_start,
)
