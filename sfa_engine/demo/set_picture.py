"""A picture of a set: the mix, what each deck and stem has in it, tempo, crossfader, filters.

Knows arrays of numbers only. Numbers on top refer to the list below::

    title
     1  2    3 4
    [ mix                     ]
    [ deck 1: stems, stacked  ]   the titles of its tracks
    [ deck 2                  ]
    [ tempo of both           ]
    [ crossfader              ]
    [ filters                 ]
    minutes
    1 0:00 ...    9 2:08 ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfa_engine.demo.picture import (
    BACKGROUND,
    DOTS_PER_INCH,
    FAINT_INK,
    INK,
    LINE,
    PANEL,
    Curve,
    Signal,
    draw_waveform,
    dress,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE_PIXELS = (1600, 1360)
STEM_COLOURS = {"drums": "#8a94a3", "bass": "#2f6fde", "other": "#e08a2c", "vocals": "#e8638c"}
DECK_COLOURS = ("#5ad1c8", "#f2c14e")
HEIGHTS = (2.4, 1.7, 1.7, 1.0, 0.7, 0.7)
LIST_COLUMNS = 4
STEADY_BPM = 0.6  # from one moment to the next
LOUD = 0.35  # RMS that fills a deck's panel: -9 dB


def clock(seconds: float) -> str:
    """Return a time as in ``4:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def draw_set(
    path: Path,
    audio: Signal,
    rate: int,
    curves: Mapping[str, Curve],
    titles: Sequence[tuple[float, int, str]],
    marks: Sequence[tuple[float, str]],
    title: str,
) -> None:
    """Write a picture of a set as PNG, 1600 by 1360 pixels.

    Parameters
    ----------
    path : Path
        Where to; overwritten.
    audio : float32[frames, 2]
        The mix, full scale +-1.
    rate : int
        Frames in a second.
    curves : mapping of str to float64[moments]
        As `long_demo.Watch.curves` returns them.
    titles : sequence of (float, int, str)
        Time in seconds, deck from 1, and title of every track; empty where it goes.
    marks : sequence of (float, str)
        Time in seconds and text of what happens; numbered in order.
    title : str
        Above everything.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = (pixels / DOTS_PER_INCH for pixels in SIZE_PIXELS)
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor=BACKGROUND)
    canvas = FigureCanvasAgg(figure)
    rows = -(-len(marks) // LIST_COLUMNS)
    bottom = 0.075 + 0.0145 * rows
    grid = figure.add_gridspec(
        len(HEIGHTS), 1, height_ratios=HEIGHTS,
        left=0.075, right=0.985, top=0.915, bottom=bottom, hspace=0.10,
    )  # fmt: skip
    end_s = max(len(audio) / rate, 1.0)
    panels = [figure.add_subplot(grid[row]) for row in range(len(HEIGHTS))]
    for axes in panels:
        dress(axes, end_s, axes is panels[-1])
        axes.set_xticks(np.arange(0.0, end_s, 60.0))
        axes.set_xticklabels([clock(s) for s in np.arange(0.0, end_s, 60.0)])
    draw_waveform(panels[0], audio, rate, end_s)
    for deck in (1, 2):
        _draw_deck(panels[deck], deck, curves, titles, end_s)
    _write_legend(figure, panels[1])
    _draw_tempo(panels[3], curves)
    _draw_crossfader(panels[4], curves)
    _draw_filters(panels[5], curves)
    _draw_marks(panels, sorted(marks), end_s)
    _write_list(figure, sorted(marks), bottom - 0.042)
    figure.text(0.075, 0.967, title, color=INK, fontsize=17, weight="bold", parse_math=False)
    canvas.print_figure(str(path), format="png")


def _name(axes: Axes, name: str, colour: str = INK) -> None:
    axes.set_ylabel(name, color=colour, fontsize=11, rotation=0, ha="right", va="center")


def _draw_deck(
    axes: Axes,
    deck: int,
    curves: Mapping[str, Curve],
    titles: Sequence[tuple[float, int, str]],
    end_s: float,
) -> None:
    """Draw what is heard of each stem of a deck, stacked; the titles above it."""
    axes.set_ylim(0.0, LOUD)
    axes.set_yticks([])
    _name(axes, f"deck {deck}  ", DECK_COLOURS[deck - 1])
    below = np.zeros_like(curves["time"])
    for stem, colour in STEM_COLOURS.items():
        above = below + curves[f"{deck}.{stem}"]
        axes.fill_between(curves["time"], below, above, color=colour, linewidth=0, label=stem)
        below = above
    own = [(time_s, name) for time_s, number, name in titles if number == deck]
    for (begin_s, name), (until_s, _) in pairwise([*own, (end_s, "")]):
        if not name:
            continue
        axes.axvspan(begin_s, until_s, ymin=0.86, color=DECK_COLOURS[deck - 1], alpha=0.16, lw=0)
        axes.axvline(begin_s, ymin=0.86, color=DECK_COLOURS[deck - 1], linewidth=1.5)
        axes.annotate(
            name, (begin_s, 0.93), (5, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=INK, fontsize=9, va="center", clip_on=True,
            parse_math=False,
        )  # fmt: skip


def _write_legend(figure: Figure, axes: Axes) -> None:
    """Name the colours of the stems beside the title: the panels are full."""
    handles, names = axes.get_legend_handles_labels()
    key = figure.legend(
        handles, names, loc="center right", bbox_to_anchor=(0.987, 0.975), ncols=4, fontsize=9,
        facecolor=PANEL, edgecolor=LINE,
    )  # fmt: skip
    for text in key.get_texts():
        text.set_color(FAINT_INK)


def _draw_tempo(axes: Axes, curves: Mapping[str, Curve]) -> None:
    _name(axes, "BPM")
    for deck, colour in enumerate(DECK_COLOURS, 1):
        tempo = curves[f"{deck}.tempo"]
        # A platter that brakes, or is thrown back, has no tempo; bends are a few BPM for a second.
        moved = np.abs(np.gradient(tempo)) if len(tempo) > 1 else np.zeros_like(tempo)
        shown = np.where(moved < STEADY_BPM, tempo, np.nan)
        style = "-" if deck == 1 else (0, (3, 2))
        axes.plot(curves["time"], shown, color=colour, linewidth=1.8, linestyle=style)
    axes.set_ylim(114.0, 132.0)
    axes.set_yticks([118, 120, 128])


def _draw_crossfader(axes: Axes, curves: Mapping[str, Curve]) -> None:
    _name(axes, "fader")
    place = curves["crossfader"]
    axes.fill_between(curves["time"], -place, 0.0, where=place < 0, color=DECK_COLOURS[0], lw=0)
    axes.fill_between(curves["time"], -place, 0.0, where=place > 0, color=DECK_COLOURS[1], lw=0)
    axes.axhline(0.0, color=LINE, linewidth=1.0)
    axes.set_ylim(-110.0, 110.0)
    axes.set_yticks([-100, 0, 100], labels=["2", "both", "1"])


def _draw_filters(axes: Axes, curves: Mapping[str, Curve]) -> None:
    _name(axes, "filter")
    for deck, colour in enumerate(DECK_COLOURS, 1):
        axes.plot(curves["time"], curves[f"{deck}.filter"], color=colour, linewidth=1.4)
    axes.set_ylim(-110.0, 110.0)
    axes.set_yticks([-100, 100], labels=["low", "high"])


def _draw_marks(panels: Sequence[Axes], marks: Sequence[tuple[float, str]], end_s: float) -> None:
    """Draw lines through all panels, and their numbers in two rows where they are close."""
    last_s = [-np.inf, -np.inf]
    for number, (seconds, _) in enumerate(marks, 1):
        for axes in panels:
            axes.axvline(seconds, color=INK, alpha=0.35, linewidth=0.7, linestyle=(0, (3, 3)))
        row = 0 if seconds - last_s[0] > 0.013 * end_s else 1
        last_s[row] = seconds
        panels[0].annotate(
            str(number), (seconds, 1.0), (0, 5 + 13 * row), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=INK, fontsize=8.5, ha="center",
            annotation_clip=False,
        )  # fmt: skip


def _write_list(figure: Figure, marks: Sequence[tuple[float, str]], top: float) -> None:
    """Write what the numbers mean, column by column."""
    rows = -(-len(marks) // LIST_COLUMNS)
    for k, (seconds, text) in enumerate(marks):
        column, row = divmod(k, max(1, rows))
        x, y = 0.03 + 0.242 * column, top - 0.0145 * row
        figure.text(x, y, f"{k + 1}", color=FAINT_INK, fontsize=8.5, ha="right")
        figure.text(x + 0.004, y, clock(seconds), color=FAINT_INK, fontsize=8.5)
        figure.text(x + 0.027, y, text, color=INK, fontsize=8.5, parse_math=False)
