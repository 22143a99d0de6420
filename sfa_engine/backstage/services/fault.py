"""What is told when a service outside fails. Knows no service."""

from __future__ import annotations

from sfa_engine.errors import Refused, SfaError


class ServiceError(SfaError):
    """A service outside is not there, or does not do as it says.

    Parameters
    ----------
    message, hint : str
        As of every `SfaError`.
    retry_after_s : float, optional
        Seconds after which another try makes sense, where that is known.
    """

    code = "service"

    def __init__(self, message: str, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class Denied(Refused):
    """A service outside is there, and says no.

    Parameters
    ----------
    message, hint : str
        As of every `SfaError`.
    status : int
        Of HTTP: 403 may not, 404 is not there …
    """

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint)
        self.status = status
