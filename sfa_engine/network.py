"""Clients of HTTP. What the environment says of proxies and certificates may be unusable.

Knows no service.
"""

from __future__ import annotations

from typing import Any, TypeVar

import httpx

from sfa_engine.errors import SfaError

VARIABLES = "ALL_PROXY, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE"

Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)


def opened(kind: type[Client], service: str, error: type[SfaError], **options: Any) -> Client:
    """Return a client for a service; whoever asks closes it.

    Parameters
    ----------
    kind : type
        `httpx.Client` or `httpx.AsyncClient`.
    service : str
        Its name, for the error.
    error : type
        What to raise.
    **options : Any
        What `kind` takes.

    Raises
    ------
    SfaError
        Of the type `error`, if the environment's proxies or certificates cannot be used.
    """
    try:
        return kind(**options)
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as problem:
        raise error(
            f"no way to {service} with these proxies and certificates: {problem}",
            f"look at {VARIABLES}, in small letters too",
        ) from problem
