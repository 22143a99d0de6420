"""Grids: by hand before automatic, and corrections that do what a person hears."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from open_library import in_asyncio

from sfa_engine.errors import MediaError, Refused
from sfa_engine.library.analysis import Analysis, store
from sfa_engine.library.grids import (
    TrackGrid,
    double,
    drop_hand_grid,
    grid_of,
    halve,
    set_bpm,
    set_downbeat,
    set_grid,
    shift,
)
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, get
from sfa_engine.track import correction
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
LIVE = Grid((Anchor(100.25, 0.0), Anchor(48_100.5, 2.0), Anchor(72_100.0, 3.0)), 119.5, 3)
EVEN = Grid((Anchor(12_000.0, 0.0),), 120.0)

grids = st.builds(
    lambda first, steps, bpm, bar: Grid(
        tuple(Anchor(first + sum(steps[:n]), float(n)) for n in range(len(steps) + 1)), bpm, bar
    ),
    st.floats(0.0, 1e5),
    st.lists(st.floats(12_000.0, 40_000.0), max_size=5),
    st.floats(60.0, 180.0),
    st.integers(1, 7),
)


@given(grids, st.sampled_from([-1.0, -0.5, 0.5, 1.0]))
def test_a_shifted_grid_has_every_beat_so_much_later_and_comes_back(grid, beats):
    later = correction.shifted(grid, beats)
    assert later.frame_of([0.0, 2.0], RATE) == pytest.approx(
        grid.frame_of([beats, 2.0 + beats], RATE)
    )
    back = correction.shifted(later, -beats)
    assert [a.beat for a in back.anchors] == pytest.approx([a.beat for a in grid.anchors])


@given(grids, st.floats(0.0, 60.0))
def test_a_downbeat_is_where_it_was_put_and_no_beat_moves_by_more_than_half_a_bar(grid, time_s):
    put = correction.with_downbeat(grid, time_s, RATE)
    bars = float(put.beat_of(time_s * RATE, RATE)) / grid.beats_per_bar
    assert bars == pytest.approx(round(bars), abs=1e-6)
    moved = put.anchors[0].beat - grid.anchors[0].beat
    assert abs(moved) <= grid.beats_per_bar / 2 + 1e-6


@given(grids)
def test_doubling_keeps_every_beat_and_halving_takes_it_back(grid):
    twice = correction.doubled(grid)
    assert twice.frame_of([0, 2, 4, 20], RATE) == pytest.approx(grid.frame_of([0, 1, 2, 10], RATE))
    assert correction.halved(twice) == grid


@given(grids, st.sampled_from([8_000, 44_100, 96_000]))
def test_another_rate_leaves_the_beats_at_their_times(grid, rate):
    there = correction.at_rate(grid, RATE, rate)
    beats = [-3.0, 0.0, 1.5, 30.0]
    assert there.frame_of(beats, rate) / rate == pytest.approx(grid.frame_of(beats, RATE) / RATE)


@given(grids, st.floats(20.0, 400.0))
def test_a_tempo_by_hand_keeps_the_first_anchor(grid, bpm):
    assume(bpm != grid.bpm)
    even = correction.at_tempo(grid, bpm)
    assert (even.anchors, even.bpm) == (grid.anchors[:1], bpm)
    assert correction.at_tempo(None, bpm).anchors == (Anchor(0.0, 0.0),)
    with pytest.raises(MediaError):
        correction.at_tempo(grid, 401.0)


@in_asyncio
async def test_a_grid_comes_back_to_the_last_bit(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
        assert await grid_of(connection, track.id) is None
        await set_grid(connection, track.id, LIVE, 44_100, by_hand=True)
        assert await grid_of(connection, track.id) == TrackGrid(LIVE, 44_100, by_hand=True)
        assert (await get(connection, track.id)).bpm == 119.5


@in_asyncio
async def test_a_grid_by_hand_survives_every_analysis_until_it_is_dropped(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
        await store(connection, track.id, Analysis("1", bpm=120.0), grid=EVEN, rate=RATE)
        by_hand = await shift(connection, track.id, 0.5)
        assert by_hand.grid.anchors == (Anchor(12_000.0, -0.5),)
        await store(connection, track.id, Analysis("2", bpm=119.5), grid=LIVE, rate=RATE)
        assert await grid_of(connection, track.id) == by_hand
        assert await grid_of(connection, track.id, "automatic") == TrackGrid(
            LIVE, RATE, by_hand=False
        )
        assert await drop_hand_grid(connection, track.id) == TrackGrid(LIVE, RATE, by_hand=False)
        assert (await get(connection, track.id)).bpm == 119.5


@in_asyncio
async def test_an_analysis_without_beats_takes_the_automatic_grid_away(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
        await store(connection, track.id, Analysis("1"), grid=EVEN, rate=RATE)
        await store(connection, track.id, Analysis("2"))
        assert await grid_of(connection, track.id) is None


@in_asyncio
async def test_corrections_add_up(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
        await set_bpm(connection, track.id, 90.0)
        await double(connection, track.id)
        await halve(connection, track.id)
        await halve(connection, track.id)
        there = await set_downbeat(connection, track.id, 0.5)
        assert there.grid.bpm == 45.0
        assert float(there.grid.frame_of(0.0, RATE)) == pytest.approx(24_000.0)
        assert (await get(connection, track.id)).bpm == 45.0


@in_asyncio
async def test_a_correction_that_cannot_be_is_refused(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
        with pytest.raises(Refused, match="has no grid") as caught:
            await shift(connection, track.id, 1.0)
        assert "set its tempo" in caught.value.hint
        with pytest.raises(Refused, match="bpm is 1000"):
            await set_bpm(connection, track.id, 1000.0)
        await set_bpm(connection, track.id, 250.0)
        with pytest.raises(Refused, match="bpm is 500"):
            await double(connection, track.id)
        with pytest.raises(Refused, match="no track 99"):
            await set_bpm(connection, 99, 120.0)


@in_asyncio
async def test_a_downbeat_behind_the_end_is_refused_with_the_length(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x", tags=Tags(title="Halcyon", duration_s=171.25))
        await set_bpm(connection, track.id, 120.0)
        with pytest.raises(Refused, match=r'83:20\.000 is after the end of "Halcyon", 2:51\.250'):
            await set_downbeat(connection, track.id, 5000.0)
        await set_downbeat(connection, track.id, 171.25)


@pytest.mark.parametrize(
    ("anchor", "first_s"),
    [
        (Anchor(12_000.0, 0.0), 0.25),
        (Anchor(12_000.0, -1.0), 0.75),
        (Anchor(96_000.0 + 12_000.0, 0.0), 0.25),
        (Anchor(12_000.0, 0.75), 1.875),
        (Anchor(-1e-7, 0.0), 0.0),
    ],
)
def test_the_first_downbeat_is_the_first_inside_the_track(anchor, first_s):
    grid = TrackGrid(Grid((anchor,), 120.0), RATE, by_hand=True)
    assert grid.first_downbeat_s == pytest.approx(first_s, abs=1e-9)
