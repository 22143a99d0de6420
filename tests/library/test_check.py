"""Drift between rows and files is found both ways, and repaired without losing anything."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from open_library import RATE, in_asyncio, with_bundle

from sfa_engine.errors import Refused
from sfa_engine.library import check as checking
from sfa_engine.library.analysis import StemOrigin, set_stems, stems_of
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.library.check import Page, check, check_page
from sfa_engine.library.content import keep_cover
from sfa_engine.library.database import change
from sfa_engine.library.manifest import update
from sfa_engine.library.search import count
from sfa_engine.library.tags import Cover, Tags
from sfa_engine.library.tracks import add, by_bundle, edit, get, set_bundle, set_cover, set_state
from sfa_engine.library.trash import path_in_trash, remove
from sfa_engine.track.media import read_bundle


async def added(database, places, title="a"):
    async with database.transaction() as connection:
        track, _ = await add(connection, f"/m/{title}", tags=Tags(title=title))
    folder = await with_bundle(database, places, track.id)
    await update(database, places, track.id)
    return track, folder


async def drifts(database, places, **options):
    findings = await check(database, places, **options)
    assert all(finding.message for finding in findings)
    return [finding.drift for finding in findings]


async def repaired(database, places, drift, **options):
    """Assert that this is all that is wrong, that it is repaired, and that nothing is left."""
    assert await drifts(database, places, **options) == [drift]
    (finding,) = await check(database, places, repair=True, **options)
    assert (finding.drift, finding.repaired) == (drift, True)
    assert await drifts(database, places, **options) == []


@in_asyncio
async def test_a_library_that_is_as_it_should_be_has_no_findings(database, places):
    await added(database, places)
    track, _ = await added(database, places, "b")
    await remove(database, places, track.id)
    assert await check(database, places, deep=True, repair=True) == []


@in_asyncio
async def test_a_bundle_that_was_not_followed_is_written_anew(database, places):
    track, folder = await added(database, places)
    async with database.transaction() as connection:
        await edit(connection, track.id, title="New")
    await repaired(database, places, "stale")
    assert read_bundle(folder).track.title == "New"


async def in_stems(database, places):
    """Add a track whose bundle has four stems, as a separation makes it."""
    track, folder = await added(database, places)
    parts = ("vocals", "drums", "bass", "other")
    whole = folder.with_name("whole")
    folder.rename(whole)
    write_bundle_arrays(
        folder,
        {name: np.full((RATE, 2), 0.1, np.float32) for name in parts},
        title="a",
        artist="",
        bpm=None,
        rate=RATE,
    )
    async with database.transaction() as connection:
        await set_stems(connection, track.id, [StemOrigin(name, "demucs") for name in parts])
    await update(database, places, track.id)
    return track, folder, whole


@in_asyncio
async def test_stems_that_are_not_there_any_more_are_told_and_wanted_again(database, places):
    track, folder, whole = await in_stems(database, places)
    assert await drifts(database, places) == []
    shutil.rmtree(folder)
    whole.rename(folder)
    (finding, *_) = await check(database, places)
    assert (finding.drift, finding.track_id) == ("other-stems", track.id)
    assert finding.message == (
        'bundle "a.sfa" has no stems, the library has bass, drums, other, vocals'
    )
    await check(database, places, repair=True)
    assert await drifts(database, places) == []
    async with database.reading() as connection:
        assert await count(connection, "stems:yes") == 0
        assert await stems_of(connection, track.id) == []


@in_asyncio
async def test_stems_that_the_rows_do_not_know_get_rows(database, places):
    track, _, whole = await in_stems(database, places)
    shutil.rmtree(whole)
    async with database.transaction() as connection:
        await set_stems(connection, track.id, [StemOrigin("drums", "demucs")])
    await repaired(database, places, "other-stems")
    async with database.reading() as connection:
        engines = {stem.name: stem.engine for stem in await stems_of(connection, track.id)}
    assert engines == {"bass": "given", "drums": "demucs", "other": "given", "vocals": "given"}


@in_asyncio
async def test_a_library_made_again_from_its_bundles_knows_their_stems(database, places):
    _, folder, whole = await in_stems(database, places)
    shutil.rmtree(whole)
    async with database.transaction() as connection:
        await change(connection, "DELETE FROM tracks")
    await repaired(database, places, "unknown-bundle")
    async with database.reading() as connection:
        found = await by_bundle(connection, folder.name)
    assert set(found.stems) == {"vocals", "drums", "bass", "other"}


@in_asyncio
async def test_a_row_without_its_bundle_is_one_to_prepare_again(database, places):
    track, folder = await added(database, places)
    shutil.rmtree(folder)
    (finding,) = await check(database, places, repair=True)
    assert (finding.drift, finding.track_id, finding.repaired) == ("no-bundle", track.id, False)
    assert finding.hint == "cannot be repaired: prepare it again"
    async with database.reading() as connection:
        track = await get(connection, track.id)
    assert track.state == "failed"
    assert "is missing" in track.problem
    assert await check(database, places, repair=True) == [finding]


@in_asyncio
async def test_a_missing_stem_is_told_each_time_until_it_is_back(database, places):
    track, folder, whole = await in_stems(database, places)
    shutil.rmtree(whole)
    async with database.transaction() as connection:
        await set_state(connection, track.id, "ready")
    stem = (folder / "bass.wav").rename(folder.with_name("bass.wav"))
    for _ in range(2):
        (finding,) = await check(database, places, repair=True)
        assert (finding.drift, finding.track_id, finding.repaired) == ("damaged", track.id, False)
        assert finding.hint == "cannot be repaired: prepare it again"
        async with database.reading() as connection:
            assert (await get(connection, track.id)).state == "failed"
            assert await count(connection, "state:failed") == 1
    stem.rename(folder / "bass.wav")
    await repaired(database, places, "found-again")
    async with database.reading() as connection:
        found = await get(connection, track.id)
    assert (found.state, found.problem) == ("ready", "")


@in_asyncio
async def test_why_a_preparation_failed_is_not_replaced_by_what_a_check_found(database, places):
    track, folder = await added(database, places)
    async with database.transaction() as connection:
        await set_state(connection, track.id, "failed", "separate: no model")
    shutil.rmtree(folder)
    (finding,) = await check(database, places, repair=True)
    assert finding.drift == "no-bundle"
    async with database.reading() as connection:
        assert (await get(connection, track.id)).problem == "separate: no model"


@in_asyncio
async def test_a_repair_without_effect_is_none(database, places, monkeypatch):
    async def nothing(*_given):
        """Write nothing, as a disk does that says yes to everything."""

    track, _ = await added(database, places)
    async with database.transaction() as connection:
        await edit(connection, track.id, title="New")
    monkeypatch.setattr(checking.manifest, "update", nothing)
    (finding,) = await check(database, places, repair=True)
    assert (finding.drift, finding.repaired) == ("stale", False)
    assert finding.hint == "the repair failed"


@in_asyncio
async def test_what_cannot_be_deleted_is_not_repaired_and_the_rest_goes_on(database, places):
    places.covers.mkdir(parents=True)
    places.backups.mkdir(parents=True)
    (places.backups / "a.part").mkdir()
    (places.covers / f"{'0' * 64}.png").mkdir()
    found = await check(database, places, repair=True)
    assert all(not finding.repaired for finding in found)
    assert "leftover" in {finding.drift for finding in found}


@in_asyncio
async def test_a_bundle_without_a_row_gets_one(database, places):
    track, folder = await added(database, places)
    async with database.transaction() as connection:
        await change(connection, "DELETE FROM tracks")
    await repaired(database, places, "unknown-bundle")
    async with database.reading() as connection:
        found = await by_bundle(connection, folder.name)
    assert (found.title, found.uuid, found.state) == ("a", track.uuid, "ready")


@in_asyncio
async def test_a_bundle_that_was_renamed_is_still_its_tracks(database, places):
    track, folder = await added(database, places)
    folder.rename(places.bundles / "renamed.sfa")
    assert await drifts(database, places) == ["unknown-bundle", "no-bundle"]
    (finding,) = await check(database, places, repair=True)
    assert finding.repaired
    assert 'that of "a", renamed' in finding.message
    async with database.reading() as connection:
        found = await by_bundle(connection, "renamed.sfa")
        assert await count(connection, "") == 1
    assert (found.id, found.uuid, found.state) == (track.id, track.uuid, "ready")
    assert await check(database, places) == []


@in_asyncio
async def test_a_copied_bundle_becomes_a_track_of_its_own(database, places):
    track, folder = await added(database, places)
    shutil.copytree(folder, places.bundles / "copy.sfa")
    await repaired(database, places, "unknown-bundle")
    async with database.reading() as connection:
        copy = await by_bundle(connection, "copy.sfa")
    assert copy.uuid != track.uuid


@in_asyncio
async def test_sound_that_changed_is_found_when_asked(database, places):
    track, folder = await added(database, places)
    with (folder / "mix.wav").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x55\xaa")
    assert await drifts(database, places) == []
    (finding,) = await check(database, places, deep=True, repair=True)
    assert (finding.drift, finding.track_id) == ("damaged", track.id)
    async with database.reading() as connection:
        assert (await get(connection, track.id)).state == "failed"


@pytest.mark.parametrize("damage", [b"{", b"", None])
@in_asyncio
async def test_a_bundle_that_cannot_be_read_is_found(database, places, damage):
    _, folder = await added(database, places)
    if damage is None:
        os.truncate(folder / "mix.wav", 100)
    else:
        (folder / "track.json").write_bytes(damage)
    assert await drifts(database, places, repair=True) == ["damaged"]


@in_asyncio
async def test_an_unreadable_bundle_without_a_row_stays_and_is_told(database, places):
    (places.bundles / "odd.sfa").mkdir(parents=True)
    (finding,) = await check(database, places, repair=True)
    assert (finding.drift, finding.repaired) == ("unknown-bundle", False)
    assert (places.bundles / "odd.sfa").exists()


@in_asyncio
async def test_a_removal_that_was_cut_off_is_finished(database, places):
    track, folder = await added(database, places)
    async with database.transaction() as connection:
        await change(connection, "UPDATE tracks SET deleted_at = 1.0")
    await repaired(database, places, "misplaced")
    assert not folder.exists()
    assert read_bundle(path_in_trash(places, track))


@in_asyncio
async def test_what_nobody_removed_comes_back_from_the_trash(database, places):
    track, folder = await added(database, places)
    await remove(database, places, track.id)
    async with database.transaction() as connection:
        await change(connection, "UPDATE tracks SET deleted_at = NULL")
    findings = await check(database, places)
    assert [finding.drift for finding in findings] == ["unknown-trash", "no-bundle"]
    await check(database, places, repair=True)
    assert read_bundle(folder)
    assert await drifts(database, places) == []


@in_asyncio
async def test_a_name_that_is_used_in_the_trash_too_is_told(database, places):
    track, folder = await added(database, places)
    await remove(database, places, track.id)
    shutil.copytree(path_in_trash(places, track), folder)
    (finding,) = await check(database, places, repair=True)
    assert (finding.drift, finding.repaired) == ("unknown-bundle", False)
    assert "rename it" in finding.message


@in_asyncio
async def test_leftovers_of_killed_writers_are_cleared_away(database, places):
    _, folder = await added(database, places)
    dead = "00000000-1-0"
    (places.bundles / f".sfa-part-{dead}-x.sfa").mkdir()
    (folder / f".sfa-part-{dead}-track.json").touch()
    places.covers.mkdir()
    (places.covers / f".sfa-part-{dead}-x.jpg").touch()
    places.backups.mkdir()
    (places.backups / "x.db.part").touch()
    findings = await check(database, places, repair=True)
    assert [(finding.drift, finding.repaired) for finding in findings] == [("leftover", True)] * 4
    assert await drifts(database, places) == []


@in_asyncio
async def test_covers_without_tracks_and_tracks_without_covers_are_found(database, places):
    track, _ = await added(database, places)
    (places.covers).mkdir()
    (places.covers / "mine.txt").touch()
    name = keep_cover(places.covers, Cover(b"\x89PNG", "png"))
    await repaired(database, places, "unknown-cover")
    async with database.transaction() as connection:
        await set_cover(connection, track.id, name)
    await repaired(database, places, "no-cover")
    assert (places.covers / "mine.txt").exists()


@in_asyncio
async def test_a_library_whose_folders_are_not_there_yet_is_well(database, places):
    assert await check(database, places, deep=True) == []


def test_every_drift_is_explained():
    words = json.dumps(checking.__doc__)
    for drift in checking.Drift.__args__:
        assert f"\\n{drift} " in words, drift


@in_asyncio
async def test_bundles_on_a_disk_that_was_away_are_ready_when_it_is_back(database, places):
    track, _ = await added(database, places)
    failed, _ = await added(database, places, "b")
    async with database.transaction() as connection:
        await set_state(connection, failed.id, "failed", "separate: no model")
    away = places.bundles.with_name("away")
    places.bundles.rename(away)
    for _ in range(2):
        found = await check(database, places, repair=True)
        assert [(each.drift, each.repaired) for each in found] == [("no-bundle", False)] * 2
    away.rename(places.bundles)
    await repaired(database, places, "found-again")
    async with database.reading() as connection:
        states = [(await get(connection, each.id)).state for each in (track, failed)]
    assert states == ["ready", "failed"]


@in_asyncio
@pytest.mark.usefixtures("ticks")
async def test_a_large_library_is_checked_a_part_at_a_time(database, places):
    folders = [(await added(database, places, title))[1] for title in "abcd"]
    removed, _ = await added(database, places, "e")
    await remove(database, places, removed.id)
    for lost in folders[1], folders[3]:
        shutil.rmtree(lost)
    shutil.copytree(folders[0], places.bundles / "copy.sfa")
    parts = [await check_page(database, places)]
    while parts[-1].after:
        parts.append(await check_page(database, places, parts[-1].after, repair=True))
    assert len(parts) > 5
    assert [part.share for part in parts] == sorted(part.share for part in parts)
    assert (parts[-1].share, parts[-1].after) == (1.0, "")
    found = [finding.drift for part in parts for finding in part.findings]
    assert found == ["unknown-bundle", "no-bundle", "no-bundle"]
    assert await drifts(database, places) == ["no-bundle", "no-bundle"]


@in_asyncio
@pytest.mark.parametrize("after", ["row:", "row:x", "row:-1", "rows:1", "x", ":", "ro"])
async def test_what_no_part_ends_with_is_refused(database, places, after):
    with pytest.raises(Refused, match="invalid cursor"):
        await check_page(database, places, after)


@in_asyncio
async def test_a_check_goes_on_after_what_was_repaired_away(database, places):
    track, _ = await added(database, places)
    for after in ("row:0", "bundle:nothing", "trash:", "leftovers:zzz"):
        assert await check_page(database, places, after) == Page((), 1.0, "")
    assert await check_page(database, places, f"row:{10**40}") == Page((), 1.0, "")
    assert track


@in_asyncio
async def test_a_track_that_goes_away_meanwhile_has_no_findings(database, places, monkeypatch):
    await added(database, places)
    gone, folder = await added(database, places, "b")
    steps = checking._steps

    def and_gone(*given):
        there = steps(*given)
        with closing(sqlite3.connect(database.path)) as other:
            other.execute("DELETE FROM tracks WHERE id = ?", (gone.id,))
            other.commit()
        shutil.rmtree(folder)
        return there

    monkeypatch.setattr(checking, "_steps", and_gone)
    assert (await check_page(database, places, repair=True)).findings == ()


@in_asyncio
async def test_names_that_are_no_utf_8_are_told_and_the_rest_goes_on(database, places, monkeypatch):
    monkeypatch.setattr(checking, "PAGE_S", 0.0)
    await added(database, places)
    _, other = await added(database, places, "b")
    for folder in (places.bundles, places.trash):
        folder.mkdir(exist_ok=True)
        (folder / "caf\udce9.sfa").mkdir()
    shutil.rmtree(other)
    findings = await check(database, places, repair=True)
    assert [(each.drift, each.repaired) for each in findings] == [
        ("unknown-trash", False), ("unknown-bundle", False), ("no-bundle", False),
    ]  # fmt: skip
    assert findings[0].message == '"caf\\udce9.sfa": the name is not UTF-8; rename it'


@pytest.fixture
def ticks(monkeypatch):
    """Let a second pass whenever a check looks at the clock; return where it is."""
    clock = SimpleNamespace(now_s=0)

    def monotonic():
        clock.now_s += 1
        return clock.now_s

    monkeypatch.setattr(checking, "time", SimpleNamespace(monotonic=monotonic))
    return clock


@in_asyncio
async def test_a_part_is_as_long_as_looking_what_there_is_at_least(
    database, places, ticks, monkeypatch
):
    for title in "abcdefgh":
        await added(database, places, title)
    quick = await check_page(database, places)
    steps = checking._steps

    def slowly(*given):
        ticks.now_s += 10
        return steps(*given)

    monkeypatch.setattr(checking, "_steps", slowly)
    slow = await check_page(database, places)
    assert (quick.share, slow.share) == (2 / 26, 12 / 26)


@in_asyncio
async def test_only_what_was_ready_is_ready_again(database, places):
    track, folder = await added(database, places)
    async with database.transaction() as connection:
        await set_state(connection, track.id, "preparing")
    aside = folder.rename(folder.with_name("away"))
    await check(database, places, repair=True)
    aside.rename(folder)
    assert await check(database, places, repair=True) == []
    async with database.reading() as connection:
        assert (await get(connection, track.id)).state == "failed"


@in_asyncio
async def test_a_track_that_goes_away_while_it_is_repaired_has_no_findings(
    database, places, monkeypatch
):
    gone, folder = await added(database, places)
    shutil.rmtree(folder)
    failed = checking._Check._failed

    async def gone_meanwhile(*given):
        with closing(sqlite3.connect(database.path)) as other:
            other.execute("DELETE FROM tracks WHERE id = ?", (gone.id,))
            other.commit()
        return await failed(*given)

    monkeypatch.setattr(checking._Check, "_failed", gone_meanwhile)
    assert await check(database, places, repair=True) == []


@in_asyncio
async def test_an_import_that_is_at_work_has_lost_no_bundle(database, places):
    async with database.transaction() as connection:
        track, _ = await add(connection, "/m/a")
        await set_bundle(connection, track.id, "a.sfa")
    assert await check(database, places, repair=True) == []
    async with database.reading() as connection:
        assert (await get(connection, track.id)).state == "added"


@in_asyncio
async def test_any_number_of_names_that_are_no_utf_8_is_told_in_parts(
    database, places, monkeypatch
):
    monkeypatch.setattr(checking, "MAX_FOUND", 2)
    for number in range(8):
        (places.bundles / f"caf\udce9 {number}.sfa").mkdir(parents=True)
    parts = [await check_page(database, places)]
    while parts[-1].after:
        assert parts[-1].after.isprintable()
        parts.append(await check_page(database, places, parts[-1].after))
    assert [len(part.findings) for part in parts] == [3, 3, 2]
    assert len({finding.path for part in parts for finding in part.findings}) == 8
