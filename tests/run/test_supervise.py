"""A life of the engine: what is said of it when it begins, and what the next one remembers."""

import os
import pty
import resource
import signal
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from engine_process import show, until

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.run import supervise
from sfa_engine.run.config import AudioConfig
from sfa_engine.system.process_lock import lock_holder, take_lock

pytestmark = pytest.mark.slow


def reasons(engine):
    with engine.connect() as client:
        return client.call("health")["reasons"]


def kill(engine, name):
    pid = lock_holder(engine.runtime / f"{name}.lock")
    os.kill(pid, signal.SIGKILL)
    return pid


def kill_and_see_it_again(engine, name):
    pid = kill(engine, name)
    until(lambda: lock_holder(engine.runtime / f"{name}.lock") not in {0, pid}, f"the next {name}")
    until(engine.answers, "the engine")


def test_a_new_start_does_not_report_earlier_restarts(silent_engine):
    kill(silent_engine, "stage")
    # A command in the half second after it waits for the next stage.
    assert silent_engine.command("get", "crossfader")[:2] == (0, "0.0 %\n")
    assert any("stage was restarted: SIGKILL" in reason for reason in reasons(silent_engine))
    silent_engine.parent.kill()
    silent_engine.parent.wait()
    silent_engine.start()
    assert any("stage was restarted: SIGKILL" in reason for reason in reasons(silent_engine))
    silent_engine.stop()
    silent_engine.start()
    assert not any("started again" in reason for reason in reasons(silent_engine))


def test_a_device_that_is_not_there_is_said_where_the_engine_was_started():
    with show({}, "nosuch") as engine:
        until(lambda: "health failing: device: " in engine.said(), "a word on the device")
        assert len([line for line in engine.said().splitlines() if "device: " in line]) == 1


def test_a_parent_that_cannot_keep_its_notes_starts_again_what_died(silent_engine):
    (silent_engine.runtime / ".restarts.json").mkdir()
    kill_and_see_it_again(silent_engine, "host")
    kill_and_see_it_again(silent_engine, "stage")
    kill_and_see_it_again(silent_engine, "stage")  # now its last words are looked for
    assert silent_engine.parent.poll() is None
    (silent_engine.runtime / ".restarts.json").rmdir()


def test_an_engine_starts_where_notes_cannot_be_kept(silent_engine):
    silent_engine.stop()
    (silent_engine.runtime / "restarts.json").mkdir()
    silent_engine.start()
    kill_and_see_it_again(silent_engine, "stage")
    (silent_engine.runtime / "restarts.json").rmdir()


@pytest.mark.parametrize("ends", [os.pipe, pty.openpty], ids=["pipe", "terminal"])
def test_a_parent_without_a_terminal_restarts_what_died(silent_engine, ends):
    silent_engine.parent.kill()
    silent_engine.parent.wait()
    ours, theirs = ends()
    silent_engine.parent = subprocess.Popen(
        [sys.executable, "-m", "sfa_engine.cli.main", "start", "--device", "none"],
        env=silent_engine.environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while b"host is already running" not in said:
        said += os.read(ours, 4096)
    os.close(ours)
    silent_engine.parent.send_signal(signal.SIGHUP)
    kill_and_see_it_again(silent_engine, "stage")
    kill_and_see_it_again(silent_engine, "host")
    assert silent_engine.parent.poll() is None


def test_a_process_that_cannot_be_started_now_is_started_later(silent_engine):
    parent = silent_engine.parent.pid
    before = resource.prlimit(parent, resource.RLIMIT_NOFILE)
    resource.prlimit(parent, resource.RLIMIT_NOFILE, (3, before[1]))
    pid = kill(silent_engine, "stage")
    until(lambda: "stage: Too many open files; restarting it in" in silent_engine.said(), "why")
    resource.prlimit(parent, resource.RLIMIT_NOFILE, before)
    until(lambda: lock_holder(silent_engine.runtime / "stage.lock") not in {0, pid}, "a stage")
    until(silent_engine.answers, "the engine")


def let_parent_die(engine):
    engine.parent.kill()
    engine.parent.wait()
    kill(engine, "host")


def let_host_hang(engine):
    os.kill(lock_holder(engine.runtime / "host.lock"), signal.SIGSTOP)


def let_host_die_again_and_again(engine):
    (engine.runtime / "host.sock").unlink()
    (engine.runtime / "host.sock").mkdir()  # no host can start
    kill(engine, "host")
    until(lambda: "host: ended with 1; restarting it in" in engine.said(), "a pause")


@pytest.mark.parametrize(
    ("mischief", "status"),
    [
        (let_parent_die, 0),
        (let_host_hang, 0),
        (let_host_die_again_and_again, 0),
        (lambda engine: kill(engine, "host"), 0),  # so that the next is just being started
        (
            lambda engine: [
                let_parent_die(engine),
                kill(engine, "stage"),
                kill(engine, "backstage"),
            ],
            1,
        ),
    ],
    ids=["no parent", "hanging host", "host in a pause", "new host", "nobody"],
)
def test_a_stopped_set_never_starts_by_itself(silent_engine, bundles, mischief, status):
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True, wait=True)
    until((silent_engine.runtime / "backstage.sock").exists, "backstage")
    mischief(silent_engine)
    assert silent_engine.command("stop")[0] == status
    silent_engine.parent.wait(10.0)
    with suppress(OSError):
        (silent_engine.runtime / "host.sock").rmdir()
    silent_engine.start()
    with silent_engine.connect() as client:
        assert not client.call("status")["decks"][0]["loaded"]
        assert client.call("get", path="deck1.play")["value"] == 0.0


