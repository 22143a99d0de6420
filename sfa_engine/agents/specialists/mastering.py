"""Mastering: what the meters say of a track, what platforms do to it, and the chain it needs."""

from __future__ import annotations

import re

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.specialists.subject import result, sentence, subject
from sfa_engine.agents.tools.loudness import (
    LOUDNESS_REPORT,
    LoudnessOf,
    LoudnessReport,
    Preset,
)
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.mix.mastering.report import CRUSHED_PLR_DB, SILENCE_LUFS
from sfa_engine.system.timecode import clock

_PRESETS: tuple[tuple[str, Preset], ...] = (
    (r"\bclubs?\b|\bdance ?floor", "club"),
    (r"\bbroadcast|\brundfunk|\bradio|\br ?128\b|\bfernseh|\btv\b", "broadcast"),
    (r"\bapple", "apple"),
    (r"\bdj\b|\bdecks?\b|\bas loud as\b", "dj"),
)
_PLATFORMS = ("Spotify", "YouTube", "Apple Music", "SoundCloud", "Tidal", "Deezer", "Amazon Music")


async def answer(context: Context, bench: Workbench) -> Result:
    """Answer how loud a track is, and how it would be mastered."""
    track = await subject(context, bench)
    preset = preset_of(context.instruction)
    report: LoudnessReport = await LOUDNESS_REPORT.use(bench, LoudnessOf(track, preset))
    if report.integrated_lufs <= SILENCE_LUFS:
        said = [f"{report.name} is silent: there is nothing to master."]
    else:
        said = [
            *_level_words(report),
            *_platform_words(report, context.instruction),
            _spectrum_words(report),
            _stereo_words(report),
            *map(sentence, report.remarks),
            *_chain_words(report),
        ]
    return result(
        "mastering",
        said,
        report,
        bench,
        evidence=_evidence(report),
        tracks=[track],
        questions=_questions(report),
    )


def preset_of(instruction: str) -> Preset:
    """Return the preset that an instruction asks for; streaming if it names none."""
    text = instruction.lower()
    return next((name for words, name in _PRESETS if re.search(words, text)), "streaming")


def _level_words(report: LoudnessReport) -> list[str]:
    said = [
        (
            f"{report.name}: {report.integrated_lufs:.1f} LUFS, short-term up to "
            f"{report.short_max_lufs:.1f} at {clock(report.loudest_s)}, a range of "
            f"{report.range_lu:.1f} LU, true peak {report.true_peak_dbtp:+.1f} dBTP."
        )
    ]
    if report.plr_db is not None and report.plr_db >= CRUSHED_PLR_DB:  # else it is a remark
        said.append(f"Peak less loudness is {report.plr_db:.1f} dB: not crushed.")
    said.append(
        f"It clips in {report.clipped_runs} places." if report.clipped_runs else "It clips nowhere."
    )
    return said


def _platform_words(report: LoudnessReport, instruction: str) -> list[str]:
    text = instruction.lower()
    named = [each for each in report.platforms if each.platform.lower() in text]
    shown = named or [each for each in report.platforms if each.platform in _PLATFORMS[:3]]
    said = [f"{each.platform}: {each.sentence}." for each in shown]
    if report.preset == "broadcast" and report.broadcast:
        said.append(f"Broadcast: {report.broadcast}.")
    return said


def _spectrum_words(report: LoudnessReport) -> str:
    parts = [f"{100 * share:.0f} % {band}" for band, share in report.shares.items()]
    slope = report.slope_db_per_octave
    ending = "" if slope is None else f"; {slope:+.1f} dB an octave"
    return f"Power: {', '.join(parts)}{ending}."


def _stereo_words(report: LoudnessReport) -> str:
    parts = []
    if report.correlation is not None:
        parts.append(f"correlation {report.correlation:.2f}")
    if report.low_correlation is not None:
        parts.append(f"{report.low_correlation:.2f} below 120 Hz")
    if report.mono_loss_lu is not None:
        parts.append(f"{report.mono_loss_lu:.1f} LU are lost in mono")
    return f"Stereo: {', '.join(parts)}." if parts else ""


def _chain_words(report: LoudnessReport) -> list[str]:
    if report.target_lufs is None:
        aim = f"as loud as it is, {report.ceiling_dbtp:g} dBTP"
    else:
        aim = f"{report.target_lufs:g} LUFS, {report.ceiling_dbtp:g} dBTP"
    if not report.chain:
        return [f"For {report.preset} ({aim}) it needs nothing."]
    steps = [
        f"{number}. {each.words}: {each.reason}." for number, each in enumerate(report.chain, 1)
    ]
    return [f"Chain for {report.preset} ({aim}):", *steps]


def _evidence(report: LoudnessReport) -> list[Evidence]:
    name, track = LOUDNESS_REPORT.name, report.track
    found = [
        Evidence(f"{report.integrated_lufs:.1f} LUFS", name, track),
        Evidence(f"true peak {report.true_peak_dbtp:+.1f} dBTP", name, track),
        Evidence(
            f"loudest three seconds: {report.short_max_lufs:.1f} LUFS",
            name,
            track,
            report.loudest_s,
        ),
    ]
    return found + [Evidence(f"{each.words}: {each.reason}", name, track) for each in report.chain]


def _questions(report: LoudnessReport) -> list[str]:
    other = "club" if report.preset != "club" else "streaming"
    return [f"Which chain would you use for {other} on track {report.track}?"]
