"""``/api/me/settings``: what a user sets for their own preparations and pages.

Engine, model and quality are filled in where a request of the user to `prep.add` leaves them out.
Keys of services go on to backstage, which encrypts them; they are not kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.responses import Response

from sfa_engine.web.database import Connection, Database
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.limits import Rate
from sfa_engine.web.link import Link
from sfa_engine.web.rights import Actor, Right

Word = Annotated[str, Meta(max_length=100)]
Key = Annotated[str, Meta(min_length=1, max_length=1024)]
PATH = "/api/me/settings"
OPTIONS = ("engine", "model", "quality")
# Parameters that a user's settings fill in, by verb.
FILLED: Mapping[str, tuple[str, ...]] = {
    "prep.add": OPTIONS,
    "prep.separate": ("engine", "model"),
}


class Keys(msgspec.Struct, forbid_unknown_fields=True):
    """Keys of services; null deletes one."""

    lalalai: Key | UnsetType | None = UNSET


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """Settings to change; null, or for words an empty one, is as the machine has it."""

    engine: Word | UnsetType | None = UNSET
    model: Word | UnsetType | None = UNSET
    quality: Word | UnsetType | None = UNSET
    debug: bool | UnsetType = UNSET
    keys: Keys | UnsetType = UNSET


class Stored(msgspec.Struct):
    """Settings as stored."""

    engine: str | None = None
    model: str | None = None
    quality: str | None = None
    debug: bool = False


class Preferences:
    """The endpoints, and what they mean for requests.

    Parameters
    ----------
    database : Database
    backstage : Link
    """

    def __init__(self, database: Database, backstage: Link) -> None:
        self._database = database
        self._backstage = backstage

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        return [
            Endpoint(
                "GET",
                PATH,
                "Show one's own settings; of keys only whether they are stored.",
                self._show,
                statuses=(500, 502, 503),
                right=Right("read"),
            ),
            Endpoint(
                "PATCH",
                PATH,
                "Change one's own settings.",
                self._change,
                body=Changes,
                statuses=(500, 502, 503),
                right=Right("prepare"),
                rate=Rate.CHANGE,
            ),
        ]

    def fill(self, verb: str, actor: Actor, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters of a verb with those that the actor's settings fill in.

        An engine that a request names itself does not get the settings' model.
        """
        names = FILLED.get(verb, ())
        if not names:
            return params
        stored = read(self._database.reader, actor.account)
        known = msgspec.structs.asdict(stored)
        has_own_engine = params.get("engine") is not None
        return {
            **params,
            **{
                name: known[name]
                for name in names
                if known[name] is not None
                and params.get(name) is None
                and not (name == "model" and has_own_engine)
            },
        }

    async def _show(self, exchange: Exchange) -> Response:
        return answer(await self._shown(exchange.actor))

    async def _change(self, exchange: Exchange) -> Response:
        given = await exchange.parsed(Changes)
        actor = exchange.actor
        options = {
            name: value
            for name in OPTIONS
            if isinstance(value := getattr(given, name), str) and value
        }
        await self._backstage.call("account.options", options, actor=actor)
        changes: dict[str, Any] = {
            name: value or None
            for name in (*OPTIONS, "debug")
            if (value := getattr(given, name)) is not UNSET
        }
        if given.keys is not UNSET:
            for service, key in msgspec.structs.asdict(given.keys).items():
                if key is not UNSET:
                    await self._backstage.call(
                        "account.set_key", {"service": service, "key": key}, actor=actor
                    )
        await self._database.write(write, actor.account, changes)
        return answer(await self._shown(actor))

    async def _shown(self, actor: Actor) -> dict[str, Any]:
        stored = read(self._database.reader, actor.account)
        keys = await self._backstage.call("account.keys", {}, actor=actor)
        spotify = await self._backstage.call("account.spotify", {}, actor=actor)
        return {**msgspec.structs.asdict(stored), "keys": keys, "spotify": spotify}


def read(connection: Connection, user: int) -> Stored:
    """Return a user's settings."""
    rows = connection.execute("SELECT name, value FROM settings WHERE user_id = ?", (user,))
    found = {row["name"]: msgspec.json.decode(row["value"]) for row in rows}
    return msgspec.convert(found, Stored)


def write(connection: Connection, user: int, changes: Mapping[str, Any]) -> None:
    """Store settings of a user; None deletes one."""
    for name, value in changes.items():
        if value is None:
            connection.execute("DELETE FROM settings WHERE user_id = ? AND name = ?", (user, name))
        else:
            connection.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)",
                (user, name, msgspec.json.encode(value).decode()),
            )


Fill = Callable[[str, Actor, Mapping[str, Any]], Mapping[str, Any]]
