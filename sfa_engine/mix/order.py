"""The order of a list of tracks: a beam search for a good one, then 2-opt.

Tracks that have to follow each other are one block; a place may be taken by a given track. The same
input gives the same order. A hundred tracks take 0.5 s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sfa_engine.errors import Refused
from sfa_engine.mix import wheel
from sfa_engine.mix.arc import Arc, percentiles, targets
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.neighbours import Pricing
from sfa_engine.mix.tempo import nearest

Ints = NDArray[np.int64]

BEAM = 16  # orders that are kept at each place
CHOICES = 32  # next tracks that are looked at for each of them, the cheapest
MAX_TRIES = 12_000  # exchanges that 2-opt looks at: 0.5 s for 100 tracks
_LEAST = 1e-9


class Locks(Struct, frozen=True, forbid_unknown_fields=True):
    """What an order has to keep, by the numbers of the tracks.

    Parameters
    ----------
    first, last : int, optional
    after : tuple of (int, int)
        The second track comes directly after the first.
    at : mapping of int to int
        Track at each of some places, from 0.
    """

    first: int | None = None
    last: int | None = None
    after: tuple[tuple[int, int], ...] = ()
    at: Mapping[int, int] = {}


class Ordered(Struct, frozen=True):
    """An order: the tracks' numbers, a reason for the place of each, and what it costs."""

    ids: tuple[int, ...]
    reasons: tuple[str, ...]
    cost: float


def order_tracks(
    tracks: Sequence[TrackFacts],
    *,
    arc: Arc = "steady",
    locks: Locks | None = None,
    library: Sequence[float] = (),
) -> Ordered:
    """Return a good order of tracks.

    Parameters
    ----------
    tracks : sequence of TrackFacts
        Each number once.
    arc : str
        One of `arc.ARCS`.
    locks : Locks, optional
    library : sequence of float
        Energies of the whole library, for percentiles; without them, of these tracks.

    Returns
    -------
    Ordered
        The numbers, a reason for each, and the cost.

    Raises
    ------
    Refused
        A lock names a track that is not in the list, or locks contradict each other.
    """
    if not tracks:
        return Ordered((), (), 0.0)
    energy = percentiles([track.energy for track in tracks], library)
    pricing = Pricing(tracks, energy, targets(arc, energy))
    blocks, fixed = _blocks([track.id for track in tracks], locks or Locks())
    row = _improved(_searched(blocks, fixed, pricing), fixed, pricing)
    order = np.array([i for block in row for i in block], np.int64)
    placed = [tracks[i] for i in order]
    reasons = tuple(
        _reason(placed[k - 1] if k else None, track, float(energy[order[k]]))
        for k, track in enumerate(placed)
    )
    return Ordered(tuple(t.id for t in placed), reasons, pricing.cost(order))


Block = tuple[int, ...]


def _blocks(ids: Sequence[int], locks: Locks) -> tuple[list[Block], dict[int, Block]]:
    """Return the blocks of tracks that stay together, and those with a place of their own.

    Returns
    -------
    list of tuple of int
        Indices of the tracks of each block.
    dict of int to tuple of int
        Block at each fixed place, from 0.
    """
    index = {number: i for i, number in enumerate(ids)}
    if len(index) != len(ids):
        raise Refused("a track is twice in the list", "give each once")

    def indexed(number: int) -> int:
        if number not in index:
            raise Refused(f"track {number} is locked but not in the list", "add it, or unlock it")
        return index[number]

    following: dict[int, int] = {}
    for before, after in locks.after:
        one, other = indexed(before), indexed(after)
        if one in following or other in following.values() or one == other:
            raise Refused(
                f"track {after} after {before} contradicts another lock",
                "a track has one before it and one after it",
            )
        following[one] = other
    heads = [i for i in range(len(ids)) if i not in following.values()]
    blocks: list[Block] = []
    for head in heads:
        block = [head]
        while block[-1] in following:
            block.append(following[block[-1]])
        blocks.append(tuple(block))
    if sum(map(len, blocks)) != len(ids):
        raise Refused("tracks are locked after each other in a circle", "unlock one of them")
    places = {place: indexed(number) for place, number in locks.at.items()}
    for place, number in ((0, locks.first), (len(ids) - 1, locks.last)):
        if number is not None:
            if places.get(place, indexed(number)) != indexed(number):
                raise Refused(f"two tracks are locked at place {place + 1}", "unlock one of them")
            places[place] = indexed(number)
    return blocks, _fixed(blocks, places, len(ids))


