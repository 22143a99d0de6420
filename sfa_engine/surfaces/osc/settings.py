"""The configuration of OSC. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OscConfig:
    """``[osc]``.

    Parameters
    ----------
    enabled : bool
    host : str
        Address to listen on; empty for all.
    port : int
        Of UDP and TCP; tablets send there.
    tcp : bool
        Whether TCP is served too.
    allow : tuple of str
        Networks that may send: ``own`` is those of this machine. Loopback always may.
    subscribers : tuple of str
        ``host:port`` of peers that always get feedback.
    rate_hz : float
        Of feedback, unless a peer requests another.
    zeroconf : bool
        Whether to advertise the engine on the network, and to discover tablets.
    """

    enabled: bool = True
    host: str = ""
    port: int = 8000
    tcp: bool = True
    allow: tuple[str, ...] = ("own",)
    subscribers: tuple[str, ...] = ()
    rate_hz: float = 30.0
    zeroconf: bool = True
