"""Tags of sounds in the database: replaced by version and sound, read as columns."""

from __future__ import annotations

import numpy as np
import pytest
from open_library import in_asyncio

from sfa_engine.library import sound_tags, sounds, tracks
from sfa_engine.library.database import change, row
from sfa_engine.library.tags import Tags
from sfa_engine.track.sound_tags import LABELS, TAGS, VECTOR, VERSION


def labels(**tags):
    found = np.zeros(len(LABELS))
    for name, value in tags.items():
        found[TAGS[name][0]] = value
    return found.tolist()


@pytest.fixture
def filled(runner, database):
    async def fill():
        for number in (1, 2, 3):
            async with database.transaction() as connection:
                await tracks.add(connection, f"/m/{number}", tags=Tags(title=f"Title {number}"))
        async with database.transaction() as connection:
            await sound_tags.store(connection, 1, "a", [0.5] * VECTOR, labels(techno=0.9, rock=0.2))
            await sound_tags.store(connection, 2, "b", [], [])  # silent

    runner.run(fill())
    return database


@in_asyncio
async def test_tags_are_those_of_one_sound_in_one_version(filled):
    async with filled.reading() as connection:
        assert await sound_tags.is_current(connection, 1, "a")
        assert not await sound_tags.is_current(connection, 1, "another sound")
        assert await sound_tags.is_current(connection, 2, "b")
        assert not await sound_tags.is_current(connection, 3, "a")
        assert await sound_tags.tags_of(connection, 1) == [("techno", 0.9), ("rock", 0.2)]
        assert await sound_tags.tags_of(connection, 2) == []
        assert await sound_tags.missing(connection, [3, 1, 2]) == [3]
    async with filled.transaction() as connection:
        await change(connection, "UPDATE sound_tags SET version = ?", (VERSION - 1,))
    async with filled.reading() as connection:
        assert not await sound_tags.is_current(connection, 1, "a")
        assert await sound_tags.tags_of(connection, 1) == []
        assert await sound_tags.missing(connection, [1, 2, 3]) == [1, 2, 3]


@in_asyncio
async def test_stored_tags_replace_those_before_and_go_with_their_track(filled):
    of = sounds.Sounds(VERSION, VECTOR, len(LABELS), sound_tags.TABLE)
    async with filled.reading() as connection:
        await of.update(connection)
    assert of.ids.tolist() == [1]  # a silent track has none
    async with filled.transaction() as connection:
        await sound_tags.store(connection, 1, "c", [0.1] * VECTOR, labels(rock=0.8))
        await sound_tags.store(connection, 99, "c", [0.1] * VECTOR, labels())  # gone meanwhile
    async with filled.reading() as connection:
        await of.update(connection)
        assert await sound_tags.tags_of(connection, 1) == [("rock", 0.8)]
    assert of.ids.tolist() == [1]
    assert of.measured[0, TAGS["rock"][0]] == np.float32(0.8)
    async with filled.transaction() as connection:
        await change(connection, "DELETE FROM tracks WHERE id = 1")
        found = await row(connection, "SELECT count(*) FROM sound_tags WHERE track_id = 1")
    assert found[0] == 0
