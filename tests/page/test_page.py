"""The page as the web process serves it: routes, policy, hosts, caches, builds, touch."""

import json
from pathlib import Path

import pytest
from accessibility import LOOKS, violations

from sfa_engine.bench.browser import touch
from sfa_engine.web.page import VIEWS

pytestmark = [pytest.mark.slow, pytest.mark.realtime]

DOCS = Path(__file__).parents[2] / "docs"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPEN = ("login", "welcome")  # without signing in
SHOWN = ("decks", "library", "jobs", "midi", "settings", "admin", *OPEN)


@pytest.mark.parametrize("path", ["/", *(f"/{name}" for name in VIEWS), "/library/1", "/nothing"])
def test_each_route_opens_without_a_complaint(tabs, path):
    tab = tabs()
    answers = []
    tab.page.on("response", lambda response: answers.append((response.url, response.status)))
    page = tab.go(path)
    status = dict(answers)[tab.origin + path]
    assert status == (404 if path == "/nothing" else 200)
    if status == 200:
        assert page.title()
        assert page.locator("#app > *").count()


@pytest.mark.parametrize("host", ["127.0.0.1", "sfa.local", "192.168.7.7"])
def test_plain_http_by_any_name_of_the_machine_shows_the_page(tabs, host):
    tab = tabs(host=host)
    page = tab.go("/")
    assert page.locator("#app > *").count()
    assert page.evaluate("isSecureContext") == (host == "127.0.0.1")
    assert page.evaluate("fetch('/api/auth/me').then((answer) => answer.status)") == 200


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_every_view_is_accessible_and_as_wide_as_the_screen(tabs, site, theme, width):
    signed_in, visitor = tabs(width, theme), tabs(width, theme, ())
    found = []
    for name in SHOWN:
        tab = visitor if name in OPEN else signed_in
        secret = f"#{site.invite()}" if name == "welcome" else ""
        page = tab.view(name, f"/{name}{secret}")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        found += [f"{name}: {each}" for each in violations(page)]
        if page.evaluate(OVERFLOW) > 0:
            found.append(f"{name}: wider than {width}")
    assert not found, "\n".join(found)


def test_a_page_of_another_build_offers_a_reload(tabs):
    tab = tabs()
    answer = {"health": "ok", "backstage": True, "version": "9", "page": "another"}
    tab.page.route("**/health", lambda route: route.fulfill(json=answer))
    page = tab.view("decks")
    page.wait_for_selector('[data-outdated="another"]')
    page.unroute("**/health")
    with page.expect_navigation():
        page.click('[data-outdated] [data-action="reload"]')
    page.wait_for_selector('[data-view="decks"][data-state="ready"]')
    assert page.locator("[data-outdated]").count() == 0


def test_a_view_that_the_server_has_no_more_offers_a_reload(tabs):
    """The page is of an older build: its views are loaded when they are first shown."""
    tab = tabs()
    page = tab.view("decks")
    page.route("**/assets/Library-*.js", lambda route: route.fulfill(status=404))
    page.click('a[href="/library"] >> nth=0')
    page.wait_for_selector('main [data-action="reload"]')
    page.unroute("**/assets/Library-*.js")
    page.click('main [data-action="reload"]')
    page.wait_for_selector('[data-view="library"][data-state="ready"]')


def test_the_files_come_from_the_cache_and_the_index_does_not(tabs):
    tab = tabs()
    answers = []

    def note(response):
        answers.append(response)

    page = tab.view("decks", "/")
    page.wait_for_load_state("networkidle")
    page.on("response", note)
    page.reload(wait_until="networkidle")
    headers = {a.url.removeprefix(tab.origin): a.all_headers() for a in list(answers)}
    assert headers["/"]["cache-control"] == "no-cache"
    assets = [url for url in headers if url.startswith("/assets/")]
    assert assets
    assert all("immutable" in headers[url]["cache-control"] for url in assets)
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter((e) => e.name.includes('/assets/'))"
        ".map((e) => e.transferSize)"
    )
    assert sizes
    assert set(sizes) == {0}  # of the cache
    gone = page.evaluate("fetch('/assets/index-older.js').then((answer) => answer.status)")
    assert gone == 404


def test_scripts_that_are_not_ours_do_not_run(tabs):
    tab = tabs()
    page = tab.go("/")
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.textContent = "window.evil = 1"; } catch { return; }
          document.body.append(script);
        }"""
    )
    assert page.evaluate("window.evil") is None
    assert any("policy violation" in each for each in tab.complaints)
    tab.complaints.clear()


def test_the_page_knows_the_build_that_the_server_has(tabs):
    tab = tabs()
    page = tab.go("/")
    built = page.evaluate("document.querySelector('meta[name=build]').content")
    assert built
    assert page.evaluate("fetch('/health').then((a) => a.json()).then((a) => a.page)") == built


def test_two_fingers_are_two_pointers(tabs):
    tab = tabs(390)
    page = tab.go("/")
    page.evaluate(
        """() => {
          window.seen = {};
          addEventListener("pointermove", (e) => {
            (window.seen[e.pointerId] ??= []).push([e.clientX, e.clientY]);
          });
          document.documentElement.style.touchAction = "none";
        }"""
    )
    devtools = tab.devtools()
    touch(devtools, "touchStart", [(100, 300), (250, 400)])
    for step in range(1, 5):
        touch(devtools, "touchMove", [(100, 300 - 20 * step), (250, 400 + 20 * step)])
    touch(devtools, "touchEnd", [])
    seen = sorted(page.evaluate("Object.values(window.seen).map((each) => each.at(-1))"))
    assert seen == [[100, 220], [250, 480]]


def test_the_library_has_the_demos_tracks_with_stems_analysis_and_cues(site):
    found = {each["title"]: each for each in site.call("library.search", limit=10)["tracks"]}
    assert {"Slow Gold", "Quicksilver"} <= set(found)
    for each in found.values():
        assert each["stems"] == ["bass", "drums", "other", "vocals"]
        assert each["bpm"]
        assert each["key"]
        assert site.call("library.show", track=each["id"])["cues"]


def test_the_openapi_document_that_the_types_are_made_from_is_the_servers(tabs, monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    import generate

    page = tabs().go("/")
    served = page.evaluate("fetch('/api/openapi.json').then((answer) => answer.text())")
    written = json.loads(json.dumps(generate.openapi_document()))
    served = json.loads(served)
    surfaces = set(written["paths"]) - set(served["paths"])  # that are off here have no verbs
    assert {path.split("/")[2] for path in surfaces} <= {"midi", "osc"}
    for path in surfaces:
        del written["paths"][path]
    paths = served["paths"]
    assert not [path for path in paths if paths[path] != written["paths"].get(path)]
    assert served == written
