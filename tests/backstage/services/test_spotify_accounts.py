"""A login by a pasted address: each account has its own, and the machine's serves the others."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET

from sfa_engine.backstage.services.oauth import UserToken
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
        with pytest.raises(Refused, match="not for a login that waits"):
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
            with pytest.raises(Refused, match=r"not for a login that waits|not an address"):
                await accounts.finish(ANN, wrong)
        with pytest.raises(Refused, match="you declined"):
            await accounts.finish(ANN, ended_at(mine, error="access_denied"))
        with pytest.raises(Refused, match="not for a login that waits"):
            await accounts.finish(ANN, ended_at(mine, code="late"))
        assert not accounts.is_logged_in(ANN)
        await accounts.finish(BOB, ended_at(theirs, code=code))
        assert accounts.is_logged_in(BOB)

    with_accounts(on_the_road, fake, settings, vault, scenario)
