"""Hands a client's requests that are backstage's business on, and the answers back.

Each client gets a line of its own, so that request numbers and what is pushed need no translation,
and a slow client holds up nobody but itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from sfa_engine.stage.backstage_link import CHUNK, absent
from sfa_engine.wire import BACKSTAGE, frames, messages
from sfa_engine.wire.messages import ANSWER

PREFIXES = ("library.", "jobs.", "prep.")

Say = Callable[[Any], Awaitable[None]]


class Relay:
    """One client's line to backstage, opened when it is first needed.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of backstage's socket.
    nursery : trio.Nursery
        Where answers are waited for.
    say : callable
        Sends a message to the client.
    """

    def __init__(self, runtime: Path, nursery: trio.Nursery, say: Say) -> None:
        self._path = runtime / BACKSTAGE
        self._nursery = nursery
        self._say = say
        self._stream: trio.SocketStream | None = None
        self._asked: set[int] = set()

    async def ask(self, message: list[Any]) -> None:
        """Hand a request on; its answer goes to the client when it comes.

        Raises
        ------
        EngineError
            Backstage is not there.
        """
        if self._stream is None:
            try:
                self._stream = await trio.open_unix_socket(str(self._path))
            except OSError:
                raise absent() from None
            self._nursery.start_soon(self._listen, self._stream)
        self._asked.add(message[1])
        try:
            await self._stream.send_all(frames.pack(message))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._asked.discard(message[1])
            raise absent() from None

    async def _listen(self, stream: trio.SocketStream) -> None:
        reader = frames.FrameReader()
        async with stream:
            try:
                while data := await stream.receive_some(CHUNK):
                    for body in reader.feed(data):
                        message = frames.unpack(body)
                        if message[0] == ANSWER:
                            self._asked.discard(message[1])
                        await self._say(message)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        self._stream = None
        lost, self._asked = self._asked, set()
        for number in lost:
            await self._say(messages.failure(number, absent()))
