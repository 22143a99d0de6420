"""Searches on real rows: the right tracks, in a sensible order, by an index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_library import in_asyncio

from sfa_engine.errors import Refused
from sfa_engine.library import trash
from sfa_engine.library.analysis import Analysis, StemOrigin, set_stems, store
from sfa_engine.library.cues import Cue
from sfa_engine.library.cues import add as add_cue
from sfa_engine.library.playlists import append, create
from sfa_engine.library.query import OPERATORS, parse_query
from sfa_engine.library.search import count, find_one, numbers, search, select
from sfa_engine.library.tags import Tags
from sfa_engine.library.track import SELECT
from sfa_engine.library.tracks import add, edit, set_state

TRACKS = (
    Tags("Roygbiv", "Boards of Canada", "Music Has the Right", "IDM", 1998, 84.0, "F minor", 150.0),
    Tags("Windowlicker", "Aphex Twin", "Windowlicker", "IDM", 1999, 123.0, "A minor", 366.0),
    Tags("Café del Mar", "Energy 52", "", "Trance", 1993, 132.0, "E minor", 450.0),
    Tags("Halcyon", "Orbital", "Brown Album", "House", 1993, 128.0, "C major", 567.0),
    Tags("Halcyon", "Aphex Fan", "", "", None, None, None, None),
    Tags("Canada", "Nobody", "", "House", 2020, 128.4, "B minor", 240.0),
)


@pytest.fixture
def filled(runner, database):
    async def fill():
        async with database.transaction(durable=False) as connection:
            for tags in TRACKS:
                await add(connection, f"/m/{tags.artist}.flac", tags=tags)
            await store(connection, 2, Analysis("1", bpm=123.05, key="Am", energy=0.7))
            await set_stems(connection, 2, [StemOrigin("vocals", "x"), StemOrigin("drums", "x")])
            await set_stems(connection, 3, [StemOrigin("mix", "x")])
            await add_cue(connection, 4, Cue(1.0))
            await set_state(connection, 5, "failed", "broken")
            await append(connection, await create(connection, "Friday night"), [6, 1])

    runner.run(fill())
    return database


async def found(database, text):
    async with database.reading() as connection:
        tracks = await search(connection, text)
        assert await count(connection, text) == len(tracks)
        return [track.id for track in tracks]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [5, 2, 1, 3, 6, 4]),  # by artist, then title
        ("cafe", [3]),
        ("CAFÉ mar", [3]),
        ("wind", [2]),
        ('"wind"', []),
        ('"del mar"', [3]),
        ('"mar del"', []),
        ("canada", [6, 1]),  # the title counts most
        ("artist:canada", [1]),
        ("artist:aphex halcyon", [5]),
        ("-artist:aphex halcyon", [4]),
        ("-halcyon", [2, 1, 3, 6]),
        ("genre:house", [6, 4]),
        ("bpm:128", [6, 4]),
        ("bpm:=128", [4]),
        ("bpm:120-130", [2, 6, 4]),
        ("-bpm:120-130", [5, 1, 3]),
        ("key:8A", [2]),
        ("key:~8A", [2, 3, 4]),
        ("-key:~8A", [5, 1, 6]),
        ("energy:>0.6", [2]),
        ("year:1993", [3, 4]),
        ("year:<1999", [1, 3, 4]),
        ("duration:<4:01", [1, 6]),
        ("added:<1h", [5, 2, 1, 3, 6, 4]),
        ("added:>1h", []),
        ("stems:yes", [2]),
        ("stems:no year:>2000", [6]),
        ("stems:drums", [2]),
        ("-stems:mix genre:trance", []),
        ("cues:yes", [4]),
        ("state:failed", [5]),
        ('playlist:"friday NIGHT"', [1, 6]),
        ('bpm:120-130 "aphex twin" key:Am', [2]),
        ("a\0b", []),
        ('say "" x', []),
    ],
)
@in_asyncio
async def test_a_search_finds_these_in_this_order(filled, text, ids):
    assert await found(filled, text) == ids


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("!!!", [7, 8]), ("*", []), ("(!!!)", [8]), ("%", [7]), ("-", []), ('""', [])],
)
@in_asyncio
async def test_symbols_find_what_has_them_and_not_every_track(filled, text, wanted):
    async with filled.transaction(durable=False) as connection:
        await add(connection, "/m/7", tags=Tags("100%", "!!!"))
        await add(connection, "/m/8", tags=Tags("Aa (!!!)", "Xx"))
    assert await found(filled, text) == wanted
    async with filled.reading() as connection:
        assert await numbers(connection, text) == sorted(wanted)


@in_asyncio
async def test_search_follows_edits_and_forgets_the_removed(filled, places):
    async with filled.transaction() as connection:
        await edit(connection, 1, title="Aquarius")
    assert await found(filled, "roygbiv") == []
    assert await found(filled, "aquarius") == [1]
    await trash.remove(filled, places, 1)
    assert await found(filled, "aquarius") == []
    assert await found(filled, "genre:idm") == [2]
    await trash.clean_up(filled, places, kept_days=0)
    async with filled.transaction() as connection:
        await connection.execute("INSERT INTO track_words (track_words) VALUES ('integrity-check')")


@in_asyncio
async def test_results_come_in_parts(filled):
    async with filled.reading() as connection:
        first = await search(connection, "", limit=4)
        rest = await search(connection, "", limit=4, offset=4)
        assert [track.id for track in first + rest] == [5, 2, 1, 3, 6, 4]
        for limit, offset in ((0, 0), (1001, 0), (1, -1)):
            with pytest.raises(Refused):
                await search(connection, "", limit=limit, offset=offset)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("aphex window", 2),
        ("orbital halcyon", 4),
        ("Canada", 6),  # its whole title, though another has the word
        ("#3", 3),
        ("3", 3),  # as the lists show it
        ("boards of canada roygbiv", 1),
        ("halcyon genre:house", 4),
    ],
)
@in_asyncio
async def test_one_track_is_found_by_what_people_say(filled, text, number):
    async with filled.reading() as connection:
        track = await find_one(connection, text)
        assert track.id == number
        assert await find_one(connection, track.uuid) == track


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("halcyon", '"Aphex Fan - Halcyon" (#5); "Orbital - Halcyon" (#4); add words'),
        ("roygbev", 'did you mean "Boards of Canada - Roygbiv" (#1)?'),
        ("zzzz", "search for a part"),
        ("#99", "no track 99"),
        ("", "names no track"),
        ("!!!", "search for a part"),
        ("\0artist:", "search for a part"),
        ("00000000-0000-0000-0000-000000000000", "no track"),
        ("artst:x", 'did you mean "artist"'),
    ],
)
@in_asyncio
async def test_none_or_several_are_refused_with_names(filled, text, words):
    async with filled.reading() as connection:
        with pytest.raises(Refused) as caught:
            await find_one(connection, text)
    assert words in str(caught.value)
    assert caught.value.hint


@in_asyncio
async def test_a_title_has_precedence_over_a_number_and_that_over_words(filled, places):
    async with filled.transaction(durable=False) as connection:
        titled, _ = await add(connection, "a", tags=Tags(title="2"))
        worded, _ = await add(connection, "b", tags=Tags(title="99 Problems"))
    async with filled.reading() as connection:
        assert (await find_one(connection, "2")).id == titled.id
        assert (await find_one(connection, "99")).id == worded.id
        assert (await find_one(connection, "1")).id == 1
    await trash.remove(filled, places, 1)
    async with filled.reading() as connection:
        with pytest.raises(Refused, match='no track "1"'):
            await find_one(connection, "1")


@in_asyncio
async def test_many_candidates_are_named_in_part(filled, places):
    async with filled.transaction(durable=False) as connection:
        for number in range(9):
            await add(connection, str(number), tags=Tags(title=f"Same {number}"))
    async with filled.reading() as connection:
        with pytest.raises(Refused, match="and 4 more"):
            await find_one(connection, "same")
    await trash.remove(filled, places, 3)
    async with filled.reading() as connection:
        with pytest.raises(Refused, match="was removed"):
            await find_one(connection, "#3")


# Letters that SQLite's tables do not know, signs of its query language, and operators.
odd = st.lists(
    st.sampled_from([*(f"{name}:" for name in OPERATORS), '"', "*", "(", "NEAR", "AND", "^", "\0"])
    | st.text(max_size=4)
    | st.sampled_from(["\U0001e922", "\u0301", "\ue000", "8A", "<7d", "yes", " "]),
    max_size=10,
).map("".join)


@pytest.mark.slow
def test_no_text_brings_anything_but_tracks_or_a_refusal(runner, filled):
    async def ask(text):
        async with filled.reading() as connection:
            try:
                return await search(connection, text), await find_one(connection, text)
            except Refused as refused:
                return refused.hint

    @given(odd)
    def ask_anything(text):
        assert runner.run(ask(text))

    ask_anything()


# ---------------------------------------------------------------- ten thousand tracks


@pytest.fixture
def large(runner, database):
    async def fill():
        async with database.transaction(durable=False) as connection:
            await connection.executemany(
                "INSERT INTO tracks (uuid, title, artist, genre, year, bpm, camelot, energy, state,"
                " content_hash, added_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                [
                    (
                        f"u{n}", f"song {n}", f"artist {n % 700}", "house", 1980 + n % 40,
                        80.0 + n % 1000 / 10, f"{n % 12 + 1}A", n % 100 / 100, "ready", f"{n}", n,
                    )
                    for n in range(10_000)
                ],
            )  # fmt: skip
            await connection.executemany(
                "INSERT INTO sources (track_id, location, added_at) VALUES (?, ?, 0)",
                [(n + 1, f"/m/{n}") for n in range(10_000)],
            )
            await create(connection, "none")

    runner.run(fill())
    return database


@pytest.mark.slow
@in_asyncio
async def test_no_search_in_ten_thousand_tracks_reads_the_whole_table(large):
    for text in (
        "", "song 17", "artist:artist bpm:120-121", "bpm:120-120.1", "key:8A", "key:~8A",
        "year:1999", "energy:>0.98", "added:<1h", "state:failed", "-song", "stems:yes", "cues:yes",
        "playlist:none", "song 4242 -bpm:80",
    ):  # fmt: skip
        sql, arguments = select(parse_query(text))
        found = await large.fetch(f"EXPLAIN QUERY PLAN {sql}", arguments)
        plan = [step["detail"] for step in found]
        assert [s for s in plan if s.startswith("SCAN") and "INDEX" not in s] == [], plan
        async with large.reading() as connection:
            assert len(await search(connection, text)) <= 100


@pytest.mark.slow
@in_asyncio
async def test_no_look_up_in_ten_thousand_tracks_reads_the_whole_table(large):
    for condition in (
        "tracks.id = 1", "tracks.uuid = 'u5'", "tracks.bundle = 'x'",
        "content_hash = '5' AND deleted_at IS NULL",
        "tracks.id IN (SELECT track_id FROM sources WHERE location = '/m/5')",
        "deleted_at IS NOT NULL ORDER BY deleted_at DESC",
    ):  # fmt: skip
        found = await large.fetch(f"EXPLAIN QUERY PLAN {SELECT} WHERE {condition}")
        plan = [step["detail"] for step in found]
        assert [step for step in plan if step.startswith("SCAN")] == [], plan
    cues = await large.fetch("EXPLAIN QUERY PLAN SELECT * FROM cues WHERE track_id = 1")
    assert "USING INDEX" in cues[0]["detail"]


@in_asyncio
async def test_a_playlist_that_is_not_there_is_no_empty_result(filled):
    async with filled.reading() as connection:
        for text in ('playlist:"Friday nigth"', "-playlist:Fridaynight canada"):
            for ask in (search, count):
                with pytest.raises(Refused, match='did you mean "Friday night"'):
                    await ask(connection, text)
