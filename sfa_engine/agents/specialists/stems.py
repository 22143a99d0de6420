"""StemIntelligence: how the stems of a track are, where nobody sings, and which loops there are."""

from __future__ import annotations

import re

from msgspec import Struct

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.specialists.subject import count, listing, result, sentence, subject
from sfa_engine.agents.tools.jobs import JOB_START, JobOf, JobStarted
from sfa_engine.agents.tools.stems import (
    CLEAN_DB,
    LOOPS,
    STEM_REPORT,
    LoopsFound,
    LoopsOf,
    StemReport,
    StemsOf,
)
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.system.timecode import clock

_LOOPS = re.compile(r"loops?\b|schleifen?\b", re.IGNORECASE)
_SEPARATE = re.compile(r"\b(?:isol|separat|trenn|extract|split)|a ?capp?ell?a", re.IGNORECASE)
# What a search for loops does not need: it would be looked for in names.
_ASKING = re.compile(
    r"^(?:please|bitte|can you|could you|find|search|give|get|show|such|suche|finde|gib|zeig|zeige"
    r"|me|mir|us|what are|which are|are there|is there|gibt es|welche|hier|the|die|any|some"
    r"|best|good|beste[nr]?|gute[nr]?|\s)+\b",
    re.IGNORECASE,
)
MAX_LISTED = 6


class StemAnswer(Struct, frozen=True):
    """The stems of a track, and the job that makes them if one was started."""

    report: StemReport
    job: JobStarted | None = None


async def answer(context: Context, bench: Workbench) -> Result:
    """Answer what the stems of a track are like, or which loops the library has."""
    if context.track is None and _LOOPS.search(context.instruction):
        return await _loops(context, bench)
    track = await subject(context, bench)
    report: StemReport = await STEM_REPORT.use(bench, StemsOf(track))
    job = None
    if (
        not report.stems
        and _SEPARATE.search(context.instruction)
        and JOB_START.scope in bench.scopes
    ):
        job = await JOB_START.use(bench, JobOf("separate", track, "streaming"))
    said = [*_stem_words(report), *_vocal_words(report), _loop_words(report)]
    if job is not None:
        said.append(f"Its separation is queued, in batch {job.batch}.")
    return result(
        "stems",
        said,
        StemAnswer(report, job),
        bench,
        evidence=_evidence(report),
        tracks=[track],
        questions=_questions(report),
    )


async def _loops(context: Context, bench: Workbench) -> Result:
    """Answer which loops of the library words ask for."""
    words = _ASKING.sub("", context.instruction).strip(" ?!.") or context.instruction
    found: LoopsFound = await LOOPS.use(bench, LoopsOf(words[:400]))
    said = [f"{count(len(found.loops), 'loop')}:" if found.loops else "No loop was found."]
    said += [
        f"{each.name or f'track {each.track}'}: {each.stem}, {each.beats} beats from "
        f"{clock(each.start_s)}, {each.bpm:.1f} BPM{f', {each.camelot}' if each.camelot else ''}; "
        f"{each.why}."
        for each in found.loops
    ]
    said += [sentence(note) for note in found.notes]
    if found.preparing:
        said.append(f"Without stems: {listing(found.preparing)}.")
    evidence = [
        Evidence(f"{each.stem}, {each.beats} beats", LOOPS.name, each.track, each.start_s)
        for each in found.loops
    ]
    return result(
        "stems",
        said,
        found,
        bench,
        evidence=evidence,
        tracks=[each.track for each in found.loops],
        questions=["What goes with the first one?"] if found.loops else (),
    )


def _stem_words(report: StemReport) -> list[str]:
    if not report.stems:
        return [f"{report.name} has no stems. `sfa separate` makes them."]
    said = [f"{report.name} has {count(len(report.stems), 'stem')}:"]
    for stem in report.stems:
        if stem.level_db is None or stem.active_pct is None:
            said.append(f"{stem.name}: its level is not known.")
            continue
        quiet = [each.section for each in stem.sections if each.active_pct < 10]
        rest = f"; rests in {listing(list(dict.fromkeys(quiet)))}" if quiet else ""
        said.append(
            f"{stem.name}: {stem.level_db:+.1f} dB against the mix, plays "
            f"{stem.active_pct:.0f} % of the time{rest}."
        )
    if any(stem.sketch for stem in report.stems):
        said.append("They are a quick sketch of low quality; separate it again for better ones.")
    if report.problem:
        said.append(f"Levels are missing: {report.problem}.")
    if report.null_db is not None:
        word = "as they should" if report.null_db <= CLEAN_DB else "which is audible"
        said.append(f"Their sum differs from the mix by {report.null_db:.0f} dBFS, {word}.")
    return said


def _vocal_words(report: StemReport) -> list[str]:
    if report.vocals is None:
        return ["Where a voice sings is not known: it takes a vocals stem and an analysis."]
    if not report.vocals:
        return ["Nobody sings."]
    spans = [f"{clock(each.start_s)} to {clock(each.end_s)}" for each in report.vocals]
    said = [f"A voice sings from {listing(spans[:MAX_LISTED])}{_more(spans)}."]
    gaps = [f"{clock(each.start_s)} to {clock(each.end_s)}" for each in report.without_vocals]
    if gaps:
        said.append(f"Longest without one: {listing(gaps[:3])}.")
    else:
        said.append("Nowhere is it silent for eight seconds.")
    return said


def _loop_words(report: StemReport) -> str:
    if not report.loops:
        return ""
    best = [f"{each.label or each.stem} from {clock(each.start_s)}" for each in report.loops]
    return f"Loops that go round: {', '.join(best[:MAX_LISTED])}{_more(best)}."


def _more(parts: list[str]) -> str:
    return f", and {len(parts) - MAX_LISTED} more" if len(parts) > MAX_LISTED else ""


def _evidence(report: StemReport) -> list[Evidence]:
    name, track = STEM_REPORT.name, report.track
    found = [
        Evidence(f"{each.name}: plays {each.active_pct:.0f} % of the time", name, track)
        for each in report.stems
        if each.active_pct is not None
    ]
    found += [
        Evidence(f"voice until {clock(each.end_s)}", name, track, each.start_s)
        for each in report.vocals or ()
    ]
    return found + [
        Evidence(f"loop of {each.stem}", name, track, each.start_s) for each in report.loops
    ]


def _questions(report: StemReport) -> list[str]:
    if not report.stems:
        return [f"Tell me about track {report.track}"]
    return [
        f"Put a cue where the vocals come in on track {report.track}",
        f"What goes with track {report.track}?",
    ]