def _fixed(blocks: Sequence[Block], places: Mapping[int, int], count: int) -> dict[int, Block]:
    """Return the block at each fixed place; Refused if they overlap or leave the list."""
    of = {i: block for block in blocks for i in block}
    fixed: dict[int, Block] = {}
    for place, i in places.items():
        block = of[i]
        start = place - block.index(i)
        if not 0 <= start <= count - len(block) or fixed.get(start, block) != block:
            raise Refused(f"the lock of place {place + 1} contradicts another", "unlock one")
        fixed[start] = block
    taken = sorted(fixed.items())
    for (start, block), (after, _) in pairwise(taken):
        if start + len(block) > after:
            raise Refused(f"the lock of place {after + 1} contradicts another", "unlock one")
    if len(set(fixed.values())) != len(fixed):
        raise Refused("a track is locked at two places", "unlock one of them")
    return fixed


def _searched(blocks: Sequence[Block], fixed: Mapping[int, Block], pricing: Pricing) -> list[Block]:
    """Return the blocks in the best order that a beam search finds."""
    count = sum(map(len, blocks))
    free = sorted(set(blocks) - set(fixed.values()))
    heads = np.array([block[0] for block in free], np.int64)
    lengths = np.array([len(block) for block in free], np.int64)
    of = np.full(count, len(free), np.int64)  # which free block a track is in; none: the last
    for number, block in enumerate(free):
        of[list(block)] = number
    starts = sorted([*fixed, count])
    # Of each length of what is placed: cost, indices, blocks.
    beams: dict[int, list[tuple[float, tuple[int, ...], list[Block]]]] = {0: [(0.0, (), [])]}
    for place in range(count):
        for cost, order, row in beams.pop(place, []):
            costs = pricing.next_costs(order, place)
            if place in fixed:
                choices: Sequence[Block] = [fixed[place]]
            else:
                room = next(s for s in starts if s > place) - place
                prices = np.append(np.where(lengths <= room, costs[heads], np.inf), np.inf)
                prices[of[list(order)]] = np.inf
                nearest_first = np.argsort(prices, kind="stable")[:CHOICES]
                choices = [free[n] for n in nearest_first if prices[n] < np.inf]
            for block in choices:
                price, grown = cost + float(costs[block[0]]), order + block[:1]
                for i in block[1:]:
                    price += float(pricing.next_costs(grown, len(grown))[i])
                    grown += (i,)
                beams.setdefault(len(grown), []).append((price, grown, [*row, block]))
        for length, found in beams.items():
            if length > place:
                beams[length] = sorted(found)[:BEAM]
    if not beams.get(count):
        raise Refused("the locked tracks leave no room for the others", "unlock some of them")
    return beams[count][0][2]


def _improved(row: list[Block], fixed: Mapping[int, Block], pricing: Pricing) -> list[Block]:
    """Return the blocks after 2-opt: a part is reversed as long as that is cheaper."""

    def flat(blocks: Sequence[Block]) -> Ints:
        return np.array([i for block in blocks for i in block], np.int64)

    def holds(blocks: Sequence[Block]) -> bool:
        place = 0
        at = {}
        for block in blocks:
            at[place] = block
            place += len(block)
        return all(at.get(start) == block for start, block in fixed.items())

    best, tries, better = pricing.cost(flat(row)), 0, True
    while better and tries < MAX_TRIES:
        better = False
        for i in range(len(row) - 1):
            for j in range(i + 1, len(row)):
                if tries >= MAX_TRIES:
                    return row
                other = [*row[:i], *reversed(row[i : j + 1]), *row[j + 1 :]]
                if fixed and not holds(other):
                    continue
                tries += 1
                cost = pricing.cost(flat(other))
                if cost < best - _LEAST:
                    row, best, better = other, cost, True
    return row


def _reason(before: TrackFacts | None, track: TrackFacts, energy: float) -> str:
    """Return why a track is where it is, in facts."""
    facts = [f"energy {100 * energy:.0f} of 100"]
    if before is None:
        return f"first: {facts[0]}"
    if before.bpm and track.bpm:
        ratio, factor = nearest(before.bpm, track.bpm)
        octave = {2.0: ", double", 0.5: ", half"}.get(ratio, "")
        facts.append(f"{track.bpm:.1f} BPM ({100 * (factor - 1):+.1f} %{octave})")
    if before.camelot and track.camelot:
        word = {
            wheel.SAME: "as before",
            wheel.NEAR: f"beside {before.camelot}",
            wheel.TWO_STEPS: f"two steps from {before.camelot}",
            wheel.DIAGONAL: f"diagonal to {before.camelot}",
        }.get(wheel.grade(before.camelot, track.camelot), f"far from {before.camelot}")
        facts.append(f"{track.camelot} {word}")
    return ", ".join(facts)
