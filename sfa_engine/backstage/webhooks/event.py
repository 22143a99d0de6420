"""The events of webhooks, and the data of each. Pure.

================= ============================= ===================================================
event             when                          data
================= ============================= ===================================================
track.downloaded  a link's file is here         job, url, title, artist
track.processed   a track has stems             job, track, engine, model, stems
track.analyzed    a track was analysed          job, track, bpm, confidence, key, camelot, lufs, …
job.failed        a job failed for good         job, kind, title, track, attempts, error
webhook.test      `webhooks.test` was called    webhook
================= ============================= ===================================================

No data has a path of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sfa_engine.backstage.job import Job, Kind, State
from sfa_engine.library.track import Track
from sfa_engine.wire.frames import sayable

EventName = Literal["track.downloaded", "track.processed", "track.analyzed", "job.failed"]
EVENTS: tuple[EventName, ...] = get_args(EventName)
TEST = "webhook.test"
MAX_TEXT = 1000  # characters: a body stays below 20 kB
_OF_DONE: Mapping[Kind, EventName] = {
    Kind.DOWNLOAD: "track.downloaded",
    Kind.SEPARATE: "track.processed",
    Kind.ANALYSE: "track.analyzed",
}
_SEPARATED = ("engine", "model", "stems")
_ANALYSED = ("bpm", "confidence", "variable", "key", "camelot", "lufs", "energy")


def event_of(job: Job) -> EventName | None:
    """Return the event of a job's end, or None: a skipped job has changed nothing."""
    if job.state is State.FAILED:
        return "job.failed"
    return _OF_DONE.get(job.kind) if job.state is State.DONE else None


def data_of(event: EventName, job: Job, track: Track | None) -> dict[str, Any]:
    """Return what an event says.

    Parameters
    ----------
    event : EventName
    job : Job
        That has ended.
    track : Track or None
        Of the job.
    """
    said: dict[str, Any] = {"job": job.id}
    if event == "track.downloaded":
        metadata = job.args.get("metadata") or {}
        said["url"] = job.args.get("url", "")
        said["title"] = metadata.get("title") or job.title
        said["artist"] = metadata.get("artist", "")
        return said
    said["track"] = None if track is None else _described(track)
    if event == "job.failed":
        error = job.error or {}
        said |= {"kind": job.kind.value, "title": job.title, "attempts": job.attempts}
        return said | {"error": {name: error.get(name, "") for name in ("code", "message", "hint")}}
    names = _SEPARATED if event == "track.processed" else _ANALYSED
    return said | {name: job.result.get(name) for name in names}


def body_of(event: str, at_s: float, data: Mapping[str, Any]) -> str:
    """Return the body of a message as JSON."""
    at = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    said = {"type": event, "timestamp": at.replace("+00:00", "Z"), "data": _bounded(data)}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _described(track: Track) -> dict[str, Any]:
    shown = ("id", "uuid", "title", "artist", "album", "bpm", "key", "duration_s")
    return {name: getattr(track, name) for name in shown}


def _bounded(value: Any) -> Any:
    """Return plain values whose texts are short and valid."""
    if isinstance(value, str):
        return sayable(value[:MAX_TEXT])
    if isinstance(value, Mapping):
        return {name: _bounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(each) for each in value]
    return value
