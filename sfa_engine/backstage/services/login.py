"""Logging in at Spotify, from the address that a person opens to the tokens that are kept.

Opens no browser and asks nobody itself: who calls shows the address.
"""

from __future__ import annotations

from collections.abc import Callable

from sfa_engine.backstage.services.api import Api, Bearer
from sfa_engine.backstage.services.loopback import LOGIN_S, loopback
from sfa_engine.backstage.services.oauth import (
    Challenge,
    UserToken,
    Vault,
    authorise_url,
    exchange,
    logged_in,
)
from sfa_engine.backstage.services.token import DASHBOARD, ClientToken
from sfa_engine.errors import Refused


async def log_in(
    accounts: Api,
    vault: Vault,
    client_id: str,
    show: Callable[[str], None],
    *,
    port: int = 0,
    limit_s: float = LOGIN_S,
) -> None:
    """Wait until a person has logged in, and keep the tokens.

    Parameters
    ----------
    accounts : Api
        Spotify's accounts service.
    vault : Vault
        Gets the tokens.
    client_id : str
        Of the application in Spotify's dashboard; its redirect URIs have
        ``http://127.0.0.1/callback``, or one with `port`.
    show : callable
        Is given the address that the person opens, on this machine or through a tunnel to it.
    port : int
        Of the loopback server; 0: any that is free.
    limit_s : float
        Seconds that the person has.

    Raises
    ------
    Refused
        If the person said no, or did not answer; or Spotify did not accept it.
    ServiceError
        If Spotify fails.
    """
    if not client_id:
        raise Refused(
            "no client_id for Spotify",
            f"make an application at {DASHBOARD} and set client_id under [spotify]",
        )
    challenge = Challenge.made()
    async with loopback(challenge.state, port) as waiting:
        show(authorise_url(client_id, waiting.redirect_uri, challenge, accounts.base_url))
        code = await waiting.code(limit_s)
    await exchange(accounts, vault, client_id, code, waiting.redirect_uri, challenge)


def bearer_for(accounts: Api, vault: Vault, client_id: str, client_secret: str) -> Bearer:
    """Return the person's tokens if somebody is logged in, else the application's own.

    Parameters
    ----------
    accounts : Api
        Spotify's accounts service.
    vault : Vault
        Where a login is kept.
    client_id, client_secret : str
        Of the application; the secret is not needed while somebody is logged in.

    Raises
    ------
    Refused
        If nobody is logged in and there are no credentials.
    """
    if logged_in(vault):
        return UserToken(accounts, vault, client_id)
    return ClientToken(accounts, client_id, client_secret)
