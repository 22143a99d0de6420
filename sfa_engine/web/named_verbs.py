"""Backstage's verbs by their names, for endpoints that call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sfa_engine.errors import EngineError, Forbidden, Refused
from sfa_engine.web.catalogue import Described
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Actor
from sfa_engine.web.verb_endpoints import Verbs


class NamedVerbs:
    """Calls verbs by their names.

    Parameters
    ----------
    verbs : Verbs
        Of backstage.
    find : callable
        Returns the description of one; None before it was there.
    """

    def __init__(self, verbs: Verbs, find: Callable[[str], Described | None]) -> None:
        self._verbs = verbs
        self._find = find

    def get(self, name: str) -> Described:
        """Return a verb.

        Raises
        ------
        EngineError
            Backstage has not run yet.
        """
        verb = self._find(name)
        if verb is None:
            raise EngineError("backstage is not running", "start it with `sfa start`")
        return verb

    async def call(self, actor: Actor, name: str, params: Mapping[str, Any]) -> Any:
        """Call a verb for a sender; see `Verbs.call`. Parameters that are None are left out."""
        given = {key: value for key, value in params.items() if value is not None}
        return await self._verbs.call(self.get(name), actor, given)

    async def show(self, actor: Actor, name: str, params: Mapping[str, Any]) -> Any:
        """Call a verb that shows something: what it refuses is not there.

        Raises
        ------
        Problem
            404.
        """
        try:
            return await self.call(actor, name, params)
        except Forbidden:
            raise
        except Refused as error:
            raise Problem(404, error.message, error.hint) from None

    async def send(self, actor: Actor, name: str, params: Mapping[str, Any]) -> Any:
        """Call a verb with parameters of ours; see `Verbs.send`."""
        return await self._verbs.send(self.get(name), actor, params)
