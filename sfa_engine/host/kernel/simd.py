"""What is written in vectors: four float64 side by side, and rows of eight float32.

What LLVM makes of such loops by itself is sometimes one vector and sometimes a dance of shuffles,
and a change elsewhere turns the one into the other. This says what is meant; a machine whose
registers are shorter takes two of them.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

WIDTH = 4
BYTES = 8 * WIDTH
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_INT32 = ir.IntType(32)


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
        return builder.fadd(*arguments)

    return LANES(LANES, LANES), generate


@intrinsic
def subtract(typing_context, a, b):
    """Return the differences of lanes."""

    def generate(context, builder, signature, arguments):
        return builder.fsub(*arguments)

    return LANES(LANES, LANES), generate


@intrinsic
def multiply(typing_context, a, b):
    """Return the products of lanes."""

    def generate(context, builder, signature, arguments):
        return builder.fmul(*arguments)

    return LANES(LANES, LANES), generate


@intrinsic
def multiply_add(typing_context, a, b, c):
    """Return ``a b + c`` of lanes, rounded twice: not every machine can do it in one."""

    def generate(context, builder, signature, arguments):
        product = builder.fmul(arguments[0], arguments[1])
        return builder.fadd(product, arguments[2])

    return LANES(LANES, LANES, LANES), generate


def _row(builder, address, width, at):
    """Return `width` float32 from an address on, `at` of them further."""
    kind = ir.VectorType(ir.FloatType(), width).as_pointer()
    first = builder.add(address, ir.Constant(ir.IntType(64), 4 * at))
    return builder.load(builder.inttoptr(first, kind), align=4)


def _keep_row(builder, address, row, at):
    first = builder.add(address, ir.Constant(ir.IntType(64), 4 * at))
    builder.store(row, builder.inttoptr(first, row.type.as_pointer()), align=4)


def _repeated(builder, number, width):
    """Return a float32 `width` times."""
    kind = ir.VectorType(ir.FloatType(), width)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(_INT32, 0))
    return _shuffled(builder, one, [0] * width)


def _lane_by_lane(builder, operation, *rows, **how):
    """Call an LLVM intrinsic on rows of eight float32; llvmlite declares them for scalars only."""
    kind = ir.FunctionType(rows[0].type, [row.type for row in rows])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{operation}.v8f32")
    return builder.call(function, rows, **how)


@intrinsic(prefer_literal=True)  # type: ignore[call-overload]
def blend_pairs(typing_context, lower, upper, between, out, taps):
    """Write the weights between two rows of a table, each twice: for left and for right.

    Parameters
    ----------
    lower, upper : int64
        Addresses of float32[taps].
    between : float32
        How far from the lower to the upper, 0 to 1.
    out : int64
        Address of float32[2 * taps].
    taps : literal int
        A multiple of 8.
    """
    count = taps.literal_value

    def generate(context, builder, signature, arguments):
        lower, upper, between, out, _ = arguments
        share = _repeated(builder, between, 8)
        for k in range(0, count, 8):
            a = _row(builder, lower, 8, k)
            way = builder.fsub(_row(builder, upper, 8, k), a)
            weights = builder.fadd(a, builder.fmul(share, way))
            for half in ([0, 0, 1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6, 7, 7]):
                _keep_row(builder, out, _shuffled(builder, weights, half), 2 * (k + half[0]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32, types.int64, taps), generate


@intrinsic(prefer_literal=True)  # type: ignore[call-overload]
def weigh_pairs(typing_context, weights, pairs, taps):
    """Return the weighed sums of the left and of the right samples of a row of pairs.

    Written in vectors of four pairs: what LLVM finds by itself shuffles more than it adds.

    Parameters
    ----------
    weights, pairs : int64
        Addresses of float32[2 * taps]; each weight stands there twice.
    taps : literal int
        A multiple of 4, 8 at least.
    """
    count = taps.literal_value

    def generate(context, builder, signature, arguments):
        def term(k):
            rows = (_row(builder, arguments[n], 8, 8 * k) for n in (0, 1))
            return builder.fmul(*rows)

        sums = [term(0), term(1)]
        for k in range(2, count // 4):
            sums[k % 2] = builder.fadd(sums[k % 2], term(k))
        total = builder.fadd(*sums)
        for half in ([0, 1, 2, 3], [0, 1]):
            other = [lane + len(half) for lane in half]
            total = builder.fadd(_shuffled(builder, total, half), _shuffled(builder, total, other))
        return _numbers(context, builder, signature, total)

    return types.UniTuple(types.float32, 2)(types.int64, types.int64, taps), generate


@intrinsic
def blend_many(typing_context, lower, upper, between, out, taps):
    """Do what `blend_pairs` does, with a number of taps that is known when it runs."""

    def generate(context, builder, signature, arguments):
        lower, upper, between, out, taps = arguments
        share = _repeated(builder, between, 8)
        word = taps.type
        with cgutils.for_range_slice(builder, word(0), taps, word(8), word) as (k, _):
            at = builder.mul(k, word(4))
            a = _row(builder, builder.add(lower, at), 8, 0)
            way = builder.fsub(_row(builder, builder.add(upper, at), 8, 0), a)
            weights = builder.fadd(a, builder.fmul(share, way))
            onto = builder.add(out, builder.mul(k, word(8)))
            for half in ([0, 0, 1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6, 7, 7]):
                _keep_row(builder, onto, _shuffled(builder, weights, half), 2 * half[0])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32, types.int64, types.int64), generate


@intrinsic
def weigh_many(typing_context, weights, pairs, taps):
    """Do what `weigh_pairs` does, with a number of taps that is known when it runs."""

    def generate(context, builder, signature, arguments):
        weights, pairs, taps = arguments
        word = taps.type
        kind = ir.VectorType(ir.FloatType(), 8)
        nought = ir.Constant(kind, [0.0] * 8)
        sums = [cgutils.alloca_once_value(builder, nought) for _ in range(2)]
        for total in sums:  # alloca_once stores at the function's entry only
            builder.store(nought, total)
        with cgutils.for_range_slice(builder, word(0), taps, word(8), word) as (k, _):
            at = builder.mul(k, word(8))
            for n, total in enumerate(sums):
                rows = (_row(builder, builder.add(base, at), 8, 8 * n) for base in (weights, pairs))
                term = builder.fmul(*rows)
                builder.store(builder.fadd(builder.load(total), term), total)
        total = builder.fadd(*(builder.load(each) for each in sums))
        for half in ([0, 1, 2, 3], [0, 1]):
            other = [lane + len(half) for lane in half]
            total = builder.fadd(_shuffled(builder, total, half), _shuffled(builder, total, other))
        return _numbers(context, builder, signature, total)

    signature = types.UniTuple(types.float32, 2)(types.int64, types.int64, types.int64)
    return signature, generate


@intrinsic(prefer_literal=True)  # type: ignore[call-overload]
def peaks_between(typing_context, row, table, out, taps):
    """Write the peaks of what lies at a quarter, a half and three quarters between samples.

    Of the taps for three quarters, which are those for a quarter backwards, the table has what
    is even and what is odd in them: each pair of samples is added and subtracted once, for all.

    Parameters
    ----------
    row : int64
        Address of float32[taps + 7].
    table : int64
        Address of float32[3, taps / 2]: even and odd for a quarter, and half the taps for a half.
    out : int64
        Address of float32[8].
    taps : literal int
    """
    half = taps.literal_value // 2

    def generate(context, builder, signature, arguments):
        row, table, out, _ = arguments

        def weighed(line, k, pair):
            weight = _shuffled(builder, _row(builder, table, 1, line * half + k), [0] * 8)
            return builder.fmul(weight, pair)

        sums = [None, None, None]
        for k in range(half):
            a, b = (_row(builder, row, 8, at) for at in (k, 2 * half - 1 - k))
            added, taken = builder.fadd(a, b), builder.fsub(a, b)
            for line, pair in enumerate((added, taken, added)):
                term = weighed(line, k, pair)
                sums[line] = builder.fadd(sums[line], term) if k else term
        even, odd, middle = sums
        ways = [builder.fadd(even, odd), middle, builder.fsub(even, odd)]
        peak, *others = [_lane_by_lane(builder, "fabs", way) for way in ways]
        for other in others:
            peak = _lane_by_lane(builder, "maxnum", peak, other, fastmath=("nnan", "nsz"))
        _keep_row(builder, out, peak, 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, taps), generate


@intrinsic
def radix_4(typing_context, xr, xi, yr, yi, apart, row, ar, ai, br, bi, cr, ci):
    """Do eight butterflies of radix 4 side by side (Stockham: in natural order).

    Parameters
    ----------
    xr, xi, yr, yi : int64
        Addresses of the first inputs and outputs, real and imaginary.
    apart : int64
        Bytes from one input to the next.
    row : int64
        Bytes from one output to the next.
    ar, ai, br, bi, cr, ci : float32
        What the second, third and fourth output are turned by.
    """

    def generate(context, builder, signature, arguments):
        xr, xi, yr, yi, apart, row = arguments[:6]
        turns = [_repeated(builder, number, 8) for number in arguments[6:]]

        def rows(first):
            places = [first]
            for _ in range(3):
                places.append(builder.add(places[-1], apart))
            return [_row(builder, place, 8, 0) for place in places]

        re, im = rows(xr), rows(xi)

        s = [builder.fadd(re[0], re[2]), builder.fadd(im[0], im[2])]
        d = [builder.fsub(re[0], re[2]), builder.fsub(im[0], im[2])]
        t = [builder.fadd(re[1], re[3]), builder.fadd(im[1], im[3])]
        e = [builder.fsub(im[1], im[3]), builder.fsub(re[3], re[1])]  # -i times the difference
        outputs = [
            [builder.fadd(a, b) for a, b in zip(s, t, strict=True)],
            [builder.fadd(a, b) for a, b in zip(d, e, strict=True)],
            [builder.fsub(a, b) for a, b in zip(s, t, strict=True)],
            [builder.fsub(a, b) for a, b in zip(d, e, strict=True)],
        ]
        places = [yr, yi]
        for k, (p, q) in enumerate(outputs):
            if k:
                c, w = turns[2 * k - 2], turns[2 * k - 1]
                turned = (
                    builder.fsub(builder.fmul(p, c), builder.fmul(q, w)),
                    builder.fadd(builder.fmul(p, w), builder.fmul(q, c)),
                )
                places = [builder.add(place, row) for place in places]
            else:
                turned = (p, q)
            for place, values in zip(places, turned, strict=True):
                _keep_row(builder, place, values, 0)
        return context.get_dummy_value()

    floats = [types.float32] * 6
    return types.void(*[types.int64] * 6, *floats), generate


@intrinsic
def radix_2(typing_context, xr, xi, yr, yi, apart):
    """Do eight butterflies of radix 2 side by side, without a turn; inputs and outputs alike."""

    def generate(context, builder, signature, arguments):
        *places, apart = arguments
        for source, target in zip(places[:2], places[2:], strict=True):
            a = _row(builder, source, 8, 0)
            b = _row(builder, builder.add(source, apart), 8, 0)
            _keep_row(builder, target, builder.fadd(a, b), 0)
            _keep_row(builder, builder.add(target, apart), builder.fsub(a, b), 0)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), generate


@intrinsic(prefer_literal=True)  # type: ignore[call-overload]
def correlate(typing_context, near, far, count, out, lanes):
    """Write the sums of products of two rows of samples, for as many shifts of the second.

    Each lane has a shift of its own, so that every sum is taken in the order of the samples.

    Parameters
    ----------
    near, far : int64
        Addresses of float32[count] and float32[count + lanes - 1].
    count : int64
    out : int64
        Address of float32[lanes]: of the shifts 0, 1, …
    lanes : literal int
        A multiple of 8.
    """
    rows = lanes.literal_value // 8

    def generate(context, builder, signature, arguments):
        near, far, count, out, _ = arguments
        kind = ir.VectorType(ir.FloatType(), 8)
        sums = [cgutils.alloca_once(builder, kind) for _ in range(rows)]
        for total in sums:
            builder.store(ir.Constant(kind, [0.0] * 8), total)
        with cgutils.for_range(builder, count) as loop:
            step = builder.mul(loop.index, ir.Constant(ir.IntType(64), 4))
            one = _shuffled(builder, _row(builder, builder.add(near, step), 1, 0), [0] * 8)
            for k, total in enumerate(sums):
                product = builder.fmul(one, _row(builder, builder.add(far, step), 8, 8 * k))
                builder.store(builder.fadd(builder.load(total), product), total)
        for k, total in enumerate(sums):
            _keep_row(builder, out, builder.load(total), 8 * k)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64, lanes), generate
