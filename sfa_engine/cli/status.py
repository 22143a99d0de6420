"""`sfa status`: what plays and the engine's health, once or live.

::

    engine ok   HiFiBerry (ALSA), 48 kHz, 128 frames, 4.0 ms
    audio thread 9.3 % of its time, worst block 18 %, late 0, missed 0
         track                     at      of      BPM     key       beat    level
    1 ▶  Us - Track 1              1:01.0  5:02.0  124.00  A minor   32.1    ████████░░░░
    2 ■  empty
    master  ██████████░░  -3.1 dB, limiter 0.0 dB, crossfader +0 %

JobLines are pieces of text with a style each. rich is imported for ``--watch`` alone: its import
costs half of what the whole command may.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

import click

from sfa_engine.cli.connect import connect
from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import Line, cell_len, fit, print_json, print_json_line, print_styled
from sfa_engine.system.timecode import clock

if TYPE_CHECKING:
    from rich.text import Text

COLOURS = {"ok": "green", "degraded": "yellow", "failing": "bright_yellow", "down": "red"}
METER_CELLS = 12
METER_LOW_DB = -48.0
CELLS = {"at": 6, "of": 6, "BPM": 6, "key": 8, "beat": 6, "level": METER_CELLS}
# From what width on a column is shown: the title has 20 columns of 80, and never less than 15.
COLUMNS = {"at": 0, "of": 72, "BPM": 40, "key": 58, "beat": 50, "level": 80}
CUE_MARKS = {"loop": "↻", "fade_in": "◢"}  # of a hot cue's kind
GAP = "  "
FRAMES_PER_S = 15


@click.command()
@click.option("--watch", "-w", is_flag=True, help="Stay, and show it live.")
@json_option
def status(watch: bool, as_json: bool) -> None:
    """Show what plays, and the engine's health."""
    with connect() as client:
        if as_json and not watch:
            print_json(client.call("status"))
        elif as_json:
            while True:
                print_json_line(client.call("status"))
                time.sleep(0.5)
        elif not watch:
            print_styled(status_lines(client.call("status"), shutil.get_terminal_size().columns))
        else:
            _watch(client)


def _watch(client: Any) -> None:
    """Show the status live until Ctrl-C."""
    from rich.live import Live
    from rich.text import Text

    from sfa_engine.cli import screen

    def view() -> Text:
        lines = status_lines(client.call("status"), screen.console.width)
        return Text("\n").join(Text.assemble(*line) for line in lines)

    with Live(view(), console=screen.console, refresh_per_second=FRAMES_PER_S) as live:
        while True:
            time.sleep(1 / FRAMES_PER_S)
            live.update(view())


def status_lines(status: dict[str, Any], width: int = 80) -> list[Line]:
    """Return the status as lines.

    Parameters
    ----------
    status : dict
        As the method ``status`` returns it.
    width : int
        Of the terminal, in columns. Where it is narrow, columns give way to the title.
    """
    engine, colour = status["engine"], COLOURS[status["health"]]
    device = (
        f"   {engine['device']}, {engine['rate'] / 1000:g} kHz, {engine['block']} frames, "
        f"{engine['latency_ms']:.1f} ms"
    )
    head: Line = [("engine ", ""), (status["health"], f"bold {colour}"), (device, "")]
    load = (
        f"audio thread {engine['load_pct']:.1f} % of its time, worst block "
        f"{engine['worst_pct']:.0f} %, late {engine['late']}, missed {engine['device_misses']}"
    )
    reasons: list[Line] = [[(f"· {reason}", colour)] for reason in status["reasons"]]
    shown = [column for column, least in COLUMNS.items() if width >= least]
    room = width - 3 - sum(len(GAP) + CELLS[name] for name in shown) - len(GAP)
    names = [(GAP + fit(name, CELLS[name]), "bold") for name in shown]
    table: list[Line] = [[("   " + GAP + fit("track", room), "bold"), *names]]
    for number, deck in enumerate(status["decks"], 1):
        if not deck.get("loaded"):
            why = fit(deck.get("error") or "empty", width - 3 - len(GAP)).rstrip()
            table.append([(f"{number} ■{GAP}", ""), (why, "dim")])
            continue
        title = f"{deck['artist']} - {deck['title']}" if deck["artist"] else deck["title"]
        if cell_len(title) > room:
            title = deck["title"]  # rather than the artist and a piece of it
        line: Line = [(f"{number} {'▶' if deck['playing'] else '■'}{GAP}{fit(title, room)}", "")]
        cells = _cells(deck)
        for name in shown:
            line += [(GAP, ""), *cells[name]]
        table.append(line)
        if cues := deck.get("hotcues"):
            table.append(_hot_cues(cues, width))
    levels = (
        f"  {status['master_db']:z.1f} dB, limiter {status['reduction_db']:z.1f} dB, "
        f"crossfader {status['crossfader']:+z.0f} %"
    )
    master: Line = [("master  ", ""), *meter(status["master_db"]), (levels, "")]
    return [head, [(load, "dim")], *reasons, *table, master]


def _hot_cues(cues: list[dict[str, Any]], width: int) -> Line:
    """Return the hot cues of a deck as one line, as far as it goes, each in its colour."""
    line: Line = [("   " + GAP + "cues", "dim")]
    left = width - 3 - len(GAP) - len("cues")
    for cue in cues:
        mark = CUE_MARKS.get(cue["kind"], "")
        said = f"{cue['number']}{mark} {cue['label'] or clock(cue['position_s'])}"
        left -= cell_len(said) + len(GAP)
        if left < 1:
            return [*line, (" …", "dim")]
        line += [(GAP, ""), (said, cue["color"])]
    return line


def _cells(deck: dict[str, Any]) -> dict[str, Line]:
    """Return the cells of a loaded deck by column, each as wide as its column."""
    beat = f"{deck['beat'] // 4 + 1:.0f}.{deck['beat'] % 4 + 1:.0f}" if deck["tempo"] else ""
    words = {
        "at": clock(deck["position_s"]),
        "of": clock(deck["duration_s"]),
        "BPM": f"{deck['tempo']:.2f}" if deck["tempo"] else "?",
        "key": deck["key"] or "?",
        "beat": beat,
    }
    cells: dict[str, Line] = {name: [(fit(word, CELLS[name]), "")] for name, word in words.items()}
    return {**cells, "level": meter(deck["level_db"])}


def meter(level_db: float) -> Line:
    """Return a level as a row of cells."""
    share = (level_db - METER_LOW_DB) / -METER_LOW_DB
    cells = round(max(0.0, min(1.0, share)) * METER_CELLS)
    colour = "red" if level_db > -0.5 else "yellow" if level_db > -6.0 else "green"
    return [("█" * cells, colour), ("░" * (METER_CELLS - cells), "dim")]
