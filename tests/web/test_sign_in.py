"""Signing in over HTTP: links, cookies, other sites, tokens, rates."""

import asyncio

import pytest
from served import HASH, ORIGIN, PASSWORD, run_site

from sfa_engine.web import secrets, users
from sfa_engine.web.limits import FREE_TRIES
from sfa_engine.web.rights import SYSTEM

LAN = "192.168.7.7"
LOGIN = {"name": "ann", "password": PASSWORD}


def make_ann(site):
    return site.user("ann", "super_admin")


def test_before_the_first_user_the_network_reaches_the_link_alone(tmp_path):
    async def scenario(site):
        async with site.client(address=LAN) as phone:
            for method, path in (
                ("GET", "/health"),
                ("GET", "/api"),
                ("POST", "/api/auth/login"),
                ("GET", "/api/auth/me"),
            ):
                response = await phone.request(method, path, json=LOGIN)
                assert response.status_code == 403
                assert response.json()["code"] == "no_user"
            assert (await phone.get("/welcome")).status_code == 200
            assert (await phone.get("/static/welcome.js")).status_code == 200
            secret = site.write(secrets.add_link, None)
            shown = await phone.post("/api/auth/link", json={"secret": secret})
            assert shown.json() == {"name": None}
            given = {"secret": secret, "name": "ann", "password": PASSWORD}
            made = await phone.post("/api/auth/use_link", json=given)
            assert made.json() == {"name": "ann", "role": "super_admin"}
            assert (await phone.get("/api/auth/me")).json()["role"] == "super_admin"
            again = await phone.post("/api/auth/use_link", json=given)
            assert again.status_code == 422
            assert again.json()["code"] == "invalid_link"

    run_site(scenario, tmp_path)


def test_the_cookie_is_safe_and_named_by_the_port(tmp_path):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            response = await page.post("/api/auth/login", json=LOGIN)
        cookie = response.headers["set-cookie"]
        assert cookie.startswith("sfa_session_8952=")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Domain" not in cookie

    run_site(scenario, tmp_path)


