"""XML as it is written: escaped, of legal characters only, line by line into an atomic file.

XML 1.0 has no control characters but tab and line ends, no surrogates, no U+FFFE and U+FFFF, not
even escaped. Knows no format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sfa_engine.errors import MediaError
from sfa_engine.system.atomic import atomic_file

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def legal(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return _ILLEGAL.sub("", text)


def escaped(text: str) -> str:
    """Return a legal text as it stands in an attribute or between tags."""
    return text.translate(_ESCAPES)


def tag(name: str, attributes: Mapping[str, object], end: str = "/>") -> str:
    """Return a tag; an attribute of None is left out."""
    pairs = "".join(
        f' {key}="{escaped(legal(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{pairs}{end}"


@contextmanager
def written(path: Path, newline: str = "\n") -> Iterator[TextIO]:
    """Yield a text file that replaces a path unless the block raises. Blocks.

    Parameters
    ----------
    path : pathlib.Path
    newline : str
        What each line feed becomes.

    Yields
    ------
    io.TextIOBase

    Raises
    ------
    MediaError
        It cannot be written; what was there is unchanged.
    """
    try:
        with (
            atomic_file(path) as part,
            part.open("w", encoding="utf-8", newline=newline, buffering=1 << 16) as file,
        ):
            yield file
    except OSError as problem:
        raise MediaError(
            f'cannot write "{path}": {problem.strerror or problem}',
            "check the free space and the permissions there",
        ) from problem
