"""Which automatic cues are hot cues, by the configuration. Pure.

Analysis lists every place that a DJ would mark; this chooses among them, so that other rules need
no new analysis. Kinds are taken in the order of `CuesConfig.kinds`, each kind by time and loops
by length, as many as there is room for; no two hot cues are at the same place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sfa_engine.desk import HOT_CUES, HOT_CUES_IN_BANK
from sfa_engine.track.grid import Grid

LEAD_IN = "lead-in"  # kind of a cue some bars before another
KINDS = ("intro", "drop", "chorus", "outro", "break", "build", "vocals", "loop")
ORDERS = ("time", "kinds")
MAX_BARS_BEFORE = 64
# Colours of automatic cues, light enough for black text on a lit pad. Those of vocals and of the
# loops of stems are the hues of the stems on the page; the others are far from each other, in the
# order that programs for DJs paint phrases: cold where a track rests, warm where it is full.
COLORS = {
    "intro": "#4cd964",
    LEAD_IN: "#c3a6ff",
    "build": "#ffb02e",
    "drop": "#ff5a2e",
    "chorus": "#ff7ac6",
    "break": "#2f86ff",
    "outro": "#a879ff",
    "vocals": "#ffd91f",
    "loop": "#1fc7e6",
}
LOOP_COLORS = {
    "vocals": "#ffd91f",
    "drums": "#ff5a2e",
    "bass": "#2f86ff",
    "other": "#2bf0cf",
    "guitar": "#b07cb8",
    "piano": "#7cc4ff",
}
_DEFAULT_KINDS = tuple(kind for kind in KINDS if kind != "vocals")


@dataclass(frozen=True)
class CuesConfig:
    """``[cues]``.

    Parameters
    ----------
    kinds : tuple of str
        Of `KINDS`: those that become hot cues, the most important first.
    hot_cues : int
        How many at most; 0 for none.
    first : int
        Number of the first: those below stay free.
    most : dict of str to int
        How many of a kind at most; any number of those left out.
    bars_before : dict of str to int
        How many bars before a kind its hot cue lies; 0 for those left out.
    order : str
        What the numbers rise with: ``time``, or ``kinds`` for the order of importance.
    """

    kinds: tuple[str, ...] = _DEFAULT_KINDS
    hot_cues: int = HOT_CUES_IN_BANK
    first: int = 1
    most: dict[str, int] = field(default_factory=dict)
    bars_before: dict[str, int] = field(default_factory=dict)
    order: str = "time"


DEFAULT = CuesConfig()


@dataclass(frozen=True, slots=True)
class Cue:
    """A place, or a loop.

    Parameters
    ----------
    time_s : float
    kind : str
        Of `KINDS`, or `LEAD_IN`.
    label : str
        What a display shows.
    end_s : float, optional
        Of a loop.
    stem : str
        That a loop is for; empty for the whole track.
    hot_cue : int, optional
        1..32.
    """

    time_s: float
    kind: str
    label: str
    end_s: float | None = None
    stem: str = ""
    hot_cue: int | None = None

    @property
    def color(self) -> str:
        """``#rrggbb`` by the kind, of a loop by its stem; empty for a kind without one."""
        if self.end_s is not None and self.stem in LOOP_COLORS:
            return LOOP_COLORS[self.stem]
        return COLORS.get(self.kind, "")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Cue:
        """Return the cue that `values` describes; see `as_values`."""
        return cls(**values)

    def as_values(self) -> dict[str, Any]:
        """Return the fields that are set, as plain values."""
        values = {"time_s": round(self.time_s, 6), "kind": self.kind, "label": self.label}
        if self.end_s is not None:
            values |= {"end_s": round(self.end_s, 6), "stem": self.stem}
        if self.hot_cue is not None:
            values["hot_cue"] = self.hot_cue
        return values


def choose(
    cues: Sequence[Cue], config: CuesConfig = DEFAULT, grid: Grid | None = None, rate: int = 1
) -> list[Cue]:
    """Number the hot cues among some cues.

    Parameters
    ----------
    cues : sequence of Cue
        Of one track; their numbers and lead-ins are replaced.
    config : CuesConfig
    grid : Grid, optional
        Of the track, for ``bars_before``; without it nothing lies before.
    rate : int
        Of the grid's frames, in Hz.

    Returns
    -------
    list of Cue
        In the order of time.
    """
    found = [replace(cue, hot_cue=None) for cue in cues if cue.kind != LEAD_IN]
    room = min(config.hot_cues, HOT_CUES + 1 - config.first)
    chosen: list[Cue] = []
    places: set[float] = set()
    taken: Counter[str] = Counter()
    for cue in sorted(found, key=lambda cue: _importance(cue, config)):
        lead_in = _lead_in(cue, config, grid, rate)
        most = config.most.get(cue.kind, HOT_CUES)
        if cue.kind not in config.kinds or len(chosen) == room or taken[cue.kind] >= most:
            continue
        place = lead_in or cue
        if place.time_s in places:
            continue
        if lead_in:
            found.append(lead_in)
        chosen.append(place)
        places.add(place.time_s)
        taken[cue.kind] += 1
    if config.order == "time":
        chosen.sort(key=_position)
    numbers = {id(cue): config.first + i for i, cue in enumerate(chosen)}
    found.sort(key=_position)
    return [replace(cue, hot_cue=numbers.get(id(cue))) for cue in found]


def choose_values(
    cues: Sequence[Mapping[str, Any]], config: CuesConfig, grid: Grid | None, rate: int
) -> list[dict[str, Any]]:
    """Number the hot cues in an analysis; see `choose` and `Cue.as_values`."""
    return [cue.as_values() for cue in choose([*map(Cue.of, cues)], config, grid, rate)]


def _importance(cue: Cue, config: CuesConfig) -> tuple[int, float, float]:
    rank = config.kinds.index(cue.kind) if cue.kind in config.kinds else len(config.kinds)
    length = cue.time_s - cue.end_s if cue.end_s is not None else 0.0
    return rank, length, cue.time_s


def _position(cue: Cue) -> tuple[float, int]:
    return cue.time_s, KINDS.index(cue.kind) if cue.kind in KINDS else len(KINDS)


def _lead_in(cue: Cue, config: CuesConfig, grid: Grid | None, rate: int) -> Cue | None:
    """Return the cue some bars before another; None where the track has not begun."""
    bars = config.bars_before.get(cue.kind, 0)
    if not bars or grid is None:
        return None
    beat = round(float(grid.beat_of(cue.time_s * rate, rate))) - bars * grid.beats_per_bar
    time_s = round(float(grid.frame_of(beat, rate)) / rate, 6)
    return Cue(time_s, LEAD_IN, f"{cue.label} in {bars} bars") if time_s >= 0 else None
