"""Files that a power cut leaves whole: the old text or the new one. Knows what is in none."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, text: str) -> None:
    """Write a text in the place of a file; when this returns it is on the disk.

    Raises
    ------
    OSError
        If it cannot be written; the file is as it was.
    """
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(text)
    sync(beside)
    beside.replace(path)
    sync(path.parent)
