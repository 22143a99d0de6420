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
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.audio.lock import lock_holder, open_holder, take_lock
from sfa_engine.cli.config import AudioConfig, data_path, log_path
from sfa_engine.cli.log import last_words
from sfa_engine.cli.watchdog import LOOK_S, MAX_STEP_S, Watch, is_traced, watch_of
from sfa_engine.errors import EngineError
from sfa_engine.log import DUMP_SIGNAL, QueuedLog

LOCK = "sfa.lock"
HOST_LOCK = "host.lock"
MEMORY = "engine.memory"
RESTARTS = "restarts.json"
STEADY_S = 2.0  # a life this long, with an answer, was a good one: the next begins at once
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 8.0
DUMP_S = 0.3  # for a hung process to write where its threads are
WORDS_S = 0.1  # for a disk to give the last line of a log
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
    watch: Watch | None = None
    hung: str = ""  # why it is being killed
    kill_at: float = 0.0

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
        self._logs = log_path()
        self._log = QueuedLog("supervisor", self._logs)
        self._unsaid: list[tuple[str, str, bool]] = []
        self._looked_at = 0.0
        base = [sys.executable, "-m"]
        where = ["--runtime", str(runtime), "--log", str(self._logs)]
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
            self._say("info", f"{child.name} runs already (process {pid}), watching over it")
        else:
            try:
                child.process = self._launch(child)
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
        child.watch = watch_of(child.name, self._runtime)
        child.hung = ""
        self._say("info", f"{child.name} is process {pid}", tell=False)
        self._selector.register(child.pidfd, selectors.EVENT_READ, child)

    def _launch(self, child: Child) -> subprocess.Popen[bytes]:
        """Start a process; what it says before its log begins goes into the same file."""
        output: int | None = None  # ours, which is the journal
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
            self._put_off(child, why)

    def _put_off(self, child: Child, why: str) -> None:
        """Take note of why a process is not there, and when it is to be started again."""
        lived_s = time.monotonic() - child.started
        # One that needs three seconds to find out that it cannot start has not had a good life.
        is_good = lived_s > STEADY_S and child.watch is not None and child.watch.is_useful
        child.failures = 0 if is_good else child.failures + 1
        wait_s = 0.0
        if child.failures > 1:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (child.failures - 2))
        child.due = time.monotonic() + wait_s
        self._restarts[child.name] = {"at": time.time(), "why": why, "times": child.failures}
        beside = self._runtime / f".{RESTARTS}"
        with suppress(OSError):  # a note is not worth the parent's life
            beside.write_text(json.dumps(self._restarts))
            beside.replace(self._runtime / RESTARTS)
        words = self._last_words(child) if child.failures > 1 else ""
        again = f"starting it again{f' in {wait_s:g} s' if wait_s else ''}"
        self._say("warning", f"{child.name}: {why}; {again}{f' ({words})' if words else ''}")

    def _last_words(self, child: Child) -> str:
        """Return what a process said last, unless the disk takes too long to tell."""
        words: list[str] = []
        path = self._logs / f"{child.name}.log"
        reader = threading.Thread(target=lambda: words.append(last_words(path)), daemon=True)
        with suppress(RuntimeError):  # no thread can be had
            reader.start()
            reader.join(WORDS_S)
        return words[0] if words else ""

    def _say(self, level: str, line: str, *, tell: bool = True) -> None:
        """Have a line said as soon as all is done that there is to do."""
        self._unsaid.append((level, line, tell))

    def _say_all(self) -> None:
        """Log lines, and print them if it can be: the terminal, or a pipe's reader, may be gone."""
        said, self._unsaid = self._unsaid, []
        for level, line, _ in said:
            self._log.write(level, line)
        for _, line, tell in said:
            if tell and not self._log.is_journal:
                with suppress(OSError, SystemExit):  # rich ends a program whose pipe is broken
                    self._tell(line)

    # ------------------------------------------------------------------ hanging

    def _look(self) -> None:
        """Look whether the processes answer, and end those that hang."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        step_s = min(MAX_STEP_S, now - self._looked_at)
        self._looked_at = now
        for child in self.children:
            if not child.running or child.watch is None:
                continue
            if child.hung:
                self._kill(child, now)
            elif (why := child.watch.look(step_s)) and not is_traced(child.pid):
                child.hung = why
                child.kill_at = now + DUMP_S
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(child.pidfd, DUMP_SIGNAL)
                self._say("error", f"{child.name} (process {child.pid}) {why}; killing it")
            elif child.watch.remark:
                self._say("warning", f"{child.name} (process {child.pid}) {child.watch.remark}")
                child.watch.remark = ""

    def _kill(self, child: Child, now: float) -> None:
        """Kill a hung process; one that waits for a disk dies when that answers."""
        if now >= child.kill_at:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)

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
        self._say_all()
        ready()
        self._looked_at = time.monotonic()
        while not self._stop:
            for child in self.children:
                if not child.running and time.monotonic() >= child.due:
                    self._begin(child)
            self._look()
            self._say_all()
            waits = [c.due - time.monotonic() for c in self.children if not c.running]
            for key, _ in self._selector.select(max(0.0, min([*waits, LOOK_S]))):
                if key.data is None:
                    os.read(wake_read, 64)
                else:
                    self._bury(key.data)
        try:
            self._end()
            self._say("info", "ended", tell=False)
        finally:
            self._say_all()

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
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)  # one that is stopped hears nothing
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
