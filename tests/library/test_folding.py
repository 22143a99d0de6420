"""Words are found however they are typed: letters, accents, scripts without spaces, titles."""

# ruff: noqa: RUF001 - letters that look alike are what this is about

import sqlite3

import pytest
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library.database import Database
from sfa_engine.library.folding import fold
from sfa_engine.library.migrations import MIGRATIONS, migrate
from sfa_engine.library.search import count, find_one, search
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, edit

TITLES = {
    "Moan (Trentemøller Remix)": ["trentemoller", "TRENTEMØLLER", "trentemo"],
    "Łódź": ["lodz", "łódź", "LODZ"],
    "Straße": ["strasse", "STRASSE", "straße", "stras"],
    "Æon Þór": ["aeon", "thor", "æon"],
    "Œuvre du Đorđe": ["oeuvre", "dorde", "đorđe"],
    "Ísland Víðir": ["vidir", "island"],
    "Işıklar": ["isiklar", "IŞIKLAR"],
    "Ħobża": ["hobza"],
    "夜に駆ける": ["駆ける", "夜", "に駆", "夜に駆ける", "ける"],
    "東京事変 live": ["事変", "京事", "変 live", "東京"],
    "사랑해요": ["랑해", "해요", "사랑"],
    "เพลงรัก": ["รัก", "ลงร", "ัก"],
    "ﾄﾞﾗｲﾌﾞ": ["ドライブ", "ライ"],
    "ＡＢＣ １２": ["abc", "12"],
    "हिन्दी संगीत": ["हिन्दी", "संगीत", "संगी"],
    "Ёлка": ["елка", "ёлк"],
    "Beyonce\u0301": ["beyoncé", "beyonce"],
}


@pytest.fixture
def filled(runner, database):
    async def fill():
        async with database.transaction() as connection:
            for title in TITLES:
                await add(connection, f"/m/{title}.flac", tags=Tags(title=title))

    runner.run(fill())
    return database


@pytest.mark.parametrize(("title", "typed"), [(t, w) for t, words in TITLES.items() for w in words])
def test_a_title_is_found_however_it_is_typed(runner, filled, title, typed):
    async def look():
        async with filled.reading() as connection:
            return [track.title for track in await search(connection, typed)]

    assert title in runner.run(look())


@in_asyncio
async def test_the_dots_that_tell_japanese_sounds_apart_count(database):
    async with database.transaction() as connection:
        await add(connection, "/m/1", tags=Tags(title="ハハ"))
        assert await count(connection, "パパ") == 0


@in_asyncio
async def test_a_substring_across_a_space_of_the_title_is_found(database):
    async with database.transaction() as connection:
        await add(connection, "/m/1", tags=Tags(title="初音 ミク"))
        assert await count(connection, "初音ミク") == 1


@in_asyncio
async def test_an_edited_title_is_found_by_its_new_words_alone(filled):
    async with filled.transaction() as connection:
        track = await find_one(connection, "lodz")
        await edit(connection, track.id, title="Gdańsk")
        assert await count(connection, "lodz") == 0
        assert (await find_one(connection, "gdansk")).id == track.id


NAMES = (
    "Mission: Impossible Theme",
    "Key: The Sequel",
    "bpm:fast",
    "Re: Stacks",
    "-ing",
    "Semi - Detached",
    '12" Mix',
    "artist:",
    "÷",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_track_is_found_by_its_very_title_whatever_is_in_it(runner, database, name):
    async def look():
        async with database.transaction() as connection:
            for title in (*NAMES, "Impossible Mission Theme"):
                await add(connection, f"/m/{title}", tags=Tags(title=title, artist="Somebody"))
            by_title = await find_one(connection, name)
            by_both = await find_one(connection, f"Somebody - {name}")
            assert by_title == by_both
            return by_title.title

    assert runner.run(look()) == name


@pytest.mark.parametrize("name", ["Mission: Impossible Theme", "Key: The Sequel", "bpm:fast"])
def test_a_title_that_looks_like_an_operator_is_listed_by_a_search(runner, database, name):
    async def look():
        async with database.transaction() as connection:
            await add(connection, "/m/1", tags=Tags(title=name))
            assert await count(connection, name) == 1
            return [track.title for track in await search(connection, name)]

    assert runner.run(look()) == [name]


@in_asyncio
async def test_of_two_titles_alike_but_for_accents_the_one_as_typed_is_meant(database):
    async with database.transaction() as connection:
        for title in ("Café", "Cafe"):
            await add(connection, f"/m/{title}", tags=Tags(title=title))
        assert (await find_one(connection, "café")).title == "Café"
        assert (await find_one(connection, "cafe")).title == "Cafe"
        with pytest.raises(Refused, match="may be"):
            await find_one(connection, "càfè")


@in_asyncio
async def test_a_library_from_before_is_indexed_anew(places):
    places.database.parent.mkdir(parents=True)
    connection = sqlite3.connect(places.database, isolation_level=None)
    migrate(connection, MIGRATIONS[:5])
    connection.executemany(
        "INSERT INTO tracks (uuid, title, artist, added_at, changed_at) VALUES (?, ?, ?, 0, 0)",
        [("a", "夜に駆ける", "YOASOBI"), ("b", "Miss You", "Trentemøller")],
    )
    connection.execute("INSERT INTO sources (track_id, location, added_at) VALUES (2, '/m/x', 0)")
    connection.close()
    async with await Database.open(places.database) as database, database.reading() as reading:
        assert (await find_one(reading, "駆ける")).uuid == "a"
        found = await find_one(reading, "trentemoller")
        assert (found.uuid, found.source_path, found.rating) == ("b", "/m/x", 0)


def test_folding_twice_changes_nothing():
    for title in TITLES:
        assert fold(fold(title)) == fold(title)
