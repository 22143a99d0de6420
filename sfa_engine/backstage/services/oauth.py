"""A person's login at Spotify: authorisation code with proof key (RFC 7636), no client secret.

::

    authorise_url ──► the person's browser ──► Spotify ──► http://127.0.0.1:PORT/callback
                                                              │ code, state
    vault ◄── tokens ◄── exchange(code, verifier) ◄───────────┘

What is kept of it goes through a `Vault`, which encrypts. The refresh token changes with each use:
the new one is stored before the access token is handed out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol
from urllib.parse import urlencode

from sfa_engine.backstage.services.api import Api
from sfa_engine.backstage.services.token import (
    ACCOUNTS_URL,
    LoginEnded,
    Token,
    ask_for_token,
    token_of,
)
from sfa_engine.errors import Refused

SCOPES = "playlist-read-private playlist-read-collaborative"
NAME = "spotify.login"  # of the entry in the vault
VERIFIER_BYTES = 72  # of chance: 96 characters; 43..128 are allowed
AGAIN = "log in at Spotify again"


class Vault(Protocol):
    """Where secrets are kept, encrypted."""

    def get(self, name: str) -> str | None:
        """Return a secret, or None if there is none of that name."""

    def set(self, name: str, value: str) -> None:
        """Keep a secret in the place of the one that was there."""

    def remove(self, name: str) -> bool:
        """Forget a secret; return whether there was one."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What one login is recognised by; made of chance, and used once.

    Parameters
    ----------
    verifier : str
        Shown to Spotify at the end only.
    state : str
        Comes back with the code, or the code is not for us.
    """

    verifier: str = field(repr=False)
    state: str = field(repr=False)

    @classmethod
    def made(cls) -> Challenge:
        """Return a new one."""
        return cls(secrets.token_urlsafe(VERIFIER_BYTES), secrets.token_urlsafe(24))

    @property
    def digest(self) -> str:
        """The code challenge: SHA-256 of the verifier, in base64url without padding."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorise_url(
    client_id: str, redirect_uri: str, challenge: Challenge, accounts_url: str = ACCOUNTS_URL
) -> str:
    """Return the address that the person opens in a browser.

    Parameters
    ----------
    client_id : str
        Of the application in Spotify's dashboard.
    redirect_uri : str
        Of the loopback server; the dashboard has it too, its port may differ.
    challenge : Challenge
        Of this login.
    accounts_url : str
        Where Spotify's accounts service is.
    """
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": challenge.state,
        "code_challenge_method": "S256",
        "code_challenge": challenge.digest,
    }
    return f"{accounts_url}/authorize?{urlencode(query)}"


async def exchange(
    accounts: Api, vault: Vault, client_id: str, code: str, redirect_uri: str, challenge: Challenge
) -> None:
    """Change a code for tokens, and keep them.

    Parameters
    ----------
    accounts : Api
        Spotify's accounts service.
    vault : Vault
        Gets the tokens.
    client_id : str
        As in `authorise_url`.
    code : str
        What came to the loopback server.
    redirect_uri : str
        As in `authorise_url`.
    challenge : Challenge
        Of this login.

    Raises
    ------
    Refused
        If Spotify does not accept them.
    ServiceError
        If it cannot be reached, or fails.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": client_id,
        "code_verifier": challenge.verifier,
    }
    token = token_of(await ask_for_token(accounts, form), time.time())
    if not token.refresh:
        raise Refused("Spotify gave a login that cannot be renewed", AGAIN)
    _keep(vault, token)


def logged_in(vault: Vault) -> bool:
    """Return whether somebody is."""
    return _kept(vault) is not None


def forget(vault: Vault) -> None:
    """Log out: keep no token any more. Spotify's own list of applications is not changed."""
    vault.remove(NAME)


class UserToken:
    """The token of the person who logged in; renewed as needed, once for all tasks.

    Parameters
    ----------
    accounts : Api
        Spotify's accounts service.
    vault : Vault
        Has the tokens of `exchange`.
    client_id : str
        With which they were got.
    clock : callable
        Returns seconds since 1970: tokens outlive the process.
    """

    def __init__(
        self,
        accounts: Api,
        vault: Vault,
        client_id: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._client_id = client_id
        self._clock = clock
        self._lock = asyncio.Lock()

    async def bearer(self) -> str:
        """Return a token that should be valid now.

        Raises
        ------
        Refused
            If nobody is logged in, or Spotify has ended the login.
        ServiceError
            If a new one is needed and Spotify fails.
        """
        async with self._lock:
            token = self._token()
            if self._clock() >= token.ends_s:
                token = await self._refresh(token)
            return token.access

    async def renewed(self, refused: str) -> str:
        """Return another token than one that was refused; errors are those of `bearer`."""
        async with self._lock:
            token = self._token()
            if token.access == refused:
                token = await self._refresh(token)
            return token.access

    def _token(self) -> Token:
        token = _kept(self._vault)
        if token is None:
            raise Refused("nobody is logged in at Spotify", "log in first")
        return token

    async def _refresh(self, token: Token) -> Token:
        form: Mapping[str, str] = {
            "grant_type": "refresh_token",
            "refresh_token": token.refresh,
            "client_id": self._client_id,
        }
        try:
            answer = await ask_for_token(self._accounts, form)
        except LoginEnded:
            other = _kept(self._vault)
            if other is not None and other.refresh != token.refresh:
                return other  # another process was faster: a refresh token is good for one use
            forget(self._vault)  # or it would be tried for ever
            raise
        new = token_of(answer, self._clock(), token.refresh)
        _keep(self._vault, new)
        return new


def _keep(vault: Vault, token: Token) -> None:
    vault.set(NAME, json.dumps(asdict(token)))


def _kept(vault: Vault) -> Token | None:
    """Return what the vault holds, or None if that is no login."""
    try:
        token = Token(**json.loads(vault.get(NAME) or "null"))
    except (ValueError, TypeError):
        return None
    return token if token.refresh else None
