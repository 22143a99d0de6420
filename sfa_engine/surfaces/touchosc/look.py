"""How a layout looks: screens, colours, sizes, and rectangles that divide themselves."""

from __future__ import annotations

from dataclasses import dataclass

from sfa_engine.desk.control import COLORS
from sfa_engine.surfaces.touchosc.document import Color, Frame

# Points, of the screen's logical size. Apple's smallest target is 44.
MIN_TAPPED = 44
MIN_PLAYED = 56
GAP = 6
MARGIN = 8

CAPTION = 13
KEY = 15
LARGE = 22
TITLE = 26
# Mean width of a letter of a bold sans serif, as a share of its size; capitals are wider.
LETTER = 0.58
CAPITAL = 0.72


@dataclass(frozen=True)
class Tablet:
    """A screen.

    Parameters
    ----------
    name : str
        As the command line has it.
    width, height : int
        Logical size in points; TouchOSC scales a layout to the screen it is shown on.
    tab_bar : int
        Height of the tabs.
    short : bool
        Whether names of pages are short.
    """

    name: str
    width: int
    height: int
    tab_bar: int
    short: bool = False


TABLETS = {
    "ipad": Tablet("ipad", 1024, 768, 54),
    "phone": Tablet("phone", 390, 844, 48, short=True),
}


def rgba(name: str, alpha: float = 1.0) -> Color:
    """Return a colour of the desk's palette, or of ``#rrggbb``."""
    text = COLORS.get(name, name)
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return (round(red, 4), round(green, 4), round(blue, 4), alpha)


BLACK = rgba("#000000")
CLEAR = rgba("#000000", 0.0)
INK = rgba("neutral")
INK_QUIET = rgba("#8b95a3")
PANEL = rgba("#1a1e24")
EDGE = rgba("#6b7684")
DIM = rgba("neutral", 0.3)  # a pad without a cue or a sound


def text_width(text: str, size: int) -> float:
    """Return about how wide a text is, in points."""
    return sum(size * (CAPITAL if letter.isupper() else LETTER) for letter in text)


def fitting(text: str, width: float, sizes: tuple[int, ...]) -> int:
    """Return the largest of the sizes, which fall, in which a text has room; else the last."""
    return next((size for size in sizes if text_width(text, size) <= width), sizes[-1])


@dataclass(frozen=True)
class Rect:
    """A part of a page, in points."""

    x: int
    y: int
    w: int
    h: int

    @property
    def frame(self) -> Frame:
        return (self.x, self.y, self.w, self.h)

    def inset(self, across: int, down: int | None = None) -> Rect:
        """Return what is left within a margin."""
        down = across if down is None else down
        return Rect(self.x + across, self.y + down, self.w - 2 * across, self.h - 2 * down)

    def rows(self, *sizes: float, gap: int = GAP) -> list[Rect]:
        """Divide from top to bottom: a whole number is points, a fraction a share of the rest."""
        return [
            Rect(self.x, self.y + start, self.w, size)
            for start, size in _divide(self.h, sizes, gap)
        ]

    def columns(self, *sizes: float, gap: int = GAP) -> list[Rect]:
        """Divide from left to right, as `rows` does."""
        return [
            Rect(self.x + start, self.y, size, self.h)
            for start, size in _divide(self.w, sizes, gap)
        ]

    def grid(self, columns: int, rows: int, gap: int = GAP) -> list[Rect]:
        """Divide into equal cells, row by row."""
        return [
            cell
            for row in self.rows(*[1.0] * rows, gap=gap)
            for cell in row.columns(*[1.0] * columns, gap=gap)
        ]


def _divide(length: int, sizes: tuple[float, ...], gap: int) -> list[tuple[int, int]]:
    """Return start and size of each part."""
    fixed = sum(size for size in sizes if isinstance(size, int))
    shares = sum(size for size in sizes if not isinstance(size, int))
    rest = length - fixed - gap * (len(sizes) - 1)
    parts, at, taken = [], 0, 0.0
    for size in sizes:
        if isinstance(size, int):
            points = size
        else:
            # Of the running sum, so that rounding adds up to the whole.
            before = int(rest * taken / shares)
            taken += size
            points = int(rest * taken / shares + 1e-9) - before
        parts.append((at, points))
        at += points + gap
    return parts
