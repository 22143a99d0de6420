"""``library.search_words``, ``similar``, ``compatible`` on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from house import prep_context
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.kept_shelf import KeptShelf
from sfa_engine.backstage.verbs.tags import KINDS, TagVerbs
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.errors import Absent, Refused
from sfa_engine.library import sound_tags, sounds, tracks, trash
from sfa_engine.library.analysis import Analysis, Section, store
from sfa_engine.library.ownership import assign
from sfa_engine.library.tags import Tags
from sfa_engine.mix.sound import MEASURES, VECTOR, VERSION
from sfa_engine.mix.words import read
from sfa_engine.track.curves import FILE, CurvesWriter
from sfa_engine.track.sound_tags import LABELS, TAGS
from sfa_engine.track.sound_tags import VECTOR as TAG_VECTOR
from sfa_engine.wire.rights import Actor

ANN, BOB = 1, 2


class Shop:
    """Eight tracks, the last one Bob's, and the verbs on them."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.describer = Describer(context)
        shelf = KeptShelf()
        self.verbs = WordVerbs(context, self.describer, shelf=shelf)
        self.tags = TagVerbs(context, shelf).library_tags

    async def fill(self) -> None:
        rng = np.random.default_rng(1)
        same = rng.normal(size=VECTOR)
        for number in range(1, 9):
            tags = Tags(
                title=f"Night {number}" if number % 2 else f"Day {number}",
                artist="Burial" if number == 5 else "Orbital",
                genre="Techno" if number < 7 else "Deep House",
                year=1990 + number,
                bpm=120.0 + number,
                key="8A" if number < 5 else "3B",
            )
            async with self.context.database.transaction() as connection:
                track, _ = await tracks.add(connection, f"/m/{number}", tags=tags)
                measured = np.full(len(MEASURES), np.nan, "<f4")
                measured[MEASURES.index("brightness")] = number
                vector = same + (0.1 if number in {1, 4} else 2.0) * rng.normal(size=VECTOR)
                await sounds.store(
                    connection,
                    track.id,
                    VERSION,
                    vector.astype("<f4").tobytes(),
                    measured.tobytes(),
                )
                if number == 8:
                    await assign(connection, track.id, BOB)

    async def search(self, words: str, **more: Any) -> dict[str, Any]:
        return await self.verbs.library_search_words(words, **more)

    async def ids(self, words: str, **more: Any) -> list[int]:
        return [track["id"] for track in (await self.search(words, **more))["tracks"]]


@pytest.fixture
def shop(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Shop]:  # noqa: F811
    made = prep_context(tmp_path)
    context = runner.run(made.__aenter__())
    lent = Shop(context)
    runner.run(lent.fill())
    yield lent
    runner.run(made.__aexit__(None, None, None))


@in_asyncio
async def test_hits_come_best_first_with_reasons_and_what_was_understood(shop: Shop) -> None:
    found = await shop.search("dark techno around 122")
    assert [track["id"] for track in found["tracks"]] == [1, 2, 3, 4, 5]
    assert found["count"] == 5
    first = found["tracks"][0]
    assert first["reasons"] == [
        "121.0 BPM", "genre techno", "darker than 93 % of your library",
    ]  # fmt: skip
    assert first["name"] == "Orbital - Night 1"
    assert list(found["query"]["genres"]) == ["techno"]
    assert found["understood"].startswith("dark, genre techno, 118.95-125.05 BPM")
    scores = [track["score"] for track in found["tracks"]]
    assert scores == sorted(scores, reverse=True)


@in_asyncio
async def test_operators_and_words_mix(shop: Shop) -> None:
    assert await shop.ids("bright year:<1994 -artist:burial") == [3, 2, 1]
    assert await shop.ids("dark sort:year year:1991-1996") == [1, 2, 3, 4, 5, 6]
    assert await shop.ids("dark -sort:year year:1991-1996") == [6, 5, 4, 3, 2, 1]


@in_asyncio
async def test_plain_words_are_the_search_of_names_that_they_were(shop: Shop) -> None:
    found = await shop.search("night")
    assert sorted(track["id"] for track in found["tracks"]) == [1, 3, 5, 7]
    assert (await shop.search("burial"))["tracks"][0]["id"] == 5
    assert (await shop.search("xyzzy"))["count"] == 0
    assert await shop.ids("find me tracks by burial") == [5]


