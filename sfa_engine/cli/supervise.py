"""A small parent: starts host, stage and backstage, watches them, starts them again.

It holds nothing that they need: when it is killed they go on, and the next `sfa start` finds
them and watches over them again. A process that dies at once again and again is started less
and less often.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.audio.lock import lock_holder, open_holder, take_lock
from sfa_engine.cli.config import AudioConfig, data_path
from sfa_engine.errors import EngineError

LOCK = "sfa.lock"
HOST_LOCK = "host.lock"
MEMORY = "engine.memory"
RESTARTS = "restarts.json"
STEADY_S = 2.0  # a life this long was a good one: the next begins at once
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 8.0
LOOK_S = 30.0  # between two looks how long the log has grown
LOG_BYTES = 4 << 20
LAST_WORDS_BYTES = 4096
END_S = 3.0  # for a process to end when it is asked to

Say = Callable[[str], None]


@dataclass
class Child:
    """One of the processes that are looked after."""

    name: str
    command: list[str]
    lock: str
    pid: int = 0
    pidfd: int = -1
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0  # when it is to be started again

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self.pidfd >= 0


class Supervisor:
    """Looks after host, stage and backstage.

    Parameters
    ----------
    runtime : pathlib.Path
    audio : AudioConfig
    say : callable
        Is told what happens, a line at a time.
    backstage : bool
        Whether there is to be one.
    """

    def __init__(
        self, runtime: Path, audio: AudioConfig, say: Say, *, backstage: bool = True
    ) -> None:
        self._runtime = runtime
        self._tell = say
        self._stop = False
        self._lock = take_lock(runtime / LOCK, "the engine", "see `sfa status`, or `sfa stop` it")
        self._log = (runtime / "engine.log").open("ab+", buffering=0)
        base = [sys.executable, "-m"]
        where = ["--runtime", str(runtime)]
        self.host = Child(
            "host",
            [
                *(*base, "sfa_engine.audio.host", *where, "--device", audio.device),
                *("--rate", str(audio.rate), "--block", str(audio.block)),
                *("--channels", str(audio.channels)),
            ],
            HOST_LOCK,
        )
        self.stage = Child(
            "stage",
            [
                *(*base, "sfa_engine.cli.stage_process", *where, "--device", audio.device),
                *("--data", str(data_path())),
            ],
            "stage.lock",
        )
        self.backstage = Child(
            "backstage",
            [*base, "sfa_engine.cli.backstage_process", *where],
            "backstage.lock",
        )
        self.children = (self.host, self.stage, *([self.backstage] if backstage else []))
        self._restarts = self._told_restarts()
        self._selector = selectors.DefaultSelector()

    # ------------------------------------------------------------------ children

    def _begin(self, child: Child) -> None:
        """Start a process, or take over the one that runs."""
        pid = lock_holder(self._runtime / child.lock)
        child.process = None
        child.started = time.monotonic()
        if pid:
            self._say(f"{child.name} runs already (process {pid}), watching over it")
        else:
            try:
                child.process = subprocess.Popen(
                    child.command,
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    start_new_session=True,
                )
            except OSError as error:  # no memory is left, or no number for a process or a file
                self._put_off(child, error.strerror or str(error))
                return
            pid = child.process.pid
        try:
            child.pidfd = os.pidfd_open(pid)
        except OSError:
            child.due = time.monotonic() + FIRST_WAIT_S
            return
        child.pid = pid
        self._selector.register(child.pidfd, selectors.EVENT_READ, child)

    def _told_restarts(self) -> dict[str, dict[str, object]]:
        """Return what had to be started again in the life that is taken over, if one is."""
        file = self._runtime / RESTARTS
        if any(lock_holder(self._runtime / child.lock) for child in self.children):
            with suppress(OSError, ValueError):
                said = json.loads(file.read_text())
                return said if isinstance(said, dict) else {}
        with suppress(OSError):
            file.unlink(missing_ok=True)
        return {}

    def _bury(self, child: Child) -> None:
        """Take leave of a process that has died."""
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        child.pidfd = -1
        why = "it died"
        if child.process is not None:
            status = child.process.wait()
            why = f"ended with {status}"
            with suppress(ValueError):  # not a signal, or one without a name
                why = signal.Signals(-status).name
        if not self._stop:
            self._put_off(child, why)

    def _put_off(self, child: Child, why: str) -> None:
        """Take note of why a process is not there, and when it is to be started again."""
        lived_s = time.monotonic() - child.started
        child.failures = 0 if lived_s > STEADY_S else child.failures + 1
        wait_s = 0.0
        if child.failures > 1:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (child.failures - 2))
        child.due = time.monotonic() + wait_s
        self._restarts[child.name] = {"at": time.time(), "why": why, "times": child.failures}
        beside = self._runtime / f".{RESTARTS}"
        with suppress(OSError):  # a note is not worth the parent's life
            beside.write_text(json.dumps(self._restarts))
            beside.replace(self._runtime / RESTARTS)
        last = f" {self._last_words()}" if child.failures > 1 else ""
        self._say(
            f"{child.name}: {why}; starting it again{f' in {wait_s:g} s' if wait_s else ''}{last}"
        )

    def _last_words(self) -> str:
        lines = self._log_end(LAST_WORDS_BYTES).decode(errors="replace").splitlines()
        lines = [line for line in lines if line.strip(" +|-")]
        return f"({lines[-1].strip()})" if lines else ""

    def _log_end(self, most: int) -> bytes:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), most, max(0, size - most))

    def _shorten_log(self) -> None:
        """Keep the end of a log that has grown long: it lies in memory."""
        with suppress(OSError):
            if os.fstat(self._log.fileno()).st_size > LOG_BYTES:
                end = self._log_end(LOG_BYTES // 4)
                self._log.truncate(0)
                self._log.write(end)

    def _say(self, line: str) -> None:
        """Say a line, if anybody can hear it: the terminal, or the pipe's reader, may be gone."""
        with suppress(OSError, SystemExit):  # rich ends a program whose pipe is broken
            self._tell(line)

    # ------------------------------------------------------------------ life

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Look after them until told to stop by SIGINT or SIGTERM."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # who closes its terminal ends no set
        self._selector.register(wake_read, selectors.EVENT_READ, None)
        for child in self.children:
            self._begin(child)
        ready()
        while not self._stop:
            for child in self.children:
                if not child.running and time.monotonic() >= child.due:
                    self._begin(child)
            self._shorten_log()
            waits = [c.due - time.monotonic() for c in self.children if not c.running]
            for key, _ in self._selector.select(max(0.0, min([*waits, LOOK_S]))):
                if key.data is None:
                    os.read(wake_read, 64)
                else:
                    self._bury(key.data)
        self._end()

    def _asked_to_stop(self, *_: object) -> None:
        self._stop = True

    def _end(self) -> None:
        """End the stage first, so that nobody steers what is going away; then the others."""
        stuck = []
        for child in (self.stage, self.host, self.backstage):
            if not child.running:
                continue
            if not end_process(child.pidfd):
                stuck.append(f"{child.name} (process {child.pid})")
            elif child.process is not None:
                child.process.wait()
        forget_set(self._runtime)
        _raise_stuck(stuck)


