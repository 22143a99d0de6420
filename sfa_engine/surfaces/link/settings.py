"""The section ``[link]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkConfig:
    """``[link]``.

    Parameters
    ----------
    latency_ms : float
        From the device's output to the ear, beyond the block and the limiter, which the engine
        knows: converters, digital mixers, wireless.
    """

    latency_ms: float = 0.0
