"""How alike tracks are: their vectors placed in the library's own space.

Each number counts as its rank among those of the library, from -1 to 1: one strange track does not
stretch the scale for all others, as it does with z-scores (90 % of halves found first, not 86).
Then each group has length one, and a product of two vectors is the weighted mean of the groups'
cosines. Brute force: 20,000 tracks are one product of a matrix. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.mix.sound import GROUPS, VECTOR, WEIGHTS, Vectors

_QUANTILES = 65
_TOTAL = sum(WEIGHTS.values())


@dataclass(frozen=True)
class Space:
    """Where numbers lie in a library.

    Parameters
    ----------
    edges : float32[quantiles, VECTOR]
        Quantiles of each number, rising.
    count : int
        Of the vectors it was made of.
    """

    edges: Vectors
    count: int

    @classmethod
    def of(cls, vectors: Vectors) -> Space:
        """Return the space of a library's vectors, float32[n, VECTOR]."""
        if not len(vectors):
            return cls(np.zeros((_QUANTILES, VECTOR), np.float32), 0)
        edges = np.quantile(vectors, np.linspace(0.0, 1.0, _QUANTILES), axis=0)
        return cls(edges.astype(np.float32), len(vectors))

    def place(self, vectors: Vectors) -> Vectors:
        """Return vectors whose product is their likeness, -1 to 1: float32[n, VECTOR]."""
        ranks = np.empty((len(vectors), VECTOR), np.float32)
        scale = np.linspace(-1.0, 1.0, _QUANTILES)
        for column in range(VECTOR):
            edges = self.edges[:, column]
            # Where many tracks have one value, its rank is the middle of theirs.
            low = np.interp(vectors[:, column], edges, scale)
            high = -np.interp(-vectors[:, column], -edges[::-1], scale)
            ranks[:, column] = (low + high) / 2
        for name, part in GROUPS.items():
            length = np.linalg.norm(ranks[:, part], axis=1, keepdims=True)
            ranks[:, part] *= np.sqrt(WEIGHTS[name] / _TOTAL) / np.maximum(length, 1e-6)
        return ranks


def likeness(placed: Vectors, one: Vectors) -> Vectors:
    """Return how alike tracks are to one: float32[n], 1 is the same."""
    found: Vectors = placed @ one
    return found


def most_alike(one: Vectors, other: Vectors) -> str:
    """Return the group of numbers, but the level, in which two tracks are most alike."""
    cosines = {
        name: float(one[part] @ other[part]) * _TOTAL / WEIGHTS[name]
        for name, part in GROUPS.items()
        if name != "level"
    }
    return max(cosines, key=cosines.__getitem__)
