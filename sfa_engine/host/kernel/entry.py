"""What the outside calls: stream callback, one that does nothing, timer's loop, MIDI, limiter."""

from __future__ import annotations

from typing import Any

import numba
from numba import carray, types

from sfa_engine.engine.layout import BLOCKS, DSP_STATE, ENGINE, TICK
from sfa_engine.host.kernel.engine import arrive, process
from sfa_engine.host.kernel.intrinsics import (
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
from sfa_engine.host.kernel.limiter import limit
from sfa_engine.host.kernel.midi_cycle import cycle
from sfa_engine.host.midi_state import MIDI_STATE

ENGINE_TYPE = numba.from_dtype(ENGINE)
DSP_STATE_TYPE = numba.from_dtype(DSP_STATE)
engine_at = _pointer(ENGINE_TYPE)
dsp_at = _pointer(DSP_STATE_TYPE)

# int callback(const void *in, void *out, unsigned long frames, const PaStreamCallbackTimeInfo *,
#              PaStreamCallbackFlags, void *user)
STREAM = types.int32(
    types.CPointer(types.float32),
    types.CPointer(types.float32),
    types.uintp,
    types.CPointer(types.void),
    types.uintp,
    types.CPointer(DSP_STATE_TYPE),
)


def stream(source, output, frames, times, flags, user):
    """Play: PortAudio's callback on the engine; `user` is the dsp."""
    dsp = carray(user, (1,))[0]
    engine = carray(engine_at(dsp.engine_address), (1,))[0]
    count = types.int64(frames)
    out = carray(output, (count * dsp.out_channels,))
    process(engine, dsp, out, count, types.int64(flags))
    return types.int32(0)


def idle(source, output, frames, times, flags, user):
    """Do nothing but keep time: what any stream costs on this machine, to measure against."""
    dsp = carray(user, (1,))[0]
    engine = carray(engine_at(dsp.engine_address), (1,))[0]
    started_ns = now_ns(dsp.timespec)
    if engine.fresh != 0:
        engine.thread = gettid()
        engine.fresh = 0
    count = types.int64(frames)
    out = carray(output, (count * dsp.out_channels,))
    for i in range(count * dsp.out_channels):
        out[i] = types.float32(0)
    arrive(engine, dsp, started_ns, count, types.int64(flags))
    at = engine.blocks % BLOCKS
    engine.block_start_ns[at] = started_ns
    engine.block_cost_ns[at] = now_ns(dsp.timespec) - started_ns
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


# int process(jack_nframes_t, void *user)
MIDI = types.int32(types.uint32, types.CPointer(numba.from_dtype(MIDI_STATE)))


def midi(frames, user):
    """Resolve MIDI: JACK's process callback; `user` is the resolver's state, `frames` 0 without."""
    state = carray(user, (1,))[0]
    dsp = carray(dsp_at(state.dsp_address), (1,))[0]
    engine = carray(engine_at(state.engine_address), (1,))[0]
    cycle(engine, dsp, state, types.int64(frames))
    return types.int32(0)


LIMITER = types.int32(
    types.CPointer(DSP_STATE_TYPE),
    types.CPointer(types.float32),
    types.uintp,
    types.float64,
    types.float64,
)


def limiter(user, sound, frames, ceiling, release_ms):
    """Put float32[frames, 2] through the master's limiter alone, in place, `LATENCY` frames late.

    For mastering, offline; `user` is a dsp that plays nothing else.
    """
    dsp = carray(user, (1,))[0]
    count = types.int64(frames)
    samples = carray(sound, (2 * count,))
    bus = dsp.mix_bus
    for at in range(0, count, TICK):
        length = min(types.int64(TICK), count - at)
        for i in range(length):
            bus[0, i] = samples[2 * (at + i)]
            bus[1, i] = samples[2 * (at + i) + 1]
        limit(dsp, bus, types.int64(0), length, ceiling, release_ms, True)
        for i in range(length):
            samples[2 * (at + i)] = bus[0, i]
            samples[2 * (at + i) + 1] = bus[1, i]
    return types.int32(0)


ENTRIES: dict[str, tuple[Any, Any]] = {
    "stream": (STREAM, stream),
    "idle": (STREAM, idle),
    "timer": (TIMER, timer),
    "midi": (MIDI, midi),
    "limiter": (LIMITER, limiter),
}
