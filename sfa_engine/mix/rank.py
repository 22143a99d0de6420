"""Hits of a search in their order, each with its reasons.

A search has parts. Each part gives every track a score from 0 to 1, and may exclude it; a hit's
score is the weighted mean. Words of feeling are percentiles in the library, so "dark" is dark for
this library, whatever it holds::

    126.0 BPM · 8A beside 9A · darker than 78 % of your library

Pure: a `Shelf` in, rows and sentences out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import Refused
from sfa_engine.mix.shelf import Shelf, blend, percentiles
from sfa_engine.mix.similarity import most_alike
from sfa_engine.mix.sound import Floats, Indices
from sfa_engine.mix.vocabulary import COMPARATIVES, FEELS, OPPOSITES
from sfa_engine.mix.wanted import RATE, Feel, Wanted
from sfa_engine.track.key import distance

Mask = NDArray[np.bool_]
Reason = Callable[[int], list[str]]

OCTAVE = 0.7  # of the score, at half and double the tempo
ENERGY = 0.2  # distance of energies that go together
# What counts among tracks that can be mixed; the score of a neighbour on the wheel beside the same
# key, and of what is not known.
FIT = {"tempo": 0.35, "key": 0.3, "energy": 0.15, "sound": 0.2}
NEIGHBOUR, UNKNOWN = 0.9, 0.5
CLOSE = 0.75  # of a likeness that is a reason
SAME_RATE = 0.0005  # change that is said to be none
SAME_ENERGY = 0.05
IN_NAME = 0.8  # score of a genre that a name has
# A track has a tag that is likely, or that is likelier than in most of the library: "house" is
# rarely more likely than 0.25 where it is right.
LIKELY, POSSIBLE, RARE = 0.5, 0.15, 0.8
# Mean percentile of a hit where nothing else is asked for: with less it is rather the opposite. Of
# dark trance all trance is listed, the darkest first, though all of it may be bright.
LEAST = 0.5
WEIGHTS = {"goes_with": 2.0, "like": 2.0, "bpm": 1.0, "genre": 1.0, "tag": 1.0}


@dataclass(frozen=True)
class Named:
    """A track that a search names: its row on the shelf, and its name."""

    row: int
    name: str


@dataclass(frozen=True)
class GenreHits:
    """Where a genre was found, or a tag.

    Parameters
    ----------
    genre, name : bool[n]
        Whether the genre of each track has it; whether its title, artist or album has.
    tags : float64[n], optional
        Probability of the tag of the same name; NaN where the track has no tags.
    """

    genre: Mask
    name: Mask
    tags: Floats | None = None


@dataclass(frozen=True)
class Hits:
    """The result.

    Parameters
    ----------
    rows : int64[hits]
        Of the shelf, best first.
    scores : float64[hits]
    reasons : callable
        Returns the reasons of a row.
    notes : tuple of str
        What a part could not do.
    """

    rows: Indices
    scores: Floats
    reasons: Callable[[int], list[str]]
    notes: tuple[str, ...] = ()


@dataclass
class _Parts:
    """What is collected while the parts of a search are judged."""

    keep: Mask
    total: Floats
    weight: float = 0.0
    shares: Floats | float = 0.0
    shares_weight: float = 0.0
    reasons: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        weight: float,
        score: Floats,
        reason: Reason,
        keep: Mask | None = None,
        *,
        is_share: bool = False,
    ) -> None:
        """Add a part, perhaps a percentile; a track of unknown score is no hit."""
        known = ~np.isnan(score)
        self.keep &= known if keep is None else known & keep
        weighted = weight * np.where(known, score, 0.0)
        self.total += weighted
        self.weight += weight
        if is_share:
            self.shares = self.shares + weighted
            self.shares_weight += weight
        self.reasons.append(reason)


def rank(
    shelf: Shelf,
    wanted: Wanted,
    *,
    visible: Mask,
    candidates: Mask | None = None,
    named: Mapping[str, Named] | None = None,
    genres: Mapping[str, GenreHits] | None = None,
    tags: Mapping[str, GenreHits] | None = None,
    first: Mask | None = None,
    order: Indices | None = None,
) -> Hits:
    """Rank the tracks of a shelf.

    Parameters
    ----------
    shelf : Shelf
    wanted : Wanted
    visible : bool[n]
        The library as the sender sees it: what percentiles are of.
    candidates : bool[n], optional
        What the hard parts, found in the database, have left; None: there are none.
    named : mapping of str to Named, optional
        The tracks of ``wanted.tracks()``.
    genres : mapping of str to GenreHits, optional
        Of ``wanted.genres``; one that is not there is not asked for.
    tags : mapping of str to GenreHits, optional
        Of ``wanted.tags``, likewise.
    first : bool[n], optional
        Tracks whose name has all the words: they are hits whatever the parts say, and come first.
    order : int64[m], optional
        Numbers of tracks in an order to list hits in, instead of by score; hits are among them, or
        `first`.

    Raises
    ------
    Refused
        A named track has no tempo, or its sound is not described.
    """
    count = len(shelf.ids)
    everywhere = np.ones(count, bool)
    hard = everywhere if candidates is None else candidates
    parts = _Parts(visible & hard, np.zeros(count))
    named = named or {}
    if wanted.bpm is not None:
        _tempo(shelf, parts, *wanted.bpm, is_said=not (wanted.goes_with or wanted.like))
    if wanted.goes_with is not None:
        _goes_with(shelf, parts, named[wanted.goes_with], visible)
    if wanted.like is not None:
        _like(shelf, parts, named[wanted.like], visible)
    if genres:
        _genres(parts, genres, visible)
    for name, found in (tags or {}).items():
        _tag(parts, name, found, visible)
    for feel in wanted.feel:
        _feel(shelf, parts, feel, named.get(feel.than or ""), visible)
    scores = parts.total / parts.weight if parts.weight else np.ones(count)
    keep = parts.keep
    if not (wanted.bpm or wanted.goes_with or genres or tags or candidates is not None):
        keep = keep & (parts.shares >= LEAST * parts.shares_weight)
        keep &= parts.weight > 0.0  # all that was asked for was left out
    top = ~everywhere if first is None else first & visible
    rows = np.flatnonzero(keep | top)
    rank_of = -scores
    if order is not None:
        rank_of = np.full(count, np.inf)
        rank_of[shelf.rows(order)] = np.arange(len(shelf.rows(order)))
    rows = rows[np.lexsort((shelf.ids[rows], rank_of[rows], ~top[rows]))]

    def reasons(row: int) -> list[str]:
        found = ["has the words in its name"] if top[row] else []
        if parts.keep[row]:
            found += (said for reason in parts.reasons for said in reason(row) if said)
        return found

    return Hits(rows, scores[rows], reasons, tuple(parts.notes))


def _tempo(
    shelf: Shelf, parts: _Parts, low: float | None, high: float | None, *, is_said: bool
) -> None:
    bpm = shelf.numbers["bpm"]
    score = np.full(len(bpm), np.nan)
    with np.errstate(invalid="ignore"):
        if low is None or high is None:
            inside = (bpm >= (low or 0.0)) & (bpm <= (high or np.inf))
            score[inside] = 1.0
        else:
            middle, half = (low + high) / 2, max((high - low) / 2, 1e-6)
            for factor, worth in ((0.5, OCTAVE), (2.0, OCTAVE), (1.0, 1.0)):
                counted = bpm * factor
                inside = (counted >= low - 1e-6) & (counted <= high + 1e-6)
                near = 1.0 - 0.1 * np.abs(counted - middle) / half
                score[inside] = worth * near[inside]

    def reason(row: int) -> list[str]:
        if not is_said:
            return []
        value = float(bpm[row])
        said = f"{value:.1f} BPM"
        if low is None or high is None or low - 1e-6 <= value <= high + 1e-6:
            return [said]
        return [f"{said}, {'half' if value < low else 'double'} the tempo"]

    parts.add(WEIGHTS["bpm"], score, reason)


def wheel_steps(shelf: Shelf, row: int) -> Floats:
    """Return the steps on the Camelot wheel from a track to each: float64[n], NaN if unknown."""
    wheel, minor = shelf.numbers["wheel"], shelf.numbers["minor"]
    apart = np.abs(wheel - wheel[row])
    steps: Floats = np.minimum(apart, 12 - apart) + np.abs(minor - minor[row])
    return steps


def code_of(shelf: Shelf, row: int) -> str:
    """Return the Camelot code of a track; empty if its key is not known."""
    number = shelf.numbers["wheel"][row]
    letter = "A" if shelf.numbers["minor"][row] else "B"
    return "" if np.isnan(number) else f"{number:.0f}{letter}"


def _beside(shelf: Shelf, row: int, other: int) -> str:
    """Return how two keys stand to each other; empty if one is not known."""
    code, theirs = code_of(shelf, row), code_of(shelf, other)
    if not code or not theirs:
        return ""
    if code == theirs:
        return f"{code} like it"
    steps = distance(code, theirs)
    return f"{code} beside {theirs}" if steps <= 1 else f"{code}, {steps} steps from {theirs}"


def _rates(shelf: Shelf, other: int) -> tuple[Floats, Floats]:
    """Return the change of rate that brings each track to another's tempo, and the tempo's factor.

    float64[n] each: the change as a share, 0.02 is faster by 2 %; 2 or 0.5 where the tempo counts
    double or half, else 1.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = shelf.numbers["bpm"][other] / shelf.numbers["bpm"]
        factor = np.ones(len(ratio))
        factor[ratio > np.sqrt(2.0)] = 2.0
        factor[ratio < np.sqrt(0.5)] = 0.5
    return ratio / factor - 1.0, factor


