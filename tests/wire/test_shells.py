"""What every server does alike, and what no bytes can do to one: trio, asyncio, blocking."""

import contextlib
import os
import random
import select
import socket
import threading
import time

import msgspec
import pytest
import trio
from any_values import FRAMES, VALUES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shells import SHELLS, TIMEOUT_S, Running, hello, read_events

from sfa_engine.errors import (
    BusyError,
    EngineError,
    FaultError,
    Forbidden,
    LibraryError,
    ProtocolError,
    Refused,
)
from sfa_engine.wire import connection, frames, protocol, trio_io
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.stream import REQUEST, Answer, Invalid

ASYNC = ["trio", "asyncio"]


@pytest.fixture(params=sorted(SHELLS))
def running(tmp_path, request):
    with Running(tmp_path / "socket", request.param) as server:
        yield server


@pytest.fixture
def of_shell(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda shell: stack.enter_context(Running(tmp_path / "socket", shell))


def test_hello_names_the_server_and_a_request_is_answered(running):
    with running.connect() as client:
        assert client.call("echo", value=5) == {"value": 5}
        assert client.server == {
            "name": "the server",
            "version": "1.2",
            "protocol": protocol.VERSION,
            "scopes": ["admin", "library", "perform", "prepare", "propose", "read"],
            "source": 7,
        }
        assert client.call("whoami") == 7


def test_a_client_that_says_no_hello_is_served(running):
    with running.raw() as line:
        line.sendall(connection.request(1, "echo", {"value": 5}))
        (answer,) = read_events(line, 1)
        assert frames.unpack(answer.result) == {"value": 5}


@pytest.mark.parametrize(
    ("theirs", "who"), [(0, "update test"), (99, "update and restart the ser")]
)
def test_another_version_gets_both_versions_and_what_to_update(running, theirs, who):
    with running.raw() as line:
        line.sendall(hello(protocol=theirs) + connection.request(1, "echo", {}))
        (answer,) = read_events(line, 9)  # and no more: the connection ends
    assert isinstance(answer.error, ProtocolError)
    said = f"test uses protocol {theirs}, the server 1.2 uses {protocol.VERSION}; {who}"
    assert str(answer.error).startswith(said)


def test_a_client_of_another_version_raises_it(running, monkeypatch):
    client = running.connect()
    monkeypatch.setattr(protocol, "VERSION", 99)
    with client, pytest.raises(ProtocolError, match="sfa uses protocol 99"):
        client.call("echo")


def test_a_server_older_than_hello_is_reported_with_a_restart_as_remedy(running, monkeypatch):
    monkeypatch.setitem(running.verbs.__dict__, "session", _without_hello(running.verbs.session))
    with running.connect() as client, pytest.raises(ProtocolError, match=r"older version.*restart"):
        client.call("echo")


def _without_hello(made):
    def session():
        one = made()
        del one.verbs["hello"]
        return one

    return session


def test_scopes_that_hello_gives_up_are_gone(running):
    with running.raw() as line:
        line.sendall(hello(0, scopes=["read"]) + connection.request(1, "refuse", {}))
        _, answer = read_events(line, 2)
        assert isinstance(answer.error, Forbidden)
        line.sendall(hello(2, scopes=["read", "library"]) + connection.request(3, "refuse", {}))
        _, answer = read_events(line, 2)
        assert isinstance(answer.error, Forbidden)  # and do not come back


def test_an_error_arrives_as_its_class(running):
    with running.connect() as client:
        with pytest.raises(LibraryError, match="full; make room"):
            client.call("refuse")
        with pytest.raises(FaultError, match="ZeroDivisionError: of ours"):
            client.call("crash")
        with pytest.raises(FaultError):
            client.call("unsendable")
        with pytest.raises(Refused, match='no method "ech"; did you mean "echo"'):
            client.call("ech")
        with pytest.raises(Refused, match='echo takes no "valu"; did you mean "value"'):
            client.call("echo", valu=1)
        assert client.call("echo", value="on") == {"value": "on"}
    assert [method for method, _ in running.verbs.faults] == ["crash", "unsendable"]


def test_describe_returns_every_verb(running):
    with running.connect() as client:
        told = client.call("describe")
    assert told["protocol"] == protocol.VERSION
    verbs = {each["name"]: each for each in told["verbs"]}
    assert {"hello", "describe", "echo", "refuse", "wait.slow"} <= set(verbs)
    assert verbs["refuse"]["scope"] == "library"
    assert verbs["wait.slow"]["params"] == [
        {"name": "s", "type": {"type": "number"}, "required": False, "default": 0.05}
    ]


@pytest.mark.parametrize("bad", [b"\xc1garbage", b"", b"\x94\x00\x01\xa0\xdd\xff\xff\xff\xff"])
def test_garbage_in_a_frame_is_answered_and_the_next_frame_is_read(running, bad):
    with running.raw() as line:
        line.sendall(frames.HEADER.pack(len(bad)) + bad + connection.request(9, "echo", {}))
        first, second = read_events(line, 2)
    assert "msgpack" in first.error.message
    assert second.id == 9


def test_a_frame_that_is_too_large_ends_the_connection_after_what_came_before(running):
    with running.raw() as line:
        line.sendall(connection.request(1, "echo", {}) + b"\xff\xff\xff\xff" + b"x" * 100)
        answer, last = sorted(read_events(line, 9), key=lambda event: event.id is None)
    assert answer.id == 1
    assert "announced" in last.error.message
    assert isinstance(last.error, ProtocolError)


def test_a_frame_that_comes_byte_by_byte_is_not_waited_for_for_ever(running, monkeypatch):
    monkeypatch.setattr(protocol, "FRAME_TIMEOUT_S", 0.3)
    with running.raw() as line:
        line.sendall(connection.request(1, "echo", {}) + b"\0\0\1\0")
        stop = threading.Event()

        def trickle():
            with contextlib.suppress(OSError):
                while not stop.wait(0.05):
                    line.sendall(b"\0")

        thread = threading.Thread(target=trickle)
        thread.start()
        events = read_events(line, 9)
        stop.set()
        thread.join()
    assert events[0].id == 1
    assert "did not arrive" in events[1].error.message


def test_a_client_that_has_sent_all_it_has_to_gets_its_answers(running):
    with running.raw() as line:
        line.sendall(
            connection.request(1, "wait.slow", {"s": 0.3})
            + connection.request(2, "wait.short", {"s": 0.2})
            + connection.request(3, "echo", {})
        )
        line.shutdown(socket.SHUT_WR)
        assert {event.id for event in read_events(line, 4)} == {1, 2, 3}
        assert line.recv(1) == b""


def test_a_client_that_has_closed_is_not_waited_for(of_shell):
    server = of_shell("trio")
    with server.raw() as line:
        line.sendall(connection.request(1, "wait.slow", {"s": 10 * TIMEOUT_S}))
        line.shutdown(socket.SHUT_WR)
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):  # it is still served
            line.recv(1)


