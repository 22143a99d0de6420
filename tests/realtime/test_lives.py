"""Any process may die: the music plays on, and the next one takes everything over."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from engine_process import RATE, jack_server, show, until

from sfa_engine.bench import null_client
from sfa_engine.engine.layout import BLOCKS
from sfa_engine.engine.memory import Memory
from sfa_engine.host import build
from sfa_engine.run.folders import memory_path
from sfa_engine.system.process_lock import lock_holder

pytestmark = [pytest.mark.realtime, pytest.mark.slow]


TRIES = 5
STILL_S = 0.01  # of a client that does nothing: then the machine did something else meanwhile


class Machine:
    """A client on a timer that does nothing: what the machine itself does to a program's time."""

    def __init__(self, memory):
        self.engine = memory.engine

    def once(self, happens):
        """Have something happen; again only if the do-nothing client was held up meanwhile too.

        Parameters
        ----------
        happens : callable
            Does it, and returns what is not as it should be; empty if all is.
        """
        attempts = []
        for _ in range(TRIES):
            began_ns = time.monotonic_ns()
            wrong = happens()
            if not wrong:
                break
            still_s = self.longest_still_s(began_ns)
            attempts.append(f"{wrong}; the do-nothing client stood still for {still_s:.3f} s")
            if still_s < STILL_S:
                pytest.fail(f"{len(attempts)} attempts: {attempts}")
        else:
            pytest.fail(f"{TRIES} attempts: {attempts}")
        if attempts:
            print(f"passed after {len(attempts)} attempts on a busy machine: {attempts}")

    def longest_still_s(self, since_ns):
        """Return the longest time between two blocks, as far as it is remembered."""
        last = int(self.engine["blocks"])
        numbers = np.arange(max(0, last - BLOCKS + 2), last)
        starts = self.engine["block_start_ns"][numbers % BLOCKS].astype(np.int64)
        starts = starts[starts >= since_ns]
        return float(np.diff(starts).max()) / 1e9 if len(starts) > 1 else np.inf


@pytest.fixture(scope="module")
def machine():
    build.ensure()
    with tempfile.TemporaryDirectory(prefix="sfa-t-", dir=memory_path()) as folder:
        command = [sys.executable, "-m", "sfa_engine.bench.null_client", folder, "none", "128"]
        process = subprocess.Popen(command)
        try:
            path = Path(folder) / null_client.MEMORY
            until(path.exists, "the do-nothing client")
            memory = Memory.open(path)
            until(lambda: int(memory.engine["blocks"]) > 10, "its blocks")
            yield Machine(memory)
        finally:
            process.terminate()
            process.wait()


class March:
    """Deck 1, which should be where it was and the time since."""

    def __init__(self, memory, tolerance_s):
        self.memory = memory
        self.tolerance_s = tolerance_s
        self.began_ns = time.monotonic_ns()
        self.position_s = memory.value("deck1.position")

    @property
    def wrong(self):
        """How far off it is, in words; empty if that is little."""
        took_s = (time.monotonic_ns() - self.began_ns) / 1e9
        off_s = self.memory.value("deck1.position") - self.position_s - took_s
        return f"{off_s:+.3f} s off" if abs(off_s) > self.tolerance_s else ""


def test_a_killed_stage_costs_not_one_block_and_the_next_knows_every_value(playing, machine):
    memory = playing.memory()
    engine = memory.engine
    # Deck 2 is synced: its rate follows that of deck 1 to the last bit, and with it what shows it.
    followed = {f"deck2.{name}" for name in ("rate", "bpm", "tempo_fader")}
    places = {f"deck{deck}.{name}" for deck in (1, 2) for name in ("position", "needle")}
    moving = {*places, "master.volume"} | followed

    def kill():
        with playing.connect() as client:
            values = client.call("values")
            pid = client.call("status")["engine"]["stage_pid"]
        late, first, began = int(engine["late"]), int(engine["blocks"]), time.monotonic()
        os.kill(pid, signal.SIGKILL)
        lock = playing.runtime / "stage.lock"
        until(lambda: playing.answers() and lock_holder(lock) != pid, "stage")
        with playing.connect() as client:
            assert client.call("set", path="master.volume", value=-1.0, wait=True)["frame"] > 0
            took_s = time.monotonic() - began
            after = client.call("values")
        assert {k: v for k, v in after.items() if k not in moving} == {
            k: v for k, v in values.items() if k not in moving
        }
        blocks = min(int(engine["blocks"]) - first, BLOCKS - 1)
        starts = engine["block_start_ns"][np.arange(first, first + blocks) % BLOCKS]
        if blocks < min(took_s * RATE / 128, BLOCKS) * 0.97 or np.diff(starts).max() >= 50e6:
            return f"{blocks} blocks in {took_s:.3f} s"
        return f"{late} late" if int(engine["late"]) - late > blocks // 200 else ""

    machine.once(kill)


