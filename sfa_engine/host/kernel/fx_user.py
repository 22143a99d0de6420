"""A user effect's side in the audio thread: hand a quantum over, take the one before back.

What is late is not waited for: the sound goes on dry, faded, until the process is in time again.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import carray

from sfa_engine.engine.effect_ring import EFFECT_RING, LEAST_FRAMES, MOST_FRAMES, QUANTA
from sfa_engine.engine.layout import FADE, TICK
from sfa_engine.host.kernel.interpolate import LOUDEST
from sfa_engine.host.kernel.intrinsics import _pointer, kernel, load_acquire, store_release, wake

F = np.float32
ring_at = _pointer(numba.from_dtype(EFFECT_RING))
SENT = int(EFFECT_RING.fields["sent"][1])
RETURNED = int(EFFECT_RING.fields["returned"][1])
FALL = 0.96  # a frame: what is heard of a late effect goes in 2 ms


@kernel
def user(engine, dsp, unit, slot, bus, frames):
    """Replace a bus by what a process made of it, one quantum ago."""
    address = load_acquire(slot.ring_at_address)
    slew = 1.0 / FADE
    if slot.fresh != 0 or address != slot.ring_address:
        slot.ring_address = address
        slot.filled = 0
        slot.cell = 0  # 1: what is read now came back in time
        slot.slice = 0  # frames of the quantum
        slot.repeats = 0  # quanta sent to this process
    dry = unit.insert
    done = np.int64(0)
    while done < frames:
        count = frames - done
        if address != 0:
            ring = carray(ring_at(address), (1,))[0]
            if slot.filled == 0:
                begin_quantum(engine, dsp, unit, slot, ring, address)
            count = min(count, slot.slice - slot.filled)
            now = ring.input[ring.sent + 1 & QUANTA - 1]
            before = ring.output[ring.sent & QUANTA - 1]
        heard = 1.0 if address != 0 and slot.cell != 0 else 0.0
        for i in range(done, done + count):
            x, y = bus[0, i], bus[1, i]
            a, b = slot.hold[0], slot.hold[1]
            if address != 0:
                at = slot.filled
                now[0, at] = x
                now[1, at] = y
                if heard != 0.0:
                    a, b = before[0, at], before[1, at]
                    a = a if abs(a) < LOUDEST else F(0)
                    b = b if abs(b) < LOUDEST else F(0)
                slot.filled += 1
            if heard == 0.0:
                a *= F(FALL)
                b *= F(FALL)
            slot.hold[0], slot.hold[1] = a, b
            slot.wet_gain += min(slew, max(-slew, heard - slot.wet_gain))
            rest = F(dry * (1.0 - slot.wet_gain))
            # The held rest of a late one is no more than what had been heard.
            wet = F(slot.wet_gain)
            bus[0, i] = x * rest + a * wet
            bus[1, i] = y * rest + b * wet
        done += count
        if address != 0 and slot.filled >= slot.slice:
            ring = carray(ring_at(address), (1,))[0]
            slot.filled = 0
            slot.repeats += 1
            ring.frames = slot.slice
            store_release(address + SENT, ring.sent + 1)
            wake(slot.wake_fd, dsp.wake_word)


@kernel
def begin_quantum(engine, dsp, unit, slot, ring, address):
    """See whether the quantum before came back, and write what the process is to be told."""
    if slot.repeats > 0:
        in_time = load_acquire(address + RETURNED) >= ring.sent and ring.frames == slot.slice
        slot.cell = 1 if in_time else 0
        if not in_time:
            ring.late += 1
    block = (engine.block + TICK - 1) // TICK * TICK
    frames = min(np.int64(MOST_FRAMES), max(np.int64(LEAST_FRAMES), block))
    if frames != slot.slice:
        slot.slice = frames
        slot.cell = 0
    for k in range(3):
        ring.knobs[k] = slot.knob[k] / 100.0
    ring.beat = unit.beat
    ring.tempo = unit.tempo * dsp.sample_rate
