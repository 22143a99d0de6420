"""Automatic cues: places a DJ would mark, on bars, and which eight of them go on the pads.

The rule for the eight: the first downbeat and the end of the intro, then the drops, builds,
breaks and the outro in the order of their time, as many as there is room for, a drop before a
break, a break before a build; loops take what is left. They are numbered by time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sfa_engine.prep.analyse.smooth import Floats
from sfa_engine.prep.analyse.structure import Section

HOT_CUES = 8
LOOP_BARS = (16, 8, 4)
_RANK = ("intro", "drop", "outro", "break", "build", "loop")
_LOOPS = 4  # suggestions at most
_ALIKE = 0.75  # of a loop's end to its beginning, at least


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
    hot_cue : int, optional
        Pad 1..8.
    """

    time_s: float
    kind: str
    label: str
    end_s: float | None = None
    hot_cue: int | None = None


def find_cues(sections: list[Section], bars_s: Floats, bar_features: Floats) -> list[Cue]:
    """Return the cues of a track in the order of time.

    Parameters
    ----------
    sections : list of Section
    bars_s : float64[bars + 1]
        Beginnings of bars, and the end of the last.
    bar_features : float64[bars, n]
        What makes bars sound alike.

    Returns
    -------
    list of Cue
    """
    if len(bars_s) < 2 or not sections:
        return []
    cues = [Cue(float(bars_s[0]), "intro", "first downbeat")]
    numbers = {"build": 0, "drop": 0, "break": 0}
    for before, section in zip([None, *sections], sections, strict=False):
        changed = before is not None and before.label != section.label
        if before is not None and before.label == "intro" and section.label == "verse":
            cues.append(Cue(section.start_s, "intro", "intro end"))
        elif section.label in numbers and (changed or before is None):
            numbers[section.label] += 1
            name = f"{section.label} {numbers[section.label]}"
            cues.append(Cue(section.start_s, section.label, name))
        elif section.label == "outro" and changed:
            cues.append(Cue(section.start_s, "outro", "outro"))
    cues += _loops(sections, bars_s, bar_features)
    return _on_pads(sorted(cues, key=lambda cue: (cue.time_s, _RANK.index(cue.kind))))


def _loops(sections: list[Section], bars_s: Floats, features: Floats) -> list[Cue]:
    """Return loops at the beginning of sections, where what follows is like what was."""
    found: list[Cue] = []
    unit = features / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-9)
    for label in ("intro", "drop", "break", "outro"):
        part = next((s for s in sections if s.label == label), None)
        if part is None or len(found) >= _LOOPS:
            continue
        first = int(np.argmin(np.abs(bars_s - part.start_s)))
        end = int(np.argmin(np.abs(bars_s - part.end_s)))
        for bars in LOOP_BARS:
            if first + bars > end or first + bars > len(unit):
                continue
            # the bar after the loop must be like its first, or the loop's end leads nowhere
            next_bar = min(first + bars, len(unit) - 1)
            if bars > LOOP_BARS[-1] and unit[first] @ unit[next_bar] < _ALIKE:
                continue
            name = f"loop {bars} bars, {label}"
            found.append(Cue(float(bars_s[first]), "loop", name, float(bars_s[first + bars])))
            break
    return found


def _on_pads(cues: list[Cue]) -> list[Cue]:
    """Number the eight that matter most, by time."""
    order = sorted(range(len(cues)), key=lambda i: (_RANK.index(cues[i].kind), cues[i].time_s))
    chosen = sorted(order[:HOT_CUES])
    return [
        replace(cue, hot_cue=chosen.index(i) + 1) if i in chosen else cue
        for i, cue in enumerate(cues)
    ]
