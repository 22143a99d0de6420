"""How values move: each change takes its time, and no two segments disagree about it.

Within a segment a control goes in a straight line from ``start`` to ``to``. Segments are cut
at ticks and at commands, never at the device's blocks: that makes the same bytes of any block
size.
"""

from __future__ import annotations

import math

from sfa_engine.audio.kernel.elementary import factor_of
from sfa_engine.audio.kernel.machine import kernel
from sfa_engine.audio.layout import TICK
from sfa_engine.desk.scale import NOT_SET


@kernel
def goal_of(rack, index, value):
    """Return what the sound works with: a factor for decibels, else the number itself."""
    if rack.gain_law[index] != 0:
        if value <= rack.low_end[index]:
            return 0.0
        return factor_of(value)
    return value


@kernel
def legal(rack, index, value):
    """Return the value nearest to one that a control may have; no command is trusted for it."""
    if rack.optional[index] != 0 and value == NOT_SET:
        return value
    value = min(rack.high_end[index], max(rack.low_end[index], value))
    return math.floor(value + 0.5) if rack.whole[index] != 0 else value


@kernel
def put(engine, rack, index, value):
    """Store a value that the kernel moves step by step, without a glide of its own.

    Returns
    -------
    moved : bool
        Whether it is another value than before.
    """
    if engine.flat[index] == value and rack.to_flat[index] == value:
        return False
    engine.flat[index] = value
    goal = goal_of(rack, index, value)
    rack.goal_flat[index] = goal
    rack.to_flat[index] = goal
    rack.glide_left[index] = 0
    return True


@kernel
def set_goal(engine, rack, index, value):
    """Store a value and let the sound glide there.

    Parameters
    ----------
    index : int64
        Of the control, among the values.
    value : float64
        In the control's unit.
    """
    engine.flat[index] = value
    goal = goal_of(rack, index, value)
    rack.goal_flat[index] = goal
    frames = rack.glide_frames[index]
    if frames <= 0:
        rack.start_flat[index] = goal
        rack.to_flat[index] = goal
        rack.glide_left[index] = 0
        return
    if rack.glide_left[index] == 0:
        known = False
        for k in range(rack.glidings):
            if rack.gliding[k] == index:
                known = True
        if not known:
            rack.gliding[rack.glidings] = index
            rack.glidings += 1
    rack.glide_left[index] = frames
    rack.glide_step[index] = (goal - rack.to_flat[index]) / frames


@kernel
def advance(rack, frames):
    """Take every gliding control across a segment of so many frames."""
    k = 0
    while k < rack.glidings:
        index = rack.gliding[k]
        rack.start_flat[index] = rack.to_flat[index]
        left = rack.glide_left[index]
        if left <= 0:
            # It arrived in the segment before; now that its start has too, it rests.
            rack.glidings -= 1
            rack.gliding[k] = rack.gliding[rack.glidings]
            continue
        if left <= frames:
            rack.to_flat[index] = rack.goal_flat[index]
            rack.glide_left[index] = 0
        else:
            rack.to_flat[index] += rack.glide_step[index] * frames
            rack.glide_left[index] = left - frames
        k += 1


@kernel
def settle(engine, rack):
    """Put every control where its value is, without a glide; for a new host."""
    for index in range(len(rack.goal_flat)):
        goal = goal_of(rack, index, engine.flat[index])
        rack.goal_flat[index] = goal
        rack.start_flat[index] = goal
        rack.to_flat[index] = goal
        rack.glide_left[index] = 0
    rack.glidings = 0


@kernel
def ramp(rack, start, end, frames):
    """Fill the rack's ramp with a straight line that reaches `end` with its last frame."""
    if start == end:
        for i in range(frames):
            rack.ramp[i] = start
    else:
        step = (end - start) / frames
        for i in range(frames):
            rack.ramp[i] = start + step * (i + 1)


assert TICK == 32  # the glide times in `audio.setting` are rounded to it
