"""Words to loops: ``4 drum loops of 8 beats and 2 bass loops of 16 around 126 in 8A``.

::

    text ─► tokens ─┬─ counts, stems, lengths before and behind "loops" ─► LoopsWanted
                    └─ all the rest ─► mix.words ─► Wanted: genres, tempo, keys, feeling

Pure; English and German.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from sfa_engine.desk.desk import PADS
from sfa_engine.errors import Refused
from sfa_engine.mix import vocabulary as v
from sfa_engine.mix import words
from sfa_engine.mix.phrases import Tokens, listed
from sfa_engine.mix.recipe import ANY, FILLERS, ONE, STEM_NAMES
from sfa_engine.mix.wanted import Wanted
from sfa_engine.track.media import WHOLE

COUNT = 4  # loops, if the words name no number
BEATS = 8.0  # of a loop, if they name no length
MAX_LOOPS = PADS  # of all kinds: a pad each
MAX_BEATS = 128  # of a loop; two minutes at 64 BPM

LOOP, LOOPS = "loop, schleife", "loops, schleifen"
BEATS_WORDS = "beats, beat, schläge, schlägen, schlag"
BARS_WORDS = "bars, bar, measures, measure, takte, takten, takt"
STEMS: Mapping[str, str] = {
    **STEM_NAMES,
    "drums": f"{STEM_NAMES['drums']}, percussion, perkussion",
    "other": "other, others, melody, melodies, synth, synths, chords, melodie, melodien, akkorde",
    "guitar": "guitar, guitars, gitarre, gitarren",
    "piano": "piano, klavier",
    WHOLE: "mix, full, full mix, whole, whole mix, ganze",
}
JOINTS = "and, und, plus, or, oder"
BEHIND = "of, with, von, mit, à, zu, je"
AFTER = "each, long, lang"  # behind a length
OWN_FILLERS = f"{FILLERS}, kit, kits, kit of, set of, pack, sample pack, zip, give me, gib mir"


class LoopsWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Loops of one kind.

    Parameters
    ----------
    stem : str
        A stem, or ``mix``: all of the track.
    length : float
    in_bars : bool
        Whether the length is in bars; else in beats.
    count : int
    """

    stem: str = WHOLE
    length: float = BEATS
    in_bars: bool = False
    count: int = COUNT

    def beats(self, per_bar: int) -> int:
        """Return the length in beats of a track with so many in a bar."""
        return int(self.length) * (per_bar if self.in_bars else 1)

    @property
    def name(self) -> str:
        """What they are, as ``drums, 8 beats``."""
        unit = "bar" if self.in_bars else "beat"
        return f"{self.stem}, {self.length:g} {unit}{'' if self.length == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class LoopSet:
    """What a set of loops is to be made of.

    Parameters
    ----------
    wanted : Wanted
        The search for its tracks, without a limit.
    loops : tuple of LoopsWanted
        At least one.
    unknown : tuple of str
        Words that were not understood; they are in ``wanted.text``.
    """

    wanted: Wanted
    loops: tuple[LoopsWanted, ...]
    unknown: tuple[str, ...] = ()

    @property
    def stems(self) -> tuple[str, ...]:
        """The separated stems that it needs."""
        return tuple(dict.fromkeys(each.stem for each in self.loops if each.stem != WHOLE))


def read_loops(text: str) -> LoopSet:
    """Read a set of loops in words.

    Parameters
    ----------
    text : str
        Up to `words.MAX_WORDS_TEXT` characters.

    Raises
    ------
    Refused
        It is empty, too long, asks for no loops or too many, or its parts exclude each other.
    """
    reader = _Reader(words.tokens_of(text, "request"))
    reader.read()
    if not reader.loops:
        raise Refused(
            "the words ask for no loops", 'write which, as "4 drum loops of 8 beats around 126"'
        )
    loops = _merged(reader.loops)
    total = sum(each.count for each in loops)
    if total > MAX_LOOPS:
        raise Refused(f"{total} loops are too many", f"a set has up to {MAX_LOOPS}, a pad each")
    reading = words.read_any(" ".join(reader.rest)) or words.Reading(Wanted(where=(ANY,)))
    return LoopSet(replace(reading.wanted, limit=None), loops, reading.unknown)


