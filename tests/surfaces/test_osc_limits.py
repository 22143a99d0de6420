"""What one peer can take from the others, however it tries."""

import logging

import pytest
import trio
from osc_client import Client, bundle, free_port, message

from sfa_engine.engine.memory import Memory
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.osc import dispatch, server
from sfa_engine.surfaces.osc.peer import (
    ANSWER_BYTES_A_SECOND,
    MAX_ANSWER_BYTES,
    MAX_PRESSES,
    Allowance,
)
from sfa_engine.surfaces.osc.server import MAX_HOST_LINES, Server
from sfa_engine.surfaces.osc.settings import OscConfig
from sfa_engine.system.runtime_files import ENGINE_MEMORY


@pytest.fixture
async def osc(tmp_path, nursery):
    """OSC on a stage whose audio process has died."""
    memory = Memory.create(tmp_path / ENGINE_MEMORY)
    memory.engine["sample_rate"] = 48_000.0
    made = Server(Core(tmp_path), OscConfig(host="127.0.0.1", port=free_port(), zeroconf=False))
    await nursery.start(made.run)
    yield made
    nursery.cancel_scope.cancel()


@pytest.fixture
def peer(osc):
    with Client(osc._config.port) as client:
        client.socket.settimeout(0.0005)
        yield client


async def told(client, address):
    """Return the arguments of the next message with an address."""
    with trio.fail_after(20):
        while True:
            for found, given in client.read():
                if found == address:
                    return given
            await trio.sleep(0.002)


async def test_all_values_are_sent_once_a_second_however_often_they_are_requested(peer):
    for number in range(100):
        peer.send("/sfa/subscribe", 0, 60.0, ("unit", "both")[number % 2])
        peer.send("/sfa/resync")
        peer.read()
        await trio.sleep(0.01)
        if number % 10 == 9:
            peer.send("/sfa/unsubscribe")
    titles = [given for address, given in peer.told if address == "/deck1/title"]
    assert 1 <= len(titles) <= 3


async def test_answers_to_a_host_are_limited(peer):
    page = message("/sfa/describe", 0).dgram
    for _ in range(200):
        peer.socket.send(page)
        await trio.sleep(0.001)
        peer.read()
    described = sum(address == "/sfa/control" for address, _ in peer.told)
    assert 0 < described * 100 < MAX_ANSWER_BYTES + 20 * ANSWER_BYTES_A_SECOND


async def test_there_are_no_more_subscribers_than_the_stage_can_serve(osc, monkeypatch):
    monkeypatch.setattr(dispatch, "MAX_SUBSCRIBERS", 2)
    with (
        Client(osc._config.port) as one,
        Client(osc._config.port) as two,
        Client(osc._config.port) as three,
    ):
        for each in (one, two):
            each.send("/sfa/subscribe")
            await told(each, "/sfa/subscribed")
        three.send("/sfa/subscribe")
        assert "2 subscribers already" in (await told(three, "/sfa/error"))[1]
        next(iter(osc._peers)).feedback.is_active = False  # it is gone
        three.send("/sfa/subscribe")
        await told(three, "/sfa/subscribed")
        one.send("/sfa/unsubscribe")


async def test_faders_of_a_flood_are_thinned_out_and_presses_are_limited(osc, peer):
    presses = bundle(*[message("/session/focus", 1)] * 200)
    for _ in range(20):
        peer.socket.send(presses)
    peer.send("/crossfader", 5.0)
    with trio.fail_after(20):
        while osc._core.conductor.get("crossfader") != 5.0:  # noqa: ASYNC110 - of a socket
            await trio.sleep(0.002)
    (mine,) = osc._peers
    assert MAX_PRESSES < 4000 - mine.errors < 4000
    assert "too many messages" in (await told(peer, "/sfa/error"))[1]


async def test_a_host_has_not_all_connections(osc, monkeypatch):
    monkeypatch.setattr(server, "is_loopback", lambda _: False)
    streams = [
        await trio.open_tcp_stream("127.0.0.1", osc._config.port) for _ in range(MAX_HOST_LINES)
    ]
    for each in streams:
        await each.send_all(b"\xc0" + message("/sfa/ping", 1).dgram + b"\xc0")
        assert b"/sfa/pong" in await each.receive_some(100)
    async with await trio.open_tcp_stream("127.0.0.1", osc._config.port) as one_more:
        with trio.fail_after(10):
            assert await one_more.receive_some(100) == b""
    for each in streams:
        await each.aclose()


@pytest.mark.parametrize("given", [[5.0], [5]])
async def test_a_fault_of_ours_ends_nothing_and_is_logged_once(
    osc, peer, monkeypatch, caplog, given
):
    def fail(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(osc._core.conductor, "set_nowait", fail)
        for _ in range(5):
            peer.send("/crossfader", *given)
            await trio.sleep(0.01)
        await told(peer, "/sfa/error")
    peer.send("/crossfader", *given)
    with trio.fail_after(20):
        while osc._core.conductor.get("crossfader") != 5.0:  # noqa: ASYNC110 - of a socket
            await trio.sleep(0.002)
    assert len([each for each in caplog.records if each.levelno >= logging.WARNING]) == 1


def test_an_allowance_fills_up_at_its_rate_and_not_beyond():
    allowance = Allowance(10.0, 5.0)
    assert [allowance.take(1.0, 100.0) for _ in range(6)] == [True] * 5 + [False]
    assert [allowance.take(1.0, 100.2) for _ in range(3)] == [True] * 2 + [False]
    assert not allowance.take(6.0, 1000.0)
