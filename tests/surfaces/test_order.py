"""What a client asked for is begun in its order, and what waits holds up nothing else of it."""

import pytest
import trio

from sfa_engine import __version__
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, Forbidden, Refused, SfaError
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.socket.server import Server
from sfa_engine.system.runtime_files import ENGINE_MEMORY, ENGINE_SOCKET
from sfa_engine.wire import connection, frames, protocol, trio_io
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.caller import Caller

LOST = EngineError("lost")


@pytest.fixture
def core(tmp_path):
    """A stage whose audio process has died: nothing that the kernel is asked is answered."""
    memory = Memory.create(tmp_path / ENGINE_MEMORY)
    memory.engine["sample_rate"] = 48_000.0
    return Core(tmp_path)


@pytest.fixture
async def server(core, nursery, tmp_path):
    made = Server(core, tmp_path / ENGINE_SOCKET)
    await nursery.start(made.run)
    yield made
    nursery.cancel_scope.cancel()


async def events(server, requests, enough):
    """Return the events that come of some requests on one connection."""
    reader, found = connection.Connection(), []
    with trio.fail_after(20):
        async with await trio.open_unix_socket(str(server.path)) as stream:
            await stream.send_all(b"".join(connection.request(*each) for each in requests))
            while len(found) < enough:
                reader.receive_data(await stream.receive_some())
                while (event := reader.next_event()) is not None:
                    found.append(event)
    return found


async def ask(server, method, **params):
    caller = Caller("the engine", "test")
    return await trio_io.ask(server.path, caller, method, params, absent=LOST, lost=LOST)


async def test_faders_move_while_a_press_waits_for_a_kernel_that_is_gone(
    server,
    autojump_clock,  # noqa: ARG001
):
    found = await events(
        server,
        [
            (1, "press", {"path": "deck1.jump", "value": 4}),
            *[(n, "set", {"path": "crossfader", "value": n}) for n in range(2, 20)],
            (20, "get", {"path": "crossfader"}),
        ],
        20,
    )
    assert [event.id for event in found] == [*range(2, 21), 1]
    assert frames.unpack(found[-2].result)["value"] == 19
    assert isinstance(found[-1].error, EngineError)


async def test_commands_are_sent_in_the_order_of_their_requests(
    server,
    core,
    autojump_clock,  # noqa: ARG001
):
    requests = []
    for number in range(40):
        path = "deck1.jump" if number % 2 else "crossfader"
        verb = "press" if number % 2 else "set"
        requests.append((number, verb, {"path": path, "value": number % 8 + 1}))
    sent = []
    push = core.conductor._push
    core.conductor._push = lambda command, *rest: sent.append(1) or push(command, *rest)
    found = await events(server, requests, 40)
    by_id = {event.id: event for event in found}
    tickets = [frames.unpack(by_id[n].result)["ticket"] for n in range(0, 40, 2)]
    assert tickets == list(range(tickets[0], tickets[0] + 40, 2))  # a press between each two
    assert len(sent) == 40


async def test_what_was_set_is_in_every_answer_from_then_on(server):
    for value in range(1, 50):
        path = "deck1.eq.low.gain"
        await ask(server, "set", path=path, value=-value / 10)
        assert (await ask(server, "values"))[path] == -value / 10
        assert (await ask(server, "get", path=path))["value"] == -value / 10
        assert (await ask(server, "watch", paths=[path]))["values"] == {path: -value / 10}
    await ask(server, "set", path="crossfader", value=7)
    assert (await ask(server, "status"))["crossfader"] == 7


@pytest.mark.slow
def test_values_are_never_older_than_an_answered_set_while_the_engine_plays(silent_engine):
    with SocketClient(silent_engine.runtime / ENGINE_SOCKET, 60.0) as client:
        for number in range(300):
            value = number % 100 / 10
            client.call("set", path="deck1.trim", value=-value)
            assert client.call("values")["deck1.trim"] == -value
            assert client.call("get", path="deck1.trim")["value"] == -value


async def test_describe_returns_controls_and_every_verb(server):
    told = await ask(server, "describe", planned=False)
    assert told["protocol"] == protocol.VERSION
    assert all(not control["planned"] for control in told["controls"])
    verbs = {each["name"]: each for each in told["verbs"]}
    assert {"hello", "describe", "set", "press", "watch", "deck.load"} <= set(verbs)
    assert verbs["set"]["scope"] == "perform"
    deck = verbs["deck.load"]["params"][0]
    assert deck == {
        "name": "deck",
        "type": {"type": "integer", "minimum": 1, "maximum": 2},
        "required": True,
    }
    assert len(frames.pack(told)) < protocol.MAX_BYTES


async def test_hello_tells_the_source_of_a_client(server):
    caller = Caller("the engine", "test")
    await trio_io.ask(server.path, caller, "health", {}, absent=LOST, lost=LOST)
    assert caller.server["version"] == __version__
    assert caller.server["source"] > 0


async def test_a_connection_with_fewer_scopes_does_less_and_names_no_file(core, nursery, tmp_path):
    few = Server(core, tmp_path / "few.sock", granted=frozenset({"read", "perform"}))
    await nursery.start(few.run)
    assert await ask(few, "set", path="crossfader", value=3)
    with pytest.raises(Forbidden, match=r'path of deck.load needs the scope "library"'):
        await ask(few, "deck.load", deck=1, path="/etc/passwd")
    caller = Caller("the engine", "test", ["read"])
    params = {"path": "crossfader", "value": 4}
    with pytest.raises(Forbidden, match=r'set needs the scope "perform"; .* has read'):
        await trio_io.ask(few.path, caller, "set", params, absent=LOST, lost=LOST)
    with pytest.raises(SfaError) as refused:  # a track in words may be loaded: there is none
        await ask(few, "deck.load", deck=1, track="x")
    assert not isinstance(refused.value, Refused)
    nursery.cancel_scope.cancel()
