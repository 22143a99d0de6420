"""Who sent a request, and whether they may: cookies, tokens, roles, rates."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from sfa_engine.errors import SfaError
from sfa_engine.web import secrets, users
from sfa_engine.web.actors import Actors
from sfa_engine.web.database import Database
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.guard import SAFE, Sender, is_loopback, sender
from sfa_engine.web.limits import Limits, Rate
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Actor, Right

logger = logging.getLogger(__name__)
SCHEME = "bearer "


@dataclass(frozen=True)
class Credential:
    """The secret that a connection was signed in with: of a session, or a token."""

    secret: str
    is_session: bool


def bearer_secret(header: str) -> str:
    """Return the token in an Authorization header; empty if it has another scheme."""
    return header[len(SCHEME) :].strip() if header[: len(SCHEME)].lower() == SCHEME else ""


class Gate:
    """Admits requests to endpoints.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._limits = Limits()
        self._actors = Actors(database.reader)
        self._has_users = False
        self._marks: set[asyncio.Task[None]] = set()

    @property
    def has_users(self) -> bool:
        """Whether there is a first user."""
        self._has_users = self._has_users or users.exist(self._database.reader)
        return self._has_users

    def admit(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Identify the sender of a request, and refuse what they may not do.

        Raises
        ------
        Problem
            401 without a valid sign-in, 403 for other sites' pages and missing rights, 429 for
            too many requests.
        """
        if not (endpoint.is_welcome or self.has_users or is_loopback(exchange.address)):
            hint = "open the link that `sfa web` prints"
            raise Problem(403, "there is no user yet", hint, code="no_user")
        try:
            exchange.sender = self._identify(exchange)
        finally:  # wrong tokens count too
            self._limit(exchange, endpoint)
        if endpoint.right is not None:
            right = endpoint.right
            _check(exchange.sender, right)
            exchange.recheck = lambda: _check(self._identify(exchange), right)

    def _identify(self, exchange: Exchange) -> Actor | None:
        given = exchange.fields.get(b"authorization")
        if given is not None:
            return self._bearer(given.decode("latin-1"), exchange.address)
        method = exchange.request.method
        if method not in SAFE:
            origin = sender(method, exchange.request.headers)
            if origin is Sender.OTHER:
                raise Problem(403, "the request comes from another site's page", code="cross_site")
            if origin is Sender.PROGRAM:
                return None
        secret = exchange.cookie(cookie_name(exchange))
        if secret is None:
            return None
        actor, is_due = self._find(Credential(secret, is_session=True), exchange.address)
        if is_due:
            exchange.extended = secret
        return actor

    def extend(self, exchange: Exchange, response: Response) -> None:
        """Set the cookie of an extended session again, unless the answer sets one itself."""
        if exchange.extended and "set-cookie" not in response.headers:
            set_cookie(exchange, response, exchange.extended)

    def _bearer(self, given: str, address: str) -> Actor:
        actor, _ = self._find(Credential(bearer_secret(given), is_session=False), address)
        if actor is None:
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Problem(401, "the token is not valid", "make another one", headers=headers)
        return actor

    def _limit(self, exchange: Exchange, endpoint: Endpoint) -> None:
        actor = exchange.sender
        is_read = exchange.request.method in {"GET", "HEAD"}
        if actor is not None and actor.is_page and is_read:
            return
        self.count(actor, exchange.address, endpoint.rate)

    def count(self, actor: Actor | None, address: str, rate: Rate) -> None:
        """Count a request of an account, or of an address without one.

        Raises
        ------
        Problem
            429: there were too many.
        """
        who = f"#{actor.account}" if actor is not None else address
        wait_s = self._limits.take(who, rate, time.monotonic())
        if wait_s:
            headers = {"Retry-After": str(wait_s)}
            raise Problem(429, "too many requests", f"wait {wait_s} s", headers=headers)

    def actor_of(self, credential: Credential, address: str) -> Actor | None:
        """Return whom a credential signs in now; None if it is not valid any more."""
        return self._find(credential, address)[0]

    def _find(self, credential: Credential, address: str) -> tuple[Actor | None, bool]:
        """Return whom a credential signs in, and whether its use is written down for that."""
        find = secrets.actor_of_session if credential.is_session else secrets.actor_of_token
        found = self._actors.find(find, credential.secret, address)
        if found is None:
            return None, False
        actor, is_due = found
        if is_due and credential.is_session:
            self._mark(self._database.write(secrets.mark_session, credential.secret, address))
        elif is_due:
            self._mark(self._database.write(secrets.mark_token, credential.secret))
        return actor, is_due

    def _mark(self, write: Coroutine[Any, Any, None]) -> None:
        """Write a use down, while the request is answered."""

        async def marked() -> None:
            try:
                await write
            except SfaError as error:  # the disk is full: the use is not written down
                logger.warning("%s", error)

        task = asyncio.ensure_future(marked())
        self._marks.add(task)
        task.add_done_callback(self._marks.discard)


def _check(actor: Actor | None, right: Right) -> None:
    """Refuse a sender without a right.

    Raises
    ------
    Problem
        401 or 403.
    """
    if actor is None:
        headers = {"WWW-Authenticate": "Bearer"}
        raise Problem(401, "not signed in", "sign in, or send a token", headers=headers)
    if right.scope not in actor.scopes:
        raise Problem(403, f"this needs the scope {right.scope}", code="forbidden")
    if not actor.has(right.least):
        raise Problem(403, f"this needs the role {right.least}", code="forbidden")


def set_cookie(exchange: Exchange, response: Response, secret: str) -> None:
    """Set the session's cookie; the browser keeps it as long as an unused session lasts."""
    response.set_cookie(
        cookie_name(exchange),
        secret,
        max_age=int(secrets.SESSION_IDLE_S),
        httponly=True,
        samesite="lax",
        secure=exchange.request.url.scheme == "https",
    )


def cookie_name(exchange: Exchange) -> str:
    """Return the name of the session's cookie."""
    return cookie_of(exchange.request.scope)


def cookie_of(scope: Scope) -> str:
    """Return the name of the session's cookie: other ports of this host get it too."""
    server = scope.get("server")
    return f"sfa_session_{server[1] if server else 0}"
