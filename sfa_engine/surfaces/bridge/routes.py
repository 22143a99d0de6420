"""Routes: scale what one end receives, and send it at the other. Pure.

::

    publish ──► find the routes that begin there ──► echo? ──► travel 0..1 ──► other end ──► send
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.desk import CONTROLS
from sfa_engine.errors import Refused
from sfa_engine.stage.raw_bus import Message, Named, fits
from sfa_engine.surfaces.bridge import codec
from sfa_engine.surfaces.bridge.endpoint import (
    ANY_CHANNEL,
    Desk,
    End,
    Midi,
    Osc,
    number_of,
    parse_end,
    travel_of,
)
from sfa_engine.surfaces.bridge.loop_guard import MAX_PER_S, LoopGuard, Pace

logger = logging.getLogger(__name__)

Send = Callable[[str, str, Message], None]  # kind, target, message


@dataclass
class Route:
    """From one end to another."""

    begin: End
    end: End
    pace: Pace = field(default_factory=Pace)

    @property
    def in_unit(self) -> bool:
        """Whether a control's value is carried as it is, not its travel."""
        return any(isinstance(each, Desk) and each.in_unit for each in (self.begin, self.end))

    @property
    def tolerance(self) -> float:
        """Greatest difference of an echo: half a step of the coarser end."""
        return max(self.begin.step, self.end.step) * 0.51


def parse_route(begin: str, end: str) -> Route:
    """Parse a route.

    Raises
    ------
    Refused
        An end is invalid, or the two do not fit.
    """
    route = Route(parse_end(begin), parse_end(end))
    if isinstance(route.begin, Osc):
        path = route.begin.address.removeprefix("/n/").strip("/").replace("/", ".")
        if path in CONTROLS:  # whose messages never come to the routes
            raise Refused(
                f"route: {route.begin.address} sets {path} and is not routed",
                f"begin it at control:{path}, or at another address",
            )
    if route.begin == route.end:
        raise Refused(f"route: {begin:.80} leads to itself", "name two ends")
    is_all = [isinstance(each, Midi) and each.kind == "all" for each in (route.begin, route.end)]
    if any(is_all) and not all(is_all):
        raise Refused(f"route: {begin:.80} to {end:.80}", "`all` goes from a midi: end to another")
    if route.in_unit and not any(isinstance(each, Osc) for each in (route.begin, route.end)):
        raise Refused(f"route: {begin:.80} to {end:.80}", "`unit` goes with osc: alone")
    return route


def keys_of(end: End) -> list[tuple[Any, ...]]:
    """Return the lookup keys of the messages that an end receives."""
    if isinstance(end, Osc):
        return [("osc", end.address)]
    if isinstance(end, Desk):
        return [("control", end.path)]
    if end.kind == "cc14":
        halves = (end.number, end.number + codec.LSB)
        return [("midi", "cc", end.channel, number) for number in halves]
    return [("midi", end.kind, end.channel, end.number)]


