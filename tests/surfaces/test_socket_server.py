"""The control socket's server on a stage that is here, in time that a test can stop."""

import contextlib
import struct
from typing import Annotated

import pytest
import trio

from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor
from sfa_engine.surfaces.socket import server
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import frames, protocol
from sfa_engine.wire.connection import Connection
from sfa_engine.wire.stream import Answer, Notification
from sfa_engine.wire.verbs import GIVEN, verb


def framed(body):
    return struct.pack(">I", len(body)) + body


class Stage:
    """What a server needs of the core, for faults that the real one does not have."""

    def __init__(self):
        self.kernel = Offline()
        self.kernel.render(64)
        self.conductor = Conductor(self.kernel.memory)
        self.surface_verbs = {}
        self.described = 0
        self.disk = trio.Event()
        self.loading = []

    @verb(scope="read")
    def values(self):
        return "x" * (protocol.MAX_BYTES + 1)

    @verb(scope="read")
    def status(self):
        self.described += 1
        return "x" * 900_000

    @verb(scope="read")
    def health(self):
        return "ok"

    @verb(scope="perform")
    async def set(self, path: str, value: float, source: Annotated[int, GIVEN] = 0):
        return self.conductor.set_nowait(path, value, source).value

    @verb(scope="perform", slow=True)
    async def deck_load(self, deck: int):
        """Take as long as a disk that hangs."""
        self.loading.append(deck)
        try:
            await self.disk.wait()
            return deck
        finally:
            self.loading.remove(deck)


@pytest.fixture
async def stage(tmp_path, nursery):
    core = Stage()
    core.path = tmp_path / "engine.sock"
    core.server = server.Server(core, core.path)
    await nursery.start(core.server.run)
    yield core
    nursery.cancel_scope.cancel()


class Line:
    """A connection to a server in this process."""

    def __init__(self, stream):
        self.stream = stream
        self.reader = Connection()

    async def ask(self, number, method, **params):
        await self.stream.send_all(frames.pack([0, number, method, params]))

    async def read(self):
        """Return the next message; None if there will be none."""
        while (event := self.reader.next_event()) is None:
            data = await self.stream.receive_some()
            if not data:
                return None
            self.reader.receive_data(data)
        if isinstance(event, Answer):
            error = event.error.to_wire() if event.error else None
            return [1, event.id, error and error["message"], frames.unpack(event.result)]
        assert isinstance(event, Notification)
        return [2, event.method, frames.unpack(event.params)]


@contextlib.asynccontextmanager
async def connected(stage):
    async with await trio.open_unix_socket(str(stage.path)) as stream:
        with trio.fail_after(15):
            yield Line(stream)


async def test_an_answer_that_is_too_long_is_said_to_be(stage):
    async with connected(stage) as line:
        await line.ask(1, "values")
        assert "bytes" in (await line.read())[2]
        await line.ask(2, "health")
        assert (await line.read())[1:] == [2, None, "ok"]


async def test_a_fault_ends_its_client_and_no_other(stage, monkeypatch, caplog):
    async with connected(stage) as line, connected(stage) as other:
        await other.ask(1, "health")
        await other.read()
        monkeypatch.setattr(stage.conductor, "readings", None)
        await line.ask(1, "watch", paths=["deck1.level"])
        while await line.read() is not None:
            pass
        await other.ask(2, "health")
        assert (await other.read())[1] == 2
    assert "NoneType" in caplog.text


async def test_requests_are_answered_while_a_load_takes_its_time(stage):
    async with connected(stage) as line:
        await line.ask(1, "deck.load", deck=1)
        for number in range(2, 10):
            await line.ask(number, "health")
        assert [(await line.read())[1] for _ in range(2, 10)] == list(range(2, 10))
        stage.disk.set()
        assert await line.read() == [1, 1, None, 1]


async def test_requests_are_answered_while_backstage_takes_none(stage):
    with trio.socket.socket(trio.socket.AF_UNIX) as door:
        await door.bind(str(stage.path.parent / BACKSTAGE_SOCKET))
        door.listen()
        async with connected(stage) as line:
            await line.ask(1, "jobs.list", text="x" * 900_000)
            await line.ask(2, "health")
            assert (await line.read())[1] == 2


