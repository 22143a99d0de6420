"""A picture of a mix: its waveform in three bands, and below it what every control did.

For reading, not for measuring: one column of the picture is some 3000 frames. Knows arrays of
numbers only, neither decks nor files of sound. matplotlib is imported when a picture is drawn.

::

    title
    [ waveform: lows behind, mids, highs in front ]     marks go through everything
    [ lane: name, range, steps                    ]
    [ lane ...                                    ]
    seconds
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Signal = NDArray[np.float32]
Curve = NDArray[np.float64]

COLUMNS = 1400  # of the waveform; the picture is 1600 wide with its labels
SIZE_PIXELS = (1600, 1000)
DOTS_PER_INCH = 100

BACKGROUND, PANEL, LINE, INK, FAINT_INK = "#0f1216", "#161b22", "#2a313b", "#e6e9ee", "#8a94a3"
BANDS = (  # up to so many Hz, colour
    ("low", 200.0, "#2f6fde"),
    ("mid", 2500.0, "#e08a2c"),
    ("high", np.inf, "#f4f1e8"),
)
LANE_COLOURS = ("#5ad1c8", "#f2c14e", "#e8638c", "#8fb8ff", "#9bd770", "#c79bff")


def columns(audio: Signal, count: int = COLUMNS) -> tuple[Curve, Curve]:
    """Return the lowest and highest value of audio in evenly spaced columns.

    Parameters
    ----------
    audio : float32[frames, 2]
        At least one frame.
    count : int
        How many columns; fewer if there are fewer frames.

    Returns
    -------
    low, high : float64[columns]
        Of both channels together.
    """
    edges = np.linspace(0, len(audio), min(count, len(audio)) + 1).astype(np.intp)[:-1]
    low = np.minimum.reduceat(audio, edges, axis=0).min(axis=1)
    high = np.maximum.reduceat(audio, edges, axis=0).max(axis=1)
    return low.astype(np.float64), high.astype(np.float64)


def band_levels(audio: Signal, rate: int, count: int = COLUMNS) -> Curve:
    """Return the RMS of low, mid and high in evenly spaced columns.

    Parameters
    ----------
    audio : float32[frames, 2]
        At least one frame.
    rate : int
        Frames in a second.
    count : int
        How many columns; fewer if there are fewer frames.

    Returns
    -------
    float64[bands, columns]
        Of the mean of both channels.
    """
    count = min(count, len(audio))
    width = len(audio) // count
    frequency = np.fft.rfftfreq(width, 1.0 / rate)
    starts = np.linspace(0, len(audio) - width, count).astype(np.intp)
    out = np.zeros((len(BANDS), count))
    for first in range(0, count, 128):  # a few columns at once: long mixes stay small in memory
        part = np.stack([audio[s : s + width].mean(axis=1) for s in starts[first : first + 128]])
        power = np.abs(np.fft.rfft(part)) ** 2 * 2.0 / width**2
        below = 0.0
        for k, (_, edge, _) in enumerate(BANDS):
            inside = (frequency >= below) & (frequency < edge) & (frequency > 0.0)
            out[k, first : first + 128] = np.sqrt(power[:, inside].sum(axis=1))
            below = edge
    return out


def steps(times_s: Curve, values: Curve, end_s: float) -> tuple[Curve, Curve]:
    """Return the corners of a line that holds each value until the next one, up to an end."""
    order = np.argsort(times_s, kind="stable")
    t, v = np.asarray(times_s, float)[order], np.asarray(values, float)[order]
    if t.size and t[-1] < end_s:
        t, v = np.append(t, end_s), np.append(v, v[-1])
    return np.repeat(t, 2)[1:], np.repeat(v, 2)[:-1]


def wrapped(name: str, width: int = 17) -> str:
    """Return a name in lines of a width, broken behind dots and blanks where there are any."""
    lines = [""]
    for word in re.split(r"(?<=[. ])", name):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)


def draw_mix(
    path: Path,
    audio: Signal,
    rate: int,
    lanes: Mapping[str, tuple[Curve, Curve]],
    marks: Sequence[tuple[float, str]] = (),
    title: str = "",
) -> None:
    """Write a picture of a mix as PNG, 1600 by 1000 pixels.

    Parameters
    ----------
    path : Path
        Where to; overwritten.
    audio : float32[frames, 2]
        The mix, full scale +-1; may be empty.
    rate : int
        Frames in a second.
    lanes : mapping of str to (float64[n], float64[n])
        Name, times in seconds and values of every control; a value holds until the next.
    marks : sequence of (float, str), optional
        Time in seconds and label of vertical lines.
    title : str, optional
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
    # a lane is as high as a sixth of the picture at most; the waveform takes what is left
    share = min(1.0, max(0.35, 4.0 / max(1, len(lanes))))
    grid = figure.add_gridspec(
        1 + len(lanes),
        1,
        height_ratios=[4.0, *[share] * len(lanes)],
        left=0.125, right=0.97, top=0.875, bottom=0.055, hspace=0.14,
    )  # fmt: skip
    end_s = max(len(audio) / rate, 1.0 / rate)
    panels = [figure.add_subplot(grid[row]) for row in range(1 + len(lanes))]
    for axes in panels:
        dress(axes, end_s, axes is panels[-1])
    draw_waveform(panels[0], audio, rate, end_s)
    for k, (axes, (name, (times_s, values))) in enumerate(
        zip(panels[1:], lanes.items(), strict=True)
    ):
        _draw_lane(axes, name, steps(times_s, values, end_s), LANE_COLOURS[k % len(LANE_COLOURS)])
    _draw_marks(panels, marks, end_s)
    panels[-1].set_xlabel("seconds", color=FAINT_INK, fontsize=10)
    if title:
        figure.text(0.125, 0.955, title, color=INK, fontsize=17, weight="bold", parse_math=False)
    canvas.print_figure(str(path), format="png")


