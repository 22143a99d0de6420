"""Network MIDI over real UDP: our initiator against our listener, and against pymidi."""

import contextlib
import logging
import random
import socket
import time

import pymidi.server
import pytest
import trio

from sfa_engine.errors import DeviceError, Refused
from sfa_engine.stage.midi_ports import ExternalPorts
from sfa_engine.surfaces.rtpmidi import server as rtp_server
from sfa_engine.surfaces.rtpmidi.command_section import split
from sfa_engine.surfaces.rtpmidi.links import MAX_BEGUN, MAX_SESSIONS
from sfa_engine.surfaces.rtpmidi.packet import Invitation, build_invitation, build_packets, parse
from sfa_engine.surfaces.rtpmidi.server import Server
from sfa_engine.surfaces.rtpmidi.session import SECOND_NS, State
from sfa_engine.surfaces.rtpmidi.settings import RtpMidiConfig
from sfa_engine.surfaces.rtpmidi.target import parse_target

HOST = "127.0.0.1"
NOTE = b"\x90\x24\x64"


def free_ports():
    """Return the first of two neighbouring UDP ports that nobody has."""
    for _ in range(100):
        port = random.randrange(20_000, 60_000, 2)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for each in (port, port + 1):
                opened = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                opened.bind((HOST, each))
            return port
    raise AssertionError("no ports")


class Device:
    """What the MIDI surface makes of the ports."""

    def __init__(self):
        self.external = ExternalPorts()
        self.external.listen(self)
        self.ports, self.heard = [], []

    def port_added(self, port):
        self.ports.append(port)

    def port_removed(self, port):
        self.ports.remove(port)

    def port_received(self, port, data, frame):
        self.heard += [(port.name, message, frame) for message in split(data)]

    @property
    def names(self):
        return [port.name for port in self.ports]

    def data(self):
        return [data for _, data, _ in self.heard]


async def until(is_true, seconds=20):
    with trio.fail_after(seconds):
        while not is_true():  # noqa: ASYNC110 - of sockets
            await trio.sleep(0.002)


@pytest.fixture
def begin(nursery, monkeypatch):
    """Return what starts an engine's network MIDI."""
    monkeypatch.setattr(rtp_server, "RETRY_S", 0.05)

    async def start(name, now_ns=time.monotonic_ns, **given):
        device = Device()
        config = RtpMidiConfig(
            enabled=True, name=name, host=HOST, port=free_ports(), zeroconf=False, **given
        )
        server = Server(config, device.external, lambda moment, now: 1 + (now - moment), now_ns)
        await nursery.start(server.run)
        server.device, server.port = device, config.port
        return server

    yield start
    nursery.cancel_scope.cancel()


async def joined(begin):
    """Return two engines with a session between them."""
    there = await begin("there")
    here = await begin("here", connect=(f"{HOST}:{there.port}",))
    await until(lambda: here.device.ports and there.device.ports)
    return here, there


async def test_a_session_is_a_port_on_both_sides_and_carries_both_ways(begin):
    here, there = await joined(begin)
    assert (here.device.names, there.device.names) == (["there"], ["here"])
    here.device.ports[0].send(NOTE + b"\xb0\x07\x01\xf8")
    there.device.ports[0].send(b"\xf0" + bytes(5000) + b"\xf7")
    await until(lambda: len(there.device.heard) == 3 and here.device.heard)
    assert there.device.data() == [NOTE, b"\xb0\x07\x01", b"\xf8"]
    assert here.device.data() == [b"\xf0" + bytes(5000) + b"\xf7"]


async def test_what_is_sent_in_one_turn_goes_in_one_packet(begin):
    here, there = await joined(begin)
    before = here.links.all[0].session._sequence
    lamps = [bytes((0xB0, number, 127)) for number in range(100)]
    for each in lamps:
        here.device.ports[0].send(each)
    await until(lambda: len(there.device.heard) == 100)
    assert there.device.data() == lamps
    assert here.links.all[0].session._sequence == (before + 1) & 0xFFFF


async def test_events_come_with_the_time_at_which_they_were_sent(begin):
    here, there = await joined(begin)
    await until(lambda: there.links.all[0].session.clock.round_trip_ns)
    there.device.heard.clear()
    here.device.ports[0].send(NOTE)
    here.links.send_waiting()
    time.sleep(0.1)  # noqa: ASYNC251 - the stage does not run, and reads it late
    await until(lambda: there.device.heard)
    ((_, _, age_ns),) = there.device.heard
    assert 0.05e9 < age_ns < 1e9


