"""The sides of a crossfader: the main one's, and those of the stems."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.layout import FADE
from sfa_engine.host.kernel.elementary import cos_pi
from sfa_engine.host.kernel.intrinsics import kernel

LINEAR = 0
POWER = 1
AUTO = 0
LEFT = 1
THROUGH = 2
CUT = 0.02  # of the way: how far the cut curve takes from silent to full
STEEPEST = 1.0 / FADE  # per frame: even a cut, a turned side or another curve does not click


@kernel
def side_gain(values, number, curve, place):
    """Return a deck's gain at a crossfader.

    Parameters
    ----------
    values : record
        The desk as it is set, which has the decks' sides.
    number : int64
        Of the deck, from 0.
    curve : int64
    place : float64
        Of the crossfader, -100 to 100.
    """
    side = np.int64(values.deck[number].assign)
    if side == THROUGH:
        return 1.0
    left = side == LEFT or (side == AUTO and number % 2 == 0)
    # From 0, the own side, to 1, the other.
    away = (1.0 + place / 100.0) / 2.0 if left else (1.0 - place / 100.0) / 2.0
    if curve == LINEAR:
        return min(1.0, 2.0 * (1.0 - away))
    if curve == POWER:
        # Both at full in the middle would add up to +3 dB: equal power, full at the own side.
        return cos_pi(away / 2.0) if away < 1.0 else 0.0
    return min(1.0, max(0.0, (1.0 - away) / CUT))


@kernel
def stem_fader_gain(values, number, curve, place):
    """Return a deck's gain at the crossfader of a stem: one in the middle, by every curve.

    At rest the faders of all stems have to leave the mix as it is, as the main crossfader, of
    which there is one, need not: with equal power it is 3 dB down there.
    """
    if place == 0.0:
        return 1.0
    gain = side_gain(values, number, curve, place)
    return min(1.0, gain * math.sqrt(2.0)) if curve == POWER else gain


@kernel
def step_to(now, gain, frames):
    """Return the gain after some frames on the way to another."""
    most = STEEPEST * frames
    return now + min(most, max(-most, gain - now))
