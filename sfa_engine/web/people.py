"""``/api/users``: what an admin does with accounts; refused while the session is locked."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from starlette.responses import Response

from sfa_engine.errors import SfaError
from sfa_engine.web import secrets, users
from sfa_engine.web.database import Connection, Database
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.limits import Rate
from sfa_engine.web.link import Link
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Actor, Right
from sfa_engine.web.sign_in import Name
from sfa_engine.web.users import User

TIMEOUT_S = 2.0
_ADMIN = Right("admin", least="admin")
StoredRole = Literal["user", "moderator", "admin", "super_admin"]


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user to invite."""

    name: Name
    role: StoredRole = "user"
    force: bool = False


class NewRole(msgspec.Struct, forbid_unknown_fields=True):
    """A user's new role."""

    name: Name
    role: StoredRole
    force: bool = False


class NewStatus(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a user may sign in."""

    name: Name
    status: Literal["active", "suspended"]
    force: bool = False


class Reset(msgspec.Struct, forbid_unknown_fields=True):
    """A user who gets a link for a new password."""

    name: Name
    force: bool = False


class SessionLock:
    """Refuses what could disturb a set.

    Parameters
    ----------
    engine : Link
        Knows whether the session is locked.
    """

    def __init__(self, engine: Link) -> None:
        self._engine = engine

    async def check(self, doing: str, *, force: bool) -> None:
        """Refuse something while the session is locked, unless it is forced."""
        if force:
            return
        try:
            said = await self._engine.call("get", {"path": "session.locked"}, TIMEOUT_S)
        except SfaError:  # nothing is played
            return
        if said["value"]:
            raise Problem(
                409,
                f"the session is locked: session.lock refuses {doing}",
                "wait until no deck is audible, or send force",
                code="locked",
            )


class People:
    """The endpoints.

    Parameters
    ----------
    database : Database
    lock : SessionLock
    """

    def __init__(self, database: Database, lock: SessionLock) -> None:
        self._database = database
        self._lock = lock

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        path = "/api/users"
        return [
            Endpoint("GET", path, "List the users.", self._list, right=_ADMIN),
            Endpoint(
                "POST",
                path,
                "Invite a user; the answer has the secret of a one-time link.",
                self._add,
                body=NewUser,
                statuses=(409,),
                right=_ADMIN,
                rate=Rate.CHANGE,
                success=201,
            ),
            Endpoint(
                "POST",
                f"{path}/role",
                "Change a user's role.",
                self._set_role,
                body=NewRole,
                statuses=(409,),
                right=_ADMIN,
                rate=Rate.CHANGE,
            ),
            Endpoint(
                "POST",
                f"{path}/status",
                "Suspend a user, or let one in again.",
                self._set_status,
                body=NewStatus,
                statuses=(409,),
                right=_ADMIN,
                rate=Rate.CHANGE,
            ),
            Endpoint(
                "POST",
                f"{path}/reset",
                "Make a one-time link for a new password.",
                self._reset,
                body=Reset,
                statuses=(409,),
                right=_ADMIN,
                rate=Rate.CHANGE,
            ),
        ]

    async def _list(self, _exchange: Exchange) -> Response:
        found = users.listed(self._database.reader)
        return answer({"users": [_shown(each) for each in found]})

    async def _add(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(NewUser)
        await self._lock.check("inviting a user", force=given.force)
        user, secret = await self._database.write(_invite, exchange.actor, given)
        return answer({**_shown(user), "secret": secret}, 201)

    async def _set_role(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(NewRole)
        await self._lock.check("changing a role", force=given.force)
        user = await self._database.write(users.set_role, exchange.actor, given.name, given.role)
        return answer(_shown(user))

    async def _set_status(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(NewStatus)
        await self._lock.check("changing a user", force=given.force)
        user = await self._database.write(
            users.set_status, exchange.actor, given.name, given.status
        )
        return answer(_shown(user))

    async def _reset(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(Reset)
        await self._lock.check("resetting a password", force=given.force)
        secret = await self._database.write(_reset, exchange.actor, given.name)
        return answer({"name": given.name, "secret": secret})


def _invite(connection: Connection, actor: Actor, given: NewUser) -> tuple[User, str]:
    user = users.add(connection, actor, given.name, given.role)
    return user, secrets.add_link(connection, user)


def _reset(connection: Connection, actor: Actor, name: str) -> str:
    user = users.get(connection, name)
    users.check_may_change(actor, user)
    return secrets.add_link(connection, user)


def _shown(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "state": user.state,
        "created_s": user.created_s,
    }
