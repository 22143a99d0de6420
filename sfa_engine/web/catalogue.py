"""What the stage and backstage can do, as they describe it: the source of the API's operations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import msgspec

from sfa_engine.errors import SfaError
from sfa_engine.web.link import Link
from sfa_engine.web.rights import Right, Role
from sfa_engine.wire.rights import OWNED
from sfa_engine.wire.verbs import Scope

logger = logging.getLogger(__name__)
RETRY_S = 0.5
# They push to their connection, which HTTP does not have.
PUSHING = frozenset(
    {
        *("hello", "describe", "watch", "unwatch", "jobs.watch", "jobs.unwatch"),
        *("library.watch", "library.unwatch", "midi.learn", "midi.monitor"),
        *("notifications.watch", "notifications.unwatch", "trace"),
    }
)
# Of the web process itself, and of the automatic mix.
INTERNAL = frozenset({"audit.add", "automation.queue", "automation.cancel", "automation.status"})
FILES = frozenset(  # take paths of this machine's files
    {"kits.decode", "kits.save", "library.import", "library.export"}
)
HARMLESS = frozenset({"prep.quota"})  # shows; its scope keeps it from being asked by all


class Param(msgspec.Struct, frozen=True):
    """A parameter of a verb; `type` is its JSON Schema."""

    name: str
    type: dict[str, Any]
    required: bool
    default: Any = msgspec.UNSET
    scope: Scope | None = None


class Described(msgspec.Struct, frozen=True, dict=True):
    """A verb as its server describes it."""

    name: str
    sentence: str
    scope: Scope
    slow: bool
    params: tuple[Param, ...]
    owned: bool = False  # the server looks at owners itself

    @property
    def topic(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]

    @property
    def method(self) -> str:
        """The HTTP method: a GET if neither the verb nor a parameter does more than read.

        Another site can let a browser send a GET with our cookie, but no POST.
        """
        scopes = {self.scope, *(param.scope or self.scope for param in self.params)}
        return "GET" if scopes == {"read"} else "POST"

    @property
    def path(self) -> str:
        """The path: ``library.search`` is ``/api/library/search``."""
        return f"/api/{self.name.replace('.', '/')}"

    @cached_property
    def right(self) -> Right:
        """What a sender needs."""
        is_owned = self.topic in OWNED and self.name not in HARMLESS
        least: Role = "admin" if self.name in FILES else "user"
        return Right(self.scope, is_owned, self.name == "prep.add", least)

    def right_of(self, param: Param) -> Right:
        """Return what a sender needs to give a parameter."""
        return self.right if param.scope is None else replace(self.right, scope=param.scope)


class _Description(msgspec.Struct):
    verbs: list[Described]


_DECODER = msgspec.msgpack.Decoder(_Description)


class Catalogue:
    """The verbs of one server; kept while it is away.

    Parameters
    ----------
    link : Link
    params : dict
        Of its `describe`.
    changed : callable
        Called when the verbs have been read.
    """

    def __init__(self, link: Link, params: dict[str, Any], changed: Callable[[], None]) -> None:
        self._link = link
        self._params = params
        self._changed = changed
        self.verbs: tuple[Described, ...] = ()

    async def run(self) -> None:
        """Read the verbs, and again after each restart of the server, until cancelled."""
        while True:
            try:
                found = await self._link.call("describe", self._params, decode=_DECODER.decode)
            except SfaError:
                await asyncio.sleep(RETRY_S)
                continue
            except msgspec.ValidationError as error:
                logger.error("%s describes itself wrongly: %s", self._link.name, error)  # noqa: TRY400
                return
            self.verbs = tuple(each for each in found.verbs if each.name not in PUSHING | INTERNAL)
            self._changed()
            await self._link.wait_closed()
