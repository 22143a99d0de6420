"""What is written down of the sound: the master, every deck and every stem, into rings of the host.

A tick never goes beyond the end of a ring, whose length is whole ticks, and an engine frame has
one place on it, so that all rings are read by frames. The host gives a ring its memory before it
gives its address, and never takes it away; without an address nothing is written.

=========== ============================================================================
tap         what
=========== ============================================================================
master      what the device gets; `LATENCY` frames after the decks, as the limiter looks ahead
deck        after its equaliser and filter, before its fader: what the headphones have
stem        after its filter, volume, mutes and pan, before the deck's trim and equaliser
=========== ============================================================================
"""

from __future__ import annotations

import numpy as np
from numba import carray

from sfa_engine.engine.layout import STRIPS, TAP_DECK, TAP_STEM
from sfa_engine.host.kernel.intrinsics import float32_at, kernel, load_acquire, part, store_release

F = np.float32


@kernel
def write(dsp, number, bus, start, frames, frame):
    """Write part of a bus to a tap."""
    tap = dsp.tap[number]
    address = load_acquire(tap.address_at)
    if address == 0:
        return
    pairs = carray(float32_at(address + 8 * (frame % tap.frames)), (2 * frames,))
    left = part(bus, 0, start)
    right = part(bus, 1, start)
    for i in range(frames):
        pairs[2 * i] = left[i]
        pairs[2 * i + 1] = right[i]


@kernel
def write_silence(dsp, number, frames, frame):
    """Write silence to a tap."""
    tap = dsp.tap[number]
    address = load_acquire(tap.address_at)
    if address == 0:
        return
    pairs = carray(float32_at(address + 8 * (frame % tap.frames)), (2 * frames,))
    for i in range(2 * frames):
        pairs[i] = F(0)


@kernel
def number_of(deck, stem):
    """Return the tap of a deck's stem."""
    return TAP_STEM + deck * STRIPS + stem


@kernel
def write_silent_deck(dsp, deck, frames, frame):
    """Write silence to the taps of a deck and its stems."""
    write_silence(dsp, TAP_DECK + deck, frames, frame)
    for s in range(STRIPS):
        write_silence(dsp, number_of(deck, np.int64(s)), frames, frame)


@kernel
def publish(engine, dsp):
    """Let readers have what was written up to the engine's frame."""
    store_release(dsp.tap_frame_address, engine.frame)


@kernel
def skip(engine, dsp):
    """Note that the frames from the last one written to the engine's were never played."""
    dsp.tap_end = dsp.tap_frame
    dsp.tap_begin = engine.frame
    store_release(dsp.tap_frame_address, engine.frame)
