"""What the worker that renders an audition is given, and the names of its files. Pure."""

from __future__ import annotations

from msgspec import Struct

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
