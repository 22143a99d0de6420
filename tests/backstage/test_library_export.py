"""Rows become collections for other programs, files of their own, and our own format and back."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchange_shop import Shop, open_shop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mix_library import MixLibrary
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine.errors import MediaError, Refused
from sfa_engine.interchange.mp3_shift import Shift
from sfa_engine.interchange.own import MEMBER
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Loss, Record
from sfa_engine.library import analysis, cues, grids, playlists, plays, tracks
from sfa_engine.library.analysis import Analysis
from sfa_engine.library.cues import Cue
from sfa_engine.library.tags import Tags
from sfa_engine.track.grid import Anchor, Grid

GRID = Grid((Anchor(4410.0, 0.0),), 124.0)


@pytest.fixture
def shop(
    runner: asyncio.Runner,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    with open_shop(runner, tmp_path / "library", monkeypatch) as made:
        yield made


@pytest.fixture
def other(
    runner: asyncio.Runner,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    with open_shop(runner, tmp_path / "other", monkeypatch) as made:
        yield made


async def fill(shop: Shop) -> None:
    """Make three tracks: one with everything, one of an address, one bare; and playlists."""
    async with shop.database.transaction() as connection:
        tags = Tags(title="One", artist="Ann", album="A", genre="Techno", year=1999)
        tags = replace(tags, bpm=124.0, key="A minor", duration_s=300.0)
        one, _ = await tracks.add(connection, "/music/one.mp3", content_hash="sound:9:a", tags=tags)
        await tracks.add_source(connection, one.id, "/copy/one.mp3")
        await tracks.add_source(connection, one.id, "/music/one.mp3")
        await tracks.edit(connection, one.id, rating=4, comment="x", color="red", key="B minor")
        made = Analysis("7", bpm=62.0, key="C", lufs=-9.0, features={"a": [1, 2]})
        await analysis.store(
            connection,
            one.id,
            replace(made, sections=(analysis.Section(8.0, 16.0, "drop"),)),
            grid=Grid((Anchor(0.0, 0.0),), 62.0),
            cues=[Cue(2.0, "drop", slot=5), Cue(30.0, "break")],
        )
        await grids.set_grid(connection, one.id, GRID, 44_100, by_hand=True)
        await cues.add(connection, one.id, Cue(1.5, slot=1, label="in", color="#00ff00"))
        await cues.add(connection, one.id, Cue(60.0, "loop", 64.0, slot=2, on_load=True))
        automatic = next(c for c in await cues.cues_of(connection, one.id) if c.kind == "break")
        await cues.remove(connection, automatic.id)
        await plays.record(connection, one, "11111111-1111-1111-1111-111111111111", 1, 1.6e9)
        await tracks.add(connection, "https://example.org/2", tags=Tags(title="Two"))
        await tracks.add(connection, "/music/three.wav", tags=Tags(title="Three"))
        for name, order in (("Set", [3, 1, 3]), ("Empty", [])):
            number = await playlists.create(connection, name)
            await playlists.append(connection, number, order)
        await connection.execute("""UPDATE playlists SET folders = '["House"]' WHERE id = 1""")


# ---------------------------------------------------------------------- other programs


@in_asyncio
async def test_rows_become_records_with_the_grid_in_force(shop: Shop) -> None:
    await fill(shop)
    done = await shop.export_to([])
    assert shop.written is not None
    found = {track.title: track for track in shop.written.tracks}
    one = found["One"]
    assert (one.location, one.musical_key, one.bpm, one.rating, one.color, one.play_count) == (
        *("/music/one.mp3", "B minor", 124.0, 4, "#e62828", 1),
    )
    assert one.grid is not None
    assert one.grid.anchors == (Anchor(4800.0, 0.0),)
    assert [(cue.slot, cue.position_s, cue.end_s) for cue in one.cues] == [
        *((1, 1.5, None), (5, 2.0, None), (2, 60.0, 64.0)),
    ]
    assert found["Two"].location == ""
    assert shop.written.playlists == (
        List("Set", ("House",), (found["Three"].key, one.key, found["Three"].key)),
    )
    assert done["counts"] == {"tracks": 3, "playlists": 1, "grids": 1, "cues": 2, "loops": 1}


@in_asyncio
async def test_a_query_takes_its_tracks_and_what_playlists_have_of_them(shop: Shop) -> None:
    await fill(shop)
    await shop.export_to([], words="title:One")
    assert shop.written is not None
    assert [track.title for track in shop.written.tracks] == ["One"]
    assert [each.keys for each in shop.written.playlists] == [("1",)]


@in_asyncio
async def test_a_playlist_keeps_its_order_and_what_is_in_it_twice(
    shop: Shop, tmp_path: Path
) -> None:
    await fill(shop)
    done = await shop.export(tmp_path / "set.m3u8", "m3u", playlist="set")
    lines = (tmp_path / "set.m3u8").read_text().splitlines()
    assert [line for line in lines if line.startswith("/")] == [
        *("/music/three.wav", "/music/one.mp3", "/music/three.wav"),
    ]
    assert done["lost"] == 0


@in_asyncio
async def test_positions_are_moved_to_the_other_programs_count_and_back(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.mp3"
    file.write_bytes(b"x")
    monkeypatch.setattr(
        "sfa_engine.backstage.exchange.shifts.shift_of", lambda *_: Shift("D", 0.05)
    )
    grid = Grid((Anchor(0.5 * GRID_RATE, 0.0),), 120.0)
    record = Record("1", str(file), title="A", grid=grid, cues=(Cue(1.0, slot=1),))
    done = await shop.read(Collection((record,)), mp3_shift="auto")
    assert done["shifts"] == {"D -50.0 ms": 1}
    async with shop.database.reading() as connection:
        (cue,) = await cues.cues_of(connection, 1)
        here = await grids.grid_of(connection, 1)
    assert here is not None
    assert (cue.position_s, here.grid.anchors[0].frame) == (
        *(pytest.approx(0.95), pytest.approx(0.45 * GRID_RATE)),
    )
    done = await shop.export_to([], mp3_shift="auto")
    assert done["shifts"] == {"D +50.0 ms": 1}
    assert shop.written is not None
    (there,) = shop.written.tracks
    assert there.cues[0].position_s == pytest.approx(1.0)
    done = await shop.export_to([], mp3_shift="-26", replace=True)
    assert shop.written.tracks[0].cues[0].position_s == pytest.approx(0.924)
    done = await shop.export_to([], mp3_shift="none", replace=True)
    assert shop.written.tracks[0].cues[0].position_s == pytest.approx(0.95)
    file.unlink()
    done = await shop.export_to([], mp3_shift="auto", replace=True)
    assert [group["what"] for group in done["groups"]] == ["MP3 shift"]


@in_asyncio
async def test_what_a_writer_loses_is_reported_and_a_lost_track_is_not_counted(shop: Shop) -> None:
    await fill(shop)
    done = await shop.export_to(
        [Loss("Two", "track", "it has no file"), Loss("One", "hot cue 5", "x")]
    )
    assert done["counts"]["tracks"] == 2
    assert done["lost"] == 2
    with pytest.raises(MediaError, match="nothing could be exported: it has no file"):
        await shop.export_to([Loss("x", "track", "it has no file")] * 3, replace=True)


@in_asyncio
async def test_nothing_is_overwritten_unasked(shop: Shop, tmp_path: Path) -> None:
    await fill(shop)
    there = tmp_path / "collection.nml"
    there.write_text("mine")
    for path, form, match in (
        (there, "m3u", "exists"),
        (tmp_path, "m3u", "is a folder"),
        (there, "serato", "is a file"),
        (tmp_path / "no" / "x.m3u8", "m3u", "not a folder"),
        (Path("x.m3u8"), "m3u", "not an absolute path"),
        (tmp_path / "x", "mixxx", "only read"),
    ):
        with pytest.raises((Refused, MediaError), match=match) as refused:
            await shop.export(path, form)
        assert refused.value.hint
    assert there.read_text() == "mine"
    await shop.export(there, "m3u", replace=True)
    assert there.read_text().startswith("#EXTM3U")


@in_asyncio
async def test_each_track_has_a_file_of_its_own_and_one_that_fails_stops_no_other(
    shop: Shop, tmp_path: Path
) -> None:
    library = MixLibrary(shop.context)
    first = await library.add(1, title="A/B", artist="")
    await library.prepare(first, length_s=1.0)
    await library.add(2, title="A\\B", artist="")
    done = await shop.export(tmp_path / "stems", "zip")
    assert done["counts"]["tracks"] == 1
    assert [(group["what"], group["examples"]) for group in done["groups"]] == [
        ("track", ["A\\B"]),
    ]
    assert [path.name for path in (tmp_path / "stems").iterdir()] == ["A_B.stems.zip"]
    with zipfile.ZipFile(tmp_path / "stems" / "A_B.stems.zip") as archive:
        assert len(archive.namelist()) == 4
    before = (tmp_path / "stems" / "A_B.stems.zip").read_bytes()
    with pytest.raises(MediaError, match="a file of its name exists"):
        await shop.export(tmp_path / "stems", "zip", words=f"#{first}")
    assert (tmp_path / "stems" / "A_B.stems.zip").read_bytes() == before
    done = await shop.export(tmp_path / "stems", "analysis")
    names = sorted(path.name for path in (tmp_path / "stems").iterdir())
    assert names == ["A_B (2).analysis.json", "A_B.analysis.json", "A_B.stems.zip"]
    one = json.loads((tmp_path / "stems" / "A_B.analysis.json").read_text())
    assert one["bpm"] == 120.0
    assert [each["name"] for each in one["origins"]] == ["bass", "drums", "vocals"]
    await shop.export(tmp_path / "one.analysis.json", "analysis", words=f"#{first}")
    assert (tmp_path / "one.analysis.json").is_file()


# ---------------------------------------------------------------------- our own format


def without_numbers(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Leave out the ids of what a track has: those of deleted cues are not given again."""
    return {
        name: [row[1:] if name == "cues" else row for row in found]
        for name, found in tables.items()
    }


@in_asyncio
async def test_a_library_moves_to_another_machine_with_the_same_rows(
    shop: Shop, other: Shop, tmp_path: Path
) -> None:
    await fill(shop)
    path = tmp_path / "mine.sfa-library.zip"
    done = await shop.export(path, "sfa")
    assert done["counts"] == {"tracks": 3, "playlists": 2}
    done = await other.import_(path, format="")
    assert (done["counts"]["new"], done["counts"]["playlists"], done["lost"]) == (3, 2, 0)
    assert without_numbers(await other.tables()) == without_numbers(await shop.tables())
    before = await other.tables()
    done = await other.import_(path, format="")
    assert await other.tables() == before
    assert (done["counts"]["unchanged"], done["lost"]) == (3, 0)
    before = await shop.tables()
    await shop.import_(path, format="")
    assert await shop.tables() == before


@in_asyncio
async def test_a_track_that_the_other_machine_has_gets_what_it_lacks(
    shop: Shop, other: Shop, tmp_path: Path
) -> None:
    await fill(shop)
    async with other.database.transaction() as connection:
        mine, _ = await tracks.add(
            connection, "/x/one.mp3", content_hash="sound:9:a", tags=Tags(title="One")
        )
        await cues.add(connection, mine.id, Cue(9.0, slot=1))
    path = tmp_path / "mine.sfa-library.zip"
    await shop.export(path, "sfa")
    done = await other.import_(path, format="", maps=["/music=/srv/music"])
    assert (done["counts"]["new"], done["counts"]["updated"]) == (2, 1)
    assert [group["what"] for group in done["groups"]] == ["hot cue"]
    async with other.database.reading() as connection:
        found = {cue.slot: cue.position_s for cue in await cues.cues_of(connection, mine.id)}
        three = (await tracks.at_source(connection, "/srv/music/three.wav"))[0]
    assert found == {1: 9.0, 2: 60.0}
    assert three.source_path == "/srv/music/three.wav"
    before = await other.tables()
    await other.import_(path, format="", maps=["/music=/srv/music"])
    assert await other.tables() == before


