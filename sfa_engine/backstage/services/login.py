"""Login at Spotify, from the address that the user opens to the stored tokens.

Opens no browser: the caller shows the address.
"""

from __future__ import annotations

from collections.abc import Callable

from sfa_engine.backstage.services.json_api import Bearer, JsonApi
from sfa_engine.backstage.services.loopback import LOGIN_TIMEOUT_S, loopback
from sfa_engine.backstage.services.oauth import (
    Challenge,
    UserToken,
    Vault,
    authorize_url,
    exchange,
    logged_in,
)
from sfa_engine.backstage.services.token import DASHBOARD, ClientToken
from sfa_engine.errors import Refused


async def log_in(
    accounts: JsonApi,
    vault: Vault,
    client_id: str,
    show: Callable[[str], None],
    *,
    port: int = 0,
    limit_s: float = LOGIN_TIMEOUT_S,
) -> None:
    """Wait until the user has logged in, and store the tokens.

    Parameters
    ----------
    accounts : JsonApi
        Spotify's accounts service.
    vault : Vault
        For the tokens.
    client_id : str
        Of the application in Spotify's dashboard; its redirect URIs have
        ``http://127.0.0.1/callback``, or one with `port`.
    show : callable
        Called with the address to open, on this machine or through a tunnel to it.
    port : int
        Of the loopback server; 0: any free one.
    limit_s : float
        Timeout in seconds.

    Raises
    ------
    Refused
        The user declined or did not answer, or Spotify did not accept the code.
    ServiceError
        Spotify fails.
    """
    check_client(client_id)
    challenge = Challenge.new()
    async with loopback(challenge.state, port) as waiting:
        show(authorize_url(client_id, waiting.redirect_uri, challenge, accounts.base_url))
        code = await waiting.code(limit_s)
    await exchange(accounts, vault, client_id, code, waiting.redirect_uri, challenge)


def check_client(client_id: str) -> None:
    """Refuse a login without an application."""
    if not client_id:
        raise Refused(
            "no client_id for Spotify",
            f"make an application at {DASHBOARD} and set client_id under [spotify]",
        )


def bearer_for(accounts: JsonApi, vault: Vault, client_id: str, client_secret: str) -> Bearer:
    """Return the user's token source if one is logged in, else the application's.

    Parameters
    ----------
    accounts : JsonApi
        Spotify's accounts service.
    vault : Vault
        With the tokens of a login.
    client_id, client_secret : str
        Of the application; the secret is not needed while a user is logged in.

    Raises
    ------
    Refused
        No user is logged in and there are no credentials.
    """
    if logged_in(vault):
        return UserToken(accounts, vault, client_id)
    return ClientToken(accounts, client_id, client_secret)