class Routes:
    """All routes.

    Parameters
    ----------
    routes : iterable of Route
    send : callable
        Takes kind, target and message; see `RawBus.send`.
    now_s : callable
    """

    def __init__(self, routes: Iterable[Route], send: Send, now_s: Callable[[], float]) -> None:
        self.all = list(routes)
        self.guard = LoopGuard()
        self._send, self._now_s = send, now_s
        self._pairs = codec.Pairs()
        self._by_key: dict[tuple[Any, ...], list[Route]] = {}
        for route in self.all:
            for key in keys_of(route.begin):
                self._by_key.setdefault(key, []).append(route)

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of messages at which a route begins."""
        return frozenset(key[0] for key in self._by_key)

    def take(self, kind: str, origin: str, message: Message) -> bool:
        """Route a received message; return whether a route begins there."""
        if isinstance(message, Named):
            named = self._by_key.get((kind, message.address), ())
            for route in named:
                self._take_named(route, origin, message)
            return bool(named)
        found = self._by_key.get(("midi", "all", ANY_CHANNEL, 0), [])
        for route in found:
            self._take_all(route, origin, message)
        address = codec.address_of(message)
        if address is None:
            return bool(found)
        name, channel, number = address
        routes = [
            route
            for each in (channel, ANY_CHANNEL)
            for route in self._by_key.get(("midi", name, each, number), ())
        ]
        for route in routes:
            self._take_midi(route, origin, address, message)
        return bool(found or routes)

    def _take_named(self, route: Route, origin: str, message: Named) -> None:
        begin, arguments = route.begin, message.arguments
        if isinstance(begin, Osc):
            # A trigger has no argument.
            number = number_of(arguments[0] if arguments else begin.high)
            if number is not None and fits(origin, begin.peer):
                number = number if route.in_unit else travel_of(begin, number)
                self._pass(route, "osc", origin, message.address, number)
        elif len(arguments) == 2 and not _leads_back(route.end, origin):
            self._pass(route, "control", origin, None, arguments[route.in_unit])

    def _take_midi(self, route: Route, origin: str, address: codec.Address, message: bytes) -> None:
        begin = route.begin
        assert isinstance(begin, Midi)
        if not fits(origin, begin.device):
            return
        travel: float | None = codec.travel_of(message)
        if begin.kind == "cc14":
            pair = origin, address[1], begin.number
            travel = self._pairs.take(pair, address[2], message[2])
        if travel is not None:
            about = begin.kind, address[1], begin.number
            self._pass(route, "midi", origin, about, travel)

    def _take_all(self, route: Route, origin: str, message: bytes) -> None:
        begin, end = route.begin, route.end
        assert isinstance(begin, Midi)
        assert isinstance(end, Midi)
        now_s = self._now_s()
        if not fits(origin, begin.device) or self.guard.is_echo(message, origin, 0.0, now_s):
            return
        if self._may_pass(route, now_s):
            self.guard.sent(message, end.device, 0.0, 0.0, now_s)
            self._send("midi", end.device, message)

    def _pass(self, route: Route, kind: str, origin: str, about: Any, number: float) -> None:
        """Send a number at the other end, unless it is an echo.

        Parameters
        ----------
        route : Route
        kind, origin : str
            Where it came from.
        about : hashable or None
            Address of the message; None for what has no echo.
        number : float
            Travel 0..1, or the control's value.
        """
        now_s, end = self._now_s(), route.end
        if about is not None and self.guard.is_echo(about, origin, number, now_s):
            return
        if not self._may_pass(route, now_s):
            return
        if isinstance(end, Desk):
            arguments = (None, number) if route.in_unit else (number, None)
            self._send("control", f"{kind}:{origin}", Named(end.path, arguments))
        elif isinstance(end, Osc):
            self.guard.sent(end.address, end.peer, number, route.tolerance, now_s)
            value = number if route.in_unit else end.low + (end.high - end.low) * number
            self._send("osc", end.peer, Named(end.address, (value,)))
        else:
            about = end.kind, max(1, end.channel), end.number
            self.guard.sent(about, end.device, number, route.tolerance, now_s)
            for message in codec.messages_for(end, number):
                self._send("midi", end.device, message)

    def _may_pass(self, route: Route, now_s: float) -> bool:
        if route.pace.may_pass(now_s):
            return True
        if route.pace.dropped == 1:
            logger.warning(
                "the route from %s to %s carries more than %d messages a second: a loop?",
                *(route.begin, route.end, MAX_PER_S),
            )
        return False


def _leads_back(end: End, origin: str) -> bool:
    """Return whether an end is the origin of a desk change, ``midi:name``."""
    kind, _, name = origin.partition(":")
    if isinstance(end, Midi):
        return kind == "midi" and fits(name, end.device)
    return isinstance(end, Osc) and kind == "osc" and fits(name, end.peer)
