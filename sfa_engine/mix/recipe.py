"""Words to a recipe of a mix: ``warm up, dark techno 120 to 126, rising, no vocals``.

::

    text ─► tokens ─┬─ arc, length, stems, first and last track ─► Recipe
                    └─ all the rest ─► mix.words ─► Wanted: genres, tempo, keys, feeling, count

A recipe says which tracks are looked for, and what is done with them. Pure; English and German.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import get_args

from msgspec.structs import replace

from sfa_engine.errors import Refused
from sfa_engine.mix import vocabulary as v
from sfa_engine.mix import words
from sfa_engine.mix.arc import Arc
from sfa_engine.mix.phrases import Tokens, listed
from sfa_engine.mix.vocabulary import OPPOSITES
from sfa_engine.mix.wanted import Feel, Wanted

COUNT = 8  # tracks, if the words name no number
MAX_COUNT = 100
TRACKS_AN_HOUR = 16  # as `arc.WAVE_TRACKS` in 45 minutes
ANY = "duration:>0"  # each track that was imported
SOFT = 0.5  # weight of a feeling that follows from the kind of the set

ARC_WORDS: Mapping[Arc, str] = {
    "rising": (
        "rising, rise, ascending, increasing, climbing, building, building up, build up, "
        "builds up, steigend, ansteigend, aufsteigend, aufbauend"
    ),
    "falling": (
        "falling, fall, descending, decreasing, cooling down, winding down, wind down, coming "
        "down, calming down, fallend, absteigend, abfallend, ausklingend"
    ),
    "wave": (
        "wave, waves, in waves, ups and downs, up and down, wellen, in wellen, auf und ab, "
        "wellenförmig"
    ),
    "peak": "peak, peaking, with a peak, climax, with a climax, höhepunkt, mit höhepunkt",
    "steady": "steady, constant, constant energy, gleichmäßig, gleichbleibend, konstant",
}
# Kinds of sets: an arc if no other one is named, and less energy.
KINDS: Mapping[Arc, str] = {
    "rising": "warm up, warmup, warm up set, opening set, opener, aufwärmen, zum aufwärmen",
    "falling": (
        "closing set, closing, cool down, cooldown, after hours, afterhour, after hour, "
        "zum ausklang, ausklang"
    ),
}
NO_ARC = "peak time, peaktime, peak hour"  # a feeling, which `words` reads
STEM_NAMES: Mapping[str, str] = {
    "vocals": "vocals, vocal, voice, voices, singing, gesang, stimme, stimmen",
    "drums": "drums, drum, schlagzeug",
    "bass": "bass",
}
WITHOUT = "no, without, minus, ohne, kein, keine"
ONLY_BEFORE = "only, just, solo, nur"
ONLY_AFTER = "only, solo, alone, allein"
# Read here and by `words` too: such tracks are looked for first.
INSTRUMENTAL = "instrumental, instrumentals, instrumental only"
ACAPELLA = "acapella, acapellas, a cappella, acappella, a capella, a cappellas"
OVER = "over, on top of, über"
DRUMLESS = "drumless"
FIRST = (
    "starting with, start with, starts with, beginning with, begin with, begins with, opening "
    "with, open with, beginnend mit, anfangen mit"
)
LAST = "ending with, end with, ends with, finishing with, finish with, endend mit, enden mit"
HALF_HOUR = "half an hour, half hour, eine halbe stunde, halbe stunde"
HOUR_AND_HALF = "an hour and a half, anderthalb stunden, eineinhalb stunden"
ONE = "a, an, one, eine, einer"
HOURS = "hours, hour, hrs, hr, stunden, stunde"
OF_SET = "of, set, mix, long, lang"
FILLERS = (
    "mix, mixes, set, sets, dj set, setlist, set list, playlist, recipe, make, make me, create, "
    "plan, cook, build, build me, build a, put together, erstelle, mach, mach mir, baue"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a mix is to be made of.

    Parameters
    ----------
    wanted : Wanted
        The search for its tracks, without a limit.
    count : int
        How many.
    arc : str
    mute : tuple of str
        Stems that do not sound.
    only : tuple of str
        The only stems that sound; empty: all.
    first, last : str, optional
        Tracks that it begins and ends with, as they were typed.
    unknown : tuple of str
        Words that were not understood; those in ``wanted.text`` are looked for in names.
    """

    wanted: Wanted
    count: int = COUNT
    arc: Arc = "steady"
    mute: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None
    unknown: tuple[str, ...] = ()

    @property
    def wider(self) -> Wanted:
        """The search without what follows from other words: a track may be fit and not have it.

        One whose vocals are muted need not be instrumental; before it is separated nothing is
        known of them.
        """
        implied = {"calm"} if Feel("calm", SOFT) in self.wanted.feel else set()
        implied |= {"instrumental"} if "vocals" in self.mute else set()
        implied |= {"vocal"} if "vocals" in self.only else set()
        kept = tuple(feel for feel in self.wanted.feel if feel.name not in implied)
        wanted = replace(self.wanted, feel=kept)
        return Wanted(where=(ANY,)) if wanted == Wanted() else wanted

    @property
    def needs_stems(self) -> bool:
        """Whether its tracks have to be separated."""
        return bool(self.mute or self.only)

    def muted(self, stems: tuple[str, ...]) -> tuple[str, ...]:
        """Return which stems of a track do not sound."""
        return tuple(
            stem for stem in stems if stem in self.mute or (self.only and stem not in self.only)
        )


