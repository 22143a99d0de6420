"""The same server on each shell, and clients of it, for the tests here."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from typing import Annotated

import trio

from sfa_engine.errors import LibraryError, Refused
from sfa_engine.system.unix_socket import listen_unix
from sfa_engine.wire import aio, blocking, connection, trio_io
from sfa_engine.wire.connection import Connection
from sfa_engine.wire.rights import Actor
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import GIVEN, exported, verb

TIMEOUT_S = 20.0


class Verbs:
    """What the servers here can do; `slow` waits as the shell does."""

    def __init__(self, sleep=None):
        self.sleep = sleep
        self.begun = 0
        self.faults = []

    @verb(scope="read")
    def echo(self, value: float | bool | str | None = None) -> object:
        """Return it."""
        return {"value": value}

    @verb(scope="read")
    def whoami(self, source: Annotated[int, GIVEN] = 0) -> int:
        """Return the source."""
        return source

    @verb(scope="read")
    def actor(self, actor: Annotated[Actor, GIVEN]) -> dict[str, object]:
        """Return who sent the request."""
        return {**actor.to_wire(), "scopes": sorted(actor.scopes)}

    @verb(scope="perform")
    def sign(self, handed: Annotated[list[int], GIVEN]) -> int:
        """Write to what came with the request."""
        os.write(handed[0], b"here")
        return len(handed)

    @verb(scope="library")
    def refuse(self) -> None:
        """Refuse."""
        raise LibraryError("the disk is full", "make room")

    @verb(scope="read")
    def crash(self) -> None:
        """Have a fault."""
        raise ZeroDivisionError("of ours")

    @verb(scope="read")
    def unsendable(self) -> object:
        """Return what cannot be sent."""
        return object()

    @verb(scope="perform", slow=True)
    def wait_slow(self, s: float = 0.05) -> object:
        """Answer later."""
        self.begun += 1
        return self.sleep(s) if self.sleep else time.sleep(s)

    @verb(scope="perform")
    def wait_short(self, s: float = 0.05) -> object:
        """Answer later, soon."""
        self.begun += 1
        return self.sleep(s) if self.sleep else time.sleep(s)

    def session(self):
        return Session(
            "the server",
            "1.2",
            exported(self),
            given={"source": 7},
            on_fault=lambda method, error: self.faults.append((method, error)),
        )


def _trio(path, verbs, ready, stop):
    async def attend(stream):
        await trio_io.Peer(stream, verbs.session()).run()

    async def main():
        verbs.sleep = trio.sleep
        server = trio_io.Server(path, attend)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            ready.set()
            while not stop.is_set():  # noqa: ASYNC110 - an event of another thread
                await trio.sleep(0.01)
            with trio.move_on_after(TIMEOUT_S):
                while server.clients:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            assert not server.clients  # none is left behind
            nursery.cancel_scope.cancel()

    trio.run(main)


def _asyncio(path, verbs, ready, stop):
    async def attend(reader, writer):
        await aio.Peer(reader, writer, verbs.session()).run()

    async def main():
        verbs.sleep = asyncio.sleep
        server = aio.Server(path, attend)
        running = asyncio.create_task(server.run(ready.set))
        while not stop.is_set():  # noqa: ASYNC110 - an event of another thread
            await asyncio.sleep(0.01)
        async with asyncio.timeout(TIMEOUT_S):
            while server.clients:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}  # none is left behind

    asyncio.run(main())


def _blocking(path, verbs, ready, stop):
    with listen_unix(path, 64) as server:
        server.settimeout(0.01)
        ready.set()
        threads = []
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                line, _ = server.accept()
                threads.append(
                    threading.Thread(target=blocking.serve, args=(line, verbs.session()))
                )
                threads[-1].start()
        for thread in threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()  # none is left behind


SHELLS = {"trio": _trio, "asyncio": _asyncio, "blocking": _blocking}


class Running:
    """A server in a thread of this process."""

    def __init__(self, path, shell):
        self.path = path
        self.verbs = Verbs()
        self.failed = None
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(SHELLS[shell],))

    def _run(self, serve):
        try:
            serve(self.path, self.verbs, self._ready, self._stop)
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.failed = error
            self._ready.set()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(TIMEOUT_S)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(2 * TIMEOUT_S)
        assert not self._thread.is_alive()
        if self.failed is not None:
            raise self.failed

    def connect(self):
        return blocking.SocketClient(self.path, TIMEOUT_S)

    def raw(self):
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(TIMEOUT_S)
        line.connect(str(self.path))
        return line


def read_events(line, enough):
    """Return the events that come until there are so many, or the server closes."""
    reader, found = Connection(), []
    while len(found) < enough:
        try:
            data = line.recv(65_536)
        except ConnectionResetError:
            break
        if not data:
            break
        reader.receive_data(data)
        while (event := reader.next_event()) is not None:
            found.append(event)
    return found


def hello(number=0, **changed):
    return connection.request(
        number, "hello", {"name": "test", "protocol": 1, "kind": "test", **changed}
    )


__all__ = ["SHELLS", "TIMEOUT_S", "Refused", "Running", "Verbs", "hello", "read_events"]
