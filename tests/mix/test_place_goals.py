"""Goals that the place of a transition decides."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sfa_engine.bench.random_facts import made_track
from sfa_engine.mix.document import Move, Transition
from sfa_engine.mix.place_goals import place_goals
from sfa_engine.mix.plan import plan_mix

# 120 BPM from 0.2 s on: a bar takes 2 s. Sections begin at bars 0, 16, 24, 56, 72 and 104.
OUT = made_track(1, bpm=120.0, seed=1, camelot="8A", vocals_s=((200.0, 204.0),))
INTO = made_track(2, bpm=120.0, seed=2, camelot="8A", vocals_s=((40.0, 43.0),))
FACTS = {1: OUT, 2: INTO}
PLAN = plan_mix([OUT, INTO], ordered=True)
BLEND = Transition(1, 2, "blend", out_bar=104.0, in_bar=0.0, bars=16)


def goals(each=BLEND, *, tonal=2.0, **changed):
    facts = {number: replace(FACTS[number], **changed) for number in FACTS}
    found = place_goals(replace(PLAN, transitions=(each,)), 0, facts, tonal)
    return {goal.name: (goal.value, goal.is_met) for goal in found}


def test_a_blend_of_outro_and_intro_meets_every_goal():
    assert goals() == {
        "off_border": (0.0, True),
        "cut_s": (0.0, True),
        "clash_bars": (0.0, True),
        "lost_s": (0.0, True),
        "intro_lost_s": (0.2, True),
    }


def test_what_the_planner_makes_meets_every_goal():
    found = place_goals(PLAN, 0, FACTS, 0.0)
    assert all(goal.is_met for goal in found), found


@pytest.mark.parametrize(
    ("change", "off"),
    [({"out_bar": 103.0}, 1.0), ({"in_bar": 1.0}, 1.0), ({"bars": 4}, 1.0), ({"bars": 8}, 0.0)],
)
def test_ends_off_the_borders_are_counted(change, off):
    value, is_met = goals(replace(BLEND, **change))["off_border"]
    assert value == off
    assert is_met is (off == 0)


def test_a_line_that_is_cut_is_measured_where_its_stem_is_muted():
    early = replace(BLEND, out_bar=88.0, bars=12)  # ends at bar 100, which is 200.2 s
    assert goals(early)["cut_s"] == (pytest.approx(3.8), False)
    muted = replace(early, moves=(Move("out.stem.vocals.mute", 4.0, "on"),))
    assert goals(muted)["cut_s"] == (0.0, True)
    inside = replace(BLEND, in_bar=21.0)  # 42.2 s: the line has gone on for 2.2 s
    assert goals(inside)["cut_s"] == (pytest.approx(2.2), False)
    moves = (Move("in.stem.vocals.mute", 0.0, "on"), Move("in.stem.vocals.mute", 4.0, "off"))
    assert goals(replace(inside, moves=moves))["cut_s"] == (0.0, True)
    assert goals(vocals_s=None)["cut_s"] == (None, None)


def test_keys_clash_where_pitched_parts_sound_together():
    far = replace(INTO, camelot="2A")
    facts = {1: OUT, 2: far}
    plan = replace(PLAN, transitions=(BLEND,))
    clash = {
        tonal: {goal.name: goal for goal in place_goals(plan, 0, facts, tonal)}["clash_bars"]
        for tonal in (3.0, 6.0, None)
    }
    assert [(goal.value, goal.is_met) for goal in clash.values()] == [
        (3.0, True),
        (6.0, False),
        (None, None),
    ]
    assert goals(camelot=None)["clash_bars"] == (None, None)
    shifted = replace(plan.tracks[1], pitch_st=1)  # 1A becomes 8A
    near = {1: OUT, 2: replace(INTO, camelot="1A")}
    plan = replace(plan, tracks=(plan.tracks[0], shifted))
    assert {g.name: g.value for g in place_goals(plan, 0, near, 6.0)}["clash_bars"] == 0.0


def test_music_that_is_left_out_is_measured_and_may_be_said():
    early = replace(BLEND, out_bar=56.0, in_bar=8.0)  # 32 bars before the outro
    found = goals(early)
    assert found["lost_s"] == (pytest.approx(64.0, abs=0.5), False)
    assert found["intro_lost_s"] == (pytest.approx(16.0, abs=0.5), False)
    said = replace(early, why=("end: 60 s are left out", "beginning: 16 s are left out"))
    assert [goals(said)[name][1] for name in ("lost_s", "intro_lost_s")] == [True, True]


def test_a_fade_has_no_borders():
    fade = Transition(1, 2, "fade", out_s=236.0, in_s=0.2, seconds=4.0, fallback="no beats")
    found = goals(fade)
    assert found["off_border"] == (None, None)
    assert found["lost_s"][1]
