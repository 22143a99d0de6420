"""A client that waits: for the command line, for scripts and for tests."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sfa_engine.errors import EngineError, Refused, SfaError
from sfa_engine.wire import frames
from sfa_engine.wire.messages import ANSWER, NOTICE, REQUEST


class SocketClient:
    """A connection to a running engine.

    Parameters
    ----------
    path : pathlib.Path
        Of the control socket.
    timeout_s : float
        For an answer to come.
    whom : str
        Who answers there, for errors.
    """

    def __init__(self, path: Path, timeout_s: float = 15.0, whom: str = "the engine") -> None:
        self._whom = whom
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        self._reader = frames.FrameReader()
        self._bodies: list[bytes] = []
        self._notices: list[tuple[str, Any]] = []
        self._id = 0
        try:
            self._connect(str(path), time.monotonic() + timeout_s)
        except OSError as error:
            self._socket.close()
            raise EngineError(
                f"{whom} does not answer on {path}: {error.strerror}",
                "start it with `sfa start`",
            ) from None

    def _connect(self, path: str, give_up: float) -> None:
        """Connect, and wait while too many others are at the door."""
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

    def call(self, method: str, **params: Any) -> Any:
        """Ask, and return the answer.

        Raises
        ------
        Refused
            The engine said no; `code`, `message` and `hint` are its own.
        EngineError
            It went away.
        """
        self._id += 1
        self._write(frames.pack([REQUEST, self._id, method, params]))
        while True:
            message = self._read()
            if message[0] == NOTICE:
                self._notices.append((message[1], message[2]))
            elif message[0] == ANSWER and message[1] in {self._id, None}:
                if message[2] is None:
                    return message[3]
                said = message[2]
                kind = EngineError if said["code"] in {"engine", "device"} else Refused
                error: SfaError = kind(said["message"], said["hint"])
                error.code = said["code"]
                raise error

    def notices(self) -> Iterator[tuple[str, Any]]:
        """Yield what is pushed, for as long as the connection lasts."""
        while True:
            while self._notices:
                yield self._notices.pop(0)
            patience = self._socket.gettimeout()
            self._socket.settimeout(None)  # there may be nothing to tell for hours
            try:
                message = self._read()
            finally:
                self._socket.settimeout(patience)
            if message[0] == NOTICE:
                self._notices.append((message[1], message[2]))

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have said why before it went: who reads hears it
        except OSError as error:
            raise EngineError(f"{self._whom} went away: {error.strerror}") from None

    def _read(self) -> Any:
        while not self._bodies:
            try:
                data = self._socket.recv(65_536)
            except TimeoutError:
                raise EngineError(f"{self._whom} does not answer", "see `sfa health`") from None
            except OSError as error:
                raise EngineError(f"{self._whom} went away: {error.strerror}") from None
            if not data:
                raise EngineError(f"{self._whom} went away", "see `sfa health`")
            self._bodies += self._reader.feed(data)
        return frames.unpack(self._bodies.pop(0))
