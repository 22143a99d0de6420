"""Reads the logs that `sfa_engine.system.log` writes, and follows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sfa_engine.system.log import KEPT_FILES, RECORD, escape, numbered

PROCESSES = ("supervisor", "host", "stage", "backstage", "web")
CHUNK = 1 << 16


@dataclass(frozen=True)
class Record:
    """One line of a log.

    Parameters
    ----------
    at_s : float
        Since 1970. A line without a time, as of a crash, has that of the line before it.
    level : str
    text : str
        The whole line, as it is in the file.
    process : str
        That wrote it; empty for a line without a time.
    message : str
        What it says.
    """

    at_s: float
    level: str
    text: str
    process: str = ""
    message: str = ""


class Parser:
    """Parses the lines of one file."""

    def __init__(self) -> None:
        self._at_s = 0.0

    def parse(self, line: bytes) -> Record | None:
        """Parse a line; None for an empty one."""
        text = line.decode(errors="backslashreplace").rstrip("\r\n")
        found = RECORD.match(text)
        if found:
            try:
                self._at_s = datetime.fromisoformat(found[1]).timestamp()
            except (ValueError, OverflowError):
                found = None
        if found:
            return Record(self._at_s, found[2].lower(), text, found[3], text[found.end() :])
        # Not written by our code: a library before logging started, or the interpreter's crash.
        shown = escape(text)
        return Record(self._at_s, "error", f"    {shown}", "", shown) if text else None


class Tail:
    """A log from its oldest record on, followed across rotations.

    Parameters
    ----------
    path : pathlib.Path
    last_bytes : int, optional
        Begin with so much of the newest file, not with the oldest.
    """

    def __init__(self, path: Path, last_bytes: int | None = None) -> None:
        self._path = path
        self._last_bytes = last_bytes
        self._rest = b""
        self._parser = Parser()
        self._files: list[BinaryIO] = []

    def _open(self) -> None:
        """Open the files that are newer than the last one, whose names may move meanwhile."""
        newer: list[BinaryIO] = []
        for number in range(KEPT_FILES + 1):
            try:
                file = numbered(self._path, number).open("rb")
            except OSError:
                continue
            if any(_is_same(file, known) for known in newer):
                file.close()
            elif self._files and _is_same(file, self._files[-1]):
                file.close()
                break
            else:
                newer.insert(0, file)
        if self._last_bytes is not None:
            self._begin_near_end(newer, self._last_bytes)
            self._last_bytes = None
        self._files += newer

    def _begin_near_end(self, files: list[BinaryIO], last_bytes: int) -> None:
        while len(files) > 1:
            files.pop(0).close()
        for file in files:
            if file.seek(0, os.SEEK_END) > last_bytes:
                file.seek(-last_bytes, os.SEEK_END)
                file.readline()  # a part of one
            else:
                file.seek(0)

    def read(self) -> Iterator[Record]:
        """Yield the records since the last call; an unfinished line waits for its end."""
        self._open()
        while self._files:
            while data := self._files[0].read(CHUNK):
                *lines, self._rest = (self._rest + data).split(b"\n")
                yield from filter(None, map(self._parser.parse, lines))
            if len(self._files) == 1:
                return
            self._files.pop(0).close()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def _is_same(one: BinaryIO, other: BinaryIO) -> bool:
    return os.path.sameopenfile(one.fileno(), other.fileno())
