"""Who may play, and what the surface does about those who may not, or a port that is taken."""

import ipaddress
import logging
import socket

import pytest
import trio
from osc_client import Client, free_port, message

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import Refused
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.osc import server
from sfa_engine.surfaces.osc.datagrams import bind
from sfa_engine.surfaces.osc.server import Server, start_osc
from sfa_engine.surfaces.osc.settings import OscConfig
from sfa_engine.system import allow_list
from sfa_engine.system.allow_list import AllowList, own_interfaces, plain
from sfa_engine.system.runtime_files import ENGINE_MEMORY, OSC_SUBSCRIBERS


@pytest.fixture
def core(tmp_path):
    """A stage whose audio process has died: what is set is under way for ever."""
    memory = Memory.create(tmp_path / ENGINE_MEMORY)
    memory.engine["sample_rate"] = 48_000.0
    return Core(tmp_path)


async def until(condition):
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - sockets tell no event
            await trio.sleep(0.005)


def config(**more):
    return OscConfig(**{"port": free_port(), "zeroconf": False, "host": "127.0.0.1", **more})


def test_the_machines_own_subnets_are_known():
    assert ipaddress.ip_network("127.0.0.0/8") in [each.network for each in own_interfaces()]


def test_loopback_and_own_subnets_may_play_and_others_not():
    allowed = AllowList("osc.allow", ["own"])
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert allowed.permits(host)
    for own in [each.network for each in own_interfaces()]:
        assert allowed.permits(str(own[1] if own.num_addresses > 1 else own[0]))
    for host in ("8.8.8.8", "::ffff:8.8.8.8", "2001:db8::1", "nonsense"):
        assert not allowed.permits(host)


def test_named_networks_take_the_place_of_own_ones(monkeypatch):
    found = [ipaddress.ip_interface("10.0.0.9/8")]
    monkeypatch.setattr(allow_list, "own_interfaces", lambda: found)
    named = AllowList("osc.allow", ["192.168.7.20", "2001:db8::/32"])
    assert named.permits("192.168.7.20")
    assert named.permits("2001:db8::5")
    assert not named.permits("192.168.7.21")
    assert not named.permits("10.0.0.1")
    assert AllowList("osc.allow", ["own", "192.168.7.20"]).permits("10.0.0.1")


def test_a_subnet_that_comes_later_may_play(monkeypatch):
    found = []
    monkeypatch.setattr(allow_list, "own_interfaces", lambda: found)
    monkeypatch.setattr(allow_list, "POLL_S", 0.0)
    allowed = AllowList("osc.allow", ["own"])
    assert not allowed.permits("10.1.2.3")
    found.append(ipaddress.ip_interface("10.1.0.1/16"))
    assert allowed.permits("10.1.2.3")
    found.clear()
    assert not allowed.permits("10.1.2.3")


def test_what_is_no_network_is_refused():
    with pytest.raises(Refused, match=r"osc\.allow: 'everybody' is not a network"):
        AllowList("osc.allow", ["everybody"])


def test_addresses_are_shown_as_people_write_them():
    assert plain("::ffff:10.0.0.1") == "10.0.0.1"
    assert plain("fe80::1%eth0") == "fe80::1"


def test_both_families_are_served_by_one_socket():
    port = free_port()
    with bind("", port) as line:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                try:
                    sender.sendto(b"/x\0\0", (host, port))
                except OSError:  # a machine without IPv6
                    continue
                line.settimeout(5)
                assert line.recvfrom(100)[0] == b"/x\0\0"


async def test_a_port_that_is_taken_is_a_reason_of_health_and_leaves_the_stage(core, nursery):
    taken = config()
    with bind(taken.host, taken.port):
        await start_osc(core, nursery, taken)
    (reason,) = (each for each in core.health()["reasons"] if each.startswith("OSC"))
    assert reason.startswith(f"OSC is off: port {taken.port} of 127.0.0.1")
    assert not [name for name in core.surface_verbs if name.startswith("osc.")]