async def test_by_takes_the_port_away_on_both_sides(begin):
    here, there = await joined(begin)
    await there.midi_disconnect("here")
    assert there.device.ports == []
    await until(lambda: "left" in here.links.all[0].session.reason if here.links.all else True)


async def test_a_configured_peer_is_invited_again_when_it_returns(begin):
    here, there = await joined(begin)
    there.links.end(there.links.all[0])
    await until(lambda: not here.device.ports)
    await until(lambda: here.device.ports and there.device.ports)


async def test_a_disconnected_peer_is_not_invited_again(begin):
    here, there = await joined(begin)
    assert await here.midi_disconnect(f"{HOST}:{there.port}") == {"ended": 1}
    await until(lambda: not there.device.ports)
    await trio.sleep(0.15)  # three times RETRY_S
    assert (here.device.ports, here.midi_network()["invited"]) == ([], [])
    with pytest.raises(Refused, match="no session"):
        await here.midi_disconnect("there")


async def test_connect_invites_a_peer(begin):
    there, here = await begin("there"), await begin("here")
    assert here.midi_connect(f"{HOST}:{there.port}") == {"host": HOST, "port": there.port}
    await until(lambda: here.device.ports and there.device.ports)
    said = here.midi_network()
    assert [each["name"] for each in said["sessions"]] == ["there"]
    assert said["invited"] == [f"{HOST}:{there.port}"]


async def test_peers_that_invite_each_other_have_one_session(begin):
    there, here = await begin("there"), await begin("here")
    here.midi_connect(f"{HOST}:{there.port}")
    there.midi_connect(f"{HOST}:{here.port}")
    await until(lambda: here.device.ports and there.device.ports)
    await trio.sleep(0.2)
    assert [len(each.links.all) for each in (here, there)] == [1, 1]
    assert [each.links.all[0].session.state for each in (here, there)] == [State.OPEN] * 2


async def test_two_sessions_of_one_name_are_two_ports(begin):
    there = await begin("there")
    first, second = await begin("tablet"), await begin("tablet")
    for each in (first, second):
        each.midi_connect(f"{HOST}:{there.port}")
    await until(lambda: len(there.device.ports) == 2)
    assert sorted(there.device.names) == ["tablet", "tablet 2"]
    assert len({port.id for port in there.device.ports}) == 2
    await until(lambda: first.device.ports and second.device.ports)
    first.device.ports[0].send(NOTE)
    second.device.ports[0].send(b"\xfa")
    await until(lambda: len(there.device.heard) == 2)
    assert len({name for name, _, _ in there.device.heard}) == 2