def read_recipe(text: str) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    text : str
        Up to `words.MAX_WORDS_TEXT` characters.

    Raises
    ------
    Refused
        It is empty, too long, asks for no music, or its parts exclude each other.
    """
    tokens = words.tokens_of(text, "recipe")
    if not len(tokens):
        raise Refused("the recipe is empty", 'write what you want, as "dark techno, rising"')
    return _Reader(tokens).read()


@dataclass
class _Reader:
    """Takes what is said of the mix from the tokens; the rest is a search."""

    tokens: Tokens
    rest: list[str] = field(default_factory=list)
    arcs: list[Arc] = field(default_factory=list)
    kinds: list[Arc] = field(default_factory=list)
    mute: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    minutes: float | None = None
    unknown: list[str] = field(default_factory=list)

    def read(self) -> Recipe:
        """Read everything."""
        rules = (self._ends, self._length, self._stems, self._arc, self._filler)
        at = 0
        while at < len(self.tokens):
            taken = 0
            if self.tokens.kind(at) in {"word", "number", "clock", "tonic"}:
                taken = next((taken for rule in rules if (taken := rule(at))), 0)
            if not taken:
                self.rest.append(self.tokens[at].text)
            at += taken or 1
        if len(set(self.arcs)) > 1:
            named = ", ".join(f'"{arc}"' for arc in dict.fromkeys(self.arcs))
            raise Refused(f"two arcs are named: {named}", "keep one")
        both = set(self.mute) & set(self.only)
        if both:
            stem = min(both)
            raise Refused(f"nothing but {stem}, and no {stem}", "keep one of them")
        reading = self._search()
        return Recipe(
            wanted=replace(self._felt(reading.wanted), limit=None),
            count=self._count(reading.wanted),
            arc=next(iter([*self.arcs, *self.kinds]), "steady"),
            mute=tuple(dict.fromkeys(self.mute)),
            only=tuple(dict.fromkeys(self.only)),
            first=self.ends.get("first"),
            last=self.ends.get("last"),
            unknown=(*self.unknown, *reading.unknown),
        )

    def _search(self) -> words.Reading:
        """Return what the rest is read as; a kind of set alone asks for calm music."""
        reading = words.read_any(" ".join(self.rest))
        if reading is not None:
            return reading
        if self.kinds:
            return words.Reading(Wanted())
        said = self.tokens.text(0, len(self.tokens))
        raise Refused(
            f'"{said:.60}" asks for nothing to play', "add a genre, a tempo, a feeling or a name"
        )

    def _felt(self, wanted: Wanted) -> Wanted:
        named = {each.name for each in wanted.feel}
        if not self.kinds or named & {"calm", OPPOSITES["calm"]}:
            return wanted
        return replace(wanted, feel=(*wanted.feel, Feel("calm", SOFT)))

    def _count(self, wanted: Wanted) -> int:
        count = wanted.limit or COUNT
        if wanted.limit is None and self.minutes is not None:
            count = max(1, round(self.minutes / 60 * TRACKS_AN_HOUR))
        if count > MAX_COUNT:
            raise Refused(f"{count} tracks are too many for a recipe", f"{MAX_COUNT} at most")
        return count

    # ------------------------------------------------------------------ rules: how many tokens?

    def _arc(self, at: int) -> int:
        """Take an arc, or the kind of a set; after "not" it is not understood."""
        if self.tokens.matched(NO_ARC, at):
            return 0
        if (negation := self.tokens.matched(v.NOT, at)) and (
            found := self.tokens.phrase(_arcs(), at + negation)
        ):
            self.unknown.append(self.tokens.text(at, at + negation + found[1]))
            return negation + found[1]
        if found := self.tokens.phrase(_kinds(), at):
            self.kinds.append(_as_arc(found[0]))
        elif found := self.tokens.phrase(_arcs(), at):
            self.arcs.append(_as_arc(found[0]))
        return found[1] if found else 0

    def _length(self, at: int) -> int:
        """Take the length of the set: "two hours", "90 minutes of"."""
        minutes, taken = self._minutes(at)
        if not taken:
            return 0
        if self.minutes not in {None, minutes}:
            raise Refused("two lengths are named", "keep one")
        self.minutes = minutes
        return taken

    def _minutes(self, at: int) -> tuple[float, int]:
        tokens = self.tokens
        if at and tokens.folded(at - 1) in _before_length():
            return 0.0, 0
        for phrase, minutes in ((HOUR_AND_HALF, 90.0), (HALF_HOUR, 30.0)):
            if taken := tokens.matched(phrase, at):
                return minutes, taken
        number = 1.0 if tokens.matched(ONE, at) else tokens.number(at)
        if not number or tokens.kind(at) == "clock":
            return 0.0, 0
        if taken := tokens.matched(HOURS, at + 1):
            return number * 60, 1 + taken
        taken = tokens.matched(v.MINUTES, at + 1)
        if taken and (of_set := tokens.matched(OF_SET, at + 1 + taken)):
            return number, 1 + taken + of_set
        return 0.0, 0

    def _stems(self, at: int) -> int:
        """Take what is said of stems; tracks with or without a voice are looked for too."""
        tokens = self.tokens
        if (taken := tokens.matched(ACAPELLA, at)) and tokens.matched(OVER, at + taken):
            raise Refused(
                "a plan has no a cappella over another track",
                "ask for acapella, or for instrumental tracks",
            )
        found = tokens.phrase(_stem_phrases(), at)
        if found is None:
            return 0
        what, _, stem = found[0].partition(" ")
        (self.mute if what == "mute" else self.only).append(stem)
        if stem == "vocals":
            self.rest.append("instrumental" if what == "mute" else "vocal")
        return found[1]

    def _ends(self, at: int) -> int:
        """Take the first and the last track."""
        for phrase, end in ((FIRST, "first"), (LAST, "last")):
            if taken := self.tokens.matched(phrase, at):
                if self.tokens.kind(at + taken) not in {"number", "hash", "quote"}:
                    said = self.tokens.text(at, at + taken)
                    raise Refused(f'"{said}" names no track', f"add its number: {said} 12")
                self.ends[end] = self.tokens[at + taken].text.strip('"„“”~')
                return taken + 1
        return 0

    def _filler(self, at: int) -> int:
        """Take words that every recipe may have: "make a mix"."""
        if self.tokens.matched(v.GOES_WITH, at):
            return 0
        return self.tokens.matched(FILLERS, at)


def _as_arc(name: str) -> Arc:
    return next(arc for arc in get_args(Arc) if arc == name)


@cache
def _arcs() -> Mapping[str, str]:
    return {each: arc for arc, spellings in ARC_WORDS.items() for each in listed(spellings)}


@cache
def _kinds() -> Mapping[str, str]:
    return {each: arc for arc, spellings in KINDS.items() for each in listed(spellings)}


@cache
def _before_length() -> frozenset[str]:
    """Return words before a time that is not the set's: "in the last 24 hours"."""
    return frozenset(["last", "past", "over", "under", "letzten", "vergangenen", "seit", "since"])


@cache
def _stem_phrases() -> Mapping[str, str]:
    """Return what phrases say of stems, as ``mute vocals`` and ``only drums``."""
    found = dict.fromkeys(listed(INSTRUMENTAL), "mute vocals")
    found |= dict.fromkeys(listed(ACAPELLA), "only vocals")
    found |= dict.fromkeys(listed(DRUMLESS), "mute drums")
    for stem, spellings in STEM_NAMES.items():
        for name in listed(spellings):
            found |= {f"{before} {name}": f"mute {stem}" for before in listed(WITHOUT)}
            found |= {f"{before} {name}": f"only {stem}" for before in listed(ONLY_BEFORE)}
            found |= {f"{name} {after}": f"only {stem}" for after in listed(ONLY_AFTER)}
    return found
