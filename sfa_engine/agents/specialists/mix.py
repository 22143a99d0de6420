"""MixPlanning: an order of tracks along an arc, transitions with their reasons, auditioned.

::

    two tracks ──────────────────► plan_transition ─┐
    tracks, a selection ─────────► plan_order ──────┼─► audition ─► proposed, if it has no veto
    a playlist of the library ───► plan_order ──────┤
    words ─► recipe ─► search ───► plan_order ──────┘
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Struct

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.reference import names_several
from sfa_engine.agents.specialists.subject import (
    count,
    listing,
    named,
    of_playlist,
    result,
    sentence,
    subject,
)
from sfa_engine.agents.tools.mixes import (
    AUDITION,
    MAX_RENDERED,
    MAX_TRACKS,
    PLAN_ORDER,
    PLAN_TRANSITION,
    Auditioned,
    AuditionOf,
    Draft,
    OrderOf,
    PlannedTransition,
    TransitionOf,
)
from sfa_engine.agents.tools.search import (
    COMPATIBLE_TRACKS,
    LIBRARY_SEARCH,
    Found,
    LibrarySearch,
    OneTrack,
)
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.errors import Refused
from sfa_engine.library.folding import fold
from sfa_engine.mix.arc import Arc
from sfa_engine.mix.recipe import ARC_WORDS, Recipe, read_recipe
from sfa_engine.mix.wanted import THIS, Wanted
from sfa_engine.system.timecode import clock

SHOWN = 12
MAX_CANDIDATES = 3  # plans of an answer, the first of which is rendered
MAX_TRIES = 6  # orders that are planned for them
OTHER_ARCS: tuple[Arc, ...] = ("rising", "wave", "peak", "falling", "steady")
_PAIR = re.compile(
    r"transition|[uü]e?berg[aä]ng|[uü]e?berblend|blend|crossfade|\bget from|komme ich|\bmix(?:e)? "
    r"\d|\b(?:from|von)\b.*\b(?:in)?(?:to|zu|nach|into)\b|ineinander|misch",
    re.IGNORECASE,
)
_SURE = re.compile(
    r"transition|[uü]e?berg[aä]ng|[uü]e?berblend|crossfade|\bget from|komme ich", re.IGNORECASE
)
_NEXT = re.compile(r"\b(?:the )?next\b|\bn[aä]chste[nrs]?\b", re.IGNORECASE)
_NAMES = re.compile(
    r"\b(?:from|von|between|zwischen|blend|blende|mix|mixe)\s+(.+?)\s+"
    r"(?:into|to|onto|zu|nach|auf|and|und|with|mit)\s+(.+?)\s*(?:ineinander.*)?[?.!]*$",
    re.IGNORECASE,
)
_NOUN = re.compile(r"^(?:the |den |dem )?(?:track|song|titel|number|nummer|lied)\s+", re.IGNORECASE)
_THIS = re.compile(r"^(?:the |dem |den )?(?:this|dies\w*|it)\b", re.IGNORECASE)
# Of a goal that is missed, what was measured.
_MEASURES = {
    "apart_ms": "beats {:.0f} ms apart",
    "bass_both_bars": "both basses for {:.1f} bars",
    "bass_neither_bars": "no bass for {:.1f} bars",
    "over_louder_db": "{:+.1f} dB against the louder track",
    "under_louder_db": "{:+.1f} dB against the louder track",
    "over_line_db": "{:+.1f} dB over the line from before to after",
    "added_step_lu": "a step of {:+.1f} LU",
    "voices_s": "two voices for {:.1f} s",
    "silence_s": "silence for {:.1f} s",
    "rate_pct": "a tempo changed by {:.1f} %",
    "off_border": "{:.0f} ends on no border of a phrase",
    "cut_s": "a vocal line cut by {:.1f} s",
    "clash_bars": "clashing keys for {:.1f} bars",
    "lost_s": "{:.1f} s lost before the outro",
    "intro_lost_s": "{:.1f} s of the intro lost",
}
_IN_ORDER = re.compile(
    r"\bin this order\b|\bkeep the order\b|\bin dieser reihenfolge\b|\bas they are\b", re.IGNORECASE
)
_LATE_PEAK = re.compile(
    r"\bpeaks? (?:late|at)|\bh[oö]hepunkt|\bclimax|\bpeak\b(?! (?:time|hour))", re.IGNORECASE
)
_RISES = re.compile(r"\bansteig|\bsteig|\brising|\bbuilds?\b", re.IGNORECASE)
# What is said of a mix and not of its music, which a recipe does not know.
_ASKING = re.compile(
    r"\b(?:please|bitte|can you|could you|i want|i need|ich will|ich m[oö]chte|ich brauche"
    r"|plan(?:e|en)?|make(?: me)?|mach(?:e|t)?(?: mir)?|build(?: me)?|bau(?:e)?(?: mir)?"
    r"|find(?:e|en)?|and|und|me|mir|transitions?|crossfades?|for tonight"
    r"|f[uü]r den abend|evening|mixe[ns]?|mit)\b|[?!.]",
    re.IGNORECASE,
)


class Candidate(Struct, frozen=True):
    """One of the plans to choose from; the first one is that of the answer.

    Attributes
    ----------
    plan : str
        Name of the draft, for `audition`.
    blends, transitions : int
    rate_pct : float
        Mean change of tempo at the transitions.
    """

    plan: str
    arc: str
    order: tuple[int, ...]
    blends: int
    transitions: int
    rate_pct: float
    length_s: float | None


class MixAnswer(Struct, frozen=True):
    """A plan, and what was measured of it.

    Attributes
    ----------
    words : str
        What tracks were searched for; empty where they were named.
    """

    kind: Literal["transition", "order"]
    candidates: tuple[Candidate, ...]
    draft: Draft
    audition: Auditioned | None
    words: str = ""


async def answer(context: Context, bench: Workbench) -> Result:
    """Answer with a plan of a mix or of a transition."""
    pair = await _pair(context, bench)
    words = ""
    notes: list[str] = []
    others: list[Draft] = []
    draft: Draft
    if pair is not None:
        draft = await PLAN_TRANSITION.use(bench, TransitionOf(*pair))
    else:
        tracks, order, words, notes = await _tracks(context, bench)
        if len(tracks) < 2:
            raise Refused("a mix takes two tracks or more", "name more, or use other words")
        draft = await PLAN_ORDER.use(bench, order)
        others = await _others(draft, order, context.instruction, bench)
    audition, problem = await _auditioned(bench, draft)
    numbers = [each.id for each in draft.tracks]
    said = [
        *(_transition_words(draft) if pair else _order_words(draft)),
        *_audition_words(audition, problem),
        *(f"Another plan: {_other_words(each, draft)}." for each in others),
        *map(sentence, (*draft.notes, *notes)),
    ]
    candidates = tuple(map(_candidate, (draft, *others)))
    return result(
        "mix",
        said,
        MixAnswer("transition" if pair else "order", candidates, draft, audition, words),
        bench,
        evidence=_evidence(draft, audition),
        tracks=numbers,
        questions=_questions(draft, is_pair=pair is not None),
        notes=notes,
    )


# ---------------------------------------------------------------------- plans to choose from


async def _others(draft: Draft, order: OrderOf, instruction: str, bench: Workbench) -> list[Draft]:
    """Return up to two plans of the same tracks in other orders; nothing is rendered of them.

    Along other arcs, if the instruction names none; then along the same arc, from other first
    tracks.
    """
    if order.keep_order or draft.problem or len(draft.tracks) < 3:
        return []
    asked: list[OrderOf] = []
    if arc_of(instruction) is None:
        asked += [msgspec.structs.replace(order, arc=arc) for arc in OTHER_ARCS if arc != draft.arc]
    if order.first is None:
        firsts = [each.id for each in draft.tracks if each.id != order.last][1:]
        asked += [msgspec.structs.replace(order, first=first) for first in firsts]
    found: list[Draft] = []
    orders = {_order_of(draft)}
    for each in asked[:MAX_TRIES]:
        other: Draft = await PLAN_ORDER.use(bench, each)
        if not other.problem and _order_of(other) not in orders:
            orders.add(_order_of(other))
            found.append(other)
        if len(found) == MAX_CANDIDATES - 1:
            break
    return found


def _order_of(draft: Draft) -> tuple[int, ...]:
    return tuple(each.id for each in draft.tracks)


def _candidate(draft: Draft) -> Candidate:
    rates = [each.rate_pct for each in draft.transitions]
    return Candidate(
        draft.plan,
        draft.arc,
        _order_of(draft),
        sum(each.kind == "blend" for each in draft.transitions),
        len(draft.transitions),
        round(sum(rates) / len(rates), 1) if rates else 0.0,
        draft.length_s,
    )


def _other_words(other: Draft, draft: Draft) -> str:
    """Return what is different in another plan."""
    one = _candidate(other)
    name = other.arc if other.arc != draft.arc else f"from {other.tracks[0].name} on"
    ends = f"{other.tracks[0].name} first, {other.tracks[-1].name} last"
    rates = f"tempos change by {one.rate_pct:.1f} % on average"
    return f"{name}, with {ends}; {one.blends} of {one.transitions} are blends, {rates}"


# ---------------------------------------------------------------------- which tracks


async def _pair(context: Context, bench: Workbench) -> tuple[int, int] | None:
    """Return the two tracks of a transition, if that is what is asked for."""
    if not _PAIR.search(context.instruction):
        return None
    if len(context.tracks) == 2:
        return context.tracks[0], context.tracks[1]
    if len(context.tracks) > 2 or names_several(context.instruction):
        return None
    if not _NEXT.search(context.instruction) or context.track is None:
        return await _named_pair(context, bench)
    track = await subject(context, bench)
    found: Found = await COMPATIBLE_TRACKS.use(bench, OneTrack(track, 1))
    if not found.tracks:
        raise Refused(f"nothing goes with track {track}", "name the next track")
    return track, found.tracks[0].id


async def _named_pair(context: Context, bench: Workbench) -> tuple[int, int] | None:
    """Return the two tracks that are named by their titles; None if no two are."""
    found = _NAMES.search(clean(context.instruction, 400))
    if found is None:
        return None
    pair = []
    for words in found.groups():
        number = _NOUN.sub("", words).strip(" #\"'")
        if number.isdigit():
            pair.append(bench.check_track(int(number)))
        elif _THIS.search(words):
            if context.track is None:
                raise Refused('it is not clear which track "this" is', "name it by its number")
            pair.append(bench.check_track(context.track))
        else:
            try:
                pair.append(await named(bench, number))
            except Refused:
                if _SURE.search(context.instruction):
                    raise
                return None  # "from dark to bright"
    return pair[0], pair[1]


async def _tracks(context: Context, bench: Workbench) -> tuple[list[int], OrderOf, str, list[str]]:
    """Return the tracks of a mix, what is asked of their order, the words, and notes."""
    text = context.instruction
    arc = arc_of(text)
    keeps = bool(_IN_ORDER.search(text))
    listed = list(context.tracks)
    if len(listed) < 2:
        listed = await of_playlist(text, bench)
    if len(listed) >= 2:
        notes = []
        if len(listed) > MAX_RENDERED + 1:
            notes.append(f"the first {MAX_RENDERED + 1} of {len(listed)} tracks are planned")
        part = listed[: MAX_RENDERED + 1]
        return part, OrderOf(part, arc or "steady", None, None, keeps), "", notes
    if names_several(text):
        raise Refused("it is not clear which tracks are meant", "name two of them or more")
    recipe = read_recipe(_recipe_text(text))
    words = search_of(recipe.wanted)
    this = None if context.track is None else bench.check_track(context.track)
    if THIS in recipe.wanted.tracks() and this is None:
        raise Refused('"this" names no track here', "give its number")
    wanted = min(recipe.count, MAX_RENDERED + 1)
    found: Found = await LIBRARY_SEARCH.use(
        bench, LibrarySearch(words, this, min(wanted, MAX_TRACKS))
    )
    numbers = [*(row.id for row in found.tracks), *found.others]
    notes = [*found.notes, *_recipe_notes(recipe, wanted)]
    first = await _end(bench, recipe.first, numbers)
    last = await _end(bench, recipe.last, numbers)
    order = OrderOf(numbers, arc or recipe.arc, first, last, keep_order=False)
    return numbers, order, words, notes


async def _end(bench: Workbench, name: str | None, numbers: list[int]) -> int | None:
    """Return the first or the last track by its name, and have it among the others."""
    if name is None:
        return None
    found = (await bench.call("library.search", words=name, limit=1))["tracks"]
    number = name.lstrip("#")
    if number.isdigit():
        found = (await bench.call("library.rows", tracks=[int(number)]))["tracks"]
    if not found:
        raise Refused(f'no track "{clean(name, 40)}"', "name it by its number")
    track = int(found[0]["id"])
    bench.tracks.add(track)
    if track not in numbers:
        numbers.append(track)
    return track


def arc_of(instruction: str) -> Arc | None:
    """Return the arc that an instruction names; None if it names none."""
    if _LATE_PEAK.search(instruction):
        return "peak"
    if _RISES.search(instruction):
        return "rising"
    text = f" {fold(instruction)} "
    for arc, spellings in ARC_WORDS.items():
        if arc != "peak" and any(f" {fold(each)} " in text for each in spellings.split(",")):
            return arc
    return None


def search_of(wanted: Wanted) -> str:
    """Return the words of a search; `read` reads the same search from them, but for weights."""
    parts = [*wanted.genres, *wanted.tags, *(each.name for each in wanted.feel), *wanted.where]
    if wanted.bpm is not None:
        low, high = wanted.bpm
        if low is not None and high is not None:
            parts.append(f"{low:g} to {high:g} bpm")
        else:
            parts.append(f"over {low:g} bpm" if high is None else f"under {high:g} bpm")
    parts += [f"goes with {wanted.goes_with}"] if wanted.goes_with else []
    parts += [f"like {wanted.like}"] if wanted.like else []
    parts += wanted.text
    return " ".join(parts) or "duration:>0"


def _recipe_text(text: str) -> str:
    return " ".join(_ASKING.sub(" ", clean(text, 900)).split()) or text


def _recipe_notes(recipe: Recipe, wanted: int) -> list[str]:
    unknown = [word for word in recipe.unknown if word not in recipe.wanted.text]
    notes = [f'"{clean(word, 40)}" was not understood' for word in unknown]
    if recipe.count > wanted:
        notes.append(f"{wanted} tracks are planned: more cannot be auditioned at once")
    if recipe.needs_stems:
        notes.append("no stem is muted in it: `sfa chef` makes a mix of stems")
    return notes


# ---------------------------------------------------------------------- audition and words


async def _auditioned(bench: Workbench, draft: Draft) -> tuple[Auditioned | None, str]:
    """Audition a plan, and propose it if nothing is against it; else say why not."""
    if draft.problem:
        return None, draft.problem
    try:
        found: Auditioned = await AUDITION.use(bench, AuditionOf(draft.plan, None, True, None))
    except Refused as error:
        return None, f"{error.message} ({error.hint})" if error.hint else error.message
    return found, ""


def _order_words(draft: Draft) -> list[str]:
    length = "" if draft.length_s is None else f", {clock(draft.length_s, 0)}"
    said = [f"{count(len(draft.tracks), 'track')} in a {draft.arc} order{length}:"]
    for track in draft.tracks[:SHOWN]:
        parts = [f"{track.bpm:.1f} BPM" if track.bpm is not None else "", track.camelot or ""]
        at = "" if track.start_s is None else f"{clock(track.start_s, 0)} "
        said.append(f"{track.place}. {at}{track.name} ({', '.join(filter(None, parts))})")
    if len(draft.tracks) > SHOWN:
        said.append(f"… and {len(draft.tracks) - SHOWN} more.")
    blends = [each for each in draft.transitions if each.kind == "blend"]
    others = [each for each in draft.transitions if each.kind != "blend"]
    verb = "is a blend" if len(blends) == 1 else "are blends"
    said.append(f"{len(blends)} of {count(len(draft.transitions), 'transition')} {verb}.")
    said += [f"{each.number} to {each.number + 1}: {_other(each)}." for each in others[:SHOWN]]
    return said


def _transition_words(draft: Draft) -> list[str]:
    if not draft.transitions or len(draft.tracks) < 2:
        return [f"{draft.tracks[0].name} has no other track to go to."] if draft.tracks else []
    (each,) = draft.transitions
    out, into = draft.tracks
    what = f"a blend of {count(each.bars, 'bar')}" if each.kind == "blend" else _other(each)
    rate = f" The tempo is changed by {each.rate_pct:.1f} % at most." if each.rate_pct else ""
    at = "" if each.start_s is None else f", from {clock(each.start_s)} of the first on"
    return [
        f"From {out.name} into {into.name}: {what}{at}.{rate}",
        *(f"{why}." for why in each.why),
    ]


def _other(each: PlannedTransition) -> str:
    return f"a {each.kind}, for {each.fallback}" if each.fallback else f"a {each.kind}"


def _audition_words(found: Auditioned | None, problem: str) -> list[str]:
    if found is None:
        return [f"It is not proposed: {problem}."]
    met = sum(each.met for each in found.transitions)
    missed = [
        f"{_MEASURES.get(measure.name, measure.name).format(measure.value)} in transition "
        f"{each.transition} (goal {measure.goal})"
        for each in found.transitions
        for measure in each.missed
        if measure.value is not None
    ]
    said = [
        f"Rendered and measured: {count(met, 'goal')} met"
        + (f", missed: {listing(missed[:6])}." if missed else ", none missed.")
    ]
    if found.vetoes:
        return [*said, f"It is not proposed: {listing(found.vetoes[:4])}."]
    return [*said, "Proposed: listen to it, then apply it."]


def _evidence(draft: Draft, audition: Auditioned | None) -> list[Evidence]:
    tool = PLAN_ORDER.name if len(draft.tracks) > 2 else PLAN_TRANSITION.name
    found = [
        Evidence(f"{each.name} at place {each.place}", tool, each.id, None) for each in draft.tracks
    ]
    found += [
        Evidence(f"{each.kind}: {why}", tool, each.into)
        for each in draft.transitions
        for why in (each.why or ((each.fallback,) if each.fallback else ()))
    ]
    if audition is not None:
        found += [
            Evidence(f"{each.met} goals met, {len(each.missed)} missed", AUDITION.name)
            for each in audition.transitions
        ]
    return found


def _questions(draft: Draft, *, is_pair: bool) -> list[str]:
    numbers = [each.id for each in draft.tracks]
    if is_pair and len(numbers) == 2:
        return [f"What goes with track {numbers[1]}?", f"Show me the sections of {numbers[1]}"]
    other = "wave" if draft.arc != "wave" else "rising"
    return [f"Plan a mix of these tracks, {other}", f"What goes with track {numbers[-1]}?"]
