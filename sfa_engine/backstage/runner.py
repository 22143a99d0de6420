"""Runs a worker program and kills everything it started: the caller of `sfa_engine.prep.worker`.

A worker has a session of its own and a tag in its environment, which all its children inherit:
whatever it forked, no process with that tag is alive when `run_worker` returns, or after
`kill_tagged`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfa_engine.backstage.niceness import Niceness
from sfa_engine.errors import SfaError, WorkerError
from sfa_engine.system.aio import run_to_completion

Progress = Callable[[float, str], None]

logger = logging.getLogger(__name__)
TAG_VARIABLE = "SFA_WORKER"
MAX_LINE_BYTES = 64 << 20  # the features of a two-hour track are 10 MB
LOG_BYTES = 8192  # of a worker's stderr, the last
STOP_TIMEOUT_S = 5.0  # for a worker to cancel its job at a cloud
# Between the end of the output and the end of the program: a process of the lowest priority that
# was killed beside six busy ones took 1.7 s from the one to the other.
KILL_TIMEOUT_S = 15.0
BLOCKING_TIMEOUT_S = 2.0  # where the event loop waits meanwhile
_CHUNK = 1 << 16


@dataclass(frozen=True)
class WorkerRequest:
    """A worker program to run, with its request.

    Parameters
    ----------
    program : tuple of str
        The interpreter's arguments: ``("-m", "sfa_engine.prep.analyse")``.
    values : mapping
        The request; plain values.
    tag : str
        Unique on the machine.
    time_limit_s : float
    inputs : tuple of str
        Keys of the request whose values are files or folders to read.
    output : str
        Key of the request whose value is the folder to make; empty for none.
    """

    program: tuple[str, ...]
    values: Mapping[str, Any]
    tag: str
    time_limit_s: float
    inputs: tuple[str, ...] = ()
    output: str = ""


async def run_worker(
    request: WorkerRequest, progress: Progress | None = None, niceness: Niceness | None = None
) -> dict[str, Any]:
    """Run a worker program to its end.

    Parameters
    ----------
    request : WorkerRequest
    progress : callable, optional
        Called with the part done, 0..1, and what is being done.
    niceness : Niceness, optional
        Sets the worker's priority.

    Returns
    -------
    dict
        The worker's result.

    Raises
    ------
    SfaError
        The worker's error; `WorkerError` if it ended without a result, or timed out.
    """
    worker = await _start(request)
    name = (
        request.program[1].removeprefix("sfa_engine.") if request.program[0] == "-m" else "worker"
    )
    log = _Log(f"{name}[{worker.pid}]")
    reading = asyncio.create_task(log.read(worker.stderr))
    try:
        if niceness:
            niceness.add(worker.pid)
        try:
            async with asyncio.timeout(request.time_limit_s):
                with suppress(BrokenPipeError, ConnectionResetError):
                    line = json.dumps({**request.values, "leash": True})
                    worker.stdin.write(line.encode() + b"\n")
                    await worker.stdin.drain()
                return await _read_messages(worker, log, progress or (lambda _share, _doing: None))
        except TimeoutError:
            raise WorkerError(
                f"the worker took longer than {request.time_limit_s:g} s and was killed",
                "try again when the machine is idle, or raise the time limit",
            ) from None
    finally:
        if niceness:
            niceness.remove(worker.pid)
        try:
            await worker.stop(STOP_TIMEOUT_S)
        finally:  # also when it is cancelled again
            await run_to_completion(_clean_up(worker, request.tag, reading))


async def _clean_up(worker: _Worker, tag: str, reading: asyncio.Task[None]) -> None:
    """Kill everything that a worker left, and close its pipes.

    In a thread of its own: the shared ones may all be waiting for a disk that hangs.
    """
    try:
        with ThreadPoolExecutor(1) as thread:
            try:
                await asyncio.get_running_loop().run_in_executor(thread, kill_tagged, tag)
            except RuntimeError:  # no thread can be started
                kill_tagged(tag, BLOCKING_TIMEOUT_S)
    except OSError as error:  # too many files are open
        logger.warning("children of a worker may be alive: %s", error.strerror)
    finally:
        _kill_group(worker.pid)
        await worker.close(reading)


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    """The pipes of a worker as streams, and an event of its exit."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader

    def __init__(self) -> None:
        super().__init__(limit=_CHUNK, loop=asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        """Set the event."""
        super().process_exited()
        self.ended.set()


class _Worker:
    """A worker process and its three pipes.

    asyncio's own `Process.wait` waits for the pipes too, which a child of the worker may hold;
    and once the status is known, it does not wait for them at all.
    """

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: _Protocol) -> None:
        self._transport = transport
        self.pid = transport.get_pid()
        self.stdin, self.stdout, self.stderr = protocol.stdin, protocol.stdout, protocol.stderr
        self.ended = protocol.ended

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._transport.get_returncode()

    async def stop(self, timeout_s: float) -> None:
        """Terminate a running worker, with time to cancel what it asked of a cloud."""
        with suppress(ProcessLookupError, TimeoutError):
            if not self.ended.is_set():
                self._transport.terminate()
            await asyncio.wait_for(self.ended.wait(), timeout_s)

    async def close(self, reading: asyncio.Task[None]) -> None:
        """Wait for the end of a killed worker, and close its pipes."""
        with suppress(TimeoutError):  # one that waits for a hung disk ends when that does
            await asyncio.wait_for(self.ended.wait(), KILL_TIMEOUT_S)
        self._transport.close()
        await asyncio.gather(
            reading, _drain(self.stdout), self.stdin.wait_closed(), return_exceptions=True
        )


