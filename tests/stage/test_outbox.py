"""What the stage has for backstage is kept until that takes it, whatever answers there."""

import contextlib

import msgspec
import pytest
import trio

from sfa_engine.errors import LibraryError, ProtocolError, Refused
from sfa_engine.stage import outbox
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import connection
from sfa_engine.wire.connection import Connection


class Mark(msgspec.Struct):
    bundle: str


@contextlib.asynccontextmanager
async def backstage(folder, answers):
    """Answer hello, and each request by the next of some answers: an error, or None."""

    async def serve(stream):
        reader = Connection()
        async with stream:
            while data := await stream.receive_some():
                reader.receive_data(data)
                while (request := reader.next_event()) is not None:
                    error = None if request.method == "hello" else answers.pop(0)
                    answer = connection.answer(request.id, {})
                    if error is not None:
                        answer = connection.failure(request.id, error)
                    await stream.send_all(answer)

    door = trio.socket.socket(trio.socket.AF_UNIX)
    await door.bind(str(folder / BACKSTAGE_SOCKET))
    door.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(door)])
        yield
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "error",
    [
        ProtocolError("sfa uses protocol 2, backstage 1.0 uses 1", "restart backstage"),
        LibraryError("the disk is full"),
    ],
)
async def test_what_backstage_cannot_take_now_waits_also_if_that_is_of_another_version(
    tmp_path, monkeypatch, error
):
    monkeypatch.setattr(outbox, "DELIVERY_RETRY_S", 0.01)
    box = outbox.Outbox(tmp_path, tmp_path / "box.json", "library.save", Mark)
    box.put("1", Mark("a.sfa"))
    answers = [error, error, None]
    async with backstage(tmp_path, answers), trio.open_nursery() as nursery:
        nursery.start_soon(box.run)
        with trio.fail_after(10):
            while box.messages:  # noqa: ASYNC110 - nothing tells
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert answers == []


async def test_what_backstage_refuses_for_good_is_not_sent_again(tmp_path):
    box = outbox.Outbox(tmp_path, tmp_path / "box.json", "library.save", Mark)
    box.put("1", Mark("a.sfa"))
    async with backstage(tmp_path, [Refused("no such bundle")]):
        assert await box._deliver_all()
    assert not box.messages


def test_a_file_of_another_version_is_put_aside_not_overwritten(tmp_path):
    path = tmp_path / "box.json"
    path.write_text('{"plays": [{"bundle": "a.sfa"}]}')
    box = outbox.Outbox(tmp_path, path, "library.save", Mark)
    assert box.is_damaged
    box.put("1", Mark("b.sfa"))
    box.save()
    assert "a.sfa" in path.with_suffix(".damaged").read_text()
