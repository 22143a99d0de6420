"""Verbs by their names, with the rights and rates of their endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sfa_engine.errors import EngineError, Refused, did_you_mean
from sfa_engine.web.endpoint import Table
from sfa_engine.web.gate import Gate
from sfa_engine.web.limits import Rate
from sfa_engine.web.link import Links
from sfa_engine.web.rights import Actor
from sfa_engine.web.verb_endpoints import Verbs, rate_of


class Calls:
    """Calls the verbs of the API's table.

    Parameters
    ----------
    table : callable
        Returns the current table.
    verbs_of : callable
        Returns what calls a verb, by its name and a client's own connections.
    is_whole : callable
        Returns whether the table has all verbs.
    gate : Gate
    open_links : callable
        Returns connections to the engine for one client.
    """

    def __init__(
        self,
        table: Callable[[], Table],
        verbs_of: Callable[[str, Links | None], Verbs],
        is_whole: Callable[[], bool],
        gate: Gate,
        open_links: Callable[[], Links],
    ) -> None:
        self._table = table
        self._verbs_of = verbs_of
        self._is_whole = is_whole
        self._gate = gate
        self.open_links = open_links

    async def call(
        self,
        actor: Actor,
        name: str,
        params: Mapping[str, Any],
        *,
        counted: bool = True,
        own: Links | None = None,
    ) -> Any:
        """Call a verb for a sender.

        Parameters
        ----------
        actor : Actor
        name : str
        params : mapping
        counted : bool
            Whether it counts as a request of the sender's.
        own : Links, optional
            Connections of the sender's own, to the engine or to backstage: what it holds down is
            released, and what it asks is cancelled, when they are closed.

        Raises
        ------
        Problem
            The sender may not, or did it too often.
        SfaError
            There is no such verb; what its server raised.
        """
        verb = self._table().verbs.get(name)
        if verb is None and not self._is_whole():
            raise EngineError("the engine or backstage has not started yet", "see /health")
        if verb is None:
            hint = did_you_mean(name, self._table().verbs) or "see /api for what there is"
            raise Refused(f'no verb "{name:.60}"', hint)
        rate = rate_of(verb)
        # What plays has the channel's own limit.
        if counted and rate is not Rate.PLAY and not (actor.is_page and rate is Rate.READ):
            self._gate.count(actor, "", rate)
        verbs = self._verbs_of(name, own)
        return await verbs.call(verb, actor, params)
