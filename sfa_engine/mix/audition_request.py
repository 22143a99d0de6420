"""What the worker that renders an audition is given, and the names of its files. Pure."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from sfa_engine.mix.facts import TrackFacts

SOUND, PICTURE, FIGURES = "mix.flac", "picture.svg", "figures.json"


class AuditionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be rendered.

    Parameters
    ----------
    plan : str
        Its text.
    facts : list of TrackFacts
    bundles : dict of str to str
        Folder of the bundle of each track, by its number.
    place : int, optional
        Of the transition, from 0; None: all of it.
    """

    plan: str
    facts: list[TrackFacts]
    bundles: dict[str, str]
    place: int | None = None


def used_facts(facts: TrackFacts) -> TrackFacts:
    """Return what a render and its picture use of a track; what only a planner asks is left out."""
    return replace(
        facts,
        artist="",
        album="",
        album_number=None,
        confidence=0.0,
        bar_confidence=0.0,
        variable=False,
        camelot=None,
        energy=None,
        vocals_s=None,
        bass_db=(),
        drums_db=(),
        tonal_db=(),
        bass_steps=(),
        lows=(),
        kit=(),
        tags={},
        vector=(),
    )