def dress(axes: Axes, end_s: float, lowest: bool) -> None:
    """Give a panel its colours, and the range of its time; only the lowest has labels."""
    axes.set_facecolor(PANEL)
    axes.set_xlim(0.0, end_s)
    axes.tick_params(colors=FAINT_INK, labelsize=9, length=3, labelbottom=lowest)
    axes.grid(visible=True, axis="x", color=LINE, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(LINE)


def draw_waveform(axes: Axes, audio: Signal, rate: int, end_s: float) -> None:
    """Draw a mix: its peaks, and its bands in front of them."""
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1.0, 0.0, 1.0])
    axes.set_ylabel("mix", color=INK, fontsize=11, rotation=0, ha="right", va="center")
    if not len(audio):
        return
    low, high = columns(audio)
    levels = band_levels(audio, rate)
    x = (np.arange(len(low)) + 0.5) * (end_s / len(low))
    axes.fill_between(x, low, high, color="#33507f", linewidth=0, label="peak")
    for (name, _, colour), level in zip(BANDS, levels, strict=True):
        # 1.414 times the RMS: a sine of full scale reaches full height
        reach = np.minimum(1.0, 1.414 * level)
        axes.fill_between(x, -reach, reach, color=colour, linewidth=0, label=name)
    key = axes.legend(
        loc="lower right", ncols=4, fontsize=8, framealpha=0.6, facecolor=PANEL, edgecolor=LINE
    )
    for text in key.get_texts():
        text.set_color(FAINT_INK)


def _draw_lane(axes: Axes, name: str, corners: tuple[Curve, Curve], colour: str) -> None:
    t, v = corners
    axes.annotate(
        wrapped(name), (0.0, 0.5), (-52, 0), xycoords="axes fraction", textcoords="offset points",
        color=colour, fontsize=9, ha="right", va="center", annotation_clip=False, parse_math=False,
    )  # fmt: skip
    finite = v[np.isfinite(v)]
    if not finite.size:
        axes.set_yticks([])
        return
    low, high = float(finite.min()), float(finite.max())
    room = 0.14 * (high - low) or max(0.5, 0.1 * abs(high))
    axes.set_ylim(low - room, high + room)
    axes.set_yticks([low, high] if high > low else [low])
    axes.set_yticklabels([f"{y:.4g}" for y in axes.get_yticks()])
    axes.fill_between(t, low - room, v, color=colour, alpha=0.16, linewidth=0)
    axes.plot(t, v, color=colour, linewidth=1.6, solid_joinstyle="miter")


def _draw_marks(panels: Sequence[Axes], marks: Sequence[tuple[float, str]], end_s: float) -> None:
    """Draw lines through all panels; labels that would touch go to a second row."""
    last_end = [-np.inf, -np.inf]
    for seconds, label in sorted(marks):
        for axes in panels:
            axes.axvline(seconds, color=INK, alpha=0.55, linewidth=0.9, linestyle=(0, (4, 3)))
        row = 0 if seconds >= last_end[0] else 1 if seconds >= last_end[1] else 0
        last_end[row] = seconds + end_s * (0.012 + 0.0055 * len(label))  # width of ten points
        panels[0].annotate(
            label, (seconds, 1.0), (3, 5 + 15 * row), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=INK, fontsize=9.5, annotation_clip=False,
            parse_math=False,
        )  # fmt: skip