def _goes_with(shelf: Shelf, parts: _Parts, other: Named, visible: Mask) -> None:
    if np.isnan(shelf.numbers["bpm"][other.row]):
        raise Refused(f'"{other.name}" has no tempo', "analyse it, or set its grid")
    change, factor = _rates(shelf, other.row)
    steps = wheel_steps(shelf, other.row)
    energy = np.abs(shelf.numbers["energy"] - shelf.numbers["energy"][other.row])
    with np.errstate(invalid="ignore"):
        keep = np.abs(change) <= RATE
        keep &= np.isnan(steps) | (steps <= 1)
        keep &= np.isnan(energy) | (energy <= ENERGY)
        tempo = np.where(factor == 1.0, 1.0, OCTAVE) * (1.0 - 0.5 * np.abs(change) / RATE)
    keep[other.row] = False
    alike = _shares(shelf, other.row, visible)
    score = (
        FIT["tempo"] * tempo
        + FIT["key"] * np.where(np.isnan(steps), UNKNOWN, 1.0 - (1.0 - NEIGHBOUR) * steps)
        + FIT["energy"] * np.where(np.isnan(energy), UNKNOWN, 1.0 - 0.5 * energy / ENERGY)
        + FIT["sound"] * np.where(np.isnan(alike), UNKNOWN, alike)
    )

    def reason(row: int) -> list[str]:
        bpm = shelf.numbers["bpm"][row]
        is_same = abs(change[row]) < SAME_RATE
        shift = "as fast" if is_same else f"{change[row] * 100:+.1f} %"
        shift += {1.0: "", 2.0: " at double", 0.5: " at half"}[float(factor[row])]
        said = [f"{bpm:.1f} BPM ({shift})", _beside(shelf, row, other.row)]
        if not np.isnan(energy[row]):
            said.append(
                "as energetic" if energy[row] < SAME_ENERGY else _more_energy(shelf, row, other.row)
            )
        if not np.isnan(alike[row]) and alike[row] >= CLOSE:
            said.append(f"sounds closer than {_percent(alike[row])} of your library")
        return said

    parts.add(WEIGHTS["goes_with"], np.where(np.isnan(change), np.nan, score), reason, keep)


