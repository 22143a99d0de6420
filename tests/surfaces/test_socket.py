"""The control socket against a running engine: everything is answered, nothing ends the show."""

import contextlib
import os
import random
import select
import signal
import socket
import struct
import threading
import time

import msgpack
import pytest
from engine_process import until

from sfa_engine.desk import CONTROLS, Text
from sfa_engine.errors import MAX_TEXT, EngineError, MediaError, Refused
from sfa_engine.wire import frames, protocol
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine():
    from engine_process import show

    with show({}, "none") as running:
        yield running


@pytest.fixture
def client(engine):
    with engine.connect() as connected:
        yield connected


def raw(engine):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(15)
    give_up = time.monotonic() + 15
    while True:
        try:
            connection.connect(str(engine.runtime / "engine.sock"))
        except BlockingIOError:  # a thousand wait to be let in already
            assert time.monotonic() < give_up
            time.sleep(0.01)
        else:
            return connection


def read(connection):
    head = connection.recv(4, socket.MSG_WAITALL)
    (length,) = struct.unpack(">I", head)
    return msgpack.unpackb(connection.recv(length, socket.MSG_WAITALL))


def framed(body):
    return struct.pack(">I", len(body)) + body


# ---------------------------------------------------------------------- verbs


def test_describe_names_every_control(client):
    described = client.call("describe")["controls"]
    assert [c["path"] for c in described] == list(CONTROLS)
    choice = next(c for c in described if c["path"] == "deck1.sync")
    assert choice["options"] == ["off", "tempo", "beat"]


NEED_TRACKS = {"hotcue_kind", "stem_loop", "stem_source"}


