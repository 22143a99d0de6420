"""Spotify as backstage knows it: one client, one breaker, the user's login or the application's.

Nothing is opened before it is needed, and nothing is asked before somebody wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import httpx

from sfa_engine.backstage.services.api import Api, Bearer
from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.fault import ServiceError
from sfa_engine.backstage.services.login import bearer_for, log_in
from sfa_engine.backstage.services.oauth import UserToken, Vault, logged_in
from sfa_engine.backstage.services.spotify import API_URL, SERVICE, Listing, OwnPlaylist, Spotify
from sfa_engine.backstage.services.spotify_link import SpotifyLink
from sfa_engine.backstage.services.token import ACCOUNTS_URL
from sfa_engine.backstage.settings import Settings
from sfa_engine.network import opened

VAULT_ENTRY = "spotify"  # the application's secret, where the configuration has none
CONNECT_S, ANSWER_S = 10.0, 20.0


class Catalogue:
    """Asks Spotify, as the person who logged in if there is one, else as the application.

    Parameters
    ----------
    settings : Settings
    vault : Vault
        Has the tokens of a login, and the application's secret.
    api_url, accounts_url : str
        Where Spotify is.
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
        self._api_url = api_url
        self._accounts_url = accounts_url
        self._tokens: Bearer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client:
            await self._client.aclose()

    async def listing(self, link: SpotifyLink, progress: Callable[[int, int], None]) -> Listing:
        """Return what a link stands for."""
        return await self._spotify().listing(link, progress)

    async def own_playlists(self) -> list[OwnPlaylist]:
        """Return the playlists of the person who logged in."""
        return await self._spotify().own_playlists()

    async def log_in(self, show: Callable[[str], None], port: int = 0) -> None:
        """Wait until a person has logged in at the address that is shown."""
        await log_in(self._accounts(), self._vault, self._settings.spotify_id, show, port=port)

    def _http(self) -> httpx.AsyncClient:
        """Return the one client, made when it is first needed."""
        if self._client is None:
            limits = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
            self._client = opened(httpx.AsyncClient, SERVICE, ServiceError, timeout=limits)
        return self._client

    def _accounts(self) -> Api:
        return Api(SERVICE, self._accounts_url, self._http(), breaker=self._breaker)

    def _spotify(self) -> Spotify:
        return Spotify(
            self._http(),
            self._bearer(),
            market=self._settings.spotify_market,
            base_url=self._api_url,
            breaker=self._breaker,
        )

    def _bearer(self) -> Bearer:
        """Return whose tokens are used; somebody may have logged in or out meanwhile."""
        person = logged_in(self._vault)
        if self._tokens is None or person != isinstance(self._tokens, UserToken):
            settings = self._settings
            secret = settings.spotify_secret or self._vault.get(VAULT_ENTRY) or ""
            self._tokens = bearer_for(self._accounts(), self._vault, settings.spotify_id, secret)
        return self._tokens
