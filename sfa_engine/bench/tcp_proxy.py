"""A relay between a browser and the web process that can sleep, as a phone does.

Asleep, it forwards nothing and closes nothing: neither side learns anything. Awake again, old
connections are dead: they are reset when the browser sends something on them. That is what a phone
finds whose server was restarted meanwhile. It may be a slow link, too, with packets that are lost:
TCP sends them again, so all that comes behind one waits for it.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

PIECE = 65_536
CHANNEL = b"GET /api/channel"
END_S = 5.0
RESENT_S = 1.0  # what a lost packet takes, with the first timeout of TCP


Pieces = asyncio.Queue[tuple[float, bytes]]  # when each is due, by the loop's clock


@dataclass(eq=False)
class Line:
    """A connection of the browser.

    Attributes
    ----------
    is_channel : bool
        Whether it is a WebSocket of the channel.
    is_dead : bool
        Whether it was open when the relay went to sleep.
    """

    is_channel: bool = False
    is_dead: bool = False


class Proxy:
    """The relay, in a thread of its own.

    Parameters
    ----------
    port : int
        Of the web process.
    delay_s : float
        Of every piece, each way.
    loss : float
        Share of pieces that come ``RESENT_S`` later, and all behind them, 0 to 1.

    Attributes
    ----------
    port : int
        Its own.
    opened : int
        Channels that were opened since it last woke.
    """

    def __init__(self, port: int, delay_s: float = 0.0, loss: float = 0.0) -> None:
        self._to = port
        self._delay_s = delay_s
        self._loss = loss
        self._random = random.Random(1)  # noqa: S311 - the same losses in each run
        self._loop = asyncio.new_event_loop()
        self._lines: set[Line] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._awake.set()
        self.port = 0
        self.opened = 0
        self._listens = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._listens.wait(END_S)

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(END_S)
        self._loop.close()

    @property
    def channels(self) -> int:
        """How many channels are open now."""
        return sum(line.is_channel for line in tuple(self._lines))

    def sleep(self) -> None:
        """Forward nothing from now on."""

        def begin() -> None:
            self._awake.clear()
            for line in self._lines:
                line.is_dead = True

        self._loop.call_soon_threadsafe(begin)

    def wake(self) -> None:
        """Forward again, on new connections; the old ones are dead."""
        self.opened = 0
        self._loop.call_soon_threadsafe(self._awake.set)

    async def _run(self) -> None:
        server = await asyncio.start_server(self._attend, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._listens.set()
        async with server:
            await self._end.wait()
            handlers = list(self._handlers)
            for handler in handlers:
                handler.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        line = Line()
        self._lines.add(line)
        ours = None
        with suppress(OSError, asyncio.CancelledError):
            await self._awake.wait()
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._to)
            up = asyncio.ensure_future(self._forward(line, reader, ours, is_up=True))
            down = asyncio.ensure_future(self._forward(line, theirs, writer, is_up=False))
            await _first_of(up, down, line)
        for each in filter(None, (ours, writer)):
            each.transport.abort()
            with suppress(OSError):
                await each.wait_closed()
        self._lines.discard(line)
        self._handlers.discard(handler)

    async def _forward(
        self,
        line: Line,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_up: bool,
    ) -> None:
        """Forward until an end closes, or what comes is late for a dead connection."""
        under_way: Pieces = asyncio.Queue()
        arriving = asyncio.ensure_future(_arrive(under_way, writer))
        due_s = 0.0
        try:
            while data := await reader.read(PIECE):
                await self._awake.wait()
                if line.is_dead:
                    return
                if is_up and CHANNEL in data:
                    line.is_channel = True
                    self.opened += 1
                is_lost = self._random.random() < self._loss
                due_s = max(due_s, self._loop.time() + self._delay_s + RESENT_S * is_lost)
                under_way.put_nowait((due_s, data))
            under_way.put_nowait((due_s, b""))
            await arriving
        except OSError:
            pass
        finally:
            arriving.cancel()


async def _arrive(under_way: Pieces, writer: asyncio.StreamWriter) -> None:
    """Write pieces when they are due, until an empty one."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while True:
            due_s, data = await under_way.get()
            await asyncio.sleep(due_s - loop.time())
            if not data:
                return
            writer.write(data)
            await writer.drain()


async def _first_of(up: asyncio.Task[None], down: asyncio.Task[None], line: Line) -> None:
    """Wait until one direction ends; of a dead connection, until the browser sends something."""
    try:
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        if line.is_dead:  # what the server did meanwhile is not seen
            await up
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


@contextmanager
def proxy_to(port: int, delay_s: float = 0.0, loss: float = 0.0) -> Iterator[Proxy]:
    """Lend a relay to the web process."""
    proxy = Proxy(port, delay_s, loss)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
