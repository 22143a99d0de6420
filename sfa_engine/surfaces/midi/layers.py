"""Layers: shift, banks, deck focus and modes of pads, as bits of a slot's state. Pure.

Each layer has some bits of an int64, whose number is the place of the state it is in. What is in
force in some states only has a mask and what it wants of the bits in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sfa_engine.desk import DECK_NAMES
from sfa_engine.errors import Refused, did_you_mean

FOCUS = "focus"  # the deck that `{focus}` stands for
BITS = 63  # of an int64 without its sign
MAX_WAYS = 64  # to meet the conditions of one binding


@dataclass(frozen=True)
class Layer:
    """Bits of a slot's state: ``index << shift`` within `mask` is the state of that index."""

    name: str
    shift: int
    mask: int
    states: tuple[str, ...]

    def bits(self, state: str) -> int:
        """Return the bits of a state, or refuse its name."""
        if state not in self.states:
            hint = did_you_mean(state, self.states) or f"its states are {', '.join(self.states)}"
            raise Refused(f'layer {self.name} has no state "{state:.60}"', hint)
        return self.states.index(state) << self.shift


@dataclass(frozen=True, order=True)
class Force:
    """When something is in force: while ``state & mask == want``."""

    mask: int = 0
    want: int = 0

    def __and__(self, other: Force) -> Force:
        return Force(self.mask | other.mask, self.want | other.want)

    def meets(self, other: Force) -> bool:
        """Return whether both are in force in some state."""
        return not self.mask & other.mask & (self.want ^ other.want)


ALWAYS = Force()


def allocate(declared: Mapping[str, Sequence[str]]) -> dict[str, Layer]:
    """Return the layers with their bits: those of a profile, and the focus.

    Raises
    ------
    Refused
        They need more bits than there are, or one has a name or states twice.
    """
    if FOCUS in declared:
        raise Refused("the layer focus is there by itself: the deck", "leave it out")
    layers = {}
    shift = 0
    for name, states in {FOCUS: DECK_NAMES, **declared}.items():
        if len(set(states)) < len(states):
            raise Refused(f"layer {name} has a state twice", "name each state once")
        width = (len(states) - 1).bit_length()
        layers[name] = Layer(name, shift, (1 << width) - 1 << shift, tuple(states))
        shift += width
    if shift > BITS:
        raise Refused(
            f"the layers need {shift} bits of {BITS}", "declare fewer layers, or fewer states"
        )
    return layers


def layer_of(layers: Mapping[str, Layer], name: str) -> Layer:
    """Return the layer of a name, or refuse the name."""
    if name not in layers:
        hint = did_you_mean(name, layers) or "declare it in [layers]"
        raise Refused(f'no layer "{name:.60}"', hint)
    return layers[name]


def forces(layers: Mapping[str, Layer], when: Mapping[str, str | list[str]]) -> list[Force]:
    """Return when conditions are met: one for each way to choose among the states they list."""
    ways = []
    for name, states in when.items():
        layer = layer_of(layers, name)
        listed = [states] if isinstance(states, str) else states
        ways.append([Force(layer.mask, layer.bits(state)) for state in dict.fromkeys(listed)])
    count = 1
    for way in ways:
        count *= len(way)
    if count > MAX_WAYS:
        raise Refused(f"conditions that can be met in {count} ways", "split the binding")
    return [_all(way) for way in itertools.product(*ways)]


def _all(parts: Iterable[Force]) -> Force:
    met = Force()
    for part in parts:
        met &= part
    return met


def combinations(layers: Sequence[Layer]) -> Iterator[Force]:
    """Yield every combination of the states of some layers."""
    every = ([Force(la.mask, la.bits(state)) for state in la.states] for la in layers)
    for way in itertools.product(*every):
        yield _all(way)


def cycle(edges: Mapping[str, set[str]]) -> list[str]:
    """Return layers of which each is entered in the next one only, in a circle; empty if none."""
    done: set[str] = set()
    for start in sorted(edges):
        if start in done:
            continue
        way = [start]
        stack = [(start, iter(sorted(edges.get(start, ()))))]
        while stack:
            name, following = stack[-1]
            after = next((n for n in following if n not in done), None)
            if after is None:
                done.add(name)
                stack.pop()
                way.pop()
            elif after in way:
                return [*way[way.index(after) :], after]
            else:
                way.append(after)
                stack.append((after, iter(sorted(edges.get(after, ())))))
    return []