@pytest.mark.parametrize("shell", ASYNC)
def test_others_are_answered_while_a_slow_one_waits(of_shell, shell):
    server = of_shell(shell)
    with server.raw() as line:
        line.sendall(
            connection.request(1, "wait.slow", {"s": 0.3})
            + connection.request(2, "wait.short", {"s": 0.1})
            + connection.request(3, "echo", {})
        )
        assert [event.id for event in read_events(line, 3)] == [3, 2, 1]


def test_of_slow_ones_so_many_are_under_way_and_others_are_refused(of_shell):
    server = of_shell("trio")
    many = protocol.MAX_CONCURRENT
    with server.raw() as line:
        for number in range(many + 1):
            line.sendall(connection.request(number, "wait.slow", {"s": 0.5}))
        events = read_events(line, many + 1)
    assert events[0].id == many
    assert "in progress" in events[0].error.message
    assert {event.id for event in events} == set(range(many + 1))


@pytest.mark.parametrize("shell", ASYNC)
def test_a_client_is_not_read_from_while_so_many_short_ones_wait(of_shell, shell):
    server = of_shell(shell)
    many = protocol.MAX_CONCURRENT
    with server.raw() as line:
        for number in range(many + 10):
            line.sendall(connection.request(number, "wait.short", {"s": 0.5}))
        give_up = time.monotonic() + TIMEOUT_S
        while server.verbs.begun < many and time.monotonic() < give_up:
            time.sleep(0.005)
        time.sleep(0.05)
        assert many <= server.verbs.begun <= many + 1
        assert len(read_events(line, many + 10)) == many + 10


