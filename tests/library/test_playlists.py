"""Playlists keep their order, and the places of tracks that were removed."""

import random

import pytest
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library import trash
from sfa_engine.library.playlists import (
    append,
    create,
    drop,
    entries,
    find,
    move,
    playlists,
    rename,
    take_out,
)
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add


async def tracks(connection, names):
    return [
        (await add(connection, name, tags=Tags(title=name, duration_s=60.0)))[0].id
        for name in names
    ]


async def order(connection, playlist):
    return "".join(entry.track.title for entry in await entries(connection, playlist))


@in_asyncio
async def test_tracks_stay_in_order_and_may_be_there_twice(database):
    async with database.transaction() as connection:
        a, b, c = await tracks(connection, "abc")
        playlist = await create(connection, "Friday")
        await append(connection, playlist, [a, b, a])
        await append(connection, playlist, [c], at=1)
        assert await order(connection, playlist) == "acba"
        first, second, *_, last = await entries(connection, playlist)
        await move(connection, first.id, 3)
        assert await order(connection, playlist) == "cbaa"
        await move(connection, last.id, 0)
        assert await order(connection, playlist) == "acba"
        await take_out(connection, second.id)
        assert await order(connection, playlist) == "aba"
        (known,) = await playlists(connection)
        assert (known.name, known.tracks, known.duration_s) == ("Friday", 3, 180.0)


@in_asyncio
async def test_a_removed_track_is_not_seen_and_comes_back_to_its_place(database, places):
    async with database.transaction() as connection:
        a, b, c = await tracks(connection, "abc")
        playlist = await create(connection, "Friday")
        await append(connection, playlist, [a, b, c])
    await trash.remove(database, places, b)
    async with database.transaction() as connection:
        assert await order(connection, playlist) == "ac"
        await append(connection, playlist, [a], at=1)
        assert await order(connection, playlist) == "aac"
        assert (await find(connection, "friday")).tracks == 3
    await trash.restore(database, places, b)
    async with database.reading() as connection:
        assert sorted(await order(connection, playlist)) == list("aabc")
        assert (await order(connection, playlist)).index("b") in {1, 2}


@in_asyncio
async def test_names_are_unique_in_capitals_or_not(database):
    async with database.transaction() as connection:
        first = await create(connection, "Friday")
        with pytest.raises(Refused, match="exists"):
            await create(connection, "FRIDAY")
        await rename(connection, first, "FRIDAY")
        second = await create(connection, "Saturday")
        with pytest.raises(Refused, match="exists"):
            await rename(connection, second, "friday")
        with pytest.raises(Refused, match='did you mean "Saturday"'):
            await find(connection, "Saturdy")
        for name in ("", "  ", "a\nb", "x" * 201, "\ud800"):
            with pytest.raises(Refused, match="not a valid name for a playlist"):
                await create(connection, name)
        await drop(connection, second)
        assert [playlist.name for playlist in await playlists(connection)] == ["FRIDAY"]


@in_asyncio
async def test_what_is_not_there_is_refused(database):
    async with database.transaction() as connection:
        playlist = await create(connection, "Friday")
        for work in (
            entries(connection, 9),
            rename(connection, 9, "x"),
            drop(connection, 9),
            append(connection, 9, []),
            append(connection, playlist, [9]),
            append(connection, playlist, [], at=1),
            move(connection, 9, 0),
            take_out(connection, 9),
        ):
            with pytest.raises(Refused):
                await work


@in_asyncio
async def test_moving_an_entry_is_moving_an_item_of_a_list(database):
    shuffled = list("abcdef")
    chance = random.Random(3)
    async with database.transaction() as connection:
        playlist = await create(connection, "Friday")
        await append(connection, playlist, await tracks(connection, "abcdef"))
        for _ in range(40):
            source, target = chance.randrange(6), chance.randrange(6)
            there = await entries(connection, playlist)
            await move(connection, there[source].id, target)
            shuffled.insert(target, shuffled.pop(source))
            assert await order(connection, playlist) == "".join(shuffled)
