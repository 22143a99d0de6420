"""Parts of the channel without sockets: outbox, anchors, forms, topics."""

import asyncio
import math
import random
import struct
from contextlib import suppress

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.web.anchor import (
    AHEAD_S,
    MAX_AGE_S,
    TOLERANCE_S,
    Anchor,
    anchor_of,
    next_anchor,
)
from sfa_engine.web.form import JSON, MSGPACK, form_of
from sfa_engine.web.outbox import MAX_ANSWER_BYTES, MAX_ITEMS, Outbox, TooSlowError
from sfa_engine.web.topics import PLAIN, Topic, job_data, topic_of


def taken(outbox, count):
    async def take():
        return [await outbox.take() for _ in range(count)]

    return asyncio.run(take())


def test_the_newest_of_a_key_takes_the_place_of_the_first():
    outbox = Outbox()
    outbox.put(lambda: "old", "volume")
    outbox.put(lambda: "event")
    outbox.put(lambda: "gone", "dropped")
    outbox.put(lambda: "new", "volume")
    outbox.drop("dropped")
    outbox.put(lambda: "last")
    assert taken(outbox, 3) == ["new", "event", "last"]


def test_a_message_is_made_when_it_is_sent():
    outbox, made = Outbox(), []
    for number in range(100):
        outbox.put(lambda number=number: made.append(number) or str(number), "state")
    assert taken(outbox, 1) == ["99"]
    assert made == [99]


def test_too_many_events_or_answers_are_too_slow():
    outbox = Outbox()
    for number in range(MAX_ITEMS + 1):
        outbox.put(lambda number=number: str(number))
    with pytest.raises(TooSlowError):
        taken(outbox, 1)
    outbox = Outbox()
    outbox.put_answer("x" * (2 * MAX_ANSWER_BYTES))  # alone it may be
    assert len(taken(outbox, 1)[0]) == 2 * MAX_ANSWER_BYTES
    half = "x" * (MAX_ANSWER_BYTES // 2 + 1)
    outbox.put_answer(half)
    assert taken(outbox, 1) == [half]
    outbox.put_answer(half)
    outbox.put_answer(half)
    with pytest.raises(TooSlowError):
        taken(outbox, 1)


def test_a_reader_waits_for_what_comes():
    async def main():
        outbox = Outbox()
        waiting = asyncio.ensure_future(outbox.take())
        await asyncio.sleep(0)
        outbox.put(lambda: "now")
        return await waiting

    assert asyncio.run(main()) == "now"


# ---------------------------------------------------------------- anchors


def values(position, play=1.0, rate=1.0, reverse=0.0, loaded=1.0):
    names = ("position", "play", "rate", "reverse", "loaded")
    given_values = (position, play, rate, reverse, loaded)
    return {f"deck1.{name}": value for name, value in zip(names, given_values, strict=True)}


def test_a_steady_deck_needs_an_anchor_every_five_seconds_only():
    rng = random.Random(4)
    last, count = None, 0
    for number in range(3000):  # 100 s of readings, each up to 20 ms late
        time_s = number / 30
        anchor = anchor_of("deck1", values(1.07 * time_s, rate=1.07), time_s + rng.random() * 0.02)
        fresh = next_anchor(last, anchor)
        if fresh is not None:
            last, count = fresh, count + 1
    assert 100 / MAX_AGE_S - 2 <= count <= 100 / MAX_AGE_S + 6


@pytest.mark.parametrize("rate", [1.06, -0.9])
def test_anchors_come_to_follow_the_readings_that_were_least_late(rate):
    rng = random.Random(7)
    last, worst_s = None, 0.0
    for number in range(3000):
        time_s = number / 30
        late_s = 0.0005 + rng.expovariate(200) if number else 0.025  # the first one is the worst
        anchor = anchor_of("deck1", values(rate * time_s, rate=rate), time_s + min(late_s, 0.028))
        last = next_anchor(last, anchor) or last
        if time_s > 2:
            worst_s = max(worst_s, abs(last.at(time_s) - rate * time_s))
    assert worst_s < 2 * AHEAD_S


@pytest.mark.parametrize(
    "changed",
    [
        values(2.0, play=0.0),
        values(2.0, rate=1.01),
        values(2.0, reverse=1.0),
        values(2.0, loaded=0.0),
        values(2.0 + 2 * TOLERANCE_S),
        values(0.0),
    ],
)
def test_what_a_page_cannot_reckon_needs_an_anchor(changed):
    last = anchor_of("deck1", values(1.0), 10.0)
    assert next_anchor(last, anchor_of("deck1", values(2.0), 11.0)) is None
    now = anchor_of("deck1", changed, 11.0)
    assert next_anchor(last, now) == now


def test_a_deck_that_does_not_play_stands():
    anchor = anchor_of("deck1", values(3.5, play=0.0, rate=1.2), 10.0)
    assert anchor == Anchor("deck1", 3.5, 0.0, playing=False, loaded=True, time_s=10.0)
    assert anchor.at(500.0) == 3.5
    assert next_anchor(anchor, anchor_of("deck1", values(3.5, play=0.0, rate=1.2), 999.0)) is None
    assert anchor_of("deck1", {}, 1.0).position_s == 0.0


# ---------------------------------------------------------------- forms


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.booleans(),
            st.floats(allow_nan=False),
            st.integers(-(1 << 63), (1 << 64) - 1),
            st.text(),
        ),
        max_size=50,
    )
)
def test_packed_values_are_read_by_another_library_as_single_floats(listed):
    packed = MSGPACK.encode({"data": MSGPACK.encode_values(listed)})
    found = msgpack.unpackb(packed)["data"]
    for value, read in zip(listed, found, strict=True):
        if isinstance(value, float) and abs(value) <= 3.4e38:
            assert read == struct.unpack(">f", struct.pack(">f", value))[0]
        else:
            assert read == value


def test_sixty_readings_are_three_hundred_bytes():
    assert len(MSGPACK.encode(MSGPACK.encode_values([math.pi] * 60))) <= 305


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(data):
    for form, message in ((MSGPACK, data), (JSON, data.decode("utf-8", "replace"))):
        with suppress(Refused):
            assert isinstance(form.parse(message), dict)


def test_the_first_known_subprotocol_is_taken():
    assert form_of([]) == (JSON, None)
    assert form_of(["other", "sfa.msgpack", "sfa.json"]) == (MSGPACK, "sfa.msgpack")
    with pytest.raises(Refused, match=r"sfa\.xml"):
        form_of(["sfa.xml"])


# ---------------------------------------------------------------- topics


def test_topics_are_read_as_they_are_written():
    for name in (*PLAIN, "jobs:7", f"pipeline:{'9' * 18}"):
        assert str(topic_of(name)) == name
    assert topic_of("jobs:12") == Topic("jobs", 12)
    for wrong in ("", "jobs:", "jobs:-1", "jobs:٣", "workers:1", "jobs:0", "x" * 1000):
        with pytest.raises(Refused, match="no topic"):
            topic_of(wrong)


def test_a_job_of_a_list_and_one_of_an_event_are_said_alike():
    said = {
        "kind": "import",
        "state": "running",
        "title": "x",
        "track": 3,
        "progress": 0.4567,
        "doing": "reading",
        "error": None,
    }
    assert job_data({**said, "id": 5}) == job_data({**said, "job": 5, "batches": ()})
    assert job_data({**said, "id": 5})["percent"] == 45.7
    assert job_data({**said, "id": 5, "state": "done"})["percent"] == 100.0
    assert msgspec.json.encode(job_data({**said, "id": 5}))