@in_asyncio
async def test_a_name_that_is_a_feeling_comes_first(shop: Shop) -> None:
    async with shop.context.database.transaction() as connection:
        await tracks.edit(connection, 6, title="Dark Side", artist="Bright")
    found = await shop.search("dark")
    assert found["tracks"][0]["id"] == 6
    assert found["tracks"][0]["reasons"][0] == "has the words in its name"
    assert [track["id"] for track in found["tracks"]][1:] == [1, 2, 3, 4]


@in_asyncio
async def test_a_name_that_has_a_number_or_a_key_comes_first(shop: Shop) -> None:
    async with shop.context.database.transaction() as connection:
        await tracks.edit(connection, 6, artist="Blink-182", title="Fugue in A minor")
        await tracks.edit(connection, 5, artist="Prince", title="1999")
        await tracks.edit(connection, 2, year=1999)
    assert (await shop.ids("blink-182"))[0] == 6
    assert await shop.ids("1999") == [5, 2]
    assert await shop.ids("in A minor") == [6, 2, 4, 1, 3]  # then by name
    assert sorted(await shop.ids("never played")) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(await shop.ids("not dubstep")) == 8


@in_asyncio
async def test_words_that_no_name_has_are_said_and_left_out(shop: Shop) -> None:
    found = await shop.search("dark banger by burial")
    assert [track["id"] for track in found["tracks"]] == [5]
    assert found["notes"] == ['"banger" was not understood, and is in no name: left out']
    assert (await shop.search("dubstep"))["count"] == 0
    found = await shop.search("dark dubstep")
    assert found["notes"] == ['no track has the genre "dubstep": left out']
    wider = await shop.search("hard techno")
    assert wider["notes"] == ['no track has the genre "hard techno": searched for techno']
    assert wider["count"] == 6
    assert found["count"] == 4


@in_asyncio
async def test_similar_and_compatible_say_why(shop: Shop) -> None:
    found = await shop.verbs.library_similar(1)
    assert found["tracks"][0]["id"] == 4
    assert found["tracks"][0]["reasons"][0].startswith("sounds closer than 92 % of your library")
    assert 1 not in [track["id"] for track in found["tracks"]]
    found = await shop.verbs.library_compatible("Orbital - Night 1")
    assert sorted(track["id"] for track in found["tracks"]) == [2, 3, 4]
    assert found["tracks"][0]["id"] == 4
    assert found["tracks"][0]["reasons"][1] == "8A like it"
    assert await shop.ids("goes with 1") == await shop.ids("goes with this one", this=1)


@in_asyncio
async def test_a_track_that_is_not_there_is_refused(shop: Shop) -> None:
    with pytest.raises(Absent, match="no track 99"):
        await shop.search("goes with 99")
    with pytest.raises(Absent):
        await shop.search("like nothing at all here")
    with pytest.raises(Refused, match='"this" names no track'):
        await shop.search("goes with this")
    with pytest.raises(Refused, match="10000 characters"):
        await shop.search("x" * 10_000)
    for text in ("", "\x00 \x1b", "the and of", "dark bright"):
        with pytest.raises(Refused):
            await shop.search(text)


@in_asyncio
async def test_a_search_sees_what_the_actor_may_see(shop: Shop) -> None:
    ann, bob = (Actor(account, "user", frozenset({"read"})) for account in (ANN, BOB))
    assert (await shop.search("fast", actor=bob))["tracks"][0]["id"] == 8
    seen = await shop.search("fast", actor=ann)
    assert seen["tracks"][0]["id"] == 7
    assert seen["tracks"][0]["reasons"] == ["faster than 92 % of your library"]
    with pytest.raises(Absent):
        await shop.search("goes with 8", actor=ann)
    with pytest.raises(Absent):
        await shop.verbs.library_similar(8, actor=ann)
    assert await shop.ids("fast", actor=bob, view="own") == [8]
    similar = await shop.verbs.library_similar(7, actor=ann)
    assert 8 not in [track["id"] for track in similar["tracks"]]
    assert await shop.ids("bright day house", actor=ann) == []


