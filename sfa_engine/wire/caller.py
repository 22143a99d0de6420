"""The client's side of a connection, without I/O: hello, ids, answers, notifications. Pure."""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sfa_engine.errors import EngineError, ProtocolError, SfaError
from sfa_engine.wire import light, protocol
from sfa_engine.wire.stream import REQUEST, Answer, Broken, Invalid, Notification

if TYPE_CHECKING:
    from sfa_engine.wire.verbs import Scope

Codec = ModuleType
HELLO = 0  # its id; those of requests count from 1


class Caller:
    """A client's view of one connection.

    Parameters
    ----------
    name : str
        Of the server, for errors.
    kind : str
        Of the client: ``cli``, ``stage`` …
    scopes : collection, optional
        To request for the connection; default all that the server grants.
    codec : module
        `light`, or `connection` to leave results undecoded, to be forwarded.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        scopes: Collection[Scope] | None = None,
        codec: Codec = light,
    ) -> None:
        self.name = name
        self.server: dict[str, Any] = {}
        self._kind = kind
        self._scopes = scopes
        self._pack = codec.pack
        self._connection = codec.Connection()
        self._number = HELLO
        self.receive_data = self._connection.receive_data

    def request(self, method: str, params: Any, actor: Any = None) -> tuple[int, bytes]:
        """Return a request's id, and the bytes to send: hello precedes the first request.

        Parameters
        ----------
        method : str
        params : mapping
        actor : mapping, optional
            Account that it is sent for, see `rights.Actor.to_wire`; default the machine's user.

        Raises
        ------
        Refused
            It cannot be sent.
        """
        message = [REQUEST, self._number + 1, method, params]
        data = self._pack(message if actor is None else [*message, actor])
        if self._number == HELLO:
            data = self._pack([REQUEST, HELLO, "hello", self.hello()]) + data
        self._number += 1
        return self._number, data

    def hello(self) -> dict[str, Any]:
        """Return the parameters of `hello`."""
        hello = {"name": "sfa", "protocol": protocol.VERSION, "kind": self._kind}
        if self._scopes is not None:
            hello["scopes"] = sorted(self._scopes)
        return hello

    def next_event(self) -> Answer | Notification | None:
        """Return an answer or a notification; None if more bytes are needed.

        An answer without an id fails all pending requests: if hello was refused, say.

        Raises
        ------
        EngineError
            The data is invalid: the connection is unusable.
        """
        while True:
            event = self._connection.next_event()
            if event is None or isinstance(event, Notification):
                return event
            if isinstance(event, Invalid | Broken):
                raise EngineError(
                    f"the answer of {self.name} cannot be read: {event.error.message}"
                )
            if isinstance(event, Answer) and event.id == HELLO:
                if event.error is not None:
                    return Answer(None, self._refusal(event.error), None)
                self.server = event.result
            elif isinstance(event, Answer):
                return event

    def _refusal(self, error: SfaError) -> SfaError:
        if error.code != "refused":
            return error
        return ProtocolError(
            f"{self.name} is of an older version, this one uses protocol {protocol.VERSION}",
            f"restart {self.name}",
        )
