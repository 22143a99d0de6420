"""The tool that measures a track for mastering, and plans the chain that it needs."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from sfa_engine.agents.tools.answer import TrackNumber, fitted, rounded
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.agents.tools.waiting import MAX_MEASURING_S, ended
from sfa_engine.mix.mastering.text import BAND_WORDS, step_words

Preset = Literal["streaming", "apple", "club", "dj", "broadcast"]


class LoudnessOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `loudness_report` takes."""

    track: TrackNumber
    preset: Preset


class PlatformChange(Struct, frozen=True):
    """What a platform does to the level."""

    platform: str
    level_lufs: float
    change_db: float
    sentence: str


class ChainStep(Struct, frozen=True):
    """A step of the chain: what, and why."""

    kind: str
    words: str
    reason: str


class LoudnessReport(Struct, frozen=True):
    """What the meters say of a track, and the chain that would master it.

    Attributes
    ----------
    shares : dict of str to float
        Of the power, by band, 0..1.
    chain : tuple of ChainStep
        In order; empty: nothing is needed.
    remarks : tuple of str
    """

    track: int
    name: str
    preset: str
    integrated_lufs: float
    short_max_lufs: float
    loudest_s: float
    range_lu: float
    true_peak_dbtp: float
    plr_db: float | None
    psr_db: float | None
    shares: dict[str, float]
    slope_db_per_octave: float | None
    correlation: float | None
    low_correlation: float | None
    mono_loss_lu: float | None
    offset: float
    clipped_runs: int
    target_lufs: float | None
    ceiling_dbtp: float
    platforms: tuple[PlatformChange, ...]
    broadcast: str
    chain: tuple[ChainStep, ...]
    remarks: tuple[str, ...]
    left_out: int = 0


async def _report(bench: Workbench, params: LoudnessOf) -> LoudnessReport:
    track = bench.check_track(params.track)

    async def ask() -> dict[str, Any]:
        found: dict[str, Any] = await bench.call("prep.measure", track=track, preset=params.preset)
        return found

    measured = await ended(bench, ask, "measuring", MAX_MEASURING_S)
    shown = await bench.call("library.show", track=track)
    source, aim = measured["source"], measured["aim"]
    report = LoudnessReport(
        track=track,
        name=clean(shown["name"]),
        preset=params.preset,
        integrated_lufs=round(source["integrated_lufs"], 1),
        short_max_lufs=round(source["short_max_lufs"], 1),
        loudest_s=round(source["loudest_s"], 1),
        range_lu=round(source["range_lu"], 1),
        true_peak_dbtp=round(source["true_peak_dbtp"], 1),
        plr_db=rounded(source["plr_db"], 1),
        psr_db=rounded(source["psr_db"], 1),
        shares={BAND_WORDS[name]: round(share, 3) for name, share in source["shares"].items()},
        slope_db_per_octave=rounded(source["slope_db_per_octave"], 1),
        correlation=rounded(source["correlation"], 2),
        low_correlation=rounded(source["low_correlation"], 2),
        mono_loss_lu=rounded(source["mono_loss_lu"], 1),
        offset=round(max(abs(each) for each in source["dc"]), 5),
        clipped_runs=source["clipped_runs"],
        target_lufs=aim["target_lufs"],
        ceiling_dbtp=aim["ceiling_dbtp"],
        platforms=tuple(
            PlatformChange(
                each["platform"], each["level_lufs"], each["change_db"], each["sentence"]
            )
            for each in source["platforms"]
        ),
        broadcast=source["broadcast"] or "",
        chain=tuple(
            ChainStep(each["kind"], step_words(each), clean(each["reason"], 160))
            for each in measured["chain"]
        ),
        remarks=tuple(clean(each, 160) for each in source["remarks"]),
    )
    return fitted(report, "platforms", "remarks")


LOUDNESS_REPORT = AgentTool(
    "loudness_report",
    "Measure a track: loudness, peaks, spectrum, stereo; what platforms do; the chain it needs.",
    LoudnessOf,
    LoudnessReport,
    "propose",
    is_read_only=False,
    run=_report,
)
