import random
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sfa_engine.bench.random_facts import any_track, made_track
from sfa_engine.errors import Refused
from sfa_engine.mix.arc import ARCS
from sfa_engine.mix.document import VERSION, Move
from sfa_engine.mix.order import Locks
from sfa_engine.mix.plan import plan_mix, replan, settings_of
from sfa_engine.mix.plan_text import line_of, read_plan, write_plan
from sfa_engine.mix.settings import MixSettings

TRACKS = [made_track(n, bpm=120.0 + n * 7 % 9, seed=n) for n in range(1, 7)]
FACTS = {track.id: track for track in TRACKS}


@pytest.fixture(scope="module")
def plan():
    return plan_mix(TRACKS, MixSettings("peak"))


@pytest.fixture(scope="module")
def text(plan):
    return write_plan(plan)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 40), st.integers(0, 5), st.sampled_from(ARCS))
def test_a_plan_is_read_as_it_was_written(seed, count, arc):
    chance = random.Random(seed)
    tracks = [any_track(chance, number) for number in range(1, count + 1)]
    made = plan_mix(tracks, MixSettings(arc, chance.choice([4, 8.0])))
    written = write_plan(made)
    assert read_plan(written) == made
    assert write_plan(read_plan(written)) == written


@given(st.text(max_size=30))
def test_any_name_can_be_written(name):
    written = write_plan(plan_mix([replace(TRACKS[0], name=name or "x")]))
    tomllib.loads(written)
    assert read_plan(written).tracks[0].name == (name or "x")


def test_equal_tracks_give_equal_texts(text):
    assert write_plan(plan_mix(list(reversed(TRACKS)), MixSettings("peak"))) != ""
    assert write_plan(plan_mix(TRACKS, MixSettings("peak"))) == text


def test_a_plan_has_a_track_a_transition_and_a_move_on_a_line_each(plan, text):
    lines = text.splitlines()
    assert sum(line.startswith("[[track]]") for line in lines) == len(TRACKS)
    assert sum(line.startswith("[[transition]]") for line in lines) == len(TRACKS) - 1
    moves = sum(len(transition.moves) for transition in plan.transitions)
    assert sum("control =" in line for line in lines) == moves


NONSENSE = [
    ('arc = "peak"', 'arc = "zigzag"', "arc"),
    ("rate_pct = 4.0", "rate_pct = 40.0", "rate_pct"),
    ("version = 2", "version = 7", "version"),
    ("lufs = -14.0", "lufs = nan", "lufs"),
    ("lufs = -14.0", "lufz = -14.0", "lufz"),
    ("deck = 2", "deck = 1", "deck"),
    ("deck = 2", "deck = 9", "deck"),
    ("trim_db = 0.0", "trim_db = 99.0", "trim"),
    ("trim_db = 0.0", 'trim_db = "loud"', "trim_db"),
    ("trim_db = 0.0", "trim_dbs = 0.0", "trim_dbs"),
    ("bars = 16", "bars = 1000", "bars"),
    ("bars = 16", "bars = 16.5", "bars"),
    ("bars = 16", "bars = -16", "bars"),
    ("ratio = 1.0", "ratio = 3.0", "ratio"),
    ("in_bar = 0.0", "in_barr = 0.0", "in_barr"),
    ("in_bar = 0.0", "in_s = 0.0", "in_bar"),
    ("in_glide_bars = 16", "in_glide_bars = 9999", "in_glide_bars"),
    ('kind = "blend"', 'kind = "mash"', "kind"),
    ('kind = "blend"', 'kind = "fade"', "out_bar"),
    ('control = "in.fader"', 'control = "in.fadr"', "fadr"),
    ('control = "in.fader"', 'control = "deck1.fader"', "deck1.fader"),
    ('control = "in.fader"', 'control = "in.level"', "in.level"),
    ('control = "in.fader"', 'control = "in.play"', "in.play"),
    ('control = "in.fader"', 'control = "in.hotcue1.press"', "in.hotcue1.press"),
    ("at = 0.0", "at = -3.0", "at"),
    ("at = 0.0", "at = 400.0", "at"),
    ("value = -60.0", "value = 99.0", "99"),
    ("over = 16.0", "over = 160.0", "over"),
    ('curve = "power"', 'curve = "cubic"', "curve"),
    ("start = -60.0, ", "", "start"),
]


@pytest.mark.parametrize(("right", "wrong", "word"), NONSENSE)
def test_nonsense_is_refused_with_its_line_and_a_hint(text, right, wrong, word):
    if right not in text:
        pytest.fail(f"{right} is not in the plan")
    edited = text.replace(right, wrong, 1)
    with pytest.raises(Refused) as refused:
        read_plan(edited)
    changed = next(
        n
        for n, (a, b) in enumerate(zip(text.splitlines(), edited.splitlines(), strict=True), 1)
        if a != b
    )
    message = refused.value.message
    assert word in message
    assert refused.value.hint
    assert "\n" not in message + refused.value.hint
    said = int(message.removeprefix("line ").partition(":")[0])
    lines = edited.splitlines()
    # A missing value has no line: that of its table is given.
    table = max((n for n, line in enumerate(lines[:changed], 1) if line[:2] == "[["), default=1)
    assert said in {changed, table} or lines[said - 1].startswith(word)


