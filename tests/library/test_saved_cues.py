"""What a deck says of hot cues, memory cues and grids is stored once, however often it is said."""

from __future__ import annotations

import pytest
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library import grids
from sfa_engine.library.cues import (
    Cue,
    add,
    cues_of,
    replace_automatic,
    save_hot_cue,
    save_memory_cue,
)
from sfa_engine.library.tracks import add as add_track
from sfa_engine.track.cue_kind import deck_kind, library_kind
from sfa_engine.track.grid import Anchor, Grid

NEW = {
    "position_s": 4.0, "end_s": 6.0, "kind": "loop", "on_load": True, "label": "Drop",
    "color": "#ff8800", "is_new": True,
}  # fmt: skip
RATE = 48_000


async def only(connection, track):
    (cue,) = await cues_of(connection, track.id)
    return cue


@in_asyncio
async def test_a_new_hot_cue_is_stored_whole_and_once(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await save_hot_cue(connection, track, 3, NEW)
        first = await only(connection, track)
        assert first == Cue(4.0, "loop", 6.0, 3, "Drop", "#ff8800", on_load=True, id=first.id)
        await save_hot_cue(connection, track, 3, NEW)
        assert await only(connection, track) == first  # the same row
        await save_hot_cue(connection, track, 3, {"position_s": 5.0, "is_new": True})
        assert (await only(connection, track)).label == ""  # nothing stays of the one before


@in_asyncio
async def test_a_change_leaves_what_it_does_not_name(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await save_hot_cue(connection, track, 3, NEW)
        for change, kept in (
            ({"label": "Break"}, {"end_s": 6.0, "color": "#ff8800"}),
            ({"position_s": 4.5}, {"end_s": 6.0, "label": "Break"}),
            ({"kind": "fade_in"}, {"end_s": 6.0, "on_load": True}),
            ({"kind": "cue"}, {"end_s": None, "label": "Break"}),
        ):
            for _ in range(2):
                await save_hot_cue(connection, track, 3, change)
            found = await only(connection, track)
            for name, value in (change | kept).items():
                assert getattr(found, name) == value, name


@in_asyncio
async def test_a_kind_of_music_stays_when_a_cue_becomes_a_loop(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await replace_automatic(connection, track.id, [Cue(1.0, "drop", slot=1, label="drop 1")])
        await save_hot_cue(connection, track, 1, {"kind": "loop", "end_s": 3.0})
        found = await only(connection, track)
        assert (found.kind, found.end_s, found.by_hand) == ("drop", 3.0, True)
        assert deck_kind(found.kind, found.end_s, found.stem) == "loop"
        await replace_automatic(connection, track.id, [Cue(1.0, "drop", slot=1, label="drop 1")])
        assert (await only(connection, track)).by_hand  # the analysis adds it no second time


@in_asyncio
async def test_a_change_of_a_cue_that_is_not_there_does_nothing(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await save_hot_cue(connection, track, 1, {"label": "Drop"})
        await save_hot_cue(connection, track, 1, {"position_s": None})
        assert await cues_of(connection, track.id) == []


@in_asyncio
async def test_an_end_that_is_not_after_the_start_is_none(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await save_hot_cue(connection, track, 1, {**NEW, "end_s": 3.0})
        assert (await only(connection, track)).end_s is None
        await save_hot_cue(connection, track, 1, {"position_s": -0.5})
        assert (await only(connection, track)).position_s == 0.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"postion_s": 1.0}, 'a hot cue has no "postion_s"'),
        ({"position_s": "1"}, "position_s is '1'"),
        ({"position_s": True}, "position_s is True"),
        ({"kind": "drop"}, "a hot cue's is one of cue, loop, fade_in"),
        ({"color": "red"}, "invalid color"),
        ({"label": 5}, "invalid label"),
        ({"on_load": 1}, "invalid on_load"),
    ],
)
@in_asyncio
async def test_what_is_no_change_of_a_hot_cue_is_refused(database, change, says):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await save_hot_cue(connection, track, 1, NEW)
        with pytest.raises(Refused) as caught:
            await save_hot_cue(connection, track, 1, change)
        assert says in str(caught.value)
        assert (await only(connection, track)).label == "Drop"


@in_asyncio
async def test_memory_cues_are_stored_once_and_deleted_by_their_position(database):
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await add(connection, track.id, Cue(8.0, slot=1))
        for place_s in (8.0, 8.0005, 9.0):
            await save_memory_cue(connection, track, Cue(place_s), delete=False)
        places = [(c.position_s, c.slot) for c in await cues_of(connection, track.id)]
        assert places == [(8.0, 1), (8.0, None), (9.0, None)]
        for _ in range(2):
            await save_memory_cue(connection, track, Cue(8.0), delete=True)
        places = [(c.position_s, c.slot) for c in await cues_of(connection, track.id)]
        assert places == [(8.0, 1), (9.0, None)]  # the hot cue stays


@in_asyncio
async def test_a_grid_from_a_deck_is_by_hand_until_it_is_taken_back(database):
    analysed, corrected = Grid((Anchor(0.0, 0.0),), 120.0), Grid((Anchor(9.0, 0.0),), 121.0)
    async with database.transaction() as connection:
        track, _ = await add_track(connection, "x")
        await grids.set_grid(connection, track.id, analysed, RATE, by_hand=False)
        for _ in range(2):
            await grids.save(connection, track.id, corrected, RATE)
        await grids.set_grid(connection, track.id, analysed, RATE, by_hand=False)  # analysed again
        found = await grids.grid_of(connection, track.id)
        assert (found.grid, found.by_hand) == (corrected, True)
        for _ in range(2):
            found = await grids.save(connection, track.id, None, RATE)
            assert (found.grid, found.by_hand) == (analysed, False)


@pytest.mark.parametrize(
    ("deck", "before", "after"),
    [
        ("loop", "cue", "loop"), ("cue", "loop", "cue"), ("fade_in", "drop", "fade_in"),
        ("loop", "drop", "drop"), ("cue", "drop", "drop"), ("loop", "fade_in", "loop"),
    ],
)  # fmt: skip
def test_the_librarys_kind_follows_the_decks(deck, before, after):
    assert library_kind(deck, before) == after


@pytest.mark.parametrize(
    ("kind", "end_s", "stem", "deck"),
    [
        ("drop", None, None, "cue"), ("drop", 2.0, None, "loop"), ("fade_in", 2.0, None, "fade_in"),
        ("fade_in", None, None, "cue"), ("loop", 2.0, "bass", "cue"), ("loop", 2.0, "mix", "loop"),
    ],
)  # fmt: skip
def test_the_decks_kind_follows_from_the_end(kind, end_s, stem, deck):
    assert deck_kind(kind, end_s, stem) == deck
