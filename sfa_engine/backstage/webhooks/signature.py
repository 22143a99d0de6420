"""Secrets and signatures of Standard Webhooks. Pure.

References
----------
.. [1] https://github.com/standard-webhooks/standard-webhooks, "Signature scheme".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification wants 24 to 64


def new_secret() -> str:
    """Return a secret: ``whsec_`` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers_of(uuid: str, at_s: float, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """Return the headers that identify and sign a message.

    Parameters
    ----------
    uuid : str
        Of the message, the same over retries.
    at_s : float
        Time of this try, in seconds since 1970.
    body : bytes
    keys : iterable of str
        Secrets; several while one is rotated.
    """
    timestamp = str(int(at_s))
    signed = f"{uuid}.{timestamp}.".encode() + body
    return {
        "webhook-id": uuid,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
