"""The page in a real browser, on a real engine with the demo's tracks.

All tests of a worker share one engine and one browser, each test has tabs of its own. A tab that
complains (an error of the console, an uncaught exception, a violation of the server's policy)
fails its test; one that failed leaves a screenshot in build/page.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sfa_engine.bench.browser import Tab, browser_of, chromium_path
from sfa_engine.bench.demo_site import demo_site
from sfa_engine.errors import EngineError
from sfa_engine.host import build

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "page"
BUILT = ROOT / "sfa_engine" / "web" / "page" / "page.json"
HOSTS = {"sfa.local": "127.0.0.1", "192.168.7.7": "127.0.0.1"}


@pytest.fixture(scope="session")
def browser():
    """The browser; it finds this machine by a name and an address of a network too."""
    if not BUILT.exists():
        pytest.skip("the web UI is not built: run `make page`")
    try:
        chromium_path()
    except EngineError as error:
        pytest.skip(f"{error}; {error.hint}")
    with browser_of(HOSTS) as browser:
        yield browser


@pytest.fixture(scope="session")
def site(browser):
    """An engine with web process, the demo's tracks in its library."""
    assert browser.is_connected()  # without one, no engine is started
    build.ensure()
    with demo_site() as site:
        yield site


@pytest.fixture(scope="session")
def ann(site):
    """The cookie of a super_admin."""
    return site.sign_in("ann", "super_admin")


@pytest.fixture
def tabs(site, browser, ann, request):
    """A function that opens a tab: signed in as ann, unless another cookie or none is given."""
    opened = []

    def tab(width=1600, theme="dark", cookie=ann, host="127.0.0.1", **options):
        origin = f"http://{host}:{site.port}"
        opened.append(Tab(browser, origin, cookie, width, theme, **options))
        return opened[-1]

    yield tab
    for deck in (1, 2):  # a deck that plays locks the session
        site.call("set", path=f"deck{deck}.play", value=False)
    failed = getattr(request.node, "failed", False)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    complaints = []
    for number, each in enumerate(opened):
        if failed:
            each.shot(SHOTS / f"{name}-{number}.png")
        complaints += each.complaints
        each.close()
    assert not complaints, complaints


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report
