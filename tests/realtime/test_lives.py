"""Any process may die: the music plays on, and the next one takes everything over."""

import os
import signal
import time

import numpy as np
import pytest
from engine_process import RATE, jack_server, show, until

from sfa_engine.audio.layout import BLOCKS
from sfa_engine.audio.lock import lock_holder

pytestmark = [pytest.mark.realtime, pytest.mark.slow]


def expected_position(before, since_ns):
    """Return where deck 1 should be by now, at its own speed."""
    return before + (time.monotonic_ns() - since_ns) / 1e9


def test_a_killed_stage_costs_not_one_block_and_the_next_knows_every_value(playing):
    memory = playing.memory()
    engine = memory.engine
    with playing.connect() as client:
        values = client.call("values")
        pid = client.call("status")["engine"]["stage_pid"]
    late, first, began = int(engine["late"]), int(engine["blocks"]), time.monotonic()
    os.kill(pid, signal.SIGKILL)
    until(lambda: playing.answers() and lock_holder(playing.runtime / "stage.lock") != pid, "stage")
    with playing.connect() as client:
        assert client.call("set", path="master.volume", value=-1.0, wait=True)["frame"] > 0
        took_s = time.monotonic() - began
        after = client.call("values")
    blocks = int(engine["blocks"]) - first
    starts = engine["block_start_ns"][np.arange(first, first + blocks) % BLOCKS]
    moving = {"deck1.position", "deck2.position", "master.volume"}
    assert {k: v for k, v in after.items() if k not in moving} == {
        k: v for k, v in values.items() if k not in moving
    }
    assert int(engine["late"]) - late <= blocks // 200
    assert blocks >= took_s * RATE / 128 * 0.97
    assert np.diff(starts).max() < 50e6
    assert took_s < 5.0


def test_a_killed_host_is_back_where_the_music_should_be(playing):
    memory = playing.memory()
    engine = memory.engine
    pid, since = int(engine["host_pid"]), time.monotonic_ns()
    before = memory.value("deck1.position")
    os.kill(pid, signal.SIGKILL)
    until(lambda: int(engine["host_pid"]) not in {0, pid} and not engine["fresh"], "host")
    until(lambda: memory.reading("master.level") > 0.001, "music")
    took_s = (time.monotonic_ns() - since) / 1e9
    position = memory.value("deck1.position")
    assert position == pytest.approx(expected_position(before, since), abs=0.06)
    assert abs(memory.reading("deck2.phase_error")) < 0.002
    assert memory.value("deck1.eq.low.gain") == -3.0
    assert memory.value("crossfader") == 12.0
    assert engine["transport"]["playing"].tolist() == [1, 1]
    assert took_s < 5.0
    with playing.connect() as client:
        said = client.call("health")
    assert any("host was started again: SIGKILL" in reason for reason in said["reasons"])


def test_a_killed_parent_leaves_both_alive_and_the_next_watches_over_them(playing):
    memory = playing.memory()
    host, stage = int(memory.engine["host_pid"]), lock_holder(playing.runtime / "stage.lock")
    playing.parent.kill()
    playing.parent.wait()
    playing.start()
    assert int(memory.engine["host_pid"]) == host
    assert lock_holder(playing.runtime / "stage.lock") == stage
    until(lambda: playing.said().count("watching over it") == 3, "the parent")
    blocks = int(memory.engine["blocks"])
    until(lambda: int(memory.engine["blocks"]) > blocks + 10, "blocks")


def test_when_the_server_dies_the_set_goes_on_silently_and_comes_back_with_it(bundles):
    with jack_server("sfa-loss") as server, show(server.environment, "default") as engine:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
            until(lambda: client.call("get", path="deck1.position")["value"] > 0.5, "music")
        memory = engine.memory()
        before, since = memory.value("deck1.position"), time.monotonic_ns()
        server.stop()
        until(lambda: memory.engine["driver"] == b"timer", "the timer")
        until(engine.answers, "the stage")
        with engine.connect() as client:
            until(lambda: client.call("health")["health"] == "poor", "the timer's first block")
        assert memory.value("deck1.position") == pytest.approx(
            expected_position(before, since), abs=0.1
        )
        server.start()
        until(lambda: memory.engine["driver"] == b"portaudio", "the device")
        until(lambda: memory.reading("master.level") > 0.001, "music")
        assert memory.value("deck1.position") == pytest.approx(
            expected_position(before, since), abs=0.1
        )


def test_a_server_that_hangs_for_a_moment_is_heard_again_when_it_goes_on(bundles):
    with jack_server("sfa-hang") as server, show(server.environment, "default") as engine:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
            until(lambda: client.call("get", path="deck1.position")["value"] > 0.5, "music")
        memory = engine.memory()
        pid = int(memory.engine["host_pid"])
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        server.process.send_signal(signal.SIGCONT)
        blocks, since = int(memory.engine["blocks"]), time.monotonic()
        until(lambda: int(memory.engine["blocks"]) > blocks + 50, "blocks")
        until(lambda: memory.reading("master.level") > 0.001, "music")
        assert time.monotonic() - since < 4.0
        assert memory.engine["driver"] == b"portaudio"
        assert int(memory.engine["host_pid"]) == pid


def test_an_end_that_was_asked_for_leaves_nothing_to_resume(bundles, jack):
    with show(jack.environment, "default") as engine:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
        assert engine.command("stop")[0] == 0
        engine.parent.wait(10.0)
        engine.start()
        with engine.connect() as client:
            assert not client.call("status")["decks"][0]["loaded"]
            assert client.call("get", path="deck1.play")["value"] == 0.0


def test_a_host_at_another_rate_goes_on_where_the_music_should_be(silent_engine, bundles):
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True)
        until(lambda: client.call("get", path="deck1.position")["value"] > 0.5, "music")
    memory = silent_engine.memory()
    silent_engine.parent.kill()
    silent_engine.parent.wait()
    before, since = memory.value("deck1.position"), time.monotonic_ns()
    os.kill(int(memory.engine["host_pid"]), signal.SIGKILL)
    silent_engine.start("--rate", "44100")
    until(lambda: memory.engine["sample_rate"] == 44_100.0 and not memory.engine["fresh"], "host")
    until(lambda: memory.reading("deck1.level") > 0.001, "music")
    assert memory.value("deck1.position") == pytest.approx(
        expected_position(before, since), abs=0.1
    )
    first, began = memory.value("deck1.position"), time.monotonic()
    time.sleep(0.5)
    speed = (memory.value("deck1.position") - first) / (time.monotonic() - began)
    assert speed == pytest.approx(1.0, abs=0.05)
