"""`sfa log`: what all processes wrote, merged by time."""

from __future__ import annotations

import heapq
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from sfa_engine.errors import Refused
from sfa_engine.run import config as configuration
from sfa_engine.system.log import KEPT_FILES, LEVELS, RECORD, escape, numbered, unescape

PROCESSES = ("supervisor", "host", "stage", "backstage", "web")
FOLLOW_POLL_S = 0.2  # between two reads of the files
CHUNK = 1 << 16
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


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
    """

    at_s: float
    level: str
    text: str


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
            return Record(self._at_s, found[2].lower(), text)
        # Not written by our code: a library before logging started, or the interpreter's crash.
        return Record(self._at_s, "error", f"    {escape(text)}") if text else None


class Tail:
    """A log from its oldest record on, followed across rotations."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
        self._files += newer

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


def show(tails: list[Tail], begin_s: float, level: str, *, follow: bool) -> Iterator[Record]:
    """Yield records by time, from a time and a level on; with `follow` for ever."""
    least = LEVELS[level]
    while True:
        for record in heapq.merge(*(tail.read() for tail in tails), key=lambda r: r.at_s):
            if record.at_s >= begin_s and LEVELS[record.level] <= least:
                yield record
        if not follow:
            return
        time.sleep(FOLLOW_POLL_S)


def begin_of(words: str, now_s: float) -> float:
    """Parse `10m` or an ISO date into seconds since 1970.

    Raises
    ------
    Refused
        It is neither.
    """
    ago = _AGO.fullmatch(words.strip())
    if ago:
        return now_s - float(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(words.strip()).timestamp()
    except (ValueError, OverflowError):
        hint = "give 90s, 10m, 2h or 1d, or a time as 2026-11-28T21:30"
        raise Refused(f'"{words:.40}" is not a valid time', hint) from None


@click.command()
@click.argument("process", nargs=-1, type=click.Choice(PROCESSES))
@click.option("--follow", "-f", is_flag=True, help="Stay, and show new records.")
@click.option("--since", metavar="TIME", help="As 10m, 2h, or 2026-11-28T21:30.")
@click.option("--level", type=click.Choice([*LEVELS]), default="debug", help="At least.")
def log(process: tuple[str, ...], follow: bool, since: str | None, level: str) -> None:
    """Show the log: of all processes by time, or of some.

    One record is one line; on a terminal a traceback is shown in lines of its own.
    """
    folder = configuration.log_path()
    if not folder.exists() and not follow:
        raise Refused(f"there is no log in {folder}", "`sfa start` writes one")
    begin_s = begin_of(since, time.time()) if since else 0.0
    is_terminal = sys.stdout.isatty()
    with ExitStack() as opened, suppress(KeyboardInterrupt):
        paths = [folder / f"{name}.log" for name in process or PROCESSES]
        tails = [opened.enter_context(closing(Tail(path))) for path in paths]
        for record in show(tails, begin_s, level, follow=follow):
            click.echo(unescape(record.text) if is_terminal else record.text)
