"""A profile as a picture to print: one page, black on white, in blocks as on the controller.

The page is laid out once, as boxes and labels, and then written as SVG or drawn as PNG.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from sfa_engine.desk.control import COLORS
from sfa_engine.errors import Refused
from sfa_engine.surfaces.midi.mapping import LAST_GROUP, Row, rows
from sfa_engine.surfaces.midi.profile import Profile

WIDTH, HEIGHT = 1123.0, 794.0  # A4 across, at 96 dots an inch
MARGIN = 28.0
CELL = 112.0  # width of a control, before the page is scaled
HEAD = 15.0  # of a control: its name and message
LINE = 11.5
GAP = 16.0  # between blocks
TITLE = 18.0  # of a block
MAX_SCALE = 1.6
PNG_SCALE = 3  # 288 dots an inch
BLACK, GREY, PALE = "#111111", "#777777", "#f4f4f4"
BAR = 3.0  # the colour at the edge of a control
CHARACTER, BOLD = 0.62, 0.74  # width of an average character, as part of its size
MAX_BLOCKS = 30  # further groups are one


@dataclass(frozen=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str = "#ffffff"
    stroke: str = ""
    radius: float = 0.0


@dataclass(frozen=True)
class Label:
    """A text; `y` is its baseline."""

    x: float
    y: float
    text: str
    size: float
    color: str = BLACK
    bold: bool = False
    anchor: str = "start"


Shape = Box | Label


@dataclass(frozen=True)
class Block:
    """A group of controls with its natural size."""

    title: str
    rows: list[list[Row | None]]  # lines of cells, from the top
    heights: list[float]
    width: float
    height: float


def page(profile: Profile) -> list[Shape]:
    """Return the page of a profile, from back to front."""
    shapes: list[Shape] = [Box(0, 0, WIDTH, HEIGHT)]
    shapes.append(Label(MARGIN, MARGIN + 16, profile.title, 20, bold=True))
    name = f"sfa midi map {profile.name}"
    shapes.append(Label(WIDTH - MARGIN, MARGIN + 16, name, 9, GREY, anchor="end"))
    top = MARGIN + 30
    for line in textwrap.wrap(" ".join(profile.document.notes.split()), 190)[:4]:
        shapes.append(Label(MARGIN, top, line, 9, "#333333"))
        top += 12
    bottom = HEIGHT - MARGIN
    legend = (
        "Decks are numbered; what has no number is of the deck in focus. Grey: in a later release. "
        "?: the message is not certain."
    )
    shapes.append(Label(MARGIN, bottom, legend, 7.5, GREY))
    source = textwrap.shorten(f"Source: {profile.document.source or 'unknown'}", 90)
    shapes.append(Label(WIDTH - MARGIN, bottom, source, 7.5, GREY, anchor="end"))
    blocks = _blocks(rows(profile))
    if blocks:
        shapes.extend(_place(blocks, top + 2, bottom - 14))
    return shapes


def _blocks(found: Sequence[Row]) -> list[Block]:
    """Return the controls in their groups, in the order in which these come first."""
    groups: dict[str, list[Row]] = {}
    for row in found:
        is_known = row.group in groups or len(groups) < MAX_BLOCKS
        groups.setdefault(row.group if is_known else LAST_GROUP, []).append(row)
    blocks = []
    for title, members in groups.items():
        columns = max(row.columns for row in members)
        lines: list[list[Row | None]] = [
            [*members[at : at + columns]] for at in range(0, len(members), columns)
        ]
        if any(row.upwards for row in members):
            lines.reverse()
        heights = [HEAD + LINE * max(1, *(len(r.lines) for r in line if r)) + 5 for line in lines]
        width = min(columns, len(members)) * CELL
        blocks.append(Block(title, lines, heights, width, TITLE + sum(heights)))
    return blocks


def _pack(blocks: Sequence[Block], width: float) -> tuple[list[tuple[float, float]], float, float]:
    """Place each block as high, then as far left as it fits; return places, width, height."""
    placed: list[tuple[float, float, Block]] = []
    for block in blocks:
        lefts = {0.0} | {x + other.width + GAP for x, _, other in placed}
        fitting = [x for x in lefts if x + block.width <= width] or [0.0]
        place = min(
            (
                max(
                    (
                        top + other.height + GAP
                        for x, top, other in placed
                        if x < left + block.width + GAP and left < x + other.width + GAP
                    ),
                    default=0.0,
                ),
                left,
            )
            for left in fitting
        )
        placed.append((place[1], place[0], block))
    used = max(x + block.width for x, _, block in placed)
    height = max(y + block.height for _, y, block in placed)
    return [(x, y) for x, y, _ in placed], used, height


def _place(blocks: list[Block], top: float, bottom: float) -> Iterator[Shape]:
    """Yield the shapes of all blocks, as large as the page has room for."""
    room_x, room_y = WIDTH - 2 * MARGIN, bottom - top
    best: tuple[float, list[tuple[float, float]]] = (0.0, [])
    narrowest = max(block.width for block in blocks)
    widest = sum(block.width + GAP for block in blocks)
    steps = 80
    for step in range(steps + 1):
        width = narrowest + (widest - narrowest) * step / steps
        places, used, height = _pack(blocks, width)
        scale = min(room_x / used, room_y / height, MAX_SCALE)
        if scale > best[0]:
            best = scale, places
    scale, places = best
    for block, (x, y) in zip(blocks, places, strict=True):
        yield from _block(block, MARGIN + x * scale, top + y * scale, scale)


def _block(block: Block, x: float, y: float, scale: float) -> Iterator[Shape]:
    yield Label(x, y + 11 * scale, block.title.upper(), 9 * scale, bold=True)
    y += TITLE * scale
    for line, height in zip(block.rows, block.heights, strict=True):
        for column, row in enumerate(line):
            if row is not None:
                left = x + column * CELL * scale
                yield from _cell(row, left, y, height * scale, scale)
        y += height * scale


def _cell(row: Row, x: float, y: float, height: float, scale: float) -> list[Shape]:
    """Return the shapes of one control: its name and message, and below them what it does."""
    width = (CELL - 4) * scale
    inner = height - 4 * scale
    does_something = any(not line.is_planned for line in row.lines)
    fill = "#ffffff" if does_something else PALE
    shapes: list[Shape] = [Box(x, y, width, inner, fill, "#999999", 3 * scale)]
    left, right = x + 7 * scale, x + width - 5 * scale
    message = row.message + ("" if row.is_certain else " ?")
    size = 5.5 * scale
    shapes.append(Label(right, y + 9.5 * scale, message, size, GREY, anchor="end"))
    room = right - left - len(message) * size * CHARACTER - 3 * scale
    shapes.append(Label(left, y + 9.5 * scale, *_fit(row.name, 6.8 * scale, room), color="#444444"))
    for number, line in enumerate(row.lines):
        base = y + (HEAD + LINE * number + 7.5) * scale
        if line.color != "neutral":
            color = COLORS.get(line.color, BLACK)
            shapes.append(Box(x, base - 7.5 * scale, BAR * scale, (LINE - 2) * scale, color))
        start = left
        if line.when:
            when = f"{line.when}: "
            shown, size = _fit(when, 6.2 * scale, (right - left) * 0.45)
            shapes.append(Label(start, base, shown, size, GREY))
            start += len(shown) * size * CHARACTER + 1.5 * scale
        shown, size = _fit(line.does, 8 * scale, right - start, BOLD)
        shapes.append(
            Label(start, base, shown, size, "#999999" if line.is_planned else BLACK, bold=True)
        )
    return shapes


def _fit(text: str, size: float, room: float, character: float = CHARACTER) -> tuple[str, float]:
    """Return a text and the size at which it has room: smaller, at last shortened."""
    needed = len(text) * size * character
    if needed <= room:
        return text, size
    smaller = max(size * 0.68, size * room / needed)
    fitting = int(room / (smaller * character)) if smaller > 0 else 0
    return (text if len(text) <= fitting + 1 else text[: max(1, fitting - 1)] + "…"), smaller


def to_svg(shapes: Sequence[Shape]) -> str:
    """Return the page as SVG."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="297mm" height="210mm"',
        f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}"',
        'font-family="DejaVu Sans, Helvetica, Arial, sans-serif">',
    ]
    for shape in shapes:
        if isinstance(shape, Box):
            edge = f' stroke="{shape.stroke}" stroke-width="0.7"' if shape.stroke else ""
            round_ = f' rx="{shape.radius:.2f}"' if shape.radius else ""
            lines.append(
                f'<rect x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}" '
                f'height="{shape.height:.2f}" fill="{shape.fill}"{edge}{round_}/>'
            )
        elif shape.text:
            weight = ' font-weight="bold"' if shape.bold else ""
            anchor = f' text-anchor="{shape.anchor}"' if shape.anchor != "start" else ""
            text = escape("".join(c if c.isprintable() else "\ufffd" for c in shape.text))
            lines.append(
                f'<text x="{shape.x:.2f}" y="{shape.y:.2f}" font-size="{shape.size:.2f}" '
                f'fill="{shape.color}"{weight}{anchor}>{text}</text>'
            )
    return "\n".join([*lines, "</svg>"]) + "\n"


