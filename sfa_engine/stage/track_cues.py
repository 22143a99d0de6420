"""The cues and sections of a track on a deck, as the library or the bundle lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct


class TrackCue(Struct, frozen=True):
    """A cue of the library: with a `slot` a hot cue, without one a memory cue."""

    position_s: float
    end_s: float | None = None
    kind: str = "cue"
    slot: int | None = None
    label: str = ""
    color: str = ""
    stem: str | None = None
    on_load: bool = False
    by_hand: bool = True


class TrackSection(Struct, frozen=True):
    """A section of a track: ``intro``, ``drop``."""

    start_s: float
    label: str


class TrackCues(Struct, frozen=True):
    """All cues of a track by position, its sections, and where its cue point is.

    `track` is its number in the library, 0 where it is not there; `loudness_lufs` is what the deck
    plays it at with its trim at 0 dB, None where it is not known.
    """

    cues: tuple[TrackCue, ...] = ()
    sections: tuple[TrackSection, ...] = ()
    cue_point: float | None = None
    loudness_lufs: float | None = None
    track: int = 0

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> TrackCues:
        """Return the cues of an answer of backstage, or of the host."""
        return msgspec.convert(answer, cls)
