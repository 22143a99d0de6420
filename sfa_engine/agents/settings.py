"""The section of the configuration that agents read. Pure."""

from __future__ import annotations

from dataclasses import dataclass

PREFERENCES = ("", "quality", "speed", "cost")


@dataclass(frozen=True)
class AgentsConfig:
    """``[agents]``.

    Parameters
    ----------
    prefer : str
        ``quality``, ``speed`` or ``cost``; empty for the order of the providers.
    tokens : int
        Of one question, all rounds together.
    seconds : float
        That one question may take.
    usd_per_day : float
        Of one account, as far as prices are known; 0: no limit.
    """

    prefer: str = ""
    tokens: int = 60_000
    seconds: float = 60.0
    usd_per_day: float = 0.0
