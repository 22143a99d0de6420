"""A playlist that follows a service's: order, arrival, removal, and what the user added."""

import pytest
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library import followed, playlists
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, add_source

URL = "https://open.spotify.com/playlist/1"


async def arrive(connection, name):
    """Import a track from an address."""
    track, _ = await add(connection, f"/m/{name}", tags=Tags(title=name))
    await add_source(connection, track.id, f"https://t/{name}")
    return track.id


async def names(connection, playlist):
    found = await playlists.find(connection, playlist)
    return "".join(each.track.title for each in await playlists.entries(connection, found.id))


def urls(letters):
    return [f"https://t/{letter}" for letter in letters]


@in_asyncio
async def test_tracks_take_their_place_in_whatever_order_they_arrive(database):
    async with database.transaction() as connection:
        await arrive(connection, "B")
        made = await followed.follow(connection, URL, "Friday", urls("ABCAD"))
        assert (made.name, made.source, made.tracks) == ("Friday", URL, 1)
        for letter in "DCA":
            track = await arrive(connection, letter)
            await followed.place(connection, f"https://t/{letter}", track)
        assert await names(connection, "Friday") == "ABCAD"
        await followed.place(connection, "https://t/A", 1)  # it is there
        await followed.place(connection, "https://t/else", 1)
        assert await names(connection, "Friday") == "ABCAD"


@in_asyncio
async def test_another_import_takes_order_and_removals_and_keeps_what_the_user_added(database):
    async with database.transaction() as connection:
        for letter in "ABCDX":
            await arrive(connection, letter)
        made = await followed.follow(connection, URL, "Friday", urls("ABCA"))
        before = [each.id for each in await playlists.entries(connection, made.id)]
        await playlists.append(connection, made.id, [5], at=1)
        await playlists.rename(connection, made.id, "Saturday")
        assert await names(connection, "Saturday") == "AXBCA"
        again = await followed.follow(connection, URL, "Friday", urls("CAD"))
        assert (again.id, again.name) == (made.id, "Saturday")
        assert await names(connection, "Saturday") == "CADX"
        # An entry keeps its number, wherever it goes.
        now = [each.id for each in await playlists.entries(connection, made.id)]
        assert now[:2] == [before[2], before[0]]


@in_asyncio
async def test_what_the_user_took_out_stays_away_until_another_import(database):
    async with database.transaction() as connection:
        track = await arrive(connection, "A")
        await arrive(connection, "B")
        made = await followed.follow(connection, URL, "Friday", urls("AB"))
        first = (await playlists.entries(connection, made.id))[0]
        await playlists.take_out(connection, first.id)
        await followed.place(connection, "https://t/A", track)
        assert await names(connection, "Friday") == "B"
        await followed.follow(connection, URL, "Friday", urls("AB"))
        assert await names(connection, "Friday") == "AB"


@in_asyncio
async def test_a_playlist_of_the_user_is_not_taken_over_by_its_name(database):
    async with database.transaction() as connection:
        await playlists.create(connection, "friday")
        first = await followed.follow(connection, URL, "Friday", [])
        second = await followed.follow(connection, f"{URL}2", "Friday", [])
        odd = await followed.follow(connection, f"{URL}3", "", [])
        long = await followed.follow(connection, f"{URL}4", "x" * 500, [])
        assert [first.name, second.name] == ["Friday (Spotify)", "Friday (Spotify 2)"]
        assert odd.name == "Playlist"
        assert len(long.name) <= playlists.MAX_NAME
        assert (await playlists.find(connection, "friday")).source is None


@in_asyncio
async def test_a_dropped_playlist_is_followed_no_more(database):
    async with database.transaction() as connection:
        made = await followed.follow(connection, URL, "Friday", urls("A"))
        await playlists.drop(connection, made.id)
        track = await arrive(connection, "A")
        await followed.place(connection, "https://t/A", track)
        with pytest.raises(Refused, match="no playlist"):
            await playlists.find(connection, "Friday")
