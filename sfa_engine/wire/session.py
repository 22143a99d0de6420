"""The server's side of one connection, without I/O: hello, scopes, dispatch, limits. Pure.

A shell feeds it bytes and executes `Session.next_action`: send bytes, or begin a call. Calls are
begun in the order of their requests; the shell awaits them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.errors import FaultError, Forbidden, ProtocolError, Refused, SfaError, did_you_mean
from sfa_engine.wire import connection, protocol
from sfa_engine.wire.connection import Connection
from sfa_engine.wire.frames import Raw
from sfa_engine.wire.rights import SYSTEM, Actor, actor_of
from sfa_engine.wire.stream import Broken, Invalid, Request
from sfa_engine.wire.verbs import SCOPES, Bound, Scope, Verb, exported, verb

Name = Annotated[str, Meta(max_length=100)]
_VERSION = protocol.VERSION  # `hello` has a parameter of the module's name
Forward = Callable[[str, Raw, Actor], Any]
Around = Callable[[Verb, Actor, Mapping[str, Any], Callable[[], Any]], Any]


@dataclass(slots=True)
class Call:
    """A request to execute: invoke it, await the result, send the answer.

    Attributes
    ----------
    is_slow, is_ordered : bool
        See `verbs.Declared`.
    invoke : callable
        Begins it; the result may have to be awaited.
    """

    session: Session
    id: int
    method: str
    is_slow: bool
    is_ordered: bool
    invoke: Callable[[], Any]

    def answer(self, result: Any) -> bytes:
        """Return the answer, or an error if it cannot be sent."""
        try:
            return connection.answer(self.id, result)
        except Exception as error:  # noqa: BLE001 - every request is answered
            return self.fail(error)

    def fail(self, error: Exception) -> bytes:
        """Return an answer with an error."""
        if not isinstance(error, SfaError):
            self.session.on_fault(self.method, error)
            error = FaultError.of(error)
        return connection.failure(self.id, error)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count it among the slow requests of its kind."""
        kind = _kind(self.method)
        self.session.under_way[kind] += self.is_slow
        try:
            yield
        finally:
            self.session.under_way[kind] -= self.is_slow


class Session:
    """One client of a server.

    Parameters
    ----------
    name, version : str
        Of the server, for `hello`.
    verbs : mapping
        By name; they may replace ``describe``.
    given : mapping
        Parameters that the server sets for verbs that take them, and clients cannot; ``handed``
        are the file descriptors received with a request, which the server closes after it, and
        ``actor`` who sent it.
    granted : frozenset
        Scopes; `hello` may request fewer.
    prefixes : tuple of str
        Of methods of another process.
    forward : callable, optional
        Forwards these.
    on_fault : callable
        Called with an exception that no verb should raise, to log it.
    around : callable, optional
        Called in place of each call, with the verb, the actor, the parameters, and a function that
        begins the call; it returns what that returns.

    Attributes
    ----------
    is_own_user : bool
        Whether the client runs as our user, and so may name the actors of its requests.
    """

    def __init__(
        self,
        name: str,
        version: str,
        verbs: Mapping[str, Bound],
        *,
        given: Mapping[str, Any] | None = None,
        granted: frozenset[Scope] = SCOPES,
        prefixes: tuple[str, ...] = (),
        forward: Forward | None = None,
        on_fault: Callable[[str, Exception], None] = lambda _method, _error: None,
        around: Around | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.verbs = {**exported(self), **verbs}
        self.granted = granted
        self.client: dict[str, Any] = {}
        self.under_way: Counter[str] = Counter()
        self.is_closing = False
        self.is_own_user = False
        self._plain = SYSTEM  # the actor of requests that name none
        self.handed: list[int] = []
        self.on_fault = on_fault
        self._given = {"handed": self.handed, **(given or {})}
        self._prefixes = prefixes
        self._forward = forward
        self._around = around
        self._connection = Connection()
        self.receive_data = self._connection.receive_data
        self.due = self._connection.due
        self.expire = self._connection.expire

    def next_action(self) -> Call | bytes | None:
        """Return a call to begin, or bytes to send; None if more bytes are needed."""
        event = None if self.is_closing else self._connection.next_event()
        if event is None:
            return None
        if isinstance(event, Broken):
            self.is_closing = True
            return connection.failure(None, event.error)
        if isinstance(event, Invalid):
            return connection.failure(event.id, event.error)
        if not isinstance(event, Request):
            return connection.failure(None, Refused("a message is not a request", "send requests"))
        try:
            return self._call(event)
        except SfaError as error:
            return connection.failure(event.id, error)

    def _call(self, request: Request) -> Call:
        method = request.method
        actor = self._actor(request.actor)
        forward = self._forward
        if forward is not None and method.startswith(self._prefixes):
            self._check_room(method)
            return Call(
                self,
                request.id,
                method,
                True,
                False,
                lambda: forward(method, request.params, actor),
            )
        bound = self.verbs.get(method)
        if bound is None:
            raise Refused(f'no method "{method:.60}"', did_you_mean(method, self.verbs))
        one = bound.verb
        params = one.parse(request.params)
        one.check_scopes(self.granted, params)
        is_slow = one.is_slow(params)
        if is_slow:
            self._check_room(method)
        for name in one.given:
            if name == "actor":
                params[name] = actor
            elif name in self._given:
                params[name] = self._given[name]
        around = self._around

        def invoke() -> Any:
            if around is None:
                return bound(**params)
            return around(one, actor, params, lambda: bound(**params))

        return Call(self, request.id, method, is_slow, one.declared.ordered, invoke)

    def _actor(self, named: Raw | None) -> Actor:
        if named is None:
            if self._plain.scopes is not self.granted:  # hello changed them
                self._plain = replace(SYSTEM, scopes=self.granted)
            return self._plain
        if not self.is_own_user:
            raise Forbidden("this connection may not name an actor", "send requests without one")
        return actor_of(named, self.granted)

    def _check_room(self, method: str) -> None:
        kind = _kind(method)
        if self.under_way[kind] >= protocol.MAX_CONCURRENT:
            raise Refused(
                f"{protocol.MAX_CONCURRENT} requests of {kind} are in progress already",
                "wait for an answer",
            )

    @verb(scope="read", ordered=True)  # later requests depend on its scopes
    def hello(
        self, name: Name, protocol: int, kind: Name = "", scopes: list[Scope] | None = None
    ) -> dict[str, Any]:
        """Exchange name and protocol version of client and server.

        With `scopes` the connection has no others from then on.
        """
        if protocol != _VERSION:
            self.is_closing = True
            older = name if protocol < _VERSION else f"and restart {self.name}"
            raise ProtocolError(
                f"{name} uses protocol {protocol}, {self.name} {self.version} uses {_VERSION}",
                f"update {older}",
            )
        self.client = {"name": name, "kind": kind}
        if scopes is not None:
            self.granted &= frozenset(scopes)
        return {
            "name": self.name,
            "version": self.version,
            "protocol": _VERSION,
            "scopes": sorted(self.granted),
            "source": self._given.get("source"),
        }

    @verb(scope="read")
    def describe(self) -> dict[str, Any]:
        """Return every verb with its parameters, and the version of the protocol."""
        return {"protocol": _VERSION, "verbs": self.described()}

    def described(self) -> list[dict[str, Any]]:
        """Return every verb as JSON types."""
        return [_described(bound.verb) for bound in self.verbs.values()]


@cache
def _described(one: Verb) -> dict[str, Any]:
    """Return a verb as JSON types; cached, as those of the stage take 10 ms."""
    return one.describe()


def _kind(method: str) -> str:
    return method.partition(".")[0]
