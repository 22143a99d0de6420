"""The page of what has no place on another, so that no control is out of reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sfa_engine.desk import Button, Control, Switch
from sfa_engine.desk.control import GROUPS
from sfa_engine.surfaces.touchosc.book import Book
from sfa_engine.surfaces.touchosc.flow import flow
from sfa_engine.surfaces.touchosc.look import GAP, Rect
from sfa_engine.surfaces.touchosc.pager import SUB_TABS, Tab, pager
from sfa_engine.surfaces.touchosc.sheet import is_moved, options

NAMES = {"transport": "Deck", "hotcue": "Cues", "eq": "EQ"}  # of groups, where the name is another


def is_played(control: Control) -> bool:
    """Return whether a layout must have a control: it is built, and a finger can use it."""
    if control.planned:
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
    """Yield as many pages as each group needs."""
    inner = Rect(0, 0, room.w, room.h - SUB_TABS).inset(0, GAP)
    columns = 3 if book.tablet.short else 8
    for group in GROUPS:
        name, number = NAMES.get(group, group.capitalize()), 1
        left = [control for control in controls if control.group == group]
        while left:
            sheet = book.sheet()
            left = flow(sheet, left, inner, columns, top)
            yield Tab(name if number == 1 else f"{name} {number}", sheet)
            number += 1
