"""The topics ``log`` and ``trace``: for users with `debug` on who have the right."""

import pytest
from channel_peer import Place
from engine_process import show
from osc_client import free_port

from sfa_engine.web import users
from sfa_engine.web.debug import MAX_ITEMS, Newest
from sfa_engine.web.preferences import write
from sfa_engine.web.rights import SYSTEM

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running():
    port = free_port()
    with show({}, "none", f"[web]\nport = {port}\n", "--web") as engine:
        engine.place = Place(port, engine.runtime / "data" / "sfa")
        yield engine
        assert "Traceback" not in engine.log("web"), engine.log("web")


@pytest.fixture(scope="module")
def place(running):
    return running.place


def user(place, name, role, *, debug=True):
    made = place.user(name, role)
    place.write(write, made.id, {"debug": debug})
    return made


def settled(peer):
    """Wait until the verbs of the engine are known."""
    while "error" in peer.call("status"):
        pass


def test_the_rule(place):
    """The log is for admins, the trace for those who perform, both only with debug on."""
    for name, role, scopes, debug, log, trace in (
        ("ann", "admin", None, True, "", ""),
        ("bea", "admin", None, False, "debug on", "debug on"),
        ("cid", "admin", ["read", "perform"], True, "for admins", ""),
        ("dan", "moderator", None, True, "for admins", ""),
        ("eve", "user", None, True, "for admins", "the scope perform"),
    ):
        with place.open(place.token(user(place, name, role, debug=debug), scopes)) as peer:
            for topic, refusal in (("log", log), ("trace", trace)):
                peer.join(topic)
                found = peer.event(topic)
                assert (found["event"] == "error") is bool(refusal), found
                if refusal:
                    assert found["data"]["code"] == "forbidden"
                    assert refusal in found["data"]["message"]


def test_lines_of_the_logs_come_as_they_are_written(running, place):
    with place.open(place.token(user(place, "fay", "admin"))) as peer:
        peer.join("log")
        first = peer.event("log", "lines")["data"]
        assert first["missed"] == 0
        assert {"supervisor", "stage", "web"} <= {line["process"] for line in first["items"]}
        assert any(line["text"] == "started" for line in first["items"])
        times = [line["at_s"] for line in first["items"]]
        assert times == sorted(times)
        log = next(running.runtime.rglob("web.log"))
        with log.open("a") as file:
            file.write("2026-11-30T10:00:00.000+01:00 WARNING web[9] a marked line\n")
        found = peer.until(
            lambda m: (
                m.get("topic") == "log"
                and any(line["text"] == "a marked line" for line in m["data"]["items"])
            ),
            "the marked line",
        )["data"]["items"]
        found = next(line for line in found if line["text"] == "a marked line")
        assert (found["level"], found["process"]) == ("warning", "web")


def test_commands_come_with_source_and_frame(place):
    with place.open(place.token(user(place, "gus", "moderator"))) as peer:
        settled(peer)
        peer.join("trace")
        peer.event("trace", "state")
        params = {"path": "deck1.filter", "value": -40}
        peer.send(id=7, method="set", params=params)

        def wanted(message):
            return message.get("event") == "events" and any(
                item["path"] == "deck1.filter" for item in message["data"]["items"]
            )

        [item] = [
            each
            for each in peer.until(wanted, "the command")["data"]["items"]
            if each["path"] == "deck1.filter"
        ]
        assert (item["event"], item["op"], item["value"]) == ("applied", "set", -40)
        assert item["source"].startswith("socket ")
        assert item["frame"] > 0
        assert item["seq"] > 0
        peer.send(leave="trace")
        peer.pong()
        peer.seen.clear()
        peer.call("set", path="deck1.filter", value=0, wait=True)
        peer.pong()
        assert not any(wanted(each) for each in peer.seen)


def test_switching_debug_off_ends_the_topics(place):
    made = user(place, "hal", "admin")
    with place.open(place.token(made)) as peer:
        settled(peer)
        for topic in ("log", "trace"):
            peer.join(topic)
            peer.event(topic)
        place.write(write, made.id, {"debug": False})
        for _ in range(2):
            found = peer.until(lambda m: m.get("event") == "error", "the end")
            assert "debug on" in found["data"]["message"]
        place.write(write, made.id, {"debug": True})
        peer.join("log")
        assert peer.event("log", "lines", "error")["event"] == "lines"
        place.write(users.set_role, SYSTEM, "hal", "moderator")
        found = peer.until(lambda m: m.get("event") == "error", "the end")
        assert (found["topic"], found["data"]["code"]) == ("log", "forbidden")


def test_the_newest_lines_win_and_the_others_are_counted():
    newest = Newest()
    newest.put(range(MAX_ITEMS - 1))
    newest.put(range(1000, 1000 + MAX_ITEMS), missed=3)
    found = newest.take()
    assert found["items"] == list(range(1000, 1000 + MAX_ITEMS))
    assert found["missed"] == MAX_ITEMS - 1 + 3
    assert newest.take() == {"items": [], "missed": 0}
