"""What a person reads: progress bars, tables, the status view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from sfa_engine.cli.folders import closed_folder
from sfa_engine.cli.terminal import Checked, printable
from sfa_engine.clock import clock

if TYPE_CHECKING:
    from rich.progress import Progress


class SafeConsole(Console):
    """A console that replaces control characters in what it renders, and adds only its own."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render a renderable, printable."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)

    @property
    def file(self) -> IO[str]:
        """Where it writes: the stream behind the one that would replace its colours, too."""
        found = super().file
        return Checked(found.stream) if isinstance(found, Checked) else found  # type: ignore[return-value]

    @file.setter
    def file(self, new: IO[str]) -> None:
        self._file = new

    def on_broken_pipe(self) -> None:
        """Leave it to the caller: rich would end the program."""
        raise BrokenPipeError


console = SafeConsole()
errors = SafeConsole(stderr=True)
COLOURS = {"ok": "green", "strained": "yellow", "poor": "dark_orange", "down": "red"}
METER_CELLS = 12
CELLS = {"at": 6, "of": 6, "BPM": 6, "key": 8, "beat": 6, "level": METER_CELLS}
# From what width on a column is shown: the title has 20 columns of 80, and never less than 15.
COLUMNS = {"at": 0, "of": 72, "BPM": 40, "key": 58, "beat": 50, "level": 80}
METER_LOW_DB = -48.0


class Bar:
    """A progress bar that can be told a share, or nothing at all when nobody looks."""

    def __init__(self, progress: Progress, words: str) -> None:
        self._progress = progress
        self._task = progress.add_task(words, total=1.0)

    def __call__(self, share: float, words: str | None = None) -> None:
        """Show a share of the work, 0 to 1."""
        if words is None:
            self._progress.update(self._task, completed=share)
        else:
            self._progress.update(self._task, completed=share, description=words)


@contextmanager
def progress_bar(words: str, *, quiet: bool = False) -> Iterator[Bar]:
    """Show a bar on the terminal's error stream while something long is done.

    It stays when that is done, and goes when an error ends it: that has its own line.
    """
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=quiet, transient=False) as progress:
        try:
            yield Bar(progress, words)
        except BaseException:
            progress.live.transient = True
            progress.live.stop()
            progress.disable = True  # else it ends with an empty line where nobody looks
            raise


def build_kernel(*, quiet: bool = False) -> None:
    """Compile the kernel if this machine has not yet, with a bar."""
    from sfa_engine.audio import build

    with suppress(OSError):  # which the build names
        closed_folder(build.folder().parents[1])  # the audio thread runs what lies there
    if build.is_built():
        return
    words = "building the sound engine for this CPU (once)"
    with progress_bar(words, quiet=quiet) as bar:
        build.ensure(lambda done, expected: bar(done / expected))
        bar(1.0)


def meter(level_db: float) -> Text:
    """Return a level as a row of cells."""
    share = (level_db - METER_LOW_DB) / -METER_LOW_DB
    cells = round(max(0.0, min(1.0, share)) * METER_CELLS)
    colour = "red" if level_db > -0.5 else "yellow" if level_db > -6.0 else "green"
    return Text("█" * cells, style=colour) + Text("░" * (METER_CELLS - cells), style="dim")


def status_view(status: dict[str, Any], width: int = 80) -> Group:
    """Return the status as it is shown, live or once.

    Parameters
    ----------
    status : dict
    width : int
        Of the terminal, in columns. Where it is narrow, columns give way to the title.
    """
    shown = [column for column, least in COLUMNS.items() if width >= least]
    engine = status["engine"]
    word = Text(status["health"], style=f"bold {COLOURS[status['health']]}")
    head = Text.assemble(
        "engine ",
        word,
        f"   {engine['device']}, {engine['rate'] / 1000:g} kHz, {engine['block']} frames, "
        f"{engine['latency_ms']:.1f} ms",
    )
    load = Text(
        f"audio thread {engine['load_pct']:.1f} % of its time, worst block "
        f"{engine['worst_pct']:.0f} %, late {engine['late']}, missed {engine['device_misses']}",
        style="dim",
    )
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("", width=3)
    table.add_column("track", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in shown:
        table.add_column(name, no_wrap=True, width=CELLS[name])
    for number, deck in enumerate(status["decks"], 1):
        if not deck.get("loaded"):
            trouble = Text(deck.get("trouble") or "empty", style="dim")
            table.add_row(f"{number} ■", trouble)
            continue
        cells: dict[str, str | Text] = {
            "at": clock(deck["position_s"]),
            "of": clock(deck["duration_s"]),
            "BPM": f"{deck['tempo']:.2f}" if deck["tempo"] else "?",
            "key": deck["key"] or "?",
            "beat": "",
            "level": meter(deck["level_db"]),
        }
        if deck["tempo"]:
            cells["beat"] = f"{deck['beat'] // 4 + 1:.0f}.{deck['beat'] % 4 + 1:.0f}"
        table.add_row(
            f"{number} {'▶' if deck['playing'] else '■'}",
            Text(f"{deck['artist']} - {deck['title']}" if deck["artist"] else deck["title"]),
            *(cells[name] for name in shown),
        )
    master = Text.assemble(
        "master  ",
        meter(status["master_db"]),
        f"  {status['master_db']:.1f} dB, limiter {status['reduction_db']:.1f} dB, "
        f"crossfader {status['crossfader']:+.0f} %",
    )
    reasons = [Text(f"· {reason}", style=COLOURS[status["health"]]) for reason in status["reasons"]]
    return Group(head, load, *reasons, table, master)


TRACK_COLUMNS = ("BPM", "key", "energy", "length", "stems")


def track_table(tracks: list[dict[str, Any]]) -> Table:
    """Return tracks as a table."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("track", ratio=1)  # the one column that gives way where it is narrow
    for name in TRACK_COLUMNS:
        table.add_column(name, no_wrap=True, justify="right")
    if any(track["state"] != "ready" for track in tracks):
        table.add_column("state", no_wrap=True)
    for track in tracks:
        length_s = track["duration_s"]
        table.add_row(
            str(track["id"]),
            Text(
                track["name"],
                style="" if track["state"] == "ready" else "dim",
                no_wrap=True,
                overflow="ellipsis",
            ),
            f"{track['bpm']:.2f}" if track["bpm"] else "",
            f"{track['key']} {track['camelot']}" if track["key"] else "",
            f"{track['energy']:.2f}" if track["energy"] is not None else "",
            clock(length_s).split(".")[0] if length_s else "",
            str(len(track["stems"]) or ""),
            *([_state(track)] if len(table.columns) > len(TRACK_COLUMNS) + 2 else []),
        )
    return table


def _state(track: dict[str, Any]) -> Text:
    """Return the state of a track that cannot be played as it should."""
    word = "" if track["state"] == "ready" else track["state"]
    return Text(word, style="red" if word == "failed" else "dim")
