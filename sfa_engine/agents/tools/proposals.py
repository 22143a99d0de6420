"""Tools that propose changes of the library: cues, a playlist, a correction of a grid.

Nothing is changed before a person applies a proposal. What was made by hand is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, Struct

from sfa_engine.agents.contract import Proposal, Step
from sfa_engine.agents.tools.answer import TrackNumber
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.desk import HOT_CUES_IN_BANK
from sfa_engine.errors import Refused
from sfa_engine.system.timecode import clock
from sfa_engine.track.grid import Anchor, Grid

SAME_S = 0.5  # a cue so near is at the same place, as the analysis counts it
MIN_PAUSE_S = 8.0  # without a voice, before it comes in
EARLY_S = 0.15  # before a bar, that a first syllable may be
MAX_PLAYLIST = 100
MAX_PLAYLIST_NAME = 80

CueKind = Literal["intro", "drop", "chorus", "break", "outro", "vocals", "build", "verse"]
# The most important first; sections of other labels are no cues.
KINDS: tuple[CueKind, ...] = (
    "intro", "drop", "chorus", "outro", "break", "vocals", "build", "verse",
)  # fmt: skip
_SECTION_KINDS = {"bridge": "break"}


class CuesOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `propose_cues` takes."""

    track: TrackNumber
    kinds: Annotated[list[CueKind], Meta(min_length=1, max_length=len(KINDS))]
    most: Annotated[int, Meta(ge=1, le=HOT_CUES_IN_BANK, description="at most so many")]


class CueProposal(Struct, frozen=True):
    """A hot cue that is proposed."""

    position_s: float
    kind: str
    label: str
    hot_cue: int


class CuesProposed(Struct, frozen=True):
    """Hot cues that were proposed.

    Attributes
    ----------
    cues : tuple of CueProposal
    there : int
        Hot cues that the track has.
    by_hand : int
        Cues by hand among all; they stay.
    skipped : tuple of str
        Places that get none, each with the reason.
    """

    track: int
    name: str
    cues: tuple[CueProposal, ...]
    there: int
    by_hand: int
    skipped: tuple[str, ...]


class PlaylistOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `propose_playlist` takes."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_PLAYLIST_NAME)]
    tracks: Annotated[list[TrackNumber], Meta(min_length=1, max_length=MAX_PLAYLIST)]


class PlaylistProposed(Struct, frozen=True):
    """A playlist that was proposed; `appends` says whether there is one of its name."""

    name: str
    tracks: int
    appends: bool


GridChangeName = Literal[
    "half_beat_later", "half_beat_earlier", "beat_later", "beat_earlier", "two_beats_later",
    "halve", "double", "alternative_1", "alternative_2", "alternative_3",
]  # fmt: skip
_SHIFTS: Mapping[str, float] = {
    "half_beat_later": 0.5,
    "half_beat_earlier": -0.5,
    "beat_later": 1.0,
    "beat_earlier": -1.0,
    "two_beats_later": 2.0,
}
_TEMPOS: Mapping[str, float] = {"halve": 0.5, "double": 2.0}


class GridShiftOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `propose_grid_shift` takes."""

    track: TrackNumber
    change: GridChangeName


class GridShiftProposed(Struct, frozen=True):
    """A correction of a grid that was proposed."""

    track: int
    name: str
    change: str
    bpm: float
    new_bpm: float
    confidence: float | None


# ---------------------------------------------------------------------- cues


async def _cues(bench: Workbench, params: CuesOf) -> CuesProposed:
    track = bench.check_track(params.track)
    shown = await bench.call("library.show", track=track)
    name, there = clean(shown["name"]), shown["cues"]
    sung = None
    if "vocals" in params.kinds:
        sung = (await bench.call("library.stems", track=track))["vocals_s"]
    places = _places(shown, sung or (), params.kinds)
    taken = {each["slot"] for each in there if each["slot"] is not None}
    free = [n for n in range(1, HOT_CUES_IN_BANK + 1) if n not in taken]
    chosen: list[tuple[float, CueKind, str]] = []
    skipped = []
    for position_s, kind, label in sorted(places, key=lambda each: KINDS.index(each[1])):
        near = [each for each in there if abs(each["position_s"] - position_s) <= SAME_S]
        where = f"{label} at {clock(position_s)}"
        if any(abs(position_s - other) <= SAME_S for other, _, _ in chosen):
            continue
        if by_hand := [each for each in near if each["by_hand"]]:
            skipped.append(f"{where}: there is {_named(by_hand[0])}, set by hand")
        elif numbered := [each for each in near if each["slot"] is not None]:
            skipped.append(f"{where}: it is {_named(numbered[0])}")
        elif len(chosen) == min(params.most, len(free)):
            skipped.append(f"{where}: no hot cue is free" if len(chosen) == len(free) else where)
        else:
            chosen.append((position_s, kind, label))
    cues = tuple(
        CueProposal(round(position_s, 3), kind, label, number)
        for (position_s, kind, label), number in zip(sorted(chosen), free, strict=False)
    )
    if cues:
        bench.proposals.append(_cue_proposal(track, name, cues))
    return CuesProposed(
        track,
        name,
        cues,
        there=len(taken),
        by_hand=sum(each["by_hand"] for each in there),
        skipped=tuple(skipped[:12]),
    )


def _cue_proposal(track: int, name: str, cues: Sequence[CueProposal]) -> Proposal:
    plural = "" if len(cues) == 1 else "s"
    return Proposal(
        kind="cues",
        title=clean(f"{len(cues)} hot cue{plural} for {name}"),
        reason=", ".join(f"{each.label} at {clock(each.position_s)}" for each in cues),
        steps=tuple(
            Step(
                "library.cue",
                {
                    "track": track,
                    "position_s": each.position_s,
                    "hot_cue": each.hot_cue,
                    "kind": each.kind,
                    "label": each.label,
                    "free": True,
                },
            )
            for each in cues
        ),
        details={
            "track": track,
            "name": name,
            "cues": [
                {
                    "position_s": each.position_s,
                    "kind": each.kind,
                    "label": each.label,
                    "hot_cue": each.hot_cue,
                }
                for each in cues
            ],
        },
        tracks=(track,),
    )


def _places(
    shown: Mapping[str, Any], sung: Sequence[Sequence[float]], kinds: Sequence[CueKind]
) -> list[tuple[float, CueKind, str]]:
    """Return position, kind and label of each place that may be a cue."""
    sections = shown.get("sections", ())
    grid = _grid_of(shown["grid"])
    found: list[tuple[float, CueKind, str]] = []
    if shown["grid"] is not None and "intro" in kinds:
        found.append((shown["grid"]["first_downbeat_s"], "intro", "first downbeat"))
    numbers: dict[str, int] = {}
    before = ""
    for each in sections:
        label = _SECTION_KINDS.get(each["label"], each["label"])
        kind = next((kind for kind in KINDS if kind == label), None)
        if kind is not None and label != before and kind != "intro":
            numbers[label] = numbers.get(label, 0) + 1
            if kind in kinds:
                found.append((each["start_s"], kind, f"{label} {numbers[label]}"))
        before = label
    if "vocals" in kinds:
        ended_s, count = -MIN_PAUSE_S, 0
        for start_s, end_s in sung:
            if start_s - ended_s >= MIN_PAUSE_S:
                count += 1
                place_s = start_s if grid is None else _bar_at(start_s + EARLY_S, *grid)
                found.append((place_s, "vocals", f"vocals {count}"))
            ended_s = end_s
    return found


def _grid_of(grid: Mapping[str, Any] | None) -> tuple[Grid, int] | None:
    """Return a grid as ``library.show`` has it, and the rate of its frames."""
    if grid is None:
        return None
    anchors = tuple(Anchor(frame, beat) for frame, beat in grid["anchors"])
    return Grid(anchors, grid["bpm"], grid["beats_per_bar"]), grid["rate"]


def _bar_at(seconds: float, grid: Grid, rate: int) -> float:
    """Return the beginning of the bar that is at a time."""
    per_bar = grid.beats_per_bar
    beat = float(grid.beat_of(seconds * rate, rate))
    frame = float(grid.frame_of(np.floor(beat / per_bar) * per_bar, rate))
    return max(0.0, frame / rate)


def _named(cue: Mapping[str, Any]) -> str:
    if cue["slot"] is not None:
        return f"hot cue {cue['slot']}"
    return "a memory cue" if cue["end_s"] is None else "a loop"


# ---------------------------------------------------------------------- playlists


async def _playlist(bench: Workbench, params: PlaylistOf) -> PlaylistProposed:
    tracks = list(dict.fromkeys(bench.check_track(track) for track in params.tracks))
    name = clean(params.name, MAX_PLAYLIST_NAME)
    if not name:
        raise Refused("the playlist has no name", "give one of visible characters")
    there = (await bench.call("library.playlists"))["playlists"]
    appends = any(each["name"].casefold() == name.casefold() for each in there)
    rows = (await bench.call("library.rows", tracks=tracks))["tracks"]
    names = {each["id"]: _title(each) for each in rows}
    if gone := [track for track in tracks if track not in names]:
        raise Refused(f"no track {gone[0]}", "search again")
    verb = "appended to" if appends else "as"
    plural = "" if len(tracks) == 1 else "s"
    bench.proposals.append(
        Proposal(
            kind="playlist",
            title=clean(f'{len(tracks)} track{plural} {verb} the playlist "{name}"'),
            reason=clean(", ".join(names[track] for track in tracks[:3]))
            + (" …" if len(tracks) > 3 else ""),
            steps=(
                Step(
                    "library.playlist_add",
                    {"name": name, "tracks": [f"#{track}" for track in tracks]},
                ),
            ),
            details={
                "name": name,
                "appends": appends,
                "tracks": [{"id": track, "name": names[track]} for track in tracks],
            },
            tracks=tuple(tracks),
        )
    )
    return PlaylistProposed(name, len(tracks), appends)


def _title(row: Mapping[str, Any]) -> str:
    return clean(" - ".join(filter(None, (row["artist"], row["title"]))))


# ---------------------------------------------------------------------- grids


async def _grid_shift(bench: Workbench, params: GridShiftOf) -> GridShiftProposed:
    track = bench.check_track(params.track)
    shown = await bench.call("library.show", track=track)
    name, grid = clean(shown["name"]), shown["grid"]
    if grid is None:
        raise Refused(f'"{name}" has no grid', "analyse it, or set its tempo by hand")
    if grid["by_hand"]:
        raise Refused(f'the grid of "{name}" was set by hand', "correct it by hand")
    steps: dict[str, Any] = {"track": track}
    new_bpm, words = grid["bpm"], params.change.replace("_", " ")
    if params.change in _SHIFTS:
        steps["shift"] = _SHIFTS[params.change]
    elif params.change in _TEMPOS:
        steps["tempo"] = params.change
        new_bpm *= _TEMPOS[params.change]
    else:
        number = int(params.change.rpartition("_")[2])
        offered = shown.get("alternatives", [])
        if number > len(offered):
            raise Refused(
                f'the analysis of "{name}" has {len(offered)} alternatives', "shift the grid"
            )
        steps["take"] = number
        new_bpm = offered[number - 1]["bpm"]
        words = offered[number - 1]["change"].replace("_", " ")
    answer = GridShiftProposed(
        track, name, words, round(grid["bpm"], 3), round(new_bpm, 3), shown.get("confidence")
    )
    bench.proposals.append(
        Proposal(
            kind="grid",
            title=clean(f"Grid of {name}: {words}"),
            reason=f"{answer.bpm:g} to {answer.new_bpm:g} BPM"
            if answer.bpm != answer.new_bpm
            else f"the beats {words}, at {answer.bpm:g} BPM",
            steps=(Step("library.grid", steps),),
            details={
                "track": track,
                "name": name,
                "change": words,
                "bpm": answer.bpm,
                "new_bpm": answer.new_bpm,
            },
            tracks=(track,),
        )
    )
    return answer


PROPOSE_CUES = AgentTool(
    "propose_cues",
    "Propose hot cues on sections and where a voice comes in, on free numbers; a person applies.",
    CuesOf,
    CuesProposed,
    "propose",
    is_read_only=False,
    run=_cues,
)
PROPOSE_PLAYLIST = AgentTool(
    "propose_playlist",
    "Propose a playlist of tracks; a person applies it.",
    PlaylistOf,
    PlaylistProposed,
    "propose",
    is_read_only=False,
    run=_playlist,
)
PROPOSE_GRID_SHIFT = AgentTool(
    "propose_grid_shift",
    "Propose a correction of an analysed grid; a person applies it.",
    GridShiftOf,
    GridShiftProposed,
    "propose",
    is_read_only=False,
    run=_grid_shift,
)
