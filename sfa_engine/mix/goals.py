"""What a transition should measure, and whether it does. Pure.

======================  =====================================================
measure                 goal
======================  =====================================================
``apart_ms``            drums of both decks at most 10 ms apart, of a blend
``bars``                4, 8, 16 or 32, of a blend
``bass_both_bars``      1 at most
``bass_neither_bars``   1 at most
``over_louder_db``      1.5 at most over the louder of the two decks at unity
``under_louder_db``     3 at most under it
``over_line_db``        2 at most over the line from before to after
``added_step_lu``       within 2 of the step that the tracks themselves have
``voices_s``            none
``silence_s``           0.4 at most
``rate_pct``            no more than the plan allows
======================  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sfa_engine.mix.document import Plan, Transition
from sfa_engine.mix.measures import Measures
from sfa_engine.mix.settings import LENGTHS

MAX_APART_MS = 10.0
MAX_BASS_BARS = 1.0
OVER_LOUDER_DB, UNDER_LOUDER_DB, OVER_LINE_DB = 1.5, -3.0, 2.0
MAX_STEP_LU = 2.0
MAX_SILENCE_S = 0.4
_SLACK = 1e-3  # of a rate that was rounded


class Goal(NamedTuple):
    """A measure of a transition, its goal in words, and whether it is met.

    Parameters
    ----------
    name : str
    value : float or None
        None: it cannot be measured here, as the distance of the drums without drums.
    goal : str
    is_met : bool or None
        None: not measured.
    """

    name: str
    value: float | None
    goal: str
    is_met: bool | None


def goals_of(found: Measures, transition: Transition, plan: Plan) -> tuple[Goal, ...]:
    """Return the goals of a transition that was rendered and measured."""
    is_blend = transition.kind == "blend"
    apart = found.apart_ms if is_blend else None
    rates = (transition.out_rate, transition.in_rate)
    rate_pct = round(100 * max(abs(rate - 1) for rate in rates), 2)
    bars = float(transition.bars) if is_blend else None
    both, neither = found.bass_both_bars, found.bass_neither_bars
    return (
        _goal("apart_ms", apart, f"within {MAX_APART_MS:g}", lambda x: abs(x) <= MAX_APART_MS),
        _goal("bars", bars, "4, 8, 16 or 32", lambda x: x in LENGTHS),
        _goal("bass_both_bars", both, f"<= {MAX_BASS_BARS:g}", lambda x: x <= MAX_BASS_BARS),
        _goal("bass_neither_bars", neither, f"<= {MAX_BASS_BARS:g}", lambda x: x <= MAX_BASS_BARS),
        _goal(
            "over_louder_db",
            found.over_louder_db,
            f"<= {OVER_LOUDER_DB:g}",
            lambda x: x <= OVER_LOUDER_DB,
        ),
        _goal(
            "under_louder_db",
            found.under_louder_db,
            f">= {UNDER_LOUDER_DB:g}",
            lambda x: x >= UNDER_LOUDER_DB,
        ),
        _goal(
            "over_line_db", found.over_line_db, f"<= {OVER_LINE_DB:g}", lambda x: x <= OVER_LINE_DB
        ),
        _goal(
            "added_step_lu",
            found.added_step_lu,
            f"within {MAX_STEP_LU:g}",
            lambda x: abs(x) <= MAX_STEP_LU,
        ),
        _goal("voices_s", found.voices_s, "0", lambda x: x == 0),
        _goal("silence_s", found.silence_s, f"<= {MAX_SILENCE_S:g}", lambda x: x <= MAX_SILENCE_S),
        _goal(
            "rate_pct",
            rate_pct,
            f"<= {plan.rate_pct:g}",
            lambda x: x <= plan.rate_pct + 100 * _SLACK,
        ),
    )


def _goal(name: str, value: float | None, goal: str, met: Callable[[float], bool]) -> Goal:
    return Goal(name, value, goal, None if value is None else met(value))
