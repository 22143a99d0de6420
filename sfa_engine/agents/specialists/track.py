"""TrackAnalysis: what is known of a track, how sure it is, and what is doubtful."""

from __future__ import annotations

import re

from msgspec import Struct

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.specialists.subject import heading, listing, result, sentence, subject
from sfa_engine.agents.tools.facts import TRACK_FACTS, GridFacts, KnownTrack, TrackFactsOf
from sfa_engine.agents.tools.proposals import (
    PROPOSE_GRID_SHIFT,
    GridChangeName,
    GridShiftOf,
    GridShiftProposed,
)
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.errors import Refused
from sfa_engine.mix.facts import SURE
from sfa_engine.system.timecode import clock

SOURCE = TRACK_FACTS.name
_FIX = re.compile(
    r"\b(?:fix|correct (?=the|its|my|this)|shift|move|halve|double|repair"
    r"|korrigier|verschieb|halbier|verdoppel|behebe)",
    re.IGNORECASE,
)
# "The grid is half a beat late" asks for the same.
_WRONG = re.compile(
    r"\b(?:half|an?|one|two|einen|halben|zwei) (?:a |ganzen )?(?:beats?|schl[aä]ge?)"
    r" (?:too |zu )?(?:late|early|behind|ahead|off|sp[aä]t|fr[uü]h|daneben)\b"
    r"|\b(?:grid|beats|downbeats?|raster|taktraster)\b.*"
    r"\b(?:too|zu) (?:late|early|sp[aä]t|fr[uü]h)\b",
    re.IGNORECASE,
)
# Beats that are late have to come earlier.
_EARLIER = re.compile(
    r"\b(?:earlier|fr[uü]her|late|behind|zu sp[aä]t|schlag sp[aä]t|schl[aä]ge sp[aä]t)\b",
    re.IGNORECASE,
)
# What is asked for in words; the first that is said counts.
_CHANGES: tuple[tuple[str, GridChangeName, GridChangeName], ...] = (
    (r"\bdouble|\bverdoppel|\bdoppelte", "double", "double"),
    (r"\bhalve|\bhalbier|\bhalf the tempo|\bhalbes tempo", "halve", "halve"),
    (r"\bhalf a beat|\bhalben schlag", "half_beat_later", "half_beat_earlier"),
    (r"\btwo beats|\bzwei schl", "two_beats_later", "two_beats_later"),
    (r"\b(?:a|one) beat|\beinen (?:ganzen )?schlag", "beat_later", "beat_earlier"),
)


class TrackAnswer(Struct, frozen=True):
    """What is known of a track, and the correction of its grid that is proposed."""

    facts: KnownTrack
    correction: GridShiftProposed | None = None


async def answer(context: Context, bench: Workbench) -> Result:
    """Answer what a track is like."""
    track = await subject(context, bench)
    facts: KnownTrack = await TRACK_FACTS.use(bench, TrackFactsOf(track))
    correction, problem = None, ""
    if _FIX.search(context.instruction) or _WRONG.search(context.instruction):
        correction, problem = await _corrected(context.instruction, facts, bench)
    said = [
        heading(facts),
        _tag_words(facts),
        *_grid_words(facts),
        _key_words(facts),
        _level_words(facts),
        _section_words(facts),
        _stem_words(facts),
        *(f"Check: {flag}." for flag in facts.flags),
        f"Proposed: {correction.change} for the grid." if correction else "",
        f"No correction is proposed: {problem}." if problem else "",
    ]
    return result(
        "track",
        said,
        TrackAnswer(facts, correction),
        bench,
        evidence=_evidence(facts),
        tracks=[track],
        questions=_questions(facts),
    )


async def _corrected(
    instruction: str, facts: KnownTrack, bench: Workbench
) -> tuple[GridShiftProposed | None, str]:
    """Propose the correction that is asked for, or what the analysis offers; else say why not."""
    text = instruction.lower()
    is_earlier = bool(_EARLIER.search(text))
    change = next(
        (
            earlier if is_earlier else later
            for words, later, earlier in _CHANGES
            if re.search(words, text)
        ),
        None,
    )
    if change is None and facts.alternatives:
        change = "alternative_1"
    if change is None:
        return None, "the analysis knows no other reading of its beats"
    try:
        made: GridShiftProposed = await PROPOSE_GRID_SHIFT.use(bench, GridShiftOf(facts.id, change))
    except Refused as error:
        return None, error.message
    return made, ""


