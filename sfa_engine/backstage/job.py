"""A job: one step of preparing a track, as a row that outlives every process. Pure.

::

    waiting ──claim──► running ──► done | skipped
       ▲  ▲               │
       │  └──── rescue ───┤  its backstage died
       └──── back-off ────┤  it failed and has attempts left
                          └──► failed | cancelled ──► jobs that need it: cancelled
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FIRST_RETRY_S = 2.0
MAX_RETRY_S = 600.0
RENAMED_ARGS = {"told": "metadata"}


class State(StrEnum):
    """State of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE = (State.WAITING, State.RUNNING)
ENDED = (State.DONE, State.SKIPPED, State.FAILED, State.CANCELLED)
GOOD = (State.DONE, State.SKIPPED)


class Kind(StrEnum):
    """Kinds of jobs; those of `CHAIN` in its order."""

    IMPORT = "import"
    DOWNLOAD = "download"
    SEPARATE = "separate"
    ANALYSE = "analyse"
    CUE = "cue"
    AUDITION = "audition"
    TAG = "tag"
    CLEAN = "clean"
    MASTER = "master"
    LOOPS = "loops"
    LIBRARY_IMPORT = "library-import"
    LIBRARY_EXPORT = "library-export"


# What prepares a track: if one of these fails for good, the track has failed.
CHAIN = (Kind.IMPORT, Kind.DOWNLOAD, Kind.SEPARATE, Kind.ANALYSE, Kind.CUE)

QUEUES: Mapping[Kind, str] = {
    Kind.IMPORT: "import",
    Kind.DOWNLOAD: "download",
    Kind.SEPARATE: "separation",
    Kind.ANALYSE: "analysis",
    Kind.CUE: "import",
    Kind.AUDITION: "audition",
    Kind.TAG: "analysis",
    Kind.CLEAN: "import",
    Kind.MASTER: "analysis",
    Kind.LOOPS: "audition",
    Kind.LIBRARY_IMPORT: "exchange",
    Kind.LIBRARY_EXPORT: "exchange",
}


@dataclass(frozen=True)
class Plan:
    """A job to be queued.

    Parameters
    ----------
    kind : Kind
    args : mapping
        Plain values.
    title : str
        Shown to the user.
    track : int, optional
        Its track.
    unique : str, optional
        Only one job with this key waits or runs at a time.
    priority : int
        Higher is earlier.
    max_attempts : int
    time_limit_s : float
        Of one attempt.
    needs_last : bool
        Whether it is cancelled when the job before it fails.
    """

    kind: Kind
    args: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    track: int | None = None
    unique: str | None = None
    priority: int = 0
    max_attempts: int = 3
    time_limit_s: float = 3600.0
    needs_last: bool = False


@dataclass(frozen=True)
class Job:
    """A job as stored.

    Parameters
    ----------
    id : int
    kind : Kind
    queue : str
    state : State
    priority, attempts, max_attempts : int
    title : str
    args, result : dict
    error : dict or None
        ``code``, ``message`` and ``hint`` of the last attempt that failed.
    track, after : int or None
        Its track; the job that it comes after.
    needs_last : bool
    batches : tuple of str
        The requests that it belongs to; each `sfa prep` is one.
    account : int
        Its owner; 0 for the machine.
    accounts : tuple of int
        All accounts that it is for.
    due_s, created_s, started_s, ended_s : float
        Seconds since 1970; 0 is not yet.
    time_limit_s : float
    """

    id: int
    kind: Kind
    queue: str
    state: State
    priority: int
    attempts: int
    max_attempts: int
    title: str
    args: dict[str, Any]
    result: dict[str, Any]
    error: dict[str, str] | None
    track: int | None
    after: int | None
    needs_last: bool
    batches: tuple[str, ...]
    account: int
    accounts: tuple[int, ...]
    due_s: float
    created_s: float
    started_s: float
    ended_s: float
    time_limit_s: float

    @classmethod
    def of(cls, row: sqlite3.Row) -> Job:
        """Return the job of a row."""
        return cls(
            id=row["id"],
            kind=Kind(row["kind"]),
            queue=row["queue"],
            state=State(row["state"]),
            priority=row["priority"],
            attempts=row["attempts"],
            max_attempts=row["most_attempts"],
            title=row["title"],
            args=_current(json.loads(row["args"])),
            result=json.loads(row["result"] or "{}"),
            error=json.loads(row["error"]) if row["error"] else None,
            track=row["track_id"],
            after=row["after_id"],
            needs_last=bool(row["needs_last"]),
            batches=tuple((row["batches"] or "").split()),
            account=int(row["account"] or 0),
            accounts=tuple(map(int, (row["accounts"] or "").split())),
            due_s=row["due_s"],
            created_s=row["created_s"],
            started_s=row["started_s"],
            ended_s=row["ended_s"],
            time_limit_s=row["time_limit_s"],
        )


def _current(args: dict[str, Any]) -> dict[str, Any]:
    """Return a row's arguments by their present names: a queue may be older than the program."""
    return {RENAMED_ARGS.get(name, name): value for name, value in args.items()}


def backoff_s(attempt: int, rng: random.Random) -> float:
    """Return the delay before an attempt, in seconds: doubling, half of it jitter.

    Parameters
    ----------
    attempt : int
        The second is 2.
    rng : random.Random

    References
    ----------
    .. [1] M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: "equal
       jitter" spreads retries of what failed together, and never retries at once.
    """
    longest = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** (attempt - 2))
    return longest / 2 + rng.random() * longest / 2
