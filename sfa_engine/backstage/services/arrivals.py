"""Files that arrive in a folder, told when they are whole: their size has been steady for a while.

The kernel tells what changed (inotify, through watchfiles); nothing is polled but the few files
that are still growing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from watchfiles import Change, awatch

from sfa_engine.backstage.services.links import is_sound_file, sound_files
from sfa_engine.errors import Refused

STEADY_S = 3.0  # a copy over a slow network pauses, but seldom for longer
LOOK_MS = 500  # between two looks at files that grow


class Growth:
    """Which files are growing, and which have stopped. Reads no disk.

    Parameters
    ----------
    steady_s : float
        Seconds without a change after which a file is whole.
    """

    def __init__(self, steady_s: float = STEADY_S) -> None:
        self._steady_s = steady_s
        self._seen: dict[Path, tuple[int, float]] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are not whole yet."""
        return tuple(self._seen)

    def saw(self, path: Path, size_bytes: int | None, now_s: float) -> bool:
        """Note a file's size, None if it is gone; return whether it is whole now.

        A file that is whole is told once, and again only after it is noted anew.
        """
        if size_bytes is None:
            self._seen.pop(path, None)
            return False
        before, since_s = self._seen.get(path, (-1, now_s))
        if size_bytes != before:
            since_s = now_s
        self._seen[path] = (size_bytes, since_s)
        if size_bytes and now_s - since_s >= self._steady_s:
            del self._seen[path]
            return True
        return False


async def arrivals(
    folder: Path,
    stop: asyncio.Event,
    *,
    steady_s: float = STEADY_S,
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
    look_ms : int
        Milliseconds between two looks at files that grow.
    clock : callable
        Returns monotonic seconds.

    Notes
    -----
    It ends when the folder is not the one that it was: removed, or another in its place, as of a
    stick. When it cannot be watched, watchfiles raises FileNotFoundError or OSError.
    """
    folder = folder.absolute()  # noqa: ASYNC240 - asks for the working folder only
    began = _identity(folder)
    growth = Growth(steady_s)
    told: dict[Path, tuple[int, int]] = {}

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
        if _identity(folder) != began:
            return
        changed: set[Path] = set()
        for _, name in changes:
            # A folder that was moved here, or filled before it was watched, tells no file of its.
            changed.update(_sound_of(Path(name)))
        for path in sorted(changed.union(growth.paths)):
            stamp = _stamp(path)
            if stamp is not None and told.get(path) == stamp:
                continue  # touched, or its rights changed
            if growth.saw(path, stamp and stamp[0], clock()) and stamp:
                told[path] = stamp
                yield path


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


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return size in bytes and time of change in nanoseconds, or None if it is gone."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns
