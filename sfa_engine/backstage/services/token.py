"""Access tokens of Spotify, refreshed shortly before they expire; here those of the application.

The client credentials flow (RFC 6749, section 4.4). Tokens of a user are in `oauth`.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.backstage.services.json_api import JsonApi, Response, refusal
from sfa_engine.errors import Refused

ACCOUNTS_URL = "https://accounts.spotify.com"
SERVICE = "Spotify's accounts service"
DASHBOARD = "https://developer.spotify.com/dashboard"
MARGIN_S = 100.0  # before the token's end, of 3600 s: reading a page takes time
_VALID = re.compile(r"[\x21-\x7e]{1,4096}")  # in a header


class LoginEnded(Refused):
    """Spotify does not accept an authorization code or refresh token any more."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    Parameters
    ----------
    access : str
        Sent with every request.
    ends_s : float
        When it is refreshed, by the clock of its source.
    refresh : str
        Refresh token; empty if there is none.
    """

    access: str = field(repr=False)
    ends_s: float
    refresh: str = field(default="", repr=False)


class TokenSource(ABC):
    """Gives access tokens; of many tasks that need a new one, one requests it.

    Parameters
    ----------
    accounts : JsonApi
        At `ACCOUNTS_URL`.
    clock : callable
        Returns seconds.
    """

    def __init__(self, accounts: JsonApi, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._clock = clock
        self._lock = asyncio.Lock()

    async def bearer(self) -> str:
        """Return a token that should be valid.

        Raises
        ------
        Refused
            Spotify does not accept the credentials, or no user is logged in.
        ServiceError
            A new token is needed and Spotify fails.
        """
        async with self._lock:
            token = self._current()
            if self._clock() >= token.ends_s:
                token = await self._refreshed(token)
            return token.access

    async def renewed(self, rejected: str) -> str:
        """Return another token than one that was rejected; errors are those of `bearer`."""
        async with self._lock:
            token = self._current()
            if token.access == rejected:
                token = await self._refreshed(token)
            return token.access

    @abstractmethod
    def _current(self) -> Token:
        """Return the present token, expired or not."""

    @abstractmethod
    async def _refreshed(self, token: Token) -> Token:
        """Request and store the next token."""


class ClientToken(TokenSource):
    """The application's own token: for public data, without a user's playlists.

    Parameters
    ----------
    accounts : JsonApi
        At `ACCOUNTS_URL`.
    client_id, client_secret : str
        Of the application in Spotify's dashboard.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        accounts: JsonApi,
        client_id: str,
        client_secret: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not client_id or not client_secret:
            raise Refused(
                "no credentials for Spotify",
                f"make an application at {DASHBOARD}, set its client_id under [spotify], and keep "
                "its secret with `sfa secret set spotify`",
            )
        super().__init__(accounts, clock)
        self._identity = (client_id, client_secret)
        self._token = Token("", float("-inf"))

    def _current(self) -> Token:
        return self._token

    async def _refreshed(self, _token: Token) -> Token:
        form = {"grant_type": "client_credentials"}
        answer = await request_token(self._accounts, form, auth=self._identity)
        self._token = parse_token(answer, self._clock())
        return self._token


async def request_token(accounts: JsonApi, form: Mapping[str, str], **request: Any) -> Response:
    """Return the successful response to a token request.

    Raises
    ------
    Refused
        The client is not accepted; `LoginEnded` if its grant is not.
    ServiceError
        The service cannot be reached, or fails.
    """
    url = f"{accounts.base_url}/api/token"
    answer = await accounts.request("POST", url, data=dict(form), **request)
    if answer.status == 200:
        return answer
    code = answer.body.get("error") if isinstance(answer.body, dict) else ""
    if code in {"invalid_client", "unauthorized_client"}:
        raise Refused(
            f"Spotify does not accept the credentials: {answer.error_text}",
            f"compare client_id and client_secret under [spotify] with those at {DASHBOARD}",
        )
    if code == "invalid_grant":
        raise LoginEnded(f"Spotify has ended this login: {answer.error_text}", "log in again")
    raise refusal(accounts.service, answer)


def parse_token(answer: Response, now_s: float, refresh: str = "") -> Token:
    """Parse a token response (RFC 6749, section 5.1).

    Parameters
    ----------
    answer : Response
        With status 200.
    now_s : float
        By the clock of the source.
    refresh : str
        The present refresh token: kept if the response has no new one.

    Raises
    ------
    ServiceError
        There is no valid token in it.
    """
    body = answer.object(SERVICE)
    access, lifetime_s = body.get("access_token"), body.get("expires_in", 3600)
    lasts = isinstance(lifetime_s, int | float) and 0 < lifetime_s < 1e9
    if not isinstance(access, str) or not _VALID.fullmatch(access) or not lasts:
        raise ServiceError(f"{SERVICE} gave no token, but {sorted(map(str, body))}", "try later")
    new = body.get("refresh_token")
    return Token(
        access,
        now_s + max(0.0, lifetime_s - MARGIN_S),
        new if isinstance(new, str) and new else refresh,
    )