def _more_energy(shelf: Shelf, row: int, other: int) -> str:
    more = shelf.numbers["energy"][row] - shelf.numbers["energy"][other]
    return f"energy {more:+.2f}"


def _shares(shelf: Shelf, row: int, visible: Mask) -> Floats:
    """Return how many tracks each is closer than to one, as a share: float64[n]; NaN if unknown."""
    if not shelf.described[row]:
        return np.full(len(shelf.ids), np.nan)
    among = visible.copy()
    among[row] = False
    return percentiles(shelf.likeness(row), among)


def _like(shelf: Shelf, parts: _Parts, other: Named, visible: Mask) -> None:
    if not shelf.described[other.row]:
        raise Refused(f'"{other.name}" is not analysed', "prepare it, then search again")
    alike = _shares(shelf, other.row, visible)
    others = np.ones(len(alike), bool)
    others[other.row] = False
    change, factor = _rates(shelf, other.row)

    def reason(row: int) -> list[str]:
        group = most_alike(shelf.vector(row), shelf.vector(other.row))
        said = [f"sounds closer than {_percent(alike[row])} of your library, most in {group}"]
        bpm = shelf.numbers["bpm"][row]
        if not np.isnan(bpm):
            is_near = abs(change[row]) <= RATE
            at = {1.0: "", 2.0: " at double", 0.5: " at half"}[float(factor[row])]
            said.append(
                f"{bpm:.1f} BPM" + (f" ({change[row] * 100:+.1f} %{at})" if is_near else "")
            )
        said.append(_beside(shelf, row, other.row))
        return said

    parts.add(WEIGHTS["like"], alike, reason, others)