class Proxy:
    """Carries datagrams between two engines, and loses, doubles and swaps some."""

    def __init__(self, there, seed, loss=0.0, swap=0.0, double=0.0):
        self.port, self.rng = free_ports(), random.Random(seed)
        self.there, self.loss, self.swap, self.double = there, loss, swap, double
        self.is_fair = True  # while the session is opened
        self.seen = 0  # packets

    async def run(self, task_status=trio.TASK_STATUS_IGNORED):
        async with trio.open_nursery() as nursery:
            for channel in (0, 1):
                await nursery.start(self.carry, channel)
            task_status.started()

    async def carry(self, channel, task_status):
        ours, theirs = (trio.socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        with ours, theirs:
            await self.carry_between(ours, theirs, channel, task_status)

    async def carry_between(self, ours, theirs, channel, task_status):
        await ours.bind((HOST, self.port + channel))
        await theirs.connect((HOST, self.there + channel))
        client = []

        async def back():
            while True:
                await ours.sendto(await theirs.recv(8192), client[0])

        async with trio.open_nursery() as nursery:
            task_status.started()
            held = None
            while True:
                data, sender = await ours.recvfrom(8192)
                if not client:
                    client.append(sender)
                    nursery.start_soon(back)
                self.seen += data[:2] != b"\xff\xff"
                is_fair = self.is_fair or data[:2] == b"\xff\xff"
                if not is_fair and self.rng.random() < self.loss:
                    continue
                if not is_fair and held is None and self.rng.random() < self.swap:
                    held = data
                    continue
                for _ in range(1 + (not is_fair and self.rng.random() < self.double)):
                    await theirs.send(data)
                if held is not None:
                    await theirs.send(held)
                    held = None


async def through(begin, nursery, **given):
    """Return two engines with a proxy between them."""
    there, here = await begin("there"), await begin("here")
    proxy = Proxy(there.port, 1, **given)
    await nursery.start(proxy.run)
    here.midi_connect(f"{HOST}:{proxy.port}")
    await until(lambda: here.device.ports and there.device.ports)
    proxy.is_fair = False
    return here, there, proxy


async def play(here, proxy, count):
    """Send numbered messages, a few at a time: a socket holds no more than 200 or so."""
    sent = [bytes((0xE0, number & 127, number >> 7)) for number in range(count)]
    for number, message in enumerate(sent):
        here.device.ports[0].send(message)
        here.links.send_waiting()  # each in a packet of its own
        if number % 10 == 9:
            await until(lambda seen=number + 1: proxy.seen >= seen)
    return sent


async def test_datagrams_that_are_doubled_and_swapped_arrive_once_and_in_order(begin, nursery):
    here, there, proxy = await through(begin, nursery, swap=0.2, double=0.2)
    sent = await play(here, proxy, 300)
    proxy.is_fair = True
    here.device.ports[0].send(NOTE)  # sends what the proxy still holds
    await until(lambda: NOTE in there.device.data())
    found = [data for data in there.device.data() if data != NOTE]
    status = there.midi_network()["sessions"][0]
    assert found == sorted(found, key=lambda data: data[1] | data[2] << 7)
    assert len(found) + status["lost"] >= 300 - 1  # one may be held for longer than we wait
    assert len(set(found)) == len(found) >= 290
    assert set(found) <= set(sent)
    assert status["duplicates"] > 10


async def test_datagrams_that_are_lost_are_counted_and_delay_nothing(begin, nursery):
    here, there, proxy = await through(begin, nursery, loss=0.1)
    sent = await play(here, proxy, 300)
    proxy.is_fair = True
    here.device.ports[0].send(NOTE)
    await until(lambda: NOTE in there.device.data())
    found = there.device.data()[:-1]
    status = there.midi_network()["sessions"][0]
    assert found == [each for each in sent if each in set(found)]
    assert status["lost"] == 300 - len(found) > 10


class Peer:
    """A peer of the test's own, which says what it likes."""

    def __init__(self, there, ssrc=77):
        self.there, self.ssrc = there, ssrc
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for each in self.sockets:
            each.bind((HOST, 0))
            each.settimeout(2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()

    def say(self, channel, data):
        self.sockets[channel].sendto(data, (HOST, self.there + channel))

    async def ask(self, channel, command, token=5):
        said = Invitation(command, token, self.ssrc, "test")
        self.say(channel, build_invitation(said))
        return parse(await trio.to_thread.run_sync(self.sockets[channel].recv, 1500))


async def test_a_peer_that_vanishes_is_closed_after_a_minute(begin):
    clock = [time.monotonic_ns()]
    there = await begin("there", now_ns=lambda: clock[0])
    with Peer(there.port) as peer:
        assert (await peer.ask(0, "IN")).command == "OK"
        assert (await peer.ask(1, "IN")).command == "OK"
        await until(lambda: there.device.ports)
        clock[0] += 59 * SECOND_NS
        there.links.tick()
        assert there.device.names == ["test"]
        clock[0] += 2 * SECOND_NS
        there.links.tick()
        assert there.device.ports == []
        goodbye = parse(await trio.to_thread.run_sync(peer.sockets[0].recv, 1500))
        assert goodbye.command == "BY"


async def test_a_peer_that_restarts_replaces_its_session(begin):
    there = await begin("there")
    with Peer(there.port) as peer:
        for token in (5, 6):
            await peer.ask(0, "IN", token)
            await peer.ask(1, "IN", token)
        assert [link.session.token for link in there.links.all] == [6]
        assert len(there.device.ports) == 1


async def test_a_peer_that_restarts_with_the_same_token_and_sequence_is_heard(begin):
    """As small devices do, which have no source of random numbers."""
    there = await begin("there")
    for number in (1, 2):
        with Peer(there.port) as peer:
            assert (await peer.ask(0, "IN")).command == "OK"
            assert (await peer.ask(1, "IN")).command == "OK"
            assert (await peer.ask(1, "IN")).command == "OK"  # as if the answer had been lost
            for packet in build_packets([NOTE], 100, 0, peer.ssrc):
                peer.say(1, packet)
            await until(lambda number=number: len(there.device.heard) == number)
    assert len(there.links.all) == len(there.device.ports) == 1


async def test_more_sessions_than_there_may_be_are_refused(begin):
    there = await begin("there")
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(there.port, ssrc)) for ssrc in range(1, MAX_SESSIONS + 2)]
        answers = [(await peer.ask(0, "IN", peer.ssrc)).command for peer in peers]
    assert answers == ["OK"] * MAX_SESSIONS + ["NO"]