async def test_a_client_may_have_so_many_loads_under_way(stage):
    async with connected(stage) as line:
        for number in range(protocol.MAX_CONCURRENT + 1):
            await line.ask(number, "deck.load", deck=number)
        _, number, error, _ = await line.read()
        assert number == protocol.MAX_CONCURRENT
        assert "in progress already" in error
        assert stage.loading == list(range(protocol.MAX_CONCURRENT))
        stage.disk.set()
        numbers = range(protocol.MAX_CONCURRENT)
        assert {(await line.read())[1] for _ in numbers} == set(numbers)
        await line.ask(100, "deck.load", deck=1)
        assert (await line.read())[1] == 100


async def test_a_client_that_leaves_leaves_no_load_behind(stage):
    async with connected(stage) as line:
        await line.ask(1, "deck.load", deck=1)
        await line.ask(2, "health")
        await line.read()
    with trio.fail_after(15):
        while stage.loading:
            await trio.lowlevel.checkpoint()


async def test_others_are_answered_while_many_patterns_are_looked_up(stage):
    answered = []

    async def ask(line, *request, **params):
        await line.ask(*request, **params)
        answered.append((await line.read())[1])

    async with connected(stage) as line, connected(stage) as other, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: ask(line, 1, "watch", paths=["deck1.*"] * 1000))
        for _ in range(20):
            await ask(other, 2, "health")
    assert answered == [2] * 20 + [1]


async def notices(line, number, method, **params):
    """Return what was pushed until a request was answered, and for a while after it."""
    await line.ask(number, method, **params)
    pushed = []
    with trio.move_on_after(0.2):
        while True:
            message = await line.read()
            if message[0] == 2:
                pushed.append(message[2]["values"])
    return pushed


@pytest.mark.parametrize("paths", [None, ["deck1.trim"], "deck1.t*"])
async def test_what_is_watched_no_more_is_not_pushed(stage, paths):
    async with connected(stage) as line:
        await notices(line, 1, "watch", paths=["deck1.trim"], rate_hz=10)
        stage.conductor.set_nowait("deck1.trim", 1.0)
        assert await notices(line, 2, "health") == [{"deck1.trim": 1.0}]
        stage.conductor.set_nowait("deck1.trim", 2.0)
        await line.read()  # from now on nothing is pushed for a tenth of a second
        stage.conductor.set_nowait("deck1.trim", 3.0)
        assert await notices(line, 3, "unwatch", paths=paths) == []


async def test_a_client_is_not_told_what_was_before_its_own_change(stage):
    async with connected(stage) as line:
        await notices(line, 1, "watch", paths=["deck1.trim"], rate_hz=10)
        stage.conductor.set_nowait("deck1.trim", 1.0)
        await line.read()
        stage.conductor.set_nowait("deck1.trim", 2.0)
        own = await notices(line, 2, "set", path="deck1.trim", value=3.0)
        assert own == []
        assert stage.conductor.get("deck1.trim") == 3.0


async def test_a_frame_that_comes_byte_by_byte_is_not_waited_for_for_ever(stage, monkeypatch):
    monkeypatch.setattr(protocol, "FRAME_TIMEOUT_S", 0.3)
    async with connected(stage) as line, trio.open_nursery() as nursery:

        async def trickle():
            await line.ask(1, "health")
            await line.stream.send_all(b"\0\0\1\0")
            while True:
                await line.stream.send_all(b"\0")
                await trio.sleep(0.05)

        nursery.start_soon(trickle)
        assert (await line.read())[1] == 1
        assert "did not arrive" in (await line.read())[2]
        nursery.cancel_scope.cancel()


async def test_a_frame_that_comes_in_time_is_heard_after_others_that_took_long(stage, monkeypatch):
    monkeypatch.setattr(protocol, "FRAME_TIMEOUT_S", 0.3)
    frame = frames.pack([0, 1, "health", {}])
    async with connected(stage) as line:
        for _ in range(4):
            await line.stream.send_all(frame[:5])
            await trio.sleep(0.1)
            await line.stream.send_all(frame[5:] + frame[:5])
            await trio.sleep(0.1)
            await line.stream.send_all(frame[5:])
            assert [(await line.read())[1] for _ in range(2)] == [1, 1]


async def test_a_client_that_reads_nothing_is_let_go_all_the_same(stage, monkeypatch):
    monkeypatch.setattr(protocol, "CLOSE_TIMEOUT_S", 0.1)
    async with connected(stage) as line:
        await line.ask(1, "health")
        await line.read()
        for number in range(protocol.MAX_ANSWERS + 1):
            await line.ask(number, "status")
        while stage.described <= protocol.MAX_ANSWERS:
            await trio.lowlevel.checkpoint()
        await line.stream.send_all(b"\xff\xff\xff\xff")
        while stage.server.clients:
            await trio.lowlevel.checkpoint()
