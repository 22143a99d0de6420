"""Processes that live and do not answer are ended; a machine that stood still ends nobody."""

import os
import resource
import signal
import socket
import time

import pytest
from engine_process import until

from sfa_engine.engine.memory import Memory
from sfa_engine.run import supervise, watchdog
from sfa_engine.run.config import AudioConfig
from sfa_engine.run.watchdog import MAX_STEP_S, POLL_S, HostWatch, Watch
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.wire import connection

ANSWER_TIMEOUT_S, BEGIN_S, LISTEN_S = 5.0, 30.0, 60.0


class Process:
    """One that listens, and answers when it is told to."""

    def __init__(self, path):
        self.path = path
        self.listen()

    def listen(self):
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path.unlink(missing_ok=True)
        self.door.bind(str(self.path))
        self.door.listen(4)
        self.door.setblocking(False)

    def answer(self, what=None):
        while True:
            try:
                client, _ = self.door.accept()
            except BlockingIOError:
                return
            with client:
                client.sendall(connection.answer(0, {}) + connection.answer(1, what or {}))


@pytest.fixture
def process(tmp_path):
    made = Process(tmp_path / "host.sock")
    yield made
    made.door.close()


@pytest.fixture
def watch(process):
    made = Watch(process.path, "ping", ANSWER_TIMEOUT_S, BEGIN_S, LISTEN_S)
    yield made
    made.close()


def looks(watch, seconds, each=lambda: None):
    """Look for so long, in steps; return when it was taken for hung, and why."""
    for number in range(round(seconds / POLL_S)):
        each()
        why = watch.check(POLL_S)
        if why:
            return (number + 1) * POLL_S, why
    return None


def test_one_that_answers_is_not_hung(process, watch):
    assert looks(watch, 120, process.answer) is None


def test_one_that_stops_answering_is_hung_after_its_time(process, watch):
    assert looks(watch, 10, process.answer) is None
    process.answer()
    after_s, why = looks(watch, 60)
    assert ANSWER_TIMEOUT_S <= after_s <= ANSWER_TIMEOUT_S + 3 * POLL_S
    assert why == "hung: no answer for 5 s"


def test_one_that_begins_has_longer_and_one_that_does_not_listen_yet_longest(process, watch):
    assert looks(watch, 2 * BEGIN_S)[0] == pytest.approx(BEGIN_S, abs=1.0)
    process.door.close()
    nobody = Watch(process.path, "ping", ANSWER_TIMEOUT_S, BEGIN_S, LISTEN_S)
    after_s, why = looks(nobody, 2 * LISTEN_S)
    assert after_s == LISTEN_S
    assert "no socket that listens" in why


def test_an_exec_in_the_same_process_begins_again(process, watch):
    assert looks(watch, 10, process.answer) is None
    process.door.close()
    assert looks(watch, LISTEN_S - 5) is None
    process.listen()
    assert looks(watch, BEGIN_S - 5) is None
    assert looks(watch, 10, process.answer) is None


def test_a_machine_that_stood_still_is_one_step(process, watch):
    assert looks(watch, 10, process.answer) is None
    # What the supervisor counts of a night's sleep; then all go on, the watched one a second later.
    assert not watch.check(MAX_STEP_S)
    assert not watch.check(MAX_STEP_S)
    assert looks(watch, 10, process.answer) is None


def test_too_many_who_wait_are_no_answer_and_no_error(process, watch):
    assert looks(watch, 2, process.answer) is None
    crowd = []
    for _ in range(10):
        crowd.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        crowd[-1].setblocking(False)
        try:
            crowd[-1].connect(str(process.path))
        except BlockingIOError:
            break
    assert looks(watch, 10)[1].startswith("hung: no answer")
    for each in crowd:
        each.close()


# ---------------------------------------------------------------------- the host


@pytest.fixture
def memory(tmp_path):
    made = Memory.create(tmp_path / "engine.memory")
    made.engine["driver"] = b"stream"
    return made