def save_png(shapes: Sequence[Shape], file: Path) -> None:
    """Draw the page as PNG.

    Raises
    ------
    Refused
        Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise Refused(
            "PNG needs Pillow, which is not installed",
            "install the extra demo (`pip install sfa-engine[demo]`), or write .svg",
        ) from None
    scale = PNG_SCALE
    image = Image.new("RGB", (round(WIDTH * scale), round(HEIGHT * scale)), "white")
    draw = ImageDraw.Draw(image)
    fonts: dict[tuple[int, bool], Any] = {}
    for shape in shapes:
        if isinstance(shape, Box):
            left, top = shape.x * scale, shape.y * scale
            box = (left, top, left + shape.width * scale, top + shape.height * scale)
            outline = shape.stroke or None
            draw.rounded_rectangle(box, shape.radius * scale, shape.fill, outline, width=2)
            continue
        key = max(1, round(shape.size * scale)), shape.bold
        if key not in fonts:
            fonts[key] = _font(*key)
        anchor = "rs" if shape.anchor == "end" else "ls"
        place = (shape.x * scale, shape.y * scale)
        draw.text(place, shape.text, shape.color, fonts[key], anchor)
    image.save(file, "PNG", dpi=(96 * scale, 96 * scale))


def _font(size: int, bold: bool) -> Any:
    """Return DejaVu Sans, which Matplotlib brings, or the font that Pillow has."""
    from PIL import ImageFont

    try:
        import matplotlib as mpl
    except ImportError:
        return ImageFont.load_default(size)
    folder = Path(mpl.get_data_path()) / "fonts/ttf"
    return ImageFont.truetype(folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)


def save(profile: Profile, file: Path) -> None:
    """Write the picture of a profile, as the file's name says: ``.svg`` or ``.png``.

    Raises
    ------
    Refused
        It is neither, or the file cannot be written.
    """
    shapes = page(profile)
    try:
        if file.suffix.lower() == ".svg":
            file.write_text(to_svg(shapes), encoding="utf-8")
        elif file.suffix.lower() == ".png":
            save_png(shapes, file)
        else:
            raise Refused(f"{file.name!r:.80} is no picture", "name a file .svg or .png")
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}", "choose another") from None
