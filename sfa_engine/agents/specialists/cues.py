"""CuePoint: which cues a track has, and hot cues for what has none; what is by hand stays."""

from __future__ import annotations

import re

from msgspec import Struct

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.specialists.subject import count, result, sentence, subject
from sfa_engine.agents.tools.facts import TRACK_FACTS, CueFacts, KnownTrack, TrackFactsOf
from sfa_engine.agents.tools.proposals import (
    KINDS,
    PROPOSE_CUES,
    CueKind,
    CuesOf,
    CuesProposed,
)
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.desk import HOT_CUES_IN_BANK
from sfa_engine.mix.vocabulary import NUMERALS
from sfa_engine.system.timecode import clock

DEFAULT_KINDS: tuple[CueKind, ...] = (
    "intro", "drop", "chorus", "outro", "break", "build", "vocals",
)  # fmt: skip
_KIND_WORDS: dict[str, CueKind] = {
    r"\bintros?\b|\bfirst downbeat|\bmix[- ]?in\b|\beinstieg": "intro",
    r"\bdrops?\b(?! (?:a|an|the|me|hot|marker|cue)\b)": "drop",
    r"\bchorus|\brefrains?\b": "chorus",
    r"\boutros?\b|\bmix[- ]?out\b|\bausstieg": "outro",
    r"\bbreak(?:s|down|downs)?\b": "break",
    r"\bvocals?\b|\bvoices?\b|\bsing|\bgesang|\bstimmen?\b": "vocals",
    r"\bbuild(?:s|[- ]?ups?)?\b|\baufbau": "build",
    r"\bverses?\b|\bstrophen?\b": "verse",
}
_LOOK = re.compile(
    r"\b(?:which|what) (?:hot ?)?cues?.*\b(?:have|has|there|already)"
    r"|\bwelche .*\b(?:hat|haben|gibt)|\bshow\b|\blist\b|\bzeig|\bname my\b|\bbenenne",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\b(\d{1,2}|[a-zäöü]+) (?:hot[- ]?|memory[- ]?)?cues?\b", re.IGNORECASE)


class CueAnswer(Struct, frozen=True):
    """The cues of a track, and those that are proposed; None: nothing was asked for."""

    track: int
    name: str
    cues: tuple[CueFacts, ...]
    proposed: CuesProposed | None = None


async def answer(context: Context, bench: Workbench) -> Result:
    """Answer which cues a track has, and propose those that are missing."""
    track = await subject(context, bench)
    facts: KnownTrack = await TRACK_FACTS.use(bench, TrackFactsOf(track))
    wanted = kinds_of(context.instruction)
    said = [_there_words(facts)]
    proposed: CuesProposed | None = None
    if not _LOOK.search(context.instruction):
        asked = CuesOf(track, list(wanted or DEFAULT_KINDS), _most(context.instruction))
        proposed = await PROPOSE_CUES.use(bench, asked)
        said += _proposed_words(facts, proposed, bool(wanted))
    evidence = [
        Evidence(f"{each.kind} {each.label}".strip(), TRACK_FACTS.name, track, each.position_s)
        for each in facts.cues
    ]
    evidence += [
        Evidence(f"{each.label}: hot cue {each.hot_cue} is free", PROPOSE_CUES.name, track,
                 each.position_s)
        for each in (proposed.cues if proposed else ())
    ]  # fmt: skip
    return result(
        "cues",
        said,
        CueAnswer(track, facts.name, facts.cues, proposed),
        bench,
        evidence=evidence,
        tracks=[track],
        questions=_questions(track, proposed),
    )


def kinds_of(instruction: str) -> tuple[CueKind, ...]:
    """Return the kinds of places that an instruction names, the most important first."""
    text = instruction.lower()
    named = {kind for words, kind in _KIND_WORDS.items() if re.search(words, text)}
    return tuple(kind for kind in KINDS if kind in named)


def _most(instruction: str) -> int:
    """Return how many cues are asked for; as many as there is room for if it is not said."""
    found = _NUMBER.search(instruction)
    if found is None:
        return HOT_CUES_IN_BANK
    word = found[1].lower()
    number = int(word) if word.isdigit() else _numeral(word)
    return number if 1 <= number <= HOT_CUES_IN_BANK else HOT_CUES_IN_BANK


def _numeral(word: str) -> int:
    return next((n for words, n in NUMERALS.items() if word in words.split(", ")), 0)


def _there_words(facts: KnownTrack) -> str:
    hot = [each for each in facts.cues if each.hot_cue is not None]
    if not hot:
        return f"{facts.name} has no hot cues."
    parts = [
        f"{each.hot_cue} {each.label or each.kind} {clock(each.position_s)}"
        + (" (by hand)" if each.by_hand else "")
        for each in sorted(hot, key=lambda each: each.hot_cue or 0)
    ]
    others = len(facts.cues) - len(hot)
    more = f" {count(others, 'more cue')} without a number." if others else ""
    return f"{facts.name} has {count(len(hot), 'hot cue')}: {', '.join(parts)}.{more}"


def _proposed_words(facts: KnownTrack, proposed: CuesProposed, is_named: bool) -> list[str]:
    if proposed.cues:
        parts = [f"{each.hot_cue} {each.label} {clock(each.position_s)}" for each in proposed.cues]
        return [f"Proposed: {', '.join(parts)}. Nothing by hand is changed."]
    if not facts.sections:
        return ["No cue is proposed: its sections are not known. Analyse it first."]
    if proposed.skipped:
        return ["No cue is proposed.", *map(sentence, proposed.skipped)]
    if is_named:
        return ["No cue is proposed: it has no such place."]
    return ["No cue is proposed: every section that matters has one."]


def _questions(track: int, proposed: CuesProposed | None) -> list[str]:
    if proposed is None:
        return [f"Set hot cues for track {track}"]
    return [f"Show me the sections of track {track}"]