@in_asyncio
async def test_a_bundle_that_was_copied_too_is_used(
    shop: Shop, other: Shop, tmp_path: Path
) -> None:
    library = MixLibrary(shop.context)
    await library.prepare(await library.add(1), length_s=1.0)
    await library.prepare(await library.add(2), length_s=1.0)
    for number in (1, 2):
        await shop.context.update_manifest(number)
    await shop.export(tmp_path / "a.sfa-library.zip", "sfa")
    name = (await shop.one("SELECT bundle FROM tracks WHERE id = 1"))["bundle"]
    here, there = shop.context.places.bundles, other.context.places.bundles
    there.mkdir(parents=True, exist_ok=True)
    (here / name).rename(there / name)
    done = await other.import_(tmp_path / "a.sfa-library.zip", format="")
    assert done["counts"]["new"] == 2
    found = await other.database.fetch("SELECT bundle, state FROM tracks ORDER BY id")
    state = (await shop.one("SELECT state FROM tracks WHERE id = 1"))["state"]
    assert [tuple(each) for each in found] == [(name, state), (None, "added")]
    stems = await other.database.fetch("SELECT DISTINCT track_id FROM stems")
    assert [tuple(each) for each in stems] == [(1,)]


LINE = {"track": {"uuid": "u", "title": "A", "added_at": 1.0, "changed_at": 1.0}}
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    where=st.sampled_from(
        ["track", "sources", "cues", "grids", "playlist", "entries", "followed", "line", "uuid"]
    ),
    value=VALUES,
)
def test_no_line_breaks_an_import(shop, runner, tmp_path_factory, where, value) -> None:  # noqa: F811
    line: Any = dict(LINE)
    if where == "line":
        line = value
    elif where == "uuid":
        line = {"track": {**LINE["track"], "uuid": value, "title": value}}
    elif where in {"entries", "followed"}:
        line = {"playlist": {"name": "x", "changed_at": 1.0}, where: value}
    else:
        line[where] = [value] if where in {"sources", "cues", "grids"} else value
    path = tmp_path_factory.getbasetemp() / "odd.zip"
    head = {"format": "sfa-library", "version": 1}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, "\n".join(json.dumps(each) for each in (head, LINE, line)))

    async def check() -> None:
        try:
            await shop.import_(path, format="sfa")
        except (MediaError, Refused) as error:
            assert error.hint  # noqa: PT017 - both ways are right

    runner.run(check())


@pytest.mark.parametrize("how", ["empty", "text", "cut", "newer", "other"])
@in_asyncio
async def test_what_is_not_ours_or_damaged_is_refused(shop: Shop, tmp_path: Path, how: str) -> None:
    await fill(shop)
    path = tmp_path / "a.sfa-library.zip"
    await shop.export(path, "sfa")
    if how in {"newer", "other"}:
        with zipfile.ZipFile(path, "w") as archive:
            version = {"format": "sfa-library", "version": 99} if how == "newer" else {}
            archive.writestr(MEMBER, json.dumps(version))
    else:
        content = path.read_bytes()
        path.write_bytes({"empty": b"", "text": b"x" * 99, "cut": content[:-30]}[how])
    before = await shop.tables()
    with pytest.raises(MediaError) as refused:
        await shop.import_(path, format="sfa")
    assert refused.value.hint
    assert await shop.tables() == before
