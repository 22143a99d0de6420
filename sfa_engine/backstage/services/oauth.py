"""A user's login at Spotify: authorization code with PKCE (RFC 7636), no client secret.

::

    authorize_url ──► the user's browser ──► Spotify ──► http://127.0.0.1:PORT/callback
                                                             │ code, state
    vault ◄── tokens ◄── exchange(code, verifier) ◄──────────┘

Tokens are stored through a `Vault`, which encrypts. A refresh token is valid once: the new one is
stored before the access token is used.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol
from urllib.parse import urlencode

from sfa_engine.backstage.services.json_api import JsonApi
from sfa_engine.backstage.services.token import (
    ACCOUNTS_URL,
    LoginEnded,
    Token,
    TokenSource,
    parse_token,
    request_token,
)
from sfa_engine.errors import Refused

SCOPES = "playlist-read-private playlist-read-collaborative"
NAME = "spotify.login"  # of the entry in the vault
VERIFIER_BYTES = 72  # 96 characters; 43..128 are allowed
RETRY_HINT = "log in at Spotify again"


class Vault(Protocol):
    """Stores secrets, encrypted."""

    def get(self, name: str) -> str | None:
        """Return a secret, or None."""

    def set(self, name: str, value: str) -> None:
        """Store or replace a secret."""

    def remove(self, name: str) -> bool:
        """Delete a secret; return whether there was one."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """The random values of one login.

    Parameters
    ----------
    verifier : str
        Sent with the code, to prove that both come from the same client.
    state : str
        Returned with the code; another one is not for this login.
    """

    verifier: str = field(repr=False)
    state: str = field(repr=False)

    @classmethod
    def new(cls) -> Challenge:
        """Return new random values."""
        return cls(secrets.token_urlsafe(VERIFIER_BYTES), secrets.token_urlsafe(24))

    @property
    def digest(self) -> str:
        """The code challenge: SHA-256 of the verifier, in base64url without padding."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorize_url(
    client_id: str, redirect_uri: str, challenge: Challenge, accounts_url: str = ACCOUNTS_URL
) -> str:
    """Return the address that the user opens in a browser.

    Parameters
    ----------
    client_id : str
        Of the application in Spotify's dashboard.
    redirect_uri : str
        Of the loopback server; also in the dashboard, where the port may differ.
    challenge : Challenge
        Of this login.
    accounts_url : str
        Of Spotify's accounts service.
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
    accounts: JsonApi,
    vault: Vault,
    client_id: str,
    code: str,
    redirect_uri: str,
    challenge: Challenge,
) -> None:
    """Exchange an authorization code for tokens, and store them.

    Parameters
    ----------
    accounts : JsonApi
        Spotify's accounts service.
    vault : Vault
        For the tokens.
    client_id : str
        As in `authorize_url`.
    code : str
        From the loopback server.
    redirect_uri : str
        As in `authorize_url`.
    challenge : Challenge
        Of this login.

    Raises
    ------
    Refused
        Spotify does not accept the code.
    ServiceError
        It cannot be reached, or fails.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": client_id,
        "code_verifier": challenge.verifier,
    }
    token = parse_token(await request_token(accounts, form), time.time())
    if not token.refresh:
        raise Refused("Spotify gave no refresh token", RETRY_HINT)
    _store(vault, token)


def logged_in(vault: Vault) -> bool:
    """Return whether a user is logged in."""
    return _stored(vault) is not None


def forget(vault: Vault) -> None:
    """Log out: delete the tokens. Spotify's own list of applications is not changed."""
    vault.remove(NAME)


class UserToken(TokenSource):
    """The token of the logged-in user.

    Parameters
    ----------
    accounts : JsonApi
        Spotify's accounts service.
    vault : Vault
        With the tokens of `exchange`.
    client_id : str
        As in `exchange`.
    clock : callable
        Returns seconds since 1970: tokens outlive the process.
    """

    def __init__(
        self,
        accounts: JsonApi,
        vault: Vault,
        client_id: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(accounts, clock)
        self._vault = vault
        self._client_id = client_id

    def _current(self) -> Token:
        token = _stored(self._vault)
        if token is None:
            raise Refused("not logged in at Spotify", "log in first")
        return token

    async def _refreshed(self, token: Token) -> Token:
        form: Mapping[str, str] = {
            "grant_type": "refresh_token",
            "refresh_token": token.refresh,
            "client_id": self._client_id,
        }
        try:
            answer = await request_token(self._accounts, form)
        except LoginEnded:
            other = _stored(self._vault)
            if other is not None and other.refresh != token.refresh:
                return other  # another process used the refresh token first
            forget(self._vault)  # else it would be retried for ever
            raise
        new = parse_token(answer, self._clock(), token.refresh)
        _store(self._vault, new)
        return new


def _store(vault: Vault, token: Token) -> None:
    vault.set(NAME, json.dumps(asdict(token)))


def _stored(vault: Vault) -> Token | None:
    """Return the stored token, or None if there is no valid one."""
    try:
        token = Token(**json.loads(vault.get(NAME) or "null"))
    except (ValueError, TypeError):
        return None
    return token if token.refresh else None
