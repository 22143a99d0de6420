"""Datagrams of AppleMIDI and RTP-MIDI, built and parsed."""

import contextlib
import random
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.surfaces.rtpmidi import packet
from sfa_engine.surfaces.rtpmidi.command_section import (
    MAX_COMMANDS,
    Command,
    DamagedError,
    Sysex,
    split,
)
from sfa_engine.surfaces.rtpmidi.packet import (
    Feedback,
    Invitation,
    Limit,
    Sync,
    build_packets,
    parse,
)

RTP = bytes.fromhex("8061 0007 00000010 0000beef")
data7 = st.integers(0, 127)
words = st.integers(0, 2**32 - 1)
channel_messages = st.one_of(
    st.tuples(st.integers(0x80, 0xBF) | st.integers(0xE0, 0xEF), data7, data7),
    st.tuples(st.integers(0xC0, 0xDF), data7),
).map(bytes)
common = st.sampled_from([b"\xf1\x20", b"\xf2\x01\x02", b"\xf3\x05", b"\xf6", b"\xf8", b"\xfa"])
sysex = st.binary(max_size=5000).map(lambda b: b"\xf0" + bytes(x & 127 for x in b) + b"\xf7")
messages = channel_messages | common | sysex


def section(body, flags=0):
    """Return a packet with a command section of these bytes."""
    return RTP + struct.pack(">H", 0x8000 | flags << 8 | len(body)) + body


def commands(body, flags=0):
    return [tuple(each) for each in parse(section(body, flags)).commands]


@given(st.lists(messages, min_size=1, max_size=30), st.integers(0, 0xFFFF), words, words)
def test_what_is_built_is_parsed(given, sequence, timestamp, ssrc):
    built = build_packets(given, sequence, timestamp, ssrc)
    found, joiner = [], Sysex(1 << 16)
    for number, datagram in enumerate(built):
        said = parse(datagram)
        assert said.sequence == (sequence + number) & 0xFFFF
        assert (said.timestamp, said.ssrc, said.is_whole) == (timestamp, ssrc, True)
        found += [whole for each in said.commands if (whole := joiner.take(each.data))]
        assert len(datagram) <= 1200
    assert found == given


@given(st.sampled_from(["IN", "OK", "NO", "BY"]), words, words, st.text(max_size=80))
def test_invitations_are_parsed_as_built(command, token, ssrc, name):
    said = parse(packet.build_invitation(Invitation(command, token, ssrc, name)))
    assert said[:3] == (command, token, ssrc)
    assert said.name.isprintable()
    if command in {"IN", "OK"} and name.isascii() and name.isprintable():
        assert said.name == name[:63].strip()


def test_sync_feedback_and_limit():
    assert parse(packet.build_sync(Sync(7, 2, (1, 2, 3)))) == Sync(7, 2, (1, 2, 3))
    assert parse(packet.build_feedback(Feedback(7, 65_535))) == Feedback(7, 65_535)
    assert parse(b"\xff\xffRL" + struct.pack(">II", 7, 31_250)) == Limit(7, 31_250)


def test_short_and_long_headers_are_read_alike():
    assert parse(RTP + b"\x03\x90\x24\x64").commands == [Command(0, b"\x90\x24\x64")]
    assert commands(b"\x90\x24\x64") == [(0, b"\x90\x24\x64")]


def test_running_status_outlives_realtime_and_ends_with_common():
    assert commands(b"\x90\x24\x64\x00\x25\x65\x05\xf8\x00\x26\x66") == [
        (0, b"\x90\x24\x64"),
        (0, b"\x90\x25\x65"),
        (5, b"\xf8"),
        (0, b"\x90\x26\x66"),
    ]
    said = parse(section(b"\x90\x24\x64\x00\xf6\x00\x25\x65"))
    assert ([each.data for each in said.commands], said.is_whole) == (
        [b"\x90\x24\x64", b"\xf6"],
        False,
    )


def test_realtime_inside_a_message_comes_before_it():
    assert commands(b"\x90\x24\xf8\x64") == [(0, b"\xf8"), (0, b"\x90\x24\x64")]
    assert commands(b"\xf0\x01\xf8\x02\xf7") == [(0, b"\xf8"), (0, b"\xf0\x01\x02\xf7")]


def test_delta_times_of_one_to_four_bytes():
    body = b"\x05\xf8\x81\x00\xf8\x81\x80\x00\xf8\x81\x80\x80\x00\xf8"
    assert [each.delta for each in parse(section(body, 0x20)).commands] == [5, 128, 16384, 2097152]
    assert not parse(section(b"\xff\xff\xff\xff\xf8", 0x20)).is_whole


def test_a_list_may_end_with_a_delta_time():
    assert commands(b"\xf8\x05") == [(0, b"\xf8")]
    assert commands(b"\x05", 0x20) == []


def test_sysex_in_segments_is_put_together_and_cancelled():
    joiner = Sysex(64)
    segments = (b"\xf0\x01\xf0", b"\xf8", b"\xf7\x02\xf0", b"\xf7\x03\xf7")
    assert [joiner.take(each) for each in segments] == [
        b"", b"\xf8", b"", b"\xf0\x01\x02\x03\xf7",
    ]  # fmt: skip
    assert (joiner.take(b"\xf0\x01\xf0"), joiner.take(b"\xf7\xf4")) == (b"", b"")
    assert joiner.take(b"\xf0\x01\xf5") == b"\xf0\x01\xf7"  # its F7 was lost before the network
    assert (joiner.take(b"\xf7\x02\xf7"), joiner.dropped) == (b"", 0)


