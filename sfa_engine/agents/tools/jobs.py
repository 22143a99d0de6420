"""The tool that starts jobs: an analysis, a separation, a master."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from sfa_engine.agents.tools.answer import TrackNumber
from sfa_engine.agents.tools.loudness import Preset
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench

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


JOB_START = AgentTool(
    "job_start",
    "Queue a job for a track: analyse it again, separate its stems, or make a master of it.",
    JobOf,
    JobStarted,
    "prepare",
    is_read_only=False,
    run=_start,
)
