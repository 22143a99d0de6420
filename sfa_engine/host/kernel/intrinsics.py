"""What the kernel needs of the machine: addresses, atomics, the clock, the mark `@kernel`."""

from __future__ import annotations

import numba
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

clock_gettime = types.ExternalFunction(
    "clock_gettime", types.int32(types.int32, types.CPointer(types.int64))
)
clock_nanosleep = types.ExternalFunction(
    "clock_nanosleep",
    types.int32(types.int32, types.int32, types.CPointer(types.int64), types.CPointer(types.int64)),
)
gettid = types.ExternalFunction("gettid", types.int32())
write = types.ExternalFunction(
    "write", types.intp(types.int32, types.CPointer(types.int64), types.uintp)
)
OPTIONS = {"nogil": True, "fastmath": False, "error_model": "numpy"}  # see `kernel`
MONOTONIC = 1
ABSOLUTE = 1


def kernel(function):
    """Mark a function that runs in the audio thread, and compile it for that.

    No fast-math flag: each lets the compiler choose by the CPU how a number is rounded. With all
    that are safe for NaN, 62 % of the samples differed between CPUs with and without FMA.
    """
    return numba.njit(**OPTIONS)(function)


def _pointer(to):
    @intrinsic
    def cast(typing_context, address):
        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(types.CPointer(to)))

        return types.CPointer(to)(types.int64), generate

    return cast


float32_at = _pointer(types.float32)
float64_at = _pointer(types.float64)
int16_at = _pointer(types.int16)
int64_at = _pointer(types.int64)
uint8_at = _pointer(types.uint8)


@intrinsic
def load_acquire(typing_context, address):
    """Read an int64 so that nothing after it is read before it (``ldar`` on aarch64)."""

    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic
def store_release(typing_context, address, value):
    """Write an int64 so that all before it is seen first (``stlr`` on aarch64)."""

    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store_atomic(arguments[1], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def fence_release(typing_context):
    """Let everything written before be seen before anything written after."""

    def generate(context, builder, signature, arguments):
        builder.fence("release")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def greater(typing_context, a, b):
    """Return the greater of two float32, neither of them NaN, in a form that loops can be made of.

    Of ``max`` LLVM sees a choice between two numbers, and takes one after the other.
    """

    def generate(context, builder, signature, arguments):
        number = ir.FloatType()
        kind = ir.FunctionType(number, [number, number])
        maximum = builder.module.declare_intrinsic("llvm.maxnum", [number], kind)
        return builder.call(maximum, arguments, fastmath=("nnan", "nsz"))

    return types.float32(types.float32, types.float32), generate


@intrinsic
def power_of_two(typing_context, exponent):
    """Return 2 to the power of an int64 from -1022 to 1023: a float64 of this exponent."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        biased = builder.add(arguments[0], ir.Constant(word, 1023))
        bits = builder.shl(biased, ir.Constant(word, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.int64), generate


@intrinsic
def bits_of(typing_context, number):
    """Return the bits of a float64 as an int64."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def call_stream(typing_context, function, output, frames, flags, user):
    """Call a PortAudio callback by its address."""

    def generate(context, builder, signature, arguments):
        void = ir.IntType(8).as_pointer()
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.IntType(32), [void, void, word, void, word, void])
        none = ir.Constant(void, None)
        builder.call(
            builder.inttoptr(arguments[0], kind.as_pointer()),
            [
                none,
                builder.inttoptr(arguments[1], void),
                arguments[2],
                none,
                arguments[3],
                builder.inttoptr(arguments[4], void),
            ],
        )
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64, types.int64), generate


_WORD, _HALF = ir.IntType(64), ir.IntType(32)


def _c_function(result, *kinds):
    """Return an intrinsic's type and code: a C function, called by its address.

    Words of the kernel's are int64; the function's own are cut to the types that are given.
    """

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(result, kinds)
        given = [
            value if value.type == to else builder.trunc(value, to)
            for value, to in zip(arguments[1:], kinds, strict=True)
        ]
        answer = builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), given)
        if result == ir.VoidType():
            return context.get_dummy_value()
        return answer if result == _WORD else builder.sext(answer, _WORD)

    answer = types.void if result == ir.VoidType() else types.int64
    return answer(*[types.int64] * (1 + len(kinds))), generate


@intrinsic
def jack_port_get_buffer(typing_context, function, port, frames):
    """Return the address of a port's buffer in this cycle."""
    return _c_function(_WORD, _WORD, _HALF)


@intrinsic
def jack_midi_get_event_count(typing_context, function, buffer):
    """Return how many events a buffer has."""
    return _c_function(_HALF, _WORD)


@intrinsic
def jack_midi_event_get(typing_context, function, event, buffer, number):
    """Read an event's time, size and address into `event`; 0 if it is there."""
    return _c_function(_HALF, _WORD, _WORD, _HALF)


@intrinsic
def jack_midi_clear_buffer(typing_context, function, buffer):
    """Empty an output's buffer."""
    return _c_function(ir.VoidType(), _WORD)


@intrinsic
def jack_midi_event_write(typing_context, function, buffer, time, data, size):
    """Write an event; 0 if there was room."""
    return _c_function(_HALF, _WORD, _HALF, _WORD, _WORD)


@intrinsic
def jack_last_frame_time(typing_context, function, client):
    """Return JACK's frame at which the cycle began; it wraps after 2**32."""
    return _c_function(_HALF, _WORD)


@kernel
def part(bus, channel, start):
    """Return a channel of a bus from a frame on.

    An index that begins at 0 is known not to be negative; only then does a loop use the
    machine's vectors, for otherwise each index might count from the end.

    Parameters
    ----------
    bus : float32[channels, frames]
    """
    frames = bus.shape[1]
    address = bus.ctypes.data + 4 * (channel * frames + start)
    return carray(float32_at(address), (frames,))


@kernel
def floats(address, count):
    """Return float32[count] at an address, of which no index is known to be negative."""
    return carray(float32_at(address), (count,))


@kernel
def flat(bus):
    """Return a bus of float64 in one dimension, of which no index is known to be negative."""
    return carray(float64_at(bus.ctypes.data), (bus.size,))


@kernel
def wake(fd, word):
    """Add `word` (int64[1]) to an eventfd, which is non-blocking: what is full was woken."""
    write(numba.int32(fd), int64_at(word.ctypes.data), numba.uintp(8))


@kernel
def now_ns(timespec):
    """Return the monotonic clock in nanoseconds; `timespec` is int64[2] of scratch."""
    clock_gettime(numba.int32(MONOTONIC), int64_at(timespec.ctypes.data))
    return timespec[0] * 1_000_000_000 + timespec[1]