async def test_a_data_channel_without_a_session_is_refused(begin):
    there = await begin("there")
    with Peer(there.port) as peer:
        assert (await peer.ask(1, "IN")).command == "NO"


async def test_strangers_are_not_answered(begin, monkeypatch):
    there = await begin("there", allow=("192.0.2.0/24",))
    monkeypatch.setattr(there._allowed, "permits", lambda host: host == "192.0.2.1")
    with Peer(there.port) as peer:
        peer.sockets[0].settimeout(0.1)
        with pytest.raises(TimeoutError):
            await peer.ask(0, "IN")
    assert there.links.all == []


async def test_noise_disturbs_nothing(begin):
    here, there = await joined(begin)
    rng = random.Random(5)
    with Peer(there.port) as peer:
        for _ in range(300):
            peer.say(rng.randrange(2), rng.randbytes(rng.randrange(1, 100)))
    here.device.ports[0].send(NOTE)
    await until(lambda: NOTE in there.device.data())
    assert there.links.damaged > 200


async def test_ports_that_are_taken_are_named(begin):
    there = await begin("there")
    config = RtpMidiConfig(enabled=True, host=HOST, port=there.port)
    with pytest.raises(DeviceError, match=f"UDP port {there.port}"):
        await Server(config, ExternalPorts(), lambda *_: 0).run()


class Played(pymidi.server.Handler):
    """What pymidi's server makes of what it gets."""

    def __init__(self):
        self.peers, self.commands, self.gone = [], [], []

    def on_peer_connected(self, peer):
        self.peers.append(peer.name)

    def on_peer_disconnected(self, peer):
        self.gone.append(peer.name)

    def on_midi_commands(self, _peer, commands):
        for each in commands:
            values = [int(v) for k, v in each.params.items() if not k.startswith("_")]
            self.commands.append((str(each.command), each.channel, *values))


async def test_pymidis_server_receives_ours(begin, nursery, caplog):
    caplog.set_level(logging.CRITICAL, logger="pymidi")
    played, port = Played(), free_ports()
    independent = pymidi.server.Server([(HOST, port)])
    independent.add_handler(played)
    independent._init_protocols()

    async def serve():
        while True:
            for each in independent.socket_map:
                each.settimeout(0)
                with contextlib.suppress(BlockingIOError):
                    data, address = each.recvfrom(1024)
                    independent.socket_map[each].handle_message(data, address)
            await trio.sleep(0.002)

    try:
        nursery.start_soon(serve)
        here = await begin("here")
        here.midi_connect(f"{HOST}:{port}")
        await until(lambda: here.device.ports)
        session = here.links.all[0].session
        await until(lambda: session.clock.round_trip_ns)
        here.device.ports[0].send(NOTE + b"\x81\x24\x00")
        here.device.ports[0].send(b"\xb0\x07\x40\x08\x41")  # running status of the device
        await until(lambda: len(played.commands) == 4)
        assert played.commands == [
            ("note_on", 0, 36, 100),
            ("note_off", 1, 36, 0),
            ("control_mode_change", 0, 7, 64),
            ("control_mode_change", 0, 8, 65),
        ]
        await here.midi_disconnect(f"{HOST}:{port}")
        await until(lambda: played.gone)
    finally:
        for each in independent.socket_map:
            each.close()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("studio", ("studio", 5004)),
        ("10.0.0.2:5010", ("10.0.0.2", 5010)),
        (" a.local ", ("a.local", 5004)),
    ],
)
def test_targets(text, target):
    assert parse_target(text) == target
    assert parse_target(str(parse_target(text))) == target


@pytest.mark.parametrize(
    "text",
    ["", ":5004", "a:", "a:0", "a:65535", "a:x", "::1", "a b", "a/b", "a" * 300, "a:٣", "\x1b[m"],
)
def test_what_is_not_a_target_is_refused(text):
    with pytest.raises(Refused):
        parse_target(text)


async def test_a_peer_that_begins_again_and_again_is_refused_and_logged_once(begin, caplog):
    here = await begin("here")
    with Peer(here.port) as peer, caplog.at_level("WARNING"):
        answers = [(await peer.ask(0, "IN", token)).command for token in range(MAX_BEGUN + 9)]
    assert answers == ["OK"] * MAX_BEGUN + ["NO"] * 9
    assert caplog.text.count("too many sessions") == 1
