"""CuePoint: which cues tracks have, and hot cues for what has none; what is by hand stays."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.reference import names_a_track, names_several, referred
from sfa_engine.agents.specialists.subject import count, of_playlist, result, sentence, subject
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
from sfa_engine.errors import Locked, Refused
from sfa_engine.mix.vocabulary import NUMERALS
from sfa_engine.system.timecode import clock

MAX_TRACKS = 20  # of a question: each has a proposal of its own
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


class CuesAnswer(Struct, frozen=True):
    """The answers for several tracks; of those in `refused`, why there is none."""

    tracks: tuple[CueAnswer, ...]
    refused: dict[str, str]


async def answer(context: Context, bench: Workbench) -> Result:
    """Answer which cues a track has, and propose those that are missing; of several, each."""
    several = await _several(context, bench)
    if several:
        return await _of_several(several, context.instruction, bench)
    found = await _of(await subject(context, bench), context.instruction, bench)
    return result(
        "cues",
        found.said,
        found.answer,
        bench,
        evidence=found.evidence,
        tracks=[found.answer.track],
        questions=_questions(found.answer),
    )


class _OfTrack(Struct, frozen=True):
    """What is answered for a track."""

    answer: CueAnswer
    said: tuple[str, ...]
    evidence: tuple[Evidence, ...]


async def _of(track: int, instruction: str, bench: Workbench) -> _OfTrack:
    """Return what is answered for a track; cues are proposed on the workbench."""
    facts: KnownTrack = await TRACK_FACTS.use(bench, TrackFactsOf(track))
    wanted = kinds_of(instruction)
    said = [_there_words(facts)]
    proposed: CuesProposed | None = None
    if not _LOOK.search(instruction):
        asked = CuesOf(track, list(wanted or DEFAULT_KINDS), _most(instruction))
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
    answer = CueAnswer(track, facts.name, facts.cues, proposed)
    return _OfTrack(answer, tuple(said), tuple(evidence))


async def _several(context: Context, bench: Workbench) -> Sequence[int]:
    """Return the tracks if several are meant: a selection, "these", numbers, a playlist."""
    text = context.instruction
    if len(context.tracks) < 2:
        return await of_playlist(text, bench)
    named = referred(Context(text)).tracks
    if names_a_track(text) and not names_several(text) and len(named) < 2:
        return ()  # "this one", of a selection
    return [bench.check_track(track) for track in context.tracks]


async def _of_several(tracks: Sequence[int], instruction: str, bench: Workbench) -> Result:
    """Answer for each track, with a proposal of its own; one that fails leaves the others."""
    found: list[_OfTrack] = []
    refused: dict[str, str] = {}
    said: list[str] = []
    for track in tracks[:MAX_TRACKS]:
        try:
            found.append(await _of(track, instruction, bench))
            said += found[-1].said
        except Locked:
            raise
        except Refused as error:
            refused[str(track)] = error.message
            said.append(sentence(f"#{track}: {error.message}"))
    if not found:
        raise Refused(said[0].rstrip("."), "name other tracks")
    left = len(tracks) - MAX_TRACKS
    if left > 0:
        said.append(f"{count(left, 'more track')}: ask for them in another question.")
    return result(
        "cues",
        said,
        CuesAnswer(tuple(each.answer for each in found), refused),
        bench,
        evidence=[item for each in found for item in each.evidence],
        tracks=list(tracks[:MAX_TRACKS]),
        questions=_questions(found[0].answer),
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


def _questions(found: CueAnswer) -> list[str]:
    if found.proposed is None:
        return [f"Set hot cues for track {found.track}"]
    return [f"Show me the sections of track {found.track}"]
