"""What the library grew by each day, and what each account has of it. Functions on a connection.

An admin's page draws them; the bytes of bundles come from `BundleSizes`, since the database has
none.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from sfa_engine.library.database import Connection, rows
from sfa_engine.library.ownership import MACHINE
from sfa_engine.library.places import Places

SIZES_S = 60.0  # that measured sizes are used for: 20,000 bundles take 0.5 s of a thread
_HERE = "deleted_at IS NULL"
# Counts of a day by what is counted: a table, its time, and a condition.
_COUNTED = (
    ("tracks", "tracks", "added_at", _HERE),
    ("stems", "stems", "made_at", "name <> 'mix'"),
    ("analyses", "analyses", "made_at", "1"),
    ("jobs_done", "jobs", "ended_s", "state = 'done'"),
    ("jobs_failed", "jobs", "ended_s", "state = 'failed'"),
)


@dataclass
class Usage:
    """What an account has; a track of two accounts counts for both.

    Attributes
    ----------
    account : int
        0 for the machine.
    tracks : int
        Not in the trash.
    duration_s : float
        Of these.
    bundles_bytes : int
        On the disk.
    jobs : mapping of str to int
        By state, of those that are kept.
    """

    account: int
    tracks: int = 0
    duration_s: float = 0.0
    bundles_bytes: int = 0
    jobs: dict[str, int] = field(default_factory=dict)


async def daily(connection: Connection, days: int, today: date) -> list[dict[str, int | str]]:
    """Return the counts of each of the last days, the oldest first, in the machine's time zone.

    Parameters
    ----------
    connection : Connection
    days : int
    today : datetime.date
        The last of them.
    """
    dates = [str(today - timedelta(days=days - 1 - number)) for number in range(days)]
    found: dict[str, dict[str, int | str]] = {
        each: {"day": each, **{name: 0 for name, *_ in _COUNTED}} for each in dates
    }
    since_s = time.mktime((today - timedelta(days=days - 1)).timetuple())
    for name, table, column, condition in _COUNTED:
        # Whole quarters of an hour first: `localtime` of each row is most of the time otherwise,
        # and no time zone changes its offset within one.
        counted = await rows(
            connection,
            "SELECT date(quarter * 900, 'unixepoch', 'localtime') AS day, sum(n) AS n FROM"  # noqa: S608 - constants
            f" (SELECT CAST({column} / 900 AS INTEGER) AS quarter, count(*) AS n FROM {table}"
            f" WHERE {column} >= ? AND {condition} GROUP BY quarter) GROUP BY day",
            (since_s,),
        )
        for each in counted:
            if each["day"] in found:  # a clock that was set back leaves some of tomorrow
                found[each["day"]][name] = int(each["n"])
    return list(found.values())


async def hourly_jobs(
    connection: Connection, hours: int, now_s: float
) -> list[dict[str, int | float]]:
    """Return how many jobs were done and failed in each of the last hours, the oldest first.

    Parameters
    ----------
    connection : Connection
    hours : int
    now_s : float
        End of the last of them, in seconds since 1970.
    """
    since_s = now_s - hours * 3600.0
    found: list[dict[str, int | float]] = [
        {"from_s": since_s + number * 3600.0, "jobs_done": 0, "jobs_failed": 0}
        for number in range(hours)
    ]
    for each in await rows(
        connection,
        "SELECT CAST((ended_s - ?1) / 3600 AS INTEGER) AS hour, state, count(*) AS n FROM jobs"
        " WHERE ended_s >= ?1 AND ended_s < ?2 AND state IN ('done', 'failed') GROUP BY 1, 2",
        (since_s, now_s),
    ):
        found[min(each["hour"], hours - 1)][f"jobs_{each['state']}"] = int(each["n"])
    return found


async def by_account(connection: Connection, sizes: Mapping[str, int]) -> list[Usage]:
    """Return what each account has, and the machine, which is the first.

    Parameters
    ----------
    connection : Connection
    sizes : mapping of str to int
        Bytes of the bundles by their names.
    """
    found = {MACHINE: Usage(MACHINE)}
    for each in await rows(
        connection,
        f"SELECT 0 AS account, bundle, duration_s FROM tracks WHERE account IS NULL AND {_HERE}"  # noqa: S608
        " UNION ALL SELECT CAST(m.account AS INTEGER), bundle, duration_s"
        f" FROM memberships AS m JOIN tracks ON tracks.id = m.track_id WHERE {_HERE}",
    ):
        usage = found.setdefault(each["account"], Usage(each["account"]))
        usage.tracks += 1
        usage.duration_s += each["duration_s"] or 0.0
        usage.bundles_bytes += sizes.get(each["bundle"] or "", 0)
    for each in await rows(
        connection,
        "SELECT CAST(coalesce(account, 0) AS INTEGER) AS account, state, count(*) AS n FROM jobs"
        " GROUP BY 1, 2",
    ):
        usage = found.setdefault(each["account"], Usage(each["account"]))
        usage.jobs[each["state"]] = each["n"]
    return [found[account] for account in sorted(found)]


async def bundles_of(connection: Connection, condition: str) -> list[str]:
    """Return the names of the bundles of tracks, not in the trash, that fit a condition."""
    found = await rows(
        connection,
        f"SELECT bundle FROM tracks WHERE bundle IS NOT NULL AND {_HERE} AND {condition}",  # noqa: S608
    )
    return [each["bundle"] for each in found]


class BundleSizes:
    """Bytes of each bundle on the disk, measured at most once in `SIZES_S`.

    Parameters
    ----------
    places : Places
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._sizes: dict[str, int] = {}
        self._at_s: float | None = None
        self._measuring = asyncio.Lock()

    async def get(self) -> Mapping[str, int]:
        """Return them by the bundles' names."""
        async with self._measuring:
            if self._at_s is None or time.monotonic() - self._at_s > SIZES_S:
                self._sizes = await asyncio.to_thread(_measured, os.fspath(self._places.bundles))
                self._at_s = time.monotonic()
        return self._sizes


def _measured(folder: str) -> dict[str, int]:
    try:
        with os.scandir(folder) as found:
            names = [each.name for each in found if not each.name.startswith(".")]
    except FileNotFoundError:
        return {}
    return {name: _size_bytes(f"{folder}/{name}") for name in names}


def _size_bytes(folder: str) -> int:
    total = 0
    try:
        with os.scandir(folder) as found:
            for each in found:
                if each.is_dir(follow_symlinks=False):
                    total += _size_bytes(each.path)
                else:
                    total += each.stat(follow_symlinks=False).st_size
    except (FileNotFoundError, NotADirectoryError):  # gone meanwhile
        pass
    return total
