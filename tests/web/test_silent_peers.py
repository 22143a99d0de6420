"""How long a peer that sends nothing, or reads nothing, keeps its place."""

import asyncio
import contextlib
import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from served import run_site
from starlette.responses import Response

from sfa_engine.web import listener, websocket
from sfa_engine.web.app import App
from sfa_engine.web.endpoint import Endpoint, Table
from sfa_engine.web.exchange import answer
from sfa_engine.web.open_file import open_below
from sfa_engine.web.ranges import Span
from sfa_engine.web.sending import FilePart
from sfa_engine.wire.verbs import Verb, verb

SHORT_S = 0.4
GIVE_UP_S = 15.0
LOST = []
LARGE = "x" * (8 << 20)
TEMPLATE = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: {}\r\n\r\n"


class Verbs:
    """A verb, as a server describes it."""

    @verb(scope="read")
    def library_search(self, words: str = "") -> None:
        """Search."""


DESCRIBED = [Verb("library.search", Verbs.library_search).describe()]


@contextlib.asynccontextmanager
async def serving(*endpoints):
    """Yield the address of a listener, and its sockets' protocols."""
    sockets = listener.listen_tcp("127.0.0.1", 0)
    running = asyncio.create_task(listener.serve(App(lambda: Table(endpoints)), sockets))
    try:
        yield listener.address_of(sockets)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def connected(address):
    """Return a connection that takes little before it is read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(GIVE_UP_S)
    connection.connect(address)
    return connection


async def lasted_s(address, *parts, trickle=0):
    """Return how long a peer keeps its place that reads nothing, or some bytes at a time."""

    def work():
        began_s = time.monotonic()
        with connected(address) as connection, contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
                time.sleep(0.05)
            while not LOST and time.monotonic() - began_s < GIVE_UP_S:
                if trickle:
                    connection.recv(trickle)
                time.sleep(0.02)
        assert LOST
        return LOST[0] - began_s

    return await asyncio.to_thread(work)


def request(path, connection="keep-alive"):
    return TEMPLATE.format(path, connection).encode()


async def _large(_exchange):
    return Response(LARGE)


async def _short(_exchange):
    return answer("x" * 60_000)


async def _tiny(_exchange):
    return answer("here")


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    for name in ("HEADER_TIMEOUT_S", "WRITE_TIMEOUT_S", "LINGER_S", "KEEP_ALIVE_S"):
        monkeypatch.setattr(listener, name, SHORT_S)
    monkeypatch.setattr(listener, "FILE_TIMEOUT_S", 3 * SHORT_S)
    monkeypatch.setattr(websocket, "WRITE_TIMEOUT_S", SHORT_S)
    LOST.clear()
    for kind in (listener.Protocol, websocket.WebSocket):
        monkeypatch.setattr(kind, "connection_lost", noting(kind.connection_lost))


def noting(connection_lost):
    """Return a method that writes down when a connection has ended in the server."""

    def lost(self, exc):
        LOST.append(time.monotonic())
        connection_lost(self, exc)

    return lost


@pytest.mark.slow
@pytest.mark.parametrize(
    "data", [b"", b"GET / HT", b"\r\n", request("/tiny"), request("/tiny")[:-2]]
)
def test_one_that_sends_no_request_is_disconnected(data):
    async def main():
        async with serving(Endpoint("GET", "/tiny", "Answer.", _tiny)) as address:
            assert SHORT_S / 2 < await lasted_s(address, data) < GIVE_UP_S / 2

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/large", "/short"])
@pytest.mark.parametrize("connection", ["keep-alive", "close"])
@pytest.mark.parametrize("times", [1, 3])
def test_one_that_reads_no_answer_is_disconnected(path, connection, times):
    async def main():
        endpoints = (
            Endpoint("GET", "/large", "Answer.", _large),
            Endpoint("GET", "/short", "Answer.", _short),
        )
        async with serving(*endpoints) as address:
            taken_s = await lasted_s(address, request(path, connection) * times)
            assert taken_s < GIVE_UP_S / 2

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("trickle", [0, 1, 200])
def test_one_that_reads_a_file_byte_by_byte_is_disconnected_later(tmp_path, trickle):
    """A browser that pauses has more time than a program that reads no answer."""
    with (tmp_path / "long.wav").open("wb") as file:
        file.truncate(64 << 20)

    async def send(_exchange):
        file = open_below(str(tmp_path), "long.wav")
        return FilePart(file, Span(0, 64 << 20), threads, 200, {}, "audio/wav", lambda: None)

    async def main():
        async with serving(Endpoint("GET", "/x", "Send a file.", send)) as address:
            assert (
                2 * SHORT_S
                < await lasted_s(address, request("/x"), trickle=trickle)
                < GIVE_UP_S / 2
            )

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(main())


@pytest.mark.slow
def test_one_that_goes_on_asking_is_kept():
    async def main():
        async with serving(Endpoint("GET", "/tiny", "Answer.", _tiny)) as address:
            reader, writer = await asyncio.open_connection(*address)
            for _ in range(10):
                writer.write(request("/tiny"))
                assert (await reader.readuntil(b'"here"')).startswith(b"HTTP/1.1 200")
                await asyncio.sleep(SHORT_S / 2)
            assert await asyncio.wait_for(reader.read(), GIVE_UP_S) == b""
            writer.close()

    asyncio.run(main())


@pytest.mark.slow
def test_a_slow_answer_is_not_cut_off():
    async def slow(_exchange):
        await asyncio.sleep(4 * SHORT_S)
        return answer("here")

    async def main():
        endpoints = (
            Endpoint("GET", "/tiny", "Answer.", _tiny),
            Endpoint("GET", "/slow", "Answer.", slow),
        )
        async with serving(*endpoints) as address:
            reader, writer = await asyncio.open_connection(*address)
            for path in ("/tiny", "/slow", "/slow", "/tiny"):
                writer.write(request(path))
                answered = reader.readuntil(b'"here"')
                assert (await asyncio.wait_for(answered, GIVE_UP_S)).startswith(b"HTTP/1.1 200")
            writer.close()

    asyncio.run(main())


@pytest.mark.slow
def test_a_channel_that_is_not_read_is_closed(tmp_path):
    """It asks for much, and its socket takes nothing."""

    async def scenario(site):
        made = site.user("ann", "user")
        sockets = listener.listen_tcp("127.0.0.1", 0)
        running = asyncio.create_task(listener.serve(site.service.app, sockets))
        address = listener.address_of(sockets)
        head = (
            f"GET /api/channel HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {made}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        call = {"id": 1, "method": "library.search", "params": {"words": "x" * 60_000}}
        text = json.dumps(call).encode()
        frame = struct.pack(">BBH", 0x81, 0xFE, len(text)) + b"\0\0\0\0" + text
        assert SHORT_S / 2 < await lasted_s(address, head.encode(), 30 * frame) < GIVE_UP_S / 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_site(scenario, tmp_path, DESCRIBED)
