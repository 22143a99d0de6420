"""The configuration of network MIDI. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RtpMidiConfig:
    """``[rtpmidi]``.

    Parameters
    ----------
    enabled : bool
        Off by default: a session has no password.
    name : str
        Of the session, as shown to peers.
    host : str
        Address to listen on; empty for all of IPv4.
    port : int
        Of the control channel; the data channel has the next one.
    connect : tuple of str
        Peers to invite, and to invite again when disconnected: ``host``, ``host:port``.
    allow : tuple of str
        Networks that may open a session: ``own`` is those of this machine. Loopback always may.
    zeroconf : bool
        Whether to advertise the session on the network, and to discover others.
    """

    enabled: bool = False
    name: str = "Sound Forge Alchemy"
    host: str = ""
    port: int = 5004
    connect: tuple[str, ...] = ()
    allow: tuple[str, ...] = ("own",)
    zeroconf: bool = True
