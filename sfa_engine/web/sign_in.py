"""``/api/auth``: signing in and out, one-time links, one's own password, browsers and tokens."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.responses import Response

from sfa_engine.errors import SfaError
from sfa_engine.web import audit_rows, secrets, users
from sfa_engine.web.database import Database
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.gate import cookie_name, set_cookie
from sfa_engine.web.limits import Delays, Rate
from sfa_engine.web.password import Password, Passwords, is_outdated
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Right
from sfa_engine.web.users import User
from sfa_engine.wire.verbs import Scope

Name = Annotated[str, Meta(min_length=1, max_length=users.MAX_NAME)]
Secret = Annotated[str, Meta(min_length=1, max_length=secrets.MAX_SECRET)]
Given = Annotated[str, Meta(max_length=256)]  # a password that may be wrong
_READ = Right("read")


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """Name and password."""

    name: Name
    password: Given


class Link(msgspec.Struct, forbid_unknown_fields=True):
    """A one-time link, and the password to set; the first user needs a name too."""

    secret: Secret
    password: Password
    name: Name | UnsetType = UNSET


class Show(msgspec.Struct, forbid_unknown_fields=True):
    """A one-time link."""

    secret: Secret


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """The old password and the new one."""

    old: Given
    new: Password


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """What a token is for, what it may do, and for how long."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=6)]
    days: Annotated[int, Meta(ge=1, le=3650)] | None = None


