"""``spotify.*``: tracks of links, and logins that come back to another program."""

from __future__ import annotations

import asyncio
from functools import partial
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET, identity, track_object

from sfa_engine.backstage.services.loopback import LOGIN_TIMEOUT_S
from sfa_engine.backstage.services.oauth import logged_in
from sfa_engine.backstage.services.remote_login import MAX_PENDING, RemoteLogins
from sfa_engine.backstage.settings import Settings, SpotifyConfig
from sfa_engine.backstage.spotify_accounts import SpotifyAccounts
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.backstage.verbs.spotify import SpotifyVerbs
from sfa_engine.errors import Refused
from sfa_engine.wire import frames

BACK = "http://127.0.0.1:8952/auth/spotify/callback"
ACCOUNTS = "https://accounts.example"


def with_verbs(fake, vault, tmp_path, body, client_id=CLIENT_ID):
    """Run a coroutine function with the verbs."""

    async def main():
        config = SpotifyConfig(client_id, CLIENT_SECRET)
        settings = Settings(tmp_path, tmp_path / "tracks", tmp_path / "models", spotify=config)
        async with SpotifySession(settings, vault, fake.api_url, fake.url) as session:
            accounts = SpotifyAccounts(session, vault, partial(SpotifySession, settings), client_id)
            return await body(SpotifyVerbs(session, accounts))

    return asyncio.run(main())


def answer_to(url, **more):
    """Return the address that Spotify redirects to."""
    query = {name: texts[0] for name, texts in parse_qs(urlsplit(url).query).items()}
    return f"{query['redirect_uri']}?{urlencode({'state': query['state'], **more})}"


@pytest.mark.parametrize("host", ["127.0.0.1:8952", "[::1]:8952", "127.0.0.1"])
def test_a_login_that_comes_back_is_stored(fake, vault, tmp_path, host):
    async def body(verbs):
        assert (await verbs.spotify_status()) == {"has_application": True, "logged_in": False}
        url = verbs.spotify_login(f"http://{host}/auth/spotify/callback")["url"]
        assert url.startswith(f"{fake.url}/authorize?")
        address = answer_to(url, code=fake.grant(url))
        await verbs.spotify_finish(address)
        assert (await verbs.spotify_status())["logged_in"]
        with pytest.raises(Refused, match="not for a login that waits"):
            await verbs.spotify_finish(address)
        assert await verbs.spotify_logout() == {"was_logged_in": True}
        assert await verbs.spotify_logout() == {"was_logged_in": False}

    with_verbs(fake, vault, tmp_path, body)


@pytest.mark.parametrize(
    "address",
    [
        "http://192.168.1.7:8952/auth/spotify/callback",
        "http://localhost:8952/auth/spotify/callback",
        "https://127.0.0.1/x",
        "http://127.0.0.1.evil.example/x",
        "http://127.0.0.1:x/",
        "http://[::1/",
        "",
    ],
)
def test_spotify_is_not_asked_to_redirect_elsewhere(fake, vault, tmp_path, address):
    async def body(verbs):
        with pytest.raises(Refused, match="does not redirect"):
            verbs.spotify_login(address)

    with_verbs(fake, vault, tmp_path, body)


def test_answers_of_others_are_refused(fake, vault, tmp_path):
    async def body(verbs):
        url = verbs.spotify_login(BACK)["url"]
        code = fake.grant(url)
        for address in (f"{BACK}?code={code}&state=x", f"{BACK}?code={code}", "", "http://[", "x"):
            with pytest.raises(Refused, match=r"login that waits|not an address"):
                await verbs.spotify_finish(address)
        with pytest.raises(Refused, match="you declined"):
            await verbs.spotify_finish(answer_to(url, error="access_denied"))
        other = verbs.spotify_login(BACK)["url"]
        with pytest.raises(Refused):  # a code of another login: its verifier does not fit
            await verbs.spotify_finish(answer_to(other, code=code))
        assert not logged_in(vault)

    with_verbs(fake, vault, tmp_path, body)


def test_without_an_application_no_login_begins(fake, vault, tmp_path):
    async def body(verbs):
        with pytest.raises(Refused, match="no client_id"):
            verbs.spotify_login(BACK)

    with_verbs(fake, vault, tmp_path, body, client_id="")


def test_a_login_ends_after_five_minutes_and_few_wait_at_once():
    now_s = [0.0]
    logins = RemoteLogins(lambda: now_s[0])
    first = answer_to(logins.begin("id", BACK, ACCOUNTS), code="x")
    for _ in range(MAX_PENDING):
        last = answer_to(logins.begin("id", BACK, ACCOUNTS), code="x")
    with pytest.raises(Refused, match="login that waits"):
        asyncio.run(logins.finish(None, None, "id", first))
    now_s[0] = LOGIN_TIMEOUT_S + 1.0
    with pytest.raises(Refused, match="login that waits"):
        asyncio.run(logins.finish(None, None, "id", last))


def test_the_tracks_of_a_link_are_told_page_by_page(fake, vault, tmp_path):
    fake.tracks[identity(1)] = track_object(1)

    async def body(verbs):
        link = f"https://open.spotify.com/track/{identity(1)}"
        found = await verbs.spotify_fetch(link)
        assert found["count"] == 1
        assert found["tracks"][0]["title"] == found["title"]
        assert frames.pack(found)
        assert (await verbs.spotify_fetch(link, offset=1))["tracks"] == []
        with pytest.raises(Refused):
            await verbs.spotify_fetch("https://evil.example/track/x")

    with_verbs(fake, vault, tmp_path, body)