@dataclass
class _Reader:
    """Takes what is said of loops from the tokens; the rest is a search."""

    tokens: Tokens
    rest: list[str] = field(default_factory=list)
    loops: list[LoopsWanted] = field(default_factory=list)
    count_at: int | None = None  # in the rest, of a count with words behind it: "4 techno loops"

    def read(self) -> None:
        """Read everything."""
        at, is_begin = 0, True
        while at < len(self.tokens):
            filler = self._filler(at)
            taken = filler or self._loops(at)
            if not taken:
                if is_begin and self._count(at) is not None:
                    self.count_at = len(self.rest)
                elif self.tokens.kind(at) == "stop":
                    self.count_at = None
                self.rest.append(self.tokens[at].text)
            is_begin = bool(taken or self.tokens.matched(JOINTS, at)) or (
                self.tokens.kind(at) == "stop"
            )
            at += taken or 1

    def _count(self, at: int) -> float | None:
        """Return the number of loops at a place."""
        number = 1.0 if self.tokens.matched(ONE, at) else self.tokens.number(at)
        if number is None or self.tokens.kind(at) == "clock":
            return None
        return number if at == 0 or number <= MAX_LOOPS else None

    def _filler(self, at: int) -> int:
        if self.tokens.matched(v.GOES_WITH, at):
            return 0
        return self.tokens.matched(OWN_FILLERS, at)

    def _loops(self, at: int) -> int:
        """Take loops of one kind, or of several stems; return how many tokens."""
        end, said = at, _Said()
        while not (taken := self.tokens.matched(f"{LOOP}, {LOOPS}", end)):
            taken = self._part(end, said)
            if not taken:
                return 0
            end += taken
        if said.count is None and self.count_at is not None:
            said.count = Tokens(self.rest.pop(self.count_at)).number(0)
        if said.count is None and self.tokens.matched(LOOP, end):
            said.count = 1.0
        self.count_at = None
        end += taken
        while taken := self._behind(end, said):
            end += taken
        count = _whole(COUNT if said.count is None else said.count, MAX_LOOPS, "loops")
        length, in_bars = said.length or (BEATS, False)
        most = MAX_BEATS // 4 if in_bars else MAX_BEATS
        length = float(_whole(length, most, "bars" if in_bars else "beats"))
        for stem in said.stems or [WHOLE]:
            self.loops.append(LoopsWanted(stem, length, in_bars, count))
        return end - at

    def _part(self, at: int, said: _Said) -> int:
        """Take a count, a length or a stem before "loops"."""
        if taken := self._length(at, said, bare=False):
            return taken
        if said.count is None and (number := self._count(at)) is not None:
            said.count = number
            return 1
        joint = self.tokens.matched(JOINTS, at) if said.stems else 0
        found = self.tokens.phrase(_stems(), at + joint)
        if found is None or (said.stems and not joint):
            return 0
        said.stems.append(found[0])
        return joint + found[1]

    def _behind(self, at: int, said: _Said) -> int:
        """Take a length or stems behind "loops": "of 8 beats", "of drums", ", 4 bars"."""
        if self.tokens.kind(at) == "stop":
            taken = self._length(at + 1, said, bare=False)
            return taken and 1 + taken
        of = self.tokens.skip(BEHIND, at) - at
        if taken := self._length(at + of, said, bare=bool(of)):
            return of + taken
        found = None if said.stems else self.tokens.phrase(_stems(), at + of)
        if found is None:
            return 0
        said.stems.append(found[0])
        return of + found[1]

    def _length(self, at: int, said: _Said, *, bare: bool) -> int:
        """Take a length; without a unit only where it is `bare`: "loops of 16"."""
        number = 1.0 if self.tokens.matched(ONE, at) else self.tokens.number(at)
        if number is None or self.tokens.kind(at) == "clock" or said.length:
            return 0
        bars = self.tokens.matched(BARS_WORDS, at + 1)
        taken = bars or self.tokens.matched(BEATS_WORDS, at + 1)
        if not taken and (not bare or self.tokens.matched(v.BPM, at + 1)):
            return 0
        said.length = number, bool(bars)
        return self.tokens.skip(AFTER, at + 1 + taken) - at


@dataclass
class _Said:
    """What was said of one kind of loops so far."""

    stems: list[str] = field(default_factory=list)
    length: tuple[float, bool] | None = None  # in bars?
    count: float | None = None


def _whole(number: float, most: int, unit: str) -> int:
    if not 1 <= number <= most or number != int(number):
        raise Refused(f"{number:g} {unit}", f"give 1 to {most}")
    return int(number)


def _merged(loops: list[LoopsWanted]) -> tuple[LoopsWanted, ...]:
    """Return each kind once, with the sum of its counts."""
    counts: dict[LoopsWanted, int] = {}
    for each in loops:
        kind = replace(each, count=0)
        counts[kind] = counts.get(kind, 0) + each.count
    return tuple(replace(kind, count=count) for kind, count in counts.items())


@cache
def _stems() -> Mapping[str, str]:
    return {each: stem for stem, spellings in STEMS.items() for each in listed(spellings)}