def test_a_session_that_is_extended_has_its_cookie_set_again(tmp_path):
    def was_used_yesterday(connection):
        connection.execute("UPDATE sessions SET seen_s = seen_s - ?", (secrets.DAY_S,))

    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            first = (await page.post("/api/auth/login", json=LOGIN)).headers["set-cookie"]
            assert "set-cookie" not in (await page.get("/api/auth/me")).headers
            site.write(was_used_yesterday)
            again = await page.get("/static/plain.css")
            assert again.headers.get_list("set-cookie") == [first]
            assert f"Max-Age={secrets.SESSION_IDLE_S:.0f}" in first
            await asyncio.gather(*site.service.gate._marks)
            site.write(was_used_yesterday)
            out = await page.post("/api/auth/logout")
            (cookie,) = out.headers.get_list("set-cookie")
            assert "Max-Age=0" in cookie

    run_site(scenario, tmp_path)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:8953"},
        {"Origin": "null"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_sites_page_changes_nothing(tmp_path, headers):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            await page.post("/api/auth/login", json=LOGIN)
            for path in ("/api/auth/logout", "/api/auth/login"):
                response = await page.post(path, json=LOGIN, headers=headers)
                assert response.status_code == 403
                assert response.json()["code"] == "cross_site"
            assert (await page.get("/api/auth/me")).status_code == 200

    run_site(scenario, tmp_path)


def test_a_program_changes_nothing_by_a_cookie(tmp_path):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            await page.post("/api/auth/login", json=LOGIN)
            del page.headers["Origin"]
            assert (await page.post("/api/auth/logout")).status_code == 401

    run_site(scenario, tmp_path)


def test_signing_in_again_makes_a_new_session_and_ends_the_old_one(tmp_path):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            await page.post("/api/auth/login", json=LOGIN)
            first = dict(page.cookies)
            await page.post("/api/auth/login", json=LOGIN)
            assert dict(page.cookies) != first
            assert len((await page.get("/api/auth/sessions")).json()["sessions"]) == 1
            await page.post("/api/auth/logout")
            assert (await page.get("/api/auth/me")).status_code == 401

    run_site(scenario, tmp_path)


def test_wrong_passwords_are_delayed_and_say_nothing_of_the_name(tmp_path):
    async def scenario(site):
        make_ann(site)
        site.write(users.add, SYSTEM, "invited", "user")
        async with site.client() as page:
            said = set()
            for name in ("ann", "nobody", "invited"):
                wrong = {"name": name, "password": "wrong"}
                response = await page.post("/api/auth/login", json=wrong)
                assert response.status_code == 401
                said.add(response.text)
            assert len(said) == 1
            for _ in range(FREE_TRIES - 1):
                await page.post("/api/auth/login", json={"name": "ANN", "password": "wrong"})
            late = await page.post("/api/auth/login", json=LOGIN)
            assert late.status_code == 429
            assert int(late.headers["retry-after"]) >= 1
        async with site.client(address=LAN) as elsewhere:
            assert (await elsewhere.post("/api/auth/login", json=LOGIN)).status_code == 200

    run_site(scenario, tmp_path)


def test_sign_ins_are_limited_by_address(tmp_path):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            for number in range(10):
                await page.post("/api/auth/link", json={"secret": str(number)})
            response = await page.post("/api/auth/login", json=LOGIN)
            assert response.status_code == 429
            assert int(response.headers["retry-after"]) >= 1

    run_site(scenario, tmp_path)


def test_wrong_tokens_are_limited_and_refused(tmp_path):
    async def scenario(site):
        token = make_ann(site)
        for wrong in ("x", token[:-1] + "x", token.upper(), f"{token} more"):
            async with site.client(wrong) as program:
                response = await program.get("/api/auth/me")
                assert response.status_code == 401
                assert response.headers["www-authenticate"].startswith("Bearer")
        async with site.client("wrong") as program:
            answers = [(await program.get("/api/auth/me")).status_code for _ in range(130)]
        assert answers[0] == 401
        assert answers[-1] == 429

    run_site(scenario, tmp_path)


def test_a_token_makes_no_tokens_and_no_password(tmp_path):
    async def scenario(site):
        async with site.client(make_ann(site)) as program:
            assert (await program.get("/api/auth/me")).json()["name"] == "ann"
            new = {"name": "t", "scopes": ["read"]}
            assert (await program.post("/api/auth/tokens", json=new)).status_code == 403
            change = {"old": PASSWORD, "new": "another one"}
            assert (await program.post("/api/auth/password", json=change)).status_code == 403

    run_site(scenario, tmp_path)


def test_a_page_makes_lists_and_deletes_tokens(tmp_path):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            await page.post("/api/auth/login", json=LOGIN)
            new = {"name": "lamp", "scopes": ["read"], "days": 3}
            made = await page.post("/api/auth/tokens", json=new)
            assert made.status_code == 201
            async with site.client(made.json()["secret"]) as program:
                assert (await program.get("/api/auth/me")).json()["scopes"] == ["read"]
            listed = (await page.get("/api/auth/tokens")).json()["tokens"]
            assert [each["name"] for each in listed if each["name"] == "lamp"] == ["lamp"]
            assert "secret" not in listed[0]
            path = f"/api/auth/tokens/{made.json()['id']}"
            assert (await page.delete(path)).status_code == 200
            assert (await page.delete(path)).status_code == 404
            async with site.client(made.json()["secret"]) as program:
                assert (await program.get("/api/auth/me")).status_code == 401

    run_site(scenario, tmp_path)


def test_a_new_password_signs_other_browsers_out(tmp_path):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page, site.client() as other:
            for each in (page, other):
                await each.post("/api/auth/login", json=LOGIN)
            wrong = {"old": "wrong", "new": "another one"}
            assert (await page.post("/api/auth/password", json=wrong)).status_code == 403
            change = {"old": PASSWORD, "new": "another one"}
            assert (await page.post("/api/auth/password", json=change)).status_code == 200
            assert (await page.get("/api/auth/me")).status_code == 200
            assert (await other.get("/api/auth/me")).status_code == 401

    run_site(scenario, tmp_path)


def test_a_hash_of_other_parameters_is_made_again(tmp_path):
    from argon2 import PasswordHasher

    async def scenario(site):
        make_ann(site)
        old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
        site.write(users.set_password, 1, old)
        async with site.client() as page:
            assert (await page.post("/api/auth/login", json=LOGIN)).status_code == 200
        parameters = HASH.split("$")[3]
        assert site.write(users.get, "ann").password.split("$")[3] == parameters

    run_site(scenario, tmp_path)


def test_reads_of_a_page_are_not_limited(tmp_path):
    async def scenario(site):
        make_ann(site)
        async with site.client() as page:
            await page.post("/api/auth/login", json=LOGIN)
            for _ in range(150):
                assert (await page.get("/api/auth/me")).status_code == 200

    run_site(scenario, tmp_path)