@in_asyncio
async def test_changes_are_seen_by_the_next_search(shop: Shop) -> None:
    assert (await shop.ids("fast"))[0] == 8
    database, places = shop.context.database, shop.context.places
    await trash.remove(database, places, 8)
    assert (await shop.ids("fast"))[0] == 7
    await trash.restore(database, places, 8)
    assert (await shop.ids("fast"))[0] == 8
    async with database.transaction() as connection:
        await connection.execute("UPDATE tracks SET play_count = 9 WHERE id = 2")
    assert (await shop.ids("popular"))[0] == 2
    async with database.transaction() as connection:
        measured = np.full(len(MEASURES), np.nan, "<f4")
        measured[MEASURES.index("brightness")] = 50.0
        vector = np.zeros(VECTOR, "<f4").tobytes()
        await sounds.store(connection, 7, VERSION, vector, measured.tobytes())
    assert (await shop.ids("bright"))[0] == 7


@in_asyncio
async def test_pages_are_parts_of_one_list_and_a_number_limits_it(shop: Shop) -> None:
    whole = await shop.ids("fast")
    assert await shop.ids("fast", limit=2) + await shop.ids("fast", limit=9, offset=2) == whole
    limited = await shop.search("three fast tracks")
    assert [track["id"] for track in limited["tracks"]] == whole[:3]
    assert limited["count"] == 3


async def _tag(shop: Shop, number: int, **tags: float) -> None:
    labels = np.full(len(LABELS), 0.01)
    for name, value in tags.items():
        labels[TAGS[name][0]] = value
    vector = np.random.default_rng(number).normal(size=TAG_VECTOR)
    async with shop.context.database.transaction() as connection:
        await sound_tags.store(connection, number, "x", vector.tolist(), labels.tolist())


@in_asyncio
async def test_genres_are_found_by_tags_where_there_are_some(shop: Shop) -> None:
    assert (await shop.search("jazz, fast"))["notes"] == ['no track has the genre "jazz": left out']
    for number in range(1, 8):
        await _tag(shop, number, jazz=0.9 if number == 7 else 0.05)
    found = await shop.search("jazz, fast")
    assert [track["id"] for track in found["tracks"]] == [7]
    assert "jazz .90" in found["tracks"][0]["reasons"]
    assert found["notes"] == []


@in_asyncio
async def test_an_instrument_is_found_by_its_tag_or_in_a_name_and_is_said_where_it_is_not(
    shop: Shop,
) -> None:
    left_out = 'no track has the tag "piano", nor the word in its name: left out'
    found = await shop.search("techno with piano")
    assert found["notes"] == [left_out]
    assert found["count"] == 6
    assert found["understood"] == "genre techno, piano"
    await _tag(shop, 3, piano=0.6)
    await _tag(shop, 7, piano=0.9)
    found = await shop.search("techno with piano")
    assert [track["id"] for track in found["tracks"]] == [3]  # 7 is house
    assert found["tracks"][0]["reasons"] == ["genre techno", "piano .60"]
    assert await shop.ids("piano") == [7, 3]
    # What another account has counts for it alone.
    await _tag(shop, 8, sitar=0.9)
    ann = Actor(ANN, "user", frozenset({"read"}))
    own = await shop.search("sitar, fast", view="mine", actor=ann)
    assert own["notes"] == [left_out.replace("piano", "sitar")]
    assert await shop.ids("sitar") == [8]


@in_asyncio
async def test_the_numbers_of_a_list_are_those_of_the_hits(shop: Shop) -> None:
    for words in ("dark techno around 122", "fast", "three fast tracks", "night", "find burial",
                  "dark sort:year year:1991-1996", "goes with this one"):  # fmt: skip
        this = {"this": 1} if "this" in words else {}
        said = await shop.search(words, **this)
        found = await shop.verbs.library_numbers_words(words, **this)
        assert found["tracks"] == [track["id"] for track in said["tracks"]], words
        assert (found["count"], found["notes"]) == (said["count"], said["notes"])
        assert found["understood"] == said["understood"]
        if said["understood"]:
            assert found["reasons"] == [track["reasons"] for track in said["tracks"]]
        else:
            assert found["reasons"] == []
    ann = Actor(ANN, "user", frozenset({"read"}))
    for words in ("fast", "sort:title"):
        assert 8 in (await shop.verbs.library_numbers_words(words))["tracks"]
        assert 8 not in (await shop.verbs.library_numbers_words(words, actor=ann))["tracks"]
    with pytest.raises(Refused, match="did you mean"):
        await shop.verbs.library_numbers_words("bmp:120")
    for words in ("", " ", "dark bright", "x" * 1001):
        with pytest.raises(Refused):
            await shop.verbs.library_numbers_words(words)


