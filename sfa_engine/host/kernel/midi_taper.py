"""A control's travel and its value: the scales of the desk, as the resolver computes them."""

from __future__ import annotations

import math

from sfa_engine.engine.midi import Taper
from sfa_engine.host.kernel.intrinsics import kernel


@kernel
def value_at(taper, whole, low, high, travel):
    """Return the value at a place of the travel; see `desk.scale.Scale.value`."""
    t = min(1.0, max(0.0, travel))
    if taper == Taper.LOG:
        v = low * (high / low) ** t
    elif taper == Taper.DECIBEL:
        v = low + (high - low) * t ** (1.0 / 3.0)
    elif taper == Taper.CENTRED:
        v = low * (1.0 - (2.0 * t) ** (1.0 / 3.0)) if t < 0.5 else high * (2.0 * t - 1.0)
    else:
        v = low + (high - low) * t
    v = min(high, max(low, v))
    if whole != 0:
        down = math.floor(v)
        odd = down - 2.0 * math.floor(0.5 * down)
        rest = v - down
        # As `round`: a half goes to the even neighbour.
        v = down + 1.0 if rest > 0.5 or (rest == 0.5 and odd != 0.0) else down
    return v


@kernel
def travel_at(taper, low, high, value):
    """Return the place on the travel of a value; see `desk.scale.Scale.travel`."""
    v = min(high, max(low, value))
    if taper == Taper.LOG:
        return math.log(v / low) / math.log(high / low)
    if taper == Taper.CENTRED:
        return (1.0 - v / low) ** 3 / 2.0 if v < 0.0 else 0.5 + v / high / 2.0
    t = (v - low) / (high - low)
    return t * t * t if taper == Taper.DECIBEL else t
