"""Verbs as endpoints: what reads is a GET with a query, the rest a POST with a JSON body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
from starlette.responses import Response

from sfa_engine.errors import SfaError
from sfa_engine.web.catalogue import Described, Param
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, answer
from sfa_engine.web.limits import Rate
from sfa_engine.web.link import ANSWER_TIMEOUT_S, Done, Links
from sfa_engine.web.preferences import Fill
from sfa_engine.web.problem import Problem
from sfa_engine.web.query import params_of
from sfa_engine.web.rights import MACHINE, Actor, may
from sfa_engine.web.sending import wait_gone

logger = logging.getLogger(__name__)
SLOW_TIMEOUT_S = 600.0
# Verbs whose work ends when their client disconnects, and what cancels it by the word `stream`.
CANCELLED = {"agents.ask": "agents.cancel"}
HEAVY = frozenset(
    {
        *("prep.add", "prep.separate", "prep.quota", "library.reanalyse", "library.separate"),
        *("spotify.fetch", "spotify.login", "spotify.finish", "agents.ask"),
    }
)
# Whose links those that are no admins may give: any other address could be one inside the network.
SITES = (
    *("open.spotify.com", "soundcloud.com", "bandcamp.com"),
    *("youtube.com", "youtu.be", "music.youtube.com"),
)


class Verbs:
    """Calls the verbs of one server for senders.

    Parameters
    ----------
    links : Links
    fill : callable
        Fills in parameters that the sender's settings have.
    """

    def __init__(self, links: Links, fill: Fill = lambda _verb, _actor, params: params) -> None:
        self._links = links
        self._fill = fill

    def endpoints(self, verbs: tuple[Described, ...]) -> Iterator[Endpoint]:
        """Yield the endpoint of each verb."""
        for one in verbs:
            yield Endpoint(
                one.method,
                one.path,
                one.sentence,
                partial(self._answer, one),
                right=one.right,
                rate=rate_of(one),
                verb=one,
                start=partial(self._start, one) if one.method == "GET" else None,
            )

    async def _answer(self, verb: Described, exchange: Exchange) -> Response:
        params: Any = {}
        if verb.method != "GET":
            params = await exchange.document()
            if not isinstance(params, dict):
                raise Problem(422, "the body is not an object", "send parameters by their names")
        else:
            params = _query(verb, exchange)
        return answer(await self._while_there(verb, exchange, params))

    async def _while_there(
        self, verb: Described, exchange: Exchange, params: Mapping[str, Any]
    ) -> Any:
        """Call a verb; one of `CANCELLED` is cancelled when the client disconnects."""
        if verb.name not in CANCELLED:
            return await self.call(verb, exchange.actor, params)
        work = asyncio.ensure_future(self.call(verb, exchange.actor, params))
        gone = asyncio.ensure_future(wait_gone(exchange.request.receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Problem(400, "the client has disconnected")  # read by no one
            return work.result()
        finally:
            for each in (work, gone):
                each.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    def _start(self, verb: Described, exchange: Exchange, done: Done) -> None:
        """Answer a GET without a task."""
        actor, params = exchange.actor, _query(verb, exchange)
        check(verb, actor, params)
        params = self._fill(verb.name, actor, params)
        self._links.of(actor.scopes).start(verb.name, params, _timeout_s(verb), actor, done)

    async def call(self, verb: Described, actor: Actor, params: Mapping[str, Any]) -> Any:
        """Call a verb for a sender.

        Raises
        ------
        Problem
            The sender may not.
        SfaError
            What the server raised.
        """
        check(verb, actor, params)
        return await self.send(verb, actor, params)

    async def send(self, verb: Described, actor: Actor, params: Mapping[str, Any]) -> Any:
        """Call a verb with parameters of ours, which no sender has to have the right to.

        Raises
        ------
        SfaError
            What the server raised.
        """
        params = self._fill(verb.name, actor, params)
        link = self._links.of(actor.scopes)
        if verb.name not in CANCELLED:
            return await link.call(verb.name, params, _timeout_s(verb), actor=actor)
        stream = params.get("stream") or f"web-{uuid4().hex}"
        given = {**params, "stream": stream}
        try:
            return await link.call(verb.name, given, _timeout_s(verb), actor=actor)
        except asyncio.CancelledError:
            link.start(CANCELLED[verb.name], {"stream": stream}, ANSWER_TIMEOUT_S, actor, _leave_it)
            raise


def _leave_it(error: SfaError | None, _result: Any) -> None:
    """Take the answer to a cancellation, which no client waits for."""
    if error is not None:
        logger.info("a question was not cancelled: %s", error)


def _query(verb: Described, exchange: Exchange) -> Mapping[str, Any]:
    """Return the parameters in the address of a GET."""
    if not exchange.request.scope["query_string"]:
        return {}
    schemas = {param.name: param.type for param in verb.params}
    return params_of(schemas, exchange.request.query_params.multi_items())


def _timeout_s(verb: Described) -> float:
    return SLOW_TIMEOUT_S if verb.slow else ANSWER_TIMEOUT_S


def rate_of(verb: Described) -> Rate:
    """Return how often a verb may be used."""
    if verb.method == "GET":
        return Rate.READ
    if verb.scope == "perform":
        return Rate.PLAY
    return Rate.HEAVY if verb.name in HEAVY else Rate.CHANGE


def check(verb: Described, actor: Actor, params: Mapping[str, Any]) -> None:
    """Refuse a call that a sender may not make.

    Parameters that name files of this machine, or force what the session's lock refuses, are for
    admins; one that needs another scope needs the right of a verb of that scope.

    Raises
    ------
    Problem
        403.
    """
    # Backstage alone knows owners: what looks at them is judged there, by the same rule.
    owner = actor.account if verb.owned else MACHINE
    if not may(actor, verb.right, owner):
        hint = "ask an admin: what is there already is the machine's, not yours"
        raise Problem(403, f"{verb.name} is not allowed", hint, code="forbidden")
    if actor.has("admin"):
        return
    for param in verb.params:
        value = params.get(param.name, param.default)
        if value is msgspec.UNSET or value == param.default:
            continue
        whose = owner if param.scope is None else MACHINE
        if _is_for_admins(param) or not may(actor, verb.right_of(param), whose):
            raise Problem(403, f"{param.name} needs the role admin", code="forbidden")
    if verb.name == "prep.add":
        _check_sources(params.get("sources"))


def _is_for_admins(param: Param) -> bool:
    return param.scope == "library" or param.name in {"force", "watch", "priority"}


def _check_sources(sources: Any) -> None:
    """Refuse sources that are not links of known sites."""
    for source in sources if isinstance(sources, list) else []:
        if isinstance(source, str) and not _is_known(source):
            hint = f"give a link of {', '.join(SITES)}"
            raise Problem(403, f'"{source:.80}" needs the role admin', hint, code="forbidden")


def _is_known(source: str) -> bool:
    if source.startswith("spotify:"):
        return True
    try:
        address = urlsplit(source)
        host, port = (address.hostname or "").lower(), address.port
    except ValueError:
        return False
    is_plain = address.scheme in {"http", "https"} and port is None and address.username is None
    return is_plain and any(host == site or host.endswith(f".{site}") for site in SITES)
