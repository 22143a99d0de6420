"""The supervisor: starts host, stage, backstage and web, watches them, restarts them.

It holds nothing that they need: when it is killed they go on, and the next `sfa start` finds and
supervises them. A process that keeps dying at once is restarted with exponential back-off.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfa_engine.errors import EngineError
from sfa_engine.run.config import AudioConfig, data_path, log_path
from sfa_engine.run.watchdog import MAX_STEP_S, POLL_S, Watch, is_traced, watch_of
from sfa_engine.system.log import DUMP_SIGNAL, QueuedLog, last_message
from sfa_engine.system.process_lock import lock_holder, open_holder, take_lock
from sfa_engine.system.runtime_files import (
    BACKSTAGE_LOCK,
    ENGINE_MEMORY,
    HOST_LOCK,
    OSC_SUBSCRIBERS,
    RESTARTS,
    STAGE_LOCK,
    STAGE_VALUES,
    SUPERVISOR_LOCK,
    WEB_LOCK,
)
from sfa_engine.web.settings import WebConfig

STEADY_S = 2.0  # a process that ran this long and answered is restarted without a delay
FIRST_RETRY_S = 0.25
MAX_RETRY_S = 8.0
DUMP_TIMEOUT_S = 0.3  # for a hung process to log its threads' stacks
TAIL_TIMEOUT_S = 0.1  # for a disk to read the last line of a log
END_TIMEOUT_S = 3.0  # for a process to end after SIGTERM

Say = Callable[[str], None]


@dataclass
class Child:
    """A supervised process."""

    name: str
    command: list[str]
    lock: str
    pid: int = 0
    pidfd: int = -1
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0  # time of its restart
    watch: Watch | None = None
    hung: str = ""  # why it is being killed
    kill_at: float = 0.0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.pidfd >= 0


class Supervisor:
    """Supervises host, stage, backstage and web.

    Parameters
    ----------
    runtime : pathlib.Path
    audio : AudioConfig
    say : callable
        Called with each message, one line.
    backstage : bool
        Run a backstage.
    files : dict, optional
        What the host is told of the files that it writes; see `host_files`.
    resume : bool
        Go on with the last set, after a power failure.
    web : WebConfig, optional
        Run a web process, as configured here.
    """

    def __init__(
        self,
        runtime: Path,
        audio: AudioConfig,
        say: Say,
        *,
        backstage: bool = True,
        files: dict[str, Any] | None = None,
        resume: bool = False,
        web: WebConfig | None = None,
    ) -> None:
        self._runtime = runtime
        self._print = say
        self._stop = False
        self._lock = take_lock(
            runtime / SUPERVISOR_LOCK, "the engine", "see `sfa status`, or `sfa stop` it"
        )
        self._logs = log_path()
        self._log = QueuedLog("supervisor", self._logs)
        self._messages: list[tuple[str, str, bool]] = []
        self._checked_at = 0.0
        base = [sys.executable, "-m"]
        where = ["--runtime", str(runtime), "--log", str(self._logs)]
        self.host = Child(
            "host",
            [
                *(*base, "sfa_engine.host.process", *where, "--device", audio.device),
                *("--rate", str(audio.rate), "--block", str(audio.block)),
                *("--channels", str(audio.channels), "--data", str(data_path())),
                *("--budget", str(audio.budget_pct)),
                *("--files", json.dumps(files or {})),
                *(["--resume"] if resume else []),
            ],
            HOST_LOCK,
        )
        self.stage = Child(
            "stage",
            [
                *(*base, "sfa_engine.run.stage_process", *where, "--device", audio.device),
                *("--data", str(data_path())),
            ],
            STAGE_LOCK,
        )
        self.backstage = Child(
            "backstage",
            [*base, "sfa_engine.run.backstage_process", *where],
            BACKSTAGE_LOCK,
        )
        settings = json.dumps(asdict(web or WebConfig()))
        self.web = Child(
            "web",
            [
                *(*base, "sfa_engine.run.web_process", *where, "--data", str(data_path())),
                *("--settings", settings),
            ],
            WEB_LOCK,
        )
        self.children = (
            *(self.host, self.stage),
            *([self.backstage] if backstage else []),
            *([self.web] if web is not None else []),
        )
        self._restarts = self._read_restarts()
        self._selector = selectors.DefaultSelector()

    # ------------------------------------------------------------------ children

    def _start(self, child: Child) -> None:
        """Start a process, or supervise the one that runs."""
        pid = lock_holder(self._runtime / child.lock)
        child.process = None
        child.started = time.monotonic()
        if pid:
            self._say("info", f"{child.name} is already running (process {pid}), supervising it")
        else:
            try:
                child.process = self._launch(child)
            except OSError as error:  # no memory, process number or file handle is left
                self._schedule_restart(child, error.strerror or str(error))
                return
            pid = child.process.pid
        try:
            child.pidfd = os.pidfd_open(pid)
        except OSError:
            child.due = time.monotonic() + FIRST_RETRY_S
            return
        child.pid = pid
        child.watch = watch_of(child.name, self._runtime)
        child.hung = ""
        self._say("info", f"{child.name} is process {pid}", show=False)
        self._selector.register(child.pidfd, selectors.EVENT_READ, child)

    def _launch(self, child: Child) -> subprocess.Popen[bytes]:
        """Start a process; its output before its log starts goes into the same file."""
        output: int | None = None  # the supervisor's, which is the journal
        if not self._log.is_journal:
            path = self._logs / f"{child.name}.log"
            try:
                output = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            except OSError:
                output = os.open(os.devnull, os.O_WRONLY)
        try:
            return subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            if output is not None:
                os.close(output)

    def _read_restarts(self) -> dict[str, dict[str, object]]:
        """Return the restarts of the processes that are already running."""
        file = self._runtime / RESTARTS
        if any(lock_holder(self._runtime / child.lock) for child in self.children):
            with suppress(OSError, ValueError):
                found = json.loads(file.read_text())
                return found if isinstance(found, dict) else {}
        with suppress(OSError):
            file.unlink(missing_ok=True)
        return {}

    def _on_exit(self, child: Child) -> None:
        """Schedule the restart of a process that ended."""
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        child.pidfd = -1
        if child.watch is not None:
            child.watch.close()
        why = "it died"
        if child.process is not None:
            status = child.process.wait()
            why = f"ended with {status}"
            with suppress(ValueError):  # not a signal, or one without a name
                why = signal.Signals(-status).name
        why = child.hung or why
        if not self._stop:
            self._schedule_restart(child, why)

    def _schedule_restart(self, child: Child, why: str) -> None:
        """Record why a process ended, and when it is restarted."""
        lived_s = time.monotonic() - child.started
        # A process that fails to start after three seconds did not run well.
        is_good = lived_s > STEADY_S and child.watch is not None and child.watch.is_useful
        child.failures = 0 if is_good else child.failures + 1
        wait_s = 0.0
        if child.failures > 1:
            wait_s = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** (child.failures - 2))
        child.due = time.monotonic() + wait_s
        self._restarts[child.name] = {"at": time.time(), "why": why, "times": child.failures}
        beside = self._runtime / f".{RESTARTS}"
        with suppress(OSError):  # the supervisor goes on without the file
            beside.write_text(json.dumps(self._restarts))
            beside.replace(self._runtime / RESTARTS)
        words = self._log_tail(child) if child.failures > 1 else ""
        again = f"restarting it{f' in {wait_s:g} s' if wait_s else ''}"
        self._say("warning", f"{child.name}: {why}; {again}{f' ({words})' if words else ''}")

    def _log_tail(self, child: Child) -> str:
        """Return a process's last log message, unless the disk takes too long."""
        words: list[str] = []
        path = self._logs / f"{child.name}.log"
        reader = threading.Thread(target=lambda: words.append(last_message(path)), daemon=True)
        with suppress(RuntimeError):  # no thread is left
            reader.start()
            reader.join(TAIL_TIMEOUT_S)
        return words[0] if words else ""

    def _say(self, level: str, line: str, *, show: bool = True) -> None:
        """Queue a message, so that restarts are not delayed."""
        self._messages.append((level, line, show))

    def _flush_messages(self) -> None:
        """Log the messages, and print them unless the terminal or the pipe is closed."""
        messages, self._messages = self._messages, []
        for level, line, _ in messages:
            self._log.write(level, line)
        for _, line, show in messages:
            if show and not self._log.is_journal:
                with suppress(OSError, SystemExit):  # rich exits when the pipe is broken
                    self._print(line)

    # ------------------------------------------------------------------ watchdog

    def _check(self) -> None:
        """Check that the processes answer, and kill those that hang."""
        now = time.monotonic()
        if now - self._checked_at < POLL_S:
            return
        step_s = min(MAX_STEP_S, now - self._checked_at)
        self._checked_at = now
        for child in self.children:
            if not child.running or child.watch is None:
                continue
            if child.hung:
                self._kill(child, now)
            elif (why := child.watch.check(step_s)) and not is_traced(child.pid):
                child.hung = why
                child.kill_at = now + DUMP_TIMEOUT_S
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(child.pidfd, DUMP_SIGNAL)
                self._say("error", f"{child.name} (process {child.pid}) {why}; killing it")
            elif child.watch.remark:
                self._say("warning", f"{child.name} (process {child.pid}) {child.watch.remark}")
                child.watch.remark = ""

    def _kill(self, child: Child, now: float) -> None:
        """Kill a hung process; one in a disk wait dies when the disk answers."""
        if now >= child.kill_at:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)

    # ------------------------------------------------------------------ life

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Supervise until SIGINT or SIGTERM."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal does not end a set
        self._selector.register(wake_read, selectors.EVENT_READ, None)
        for child in self.children:
            self._start(child)
        self._flush_messages()
        ready()
        self._checked_at = time.monotonic()
        while not self._stop:
            for child in self.children:
                if not child.running and time.monotonic() >= child.due:
                    self._start(child)
            self._check()
            self._flush_messages()
            waits = [c.due - time.monotonic() for c in self.children if not c.running]
            for key, _ in self._selector.select(max(0.0, min([*waits, POLL_S]))):
                if key.data is None:
                    os.read(wake_read, 64)
                else:
                    self._on_exit(key.data)
        try:
            self._end()
            self._say("info", "ended", show=False)
        finally:
            self._flush_messages()

    def _on_stop_signal(self, *_: object) -> None:
        self._stop = True

    def _end(self) -> None:
        """End web and stage first, so that nothing is controlled any more; then the others."""
        stuck = []
        for child in (self.web, self.stage, self.host, self.backstage):
            if not child.running:
                continue
            if not end_process(child.pidfd):
                stuck.append(f"{child.name} (process {child.pid})")
            elif child.process is not None:
                child.process.wait()
        delete_memory(self._runtime)
        _raise_stuck(stuck)


