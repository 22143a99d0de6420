"""Frames and messages: whatever comes, it is a message or an error; nothing is lost between."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MAX_TEXT, Refused
from sfa_engine.wire import connection, frames, protocol
from sfa_engine.wire.connection import Connection
from sfa_engine.wire.stream import Answer, Broken, Invalid, Notification, Request

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def events(stream, sizes=(1 << 20,)):
    """Return what a connection makes of bytes that come in pieces of these sizes."""
    reader = Connection()
    found = []
    at = turn = 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        reader.receive_data(stream[at : at + size])
        at, turn = at + size, turn + 1
        while (event := reader.next_event()) is not None:
            found.append(event)
    return found, reader


@given(st.lists(values, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_messages_come_whole_out_of_any_pieces(sent, sizes):
    stream = b"".join(connection.notification("n", value) for value in sent)
    got, reader = events(stream, sizes)
    assert [(event.method, frames.unpack(event.params)) for event in got] == [
        ("n", value) for value in sent
    ]
    assert math.isinf(reader.due(0.0))


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_events(data, size):
    got, _ = events(data, [size])
    assert all(not isinstance(event, Broken) for event in got[:-1])


@given(values)
def test_any_value_is_a_message_or_invalid(value):
    (event,), _ = events(frames.pack(value))
    kinds = Request | Answer | Notification | Invalid
    assert isinstance(event, kinds)


@given(values, st.integers(0, 2**63 - 1), st.text())
def test_each_kind_comes_back_as_it_was_sent(value, number, word):
    stream = connection.request(number, word, {"x": value})
    stream += connection.answer(number, value)
    stream += connection.failure(number, Refused("no", "go"))
    (request, answer, failure), _ = events(stream)
    assert (request.id, request.method) == (number, word)
    assert frames.unpack(request.params) == {"x": value}
    assert (answer.id, answer.error, frames.unpack(answer.result)) == (number, None, value)
    assert (failure.id, failure.error.code, str(failure.error)) == (number, "refused", "no; go")


@pytest.mark.parametrize(
    ("message", "number", "sentence"),
    [
        ([], None, "not a request"),
        ({}, None, "not a request"),
        ("status", None, "not a request"),
        ([7], None, "not a request"),
        ([3, 5, "x", {}], 5, "not a request"),
        ([0, "x", "status", {}], None, "the id 'x' is not a whole number"),
        ([0, -1, "status", {}], None, "the id -1 is not a whole number"),
        ([0, True, "status", {}], None, "the id True is not a whole number"),
        ([0, 1, 5, {}], 1, "the method 5 is not a text"),
        ([0, 1, [b"x" * 9999], {}], 1, "of 10"),
    ],
)
def test_an_invalid_message_is_answered_under_its_number(message, number, sentence):
    (event,), _ = events(frames.pack(message))
    assert event.id == number
    assert sentence in event.error.message


def test_a_frame_that_announces_too_much_breaks_the_stream_once():
    got, reader = events(b"\xff\xff\xff\xff" + connection.notification("n", 1))
    assert [type(event) for event in got] == [Broken]
    assert "announced" in got[0].error.message
    reader.receive_data(connection.notification("n", 1))
    assert reader.next_event() is None


def test_frames_before_a_broken_one_are_not_lost():
    stream = connection.notification("a", 1) + connection.notification("b", 2)
    got, _ = events(stream + b"\xff\xff\xff\xff")
    assert [type(event) for event in got] == [Notification, Notification, Broken]


def test_the_time_for_a_frame_counts_from_the_first_question_after_the_last_whole_one():
    reader = Connection()
    assert reader.due(5.0) == float("inf")
    frame = connection.notification("n", 1)
    reader.receive_data(frame[:3])
    assert reader.due(5.0) == 5.0 + protocol.FRAME_TIMEOUT_S
    reader.receive_data(frame[3:5])
    assert reader.due(9.0) == 5.0 + protocol.FRAME_TIMEOUT_S
    reader.receive_data(frame[5:] + frame[:1])
    assert reader.next_event() == Notification("n", reader_value(1))
    assert reader.due(20.0) == 20.0 + protocol.FRAME_TIMEOUT_S
    reader.expire()
    assert "did not arrive" in reader.next_event().error.message
    assert reader.due(30.0) == float("inf")


def reader_value(value):
    (event,), _ = events(connection.notification("n", value))
    return event.params


@pytest.mark.parametrize("announced", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"])
def test_a_container_that_announces_more_than_came_is_not_believed(announced):
    (event,), _ = events(frames.HEADER.pack(9) + b"\x94\x00\x01\xa0" + announced)
    assert isinstance(event, Invalid)
    assert "msgpack" in event.error.message


@pytest.mark.parametrize("quoted", ["x" * (protocol.MAX_BYTES + 1), "caf\udce9.wav"])
def test_a_failure_can_be_sent_whatever_it_quotes(quoted):
    (event,), _ = events(connection.failure(1, Refused(quoted, quoted)))
    assert event.error.message[:3] == event.error.hint[:3] == quoted[:3]
    assert len(event.error.message) <= MAX_TEXT


def test_a_message_that_is_too_long_is_not_sent():
    with pytest.raises(Refused, match="bytes"):
        frames.pack("x" * (protocol.MAX_BYTES + 1))


def test_a_name_that_is_no_utf_8_is_refused_and_can_be_read():
    with pytest.raises(Refused) as refused:
        frames.pack(["sources", {"path": "/m/caf\udce9.wav"}])
    assert str(refused.value) == '"/m/caf\\udce9.wav" is not a UTF-8 name; rename it'


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91" * 5000 + b"\x00", b"\x01\x02", b"\xd9\xff"])
def test_what_is_not_one_object_is_refused(body):
    with pytest.raises(Refused, match="not one msgpack object"):
        frames.unpack(body)
