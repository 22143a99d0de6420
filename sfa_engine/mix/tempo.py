"""At which tempo two tracks meet, and how far each is from its own. Knows no track."""

from __future__ import annotations

import math
from typing import NamedTuple

RATIOS = (1.0, 2.0, 0.5)  # beats of the incoming track for each of the outgoing one
HALVED = math.log2(1.02)  # half or double tempo is taken if it is nearer by more than 2 %
_ROUNDING = 1e-9


class Meeting(NamedTuple):
    """The tempo of a transition.

    Parameters
    ----------
    bpm : float
        Tempo of the outgoing track at its rate.
    ratio : float
        Beats of the incoming track for each of the outgoing one: 1, 2 or 0.5.
    out_rate, in_rate : float
        Speed of each, as a factor.
    """

    bpm: float
    ratio: float
    out_rate: float
    in_rate: float


def nearest(out_bpm: float, in_bpm: float) -> tuple[float, float]:
    """Return the ratio of beats that is nearest, and the tempo that is left, as a factor.

    Parameters
    ----------
    out_bpm, in_bpm : float

    Returns
    -------
    ratio : float
        1, 2 or 0.5.
    factor : float
        Tempo of the incoming track over that of the outgoing one, at this ratio.
    """

    def apart(ratio: float) -> float:
        return abs(math.log2(in_bpm / ratio / out_bpm)) + (HALVED if ratio != 1.0 else 0.0)

    ratio = min(RATIOS, key=apart)
    return ratio, in_bpm / ratio / out_bpm


def meet(out_bpm: float, in_bpm: float, limit: float) -> Meeting | None:
    """Return where two tracks meet, or None if one would be further from its tempo than allowed.

    The incoming track takes the tempo of the outgoing one, which has played at its own; only if
    that is too far, both meet in the middle.

    Parameters
    ----------
    out_bpm, in_bpm : float
    limit : float
        Most that a rate may be off, as a share.
    """
    ratio, factor = nearest(out_bpm, in_bpm)
    for out_rate in (1.0, math.sqrt(factor)):
        in_rate = out_rate / factor
        if max(abs(out_rate - 1), abs(in_rate - 1)) <= limit + _ROUNDING:
            return Meeting(out_bpm * out_rate, ratio, out_rate, in_rate)
    return None
