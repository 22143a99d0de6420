"""AppleMIDI sessions, both sides, in time that the test sets."""

import random

import pytest

from sfa_engine.surfaces.rtpmidi.packet import (
    DamagedError,
    Feedback,
    Invitation,
    Sync,
    build_packets,
    parse,
)
from sfa_engine.surfaces.rtpmidi.peer_clock import UNIT_NS, PeerClock
from sfa_engine.surfaces.rtpmidi.reception import REORDER_S, Reception
from sfa_engine.surfaces.rtpmidi.session import SECOND_NS, Channel, Session, State

MS = 1_000_000
NOTE = b"\x90\x24\x64"
START = 500 * SECOND_NS


class Network:
    """Two sessions and what is between them; the peer's clock is another than ours."""

    def __init__(self, delay_ms=1.0, peer_offset_ns=7777 * SECOND_NS):
        self.now = START
        self.delay, self.offset = int(delay_ms * MS), peer_offset_ns
        self.drop = lambda _data: False
        self.here = Session("here", 1, 99, self.now)
        self.there = None
        self.heard = {"here": [], "there": []}
        self.passed = []

    def carry(self):
        """Carry datagrams until there are none."""
        while True:
            sent = [("here", *each) for each in self.take(self.here)]
            sent += [("there", *each) for each in self.take(self.there)]
            if not sent:
                return
            self.now += self.delay
            for side, channel, data in sent:
                said = parse(data)
                self.passed.append((side, channel, said))
                if self.drop(said):
                    continue
                if side == "there":
                    self.heard["here"] += self.here.receive(channel, said, self.now)
                elif self.there is None:
                    self.there = Session("there", 2, 99, self.now + self.offset, said)
                else:
                    at = self.now + self.offset
                    self.heard["there"] += self.there.receive(channel, said, at)

    @staticmethod
    def take(session):
        if session is None:
            return []
        sent = list(session.outbox)
        session.outbox.clear()
        return sent

    def wait(self, seconds):
        """Let time pass, doing what is due."""
        end = self.now + int(seconds * SECOND_NS)
        while True:
            self.carry()
            due = [self.here.deadline_ns] if self.here.state is not State.CLOSED else []
            if self.there and self.there.state is not State.CLOSED:
                due.append(self.there.deadline_ns - self.offset)
            if not due or min(due) > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, *[min(due)])
            self.heard["here"] += self.here.tick(self.now)
            if self.there:
                self.heard["there"] += self.there.tick(self.now + self.offset)

    def commands(self):
        return [
            (side, said.command if isinstance(said, Invitation) else f"CK{said.step}")
            for side, _, said in self.passed
            if isinstance(said, Invitation | Sync)
        ]


@pytest.fixture
def net():
    network = Network()
    network.carry()
    return network


def test_both_channels_are_opened_and_the_clocks_compared(net):
    assert net.commands() == [
        ("here", "IN"), ("there", "OK"), ("here", "IN"), ("there", "OK"),
        ("here", "CK0"), ("there", "CK1"), ("here", "CK2"),
    ]  # fmt: skip
    assert (net.here.state, net.there.state) == (State.OPEN, State.OPEN)
    assert (net.here.peer_name, net.there.peer_name) == ("there", "here")


@pytest.mark.parametrize("sender", ["here", "there"])
def test_events_have_the_senders_time_by_our_clock(net, sender):
    offset = net.offset if sender == "there" else 0
    session = getattr(net, sender)
    at = net.now
    session.send([NOTE], at + offset)
    net.now += 20 * MS  # a network that stalled
    net.carry()
    (heard,) = net.heard["there" if sender == "here" else "here"]
    assert heard.data == NOTE
    receivers_at = at + (net.offset - offset)
    assert abs(heard.at_ns - receivers_at) <= UNIT_NS + net.delay


