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
    if slot.fresh != 0 or address != slot.ring_address:
        slot.ring_address = address
        slot.filled = 0
        slot.cell = 0  # 1: what is read now came back in time
        slot.slice = 0  # frames of the quantum
        slot.repeats = 0  # quanta sent to this process
    if address == 0:
        for i in range(frames):
            slot.hold[0] *= F(FALL)
            slot.hold[1] *= F(FALL)
            blend(unit, slot, bus, i, 0.0)
        return
    ring = carray(ring_at(address), (1,))[0]
    done = np.int64(0)
    while done < frames:
        if slot.filled == 0:
            begin_quantum(engine, dsp, unit, slot, ring, address)
        count = min(frames - done, slot.slice - slot.filled)
        now = ring.input[(ring.sent + 1) & (QUANTA - 1)]
        before = ring.output[ring.sent & (QUANTA - 1)]
        heard = 1.0 if slot.cell != 0 else 0.0
        for i in range(done, done + count):
            at = slot.filled
            now[0, at] = bus[0, i]
            now[1, at] = bus[1, i]
            if slot.cell != 0:
                a, b = before[0, at], before[1, at]
                slot.hold[0] = a if abs(a) < LOUDEST else F(0)
                slot.hold[1] = b if abs(b) < LOUDEST else F(0)
            else:
                slot.hold[0] *= F(FALL)
                slot.hold[1] *= F(FALL)
            slot.filled += 1
            blend(unit, slot, bus, i, heard)
        done += count
        if slot.filled >= slot.slice:
            slot.filled = 0
            slot.repeats += 1
            ring.frames = slot.slice
            store_release(address + SENT, ring.sent + 1)
            wake(ring.wake_fd, dsp.wake_word)


@kernel
def blend(unit, slot, bus, i, heard):
    """Put what is held of the effect into a bus, dry as far as there is none."""
    slew = 1.0 / FADE
    slot.wet_gain += min(slew, max(-slew, heard - slot.wet_gain))
    rest = F(unit.insert * (1.0 - slot.wet_gain))
    wet = F(slot.wet_gain)
    bus[0, i] = bus[0, i] * rest + slot.hold[0] * wet
    bus[1, i] = bus[1, i] * rest + slot.hold[1] * wet


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
