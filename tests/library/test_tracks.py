"""Tracks: added once, edited by a person, with the values in force."""

import pytest
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library.analysis import Analysis, StemOrigin, set_stems, store
from sfa_engine.library.grids import set_bpm
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import (
    add,
    add_source,
    bundle_name,
    by_bundle,
    by_uuid,
    edit,
    fill,
    forget_source,
    get,
    set_bundle,
    set_content,
    set_state,
    sources,
)

HASH = "ab" * 32
TAGS = Tags("Title", "Artist", "Album", "House", 1999, 124.0, "A minor", 200.0)


async def refusal(work):
    with pytest.raises(Refused) as caught:
        await work
    assert caught.value.hint
    return str(caught.value)


@in_asyncio
async def test_a_track_is_added_with_what_its_tags_say(database):
    async with database.transaction() as connection:
        track, is_new = await add(connection, "/m/a.mp3", content_hash=HASH, tags=TAGS)
    assert is_new
    assert (track.title, track.artist, track.album, track.genre) == (
        "Title", "Artist", "Album", "House",
    )  # fmt: skip
    assert (track.year, track.duration_s, track.source, track.state) == (
        1999, 200.0, "/m/a.mp3", "added",
    )  # fmt: skip
    assert (track.bpm, track.key, track.camelot) == (124.0, "A minor", "8A")
    assert track.added_at == track.added_at > 1.7e9
    assert track.name == "Artist - Title"


@in_asyncio
async def test_the_same_content_again_is_the_track_that_is_there_at_one_more_place(database):
    async with database.transaction() as connection:
        first, _ = await add(connection, "/m/a.mp3", content_hash=HASH)
        again, is_new = await add(connection, "/copy/b.mp3", content_hash=HASH)
        await add(connection, "/copy/b.mp3", content_hash=HASH)
        assert (again.id, is_new, again.source) == (first.id, False, "/m/a.mp3")
        assert await sources(connection, first.id) == ["/m/a.mp3", "/copy/b.mp3"]


@in_asyncio
async def test_an_address_is_added_once_and_a_changed_file_is_another_track(database):
    async with database.transaction() as connection:
        first, _ = await add(connection, "https://x.test/1")
        again, is_new = await add(connection, "https://x.test/1")
        assert (again.id, is_new) == (first.id, False)
        _, is_new = await add(connection, "/m/a.mp3", content_hash="cd" * 32)
        _, is_new_too = await add(connection, "/m/a.mp3", content_hash="ef" * 32)
        assert is_new
        assert is_new_too


@in_asyncio
async def test_a_download_that_the_library_has_already_is_the_older_track(database):
    async with database.transaction() as connection:
        old, _ = await add(connection, "/m/a.mp3", content_hash=HASH)
        new, _ = await add(connection, "https://x.test/1")
        assert (await set_content(connection, new.id, HASH)).id == old.id
        assert await sources(connection, old.id) == ["/m/a.mp3", "https://x.test/1"]
        with pytest.raises(Refused):
            await get(connection, new.id)
        other, _ = await add(connection, "https://x.test/2")
        assert (await set_content(connection, other.id, "cd" * 32)).content_hash == "cd" * 32


