"""Server for the host's threads, client for the command line and for scripts: plain sockets."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sfa_engine.errors import EngineError
from sfa_engine.wire import protocol
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.stream import Answer, Notification

if TYPE_CHECKING:  # a client needs no server code: it is imported at each `sfa get`
    from sfa_engine.wire.session import Call, Session

MAX_HANDED = 4  # file descriptors with a request


def serve(line: socket.socket, session: Session) -> None:
    """Serve one client until it disconnects, one request at a time; blocks, and closes the line.

    File descriptors received with a request are in `Session.handed` while it runs, and are closed
    after it: a verb that keeps one duplicates it.
    """
    with line, suppress(OSError):
        while not session.is_closing:
            due = session.due(time.monotonic())
            line.settimeout(None if due == math.inf else max(0.001, due - time.monotonic()))
            try:
                data, handed, _, _ = socket.recv_fds(
                    line, protocol.CHUNK, MAX_HANDED, socket.MSG_CMSG_CLOEXEC
                )
            except TimeoutError:
                session.expire()
            else:
                if not data:
                    return
                session.handed += handed
                session.receive_data(data)
            line.settimeout(None)
            try:
                while (action := session.next_action()) is not None:
                    line.sendall(action if isinstance(action, bytes) else _answer(action))
            finally:
                while session.handed:
                    os.close(session.handed.pop())


def _answer(call: Call) -> bytes:
    try:
        return call.answer(call.invoke())
    except Exception as error:  # noqa: BLE001 - sent to the client, logged by the session
        return call.fail(error)


class SocketClient:
    """A connection to a running engine, with one request at a time.

    Parameters
    ----------
    path : pathlib.Path
        Of the control socket.
    timeout_s : float
        For an answer.
    name : str
        Of the server, for errors.
    kind : str
        Of this client.
    """

    def __init__(
        self, path: Path, timeout_s: float = 15.0, name: str = "the engine", kind: str = "cli"
    ) -> None:
        self._caller = Caller(name, kind)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        self._pushed: list[Notification] = []
        try:
            self._connect(str(path), time.monotonic() + timeout_s)
        except OSError as error:
            self._socket.close()
            raise EngineError(
                f"{name} does not answer on {path}: {error.strerror}",
                "start it with `sfa start`",
            ) from None

    def _connect(self, path: str, give_up: float) -> None:
        """Connect; retry while the server's backlog is full."""
        while True:
            try:
                self._socket.connect(path)
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    @property
    def server(self) -> dict[str, Any]:
        """The server's answer to hello; empty before the first answer."""
        return self._caller.server

    def call(self, method: str, **params: Any) -> Any:
        """Send a request, and return its result.

        Raises
        ------
        SfaError
            What the server raised: the same class, `code`, `message` and `hint`.
        EngineError
            The server closed the connection.
        """
        return self.call_with_notifications(
            lambda *pushed: self._pushed.append(Notification(*pushed)), method, **params
        )

    def call_with_notifications(
        self, on_notification: Callable[[str, Any], None], method: str, /, **params: Any
    ) -> Any:
        """Send a request, and return its result; call a function with notifications until then."""
        number, data = self._caller.request(method, params)
        self._write(data)
        while True:
            event = self._next()
            if isinstance(event, Notification):
                on_notification(event.method, event.params)
            elif event.id in {number, None}:
                if event.error is not None:
                    raise event.error
                return event.result

    def notifications(self) -> Iterator[tuple[str, Any]]:
        """Yield notifications until the connection closes."""
        while True:
            while self._pushed:
                pushed = self._pushed.pop(0)
                yield pushed.method, pushed.params
            timeout_s = self._socket.gettimeout()
            self._socket.settimeout(None)  # the next one may be hours away
            try:
                event = self._next()
            finally:
                self._socket.settimeout(timeout_s)
            if isinstance(event, Notification):
                self._pushed.append(event)

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have sent the reason before it closed, which is read next
        except TimeoutError:
            self.close()  # it may be sent in part: nothing can follow
            raise EngineError(f"{self._caller.name} does not answer", "see `sfa health`") from None
        except OSError as error:
            raise self._closed(f": {error.strerror}") from None

    def _closed(self, why: str = "") -> EngineError:
        return EngineError(f"{self._caller.name} closed the connection{why}", "see `sfa health`")

    def _next(self) -> Answer | Notification:
        while (event := self._caller.next_event()) is None:
            try:
                data = self._socket.recv(protocol.CHUNK)
            except TimeoutError:
                raise EngineError(
                    f"{self._caller.name} does not answer", "see `sfa health`"
                ) from None
            except OSError as error:
                raise self._closed(f": {error.strerror}") from None
            if not data:
                raise self._closed()
            self._caller.receive_data(data)
        return event
