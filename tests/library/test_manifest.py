"""A bundle says what the rows say, and the rows can be made again from the bundles."""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys

import pytest
from msgspec.structs import replace
from open_library import RATE, in_asyncio, with_bundle

from sfa_engine.errors import MediaError
from sfa_engine.library.analysis import Analysis, Section, store
from sfa_engine.library.bundle import rewrite_manifest
from sfa_engine.library.cues import Cue, cues_of
from sfa_engine.library.cues import add as add_cue
from sfa_engine.library.database import Database
from sfa_engine.library.grids import grid_of, set_grid, shift
from sfa_engine.library.manifest import import_bundle, update
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, edit, get
from sfa_engine.track import media
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import read_bundle

LIVE = Grid(tuple(Anchor(n * 24_000.0 + 10.5 * (n % 2), float(n)) for n in range(4)), 121.5, 3)


async def prepared(database, places):
    """Return a track with everything, and its bundle."""
    async with database.transaction() as connection:
        track, _ = await add(
            connection, "/m/a.flac", content_hash="ab" * 32,
            tags=Tags("Long Way", "Wren", "Album"),
        )  # fmt: skip
        await add_cue(connection, track.id, Cue(77.0, "outro", 78.0))  # the length is not known yet
    folder = await with_bundle(database, places, track.id)
    async with database.transaction() as connection:
        analysis = Analysis(
            "1", 120.0, key="Am", lufs=-8.0, peak_dbtp=0.0,
            sections=(Section(0.0, 1.0, "intro"), Section(1.0, 9.0, "drop"), Section(9, 10, "x")),
        )  # fmt: skip
        found = [Cue(1.0, "drop", slot=1, label="Drop")]
        await store(connection, track.id, analysis, grid=LIVE, rate=48_000, cues=found)
        loop = Cue(0.5, "loop", 1.5, 2, "Mine", "#ff8800", "vocals")
        await add_cue(connection, track.id, loop)
    return track.id, folder


