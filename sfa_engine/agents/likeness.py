"""How like what people say to each agent a question is, by words and pieces of words.

::

    question ─► pieces, hashed ─► share of each in the question ─┐
                                                                 ├─► weights ─► score of each agent
    stems of `routing` ─► points ────────────────────────────────┘

Pieces are words, pairs of neighbours, and three to five letters of a word, so that typos, endings
and compounds of German still count. They are weighted by how rare they are [1]_. The weights are
fitted to labelled phrases by `sfa_engine.bench.fit_likeness`, with a closed form (ridge regression
[2]_); the file has 100 kB, and names the phrases that it was fitted to.

References
----------
.. [1] K. Spärck Jones, "A statistical interpretation of term specificity", J. Doc. 28, 1972.
.. [2] T. Hastie et al., "The Elements of Statistical Learning", 2nd ed., 2009, section 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sfa_engine.agents.contract import AGENTS, AgentName
from sfa_engine.library.folding import fold

PHRASES = Path(__file__).with_name("phrases.toml")
WEIGHTS = Path(__file__).with_name("likeness.npz")
BUCKETS = 1 << 13  # twice as many decide one sentence of 300 otherwise
LETTERS = (3, 4, 5)
MIN_LETTERS, MAX_LETTERS = 5, 20  # of words that are corrected: short ones have many neighbours
MAX_CHARACTERS = 400  # of a question; its beginning says what is asked
_DIGITS = re.compile(r"\d+")
Floats = NDArray[np.float32]


class Weights(NamedTuple):
    """What decides.

    Attributes
    ----------
    rarity : float32[BUCKETS]
        Of the pieces: the logarithm of one over the share of phrases that have it; 0 for one that
        no phrase has.
    pieces : float32[BUCKETS, agents]
    stems : float32[agents, agents]
        For each agent's points by stems, the score of each agent.
    words : mapping of str to int
        Those of the phrases, the most frequent from 0.
    digest : str
        Of the phrases and stems that these were fitted to.
    """

    rarity: Floats
    pieces: Floats
    stems: Floats
    words: Mapping[str, int]
    digest: str


def scores(text: str, points: Mapping[AgentName, float]) -> dict[AgentName, float]:
    """Return the score of each agent for a text: about 1 for one that is meant, 0 for others.

    Parameters
    ----------
    text : str
    points : mapping of AgentName to float
        By stems.
    """
    known = weights()
    found = buckets(text)
    share = shares(found, known.rarity)
    row = np.array([points[agent] for agent in AGENTS], np.float32)
    sums = share @ known.pieces[found] + row @ known.stems
    return dict(zip(AGENTS, sums.tolist(), strict=True))


@cache
def weights() -> Weights:
    """Return the weights of the file."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        rarity, pieces, stems = (file[name].astype(np.float32) for name in Weights._fields[:3])
        words = {word: at for at, word in enumerate(str(file["words"]).split())}
        return Weights(rarity, pieces, stems, words, str(file["digest"]))


def corrected(text: str) -> str:
    """Return a text, folded, whose mistyped words are those of phrases.

    One letter is missing, too many, another one, or in its neighbour's place. What is further away
    stays: it may be a name.
    """
    known = weights().words
    return " ".join(_corrected(word, known) for word in fold(text[:MAX_CHARACTERS]).split())


def _corrected(word: str, known: Mapping[str, int]) -> str:
    if not MIN_LETTERS <= len(word) <= MAX_LETTERS or word in known or not word.isalpha():
        return word
    near = known.keys() & set(_near(word))
    return min(near, key=lambda each: known[each], default=word)


def _near(word: str) -> Iterator[str]:
    """Yield what a word may be meant to be, if one letter is wrong."""
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in ascii_lowercase)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in ascii_lowercase)


def shares(found: NDArray[np.int64], rarity: Floats) -> Floats:
    """Return the share of each of some pieces in a text, whose squares have the sum 1.

    Parameters
    ----------
    found : int64[pieces]
        Their buckets.
    rarity : float32[BUCKETS]

    Returns
    -------
    float32[pieces]
        0 for one that no phrase has.
    """
    rare = rarity[found]
    length = float(np.linalg.norm(rare))
    return np.asarray(rare / length if length else rare, np.float32)


def buckets(text: str) -> NDArray[np.int64]:
    """Return the buckets of the pieces of a text, each once."""
    return np.array(sorted({crc32(each.encode()) % BUCKETS for each in _pieces(text)}), np.int64)


def _pieces(text: str) -> Iterator[str]:
    """Yield words, pairs of them, and pieces of words; numbers are all alike."""
    words = _DIGITS.sub("0", fold(text[:MAX_CHARACTERS])).split()
    for word in words:
        yield f"w {word}"
        framed = f"_{word}_"
        for length in LETTERS:
            for at in range(len(framed) - length + 1):
                yield framed[at : at + length]
    for one, other in pairwise(["_", *words, "_"] if words else []):
        yield f"p {one} {other}"