def tag_scores(tags: Floats, visible: Mask) -> Floats:
    """Return the score of the tracks that have a tag, 0.5 to 1 by their rank: float64[n].

    NaN: it is not there.

    Parameters
    ----------
    tags : float64[n]
        Its probability; NaN is not known.
    visible : bool[n]
        The library that ranks are of.
    """
    share = percentiles(tags, visible)
    with np.errstate(invalid="ignore"):
        has = (tags >= LIKELY) | ((tags >= POSSIBLE) & (share >= RARE))
    return np.where(has, 0.5 + 0.5 * share, np.nan)


def count_tagged(tags: Floats, visible: Mask) -> int:
    """Return how many tracks `tag_scores` gives a score, by one sort and without their ranks.

    Parameters
    ----------
    tags, visible : float64[n], bool[n]
        As there.
    """
    ordered = np.sort(tags[visible & ~np.isnan(tags)])
    count = len(ordered)
    if not count:
        return 0
    # Ties have one percentile, the middle of their places; it rises with the value.
    value = ordered[min(count - 1, int(RARE * count))]
    first, end = (int(np.searchsorted(ordered, value, side)) for side in ("left", "right"))
    rare = first if (first + end) / (2.0 * count) >= RARE else end
    possible, likely = (int(np.searchsorted(ordered, each)) for each in (POSSIBLE, LIKELY))
    return count - min(likely, max(possible, rare))


def _genres(parts: _Parts, genres: Mapping[str, GenreHits], visible: Mask) -> None:
    """Add genres: a hit has one of them at least, and the more the better."""
    total = np.zeros(len(parts.keep))
    reasons = []
    for name, hits in genres.items():
        score, reason = _genre(name, hits, visible)
        total += score
        reasons.append(reason)
    mean = np.where(total > 0.0, total / len(genres), np.nan)
    parts.add(WEIGHTS["genre"], mean, lambda row: [said for each in reasons for said in each(row)])


def _tag(parts: _Parts, name: str, hits: GenreHits, visible: Mask) -> None:
    score, reason = _genre(name, hits, visible)
    parts.add(WEIGHTS["tag"], np.where(score > 0.0, score, np.nan), reason)


