"""Notifications: what a person should know who was not there when it happened.

The newest 1000 are kept, by a trigger. Functions take a connection of `Database`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from sfa_engine.library.database import Connection, Row, insert, row, rows
from sfa_engine.library.ownership import MACHINE, OTHER

MAX_KEPT = 1000
LAST = 1 << 62  # above any number of a notification
RESTRICTED = frozenset({"webhook.failed"})  # kinds: users know nothing of webhooks
_COLUMNS = (
    "id, created_s, level, kind, sentence, hint, track_id, job_id, is_read,"
    " coalesce((SELECT account FROM jobs WHERE jobs.id = job_id), 0),"
    " (SELECT group_concat(account, ' ') FROM job_accounts"
    " WHERE job_accounts.job_id = notifications.job_id)"
)


class Level(StrEnum):
    """How serious it is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class News:
    """What a notification says.

    Parameters
    ----------
    level : Level
    kind : str
        For programs: ``job.failed``, ``batch.done``, ``disk.full`` …
    sentence : str
        What happened.
    hint : str
        What to do about it.
    track, job : int, optional
        Which it concerns.
    """

    level: Level
    kind: str
    sentence: str
    hint: str = ""
    track: int | None = None
    job: int | None = None


@dataclass(frozen=True)
class Notification:
    """A stored notification.

    Parameters
    ----------
    id : int
    time_s : float
        Seconds since 1970.
    level : Level
    kind, sentence, hint : str
    track, job : int, optional
        None also when it is not in the library any more.
    read : bool
    account : int
        That its job is for; `ownership.MACHINE` for the machine's, and without a job;
        `ownership.OTHER` for what is for those alone who see everything.
    accounts : tuple of int
        All that wait for its job.
    """

    id: int
    time_s: float
    level: Level
    kind: str
    sentence: str
    hint: str
    track: int | None
    job: int | None
    read: bool
    account: int = MACHINE
    accounts: tuple[int, ...] = ()


async def add(connection: Connection, news: News, now_s: float) -> int:
    """Add a notification; return its number.

    Parameters
    ----------
    connection : Connection
        Of a transaction.
    news : News
    now_s : float
        Seconds since 1970.
    """
    return await insert(
        connection,
        "INSERT INTO notifications (created_s, level, kind, sentence, hint, track_id, job_id)"
        " VALUES (?, ?, ?, ?, ?, (SELECT id FROM tracks WHERE id = ?),"
        " (SELECT id FROM jobs WHERE id = ?))",
        (now_s, news.level, news.kind, news.sentence, news.hint, news.track, news.job),
    )


async def list_notifications(connection: Connection, *, unread: bool = False) -> list[Notification]:
    """Return notifications, newest first."""
    found = await rows(
        connection,
        f"SELECT {_COLUMNS} FROM notifications"  # noqa: S608 - a constant
        " WHERE NOT (? AND is_read) ORDER BY id DESC",
        (unread,),
    )
    return [_of(each) for each in found]


async def later_than(connection: Connection, number: int) -> list[Notification]:
    """Return those after a number, oldest first."""
    found = await rows(
        connection,
        f"SELECT {_COLUMNS} FROM notifications WHERE id > ? ORDER BY id",  # noqa: S608 - a constant
        (number,),
    )
    return [_of(each) for each in found]


async def last_number(connection: Connection) -> int:
    """Return the number of the newest; 0 without one."""
    found = await row(connection, "SELECT coalesce(max(id), 0) FROM notifications")
    assert found is not None
    return int(found[0])


async def mark_read(connection: Connection, numbers: Collection[int]) -> list[Notification]:
    """Mark some as read; return those that were unread before."""
    unread = await list_notifications(connection, unread=True)
    changed = [each for each in unread if each.id in numbers]
    await connection.executemany(
        "UPDATE notifications SET is_read = 1 WHERE id = ?", [(each.id,) for each in changed]
    )
    return [replace(each, read=True) for each in changed]


def _of(found: Row) -> Notification:
    number, time_s, level, kind, sentence, hint, track, job, is_read, account, accounts = found
    return Notification(
        *(number, time_s, Level(level), kind, sentence, hint, track, job),
        read=bool(is_read),
        account=OTHER if kind in RESTRICTED else int(account),
        accounts=tuple(map(int, (accounts or "").split())),
    )
