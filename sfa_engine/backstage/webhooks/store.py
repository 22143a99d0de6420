"""Rows of webhooks, deliveries and tries. Every function takes a connection of the library."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sfa_engine.backstage.webhooks.post import Answer
from sfa_engine.errors import Refused
from sfa_engine.library.database import Connection, Row, change, insert, row, rows

MAX_WEBHOOKS = 32  # each has a delivery in flight at a time
MAX_WAITING = 1000  # deliveries of a webhook; what happens then is counted and not sent
KEEP_S = 30 * 86_400.0
MAX_KEPT = 10_000  # deliveries that have ended
OLD_SECRET_S = 86_400.0  # for which a rotated secret signs too
EVERY = "*"
_LOOK = "see `sfa webhook list`"


@dataclass(frozen=True)
class Webhook:
    """An endpoint.

    Attributes
    ----------
    id : int
    url : str
    events : tuple of str
    description : str
    secrets : tuple of str
        In force, encrypted: the newest first.
    active : bool
    problem : str
        Why it was disabled.
    dropped : int
        Events that its full queue did not take.
    created_s : float
    """

    id: int
    url: str
    events: tuple[str, ...]
    description: str
    secrets: tuple[str, ...]
    active: bool
    problem: str
    dropped: int
    created_s: float


@dataclass(frozen=True)
class Delivery:
    """A message to an endpoint.

    Attributes
    ----------
    id, webhook : int
    uuid : str
        Of the header ``webhook-id``.
    event, body : str
    state : str
        ``waiting``, ``delivered`` or ``failed``.
    tries : int
        Of this round.
    due_s, created_s, ended_s : float
        Seconds since 1970; 0 is not yet.
    """

    id: int
    webhook: int
    uuid: str
    event: str
    body: str
    state: str
    tries: int
    due_s: float
    created_s: float
    ended_s: float


async def add(
    connection: Connection,
    url: str,
    events: Sequence[str],
    description: str,
    secret: str,
    now_s: float,
) -> Webhook:
    """Add an endpoint with an encrypted secret.

    Raises
    ------
    Refused
        There are `MAX_WEBHOOKS`.
    """
    count = await row(connection, "SELECT count(*) FROM webhooks")
    if count is not None and count[0] >= MAX_WEBHOOKS:
        raise Refused(f"there are {MAX_WEBHOOKS} webhooks", "remove one")
    number = await insert(
        connection,
        "INSERT INTO webhooks (url, events, description, secret, created_s) VALUES (?, ?, ?, ?, ?)",
        (url, _words(events), description, secret, now_s),
    )
    return await get(connection, number, now_s)


async def get(connection: Connection, number: int, now_s: float) -> Webhook:
    """Return an endpoint.

    Raises
    ------
    Refused
        There is no such one.
    """
    found = await row(connection, "SELECT * FROM webhooks WHERE id = ?", (number,))
    if found is None:
        raise Refused(f"no webhook {number}", _LOOK)
    return _webhook(found, now_s)


async def listed(connection: Connection, now_s: float) -> list[Webhook]:
    """Return all endpoints."""
    found = await rows(connection, "SELECT * FROM webhooks ORDER BY id")
    return [_webhook(each, now_s) for each in found]


async def remove(connection: Connection, number: int) -> None:
    """Remove an endpoint with its deliveries."""
    await change(connection, "DELETE FROM webhooks WHERE id = ?", (number,))


async def update(connection: Connection, webhook: Webhook) -> None:
    """Store what may be changed of an endpoint: everything but its secrets."""
    await change(
        connection,
        "UPDATE webhooks SET url = ?, events = ?, description = ?, active = ?, problem = ?"
        " WHERE id = ?",
        (
            *(webhook.url, _words(webhook.events), webhook.description),
            *(webhook.active, webhook.problem, webhook.id),
        ),
    )


async def rotate(connection: Connection, number: int, secret: str, now_s: float) -> None:
    """Give an endpoint another secret; the one of before signs for a day yet."""
    await change(
        connection,
        "UPDATE webhooks SET old_secret = secret, old_until_s = ?, secret = ? WHERE id = ?",
        (now_s + OLD_SECRET_S, secret, number),
    )


async def wanting(connection: Connection, event: str) -> list[int]:
    """Return the numbers of the active endpoints that want an event."""
    found = await rows(connection, "SELECT id, events FROM webhooks WHERE active ORDER BY id")
    return [each["id"] for each in found if {event, EVERY} & {*each["events"].split()}]


async def put(connection: Connection, number: int, event: str, body: str, now_s: float) -> bool:
    """Put a message into an endpoint's queue; return False if that is full."""
    waiting = await row(
        connection,
        "SELECT count(*) FROM deliveries INDEXED BY deliveries_waiting"
        " WHERE webhook_id = ? AND state = 'waiting'",
        (number,),
    )
    if waiting is not None and waiting[0] >= MAX_WAITING:
        await change(
            connection, "UPDATE webhooks SET dropped = dropped + 1 WHERE id = ?", (number,)
        )
        return False
    await insert(
        connection,
        "INSERT INTO deliveries (uuid, webhook_id, event, body, due_s, created_s)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (new_uuid(), number, event, body, now_s, now_s),
    )
    return True


def new_uuid() -> str:
    """Return the ``webhook-id`` of a message."""
    return f"msg_{uuid.uuid4().hex}"


async def next_of_each(connection: Connection) -> list[Delivery]:
    """Return the next delivery of each active endpoint, due or not."""
    found = await rows(
        connection,
        "SELECT deliveries.* FROM webhooks JOIN deliveries ON deliveries.id ="
        " (SELECT id FROM deliveries WHERE webhook_id = webhooks.id AND state = 'waiting'"
        " ORDER BY due_s, id LIMIT 1) WHERE webhooks.active ORDER BY due_s",
    )
    return [_delivery(each) for each in found]


