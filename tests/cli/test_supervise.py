"""A life of the engine: what is said of it when it begins, and what the next one remembers."""

import os
import signal

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
