"""Datagrams, streams and batches: whatever comes, nothing but messages or a refusal goes on."""

import logging
import os
import random
import struct
import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osc_client import bundle, message

from sfa_engine.errors import ProtocolError, Refused
from sfa_engine.surfaces.osc.batch import Batch
from sfa_engine.surfaces.osc.framing import END, ESC, Framing
from sfa_engine.surfaces.osc.packet import (
    IMMEDIATELY,
    MAX_DATAGRAM,
    MAX_PACKET,
    address_in,
    bundles,
    parse,
    parse_all,
    split,
)
from sfa_engine.surfaces.osc.peer import Peer

INPUTS = int(os.environ.get("SFA_FUZZ", "3000"))
NIGHTLY = 1_000_000


def test_a_message_is_due_at_once():
    found = parse(message("/deck1/play", 1, 2.5, "on", True).dgram)
    assert found == ("/deck1/play", (1, 2.5, "on", True), 0.0)


def test_the_messages_of_a_bundle_are_due_at_its_time():
    later_s = time.time() + 100
    packet = bundle(message("/a", 1), message("/b", 2), at_s=later_s)
    found = parse_all(packet)
    assert [each.address for each in found] == ["/a", "/b"]
    assert found[0].at_s == pytest.approx(later_s, abs=1e-6)
    assert [m.at_s for m in parse_all(bundle(message("/a", 1)))] == [0.0]
    past = parse_all(bundle(message("/a", 1), at_s=time.time() - 5))
    assert [m.at_s for m in past] == [0.0]
    # python-osc's builder cannot: an immediate tag as the specification has it.
    assert [m.at_s for m in parse_all(next(bundles([message("/a", 1).dgram])))] == [0.0]


def test_only_a_message_with_an_argument_may_take_the_place_of_another():
    assert address_in(message("/crossfader", 1.0).dgram) == b"/crossfader"
    assert address_in(message("/abc", 1.0).dgram) == b"/abc"
    assert address_in(message("/crossfader").dgram) == b""
    assert address_in(b"/crossfader") == address_in(b"") == address_in(b"/a\0\0") == b""


def nested(depth):
    inner = message("/a", 1).dgram
    for _ in range(depth):
        inner = b"#bundle\0" + struct.pack(">Qi", 1, len(inner)) + inner
    return inner


@pytest.mark.parametrize(
    "packet",
    [b"", b"\0", b"hello", b"/a", nested(17), nested(400), b"/" * 9000,
     b"#bundle\0", b"#bundle\0" + b"\xff" * 64, b"/\xff\xfe\0,i\0\0\0\0\0\1"],
)  # fmt: skip
def test_what_is_not_osc_is_refused(packet):
    with pytest.raises(Refused):
        parse_all(packet)


