"""The long demonstration: a set of ten minutes on three tracks of ours, and what its picture shows.

The set is a script beside the documents, ``long-demo.mix``, which loads the tracks by their
titles. `Watch` samples the engine's readings while it is rendered::

    perform ──► Watch(time, stage) ──► Levels ──► set_picture
"""

from __future__ import annotations

import site
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfa_engine.desk import DECK_NUMBERS
from sfa_engine.desk.scale import OFF
from sfa_engine.errors import MediaError, Refused
from sfa_engine.script.script import Script, parse_script
from sfa_engine.stage.conductor import Conductor

SCRIPT = "long-demo.mix"
GROOVES = ("copper-rain", "slow-gold", "quicksilver")
STEMS = ("drums", "bass", "other", "vocals")
LANES = ("tempo", "level", "filter", "phase_error", "playing", *STEMS)

Curves = dict[str, NDArray[np.float64]]


def script_path() -> Path:
    """Return the script's file: of the checkout, or where the package was installed.

    Raises
    ------
    MediaError
        It is not installed.
    """
    checkout = Path(__file__).parents[2] / "docs/examples"
    installed = [Path(base, "share/sfa/examples") for base in (sys.prefix, site.getuserbase())]
    for folder in (checkout, *installed):
        if (folder / SCRIPT).is_file():
            return folder / SCRIPT
    raise MediaError(f"{SCRIPT} is not installed", "install sfa-engine again")


def long_script(text: str, tracks: Mapping[str, Path]) -> Script:
    """Return the set, with the bundles of its tracks.

    Parameters
    ----------
    text : str
        Of the script.
    tracks : mapping of str to Path
        Bundles by title.

    Raises
    ------
    Refused
        The script is invalid, or loads a track that there is none of.
    """
    script = parse_script(text)
    events = []
    for event in script.events:
        if event.verb == "load":
            if event.words not in tracks:
                raise Refused(
                    f'at {event.time_s:g} s: no track "{event.words}"',
                    f"the long demo has {', '.join(tracks)}",
                )
            event = replace(event, path=str(tracks[event.words]))  # noqa: PLW2901
        events.append(event)
    return replace(script, events=tuple(events))


class Watch:
    """Samples what the decks do, about ten times a second.

    Attributes
    ----------
    times_s : list of float
    titles : list of (float, int, str)
        When which deck, from 1, got which track; an empty title: none.
    """

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.titles: list[tuple[float, int, str]] = []
        self._rows: list[list[float]] = []
        self._shown = dict.fromkeys(DECK_NUMBERS, "")

    def __call__(self, time_s: float, stage: Conductor) -> None:
        """Note the readings of this moment."""
        readings = stage.readings()
        row = [stage.get("crossfader"), readings["master.limiter.reduction"]]
        for deck in (1, 2):
            prefix = f"deck{deck}."
            playing = bool(stage.memory.engine["transport"][deck - 1]["playing"])
            title = str(stage.get(prefix + "title"))
            if title != self._shown[deck]:
                self._shown[deck] = title
                self.titles.append((time_s, deck, title))
            row += [
                readings[prefix + "tempo"] if playing else np.nan,
                _factor(readings[prefix + "rms"]),
                stage.get(prefix + "filter"),
                readings[prefix + "phase_error"],
                float(playing),
                *(_factor(readings[f"{prefix}stem.{stem}.rms"]) for stem in STEMS),
            ]
        self.times_s.append(time_s)
        self._rows.append(row)

    def curves(self) -> Curves:
        """Return what was sampled, by name: float64[moments].

        ``time`` in seconds, ``crossfader`` in percent, ``reduction`` in dB; of each deck, as in
        ``1.tempo``: BPM, NaN at rest; ``level`` and its stems as factors, with the crossfader;
        ``filter`` in percent; ``phase_error`` in beats; ``playing``.
        """
        names = ["crossfader", "reduction", *(f"{d}.{lane}" for d in (1, 2) for lane in LANES)]
        table = np.array(self._rows, np.float64).reshape(-1, len(names))
        out = dict(zip(names, table.T, strict=True)) | {"time": np.array(self.times_s)}
        place = out["crossfader"] / 100.0
        for deck, gain in ((1, 1.0 - place), (2, 1.0 + place)):
            level = out[f"{deck}.level"] = out[f"{deck}.level"] * np.clip(gain, 0.0, 1.0)
            total = np.maximum(sum(out[f"{deck}.{stem}"] for stem in STEMS), 1e-9)
            for stem in STEMS:
                out[f"{deck}.{stem}"] = out[f"{deck}.{stem}"] / total * level
        return out


def _factor(decibels: float) -> float:
    return 10.0 ** (decibels / 20.0) if decibels > OFF else 0.0
