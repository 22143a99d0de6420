"""A process's log: a file with one line a record, rotated by size.

::

    2026-11-28T19:35:01.123+01:00 WARNING host[1234] the device asks for no more blocks

Imports no `logging`, so that the audio process may use it; the others attach their `logging`
handler to it. The engine's processes use a `QueuedLog`: a thread writes, so that no caller waits
for a disk, and a record is in the file some milliseconds later. A file has one writer, so that no
writer rotates another's file; `sfa log` merges them by time. Under systemd a record goes to the
journal as well, prefixed by its priority.
"""

from __future__ import annotations

import atexit
import errno
import faulthandler
import fcntl
import os
import re
import select
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any

MAX_FILE_BYTES = 4 << 20
KEPT_FILES = 4  # beside the current one: 20 MB a process at most
MAX_RECORD_BYTES = 16 << 10  # a traceback of 200 lines
OPEN_RETRY_S = 1.0
MAX_QUEUED = 1000  # records that wait for the disk
CRITICAL_S = 1.0  # timeout for a critical record, of a dying process
EXIT_S = 1.0  # timeout for all records, at exit
EXEC_S = 0.05  # the same before an exec, of a process that plays
REPEAT_S = 60.0  # a library's line that was written within this time is only counted
MAX_REPEATS = 256
DUMP_SIGNAL = signal.SIGUSR2  # writes the stack of each thread
# Names and priorities of journald, see sd-daemon(3).
LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

RECORD = re.compile(
    r"(\d{4}-\d\d-\d\dT\S+) (" + "|".join(level.upper() for level in LEVELS) + r") (\w+)\[\d+\] "
)
TAIL_BYTES = 4096

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_ESCAPES = str.maketrans(_CONTROL | {9: "\t", 10: "\\n", 92: "\\\\"})
_PRIVATE = re.compile(
    r"""
    (?P<name>\b(?:\w*(?:token|secret|password|passwd|api_?key|signature|verifier)|sig
        |authorization|(?<=[?&])(?:code|state|key)) ["']? \s* [=:] \s* ["']?)
        (?:(?:bearer|basic|license)\s+)? [^\s"'&,;)}\]]+
    | (?P<scheme>\bbearer\s+) \S+
    | (?P<user>://[^\s/:@]+:) [^\s/@]+ (?=@)
    """,
    re.IGNORECASE | re.VERBOSE,
)


