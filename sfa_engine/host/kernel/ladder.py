"""The overload ladder: quality steps down before a block is late, and up again when there is time.

==== =======================================================================
step what is lowered, beside the steps before it
==== =======================================================================
0    nothing
1    tonal stems are stretched in the time domain, as the others
2    effect units fade out, with their tails
3    pads have `FEW_VOICES` voices; the oldest fade out
==== =======================================================================

The audio thread's own time decides: a mean over `MEAN_S` above the budget steps down, one below
`CALM` of it for a while steps up. A step up that did not last doubles that while. The decision is a
command of the host's ring, and so it is in the journal: a replay, which has no budget, does the
same steps at the same ticks.
"""

from __future__ import annotations

import numpy as np

from sfa_engine.engine.command import NO_DECK, Op, Reason, ReportKind, Ring, Source, When
from sfa_engine.engine.layout import LADDER_STEPS, MAX_WAITING
from sfa_engine.host.kernel import sampler
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import note
from sfa_engine.host.kernel.waiting import clear, keep

MEAN_S = 0.05  # a single late block of 12 ms, as a virtual machine has them, is not an overload
MOST = 2.0  # that a block counts for, as a share of its time
SETTLE_S = 0.1  # after a step, until the mean tells what it saved
CALM = 0.6  # of the budget: the costliest step saves less than the rest
LONGEST_HOLD_S = 60.0


@kernel
def judge(engine, dsp, share, seconds):
    """Take the cost of a block, and decide whether the next tick steps down or up.

    Parameters
    ----------
    share : float64
        Of its time that the block took.
    seconds : float64
        That the block lasts.
    """
    budget = dsp.ladder_budget
    if budget <= 0.0:
        return
    dsp.ladder_mean += (min(MOST, share) - dsp.ladder_mean) * min(1.0, seconds / MEAN_S)
    dsp.ladder_since += seconds
    if dsp.ladder_due != 0 or dsp.ladder_since < SETTLE_S:
        return
    if dsp.ladder_mean > budget:
        dsp.ladder_calm = 0.0
        if engine.ladder < LADDER_STEPS:
            if dsp.ladder_rose != 0 and dsp.ladder_since < dsp.ladder_hold:
                dsp.ladder_hold = min(LONGEST_HOLD_S, 2.0 * dsp.ladder_hold)
            dsp.ladder_due = 1
    elif dsp.ladder_mean < CALM * budget:
        dsp.ladder_calm += seconds
        if engine.ladder > 0 and dsp.ladder_calm >= dsp.ladder_hold:
            dsp.ladder_calm = 0.0
            dsp.ladder_due = -1
    else:
        dsp.ladder_calm = 0.0


@kernel
def ask(engine, dsp):
    """Put a step that is due among the commands, first of its tick."""
    if dsp.ladder_due == 0 or engine.waiting_count >= MAX_WAITING:
        return
    command = dsp.command
    command.op = Op.LADDER
    command.source = Source.HOST
    command.deck = NO_DECK
    command.when = When.NOW
    command.ring = Ring.HOST
    command.x = np.float64(engine.ladder + dsp.ladder_due)
    note(engine, ReportKind.TAKEN, command, 0, engine.frame, Reason.NONE, -1, 0.0)
    keep(engine, command)
    clear(command)
    dsp.ladder_rose = 1 if dsp.ladder_due < 0 else 0
    dsp.ladder_since = 0.0
    dsp.ladder_due = 0


@kernel
def move(engine, dsp, command, frame):
    """Do a step: x is the step from now on."""
    if command.ring != Ring.HOST:
        return Reason.UNKNOWN
    engine.ladder = np.int64(min(np.float64(LADDER_STEPS), max(0.0, command.x)))
    sampler.thin(engine, dsp, frame)
    return Reason.NONE