def _grid_words(facts: KnownTrack) -> list[str]:
    grid = facts.grid
    if grid is None:
        return []
    if grid.by_hand:
        said = ["The grid was set by hand."]
    elif grid.confidence is None:
        said = ["How sure the grid is is not known."]
    else:
        said = [f"The grid has a confidence of {grid.confidence:.2f}{_parts(grid)}."]
    said.append(
        f"Bars of {grid.beats_per_bar} beats begin at {clock(grid.first_downbeat_s, 2)}"
        + ("; the tempo changes." if facts.variable_tempo else ".")
    )
    if facts.alternatives and not grid.by_hand:
        others = [
            f"{each.change.replace('_', ' ')} ({each.bpm:.1f} BPM, score {each.score:.2f})"
            for each in facts.alternatives[:3]
        ]
        said.append(f"Its beats may also be read {listing(others, 'or')}.")
    return said


def _parts(grid: GridFacts) -> str:
    parts = (
        ("tempo", grid.tempo), ("phase", grid.phase), ("bar", grid.bar), ("octave", grid.octave),
    )  # fmt: skip
    known = [f"{name} {value:.2f}" for name, value in parts if value is not None]
    return f" ({', '.join(known)})" if known else ""


def _tag_words(facts: KnownTrack) -> str:
    parts = [
        facts.genre,
        str(facts.year or ""),
        f'from "{facts.album}"' if facts.album else "",
        f"{facts.rating} of 5 stars" if facts.rating else "",
        f"played {facts.plays} times" if facts.plays > 1 else "played once" if facts.plays else "",
        *(f"{each.name} {each.probability:.2f}" for each in facts.tags[:3]),
    ]
    return sentence(", ".join(filter(None, parts))) if any(parts) else ""


def _key_words(facts: KnownTrack) -> str:
    if not facts.neighbours:
        return ""
    return f"Its key mixes well with {listing(facts.neighbours[1:])}."


def _level_words(facts: KnownTrack) -> str:
    parts = []
    if facts.energy is not None:
        parts.append(f"energy {facts.energy:.2f} of 1")
    if facts.lufs is not None:
        parts.append(f"loudness {facts.lufs:.1f} LUFS")
    if facts.true_peak_dbtp is not None:
        parts.append(f"true peak {facts.true_peak_dbtp:+.1f} dBTP")
    return sentence(listing(parts)) if parts else ""


def _section_words(facts: KnownTrack) -> str:
    if not facts.sections:
        return ""
    parts = [f"{each.label} {clock(each.start_s)}" for each in facts.sections]
    return f"Sections: {', '.join(parts)}."


def _stem_words(facts: KnownTrack) -> str:
    return f"Stems: {', '.join(facts.stems)}." if facts.stems else "It has no stems."


def _evidence(facts: KnownTrack) -> list[Evidence]:
    found = []
    if facts.bpm is not None:
        sure = "" if facts.grid is None or facts.grid.confidence is None else (
            f", confidence {facts.grid.confidence:.2f}"
        )  # fmt: skip
        place_s = facts.grid.first_downbeat_s if facts.grid else None
        found.append(Evidence(f"{facts.bpm:.1f} BPM{sure}", SOURCE, facts.id, place_s))
    if facts.key is not None:
        found.append(Evidence(f"{facts.camelot}, {facts.key}", SOURCE, facts.id))
    found += [
        Evidence(f"{each.label} at {clock(each.start_s)}", SOURCE, facts.id, each.start_s)
        for each in facts.sections
    ]
    return found


def _questions(facts: KnownTrack) -> list[str]:
    asked = [f"What goes with track {facts.id}?", f"Set hot cues for track {facts.id}"]
    grid = facts.grid
    if grid and not grid.by_hand and grid.confidence is not None and grid.confidence < SURE:
        asked.insert(0, f"Fix the grid of track {facts.id}")
    return asked
