"""What the outside calls: the stream callback, one that does nothing, and a timer's loop."""

from __future__ import annotations

import numba
from numba import carray, types

from sfa_engine.audio.kernel.engine import arrive, process
from sfa_engine.audio.kernel.machine import (
    ABSOLUTE,
    MONOTONIC,
    _pointer,
    call_stream,
    clock_nanosleep,
    gettid,
    int64_at,
    load_acquire,
    now_ns,
)
from sfa_engine.audio.layout import BLOCKS, ENGINE, RACK

ENGINE_TYPE = numba.from_dtype(ENGINE)
RACK_TYPE = numba.from_dtype(RACK)
engine_at = _pointer(ENGINE_TYPE)

# int callback(const void *in, void *out, unsigned long frames, const PaStreamCallbackTimeInfo *,
#              PaStreamCallbackFlags, void *user)
STREAM = types.int32(
    types.CPointer(types.float32),
    types.CPointer(types.float32),
    types.uintp,
    types.CPointer(types.void),
    types.uintp,
    types.CPointer(RACK_TYPE),
)


def stream(source, output, frames, times, flags, user):
    """Play: PortAudio's callback on the engine; `user` is the rack."""
    rack = carray(user, (1,))[0]
    engine = carray(engine_at(rack.engine_address), (1,))[0]
    count = types.int64(frames)
    out = carray(output, (count * rack.out_channels,))
    process(engine, rack, out, count, types.int64(flags))
    return types.int32(0)


def idle(source, output, frames, times, flags, user):
    """Do nothing but keep time: what any stream costs on this machine, to measure against."""
    rack = carray(user, (1,))[0]
    engine = carray(engine_at(rack.engine_address), (1,))[0]
    started_ns = now_ns(rack.timespec)
    if engine.fresh != 0:
        engine.thread = gettid()
        engine.fresh = 0
    count = types.int64(frames)
    out = carray(output, (count * rack.out_channels,))
    for i in range(count * rack.out_channels):
        out[i] = types.float32(0)
    arrive(engine, rack, started_ns, count, types.int64(flags))
    at = engine.blocks % BLOCKS
    engine.block_start_ns[at] = started_ns
    engine.block_cost_ns[at] = now_ns(rack.timespec) - started_ns
    engine.emitted += count
    engine.blocks += 1
    return types.int32(0)


TIMER = types.int64(
    types.int64, types.int64, types.int64, types.int64, types.CPointer(types.int64), types.int64
)


def timer(function, output, frames, user, state, period_ns):
    """Call a stream callback again and again, on time, until `state[0]` is not 0.

    `state` is int64[3]: stop, and a timespec. A block that could not begin in time is
    begun at once; the time that is lost is not made up with blocks, but skipped.
    """
    words = carray(state, (3,))
    spec = words[1:3]
    due = now_ns(spec)
    flags = types.int64(0)
    while load_acquire(types.int64(words.ctypes.data)) == 0:
        due += period_ns
        spec[0] = due // 1_000_000_000
        spec[1] = due % 1_000_000_000
        clock_nanosleep(
            types.int32(MONOTONIC),
            types.int32(ABSOLUTE),
            int64_at(spec.ctypes.data),
            int64_at(spec.ctypes.data),
        )
        call_stream(function, output, frames, flags, user)
        late = now_ns(spec) - due
        flags = types.int64(0)
        if late > 4 * period_ns:
            due += late // period_ns * period_ns
            flags = types.int64(4)
    return types.int64(0)


ENTRIES = {"stream": (STREAM, stream), "idle": (STREAM, idle), "timer": (TIMER, timer)}
