"""What each part of a track is to a DJ, by its levels and its neighbours.

A drop begins where a build ends or where the bass returns, at nearly the loudest level. A song has
no drops: its verse steps up to the same chorus again and again, without a build.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from sfa_engine.prep.analyse.smooth import Floats

LABELS = ("intro", "verse", "build", "drop", "break", "chorus", "bridge", "outro")
MAX_BUILD_BARS = 16
BUILT = 0.25  # how surely a build ends where a drop begins
_HIGHER_DB = 0.3  # a drop is louder than the part before its build
_KICK_DB = -9.0  # bass below the loud parts': no kick
_BASS_RETURNS_DB = 6.0  # at a drop, against the part before it
_OF_THE_LOUDEST_DB = 2.2  # a drop is no further below the loudest part
_GOES_ON_DB = 0.8  # a part after a drop that is one still
_STRAIGHT_DB = 0.3  # straight after the intro, where the first verse also begins, much less
_ALIKE = 0.6  # of the step from verse to chorus: two choruses differ by no more
_SONG_BARS = 4  # a verse or chorus is no shorter


@dataclass(slots=True)
class Part:
    """A row of bars between two boundaries, before it is named.

    Parameters
    ----------
    first, end : int
        Bars.
    bass, level : float
        Decibels below the loud bars.
    slope : float
        Of the level, in dB a bar.
    rising : float
        How many more attacks its second half has than the first.
    built : float
        How surely a build ends where it begins, 0..1.
    rises_bars : int
        How long that build is.
    sound : float64[features]
        Mean of its bars' features.
    label : str
        One of `LABELS`.
    """

    first: int
    end: int
    bass: float
    level: float
    slope: float
    rising: float
    built: float
    rises_bars: int
    sound: Floats
    label: str = ""

    @property
    def bars(self) -> int:
        """Its length."""
        return self.end - self.first

    @property
    def has_kick(self) -> bool:
        """Whether the bass is that of parts with a kick."""
        return self.bass > _KICK_DB


def name_parts(parts: list[Part]) -> None:
    """Label the parts of a track.

    Parameters
    ----------
    parts : list of Part
        All of them, in order.
    """
    loudest = max(p.level for p in parts)
    for i, part in enumerate(parts):
        before = parts[i - 1] if i else None
        after = parts[i + 1] if i + 1 < len(parts) else None
        falls_in = before is not None and (
            part.bass - before.bass > _BASS_RETURNS_DB
            and part.level > loudest - (_OF_THE_LOUDEST_DB if i > 1 else _STRAIGHT_DB)
        )
        falls_in |= _ends_a_build(parts, i, loudest)
        goes_on = (
            before is not None
            and before.label == "drop"
            and part.level > before.level - _GOES_ON_DB
        )
        if part.has_kick and (falls_in or goes_on):
            part.label = "drop"
        elif before is None:
            part.label = "intro"
        elif after is None:
            part.label = "outro"
        elif part.has_kick:
            part.label = "verse"
        elif (
            part.bars <= MAX_BUILD_BARS
            and after.bass - part.bass > 6
            and (part.rising > 0 or part.slope > 0.05)
        ):
            part.label = "build"
        else:
            part.label = "break"
    for part, after in pairwise(parts):
        both = part.label == after.label == "build"
        if both and after.end - part.first > MAX_BUILD_BARS:  # what the next rises from
            part.label = "break"
        if part.label == "build" and after.label == "break":
            part.label = "break"
    _name_choruses(parts)


def _ends_a_build(parts: list[Part], i: int, loudest: float) -> bool:
    """Tell whether a part begins where a build ends, and is higher than what was before it.

    The part before it is named a build then, for its bass may go on.
    """
    if i == 0 or parts[i].built < BUILT or parts[i].level < loudest - _OF_THE_LOUDEST_DB:
        return False
    build = parts[i - 1]
    if i > 1:
        before = parts[i - 2]
        if before.label != "drop" and parts[i].level < before.level + _HIGHER_DB:
            return False
        if build.bars <= MAX_BUILD_BARS:
            build.label = "build"
        rises_before = parts[i].rises_bars > build.bars + 2
        if rises_before and before.label in {"verse", "break"}:
            if parts[i].first - before.first <= MAX_BUILD_BARS:
                before.label = "build"
        elif before.label == "build":  # what the build rises from
            before.label = "break"
    return True


def _name_choruses(parts: list[Part]) -> None:
    """Label choruses and the bridge, where the same step up from a verse comes twice."""
    steps = [
        i
        for i in range(1, len(parts))
        if all(p.has_kick and p.bars >= _SONG_BARS for p in parts[i - 1 : i + 1])
        and parts[i].built < BUILT
        and parts[i].level > parts[i - 1].level
    ]
    choruses: set[int] = set()
    verses: set[int] = set()
    for i, k in combinations(steps, 2):
        near = _ALIKE * min(_unlike(parts[i - 1], parts[i]), _unlike(parts[k - 1], parts[k]))
        same = _unlike(parts[i - 1], parts[k - 1]) < near and _unlike(parts[i], parts[k]) < near
        if k - i > 1 and same:
            choruses |= {i, k}
            verses |= {i - 1, k - 1}
    if not choruses or any(p.built >= BUILT and p.label == "drop" for p in parts):
        return
    chorus = np.mean([parts[i].sound for i in sorted(choruses)], axis=0)
    verse = np.mean([parts[i].sound for i in sorted(verses)], axis=0)
    last = parts[-1]
    for part in parts:
        nearer = np.linalg.norm(part.sound - chorus) < np.linalg.norm(part.sound - verse)
        if part.label in {"verse", "drop"}:
            part.label = "chorus" if nearer else "verse"
        elif part is last and len(parts) - 1 in choruses:  # it ends with it
            part.label = "chorus"
        elif part.label in {"break", "build"}:
            part.label = "bridge"


def _unlike(one: Part, other: Part) -> float:
    return float(np.linalg.norm(one.sound - other.sound))
