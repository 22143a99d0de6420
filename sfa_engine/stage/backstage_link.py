"""The stage's line to backstage, for one question at a time. The music never waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from sfa_engine.errors import EngineError, Refused, SfaError
from sfa_engine.wire import BACKSTAGE, frames
from sfa_engine.wire.messages import ANSWER, REQUEST

ANSWER_S = 10.0
CHUNK = 65_536


def absent() -> EngineError:
    """Return what to say when backstage is not there."""
    return EngineError("backstage does not run", "start it with `sfa start`")


async def ask_backstage(runtime: Path, method: str, /, **params: Any) -> Any:
    """Ask backstage for something and return its answer.

    Raises
    ------
    Refused
        It said no.
    EngineError
        It is not there, does not answer, or cannot just now: its disk is full, its library locked.
    """
    message: Any = None
    with trio.move_on_after(ANSWER_S):
        try:
            stream = await trio.open_unix_socket(str(runtime / BACKSTAGE))
        except OSError:
            raise absent() from None
        async with stream:
            message = await _converse(stream, frames.pack([REQUEST, 1, method, params]))
    if message is None:
        raise EngineError("backstage did not answer", "see `sfa log backstage`")
    if message[2] is not None:
        said = message[2]
        # Without the request's number it is no answer to it: too many are connected.
        passing = said["code"] in {"engine", "fault", "library"} or message[1] is None
        kind = EngineError if passing else Refused
        error: SfaError = kind(said["message"], said["hint"])
        error.code = said["code"]
        raise error
    return message[3]


async def _converse(stream: trio.SocketStream, request: bytes) -> Any:
    """Send a request and return the answer; None if the line breaks first."""
    reader = frames.FrameReader()
    try:
        await stream.send_all(request)
        while True:
            data = await stream.receive_some(CHUNK)
            if not data:
                return None
            for body in reader.feed(data):
                message = frames.unpack(body)
                if message[0] == ANSWER:
                    return message
    except trio.BrokenResourceError:
        return None
