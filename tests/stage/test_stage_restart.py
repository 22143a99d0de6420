"""A killed stage: its own values, the lock of backstage, and the rows of the list."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from engine_process import Show, show, until

pytestmark = pytest.mark.slow

RATE = 48_000


@pytest.fixture(scope="module")
def engine() -> Iterator[Show]:
    with show({}, "none") as running:
        until((running.runtime / "backstage.sock").exists, "backstage")
        yield running


def read(client, path):
    return client.call("get", path=path)["value"]


def kill_stage(engine: Show) -> None:
    """Kill the stage, and wait for the next one."""
    with engine.connect() as client:
        killed = client.call("status")["engine"]["stage_pid"]
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        if not engine.answers():
            return False
        with engine.connect() as client:
            return client.call("status")["engine"]["stage_pid"] != killed

    until(is_back, "the next stage")


def prepare(engine: Show, path) -> None:
    sound = np.random.default_rng(list(path.stem.encode())).standard_normal((2 * RATE, 2)) * 0.1
    soundfile.write(path, sound, RATE)
    status, _, err = engine.command("prep", "--no-stems", "--quiet", str(path))
    assert status == 0, err


def test_a_lock_that_was_on_is_on_after_the_stage_was_killed_for_backstage_all_the_time(
    engine, tmp_path
):
    prepare(engine, tmp_path / "kept.wav")
    with engine.connect() as client:
        client.call("set", path="session.lock", value="on")
        client.call("set", path="deck2.hotcue_bank", value=3)
    remove = ("library", "remove", "kept")
    until(lambda: engine.command(*remove)[0] == 1, "backstage to hear of it")
    kill_stage(engine)
    status, _, err = engine.command(*remove)
    assert status == 1, err
    assert "session.lock refuses removing a track" in err
    with engine.connect() as client:
        assert client.call("get", path="session.lock")["text"] == "on"
        assert client.call("get", path="session.locked")["text"] == "yes"
        assert read(client, "deck2.hotcue_bank") == 3.0
        client.call("set", path="session.lock", value="auto")


def test_rows_follow_what_is_added_removed_and_restored(engine, tmp_path):
    prepare(engine, tmp_path / "zeta.wav")
    with engine.connect() as client:

        def titles() -> list[str]:
            return [read(client, f"browse.row{row}.title") for row in range(1, 4)]

        until(lambda: "zeta" in titles(), "the new track")
        number = client.call("library.search", words="zeta")["tracks"][0]["id"]
        client.call("library.remove", track="zeta", force=True)
        until(lambda: "zeta" not in titles(), "its removal")
        client.call("library.restore", track=number)
        until(lambda: "zeta" in titles(), "its return")
        kill_stage(engine)
    with engine.connect() as client:
        until(lambda: read(client, "browse.row1.title"), "the rows of the next stage")


def test_what_waits_is_listed_and_cancelled_on_the_command_line(engine):
    assert engine.command("waiting") == (0, "", "")
    said = engine.command("set", "deck1.fader", "-1", "--at", "bar deck1")[1]
    assert said == "-1.0 dB at the next bar of deck1\n"
    assert engine.command("set", "deck1.trim", "-3", "--at", "9000000000")[1] == (
        "-3.0 dB at frame 9000000000\n"
    )
    assert engine.command("set", "deck2.play", "on", "--at", "9000000001")[0] == 0
    first, second = engine.command("waiting")[1].splitlines()
    assert first.split(maxsplit=1)[1] == "deck1.trim  -3.0 dB  frame 9000000000"
    assert second.split(maxsplit=1)[1] == "deck2.play  on       frame 9000000001"
    assert engine.command("cancel", first.split()[0])[:2] == (0, "1 cancelled\n")
    status, _, err = engine.command("cancel", first.split()[0])
    assert (status, "no such command" in err) == (1, True)
    assert engine.command("cancel")[0] == 1
    assert engine.command("cancel", "--deck", "2")[1] == "1 cancelled\n"
    assert engine.command("cancel", "--all")[1] == "0 cancelled\n"
    assert engine.command("waiting") == (0, "", "")