@pytest.mark.parametrize("shell", ASYNC)
def test_too_many_clients_get_an_error(of_shell, shell, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_CLIENTS", 3)
    server = of_shell(shell)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(server.connect()).call("echo")
        with server.connect() as late, pytest.raises(BusyError, match="3 clients"):
            late.call("echo")


def test_a_server_that_disconnects_is_reported(running):
    with running.connect() as client:
        client.call("echo")
        client._socket.shutdown(socket.SHUT_RDWR)
        with pytest.raises(EngineError, match="closed the connection"):
            client.call("echo")


def test_a_descriptor_goes_with_a_request(tmp_path, of_shell):
    of_shell("blocking")
    reading, writing = os.pipe()
    lost = EngineError("lost")

    async def ask():
        caller = Caller("the server", "test")
        path = tmp_path / "socket"
        return await trio_io.ask(path, caller, "sign", {}, absent=lost, lost=lost, handed=[writing])

    assert trio.run(ask) == 1
    os.close(writing)
    assert os.read(reading, 9) == b"here"
    os.close(reading)


def test_descriptors_that_no_verb_takes_are_closed(of_shell):
    server = of_shell("blocking")
    reading, writing = os.pipe()
    with server.raw() as line:
        socket.send_fds(line, [connection.request(1, "echo", {})], [writing])
        os.close(writing)
        assert read_events(line, 1)[0].id == 1
    assert select.select([reading], [], [], TIMEOUT_S)[0]
    assert os.read(reading, 1) == b""  # no one holds the other end
    os.close(reading)


# ---------------------------------------------------------------------- any bytes


def answered(line):
    """Return whether a server still answers on a connection, reading over what came before."""
    line.sendall(connection.request(424_242, "echo", {}))
    reader = connection.Connection()
    while data := line.recv(65_536):
        reader.receive_data(data)
        while (event := reader.next_event()) is not None:
            if isinstance(event, Answer) and event.id == 424_242:
                return True
    return False


def mutated(chance):
    """Return a request as bytes, perhaps spoiled in one of several ways."""
    method = chance.choice(["echo", "whoami", "hello", "describe", "refuse", "wait.slow", "x"])
    params = {
        chance.choice(["value", "s", "name", "protocol", "scopes", "x"]): chance.choice(VALUES)
    }
    if method == "wait.slow":
        params = {"s": 0.0}
    body = bytearray(msgspec.msgpack.encode([REQUEST, chance.randrange(1000), method, params]))
    spoil = chance.randrange(4)
    if spoil == 1:
        body[chance.randrange(len(body))] = chance.randrange(256)
    elif spoil == 2:
        del body[chance.randrange(len(body)) :]
    elif spoil == 3:
        body[chance.randrange(len(body)) :] = chance.randbytes(chance.randrange(40))
    return frames.HEADER.pack(len(body)) + bytes(body)


@pytest.mark.slow
@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_no_bytes_crash_a_server_or_leave_a_task_behind(of_shell, shell):
    server = of_shell(shell)
    chance = random.Random(shell)
    for _ in range(max(10, FRAMES // 100)):
        with server.raw() as line:
            sent = b"".join(mutated(chance) for _ in range(20))
            if chance.random() < 0.3:
                sent += chance.choice([b"\xff\xff\xff\xff", b"\0\0\1", chance.randbytes(50)])
            at = 0
            with contextlib.suppress(OSError):  # it may have been let go, with a word
                while at < len(sent):
                    size = chance.choice([1, 7, 100, 4096])
                    line.sendall(sent[at : at + size])
                    at += size
    with server.raw() as line:
        assert answered(line)
    strange = [method for method, _ in server.verbs.faults if method not in {"crash", "unsendable"}]
    assert strange == []


@pytest.mark.slow
@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_frame_has_an_answer(of_shell, shell):
    server = of_shell(shell)

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.lists(st.binary(max_size=60), max_size=5))
    def check(bodies):
        kinds = [connection.parse(body) for body in bodies]
        if any(not isinstance(each, Invalid) for each in kinds):
            return
        with server.raw() as line:
            stream = b"".join(frames.HEADER.pack(len(body)) + body for body in bodies)
            line.sendall(stream)
            if bodies:
                assert all(each.error for each in read_events(line, len(bodies)))
            assert answered(line)

    check()


@pytest.mark.slow
def test_no_bytes_crash_a_client(tmp_path):
    chance = random.Random(3)
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        for _ in range(max(50, FRAMES // 20)):
            client = Running.connect(type("Here", (), {"path": path}))
            line, _ = server.accept()
            with line, client:
                line.sendall(mutated(chance) + chance.randbytes(chance.randrange(30)))
                line.shutdown(socket.SHUT_WR)
                with pytest.raises((EngineError, Refused)):
                    client.call("echo")
