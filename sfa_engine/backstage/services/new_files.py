"""New files of a folder, reported when they are complete.

A file is complete when no process has it open for writing, its size and modification time have
been stable for a while (a file written in place has its size from the start), and its container
is not truncated; a truncated one is reported after a longer time: it may have been cut elsewhere.
A file that changes later is reported again.

Changes come from inotify, through watchfiles; only the few files that are still growing are
polled. The folder may be on a mount that hangs, so it is read outside the event loop.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from sfa_engine.backstage.services.input_sources import is_sound_file, sound_files
from sfa_engine.errors import Refused
from sfa_engine.library.payload import find_payload
from sfa_engine.system.aio import within_time

STEADY_S = 3.0  # a copy over a slow network seldom pauses for longer
TRUNCATED_STEADY_S = 60.0  # for a truncated file: a copy may stall, or run on another machine
LOOK_TIMEOUT_S = 30.0
POLL_MS = 500  # of files that grow


Stamp = tuple[int, int]  # size in bytes, modification time in nanoseconds


class StabilityTracker:
    """Tracks which files are growing, and which have stopped. Reads no disk.

    Parameters
    ----------
    steady_s : float
        Seconds without a change after which a file is complete.
    """

    def __init__(self, steady_s: float = STEADY_S) -> None:
        self._steady_s = steady_s
        self._seen: dict[Path, tuple[Stamp | None, float]] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are not complete yet."""
        return tuple(self._seen)

    def update(
        self,
        path: Path,
        stamp: Stamp | None,
        now_s: float,
        steady_s: float | None = None,
        *,
        is_open: bool = False,
    ) -> bool:
        """Record a file's size and modification time, None if it is gone; return whether complete.

        A complete file is reported once, and again only after another update. One that is open
        for writing is not complete. `steady_s` overrides the default for this file.
        """
        if stamp is None:
            self._seen.pop(path, None)
            return False
        before, since_s = self._seen.get(path, (None, now_s))
        if stamp != before or is_open:
            since_s = now_s
        self._seen[path] = (stamp, since_s)
        steady_s = self._steady_s if steady_s is None else steady_s
        if stamp[0] and not is_open and now_s - since_s >= steady_s:
            del self._seen[path]
            return True
        return False


async def new_files(
    folder: Path,
    stop: asyncio.Event,
    *,
    steady_s: float = STEADY_S,
    truncated_steady_s: float = TRUNCATED_STEADY_S,
    poll_ms: int = POLL_MS,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Path]:
    """Yield each new or changed sound file of a folder and its subfolders, once it is complete.

    Parameters
    ----------
    folder : Path
        Files that exist at the start are not reported.
    stop : asyncio.Event
        Ends the iteration when set.
    steady_s : float
        Seconds without a change after which a file is complete.
    truncated_steady_s : float
        The same, for a truncated file.
    poll_ms : int
        Milliseconds between two looks at files that grow.
    clock : callable
        Returns monotonic seconds.

    Notes
    -----
    It ends when the folder is removed or another one takes its place, as when a stick is changed.
    When it cannot be watched, watchfiles raises FileNotFoundError or OSError; a folder that hangs
    raises TimeoutError, which is an OSError.
    """
    folder = folder.absolute()  # noqa: ASYNC240 - asks for the working folder only
    began = await within_time(LOOK_TIMEOUT_S, _identity, folder)
    tracker = StabilityTracker(steady_s)
    reported: dict[Path, Stamp] = {}
    truncated: dict[tuple[Path, Stamp], float] = {}  # since when they are stable

    def arriving(change: Change, name: str) -> bool:
        path = Path(name)
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if change == Change.deleted or hidden:
            return False
        return is_sound_file(path) or (change == Change.added and path.is_dir())

    async for changes in awatch(
        folder,
        watch_filter=arriving,
        stop_event=stop,
        debounce=poll_ms,
        step=min(50, poll_ms),
        rust_timeout=poll_ms,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        names = [name for _, name in changes]
        seen = await within_time(LOOK_TIMEOUT_S, _look, folder, names, tracker.paths)
        if seen.folder != began:
            return
        for path, stamp in seen.stamps.items():
            if stamp is not None and reported.get(path) == stamp:
                continue  # touched, or its permissions changed
            is_open = path in seen.open
            if not tracker.update(path, stamp, clock(), is_open=is_open) or not stamp:
                continue
            if await within_time(LOOK_TIMEOUT_S, _is_truncated, path):
                since = truncated.setdefault((path, stamp), clock())
                if clock() - since < truncated_steady_s - steady_s:
                    tracker.update(path, stamp, clock())
                    continue
            truncated = {key: at for key, at in truncated.items() if key[0] != path}
            reported[path] = stamp
            yield path


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The folder's identity, stamps by path, and files that are open for writing."""

    folder: tuple[int, int] | None
    stamps: dict[Path, Stamp | None]
    open: frozenset[Path]


def _look(folder: Path, names: list[str], growing: tuple[Path, ...]) -> _Snapshot:
    """Stat what changed and what grows. Blocks."""
    paths = set(growing)
    for name in names:
        # There is no event for files in a folder that was moved here, or filled too early.
        paths.update(_sound_of(Path(name)))
    stamps = {path: _stamp(path) for path in sorted(paths)}
    written = frozenset(path for path, stamp in stamps.items() if stamp and is_written(path))
    return _Snapshot(_identity(folder), stamps, written)


def is_written(path: Path) -> bool:
    """Return whether any process of this machine has a file open for writing.

    The kernel grants a read lease only if none has; it is released at once. Where leases are not
    supported, as over a network or for another user's file, False.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # a process that opens it for writing meanwhile sends us a signal: one that is ignored
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _is_truncated(path: Path) -> bool:
    """Return whether a file is shorter than its container states."""
    try:
        with path.open("rb") as file:
            payload = find_payload(file)
    except OSError:
        return False
    return payload is not None and bool(payload.missing_bytes)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return device and inode of a folder, or None if it is gone."""
    try:
        about = folder.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _sound_of(path: Path) -> tuple[Path, ...]:
    """Return a file itself, or the sound files of a folder."""
    if not path.is_dir():
        return (path,)
    try:
        return sound_files(path).paths
    except Refused:  # gone, or not readable
        return ()


def _stamp(path: Path) -> Stamp | None:
    """Return size in bytes and modification time in nanoseconds, or None if it is gone."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns
