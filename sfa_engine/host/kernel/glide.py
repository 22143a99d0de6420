"""How values move: each change takes its time, and no two segments disagree about it.

Within a segment a control goes in a straight line from ``start`` to ``to``. Segments are cut
at ticks and at commands, never at the device's blocks: that makes the same bytes of any block
size.
"""

from __future__ import annotations

import math

from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.layout import TICK
from sfa_engine.host.kernel.elementary import factor_of
from sfa_engine.host.kernel.intrinsics import kernel


@kernel
def goal_of(dsp, index, value):
    """Return what the sound works with: a factor for decibels, else the number itself."""
    if dsp.gain_law[index] != 0:
        if value <= dsp.low_end[index]:
            return 0.0
        return factor_of(value)
    return value


@kernel
def legal(dsp, index, value):
    """Return the value nearest to one that a control may have; no command is trusted for it."""
    if dsp.optional[index] != 0 and value == NOT_SET:
        return value
    value = min(dsp.high_end[index], max(dsp.low_end[index], value))
    return math.floor(value + 0.5) if dsp.whole[index] != 0 else value


@kernel
def put(engine, dsp, index, value):
    """Store a value that the kernel moves step by step, without a glide of its own.

    Returns
    -------
    moved : bool
        Whether it is another value than before.
    """
    if engine.flat[index] == value and dsp.to_flat[index] == value:
        return False
    engine.flat[index] = value
    goal = goal_of(dsp, index, value)
    dsp.goal_flat[index] = goal
    dsp.to_flat[index] = goal
    dsp.glide_left[index] = 0
    return True


@kernel
def set_goal(engine, dsp, index, value):
    """Store a value and let the sound glide there.

    Parameters
    ----------
    index : int64
        Of the control, among the values.
    value : float64
        In the control's unit.
    """
    engine.flat[index] = value
    goal = goal_of(dsp, index, value)
    dsp.goal_flat[index] = goal
    frames = dsp.glide_frames[index]
    if frames <= 0:
        dsp.start_flat[index] = goal
        dsp.to_flat[index] = goal
        dsp.glide_left[index] = 0
        return
    if dsp.glide_left[index] == 0:
        known = False
        for k in range(dsp.glidings):
            if dsp.gliding[k] == index:
                known = True
        if not known:
            dsp.gliding[dsp.glidings] = index
            dsp.glidings += 1
    dsp.glide_left[index] = frames
    dsp.glide_step[index] = (goal - dsp.to_flat[index]) / frames


@kernel
def advance(dsp, frames):
    """Take every gliding control across a segment of so many frames."""
    k = 0
    while k < dsp.glidings:
        index = dsp.gliding[k]
        dsp.start_flat[index] = dsp.to_flat[index]
        left = dsp.glide_left[index]
        if left <= 0:
            # It arrived in the segment before; now that its start has too, it rests.
            dsp.glidings -= 1
            dsp.gliding[k] = dsp.gliding[dsp.glidings]
            continue
        if left <= frames:
            dsp.to_flat[index] = dsp.goal_flat[index]
            dsp.glide_left[index] = 0
        else:
            dsp.to_flat[index] += dsp.glide_step[index] * frames
            dsp.glide_left[index] = left - frames
        k += 1


@kernel
def settle(engine, dsp):
    """Put every control where its value is, without a glide; for a new host."""
    for index in range(len(dsp.goal_flat)):
        goal = goal_of(dsp, index, engine.flat[index])
        dsp.goal_flat[index] = goal
        dsp.start_flat[index] = goal
        dsp.to_flat[index] = goal
        dsp.glide_left[index] = 0
    dsp.glidings = 0


@kernel
def ramp(dsp, start, end, frames):
    """Fill the dsp's ramp with a straight line that reaches `end` with its last frame."""
    if start == end:
        for i in range(frames):
            dsp.ramp[i] = start
    else:
        step = (end - start) / frames
        for i in range(frames):
            dsp.ramp[i] = start + step * (i + 1)


assert TICK == 32  # the glide times in `host.dsp_state` are rounded to it
