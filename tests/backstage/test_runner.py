"""Worker programs that behave, and those that print garbage, hang, crash or fork."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfa_engine.backstage import runner
from sfa_engine.backstage.niceness import NICE, NICE_PLAYING, Niceness
from sfa_engine.backstage.runner import WorkerRequest, kill_tagged, run_worker
from sfa_engine.errors import MediaError, WorkerError

HEAD = (
    "import json, os, signal, subprocess, sys, time\nrequest = json.loads(sys.stdin.readline())\n"
)
DAEMON = (
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    open(request['pid'], 'w').write(str(os.getpid()))\n"
    "    os.close(1)\n"
    "    time.sleep(60)\n"
    "while not os.path.exists(request['pid']) or not open(request['pid']).read(): time.sleep(.01)\n"
)


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What nobody closed warns when it is collected, and a warning fails the test: at once."""
    yield
    gc.collect()


def run(body: str, time_limit_s: float = 60.0, **request: Any) -> dict[str, Any]:
    """Run a worker whose program is given, to its result."""
    return asyncio.run(run_worker(order(body, time_limit_s, **request)))


def order(body: str, time_limit_s: float = 60.0, **request: Any) -> WorkerRequest:
    program = ("-c", HEAD + textwrap.dedent(body))
    return WorkerRequest(program, request, f"test-{uuid.uuid4()}", time_limit_s)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_result_comes_back_and_progress_on_the_way() -> None:
    said: list[tuple[float, str]] = []
    body = """
        print(json.dumps({"progress": 0.5, "doing": "half"}))
        print(json.dumps({"result": {"seven": request["seven"]}}))
    """

    async def main() -> dict[str, Any]:
        return await run_worker(order(body, seven=7), lambda *news: said.append(news))

    assert asyncio.run(main()) == {"seven": 7}
    assert said == [(0.5, "half")]


def test_what_a_worker_says_is_wrong_is_raised_with_its_kind() -> None:
    with pytest.raises(MediaError, match="no sound") as caught:
        run("""print(json.dumps({"error": "no sound", "hint": "take another", "code": "media"}))""")
    assert caught.value.hint == "take another"


def test_garbage_is_its_log_and_the_result_still_comes() -> None:
    body = """
        sys.stdout.buffer.write(b"\\xff\\x00{garbage\\n[1,2]\\n{}\\n" + b"x" * 100000 + b"\\n")
        print('{"progress": "lots"}')
        print(json.dumps({"result": {"fine": True}}))
    """
    assert run(body) == {"fine": True}


def test_modules_of_the_folder_one_is_in_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wave.py").write_text("raise SystemExit('of the music folder')")
    monkeypatch.chdir(tmp_path)
    assert run("import wave\nprint(json.dumps({'result': {'fine': True}}))") == {"fine": True}


def test_a_machine_without_threads_to_spare_is_an_error_and_leaves_no_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = order("time.sleep(60)")
    started: list[subprocess.Popen[bytes]] = []

    def start(*given: Any, **options: Any) -> None:
        started.append(subprocess.Popen(given[1:], stdin=subprocess.DEVNULL, env=options["env"]))
        raise RuntimeError("can't start new thread")  # as asyncio does, to wait for the program

    async def main() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "subprocess_exec", start)
        await run_worker(wanted)

    with pytest.raises(WorkerError, match="can't start new thread"):
        asyncio.run(main())
    assert started[0].wait(30) == -signal.SIGKILL


def test_a_line_without_end_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MAX_LINE_BYTES", 200_000)
    body = """
        for _ in range(10): sys.stdout.write("{" + "a" * 100000)
        print()
        print(json.dumps({"result": {"fine": True}}))
    """
    assert run(body) == {"fine": True}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "by SIGSEGV"),
        ("sys.exit(3)", "status 3"),
        ("raise KeyError('lost')", "KeyError: 'lost'"),
        ("print('only words')", "only words"),
        ("os.kill(os.getpid(), 40)", "with status -40"),
        ("print('{\"progress\": ' + '9' * 400 + '}')\nsys.exit(4)", "status 4"),
    ],
)
def test_a_worker_that_ends_without_a_result_is_told_with_its_last_words(
    body: str, words: str
) -> None:
    with pytest.raises(WorkerError, match=words):
        run(body)


def test_a_worker_that_hangs_is_ended_with_its_children_when_its_time_is_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    body = """
        child = subprocess.Popen(["sleep", "60"])
        open(request["pid"], "w").write(str(child.pid))
        time.sleep(60)
    """
    for limit_s in (1.0, 5.0, 25.0):  # a busy machine takes longer to start it
        with pytest.raises(WorkerError, match=f"longer than {limit_s:g} s"):
            run(body, limit_s, pid=str(pid))
        if pid.exists() and pid.read_text():
            break
    assert not is_alive(int(pid.read_text()))


def test_a_daemon_that_a_worker_left_behind_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert run(DAEMON + "print(json.dumps({'result': {}}))", pid=str(pid)) == {}
    assert not is_alive(int(pid.read_text()))


def test_what_a_worker_left_has_let_go_of_its_memory_when_it_is_ended(tmp_path: Path) -> None:
    body = DAEMON.replace("    os.close(1)\n", "").replace(
        "    open(", "    held = bytearray(b'.') * (400 << 20)\n    open("
    )
    pid = tmp_path / "pid"
    for _ in range(3):
        pid.unlink(missing_ok=True)
        assert run(body + "print(json.dumps({'result': {}}))", pid=str(pid)) == {}
        assert not is_alive(int(pid.read_text()))


