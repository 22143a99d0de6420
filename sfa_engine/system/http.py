"""HTTP clients with errors for invalid proxies, and waits that servers ask for. No service."""

from __future__ import annotations

import email.utils
import time
from typing import Any, TypeVar

import httpx

from sfa_engine.errors import SfaError

VARIABLES = "ALL_PROXY, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE"

Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)


def open_client(kind: type[Client], service: str, error: type[SfaError], **options: Any) -> Client:
    """Open a client for a service; the caller closes it.

    Parameters
    ----------
    kind : type
        `httpx.Client` or `httpx.AsyncClient`.
    service : str
        Its name, for errors.
    error : type
        Class of errors.
    **options : Any
        Arguments of `kind`.

    Raises
    ------
    SfaError
        Of the type `error`: the environment's proxies or certificates are invalid.
    """
    try:
        return kind(**options)
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as problem:
        raise error(
            f"cannot connect to {service} with these proxies and certificates: {problem}",
            f"check {VARIABLES}, also in lower case",
        ) from problem


def parse_retry_after(retry_after: str, now_s: float | None = None) -> float | None:
    """Parse a Retry-After header, a number or a date, to seconds; None if invalid.

    Parameters
    ----------
    retry_after : str
    now_s : float, optional
        Time of the clock, in seconds since 1970.
    """
    if retry_after.strip().isdecimal():
        return float(retry_after[:12])
    try:
        until_s = email.utils.parsedate_to_datetime(retry_after).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, until_s - (time.time() if now_s is None else now_s))
