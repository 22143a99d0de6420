"""What a search asks for, as one object: made from words, by a model, or by hand.

::

    {"genres": ["techno"], "feel": [{"name": "dark"}], "bpm": [122.85, 129.15],
     "where": ["key:~8A", "rating:>=4"], "text": ["burial"], "goes_with": "12"}

`where` and `text` are hard: the operators of `sfa_engine.library.query`, and words of a name. The
rest is ranked. Each one passes `checked`, whatever made it. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from sfa_engine.errors import Refused
from sfa_engine.library.query import MAX_TEXT, parse_query
from sfa_engine.mix.vocabulary import FEELS, GENRES, OPPOSITES, TAG_WORDS

MAX_PARTS = 40  # of one kind
MAX_TEXTS = 60
MAX_LIMIT = 1000
TEMPO = (1.0, 999.0)  # BPM
RATE = 0.06  # change of a track's rate to go with another; of played ones 86 % take up to 5 %
THIS = "this"  # the track that a surface has in mind

if TYPE_CHECKING:
    FeelName = str
    Genre = str
    Tag = str
else:
    FeelName = Literal[tuple(FEELS)]
    Genre = Literal[tuple(GENRES)]
    Tag = Literal[tuple(TAG_WORDS)]
Some = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Bpm = Annotated[float, Meta(ge=TEMPO[0], le=TEMPO[1])]


class Feel(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A word of feeling.

    Parameters
    ----------
    name : str
        One of `FEELS`.
    weight : float
        Beside the other parts; 1 is usual.
    than : str, optional
        A track that hits have to surpass.
    """

    name: FeelName
    weight: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    than: Some | None = None


class Wanted(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A search.

    Parameters
    ----------
    genres : tuple of str
        Names of `GENRES`; a hit has one of them at least.
    tags : tuple of str
        Names of `TAG_WORDS`; a hit has all of them.
    feel : tuple of Feel
    bpm : (float or None, float or None), optional
        Limits. With both half and double the tempo count too, for less.
    where : tuple of str
        Operators, as ``year:<1995``; a word after a ``-`` is not wanted.
    text : tuple of str
        Words, and phrases in quotes, that were not understood: to be found in names.
    like, goes_with : str, optional
        A track: a number, words, or `THIS`.
    limit : int, optional
        How many.
    """

    genres: Annotated[tuple[Genre, ...], Meta(max_length=MAX_PARTS)] = ()
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MAX_PARTS)] = ()
    feel: Annotated[tuple[Feel, ...], Meta(max_length=MAX_PARTS)] = ()
    bpm: tuple[Bpm | None, Bpm | None] | None = None
    where: Annotated[tuple[Some, ...], Meta(max_length=MAX_PARTS)] = ()
    text: Annotated[tuple[Some, ...], Meta(max_length=MAX_TEXTS)] = ()
    like: Some | None = None
    goes_with: Some | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a search of names and operators alone."""
        asks = self.genres or self.tags or self.feel or self.bpm or self.like or self.goes_with
        return not asks

    def tracks(self) -> tuple[str, ...]:
        """Return the tracks that it names, each once."""
        named = (self.like, self.goes_with, *(each.than for each in self.feel))
        return tuple(dict.fromkeys(filter(None, named)))


def checked(document: Any) -> Wanted:
    """Return a search of plain values, or of one that was made in a program.

    Raises
    ------
    Refused
        A field is unknown or of another type, an operator is invalid, or parts exclude each other.
    """
    try:
        wanted = msgspec.convert(msgspec.to_builtins(document), Wanted, strict=True)
    except msgspec.ValidationError as error:
        raise Refused(f"invalid search: {error}", "see docs/mixing.md") from None
    for each in wanted.where:
        parse_query(each)
    names = {each.name for each in wanted.feel}
    for name in sorted(names):
        if OPPOSITES[name] in names:
            raise Refused(f"{name} and {OPPOSITES[name]} exclude each other", "keep one of them")
    if wanted.bpm is not None:
        low, high = wanted.bpm
        if low is None and high is None:
            raise Refused("the tempo has no limits", "give one, or leave it out")
        if low is not None and high is not None and low > high:
            raise Refused(f"no tempo is over {low:g} and under {high:g} BPM", "keep one of them")
    return wanted
