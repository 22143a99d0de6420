"""Which sound server is played on, and which library reaches it."""

import os
import socket
import threading
from contextlib import contextmanager

import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.host import jack
from sfa_engine.host.graph import IN_VAIN_S, PACE_S, Pace, Watch


@contextmanager
def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield
    path.unlink()


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A machine on which no sound server runs."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE", "JACK_DEFAULT_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jack, "JACK_FOLDER", tmp_path)
    return tmp_path


def test_pipewire_is_played_on_where_no_jack_server_answers(runtime):
    assert jack.server() == ""
    with listening(runtime / "pipewire-0"):
        assert jack.server() == jack.PIPEWIRE
    assert jack.server() == ""


@pytest.mark.parametrize("path", ["jack_default_{}_0", "jack-{}/default/jack_0"])
def test_a_jack_server_comes_before_pipewire(runtime, path):
    there = runtime / path.format(os.getuid())
    there.parent.mkdir(parents=True, exist_ok=True)
    with listening(runtime / "pipewire-0"), listening(there):
        assert jack.server() == jack.JACK


def test_a_socket_that_a_server_left_behind_does_not_answer(runtime):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(runtime / "pipewire-0"))
        server.listen()
    assert (runtime / "pipewire-0").exists()
    assert jack.server() == ""


def test_who_names_a_jack_server_wants_no_pipewire(runtime, monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "stage")
    with listening(runtime / "pipewire-0"):
        assert jack.server() == ""
        with listening(runtime / f"jack_stage_{os.getuid()}_0"):
            assert jack.server() == jack.JACK


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PIPEWIRE_REMOTE", "studio"), ("PIPEWIRE_REMOTE", "{}/studio"), ("PIPEWIRE_RUNTIME_DIR", "")],
)
def test_pipewire_is_where_its_variables_say(runtime, monkeypatch, variable, value):
    name = "studio" if "studio" in value else "pipewire-0"
    monkeypatch.setenv(variable, value.format(runtime))
    with listening(runtime / name):
        assert jack.server() == jack.PIPEWIRE


@pytest.mark.parametrize(
    ("multiarch", "folder"),
    [
        ("x86_64-linux-gnu", "lib/x86_64-linux-gnu"),
        ("aarch64-linux-gnu", "lib/aarch64-linux-gnu"),
        ("arm-linux-gnueabihf", "lib/arm-linux-gnueabihf"),
        ("", "lib64"),
        (None, "lib"),
        (None, "local/lib"),
    ],
)
def test_the_library_of_pipewire_is_found_where_distributions_put_it(
    tmp_path, monkeypatch, multiarch, folder
):
    monkeypatch.setattr(jack, "USR", tmp_path)
    monkeypatch.setattr(jack.sysconfig, "get_config_var", lambda _: multiarch)
    assert jack.pipewire_libraries() == []
    library = tmp_path / folder / "pipewire-0.3" / "jack" / "libjack.so.0"
    library.parent.mkdir(parents=True)
    library.touch()
    assert jack.pipewire_libraries() == [library]


RATE = 48_000


def told(memory, seconds, frame, misses=0):
    """Write what a block at a moment leaves behind."""
    engine = memory.engine
    snapshot = engine["snapshots"][int(engine["serial"]) & 1]
    snapshot["monotonic_ns"] = round(seconds * 1e9)
    snapshot["frame"] = round(frame)
    engine["device_misses"] = misses


@pytest.fixture
def memory():
    made = Memory.anonymous()
    made.engine["sample_rate"] = RATE
    made.engine["block"] = 128
    return made


@pytest.mark.parametrize(
    ("real", "off"), [(RATE, False), (RATE * 1.003, False), (44_100, True), (96_000, True)]
)
def test_a_device_of_another_rate_is_seen_by_its_pace_within_half_a_second(memory, real, off):
    pace = Pace(memory)
    told(memory, 100.0, 0)
    assert not pace.is_off()
    told(memory, 100.5, 0.5 * real)
    assert pace.is_off() is off


@pytest.mark.parametrize("block", [64, 1024, 8192])
def test_a_pace_of_the_right_rate_is_never_off_wherever_in_a_block_it_is_taken(memory, block):
    memory.engine["block"] = block
    pace = Pace(memory)
    for look in range(100):
        seconds = 0.5 * look
        told(memory, seconds, seconds * RATE + (look * 977) % block)
        assert not pace.is_off()


def test_long_blocks_of_another_rate_are_seen_in_time(memory):
    memory.engine["block"] = 2048
    pace = Pace(memory)
    looks = [0.5 * n for n in range(int(2 * PACE_S))]
    seen = []
    for seconds in looks:
        told(memory, seconds, seconds * 44_100)
        seen.append(pace.is_off())
    assert seen.index(True) * 0.5 <= 2.0


def test_a_time_in_which_blocks_were_missed_says_nothing_of_the_rate(memory):
    pace = Pace(memory)
    told(memory, 100.0, 0)
    pace.is_off()
    told(memory, 100.5, 0.3 * RATE, misses=1)  # stopped for 0.2 s
    assert not pace.is_off()
    told(memory, 101.0, 0.8 * RATE, misses=1)
    assert not pace.is_off()


def test_a_device_that_gets_the_wrong_rate_again_is_reopened_less_and_less_often(memory):
    engine = memory.engine

    def reopen():
        """Become the next host, which has the wrong rate again."""
        engine["reopened_ns"] = int(engine["host_started_ns"]) + 10**9
        engine["host_started_ns"] = int(engine["reopened_ns"]) + 10**9
        return Watch(memory, "default", 2, threading.Event())

    watch = Watch(memory, "default", 2, threading.Event())
    engine["host_started_ns"] = 10**12
    off = watch._compare(44_100)
    assert watch._rest_s(off) == 0.0
    rests = [reopen()._rest_s(off) for _ in range(6)]
    assert rests == [IN_VAIN_S, 2 * IN_VAIN_S, 4 * IN_VAIN_S, 8 * IN_VAIN_S, 60.0, 60.0]
    assert reopen()._rest_s("") == 0.0
    assert reopen()._rest_s(off) == IN_VAIN_S