async def _start(request: WorkerRequest) -> _Worker:
    try:
        transport, protocol = await asyncio.get_running_loop().subprocess_exec(
            _Protocol,
            sys.executable,
            *request.program,
            start_new_session=True,
            env=_environment(request.tag),
        )
    except (OSError, RuntimeError) as error:  # asyncio needs a thread to wait for it
        with suppress(OSError):  # too many files are open
            kill_tagged(request.tag, BLOCKING_TIMEOUT_S)
        why = getattr(error, "strerror", None) or error
        raise WorkerError(
            f"cannot start a worker: {why}", "check the limits of processes and memory"
        ) from None
    return _Worker(transport, protocol)


async def _read_messages(worker: _Worker, log: _Log, progress: Progress) -> dict[str, Any]:
    """Read a worker's messages until the result."""
    async for line in _lines(worker.stdout):
        message = _parse(line)
        if message is None:
            log.add_line(line)
        elif isinstance(message.get("result"), dict):
            result: dict[str, Any] = message["result"]
            return result
        elif "error" in message:
            raise error_of({**message, "message": message["error"]})
        elif isinstance(message.get("progress"), int | float):
            share = min(1, max(0, message["progress"]))
            progress(float(share), str(message.get("doing", "")))
        else:
            log.add_line(line)
    with suppress(TimeoutError):  # a child may hold its pipes
        await asyncio.wait_for(worker.ended.wait(), KILL_TIMEOUT_S)
    status = worker.status
    if status is None:
        raise WorkerError(f"the worker closed its output without a result: {log.last}")
    names = {each.value: f"by {each.name}" for each in signal.Signals}
    why = names.get(-status, f"with status {status}")
    raise WorkerError(f"the worker ended {why} without a result: {log.last}", "see the job's log")


def error_of(said: Mapping[str, Any]) -> SfaError:
    """Return the error of a ``code``, ``message`` and ``hint``."""
    return SfaError.from_wire({"code": WorkerError.code, **said}, WorkerError)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield lines, without those that are too long."""
    held = bytearray()
    skipping = False
    while data := await stream.read(_CHUNK):
        *whole, rest = data.split(b"\n")
        for piece in whole:
            held += piece
            if not skipping:
                yield bytes(held)
            held.clear()
            skipping = False
        held += rest
        if len(held) > MAX_LINE_BYTES:
            held.clear()
            skipping = True
    if held and not skipping:
        yield bytes(held)


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(_CHUNK):
        pass


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the message of a line; None if it has none."""
    if not line.startswith(b"{"):
        return None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


class _Log:
    """A worker's output besides its messages: logged line by line, the last bytes kept.

    Parameters
    ----------
    worker : str
        Program and process.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._text = b""
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Log complete lines, and keep the last bytes."""
        self._text = (self._text + data)[-LOG_BYTES:]
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._write(line)
        if len(self._rest) > LOG_BYTES:
            self.end()

    def add_line(self, line: bytes) -> None:
        """Log a line of the other stream: this one may be in the middle of a line."""
        self._text = (self._text + line + b"\n")[-LOG_BYTES:]
        self._write(line)

    def end(self) -> None:
        """Log an unfinished line."""
        self._write(self._rest)
        self._rest = b""

    def _write(self, line: bytes) -> None:
        text = line.rstrip().rpartition(b"\r")[2]  # the last state of a progress bar
        if text.strip():
            logger.info("%s: %s", self._worker, text.decode(errors="backslashreplace"))

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read a stream to its end, so that the worker never blocks."""
        while data := await stream.read(_CHUNK):
            self.add(data)
        self.end()

    @property
    def last(self) -> str:
        """The last line."""
        lines = self._text.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:500] if lines else "no output"


def _environment(tag: str) -> dict[str, str]:
    """Return a worker's environment: ours, the tag, and threads for all cores but one."""
    threads = str(max(1, (os.cpu_count() or 1) - 1))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {
        **dict.fromkeys(names, threads),
        **os.environ,
        TAG_VARIABLE: tag,
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",
    }


def _kill_group(pid: int) -> None:
    """Kill a process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_tagged(prefix: str, timeout_s: float = KILL_TIMEOUT_S) -> int:
    """Kill every process whose tag has a prefix, and wait until it is gone; return how many.

    Blocks meanwhile.

    Parameters
    ----------
    prefix : str
        A whole tag, or the beginning of many.
    timeout_s : float
        Repeat for so long while any are found: they may be forking.
    """
    wanted = f"{TAG_VARIABLE}={prefix}".encode()
    killed: set[int] = set()
    deadline = time.monotonic() + timeout_s
    while (found := _find_tagged(wanted)) and time.monotonic() < deadline:
        killed.update(found)
        _kill(found, deadline)
    return len(killed)


def _kill(pids: list[int], deadline: float) -> None:
    """Kill processes and wait for their end, until a deadline.

    A killed process loses its environment, and so its tag, before its memory and files.
    """
    with ExitStack() as held:
        dying = []
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                try:
                    process = os.pidfd_open(pid)
                except ProcessLookupError:
                    continue
                except OSError:  # too many files are open
                    os.kill(pid, signal.SIGKILL)
                    continue
                held.callback(os.close, process)
                signal.pidfd_send_signal(process, signal.SIGKILL)
                dying.append(process)
        for process in dying:
            end = select.poll()
            end.register(process, select.POLLIN)
            end.poll(max(0.0, deadline - time.monotonic()) * 1000)


def _find_tagged(wanted: bytes) -> list[int]:
    """Return the processes with an environment entry of a prefix; zombies have none."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                environment = (entry / "environ").read_bytes().split(b"\0")
                if any(item.startswith(wanted) for item in environment):
                    found.append(int(entry.name))
    return found
