"""Whose a bundle is, told to a program that does not have the library open."""

from dataclasses import replace

import pytest
from open_library import in_asyncio, with_bundle

from sfa_engine.errors import LibraryError
from sfa_engine.library.owner import owner_of
from sfa_engine.library.tracks import add
from sfa_engine.library.trash import remove


@in_asyncio
async def test_a_bundle_belongs_to_its_track_while_others_write_and_when_it_is_removed(
    database, places
):
    async with database.transaction() as connection:
        track, _ = await add(connection, "/m/a.mp3", content_hash="ab" * 32)
    bundle = await with_bundle(database, places, track.id)
    async with database.transaction():
        assert owner_of(places, bundle) == track.id
    await remove(database, places, track.id)
    assert not bundle.exists()
    assert owner_of(places, bundle) == track.id


@in_asyncio
async def test_what_lies_elsewhere_or_has_another_name_is_nobodys(database, places, tmp_path):
    async with database.transaction() as connection:
        track, _ = await add(connection, "/m/a.mp3", content_hash="ab" * 32)
    bundle = await with_bundle(database, places, track.id)
    assert owner_of(places, tmp_path / bundle.name) is None
    assert owner_of(places, bundle.with_name("other.sfa")) is None
    assert owner_of(replace(places, folder=tmp_path / "none"), bundle) is None


def test_a_damaged_library_says_so(places):
    places.folder.mkdir()
    places.database.write_bytes(b"no database" * 1000)
    with pytest.raises(LibraryError, match="damaged; restore"):
        owner_of(places, places.bundles / "a.sfa")