async def record(
    connection: Connection, delivery: Delivery, answer: Answer, at_s: float, retry_s: float | None
) -> bool:
    """Record a try, and what follows; return False if the delivery is gone.

    Parameters
    ----------
    connection : Connection
    delivery : Delivery
    answer : Answer
    at_s : float
        When the try began.
    retry_s : float or None
        When to try again; None for never.
    """
    state = "waiting" if retry_s is not None else "failed" if answer.error else "delivered"
    ended_s = 0.0 if retry_s is not None else at_s + answer.seconds
    changed = await change(
        connection,
        "UPDATE deliveries SET state = ?, tries = tries + 1, due_s = ?, ended_s = ?"
        " WHERE id = ? AND state = 'waiting'",
        (state, retry_s or delivery.due_s, ended_s, delivery.id),
    )
    if changed:
        await insert(
            connection,
            "INSERT INTO delivery_tries (delivery_id, at_s, seconds, status, error)"
            " VALUES (?, ?, ?, ?, ?)",
            (delivery.id, at_s, answer.seconds, answer.status, answer.error),
        )
    return bool(changed)


async def disable(connection: Connection, number: int, problem: str) -> None:
    """Send an endpoint no more, until it is made active again."""
    await change(
        connection, "UPDATE webhooks SET active = 0, problem = ? WHERE id = ?", (problem, number)
    )


async def send_again(connection: Connection, number: int, now_s: float) -> Delivery:
    """Queue a delivery again, with all its tries.

    Raises
    ------
    Refused
        There is no such one, or its endpoint is not active.
    """
    found = await row(
        connection,
        "SELECT deliveries.webhook_id, active FROM deliveries"
        " JOIN webhooks ON webhooks.id = webhook_id WHERE deliveries.id = ?",
        (number,),
    )
    if found is None:
        raise Refused(f"no delivery {number}", "see `sfa webhook deliveries`")
    if not found["active"]:
        webhook = found["webhook_id"]
        raise Refused(f"webhook {webhook} is not active", f"`sfa webhook set {webhook} --active`")
    changed = await rows(
        connection,
        "UPDATE deliveries SET state = 'waiting', tries = 0, due_s = ?, ended_s = 0 WHERE id = ?"
        " RETURNING *",
        (now_s, number),
    )
    return _delivery(changed[0])


async def deliveries(
    connection: Connection, webhook: int | None, state: str | None, before: int, limit: int
) -> list[dict[str, Any]]:
    """Return deliveries as plain values, newest first, with their tries."""
    found = await rows(
        connection,
        "SELECT * FROM deliveries WHERE (?1 IS NULL OR webhook_id = ?1)"
        " AND (?2 IS NULL OR state = ?2) AND id < ?3 ORDER BY id DESC LIMIT ?4",
        (webhook, state, before, limit),
    )
    said = []
    for each in found:
        tries = await rows(
            connection,
            "SELECT at_s, seconds, status, error FROM delivery_tries WHERE delivery_id = ?"
            " ORDER BY id",
            (each["id"],),
        )
        one = {name: each[name] for name in ("id", "uuid", "event", "state", "created_s")}
        one |= {"webhook": each["webhook_id"], "ended_s": each["ended_s"], "body": each["body"]}
        one["next_s"] = each["due_s"] if each["state"] == "waiting" else None
        said.append(one | {"tries": [dict(made) for made in tries]})
    return said


async def counts(connection: Connection) -> dict[int, dict[str, int]]:
    """Return how many deliveries of each endpoint are in each state."""
    found = await rows(
        connection, "SELECT webhook_id, state, count(*) FROM deliveries GROUP BY webhook_id, state"
    )
    said: dict[int, dict[str, int]] = {}
    for number, state, count in found:
        said.setdefault(number, {})[state] = count
    return said


async def prune(connection: Connection, now_s: float, *, by_age: bool = True) -> int:
    """Delete old deliveries; return how many.

    Parameters
    ----------
    connection : Connection
    now_s : float
    by_age : bool
        False while the clock is not to be trusted: only those beyond `MAX_KEPT`.
    """
    gone = await change(
        connection,
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE state <> 'waiting'"
        " ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (MAX_KEPT,),
    )
    if by_age:
        gone += await change(
            connection, "DELETE FROM deliveries WHERE created_s < ?", (now_s - KEEP_S,)
        )
    return gone


def _words(events: Sequence[str]) -> str:
    return EVERY if EVERY in events else " ".join(dict.fromkeys(events))


def _webhook(found: Row, now_s: float) -> Webhook:
    secrets = [found["secret"]]
    # An end that is too far away means that the clock was set back.
    if found["old_secret"] and 0 < found["old_until_s"] - now_s <= OLD_SECRET_S:
        secrets.append(found["old_secret"])
    return Webhook(
        id=found["id"],
        url=found["url"],
        events=tuple(found["events"].split()),
        description=found["description"],
        secrets=tuple(secrets),
        active=bool(found["active"]),
        problem=found["problem"],
        dropped=found["dropped"],
        created_s=found["created_s"],
    )


def _delivery(found: Row) -> Delivery:
    return Delivery(
        id=found["id"],
        webhook=found["webhook_id"],
        uuid=found["uuid"],
        event=found["event"],
        body=found["body"],
        state=found["state"],
        tries=found["tries"],
        due_s=found["due_s"],
        created_s=found["created_s"],
        ended_s=found["ended_s"],
    )