def test_a_packet_of_the_largest_size_delays_no_other():
    """Taking it apart takes a millisecond; messages are parsed one by one, with others between."""
    tiny = b"/a\0\0"
    many = IMMEDIATELY + (len(tiny).to_bytes(4, "big") + tiny) * ((MAX_PACKET - 16) // 8)
    best_s = min(timeit.repeat(lambda: split(many), number=1, repeat=5))
    assert len(split(many)) == 1022
    assert best_s < 0.005  # python-osc: 0.015 on the same machine


@pytest.mark.parametrize("tag", [b"T", b"q"])
def test_a_message_of_too_many_arguments_is_not_parsed(tag):
    with pytest.raises(Refused, match="too many arguments"):
        parse(b"/a\0\0," + tag * (MAX_PACKET - 8) + b"\0" * 3)


def test_what_is_due_now_goes_before_what_is_due_later():
    later = bundle(message("/b", 1), at_s=time.time() + 100)
    inner = b"".join(len(each).to_bytes(4, "big") + each for each in (later, b"/a\0\0"))
    assert [each.address for each in parse_all(IMMEDIATELY + inner)] == ["/a", "/b"]


def fuzzed(rng):
    """Return a packet: random, or a good one that was damaged."""
    good = bundle(message("/deck1/fader", rng.random()), message("/crossfader", 3, "x", b"blob"))
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return b"/" + rng.randbytes(rng.randrange(60))
    packet = bytearray(good if kind == 2 else nested(rng.randrange(20)))
    for _ in range(rng.randrange(1, 8)):
        packet[rng.randrange(len(packet))] = rng.randrange(256)
    return bytes(packet[: rng.randrange(len(packet) + 1)])


def fuzz_packets(count):
    rng = random.Random(5)
    refused = 0
    for _ in range(count):
        packet = fuzzed(rng)
        assert packet.startswith(address_in(packet))
        try:
            found = parse_all(packet)
        except Refused:
            refused += 1
            continue
        for each in found:
            assert isinstance(each.address, str)
            assert len(each.arguments) <= 64
    return refused


def test_damaged_packets_are_refused_and_flood_no_log(caplog):
    with caplog.at_level(logging.DEBUG):
        assert fuzz_packets(INPUTS) > INPUTS // 10
    assert caplog.records == []


@pytest.mark.nightly
def test_a_million_damaged_packets_are_refused():
    assert fuzz_packets(NIGHTLY) > NIGHTLY // 10


# ---------------------------------------------------------------- bundles that are sent


@given(st.lists(st.binary(min_size=1, max_size=120).map(lambda b: b"/x\0\0,b\0\0" + b)))
def test_bundles_hold_every_message_and_fit_a_datagram(messages):
    made = list(bundles(messages))
    assert all(len(each) <= MAX_DATAGRAM for each in made)
    assert b"".join(m for each in made for m in elements(each)) == b"".join(messages)


def elements(packet):
    at = 16
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        yield packet[at + 4 : at + 4 + size]
        at += 4 + size


# ---------------------------------------------------------------- streams

PACKETS = st.lists(
    st.binary(max_size=60).map(lambda b: b"/" + b.replace(b"\0", bytes([END, ESC]))), max_size=5
)


@given(PACKETS, st.booleans(), st.lists(st.integers(1, 20)))
def test_both_framings_are_recognised_and_return_every_packet(packets, slip, cuts):
    writer = Framing()
    writer.feed(bytes([END]) if slip else bytes(4))
    stream = b"".join(map(writer.frame, packets))
    reader, found, at = Framing(), [], 0
    for cut in [*cuts, len(stream)]:
        found += reader.feed(stream[at : at + cut])
        at += cut
    assert found == packets


def test_a_stream_of_something_else_ends():
    with pytest.raises(ProtocolError):
        Framing().feed(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ProtocolError):
        Framing().feed(bytes([0, 255, 255, 255]))


def test_a_packet_that_never_ends_takes_no_memory_and_the_next_one_is_read():
    framing = Framing()
    framing.feed(bytes([END]))
    for _ in range(1000):
        assert framing.feed(b"x" * 4096) == []
        assert len(framing._buffer) <= 2 * MAX_PACKET + 4096
    assert framing.feed(bytes([END]) + b"/a\0\0" + bytes([END])) == [b"/a\0\0"]
    assert framing.dropped == 1


def fuzz_streams(count):
    rng = random.Random(6)
    for _ in range(count):
        framing = Framing()
        try:
            for _ in range(rng.randrange(6)):
                start = rng.choice([b"", b"\xc0/", b"\0\0\0\x08", b"/a"])
                for packet in framing.feed(start + rng.randbytes(rng.randrange(80))):
                    assert len(packet) <= 2 * MAX_PACKET
        except ProtocolError:
            continue


def test_damaged_streams_end_or_go_on():
    fuzz_streams(INPUTS)


@pytest.mark.nightly
def test_a_million_damaged_streams_end_or_go_on():
    fuzz_streams(NIGHTLY)


# ---------------------------------------------------------------- batches


def peers(count=2):
    return [Peer(n + 1, ("127.0.0.1", n), lambda *_: True) for n in range(count)]


def test_the_last_value_of_a_fader_is_left_and_every_press():
    one, _ = peers()
    batch = Batch()
    for number in range(100):
        batch.put(one, b"/deck1/fader", b"%d" % number)
        batch.put(one, b"/crossfader", b"x%d" % number)
    assert [each.message for each in batch.messages()] == [b"99", b"x99"]
    for number in range(50):
        batch.put(one, b"/deck1/hotcue1/press", b"p%d" % number)
        batch.put(one, b"/deck1/play", b"s%d" % number)
    assert len(batch.messages()) == 102


def test_no_value_is_moved_past_a_press():
    one, _ = peers()
    batch = Batch()
    for address, said in [(b"/deck1/fader", b"1"), (b"/deck1/cue", b"press"),
                          (b"/deck1/fader", b"2"), (b"/deck1/fader", b"3")]:  # fmt: skip
        batch.put(one, address, said)
    assert [each.message for each in batch.messages()] == [b"1", b"press", b"3"]


def test_the_last_of_two_peers_wins():
    one, two = peers()
    batch = Batch()
    for peer, said in [(one, b"1"), (two, b"2"), (one, b"3")]:
        batch.put(peer, b"/crossfader", said)
    assert [each.message for each in batch.messages()] == [b"2", b"3"]
