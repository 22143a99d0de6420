"""What a client raises when a server does not read, or goes, or cannot be told something."""

import asyncio
import socket

import pytest
from shells import Running

from sfa_engine.errors import EngineError, Refused
from sfa_engine.wire import aio, blocking
from sfa_engine.wire.caller import Caller


@pytest.fixture
def door(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        yield server


def test_a_whole_number_that_no_message_can_hold_is_refused(tmp_path):
    with Running(tmp_path / "socket", "trio") as server, server.connect() as client:
        with pytest.raises(Refused, match="64 bits"):
            client.call("echo", value=1 << 70)
        assert client.call("echo", value=1) == {"value": 1}


@pytest.mark.usefixtures("door")
def test_a_server_that_reads_nothing_does_not_answer(tmp_path):
    with blocking.SocketClient(tmp_path / "socket", 0.1, "the server") as client:
        with pytest.raises(EngineError, match=r"^the server does not answer"):
            client.call("echo", value="x" * 1_000_000)
        with pytest.raises(EngineError):  # half of a request went: nothing can follow
            client.call("echo")


def test_a_server_that_resets_the_connection_went_away(tmp_path, door):
    async def ask():
        async with aio.connect(tmp_path / "socket", Caller("the server", "test")) as client:
            line, _ = door.accept()
            asked = asyncio.create_task(client.call("echo"))
            assert await asyncio.to_thread(line.recv, 1)
            line.close()  # what it has not read resets the connection
            await asked

    with pytest.raises(EngineError, match=r"^the server closed the connection"):
        asyncio.run(ask())
