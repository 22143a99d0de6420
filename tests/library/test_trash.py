"""What was removed comes back whole, until clean-up."""

import time

import pytest
from open_library import in_asyncio, with_bundle

from sfa_engine.errors import Refused
from sfa_engine.library.content import keep_cover
from sfa_engine.library.cues import Cue, cues_of
from sfa_engine.library.cues import add as add_cue
from sfa_engine.library.tags import Cover, Tags
from sfa_engine.library.tracks import add, get, set_cover
from sfa_engine.library.trash import DAY_S, age, clean_up, path_in_trash, remove, removed, restore
from sfa_engine.track.media import read_bundle

HASH = "ab" * 32


async def added(database, places, title="a", content_hash=HASH):
    async with database.transaction() as connection:
        track, _ = await add(
            connection, f"/m/{title}", content_hash=content_hash, tags=Tags(title=title)
        )
        await add_cue(connection, track.id, Cue(1.0))
    return track.id, await with_bundle(database, places, track.id)


@in_asyncio
async def test_a_removed_track_comes_back_with_its_bundle_and_its_cues(database, places):
    number, folder = await added(database, places)
    gone = await remove(database, places, number)
    assert gone.deleted_at is not None
    assert not folder.exists()
    assert read_bundle(path_in_trash(places, gone))
    async with database.reading() as connection:
        assert [track.id for track in await removed(connection)] == [number]
    back = await restore(database, places, number)
    assert back.deleted_at is None
    assert read_bundle(folder).track.title == "a"
    async with database.reading() as connection:
        assert await removed(connection) == []
        assert len(await cues_of(connection, number)) == 1


@in_asyncio
async def test_clean_up_takes_the_old_and_leaves_the_young(database, places):
    number, _ = await added(database, places)
    gone = await remove(database, places, number)
    assert await clean_up(database, places) == []
    assert await clean_up(database, places, kept_days=0) == [gone]
    assert list(places.trash.iterdir()) == []
    async with database.reading() as connection:
        with pytest.raises(Refused, match="no track"):
            await get(connection, number)
        assert await cues_of(connection, number) == []


@in_asyncio
async def test_a_cover_goes_with_the_last_track_that_has_it(database, places):
    first, _ = await added(database, places, "a", HASH)
    second, _ = await added(database, places, "b", None)
    name = keep_cover(places.covers, Cover(b"\x89PNG", "png"))
    async with database.transaction() as connection:
        for number in (first, second):
            await set_cover(connection, number, name)
    for number, left in ((first, True), (second, False)):
        await remove(database, places, number)
        await clean_up(database, places, kept_days=0)
        assert (places.covers / name).exists() == left


@in_asyncio
async def test_content_that_was_removed_can_be_added_again(database, places):
    old, _ = await added(database, places)
    await remove(database, places, old)
    new, folder = await added(database, places)
    assert new != old
    assert folder.name != "a.sfa"
    with pytest.raises(Refused, match=f"again since, as #{new}"):
        await restore(database, places, old)
    await remove(database, places, new)
    await restore(database, places, old)


@in_asyncio
async def test_what_makes_no_sense_is_refused(database, places):
    number, _ = await added(database, places)
    with pytest.raises(Refused, match="was not removed"):
        await restore(database, places, number)
    await remove(database, places, number)
    with pytest.raises(Refused, match="removed before"):
        await remove(database, places, number)
    with pytest.raises(Refused, match="no track"):
        await remove(database, places, 99)


async def age_s(database):
    (found,) = await database.fetch("SELECT trashed_s FROM tracks")
    return found["trashed_s"]


@in_asyncio
async def test_time_in_the_trash_counts_once_however_often_a_clean_up_is_tried(database, places):
    number, _ = await added(database, places)
    await remove(database, places, number)
    now_s = time.time()
    for days in (0, 7, 7, 7, 7, 8):
        await age(database, now_s + days * DAY_S)
    assert await age_s(database) == pytest.approx(8 * DAY_S, abs=60)


@in_asyncio
async def test_what_came_into_the_trash_a_minute_ago_is_a_minute_old(database, places):
    number, _ = await added(database, places)
    now_s = time.time()
    await age(database, now_s - 7 * DAY_S)
    await remove(database, places, number)
    await age(database, now_s + 60.0)
    assert await age_s(database) == pytest.approx(60.0, abs=10)


@in_asyncio
async def test_a_clock_that_is_set_back_or_far_forward_ages_the_trash_by_a_week_at_most(
    database, places
):
    number, _ = await added(database, places)
    await remove(database, places, number)
    now_s = time.time()
    for days in (0, -100, -99, 3650):
        await age(database, now_s + days * DAY_S)
    assert await age_s(database) == 7 * DAY_S
