"""The files of the web UI: which are served, to whom, and what browsers keep of them."""

import gzip
import hashlib
import json

import pytest
from served import asked, run_site

from sfa_engine.web import page
from sfa_engine.web.app import App
from sfa_engine.web.endpoint import Table
from sfa_engine.web.static_files import StaticFiles

pytestmark = pytest.mark.usefixtures("folder")
LAN = "192.168.7.7"
SCRIPT = "assets/index-Ab12.js"
FONT = "assets/inter-Cd34.woff2"
WRITTEN = {
    "index.html": b"<!doctype html><title>UI</title>" * 9,
    SCRIPT: b"export const answer = 42;\n" * 99,
    FONT: bytes(range(256)),
    "manifest.webmanifest": b'{"name": "UI"}' * 9,
}
PLAIN = {"headers": {"Accept-Encoding": "identity"}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Put a build where the package's would be."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    listed = {}
    for name, data in WRITTEN.items():
        (folder / name).write_bytes(data)
        is_compressed = not name.endswith(".woff2")
        if is_compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        listed[name] = {"sha256": hashlib.sha256(data).hexdigest(), "gzip": is_compressed}
    (folder / "page.json").write_text(json.dumps({"build": "ab12", "files": listed}))
    (folder / "assets" / "secret.js").write_text("not listed")
    monkeypatch.setattr(page, "files", lambda _package: tmp_path)
    return folder


def app_of():
    table = Table(page.Page(StaticFiles()).endpoints())
    return App(lambda: table)


def got(path, **of):
    [answer] = asked(app_of(), ("GET", path, of))
    return answer


VIEWS = ("/", *(f"/{name}" for name in page.VIEWS), "/library/7", "/library/7/cues", "/admin/users")


@pytest.mark.parametrize("path", VIEWS)
def test_each_view_is_the_index_and_is_asked_for_each_time(path):
    answer = got(path)
    assert (answer.status_code, answer.content) == (200, WRITTEN["index.html"])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [(SCRIPT, "text/javascript; charset=utf-8"), (FONT, "font/woff2")],
)
def test_what_has_a_digest_in_its_name_is_kept_for_good(path, kind):
    answer = got(f"/{path}", **PLAIN)
    assert (answer.status_code, answer.content) == (200, WRITTEN[path])
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == kind


def test_the_manifest_is_served_and_not_kept():
    answer = got("/manifest.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("header", "is_compressed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_sent_to_those_who_read_it(header, is_compressed):
    answer = got(f"/{SCRIPT}", headers={"Accept-Encoding": header})
    assert answer.content == WRITTEN[SCRIPT]
    assert ("content-encoding" in answer.headers) == is_compressed
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (int(answer.headers["content-length"]) < len(WRITTEN[SCRIPT])) == is_compressed


def test_a_browser_that_has_a_file_gets_nothing_and_of_another_coding_the_file():
    tag = got("/").headers["etag"]
    assert tag.endswith('-gzip"')
    again = got("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    plain = got("/", headers={"If-None-Match": tag, "Accept-Encoding": "identity"})
    assert plain.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/secret.js",
        "/assets/index-Ab13.js",
        f"/{SCRIPT}.gz",
        "/assets/../page.json",
        "/assets/%2e%2e/page.json",
        "/page.json",
        "/index.html",
        "/assets/",
        "/libraries",
        "/library/1/2/3",
    ],
)
def test_what_is_not_listed_is_not_served(path):
    assert got(path).status_code == 404


def test_files_are_of_one_build_until_the_process_ends(folder):
    app = app_of()
    (folder / SCRIPT).write_text("of the next build")
    (folder / f"{SCRIPT}.gz").unlink()
    [answer] = asked(app, ("GET", f"/{SCRIPT}", {}))
    assert answer.content == WRITTEN[SCRIPT]


def test_without_a_build_one_sentence_says_what_to_run(folder):
    (folder / "page.json").unlink()
    for path in ("/", "/decks"):
        answer = got(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/plain")
        assert "run `make page`" in answer.text
    assert got("/welcome").status_code == 200
    assert page.Page(StaticFiles()).build == ""


def test_before_the_first_user_the_network_gets_the_links_page_and_its_files_alone(tmp_path):
    async def scenario(site):
        async with site.client(address=LAN) as phone:
            assert (await phone.get("/welcome")).status_code == 200
            assert (await phone.get(f"/{SCRIPT}")).status_code == 200
            for path in ("/", "/login", "/library/7"):
                answer = await phone.get(path)
                assert (answer.status_code, answer.json()["code"]) == (403, "no_user")
            site.user("ann", "super_admin")
            assert (await phone.get("/login")).content == WRITTEN["index.html"]

    run_site(scenario, tmp_path)


def test_thirty_devices_of_one_address_open_the_page_in_a_minute(tmp_path):
    async def scenario(site):
        site.user("ann", "super_admin")
        async with site.client(address=LAN) as devices:
            for _ in range(30):
                assert (await devices.get("/login")).status_code == 200
                for _ in range(30):
                    assert (await devices.get(f"/{SCRIPT}")).status_code == 200
            answers = [(await devices.get(f"/{SCRIPT}")).status_code for _ in range(400)]
            assert answers[-1] == 429

    run_site(scenario, tmp_path)


def test_the_health_names_the_build_of_the_page(tmp_path):
    async def scenario(site):
        async with site.client() as client:
            assert (await client.get("/health")).json()["page"] == "ab12"

    run_site(scenario, tmp_path)


def test_the_page_is_no_operation_of_the_api(tmp_path):
    async def scenario(site):
        async with site.client() as client:
            paths = (await client.get("/api/openapi.json")).json()["paths"]
            listed = (await client.get("/api")).text
        assert not {"/", "/decks", "/assets/{file}", "/welcome"} & set(paths)
        assert "/assets/" not in listed

    run_site(scenario, tmp_path)
