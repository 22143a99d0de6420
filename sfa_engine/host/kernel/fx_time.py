"""What plays again or slower what has just been played: beat repeat and tape stop.

Both keep what comes in, switched on or not, so that they act at once. The beat repeat writes to one
half of its memory; the slice that it repeats stays in the half where it is, and what comes in
meanwhile goes to the other one.

::

    grid      |        b        |                 |                 |      b: it is switched on
    heard     as it comes ──────┤ slice 1         │ slice 1         │ …
    slice 1   [ from the line before b to the one after it ]
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from sfa_engine.engine.layout import FADE, TICK
from sfa_engine.host.kernel import fx_memory
from sfa_engine.host.kernel.elementary import factor_of
from sfa_engine.host.kernel.fx_echo import beats_of, frames_of
from sfa_engine.host.kernel.intrinsics import float32_at, kernel, part

F = np.float32
IDLE, TAKES, REPEATS, WAITS = 0, 1, 2, 3  # of a slot that repeats
STILL = 1e-12  # beats a frame
ROUNDING = 1e-6  # frames
NEAR = 1e-7  # beats, a thousandth of a frame: as near to a line of the grid, it is there
NORMAL, STOPS, STARTS = 0, 1, 2  # of a tape
SLOW = 0.15  # of the normal speed: below it, a tape is less loud
LIVE = -1


@kernel
def keep(dsp, slot, bus, first, frames):
    """Write part of a bus to the half of the memory that is in use."""
    size = dsp.fx_frames // 2
    for c in range(2):
        address = slot.memory_address + 4 * (dsp.fx_frames * c + size * slot.half)
        fx_memory.write(address, size, slot.at, part(bus, c, first), frames)
    slot.at += frames


@kernel
def to_line(unit, beats, frames):
    """Return after how many frames the grid of so many beats has a line; `frames` if in none."""
    pace = abs(unit.pace)
    if pace < STILL:
        return frames
    beat = unit.beat if unit.pace > 0.0 else -unit.beat
    place = beat / beats
    before = math.floor(place + NEAR)
    if (place - before) * beats / pace < 1.0 - ROUNDING:
        return np.int64(0)  # it fell between the last frame before and this one
    left = (before + 1.0 - place) * beats / pace
    if left > frames:
        return frames
    return np.int64(math.ceil(left - ROUNDING))


@kernel
def begin_repeat(dsp, unit, slot):
    """Look for the line of the grid before, from which on to repeat; or wait for the next."""
    beats = beats_of(slot.knob[0])
    most = dsp.fx_frames // 2 - 2 * FADE - TICK
    while beats / unit.tempo > most:
        beats *= 0.5
    slot.level = beats
    pace = abs(unit.pace)
    slot.running = WAITS
    if pace < STILL:
        return
    beat = unit.beat if unit.pace > 0.0 else -unit.beat
    place = beat / beats
    since = (place - math.floor(place + NEAR)) * beats / pace
    gone = np.int64(math.floor(max(0.0, since) + ROUNDING))
    if 0 <= gone <= slot.at:
        slot.start = slot.at - gone
        slot.running = TAKES


@kernel
def line(slot):
    """Come to a line of the grid: a slice is whole, or is played again."""
    if slot.running == WAITS:
        slot.start = slot.at
        slot.running = TAKES
        return
    if slot.running == TAKES and slot.at == slot.start:
        return  # the line that the slice begins at
    if slot.running == TAKES:
        slot.slice = max(np.int64(1), slot.at - slot.start)
        slot.slice_half = slot.half
        slot.running = REPEATS
        slot.read_before = LIVE
        slot.repeats = 0
    else:
        slot.read_before = slot.read
    slot.repeats += 1
    slot.read = 0
    slot.fade = FADE


@kernel
def slice_ring(dsp, slot, channel):
    """Return the half of the memory in which the slice is."""
    size = dsp.fx_frames // 2
    address = slot.memory_address + 4 * (dsp.fx_frames * channel + size * slot.slice_half)
    return carray(float32_at(address), (size,))


@kernel
def play_piece(dsp, slot, bus, first, frames):
    """Keep part of a bus, and replace it by the slice if that is repeated."""
    keep(dsp, slot, bus, first, frames)
    if slot.running == REPEATS and slot.half == slot.slice_half:
        # A little more than the slice, into which the next repeat fades.
        if slot.at - slot.start - slot.slice >= FADE:
            slot.half = 1 - slot.half
            slot.at = 0
    goal = 1.0
    if slot.running == REPEATS:
        goal = factor_of(-slot.knob[2] * slot.repeats)
    shut = slot.slice * slot.knob[1] / 100.0
    mask = dsp.fx_frames // 2 - 1
    left, right = slice_ring(dsp, slot, 0), slice_ring(dsp, slot, 1)
    most = 1.0 / FADE
    gain = slot.gain
    for i in range(first, first + frames):
        x, y = bus[0, i], bus[1, i]
        now = goal
        if slot.running == REPEATS:
            if slot.read >= slot.slice + FADE:
                # The beat has slowed down, or another grid comes: it goes round by itself.
                slot.read_before = slot.read
                slot.read = 0
                slot.fade = FADE
            if slot.read >= shut and shut < slot.slice:
                now = 0.0
            at = (slot.start + slot.read) & mask
            a, b = left[at], right[at]
            if slot.fade > 0:
                share = F(slot.fade * most)
                if slot.read_before >= 0:
                    at = (slot.start + min(slot.read_before, slot.slice + FADE - 1)) & mask
                    x, y = left[at], right[at]
                    slot.read_before += 1
                a += (x - a) * share
                b += (y - b) * share
                slot.fade -= 1
            x, y = a, b
            slot.read += 1
        gain += min(most, max(-most, now - gain))
        bus[0, i] = x * F(gain)
        bus[1, i] = y * F(gain)
    slot.gain = gain


@kernel
def repeat(dsp, unit, slot, bus, frames):
    """Replace a bus by the slice of the beat that is repeated."""
    if slot.running == IDLE:
        slot.gain = 1.0
        slot.fade = 0
        begin_repeat(dsp, unit, slot)
    beats = min(beats_of(slot.knob[0]), slot.level)
    first = to_line(unit, beats, frames)
    play_piece(dsp, slot, bus, 0, first)
    if first < frames:
        line(slot)
        play_piece(dsp, slot, bus, first, frames - first)


@kernel
def remember(dsp, slot, bus, frames):
    """Keep what comes in, while it is not repeated."""
    slot.running = IDLE
    keep(dsp, slot, bus, 0, frames)


@kernel
def cubic(a, b, c, d, t):
    """Return what is between b and c, at a share t of the way: Catmull and Rom's curve."""
    e = F(0.5) * (c - a)
    f = a - F(2.5) * b + F(2) * c - F(0.5) * d
    g = F(0.5) * (d - a) + F(1.5) * (b - c)
    return ((g * t + f) * t + e) * t + b


