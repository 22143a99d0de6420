"""The tool that returns what is known of a track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sfa_engine.agents.tools.answer import TrackNumber, fitted, rounded
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.mix.facts import SURE
from sfa_engine.mix.mastering.report import CRUSHED_PLR_DB
from sfa_engine.mix.wheel import NEAR, grade

MAX_TAGS = 6
MAX_LABEL = 40
CLIPPED_DBTP = 0.0
_CODES = tuple(f"{number}{letter}" for number in range(1, 13) for letter in "AB")


class TrackFactsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `track_facts` takes."""

    track: TrackNumber


class GridFacts(Struct, frozen=True):
    """A grid.

    Attributes
    ----------
    bpm : float
    beats_per_bar : int
    first_downbeat_s : float
    by_hand : bool
    confidence : float, optional
        Of the analysis, 0..1.
    tempo, phase, bar, octave : float, optional
        The same of its parts.
    """

    bpm: float
    beats_per_bar: int
    first_downbeat_s: float
    by_hand: bool
    confidence: float | None = None
    tempo: float | None = None
    phase: float | None = None
    bar: float | None = None
    octave: float | None = None


class GridChange(Struct, frozen=True):
    """Another reading of the beats, by its number from 1."""

    number: int
    change: str
    bpm: float
    score: float


class SectionFacts(Struct, frozen=True):
    """A section of a track."""

    label: str
    start_s: float
    end_s: float


class CueFacts(Struct, frozen=True):
    """A cue; `hot_cue` is its number."""

    kind: str
    label: str
    position_s: float
    end_s: float | None
    hot_cue: int | None
    stem: str | None
    by_hand: bool


class TagFacts(Struct, frozen=True):
    """What a track sounds like."""

    name: str
    probability: float


class KnownTrack(Struct, frozen=True):
    """What is known of a track.

    Attributes
    ----------
    neighbours : tuple of str
        Camelot codes that mix well with its key, itself first.
    plr_db : float, optional
        True peak less loudness.
    flags : tuple of str
        What is doubtful: a sentence each.
    left_out : int
        Cues and sections that did not fit.
    """

    id: int
    name: str
    title: str
    artist: str
    album: str
    genre: str
    comment: str
    year: int | None
    rating: int
    plays: int
    length_s: float | None
    bpm: float | None
    key: str | None
    camelot: str | None
    neighbours: tuple[str, ...]
    energy: float | None
    lufs: float | None
    true_peak_dbtp: float | None
    plr_db: float | None
    variable_tempo: bool
    grid: GridFacts | None
    alternatives: tuple[GridChange, ...]
    stems: tuple[str, ...]
    tags: tuple[TagFacts, ...]
    sections: tuple[SectionFacts, ...]
    cues: tuple[CueFacts, ...]
    flags: tuple[str, ...]
    left_out: int = 0


async def _facts(bench: Workbench, params: TrackFactsOf) -> KnownTrack:
    shown = await bench.call("library.show", track=bench.check_track(params.track))
    grid = _grid(shown)
    lufs, peak = shown["lufs"], shown.get("peak_dbtp")
    plr = None if lufs is None or peak is None else round(peak - lufs, 1)
    known = KnownTrack(
        id=shown["id"],
        name=clean(shown["name"]),
        title=clean(shown["title"]),
        artist=clean(shown["artist"]),
        album=clean(shown["album"]),
        genre=clean(shown["genre"], MAX_LABEL),
        comment=clean(shown["comment"]),
        year=shown["year"],
        rating=shown["rating"],
        plays=shown["play_count"],
        length_s=rounded(shown["duration_s"], 1),
        bpm=rounded(shown["bpm"], 3),
        key=shown["key"],
        camelot=shown["camelot"],
        neighbours=neighbours_of(shown["camelot"]),
        energy=rounded(shown["energy"], 2),
        lufs=rounded(lufs, 1),
        true_peak_dbtp=rounded(peak, 1),
        plr_db=plr,
        variable_tempo=bool(shown.get("variable")),
        grid=grid,
        alternatives=tuple(
            GridChange(number, each["change"], round(each["bpm"], 3), round(each["score"], 3))
            for number, each in enumerate(shown.get("alternatives", ()), 1)
        ),
        stems=tuple(name for name in shown["stems"] if name != "mix"),
        tags=tuple(
            TagFacts(each["name"], round(each["probability"], 2))
            for each in shown["sound_tags"][:MAX_TAGS]
        ),
        sections=tuple(
            SectionFacts(each["label"], round(each["start_s"], 2), round(each["end_s"], 2))
            for each in shown.get("sections", ())
        ),
        cues=tuple(
            CueFacts(
                clean(each["kind"], MAX_LABEL),
                clean(each["label"], MAX_LABEL),
                round(each["position_s"], 3),
                rounded(each["end_s"], 3),
                each["slot"],
                each["stem"],
                each["by_hand"],
            )
            for each in shown["cues"]
        ),
        flags=_flags(shown, grid, plr),
    )
    return fitted(known, "cues", "sections")


def neighbours_of(camelot: str | None) -> tuple[str, ...]:
    """Return the Camelot codes that mix well with one, itself first; none if it is not known."""
    if camelot is None:
        return ()
    near = [code for code in _CODES if code != camelot and grade(camelot, code) >= NEAR]
    return (camelot, *near)


def _grid(shown: Mapping[str, Any]) -> GridFacts | None:
    grid = shown["grid"]
    if grid is None:
        return None
    parts = shown.get("confidences") or {}
    return GridFacts(
        bpm=round(grid["bpm"], 3),
        beats_per_bar=grid["beats_per_bar"],
        first_downbeat_s=round(grid["first_downbeat_s"], 3),
        by_hand=grid["by_hand"],
        confidence=rounded(shown.get("confidence"), 2),
        **{name: rounded(parts.get(name), 2) for name in ("tempo", "phase", "bar", "octave")},
    )


def _flags(shown: Mapping[str, Any], grid: GridFacts | None, plr: float | None) -> tuple[str, ...]:
    """Return what is doubtful of a track, a sentence each."""
    said = []
    is_analysed = "sections" in shown
    if not is_analysed:
        said.append("it has not been analysed")
    elif grid is None:
        said.append("no beats were found")
    elif not grid.by_hand and grid.confidence is not None and grid.confidence < SURE:
        said.append(f"the grid is not sure: confidence {grid.confidence:.2f}, below {SURE:g}")
    if shown.get("variable"):
        said.append("the tempo changes")
    peak = shown.get("peak_dbtp")
    if peak is not None and peak > CLIPPED_DBTP:
        said.append(f"the true peak is {peak:+.1f} dBTP: over full scale")
    if plr is not None and plr < CRUSHED_PLR_DB:
        said.append(f"peak less loudness is {plr:.1f} dB, below {CRUSHED_PLR_DB:g}: crushed")
    if shown["damage"]:
        said.append("its sound cannot be read")
    if shown["state"] == "failed":
        said.append("its preparation has failed")
    if shown["preview"]:
        said.append("only a part of it was separated")
    return tuple(said)


TRACK_FACTS = AgentTool(
    "track_facts",
    "Return what is known of a track: grid with confidence, key, sections, cues, loudness, stems.",
    TrackFactsOf,
    KnownTrack,
    "read",
    is_read_only=True,
    run=_facts,
)
