"""Atomic writes: files and folders appear whole or not at all; leftovers of crashes are cleaned.

::

    .sfa-part-…-NAME   written, fsynced ──► renamed to NAME
    .sfa-old-…-NAME    the folder that NAME was, until it is deleted

The writer of a part holds its `flock`, which the kernel releases when the process dies: a part
that is not locked is a leftover. `clean_leftovers` deletes it, and restores an old folder that a
killed writer had moved aside. Knows nothing of the content.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sfa_engine.errors import MediaError

PREFIXES = (".sfa-part-", ".sfa-old-")
# Twelve random digits; in earlier releases boot, process and a number.
_LEFTOVER = re.compile(r"\.sfa-(part|old)-(?:[0-9a-f]{12}|[0-9a-f]{8}-[0-9]+-[0-9]+)-(.+)")
_HINT = "check the free space and the permissions there"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Replace a file's content; on return it is on the disk, name included.

    A crash or a power cut at any moment leaves the old content or the new one.

    Parameters
    ----------
    path : pathlib.Path
    content : str or bytes
    mode : int
        Of the new file, less the umask.

    Raises
    ------
    OSError
        The file cannot be written; it is unchanged.
    """
    with atomic_file(path, mode=mode) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_file(target: Path, *, mode: int = 0o666, durable: bool = True) -> Iterator[Path]:
    """Yield an empty file beside a target, which it replaces unless the block raises.

    Parameters
    ----------
    target : pathlib.Path
    mode : int
        Of the new file, less the umask.
    durable : bool
        Whether content and name are fsynced, in this order: a power cut then leaves the old file
        or the new one. Without, that holds for a crash of the process only.

    Yields
    ------
    pathlib.Path
        The file to write; a name of the same suffix in the same folder.

    Raises
    ------
    OSError
        The file cannot be written; the target is unchanged.
    """
    _delete_unlocked(target.parent.glob(f"{PREFIXES[0]}*-{glob.escape(target.name)}"))
    part, lock = _locked_part(target, mode)
    try:
        yield part
        if durable:
            sync(part)
        part.rename(target)
        if durable:
            sync(target.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def atomic_directory(target: Path, sign: str, kind: str) -> Iterator[Path]:
    """Yield an empty folder beside a target, which it replaces unless the block raises.

    The folder's names are fsynced before and after the rename; the block fsyncs its files.

    Parameters
    ----------
    target : pathlib.Path
        The folder to make. One that exists is replaced if it is empty or contains the sign.
    sign : str
        Name of the file by which folders of this kind are recognised.
    kind : str
        Name of such folders, for errors.

    Yields
    ------
    pathlib.Path
        The folder to write into.

    Raises
    ------
    MediaError
        The target is something else, or cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(target.parent):
            check_replaceable(target, sign, kind)
        with part_directory(target) as part:
            yield part
            sync(part)
            replace_directory(part, target)
    except OSError as problem:
        raise MediaError(f'cannot write {kind} "{target}": {_reason(problem)}', _HINT) from problem


@contextmanager
def temporary_directory(target: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside a target, deleted after the block.

    Raises
    ------
    MediaError
        The folder cannot be made, or the disk is full during the block.
    """
    started = False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part_directory(target) as part:
            # a subfolder: the part is locked, and a worker may write atomically into the folder
            folder = part / "work"
            folder.mkdir()
            started = True
            yield folder
    except OSError as problem:
        if started and problem.errno not in _NO_SPACE:
            raise
        raise MediaError(f'cannot write beside "{target}": {_reason(problem)}', _HINT) from problem


@contextmanager
def part_directory(target: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside a target, deleted after the block; raises OSError."""
    clean_leftovers(target.parent)
    part, lock = _locked_part(target)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)


def replace_directory(folder: Path, target: Path) -> None:
    """Replace a folder, which is deleted, by another, whose content is on the disk.

    The target is missing for an instant between two renames; after a crash in between
    `clean_leftovers` restores the old folder. On return the new name is on the disk.
    """
    old = _beside(target, "old")
    try:
        with folder_lock(target.parent):  # of two that are ready at once, one is first
            try:
                with suppress(FileNotFoundError):
                    target.rename(old)
                folder.rename(target)
                sync(target.parent)
            finally:
                if old.exists() and not target.exists():
                    old.rename(target)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def move_aside(folder: Path) -> Path | None:
    """Rename a folder to a leftover; return that, to be deleted later.

    Return None if it does not exist, or cannot be renamed.
    """
    aside = _beside(folder, "part")
    try:
        folder.rename(aside)
    except OSError:
        return None
    return aside


def clean_leftovers(folder: str | Path) -> int:
    """Delete or restore what killed writers left in a folder; return how many there were.

    An old folder gets its name back unless the new one has it. Parts of a living process stay, and
    so does everything on a disk without locks.
    """
    root = Path(folder)
    if not root.exists():
        return 0
    found = [entry for entry in sorted(root.iterdir()) if _LEFTOVER.fullmatch(entry.name)]
    if not found:
        return 0
    cleaned = _delete_unlocked(path for path in found if path.name.startswith(PREFIXES[0]))
    with folder_lock(root):  # no writer is between the two renames of `replace_directory`
        for old in found:
            match = _LEFTOVER.fullmatch(old.name)
            if match is None or match[1] != "old" or not old.exists():
                continue
            home = old.with_name(match[2])
            if home.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                with suppress(FileNotFoundError):  # another process restored it
                    old.rename(home)
            cleaned += 1
    return cleaned


@contextmanager
def folder_lock(folder: Path, how: int = 0) -> Iterator[None]:
    """Hold an advisory lock on a folder; no effect on a disk without locks.

    Parameters
    ----------
    folder : pathlib.Path
    how : int
        ``fcntl.LOCK_NB``: raise BlockingIOError rather than wait.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | how)
        except BlockingIOError:
            raise
        except OSError:  # a network file system without locks
            pass
        yield
    finally:
        os.close(handle)


def check_replaceable(target: Path, sign: str, kind: str) -> None:
    """Raise MediaError unless a path is free, an empty folder, or a folder with the sign."""
    if not target.is_symlink():
        if not target.exists():
            return
        if target.is_dir() and ((target / sign).exists() or not any(target.iterdir())):
            return
    raise MediaError(
        f'"{target}" exists and is not a {kind}', "choose another name, or move it away"
    )


def _reason(problem: OSError) -> str:
    return problem.strerror or str(problem)


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".sfa-{kind}-{secrets.token_hex(6)}-{target.name}")


def _locked_part(target: Path, mode: int | None = None) -> tuple[Path, int]:
    """Make a locked part, a folder if `mode` is None; return it with the handle of its lock."""
    while True:
        part = _beside(target, "part")
        if mode is None:
            part.mkdir()
        flags = os.O_RDONLY if mode is None else os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            lock = os.open(part, flags, mode or 0)
        except FileNotFoundError:  # cleaned before it was locked
            if mode is None:
                continue
            raise
        with suppress(OSError):  # a network file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        if part.exists():
            return part, lock
        os.close(lock)


def _delete_unlocked(parts: Iterable[Path]) -> int:
    """Delete the parts that no process has locked; return how many."""
    deleted = 0
    for part in parts:
        try:
            lock = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            continue  # another user's, or deleted
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)
            deleted += 1
        except OSError:  # locked, or there are no locks here
            pass
        finally:
            os.close(lock)
    return deleted
