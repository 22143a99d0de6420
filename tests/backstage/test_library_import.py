"""Libraries of other programs become rows; what a person set here stays, and twice is once."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_shop import Shop, open_shop
from house import song
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.exchange.report import grouped
from sfa_engine.backstage.exchange.shifts import ShiftRule
from sfa_engine.backstage.verbs.exchange import ExchangeVerbs
from sfa_engine.errors import Forbidden, MediaError, Refused
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Loss, Record
from sfa_engine.library import analysis, cues, grids, playlists, tracks
from sfa_engine.library.analysis import Analysis
from sfa_engine.library.content import sound_identity
from sfa_engine.library.cues import Cue
from sfa_engine.library.tags import Tags
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.wire.rights import SCOPES, Actor

GRID = Grid((Anchor(4800.0, 0.0),), 124.0)
FULL = Record(
    "1",
    "/music/a.mp3",
    title="One",
    artist="Ann",
    album="Album",
    genre="Techno",
    label="Tresor",
    comment="peak\ntime",
    year=1999,
    bpm=124.0,
    musical_key="A minor",
    duration_s=300.0,
    rating=4,
    color="#ff8800",
    play_count=7,
    played_at=1.6e9,
    added_at=1.5e9,
    grid=GRID,
    cues=(
        Cue(1.5, slot=1, label="in", color="#00ff00"),
        Cue(60.0, "loop", 64.0, slot=2),
        Cue(90.0, label="memory"),
    ),
)


@pytest.fixture
def shop(
    runner: asyncio.Runner,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    with open_shop(runner, tmp_path / "library", monkeypatch) as made:
        yield made


@in_asyncio
async def test_a_track_comes_over_with_all_that_is_known_of_it(shop: Shop) -> None:
    lists = (List("Peak", ("House", "2024"), ("1", "1")), List("Empty", ("House",)))
    done = await shop.read(Collection((FULL,), lists))
    assert done["counts"] | {"new": 1, "grids": 1, "cues": 2, "loops": 1} == done["counts"]
    assert done["lost"] == 0
    track = await shop.one("SELECT * FROM tracks")
    assert dict(track) | {
        "title": "One", "artist": "Ann", "album": "Album", "genre": "Techno", "label": "Tresor",
        "comment": "peak\ntime", "year": 1999, "bpm": 124.0, "key": "A minor", "camelot": "8A",
        "duration_s": 300.0, "rating": 4, "color": "#ff8800", "play_count": 7, "played_at": 1.6e9,
        "added_at": 1.5e9, "state": "added", "bundle": None, "source_path": "/music/a.mp3",
        "content_hash": None,
    } == dict(track)  # fmt: skip
    async with shop.database.reading() as connection:
        grid = await grids.grid_of(connection, track["id"])
        found = await cues.cues_of(connection, track["id"])
        lists_here = await playlists.playlists(connection)
    assert grid is not None
    assert (grid.grid, grid.rate, grid.by_hand) == (GRID, GRID_RATE, True)
    assert [replace(cue, id=0) for cue in found] == list(FULL.cues)
    assert [(each.name, each.folders, each.tracks) for each in lists_here] == [
        *(("Empty", ("House",), 0), ("Peak", ("House", "2024"), 2)),
    ]


@in_asyncio
async def test_a_second_import_changes_nothing_in_any_table(shop: Shop) -> None:
    twin = replace(FULL, key="2", location="/music/b.mp3", title="Two")
    bare = Record("3", "C:/x/c.mp3")
    lists = (
        List("Peak", ("A",), ("1", "2", "1")),
        List("Peak", ("B",), ("2",)),
        List("Peak", ("B",), ("3",)),
        List("Peak", (), ("3", "gone")),
    )
    collection = Collection((FULL, twin, bare), lists)
    first = await shop.read(collection)
    before = await shop.tables()
    second = await shop.read(collection)
    assert await shop.tables() == before
    assert (first["counts"]["new"], second["counts"]["unchanged"]) == (3, 3)
    assert set(second["counts"]) & {"new", "updated", "grids", "cues", "playlists"} <= {
        name for name, count in second["counts"].items() if not count
    }
    assert first["lost"] == second["lost"] == 1  # an entry without a track
    assert len(before["playlists"]) == 4


@in_asyncio
async def test_a_dry_run_reports_the_same_and_keeps_nothing(shop: Shop) -> None:
    collection = Collection((FULL,), (List("Peak", (), ("1",)),))
    before = await shop.tables()
    tried = await shop.read(collection, dry_run=True)
    assert await shop.tables() == before
    done = await shop.read(collection)
    assert tried["counts"] == done["counts"]
    assert await shop.tables() != before


@in_asyncio
async def test_what_was_set_by_hand_here_stays_and_is_told(shop: Shop) -> None:
    async with shop.database.transaction() as connection:
        track, _ = await tracks.add(
            connection, FULL.location, tags=Tags(title="Mine", duration_s=300.0)
        )
        await tracks.edit(connection, track.id, rating=2, comment="mine", color="red", key="8A")
        await grids.set_bpm(connection, track.id, 100.0)
        await cues.add(connection, track.id, Cue(5.0, slot=1, label="mine"))
    before = await shop.tables()
    done = await shop.read(Collection((FULL,)))
    after = await shop.tables()
    assert {group["what"] for group in done["groups"]} == {
        *("rating", "comment", "color", "grid", "hot cue"),
    }
    track = await tracks_row(shop, track.id)
    assert (track["title"], track["rating"], track["comment"]) == ("Mine", 2, "mine")
    assert (track["bpm"], track["key"], track["label"]) == (100.0, "A minor", "Tresor")
    assert after["grids"] == before["grids"]
    (mine,) = [cue for cue in after["cues"] if cue[6] == 1]
    assert mine in before["cues"]


async def tracks_row(shop: Shop, number: int) -> Any:
    return await shop.one("SELECT * FROM tracks WHERE id = ?", number)


@in_asyncio
async def test_an_analysis_that_comes_later_keeps_imported_grid_and_cues(shop: Shop) -> None:
    await shop.read(Collection((FULL,)))
    found = Analysis("7", bpm=62.0, key="C major")
    async with shop.database.transaction() as connection:
        await analysis.store(
            connection,
            1,
            found,
            grid=Grid((Anchor(0.0, 0.0),), 62.0),
            cues=[Cue(2.0, "drop", slot=1), Cue(30.0, "drop", slot=5)],
        )
        grid = await grids.grid_of(connection, 1)
        there = {cue.slot: cue.position_s for cue in await cues.cues_of(connection, 1) if cue.slot}
    assert grid is not None
    assert grid.grid == GRID
    assert there == {1: 1.5, 2: 60.0, 5: 30.0}
    assert (await tracks_row(shop, 1))["bpm"] == 124.0


@in_asyncio
async def test_an_imported_hot_cue_takes_its_number_from_an_automatic_one(shop: Shop) -> None:
    async with shop.database.transaction() as connection:
        track, _ = await tracks.add(connection, FULL.location, tags=Tags(title="One"))
        await analysis.store(
            connection,
            track.id,
            Analysis("7", bpm=62.0, key="C major"),
            grid=Grid((Anchor(0.0, 0.0),), 62.0),
            cues=[Cue(2.0, "drop", slot=1)],
        )
    done = await shop.read(Collection((FULL,)))
    assert done["lost"] == 0
    async with shop.database.reading() as connection:
        found = [(c.slot, c.position_s, c.by_hand) for c in await cues.cues_of(connection, 1)]
    assert sorted(found, key=str) == sorted(
        [(1, 1.5, True), (None, 2.0, False), (2, 60.0, True), (None, 90.0, True)], key=str
    )
    track = await tracks_row(shop, 1)
    assert (track["bpm"], track["key"]) == (124.0, "C major")  # a grid by hand, an analysed key


@in_asyncio
async def test_a_file_is_found_by_a_mapping_whatever_its_spelling(
    shop: Shop, tmp_path: Path
) -> None:
    folder = tmp_path / "Caf\u00e9"
    folder.mkdir()
    (folder / "100%.mp3").write_bytes(b"x")
    spelled = unicodedata.normalize("NFD", "D:/Music/CAF\u00c9/100%.MP3")
    first = replace(FULL, location=spelled)
    await shop.read(Collection((first,)), maps=[f"d:\\music={tmp_path}"])
    track = await tracks_row(shop, 1)
    assert track["source_path"] == str(folder / "100%.mp3")
    again = replace(FULL, location="D:/Music/Caf\u00e9/100%25.mp3")
    done = await shop.read(Collection((again,)), maps=[f"D:/Music={tmp_path}"])
    assert done["counts"]["unchanged"] == 1


@in_asyncio
async def test_a_track_of_another_place_is_known_by_its_names_and_length(shop: Shop) -> None:
    await shop.read(Collection((FULL,)))
    moved = replace(FULL, location="E:/else/a.mp3", duration_s=301.0, rating=None)
    assert (await shop.read(Collection((moved,))))["counts"]["unchanged"] == 1
    other = replace(moved, duration_s=330.0)
    assert (await shop.read(Collection((other,))))["counts"]["new"] == 1
    # Two fit now: neither is taken.
    between = replace(moved, location="F:/a.mp3", duration_s=None)
    assert (await shop.read(Collection((between,))))["counts"]["new"] == 1


@in_asyncio
async def test_a_file_that_is_here_is_known_by_its_sound_and_not_by_its_names(
    shop: Shop, tmp_path: Path
) -> None:
    here, copy = song(tmp_path / "a.wav", seconds=1.0), tmp_path / "copy.wav"
    copy.write_bytes(here.read_bytes())
    other = song(tmp_path / "other.wav", seconds=1.0, seed=2, bpm=90.0)
    tags = Tags(title="One", artist="Ann", duration_s=1.0)
    async with shop.database.transaction() as connection:
        await tracks.add(connection, str(here), content_hash=sound_identity(here), tags=tags)
    plain = Record("1", str(copy), title="ONE", artist="ann", duration_s=1.0)
    done = await shop.read(Collection((plain, replace(plain, key="2", location=str(other)))))
    assert (done["counts"]["new"], done["counts"]["updated"]) == (1, 1)
    places = await shop.database.fetch("SELECT track_id, location FROM sources ORDER BY id")
    assert [tuple(each) for each in places] == [(1, str(here)), (1, str(copy)), (2, str(other))]


@in_asyncio
async def test_a_value_that_is_not_valid_costs_itself_alone(shop: Shop) -> None:
    odd = replace(
        FULL,
        bpm=999.0,
        rating=9,
        color="red-ish",
        musical_key="H",
        year=99_999,
        comment="x" * 600,
        play_count=-1,
        grid=Grid((Anchor(0.0, 0.0), Anchor(1.0, 100.0)), 124.0),
        cues=(Cue(1.0), Cue(400.0), Cue(299.0, "loop", 400.0)),
    )
    done = await shop.read(Collection((odd, Record("2"), Record("3", "/music/\udcff.mp3"))))
    lost = {(group["what"], group["count"]) for group in done["groups"]}
    assert lost == {
        *(("bpm", 1), ("rating", 1), ("color", 1), ("key", 1), ("year", 1), ("grid", 1)),
        *(("part of the comment", 1), ("play count", 1), ("cue", 1), ("loop", 1), ("track", 1)),
    }
    track = await tracks_row(shop, 1)
    assert (track["title"], track["bpm"], track["rating"], len(track["comment"])) == (
        *("One", None, 0, 500),
    )
    assert done["counts"]["cues"] == 1


@in_asyncio
async def test_a_record_that_is_twice_in_a_file_is_one_track(shop: Shop) -> None:
    twice = replace(FULL, key="2", cues=(Cue(200.0, slot=3),), grid=None, year=None)
    done = await shop.read(Collection((FULL, twice), (List("L", (), ("1", "2")),)))
    assert done["counts"]["new"] == 1
    assert len((await shop.tables())["cues"]) == 4
    assert len((await shop.tables())["playlist_entries"]) == 2


@in_asyncio
async def test_a_playlist_that_is_here_gets_what_it_lacks_at_its_end(shop: Shop) -> None:
    names = [Record(str(n), f"/m/{n}.mp3", title=f"T{n}") for n in (1, 2, 3)]
    await shop.read(Collection((*names[:2],), (List("Set", (), ("2", "1")),)))
    async with shop.database.transaction() as connection:
        (entry, *_) = await playlists.order_of(connection, 1)
        await playlists.move(connection, entry, 1)
    done = await shop.read(Collection(tuple(names), (List("SET", (), ("1", "3", "2")),)))
    assert done["counts"]["playlists filled"] == 1
    async with shop.database.reading() as connection:
        order = [each.track.title for each in await playlists.entries(connection, 1)]
    assert order == ["T1", "T2", "T3"]


@in_asyncio
async def test_a_playlist_that_follows_a_service_is_left_alone(shop: Shop) -> None:
    async with shop.database.transaction() as connection:
        await playlists.create(connection, "Set")
        await connection.execute("UPDATE playlists SET source = 'spotify:1'")
    await shop.read(Collection((FULL,), (List("Set", (), ("1",)),)))
    async with shop.database.reading() as connection:
        found = [(each.name, each.tracks) for each in await playlists.playlists(connection)]
    assert found == [("Set", 0), ("Set (2)", 1)]


@in_asyncio
async def test_a_removed_track_is_not_changed(shop: Shop) -> None:
    await shop.read(Collection((FULL,)))
    async with shop.database.transaction() as connection:
        await connection.execute("UPDATE tracks SET deleted_at = 1.0")
    before = [row for row in (await shop.tables())["cues"] if row[1] == 1]
    assert (await shop.read(Collection((FULL,))))["counts"]["new"] == 1
    assert [row for row in (await shop.tables())["cues"] if row[1] == 1] == before


@in_asyncio
async def test_an_error_midway_keeps_nothing(shop: Shop, monkeypatch: Any) -> None:
    from sfa_engine.backstage.exchange.lists import ListImporter

    async def fail(*_: object) -> None:
        raise MediaError("full", "free some")

    before = await shop.tables()
    monkeypatch.setattr(ListImporter, "run", fail)
    with pytest.raises(MediaError):
        await shop.read(Collection((FULL,), (List("L", (), ("1",)),)))
    assert await shop.tables() == before


@in_asyncio
async def test_nothing_to_import_is_an_error(shop: Shop) -> None:
    for collection in (Collection(), Collection((Record("1"),))):
        with pytest.raises(MediaError) as refused:
            await shop.read(collection)
        assert refused.value.hint


NUMBERS = st.one_of(st.none(), st.floats(allow_nan=True), st.integers(-(1 << 40), 1 << 40))
TEXTS = st.text(max_size=20)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(
        st.builds(
            Record,
            key=st.uuids().map(str),
            location=st.one_of(TEXTS, TEXTS.map("/m/{}".format)),
            title=TEXTS,
            artist=TEXTS,
            comment=TEXTS,
            label=TEXTS,
            color=TEXTS,
            musical_key=TEXTS,
            year=st.one_of(st.none(), st.integers(-9, 20_000)),
            bpm=NUMBERS,
            duration_s=NUMBERS,
            rating=st.one_of(st.none(), st.integers(-9, 9)),
            play_count=st.one_of(st.none(), st.integers(-9, 1 << 60)),
            played_at=NUMBERS,
            added_at=NUMBERS,
        ),
        min_size=1,
        max_size=5,
    ),
    lists=st.lists(st.builds(List, TEXTS, st.tuples(TEXTS, TEXTS)), max_size=3),
)
def test_no_record_breaks_an_import_and_twice_is_once(shop, runner, records, lists) -> None:  # noqa: F811
    keys = tuple(record.key for record in records)
    collection = Collection(tuple(records), tuple(replace(each, keys=keys) for each in lists))

    async def check() -> None:
        try:
            await shop.read(collection)
        except MediaError:
            return
        before = await shop.tables()
        await shop.read(collection)
        assert await shop.tables() == before

    runner.run(check())


@in_asyncio
async def test_only_an_admin_may_name_files_of_this_machine(shop: Shop, tmp_path: Path) -> None:
    await shop.read(Collection((FULL,)))
    verbs = ExchangeVerbs(shop.context, Dispatcher(shop.context.queue, {}, {}))
    user = Actor(3, "user", SCOPES)
    with pytest.raises(Forbidden):
        await verbs.library_import(str(tmp_path), actor=user)
    with pytest.raises(Forbidden):
        await verbs.library_export(str(tmp_path / "x.m3u8"), "m3u", actor=user)
    said = await verbs.library_import(str(tmp_path), actor=Actor(1, "admin", SCOPES))
    (job,) = await shop.database.fetch("SELECT id, kind, account FROM jobs")
    assert tuple(job) == (said["job"], "library-import", "1")
    # What is the machine's is not a user's to prepare.
    assert (await verbs.library_prepare(actor=user))["missing"] == 0
    assert (await verbs.library_prepare())["missing"] == 1


# ---------------------------------------------------------------------- parts


def test_losses_are_grouped_by_what_and_why() -> None:
    losses = [
        Loss("A", "hot cue 3", "taken"),
        Loss("B", "hot cue 4", "taken"),
        Loss("C", "loop at 61.25 s", "late"),
    ]
    assert grouped(losses) == [
        {"what": "hot cue", "why": "taken", "count": 2, "examples": ["A", "B"]},
        {"what": "loop", "why": "late", "count": 1, "examples": ["C"]},
    ]


@pytest.mark.parametrize("text", ["autod", "nan", "inf", "1e9", "--", "1,5"])
def test_what_is_no_shift_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="MP3 shift"):
        ShiftRule.parse(text)


def test_a_shift_is_automatic_none_or_milliseconds() -> None:
    assert [ShiftRule.parse(text).milliseconds for text in ("auto", "none", "-26", "25.1")] == [
        *(None, 0.0, -26.0, 25.1),
    ]