class SignIn:
    """The endpoints of signing in.

    Parameters
    ----------
    database : Database
    passwords : Passwords
    """

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords
        self._delays = Delays()

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        heavy, change = Rate.HEAVY, Rate.CHANGE
        auth = "/api/auth"
        return [
            Endpoint(
                "POST",
                f"{auth}/login",
                "Sign in; the answer sets the session's cookie.",
                self._login,
                body=Login,
                statuses=(401,),
                rate=heavy,
            ),
            Endpoint(
                "POST",
                f"{auth}/link",
                "Show whose one-time link it is.",
                self._show_link,
                body=Show,
                rate=heavy,
                is_welcome=True,
            ),
            Endpoint(
                "POST",
                f"{auth}/use_link",
                "Set a password by a one-time link, and sign in.",
                self._use_link,
                body=Link,
                rate=heavy,
                is_welcome=True,
            ),
            Endpoint(
                "POST",
                f"{auth}/logout",
                "Sign this browser out.",
                self._logout,
                right=_READ,
                rate=change,
            ),
            Endpoint("GET", f"{auth}/me", "Show who is signed in.", self._me, right=_READ),
            Endpoint(
                "POST",
                f"{auth}/password",
                "Change the password; other browsers sign out.",
                self._change_password,
                body=Change,
                right=_READ,
                rate=heavy,
            ),
            Endpoint(
                "GET",
                f"{auth}/sessions",
                "List the browsers that are signed in.",
                self._sessions,
                right=_READ,
            ),
            Endpoint(
                "DELETE",
                f"{auth}/sessions/{{id}}",
                "Sign a browser out.",
                self._end_session,
                statuses=(404,),
                right=_READ,
                rate=change,
            ),
            Endpoint("GET", f"{auth}/tokens", "List the tokens.", self._tokens, right=_READ),
            Endpoint(
                "POST",
                f"{auth}/tokens",
                "Make a token; its secret is shown once.",
                self._add_token,
                body=NewToken,
                right=_READ,
                rate=change,
                success=201,
            ),
            Endpoint(
                "DELETE",
                f"{auth}/tokens/{{id}}",
                "Delete a token.",
                self._delete_token,
                statuses=(404,),
                right=_READ,
                rate=change,
            ),
        ]

    async def _login(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(Login)
        key, now_s = users.key_of(given.name), time.monotonic()
        wait_s = self._delays.wait_s(key, exchange.address, now_s)
        if wait_s:
            headers = {"Retry-After": str(wait_s)}
            raise Problem(429, "too many wrong passwords", f"wait {wait_s} s", headers=headers)
        user = users.find(self._database.reader, given.name)
        stored = user.password if user is not None and user.status == "active" else None
        if not await self._passwords.fits(stored, given.password):
            self._delays.fail(key, exchange.address, now_s)
            with suppress(SfaError):  # the disk is full: the sign-in fails all the same
                target, why = f"user {given.name}", "wrong_password: name or password is wrong"
                await self._database.write(audit_rows.add, "auth.login", target, why)
            raise Problem(401, "the name or the password is wrong", code="wrong_password")
        assert user is not None
        assert stored is not None
        self._delays.succeed(key, exchange.address)
        if is_outdated(stored):
            fresh = await self._passwords.hashed(given.password)
            with suppress(SfaError):  # the old one will do
                await self._database.write(users.refresh_hash, user.id, stored, fresh)
        return await self._signed_in(exchange, user)

    async def _show_link(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(Show)
        is_valid, user = secrets.link_user(self._database.reader, given.secret)
        if not is_valid:
            raise _invalid_link()
        return answer({"name": user.name if user is not None else None})

    async def _use_link(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(Link)
        is_valid, user = secrets.link_user(self._database.reader, given.secret)
        if not is_valid:
            raise _invalid_link()
        if user is None and given.name is UNSET:
            raise Problem(422, "the first user needs a name", "give name")
        name = "" if given.name is UNSET else given.name
        stored = await self._passwords.hashed(given.password)
        user = await self._database.write(secrets.use_link, given.secret, name, stored)
        return await self._signed_in(exchange, user)

    async def _signed_in(self, exchange: Exchange, user: User) -> Response:
        """Return the answer that sets a new session's cookie; an older session ends."""
        request = exchange.request
        agent = request.headers.get("user-agent", "")
        before = exchange.cookie(cookie_name(exchange))
        if before is not None:
            await self._database.write(secrets.end_session, before)
        secret = await self._database.write(secrets.begin_session, user.id, exchange.address, agent)
        response = answer(_shown(user))
        set_cookie(exchange, response, secret)
        return response

    async def _logout(self, exchange: Exchange) -> Response:
        cookie = cookie_name(exchange)
        secret = exchange.cookie(cookie)
        if secret is not None:
            await self._database.write(secrets.end_session, secret)
        response = answer({})
        response.delete_cookie(cookie, httponly=True, samesite="lax")
        return response

    async def _me(self, exchange: Exchange) -> Response:
        actor = exchange.actor
        return answer({"name": actor.name, "role": actor.role, "scopes": sorted(actor.scopes)})

    async def _change_password(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(Change)
        user = self._page_user(exchange)
        if not await self._passwords.fits(user.password, given.old):
            raise Problem(403, "the old password is wrong", code="wrong_password")
        stored = await self._passwords.hashed(given.new)
        await self._database.write(users.set_password, user.id, stored)
        return await self._signed_in(exchange, user)

    async def _sessions(self, exchange: Exchange) -> Response:
        found = secrets.sessions_of(self._database.reader, exchange.actor.account)
        return answer({"sessions": [asdict(each) for each in found]})

    async def _end_session(self, exchange: Exchange) -> Response:
        self._page_user(exchange)
        done = await self._database.write(
            secrets.end_session_by_id, exchange.actor.account, exchange.path["id"]
        )
        return _done(found=done, what="session")

    async def _tokens(self, exchange: Exchange) -> Response:
        found = secrets.tokens_of(self._database.reader, exchange.actor.account)
        return answer({"tokens": [asdict(each) for each in found]})

    async def _add_token(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(NewToken)
        user = self._page_user(exchange)
        secret, token = await self._database.write(
            secrets.add_token, user, given.name, given.scopes, given.days
        )
        return answer({"secret": secret, **asdict(token)}, 201)

    async def _delete_token(self, exchange: Exchange) -> Response:
        self._page_user(exchange)
        done = await self._database.write(
            secrets.delete_token, exchange.actor.account, exchange.path["id"]
        )
        return _done(found=done, what="token")

    def _page_user(self, exchange: Exchange) -> User:
        """Return the signed-in user; a token cannot make others or change the password."""
        if not exchange.actor.is_page:
            raise Problem(403, "a token may not do this", "sign in", code="forbidden")
        user = users.by_id(self._database.reader, exchange.actor.account)
        assert user is not None
        return user


def _invalid_link() -> Problem:
    hint = "make another one with `sfa web`"
    return Problem(422, "the link is not valid any more", hint, code="invalid_link")


def _done(*, found: bool, what: str) -> Response:
    if not found:
        raise Problem(404, f"no such {what}")
    return answer({})


def _shown(user: User) -> dict[str, Any]:
    return {"name": user.name, "role": user.role}
