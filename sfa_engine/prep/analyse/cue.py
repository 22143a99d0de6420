"""Automatic cues: places a DJ would mark, on bars. `sfa_engine.prep.hot_cue` chooses hot cues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sfa_engine.prep.analyse.loop import Loop
from sfa_engine.prep.analyse.smooth import Floats
from sfa_engine.prep.analyse.structure import Section
from sfa_engine.prep.hot_cue import Cue, choose

_SILENT_BARS = 4  # without vocals, before they come in
_EARLY_S = 0.15  # before a bar, that a first syllable may be


def find_cues(
    sections: list[Section],
    bars_s: Floats,
    loops: Mapping[str, list[Loop]],
    vocals_s: Sequence[Sequence[float]] = (),
) -> list[Cue]:
    """Return the cues of a track in the order of time.

    Parameters
    ----------
    sections : list of Section
    bars_s : float64[bars + 1]
        Beginnings of bars, and the end of the last.
    loops : mapping of str to list of Loop
        Of each stem.
    vocals_s : sequence of (float, float)
        Where the vocals sing.

    Returns
    -------
    list of Cue
        Each at the beginning of a bar; hot cues by the default rules.
    """
    if len(bars_s) < 2 or not sections:
        return []
    cues = [Cue(float(bars_s[0]), "intro", "first downbeat")]
    numbers = {"build": 0, "drop": 0, "chorus": 0, "break": 0}
    for before, section in zip([None, *sections], sections, strict=False):
        changed = before is None or before.label != section.label
        if before is not None and before.label == "intro" and section.label == "verse":
            cues.append(Cue(section.start_s, "intro", "intro end"))
        elif section.label in numbers and changed:
            numbers[section.label] += 1
            name = f"{section.label} {numbers[section.label]}"
            cues.append(Cue(section.start_s, section.label, name))
        elif section.label == "bridge" and changed:
            cues.append(Cue(section.start_s, "break", "bridge"))
        elif section.label == "outro" and before is not None and changed:
            cues.append(Cue(section.start_s, "outro", "outro"))
    for stem, found in loops.items():
        for loop in found:
            start, end = float(bars_s[loop.first]), float(bars_s[loop.first + loop.bars])
            cues.append(Cue(start, "loop", f"{stem} {loop.bars} bars", end, stem))
    return choose(cues + _vocal_cues(vocals_s, bars_s))


def _vocal_cues(vocals_s: Sequence[Sequence[float]], bars_s: Floats) -> list[Cue]:
    """Return the bars in which the vocals come in after `_SILENT_BARS` or more without them."""
    cues: list[Cue] = []
    ended = -_SILENT_BARS
    for start_s, end_s in vocals_s:
        first = int(np.searchsorted(bars_s, start_s + _EARLY_S, side="right")) - 1
        if 0 <= first < len(bars_s) - 1 and first - ended >= _SILENT_BARS:
            cues.append(Cue(float(bars_s[first]), "vocals", f"vocals {len(cues) + 1}"))
        ended = int(np.searchsorted(bars_s, end_s))
    return cues
