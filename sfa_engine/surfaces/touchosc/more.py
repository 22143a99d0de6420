"""The page of what has no place on another, so that no control is out of reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sfa_engine.desk import Button, Control, Switch
from sfa_engine.desk.control import GROUPS
from sfa_engine.surfaces.touchosc.book import Book
from sfa_engine.surfaces.touchosc.flow import flow
from sfa_engine.surfaces.touchosc.look import GAP, Rect
from sfa_engine.surfaces.touchosc.pager import SUB_TABS, Tab, have_room, pager
from sfa_engine.surfaces.touchosc.sheet import Sheet, is_moved, options

NAMES = {"transport": "Deck", "hotcue": "Cues", "eq": "EQ"}  # of groups, where the name is another


def is_played(control: Control) -> bool:
    """Return whether a layout must have a control: it is built, and a finger can use it.

    Of a pad that is its hit: the settings of 64 pads would be as many controls as all others, and
    a kit has them.
    """
    if control.planned or (control.path.startswith("pad") and not control.path.endswith(".hit")):
        return False
    return isinstance(control, Button | Switch) or is_moved(control) or bool(options(control))


def more(book: Book) -> list[Tab]:
    """Whatever has no place on another page, in the desk's order."""
    room = book.room
    below = Rect(0, 0, room.w, room.h - SUB_TABS)
    rest = [c for c in book.desk.controls() if is_played(c) and c.path not in book.placed]
    tops = {f"Deck {number}": deck.path for number, deck in book.desk.deck.items()}
    tabs = []
    for name, top in {**tops, "Desk": ""}.items():
        mine = [c for c in rest if _top(c, tops.values()) == top]
        pages = list(_pages(book, mine, top, below))
        if len(pages) == 1:
            tabs.append(Tab(name, pages[0].sheet))
        elif pages:
            sheet = book.sheet()
            sheet.add(pager(f"{name} pages", below, pages, SUB_TABS))
            tabs.append(Tab(name, sheet))
    if not tabs:
        return []
    sheet = book.sheet()
    sheet.add(pager("more pages", room, tabs, SUB_TABS))
    return [Tab("More", sheet)]


def _top(control: Control, tops: Iterable[str]) -> str:
    return next((top for top in tops if control.path.startswith(f"{top}.")), "")


def _pages(book: Book, controls: list[Control], top: str, room: Rect) -> Iterator[Tab]:
    """Yield as many pages as each group needs, behind tabs of its own if they are too many."""
    below = Rect(0, 0, room.w, room.h - SUB_TABS)
    groups = {
        NAMES.get(group, group.capitalize()): [c for c in controls if c.group == group]
        for group in GROUPS
    }
    flat = [
        Tab(name if number == 1 else f"{name} {number}", sheet)
        for name, mine in groups.items()
        for number, sheet in enumerate(_sheets(book, mine, top, below), 1)
    ]
    if have_room(flat, room.w):
        yield from flat
        return
    lower = Rect(0, 0, below.w, below.h - SUB_TABS)
    for name, mine in groups.items():
        sheets = list(_sheets(book, mine, top, below))
        if len(sheets) > 1:
            numbered = [
                Tab(str(number), sheet)
                for number, sheet in enumerate(_sheets(book, mine, top, lower), 1)
            ]
            sheets = [book.sheet()]
            sheets[0].add(pager(f"{name} pages", below, numbered, SUB_TABS))
        for sheet in sheets:
            yield Tab(name, sheet)


def _sheets(book: Book, controls: list[Control], top: str, room: Rect) -> Iterator[Sheet]:
    """Yield pages of controls; a section is not divided if it has room on the next one."""
    inner, columns = room.inset(0, GAP), 3 if book.tablet.short else 8
    left = controls
    while left:
        here = left
        sheet = book.sheet()
        left = flow(sheet, here, inner, columns, top)
        placed = here[: len(here) - len(left)]
        whole = [c for c in placed if not left or _section(c) != _section(left[0])]
        if whole and len(whole) < len(placed):
            sheet = book.sheet()
            flow(sheet, whole, inner, columns, top)
            left = here[len(whole) :]
        yield sheet


def _section(control: Control) -> str:
    return control.path.rpartition(".")[0]
