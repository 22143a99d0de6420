"""The audio process's socket: its verbs in the protocol of `sfa_engine.wire`, a thread a client."""

from __future__ import annotations

import socket
import threading

from sfa_engine import __version__
from sfa_engine.errors import FaultError, SfaError
from sfa_engine.system import log
from sfa_engine.wire import blocking
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import exported

BUSY_RETRY_S = 0.1  # before accepting again when the system has no room for a client


def in_words(error: Exception) -> SfaError:
    """Return an error that can be told; one that was not expected is logged."""
    if isinstance(error, SfaError):
        return error
    log.exception(error)
    return FaultError.of(error)


class RequestServer:
    """Answers clients, each in a thread of its own.

    Parameters
    ----------
    owner : object
        Whose verbs can be asked for.
    stop : threading.Event
        When it is set, no other client is accepted.
    """

    def __init__(self, owner: object, stop: threading.Event) -> None:
        self._verbs = exported(owner)
        self._stop = stop

    def serve(self, server: socket.socket) -> None:
        """Accept clients until the end."""
        while not self._stop.is_set():
            try:
                client, _ = server.accept()
            except OSError:  # too many files are open; who waits to be accepted goes on waiting
                self._stop.wait(BUSY_RETRY_S)
                continue
            try:
                threading.Thread(target=self.attend, args=(client,), daemon=True).start()
            except RuntimeError:  # there are too many threads
                client.close()

    def attend(self, client: socket.socket) -> None:
        """Answer a client until it goes."""
        session = Session(
            "the audio process",
            __version__,
            self._verbs,
            on_fault=lambda _method, error: log.exception(error),
        )
        blocking.serve(client, session)