def end_process(pidfd: int, timeout_s: float = END_TIMEOUT_S) -> bool:
    """End a process with SIGTERM, then SIGKILL; return whether it ended."""
    for number, wait_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, END_TIMEOUT_S)):
        try:
            signal.pidfd_send_signal(pidfd, number)
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)  # a stopped process handles no signal
        except ProcessLookupError:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            if selector.select(wait_s):
                return True
    return False


def delete_memory(runtime: Path) -> None:
    """Delete the state that the next host and stage would resume, unless a host is running."""
    files = [runtime / name for name in (OSC_SUBSCRIBERS, STAGE_VALUES, ENGINE_MEMORY)]
    if not any(file.exists() for file in files):
        return
    try:
        held = take_lock(runtime / HOST_LOCK, "a host", "stop it")  # no host starts meanwhile
    except EngineError:
        return
    for file in files:
        file.unlink(missing_ok=True)
    os.close(held)


def stop_all(runtime: Path, say: Say) -> bool:
    """Stop all processes, with or without a supervisor; return whether any ran."""
    found = False
    stuck = []
    for name in (SUPERVISOR_LOCK, WEB_LOCK, STAGE_LOCK, HOST_LOCK, BACKSTAGE_LOCK):
        holder = open_holder(runtime / name)
        if holder is None:
            continue
        found = True
        pid, pidfd = holder
        what = (
            f"{'engine' if name == SUPERVISOR_LOCK else name.removesuffix('.lock')} (process {pid})"
        )
        say(f"stopping the {what}")
        if not end_process(pidfd, END_TIMEOUT_S * 4):
            stuck.append(what)
        os.close(pidfd)
    delete_memory(runtime)
    _raise_stuck(stuck)
    return found


def _raise_stuck(stuck: list[str]) -> None:
    if stuck:
        raise EngineError(f"{' and '.join(stuck)} cannot be ended", "see the system's log")
