"""Text files of other programs: any encoding in, UTF-8 out, whole or not at all."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfa_engine.errors import MediaError
from sfa_engine.system.atomic import atomic_file

MAX_TEXT_BYTES = 64 << 20  # of a playlist: half a million lines have 60 MB

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(path: Path, what: str) -> str:
    """Return the text of a file: by its mark, else UTF-16 if every other byte is 0, else UTF-8.

    What is none of these is cp1252, as Windows programs write.

    Raises
    ------
    MediaError
        It cannot be read, is too long, or is not text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise MediaError(f'cannot read "{path}": {error.strerror}', f"name a {what}") from None
    if len(content) > MAX_TEXT_BYTES:
        raise MediaError(f'"{path}" is longer than a {what} can be', "name another file")
    text = _decoded(content)
    if "\0" in text:
        raise MediaError(f'"{path}" is not a {what}', "name a text file")
    return text


def _decoded(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding, "replace")
    head = content[:200]
    if head and len(content) % 2 == 0:
        half = len(head) // 2
        if head[1::2].count(0) > 0.8 * half and 0 not in head[::2]:
            return content.decode("utf-16-le", "replace")
        if head[::2].count(0) > 0.8 * half and 0 not in head[1::2]:
            return content.decode("utf-16-be", "replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield a file that replaces another one at the end of the block.

    Raises
    ------
    MediaError
        It cannot be written; what was there is unchanged.
    """
    try:
        with atomic_file(path) as part:
            yield part
    except OSError as error:
        raise MediaError(
            f'cannot write "{path}": {error.strerror or error}',
            "check the free space and the permissions there",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8; see `written`."""
    with written(path) as part:
        part.write_bytes(text.encode())
