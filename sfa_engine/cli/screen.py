"""What is shown with rich: progress bars and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from sfa_engine.cli.terminal import Checked, one_line, printable
from sfa_engine.run.folders import closed_folder
from sfa_engine.system.timecode import clock

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


class Bar:
    """A progress bar that shows a share of the work, or is silent."""

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
    """Show a progress bar on standard error while the block runs.

    It stays when the block ends, and is removed by an error, which has its own line.
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
            progress.disable = True  # else it ends with an empty line, not on a terminal
            raise


def build_kernel(*, quiet: bool = False) -> None:
    """Compile the kernel if it is not built yet, with a progress bar."""
    from sfa_engine.host import build

    with suppress(OSError):  # which the build names
        closed_folder(build.folder().parents[1])  # the audio thread runs what lies there
    if build.is_built():
        return
    words = "building the sound engine for this CPU (once)"
    if not quiet and not errors.is_terminal:  # where a bar is shown when it is full
        errors.print(f"{words}; it takes minutes")
    with progress_bar(words, quiet=quiet) as bar:
        build.ensure(lambda done, expected: bar(done / expected))
        bar(1.0)


TRACK_COLUMNS = ("BPM", "key", "energy", "length", "stems")
FLAGS = ""  # the column of what `_flags` says, without a head
GIVE_WAY = ("stems", "energy", "length", "key", FLAGS, "BPM")  # on a narrow terminal, in this order
LEAST_NAME_CELLS = 16  # of a track's name, with the space after it


def dim(text: str) -> Text:
    """Return a text of less weight than what is around it."""
    return Text(one_line(text), style="dim")


def hit_table(tracks: list[dict[str, Any]]) -> Table:
    """Return hits as a table, below each the reasons for it."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("track", ratio=1)
    for name in ("BPM", "key", "length"):
        table.add_column(name, no_wrap=True, justify="right")
    for track in tracks:
        cell = Text(one_line(track["name"]), style="" if track["state"] == "ready" else "dim")
        if track["reasons"]:
            cell.append(f"\n{one_line(' · '.join(track['reasons']))}", style="dim")
        length_s = track["duration_s"]
        table.add_row(
            str(track["id"]),
            cell,
            f"{track['bpm']:.1f}" if track["bpm"] else "",
            track["camelot"] or "",
            clock(length_s).split(".")[0] if length_s else "",
        )
    return table


def track_table(tracks: list[dict[str, Any]]) -> Table:
    """Return tracks as a table."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("track", ratio=1)  # gives way where it is narrow, then whole columns do
    rows = [_track_cells(track) for track in tracks]
    shown = _columns_with_room([str(track["id"]) for track in tracks], rows)
    for name in shown:
        table.add_column(name, no_wrap=True, justify="left" if name == FLAGS else "right")
    for track, cells in zip(tracks, rows, strict=True):
        table.add_row(
            str(track["id"]),
            Text(
                track["name"],
                style="" if track["state"] == "ready" else "dim",
                no_wrap=True,
                overflow="ellipsis",
            ),
            *(cells[name] for name in shown),
        )
    return table


def _track_cells(track: dict[str, Any]) -> dict[str, Text]:
    """Return what a list shows of a track beside its name, by column."""
    length_s = track["duration_s"]
    cells = {
        "BPM": f"{track['bpm']:.2f}" if track["bpm"] else "",
        "key": f"{track['key']} {track['camelot']}" if track["key"] else "",
        "energy": f"{track['energy']:.2f}" if track["energy"] is not None else "",
        "length": clock(length_s).split(".")[0] if length_s else "",
        "stems": str(len(track["stems"]) or ""),
    }
    return {name: Text(cell) for name, cell in cells.items()} | {FLAGS: _flags(track)}


def _columns_with_room(numbers: list[str], rows: list[dict[str, Text]]) -> list[str]:
    """Return the columns for which the console has room beside the names of the tracks."""
    cells = {
        name: max((row[name].cell_len for row in rows), default=0)
        for name in (*TRACK_COLUMNS, FLAGS)
    }
    shown = [name for name in cells if name != FLAGS or cells[FLAGS]]
    room = console.width - max(map(len, numbers), default=0) - 1 - LEAST_NAME_CELLS
    for name in GIVE_WAY:
        if sum(max(cells[each], len(each)) + 1 for each in shown) <= room:
            break
        shown = [each for each in shown if each != name]
    return shown


def _flags(track: dict[str, Any]) -> Text:
    """Return what is to be known of a track: its state unless ready, a doubtful grid, a preview."""
    state = "" if track["state"] == "ready" else track["state"]
    words = [
        Text(state, style="red" if state == "failed" else "dim"),
        Text("check grid" if track.get("check_grid") else "", style="yellow"),
        Text("preview" if track.get("preview") else "", style="dim"),
    ]
    return Text(", ").join(filter(None, words))