async def test_a_host_that_may_not_play_is_counted_and_logged_once(
    core, nursery, caplog, monkeypatch
):
    made = Server(core, config())
    monkeypatch.setattr(made._allowed, "permits", lambda _: False)
    await nursery.start(made.run)
    with Client(made._config.port) as client, trio.fail_after(20):
        for _ in range(50):
            client.send("/crossfader", 50.0)
        await until(lambda: made.osc_peers()["refused"] == {"127.0.0.1": 50})
        async with await trio.open_tcp_stream("127.0.0.1", made._config.port) as stream:
            assert await stream.receive_some(10) == b""
    assert core.conductor.get("crossfader") == 0.0
    warned = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert [r.getMessage() for r in warned] == ["OSC from 127.0.0.1 is refused: not in osc.allow"]
    nursery.cancel_scope.cancel()


async def test_a_configured_subscriber_gets_feedback_without_a_message(core, nursery):
    with socket.socket(type=socket.SOCK_DGRAM) as tablet:
        tablet.bind(("127.0.0.1", 0))
        tablet.setblocking(False)
        named = f"127.0.0.1:{tablet.getsockname()[1]}"
        made = Server(core, config(subscribers=(named, "tablet.local:9000", "nonsense")))
        await nursery.start(made.run)
        with trio.fail_after(20):
            await trio.lowlevel.wait_readable(tablet)
        assert tablet.recv(2000).startswith(b"#bundle\0")
        (peer,) = made.osc_peers()["peers"]
        assert peer["last_received_ago_s"] is None
    nursery.cancel_scope.cancel()


async def test_silence_ends_feedback_and_a_message_resumes_it(core, nursery, monkeypatch):
    monkeypatch.setattr(server, "EXPIRY_S", 0.3)
    made = Server(core, config())
    await nursery.start(made.run)

    async def gets_feedback(wanted):
        await until(lambda: [p["rate_hz"] > 0 for p in made.osc_peers()["peers"]] == [wanted])

    with Client(made._config.port) as client:
        client.send("/sfa/subscribe")
        await gets_feedback(True)
        await gets_feedback(False)
        client.send("/sfa/ping")
        await gets_feedback(True)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "{}", "[[1]]", '[[["127.0.0.1", "x"], 1, 30.0, "both"]]',
     '[[["not a host", 9], 9, 30.0, "both"]]', "[" * 10_000, '[null, [["::1"], 1, 1.0, "unit"]]'],
)  # fmt: skip
async def test_a_damaged_file_of_subscribers_is_nobodys(core, nursery, content):
    (core.runtime / OSC_SUBSCRIBERS).write_text(content)
    made = Server(core, config())
    await nursery.start(made.run)
    assert made.osc_peers()["peers"] == []
    nursery.cancel_scope.cancel()


async def test_a_flood_of_rubbish_leaves_the_log_and_the_memory_alone(core, nursery, caplog):
    made = Server(core, config())
    await nursery.start(made.run)
    rubbish = [
        b"\xff" * 40, b"#bundle\0" * 9, b"/\xff\0\0,i\0\0", message("/no/such", 1).dgram,
        message("/crossfader", float("nan")).dgram, message("/x" * 300, 1).dgram,
    ]  # fmt: skip
    with Client(made._config.port) as client:
        for number in range(1200):
            client.socket.send(rubbish[number % len(rubbish)])
            if number % 50 == 0:
                await trio.sleep(0.002)
        client.send("/crossfader", 5.0)
        await until(lambda: core.conductor.get("crossfader") == 5.0)
        (peer,) = made.osc_peers()["peers"]
        assert peer["errors"] >= 900  # NaN values in a row are one
        client.send("/sfa/error", "/x", "another engine's")
        errors = [a for a, _ in client.read() if a == "/sfa/error"]
        assert 1 <= len(errors) <= 60
    assert caplog.records == []
    nursery.cancel_scope.cancel()