def test_sysex_that_is_too_long_is_dropped_and_counted():
    joiner = Sysex(64)
    joiner.take(b"\xf0" + bytes(60) + b"\xf0")
    assert joiner.take(b"\xf7" + bytes(60) + b"\xf0") == b""
    assert (joiner.take(b"\xf7\x01\xf7"), joiner.dropped) == (b"", 1)


def chapters(number):
    """Return a system journal and channel journals with all their chapters."""
    system = struct.pack(">H", 0x8000 | 0x7C00 | 20) + bytes(18)
    channel = b"".join(
        struct.pack(">HB", (each << 11) | (9 + each), 0xFF) + bytes(6 + each)
        for each in range(number)
    )
    return system + channel


@pytest.mark.parametrize("channels", [1, 2, 16])
def test_a_journal_with_all_chapters_is_skipped(channels):
    journal = bytes((0x80 | 0x60 | channels - 1, 0, 9)) + chapters(channels)
    said = parse(section(b"\x90\x24\x64", 0x40) + journal)
    assert said.commands == [Command(0, b"\x90\x24\x64")]
    assert said.journal == journal
    assert parse(section(b"\x90\x24\x64", 0x40) + journal + bytes(7)).journal == journal


def test_a_damaged_journal_does_not_lose_the_commands():
    journal = bytes((0x80 | 0x60, 0, 9)) + chapters(1)
    for length in range(len(journal)):
        said = parse(section(b"\x90\x24\x64", 0x40) + journal[:length])
        assert (said.commands, said.journal) == ([Command(0, b"\x90\x24\x64")], b"")


def test_an_empty_journal_is_three_bytes():
    assert parse(RTP + b"\x40\x00\x00\x09").journal == b"\x00\x00\x09"


def test_padding_extension_and_sources_are_skipped():
    body = bytes.fromhex("b261 0007 00000010 0000beef") + bytes(8)
    body += b"\xab\xcd\x00\x01" + bytes(4) + b"\x01\xf8" + b"\x00\x00\x03"
    assert parse(body).commands == [Command(0, b"\xf8")]


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xff", b"\xff\xffXX" + bytes(12), b"\xff\xffIN" + bytes(12), b"\x80\x61", RTP,
     RTP + b"\x03\xf8", RTP[:1] + b"\x60" + RTP[2:] + b"\x00", b"\x40" + RTP[1:] + b"\x00",
     b"\xff\xffCK" + bytes(3), packet.build_sync(Sync(1, 3, (0, 0, 0)))],
)  # fmt: skip
def test_what_is_not_the_protocol_is_damaged(data):
    with pytest.raises(DamagedError):
        parse(data)


def test_a_byte_stream_is_split_into_messages():
    assert split(b"\x90\x01\x02\x03\x04\xf8\xf0\x01\xf7\xc0\x05\x90\x01") == [
        b"\x90\x01\x02", b"\x90\x03\x04", b"\xf8", b"\xf0\x01\xf7", b"\xc0\x05",
    ]  # fmt: skip


def spoilt(rng):
    """Return a datagram that is right but for a few bytes."""
    kind = rng.randrange(4)
    if kind == 0:
        data = bytearray(rng.randbytes(rng.randrange(60)))
    elif kind == 1:
        data = bytearray(b"\xff\xff" + rng.choice([b"IN", b"OK", b"CK", b"RS"]) + rng.randbytes(40))
    else:
        list_ = (
            rng.randbytes(rng.randrange(40)) if kind == 2 else b"\x90\x24\x64\x00\xb0\x07\x40" * 4
        )
        data = bytearray(section(list_, rng.choice([0, 0x20, 0x40, 0x60])) + rng.randbytes(20))
    for _ in range(rng.randrange(4)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.2 else data)


def fuzz(count, seed):
    rng, joiner = random.Random(seed), Sysex(256)
    for _ in range(count):
        try:
            said = parse(spoilt(rng))
        except DamagedError:
            continue
        if isinstance(said, packet.Packet):
            for each in said.commands:
                assert each.data[0] >= 0x80
                assert all(byte < 0x80 for byte in each.data[1:-1])
                whole = joiner.take(each.data)
                assert len(whole) <= 256
                assert all(byte < 0x80 for byte in whole[1:-1])


def test_damaged_datagrams_never_raise_anything_else():
    fuzz(3000, 1)


@pytest.mark.nightly
def test_a_hundred_thousand_damaged_datagrams():
    fuzz(100_000, 2)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_parsed_or_damaged(data):
    for each in (data, section(data), section(data, 0x20)):
        with contextlib.suppress(DamagedError):
            parse(each)


def test_the_longest_packet_takes_few_milliseconds():
    body = (b"\xf8\x00" * 2047)[:4095]
    began = time.perf_counter()
    assert len(parse(section(body)).commands) == MAX_COMMANDS
    assert time.perf_counter() - began < 0.1  # 1 ms on an idle machine
