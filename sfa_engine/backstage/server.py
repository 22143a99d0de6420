"""Backstage's socket: the library's and the queue's verbs, in the frames of `sfa_engine.wire`.

Clients of the stage come here through it; the command line comes straight. A client that does not
read gets the newest news of each job when it does, and holds up nobody.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sfa_engine.backstage.core import Core
from sfa_engine.backstage.queue import Event
from sfa_engine.door import open_door
from sfa_engine.errors import Refused, SfaError
from sfa_engine.wire import frames, messages
from sfa_engine.wire.verbs import FaultError, bind

logger = logging.getLogger(__name__)
MOST_CLIENTS = 200
MOST_ASKED = 64  # requests of a client that are under way, or whose answers it has not read
HALF_FRAME_S = 10.0  # for the rest of a frame to come
CHUNK = 65_536
NEWS_PERIOD_S = 0.05


class Server:
    """Serves the core's verbs, and ``jobs.watch``.

    Parameters
    ----------
    core : Core
    path : pathlib.Path
        Of the socket.
    """

    def __init__(self, core: Core, path: Path) -> None:
        self.core = core
        self.path = path
        self.verbs = core.verbs
        self._clients: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()  # a client came or went
        self._is_ending = False

    async def wait_lonely(self, period_s: float) -> None:
        """Return when no client has been there for a while, and no work was left to us.

        A client that comes then is not served.
        """
        while True:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), None if self._clients else period_s)
            except TimeoutError:
                if not await self.core.foreman.is_needed() and not self._clients:
                    self._is_ending = True
                    return

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled."""
        raw = open_door(self.path, backlog=256)
        server = await asyncio.start_unix_server(self._greet, sock=raw, backlog=256, limit=CHUNK)
        try:
            async with server:
                ready()
                await server.serve_forever()
        finally:
            for task in self._clients:
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            with suppress(FileNotFoundError):
                self.path.unlink()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_ending:  # half an answer would be worse than none
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        self._moved.set()
        try:
            if len(self._clients) > MOST_CLIENTS:
                full = Refused(f"{MOST_CLIENTS} clients are connected already", "close some")
                writer.write(frames.pack(messages.failure(None, full)))
                return
            await Client(self, reader, writer).run()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(task)
            self._moved.set()
            writer.close()


class Client:
    """One connection."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._news: dict[int, Event] = {}
        self._wake = asyncio.Event()
        self._batch = ""
        self._end_watch: Callable[[], None] = lambda: None
        self._asked: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve it until it leaves; what it asked for until then is done all the same."""
        telling = asyncio.create_task(self._notify())
        try:
            await self._read()
        except asyncio.CancelledError:
            for task in self._asked:
                task.cancel()
            raise
        finally:
            self._end_watch()
            telling.cancel()
            await asyncio.gather(telling, *self._asked, return_exceptions=True)

    async def _read(self) -> None:
        frame_reader = frames.FrameReader()
        clock = asyncio.get_running_loop().time
        whole_by: float | None = None  # when the frame that has begun must have come
        while True:
            try:
                async with asyncio.timeout_at(whole_by):
                    data = await self._reader.read(CHUNK)
                if not data:
                    return
                while bodies := frame_reader.feed(data):
                    data, whole_by = b"", None
                    for body in bodies:
                        while len(self._asked) >= MOST_ASKED:  # it is not read from meanwhile
                            await asyncio.wait(self._asked, return_when=asyncio.FIRST_COMPLETED)
                        # Each in its own task: a long answer does not hold up `jobs.cancel`.
                        task = asyncio.create_task(self._serve(body))
                        self._asked.add(task)
                        task.add_done_callback(self._asked.discard)
            except TimeoutError:
                await self._say(messages.failure(None, Refused("the rest of a frame did not come")))
                return
            except frames.BrokenStream as error:
                await self._say(messages.failure(None, error))
                return
            if frame_reader.is_inside and whole_by is None:
                whole_by = clock() + HALF_FRAME_S

    async def _serve(self, body: bytes) -> None:
        with suppress(ConnectionError):
            await self._say(await self._answer(body))

    async def _answer(self, body: bytes) -> list[Any]:
        number = None
        try:
            message = frames.unpack(body)
            if isinstance(message, list) and len(message) > 1 and isinstance(message[1], int):
                number = message[1]
            request = messages.parse_request(message)
            verbs = {
                **self._server.verbs,
                "jobs.watch": self.watch,
                "jobs.unwatch": self.unwatch,
            }
            result = bind(verbs, request, {})()
            answer = messages.answer(
                request.id, await result if inspect.isawaitable(result) else result
            )
            frames.pack(answer)
        except SfaError as error:
            return messages.failure(number, error)
        except Exception as error:
            logger.exception("a request")
            return messages.failure(number, FaultError(error))
        return answer

    async def _say(self, message: list[Any]) -> None:
        self._writer.write(frames.pack(message))
        await self._writer.drain()

    # ------------------------------------------------------------------ watching

    def watch(self, batch: str = "") -> dict[str, Any]:
        """Push what happens to jobs, of one batch or of all, as ``job`` notices."""
        if not isinstance(batch, str):
            raise Refused(f"{batch!r:.60} is no batch", "give what `prep.add` answered")
        self._end_watch()
        self._batch = batch
        self._end_watch = self._server.core.queue.listen(self._hear)
        return {"batch": batch}

    def unwatch(self) -> dict[str, Any]:
        """Push no more of jobs."""
        self._end_watch()
        self._end_watch = lambda: None
        self._news.clear()
        return {}

    def _hear(self, event: Event) -> None:
        if not self._batch or self._batch in event.batches:
            self._news[event.job] = event
            self._wake.set()

    async def _notify(self) -> None:
        with suppress(ConnectionError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                news, self._news = self._news, {}
                for event in news.values():
                    # Waits while the client does not read; newer news take the place of older.
                    await self._say(messages.notice("job", asdict(event)))
                await asyncio.sleep(NEWS_PERIOD_S)
