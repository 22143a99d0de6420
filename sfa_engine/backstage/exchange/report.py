"""What an import or an export has done, and what it left out, grouped and in full. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sfa_engine.interchange.record import Loss

MAX_GROUPS = 100
MAX_EXAMPLES = 5
MAX_WORDS = 300  # characters of each text

# ``hot cue 3``, ``loop at 61.25 s``: the place is not what groups them.
_PLACE = re.compile(r" (?:at )?[0-9][0-9.,]*(?: s)?$")


@dataclass
class Report:
    """Counts of what came over, and losses.

    Attributes
    ----------
    counts : Counter
        Of tracks, cues, grids, playlists and so on.
    losses : list of Loss
    shifts : Counter
        Tracks by how their positions were moved: ``D +51.2 ms``.
    """

    counts: Counter[str] = field(default_factory=Counter)
    losses: list[Loss] = field(default_factory=list)
    shifts: Counter[str] = field(default_factory=Counter)

    def lose(self, where: str, what: str, why: str) -> None:
        """Add a loss."""
        self.losses.append(Loss(where, what, why))

    def extend(self, losses: Iterable[Loss]) -> None:
        """Add losses."""
        self.losses.extend(losses)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, with a group for each kind of loss."""
        return {
            "counts": dict(self.counts),
            "lost": len(self.losses),
            "groups": grouped(self.losses),
            "shifts": dict(self.shifts),
        }


def grouped(losses: Iterable[Loss]) -> list[dict[str, Any]]:
    """Return losses by what they are and why, the most frequent first, with some examples."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for loss in losses:
        key = (_PLACE.sub("", loss.what), loss.why)
        group = groups.setdefault(key, [0, {}])
        group[0] += 1
        if len(group[1]) < MAX_EXAMPLES:
            group[1][loss.where[:MAX_WORDS]] = None
    ranked = sorted(groups.items(), key=lambda each: (-each[1][0], each[0]))
    return [
        {
            "what": what[:MAX_WORDS],
            "why": why[:MAX_WORDS],
            "count": count,
            "examples": list(examples),
        }
        for (what, why), (count, examples) in ranked[:MAX_GROUPS]
    ]
