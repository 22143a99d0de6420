"""What a client of the stage asks of backstage, which may be slow, hung, broken or gone."""

import contextlib

import pytest
import trio

from sfa_engine.errors import EngineError
from sfa_engine.surfaces.socket import relay
from sfa_engine.wire import BACKSTAGE, frames
from sfa_engine.wire.messages import Request


@contextlib.asynccontextmanager
async def backstage(folder, serve):
    """Serve connections in a folder, each as it is said, for as long as the block lasts."""
    door = trio.socket.socket(trio.socket.AF_UNIX)
    await door.bind(str(folder / BACKSTAGE))
    door.listen()
    async with trio.open_nursery() as nursery:
        listener = trio.SocketListener(door)
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield
        nursery.cancel_scope.cancel()
    (folder / BACKSTAGE).unlink()


def answering(*answers):
    """Return what answers requests with these, and hangs up when there are no more."""

    async def serve(stream):
        left = list(answers)
        reader = frames.FrameReader()
        async with stream:
            while left:
                for body in reader.feed(await stream.receive_some()):
                    number = frames.unpack(body)[1]
                    await stream.send_all(left.pop(0)(number))

    return serve


async def hanging(stream):
    async with stream:
        await trio.sleep_forever()


@pytest.fixture
def said():
    return []


@pytest.fixture
async def line(tmp_path, nursery, said):
    async def say(message):
        said.append(message)

    yield relay.Relay(tmp_path, nursery, say)
    nursery.cancel_scope.cancel()


def done(number):
    return frames.pack([1, number, None, "done"])


async def refused(line, number, sentence, **params):
    with pytest.raises(EngineError, match=sentence):
        await line.ask(Request(number, "jobs.list", params))


async def test_an_answer_comes_back_with_the_clients_number(tmp_path, line, said):
    async with backstage(tmp_path, answering(lambda n: frames.pack([2, "job", {}]) + done(n))):
        assert await line.ask(Request(77, "jobs.list", {})) == [1, 77, None, "done"]
    assert said == [[2, "job", {}]]


@pytest.mark.parametrize(
    "answer",
    [
        lambda n: frames.pack([1, n, None, list(range(frames.MOST_ITEMS + 1))]),
        lambda _: b"\xff\xff\xff\xff",
    ],
)
async def test_an_answer_that_cannot_be_read_fails_and_the_next_is_heard(tmp_path, line, answer):
    async with backstage(tmp_path, answering(answer)):
        _, number, error, _ = await line.ask(Request(1, "jobs.list", {}))
        assert (number, error["code"]) == (1, "engine")
        assert "cannot be read" in error["message"]
    async with backstage(tmp_path, answering(done)):
        assert (await line.ask(Request(2, "jobs.list", {})))[3] == "done"


async def test_two_requests_under_one_number_both_get_an_answer(tmp_path, line):
    answers = []

    async def ask():
        answers.append(await line.ask(Request(5, "jobs.list", {})))

    async with backstage(tmp_path, answering(done, done)), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
    assert answers == [[1, 5, None, "done"]] * 2


async def test_backstage_that_is_full_says_so_to_all_that_wait(tmp_path, line):
    full = {"code": "refused", "message": "full", "hint": ""}
    async with backstage(tmp_path, answering(lambda _: frames.pack([1, None, full, None]))):
        assert await line.ask(Request(1, "jobs.list", {})) == [1, 1, full, None]


async def test_backstage_that_takes_nothing_is_not_waited_for(tmp_path, line, monkeypatch):
    monkeypatch.setattr(relay, "SEND_S", 0.05)
    async with backstage(tmp_path, hanging), trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(
                lambda n=number: refused(line, n, "does not answer", x="x" * 900_000)
            )
    async with backstage(tmp_path, answering(done)):
        assert (await line.ask(Request(9, "jobs.list", {})))[3] == "done"


async def test_backstage_that_goes_leaves_no_request_unanswered(tmp_path, line):
    async with backstage(tmp_path, answering()):
        error = (await line.ask(Request(1, "jobs.list", {})))[2]
    assert "does not run" in error["message"]
    await refused(line, 2, "does not run")
