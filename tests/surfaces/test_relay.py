"""What a client of the stage asks of backstage, which may be slow, hung, broken or gone."""

import contextlib

import pytest
import trio

from sfa_engine.errors import BusyError, EngineError
from sfa_engine.surfaces.socket import relay
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import frames
from sfa_engine.wire.connection import Connection


@contextlib.asynccontextmanager
async def backstage(folder, serve):
    """Serve connections in a folder, each as it is said, for as long as the block lasts."""
    door = trio.socket.socket(trio.socket.AF_UNIX)
    await door.bind(str(folder / BACKSTAGE_SOCKET))
    door.listen()
    async with trio.open_nursery() as nursery:
        listener = trio.SocketListener(door)
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield
        nursery.cancel_scope.cancel()
    (folder / BACKSTAGE_SOCKET).unlink()


def answering(*answers):
    """Return what answers requests with these, and hangs up when there are no more."""

    async def serve(stream):
        left = list(answers)
        reader = Connection()
        async with stream:
            while left:
                reader.receive_data(await stream.receive_some())
                while (request := reader.next_event()) is not None:
                    if request.method == "hello":
                        greeting = {"scopes": frames.unpack(request.params)["scopes"]}
                        await stream.send_all(frames.pack([1, request.id, None, greeting]))
                    else:
                        await stream.send_all(left.pop(0)(request.id))

    return serve


async def hanging(stream):
    async with stream:
        await trio.sleep_forever()


@pytest.fixture
def said():
    return []


@pytest.fixture
async def line(tmp_path, nursery, said):
    async def send(data):
        said.append(frames.unpack(data[4:]))

    yield relay.Relay(tmp_path, nursery, send, lambda: ["read"])
    nursery.cancel_scope.cancel()


def done(number):
    return frames.pack([1, number, None, "done"])


async def refused(line, sentence, **params):
    with pytest.raises(EngineError, match=sentence):
        await line.call("jobs.list", params)


async def call(line):
    return frames.unpack(await line.call("jobs.list", {}))


async def test_an_answer_comes_back_and_so_does_what_is_pushed(tmp_path, line, said):
    async with backstage(tmp_path, answering(lambda n: frames.pack([2, "job", {}]) + done(n))):
        assert await call(line) == "done"
    assert said == [[2, "job", {}]]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: frames.pack("no message"),
        lambda n: frames.HEADER.pack(8) + bytes([0x94, 1, n, 0xC0, 0xDC, 0xFF, 0xFF, 1]),
        lambda _: b"\xff\xff\xff\xff",
    ],
)
async def test_an_answer_that_cannot_be_read_fails_and_the_next_is_heard(tmp_path, line, answer):
    async with backstage(tmp_path, answering(answer)):
        await refused(line, "cannot be read")
    async with backstage(tmp_path, answering(done)):
        assert await call(line) == "done"


async def test_two_requests_at_once_both_get_an_answer(tmp_path, line):
    answers = []

    async def ask():
        answers.append(await call(line))

    async with backstage(tmp_path, answering(done, done)), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
    assert answers == ["done"] * 2


async def test_backstage_that_is_full_says_so_to_all_that_wait(tmp_path, line):
    full = {"code": "busy", "message": "full", "hint": ""}
    async with backstage(tmp_path, answering(lambda _: frames.pack([1, None, full, None]))):
        with pytest.raises(BusyError, match="full"):
            await call(line)


async def test_backstage_that_takes_nothing_is_not_waited_for(tmp_path, line, monkeypatch):
    monkeypatch.setattr(line._client, "_send_timeout_s", 0.05)
    async with backstage(tmp_path, hanging), trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(lambda: refused(line, "does not answer", x="x" * 900_000))
    async with backstage(tmp_path, answering(done)):
        assert await call(line) == "done"


async def test_backstage_that_goes_leaves_no_request_unanswered(tmp_path, line):
    async with backstage(tmp_path, answering()):
        await refused(line, "is not running")
    await refused(line, "is not running")


async def test_scopes_that_a_client_gives_up_later_are_gone_at_backstage_too(tmp_path, nursery):
    heard, granted = [], [{"read", "library"}]

    async def serve(stream):
        reader = Connection()
        async with stream:
            while data := await stream.receive_some():
                reader.receive_data(data)
                while (request := reader.next_event()) is not None:
                    heard.append((request.method, frames.unpack(request.params)))
                    await stream.send_all(done(request.id))

    async def send(_):
        pass

    line = relay.Relay(tmp_path, nursery, send, lambda: granted[-1])
    async with backstage(tmp_path, serve):
        await line.call("library.search", {})
        granted.append({"read"})
        await line.call("library.remove", {})
        await line.call("library.remove", {})
    scopes = [params["scopes"] for method, params in heard if method == "hello"]
    assert scopes == [["library", "read"], ["read"]]
    methods = [method for method, _ in heard]
    assert methods == ["hello", "library.search", "hello", "library.remove", "library.remove"]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        (["cli", "cli"], ["cli"]),
        (["", "cli"], ["socket", "cli"]),
        (["stage", "stage"], ["socket"]),  # backstage does not wait for the stage
    ],
)
async def test_backstage_learns_what_kind_of_client_asks(tmp_path, nursery, said, kinds):
    """It is the surface in the audit log."""
    heard, now = [], [said[0]]

    async def serve(stream):
        reader = Connection()
        async with stream:
            while data := await stream.receive_some():
                reader.receive_data(data)
                while (request := reader.next_event()) is not None:
                    if request.method == "hello":
                        heard.append(frames.unpack(request.params)["kind"])
                    await stream.send_all(done(request.id))

    async def send(_):
        pass

    line = relay.Relay(tmp_path, nursery, send, kind=lambda: now[-1])
    async with backstage(tmp_path, serve):
        await line.call("library.search", {})
        now.append(said[1])
        await line.call("library.search", {})
    assert heard == kinds
    nursery.cancel_scope.cancel()