@in_asyncio
async def test_a_bundle_says_what_the_rows_say(database, places):
    number, folder = await prepared(database, places)
    before = read_bundle(folder).track
    assert await update(database, places, number)
    told = read_bundle(folder).track
    assert (told.title, told.artist, told.album, told.key) == (
        "Long Way", "Wren", "Album", "A minor",
    )  # fmt: skip
    assert told.grid == replace(
        LIVE, anchors=tuple(Anchor(a.frame / 6, a.beat) for a in LIVE.anchors)
    )
    assert (told.grid_by_hand, told.gain_db, told.content_hash) == (False, -6.0, "ab" * 32)
    assert told.cues == (
        media.Cue(RATE // 2, "Mine", "loop", RATE * 3 // 2, 2, "#ff8800", "vocals", by_hand=True),
        media.Cue(RATE, "Drop", "drop", hot_cue=1),
        media.Cue(2 * RATE - 1, "", "outro", 2 * RATE, by_hand=True),
    )
    assert told.sections == (
        media.Section(0, RATE, "intro"),
        media.Section(RATE, 2 * RATE, "drop"),
    )
    assert (told.stems, told.digest, told.frames) == (before.stems, before.digest, before.frames)
    assert not await update(database, places, number)


@in_asyncio
async def test_edits_are_followed(database, places):
    number, folder = await prepared(database, places)
    async with database.transaction() as connection:
        await edit(connection, number, title="New", key="8B")
        await shift(connection, number, 1.0)
    await update(database, places, number)
    told = read_bundle(folder).track
    assert (told.title, told.key, told.grid_by_hand) == ("New", "C major", True)
    assert told.grid.anchors[0].beat == -1.0


@in_asyncio
async def test_many_that_follow_at_once_end_with_the_newest_row(database, places):
    number, folder = await prepared(database, places)

    async def rename(title):
        async with database.transaction() as connection:
            await edit(connection, number, title=title)
        await update(database, places, number)

    await asyncio.gather(*(rename(f"title {n}") for n in range(20)))
    async with database.reading() as connection:
        assert read_bundle(folder).track.title == (await get(connection, number)).title
    assert sorted(entry.name for entry in folder.iterdir()) == ["mix.wav", "track.json"]


@in_asyncio
async def test_a_track_without_a_bundle_is_left_alone(database, places):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x")
    assert not await update(database, places, track.id)


@pytest.mark.parametrize(
    ("lufs", "peak_dbtp", "gain_db"),
    [(-8.0, 0.0, -6.0), (-20.0, -9.0, 6.0), (-20.0, -3.0, 2.0), (-20.0, 0.0, 0.0),
     (-70.0, -50.0, 12.0), (float("-inf"), -90.0, 0.0), (None, None, 0.0)],
)  # fmt: skip
@in_asyncio
async def test_a_gain_brings_the_loudness_and_lifts_no_peak(
    database, places, lufs, peak_dbtp, gain_db
):
    async with database.transaction() as connection:
        track, _ = await add(connection, "x", tags=Tags(title="x"))
        await store(connection, track.id, Analysis("1", lufs=lufs, peak_dbtp=peak_dbtp))
    folder = await with_bundle(database, places, track.id)
    await update(database, places, track.id)
    assert read_bundle(folder).track.gain_db == gain_db


@in_asyncio
async def test_a_lost_database_is_made_again_from_its_bundles(database, places):
    number, folder = await prepared(database, places)
    async with database.transaction() as connection:
        await set_grid(connection, number, LIVE, 48_000, by_hand=True)
        await edit(connection, number, rating=4, comment="peak time", color="red")
    await update(database, places, number)
    told = read_bundle(folder).track
    async with await Database.open(places.folder / "new.db") as new:
        async with new.transaction() as connection:
            track = await import_bundle(connection, read_bundle(folder))
            grid = await grid_of(connection, track.id)
            cues = await cues_of(connection, track.id)
        assert track.uuid == told.uuid
        assert (track.rating, track.comment, track.color) == (4, "peak time", "#e62828")
        assert (track.name, track.key, track.content_hash) == (
            "Wren - Long Way", "A minor", "ab" * 32,
        )  # fmt: skip
        assert (grid.by_hand, grid.rate, grid.grid) == (True, RATE, told.grid)
        assert [cue.by_hand for cue in cues] == [True, False, True]
        await update(new, places, track.id)
        assert read_bundle(folder).track == told


@in_asyncio
async def test_names_of_an_adopted_bundle_are_one_line(database, places):
    _, folder = await prepared(database, places)
    bundle = read_bundle(folder)
    odd = replace(bundle.track, title="Long\nWay", artist="\x1bWren", album="An\talbum\r")
    async with await Database.open(places.folder / "new.db") as new, new.transaction() as lent:
        track = await import_bundle(lent, dataclasses.replace(bundle, track=odd))
    assert (track.title, track.artist, track.album) == ("Long Way", "Wren", "An album")


# ---------------------------------------------------------------- rewrite_manifest


@in_asyncio
async def test_a_description_of_another_sound_is_refused(database, places):
    number, folder = await prepared(database, places)
    told = read_bundle(folder).track
    before = (folder / "track.json").read_bytes()
    with pytest.raises(MediaError, match="another digest"):
        rewrite_manifest(folder, replace(told, digest="0" * 64))
    assert (folder / "track.json").read_bytes() == before
    assert not rewrite_manifest(folder, told)
    assert number


def test_a_description_of_the_first_version_is_read():
    stem = {"name": "mix", "file": "mix.wav", "frames": 9}
    cue = {"position_frames": 1, "label": "x", "kind": "drop"}
    old = {"version": 1, "title": "T", "artist": "A", "rate": RATE, "frames": 9, "pcm": "s16"}
    old |= {"stems": [stem], "digest": "0" * 64, "cues": [cue], "grid": None, "key": None}
    track = media.parse_track(json.dumps(old).encode())
    assert track.cues == (media.Cue(1, "x", "drop"),)
    assert (track.sections, track.album, track.uuid) == ((), "", "")


@pytest.mark.parametrize(
    ("cue", "words"),
    [
        ({"hot_cue": 33}, "hot_cue"),
        ({"color": "red"}, 'color of cue "x" is "red"'),
        ({"stem": "drum"}, 'did you mean "drums"'),
        ({"end_frames": 1}, "end of loop"),
        ({"end_frames": 10}, "end of loop"),
    ],
)
def test_a_cue_that_cannot_be_is_refused_with_its_value(cue, words):
    stem = {"name": "mix", "file": "mix.wav", "frames": 9}
    track = {"version": 2, "title": "T", "artist": "A", "rate": RATE, "frames": 9, "pcm": "s16"}
    track |= {"stems": [stem], "digest": "0" * 64}
    track["cues"] = [{"position_frames": 1, "label": "x", "kind": "drop"} | cue]
    with pytest.raises(MediaError) as caught:
        media.parse_track(json.dumps(track).encode())
    assert words in str(caught.value)


REWRITE = """
import itertools, sys
from msgspec.structs import replace
from sfa_engine.track.media import Cue, read_bundle
from sfa_engine.library.bundle import rewrite_manifest

track = read_bundle(sys.argv[1]).track
for number in itertools.count():
    cues = tuple(Cue(n, f"{number} " * 20, "cue") for n in range(200))
    rewrite_manifest(sys.argv[1], replace(track, title=str(number), cues=cues))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_writer_killed_midway_leaves_one_whole_description(runner, database, places):
    _, folder = runner.run(prepared(database, places))
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", REWRITE, folder], stdout=subprocess.PIPE, text=True
        )
        last = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        last = int((process.stdout.read().split() or [last])[-1])
        process.stdout.close()
        process.wait()
        told = read_bundle(folder).track
        assert int(told.title) in {last, last + 1}
        assert {cue.label.split()[0] for cue in told.cues} == {told.title}
    rewrite_manifest(folder, replace(told, title="whole"))
    assert sorted(entry.name for entry in folder.iterdir()) == ["mix.wav", "track.json"]
