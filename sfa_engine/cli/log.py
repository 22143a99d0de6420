"""`sfa log`: what all processes wrote, merged by time."""

from __future__ import annotations

import heapq
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import datetime

import click

from sfa_engine.errors import Refused
from sfa_engine.run import config as configuration
from sfa_engine.system.log import LEVELS, unescape
from sfa_engine.system.log_tail import PROCESSES, Record, Tail

FOLLOW_POLL_S = 0.2  # between two reads of the files
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


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