def test_an_invitation_without_an_answer_is_repeated_and_given_up():
    net = Network()
    net.drop = lambda _said: True
    net.there = Session("there", 2, 1, START, Invitation("IN", 1, 3, "another"))
    net.wait(30)
    assert (net.here.state, net.here.reason) == (State.CLOSED, "it does not answer")
    assert net.commands().count(("here", "IN")) == 12


@pytest.mark.parametrize("lost", ["IN", "OK"])
def test_each_part_of_the_opening_may_be_lost(lost):
    net, left = Network(), [2]

    def drop(said):
        is_lost = isinstance(said, Invitation) and said.command == lost and left[0] > 0
        left[0] -= is_lost
        return is_lost and net.there is not None

    net.drop = drop
    net.wait(5)
    assert (net.here.state, net.there.state) == (State.OPEN, State.OPEN)


def test_a_refusal_closes():
    here = Session("here", 1, 99, START)
    here.receive(Channel.CONTROL, Invitation("NO", 98, 2, ""), START)
    assert here.state is State.INVITING
    here.receive(Channel.CONTROL, Invitation("NO", 99, 2, ""), START)
    assert (here.state, here.reason) == (State.CLOSED, "it refused")


@pytest.mark.parametrize("side", ["here", "there"])
def test_by_closes_both(net, side):
    getattr(net, side).close()
    net.carry()
    assert (net.here.state, net.there.state) == (State.CLOSED, State.CLOSED)


def test_a_peer_that_vanishes_is_closed_after_a_minute(net):
    net.drop = lambda _said: True
    net.wait(59)
    assert (net.here.state, net.there.state) == (State.OPEN, State.OPEN)
    net.wait(2)
    assert (net.here.state, net.there.state) == (State.CLOSED, State.CLOSED)
    assert "minute" in net.there.reason


def test_an_idle_session_stays_open_by_its_exchanges(net):
    net.wait(600)
    assert (net.here.state, net.there.state) == (State.OPEN, State.OPEN)
    assert net.commands().count(("here", "CK0")) == 65  # 0.5 s apart, then 10 s


def test_a_listener_that_is_left_half_open_gives_up():
    there = Session("there", 2, 99, START, Invitation("IN", 99, 1, "here"))
    there.tick(START + 14 * SECOND_NS)
    assert there.state is State.WAITING
    there.tick(there.deadline_ns)
    assert there.state is State.CLOSED


def test_received_packets_are_acknowledged_once(net):
    net.there.send([NOTE], net.now)
    net.there.send([NOTE], net.now)
    net.wait(5)
    said = [
        x for _, channel, x in net.passed if isinstance(x, Feedback) and channel is Channel.CONTROL
    ]
    assert said == [Feedback(1, 3)]  # the first number is the sender's SSRC, 2


def test_other_senders_are_ignored(net):
    (forged,) = build_packets([NOTE], 2, 0, 12345)
    assert net.here.receive(Channel.DATA, parse(forged), net.now) == []
    net.here.receive(Channel.CONTROL, Invitation("BY", 98, 12345, ""), net.now)
    assert net.here.state is State.OPEN


def test_sysex_over_several_packets_survives_and_a_hole_drops_it(net):
    long = b"\xf0" + bytes(3000) + b"\xf7"
    net.there.send([long], net.now)
    net.carry()
    assert [each.data for each in net.heard["here"]] == [long]
    net.there.send([long, NOTE], net.now)
    del net.there.outbox[1]
    net.carry()
    net.wait(1)
    assert [each.data for each in net.heard["here"]] == [long, NOTE]
    assert net.here.reception.lost == 1


def sequence(*numbers):
    return [parse(build_packets([NOTE], each, 0, 1)[0]) for each in numbers]


def taken(reception, *numbers, now=0):
    return [
        each.packet.sequence
        for packet in sequence(*numbers)
        for each in reception.take(packet, now)
    ]


def test_packets_that_overtook_each_other_are_put_in_order():
    reception = Reception()
    assert taken(reception, 65_534, 0, 65_535, 2, 3, 1) == [65_534, 65_535, 0, 1, 2, 3]
    assert (reception.lost, reception.late, reception.duplicates) == (0, 0, 0)


