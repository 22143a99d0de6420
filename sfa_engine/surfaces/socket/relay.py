"""Hands a client's requests that are backstage's business on, and the answers back.

Each client gets a line of its own, so that what is pushed finds its way, and a slow client holds
up nobody but itself. A line that breaks, or cannot be read on from, is dropped: what was asked on
it fails, and the next request opens another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.stage.backstage_link import CHUNK, absent
from sfa_engine.wire import BACKSTAGE, frames, messages
from sfa_engine.wire.messages import ANSWER, REQUEST, Request

PREFIXES = ("library.", "jobs.", "prep.")
SEND_S = 10.0  # for backstage to take a request

Say = Callable[[Any], Awaitable[None]]


@dataclass
class _Asked:
    """A request whose answer is waited for."""

    done: trio.Event = field(default_factory=trio.Event)
    answer: list[Any] = field(default_factory=list)

    def give(self, answer: list[Any]) -> None:
        self.answer = answer
        self.done.set()


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
        self._sending = trio.Lock()
        self._number = 0
        self._asked: dict[int, _Asked] = {}

    async def ask(self, request: Request) -> list[Any]:
        """Hand a request on and return its answer, however long backstage works on it.

        Raises
        ------
        Refused
            It is too long.
        EngineError
            Backstage is not there, or takes no request.
        """
        self._number += 1
        number, asked = self._number, _Asked()
        self._asked[number] = asked
        try:
            with trio.move_on_after(SEND_S) as patience:
                await self._send(frames.pack([REQUEST, number, request.method, request.params]))
            if patience.cancelled_caught:
                raise _hung()
            await asked.done.wait()
        finally:
            del self._asked[number]
        return [ANSWER, request.id, *asked.answer[2:]]

    async def _send(self, frame: bytes) -> None:
        async with self._sending:
            if self._stream is None:
                try:
                    self._stream = await trio.open_unix_socket(str(self._path))
                except OSError:
                    raise absent() from None
                self._nursery.start_soon(self._listen, self._stream)
            stream = self._stream
            try:
                await stream.send_all(frame)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise absent() from None
            except trio.Cancelled:  # half of it may have gone: nothing can follow
                await trio.aclose_forcefully(stream)
                raise

    async def _listen(self, stream: trio.SocketStream) -> None:
        lost = absent()
        reader = frames.FrameReader()
        async with stream:
            try:
                while data := await stream.receive_some(CHUNK):
                    while bodies := reader.feed(data):
                        data = b""
                        for body in bodies:
                            await self._hear(frames.unpack(body))
            except trio.BrokenResourceError:
                pass
            except trio.ClosedResourceError:
                lost = _hung()
            except SfaError as error:
                lost = EngineError(f"backstage's answer cannot be read: {error.message}")
        self._stream = None
        self._give_all(messages.failure(None, lost))

    async def _hear(self, message: list[Any]) -> None:
        if message[0] != ANSWER:
            await self._say(message)
        elif message[1] is None:  # it is no answer to one of them: too many are connected
            self._give_all(message)
        elif message[1] in self._asked:
            self._asked[message[1]].give(message)

    def _give_all(self, answer: list[Any]) -> None:
        for asked in self._asked.values():
            if not asked.done.is_set():
                asked.give(answer)


def _hung() -> EngineError:
    """Return what to say when backstage is there and takes nothing."""
    return EngineError("backstage does not answer", "see `sfa log backstage`")