class LogFile:
    """The log of one process.

    Parameters
    ----------
    name : str
        Of the process, and of its file.
    folder : pathlib.Path, optional
        Where the files are; without one records go to standard error only.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.name = name
        self.path = None if folder is None else folder / f"{name}.log"
        self.is_journal = _is_journal()
        self.descriptor = -1
        self._is_open = False
        self._lock = threading.RLock()  # a signal handler may write while its thread writes
        self._lost = 0
        self._why = ""
        self._is_torn = False
        self._open_at = 0.0
        self._begin()

    def _begin(self) -> None:
        self._open()

    def _open(self) -> None:
        """Open the file, keeping the descriptor's number: `faulthandler` has it."""
        self._open_at = time.monotonic() + OPEN_RETRY_S
        if self.path is None:
            return
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        opened = -1
        try:
            _make_folder(self.path.parent)
            opened = os.open(self.path, flags, 0o600)
            # The last line may have been cut short by a full disk.
            last = os.pread(opened, 1, max(0, os.fstat(opened).st_size - 1))
            if self.descriptor < 0:
                self.descriptor, opened = opened, -1
            else:
                os.dup2(opened, self.descriptor, inheritable=False)
            self._is_torn = last not in {b"", b"\n"}
            self._is_open = True
        except OSError as error:
            self._why = error.strerror or str(error)
        finally:
            if opened >= 0:
                os.close(opened)

    def write(self, level: str, text: str) -> None:
        """Write a record; one that cannot be written is counted, and reported with the next."""
        self._store(*self._format(level, text))

    def _format(self, level: str, text: str) -> tuple[bytes, bytes]:
        """Return a record for the file, and for the journal."""
        text = escape(_PRIVATE.sub(_hide, text))
        stamp = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = _line(f"{stamp} {level.upper()} {self.name}[{os.getpid()}] {text}")
        return line, _line(f"<{LEVELS[level]}>{self.name}: {text}")

    def _store(self, line: bytes, noted: bytes) -> None:
        with self._lock:
            if self.path is not None:
                self._append(line)
            if self.is_journal:
                _note(noted)
            elif self.path is None:
                with suppress(OSError, ValueError):
                    sys.stderr.write(line.decode())

    def _append(self, line: bytes) -> None:
        if not self._is_open and time.monotonic() >= self._open_at:
            self._open()
        if not self._is_open:
            self._lost += 1
            return
        try:
            there = os.fstat(self.descriptor)
            if there.st_nlink == 0 or there.st_size + len(line) > MAX_FILE_BYTES:
                self._rotate(there)
            if self._lost:
                self._put(_line(f"{line[:29].decode()} WARNING {self.name}[{os.getpid()}]"
                                f" {self._lost} records were lost: {self._why}"))  # fmt: skip
                self._lost = 0
            self._put(line)
        except OSError as error:
            self._lost += 1
            self._why = error.strerror or str(error)

    def _put(self, line: bytes) -> None:
        """Append a line in one piece, after the end of one that was torn by a full disk."""
        data = b"\n" + line if self._is_torn else line
        written = os.write(self.descriptor, data)
        self._is_torn = written < len(data)
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rotate(self, there: os.stat_result) -> None:
        """Start a new file, unless another process of the same name has just done so."""
        assert self.path is not None
        with suppress(OSError):
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.path.stat().st_ino == there.st_ino:
                for number in range(KEPT_FILES - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        numbered(self.path, number).replace(numbered(self.path, number + 1))
                self.path.replace(numbered(self.path, 1))
        self._open()

    def exception(self, error: BaseException, text: str = "", level: str = "error") -> None:
        """Write an exception with its traceback, as one record."""
        trace = "".join(traceback.format_exception(error)).rstrip()
        self.write(level, f"{text}\n{trace}" if text else trace)


class QueuedLog(LogFile):
    """A log written by a thread: the caller never waits for a disk.

    While the disk hangs, `MAX_QUEUED` records wait; more are counted as lost, and reported later.
    """

    def _begin(self) -> None:
        # Reserve the file's descriptor: a crash before it is open is written to standard error.
        with suppress(OSError):
            self.descriptor = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 3)
        self._counting = threading.RLock()
        self._dropped = 0
        self._is_ended = False
        self._start_writer()
        atexit.register(self._end)

    def _start_writer(self) -> None:
        self._pid = os.getpid()
        self._queue: SimpleQueue[tuple[bytes, bytes] | threading.Event] = SimpleQueue()
        self._is_direct = False
        try:
            threading.Thread(target=self._run, name="log", daemon=True).start()
        except RuntimeError:  # no thread can be had
            self._is_direct = True
            self._open()

    def write(self, level: str, text: str) -> None:
        """Queue a record for the writer; wait up to `CRITICAL_S` for a critical one."""
        record = self._format(level, text)
        if self._pid != os.getpid():  # a fork has no writer, and its locks may be held
            self._lock, self._counting = threading.RLock(), threading.RLock()
            self._start_writer()
        if self._is_direct:
            self._store(*record)
        elif self._is_ended or self._queue.qsize() >= MAX_QUEUED:
            with self._counting:
                self._dropped += 1
        else:
            self._queue.put(record)  # reentrant, for signal handlers
            if level == "critical":
                self.flush(CRITICAL_S)

    def flush(self, limit_s: float) -> bool:
        """Wait until all records so far are written; return whether they are."""
        if self._is_direct or self._pid != os.getpid():
            return True
        written = threading.Event()
        self._queue.put(written)
        return written.wait(limit_s)

    def _end(self) -> None:
        """Write the queue: the interpreter stops the writer next."""
        self._is_direct = self.flush(EXIT_S)
        self._is_ended = True

    def _run(self) -> None:
        self._open()
        while True:
            item = self._queue.get()
            try:
                if not isinstance(item, threading.Event):
                    self._store(*item)
                if self._dropped and self._queue.empty():
                    self._report_dropped()
            except Exception as error:  # noqa: BLE001 - one record is lost, not those after it
                self._lost += 1
                self._why = str(error)
            if isinstance(item, threading.Event):
                item.set()

    def _report_dropped(self) -> None:
        with self._counting:
            count, self._dropped = self._dropped, 0
        text = f"{count} records were lost: the disk was too slow"
        self._store(*self._format("warning", text))


def _make_folder(path: Path) -> None:
    """Make a folder and those above it closed; `Path.mkdir` gives its mode to the last one only."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def _note(line: bytes) -> None:
    """Write to the journal, unless it is full."""
    with suppress(OSError, ValueError):
        if select.select((), (2,), (), 0.0)[1]:
            os.write(2, line)


def numbered(path: Path, number: int) -> Path:
    """Return the name of a log's file after a number of rotations."""
    return path if not number else path.with_name(f"{path.name}.{number}")


