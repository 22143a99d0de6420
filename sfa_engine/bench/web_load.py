"""The load of `sfa bench web`, in processes of their own: ``python -m … get|watch|fuzz``.

Each is bounded in time, and prints one object when it has ended.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

CHANNELS_OF_ONE = 25  # address: a server takes at most 32
FUZZER = "127.0.0.9"  # an address of its own: rates and places are counted by address
TIMEOUT_S = 10.0
FUZZERS = 8  # at once: most of what they send is waited for in vain
PAUSE_S = 0.005
TARGETS = ("/", "/api", "/api/status", "/api/set", "/api/nothing", "/api/auth/login", "/health")


def get(port: int, secret: str, seconds: float) -> dict[str, int]:
    """Read the status over one connection, one request after the other."""
    head = f"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{_cookie(port, secret)}\r\n\r\n"
    request = head.encode()
    count = 0
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as line:
        answers = line.makefile("rb")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            line.sendall(request)
            status, length = answers.readline(), 0
            while (field := answers.readline()) != b"\r\n":
                name, _, value = field.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            answers.read(length)
            if not status.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(status.decode())
            count += 1
    return {"requests": count}


async def watch(port: int, secret: str, seconds: float, count: int) -> dict[str, int]:
    """Join `playback` with some clients; count the messages of values."""
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(_watch(port, secret, seconds, k)) for k in range(count)]
    found = [client.result() for client in clients]
    return {"messages": sum(found), "fewest": min(found)}


async def _watch(port: int, secret: str, seconds: float, number: int) -> int:
    source = f"127.0.0.{2 + number // CHANNELS_OF_ONE}"
    count = 0
    async with _channel(port, secret, source) as channel:
        await channel.send(json.dumps({"join": "playback"}))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for message in channel:
                    count += '"values"' in message[:64]
    return count


def _channel(port: int, secret: str, source: str) -> connect:
    cookie = _cookie(port, secret).partition(": ")[2]
    return connect(
        f"ws://127.0.0.1:{port}/api/channel",
        additional_headers={"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"},
        compression=None,
        proxy=None,
        open_timeout=TIMEOUT_S,
        local_addr=(source, 0),
    )


async def fuzz(port: int, secret: str, seconds: float, seed: int) -> dict[str, int]:
    """Send rubbish as HTTP, signed in and not, and as messages of the channel."""
    async with asyncio.TaskGroup() as group:
        parts = [
            group.create_task(_fuzz(port, secret, seconds, seed + number))
            for number in range(FUZZERS)
        ]
    found = [part.result() for part in parts]
    return {name: sum(each[name] for each in found) for name in ("requests", "messages")}


async def _fuzz(port: int, secret: str, seconds: float, seed: int) -> dict[str, int]:
    rng = random.Random(seed)  # noqa: S311 - the same rubbish each time
    sent = {"requests": 0, "messages": 0}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await _request(port, _rubbish_request(rng, _cookie(port, secret)))
        sent["requests"] += 1
        if sent["requests"] % 20 == 0:
            sent["messages"] += await _messages(port, secret, rng)
        await asyncio.sleep(PAUSE_S)
    return sent


async def _request(port: int, data: bytes) -> None:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(FUZZER, 0)
            )
            try:
                writer.write(data)
                await writer.drain()
                await reader.read(1024)
            finally:
                writer.close()


async def _messages(port: int, secret: str, rng: random.Random) -> int:
    count = 0
    with suppress(OSError, TimeoutError, WebSocketException):
        async with asyncio.timeout(2.0), _channel(port, secret, FUZZER) as channel:
            for _ in range(40):
                await _send_rubbish(channel, rng)
                count += 1
    return count


async def _send_rubbish(channel: ClientConnection, rng: random.Random) -> None:
    methods = ("set", "get", "status", "deck.load", "library.search", rng.randbytes(6).hex())
    texts = (
        rng.randbytes(30).decode("latin-1"),
        json.dumps({"id": rng.randrange(100), "method": rng.choice(methods), "params": _junk(rng)}),
        json.dumps({"join": rng.choice(("jobs", "playback", "jobs:1", "x" * 90))}),
        "[" * rng.randrange(30_000),
        '{"ping": 1e999}',
    )
    # Bytes where text is due close the connection: seldom.
    await channel.send(rng.randbytes(50) if rng.random() < 0.02 else rng.choice(texts))


def _rubbish_request(rng: random.Random, cookie: str) -> bytes:
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(1, 2000))
    method = rng.choice(("GET", "POST", "DELETE", "PUT", "\x00", "get"))
    target = rng.choice(TARGETS) + rng.choice(("", "?a=1", "/../..", "%00", "x" * 9000))
    host = rng.choice(("127.0.0.1", "localhost", "evil.example"))
    body = rng.choice((json.dumps(_junk(rng)).encode(), rng.randbytes(200), b"[" * 50_000))
    length = rng.choice((len(body), len(body), -1, len(body) + 9))
    signed_in = f"{cookie}\r\nOrigin: http://{host}" if rng.random() < 0.5 else "X: y"
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{signed_in}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _junk(rng: random.Random, depth: int = 0) -> object:
    leaves = (None, True, -1, 1e308, "", "\x00", "deck1.play", "../..", rng.randbytes(5).hex())
    if depth > 3 or rng.random() < 0.4:
        return rng.choice(leaves)
    if rng.random() < 0.5:
        return [_junk(rng, depth + 1) for _ in range(rng.randrange(5))]
    names = ("path", "value", "deck", "words", "limit", rng.randbytes(3).hex())
    return {rng.choice(names): _junk(rng, depth + 1) for _ in range(rng.randrange(5))}


def _cookie(port: int, secret: str) -> str:
    return f"Cookie: sfa_session_{port}={secret}"


def main() -> None:
    """Run one: ``KIND PORT SECRET SECONDS [COUNT or SEED]``."""
    kind, port, secret, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    if kind == "get":
        found = get(port, secret, seconds)
    else:
        run = {"watch": watch, "fuzz": fuzz}[kind]
        found = asyncio.run(run(port, secret, seconds, int(sys.argv[5])))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