def test_every_value_can_be_set_to_its_rest_and_read_back(client):
    for path, control in CONTROLS.items():
        if (
            control.settable
            and not control.planned
            and not path.endswith(("play", "position", "needle"))
        ):
            if path.endswith(("loop.active", ".bpm")) or control.verb in NEED_TRACKS:
                continue  # refused without a track
            rest = "" if isinstance(control, Text) else control.wire(control.scale.rest)
            said = client.call("set", path=path, value=rest)
            assert client.call("get", path=path)["value"] == said["value"], path


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            {"path": "deck1.stem.vocal.volume", "value": 0},
            'did you mean "deck1.stem.vocals.volume"',
        ),
        ({"path": "crossfader", "value": 101}, "out of range"),
        ({"path": "crossfader", "value": float("nan")}, "not a finite number"),
        ({"path": "crossfader", "value": float("inf")}, "not a finite number"),
        ({"path": "crossfader", "value": "much"}, "not a number"),
        ({"path": "crossfader", "value": [1]}, "value is [1]; give a number"),
        ({"path": "crossfader", "value": None}, "not a number"),
        ({"path": "crossfader", "value": True}, "not a number"),
        ({"path": "deck1.level", "value": 0}, "reading"),
        ({"path": "deck1.hotcue1.press", "value": 1}, "button"),
        ({"path": "deck1.play", "value": True}, "no track"),
        ({"path": "crossfader", "value": 0, "when": "someday"}, "not a moment"),
        ({"path": "crossfader"}, "needs value"),
        ({"path": "crossfader", "value": 0, "whn": 1}, 'did you mean "when"'),
        ({"path": 7, "value": 0}, "path is 7"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_sentence(client, params, sentence):
    with pytest.raises(Refused) as refusal:
        client.call("set", **params)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("method", "params", "sentence"),
    [
        ("stauts", {}, 'did you mean "status"'),
        ("press", {"path": "crossfader"}, "not a button"),
        ("press", {"path": "deck1.jump", "value": 4}, "no track"),
        ("get", {"path": "deck1.cue"}, "has no value"),
        ("deck.load", {"deck": 3, "path": "x"}, "deck is 3; give a whole number from 1 to 2"),
        ("deck.load", {"deck": 1, "path": "/nowhere.sfa"}, "/nowhere.sfa"),
        ("deck.load", {"deck": 1, "path": 5}, "path is 5"),
        ("deck.load", {"deck": 1, "path": "x", "position_s": -1}, "position_s is -1"),
        ("watch", {"paths": ["nothing.*"]}, "nothing is called"),
        ("watch", {"paths": 5}, "paths is 5; give a list of at most 1000 texts"),
        ("watch", {"paths": ["deck1.level"], "rate_hz": 1e9}, "give a number from 0.1 to 100"),
        ("watch", {"paths": ["?" * 101]}, "at most 100 characters"),
        ("watch", {"paths": ["deck1.fader"] * 1001}, "at most 1000 texts"),
        ("unwatch", {"paths": ["?" * 101]}, "at most 100 characters"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(client, method, params, sentence):
    with pytest.raises((Refused, EngineError, MediaError)) as refusal:
        client.call(method, **params)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("set", {"path": "deck1.fader", "value": 0, "when": [b"\0" * 400_000]}),
        ("deck.load", {"deck": [b"\0" * 400_000], "path": "x"}),
        ("deck.load", {"deck": 1, "path": "x" * 900_000}),
    ],
)
def test_what_an_error_quotes_is_short(engine, client, method, params):
    stage = client.call("status")["engine"]["stage_pid"]
    with raw(engine) as connection:
        connection.sendall(frames.pack([0, 7, method, params]))
        _, number, error, _ = read(connection)
    assert number == 7
    assert len(error["message"]) <= MAX_TEXT
    assert client.call("status")["engine"]["stage_pid"] == stage


def test_a_fader_moves_while_a_track_is_read_from_a_slow_disk(engine, bundles):
    with engine.connect() as client:
        host = client.call("status")["engine"]["host_pid"]
        os.kill(host, signal.SIGSTOP)  # as if its disk did not answer
        try:
            load = {"deck": 1, "path": str(bundles[0])}
            client._write(frames.pack([0, 1001, "deck.load", load]))
            client.call("set", path="deck2.fader", value=-3.0)
        finally:
            os.kill(host, signal.SIGCONT)
        assert client._next().id == 1001
        client.call("deck.eject", deck=1)


def test_what_waits_for_its_moment_is_answered_then_and_in_order_with_the_rest(client):
    frame = client.call("status")["engine"]["frame"] + 24_000
    later = {"path": "crossfader", "when": frame}
    client._write(frames.pack([0, 1001, "set", {**later, "value": 10, "wait": True}]))
    client._write(frames.pack([0, 1002, "set", {**later, "value": 20}]))
    assert client.call("get", path="crossfader")["value"] != 10
    answer = client._next()
    assert (answer.id, answer.error) == (1001, None)
    done = answer.result
    assert (done["value"], done["frame"]) == (10.0, frame)
    until(lambda: client.call("get", path="crossfader")["value"] == 20, "the second")


@pytest.mark.parametrize("when", [[], {}, "soon"])
def test_a_wait_for_no_moment_is_refused(client, when):
    with pytest.raises(Refused, match="a moment"):
        client.call("set", path="crossfader", value=0, when=when, wait=True)


# ---------------------------------------------------------------------- watching


def test_a_client_hears_of_others_and_not_of_itself(engine, client):
    client.call("watch", paths=["deck2.trim", "deck2.fader"], rate_hz=100)
    with engine.connect() as other:
        client.call("set", path="deck2.fader", value=-3.0)
        other.call("set", path="deck2.trim", value=1.5)
    _, said = next(client.notifications())
    assert said["values"] == {"deck2.trim": 1.5}


def test_a_client_is_not_told_of_its_own_hot_cue(engine, client):
    client.call("watch", paths=["deck2.hotcue1.position", "deck2.trim"], rate_hz=100)
    client.call("set", path="deck2.hotcue1.position", value=5.0, wait=True)
    time.sleep(0.1)
    with engine.connect() as other:
        other.call("set", path="deck2.trim", value=2.0)
    assert next(client.notifications()) == ("changed", {"values": {"deck2.trim": 2.0}})


def test_readings_are_pushed_as_they_change(client):
    client.call("watch", paths=["clock.beat"], rate_hz=50)
    heard = client.notifications()
    beats = [next(heard)[1]["values"]["clock.beat"] for _ in range(5)]
    assert beats == sorted(beats)
    assert beats[0] < beats[-1]


def test_a_client_that_never_reads_holds_up_nobody(engine, client):
    deaf = raw(engine)
    watch = msgpack.packb([0, 1, "watch", {"paths": ["*"], "rate_hz": 100}])
    deaf.sendall(framed(watch))
    ask = framed(msgpack.packb([0, 2, "describe", {}]))
    deaf.settimeout(1.0)
    with contextlib.suppress(TimeoutError):
        for _ in range(10_000):
            deaf.sendall(ask)
    for _ in range(50):
        client.call("set", path="crossfader", value=random.uniform(-100, 100))
    deaf.close()
    assert client.call("status")["engine"]["late"] >= 0


# ---------------------------------------------------------------------- bad bytes


def test_garbage_in_a_frame_is_answered_and_the_next_frame_is_heard(engine):
    with raw(engine) as connection:
        connection.sendall(framed(b"\xc1garbage") + framed(msgpack.packb([0, 9, "health", {}])))
        assert "msgpack" in read(connection)[2]["message"]
        assert read(connection)[1] == 9


@pytest.mark.parametrize("message", [[], {}, "status", [0, "x", "status", {}], [0, 1, 5, {}], [7]])
def test_another_shape_is_answered(engine, message):
    with raw(engine) as connection:
        connection.sendall(framed(msgpack.packb(message)))
        assert read(connection)[2]["code"] == "refused"


def test_a_frame_that_is_too_large_ends_the_connection_with_a_word(engine, client):
    with raw(engine) as connection:
        connection.sendall(struct.pack(">I", protocol.MAX_BYTES + 1) + b"x")
        assert "announced" in read(connection)[2]["message"]
        assert connection.recv(1) == b""
    assert client.call("health")


def test_a_request_before_a_broken_frame_is_answered(engine):
    with raw(engine) as connection:
        connection.sendall(framed(msgpack.packb([0, 9, "health", {}])) + b"\xff\xff\xff\xff")
        assert read(connection)[1] == 9
        assert "announced" in read(connection)[2]["message"]
        assert connection.recv(1) == b""


def test_half_a_frame_and_a_hang_up_harm_nobody(engine, client):
    for cut in (1, 3, 5, 9):
        with raw(engine) as connection:
            connection.sendall(framed(msgpack.packb([0, 1, "status", {}]))[:cut])
    assert client.call("health")


def test_random_frames_change_nothing_and_end_nothing(engine, client):
    before = client.call("values")
    chance = random.Random(4)
    with raw(engine) as connection:
        for _ in range(500):
            body = chance.randbytes(chance.randrange(0, 60))
            connection.settimeout(15)
            connection.sendall(framed(body))
            connection.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                while connection.recv(65_536):
                    pass
    after = client.call("values")
    assert {k: v for k, v in after.items() if "position" not in k} == {
        k: v for k, v in before.items() if "position" not in k
    }


# ---------------------------------------------------------------------- many


def all_let_go(engine):
    """Return whether those who hung up have been noticed: a few can connect at once again."""
    with contextlib.ExitStack() as stack:
        few = [stack.enter_context(raw(engine)) for _ in range(20)]
        try:
            for connection in few:
                connection.sendall(framed(msgpack.packb([0, 1, "health", {}])))
            return all(read(connection)[1] == 1 for connection in few)
        except (OSError, struct.error):
            return False


@pytest.mark.nightly
def test_thousands_of_clients_come_and_go(engine, client):
    for _ in range(10_000):
        with raw(engine):
            pass
    assert client.call("health")
    until(lambda: all_let_go(engine), "the last to be let go")


def test_more_clients_than_are_allowed_are_told_so(engine, client):
    with contextlib.ExitStack() as leaving:
        crowd = [leaving.enter_context(raw(engine)) for _ in range(protocol.MAX_CLIENTS + 20)]

        def told():
            return select.select(crowd, [], [], 0)[0]

        until(lambda: len(told()) >= 20, "those who are too many to be told")
        for connection in told():
            assert "connected already" in read(connection)[2]["message"]
    assert client.call("health")
    until(lambda: all_let_go(engine), "the crowd to be let go")


def test_clients_at_once_each_get_their_own_answers(engine):
    wrong = []

    def ask(number):
        with SocketClient(engine.runtime / "engine.sock") as own:
            for k in range(50):
                value = float((number * 50 + k) % 100)
                if own.call("set", path="deck1.bend", value=value / 4)["value"] != value / 4:
                    wrong.append((number, k))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_client_waits_for_news_longer_than_for_an_answer(engine):
    with SocketClient(engine.runtime / "engine.sock", timeout_s=2.0) as watcher:
        watcher.call("watch", paths=["deck2.bend"])
        watcher._socket.settimeout(0.05)
        with SocketClient(engine.runtime / "engine.sock") as other:
            timer = threading.Timer(0.3, lambda: other.call("set", path="deck2.bend", value=7))
            timer.start()
            _, said = next(watcher.notifications())
            timer.join()
        assert said["values"] == {"deck2.bend": 7.0}
