"""The channel's topics and the shapes of what they say. Pure.

=============== ===================================================================
topic           messages
=============== ===================================================================
jobs:{id}       ``job:progress``, ``job:completed``, ``job:failed`` … of one job
jobs            the same of all
tracks          ``track:added``, ``track:updated``, ``track:stems`` … as they happen
pipeline:{id}   ``state``: the steps of a track with per cent
workers         ``state``: what runs, and how many jobs wait
playback        ``names``, ``values``, ``anchor``
notifications   ``state``: unread ones; ``notification``
agents          ``piece``: what a model says to the client's own questions, as it comes
log             ``lines`` of the processes' logs, for admins with ``debug`` on
trace           ``events`` of the audio process, for those who play, with ``debug`` on
midi            ``messages`` of controllers, for those who play
=============== ===================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sfa_engine.errors import Refused, did_you_mean

NUMBERED = ("jobs", "pipeline")
PLAYBACK = "playback"
LOG, TRACE, MIDI, AGENTS = "log", "trace", "midi", "agents"
PLAIN = ("jobs", "tracks", "workers", PLAYBACK, "notifications", AGENTS, LOG, TRACE, MIDI)
NAMES = (*PLAIN, *(f"{kind}:NUMBER" for kind in NUMBERED))
MAX_DIGITS = 18

AWAY = "away"
STATE = "state"
_JOB_EVENTS = {
    "waiting": "job:waiting",
    "running": "job:progress",
    "done": "job:completed",
    "skipped": "job:completed",
    "failed": "job:failed",
    "cancelled": "job:cancelled",
}
_TRACK_EVENTS = {"import": "track:added", "separate": "track:stems", "analyse": "track:analysed"}


@dataclass(frozen=True)
class Topic:
    """A topic: its kind, and the number of a job or track; 0 without one."""

    kind: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.number else self.kind


def topic_of(name: str) -> Topic:
    """Return the topic of a name.

    Raises
    ------
    Refused
        There is no such topic.
    """
    kind, colon, number = name.partition(":")
    if not colon and kind in PLAIN:
        return Topic(kind)
    is_number = number.isascii() and number.isdecimal() and len(number) <= MAX_DIGITS
    if kind in NUMBERED and is_number and int(number):
        return Topic(kind, int(number))
    raise Refused(f'no topic "{name:.60}"', did_you_mean(name, NAMES) or f"see {', '.join(NAMES)}")


def message(topic: Topic | str, event: str, data: Any = None) -> dict[str, Any]:
    """Return a message of a topic."""
    return {"topic": str(topic), "event": event, "data": data}


def job_event(state: str) -> str:
    """Return the name of the event of a job's state."""
    return _JOB_EVENTS.get(state, "job:progress")


def job_data(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a job: from an entry of ``jobs.list``, or from its event."""
    is_good = job["state"] in {"done", "skipped"}
    progress = 1.0 if is_good else float(job["progress"])
    return {
        "job": job["job"] if "job" in job else job["id"],
        "kind": job["kind"],
        "state": job["state"],
        "title": job["title"],
        "track": job["track"],
        "percent": round(100.0 * progress, 1),
        "doing": job["doing"],
        "error": job["error"],
    }


def owners_of(job: Mapping[str, Any]) -> frozenset[int]:
    """Return the accounts that a job is for, 0 for the machine."""
    return frozenset((job.get("account") or 0, *job.get("accounts", ())))


def track_events(job: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the events of tracks that a job's event means."""
    if job["state"] == "done" and job["track"] is not None and job["kind"] in _TRACK_EVENTS:
        yield _TRACK_EVENTS[job["kind"]], job["track"]
