"""How loud the stems of a track are, and where they play, from the peaks of its curves. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sfa_engine.mix.facts import Section
from sfa_engine.track.media import WHOLE

Floats = NDArray[np.float64]
Peaks = tuple[Floats, float]  # float64[rows]: highest samples, full scale 1; rows a second

STEP_S = 0.5
ACTIVE_DB = -20.0  # within so much of its own loud level a stem plays
BLEED_DB = -30.0  # below the mix's loud level: what a separation leaves of other stems
SILENT_DB = -50.0  # full scale: a stem that never is louder does not play
_LOUD = 90  # percentile
_FLOOR_DB = -99.0


class SectionLevel(Struct, frozen=True):
    """A stem in a section of the track.

    Parameters
    ----------
    label : str
    start_s, end_s : float
    level_db : float
        Against the mix in the same section.
    active_pct : float
        Of the time, in which the stem plays.
    """

    label: str
    start_s: float
    end_s: float
    level_db: float
    active_pct: float


class StemLevel(Struct, frozen=True):
    """A stem in the whole track, and in each section.

    Parameters
    ----------
    name : str
    level_db : float
        Against the mix.
    active_pct : float
    sections : tuple of SectionLevel
    """

    name: str
    level_db: float
    active_pct: float
    sections: tuple[SectionLevel, ...]


def stem_levels(peaks: Mapping[str, Peaks], sections: Sequence[Section]) -> tuple[StemLevel, ...]:
    """Return the level of each stem of a track, and how much of the time it plays.

    Parameters
    ----------
    peaks : mapping of str to Peaks
        Of each stem, and of the mix.
    sections : sequence of Section
        In order; may be empty.

    Returns
    -------
    tuple of StemLevel
        Loudest first; empty without the peaks of the mix.
    """
    if WHOLE not in peaks:
        return ()
    mix = _steps_db(*peaks[WHOLE])
    found = []
    for name, each in peaks.items():
        if name == WHOLE:
            continue
        level = _steps_db(*each)[: len(mix)]
        whole = mix[: len(level)]
        plays = _plays(level, whole)
        found.append(
            StemLevel(
                name,
                _against(level, whole),
                _share(plays),
                tuple(_of_section(section, level, whole, plays) for section in sections),
            )
        )
    return tuple(sorted(found, key=lambda stem: -stem.level_db))


def _of_section(
    section: Section, level: Floats, mix: Floats, plays: NDArray[np.bool_]
) -> SectionLevel:
    part = slice(round(section.start_s / STEP_S), round(section.end_s / STEP_S))
    return SectionLevel(
        section.label,
        section.start_s,
        section.end_s,
        _against(level[part], mix[part]),
        _share(plays[part]),
    )


def _steps_db(peaks: Floats, hz: float) -> Floats:
    """Return the level of each step, the mean power of its peaks, in dB of full scale."""
    size = max(1, round(hz * STEP_S))
    count = len(peaks) // size
    power = np.mean(np.square(peaks[: count * size]).reshape(count, size), axis=1)
    level: Floats = 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10)))
    return level


def _plays(level: Floats, mix: Floats) -> NDArray[np.bool_]:
    if not len(level):
        return np.zeros(0, bool)
    audible = level[level > SILENT_DB]
    if not len(audible) or float(audible.max()) < float(np.percentile(mix, _LOUD)) + BLEED_DB:
        return np.zeros(len(level), bool)
    loud = float(np.percentile(audible, _LOUD))
    plays: NDArray[np.bool_] = (level > loud + ACTIVE_DB) & (level > SILENT_DB)
    return plays


def _against(level: Floats, mix: Floats) -> float:
    """Return by how much the power of a stem is more than that of the mix, in dB."""
    if not len(level):
        return _FLOOR_DB
    ratio = float(np.mean(10 ** (level / 10)) / np.mean(10 ** (mix / 10)))
    return round(max(_FLOOR_DB, 10 * float(np.log10(ratio))), 1)


def _share(plays: NDArray[np.bool_]) -> float:
    return round(100 * float(np.mean(plays)), 1) if len(plays) else 0.0