@in_asyncio
async def test_tags_are_counted_as_the_search_finds_them(shop: Shop) -> None:
    assert await shop.tags() == {"tags": [], "tagged": 0, "tracks": 8}
    await _tag(shop, 1, piano=0.6, jazz=0.9)
    await _tag(shop, 2, piano=0.16)
    await _tag(shop, 3, piano=0.7)
    await _tag(shop, 8, sitar=0.9, piano=0.8)
    said = await shop.tags()
    assert (said["tagged"], said["tracks"]) == (4, 8)
    assert said["tags"] == [
        {"name": "piano", "kind": "other", "count": 3},
        {"name": "jazz", "kind": "genre", "count": 1},
        {"name": "sitar", "kind": "other", "count": 1},
    ]
    for each in said["tags"]:
        assert (await shop.search(each["name"]))["count"] == each["count"]
    ann = Actor(ANN, "user", frozenset({"read"}))  # sees no track of Bob's
    own = await shop.tags(actor=ann)
    assert (own["tagged"], own["tracks"]) == (3, 7)
    assert {each["name"]: each["count"] for each in own["tags"]} == {"piano": 2, "jazz": 1}


@pytest.mark.parametrize("name", KINDS)
def test_the_name_of_a_tag_is_a_word_that_asks_for_it_alone(name: str) -> None:
    wanted = read(f"{name}, 126 bpm").wanted
    assert (*wanted.genres, *wanted.tags) == (name,)
    assert not wanted.feel
    assert not wanted.text


@in_asyncio
async def test_tags_that_come_later_are_in_the_next_answer(shop: Shop) -> None:
    async def scores() -> list[float]:
        found = (await shop.verbs.library_similar(2))["tracks"]
        return [track["score"] for track in sorted(found, key=lambda track: int(track["id"]))]

    before = await scores()
    for number in range(1, 8):
        await _tag(shop, number, techno=0.9)
    now = await scores()
    assert now != before
    assert len(now) == len(before)
    assert now == await scores()


@in_asyncio
async def test_a_track_analysed_before_is_described_when_it_is_asked_for(shop: Shop) -> None:
    database, places = shop.context.database, shop.context.places
    for number in (2, 3):
        await _analysed_before(shop, number)
    found = await shop.verbs.library_similar(2)
    assert 2 not in [track["id"] for track in found["tracks"]]
    assert found["notes"] == [
        "tracks that were analysed before are being described: search again soon"
    ]
    assert await shop.describer.batch() == 1
    assert await shop.describer.batch() == 0
    assert (await shop.verbs.library_similar(2))["notes"] == []
    # A bundle that is damaged is not tried for ever.
    await _analysed_before(shop, 4)
    (places.bundles / "4.sfa" / FILE).write_bytes(b"x")
    assert await shop.describer.batch() == 1
    assert await shop.describer.batch() == 0
    with pytest.raises(Refused, match="is not analysed"):
        await shop.verbs.library_similar(4)
    async with database.reading() as connection:
        assert await sounds.count_missing(connection, VERSION) == 0


async def _analysed_before(shop: Shop, number: int) -> None:
    """Give a track a bundle with curves, and an analysis, but no description."""
    folder = shop.context.places.bundles / f"{number}.sfa"
    folder.mkdir(parents=True)
    writer = CurvesWriter()
    rng = np.random.default_rng(number)
    for name, columns, rate_hz, high in (
        ("peaks/mix", 4, 150.0, 1.0), ("chroma", 12, 2.0, 1.0), ("mfcc", 20, 2.0, 1200.0),
        ("centroid", 1, 2.0, 24_000.0), ("rolloff", 1, 2.0, 24_000.0), ("energy", 1, 2.0, 1.0),
        ("loudness", 1, 2.0, 6.0),
    ):  # fmt: skip
        table = rng.uniform(0.0, high, (int(30 * rate_hz), columns))
        writer.add(name, table, rate_hz, (0.0, high), fine=True)
    (folder / FILE).write_bytes(writer.file("00" * 32))
    async with shop.context.database.transaction() as connection:
        await tracks.set_bundle(connection, number, f"{number}.sfa", 30.0)
        analysis = Analysis(
            "1", bpm=120.0, key="8A", lufs=-9.0, peak_dbtp=-1.0, sections=(Section(0, 30, "drop"),)
        )
        await store(connection, number, analysis)
        await connection.execute("DELETE FROM sounds WHERE track_id = ?", (number,))
