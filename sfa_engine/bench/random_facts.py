"""Facts of tracks made by chance, without a sound: whole, half analysed, and broken."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace

from sfa_engine.mix.facts import LOUDNESS_HZ, Section, TrackFacts
from sfa_engine.track.grid import Anchor, Grid

LEVELS = {"intro": -16, "build": -13, "drop": -9, "break": -15, "outro": -14, "verse": -12}
STEMS = ("vocals", "drums", "bass", "other")
FORM = {"intro": 16, "build": 8, "drop": 32, "break": 16, "verse": 32, "outro": 16}  # bars


def made_track(
    number: int = 1,
    *,
    bpm: float = 126.0,
    bars: Mapping[str, int] | None = None,
    seed: int = 0,
    **changes: Any,
) -> TrackFacts:
    """Return the facts of a club track of whole sections: all that an analysis finds.

    Parameters
    ----------
    number : int
    bpm : float
    bars : mapping of str to int, optional
        Length of each section.
    seed : int
        Of what is left to chance: who sings where, key, energy, levels.
    **changes : Any
        Other facts; also ``beats_per_bar``, ``first_s`` (of the first downbeat), ``tail_s``.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    form = bars or FORM
    per_bar = changes.pop("beats_per_bar", 4)
    bar_s = per_bar * 60 / bpm
    first_s = changes.pop("first_s", 0.2)
    sections, place = [], first_s
    bass: list[float] = []
    drums: list[float] = []
    tonal: list[float] = []
    vocals: list[tuple[float, float]] = []
    for label, count in form.items():
        end = place + count * bar_s
        sections.append(Section(place, end, label))
        quiet = label in {"intro", "break"}
        bass += [-40.0 if quiet else 0.0] * count
        drums += [-40.0 if label == "break" else 0.0] * count
        tonal += [-40.0 if label in {"intro", "outro"} and chance.random() < 0.5 else 0.0] * count
        if label in {"verse", "drop"} and chance.random() < 0.7:
            at = place
            while at < end - 4:
                vocals.append((at, at + chance.uniform(1.5, 3.5)))
                at += chance.uniform(4, 9)
        place = end
    length = place + changes.pop("tail_s", 0.3)
    loudness = np.full(int(np.ceil(length * LOUDNESS_HZ)), -70.0)
    for section in sections:
        first, end = (round(t * LOUDNESS_HZ) for t in (section.start_s, section.end_s))
        for step in range(first, min(end, len(loudness))):
            loudness[step] = LEVELS[section.label] + chance.uniform(-1, 1)
    known: dict[str, Any] = {
        "id": number,
        "name": f"Artist {number} - Track {number}",
        "artist": f"Artist {number}",
        "length_s": length,
        "grid": Grid((Anchor(first_s * 48_000, 0.0),), bpm, per_bar),
        "confidence": 0.95,
        "bpm": bpm,
        "camelot": f"{chance.randrange(1, 13)}{chance.choice('AB')}",
        "energy": chance.random(),
        "lufs": -10.0,
        "gain_db": -4.0,
        "sections": tuple(sections),
        "vocals_s": tuple(vocals),
        "stems": STEMS,
        "bass_db": tuple(bass),
        "drums_db": tuple(drums),
        "tonal_db": tuple(tonal),
        "loudness": tuple(loudness.tolist()),
        "vector": tuple(chance.gauss(0, 1) for _ in range(8)),
    }
    return TrackFacts(**(known | changes))


def any_track(chance: random.Random, number: int = 1) -> TrackFacts:
    """Return the facts of a track of any kind: some whole, some of which little is known."""
    labels = ["intro", "build", "drop", "break", "verse", "outro"]
    form = {
        label: chance.choice([4, 8, 8, 16, 16, 16, 32, 7])
        for label in labels
        if chance.random() < 0.85
    } or {"drop": 32}
    track = made_track(
        number,
        bpm=round(chance.gauss(126, 6) if chance.random() < 0.8 else chance.uniform(60, 200), 2),
        bars=form,
        seed=chance.randrange(1 << 30),
        first_s=chance.choice([0.0, 0.2, 1.0, 7.3]),
        tail_s=chance.choice([0.0, 0.3, 2.5, 9.0]),
        beats_per_bar=chance.choice([4] * 9 + [3]),
        artist=f"Artist {chance.randrange(8)}",
    )
    lost: dict[str, tuple[Any, ...]] = {
        "stems": ((), ("vocals", "drums", "bass", "other"), ("vocals", "drums")),
        "vocals_s": (None, ()),
        "loudness": ((),),
        "bass_db": ((),),
        "drums_db": ((),),
        "tonal_db": ((),),
        "sections": ((),),
        "camelot": (None,),
        "lufs": (None, -6.0, -24.0),
        "energy": (None,),
        "vector": ((),),
    }
    changes: dict[str, Any] = {
        name: chance.choice(values) for name, values in lost.items() if chance.random() < 0.25
    }
    if "stems" in changes and not changes["stems"] and chance.random() < 0.8:
        changes["vocals_s"] = None
    worse = chance.random()
    if worse < 0.03:
        changes |= {"grid": None, "bpm": None, "confidence": 0.0}
    elif worse < 0.05:
        changes["length_s"] = 0.0
    elif worse < 0.08:
        changes["confidence"] = 0.3
    elif worse < 0.1:
        changes["length_s"] = 20.0
    elif worse < 0.13:
        changes["name"] = "Artist 9 - Track 9 (Live at the Garden)"
    elif worse < 0.16:
        changes["album"] = "An Album"
        changes["artist"] = "Artist 1"
    return replace(track, **changes)
