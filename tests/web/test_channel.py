"""The channel: a real web process beside a real engine and backstage."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from channel_peer import Peer, Place
from engine_process import show
from fake_llm import KEY, MODEL, served, streamed
from house import song
from osc_client import free_port
from websockets.exceptions import ConnectionClosed

from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import BACKSTAGE_LOCK, BACKSTAGE_SOCKET, STAGE_LOCK
from sfa_engine.web import secrets, users
from sfa_engine.web.channel import MAX_OF_ONE, MAX_UNKNOWN
from sfa_engine.web.rights import SYSTEM
from sfa_engine.wire.blocking import SocketClient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running():
    port = free_port()
    with show({}, "none", f"[web]\nport = {port}\n", "--web") as engine:
        engine.place = Place(port, engine.runtime / "data" / "sfa")
        engine.place.ann = engine.place.user("ann", "admin")
        engine.place.admin = engine.place.token(engine.place.ann)
        with engine.place.open(engine.place.token(engine.place.user("eve", "admin"))) as first:
            ready(first)
        yield engine
        assert "Traceback" not in engine.log("web"), engine.log("web")


@pytest.fixture
def place(running):
    return running.place


@pytest.fixture
def peer(place):
    with place.open(place.admin) as found:
        yield found


@pytest.fixture
def kept(place):
    """A client that takes all messages, while the test reads those of another.

    websockets stops at 16 that are not read, does not see the answers to its pings then, and ends
    the connection after 40 s.
    """
    with place.open(place.admin, max_queue=None) as found:
        yield found


def ready(peer):
    """Wait until the web process knows all verbs."""
    give_up = time.monotonic() + 60
    while "error" in peer.call("library.statistics") or "error" in peer.call("status"):
        assert time.monotonic() < give_up, peer.seen
        time.sleep(0.05)


# ---------------------------------------------------------------- who may


def test_a_handshake_is_refused_with_a_problem(place):
    of = {"token": place.admin}
    assert place.refusal(headers={"Authorization": "Bearer sfa_no"})[0] == 401
    status, problem = place.refusal(**of, path="/api/channels")
    assert (status, problem["hint"]) == (404, "see /api/channel")
    status, problem = place.refusal(**of, form="sfa.xml")
    assert (status, "sfa.json or sfa.msgpack" in problem["hint"]) == (400, True)
    answer = httpx.get(
        f"{place.origin}/api/channel",
        headers={"Authorization": f"Bearer {place.admin}"},
        trust_env=False,
    )
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


def test_another_host_name_is_refused(place):
    request = (
        b"GET /api/channel HTTP/1.1\r\nHost: evil.example.org\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", place.port), timeout=30) as raw:
        raw.sendall(request)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 421 ")


def test_a_page_needs_its_own_origin(place):
    cookie = place.cookie(place.user("page"))
    for origin in ({}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "null"}):
        status, problem = place.refusal(headers={**cookie, **origin})
        assert (status, problem["code"]) == (403, "cross_site"), origin
    with place.open(headers={**cookie, "Origin": place.origin}) as peer:
        assert peer.pong()["time_s"] > 0


def test_a_token_may_be_the_first_message(place):
    with place.open() as peer:
        peer.send(token=place.admin)
        peer.pong()
        peer.send(token=place.admin)
        assert "first message" in peer.until(lambda m: "error" in m)["error"]["message"]
    for first, reason in (
        ({"token": "sfa_wrong"}, "the token is not valid"),
        ({"join": "jobs"}, "the token is not valid"),
        ({"nothing": 1}, "sign in, or send a token first"),
    ):
        with place.open() as peer:
            peer.send(**first)
            assert peer.closed() == (1008, reason)


def test_the_scope_read_is_needed(place):
    token = place.token(place.user("writer"), ["prepare"])
    with place.open(token) as peer:
        assert peer.closed() == (1008, "the channel needs the scope read")


def test_it_is_closed_when_the_session_ends_the_user_is_suspended_or_the_token_deleted(place):
    visitor = place.user("visitor")
    own = {**place.cookie(visitor), "Origin": place.origin}
    token = place.token(visitor)
    with place.open(headers=own) as page, place.open(token) as program:
        page.pong()
        program.pong()
        answer = httpx.post(
            f"{place.origin}/api/auth/logout", headers=own, json={}, trust_env=False
        )
        assert answer.status_code == 200
        assert page.closed() == (1008, "not signed in any more")
        program.pong()
        [listed] = place.write(secrets.tokens_of, visitor.id)
        place.write(secrets.delete_token, visitor.id, listed.id)
        assert program.closed() == (1008, "not signed in any more")
    with place.open(place.token(visitor)) as program:
        program.pong()
        place.write(users.set_status, SYSTEM, "visitor", "suspended")
        assert program.closed() == (1008, "not signed in any more")


def test_an_address_has_a_limit_of_channels(place):
    opened = []
    try:
        for _ in range(MAX_OF_ONE):
            lent = place.open(place.admin)
            lent.__enter__().pong()
            opened.append(lent)
        status, problem = place.refusal(token=place.admin)
        assert (status, problem["code"]) == (503, "busy")
    finally:
        for each in opened:
            each.__exit__(None, None, None)
    with place.open(place.admin) as peer:
        peer.pong()


def test_those_that_have_sent_no_token_leave_room_for_others(place):
    with ExitStack() as opened:
        unknown = [opened.enter_context(place.open()) for _ in range(MAX_UNKNOWN)]
        assert place.refusal()[0] == 503
        with place.open(place.admin) as peer:
            peer.pong()
        unknown[0].send(token=place.admin)
        unknown[0].pong()
        with place.open() as another:
            another.send(token=place.admin)
            another.pong()


# ---------------------------------------------------------------- calls


def test_calls_have_the_rights_of_http(place, peer):
    done = peer.call("set", path="deck1.filter", value=-40)
    assert done["result"]["value"] == -40
    assert peer.call("get", path="deck1.filter")["result"]["value"] == -40
    wrong = peer.call("set", path="deck1.filtre", value=-40)["error"]
    assert 'did you mean "deck1.filter"?' in wrong["hint"]
    assert "library.search" in peer.call("library.serch")["error"]["hint"]
    assert peer.call("watch", paths="*")["error"]["code"] == "refused"
    with place.open(place.token(place.user("guest"))) as guest:
        for method, params in (
            ("set", {"path": "deck1.filter", "value": 0}),
            ("library.edit", {"track": "x", "values": {}}),
            ("stop", {}),
        ):
            assert guest.call(method, **params)["error"]["code"] in {
                "forbidden",
                "absent",
                "refused",
            }
        given = {"sources": ["/etc/passwd"]}
        assert "needs the role admin" in guest.call("prep.add", **given)["error"]["message"]
        assert guest.call("jobs.list")["result"]["jobs"] == []
    assert peer.call("get", path="deck1.filter")["result"]["value"] == -40


def test_calls_of_one_client_are_in_order_and_reads_of_a_token_are_counted(place, peer):
    for number in range(50):
        peer.send(id=number, method="set", params={"path": "deck1.fader", "value": -number / 10})
    answers = {}
    while len(answers) < 50:
        found = peer.next()
        answers[found["id"]] = found["result"]["value"]
    assert answers == {number: pytest.approx(-number / 10) for number in range(50)}
    assert peer.call("get", path="deck1.fader")["result"]["value"] == pytest.approx(-4.9)
    with place.open(place.token(place.user("reader"), ["read"])) as reader:
        codes = [reader.call("library.playlists").get("error", {}).get("code") for _ in range(140)]
    assert codes[:100] == [None] * 100
    assert codes[-1] == "too_many_requests"


def test_what_a_client_holds_down_is_released_when_it_goes(place, peer):
    with place.open(place.admin) as hand:
        assert hand.call("set", path="deck1.bend", value=3)["result"]["value"] == 3
        assert peer.call("get", path="deck1.bend")["result"]["value"] == 3
    give_up = time.monotonic() + 30
    while peer.call("get", path="deck1.bend")["result"]["value"]:
        assert time.monotonic() < give_up
        time.sleep(0.02)


# ---------------------------------------------------------------- bad messages


@pytest.mark.parametrize(
    "data",
    [
        *("", "{", "[1]", "7", '{"join": 5}', '{"join": "jobs", "x": 1}', '{"ping": -1}', "{}"),
        *('{"method": "get"}', '{"id": 1.5, "method": "get"}', "[" * 20_000, '{"ping": 1e999}'),
        *('{"join": "jobs", "paths": ["deck1.play"]}', '{"id": 1, "method": "get", "params": 7}'),
    ],
)
def test_what_is_no_message_is_an_error_and_the_next_one_is_served(peer, data):
    peer.socket.send(data)
    found = peer.next()
    error = found["data"] if found.get("event") == "error" else found["error"]
    assert error["message"]
    peer.pong()


@pytest.mark.parametrize(
    "topic", ["", "job", "jobs:", "jobs:0", "jobs:x", "jobs:1:2", "jobs:" + "9" * 40, "tracks:1"]
)
def test_unknown_topics_are_named(peer, topic):
    peer.join(topic)
    assert "no topic" in peer.event(topic, "error")["data"]["message"]


def test_a_job_and_a_control_that_are_unknown_are_named(peer):
    peer.join("jobs:123456")
    assert "no job 123456" in peer.event("jobs:123456", "error")["data"]["message"]
    peer.join("playback", paths=["deck1.plaay"])
    assert "deck1.play" in peer.event("playback", "error")["data"]["hint"]
    peer.send(leave="playback")
    peer.pong()


@pytest.mark.parametrize(
    ("form", "data", "code"),
    [
        (None, b"{}", 1003),
        ("sfa.msgpack", "{}", 1003),
        ("sfa.json", "x" * 65_537, 1009),
        ("sfa.msgpack", b"x" * 70_000, 1009),
    ],
)
def test_what_breaks_the_form_closes_the_connection(place, form, data, code):
    with place.open(place.admin, form=form) as peer:
        peer.pong()
        peer.socket.send(data)
        assert peer.closed()[0] == code


def test_text_that_is_not_utf8_and_endless_fragments_close_the_connection(place):
    with place.open(place.admin) as peer:
        peer.socket.send(b"\xff\xfe", text=True)
        assert peer.closed()[0] == 1007
    with place.open(place.admin) as peer:
        with suppress(ConnectionClosed):
            peer.socket.send("" for _ in range(10_000))
        assert peer.closed()[0] in {1009, 1006}


def test_msgpack_that_claims_more_than_it_has_is_an_error(place):
    with place.open(place.admin, form="sfa.msgpack") as peer:
        for data in (b"\xdd\xff\xff\xff\xff", b"\xc1", b"\x81\xa4ping\xdd\xff\xff\xff\xff", b""):
            peer.socket.send(data)
            assert peer.next()["error"]["message"]
        peer.pong()


def test_a_flood_is_refused_and_then_closed(place):
    with place.open(place.admin) as peer:
        with suppress(ConnectionClosed):
            for number in range(20_000):
                peer.send(ping=number)
        assert peer.closed() == (1008, "too many messages")
        codes = {m["error"]["code"] for m in peer.seen if "error" in m}
        assert codes == {"too_many_requests"}
        assert sum("pong" in m for m in peer.seen) >= 200


def test_pings_of_a_peer_that_reads_nothing_are_not_kept(place, peer):
    with socket.create_connection(("127.0.0.1", place.port), timeout=30) as raw:
        raw.sendall(
            b"GET /api/channel HTTP/1.1\r\nHost: pi\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + place.admin.encode() + b"\r\n\r\n"
        )
        assert raw.recv(1000).startswith(b"HTTP/1.1 101 ")
        pings = b"".join([b"\x89\xfd\0\0\0\0" + b"x" * 125] * 500)
        sent = 0
        with suppress(ConnectionError):
            while sent < 200 << 20:
                raw.sendall(pings)
                sent += len(pings)
    assert sent < 200 << 20
    peer.pong()


# ---------------------------------------------------------------- topics


def test_a_job_is_followed_from_the_queue_to_the_end(place, kept, tmp_path):
    peer = kept
    for topic in ("tracks", "workers", "notifications", "jobs"):
        peer.join(topic)
        assert peer.event(topic)["event"] == "state"
    sources = [str(song(tmp_path / "followed.wav", seconds=20.0))]
    added = peer.call("prep.add", sources=sources, engine="none")["result"]
    job = added["jobs"][0]
    with place.open(place.admin, form="sfa.msgpack") as other:
        other.join(f"jobs:{job}")
        done = other.event(f"jobs:{job}", "job:completed")["data"]
        assert (done["job"], done["state"], done["percent"]) == (job, "done", 100.0)
        known = [m for m in other.seen if m.get("topic") == f"jobs:{job}"]
        assert known[0]["event"] in {"job:waiting", "job:progress", "job:completed"}
        other.join(f"pipeline:{done['track']}")
        whole = other.until(
            lambda m: (
                m.get("topic") == f"pipeline:{done['track']}"
                and {step["kind"] for step in m["data"]["steps"]} >= {"import", "analyse", "cue"}
                and all(step["percent"] == 100.0 for step in m["data"]["steps"])
            ),
            "all steps done",
        )
        numbers = [step["job"] for step in whole["data"]["steps"]]
        assert numbers == sorted(numbers)
    news = peer.event("notifications", "notification")["data"]
    assert (news["kind"], news["track"]) == ("batch.done", done["track"])
    idle = peer.until(
        lambda m: m.get("topic") == "workers" and not m["data"]["running"], "idle workers"
    )
    assert idle["data"]["jobs"] == []
    events = {m["event"] for m in peer.seen if m.get("topic") == "tracks"}
    assert events >= {"state", "track:added", "track:analysed", "track:updated"}
    running = [m for m in peer.seen if m.get("topic") == "workers" and m["data"]["running"]]
    assert running
    assert {m["event"] for m in peer.seen if m.get("topic") == "jobs"} >= {
        "state",
        "job:progress",
        "job:completed",
    }
    peer.send(id=2, method="library.remove", params={"track": "followed"})
    peer.event("tracks", "track:deleted")


def test_a_failed_job_says_why(peer, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF, but no sound")
    job = peer.call("prep.add", sources=[str(bad)], engine="none")["result"]["jobs"][0]
    peer.join(f"jobs:{job}")
    failed = peer.event(f"jobs:{job}", "job:failed")["data"]
    assert failed["error"]["message"]
    peer.join(f"jobs:{job}")  # joined again: its state at once
    assert peer.event(f"jobs:{job}")["event"] == "job:failed"


def test_values_are_an_array_of_the_names(place, peer):
    paths = ["deck1.filter", "deck1.eq.*", "master.volume", "deck1.title"]
    with place.open(place.admin, form="sfa.msgpack") as packed:
        for each in (packed, peer):
            each.join("playback", paths=paths)
            names = each.event("playback", "names")["data"]
            assert names[0] == "deck1.filter"
            assert {"master.volume", "deck1.title"} < set(names)
            values = each.event("playback", "values")["data"]
            assert len(values) == len(names)
            assert values[names.index("deck1.title")] == ""
            assert each.event("playback", "anchor")["data"]["deck"].startswith("deck")
        peer.call("set", path="deck1.filter", value=12.345)
        for each in (packed, peer):
            each.until(
                lambda m: m.get("event") == "values" and abs(m["data"][0] - 12.345) < 1e-5,
                "the new value",
            )
        peer.send(leave="playback")
        peer.pong()
        peer.seen.clear()
        peer.call("set", path="deck1.filter", value=-3)
        packed.until(lambda m: m.get("event") == "values" and m["data"][0] == -3, "the next one")
        peer.pong()
        assert not [m for m in peer.seen if m.get("topic") == "playback"]


def test_ten_clients_get_thirty_messages_a_second_at_most(place, running, peer, tmp_path):
    path = str(song(tmp_path / "ten.wav", seconds=30.0))
    with running.connect() as client:
        client.call("deck.load", deck=2, path=path)
        deadline = time.monotonic() + 200
        while not client.call("get", path="deck2.loaded")["value"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    peer.call("set", path="deck2.play", value=1)
    counts, failures = {}, []

    def follow(number):
        try:
            with place.open(place.admin, form="sfa.msgpack") as one:
                one.join("playback")
                one.event("playback", "values")
                one.seen.clear()
                end = time.monotonic() + 2.0
                while time.monotonic() < end:
                    one.next()
                values = [m["data"] for m in one.seen if m["event"] == "values"]
                counts[number] = (len(values), len({tuple(each) for each in values}))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failures
    assert len(counts) == 10
    for sent, different in counts.values():
        assert 10 <= sent <= 66
        assert different > 5
    peer.join("playback", paths=["deck2.position"])
    anchor = peer.until(
        lambda m: m.get("event") == "anchor" and m["data"]["deck"] == "deck2", "anchor"
    )["data"]
    assert (anchor["playing"], anchor["rate"]) == (True, 1.0)
    time.sleep(0.5)
    now = peer.pong()["time_s"]
    said = peer.call("get", path="deck2.position")["result"]["value"]
    assert said == pytest.approx(anchor["position_s"] + now - anchor["time_s"], abs=0.2)
    since = len(peer.seen)  # it may come before the answer
    peer.call("set", path="deck2.play", value=0)
    stopped = peer.until(
        lambda m: m.get("event") == "anchor" and not m["data"]["playing"], "a stop", since
    )
    assert stopped["data"]["rate"] == 0.0


def test_the_example_of_the_guide_runs(place, tmp_path):
    guide = (Path(__file__).parents[2] / "docs/web.md").read_text()
    code = guide.partition("## Channel")[2].partition("```python\n")[2].partition("```")[0]
    example = tmp_path / "example.py"
    example.write_text(code.replace("8952", str(place.port)))
    done = subprocess.run(
        [sys.executable, example],
        env={**os.environ, "SFA_TOKEN": place.admin},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 5
    assert ["deck1.filter", "master.level"] in [line.get("data") for line in lines]
    assert -40 in [line.get("result", {}).get("value") for line in lines]


# ---------------------------------------------------------------- agents


@pytest.fixture(scope="module")
def fake():
    """A server of models."""
    with served() as found:
        yield found


@pytest.fixture
def asker(place, fake):
    """A client of a new user with a provider; each may ask ten times a minute."""
    token = place.token(place.user(f"asker-{len(fake.seen)}", "admin"))
    with place.open(token) as peer:
        peer.token = token
        given = {"adapter": "custom_openai", "url": f"{fake.url}/v1", "model": MODEL, "key": KEY}
        assert "result" in peer.call("llm.add", name="rig", **given)
        yield peer


QUESTION = {"instruction": "how many tracks are there?", "task": "library"}


def asks(peer, number):
    """Ask a question; return whether its first words come, and not an error."""
    stream = f"question {number}"
    peer.send(id=number, method="agents.ask", params={**QUESTION, "stream": stream})
    found = peer.until(
        lambda m: m.get("id") == number or (m.get("data") or {}).get("stream") == stream, stream
    )
    assert found.get("error", {}).get("code") in {None, "busy"}, found
    return "error" not in found


def asks_again(peer, first):
    """Ask until one more question is taken: one of those before has ended."""
    numbers = range(first, first + 4)
    assert any(asks(peer, number) or time.sleep(0.5) for number in numbers)


def test_words_of_a_model_come_before_the_answer_to_those_who_asked(kept, fake, asker):
    fake.always = streamed("It is quiet.", "That is all.", pause_s=0.2)
    for peer in (asker, kept):
        peer.join("agents")
        assert peer.event("agents")["event"] == "state"
    answer = asker.call("agents.ask", 7, **QUESTION, stream="mine")["result"]
    assert (answer["by"], answer["output"]) == ("model", "It is quiet. That is all.")
    pieces = [m["data"] for m in asker.seen if m.get("event") == "piece"]
    assert {each["stream"] for each in pieces} == {"mine"}
    assert "".join(each["text"] for each in pieces).split() == answer["output"].split()
    kept.pong()
    assert [m["event"] for m in kept.seen if m.get("topic") == "agents"] == ["state"]
    asker.send(leave="agents")
    seen = len(asker.seen)
    assert "result" in asker.call("agents.ask", 8, **QUESTION, stream="mine")
    assert not [m for m in asker.seen[seen:] if m.get("topic") == "agents"]


def test_a_question_is_cancelled_and_does_not_outlive_its_client(place, fake, asker):
    fake.always = streamed("It is quiet.", "Wait", hangs=True)
    asker.join("agents")
    assert asks(asker, 1)
    assert asks(asker, 2)
    assert not asks(asker, 3)
    asker.send(cancel=1)
    assert asker.until(lambda m: m.get("id") == 1)["error"]["code"] == "cancelled"
    with place.open(asker.token) as leaving:
        leaving.join("agents")
        asks_again(leaving, 1)
    asks_again(asker, 4)
    assert not asks(asker, 9)


# ---------------------------------------------------------------- slow, away


def test_a_client_that_reads_too_slowly_is_closed_and_others_are_not(running, place, peer):
    def add_many():
        with SocketClient(running.runtime / BACKSTAGE_SOCKET, 30.0) as client:
            for number in range(2600):
                said = f"{number} " + "x" * 990
                client.call("notifications.add", level="info", kind="a.slow", sentence=said)

    peer.join("notifications")
    peer.event("notifications", "state")
    with place.open(place.admin, max_queue=1) as slow:
        slow.join("notifications")
        slow.event("notifications", "state")
        adding = threading.Thread(target=add_many)
        adding.start()
        peer.until(lambda m: m["data"].get("sentence", "").startswith("2599 "), "the last one")
        adding.join()
        got = [m for m in peer.seen if m["event"] == "notification"]
        assert len(got) >= 2600
        code, reason = slow.closed()
        assert (code, reason) in {(1013, "too slow"), (1006, "")}
        assert len([m for m in slow.seen if m["event"] == "notification"]) < 2600


def test_a_killed_backstage_is_away_and_then_the_state_comes_again(running, peer):
    for topic in ("notifications", "workers"):
        peer.join(topic)
        assert peer.event(topic)["event"] == "state"
    os.kill(lock_holder(running.runtime / BACKSTAGE_LOCK), signal.SIGKILL)
    assert peer.event("workers", "away")["data"] is None
    assert "jobs" in peer.event("workers", "state")["data"]
    assert any(m.get("topic") == "notifications" and m["event"] == "away" for m in peer.seen)


def test_a_killed_stage_is_away_and_then_values_come_again(running, peer):
    peer.join("playback", paths=["deck1.play"])
    peer.event("playback", "values")
    os.kill(lock_holder(running.runtime / STAGE_LOCK), signal.SIGKILL)
    peer.event("playback", "away")
    assert peer.event("playback", "names")["data"] == ["deck1.play"]
    assert peer.event("playback", "values")["data"] == [0.0]


def test_a_web_process_that_ends_says_so_and_comes_back(running, place):
    with place.open(place.admin) as peer:
        peer.pong()
        os.kill(lock_holder(running.runtime / "web.lock"), signal.SIGTERM)
        assert peer.closed()[0] in {1012, 1001}
    give_up = time.monotonic() + 60
    while True:
        try:
            with place.open(place.admin) as again:
                again.pong()
                assert isinstance(again, Peer)
                return
        except (OSError, ConnectionClosed):
            assert time.monotonic() < give_up
            time.sleep(0.05)
