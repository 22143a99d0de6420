import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sfa_engine.bench.random_facts import any_track, made_track
from sfa_engine.desk import find
from sfa_engine.errors import Refused
from sfa_engine.mix.audition import audition
from sfa_engine.mix.commands import bar_s, timetable
from sfa_engine.mix.course import Course
from sfa_engine.mix.document import Move
from sfa_engine.mix.facts import QUIET_DB
from sfa_engine.mix.mix_script import mix_script, power_db
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.plan_text import read_plan, write_plan
from sfa_engine.mix.timeline import Timeline
from sfa_engine.script.script import parse_script

TRACKS = [made_track(n, bpm=122.0 + 2 * n, seed=n) for n in range(1, 5)]
FACTS = {track.id: track for track in TRACKS}
BUNDLES = {track.id: f"track {track.id}.sfa" for track in TRACKS}


@pytest.fixture(scope="module")
def plan():
    return plan_mix(TRACKS, ordered=True)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 60), st.floats(0.92, 1.08), st.floats(0.92, 1.08)), min_size=1
    ),
    st.floats(0, 1),
)
def test_time_and_place_of_a_course_are_inverse(parts, share):
    course = Course(2.0, 5.0)
    for length, rate, until in parts:
        course.run(course.place_s + length, rate, until)
    place = 2.0 + share * (course.place_s - 2.0)
    assert course.place_at(course.time_at(place)) == pytest.approx(place, abs=1e-6)
    assert course.time_at(2.0) == pytest.approx(5.0)
    assert course.place_at(course.time_s) == pytest.approx(course.place_s)


def test_a_glide_that_is_cut_is_left_where_it_has_come_to():
    course = Course(0.0, 0.0)
    course.run(30.0, 1.04, 1.0)
    until = course.time_at(10.0)
    course.cut(10.0)
    assert course.place_s == 10.0
    assert course.time_s == pytest.approx(until)
    assert 1.0 < course.rate < 1.04


def test_a_blend_starts_the_incoming_deck_on_the_bar(plan):
    table = timetable(plan, FACTS)
    first, line = plan.transitions[0], Timeline(TRACKS[0])
    play = next(c for c in table.commands if c.path == "deck2.play")
    assert play.when == "bar deck1"
    bar = 4 * 60 / TRACKS[0].bpm
    assert play.place_s == pytest.approx(bar_s(line, first.out_bar) - bar / 2, abs=0.05)
    position = next(c for c in table.commands if c.path == "deck2.position")
    assert position.value == pytest.approx(bar_s(Timeline(TRACKS[1]), first.in_bar), abs=1e-5)
    assert position.time_s < play.time_s


def test_nothing_touches_a_deck_from_its_load_until_it_is_set_up(plan):
    commands = timetable(plan, FACTS).commands
    playing = set()
    for command in commands:
        if command.verb == "load":
            assert command.path not in playing
        if command.path.endswith(".play"):
            deck = command.path.partition(".")[0]
            (playing.add if command.value == "on" else playing.discard)(deck)
    assert [c.time_s for c in commands] == sorted(c.time_s for c in commands)


def test_a_deck_is_at_rest_when_its_next_track_starts(plan):
    values = {}
    for command in timetable(plan, FACTS).commands:
        if command.verb in {"set", "ramp"}:
            control = find(command.path)
            values[command.path] = control.check(command.value)
        if command.path.endswith(".play") and command.value == "off":
            leaving = command.path.partition(".")[0]
        if command.verb == "load" and command.time_s > 0:
            assert command.path == leaving
            for path, value in values.items():
                deck, _, name = path.partition(".")
                if deck == leaving and name.partition(".")[0] in {"stem", "eq", "fader"}:
                    assert value == find(path).scale.rest, path


def test_a_plan_is_a_script_that_can_be_rendered(plan):
    table = timetable(plan, FACTS)
    script = parse_script(mix_script(table, BUNDLES))
    assert script.end_s == pytest.approx(table.end_s + 1.0)
    assert [e.words for e in script.events if e.verb == "load"] == list(BUNDLES.values())


def test_plans_of_all_kinds_of_tracks_can_be_rendered():
    chance = random.Random(2)
    tracks = [any_track(chance, number) for number in range(1, 16)]
    tracks = [track for track in tracks if track.length_s]
    plan = plan_mix(tracks)
    table = timetable(plan, {track.id: track for track in tracks})
    parse_script(mix_script(table, {track.id: "a b.sfa" for track in tracks}))
    total = sum(track.length_s for track in tracks)
    assert 0.5 * total < table.end_s < total + 1


@pytest.mark.parametrize(
    ("start", "end", "share", "level"),
    [
        (-60, 0, 0.0, -60),
        (-60, 0, 1.0, 0),
        (-60, 0, 0.5, -3.01),
        (0, -60, 0.5, -3.01),
        (0, -60, 1, -60),
    ],
)
def test_a_fade_of_equal_power_is_three_decibels_down_in_the_middle(start, end, share, level):
    assert power_db(start, end, share) == pytest.approx(level, abs=0.01)


def test_a_blend_beyond_the_end_of_a_track_is_refused(plan):
    late = replace(plan.transitions[0], out_bar=500.0)
    with pytest.raises(Refused, match="after its end"):
        timetable(replace(plan, transitions=(late, *plan.transitions[1:])), FACTS)
    early = replace(plan.transitions[1], out_bar=2.0)
    before = replace(plan.transitions[0], out_bar=-50.0)
    with pytest.raises(Refused, match="begins at -"):
        timetable(replace(plan, transitions=(before, *plan.transitions[1:])), FACTS)
    with pytest.raises(Refused, match="before it has come in"):
        timetable(
            replace(plan, transitions=(plan.transitions[0], early, plan.transitions[2])), FACTS
        )