def _genre(name: str, hits: GenreHits, visible: Mask) -> tuple[Floats, Reason]:
    """Return how much of a genre or a tag each track is, 0..1, and the reason."""
    tags = hits.tags if hits.tags is not None else np.full(len(hits.genre), np.nan)
    by_tag = tag_scores(tags, visible)
    tagged = ~np.isnan(by_tag)
    score = np.where(hits.genre, 1.0, np.where(tagged, by_tag, np.where(hits.name, IN_NAME, 0.0)))

    def reason(row: int) -> list[str]:
        if tagged[row]:
            return [f"{name} {tags[row]:.2f}".replace(" 0.", " .")]
        if hits.genre[row]:
            return [f"genre {name}"]
        return [f'"{name}" in its name'] if hits.name[row] else []

    return score, reason


def _feel(shelf: Shelf, parts: _Parts, feel: Feel, than: Named | None, visible: Mask) -> None:
    blended = blend(shelf, FEELS[feel.name], visible)
    if np.isnan(blended[visible]).all():
        needs = "a vocals stem or tags" if "vocals" in FEELS[feel.name] else "an analysis or tags"
        parts.notes.append(f'"{feel.name}" was left out: no track has {needs} to tell by')
        return
    # A mean of percentiles is none itself: it gathers around the middle.
    share = blended if len(FEELS[feel.name]) == 1 else percentiles(blended, visible)
    keep = None
    if than is not None:
        if np.isnan(blended[than.row]):
            raise Refused(
                f'nothing is known of how {feel.name} "{than.name}" is', "analyse it first"
            )
        with np.errstate(invalid="ignore"):
            keep = blended > blended[than.row]
        share = np.where(keep, np.maximum(share, LEAST), share)
    comparative, opposite = COMPARATIVES[feel.name], COMPARATIVES[OPPOSITES[feel.name]]

    def reason(row: int) -> list[str]:
        if than is not None:
            return [f'{comparative} than "{than.name}"']
        if share[row] < LEAST:  # a hit by its other parts
            return [f"{opposite} than {_percent(1.0 - share[row])} of your library"]
        return [f"{comparative} than {_percent(share[row])} of your library"]

    parts.add(feel.weight, share, reason, keep, is_share=True)


def _percent(share: float) -> str:
    return f"{min(int(share * 100), 99)} %"


def described(wanted: Wanted, names: Mapping[str, str], unknown: Sequence[str] = ()) -> str:
    """Return a search as one line: what was understood.

    Parameters
    ----------
    wanted : Wanted
    names : mapping of str to str
        Of the tracks that it names.
    unknown : sequence of str
        Words that are searched as text.
    """
    said = []
    for feel in wanted.feel:
        strength = "very " if feel.weight > 1 else "a bit " if feel.weight < 1 else ""
        if feel.than:
            said.append(f'{COMPARATIVES[feel.name]} than "{names.get(feel.than, feel.than)}"')
        else:
            said.append(f"{strength}{feel.name}")
    said += [f"genre {name}" for name in wanted.genres]
    said += wanted.tags
    if wanted.bpm:
        low, high = wanted.bpm
        if low is None or high is None:
            said.append(f"{'over' if high is None else 'under'} {low or high:g} BPM")
        else:
            limits = "-".join(f"{each:.2f}".rstrip("0").rstrip(".") for each in (low, high))
            said.append(f"{limits} BPM, or half or double")
    if wanted.goes_with:
        said.append(f'goes with "{names.get(wanted.goes_with, wanted.goes_with)}"')
    if wanted.like:
        said.append(f'sounds like "{names.get(wanted.like, wanted.like)}"')
    said += wanted.where
    said += [f'"{word.strip(chr(34))}" in its name' for word in wanted.text if word not in unknown]
    said += [f'"{word}" in its name (not understood)' for word in unknown]
    return ", ".join(said)
