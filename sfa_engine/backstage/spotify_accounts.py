"""Spotify for accounts: each one's own login, else the machine's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from sfa_engine.backstage.services.loopback import HOST, PATH
from sfa_engine.backstage.services.oauth import NAME, forget, logged_in
from sfa_engine.backstage.services.remote_login import RemoteLogins
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.library.account_secrets import AccountSecrets
from sfa_engine.library.ownership import MACHINE
from sfa_engine.library.secret import Secrets

PORT = 8888  # of the redirect, where none is configured; nothing has to listen there


@dataclass(frozen=True)
class LoginVault:
    """The secrets of an account's session: its login is its own, the application is the machine's.

    Parameters
    ----------
    secrets : Secrets
    account : int
    """

    secrets: Secrets
    account: int

    def get(self, name: str) -> str | None:
        """Return a secret, or None."""
        return self._of(name).get(name)

    def set(self, name: str, value: str) -> None:
        """Store or replace a secret."""
        self._of(name).set(name, value)

    def remove(self, name: str) -> bool:
        """Delete a secret; return whether there was one."""
        return self._of(name).remove(name)

    def _of(self, name: str) -> AccountSecrets:
        return AccountSecrets(self.secrets, self.account if name == NAME else MACHINE)


class SpotifyAccounts:
    """The sessions of accounts; close it by ``async with``.

    Parameters
    ----------
    machine : SpotifySession
        Used by accounts without a login.
    secrets : Secrets
    open_session : callable
        Makes the session of a vault.
    client_id : str
    port : int
        As in the configuration.
    """

    def __init__(
        self,
        machine: SpotifySession,
        secrets: Secrets,
        open_session: Callable[[LoginVault], SpotifySession],
        client_id: str,
        port: int = 0,
    ) -> None:
        self._machine = machine
        self._secrets = secrets
        self._open = open_session
        self._sessions: dict[int, SpotifySession] = {}
        self._logins = RemoteLogins()
        self._client_id = client_id
        self._redirect_uri = f"http://{HOST}:{port or PORT}{PATH}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.__aexit__()

    def session(self, account: int) -> SpotifySession:
        """Return the session that an account's links are resolved with."""
        if account == MACHINE or not self.is_logged_in(account):
            return self._machine
        if account not in self._sessions:
            self._sessions[account] = self._open(LoginVault(self._secrets, account))
        return self._sessions[account]

    def is_logged_in(self, account: int) -> bool:
        """Return whether an account has a login of its own."""
        return logged_in(LoginVault(self._secrets, account))

    def begin(self, account: int) -> str:
        """Return the address at which the user logs in; see `RemoteLogins`."""
        base = self._machine.accounts().base_url
        return self._logins.begin(self._client_id, self._redirect_uri, base, account)

    async def finish(self, account: int, address: str) -> None:
        """Store the login of the address that the browser ended at; see `RemoteLogins`."""
        vault, service = LoginVault(self._secrets, account), self._machine.accounts()
        await self._logins.finish(service, vault, self._client_id, address, account)

    def log_out(self, account: int) -> None:
        """Forget an account's login."""
        forget(LoginVault(self._secrets, account))
