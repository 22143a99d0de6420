"""Keys of services by account: those of the machine, and each account's own."""

from __future__ import annotations

from dataclasses import dataclass

from sfa_engine.library.ownership import MACHINE
from sfa_engine.library.secret import Secrets


def name_of(service: str, account: int) -> str:
    """Return the name of an account's secret: ``lalalai.account-7``; the machine's as it was."""
    return service if account == MACHINE else f"{service}.account-{account:d}"


@dataclass(frozen=True)
class AccountSecrets:
    """The secrets of one account, by the names of services.

    Parameters
    ----------
    secrets : Secrets
        Of all.
    account : int
        0 for the machine.
    """

    secrets: Secrets
    account: int

    def get(self, name: str) -> str | None:
        """Return a secret, or None."""
        return self.secrets.get(name_of(name, self.account))

    def set(self, name: str, value: str) -> None:
        """Store or replace a secret."""
        self.secrets.set(name_of(name, self.account), value)

    def remove(self, name: str) -> bool:
        """Delete a secret; return whether there was one."""
        return self.secrets.remove(name_of(name, self.account))

    def has(self, name: str) -> bool:
        """Return whether there is a secret."""
        return name_of(name, self.account) in self.secrets.names()
