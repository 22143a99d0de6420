"""What a source file is, whatever it is called and wherever it lies: the SHA-256 of its sound.

An identity is ``sound:BYTES:SHA-256`` of the bytes that `sfa_engine.library.payload` locates: a
tagger changes none of them. With the number of bytes a file that was cut is known as the beginning
of the whole one. A file in which no sound is located has ``file:BYTES:SHA-256`` of all its bytes,
stems together ``stems:SHA-256`` of their identities. Libraries of before have the bare SHA-256 of
the file's bytes, until the file is met again.

And pictures kept by the same token: one file for each content. Blocks: call it in a thread.
Knows no database.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sfa_engine.durable import sync
from sfa_engine.errors import MediaError
from sfa_engine.library.fault import blamed_files
from sfa_engine.library.payload import find_payload
from sfa_engine.library.tags import Cover

PIECE_BYTES = 1 << 20
COVER_NAME = re.compile(r"[0-9a-f]{64}\.(jpg|png|gif|webp)")


def content_hash(path: str | Path, progress: Callable[[float], None] | None = None) -> str:
    """Return the SHA-256, in hexadecimal, of a file's bytes: its identity in older libraries.

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
    with _reading(path) as file:
        size = max(os.fstat(file.fileno()).st_size, 1)
        done = 0
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            done += len(piece)
            if progress is not None:
                progress(min(done / size, 1.0))
    return digest.hexdigest()


def sound_identity(path: str | Path) -> str:
    """Return what identifies the sound of a file; the same for each of its copies, however tagged.

    Raises
    ------
    MediaError
        The file cannot be read.
    """
    with _reading(path) as file:
        payload = find_payload(file)
        ranges = payload.ranges if payload else ((0, os.fstat(file.fileno()).st_size),)
        digest, count = _digest(file, ranges)
    return f"{'sound' if payload else 'file'}:{count}:{digest}"


def begins_with(path: str | Path, identity: str) -> bool:
    """Return whether the sound of a file begins with all of another, shorter one: it was cut."""
    kind, _, rest = identity.partition(":")
    count, _, digest = rest.partition(":")
    if kind != "sound" or not count.isdecimal():
        return False
    with _reading(path) as file:
        payload = find_payload(file)
        if payload is None or sum(length for _, length in payload.ranges) <= int(count):
            return False
        return _digest(file, payload.ranges, int(count))[0] == digest


def together(identities: Sequence[str]) -> str:
    """Return what identifies a track of these files: the one, or its stems in their order."""
    if len(identities) == 1:
        return identities[0]
    return f"stems:{hashlib.sha256(''.join(identities).encode()).hexdigest()}"


@contextmanager
def _reading(path: str | Path) -> Iterator[BinaryIO]:
    try:
        with Path(path).open("rb") as file:
            yield file
    except OSError as problem:
        raise MediaError(
            f'cannot read "{path}": {problem.strerror}', "look whether it is there, and its rights"
        ) from problem


def _digest(
    file: BinaryIO, ranges: Sequence[tuple[int, int]], most: int | None = None
) -> tuple[str, int]:
    """Return the SHA-256 of parts of a file, or of so many bytes of them, and their number."""
    digest = hashlib.sha256()
    count = 0
    for at, length in ranges:
        file.seek(at)
        left = length if most is None else min(length, most - count)
        while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
            digest.update(piece)
            left -= len(piece)
            count += len(piece)
    return digest.hexdigest(), count


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
