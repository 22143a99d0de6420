"""Frames and messages: whatever comes, it is a message or refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.wire import frames, messages

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(values, max_size=6), st.data())
def test_messages_come_whole_out_of_any_pieces(sent, data):
    stream = b"".join(frames.pack(message) for message in sent)
    reader = frames.FrameReader()
    got = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += [frames.unpack(body) for body in reader.feed(stream[:size])]
        stream = stream[size:]
    assert got == sent
    assert not reader.is_inside


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_refused(data):
    reader = frames.FrameReader()
    with contextlib.suppress(Refused):
        for body in reader.feed(data):
            messages.parse_request(frames.unpack(body))


@given(values)
def test_any_value_is_a_request_or_refused(value):
    with contextlib.suppress(Refused):
        assert isinstance(messages.parse_request(value).params, dict)


def test_a_frame_that_announces_too_much_breaks_the_stream():
    with pytest.raises(frames.BrokenStream, match="announced"):
        frames.FrameReader().feed(b"\xff\xff\xff\xff")


def test_frames_before_a_broken_one_are_not_lost():
    reader = frames.FrameReader()
    assert reader.feed(frames.pack(1) + frames.pack(2) + b"\xff\xff\xff\xff") == [b"\x01", b"\x02"]
    for _ in range(2):
        with pytest.raises(frames.BrokenStream, match="announced"):
            reader.feed(b"")


@pytest.mark.parametrize("quoted", ["x" * (frames.MOST_BYTES + 1), "caf\udce9.wav"])
def test_a_failure_can_be_sent_whatever_it_quotes(quoted):
    said = frames.unpack(frames.pack(messages.failure(1, Refused(quoted, quoted)))[4:])
    assert said[2]["message"][:3] == said[2]["hint"][:3] == quoted[:3]


def test_a_message_that_is_too_long_is_not_sent():
    with pytest.raises(Refused, match="bytes"):
        frames.pack("x" * (frames.MOST_BYTES + 1))


def test_a_name_that_is_no_utf_8_is_refused_and_can_be_read():
    with pytest.raises(Refused) as refused:
        frames.pack(["sources", {"path": "/m/caf\udce9.wav"}])
    assert str(refused.value) == '"/m/caf\\udce9.wav" is no name in UTF-8; rename it'


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91" * 5000 + b"\x00", b"\x01\x02", b"\xd9\xff"])
def test_what_is_not_one_object_is_refused(body):
    with pytest.raises(Refused, match="not one msgpack object"):
        frames.unpack(body)
