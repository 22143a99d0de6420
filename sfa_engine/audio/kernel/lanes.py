"""What is written in vectors: four float64 side by side, and the interpolator's sum of pairs.

What LLVM makes of such loops by itself is sometimes one vector and sometimes a dance of shuffles,
and a change elsewhere turns the one into the other. This says what is meant; a machine whose
registers are shorter takes two of them.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

WIDTH = 4
BYTES = 8 * WIDTH
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)


class Lanes(types.Type):  # type: ignore[misc]
    """Four float64. They have no Python face: they live in compiled code only."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(Lanes)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _VECTOR)


LANES = Lanes()


def _shuffled(builder, vector, order):
    kind = ir.VectorType(ir.IntType(32), len(order))
    return builder.shuffle_vector(vector, vector, ir.Constant(kind, order))


def _pair(builder, numbers):
    pair = ir.Constant(ir.VectorType(ir.DoubleType(), 2), ir.Undefined)
    for k in (0, 1):
        pair = builder.insert_element(pair, numbers[k], ir.Constant(ir.IntType(32), k))
    return pair


def _numbers(context, builder, signature, pair):
    both = [builder.extract_element(pair, ir.Constant(ir.IntType(32), k)) for k in (0, 1)]
    return context.make_tuple(builder, signature.return_type, both)


@intrinsic
def load(typing_context, address):
    """Return the lanes that stand at an address."""

    def generate(context, builder, signature, arguments):
        return builder.load(builder.inttoptr(arguments[0], _VECTOR.as_pointer()), align=8)

    return LANES(types.int64), generate


@intrinsic
def store(typing_context, address, lanes):
    """Write lanes to an address."""

    def generate(context, builder, signature, arguments):
        place = builder.inttoptr(arguments[0], _VECTOR.as_pointer())
        builder.store(arguments[1], place, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, LANES), generate


@intrinsic
def twice(typing_context, a, b):
    """Return ``a b a b`` of two float64."""

    def generate(context, builder, signature, arguments):
        return _shuffled(builder, _pair(builder, arguments), [0, 1, 0, 1])

    return LANES(types.float64, types.float64), generate


@intrinsic
def pairs(typing_context, a, b):
    """Return ``a a b b`` of two float64."""

    def generate(context, builder, signature, arguments):
        return _shuffled(builder, _pair(builder, arguments), [0, 0, 1, 1])

    return LANES(types.float64, types.float64), generate


@intrinsic
def swapped(typing_context, lanes):
    """Return ``c d a b`` of ``a b c d``."""

    def generate(context, builder, signature, arguments):
        return _shuffled(builder, arguments[0], [2, 3, 0, 1])

    return LANES(LANES), generate


@intrinsic
def upper_twice(typing_context, lanes):
    """Return ``c d c d`` of ``a b c d``."""

    def generate(context, builder, signature, arguments):
        return _shuffled(builder, arguments[0], [2, 3, 2, 3])

    return LANES(LANES), generate


@intrinsic
def halves_added(typing_context, lanes):
    """Return ``a + c, b + d`` of ``a b c d``."""

    def generate(context, builder, signature, arguments):
        halves = (_shuffled(builder, arguments[0], half) for half in ([0, 1], [2, 3]))
        return _numbers(context, builder, signature, builder.fadd(*halves))

    return types.UniTuple(types.float64, 2)(LANES), generate


@intrinsic
def add(typing_context, a, b):
    """Return the sums of lanes."""

    def generate(context, builder, signature, arguments):
        return builder.fadd(*arguments, flags=("contract",))

    return LANES(LANES, LANES), generate


@intrinsic
def multiply(typing_context, a, b):
    """Return the products of lanes."""

    def generate(context, builder, signature, arguments):
        return builder.fmul(*arguments, flags=("contract",))

    return LANES(LANES, LANES), generate


@intrinsic
def multiply_add(typing_context, a, b, c):
    """Return ``a b + c`` of lanes, rounded once where the machine can."""

    def generate(context, builder, signature, arguments):
        product = builder.fmul(arguments[0], arguments[1], flags=("contract",))
        return builder.fadd(product, arguments[2], flags=("contract",))

    return LANES(LANES, LANES, LANES), generate


@intrinsic(prefer_literal=True)  # type: ignore[call-overload]
def weigh_pairs(typing_context, weights, pairs, taps):
    """Return the weighed sums of the left and of the right samples of a row of pairs.

    Written in vectors of four pairs: what LLVM finds by itself shuffles more than it adds.

    Parameters
    ----------
    weights : int64
        Address of float32[taps].
    pairs : int64
        Address of float32[2 * taps].
    taps : literal int
        A multiple of 4, 8 at least.
    """
    count = taps.literal_value

    def row(builder, address, width, k):
        kind = ir.VectorType(ir.FloatType(), width).as_pointer()
        place = builder.gep(builder.inttoptr(address, kind), [ir.Constant(ir.IntType(64), k)])
        return builder.load(place, align=4)

    def generate(context, builder, signature, arguments):
        def term(k):
            weight = _shuffled(builder, row(builder, arguments[0], 4, k), [0, 0, 1, 1, 2, 2, 3, 3])
            return builder.fmul(weight, row(builder, arguments[1], 8, k), flags=("contract",))

        sums = [term(0), term(1)]
        for k in range(2, count // 4):
            sums[k % 2] = builder.fadd(sums[k % 2], term(k), flags=("contract",))
        total = builder.fadd(*sums)
        for half in ([0, 1, 2, 3], [0, 1]):
            other = [lane + len(half) for lane in half]
            total = builder.fadd(_shuffled(builder, total, half), _shuffled(builder, total, other))
        return _numbers(context, builder, signature, total)

    return types.UniTuple(types.float32, 2)(types.int64, types.int64, taps), generate
