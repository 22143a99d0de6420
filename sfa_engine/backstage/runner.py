"""Runs a worker program, and ends all of it: the caller's side of `sfa_engine.prep.worker`.

A worker gets a process group of its own and a mark in its environment, which all that it starts
inherits: whatever becomes of it, whatever it forked, nothing with that mark is left alive when
`run_worker` returns, or after `end_marked`.
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

from sfa_engine.backstage.courtesy import Courtesy
from sfa_engine.errors import MediaError, Refused, SfaError, WorkerError
from sfa_engine.finished import finished

Progress = Callable[[float, str], None]

logger = logging.getLogger(__name__)
MARK = "SFA_WORKER"
LONGEST_LINE_BYTES = 64 << 20  # the features of a two-hour track are 10 MB
LOG_BYTES = 8192  # of what a worker says besides, its last words
LEAVE_S = 5.0  # for a worker to tell a cloud that it goes
# Between the end of the output and the end of the program: a process of the least priority that
# is killed beside six busy ones was seen to take 1.7 s from the one to the other.
GRACE_S = 15.0
HASTE_S = 2.0  # where everybody waits meanwhile
_CHUNK = 1 << 16
_KINDS: dict[str, type[SfaError]] = {"refused": Refused, "media": MediaError}


@dataclass(frozen=True)
class Order:
    """What a worker program is asked to do.

    Parameters
    ----------
    program : tuple of str
        The interpreter's arguments: ``("-m", "sfa_engine.prep.analyse")``.
    request : mapping
        Plain values.
    mark : str
        Tells this order from all others on the machine.
    time_limit_s : float
    inputs : tuple of str
        Which values of the request are files or folders to be read.
    output : str
        Which value of the request is the folder to be made; empty for none.
    """

    program: tuple[str, ...]
    request: Mapping[str, Any]
    mark: str
    time_limit_s: float
    inputs: tuple[str, ...] = ()
    output: str = ""


async def run_worker(
    order: Order, progress: Progress | None = None, courtesy: Courtesy | None = None
) -> dict[str, Any]:
    """Run a worker program to its end.

    Parameters
    ----------
    order : Order
    progress : callable, optional
        Told the part that is done, 0..1, and what is being done.
    courtesy : Courtesy, optional
        Keeps the worker out of the music's way while it lives.

    Returns
    -------
    dict
        The worker's result.

    Raises
    ------
    SfaError
        What the worker says; `WorkerError` if it ended without a word, or had to be ended.
    """
    worker = await _start(order)
    name = order.program[1].removeprefix("sfa_engine.") if order.program[0] == "-m" else "worker"
    log = _Log(f"{name}[{worker.pid}]")
    reading = asyncio.create_task(log.read(worker.stderr))
    try:
        if courtesy:
            courtesy.add(worker.pid)
        try:
            async with asyncio.timeout(order.time_limit_s):
                with suppress(BrokenPipeError, ConnectionResetError):
                    request = json.dumps({**order.request, "leash": True})
                    worker.stdin.write(request.encode() + b"\n")
                    await worker.stdin.drain()
                return await _converse(worker, log, progress or (lambda _share, _doing: None))
        except TimeoutError:
            raise WorkerError(
                f"the worker took longer than {order.time_limit_s:g} s and was ended",
                "try again when the machine is idle, or raise the time limit",
            ) from None
    finally:
        if courtesy:
            courtesy.remove(worker.pid)
        try:
            await worker.leave(LEAVE_S)
        finally:  # whoever is in haste and cancels again
            await finished(_clear_up(worker, order.mark, reading))


async def _clear_up(worker: _Worker, mark: str, reading: asyncio.Task[None]) -> None:
    """End all that a worker left, and let go of it.

    In a thread of its own: those that all share may wait for a disk that hangs.
    """
    try:
        with ThreadPoolExecutor(1) as thread:
            try:
                await asyncio.get_running_loop().run_in_executor(thread, end_marked, mark)
            except RuntimeError:  # there is none to spare
                end_marked(mark, HASTE_S)
    except OSError as error:  # too many files are open
        logger.warning("what a worker left may live on: %s", error.strerror)
    finally:
        _end_group(worker.pid)
        await worker.close(reading)


class _Talk(asyncio.subprocess.SubprocessStreamProtocol):
    """The pipes of a worker as streams, and the moment of its end."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader

    def __init__(self) -> None:
        super().__init__(limit=_CHUNK, loop=asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        """Tell those who wait."""
        super().process_exited()
        self.ended.set()


class _Worker:
    """A worker program and its three pipes.

    asyncio's own `Process.wait` waits for the pipes too, which whatever the worker left behind may
    hold; and once the status is known, it does not wait for them at all.
    """

    def __init__(self, transport: asyncio.SubprocessTransport, talk: _Talk) -> None:
        self._transport = transport
        self.pid = transport.get_pid()
        self.stdin, self.stdout, self.stderr = talk.stdin, talk.stdout, talk.stderr
        self.ended = talk.ended

    @property
    def status(self) -> int | None:
        """What it ended with; None while it lives."""
        return self._transport.get_returncode()

    async def leave(self, patience_s: float) -> None:
        """Give a worker that is at work a moment to take back what it asked of others."""
        with suppress(ProcessLookupError, TimeoutError):
            if not self.ended.is_set():
                self._transport.terminate()
            await asyncio.wait_for(self.ended.wait(), patience_s)

    async def close(self, reading: asyncio.Task[None]) -> None:
        """Wait for the end of a worker that was killed, and let go of its pipes."""
        with suppress(TimeoutError):  # one that waits for a disk that hangs ends when that does
            await asyncio.wait_for(self.ended.wait(), GRACE_S)
        self._transport.close()
        await asyncio.gather(
            reading, _drain(self.stdout), self.stdin.wait_closed(), return_exceptions=True
        )


async def _start(order: Order) -> _Worker:
    try:
        transport, talk = await asyncio.get_running_loop().subprocess_exec(
            _Talk,
            sys.executable,
            *order.program,
            start_new_session=True,
            env=_environment(order.mark),
        )
    except (OSError, RuntimeError) as error:  # asyncio wants a thread to wait for it
        with suppress(OSError):  # too many files are open
            end_marked(order.mark, HASTE_S)
        why = getattr(error, "strerror", None) or error
        raise WorkerError(
            f"cannot start a worker: {why}", "see the limits of processes and memory"
        ) from None
    return _Worker(transport, talk)


async def _converse(worker: _Worker, log: _Log, progress: Progress) -> dict[str, Any]:
    """Follow what a worker says until it gives a result."""
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
    with suppress(TimeoutError):  # what it left behind may hold its pipes
        await asyncio.wait_for(worker.ended.wait(), GRACE_S)
    status = worker.status
    if status is None:
        raise WorkerError(f"the worker closed its output without a result: {log.last}")
    names = {each.value: f"by {each.name}" for each in signal.Signals}
    why = names.get(-status, f"with status {status}")
    raise WorkerError(f"the worker ended {why} without a result: {log.last}", "see the job's log")


def error_of(said: Mapping[str, Any]) -> SfaError:
    """Return the error that ``code``, ``message`` and ``hint`` tell of."""
    code = str(said.get("code", WorkerError.code))[:40]
    kind = _KINDS.get(code, WorkerError)
    error = kind(str(said["message"])[:1000], str(said.get("hint", ""))[:1000])
    error.code = code
    return error


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield lines; of one that is too long nothing."""
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
        if len(held) > LONGEST_LINE_BYTES:
            held.clear()
            skipping = True
    if held and not skipping:
        yield bytes(held)


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(_CHUNK):
        pass


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return a message; None for a line that is none."""
    if not line.startswith(b"{"):
        return None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


class _Log:
    """What a worker says besides its messages: logged line by line, its end kept.

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
        """Log the lines that are whole, and keep the end of all."""
        self._text = (self._text + data)[-LOG_BYTES:]
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._write(line)
        if len(self._rest) > LOG_BYTES:
            self.end()

    def add_line(self, line: bytes) -> None:
        """Log a line of the other stream: this one's may stand in the middle of one."""
        self._text = (self._text + line + b"\n")[-LOG_BYTES:]
        self._write(line)

    def end(self) -> None:
        """Log what has no end of line."""
        self._write(self._rest)
        self._rest = b""

    def _write(self, line: bytes) -> None:
        said = line.rstrip().rpartition(b"\r")[2]  # of a progress bar its last state
        if said.strip():
            logger.info("%s: %s", self._worker, said.decode(errors="backslashreplace"))

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read a stream to its end, so that the worker never waits for us."""
        while data := await stream.read(_CHUNK):
            self.add(data)
        self.end()

    @property
    def last(self) -> str:
        """The last line that was said."""
        lines = self._text.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:500] if lines else "it said nothing"


def _environment(mark: str) -> dict[str, str]:
    """Return a worker's environment: ours, one thread for each library unless the user says so."""
    threads = str(max(1, (os.cpu_count() or 1) - 1))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {
        **dict.fromkeys(names, threads),
        **os.environ,
        MARK: mark,
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",
    }


def _end_group(pid: int) -> None:
    """Kill a process and its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_marked(mark: str, patience_s: float = GRACE_S) -> int:
    """Kill every process with a mark that begins so, and wait for its end; return how many.

    Blocks for as long as that takes.

    Parameters
    ----------
    mark : str
        Of one order, or the beginning that many have in common.
    patience_s : float
        Look again and again for so long, while there are any: they may be forking.
    """
    wanted = f"{MARK}={mark}".encode()
    ended: set[int] = set()
    give_up = time.monotonic() + patience_s
    while (found := _marked(wanted)) and time.monotonic() < give_up:
        ended.update(found)
        _kill(found, give_up)
    return len(ended)


def _kill(pids: list[int], give_up: float) -> None:
    """Kill processes and wait for their end, until the clock shows `give_up` at the longest.

    A process that is killed loses its environment, and so its mark, before its memory and files.
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
            end.poll(max(0.0, give_up - time.monotonic()) * 1000)


def _marked(wanted: bytes) -> list[int]:
    """Return the processes whose environment has an entry that begins so; zombies have none."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                environment = (entry / "environ").read_bytes().split(b"\0")
                if any(item.startswith(wanted) for item in environment):
                    found.append(int(entry.name))
    return found