def test_a_missing_packet_is_waited_for_five_milliseconds_and_counted():
    reception = Reception()
    taken(reception, 1, 3)
    assert reception.deadline_ns == int(REORDER_S * 1e9)
    assert reception.expire(4 * MS) == []
    (arrived,) = reception.expire(5 * MS)
    assert (arrived.packet.sequence, arrived.follows_loss, reception.lost) == (3, True, 1)
    assert taken(reception, 2, 3, 4) == [4]
    assert (reception.late, reception.duplicates) == (1, 1)


def test_a_sender_that_restarts_is_followed():
    reception = Reception()
    assert taken(reception, 10, 12, 40_000, 40_001) == [10, 12, 40_000, 40_001]


def test_any_order_gives_each_packet_once_and_in_order():
    rng = random.Random(1)
    for _ in range(300):
        numbers, reception = list(range(60)), Reception()
        for k in range(59):
            if rng.random() < 0.3:
                numbers[k], numbers[k + 1] = numbers[k + 1], numbers[k]
        numbers = [
            n for n in numbers for _ in range(1 + (rng.random() < 0.1)) if rng.random() > 0.1
        ]
        first = numbers[0]
        found = taken(reception, *numbers)
        found += [each.packet.sequence for each in reception.expire(SECOND_NS)]
        assert found == sorted(set(found))
        assert set(found) == {n for n in numbers if n >= first}


def test_the_clock_takes_the_exchange_that_was_fastest():
    clock, now = PeerClock(), START
    for round_trip, wrong in ((40, 20), (2, 1), (90, -45)):
        clock.learn(now, (now + 5 * SECOND_NS + wrong * MS) // UNIT_NS, round_trip * MS, now)
    stamp = (now - 10 * MS + 5 * SECOND_NS) // UNIT_NS & 0xFFFFFFFF
    assert abs(clock.event_ns(stamp, now) - (now - 10 * MS)) <= 1.2 * MS


def test_a_time_that_cannot_be_is_that_of_the_arrival():
    clock = PeerClock()
    assert clock.event_ns(123, START) == START
    clock.learn(START, START // UNIT_NS, 0, START)
    ahead = (START + 300 * MS) // UNIT_NS
    assert clock.event_ns(ahead & 0xFFFFFFFF, START) == START
    assert clock.event_ns((ahead - 50_000) & 0xFFFFFFFF, START) == START
    assert clock.wrong == 1


def test_a_clock_that_was_set_is_estimated_again():
    clock = PeerClock()
    clock.learn(START, START // UNIT_NS, 0, START)
    clock.learn(START, 5, 10 * MS, START)
    assert clock.event_ns(5, START) == START - START % UNIT_NS
    clock.learn(START, 2**64 - 1, 10 * MS, START)
    clock.learn(START, 7, -5, START)


def fuzz(count, seed):
    rng = random.Random(seed)
    net = Network()
    net.carry()
    for _ in range(count):
        net.there.send([NOTE, b"\xf0\x01\xf7"], net.now)
        data = bytearray(net.take(net.there)[-1][1])
        if rng.random() < 0.3:
            data = bytearray(b"\xff\xff" + rng.choice([b"IN", b"OK", b"NO", b"CK", b"RS"]))
            data += rng.choice([bytes((0, 0, 0, 2)), b""]) + rng.randbytes(36)
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            said = parse(bytes(data))
        except DamagedError:
            continue
        heard = net.here.receive(rng.choice(list(Channel)), said, net.now)
        heard += net.here.tick(net.now)
        assert all(each.data[0] >= 0x80 and each.at_ns <= net.now for each in heard)
        net.take(net.here)
        net.now += rng.randrange(10 * MS)
    assert net.here.deadline_ns > 0


def test_damaged_datagrams_do_not_break_a_session():
    fuzz(2000, 3)


@pytest.mark.nightly
def test_a_hundred_thousand_damaged_datagrams_do_not_break_a_session():
    fuzz(100_000, 4)
