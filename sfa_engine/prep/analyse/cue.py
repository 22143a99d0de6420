"""Automatic cues: places a DJ would mark, on bars, and which eight of them go on the pads.

The rule for the eight: the first downbeat and the end of the intro, then the drops, the outro,
the breaks and the builds, each kind in the order of its time, as many as there is room for;
loops, the longest first, take what is left. No two of them are at the same place: what comes
later in this order has no pad there. The chosen are numbered by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sfa_engine.prep.analyse.loop import Loop
from sfa_engine.prep.analyse.smooth import Floats
from sfa_engine.prep.analyse.structure import Section

HOT_CUES = 8
_RANK = ("intro", "drop", "outro", "break", "build", "loop")


@dataclass(frozen=True, slots=True)
class Cue:
    """A place, or a loop.

    Parameters
    ----------
    time_s : float
    kind : str
        intro, build, drop, break, outro, loop.
    label : str
        What a display shows.
    end_s : float, optional
        Of a loop.
    stem : str
        That it goes round in.
    hot_cue : int, optional
        Pad 1..8.
    """

    time_s: float
    kind: str
    label: str
    end_s: float | None = None
    stem: str = ""
    hot_cue: int | None = None


def find_cues(
    sections: list[Section], bars_s: Floats, loops: Mapping[str, list[Loop]]
) -> list[Cue]:
    """Return the cues of a track in the order of time.

    Parameters
    ----------
    sections : list of Section
    bars_s : float64[bars + 1]
        Beginnings of bars, and the end of the last.
    loops : mapping of str to list of Loop
        Of each stem.

    Returns
    -------
    list of Cue
        Each at the beginning of a bar.
    """
    if len(bars_s) < 2 or not sections:
        return []
    cues = [Cue(float(bars_s[0]), "intro", "first downbeat")]
    numbers = {"build": 0, "drop": 0, "break": 0}
    for before, section in zip([None, *sections], sections, strict=False):
        changed = before is None or before.label != section.label
        if before is not None and before.label == "intro" and section.label == "verse":
            cues.append(Cue(section.start_s, "intro", "intro end"))
        elif section.label in numbers and changed:
            numbers[section.label] += 1
            name = f"{section.label} {numbers[section.label]}"
            cues.append(Cue(section.start_s, section.label, name))
        elif section.label == "outro" and before is not None and changed:
            cues.append(Cue(section.start_s, "outro", "outro"))
    for stem, found in loops.items():
        for loop in found:
            start, end = float(bars_s[loop.first]), float(bars_s[loop.first + loop.bars])
            cues.append(Cue(start, "loop", f"{stem} {loop.bars} bars", end, stem))
    return _on_pads(sorted(cues, key=lambda cue: (cue.time_s, _RANK.index(cue.kind))))


def _on_pads(cues: list[Cue]) -> list[Cue]:
    """Number the eight that matter most, each at a place of its own, by time."""

    def matters(i: int) -> tuple[int, float, float]:
        cue = cues[i]
        length = cue.time_s - cue.end_s if cue.end_s is not None else 0.0
        return _RANK.index(cue.kind), length, cue.time_s

    best: dict[float, int] = {}
    for i in sorted(range(len(cues)), key=matters):
        best.setdefault(cues[i].time_s, i)
    chosen = sorted(list(best.values())[:HOT_CUES])
    return [
        replace(cue, hot_cue=chosen.index(i) + 1) if i in chosen else cue
        for i, cue in enumerate(cues)
    ]
