"""Ratings, comments, colours and orders: stated, searched for, sorted by."""

import pytest
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library import plays
from sfa_engine.library.database import change, rows
from sfa_engine.library.search import count, find_one, search
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, add_source, edit, get


@pytest.fixture
def filled(runner, database):
    async def fill():
        async with database.transaction() as connection:
            for number, title in enumerate("abcde", 1):
                await add(connection, f"/m/{title}.flac", tags=Tags(title=title, artist="x"))
                await edit(connection, number, rating=number % 4, key=f"{number * 2}A")
            await edit(connection, 2, comment="peak time, Łódź", color="red")
            await edit(connection, 3, color="#00FF00")
            for at, number in enumerate((3, 1, 3), 1):
                track = await get(connection, number)
                await plays.record(connection, track, f"p{at}", 1, 1000.0 * at)

    runner.run(fill())
    return database


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("rating:>=2", "bc"),
        ("rating:0", "d"),
        ("rating:1-2", "abe"),
        ("comment:lodz", "b"),
        ('comment:"peak time"', "b"),
        ("peak", ""),
        ("-comment:peak", "acde"),
        ("colour:red", "b"),
        ("color:#00ff00", "c"),
        ("colour:yes", "bc"),
        ("-colour:yes", "ade"),
        ("plays:0", "bde"),
        ("plays:>1", "c"),
        ("played:<1y", ""),
        ("played:>1y", "ac"),
        ("-played:>1y", "bde"),
        ("sort:plays", "cabde"),
        ("-sort:plays", "bdeac"),
        ("sort:played", "cabde"),
        ("-sort:played", "acbde"),
        ("sort:rating", "cbaed"),
        ("-sort:rating", "daebc"),
        ("sort:rating -sort:title", "cbead"),
        ("sort:key", "abcde"),
        ("-sort:key", "edcba"),
        ("x sort:title", "abcde"),
        ("-sort:title x", "edcba"),
        ("sort:added", "edcba"),
    ],
)
def test_tracks_are_found_and_sorted_by_what_is_thought_of_them(runner, filled, text, titles):
    async def look():
        async with filled.reading() as connection:
            found = await search(connection, text)
            assert await count(connection, text) == len(found)
            return "".join(track.title for track in found)

    found = runner.run(look())
    assert found == titles if "sort:" in text else sorted(found) == sorted(titles)


@pytest.mark.parametrize(
    "values",
    [
        {"rating": 6}, {"rating": -1}, {"rating": True}, {"rating": "5"}, {"rating": None},
        {"color": "reddish"}, {"color": 5}, {"comment": 5}, {"comment": "x" * 100_000},
        {"play_count": 5},
    ],
)  # fmt: skip
def test_what_cannot_be_thought_of_a_track_is_refused(runner, filled, values):
    async def state():
        async with filled.transaction() as connection:
            with pytest.raises(Refused):
                await edit(connection, 1, **values)

    runner.run(state())


@in_asyncio
async def test_a_colour_and_a_comment_can_be_taken_away_again(filled):
    async with filled.transaction() as connection:
        track = await edit(connection, 2, color="", comment="", rating=0)
        assert (track.color, track.comment, track.rating) == ("", "", 0)
        assert await count(connection, "comment:peak") == 0


@in_asyncio
async def test_the_place_of_a_file_is_where_it_was_seen_last(filled):
    async with filled.transaction() as connection:
        await add_source(connection, 1, "https://example.com/a")
        assert (await get(connection, 1)).source_path == "/m/a.flac"
        await add_source(connection, 1, "/stick/a.flac")
        track = await get(connection, 1)
        assert (track.source_path, track.source) == ("/stick/a.flac", "/m/a.flac")


@in_asyncio
async def test_a_track_has_an_owner_and_others_that_it_is_shared_with(filled):
    async with filled.transaction() as connection:
        assert (await get(connection, 1)).account is None
        await change(connection, "UPDATE tracks SET account = 'ada' WHERE id = 1")
        await change(connection, "INSERT INTO memberships VALUES (1, 'bob', 0), (2, 'bob', 0)")
        await change(connection, "DELETE FROM tracks WHERE id = 2")
        left = await rows(connection, "SELECT track_id, account FROM memberships")
        assert [tuple(each) for each in left] == [(1, "bob")]
        assert (await find_one(connection, "a")).account == "ada"
