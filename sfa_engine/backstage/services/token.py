"""Access tokens of Spotify: of the application itself, kept until shortly before they end.

The client-credentials flow (RFC 6749, 4.4). Tokens of a person are `oauth`'s business.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.backstage.services.api import Answer, Api, refusal
from sfa_engine.backstage.services.fault import ServiceError
from sfa_engine.errors import Refused

ACCOUNTS_URL = "https://accounts.spotify.com"
SERVICE = "Spotify's accounts service"
MARGIN_S = 100.0  # of the 3600 that a token lives: a page may take its time
_SENDABLE = re.compile(r"[\x21-\x7e]{1,4096}")  # in a header
DASHBOARD = "https://developer.spotify.com/dashboard"


class LoginEnded(Refused):
    """Spotify no longer accepts a code or a refresh token, and never will again."""


@dataclass(frozen=True, slots=True)
class Token:
    """What the accounts service gave.

    Parameters
    ----------
    access : str
        Goes with every request.
    ends_s : float
        When it is no longer used, by the clock that made it.
    refresh : str
        Gets the next one; empty where there is none.
    """

    access: str = field(repr=False)
    ends_s: float
    refresh: str = field(default="", repr=False)


class ClientToken:
    """The application's own token: sees what is public, and no playlist of a person's.

    Parameters
    ----------
    accounts : Api
        At `ACCOUNTS_URL`, or what stands in for it.
    client_id, client_secret : str
        Of the application in Spotify's dashboard.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self,
        accounts: Api,
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
        self._accounts = accounts
        self._identity = (client_id, client_secret)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = Token("", -1.0)

    async def bearer(self) -> str:
        """Return a token that should be valid now; of many tasks, one asks for it."""
        async with self._lock:
            if self._clock() >= self._token.ends_s or not self._token.access:
                await self._fetch()
            return self._token.access

    async def renewed(self, refused: str) -> str:
        """Return another token than one that was refused."""
        async with self._lock:
            if self._token.access == refused:
                await self._fetch()
            return self._token.access

    async def _fetch(self) -> None:
        form = {"grant_type": "client_credentials"}
        answer = await ask_for_token(self._accounts, form, auth=self._identity)
        self._token = token_of(answer, self._clock())


async def ask_for_token(accounts: Api, form: Mapping[str, str], **request: Any) -> Answer:
    """Return the answer to a request for a token, if it is one.

    Raises
    ------
    Refused
        If the client is not accepted; `LoginEnded` if its grant is not.
    ServiceError
        If the service cannot be reached, or fails.
    """
    url = f"{accounts.base_url}/api/token"
    answer = await accounts.ask("POST", url, data=dict(form), **request)
    if answer.status == 200:
        return answer
    code = answer.body.get("error") if isinstance(answer.body, dict) else ""
    if code in {"invalid_client", "unauthorized_client"}:
        raise Refused(
            f"Spotify does not accept the credentials: {answer.complaint}",
            f"compare client_id and client_secret under [spotify] with those at {DASHBOARD}",
        )
    if code == "invalid_grant":
        raise LoginEnded(f"Spotify has ended this login: {answer.complaint}", "log in again")
    raise refusal(accounts.service, answer)


def token_of(answer: Answer, now_s: float, refresh: str = "") -> Token:
    """Read the token of an answer (RFC 6749, 5.1).

    Parameters
    ----------
    answer : Answer
        Of the accounts service, with status 200.
    now_s : float
        What the clock says.
    refresh : str
        The refresh token so far: it stays where the answer has no new one.

    Raises
    ------
    ServiceError
        If it has none.
    """
    body = answer.object(SERVICE)
    access, lives_s = body.get("access_token"), body.get("expires_in", 3600)
    lives = isinstance(lives_s, int | float) and 0 < lives_s < 1e9
    if not isinstance(access, str) or not _SENDABLE.fullmatch(access) or not lives:
        raise ServiceError(f"{SERVICE} gave no token, but {sorted(map(str, body))}", "try later")
    new = body.get("refresh_token")
    return Token(
        access,
        now_s + max(0.0, lives_s - MARGIN_S),
        new if isinstance(new, str) and new else refresh,
    )
