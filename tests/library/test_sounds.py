"""What tracks sound like, in the database: rows that are replaced, and read as they come."""

from __future__ import annotations

import math

import numpy as np
import pytest
from open_library import in_asyncio

from sfa_engine.library import sounds
from sfa_engine.library.analysis import Analysis, store
from sfa_engine.library.database import change
from sfa_engine.library.query import parse_query
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, edit, set_bundle

WIDTH, MEASURES = 3, 2


def numbers(*values):
    return np.array(values, "<f4").tobytes()


@pytest.fixture
def filled(runner, database):
    async def fill():
        for number in range(1, 4):
            async with database.transaction() as connection:
                tags = Tags(
                    title=f"Title {number}", artist="Orbital", genre="Drum & Bass", bpm=120.0
                )
                await add(connection, f"/m/{number}", tags=tags)
                await set_bundle(connection, number, f"{number}.sfa", 60.0)
                await store(connection, number, Analysis("1", key="8A" if number == 1 else None))
                vector = numbers(number, number, number)
                await sounds.store(connection, number, 1, vector, numbers(number, 0))

    runner.run(fill())
    return database


async def read(database, of):
    async with database.reading() as connection:
        return await of.update(connection)


@in_asyncio
async def test_new_rows_come_last_and_replaced_ones_once(filled):
    of = sounds.Sounds(1, WIDTH, MEASURES)
    assert not await read(filled, of)
    assert of.ids.tolist() == [1, 2, 3]
    async with filled.transaction() as connection:
        await sounds.store(connection, 2, 1, numbers(9, 9, 9), numbers(9, 9))
    await read(filled, of)
    assert of.ids.tolist() == [1, 3, 2]
    assert of.vectors[:, 0].tolist() == [1.0, 3.0, 9.0]
    assert of.measured[:, 1].tolist() == [0.0, 0.0, 9.0]
    assert (np.diff(of.rows) > 0).all()


@in_asyncio
async def test_rows_come_in_parts(filled, monkeypatch):
    monkeypatch.setattr(sounds, "AT_ONCE", 2)
    of = sounds.Sounds(1, WIDTH, MEASURES)
    assert await read(filled, of)
    assert not await read(filled, of)
    assert of.ids.tolist() == [1, 2, 3]


@in_asyncio
async def test_rows_of_another_shape_or_version_are_no_sounds(filled):
    async with filled.transaction() as connection:
        await sounds.store(connection, 1, 1, b"", b"")
        await sounds.store(connection, 2, 2, numbers(1, 2, 3), numbers(1, 2))
    of = sounds.Sounds(1, WIDTH, MEASURES)
    await read(filled, of)
    assert of.ids.tolist() == [3]
    async with filled.reading() as connection:
        assert await sounds.missing(connection, 1, 9) == [(2, "2.sfa")]
        assert await sounds.missing_bundle(connection, 1, 2) == "2.sfa"
        assert await sounds.missing_bundle(connection, 1, 1) is None
        assert await sounds.count_missing(connection, 1) == 1


@in_asyncio
async def test_a_deleted_track_takes_its_sound_with_it_and_a_late_one_is_dropped(filled):
    async with filled.transaction() as connection:
        await change(connection, "DELETE FROM tracks WHERE id = 2")
        await sounds.store(connection, 2, 1, numbers(1, 2, 3), numbers(1, 2))
        found = await connection.execute_fetchall("SELECT track_id FROM sounds ORDER BY track_id")
    assert [each[0] for each in found] == [1, 3]


@in_asyncio
async def test_the_state_differs_when_a_column_does(filled):
    async def state():
        async with filled.reading() as connection:
            return await sounds.state_of(connection)

    seen = [await state()]
    async with filled.transaction() as connection:
        await edit(connection, 1, year=1999)
    seen.append(await state())
    async with filled.transaction() as connection:
        await change(connection, "UPDATE tracks SET play_count = 1 WHERE id = 2")
    seen.append(await state())
    async with filled.transaction() as connection:
        await change(connection, "UPDATE tracks SET deleted_at = 1 WHERE id = 3")
    seen.append(await state())
    assert len(set(seen)) == len(seen)
    async with filled.reading() as connection:
        plan = await connection.execute_fetchall(
            "EXPLAIN QUERY PLAN SELECT count(*), total(changed_at), total(play_count) FROM tracks"
            " INDEXED BY tracks_state_of WHERE deleted_at IS NULL"
        )
    assert "COVERING INDEX" in plan[0]["detail"]


@in_asyncio
async def test_columns_are_those_since_a_time(filled):
    async with filled.reading() as connection:
        every = await sounds.columns(connection)
    assert [each[0] for each in every] == [1, 2, 3]
    assert every[0][:2] == (1, 120.0)
    assert every[0][7:9] == (8, 1)
    assert every[1][7:9] == (None, None)
    async with filled.transaction() as connection:
        await edit(connection, 2, year=1999)
    async with filled.reading() as connection:
        late = await sounds.columns(connection, math.nextafter(every[2][9], math.inf))
    assert [(each[0], each[3]) for each in late] == [(2, 1999)]


@in_asyncio
async def test_numbers_of_a_query_a_genre_and_a_name(filled):
    async with filled.reading() as connection:
        found = await sounds.matching(connection, parse_query("orbital bpm:120 -title:2"))
        assert sorted(found.tolist()) == [1, 3]
        none = await sounds.matching(connection, parse_query("nothing"))
        assert none.tolist() == []
        genre, name = await sounds.with_phrases(connection, ["drum bass", "dnb"])
        assert (sorted(genre.tolist()), name.tolist()) == ([1, 2, 3], [])
        assert (await sounds.named(connection, "Orbital, Title 2!")).tolist() == [2]
        assert (await sounds.named(connection, "...")).tolist() == []