@in_asyncio
async def test_a_person_comes_before_the_analysis_and_that_before_the_tags(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x", tags=TAGS)
        await store(connection, track.id, Analysis("1", bpm=125.5, key="8B", energy=0.7))
        track = await get(connection, track.id)
        assert (track.bpm, track.key, track.energy) == (125.5, "C major", 0.7)
        await edit(connection, track.id, key="F#m")
        await set_bpm(connection, track.id, 63.0)
        await store(connection, track.id, Analysis("2", bpm=126.0, key="8B", energy=0.8))
        track = await get(connection, track.id)
        assert (track.bpm, track.key, track.camelot) == (63.0, "F# minor", "11A")
        assert track.grid_by_hand
        assert (await edit(connection, track.id, key=None)).key == "C major"


@in_asyncio
async def test_tags_fill_what_is_empty_and_overwrite_nothing(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "https://x.test/1")
        await edit(connection, track.id, title="Mine")
        track = await fill(connection, track.id, TAGS)
        assert (track.title, track.artist, track.year) == ("Mine", "Artist", 1999)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"titel": "x"}, 'did you mean "title"?'),
        ({"bpm": 3}, "give one of title"),
        ({"title": 3}, "invalid title 3"),
        ({"title": None}, "invalid title None"),
        ({"title": "\ud800"}, "give a text"),
        ({"title": "x" * 501}, "title has 501 characters"),
        ({"year": "1999"}, "invalid year '1999'"),
        ({"year": True}, "invalid year True"),
        ({"key": 8}, "invalid key 8"),
    ],
)
@in_asyncio
async def test_an_edit_that_cannot_be_is_refused(database, values, words):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
        assert words in await refusal(edit(connection, track.id, **values))


@in_asyncio
async def test_an_edited_name_is_one_line_and_a_comment_may_be_several(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
        text = "One\nTwo\x1b[2J\r"
        track = await edit(connection, track.id, title=text, artist=text, comment=text)
        assert (track.title, track.artist) == ("One Two [2J", "One Two [2J")
        assert track.comment == text


@in_asyncio
async def test_what_is_not_there_is_refused_by_number(database):
    async with database.transaction() as connection:
        for work in (
            get(connection, 7),
            edit(connection, 7, title="x"),
            set_state(connection, 7, "ready"),
            set_bundle(connection, 7, "x.sfa"),
            fill(connection, 7, TAGS),
        ):
            assert "no track 7" in await refusal(work)
        track, _ = await add(connection, "x")
        assert "did you mean" in await refusal(set_state(connection, track.id, "redy"))


@in_asyncio
async def test_bundles_have_readable_names_that_are_free(database):
    async with database.transaction() as connection:
        names = []
        for title in ("A/B: C?", "A/B: C?", "..", "x" * 500, "\u00e9" * 300):
            track, _ = await add(connection, "", tags=Tags(title=title, artist="Wren"))
            name = await bundle_name(connection, track.id)
            await set_bundle(connection, track.id, name)
            assert await bundle_name(connection, track.id) == name
            assert (await by_bundle(connection, name)).id == track.id
            names.append(name)
    assert names[0] == "Wren - A B C.sfa"
    assert names[1].startswith("Wren - A B C ")
    assert len(set(names)) == len(names)
    assert all(len(name.encode()) <= 200 and "/" not in name for name in names)


@in_asyncio
async def test_a_track_says_its_stems_and_is_found_by_its_uuid(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x", identity="11111111-2222-3333-4444-555555555555")
        stems = [StemOrigin("vocals", "demucs", "htdemucs"), StemOrigin("drums", "demucs")]
        await set_stems(connection, track.id, stems)
        track = await by_uuid(connection, "11111111-2222-3333-4444-555555555555")
        assert track.stems == ("drums", "vocals")
        assert await by_uuid(connection, "none") is None


@in_asyncio
async def test_a_track_s_file_is_where_it_was_seen_last_and_nowhere_it_is_not(database):
    async with database.transaction() as connection:
        track, _ = await add(connection, "/m/a.mp3", content_hash=HASH)
        await add_source(connection, track.id, "/m/b.mp3")
        await add_source(connection, track.id, "https://example.org/c")

        async def place():
            return (await get(connection, track.id)).source_path

        assert await place() == "/m/b.mp3"
        await add_source(connection, track.id, "/m/a.mp3")
        assert await place() == "/m/a.mp3"
        await forget_source(connection, track.id, "/m/a.mp3")
        assert await place() == "/m/b.mp3"
        await forget_source(connection, track.id, "/m/b.mp3")
        assert await place() is None
