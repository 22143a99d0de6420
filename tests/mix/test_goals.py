"""Goals of a transition: met, not met, or not measured."""

from __future__ import annotations

from msgspec.structs import replace

from sfa_engine.mix.document import Plan, Transition
from sfa_engine.mix.goals import goals_of
from sfa_engine.mix.measures import Measures

GOOD = Measures(
    apart_ms=2.0,
    bass_both_bars=0.5,
    bass_neither_bars=0.0,
    over_louder_db=0.4,
    under_louder_db=-1.0,
    over_line_db=0.9,
    step_lu=-5.0,
    added_step_lu=-0.3,
    voices_s=0.0,
    silence_s=0.1,
)
BLEND = Transition(1, 2, "blend", out_bar=8.0, in_bar=0.0, bars=16, in_rate=1.03)


def met(found, each=BLEND, plan=None):
    return {goal.name: goal.is_met for goal in goals_of(found, each, plan or Plan())}


def test_a_good_blend_meets_every_goal():
    assert set(met(GOOD).values()) == {True}


def test_each_goal_is_missed_by_its_own_measure():
    bad = {
        "apart_ms": -12.0,
        "bass_both_bars": 1.2,
        "bass_neither_bars": 1.5,
        "over_louder_db": 1.6,
        "under_louder_db": -3.1,
        "over_line_db": 2.4,
        "added_step_lu": -2.5,
        "voices_s": 0.3,
        "silence_s": 0.6,
    }
    for name, value in bad.items():
        missed = [n for n, is_met in met(replace(GOOD, **{name: value})).items() if not is_met]
        assert missed == [name]
    assert met(GOOD, replace(BLEND, bars=12))["bars"] is False
    assert met(GOOD, replace(BLEND, in_rate=1.05))["rate_pct"] is False
    assert met(GOOD, replace(BLEND, in_rate=1.05), Plan(rate_pct=8.0))["rate_pct"] is True


def test_what_is_not_there_is_not_measured():
    fade = Transition(1, 2, "fade", out_s=10.0, in_s=0.0, seconds=4.0)
    found = met(replace(GOOD, apart_ms=40.0, voices_s=None), fade)
    assert {name for name, is_met in found.items() if is_met is None} == {
        *("apart_ms", "bars", "voices_s"),
    }
