"""Backstage's session at Spotify: one HTTP client, one breaker, and the user's login if any.

Nothing is opened before the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import httpx

from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.backstage.services.json_api import Bearer, JsonApi
from sfa_engine.backstage.services.login import bearer_for, log_in
from sfa_engine.backstage.services.oauth import UserToken, Vault, forget, logged_in
from sfa_engine.backstage.services.pictures import fetch_picture
from sfa_engine.backstage.services.remote_login import RemoteLogins
from sfa_engine.backstage.services.spotify import API_URL, SERVICE, Listing, OwnPlaylist, Spotify
from sfa_engine.backstage.services.spotify_link import SpotifyLink
from sfa_engine.backstage.services.token import ACCOUNTS_URL
from sfa_engine.backstage.settings import Settings
from sfa_engine.library.tags import Cover
from sfa_engine.system.http import open_client

VAULT_ENTRY = "spotify"  # the application's secret, where the configuration has none
CONNECT_S, ANSWER_TIMEOUT_S = 10.0, 20.0


class SpotifySession:
    """Calls Spotify as the logged-in user, if there is one, else as the application.

    Parameters
    ----------
    settings : Settings
    vault : Vault
        With the tokens of a login and the application's secret.
    api_url, accounts_url : str
        Of Spotify.
    """

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        api_url: str = API_URL,
        accounts_url: str = ACCOUNTS_URL,
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._client: httpx.AsyncClient | None = None
        self._breaker = Breaker(SERVICE)
        self._pictures = Breaker(f"{SERVICE}'s covers")
        self._api_url = api_url
        self._accounts_url = accounts_url
        self._tokens: Bearer | None = None
        self._logins = RemoteLogins()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client:
            await self._client.aclose()

    async def listing(self, link: SpotifyLink, progress: Callable[[int, int], None]) -> Listing:
        """Return the tracks of a link."""
        return await self._spotify().listing(link, progress)

    async def cover(self, url: str) -> Cover:
        """Fetch the cover of a track, from the address that Spotify gives."""
        return await fetch_picture(self._http(), url, self._pictures)

    async def own_playlists(self) -> list[OwnPlaylist]:
        """Return the playlists of the logged-in user."""
        return await self._spotify().own_playlists()

    async def log_in(self, show: Callable[[str], None], port: int = 0) -> None:
        """Wait until the user has logged in at the address that is shown."""
        await log_in(
            self.accounts(), self._vault, self._settings.spotify.client_id, show, port=port
        )

    def begin_login(self, redirect_uri: str) -> str:
        """Return the address that the user opens; Spotify redirects to another program's."""
        client_id = self._settings.spotify.client_id
        return self._logins.begin(client_id, redirect_uri, self._accounts_url)

    async def finish_login(self, address: str) -> None:
        """Store the tokens of a begun login, by the address that Spotify redirected to."""
        client_id = self._settings.spotify.client_id
        await self._logins.finish(self.accounts(), self._vault, client_id, address)

    def log_out(self) -> bool:
        """Delete the tokens; return whether there were any."""
        was = logged_in(self._vault)
        forget(self._vault)
        return was

    def status(self) -> dict[str, bool]:
        """Return whether there is an application, and whether a user is logged in."""
        has_client = bool(self._settings.spotify.client_id)
        return {"has_application": has_client, "logged_in": logged_in(self._vault)}

    def _http(self) -> httpx.AsyncClient:
        """Return the one client, created at the first call."""
        if self._client is None:
            limits = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_S)
            self._client = open_client(httpx.AsyncClient, SERVICE, ServiceError, timeout=limits)
        return self._client

    def accounts(self) -> JsonApi:
        """Return Spotify's accounts service."""
        return JsonApi(SERVICE, self._accounts_url, self._http(), breaker=self._breaker)

    def _spotify(self) -> Spotify:
        return Spotify(
            self._http(),
            self._bearer(),
            market=self._settings.spotify.market,
            base_url=self._api_url,
            breaker=self._breaker,
        )

    def _bearer(self) -> Bearer:
        """Return the source of tokens; the user may have logged in or out meanwhile."""
        is_user = logged_in(self._vault)
        if self._tokens is None or is_user != isinstance(self._tokens, UserToken):
            spotify = self._settings.spotify
            secret = spotify.client_secret or self._vault.get(VAULT_ENTRY) or ""
            self._tokens = bearer_for(self.accounts(), self._vault, spotify.client_id, secret)
        return self._tokens
