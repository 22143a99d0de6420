"""A track's cover is kept in its bundle, and comes back from there."""

import random
import shutil

import pytest
from open_library import in_asyncio, with_bundle

from sfa_engine.library import manifest
from sfa_engine.library.check import check
from sfa_engine.library.content import bundle_cover, keep_cover
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places
from sfa_engine.library.tags import MAX_COVER_BYTES, Cover, Tags, cover_of
from sfa_engine.library.tracks import add, get, set_cover

JPEG = b"\xff\xd8\xff\xe0 a picture"
PNG = b"\x89PNG another"


async def track_with_cover(database, places, content=JPEG):
    async with database.transaction() as connection:
        track, _ = await add(connection, "/m/a", tags=Tags(title="Halcyon"))
    folder = await with_bundle(database, places, track.id)
    name = keep_cover(places.covers, cover_of(content))
    async with database.transaction() as connection:
        await set_cover(connection, track.id, name)
    await manifest.update(database, places, track.id)
    return track.id, folder


@in_asyncio
async def test_the_bundle_has_the_cover_once_the_manifest_is_written(database, places):
    number, folder = await track_with_cover(database, places)
    assert bundle_cover(folder) == (folder / "cover.jpg", Cover(JPEG, "jpg"))
    assert not await manifest.update(database, places, number)
    async with database.transaction() as connection:
        await set_cover(connection, number, keep_cover(places.covers, cover_of(PNG)))
    assert await manifest.update(database, places, number)
    assert [path.name for path in folder.glob("cover.*")] == ["cover.png"]


@in_asyncio
async def test_a_lost_cover_comes_back_from_the_bundle(database, places):
    number, folder = await track_with_cover(database, places)
    (places.covers / (await cover_name(database, number))).unlink()
    (finding,) = await check(database, places, repair=True)
    assert (finding.drift, finding.repaired) == ("no-cover", True)
    assert (places.covers / (await cover_name(database, number))).read_bytes() == JPEG
    (folder / "cover.jpg").unlink()
    (places.covers / (await cover_name(database, number))).unlink()
    await check(database, places, repair=True)
    assert await cover_name(database, number) is None


@in_asyncio
async def test_a_lost_database_gets_the_covers_of_its_bundles(database, places, tmp_path):
    _, folder = await track_with_cover(database, places)
    other = Places(tmp_path / "other", tmp_path / "other tracks")
    shutil.copytree(folder, other.bundles / folder.name)
    async with await Database.open(other.database) as empty:
        await check(empty, other, repair=True)
        assert (other.covers / (await cover_name(empty, 1))).read_bytes() == JPEG
        assert await check(empty, other) == []


async def cover_name(database, number):
    async with database.reading() as connection:
        return (await get(connection, number)).cover


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (JPEG, "jpg"),
        (PNG, "png"),
        (b"GIF89a", "gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"<html>", None),
        (b"", None),
        (b"\xff\xd8\xff" + bytes(MAX_COVER_BYTES), None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(content, kind):
    cover = cover_of(content)
    assert (cover and cover.kind) == kind


def test_no_bytes_are_too_odd_to_be_looked_at(tmp_path):
    rng = random.Random(1)
    for _ in range(300):
        content = rng.choice([b"", b"RIFF", b"\xff\xd8\xff", b"\x89PNG"]) + rng.randbytes(12)
        cover = cover_of(content)
        assert cover is None or cover.content == content
        (tmp_path / "cover.jpg").write_bytes(content)
        there = bundle_cover(tmp_path)
        assert there is None or there[1].content == content
