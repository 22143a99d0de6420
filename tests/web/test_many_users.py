"""Suspending many users at once, what ends with a suspension, and the session's lock."""

import pytest
from served import Echo, run_site

from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.web import users
from sfa_engine.web.many_users import MAX_AT_ONCE
from sfa_engine.wire.verbs import verbs_of

PATH = "/api/users/statuses"
DESCRIBED = [one.describe() for one in verbs_of(JobVerbs).values()]


def states(site):
    return {each.name: each.state for each in site.write(users.listed)}


def test_many_are_suspended_with_an_answer_for_each(tmp_path):
    async def scenario(site):
        admin = site.user("ann", "admin")
        for name in ("bob", "eve"):
            site.user(name, "user")
        site.user("sue", "super_admin")
        given = {"names": ["bob", "eve", "bob", "sue", "max"], "status": "suspended"}
        async with site.client(admin) as client:
            before = states(site)
            rehearsed = await client.post(PATH, json={**given, "dry_run": True})
            assert rehearsed.status_code == 200
            assert states(site) == before
            done = await client.post(PATH, json=given)
        assert rehearsed.json() == {**done.json(), "dry_run": True}
        assert done.json()["users"] == 2
        items = {item["name"]: item for item in done.json()["items"]}
        assert list(items) == ["bob", "eve", "sue", "max"]
        assert items["bob"] == {"name": "bob", "state": "suspended", "error": None}
        assert items["sue"]["error"]["code"] == "forbidden"
        assert items["max"]["error"]["message"] == 'no user "max"'
        assert states(site) == {**before, "bob": "suspended", "eve": "suspended"}

    run_site(scenario, tmp_path)


def test_the_last_super_admin_is_kept_among_many_too(tmp_path):
    async def scenario(site):
        site.user("sue", "super_admin")
        root = site.user("ann", "super_admin")
        async with site.client(root) as client:
            given = {"names": ["sue", "ann"], "status": "suspended"}
            items = (await client.post(PATH, json=given)).json()["items"]
        assert [item["state"] for item in items] == ["suspended", None]
        assert items[1]["error"]["message"] == "ann is the last super_admin"

    run_site(scenario, tmp_path)


def test_sessions_and_tokens_of_a_suspended_user_end(tmp_path):
    async def scenario(site):
        admin = site.user("ann", "admin")
        token = site.user("bob", "user")
        async with site.client() as page, site.client(token) as program:
            signed_in = {"name": "bob", "password": "correct horse"}
            assert (await page.post("/api/auth/login", json=signed_in)).status_code == 200
            for client in (page, program):
                assert (await client.get("/api/auth/me")).status_code == 200
            async with site.client(admin) as client:
                given = {"names": ["bob"], "status": "suspended"}
                assert (await client.post(PATH, json=given)).json()["users"] == 1
            for client in (page, program):
                assert (await client.get("/api/auth/me")).status_code == 401
            assert (await page.post("/api/auth/login", json=signed_in)).status_code == 401
            async with site.client(admin) as client:
                given = {"names": ["bob"], "status": "active"}
                assert (await client.post(PATH, json=given)).json()["users"] == 1
            assert (await page.get("/api/auth/me")).status_code == 401  # the session has ended
            assert (await program.get("/api/auth/me")).status_code == 200

    run_site(scenario, tmp_path)


@pytest.mark.parametrize("names", [[], ["a"] * (MAX_AT_ONCE + 1)])
def test_no_names_and_too_many_are_refused(tmp_path, names):
    async def scenario(site):
        async with site.client(site.user("ann", "admin")) as client:
            answer = await client.post(PATH, json={"names": names, "status": "active"})
            assert answer.status_code == 422

    run_site(scenario, tmp_path)


def test_a_locked_session_refuses_it_but_not_a_dry_run(tmp_path, monkeypatch):
    def answered(_echo, method, *_):
        return {"verbs": DESCRIBED} if method == "describe" else {"value": True}

    monkeypatch.setattr(Echo, "_answer", answered)

    async def scenario(site):
        async with site.client(site.user("ann", "admin")) as client:
            site.user("bob", "user")
            given = {"names": ["bob"], "status": "suspended"}
            refused = await client.post(PATH, json=given)
            assert (refused.status_code, refused.json()["code"]) == (409, "locked")
            rehearsed = await client.post(PATH, json={**given, "dry_run": True})
            assert rehearsed.status_code == 200
            assert states(site)["bob"] == "active"
            assert (await client.post(PATH, json={**given, "force": True})).status_code == 200
            assert states(site)["bob"] == "suspended"

    run_site(scenario, tmp_path, DESCRIBED)