@pytest.fixture
def host(process, tmp_path, memory):  # noqa: ARG001 - has to be there
    made = HostWatch(tmp_path)
    yield made
    made.close()


def well(process, idle_s=0.01):
    process.answer({"idle_s": idle_s})


def test_a_host_that_plays_and_answers_is_not_hung(process, host, memory):
    def each():
        memory.engine["blocks"] += 100
        well(process)

    assert looks(host, 120, each) is None


def play(memory):
    memory.engine["blocks"] += 100


@pytest.mark.parametrize(
    ("each", "limit_s", "why"),
    [
        (lambda _process, _memory: None, watchdog.HOST_SILENT_TIMEOUT_S, "no sound and no answer"),
        (lambda process, _memory: well(process), watchdog.BLOCK_TIMEOUT_S, "no sound"),
        (lambda _process, memory: play(memory), watchdog.HOST_PLAYING_TIMEOUT_S, "no answer"),
        (
            lambda process, memory: [play(memory), well(process, 60.0)],
            watchdog.HOST_PLAYING_TIMEOUT_S,
            "no answer",
        ),
    ],
    ids=["stopped", "audio thread", "requests", "main thread"],
)
def test_each_way_that_a_host_hangs_has_its_time(process, host, memory, each, limit_s, why):
    assert looks(host, 5, lambda: [play(memory), well(process)]) is None
    after_s, said = looks(host, 120, lambda: each(process, memory))
    assert limit_s <= after_s <= limit_s + 3 * POLL_S
    assert said.startswith(f"hung: {why} for ")


def replace_with(content, path):
    path.with_name("beside").write_bytes(content)
    path.with_name("beside").replace(path)


@pytest.mark.parametrize(
    "hide",
    [
        lambda path: path.unlink(),
        lambda path: replace_with(b"another version's", path),
        lambda path: [path.unlink(), path.mkdir()],
    ],
    ids=["removed", "another layout", "not a file"],
)
def test_a_host_that_answers_is_not_hung_because_its_memory_cannot_be_read(
    process, host, memory, hide
):
    memory.engine["host_pid"] = os.getpid()
    assert looks(host, 5, lambda: [play(memory), well(process)]) is None
    hide(memory.path)
    assert looks(host, 120, lambda: [play(memory), well(process)]) is None


def test_the_blocks_of_a_removed_memory_count_while_its_host_lives(process, host, memory):
    memory.engine["host_pid"] = os.getpid()
    assert looks(host, 5, lambda: [play(memory), well(process)]) is None
    memory.path.unlink()
    after_s, why = looks(host, 60, lambda: well(process))
    assert watchdog.BLOCK_TIMEOUT_S <= after_s <= watchdog.BLOCK_TIMEOUT_S + 3 * POLL_S
    assert why.startswith("hung: no sound for ")
    memory.engine["host_pid"] = 0
    assert looks(host, 60, lambda: well(process)) is None


def test_a_host_whose_memory_cannot_be_read_and_that_does_not_answer_is_hung(process, host, memory):
    assert looks(host, 5, lambda: [play(memory), well(process)]) is None
    replace_with(b"another version's", memory.path)
    assert looks(host, 60)[1].startswith("hung: no answer for ")


def test_a_host_that_plays_without_its_socket_is_only_reported_and_once(process, host, memory):
    assert looks(host, 5, lambda: [play(memory), well(process)]) is None
    process.path.unlink()
    well(process)
    remarks = []

    def each():
        play(memory)
        if host.remark:
            remarks.append(host.remark)
            host.remark = ""

    assert looks(host, 700, each) is None
    assert remarks == ["plays, but cannot be reached (no socket that listens for 300 s)"]
    after_s, why = looks(host, 60)  # the sound ends
    assert after_s == pytest.approx(watchdog.BLOCK_TIMEOUT_S, abs=1.0)
    assert "no socket that listens" in why


