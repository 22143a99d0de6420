"""`sfa clock`: the sources that the session's clock may follow, and how well it follows.

::

    clock 127.98 BPM, bar 12.3, follows midi, phase +0.2 ms, decks 1 2
      source     BPM     jitter    locked
      internal   127.98            yes
    ▶ midi       127.98  0.41 ms   yes     TR-8S, followed

With ``--watch`` the phase error of the last minute is drawn beneath, one column a second.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import Line, fit, print_json, print_json_line, print_styled

if TYPE_CHECKING:
    from rich.text import Text

FRAMES_PER_S = 10
MINUTE = 60  # columns of the plot, one a second
ROWS = 9  # of the plot; the middle one is 0
LEAST_MS = 1.0  # that the plot's top stands for, at least
CELLS = {"source": 9, "BPM": 7, "jitter": 8, "locked": 6}


@click.command()
@click.option("--watch", "-w", is_flag=True, help="Stay, and plot the last minute's phase error.")
@json_option
def clock(watch: bool, as_json: bool) -> None:
    """Show the session's clock, and the sources that it may follow."""
    with connect() as client:
        if as_json and not watch:
            print_json(client.call("clock"))
        elif as_json:
            while True:
                print_json_line(client.call("clock"))
                time.sleep(1.0)
        elif not watch:
            print_styled(clock_lines(client.call("clock")))
        else:
            _watch(client)


def _watch(client: Any) -> None:
    """Show the clock live until Ctrl-C."""
    from rich.live import Live
    from rich.text import Text

    from sfa_engine.cli import screen

    errors_ms: deque[float] = deque(maxlen=MINUTE)
    worst_ms = 0.0
    looks = 0

    def view() -> Text:
        nonlocal worst_ms, looks
        state = client.call("clock")
        if abs(state["phase_error_ms"]) >= abs(worst_ms):
            worst_ms = state["phase_error_ms"]
        looks += 1
        if looks % FRAMES_PER_S == 0:
            errors_ms.append(worst_ms if state["locked"] else float("nan"))
            worst_ms = 0.0
        lines = [*clock_lines(state), [("", "")], *plot_lines(list(errors_ms))]
        return Text("\n").join(Text.assemble(*line) for line in lines)

    with Live(view(), console=screen.console, refresh_per_second=FRAMES_PER_S) as live:
        while True:
            time.sleep(1 / FRAMES_PER_S)
            live.update(view())


def clock_lines(state: dict[str, Any]) -> list[Line]:
    """Return the clock and its sources as lines; `state` as the method ``clock`` returns it."""
    words = [f"{state['tempo']:.2f} BPM", f"bar {state['bar']}.{int(state['beat_of_bar'])}"]
    if state["followed"]:
        words += [f"follows {state['followed']}", f"phase {state['phase_error_ms']:+.1f} ms"]
    elif state["source"] != "internal":
        words.append(f"{state['source']} is not there: the tempo is kept")
    if not state["running"]:
        words.append("stopped")
    if state["decks"]:
        words.append(f"followed by deck {' and '.join(map(str, state['decks']))}")
    head: Line = [("clock ", ""), (", ".join(words), "bold")]
    sends = [name for name in ("midi_out", "link") if state[name]]
    table: list[Line] = [
        [("  " + "  ".join(fit(name, cells) for name, cells in CELLS.items()), "bold")]
    ]
    for row in state["sources"]:
        is_source = row["name"] == state["source"]
        cells = {
            "source": row["name"],
            "BPM": f"{row['tempo']:.2f}" if row["tempo"] else "",
            "jitter": "" if row["jitter_ms"] is None else f"{row['jitter_ms']:.2f} ms",
            "locked": "yes" if row["locked"] else "no",
        }
        line = "  ".join(fit(word, CELLS[name]) for name, word in cells.items())
        style = "" if row["locked"] else "dim"
        table.append(
            [("▶ " if is_source else "  ", "green"), (f"{line}  {row['note']}".rstrip(), style)]
        )
    if sends:
        table.append([(f"sent by {' and '.join(sends)}", "dim")])
    return [head, *table]


def plot_lines(errors_ms: list[float]) -> list[Line]:
    """Return the phase error, ms, of up to a minute as lines; NaN where nothing was followed."""
    known = [abs(error) for error in errors_ms if not math.isnan(error)]
    top = LEAST_MS
    while known and top < max(known):
        top *= 2
    middle = ROWS // 2
    grid = [[" "] * MINUTE for _ in range(ROWS)]
    for column, error in enumerate(errors_ms, MINUTE - len(errors_ms)):
        if not math.isnan(error):
            row = middle - round(error / top * middle)
            grid[row][column] = "•"
    labels = {0: f"{top:+g} ms", middle: "0 ms", ROWS - 1: f"{-top:+g} ms"}
    lines: list[Line] = []
    for number, cells in enumerate(grid):
        axis = "┤" if number in labels else "│"
        text = "".join(cells)
        if number == middle:
            text = text.replace(" ", "─")
        lines.append([(f"{labels.get(number, ''):>8} {axis}", "dim"), (text, "")])
    lines.append([(f"{'':>8} └{'phase error, the last minute':─^{MINUTE}}", "dim")])
    return lines
