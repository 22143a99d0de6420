"""A login at Spotify from a browser on another device: the user pastes the address it ends at.

Spotify redirects to addresses of the loopback interface only, where a telephone has no server: its
page does not open, but its address has the code. ::

    url = logins.begin(7)                       the user opens it, and agrees
    await logins.finish(7, "http://127.0.0.1…") the address of the page that did not open
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from sfa_engine.backstage.services.json_api import JsonApi
from sfa_engine.backstage.services.loopback import HOST, PATH
from sfa_engine.backstage.services.oauth import (
    RETRY_HINT,
    Challenge,
    Vault,
    authorize_url,
    exchange,
)
from sfa_engine.backstage.services.token import DASHBOARD
from sfa_engine.errors import Refused

TIME_LIMIT_S = 600.0
MAX_PENDING = 1000  # logins that were begun; the oldest is forgotten
PORT = 8888  # of the redirect, where none is configured; nothing listens there


@dataclass(frozen=True, slots=True)
class _Pending:
    challenge: Challenge
    begun_s: float


class PastedLogins:
    """Logins by accounts.

    Parameters
    ----------
    accounts : callable
        Returns Spotify's accounts service.
    client_id : str
        Of the application in Spotify's dashboard.
    port : int
        Of the redirect; 0: `PORT`.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        accounts: Callable[[], JsonApi],
        client_id: str,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._client_id = client_id
        self._redirect_uri = f"http://{HOST}:{port or PORT}{PATH}"
        self._clock = clock
        self._pending: OrderedDict[int, _Pending] = OrderedDict()

    def begin(self, account: int) -> str:
        """Return the address that the user opens; an earlier one of the account is void.

        Raises
        ------
        Refused
            There is no application at Spotify.
        """
        if not self._client_id:
            raise Refused(
                "no client_id for Spotify",
                f"make an application at {DASHBOARD} and set client_id under [spotify]",
            )
        challenge = Challenge.new()
        self._pending.pop(account, None)
        self._pending[account] = _Pending(challenge, self._clock())
        if len(self._pending) > MAX_PENDING:
            self._pending.popitem(last=False)
        base = self._accounts().base_url
        return authorize_url(self._client_id, self._redirect_uri, challenge, base)

    async def finish(self, account: int, address: str, vault: Vault) -> None:
        """Take the code from the address that the browser ended at, and store the tokens.

        Raises
        ------
        Refused
            No login was begun, it took too long, the user declined, the address is of another
            login, or Spotify does not accept the code.
        ServiceError
            Spotify cannot be reached, or fails.
        """
        pending = self._pending.get(account)
        if pending is None or self._clock() - pending.begun_s > TIME_LIMIT_S:
            self._pending.pop(account, None)
            raise Refused(f"no login within {TIME_LIMIT_S:.0f} s", RETRY_HINT)
        try:
            query = parse_qs(urlsplit(address.strip()).query, max_num_fields=16)
        except ValueError:
            query = {}
        state, code, problem = (query.get(name, [""])[-1] for name in ("state", "code", "error"))
        if not hmac.compare_digest(state.encode(), pending.challenge.state.encode()):
            raise Refused(
                "the address is not of this login",
                f"paste the whole address that begins with http://{HOST}",
            )
        del self._pending[account]
        if not code:
            reason = (
                "you declined" if problem == "access_denied" else f"Spotify says: {problem:.80}"
            )
            raise Refused(f"no login: {reason}", "try again")
        await exchange(
            self._accounts(), vault, self._client_id, code, self._redirect_uri, pending.challenge
        )
