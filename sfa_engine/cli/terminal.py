r"""Standard output and error, safe for a terminal: no control characters, no encoding errors.

Names, tags and labels are written by others. A file name with an escape sequence in it could
recolour, retitle or reprogram the terminal it is listed on. So everything that a command prints
passes through here::

    click.echo, print ────► Printable ──► stdout    control characters become U+FFFD
    print_styled ─────────► Checked ────► stdout    it replaces them itself, and adds colours
    rich Console (screen) ► Checked ────► stdout    the same

JSON stays exact: what is not printable is written as ``\uXXXX``. Imports no rich: `sfa get` is
called from scripts, ten times a second.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

import click

from sfa_engine.errors import SfaError

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Controls (but newline and tab), line separators, bidi embeddings, overrides and isolates, and
# surrogates, which stand for bytes of a file name that are not UTF-8.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = re.compile("[\n\t]")
# What our own symbols are on a terminal that is not UTF-8; any other character is a `?`.
_PLAIN = {"█": "#", "░": ".", "▶": ">", "■": "=", "·": "*", "✓": "+", "✗": "x", "…": "~"}
_ERRORS = "sfa.plain"
_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "bright_yellow": "93"}

Line = list[tuple[str, str]]  # pieces of text, each with its style: words of `_SGR`


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return what an encoder writes in place of characters that it lacks."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in lacking), error.end


codecs.register_error(_ERRORS, _plain)


def printable(text: str) -> str:
    """Return a text with U+FFFD in place of what would control a terminal."""
    return _UNSAFE.sub(REPLACEMENT, text)


def one_line(text: str) -> str:
    """Return a printable text without line breaks: a name with one would look like two lines."""
    return printable(_BREAKS.sub(REPLACEMENT, text))


class OutputError(SfaError):
    r"""Standard output or error cannot be written: its disk is full, say."""

    code = "output"


class Checked:
    """A text stream whose errors say that it is the output that failed.

    Parameters
    ----------
    stream : TextIO
        Standard output or error, or what a test has in its place.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text, and return its length."""
        with self._checked():
            return self.stream.write(text)

    def flush(self) -> None:
        """Hand over what is buffered."""
        with self._checked():
            self.stream.flush()

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # the reader has seen enough
            raise
        except OSError as error:
            raise OutputError(f"cannot write to {self._name}: {error.strerror}") from None

    @property
    def _name(self) -> str:
        name = str(getattr(self.stream, "name", "the output")).strip("<>")
        return {"stdout": "standard output", "stderr": "standard error"}.get(name, name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Printable(Checked):
    """A text stream that replaces control characters."""

    encoding = "utf-8"  # it takes every character; click would go round one that does not

    def write(self, text: str) -> int:
        super().write(printable(text))
        return len(text)


def _open_closed() -> None:
    """Open ``/dev/null`` in place of closed standard streams, for libraries that use their numbers.

    Else the next file that is opened would get such a number, and what is written to it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)


@contextmanager
def guarded() -> Iterator[None]:
    """Make standard output and error safe inside the block; a closed stream is ``/dev/null``."""
    _open_closed()
    before = sys.stdin, sys.stdout, sys.stderr
    for stream in before[1:]:
        if hasattr(stream, "reconfigure"):  # None where it is closed
            stream.reconfigure(errors=_ERRORS)
    with Path(os.devnull).open("r+", encoding="utf-8") as nothing:
        out, errors = (cast("TextIO", Printable(stream or nothing)) for stream in before[1:])
        sys.stdin, sys.stdout, sys.stderr = sys.stdin or nothing, out, errors
        try:
            yield
        finally:
            if (sys.stdout, sys.stderr) == (out, errors):
                sys.stdin, sys.stdout, sys.stderr = before


def discard_output() -> None:
    """Write standard output into nothing from now on: else Python fails again when it exits."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON that a terminal may be given, and that reads back exactly."""
    import json

    stream = getattr(sys.stdout, "stream", sys.stdout)
    encoding = str(getattr(stream, "encoding", None) or "utf-8")
    wide = codecs.lookup(encoding).name == "utf-8"
    text = json.dumps(value, indent=indent, ensure_ascii=not wide)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows as a table, each column as wide as its widest cell."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json_text(value, indent=2))


def print_json_line(value: Any) -> None:
    """Print a value as a line of JSON."""
    click.echo(json_text(value))


def cell_len(text: str) -> int:
    """Return the columns that a text takes on a terminal: CJK characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def fit(text: str, cells: int) -> str:
    """Return a text as one line of so many columns, cut with an ellipsis or padded."""
    text = one_line(text)
    if cell_len(text) > cells:
        while text and cell_len(text) > cells - 1:
            text = text[:-1]
        text += "…" if cells > 0 else ""
    return text + " " * (cells - cell_len(text))


def print_styled(lines: list[Line]) -> None:
    """Print lines with their colours, without them where the output is not a terminal."""
    stream = getattr(sys.stdout, "stream", sys.stdout)
    coloured = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    checked = Checked(stream)
    for line in lines:
        pieces = (
            f"\x1b[{_codes(style)}m{one_line(text)}\x1b[0m"
            if coloured and style
            else one_line(text)
            for text, style in line
        )
        checked.write(f"{''.join(pieces)}\n")
    checked.flush()


def _codes(style: str) -> str:
    """Return the codes of a style, in rich's words: ``bold green``, ``#ff8800``."""
    return ";".join(_SGR[word] if word in _SGR else _true_color(word) for word in style.split())


def _true_color(color: str) -> str:
    """Return the code of a colour, ``#rrggbb``, of the text."""
    return f"38;2;{';'.join(str(int(color[at : at + 2], 16)) for at in (1, 3, 5))}"


def print_error(error: Exception) -> None:
    """Print an error as one line."""
    with suppress(OutputError, OSError):
        click.echo(f"sfa: {' '.join(str(error).splitlines())}", err=True)
