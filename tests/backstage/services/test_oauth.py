"""A login from the address in the browser to the playlists, against a server that checks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET, entry, identity, page_of, status, track_object

from sfa_engine.backstage.services import loopback as loopback_module
from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.backstage.services.login import bearer_for
from sfa_engine.backstage.services.loopback import loopback
from sfa_engine.backstage.services.oauth import (
    NAME,
    Challenge,
    UserToken,
    authorize_url,
    exchange,
    forget,
    logged_in,
)
from sfa_engine.backstage.services.token import ClientToken, Token
from sfa_engine.errors import Refused


async def log_in(road, vault):
    """Log in, the fake being both the browser and the person."""
    challenge = Challenge.new()
    async with loopback(challenge.state) as waiting:
        address = authorize_url(CLIENT_ID, waiting.redirect_uri, challenge, road.fake.url)
        code = road.fake.grant(address)
        back = await road.client.get(
            waiting.redirect_uri, params={"code": code, "state": challenge.state}
        )
        assert "Logged in" in back.text
        code = await waiting.code()
        await exchange(road.accounts, vault, CLIENT_ID, code, waiting.redirect_uri, challenge)


def user(road, vault):
    return UserToken(road.accounts, vault, CLIENT_ID, road.clock)


def test_who_logs_in_sees_playlists_of_their_own_and_no_others(on_the_road, fake, vault):
    fake.playlists[identity(3)] = ("Mine", [entry(track_object(1))])
    fake.playlists[identity(4)] = ("Saved", [entry(track_object(2))])
    fake.owners[identity(4)] = "somebody else"

    async def journey(road):
        await log_in(road, vault)
        spotify = road.spotify(user(road, vault))
        own = await spotify.own_playlists()
        return own, await spotify.listing(own[0].link)

    own, listing = on_the_road(journey)
    assert [(p.title, p.items) for p in own] == [("Mine", 1)]
    assert [w.title for w in listing.tracks] == ["Song 1"]
    assert logged_in(vault)


def test_the_address_has_what_spotify_asks_for():
    challenge = Challenge.new()
    url = authorize_url(CLIENT_ID, "http://127.0.0.1:5/callback", challenge)
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    digest = hashlib.sha256(challenge.verifier.encode()).digest()
    assert url.startswith("https://accounts.spotify.com/authorize?")
    assert query == {
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1:5/callback",
        "scope": "playlist-read-private playlist-read-collaborative",
        "state": challenge.state,
        "code_challenge_method": "S256",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }


def test_a_challenge_is_as_the_standard_wants_it_and_never_the_same():
    made = [Challenge.new() for _ in range(20)]
    assert len({c.verifier for c in made} | {c.state for c in made}) == 40
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", c.verifier) for c in made)
    # the example of RFC 7636, appendix B
    known = Challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "x")
    assert known.digest == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_token_is_renewed_when_it_ends_and_the_new_refresh_token_kept(on_the_road, fake, vault):
    async def journey(road):
        await log_in(road, vault)
        before = json.loads(vault.get(NAME))
        road.clock.now_s = before["ends_s"]
        token = await user(road, vault).bearer()
        after = json.loads(vault.get(NAME))
        assert token == after["access"] != before["access"]
        assert {after["refresh"]} == fake.refresh != {before["refresh"]}

    on_the_road(journey)


def test_a_token_refused_is_renewed_once_for_many_tasks(on_the_road, fake, vault):
    async def journey(road):
        await log_in(road, vault)
        bearer = user(road, vault)
        spotify = road.spotify(bearer)
        fake.tokens.clear()
        fake.tokens["another's"] = ""
        asked = fake.count["token"]
        await asyncio.gather(*(spotify.own_playlists() for _ in range(5)))
        assert fake.count["token"] == asked + 1

    on_the_road(journey)


class Behind:
    """A vault as a process sees it that read just before another one wrote."""

    def __init__(self, vault, seen):
        self.vault, self.seen = vault, [seen]

    def get(self, name):
        return self.seen.pop() if self.seen else self.vault.get(name)

    def set(self, name, value):
        self.vault.set(name, value)


def test_a_token_that_another_process_renewed_meanwhile_is_taken_and_the_login_stays(
    on_the_road, vault
):
    async def journey(road):
        await log_in(road, vault)
        before = vault.get(NAME)
        road.clock.now_s = json.loads(before)["ends_s"]
        token = await user(road, vault).bearer()
        assert await user(road, Behind(vault, before)).bearer() == token
        assert logged_in(vault)

    on_the_road(journey)


def test_a_login_that_was_revoked_is_forgotten_and_told(on_the_road, fake, vault):
    async def journey(road):
        await log_in(road, vault)
        fake.refresh.clear()
        road.clock.now_s = 1e12
        bearer = user(road, vault)
        with pytest.raises(Refused, match="ended this login: Refresh token revoked; log in again"):
            await bearer.bearer()
        with pytest.raises(Refused, match="not logged in"):
            await bearer.bearer()
        application = bearer_for(road.accounts, vault, CLIENT_ID, CLIENT_SECRET)
        assert isinstance(application, ClientToken)

    on_the_road(journey)


@pytest.mark.parametrize("fault", [status(503), page_of("<html>login</html>"), page_of("no", 403)])
def test_a_login_outlives_a_service_that_fails(on_the_road, fake, vault, fault):
    async def journey(road):
        await log_in(road, vault)
        road.clock.now_s = 1e12
        fake.token_faults += [fault] * 4
        with pytest.raises((ServiceError, Refused)):
            await user(road, vault).bearer()

    on_the_road(journey)
    assert logged_in(vault)


def test_a_code_without_its_verifier_is_worth_nothing(on_the_road, fake, vault):
    async def journey(road):
        challenge = Challenge.new()
        redirect = "http://127.0.0.1:1/callback"
        code = fake.grant(authorize_url(CLIENT_ID, redirect, challenge, fake.url))
        other = Challenge("x" * 64, challenge.state)
        with pytest.raises(Refused, match="code_verifier was incorrect"):
            await exchange(road.accounts, vault, CLIENT_ID, code, redirect, other)

    on_the_road(journey)
    assert not logged_in(vault)


def test_what_is_secret_is_not_shown_in_a_log():
    challenge = Challenge("verify" * 10, "state-of-it")
    assert repr((challenge, Token("access-it", 5.0, "refresh-it"))) == (
        "(Challenge(), Token(ends_s=5.0))"
    )


def test_who_logs_out_is_logged_out(on_the_road, vault):
    on_the_road(lambda road: log_in(road, vault))
    forget(vault)
    assert not logged_in(vault)
    forget(vault)  # once more: there is nothing, and that is fine
    assert vault.names() == []


@pytest.mark.parametrize("kept", ["null", "nonsense", "[]", '{"access": "x"}', "{}"])
def test_a_vault_with_something_else_in_it_is_no_login(vault, kept):
    vault.set(NAME, kept)
    assert not logged_in(vault)


# ---------------------------------------------------------------- the loopback server


def test_only_the_right_state_ends_the_wait():
    async def visits():
        async with loopback("right") as waiting, httpx.AsyncClient() as browser:
            base = f"http://127.0.0.1:{waiting.port}"
            answers = [
                await browser.get(f"{base}/favicon.ico"),
                await browser.post(f"{base}/callback?code=evil&state=right"),
                await browser.get(f"{base}/callback?code=evil&state=wrong"),
                await browser.get(f"{base}/callback?code=evil"),
                await browser.get(f"{base}/callback?state=right&code=good"),
                await browser.get(f"{base}/callback?state=right&code=late"),
            ]
            return [a.status_code for a in answers], await waiting.code()

    statuses, code = asyncio.run(visits())
    assert statuses == [404, 404, 400, 400, 200, 200]
    assert code == "good"


@pytest.mark.parametrize(
    ("error", "said"),
    [("access_denied", "you declined"), ("server_error", "Spotify says: server_error")],
)
def test_a_no_is_told(error, said):
    async def visits():
        async with loopback("right") as waiting, httpx.AsyncClient() as browser:
            await browser.get(waiting.redirect_uri, params={"state": "right", "error": error})
            await waiting.code()

    with pytest.raises(Refused, match=said):
        asyncio.run(visits())


def test_a_no_that_nobody_waits_for_any_more_is_dropped():
    async def visits():
        async with loopback("right") as waiting, httpx.AsyncClient() as browser:
            await browser.get(waiting.redirect_uri, params={"state": "right", "error": "x"})

    asyncio.run(visits(), debug=True)


def test_who_does_not_answer_is_not_waited_for():
    async def wait():
        async with loopback("right") as waiting:
            await waiting.code(0.01)

    with pytest.raises(Refused, match="no login within"):
        asyncio.run(wait())


def test_a_port_that_is_taken_is_told():
    async def twice():
        async with loopback("a") as first, loopback("b", first.port):
            pass

    with pytest.raises(Refused, match=r"cannot listen on 127\.0\.0\.1"):
        asyncio.run(twice())


@pytest.mark.parametrize(
    "said", [b"", b"\r\n\r\n", b"GET", b"x" * 9000, b"GET http://[ HTTP/1.1\r\n\r\n", b"\0" * 40]
)
def test_visitors_who_speak_nonsense_do_no_harm(said, monkeypatch):
    monkeypatch.setattr(loopback_module, "REQUEST_TIMEOUT_S", 0.05)

    async def visits():
        async with loopback("right") as waiting, httpx.AsyncClient() as browser:
            reader, writer = await asyncio.open_connection("127.0.0.1", waiting.port)
            writer.write(said)
            await writer.drain()
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            writer.close()
            monkeypatch.setattr(loopback_module, "REQUEST_TIMEOUT_S", 30.0)
            await browser.get(waiting.redirect_uri, params={"state": "right", "code": "good"})
            return await waiting.code()

    assert asyncio.run(visits()) == "good"
