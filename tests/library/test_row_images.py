"""Images of rows: whatever changes cues and grids, they are restored exactly."""

from __future__ import annotations

import random

import pytest
from open_library import database, in_asyncio, places, runner  # noqa: F401 - fixtures

from sfa_engine.errors import LibraryError, Refused
from sfa_engine.library import cues, grids, playlists, tracks
from sfa_engine.library.cues import Cue
from sfa_engine.library.row_images import (
    RowChange,
    Targets,
    differences,
    image_of,
    playlist_number,
    restore,
    tracks_of,
)
from sfa_engine.library.tags import Tags
from sfa_engine.track.grid import Anchor, Grid

TARGETS = Targets(frozenset({1, 2}), frozenset({1, 2}), frozenset({"mine", "OTHER"}))
GRID = Grid((Anchor(0.0, 0.0),), 120.0)


async def _fill(connection):
    for number in (1, 2):
        track, _ = await tracks.add(connection, f"/m/{number}", tags=Tags(title=f"t{number}"))
        await cues.replace_automatic(
            connection, track.id, [Cue(float(k), slot=k, by_hand=False) for k in range(1, 6)]
        )
        await grids.set_grid(connection, track.id, GRID, 48_000, by_hand=False)
    made = await playlists.create(connection, "Mine")
    await playlists.append(connection, made, [1, 2])


async def _change(connection, chance):
    """Change something as verbs do."""
    track = chance.choice((1, 2))
    there = await cues.cues_of(connection, track)
    slot = chance.choice((None, *range(1, 7)))
    what = chance.randrange(7)
    if what == 0 or not there:
        await cues.add(connection, track, Cue(chance.random() * 9, slot=slot))
    elif what == 1:
        await cues.edit(connection, chance.choice(there).id, slot=slot, label="x")
    elif what == 2:
        await cues.remove(connection, chance.choice(there).id)
    elif what == 3:
        await grids.shift(connection, track, 0.5)
    elif what == 4:
        await grids.drop_hand_grid(connection, track)
    else:
        name = chance.choice(("mine", "other"))
        number = await playlist_number(connection, name)
        if number is None:
            number = await playlists.create(connection, name)
        await playlists.append(connection, number, [track], at=0 if what == 5 else None)


@pytest.mark.parametrize("seed", range(12))
@in_asyncio
async def test_changes_are_undone_one_after_another_exactly(database, seed):  # noqa: F811
    chance = random.Random(seed)
    async with database.transaction() as connection:
        await _fill(connection)
        first = await image_of(connection, TARGETS)
        steps = []
        for _ in range(12):
            before = await image_of(connection, TARGETS)
            await _change(connection, chance)
            steps.append((before, differences(before, await image_of(connection, TARGETS))))
        assert {number for _, rows in steps for number in tracks_of(rows)} <= {1, 2}
        for before, rows in reversed(steps):
            await restore(connection, rows)
            assert await image_of(connection, TARGETS) == before
        assert await image_of(connection, TARGETS) == first


@in_asyncio
async def test_a_row_that_is_not_as_it_was_left_is_refused(database):  # noqa: F811
    async with database.transaction() as connection:
        await _fill(connection)
        before = await image_of(connection, TARGETS)
        await cues.add(connection, 1, Cue(7.0, slot=1))
        rows = differences(before, await image_of(connection, TARGETS))
    taken = next(each.before["id"] for each in rows if each.before is not None)
    number = next(each.after["id"] for each in rows if each.before is None)

    async def edited(connection):
        await cues.edit(connection, taken, label="mine")

    async def deleted(connection):
        await cues.remove(connection, taken)

    async def replaced(connection):
        await cues.remove(connection, number)
        await cues.add(connection, 1, Cue(8.0, slot=1))

    for why, change in {
        "it was changed": edited,
        "it was deleted": deleted,
        "has been taken": replaced,
    }.items():
        with pytest.raises(Refused, match=why):
            await _restored_after(database, change, rows)


async def _restored_after(database, change, rows):  # noqa: F811
    async with database.transaction() as connection:
        await change(connection)
        await restore(connection, rows)


@pytest.mark.parametrize(
    "wrong",
    [
        RowChange("tracks", {"id": 1, "title": "x"}, None),
        RowChange("cues", {"id": 1, "nothing": 2}, None),
        RowChange("cues", {"track_id": 1}, None),
        RowChange("grids", None, {"track_id": 1}),
    ],
)
@in_asyncio
async def test_rows_that_no_image_has_are_refused(database, wrong):  # noqa: F811
    async with database.transaction() as connection:
        await _fill(connection)
        before = await image_of(connection, TARGETS)
        with pytest.raises(LibraryError):
            await restore(connection, [wrong])
        assert await image_of(connection, TARGETS) == before