@kernel
def tape(dsp, unit, slot, bus, frames, wanted):
    """Slow a bus down until it stands, or bring it to speed again."""
    size = dsp.fx_frames
    mask = size - 1
    rate = dsp.sample_rate
    for c in range(2):
        address = slot.memory_address + 4 * size * c
        fx_memory.write(address, size, slot.at, part(bus, c, 0), frames)
    if wanted and slot.running != STOPS:
        if slot.running == NORMAL and slot.gate_from == 0.0:
            slot.lag = 0.0
            slot.speed = 1.0
            slot.gain = 1.0
        slot.running = STOPS
    elif not wanted and slot.running == STOPS:
        slot.running = STARTS
        if slot.speed == 0.0:
            # It comes to speed just where the sound is by then.
            up = frames_of(dsp, unit, beats_of(slot.knob[1]), 10.0 * rate)
            slot.lag = min(0.5 * (up - 1), 0.5 * size)
    least = slot.knob[2] / 100.0
    if slot.running == STOPS:
        step = -1.0 / frames_of(dsp, unit, beats_of(slot.knob[0]), 10.0 * rate)
    else:
        step = 1.0 / frames_of(dsp, unit, beats_of(slot.knob[1]), 10.0 * rate)
        least = 1.0
    most = size - 8.0 * TICK
    left = carray(float32_at(slot.memory_address), (size,))
    right = carray(float32_at(slot.memory_address + 4 * size), (size,))
    speed, lag, gain = slot.speed, slot.lag, slot.gain
    slew = 1.0 / FADE
    for i in range(frames):
        if slot.running == STOPS:
            speed = max(least, speed + step) if speed > least else min(least, speed - step)
        else:
            speed = min(least, speed + step)
        lag += 1.0 - speed
        goal = min(1.0, speed / SLOW)
        if lag > most - 2.0 * FADE:  # at half speed it falls behind more than there is memory for
            goal = 0.0
        gain += min(slew, max(-slew, goal - gain))
        if lag > most:
            lag = 4.0
        place = slot.at + i - lag
        whole = np.int64(math.floor(place))
        t = F(place - whole)
        if lag < 2.0:
            continue_x, continue_y = bus[0, i], bus[1, i]
            if lag > 0.0 and whole >= 1:
                a, b = left[whole & mask], left[(whole + 1) & mask]
                continue_x = a + (b - a) * t if t > F(0) else a
                a, b = right[whole & mask], right[(whole + 1) & mask]
                continue_y = a + (b - a) * t if t > F(0) else a
            bus[0, i] = continue_x * F(gain)
            bus[1, i] = continue_y * F(gain)
            continue
        if whole < 1:
            bus[0, i] = F(0)
            bus[1, i] = F(0)
            continue
        k = whole - 1
        x = cubic(left[k & mask], left[(k + 1) & mask], left[(k + 2) & mask],
                  left[(k + 3) & mask], t)  # fmt: skip
        y = cubic(right[k & mask], right[(k + 1) & mask], right[(k + 2) & mask],
                  right[(k + 3) & mask], t)  # fmt: skip
        bus[0, i] = x * F(gain)
        bus[1, i] = y * F(gain)
    slot.at += frames
    slot.speed, slot.lag, slot.gain = speed, lag, gain
    if slot.running == STARTS and speed >= 1.0:
        slot.running = NORMAL


@kernel
def remember_tape(dsp, slot, bus, frames):
    """Keep what comes in, while the tape runs normally."""
    slot.running = NORMAL
    size = dsp.fx_frames
    for c in range(2):
        address = slot.memory_address + 4 * size * c
        fx_memory.write(address, size, slot.at, part(bus, c, 0), frames)
    slot.at += frames
