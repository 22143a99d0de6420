"""Providers of accounts and what was asked of them. Functions on a connection of `Database`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sfa_engine.library.database import Connection, change, insert, row, rows

MAX_USAGE = 100_000  # rows that are kept, the newest


@dataclass(frozen=True)
class StoredProvider:
    """A provider without its key.

    Attributes
    ----------
    name, adapter, url, model, api_version : str
        As of `Provider`; an empty `url` is the adapter's usual one.
    """

    name: str
    adapter: str
    url: str = ""
    model: str = ""
    api_version: str = ""


async def providers(connection: Connection, account: int) -> list[StoredProvider]:
    """Return the providers of an account, in the user's order."""
    found = await rows(
        connection,
        "SELECT name, adapter, url, model, api_version FROM llm_providers WHERE account = ?"
        " ORDER BY place, name",
        (account,),
    )
    return [StoredProvider(*each) for each in found]


async def put_provider(
    connection: Connection, account: int, provider: StoredProvider, place: int | None
) -> None:
    """Store a provider, in place of one of its name.

    Parameters
    ----------
    connection : Connection
    account : int
    provider : StoredProvider
    place : int, optional
        In the order, from 1; a new one is last by default, another keeps its place.
    """
    names = [each.name for each in await providers(connection, account)]
    if place is not None or provider.name not in names:
        names = [name for name in names if name != provider.name]
        names.insert(len(names) if place is None else place - 1, provider.name)
    await change(
        connection,
        "INSERT OR REPLACE INTO llm_providers (account, name, adapter, url, model, api_version,"
        " place) VALUES (?, ?, ?, ?, ?, ?, 0)",
        (
            account,
            *(provider.name, provider.adapter, provider.url, provider.model),
            provider.api_version,
        ),
    )
    for number, name in enumerate(names, 1):
        await change(
            connection,
            "UPDATE llm_providers SET place = ? WHERE account = ? AND name = ?",
            (number, account, name),
        )


async def remove_provider(connection: Connection, account: int, name: str) -> bool:
    """Remove a provider; return whether there was one. What was asked of it stays."""
    sql = "DELETE FROM llm_providers WHERE account = ? AND name = ?"
    return bool(await change(connection, sql, (account, name)))


async def add_usage(
    connection: Connection, account: int, at_s: float, values: Sequence[Any]
) -> None:
    """Store what an attempt took.

    Parameters
    ----------
    connection : Connection
    account : int
    at_s : float
        Since 1970.
    values : sequence
        Provider, model, tokens of input and output, cost in US dollars, latency in milliseconds,
        outcome.
    """
    number = await insert(
        connection,
        "INSERT INTO llm_usage (at_s, account, provider, model, input_tokens, output_tokens,"
        " cost_usd, latency_ms, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (at_s, account, *values),
    )
    await change(connection, "DELETE FROM llm_usage WHERE id <= ?", (number - MAX_USAGE,))


async def spent_usd(connection: Connection, account: int, today: date) -> float:
    """Return what an account spent on a day, as far as prices are known."""
    found = await row(
        connection,
        "SELECT coalesce(sum(cost_usd), 0.0) AS usd FROM llm_usage WHERE account = ? AND at_s >= ?",
        (account, _begin_s(today)),
    )
    return 0.0 if found is None else float(found["usd"])


async def usage(
    connection: Connection, account: int, days: int, today: date
) -> list[dict[str, Any]]:
    """Return what an account asked in the last days, by day, provider and model, newest first.

    ``cost_usd`` is of the answers whose price is known, None if it is of none; ``unpriced`` is the
    number of the others, ``uncounted`` of those whose tokens are unknown.
    """
    found = await rows(
        connection,
        "SELECT date(at_s, 'unixepoch', 'localtime') AS day, provider, model,"
        " count(*) AS attempts, sum(outcome <> 'ok') AS failed,"
        " sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,"
        " sum(outcome = 'ok' AND (input_tokens IS NULL OR output_tokens IS NULL)) AS uncounted,"
        " sum(cost_usd) AS cost_usd, sum(outcome = 'ok' AND cost_usd IS NULL) AS unpriced,"
        " CAST(avg(CASE WHEN outcome = 'ok' THEN latency_ms END) AS INTEGER) AS latency_ms"
        " FROM llm_usage WHERE account = ? AND at_s >= ?"
        " GROUP BY day, provider, model ORDER BY day DESC, provider, model",
        (account, _begin_s(today - timedelta(days=days - 1))),
    )
    return [dict(each) for each in found]


def _begin_s(day: date) -> float:
    """Return when a day began in the machine's time zone, since 1970."""
    return time.mktime(day.timetuple())
