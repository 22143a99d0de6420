"""The audio process's socket: who asks hears an answer, whatever comes of it.

One JSON line each way: ``{"do": verb, "with": {…}, "until": when}``, the last of `time.monotonic`
where nobody waits for ever; then ``{"ok": {…}}`` or ``{"error": {"code", "message", "hint"}}``.
Knows callers and lines; what the verbs do is the host's.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sfa_engine import log
from sfa_engine.audio.layout import DECKS
from sfa_engine.errors import EngineError, Refused, SfaError

LINE_BYTES = 65_536
BUSY_S = 0.1  # until a caller is accepted whom the system had no room for

Verb = Callable[..., dict[str, Any]]


def in_words(error: Exception) -> SfaError:
    """Return an error that can be told; one that nobody expects is logged."""
    if isinstance(error, SfaError):
        return error
    log.exception(error)
    reason = f"{type(error).__name__} {error}".strip()
    return EngineError(f"the audio process cannot do it: {reason}", "see `sfa log host`")


class Reception:
    """Answers callers, each in a thread of its own.

    Parameters
    ----------
    verbs : mapping of str to callable
        What can be asked for. One that takes ``until`` is told when nobody waits any more.
    stop : threading.Event
        When it is set, nobody else is accepted.
    """

    def __init__(self, verbs: Mapping[str, Verb], stop: threading.Event) -> None:
        self._verbs = verbs
        self._stop = stop

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what a line asks; an error is an answer too."""
        try:
            return {"ok": self._asked(line)()}
        except Exception as error:  # noqa: BLE001 - else the caller hears nothing
            told = in_words(error)
            return {"error": {"code": told.code, "message": told.message, "hint": told.hint}}

    def _asked(self, line: bytes) -> Verb:
        """Return what does what a line asks."""
        if len(line) >= LINE_BYTES:
            raise Refused(f"the request has {LINE_BYTES} bytes or more", "give a shorter path")
        try:
            request = json.loads(line)
            verb, arguments = request["do"], request.get("with", {})
            if verb not in self._verbs:
                raise Refused(f'the host has no verb "{verb}"')
            deck = arguments.get("deck", 0)
            if not isinstance(deck, int) or not 0 <= deck < DECKS:
                raise Refused(f"there is no deck {deck + 1}")
            taken = inspect.signature(self._verbs[verb])
            if "until" in taken.parameters:
                arguments["until"] = float(request.get("until", math.inf))
            taken.bind(**arguments)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(f"not a request: {error}") from None
        return partial(self._verbs[verb], **arguments)

    def serve(self, server: socket.socket) -> None:
        """Accept callers until the end."""
        while not self._stop.is_set():
            try:
                client, _ = server.accept()
            except OSError:  # too many files are open; who waits to be accepted goes on waiting
                self._stop.wait(BUSY_S)
                continue
            try:
                threading.Thread(target=self.attend, args=(client,), daemon=True).start()
            except RuntimeError:  # there are too many threads
                client.close()

    def attend(self, client: socket.socket) -> None:
        """Answer a caller until it goes."""
        with client, client.makefile("rb") as lines, contextlib.suppress(OSError):
            while line := lines.readline(LINE_BYTES):
                rest = line  # of one that is too long
                while rest and not rest.endswith(b"\n"):
                    rest = lines.readline(LINE_BYTES)
                client.sendall(json.dumps(self.answer(line)).encode() + b"\n")
