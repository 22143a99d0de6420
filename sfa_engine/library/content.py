"""What a source file is, whatever it is called and wherever it lies: the SHA-256 of its bytes.

And pictures kept by the same token: one file for each content. Blocks: call it in a thread.
Knows no database.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from sfa_engine.durable import sync
from sfa_engine.errors import MediaError
from sfa_engine.library.fault import blamed_files
from sfa_engine.library.tags import Cover

PIECE_BYTES = 1 << 20
COVER_NAME = re.compile(r"[0-9a-f]{64}\.(jpg|png|gif|webp)")


def content_hash(path: str | Path, progress: Callable[[float], None] | None = None) -> str:
    """Return the SHA-256, in hexadecimal, of a file.

    Parameters
    ----------
    path : str or Path
    progress : callable, optional
        Called with the part that is read, 0..1.

    Raises
    ------
    MediaError
        The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            size = max(os.fstat(file.fileno()).st_size, 1)
            done = 0
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
                done += len(piece)
                if progress is not None:
                    progress(min(done / size, 1.0))
    except OSError as problem:
        raise MediaError(
            f'cannot read "{path}": {problem.strerror}', "look whether it is there, and its rights"
        ) from problem
    return digest.hexdigest()


def keep_cover(folder: Path, cover: Cover) -> str:
    """Write a picture into the folder of covers, unless it is there; return its name."""
    name = f"{hashlib.sha256(cover.content).hexdigest()}.{cover.kind}"
    target = folder / name
    part = folder / f"{name}.{os.getpid()}.part"
    with blamed_files(f'cannot keep a cover in "{folder}"'):
        if target.exists():
            return name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(cover.content)
            sync(part)
            part.rename(target)
            sync(folder)
        finally:
            part.unlink(missing_ok=True)
    return name