def escape(text: str) -> str:
    """Return a text as one line that is safe to show in a terminal."""
    return text.translate(_ESCAPES)


def unescape(text: str) -> str:
    """Return the lines of an escaped text; other control characters stay escaped."""
    return re.sub(r"\\(\\|n)", lambda found: "\n" if found[1] == "n" else "\\", text)


def _line(text: str) -> bytes:
    """Return a record as bytes, without its middle if it is too long."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > MAX_RECORD_BYTES:
        half = MAX_RECORD_BYTES // 2
        left_out = f" …({len(data) - 2 * half} bytes)… "
        begin, end = data[:half].decode(errors="ignore"), data[-half:].decode(errors="ignore")
        data = f"{begin}{left_out}{end}".encode()
    return data + b"\n"


def _hide(found: re.Match[str]) -> str:
    return f"{found['name'] or found['scheme'] or found['user']}***"


def _is_journal() -> bool:
    """Return whether standard error is the journal, see `JOURNAL_STREAM` in systemd.exec."""
    with suppress(OSError):
        there = os.fstat(2)
        return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"
    return False


# ---------------------------------------------------------------------- the log of this process


class _Output:
    """Logs the standard output and error of a process without a terminal.

    C libraries write there. The pipe's write end never blocks: JACK's threads write to it too.
    """

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._seen: dict[bytes, list[float]] = {}  # line: when it was written, repeats since
        self._kept = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (1, 2)]
        self._source, sink = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(sink, False)
        for number in (1, 2):
            os.dup2(sink, number)
        os.close(sink)
        threading.Thread(target=self._read, name="output", daemon=True).start()

    def release(self) -> None:
        """Restore standard output and error, for an exec."""
        for number, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, number)

    def _read(self) -> None:
        with open(self._source, "rb", closefd=True) as lines:  # noqa: PTH123 - a descriptor
            while line := lines.readline(MAX_RECORD_BYTES):
                self._take(line.rstrip())

    def _take(self, line: bytes) -> None:
        now = time.monotonic()
        written_at, often = self._seen.pop(line, (-REPEAT_S, 0))
        if now - written_at < REPEAT_S:
            self._seen[line] = [written_at, often + 1]
            return
        if len(self._seen) >= MAX_REPEATS:
            self._seen.pop(next(iter(self._seen)))
        self._seen[line] = [now, 0]
        more = f" ({int(often)} times more since)" if often else ""
        if line:
            self._log.write("info", line.decode(errors="backslashreplace") + more)


_log = LogFile("sfa")
_output: _Output | None = None


def start(name: str, folder: Path | None) -> None:
    """Start this process's log: its records, its libraries' output, its crashes.

    Parameters
    ----------
    name : str
        Of the process.
    folder : pathlib.Path, optional
        Of the logs; without one everything goes to standard error.
    """
    global _log, _output  # noqa: PLW0603 - a process has one log, as it has one standard error
    _log = LogFile(name) if folder is None else QueuedLog(name, folder)
    if _log.path is not None and not _log.is_journal:
        _output = _Output(_log)
    crash = _log.descriptor if _log.descriptor >= 0 else 2
    faulthandler.enable(file=crash)
    faulthandler.register(DUMP_SIGNAL, file=crash, all_threads=True)
    sys.excepthook = _on_exception
    sys.unraisablehook = lambda found: _on_unraisable(found.exc_value, found.err_msg, found.object)
    threading.excepthook = lambda found: _on_unraisable(found.exc_value, None, found.thread)


def _on_exception(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    _log.exception(error, level="critical")


def _on_unraisable(error: BaseException | None, words: str | None, where: Any) -> None:
    if error is not None:
        _log.exception(error, f"{words or 'exception in'} {where!r:.200}")


def before_exec() -> None:
    """Write the queue, and restore standard error for errors of the next program."""
    if isinstance(_log, QueuedLog):
        _log.flush(EXEC_S)
    if _output is not None:
        _output.release()


def write(level: str, text: str) -> None:
    """Write a record to this process's log."""
    _log.write(level, text)


def exception(error: BaseException, text: str = "") -> None:
    """Write an exception with its traceback to this process's log."""
    _log.exception(error, text)


def last_message(path: Path) -> str:
    """Return the last line of a log without its time; empty without one."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = unescape(file.read().decode(errors="replace"))
    except OSError:
        return ""
    lines = [line for line in text.split("\n") if line.strip(" +|-")]
    return RECORD.sub("", lines[-1]).strip() if lines else ""
