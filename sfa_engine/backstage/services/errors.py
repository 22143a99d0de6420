"""Errors of outside services. Knows no service."""

from __future__ import annotations

from sfa_engine.errors import Refused, SfaError


class ServiceError(SfaError):
    """An outside service cannot be reached, or fails.

    Parameters
    ----------
    message, hint : str
        As of every `SfaError`.
    retry_after_s : float, optional
        Seconds until a retry makes sense, if known.
    """

    code = "service"
    retry_after_s: float | None = None

    def __init__(self, message: str, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class Denied(Refused):
    """An outside service refuses the request.

    Parameters
    ----------
    message, hint : str
        As of every `SfaError`.
    status : int
        Of HTTP.
    """

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint)
        self.status = status
