"""Which engine frame a message came at, and at which it is done.

The resolver runs beside the audio callback, in the same cycle of a graph or on a clock of its own.
Where the engine's frames lie is known from its last block: its first frame, and when that began.

========================= ===================================================================
in JACK's graph           JACK's and the engine's frames keep a constant distance until a block
                          is missed; it is taken from the times of cycle and block, to the
                          nearest block, and moves only when several cycles agree
else                      by the monotonic clock
========================= ===================================================================

A message whose frame is not rendered yet is done at its exact frame. Where the audio callback
comes first, or at the same time, it would be too late now and then: messages are done a block later
then, at the same offset, and for a while longer even if they would not be too late. So the time
from a press to its sound is always the same.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.layout import TICK
from sfa_engine.host.kernel.intrinsics import jack_last_frame_time, kernel, load_acquire, now_ns
from sfa_engine.host.midi_state import PERIOD_S

AGREEING = 4  # cycles, 11 ms at 128 frames, until another distance is believed
BEHIND = 4096  # cycles, 11 s: how long a block is added after the audio callback came first
WRAP = 1 << 32
UNKNOWN = -1  # cycles: no distance is known, the first one is taken
STILL_NS = 200_000_000  # without a block: the device stands still


@kernel
def block_time(engine, now, rate):
    """Return the engine's frame at a time of the monotonic clock, by its last block."""
    last = engine.snapshots[load_acquire(engine.serial_address) & 1]
    gone = min(max(now - last.monotonic_ns, 0), STILL_NS)
    return last.frame + np.int64(gone * rate / 1e9)


@kernel
def begin_by_clock(engine, state, rate):
    """Begin a cycle without JACK: of what came until now, and goes out until the next."""
    state.first = block_time(engine, now_ns(state.timespec), rate)
    state.frames = np.int64(PERIOD_S * rate)
    state.heard = state.first
    state.delay = max(engine.block, TICK)
    state.ahead_count = UNKNOWN


@kernel
def begin_in_graph(engine, state, frames, rate, in_graph):
    """Begin a cycle of JACK's."""
    now = now_ns(state.timespec)
    time = jack_last_frame_time(state.last_frame_time, state.client) & (WRAP - 1)
    if time < state.jack_last - WRAP // 2:
        state.jack_high += WRAP
    state.jack_last = time
    jack_frame = state.jack_high + time
    state.frames = frames
    last = engine.snapshots[load_acquire(engine.serial_address) & 1]
    gone = (now - last.monotonic_ns) * rate / 1e9
    if in_graph == 0 or gone > STILL_NS * rate / 1e9:
        state.first = block_time(engine, now, rate)
        state.delay = max(engine.block, frames)
        state.heard = state.first + frames
        state.ahead_count = UNKNOWN
        return
    first = last.frame + np.int64(np.floor(gone / frames + 0.5)) * frames
    ahead = first - jack_frame
    if ahead == state.ahead or state.ahead_count == UNKNOWN:
        state.ahead = ahead
        state.ahead_count = 0
    elif ahead == state.ahead_seen:
        state.ahead_count += 1
    else:
        state.ahead_seen = ahead
        state.ahead_count = 1
    if state.ahead_count >= AGREEING:
        state.ahead = ahead
        state.ahead_count = 0
    state.first = jack_frame + state.ahead
    state.heard = state.first + frames
    if engine.frame - state.first >= TICK:
        state.behind = BEHIND
    elif state.behind > 0:
        state.behind -= 1
    state.delay = frames if state.behind > 0 else 0