def end_process(pidfd: int, patience_s: float = END_S) -> bool:
    """Ask a process to end, and make it end if it does not; return whether it has."""
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, END_S)):
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            if selector.select(wait_s):
                return True
    return False


def forget_set(runtime: Path) -> None:
    """Leave nothing that the next host would play on, unless one lives: then it is its own."""
    memory = runtime / MEMORY
    if not memory.exists():
        return
    try:
        held = take_lock(runtime / HOST_LOCK, "a host", "stop it")  # so that none begins meanwhile
    except EngineError:
        return
    memory.unlink(missing_ok=True)
    os.close(held)


def stop_all(runtime: Path, say: Say) -> bool:
    """Stop what runs, with or without a parent; return whether anything did."""
    found = False
    stuck = []
    for name in (LOCK, "stage.lock", HOST_LOCK, "backstage.lock"):
        holder = open_holder(runtime / name)
        if holder is None:
            continue
        found = True
        pid, pidfd = holder
        what = f"{'engine' if name == LOCK else name.removesuffix('.lock')} (process {pid})"
        say(f"stopping the {what}")
        if not end_process(pidfd, END_S * 4):
            stuck.append(what)
        os.close(pidfd)
    forget_set(runtime)
    _raise_stuck(stuck)
    return found


def _raise_stuck(stuck: list[str]) -> None:
    if stuck:
        raise EngineError(f"{' and '.join(stuck)} cannot be ended", "look at the system's log")