def test_a_cancelled_worker_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    body = DAEMON + "print('{\"progress\": 1}', flush=True)\ntime.sleep(60)"

    async def main() -> None:
        begun = asyncio.Event()
        wanted = order(body, pid=str(pid))
        task = asyncio.create_task(run_worker(wanted, lambda *_: begun.set()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not is_alive(int(pid.read_text()))


@pytest.mark.slow
def test_a_worker_that_will_not_go_is_ended_when_it_is_cancelled_twice(tmp_path: Path) -> None:
    body = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(request["pid"], "w").write(str(os.getpid()))
        time.sleep(60)
    """
    pid_file = tmp_path / "pid"

    async def main() -> None:
        task = asyncio.create_task(run_worker(order(body, pid=str(pid_file))))
        while not (pid_file.exists() and pid_file.read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not is_alive(int(pid_file.read_text()))


@pytest.mark.slow
def test_nothing_is_alive_however_often_a_worker_is_cancelled(tmp_path: Path) -> None:
    """Also while what it left is being ended, and while all threads wait for a disk."""
    body = DAEMON + "print('{\"progress\": 1}', flush=True)\ntime.sleep(60)"
    pid = tmp_path / "pid"
    end, alive = runner.kill_tagged, []
    over = threading.Event()

    def end_slowly(*given: Any) -> int:
        time.sleep(0.3)
        return end(*given)

    async def main(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(runner, "kill_tagged", end_slowly)
        for _ in range(100):
            asyncio.get_running_loop().run_in_executor(None, over.wait)
        begun = asyncio.Event()
        wanted = order(body, pid=str(pid))
        try:
            task = asyncio.create_task(run_worker(wanted, lambda *_: begun.set()))
            await begun.wait()
            while not task.done():
                task.cancel()
                await asyncio.sleep(0.01)
            alive.append(is_alive(int(pid.read_text())))
        finally:
            over.set()
        assert task.cancelled()

    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(main(patch))
    assert alive == [False]


def test_a_process_is_killed_though_too_many_files_are_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", full)
    mark = f"test-{uuid.uuid4()}"
    left = subprocess.Popen(["sleep", "60"], env={**os.environ, runner.TAG_VARIABLE: mark})
    try:
        while not Path(f"/proc/{left.pid}/cmdline").read_bytes().startswith(b"sleep"):
            time.sleep(0.01)
        assert kill_tagged(mark) == 1
    finally:
        left.kill()
        assert left.wait(30) == -signal.SIGKILL


CROWDED = """
import asyncio, os, resource, sys
from sfa_engine.backstage.runner import WorkerRequest, run_worker

async def main():
    loop = asyncio.get_running_loop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    said = loop.create_future()
    order = WorkerRequest(("-c", sys.argv[1]), {"pid": sys.argv[2]}, sys.argv[3], 60.0)
    task = asyncio.create_task(run_worker(order, lambda *_: said.set_result(None)))
    await said
    full = []
    while True:
        try:
            full.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            break
    task.cancel()
    await asyncio.wait([task])
    for one in full:
        os.close(one)
    print("cancelled" if task.cancelled() else task.exception())

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_worker_is_killed_and_its_cancellation_told_though_no_file_can_be_opened(
    tmp_path: Path,
) -> None:
    pid = tmp_path / "pid"
    body = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(request["pid"], "w").write(str(os.getpid()))
        print('{"progress": 1}', flush=True)
        time.sleep(60)
    """
    mark = f"test-{uuid.uuid4()}"
    program = [sys.executable, "-c", CROWDED, HEAD + textwrap.dedent(body), str(pid), mark]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["cancelled"], done.stderr
    assert not is_alive(int(pid.read_text()))


def test_a_worker_that_does_not_read_its_request_is_no_trouble() -> None:
    program = ("-c", "print('{\"result\": {}}')")
    wanted = WorkerRequest(program, {"long": "x" * 500_000}, f"test-{uuid.uuid4()}", 60.0)
    assert asyncio.run(run_worker(wanted)) == {}


@pytest.mark.slow
def test_a_worker_that_hangs_before_it_reads_is_ended_when_its_time_is_up() -> None:
    program = ("-c", "import time\ntime.sleep(60)")
    wanted = WorkerRequest(program, {"long": "x" * 500_000}, f"test-{uuid.uuid4()}", 0.5)

    async def main() -> None:
        async with asyncio.timeout(60):
            await run_worker(wanted)

    with pytest.raises(WorkerError, match=r"longer than 0\.5"):
        asyncio.run(main())


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(WorkerError, match="No module named no_such"):
        asyncio.run(run_worker(WorkerRequest(("-m", "no_such"), {}, "test-none", 60.0)))


def test_nothing_is_ended_without_the_mark() -> None:
    assert kill_tagged(f"test-{uuid.uuid4()}") == 0


def test_workers_give_way_to_a_set_that_plays() -> None:
    body = """
        print(json.dumps({"progress": 0.1}), flush=True)
        sys.stdin.readline()
    """
    cores = os.sched_getaffinity(0)

    async def main() -> None:
        niceness = Niceness()
        begun = asyncio.Event()
        task = asyncio.create_task(run_worker(order(body), lambda *_: begun.set(), niceness))
        await begun.wait()
        (pid,) = niceness.groups
        assert os.getpriority(os.PRIO_PROCESS, pid) == NICE
        assert os.sched_getaffinity(pid) == cores
        niceness.playing = True
        assert os.getpriority(os.PRIO_PROCESS, pid) == NICE_PLAYING
        assert os.sched_getaffinity(pid) == (cores - {min(cores)} or cores)
        niceness.playing = False
        assert os.sched_getaffinity(pid) == cores
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not niceness.groups

    asyncio.run(main())
