"""Pages behind tabs, of a layout and within a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sfa_engine.surfaces.touchosc.document import Node, Property
from sfa_engine.surfaces.touchosc.look import BLACK, INK, PANEL, Rect, fitting, text_width
from sfa_engine.surfaces.touchosc.sheet import Sheet

SUB_TABS = 46  # height of the tabs within a page
MARGIN = 4  # of a tab
_SIZES = (17, 15, 14, 13, 12, 11)


@dataclass(frozen=True)
class Tab:
    """A page: what stands on its tab, and what is on it."""

    name: str
    sheet: Sheet


def have_room(tabs: Iterable[Tab], width: float) -> bool:
    """Return whether the names of all tabs can be read on a bar of that width."""
    tabs = list(tabs)
    return all(text_width(tab.name, _SIZES[-1]) <= width / len(tabs) - MARGIN for tab in tabs)


def pager(name: str, rect: Rect, tabs: Iterable[Tab], bar: int) -> Node:
    """Return a pager; each page's origin is below the tabs."""
    tabs = list(tabs)
    width = rect.w / len(tabs)
    size = min(fitting(tab.name, width - MARGIN, _SIZES) for tab in tabs)
    styled: dict[str, Property] = {
        "tabColorOff": ("c", PANEL),
        "tabColorOn": ("c", INK),
        "textColorOff": ("c", INK),
        "textColorOn": ("c", BLACK),
    }
    pages = tuple(
        Node(
            "GROUP",
            tab.name,
            (0, bar, rect.w, rect.h - bar),
            {**styled, "tabLabel": ("s", tab.name)},
            children=tuple(tab.sheet.nodes),
        )
        for tab in tabs
    )
    properties: dict[str, Property] = {
        "tabbarSize": ("i", bar),
        "textSizeOff": ("i", size),
        "textSizeOn": ("i", size),
    }
    return Node("PAGER", name, rect.frame, properties, children=pages)
