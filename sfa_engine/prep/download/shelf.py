"""The folder of downloads, and the hidden one of unfinished ones. Knows nothing of sound.

Several workers share the folder, so a free name is chosen and used under its lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sfa_engine.errors import Refused
from sfa_engine.prep.download.failure import KINDS, DownloadError
from sfa_engine.system.atomic import folder_lock, part_directory

MAX_NAME_BYTES = 180  # 255 are possible; stems and bundles append to it
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')  # on some file system


@contextmanager
def part_folder(out: Path) -> Iterator[Path]:
    """Make a hidden folder on the disk of `out`, deleted after the block.

    Raises
    ------
    Refused
        `out` cannot be made or written into.
    DownloadError
        The disk is full.
    """
    with ExitStack() as stack:
        try:
            out.mkdir(parents=True, exist_ok=True)
            part = stack.enter_context(part_directory(out / "download"))
        except OSError as problem:
            raise unwritable(out, problem) from problem
        yield part


def put(file: Path, out: Path, name: str) -> Path:
    """Move a finished file into a folder, under a free name.

    Parameters
    ----------
    file : Path
        On the same disk.
    out : Path
        The folder.
    name : str
        Any text; without the suffix, which is kept.

    Returns
    -------
    Path
        The new path. No existing file is replaced.

    Raises
    ------
    Refused
        The folder cannot be written into.
    """
    stem = file_name(name)
    try:
        with folder_lock(out):
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
    """Return a text as a file name that is valid on every file system, and not hidden."""
    name = " ".join(_FORBIDDEN.sub(" ", text).split()).lstrip(". -")
    name = name.encode("utf-8", "ignore")[:MAX_NAME_BYTES].decode("utf-8", "ignore")
    return name.rstrip(". ") or "untitled"


def unwritable(out: Path, problem: OSError) -> Refused | DownloadError:
    """Return the error for a folder that cannot be written into."""
    if problem.errno in {28, 122}:  # ENOSPC, EDQUOT
        kind = KINDS["disk-full"]
        return DownloadError("disk-full", f'{kind.sentence}: "{out}"', kind.hint)
    return Refused(f'cannot write into "{out}": {problem.strerror}', "give another folder")
