"""Spotify as backstage knows it: one client, one breaker, the user's login or the application's.

Nothing is opened before it is needed, and nothing is asked before somebody wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import httpx

from sfa_engine.backstage.services.api import Api, Bearer
from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.oauth import UserToken, Vault, logged_in
from sfa_engine.backstage.services.spotify import API_URL, SERVICE, Listing, Spotify
from sfa_engine.backstage.services.spotify_link import SpotifyLink
from sfa_engine.backstage.services.token import ACCOUNTS_URL, ClientToken
from sfa_engine.backstage.settings import Settings


class Catalogue:
    """Asks Spotify, as the person who logged in if there is one, else as the application.

    Parameters
    ----------
    settings : Settings
    vault : Vault
        Has the tokens of a login.
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
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(20.0, connect=10.0))
        breaker = Breaker(SERVICE)
        self._accounts = Api(SERVICE, accounts_url, self._client, breaker=breaker)
        self._spotify: Callable[[Bearer], Spotify] = lambda bearer: Spotify(
            self._client, bearer, base_url=api_url, breaker=breaker
        )
        self._application: ClientToken | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def listing(self, link: SpotifyLink, progress: Callable[[int, int], None]) -> Listing:
        """Return what a link stands for."""
        return await self._spotify(self._bearer()).listing(link, progress)

    def _bearer(self) -> Bearer:
        if logged_in(self._vault):
            return UserToken(self._accounts, self._vault, self._settings.spotify_id)
        if self._application is None:
            self._application = ClientToken(
                self._accounts, self._settings.spotify_id, self._settings.spotify_secret
            )
        return self._application
