"""Screenshots of the web UI, from a real run with the demo's tracks: ``make screenshots``.

Every view in both themes at the widths of a phone, a tablet and a desk, into build/screenshots;
those of README and documents into docs/images. Waits for each view to say that it is ready, and
fails where the browser complains.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from sfa_engine.bench.browser import HEIGHTS, Tab, Theme, browser_of
from sfa_engine.bench.demo_site import DemoSite, demo_site
from sfa_engine.cli import screen

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
EVERY = ROOT / "build" / "screenshots"
DOCS = ROOT / "docs" / "images"
SETTLE_MS = 1200  # meters, covers, waveforms
QUESTION = "set cues at the breaks and vocals of this track"
NARROW = 900  # px: below it agents are a view of their own


@dataclass(frozen=True)
class Scene:
    """A view at a path, whether its visitor is signed in, and what they do there."""

    name: str
    view: str
    path: str
    is_signed_in: bool = True
    act: Callable[[Page], None] | None = None


# In README and documents: scene, theme and width by file name.
IN_DOCS: dict[str, tuple[str, Theme, int]] = {
    "page-decks.png": ("decks", "dark", 1600),
    "page-agents.png": ("agents", "dark", 1600),
    "page-library.png": ("library", "light", 1600),
    "page-mix.png": ("mix", "dark", 1600),
    "page-phone.png": ("decks", "dark", 390),
}


def scenes(site: DemoSite) -> Iterator[Scene]:
    """Yield every view."""
    for name in ("decks", "performance", "library", "midi", "settings", "admin"):
        yield Scene(name, name, f"/{name}")
    yield Scene("track", "library", f"/library/{site.tracks[0]}")
    yield Scene("agents", "library", f"/library/{site.tracks[0]}?agents=1", act=_ask)
    with site.backstage() as client:
        client.call("mix.plan", name="friday", tracks=site.tracks, ordered=True)
        analysed = next(job for job in client.call("jobs.list")["jobs"] if job["kind"] == "analyse")
    yield Scene("jobs", "jobs", f"/jobs?job={analysed['id']}")
    yield Scene("mix", "mix", "/mix?plan=friday&transition=1")
    yield Scene("login", "login", "/login", is_signed_in=False)
    yield Scene("welcome", "welcome", f"/welcome#{site.invite()}", is_signed_in=False)


def _ask(page: Page) -> None:
    """Ask agents a question, and wait for the answer."""
    if page.evaluate("innerWidth") < NARROW:
        page.locator("[data-action=agents]").dispatch_event("click")  # the track lies over it
    field = page.get_by_role("textbox", name="Question")
    field.fill(QUESTION)
    field.press("Enter")
    page.locator("[data-credit]").wait_for()


def main() -> int:
    """Write the screenshots; return 1 if the browser complained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="a scene")
    parser.add_argument("--docs", action="store_true", help="write those of docs/images too")
    given = parser.parse_args()
    screen.build_kernel()
    complaints: list[str] = []
    with demo_site(has_controllers=True) as site, browser_of() as browser:
        site.load()
        cookie = site.sign_in()
        site.call("set", path="crossfader", value=-20.0)
        for scene in scenes(site):
            if given.only and scene.name not in given.only:
                continue
            for theme in get_args(Theme):
                for width in HEIGHTS:
                    signed_in = cookie if scene.is_signed_in else ()
                    tab = Tab(browser, site.origin, signed_in, width, theme)
                    try:
                        page = tab.view(scene.view, scene.path)
                        if scene.act is not None:
                            scene.act(page)
                        page.wait_for_timeout(SETTLE_MS)
                    except Exception as error:  # noqa: BLE001 - of the browser; the others are written
                        complaints.append(f"{scene.name} {theme} {width}: {error}")
                    tab.shot(EVERY / f"{scene.name}-{theme}-{width}.png")
                    for name, of in IN_DOCS.items() if given.docs else ():
                        if of == (scene.name, theme, width):
                            tab.shot(DOCS / name)
                    complaints += [f"{scene.name} {theme} {width}: {c}" for c in tab.complaints]
                    tab.close()
    print(f"{len(list(EVERY.glob('*.png')))} screenshots in {EVERY.relative_to(ROOT)}")
    for each in complaints:
        print(each, file=sys.stderr)
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