def test_the_set_of_a_host_that_lives_is_not_forgotten(tmp_path):
    files = [tmp_path / "engine.memory", tmp_path / "stage-values.json"]
    for file in files:
        file.touch()
    held = take_lock(tmp_path / "host.lock", "a host", "stop it")
    supervise.delete_memory(tmp_path)
    assert all(file.exists() for file in files)
    os.close(held)
    supervise.delete_memory(tmp_path)
    assert not any(file.exists() for file in files)


def test_one_that_does_not_end_keeps_none_of_the_others(tmp_path, monkeypatch):
    supervisor = supervise.Supervisor(tmp_path, AudioConfig(), print)
    for child in supervisor.children:
        child.command = ["sleep", "60"]
        supervisor._start(child)
    end = supervise.end_process
    stage = supervisor.stage.pidfd
    monkeypatch.setattr(supervise, "end_process", lambda pidfd: end(pidfd) and pidfd != stage)
    with pytest.raises(EngineError, match=r"stage \(process \d+\) cannot be ended"):
        supervisor._end()
    assert supervisor.host.process.poll() == supervisor.backstage.process.poll() == -signal.SIGTERM
    supervisor.stage.process.wait()
    os.close(supervisor._lock)


def test_a_hot_cue_stored_without_a_backstage_comes_to_the_next_one(silent_engine):
    tracks = silent_engine.runtime / "data" / "sfa" / "tracks"
    tracks.mkdir(parents=True, exist_ok=True)
    sound = {"mix": np.zeros((8 * 48_000, 2), np.float32)}
    track = write_bundle_arrays(tracks / "a.sfa", sound, title="Quiet", artist="", bpm=None)
    silent_engine.stop()
    silent_engine.start("--no-backstage")
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(track))
        client.call("set", path="deck1.position", value=3.0, wait=True)
        client.call("press", path="deck1.hotcue2.store")
    pending = silent_engine.runtime / "data" / "sfa" / "hotcues-pending.json"
    until(pending.exists, "the hot cue on the disk")
    silent_engine.stop()
    silent_engine.start()

    def kept():
        try:
            with silent_engine.connect() as client:
                cues = client.call("library.show", track="quiet")["cues"]
        except SfaError:
            return False
        return [cue["position_s"] for cue in cues] == pytest.approx([3.0], abs=0.02)

    until(kept, "the hot cue in the library")


def test_a_host_that_another_process_ends_is_restarted_where_it_was(silent_engine, bundles):
    with silent_engine.connect() as client:
        client.call("deck.load", deck=1, path=str(bundles[0]))
        client.call("set", path="deck1.play", value=True, wait=True)
    pid = lock_holder(silent_engine.runtime / "host.lock")
    os.kill(pid, signal.SIGTERM)
    until(lambda: lock_holder(silent_engine.runtime / "host.lock") not in {0, pid}, "a host")
    memory = silent_engine.memory()
    until(lambda: memory.engine["host_pid"] not in {0, pid}, "its memory")
    until(silent_engine.answers, "the engine")
    with silent_engine.connect() as client:
        # What is on its decks the stage learns from the new host, a moment later.
        until(lambda: "title" in client.call("status")["decks"][0], "the track's name")
        deck = client.call("status")["decks"][0]
        assert deck["playing"]
        assert deck["title"] == "Track 1"