def test_a_parent_without_descriptors_takes_no_process_for_hung(process, watch):
    assert looks(watch, 5, process.answer) is None
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    process.answer()
    free = os.dup(0)
    os.close(free)
    try:
        lowest = min(free, watch._line.fileno())
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        assert looks(watch, 60) is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert looks(watch, 10, process.answer) is None


def test_a_host_that_takes_its_time_to_open_a_device_is_not_hung(host):
    assert looks(host, 25) is None


# ---------------------------------------------------------------------- whole


def pid_of(engine, name):
    return lock_holder(engine.runtime / f"{name}.lock")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stage", "host"])
def test_a_stopped_process_is_restarted_and_log_and_health_say_so(silent_engine, name):
    until(lambda: "health" in silent_engine.log("stage"), "the stage")
    time.sleep(3 * POLL_S)  # it has answered once; else it counts as one that begins
    pid = pid_of(silent_engine, name)
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    until(lambda: pid_of(silent_engine, name) not in {0, pid}, f"another {name}")
    assert time.monotonic() - began < 35.0
    until(silent_engine.answers, "the engine")
    assert f"{name} (process {pid}) hung: no " in silent_engine.log("supervisor")
    with silent_engine.connect() as client:
        reasons = client.call("health")["reasons"]
    assert any(f"{name} was restarted: hung: no " in reason for reason in reasons)


@pytest.mark.slow
def test_an_engine_that_stalled_as_a_whole_goes_on_and_ends_on_request(silent_engine):
    names = ("sfa", "host", "stage", "backstage")
    until(lambda: all(pid_of(silent_engine, name) for name in names), "all processes")
    until(lambda: "health" in silent_engine.log("stage"), "the stage")
    time.sleep(3 * POLL_S)
    pids = [pid_of(silent_engine, name) for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(watchdog.HOST_SILENT_TIMEOUT_S + 2.0)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    time.sleep(4 * POLL_S)
    assert [pid_of(silent_engine, name) for name in names] == pids
    assert "hung" not in silent_engine.log("supervisor")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    assert silent_engine.command("stop")[0] == 0
    assert time.monotonic() - began < 10.0  # nobody is waited for till he is killed
    assert "ended" in silent_engine.log("supervisor")
    assert silent_engine.log("stage").rstrip().endswith("ended")


def test_a_process_that_never_answered_had_no_good_life_however_long(tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "STEADY_S", 0.0)
    said = []
    supervisor = supervise.Supervisor(tmp_path, AudioConfig(), said.append)
    child = supervisor.stage
    child.command = ["false"]
    for number in (1, 2, 3):
        supervisor._start(child)
        child.process.wait()
        supervisor._on_exit(child)
        assert child.failures == number
    supervisor._flush_messages()
    assert "restarting it in 0.5 s" in said[-1]
    os.close(supervisor._lock)


def test_a_remark_of_a_watch_is_logged_once_and_no_process_is_ended(tmp_path):
    said = []
    supervisor = supervise.Supervisor(tmp_path, AudioConfig(), said.append)
    child = supervisor.host
    child.command = ["sleep", "60"]
    supervisor._start(child)
    child.watch.remark = "plays, but cannot be reached"
    for _ in range(3):
        supervisor._checked_at = 0.0
        supervisor._check()
        supervisor._flush_messages()
    assert said == [f"host (process {child.pid}) plays, but cannot be reached"]
    assert child.process.poll() is None
    supervisor._end()
    os.close(supervisor._lock)


def test_a_disk_that_hangs_keeps_no_parent_from_starting_a_process_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    supervisor = supervise.Supervisor(tmp_path, AudioConfig(), print)
    stuck = tmp_path / "sfa" / "log" / "stage.log"
    until(stuck.parent.exists, "the log")
    os.mkfifo(stuck)  # whoever opens it waits
    began = time.monotonic()
    for _ in range(2):
        supervisor._schedule_restart(supervisor.stage, "it died")
    assert time.monotonic() - began < 2.0
    supervisor._flush_messages()
    os.close(os.open(stuck, os.O_RDWR | os.O_NONBLOCK))
    os.close(supervisor._lock)
