"""Hot cues by the configuration: kinds, numbers, order, bars before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.desk import HOT_CUES
from sfa_engine.library.color import is_color
from sfa_engine.prep.hot_cue import (
    KINDS,
    LEAD_IN,
    LOOP_COLORS,
    ORDERS,
    Cue,
    CuesConfig,
    choose,
    choose_values,
)
from sfa_engine.track.grid import Anchor, Grid

GRID = Grid((Anchor(24_000.0, 0.0),), 120.0)  # a bar of 2 s from 0.5 s on
CUES = [
    Cue(0.5, "intro", "first downbeat"),
    Cue(32.5, "build", "build 1"),
    Cue(48.5, "drop", "drop 1"),
    Cue(48.5, "loop", "drums 8 bars", 64.5, "drums"),
    Cue(80.5, "drop", "drop 2"),
    Cue(112.5, "outro", "outro"),
]


def numbered(config: CuesConfig, grid: Grid | None = GRID) -> list[tuple[int, str]]:
    chosen = choose(CUES, config, grid, 48_000)
    return sorted((cue.hot_cue, cue.label) for cue in chosen if cue.hot_cue)


def test_by_default_the_important_places_are_numbered_by_time():
    labels = ["first downbeat", "build 1", "drop 1", "drop 2", "outro"]
    assert numbered(CuesConfig()) == list(enumerate(labels, 1))


def test_only_the_kinds_of_the_list_are_hot_cues():
    assert numbered(CuesConfig(kinds=("drop",))) == [(1, "drop 1"), (2, "drop 2")]
    assert numbered(CuesConfig(kinds=())) == []


def test_the_first_kinds_come_first_where_room_is_short():
    assert numbered(CuesConfig(kinds=("outro", "drop", "intro"), hot_cues=2)) == [
        (1, "drop 1"), (2, "outro"),
    ]  # fmt: skip
    assert numbered(CuesConfig(hot_cues=0)) == []


def test_order_kinds_numbers_by_importance():
    assert numbered(CuesConfig(kinds=("drop", "intro"), order="kinds")) == [
        (1, "drop 1"), (2, "drop 2"), (3, "first downbeat"),
    ]  # fmt: skip


def test_numbers_below_the_first_stay_free():
    assert numbered(CuesConfig(kinds=("drop",), first=5)) == [(5, "drop 1"), (6, "drop 2")]
    assert numbered(CuesConfig(first=HOT_CUES)) == [(HOT_CUES, "first downbeat")]


def test_no_more_of_a_kind_than_asked_for():
    assert numbered(CuesConfig(kinds=("drop", "intro"), most={"drop": 1, "intro": 0})) == [
        (1, "drop 1")
    ]


def test_a_hot_cue_lies_bars_before_its_kind_and_the_place_itself_stays_a_cue():
    config = CuesConfig(kinds=("drop",), bars_before={"drop": 8})
    chosen = choose(CUES, config, GRID, 48_000)
    hot = [(cue.time_s, cue.kind, cue.label) for cue in chosen if cue.hot_cue]
    assert hot == [(32.5, LEAD_IN, "drop 1 in 8 bars"), (64.5, LEAD_IN, "drop 2 in 8 bars")]
    assert [cue.time_s for cue in chosen if cue.kind == "drop"] == [48.5, 80.5]


def test_bars_are_counted_over_a_seam_as_the_grid_counts_them_and_end_on_a_downbeat():
    # An edit leaves 0.3 beats of the sixth bar: a bar all the same, or no lead-in that begins
    # before the edit would begin with a bar.
    at = 20.3 * 24_000.0
    before = (at - 48.0) / 24_000.0
    grid = Grid((Anchor(0.0, 0.0), Anchor(at - 48.0, before), Anchor(at, 24.0)), 120.0)
    drop_s = float(grid.frame_of(32, 48_000)) / 48_000
    for bars, start_s in ((1, at / 48_000 + 2.0), (2, at / 48_000), (3, 10.0), (8, 0.0)):
        config = CuesConfig(kinds=("drop",), bars_before={"drop": bars})
        chosen = choose([Cue(drop_s, "drop", "drop")], config, grid, 48_000)
        (hot,) = (cue for cue in chosen if cue.hot_cue)
        assert abs(hot.time_s - start_s) < 1e-5
        beat = float(grid.beat_of(hot.time_s * 48_000, 48_000))
        assert abs(beat - round(beat)) < 1e-3
        assert round(beat) % 4 == 0


def test_where_the_track_has_not_begun_the_hot_cue_is_at_the_place_itself():
    config = CuesConfig(kinds=("drop",), bars_before={"drop": 32}, most={"drop": 1})
    assert numbered(config) == [(1, "drop 1")]
    assert numbered(config, grid=None) == [(1, "drop 1")]


def test_the_choice_can_be_made_again_with_other_rules():
    ahead = CuesConfig(kinds=("drop",), bars_before={"drop": 4})
    values = [cue.as_values() for cue in CUES]
    plain = choose_values(values, CuesConfig(), GRID, 48_000)
    other = choose_values(plain, ahead, GRID, 48_000)
    assert [v["label"] for v in other if "hot_cue" in v] == ["drop 1 in 4 bars", "drop 2 in 4 bars"]
    assert choose_values(other, CuesConfig(), GRID, 48_000) == plain


def test_every_kind_has_a_colour_that_the_library_takes_and_loops_have_their_stems():
    for kind in (*KINDS, LEAD_IN):
        assert is_color(Cue(1.0, kind, kind).color)
    loops = [Cue(1.0, "loop", "loop", 2.0, stem).color for stem in ("", *LOOP_COLORS)]
    assert all(map(is_color, loops))
    assert len(set(loops)) == len(loops)
    assert len({Cue(1.0, kind, kind).color for kind in KINDS}) == len(KINDS)
    assert not Cue(1.0, "of another version", "").color


@given(
    cues=st.lists(
        st.builds(
            Cue,
            time_s=st.integers(0, 60).map(lambda bar: 0.5 + 2.0 * bar),
            kind=st.sampled_from(KINDS),
            label=st.just("x"),
        ),
        max_size=40,
    ),
    config=st.builds(
        CuesConfig,
        kinds=st.lists(st.sampled_from(KINDS), unique=True).map(tuple),
        hot_cues=st.integers(0, HOT_CUES),
        first=st.integers(1, HOT_CUES),
        most=st.dictionaries(st.sampled_from(KINDS), st.integers(0, 4)),
        bars_before=st.dictionaries(st.sampled_from(KINDS), st.integers(0, 64)),
        order=st.sampled_from(ORDERS),
    ),
)
def test_any_rules_number_places_once_and_lose_no_cue(cues, config):
    chosen = choose(cues, config, GRID, 48_000)
    hot = [cue for cue in chosen if cue.hot_cue]
    assert sorted(cue.hot_cue for cue in hot) == list(range(config.first, config.first + len(hot)))
    assert len({cue.time_s for cue in hot}) == len(hot) <= config.hot_cues
    assert all(1 <= cue.hot_cue <= HOT_CUES and cue.time_s >= 0 for cue in hot)
    assert [cue.time_s for cue in chosen] == sorted(cue.time_s for cue in chosen)
    kept = [(cue.time_s, cue.kind) for cue in chosen if cue.kind != LEAD_IN]
    assert sorted(kept) == sorted((cue.time_s, cue.kind) for cue in cues)