def test_a_text_that_is_no_toml_is_refused_with_its_line(text):
    with pytest.raises(Refused, match="line 3"):
        read_plan(text.replace('arc = "peak"', "arc = = 3", 1))


def test_a_track_that_is_taken_out_by_hand_is_missed(text):
    start, end = text.index("[[track]] # 2"), text.index("[[transition]] # 2")
    with pytest.raises(Refused, match="transitions between"):
        read_plan(text[:start] + text[end:])


def test_tracks_that_are_exchanged_by_hand_are_noticed(text, plan):
    one, other = plan.tracks[1].id, plan.tracks[2].id
    edited = text.replace(f"\nid = {one}\n", "\nid = 0\n").replace(
        f"\nid = {other}\n", f"\nid = {one}\n"
    )
    edited = edited.replace("\nid = 0\n", f"\nid = {other}\n")
    with pytest.raises(Refused, match="into is"):
        read_plan(edited)


def test_an_edit_that_makes_sense_is_read(text):
    edited = text.replace("bars = 16", "bars = 16\nlocked = true", 1)
    assert read_plan(edited).transitions[0].locked
    moved = text.replace("trim_db = 0.0", "trim_db = -2.5", 1)
    assert read_plan(moved).tracks[0].trim_db == -2.5
    assert line_of(text, "transition[1].bars") > line_of(text, "transition[0].bars")


def test_a_new_plan_from_a_place_on_keeps_what_was_played_and_what_is_locked(plan):
    locked = replace(plan.transitions[3], locked=True, bars=8, moves=())
    edited = replace(plan, transitions=(*plan.transitions[:3], locked, *plan.transitions[4:]))
    again = replan(edited, FACTS, 1, reorder=True)
    assert again.tracks[:2] == plan.tracks[:2]
    assert again.transitions[0] == plan.transitions[0]
    assert locked in again.transitions
    assert sorted(t.id for t in again.tracks) == sorted(FACTS)
    assert settings_of(again) == settings_of(plan)


def test_a_new_plan_keeps_locked_tracks_at_their_places(plan):
    tracks = [replace(t, locked=place == 4) for place, t in enumerate(plan.tracks)]
    again = replan(replace(plan, tracks=tuple(tracks)), FACTS, 0, reorder=True)
    assert again.tracks[4].id == plan.tracks[4].id


def test_a_track_that_is_missing_is_taken_out(plan):
    gone = plan.tracks[3].id
    again = replan(plan, FACTS, 1, without={gone})
    assert gone not in {t.id for t in again.tracks}
    assert len(again.transitions) == len(again.tracks) - 1
    assert [t.deck for t in again.tracks] == [1, 2, 1, 2, 1]


def test_a_track_without_facts_has_a_reason(plan):
    again = replan(plan, {k: v for k, v in FACTS.items() if k != plan.tracks[2].id}, 0)
    assert "not known" in again.transitions[1].fallback
    assert "not known" in again.transitions[2].fallback


def test_a_plan_from_outside_its_tracks_is_refused(plan):
    with pytest.raises(Refused, match="place 7"):
        replan(plan, FACTS, 6)
    with pytest.raises(Refused, match="plays"):
        replan(plan, FACTS, 0, without={plan.tracks[0].id})


def test_the_order_that_is_given_is_kept():
    made = plan_mix(TRACKS, ordered=True)
    assert [t.id for t in made.tracks] == [t.id for t in TRACKS]
    locked = plan_mix(TRACKS, locks=Locks(first=4))
    assert locked.tracks[0].id == 4
    assert locked.tracks[0].locked
    with pytest.raises(Refused, match="twice"):
        plan_mix([TRACKS[0], TRACKS[0]], ordered=True)


@pytest.mark.parametrize("wrong", [{"arc": "up"}, {"rate_pct": 9.0}, {"lufs": 0.0}, {"deck": 3}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(Refused):
        MixSettings(**wrong)


def test_a_plan_of_the_first_version_had_absolute_trims(plan):
    old = (Move("out.trim", 0.0, -3.5, start=-1.5, over=4.0), Move("in.fader", 0.0, -60.0))
    tracks = (replace(plan.tracks[0], trim_db=-1.5), *plan.tracks[1:])
    first = replace(plan.transitions[0], moves=old)
    written = write_plan(
        replace(plan, version=1, tracks=tracks, transitions=(first, *plan.transitions[1:]))
    )
    found = read_plan(written)
    assert found.version == VERSION
    assert found.transitions[0].moves == (
        Move("out.trim", 0.0, -2.0, start=0.0, over=4.0),
        Move("in.fader", 0.0, -60.0),
    )


def test_a_trim_that_was_edited_counts_in_a_new_plan(plan):
    tracks = tuple(
        replace(t, trim_db=t.trim_db - 6.0 * (n == 1)) for n, t in enumerate(plan.tracks)
    )
    again = replan(replace(plan, tracks=tracks), FACTS, 0)
    assert [t.trim_db for t in again.tracks] == [t.trim_db for t in tracks]
    assert again.transitions[0].why != plan.transitions[0].why  # another loudness
