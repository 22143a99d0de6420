"""Logins at Spotify that come back to another program's address, such as the web process.

Spotify redirects to a loopback address only. A browser on another machine then fails to open it,
but shows it: its query has all that is needed, and the user pastes the whole address.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from sfa_engine.backstage.services.json_api import JsonApi
from sfa_engine.backstage.services.login import check_client
from sfa_engine.backstage.services.loopback import LOGIN_TIMEOUT_S
from sfa_engine.backstage.services.oauth import Challenge, Vault, authorize_url, exchange
from sfa_engine.errors import Refused
from sfa_engine.library.ownership import MACHINE

MAX_PENDING = 100
HOSTS = frozenset({"127.0.0.1", "::1"})  # Spotify refuses the name localhost, and plain HTTP else
_AGAIN = "begin the login again"


@dataclass(frozen=True)
class Begun:
    """A login that waits for its answer."""

    challenge: Challenge
    redirect_uri: str
    ends_s: float
    account: int


class RemoteLogins:
    """The logins that wait for their answer; the oldest is dropped for the newest.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[str, Begun] = {}

    def begin(
        self, client_id: str, redirect_uri: str, accounts_url: str, account: int = MACHINE
    ) -> str:
        """Return the address that the user of an account opens.

        Raises
        ------
        Refused
            There is no application, or Spotify would not redirect to that address.
        """
        check_client(client_id)
        if not _is_loopback(redirect_uri):
            raise Refused(
                f'Spotify does not redirect to "{redirect_uri:.100}"',
                "give an address as http://127.0.0.1:8952/auth/spotify/callback",
            )
        challenge = Challenge.new()
        while len(self._begun) >= MAX_PENDING:
            del self._begun[next(iter(self._begun))]
        ends_s = self._clock() + LOGIN_TIMEOUT_S
        self._begun[challenge.state] = Begun(challenge, redirect_uri, ends_s, account)
        return authorize_url(client_id, redirect_uri, challenge, accounts_url)

    async def finish(
        self,
        accounts: JsonApi,
        vault: Vault,
        client_id: str,
        address: str,
        account: int = MACHINE,
    ) -> None:
        """Store the tokens of a login that the account has begun.

        Parameters
        ----------
        address : str
            That Spotify redirected to.

        Raises
        ------
        Refused
            The address is of no login that waits, the user declined, or Spotify refuses the code.
        ServiceError
            Spotify fails.
        """
        query = _query(address.strip())
        state = query.get("state", "")
        begun = self._begun.get(state)
        if begun is None or begun.account != account or self._clock() > begun.ends_s:
            raise Refused("this answer is not for a login that waits", _AGAIN)
        del self._begun[state]
        if not query.get("code"):
            declined = query.get("error") == "access_denied"
            reason = "you declined" if declined else f"Spotify says: {query.get('error', ''):.80}"
            raise Refused(f"no login: {reason}", _AGAIN)
        uri, challenge = begun.redirect_uri, begun.challenge
        await exchange(accounts, vault, client_id, query["code"], uri, challenge)


def _is_loopback(redirect_uri: str) -> bool:
    try:
        address = urlsplit(redirect_uri)
        _ = address.port  # it may be no number
    except ValueError:
        return False
    return address.scheme == "http" and address.hostname in HOSTS


def _query(address: str) -> dict[str, str]:
    try:
        query = parse_qs(urlsplit(address).query, max_num_fields=16)
    except ValueError:
        raise Refused(f'"{address:.100}" is not an address', "paste all of it") from None
    return {name: texts[-1] for name, texts in query.items()}