def test_a_track_of_which_nothing_is_known_is_refused(plan):
    with pytest.raises(Refused, match="nothing is known"):
        timetable(plan, {1: FACTS[1]})


def test_a_transition_can_be_auditioned_by_itself(plan):
    table, start_s, end_s, bar = audition(plan, FACTS, 1, bars=8)
    each, out = plan.transitions[1], FACTS[plan.tracks[1].id]
    before = max(8, each.out_glide_bars) * 4 * 60 / out.bpm
    assert start_s == pytest.approx(0.5 + before, rel=0.03)
    assert end_s - start_s == pytest.approx(each.bars * bar)
    assert table.end_s == pytest.approx(end_s + 8 * bar, rel=0.05)
    loads = [c.value for c in table.commands if c.verb == "load"]
    assert loads == [plan.tracks[1].id, plan.tracks[2].id]
    script = parse_script(mix_script(table, BUNDLES))
    assert script.end_s < 90
    with pytest.raises(Refused, match="transition 9"):
        audition(plan, FACTS, 8)


def test_fades_and_follows_can_be_auditioned():
    chance = random.Random(4)
    tracks = [any_track(chance, number) for number in range(1, 16)]
    tracks = [track for track in tracks if track.length_s]
    plan = plan_mix(tracks)
    for place, each in enumerate(plan.transitions):
        table, start_s, end_s, bar = audition(plan, {t.id: t for t in tracks}, place)
        assert 0 < start_s <= end_s < table.end_s
        assert bar > 0
        assert each.kind == "blend" or end_s - start_s < 30


def test_a_muted_stem_stays_muted_from_before_a_track_starts_until_it_is_gone():
    mute = {track.id: ("vocals",) for track in TRACKS[:2]}
    muted = plan_mix(TRACKS, ordered=True, mute=mute)
    assert [track.mute for track in muted.tracks] == [("vocals",), ("vocals",), (), ()]
    # as in a plan that was edited
    moves = (Move("in.stem.vocals.mute", 0.0, "on"), Move("in.stem.vocals.mute", 4.0, "off"))
    first = replace(muted.transitions[0], moves=(*muted.transitions[0].moves, *moves))
    muted = replace(muted, transitions=(first, *muted.transitions[1:]))
    commands = timetable(muted, FACTS).commands
    state, sounded = {}, []
    for command in commands:
        if command.path.endswith("stem.vocals.mute"):
            state[command.path] = command.value
        if command.path.endswith(".play"):
            deck = command.path.partition(".")[0]
            sounded.append((deck, command.value, state.get(f"{deck}.stem.vocals.mute", "off")))
    assert sounded[:4] == [
        ("deck1", "on", "on"), ("deck2", "on", "on"), ("deck1", "off", "on"), ("deck1", "on", "off")
    ]  # fmt: skip
    assert ("deck2", "off", "on") in sounded


def test_a_track_whose_vocals_are_muted_is_planned_as_one_without_a_voice():
    heard = TRACKS[0].without(("vocals", "bass"))
    assert heard.vocals_s == ()
    assert not {"vocals", "bass"} & set(heard.stems)
    assert set(heard.bass_db) <= {QUIET_DB}
    assert heard.drums_db == TRACKS[0].drums_db


def test_a_plan_with_an_unknown_stem_is_refused_with_its_line(plan):
    track = replace(plan.tracks[0], mute=("vocals",))
    text = write_plan(replace(plan, tracks=(track, *plan.tracks[1:])))
    assert read_plan(text).tracks[0].mute == ("vocals",)
    with pytest.raises(Refused, match=r'line \d+: no stem "vocal"'):
        read_plan(text.replace('"vocals"', '"vocal"', 1))


TRIMMED = (
    Move("out.trim", 0.0, 1.0, start=0.0, over=4.0),
    Move("in.trim", 0.0, 2.0),
    Move("in.trim", 0.0, 0.0, start=2.0, over=8.0),
)


def trims_of(plan, out_db, in_db):
    """Return the trims of a blend between two tracks whose trims were edited: deck, start, end."""
    tracks = [
        replace(track, trim_db=db)
        for track, db in zip(plan.tracks[:2], (out_db, in_db), strict=True)
    ]
    pair = replace(
        plan,
        tracks=tuple(tracks),
        transitions=(replace(plan.transitions[0], moves=TRIMMED),),
    )
    table = timetable(pair, FACTS)
    start_s = next(c.time_s for c in reversed(table.commands) if c.verb == "mark")
    before = {
        c.path: c.value for c in table.commands if c.path.endswith("trim") and c.time_s < start_s
    }
    ramps = [
        (c.path, c.start, c.value)
        for c in table.commands
        if c.path.endswith("trim") and c.verb == "ramp"
    ]
    return before, ramps, table


def test_a_trim_that_was_edited_counts_in_the_moves_of_the_trim(plan):
    before, ramps, table = trims_of(plan, 3.0, -4.5)
    assert before == {"deck1.trim": 3.0, "deck2.trim": -2.5}
    assert ramps == [("deck1.trim", 3.0, 4.0), ("deck2.trim", -2.5, -4.5)]
    last = [c.value for c in table.commands if c.path == "deck1.trim"][-1]
    assert last == 3.0  # the deck is left as it was


def test_a_trim_is_raised_up_to_the_end_of_its_range(plan):
    before, ramps, _ = trims_of(plan, 11.5, 12.0)
    assert before["deck2.trim"] == 12.0
    assert ramps == [("deck1.trim", 11.5, 12.0), ("deck2.trim", 12.0, 12.0)]
