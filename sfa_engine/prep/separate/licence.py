"""The licence of LALAL.AI: its key, and the minutes that are left on it. No sound."""

from __future__ import annotations

import os
from pathlib import Path

from sfa_engine.errors import Refused
from sfa_engine.library.secret import Secrets
from sfa_engine.prep.separate.lalalai_api import URL, Quota, Service

SECRET = "lalalai"  # noqa: S105 - its name
VARIABLE = "SFA_LALALAI_KEY"
URL_VARIABLE = "SFA_LALALAI_URL"


def licence(secret: str = "", folder: str = "") -> str:
    """Return the licence key: an account's, else the environment's, else the machine's.

    Parameters
    ----------
    secret : str
        Name of the account's secret; empty for the machine's key.
    folder : str
        Of the account's secret.

    Raises
    ------
    Refused
        If there is none.
    """
    key = Secrets(Path(folder)).get(secret) if secret else None
    key = key or os.environ.get(VARIABLE, "").strip() or Secrets().get(SECRET)
    if not key:
        raise Refused(
            "there is no licence key for LALAL.AI",
            f"`sfa secret set {SECRET}` keeps it encrypted; or set {VARIABLE}",
        )
    return key


def open_service(url: str = "", secret: str = "", folder: str = "") -> Service:
    """Return the service, to be closed; its address is given, the environment's or its own."""
    return Service(licence(secret, folder), url or os.environ.get(URL_VARIABLE) or URL)


def quota(url: str = "", secret: str = "", folder: str = "") -> Quota:
    """Return what the licence still allows; blocks.

    Raises
    ------
    Refused
        There is no licence key, or it is not accepted.
    WorkerError
        The service does not answer as it should.
    """
    service = open_service(url, secret, folder)
    try:
        return service.quota()
    finally:
        service.close()