def test_a_killed_host_is_back_where_the_music_should_be(playing, machine):
    memory = playing.memory()
    engine = memory.engine

    def kill():
        pid, march = int(engine["host_pid"]), March(memory, 0.06)
        os.kill(pid, signal.SIGKILL)
        until(lambda: int(engine["host_pid"]) not in {0, pid} and not engine["fresh"], "host")
        until(lambda: memory.reading("master.level") > 0.001, "music")
        return march.wrong

    machine.once(kill)
    until(lambda: abs(memory.reading("deck2.phase_error")) < 0.002, "the beats to be one")
    assert memory.value("deck1.eq.low.gain") == -3.0
    assert memory.value("crossfader") == 12.0
    assert engine["transport"]["playing"].tolist() == [1, 1]
    with playing.connect() as client:
        said = client.call("health")
    assert any("host was restarted: SIGKILL" in reason for reason in said["reasons"])


def test_a_killed_parent_leaves_both_alive_and_the_next_watches_over_them(playing):
    memory = playing.memory()
    host, stage = int(memory.engine["host_pid"]), lock_holder(playing.runtime / "stage.lock")
    playing.parent.kill()
    playing.parent.wait()
    playing.start()
    assert int(memory.engine["host_pid"]) == host
    assert lock_holder(playing.runtime / "stage.lock") == stage
    until(lambda: playing.said().count("supervising it") == 3, "the parent")
    blocks = int(memory.engine["blocks"])
    until(lambda: int(memory.engine["blocks"]) > blocks + 10, "blocks")


def test_when_the_server_dies_the_set_goes_on_silently_and_comes_back_with_it(bundles, machine):
    with jack_server("sfa-loss") as server, show(server.environment, "default") as engine:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
            until(lambda: client.call("get", path="deck1.position")["value"] > 0.5, "music")
        memory = engine.memory()

        def lose():
            march = March(memory, 0.1)
            server.stop()
            until(lambda: memory.engine["driver"] == b"timer", "the timer")
            until(engine.answers, "the stage")
            with engine.connect() as client:
                until(lambda: client.call("health")["health"] == "failing", "the timer")
            wrong = march.wrong
            server.start()
            until(lambda: memory.engine["driver"] == b"portaudio", "the device")
            until(lambda: memory.reading("master.level") > 0.001, "music")
            return wrong or march.wrong

        machine.once(lose)


def test_a_server_that_hangs_for_a_moment_is_heard_again_when_it_goes_on(bundles, machine):
    with jack_server("sfa-hang") as server, show(server.environment, "default") as engine:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
            until(lambda: client.call("get", path="deck1.position")["value"] > 0.5, "music")
        memory = engine.memory()
        pid = int(memory.engine["host_pid"])

        def hang():
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(0.8)
            server.process.send_signal(signal.SIGCONT)
            blocks, since = int(memory.engine["blocks"]), time.monotonic()
            until(lambda: int(memory.engine["blocks"]) > blocks + 50, "blocks")
            until(lambda: memory.reading("master.level") > 0.001, "music")
            until(lambda: memory.engine["driver"] == b"portaudio", "the device")
            took_s = time.monotonic() - since
            return f"after {took_s:.1f} s" if took_s > 4.0 else ""

        machine.once(hang)
        assert int(memory.engine["host_pid"]) == pid


@pytest.mark.parametrize(
    "whole",
    [pytest.param(False, marks=pytest.mark.nightly), True],
    ids=["the server", "server and host"],
)
def test_what_stands_still_for_half_a_second_is_not_started_again(bundles, machine, whole):
    with jack_server("sfa-still") as server, show(server.environment, "default") as engine:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
            until(lambda: client.call("get", path="deck1.position")["value"] > 0.5, "music")
        memory = engine.memory().engine
        pids = [server.process.pid, *([int(memory["host_pid"])] if whole else [])]

        def stand_still():
            began_ns = int(memory["host_started_ns"])
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(0.6)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            blocks = int(memory["blocks"])
            until(lambda: int(memory["blocks"]) > blocks + 500, "blocks")
            return "started again" if int(memory["host_started_ns"]) != began_ns else ""

        machine.once(stand_still)


def test_an_end_that_was_asked_for_leaves_nothing_to_resume(bundles, jack):
    with show(jack.environment, "default") as engine:
        with engine.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
            client.call("set", path="deck1.play", value=True)
        assert engine.command("stop")[0] == 0
        engine.parent.wait(60.0)
        engine.start()
        with engine.connect() as client:
            assert not client.call("status")["decks"][0]["loaded"]
            assert client.call("get", path="deck1.play")["value"] == 0.0


def test_a_host_at_another_rate_goes_on_where_the_music_should_be(silent_engine, bundles, machine):
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True)
        until(lambda: client.call("get", path="deck1.position")["value"] > 0.5, "music")
    memory = silent_engine.memory()

    def change():
        rate = 48_000.0 if memory.engine["sample_rate"] == 44_100.0 else 44_100.0
        silent_engine.parent.kill()
        silent_engine.parent.wait()
        march = March(memory, 0.1)
        os.kill(int(memory.engine["host_pid"]), signal.SIGKILL)
        silent_engine.start("--rate", f"{rate:g}")
        until(lambda: memory.engine["sample_rate"] == rate and not memory.engine["fresh"], "host")
        until(lambda: memory.reading("deck1.level") > 0.001, "music")
        return march.wrong

    machine.once(change)

    def runs():
        march = March(memory, 0.025)
        time.sleep(0.5)
        return march.wrong

    machine.once(runs)
