"""``[web]`` of the configuration. Pure."""

from __future__ import annotations

from dataclasses import dataclass

EXTRA = "install it with `pip install 'sfa-engine[web]'`"


@dataclass(frozen=True)
class WebConfig:
    """``[web]``: REST and accounts, over HTTP.

    Parameters
    ----------
    enabled : bool
        Whether `sfa start` runs it.
    host : str
        Address to listen on: ``127.0.0.1`` for this machine alone, ``0.0.0.0`` or ``::`` for the
        network too.
    port : int
    names : tuple of str
        Host names it is reached by, besides addresses, ``localhost``, ``*.local`` and names
        without a dot.
    upload_mb : int
        Size of the largest file that is taken.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 8952
    names: tuple[str, ...] = ()
    upload_mb: int = 2048
