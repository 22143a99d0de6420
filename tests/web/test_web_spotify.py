"""The login at Spotify from a browser, on this machine and elsewhere."""

import pytest
from served import ORIGIN, PASSWORD, run_site

from sfa_engine.backstage.verbs.spotify import SpotifyVerbs
from sfa_engine.errors import Refused
from sfa_engine.wire.verbs import verbs_of

DESCRIBED = [one.describe() for one in verbs_of(SpotifyVerbs).values()]
CALLBACK = "/auth/spotify/callback"


@pytest.mark.parametrize("host", ["127.0.0.1:8952", "127.0.0.1:9000", "[::1]:8952", "127.0.0.1"])
def test_a_browser_on_this_machine_is_redirected(tmp_path, host):
    async def scenario(site):
        async with site.client(site.user("ann", "admin"), Host=host) as client:
            response = await client.get("/auth/spotify")
        assert response.status_code == 303
        assert response.headers["location"] == "https://accounts.example/authorize"
        asked = {"redirect_uri": f"http://{host}{CALLBACK}"}
        assert site.echo.asked == [("spotify.login", asked)]

    run_site(scenario, tmp_path, DESCRIBED)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.168.1.7:8952", "192.168.1.9"),
        ("localhost:8952", "127.0.0.1"),
        ("sfa.local", "127.0.0.1"),
        ("127.0.0.1:8952", "192.168.1.9"),
    ],
)
def test_a_browser_elsewhere_is_shown_the_link(tmp_path, host, address):
    async def scenario(site):
        token = site.user("ann", "admin")
        async with site.client(token, address, Host=host) as client:
            response = await client.get("/auth/spotify")
            assert response.status_code == 303
            page = await client.get(response.headers["location"])
        assert page.status_code == 200
        assert page.text.index('src="/static/page.js"') < page.text.index('"/static/spotify.js"')
        assert site.echo.asked == []

    run_site(scenario, tmp_path, DESCRIBED)


def test_spotify_redirects_back_and_the_login_is_finished(tmp_path):
    async def scenario(site):
        site.user("ann", "admin")
        async with site.client() as page:  # by its cookie, which a redirect from elsewhere sends
            await page.post("/api/auth/login", json={"name": "ann", "password": PASSWORD})
            response = await page.get(f"{CALLBACK}?code=a%2Bb&state=c")
        assert response.status_code == 200
        assert "Logged in" in response.text
        asked = {"address": f"{ORIGIN}{CALLBACK}?code=a%2Bb&state=c"}
        assert site.echo.asked == [("spotify.finish", asked)]

    run_site(scenario, tmp_path, DESCRIBED)


def test_a_login_that_fails_says_why_and_runs_no_script(tmp_path):
    async def scenario(site):
        async def refuse(*_):
            raise Refused("no login: <script>alert(1)</script>", "begin the login again")

        site.service._backstage_verbs.call = refuse
        async with site.client(site.user("ann", "admin")) as client:
            response = await client.get(f"{CALLBACK}?error=%3Cscript%3E")
        assert response.status_code == 422
        assert "no login: &lt;script&gt;" in response.text
        assert "<script" not in response.text

    run_site(scenario, tmp_path, DESCRIBED)


def test_the_login_is_for_admins(tmp_path):
    async def scenario(site):
        async with site.client(site.user("bob", "moderator")) as client:
            for path in ("/auth/spotify", f"{CALLBACK}?code=a&state=b", "/auth/spotify/elsewhere"):
                assert (await client.get(path)).status_code == 403
        async with site.client() as client:
            assert (await client.get("/auth/spotify")).status_code == 401
        assert site.echo.asked == []

    run_site(scenario, tmp_path, DESCRIBED)
