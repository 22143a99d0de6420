"""Files that arrive in a folder, told when they are whole.

A file is whole when nobody has it open for writing, its size and time of change have been steady
for a while (one that is written in place has its size from the start), and its container ends as
it says; one that does not is waited for longer, and taken then: it may have been cut elsewhere. A
file that changes later is told again.

The kernel tells what changed (inotify, through watchfiles); nothing is polled but the few files
that are still growing. The folder may be a mount that hangs: it is looked at outside the event
loop.
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

from sfa_engine.backstage.services.links import is_sound_file, sound_files
from sfa_engine.errors import Refused
from sfa_engine.finished import within_time
from sfa_engine.library.payload import find_payload

STEADY_S = 3.0  # a copy over a slow network pauses, but seldom for longer
CUT_STEADY_S = 60.0  # where the end is missing: a copy that stands still, or is another machine's
HUNG_S = 30.0  # that a look at a folder may take
LOOK_MS = 500  # between two looks at files that grow


Stamp = tuple[int, int]  # size in bytes, time of change in nanoseconds


class Growth:
    """Which files are growing, and which have stopped. Reads no disk.

    Parameters
    ----------
    steady_s : float
        Seconds without a change after which a file is whole.
    """

    def __init__(self, steady_s: float = STEADY_S) -> None:
        self._steady_s = steady_s
        self._seen: dict[Path, tuple[Stamp | None, float]] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are not whole yet."""
        return tuple(self._seen)

    def saw(
        self,
        path: Path,
        stamp: Stamp | None,
        now_s: float,
        steady_s: float | None = None,
        *,
        is_open: bool = False,
    ) -> bool:
        """Note a file's size and time of change, None if it is gone; return whether it is whole.

        A file that is whole is told once, and again only after it is noted anew. One that somebody
        has open for writing is not. `steady_s` is that of this file, where it has one.
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


async def arrivals(
    folder: Path,
    stop: asyncio.Event,
    *,
    steady_s: float = STEADY_S,
    cut_steady_s: float = CUT_STEADY_S,
    look_ms: int = LOOK_MS,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Path]:
    """Yield each sound file that arrives, or is written anew, in a folder or one in it.

    Parameters
    ----------
    folder : Path
        What is in it already is not told.
    stop : asyncio.Event
        Ends it when set.
    steady_s : float
        Seconds without a change after which a file is whole.
    cut_steady_s : float
        The same, of one that ends before it says.
    look_ms : int
        Milliseconds between two looks at files that grow.
    clock : callable
        Returns monotonic seconds.

    Notes
    -----
    It ends when the folder is not the one that it was: removed, or another in its place, as of a
    stick. When it cannot be watched, watchfiles raises FileNotFoundError or OSError; a folder that
    hangs is a TimeoutError, which is one.
    """
    folder = folder.absolute()  # noqa: ASYNC240 - asks for the working folder only
    began = await within_time(HUNG_S, _identity, folder)
    growth = Growth(steady_s)
    told: dict[Path, Stamp] = {}
    cut: dict[tuple[Path, Stamp], float] = {}  # since when they stand still without their end

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
        debounce=look_ms,
        step=min(50, look_ms),
        rust_timeout=look_ms,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        names = [name for _, name in changes]
        looked = await within_time(HUNG_S, _look, folder, names, growth.paths)
        if looked.folder != began:
            return
        for path, stamp in looked.stamps.items():
            if stamp is not None and told.get(path) == stamp:
                continue  # touched, or its rights changed
            is_open = path in looked.open
            if not growth.saw(path, stamp, clock(), is_open=is_open) or not stamp:
                continue
            if await within_time(HUNG_S, _is_cut, path):
                waited = cut.setdefault((path, stamp), clock())
                if clock() - waited < cut_steady_s - steady_s:
                    growth.saw(path, stamp, clock())
                    continue
            cut = {key: since for key, since in cut.items() if key[0] != path}
            told[path] = stamp
            yield path


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen: the folder's identity, stamps by path, and files that are being written."""

    folder: tuple[int, int] | None
    stamps: dict[Path, Stamp | None]
    open: frozenset[Path]


def _look(folder: Path, names: list[str], growing: tuple[Path, ...]) -> _Look:
    """Look at what changed and at what grows. Blocks."""
    paths = set(growing)
    for name in names:
        # A folder that was moved here, or filled before it was watched, tells no file of its.
        paths.update(_sound_of(Path(name)))
    stamps = {path: _stamp(path) for path in sorted(paths)}
    written = frozenset(path for path, stamp in stamps.items() if stamp and is_written(path))
    return _Look(_identity(folder), stamps, written)


def is_written(path: Path) -> bool:
    """Return whether any process of this machine has a file open for writing.

    The kernel grants a read lease on a file only if nobody has; it is given back at once. Where it
    cannot be asked, as over a network or for another user's file, False.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # a writer who comes meanwhile would be told to us by a signal: by one that does nothing
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


def _is_cut(path: Path) -> bool:
    """Return whether a file ends before its container says."""
    try:
        with path.open("rb") as file:
            payload = find_payload(file)
    except OSError:
        return False
    return payload is not None and bool(payload.missing_bytes)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another that has its name, or None if it is gone."""
    try:
        about = folder.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _sound_of(path: Path) -> tuple[Path, ...]:
    """Return a file as it is, and the sound files of a folder."""
    if not path.is_dir():
        return (path,)
    try:
        return sound_files(path).paths
    except Refused:  # gone, or not to be read
        return ()


def _stamp(path: Path) -> Stamp | None:
    """Return size in bytes and time of change in nanoseconds, or None if it is gone."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns
