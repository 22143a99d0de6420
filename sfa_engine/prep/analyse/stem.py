"""What is kept of a separated stem, so that the next one can be measured: 1 % of its levels.

An hour's levels take 37 MB. Stems are measured one after another once the bars are known, and all
that is asked of them later is by bars, columns of a picture or onsets.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfa_engine.prep.analyse import loop, picture, splice, structure
from sfa_engine.prep.analyse.levels import Halves, Levels
from sfa_engine.prep.analyse.onset import Onsets
from sfa_engine.prep.analyse.smooth import Floats, Ints


@dataclass(frozen=True, slots=True)
class Stem:
    """A stem, or the mix of a track without stems.

    Parameters
    ----------
    onsets : int64[n]
        Frames at 48 kHz; see `splice.stem_onsets`.
    power : dict of str to float64[bars]
        See `structure.bar_power`.
    steps : loop.Steps
    peaks : float16[columns, 4]
        See `picture.peaks`.
    """

    onsets: Ints
    power: dict[str, Floats]
    steps: loop.Steps
    peaks: Halves


def describe(levels: Levels, bars_s: Floats, onsets: Onsets | None = None) -> Stem:
    """Return what is kept of a stem.

    Parameters
    ----------
    levels : Levels
    bars_s : float64[bars + 1]
        Empty where there is no beat.
    onsets : Onsets, optional
        Those of `find_onsets`, where they are known.
    """
    return Stem(
        splice.stem_onsets(levels, onsets),
        structure.bar_power(levels, bars_s),
        loop.describe(levels, bars_s),
        picture.peaks(levels),
    )
