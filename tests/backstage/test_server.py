"""Backstage's socket: what a client asked for is done, whether it waits or not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from house import house

from sfa_engine.backstage import server
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import frames, protocol
from sfa_engine.wire.connection import Connection
from sfa_engine.wire.stream import REQUEST, Answer
from sfa_engine.wire.verbs import exported, verb

pytestmark = pytest.mark.slow

NO_LOG = SimpleNamespace(around=lambda _verb, _actor, _params, invoke, _surface: invoke())


class Verbs:
    """What the servers of this process can do."""

    @verb(scope="read")
    def seven(self, long: str = "") -> int:  # noqa: ARG002 - the request is to be long
        """Return seven."""
        return 7


def answers_in(connection: Connection, data: bytes) -> list[Answer]:
    """Return the answers that are whole with these bytes."""
    connection.receive_data(data)
    found = []
    while (event := connection.next_event()) is not None:
        assert isinstance(event, Answer)
        found.append(event)
    return found


def test_what_a_client_asked_for_is_done_though_it_left_at_once(tmp_path: Path) -> None:
    with house(tmp_path) as here, here.start() as client:
        for number in range(5):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.connect(str(here.runtime / BACKSTAGE_SOCKET))
                asked = {"name": f"list {number}"}
                line.sendall(frames.pack([REQUEST, 1, "library.playlist_add", asked]))
        give_up = time.monotonic() + 10.0
        while len(client.call("library.playlists")["playlists"]) < 5:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        assert "Traceback" not in here.log


def test_a_request_before_a_broken_frame_is_answered_and_what_trickles_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "FRAME_TIMEOUT_S", 0.5)
    request = frames.pack([REQUEST, 1, "seven", {}])
    path = tmp_path / "socket"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        core = SimpleNamespace(verbs=exported(Verbs()), auditor=NO_LOG)
        await server.Client(core, reader, writer, lambda: None).run()  # type: ignore[arg-type]
        writer.close()

    async def said(send: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> list[Any]:
        reader, writer = await asyncio.open_unix_connection(path)
        sending = asyncio.ensure_future(send(writer))
        heard = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        await asyncio.gather(sending, return_exceptions=True)
        return answers_in(Connection(), heard)

    async def at_once(writer: asyncio.StreamWriter) -> None:
        writer.write(request + b"\xff" * 8)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(request)
        for byte in frames.pack([REQUEST, 2, "seven", {"long": "x" * 4000}]):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async def main() -> None:
        async with await asyncio.start_unix_server(serve, path):
            for send, why in ((at_once, "is announced"), (trickle, "did not arrive")):
                answers = await said(send)
                assert [frames.unpack(one.result) for one in answers if one.id == 1] == [7]
                assert [why in str(one.error) for one in answers if one.id is None] == [True]

    asyncio.run(main())


def test_the_library_is_there_without_the_cluster(tmp_path: Path) -> None:
    with house(tmp_path) as here:
        here.configure(
            f'[backstage]\nexecutor = "dask"\ndask = "tcp://127.0.0.1:9"\nshared = "{tmp_path}"\n'
        )
        with here.start() as client:
            assert client.call("library.playlists") == {"playlists": []}


def test_of_a_client_that_reads_nothing_so_many_requests_are_under_way_and_no_more(
    tmp_path: Path,
) -> None:
    path = tmp_path / "socket"
    begun = 0
    most = 0
    served: list[server.Client] = []
    many = asyncio.Event()

    class Work:
        @verb(scope="read")
        async def work(self) -> str:
            nonlocal begun, most
            begun += 1
            if begun == protocol.MAX_CONCURRENT:
                many.set()
            most = max(most, *(len(client.peer.requests) for client in served))
            await asyncio.sleep(0)
            return "x" * 100_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        core = SimpleNamespace(verbs=exported(Work()), auditor=NO_LOG)
        served.append(server.Client(core, reader, writer, lambda: None))  # type: ignore[arg-type]
        await served[0].run()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_unix_server(serve, path):
            reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
            for number in range(1000):
                writer.write(frames.pack([REQUEST, number, "work", {}]))
            async with asyncio.timeout(30):
                await many.wait()
                await asyncio.sleep(0.3)  # it does not go on
                assert begun < 2 * protocol.MAX_CONCURRENT
                answers: set[int] = set()
                connection = Connection()
                while len(answers) < 1000:  # and none is lost when the client reads
                    came = answers_in(connection, await reader.read(1 << 20))
                    answers.update(one.id for one in came if one.id is not None)
            writer.close()
        assert most <= protocol.MAX_CONCURRENT
        assert answers == set(range(1000))

    asyncio.run(main())


def test_what_waits_to_be_pushed_is_dropped_when_a_client_watches_no_more() -> None:
    async def main() -> None:
        listeners: list[Any] = []
        core = SimpleNamespace(
            verbs={},
            track_listeners=listeners,
            auditor=NO_LOG,
            queue=SimpleNamespace(listen=lambda _: lambda: None),
        )
        client = server.Client(core, None, None, lambda: None)  # type: ignore[arg-type]
        client.jobs_watch()
        client.library_watch()
        listeners[0](1, "a.sfa")
        client.library_unwatch()
        assert (listeners, client._news) == ([], {})

    asyncio.run(main())


def test_waiting_for_the_last_client_ends_when_one_leaves_and_it_is_cancelled_at_once(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        core: Any = SimpleNamespace(has_work_left=None)
        served = server.Server(core, tmp_path / "socket")
        waiting = asyncio.create_task(served.wait_lonely(60.0))
        await asyncio.sleep(0.01)
        served.moved.set()
        await asyncio.sleep(0)
        waiting.cancel()
        done, _ = await asyncio.wait([waiting], timeout=5.0)
        assert done == {waiting}

    asyncio.run(main())
