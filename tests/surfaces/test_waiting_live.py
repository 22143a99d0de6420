"""Commands that wait for their time, while stage and host are killed."""

import os
import signal

import pytest
from engine_process import until

pytestmark = pytest.mark.slow


def pid_of(engine, name):
    with engine.connect() as client:
        return client.call("status")["engine"][f"{name}_pid"]


def kill(engine, name):
    """Kill a process, and wait for the next to answer."""
    pid = pid_of(engine, name)
    os.kill(pid, signal.SIGKILL)
    until(lambda: engine.answers() and pid_of(engine, name) != pid, f"another {name}")


def test_what_waits_for_a_bar_is_done_by_the_next_host(silent_engine):
    with silent_engine.connect() as client:
        client.call("set", path="clock.tempo", value=20.0)
        client.call("set", path="clock.beats_per_bar", value=2)  # one in 6 s
        client.call("press", path="clock.align")
        # A bar line less than 0.3 ms ago is this one; and the next is far away.
        until(lambda: 0.01 < client.call("get", path="clock.beat")["value"] % 2 < 1.0, "a bar")
        client.call("set", path="crossfader", value=-50.0, when="bar")
        before = client.call("commands.waiting")
        assert [(c["path"], c["value"], c["when"]) for c in before] == [
            ("crossfader", -50.0, "bar")
        ]
        kill(silent_engine, "host")
        until(
            lambda: (
                client.call("commands.waiting") == before
                or client.call("get", path="crossfader")["value"] == -50.0
            ),
            "the command to wait again",
        )
        until(lambda: client.call("get", path="crossfader")["value"] == -50.0, "the bar")
        # The stage takes it off its list when it reads the host's report.
        until(lambda: client.call("commands.waiting") == [], "the report")


def test_a_new_stage_lists_what_waits_and_can_cancel_it(silent_engine):
    frame = 1 << 40
    with silent_engine.connect() as client:
        client.call("set", path="deck2.trim", value=-3.0, when=frame)
        client.call("press", path="deck1.hotcue3.press", when=frame)
        until(lambda: len(client.call("commands.waiting")) == 2, "both")
        before = client.call("commands.waiting")
    kill(silent_engine, "stage")
    with silent_engine.connect() as client:
        assert client.call("commands.waiting") == before
        assert [c["path"] for c in before] == ["deck2.trim", "deck1.hotcue3.press"]
        assert client.call("commands.cancel", deck=1) == {"cancelled": 1}
        assert client.call("commands.cancel", id=before[0]["id"]) == {"cancelled": 1}
        assert client.call("commands.waiting") == []
