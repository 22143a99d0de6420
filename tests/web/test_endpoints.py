"""Every endpoint by every role, and what is sent to the engine."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import PASSWORD, Site, run_site

from sfa_engine.backstage.server import Client as BackstageClient
from sfa_engine.backstage.verbs.account import AccountVerbs
from sfa_engine.backstage.verbs.agents import AgentVerbs
from sfa_engine.backstage.verbs.chains import ChainVerbs
from sfa_engine.backstage.verbs.files import FileVerbs
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.kits import KitVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.listing import ListingVerbs
from sfa_engine.backstage.verbs.moderation import ModerationVerbs
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.verbs.profiles import ProfileVerbs
from sfa_engine.backstage.verbs.proposals import ProposalVerbs
from sfa_engine.backstage.verbs.reanalyse import ReanalyseVerbs
from sfa_engine.backstage.verbs.separations import SeparationVerbs
from sfa_engine.backstage.verbs.spotify import SpotifyVerbs
from sfa_engine.stage.core import Core
from sfa_engine.stage.effects import Effects
from sfa_engine.stage.pads import Pads
from sfa_engine.stage.recording import Recording
from sfa_engine.surfaces.midi.surface import MidiSurface
from sfa_engine.surfaces.osc.server import Server as OscServer
from sfa_engine.surfaces.rtpmidi.server import Server as NetworkMidi
from sfa_engine.surfaces.socket.server import Client as StageClient
from sfa_engine.web.catalogue import FILES, HARMLESS, PUSHING
from sfa_engine.web.openapi import statuses
from sfa_engine.web.rights import SCOPES_OF, STORED
from sfa_engine.wire.rights import OWNED
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import verbs_of

KINDS = (
    *(Session, Core, Effects, Pads, Recording, StageClient, MidiSurface, OscServer, NetworkMidi),
    *(BackstageClient, ChainVerbs, JobVerbs, KitVerbs, LibraryVerbs, PrepVerbs, ProfileVerbs),
    *(
        ReanalyseVerbs,
        ListingVerbs,
        FileVerbs,
        SeparationVerbs,
        SpotifyVerbs,
        AccountVerbs,
        ModerationVerbs,
        AgentVerbs,
        ProposalVerbs,
    ),
)
VERBS = {name: one for kind in KINDS for name, one in verbs_of(kind).items()}
DESCRIBED = [one.describe() for one in VERBS.values()]
SERVED = sorted(set(VERBS) - PUSHING)
LINK = "https://open.spotify.com/track/1"


def expected(name, role):
    """Return whether a role may use a verb that has no owner but the machine."""
    scope = VERBS[name].declared.scope
    if scope not in SCOPES_OF[role]:
        return False
    if role in {"admin", "super_admin"} or scope == "read" or VERBS[name].declared.owned:
        return True  # owners are backstage's business
    return name == "prep.add" or (
        (name.partition(".")[0] not in OWNED or name in HARMLESS) and name not in FILES
    )


async def ask(client, name, params=None):
    path = f"/api/{name.replace('.', '/')}"
    declared = VERBS[name].declared
    if declared.scope == "read" and not declared.restricted:
        return await client.get(path, params=params)
    return await client.post(path, json=params or {})


def filled(endpoint, name):
    """Return the path of an endpoint, with a number or a name for its variables."""
    path = endpoint.path.replace("{file}", name).replace("{name}", name)
    return path.replace("{id}", "1").replace("{track}", "1")


def without_limits(site):
    site.service.gate._limits.take = lambda *_: 0


def test_every_verb_is_an_endpoint_but_those_that_push(tmp_path):
    async def scenario(site):
        names = {each.verb.name for each in site.service.table.endpoints if each.verb}
        assert names == set(VERBS) - PUSHING

    pushing = {name for name, one in VERBS.items() if "push" in one.given}
    assert pushing <= PUSHING
    run_site(scenario, tmp_path, DESCRIBED)


def test_each_role_uses_what_it_may(tmp_path):
    async def scenario(site: Site):
        without_limits(site)
        found, wanted = {}, {}
        for role in STORED:
            async with site.client(site.user(role, role)) as client:
                for name in SERVED:
                    response = await ask(client, name)
                    found[name, role] = response.status_code
                    wanted[name, role] = 200 if expected(name, role) else 403
        assert found == wanted
        asked = {name for name, _ in site.echo.asked}
        assert asked == set(SERVED)

    run_site(scenario, tmp_path, DESCRIBED)


def test_a_token_uses_no_more_than_its_scopes(tmp_path):
    async def scenario(site):
        without_limits(site)
        async with site.client(site.user("ann", "super_admin", ["read"])) as client:
            for name in SERVED:
                is_read = VERBS[name].declared.scope == "read"
                assert (await ask(client, name)).status_code == (200 if is_read else 403), name
        assert all(VERBS[name].declared.scope == "read" for name, _ in site.echo.asked)

    run_site(scenario, tmp_path, DESCRIBED)


def test_nothing_but_the_open_pages_answers_without_a_sign_in(tmp_path):
    async def scenario(site):
        without_limits(site)
        site.user("ann", "super_admin")
        async with site.client() as client:
            opened = set()
            for endpoint in site.service.table.endpoints:
                path = filled(endpoint, "plain.css")
                response = await client.request(endpoint.method, path, json={})
                if response.status_code != 401 and not endpoint.is_page:
                    opened.add(endpoint.path)
        assert opened == {
            *(
                "/api",
                "/api/openapi.json",
                "/health",
                "/static/{file}",
                "/export/touchosc/{tablet}",
            ),
            *("/api/auth/login", "/api/auth/link", "/api/auth/use_link"),
        }
        assert not site.echo.asked or {name for name, _ in site.echo.asked} <= {
            "health",
            "prep.watched",
        }

    run_site(scenario, tmp_path, DESCRIBED)


@pytest.mark.parametrize(
    ("role", "name", "params"),
    [
        ("moderator", "deck.load", {"deck": 1, "path": "/etc/passwd"}),
        ("moderator", "deck.load", {"deck": 1, "track": "#1", "force": True}),
        ("moderator", "deck.eject", {"deck": 1, "force": True}),
        ("moderator", "pad.load", {"pad": 1, "path": "/etc/passwd"}),
        ("moderator", "capture", {"source": "master", "path": "/etc/cron.d/x"}),
        ("moderator", "record.start", {"path": "/etc/cron.d/x"}),
        ("user", "library.find", {"path": "/etc/passwd"}),
        ("user", "library.find", {"words": "x", "prepare": True}),
        ("moderator", "library.find", {"words": "x", "prepare": True}),
        ("user", "prep.add", {"sources": ["/etc/passwd"]}),
        ("user", "prep.add", {"sources": [LINK, "file:///etc/passwd"]}),
        ("user", "prep.add", {"sources": ["http://127.0.0.1:8953/"]}),
        ("user", "prep.add", {"sources": ["http://youtube.com.evil.example/"]}),
        ("user", "prep.add", {"sources": ["http://youtube.com:22/"]}),
        ("user", "prep.add", {"sources": ["http://x@youtube.com/"]}),
        ("user", "prep.add", {"sources": ["http://[::1"]}),
        ("user", "prep.add", {"sources": [LINK], "priority": 100}),
        ("user", "prep.add", {"sources": [LINK], "watch": True}),
    ],
)
def test_files_force_and_unknown_sites_are_for_admins(tmp_path, role, name, params):
    async def scenario(site):
        async with site.client(site.user("bob", role)) as client:
            response = await ask(client, name, params)
            assert response.status_code == 403, response.text
            assert site.echo.asked == []
        async with site.client(site.user("ann", "admin")) as client:
            assert (await ask(client, name, params)).status_code == 200

    run_site(scenario, tmp_path, DESCRIBED)


def test_what_may_change_something_is_no_get(tmp_path):
    async def scenario(site):
        site.user("ann", "admin")
        async with site.client() as page:
            await page.post("/api/auth/login", json={"name": "ann", "password": PASSWORD})
            given = {"words": "x", "prepare": True}
            linked = await page.get("/api/library/find", params=given)
            assert linked.status_code == 405
            other = {"Origin": "http://evil.example"}
            sent = await page.post("/api/library/find", json=given, headers=other)
            assert sent.json()["code"] == "cross_site"
            assert site.echo.asked == []
            assert (await page.post("/api/library/find", json=given)).status_code == 200
            document = (await page.get("/api/openapi.json")).json()
        assert set(document["paths"]["/api/library/find"]) == {"post"}

    run_site(scenario, tmp_path, DESCRIBED)


def test_parameters_arrive_as_they_are_meant(tmp_path):
    async def scenario(site):
        async with site.client(site.user("ann", "super_admin")) as client:
            await client.get("/api/library/search?words=bpm:120&limit=7")
            await client.get("/api/jobs/list?states=failed&states=done")
            await client.post("/api/set", json={"path": "crossfader", "value": -3.5})
            await client.post("/api/prep/add", json={"sources": [LINK]})
        assert site.echo.asked == [
            ("library.search", {"words": "bpm:120", "limit": 7}),
            ("jobs.list", {"states": ["failed", "done"]}),
            ("set", {"path": "crossfader", "value": -3.5}),
            ("prep.add", {"sources": [LINK]}),
        ]

    run_site(scenario, tmp_path, DESCRIBED)


def test_upstreams_paths_call_the_verbs(tmp_path):
    async def scenario(site):
        async with site.client(site.user("ann", "super_admin")) as client:
            for path, body in (
                ("/api/download/track", {"url": LINK, "quality": "best"}),
                ("/api/processing/separate", {"track": 3}),
                ("/api/analysis/analyze", {"track": 3}),
                ("/api/lalalai/cancel", {"job": 5}),
            ):
                assert (await client.post(path, json=body)).status_code == 202
            for topic in ("download", "processing", "analysis"):
                assert (await client.get(f"/api/{topic}/job/5")).status_code == 200
            assert (await client.get("/api/lalalai/quota")).status_code == 200
            assert (await client.post("/api/lalalai/cancel-all")).status_code == 200
            assert (await client.get("/api/processing/models")).status_code == 200
            assert (await client.post("/api/spotify/fetch", json={"url": LINK})).is_success
            assert (await client.get("/api/download/job/x")).status_code == 404
            assert (await client.get("/api/download/job/" + "9" * 30)).status_code == 404
            assert (await client.post("/api/daw/export")).status_code == 501
        assert site.echo.asked == [
            ("prep.add", {"sources": [LINK], "quality": "best"}),
            ("prep.separate", {"track": 3}),
            ("library.reanalyse", {"words": "#3"}),
            ("jobs.cancel", {"jobs": [5]}),
            *[("jobs.show", {"job": 5})] * 3,
            ("prep.quota", {}),
            ("prep.cancel", {"engine": "lalalai"}),
            ("prep.models", {}),
            ("spotify.fetch", {"url": LINK}),
        ]

    run_site(scenario, tmp_path, DESCRIBED)


def test_the_document_has_every_operation_and_is_whole(tmp_path):
    async def scenario(site):
        async with site.client() as client:
            document = (await client.get("/api/openapi.json")).json()
            page = await client.get("/api")
        assert document["openapi"] == "3.1.0"
        listed = {(method.upper(), path) for path, of in document["paths"].items() for method in of}
        table = site.service.table
        assert listed == {(o.method, o.path) for o in table.endpoints if not o.is_page}
        operations = [one for of in document["paths"].values() for one in of.values()]
        names = [one["operationId"] for one in operations]
        assert len(set(names)) == len(names)
        assert all(one["summary"].endswith(".") for one in operations)
        search = document["paths"]["/api/library/search"]["get"]
        assert {each["name"] for each in search["parameters"]} == {
            *("words", "limit", "offset", "view"),
        }
        references = {
            part.partition('"')[0]
            for part in msgspec.json.encode(document).decode().split('"#/components/schemas/')[1:]
        }
        assert references <= set(document["components"]["schemas"])
        part = document["paths"]["/files/{track}/{file}"]["get"]
        assert {"200", "206", "304", "404", "416"} <= set(part["responses"])
        assert set(part["responses"]["206"]["headers"]) >= {"Content-Range", "ETag"}
        named = {(each["in"], each["name"]) for each in part["parameters"]}
        assert {("path", "track"), ("path", "file"), ("header", "Range")} <= named
        archive = document["paths"]["/export/stems/{track}"]["get"]["responses"]["200"]
        assert set(archive["content"]) == {"application/zip"}
        upload = document["paths"]["/api/uploads/{name}"]["put"]
        assert set(upload["requestBody"]["content"]) == {"application/octet-stream"}
        assert {"202", "408", "413", "415", "507"} <= set(upload["responses"])
        assert page.headers["content-type"].startswith("text/html")
        assert "library.search" not in page.text
        assert "/api/library/search" in page.text

    run_site(scenario, tmp_path, DESCRIBED)


def _encoded(value):
    return json.dumps(value).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=10), inside, max_size=4)
    ),
    max_leaves=10,
)


def test_no_body_and_no_query_is_a_fault(tmp_path):
    """Any bytes to any endpoint are answered by a documented status."""

    async def scenario(site):
        without_limits(site)
        async with site.client(site.user("ann", "super_admin")) as client:
            drawn = []
            collect(drawn)
            endpoints = site.service.table.endpoints
            for number, (content, query) in enumerate(drawn):
                endpoint = endpoints[number % len(endpoints)]
                path = filled(endpoint, "x.wav")
                response = await client.request(
                    endpoint.method,
                    path,
                    content=content,
                    params=query,
                    headers={"Content-Type": "application/json"},
                )
                documented = {endpoint.success, *statuses(endpoint)} - {500}
                assert response.status_code in documented, (path, content, query, response.text)

    @settings(max_examples=400, database=None)
    @given(
        JSON.map(_encoded) | st.binary(max_size=30),
        st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4),
    )
    def draw(into, content, query):
        into.append((content, query))

    def collect(into):
        draw(into)

    run_site(scenario, tmp_path, DESCRIBED)


def test_an_engine_that_is_away_is_said(tmp_path):
    async def scenario(site):
        async with site.client(site.user("ann", "super_admin")) as client:
            for path in ("/api/status", "/api/library/search", "/api/download/job/1"):
                response = await client.get(path)
                assert response.status_code == 503
                assert response.headers["retry-after"]
            assert (await client.get("/health")).json()["health"] == "down"
            metrics = await client.get("/metrics")
            assert "sfa_up 0" in metrics.text
            assert 'sfa_web_answers_total{method="GET",status="503"} 4' in metrics.text

    run_site(scenario, tmp_path)
