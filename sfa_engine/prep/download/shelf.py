"""The folder where files go, and the hidden one where they are made. Knows nothing of sound.

Several workers share the folder: what must not overlap is done under its lock, which the kernel
gives back when a worker dies. A hidden folder is locked as long as its worker lives; one that is
not is a dead worker's, and is removed by the next.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfa_engine.errors import Refused
from sfa_engine.prep.download.failure import KINDS, DownloadError

PART = ".sfa-part-"
LONGEST_NAME_BYTES = 180  # 255 are possible; stems and bundles add to it
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')  # somewhere, on some disk


@contextmanager
def part_folder(out: Path) -> Iterator[Path]:
    """Make a hidden folder, on the same disk as `out`, that is gone after the block.

    Raises
    ------
    Refused
        If `out` cannot be made or written into.
    DownloadError
        If the disk is full.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _locked(out):
            _sweep(out)
            part = Path(tempfile.mkdtemp(prefix=PART, dir=out))
            lock = os.open(part, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as problem:
        raise unwritable(out, problem) from problem
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)


def put(file: Path, out: Path, name: str) -> Path:
    """Move a finished file into a folder, under a name that is free there.

    Parameters
    ----------
    file : Path
        On the same disk.
    out : Path
        The folder.
    name : str
        Any text; without the ending, which stays.

    Returns
    -------
    Path
        Where it is now. Nothing that was there is replaced.

    Raises
    ------
    Refused
        If the folder cannot be written into.
    """
    stem = file_name(name)
    try:
        with _locked(out):
            target = out / (stem + file.suffix)
            number = 1
            while target.exists() or target.is_symlink():
                number += 1
                target = out / f"{stem} ({number}){file.suffix}"
            file.rename(target)
    except OSError as problem:
        raise unwritable(out, problem) from problem
    return target


def file_name(text: str) -> str:
    """Return a text as a name that every file system takes, and that is not hidden."""
    name = " ".join(_FORBIDDEN.sub(" ", text).split()).lstrip(". -")
    name = name.encode("utf-8", "ignore")[:LONGEST_NAME_BYTES].decode("utf-8", "ignore")
    return name.rstrip(". ") or "untitled"


def unwritable(out: Path, problem: OSError) -> Refused | DownloadError:
    """Return what to tell when a folder cannot be written into."""
    if problem.errno in {28, 122}:  # ENOSPC, EDQUOT
        kind = KINDS["disk-full"]
        return DownloadError("disk-full", f'{kind.sentence}: "{out}"', kind.hint)
    return Refused(f'cannot write into "{out}": {problem.strerror}', "give another folder")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; no other worker is in such a block meanwhile."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _sweep(out: Path) -> None:
    """Remove hidden folders of workers that are dead."""
    for part in out.glob(PART + "*"):
        try:
            lock = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            continue  # somebody else's, or gone already
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(part, ignore_errors=True)
        except BlockingIOError:
            pass  # its worker lives
        finally:
            os.close(lock)
