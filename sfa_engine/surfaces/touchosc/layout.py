"""A whole layout: its pages behind tabs, and the canvas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sfa_engine.desk import DESK, Desk
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.surfaces.touchosc import scripts
from sfa_engine.surfaces.touchosc.book import Book
from sfa_engine.surfaces.touchosc.document import Node, Version, encode
from sfa_engine.surfaces.touchosc.look import BLACK, TABLETS, Rect
from sfa_engine.surfaces.touchosc.pager import pager
from sfa_engine.surfaces.touchosc.pages import PAGES

PORT = 9000  # on which TouchOSC receives; common usage, and ours in the guide
VERSION: Version = 3  # the oldest with a script for every node: newer TouchOSC reads it too


def canvas(
    desk: Desk = DESK, tablet: str = "ipad", pages: Sequence[str] = (), port: int = PORT
) -> Node:
    """Return the tree of a layout.

    Parameters
    ----------
    desk : Desk
        Whose controls.
    tablet : {"ipad", "phone"}
        Screen that it is made for.
    pages : sequence of str
        Names from `PAGES`, in the order of the tabs; all if empty.
    port : int
        On which TouchOSC receives.

    Raises
    ------
    Refused
        A page or a tablet is unknown.
    """
    _check("tablet", tablet, TABLETS)
    for page in pages:
        _check("page", page, PAGES)
    book = Book(desk, TABLETS[tablet], port)
    chosen = dict.fromkeys(pages or PAGES)  # each once
    tabs = [tab for page in chosen for tab in PAGES[page](book)]
    if not tabs:
        raise Refused("no page is left: what they show is not built yet", "add one more page")
    screen = Rect(0, 0, book.tablet.width, book.tablet.height)
    return Node(
        "GROUP",
        "sfa",
        screen.frame,
        {
            "background": ("b", True),
            "color": ("c", BLACK),
            "cornerRadius": ("f", 0.0),
            "script": ("s", scripts.subscribe(port)),
        },
        children=(pager("pages", screen, tabs, book.tablet.tab_bar),),
    )


def layout(
    desk: Desk = DESK,
    tablet: str = "ipad",
    pages: Sequence[str] = (),
    port: int = PORT,
    version: Version = VERSION,
) -> bytes:
    """Return the ``.tosc`` file of a layout; equal arguments give equal bytes.

    Parameters
    ----------
    desk, tablet, pages, port : Desk, str, sequence of str, int
        As of `canvas`.
    version : {3, 6}
        Of the format.
    """
    return encode(canvas(desk, tablet, pages, port), version)


def _check(kind: str, word: str, known: Iterable[str]) -> None:
    if word not in known:
        hint = did_you_mean(word, known) or f"give one of {', '.join(known)}"
        raise Refused(f'unknown {kind} "{word:.60}"', hint)
