"""``/api/users/statuses``: an admin suspends many users, or lets many in again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from sfa_engine.errors import SfaError
from sfa_engine.web import users
from sfa_engine.web.database import Connection, Database
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.limits import Rate
from sfa_engine.web.people import SessionLock
from sfa_engine.web.rights import Actor, Right
from sfa_engine.web.sign_in import Name

MAX_AT_ONCE = 500


class Statuses(msgspec.Struct, forbid_unknown_fields=True):
    """Users, and whether they may sign in."""

    names: Annotated[list[Name], Meta(min_length=1, max_length=MAX_AT_ONCE)]
    status: Literal["active", "suspended"]
    dry_run: bool = False
    force: bool = False


class ManyUsers:
    """The endpoint.

    Parameters
    ----------
    database : Database
    lock : SessionLock
    """

    def __init__(self, database: Database, lock: SessionLock) -> None:
        self._database = database
        self._lock = lock

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoint."""
        return [
            Endpoint(
                "POST",
                "/api/users/statuses",
                "Suspend users, or let them in again; an answer for each.",
                self._set,
                body=Statuses,
                statuses=(409,),
                right=Right("admin", least="admin"),
                rate=Rate.CHANGE,
            )
        ]

    async def _set(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(Statuses)
        if not given.dry_run:
            await self._lock.check("changing users", force=given.force)
        items = await self._database.write(set_all, exchange.actor, given)
        changed = sum(item["error"] is None for item in items)
        return answer({"users": changed, "dry_run": given.dry_run, "items": items})


def set_all(connection: Connection, actor: Actor, given: Statuses) -> list[dict[str, Any]]:
    """Set the status of users one after another; what fails with one stops no other.

    A dry run does the same, and takes it back.
    """
    items: list[dict[str, Any]] = []
    connection.execute("SAVEPOINT many_users")
    for name in dict.fromkeys(given.names):
        item: dict[str, Any] = {"name": name, "state": None, "error": None}
        try:
            item["state"] = users.set_status(connection, actor, name, given.status).state
        except SfaError as error:
            item["error"] = error.to_wire()
        items.append(item)
    if given.dry_run:
        connection.execute("ROLLBACK TO many_users")
    connection.execute("RELEASE many_users")
    return items
