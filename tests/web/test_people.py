"""What admins do with accounts over HTTP."""

import pytest
from served import PASSWORD, Echo, run_site

from sfa_engine.web import secrets

DESCRIBED = [{"name": "get", "sentence": "S.", "scope": "read", "slow": False, "params": []}]


def test_an_admin_invites_a_user_who_signs_in(tmp_path):
    async def scenario(site):
        async with site.client(site.user("ann", "admin")) as admin, site.client() as page:
            made = await admin.post("/api/users", json={"name": "bob", "role": "moderator"})
            assert made.status_code == 201
            link = {"secret": made.json()["secret"], "password": PASSWORD}
            assert (await page.post("/api/auth/use_link", json=link)).json()["name"] == "bob"
            change = {"name": "bob", "role": "user"}
            assert (await admin.post("/api/users/role", json=change)).json()["role"] == "user"
            listed = (await admin.get("/api/users")).json()["users"]
            assert [(each["name"], each["role"]) for each in listed] == [
                ("ann", "admin"),
                ("bob", "user"),
            ]
            assert all(set(each) == {"id", "name", "role", "state", "created_s"} for each in listed)
            stop = {"name": "bob", "status": "suspended"}
            assert (await admin.post("/api/users/status", json=stop)).status_code == 200
            assert (await page.get("/api/auth/me")).status_code == 401
            assert (await admin.post("/api/users/reset", json={"name": "bob"})).status_code == 422

    run_site(scenario, tmp_path)


@pytest.mark.parametrize("role", ["user", "moderator"])
def test_others_see_and_change_no_accounts(tmp_path, role):
    async def scenario(site):
        async with site.client(site.user("bob", role)) as client:
            assert (await client.get("/api/users")).status_code == 403
            for path in ("", "/role", "/status", "/reset"):
                assert (await client.post(f"/api/users{path}", json={})).status_code == 403

    run_site(scenario, tmp_path)


@pytest.mark.parametrize("role", ["admin", "super_admin"])
def test_an_admin_changes_and_makes_no_admin(tmp_path, role):
    async def scenario(site):
        site.user("ann", role)
        async with site.client(site.user("bob", "admin")) as admin:
            for path, more in (
                ("/role", {"role": "user"}),
                ("/status", {"status": "suspended"}),
                ("/reset", {}),
            ):
                given = {"name": "ann", **more}
                response = await admin.post(f"/api/users{path}", json=given)
                assert response.status_code == 403, path
            eve = {"name": "eve", "role": role}
            assert (await admin.post("/api/users", json=eve)).status_code == 403
            raised = {"name": "bob", "role": role}
            assert (await admin.post("/api/users/role", json=raised)).status_code == 403
            site.user("carl", "moderator")
            raised = {"name": "carl", "role": role}
            assert (await admin.post("/api/users/role", json=raised)).status_code == 403
        assert site.write(secrets.users.find, "eve") is None

    run_site(scenario, tmp_path)


def test_a_locked_session_refuses_changes_of_accounts_unless_forced(tmp_path, monkeypatch):
    is_locked = True
    asked = []

    def answered(_echo, method, params, _actor):
        if method == "describe":
            return {"verbs": DESCRIBED}
        if method == "get":
            asked.append(params)
        return {"value": is_locked}

    monkeypatch.setattr(Echo, "_answer", answered)

    async def scenario(site):
        nonlocal is_locked
        async with site.client(site.user("ann", "super_admin")) as admin:
            for path, given in (
                ("", {"name": "bob"}),
                ("/role", {"name": "ann", "role": "super_admin"}),
                ("/status", {"name": "ann", "status": "active"}),
                ("/reset", {"name": "ann"}),
            ):
                refused = await admin.post(f"/api/users{path}", json=given)
                assert refused.status_code == 409
                assert refused.json()["code"] == "locked"
                forced = await admin.post(f"/api/users{path}", json={**given, "force": True})
                assert forced.status_code in {200, 201}
            is_locked = False
            assert (await admin.post("/api/users", json={"name": "eve"})).status_code == 201
        assert asked

    run_site(scenario, tmp_path, DESCRIBED)
