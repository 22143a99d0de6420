"""A life of the engine: what is said of it when it begins, and what the next one remembers."""

import os
import pty
import resource
import signal
import subprocess
import sys

import pytest
from engine_process import show, until

from sfa_engine.audio.lock import lock_holder

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


def test_a_new_life_does_not_tell_of_the_deaths_of_the_last(silent_engine):
    kill(silent_engine, "stage")
    # A command in the half second after it waits for the next stage.
    assert silent_engine.command("get", "crossfader")[:2] == (0, "0.0 %\n")
    assert any("stage was started again: SIGKILL" in reason for reason in reasons(silent_engine))
    silent_engine.parent.kill()
    silent_engine.parent.wait()
    silent_engine.start()
    assert any("stage was started again: SIGKILL" in reason for reason in reasons(silent_engine))
    silent_engine.stop()
    silent_engine.start()
    assert not any("started again" in reason for reason in reasons(silent_engine))


def test_a_device_that_is_not_there_is_said_where_the_engine_was_started():
    with show({}, "nosuch") as engine:
        until(lambda: "health poor: device: " in engine.said(), "a word on the device")
        assert len([line for line in engine.said().splitlines() if "device: " in line]) == 1


def test_a_parent_that_cannot_keep_its_notes_starts_again_what_died(silent_engine):
    (silent_engine.runtime / ".restarts.json").mkdir()
    (silent_engine.runtime / "engine.log").unlink()
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
def test_a_parent_that_nobody_hears_starts_again_what_died(silent_engine, ends):
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
    while b"host runs already" not in said:
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
    until(lambda: "stage: Too many open files; starting it again in" in silent_engine.said(), "why")
    resource.prlimit(parent, resource.RLIMIT_NOFILE, before)
    until(lambda: lock_holder(silent_engine.runtime / "stage.lock") not in {0, pid}, "a stage")
    until(silent_engine.answers, "the engine")
