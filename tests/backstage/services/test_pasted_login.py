"""A login by a pasted address: each account has its own, and the machine's serves the others."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET

from sfa_engine.backstage.services import pasted_login
from sfa_engine.backstage.services.oauth import UserToken
from sfa_engine.backstage.services.pasted_login import PastedLogins
from sfa_engine.backstage.services.token import ClientToken
from sfa_engine.backstage.settings import Settings, SpotifyConfig
from sfa_engine.backstage.spotify_accounts import LoginVault, SpotifyAccounts
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.errors import Refused
from sfa_engine.library.account_secrets import AccountSecrets

ANN, BOB = 7, 8


def ended_at(address: str, **query: str) -> str:
    """Return the address that a browser ends at."""
    asked = {name: v[0] for name, v in parse_qs(urlsplit(address).query).items()}
    return f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], **query})}"


@pytest.fixture
def settings(tmp_path) -> Settings:
    spotify = SpotifyConfig(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    return Settings(tmp_path, tmp_path, tmp_path, spotify=spotify)


def with_accounts(run, fake, settings, vault, scenario) -> None:
    def open_session(secrets: Any) -> SpotifySession:
        return SpotifySession(settings, secrets, fake.api_url, fake.url)

    async def journey(_road: Any) -> None:
        async with (
            open_session(vault) as machine,
            SpotifyAccounts(machine, vault, open_session, CLIENT_ID) as accounts,
        ):
            await scenario(accounts, machine)

    run(journey)


def test_an_account_logs_in_by_the_address_that_its_browser_ended_at(
    on_the_road, fake, settings, vault
):
    async def scenario(accounts, machine):
        address = accounts.begin(ANN)
        assert parse_qs(urlsplit(address).query)["redirect_uri"] == [
            "http://127.0.0.1:8888/callback"
        ]
        assert accounts.session(ANN) is machine
        pasted = ended_at(address, code=fake.grant(address))
        await accounts.finish(ANN, f"  {pasted}\n")
        assert accounts.is_logged_in(ANN)
        session = accounts.session(ANN)
        assert session is not machine
        assert isinstance(session._bearer(), UserToken)
        assert not accounts.is_logged_in(BOB)
        assert accounts.session(BOB) is machine
        assert isinstance(machine._bearer(), ClientToken)
        assert vault.names() == [f"spotify.login.account-{ANN}"]
        with pytest.raises(Refused, match="no login within"):
            await accounts.finish(ANN, pasted)  # a code is used once
        accounts.log_out(ANN)
        assert accounts.session(ANN) is machine
        assert vault.names() == []

    with_accounts(on_the_road, fake, settings, vault, scenario)


def test_the_application_is_the_machines(vault):
    AccountSecrets(vault, 0).set("spotify", "application")
    assert LoginVault(vault, ANN).get("spotify") == "application"
    LoginVault(vault, ANN).set("spotify.login", "mine")
    assert vault.get("spotify.login") is None


def test_another_logins_address_and_a_refusal_are_no_login(on_the_road, fake, settings, vault):
    async def scenario(accounts, _machine):
        mine, theirs = accounts.begin(ANN), accounts.begin(BOB)
        code = fake.grant(theirs)
        for wrong in (ended_at(theirs, code=code), "", "http://[", "code=x", f"?code={code}"):
            with pytest.raises(Refused, match="not of this login"):
                await accounts.finish(ANN, wrong)
        with pytest.raises(Refused, match="you declined"):
            await accounts.finish(ANN, ended_at(mine, error="access_denied"))
        with pytest.raises(Refused, match="no login within"):
            await accounts.finish(ANN, ended_at(mine, code="late"))
        assert not accounts.is_logged_in(ANN)
        await accounts.finish(BOB, ended_at(theirs, code=code))
        assert accounts.is_logged_in(BOB)

    with_accounts(on_the_road, fake, settings, vault, scenario)


def test_a_login_that_takes_too_long_is_void(on_the_road, fake, clock, vault):
    async def journey(road):
        logins = PastedLogins(lambda: road.accounts, CLIENT_ID, 9000, clock)
        address = logins.begin(ANN)
        pasted = ended_at(address, code=fake.grant(address))
        assert pasted.startswith("http://127.0.0.1:9000/callback?")
        clock.now_s += pasted_login.TIME_LIMIT_S + 1
        with pytest.raises(Refused, match="no login within 600 s"):
            await logins.finish(ANN, pasted, vault)

    on_the_road(journey)


def test_the_oldest_of_too_many_is_forgotten(on_the_road, fake, vault, monkeypatch):
    monkeypatch.setattr(pasted_login, "MAX_PENDING", 2)

    async def journey(road):
        logins = PastedLogins(lambda: road.accounts, CLIENT_ID)
        addresses = {account: logins.begin(account) for account in (1, 2, 3)}
        codes = {account: fake.grant(address) for account, address in addresses.items()}
        with pytest.raises(Refused, match="no login within"):
            await logins.finish(1, ended_at(addresses[1], code=codes[1]), vault)
        await logins.finish(2, ended_at(addresses[2], code=codes[2]), vault)

    on_the_road(journey)


def test_without_an_application_nothing_begins(on_the_road):
    async def journey(road):
        with pytest.raises(Refused, match="no client_id for Spotify"):
            PastedLogins(lambda: road.accounts, "").begin(ANN)

    on_the_road(journey)
