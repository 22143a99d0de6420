"""Chromium on the web UI: for the bench, the screenshots and the tests of the page.

Playwright drives the distribution's Chromium; it fetches none of its own. Each tab keeps what the
browser complains of, the violations of the server's policy among it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sfa_engine.errors import EngineError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Page

Theme = Literal["dark", "light"]
HEIGHTS = {390: 844, 1180: 820, 1600: 1000}  # of the screens that these widths are of
TOUCH_WIDTH = 1200  # narrower ones are phones and tablets
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# The network answers these on purpose: signed out, no rights, unknown, refused, engine away.
_EXPECTED = ("401", "403", "404", "422", "503")
# Over plain HTTP in a network the browser ignores this header, and says so.
_NO_ISOLATION = "The Cross-Origin-Opener-Policy header has been ignored"


def chromium_path() -> str:
    """Return the browser's program.

    Raises
    ------
    EngineError
        It or Playwright is not installed.
    """
    if find_spec("playwright") is None:
        raise EngineError("Playwright is not installed", "pip install playwright")
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise EngineError(
            "Chromium is not installed", "apt-get install --no-install-recommends chromium"
        )
    return found


@contextmanager
def browser_of(hosts: Mapping[str, str] | None = None) -> Iterator[Browser]:
    """Lend a browser without a window.

    Parameters
    ----------
    hosts : mapping of str to str, optional
        Addresses by host names that no resolver has to know.
    """
    path = chromium_path()
    from playwright.sync_api import sync_playwright

    # As root it has no sandbox; what it opens is ours.
    words = ["--no-sandbox", "--disable-gpu", "--mute-audio", "--hide-scrollbars"]
    if hosts:
        rules = ", ".join(f"MAP {name} {address}" for name, address in hosts.items())
        words.append(f"--host-resolver-rules={rules}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=words)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A page in a context of its own: no cookies but the given one.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
    origin : str
        ``http://127.0.0.1:8952``.
    cookie : sequence of str
        Name and value of a session's cookie; empty for a visitor that is not signed in.
    width : int
        In CSS pixels.
    theme : str
        What the browser prefers.
    is_still : bool
        Prefer reduced motion.
    scale : float
        Device pixels for each CSS pixel.

    Attributes
    ----------
    page : playwright.sync_api.Page
    complaints : list of str
        Errors of the console, uncaught exceptions, violations of the policy.
    """

    def __init__(
        self,
        browser: Browser,
        origin: str,
        cookie: Sequence[str] = (),
        width: int = 1600,
        theme: Theme = "dark",
        *,
        is_still: bool = False,
        scale: float = 1.0,
    ) -> None:
        self.origin = origin
        is_touch = width < TOUCH_WIDTH
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": HEIGHTS.get(width, 800)},
            color_scheme=theme,
            device_scale_factor=scale,
            has_touch=is_touch,
            is_mobile=width < 600,
            reduced_motion="reduce" if is_still else "no-preference",
            service_workers="block",
        )
        if cookie:
            name, value = cookie
            self.context.add_cookies([{"name": name, "value": value, "url": origin}])
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.add_init_script(_VIOLATIONS)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"} and not message.text.startswith(_MARK):
            return
        text = message.text
        is_answer = text.startswith("Failed to load resource") and "status of " in text
        if text.startswith(_NO_ISOLATION):
            return
        if is_answer and text.partition("status of ")[2][:3] in _EXPECTED:
            return
        self.complaints.append(f"{message.type}: {text}")

    def go(self, path: str = "/") -> Page:
        """Open a path, and return the page when it has loaded."""
        self.page.goto(self.origin + path, wait_until="load")
        return self.page

    def view(self, name: str, path: str | None = None, timeout_s: float = 15.0) -> Page:
        """Open a view, and return the page when the view says that it is ready."""
        page = self.go(f"/{name}" if path is None else path)
        page.wait_for_selector(
            f'[data-view="{name}"][data-state="ready"]', timeout=timeout_s * 1000
        )
        return page

    def devtools(self) -> CDPSession:
        """Return a connection to the browser's own protocol."""
        return self.context.new_cdp_session(self.page)

    def shot(self, path: Path) -> Path:
        """Write a screenshot; return its path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, animations="disabled", caret="hide")
        return path

    def close(self) -> None:
        """Close it."""
        self.context.close()


_MARK = "policy violation: "
_VIOLATIONS = f"""
addEventListener("securitypolicyviolation", (event) =>
  console.error({_MARK!r} + event.violatedDirective + " " + event.blockedURI + " " + event.sample));
"""


def touch(devtools: CDPSession, kind: str, points: Sequence[tuple[float, float]]) -> None:
    """Send a touch of several fingers: ``touchStart``, ``touchMove`` or ``touchEnd``."""
    fingers: list[dict[str, Any]] = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]
    devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
