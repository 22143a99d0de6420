"""Our own format: rows of a library, an object a line, in a zip. Pure.

::

    library.zip
        library.jsonl     {"format": "sfa-library", "version": 1}
                          {"track": {…}, "sources": […], "grids": […], "cues": […], …}
                          {"playlist": {…}, "entries": ["<uuid>", …]}

It is rows, not a `Collection`: nothing is translated, so nothing is lost. Written and read line by
line: a library of any size takes the memory of a page of it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.errors import MediaError
from sfa_engine.interchange.texts import written

MEMBER = "library.jsonl"
NAME, VERSION = "sfa-library", 1
MAX_LINE_BYTES = 64 << 20  # a track of two hours with an anchor on each beat has 2 MB


class Writer:
    """Writes lines; made by `writing`."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def add(self, values: Iterable[dict[str, Any]]) -> None:
        """Write objects, a line each. Blocks."""
        for each in values:
            self._file.write(msgspec.json.encode(each) + b"\n")


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Yield what writes a file, which is there whole at the end of the block, or not at all.

    Raises
    ------
    MediaError
        It cannot be written.
    """
    with (
        written(path) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
        archive.open(MEMBER, "w", force_zip64=True) as file,
    ):
        writer = Writer(file)
        writer.add([{"format": NAME, "version": VERSION}])
        yield writer


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, without the first line, which says what it is. Blocks.

    Raises
    ------
    MediaError
        It is not of our format, of a newer version, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(MEMBER) as file:
            _check_head(path, _object(path, file.readline(MAX_LINE_BYTES + 1)))
            while line := file.readline(MAX_LINE_BYTES + 1):
                yield _object(path, line)
    except KeyError:
        raise MediaError(
            f'"{path}" is not a library of ours', "make one by `sfa library export --to sfa`"
        ) from None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        why = getattr(error, "strerror", None) or error
        raise MediaError(
            f'cannot read "{path}": {why}', "export it again, or copy it again"
        ) from None
    except RuntimeError as error:  # it has a password
        raise MediaError(f'cannot read "{path}": {error}', "export it again") from None


def _object(path: Path, line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise MediaError(f'"{path}" has a line that is too long', "export it again")
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise MediaError(f'"{path}" is damaged', "export it again, or copy it again") from None


def _check_head(path: Path, head: dict[str, Any]) -> None:
    if head.get("format") != NAME:
        raise MediaError(
            f'"{path}" is not a library of ours', "make one by `sfa library export --to sfa`"
        )
    if head.get("version") != VERSION:
        raise MediaError(
            f'"{path}" is of version {head.get("version")!r:.20}, this program reads {VERSION}',
            "update this program",
        )
