"""Controls in a grid of cells, in the desk's order: where no page has a place made for them.

What a later release builds appears here by itself, until a page gives it a better place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sfa_engine.desk import Button, Control, Fader, Switch
from sfa_engine.surfaces.touchosc.look import CAPTION, GAP, INK_QUIET, Rect, fitting, text_width
from sfa_engine.surfaces.touchosc.sheet import (
    KEPT,
    LEFT,
    RIGHT,
    Sheet,
    is_level,
    is_moved,
    options,
    width_of,
)

CELL_HEIGHT = 64  # a caption, and what it names, which is tapped
CAPTION_HEIGHT = 18
NAME_WIDTH = 64  # beside a choice, where there is room
SPANS = {"fader": 2, "choice": 3}  # cells that a control takes
MINUS = "\u2212"
BEND = 0.08  # of the range, up and down: 4 % of speed, as a nudge by hand
# Pressed with: what a hand jumps by.
NUMBERS = {"jump": (-16.0, -4.0, -1.0, 1.0, 4.0, 16.0), "move": (-1.0, 1.0)}


@dataclass(frozen=True)
class Key:
    """A button to be: a control, and what it is pressed with if that is not its rest."""

    control: Control
    caption: str
    second: str = ""
    number: float | None = None


def caption(control: Control) -> str:
    """Return a control's label as it stands on a surface: ``Set in``."""
    words = [
        word if word.rstrip("0123456789") in KEPT else word.lower()
        for word in control.label.split()
    ]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def keys(control: Control) -> list[Key]:
    """Return the buttons of a control that is pressed; nothing if it is none."""
    name = control.path.rpartition(".")[2]
    unit = control.scale.unit
    if isinstance(control, Button):
        numbers = NUMBERS.get(name, ())
        if not numbers and control.scale.low < 0:  # either way
            rest = abs(control.scale.rest)
            return _either_way(control, rest)
        if not numbers:
            return [Key(control, caption(control))]
        below = unit if name == "jump" else caption(control).lower()
        return [Key(control, _signed(number), below, number) for number in numbers]
    if isinstance(control, Switch):
        return [Key(control, caption(control))]
    if isinstance(control, Fader) and control.momentary:
        return _either_way(control, control.scale.high * BEND)
    return []


def _either_way(control: Control, by: float) -> list[Key]:
    name = caption(control).lower()
    return [Key(control, MINUS, name, -by), Key(control, "+", name, by)]


def keys_that_fit(controls: Iterable[Control], cells: int) -> list[Key]:
    """Return the buttons of controls, in so many cells: of each all, or none.

    A control of which only one had room would count as placed, and be on no other page.
    """
    found: list[Key] = []
    for control in controls:
        more = keys(control)
        if len(found) + len(more) <= cells:
            found += more
    return found


def _signed(number: float) -> str:
    return f"{number:+g}".replace("-", MINUS)


def put_keys(sheet: Sheet, every: Iterable[Key], cells: list[Rect]) -> None:
    """Put keys into cells, as many as there are cells."""
    for key, cell in zip(every, cells, strict=False):
        sheet.button(key.control, cell, key.caption, key.second, number=key.number)


def flow(
    sheet: Sheet, controls: Iterable[Control], rect: Rect, columns: int, within: str = ""
) -> list[Control]:
    """Put controls into rows of cells.

    Parameters
    ----------
    sheet : Sheet
        Where.
    controls : iterable of Control
        In their order.
    rect : Rect
        What there is room in.
    columns : int
        Cells in a row; a choice takes three, a fader two.
    within : str
        Section of all of them, which their captions leave out.

    Returns
    -------
    list of Control
        Those that there was no room for.
    """
    rows = (rect.h + GAP) // (CELL_HEIGHT + GAP)
    width = (rect.w - GAP * (columns - 1)) // columns
    row = column = 0
    left: list[Control] = []
    for control in controls:
        for part in _parts(control):
            span = min(columns, _span(part))
            if column + span > columns:
                row, column = row + 1, 0
            if row >= rows:
                if control not in left:
                    left.append(control)
                continue
            cell = Rect(
                rect.x + column * (width + GAP),
                rect.y + row * (CELL_HEIGHT + GAP),
                span * width + (span - 1) * GAP,
                CELL_HEIGHT,
            )
            _put(sheet, part, cell, within)
            column += span
    return left


def _parts(control: Control) -> Iterator[Control | Key]:
    found = keys(control)
    yield from found
    if not found:
        yield control


def _span(part: Control | Key) -> int:
    if isinstance(part, Key):
        return 1
    if options(part):
        return max(SPANS["choice"], len(options(part)) - 2)
    return SPANS["fader"] if is_moved(part) or is_level(part) else 1


def _put(sheet: Sheet, part: Control | Key, cell: Rect, within: str) -> None:
    if isinstance(part, Key):
        # Two sections of one kind have the same labels: say whose it is.
        text, second = part.caption, part.second or _whose(part.control, within)
        if second and text == "On":  # which is no name
            text, second = second.capitalize(), "on"
        sheet.button(part.control, cell, text, second, number=part.number)
        return
    if options(part):
        side, body = cell.columns(NAME_WIDTH, 1.0)
        if body.w < width_of(part):
            side, body = cell.rows(CAPTION_HEIGHT, 1.0, gap=0)
        text, whose = caption(part), _whose(part, within)
        if text_width(f"{text} {whose}", CAPTION) > side.w:
            side, lower = side.rows(0.5, 0.5, gap=0)
            _name(sheet, whose, lower)
            whose = ""
        _name(sheet, f"{text} {whose}".strip(), side)
        sheet.choice(part, body)
        return
    head, body = cell.rows(CAPTION_HEIGHT, 1.0, gap=0)
    whose, text = _whose(part, within), caption(part)
    if whose:
        text = f"{whose[0].upper()}{whose[1:]} {text.lower()}"
    if is_level(part):
        _name(sheet, text, head, LEFT)
        sheet.meter(part, body.inset(0, 8))
    elif is_moved(part):
        name, number = head.columns(0.6, 0.4)
        _name(sheet, text, name, LEFT)
        sheet.reading(part, number, size=CAPTION, align=RIGHT)
        sheet.fader(part, body)
    else:
        _name(sheet, text, head)
        sheet.reading(part, body, size=17)


def _name(sheet: Sheet, text: str, rect: Rect, align: int = 2) -> None:
    size = fitting(text, rect.w, (CAPTION, 12, 11))
    sheet.label(text, rect, size=size, ink=INK_QUIET, align=align)


def _whose(control: Control, within: str) -> str:
    """Return the section of a control below another: ``vocals``, ``stem fader``, ``12``.

    A number alone says of which only where all are of one kind; elsewhere it is ``deck 1``.
    """
    parent = control.path.rpartition(".")[0]
    rest = parent.removeprefix(within).strip(".")
    last = rest.rpartition(".")[2]
    word = last.rstrip("0123456789")
    digits = last[len(word) :]
    if digits and word and within and parent.startswith(within):
        return digits
    return f"{word} {digits}".strip().replace("_", " ")
