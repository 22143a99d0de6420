"""How two places of a track are faded over at the seam of a loop: with equal power.

A straight cross-fade of two sounds that have nothing in common dips by 3 dB in its middle; one of
equal power bumps by 3 dB where they are the same, as in a loop cut out of a loop. So the straight
fade is divided by the level that it has, which follows from how alike both sides are:
``u / sqrt(u² + (1 - u)² + 2 r u (1 - u))`` of a head's gain u, with the correlation r. At 1 that is
a straight line, at 0 it is a fade of equal power.

References
----------
.. [1] M. Fink, M. Holters, U. Zölzer, "Signal-matched power-complementary cross-fading and
       dry-wet mixing", DAFx-16, 2016.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.layout import FADE
from sfa_engine.host.kernel.interpolate import fetch
from sfa_engine.host.kernel.intrinsics import kernel, part

STRAIGHT = 1.0  # correlation of a fade that is a line


@kernel
def shape(gain, alike):
    """Return the gain of a head whose straight fade has come to `gain`."""
    rest = 1.0 - gain
    return gain / math.sqrt(gain * gain + rest * rest + 2.0 * alike * gain * rest)


@kernel
def likeness(dsp, leaving, from_place, coming, to_place, stem, backwards):
    """Return the correlation of two places of a stem over the length of a fade, 0 to 1.

    Parameters
    ----------
    leaving, coming : record of `MEDIA`
    from_place, to_place : float64
        In frames of each track.
    stem : int64
    backwards : bool
        Whether it is the frames before them that are faded over.
    """
    if leaving.address[stem] == 0 or coming.address[stem] == 0:
        return STRAIGHT
    low = np.int64(math.floor(from_place))
    other_low = low + np.int64(math.floor(to_place - from_place + 0.5))
    if backwards:
        low -= FADE
        other_low -= FADE
    fetch(leaving, stem, low, np.int64(FADE), dsp.span)
    span = part(dsp.span, 0, 0)
    other = part(dsp.other_span, 0, 0)
    for i in range(2 * FADE):
        other[i] = span[i]
    fetch(coming, stem, other_low, np.int64(FADE), dsp.span)
    both = 0.0
    one = 0.0
    two = 0.0
    for i in range(2 * FADE):
        a = np.float64(other[i])
        b = np.float64(span[i])
        both += a * b
        one += a * a
        two += b * b
    if one == 0.0 or two == 0.0:
        return STRAIGHT
    # Sides that cancel each other are not lifted: half of a wrong guess would be far too loud.
    return min(1.0, max(0.0, both / math.sqrt(one * two)))
