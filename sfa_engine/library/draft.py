"""Folders and files that appear whole or not at all, and what killed writers left of them.

::

    .sfa-part-…-NAME   written into ──► all fsynced ──► renamed to NAME
    .sfa-old-…-NAME    what was in that place steps aside meanwhile, then goes

The marks between tell boot, process and number. A run that is killed leaves a part behind, and at
the worst moment the old folder aside; the next write beside it, or `clean_leftovers`, puts it
right. Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sfa_engine.durable import sync
from sfa_engine.errors import MediaError

_LEFTOVER = re.compile(r"\.sfa-(part|old)-([0-9a-f]{8})-([1-9][0-9]*)-[0-9]+-(.+)")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_counter = itertools.count()
_ours: set[str] = set()  # leftovers-to-be of this process, which are still in use


def clean_leftovers(folder: str | Path) -> int:
    """Put right what killed writers left in a folder of bundles; return how many things.

    A half-made part is removed. An old bundle that had stepped aside is put back if the new one
    had not taken its place yet, else removed. What living processes are at work on stays.
    """
    cleaned = 0
    if not Path(folder).exists():
        return 0
    for entry in sorted(Path(folder).iterdir()):
        match = _LEFTOVER.fullmatch(entry.name)
        if match is None or entry.name in _ours:
            continue
        if match[2] == _boot() and _is_alive(int(match[3])):
            continue
        home = entry.with_name(match[4])
        if not entry.is_dir():
            entry.unlink(missing_ok=True)
        elif match[1] == "part" or home.exists():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(FileNotFoundError):  # another process cleans too
                entry.rename(home)
        cleaned += 1
    return cleaned


@contextmanager
def drafted(target: Path, sign: str, kind: str) -> Iterator[Path]:
    """Lend an empty folder beside a target, which takes its place if all goes well.

    Parameters
    ----------
    target : Path
        The folder to make. One that is there is replaced if it is empty or has the sign in it.
    sign : str
        Name of the file that only folders of this kind have.
    kind : str
        What such a folder is called, for errors.

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    MediaError
        If something else is in that place, or it cannot be written.
    """
    draft = _beside(target, "part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target.parent):
            check_place(target, sign, kind)
        clean_leftovers(target.parent)
        draft.mkdir()
        yield draft
        sync(draft)
        take_place(draft, target)
    except OSError as problem:
        raise MediaError(
            f'cannot write {kind} "{target}": {problem.strerror or problem}',
            "look at the space and the rights there",
        ) from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        _ours.discard(draft.name)


def take_place(folder: Path, target: Path) -> None:
    """Put a folder in the place of another, which steps aside meanwhile and then goes.

    Parameters
    ----------
    folder : Path
        On the same disk, and with all in it on the disk.
    target : Path
        What is there, or is not there yet.
    """
    aside = _beside(target, "old")
    try:
        with alone(target.parent):  # of two that are ready at once, one is first
            try:
                with suppress(FileNotFoundError):
                    target.rename(aside)
                folder.rename(target)
                sync(target.parent)
            finally:
                if aside.exists() and not target.exists():
                    aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        _ours.discard(aside.name)


def step_aside(folder: Path) -> Path | None:
    """Take a folder from its place at once; return where it is, to be deleted by `clear_away`.

    None: it is not there, or cannot be taken away.
    """
    aside = _beside(folder, "part")
    try:
        folder.rename(aside)
    except OSError:
        _ours.discard(aside.name)
        return None
    return aside


def clear_away(aside: Path) -> None:
    """Delete what has stepped aside."""
    shutil.rmtree(aside, ignore_errors=True)
    _ours.discard(aside.name)


@contextmanager
def alone(folder: Path, how: int = 0) -> Iterator[None]:
    """Be the only one, of all who ask for it, at work in a folder; if its disk knows locks.

    Parameters
    ----------
    folder : Path
    how : int
        ``fcntl.LOCK_NB``: raise BlockingIOError rather than wait.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | how)
        except BlockingIOError:
            raise
        except OSError:  # a network's disk: go on without
            pass
        yield
    finally:
        os.close(handle)


@contextmanager
def drafted_file(target: Path) -> Iterator[Path]:
    """Lend a hidden path beside a file, which takes its place if all goes well.

    Yields
    ------
    Path
        To be written, and fsynced, by the borrower.

    Raises
    ------
    MediaError
        If it cannot be written.
    """
    draft = _beside(target, "part")
    try:
        clean_leftovers(target.parent)
        yield draft
        draft.rename(target)
        sync(target.parent)
    except OSError as problem:
        raise MediaError(
            f'cannot write "{target}": {problem.strerror or problem}',
            "look at the space and the rights there",
        ) from problem
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        _ours.discard(draft.name)


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """Lend a hidden folder beside a target for what is needed meanwhile; a kill leaves a part.

    Raises
    ------
    MediaError
        If it cannot be made, or the disk is full meanwhile.
    """
    folder = _beside(target, "part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clean_leftovers(target.parent)
        folder.mkdir()
    except OSError as problem:
        raise MediaError(
            f'cannot work beside "{target}": {problem.strerror or problem}',
            "look at the space and the rights there",
        ) from problem
    try:
        yield folder
    except OSError as problem:
        if problem.errno not in _NO_SPACE:
            raise
        raise MediaError(
            f'no space to work beside "{target}": {problem.strerror}', "make some, or go elsewhere"
        ) from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _ours.discard(folder.name)


def _beside(target: Path, kind: str) -> Path:
    """Return a hidden path that tells whose it is; it is ours until it is discarded."""
    name = f".sfa-{kind}-{_boot()}-{os.getpid()}-{next(_counter)}-{target.name}"
    _ours.add(name)
    return target.with_name(name)


def check_place(target: Path, sign: str, kind: str) -> None:
    """Raise MediaError if something that is of another kind would be overwritten."""
    if target.is_symlink() or (target.exists() and not _is_replaceable(target, sign)):
        raise MediaError(
            f'"{target}" is there and is no {kind}', "choose another name, or move it away"
        )


def _is_replaceable(target: Path, sign: str) -> bool:
    """Return whether a path has the sign, or is an empty folder: nothing else is overwritten."""
    return target.is_dir() and ((target / sign).exists() or not any(target.iterdir()))


@cache
def _boot() -> str:
    """Return eight digits that differ from boot to boot: process numbers begin anew then."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:  # no Linux
        return "00000000"


def _is_alive(pid: int) -> bool:
    """Return whether another process has this number; our own leftovers are in `_ours`."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
