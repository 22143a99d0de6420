"""Identities of source files, independent of name, folder and tags: the SHA-256 of the sound.

An identity is ``sound:BYTES:SHA-256`` of the bytes that `sfa_engine.library.payload` locates, which
a tagger does not change. The number of bytes tells that a truncated file is the beginning of a
complete one. A file without located sound has ``file:BYTES:SHA-256`` of all its bytes, a set of
stems ``stems:SHA-256`` of their identities. Older libraries have the SHA-256 of the file's bytes,
until the file is imported again.

Covers are stored by content as well, with a copy in the track's bundle. All functions block: call
them in a thread. Knows no database.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sfa_engine.errors import MediaError
from sfa_engine.library.payload import find_payload
from sfa_engine.library.sqlite_errors import os_errors_as
from sfa_engine.library.tags import MAX_COVER_BYTES, Cover, cover_of
from sfa_engine.system.atomic import write_durably

PIECE_BYTES = 1 << 20
KINDS = ("jpg", "png", "gif", "webp")  # of covers
COVER_NAME = re.compile(rf"[0-9a-f]{{64}}\.({'|'.join(KINDS)})")
COPY = "cover"  # name of the file in a bundle, without its ending


def content_hash(path: str | Path, progress: Callable[[float], None] | None = None) -> str:
    """Return the SHA-256, in hexadecimal, of a file's bytes: the identity in older libraries.

    Parameters
    ----------
    path : str or Path
    progress : callable, optional
        Called with the part read, 0..1.

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
    """Return the identity of a file's sound, equal for all copies whatever their tags.

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
    """Return whether a file's sound begins with all of a shorter, truncated one."""
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
    """Return the identity of a track of one file, or of stems in order."""
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
            f'cannot read "{path}": {problem.strerror}', "check its path and permissions"
        ) from problem


def _digest(
    file: BinaryIO, ranges: Sequence[tuple[int, int]], most: int | None = None
) -> tuple[str, int]:
    """Return the SHA-256 of ranges of a file, or of their first bytes, and the number of bytes."""
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
    """Write a cover to the folder of covers, unless it exists; return its name."""
    name = f"{hashlib.sha256(cover.content).hexdigest()}.{cover.kind}"
    target = folder / name
    with os_errors_as(f'cannot write a cover to "{folder}"'):
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(target, cover.content)
    return name


def put_cover(bundle: Path, folder: Path, name: str | None) -> bool:
    """Keep a copy of a track's cover in its bundle, as ``cover.jpg``; return whether it was new.

    Parameters
    ----------
    bundle : Path
        Its folder.
    folder : Path
        Of covers.
    name : str, optional
        Of the cover in there; None, or a missing one: the copy in the bundle stays.
    """
    if name is None:
        return False
    source, target = folder / name, bundle / f"{COPY}.{name.rpartition('.')[2]}"
    with os_errors_as(f'cannot write a cover to "{bundle}"'):
        if not source.is_file():
            return False
        content = source.read_bytes()
        if target.is_file() and target.read_bytes() == content:
            return False
        write_durably(target, content)
        for other in bundle.glob(f"{COPY}.*"):
            if other != target:
                other.unlink()
    return True


def bundle_cover(bundle: Path) -> tuple[Path, Cover] | None:
    """Return the path of the cover in a bundle, and the cover; None if it has none."""
    for kind in KINDS:
        path = bundle / f"{COPY}.{kind}"
        try:
            if path.stat().st_size <= MAX_COVER_BYTES and (cover := cover_of(path.read_bytes())):
                return path, cover
        except OSError:
            continue
    return None
