"""Backups: proved before they have their name, not too many, and there when they are needed."""

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from open_library import in_asyncio

from sfa_engine.errors import LibraryError
from sfa_engine.library.backup import back_up, backups, newest, restore, rotate
from sfa_engine.library.check import check
from sfa_engine.library.database import Database, insert

ADD = "INSERT INTO tracks (uuid, title, added_at, changed_at) VALUES (?, ?, 0, 0)"


async def add(database, title):
    async with database.transaction() as connection:
        await insert(connection, ADD, (title, title))


async def titles(database):
    return [found["title"] for found in await database.fetch("SELECT title FROM tracks")]


def titles_in(path):
    with closing(sqlite3.connect(path)) as connection:
        return [title for (title,) in connection.execute("SELECT title FROM tracks")]


def things_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


@in_asyncio
async def test_a_backup_is_one_file_with_every_committed_row(database, places):
    await add(database, "a")
    async with database.transaction() as connection:
        await insert(connection, ADD, ("b", "b"))
        backup = await database.back_up(places.backups)
    assert titles_in(backup) == ["a"]
    assert things_in(places.backups) == [backup.name]
    assert await titles(database) == ["a", "b"]


@in_asyncio
async def test_what_a_killed_backup_left_is_cleared_away(database, places):
    places.backups.mkdir()
    (places.backups / "library-20200101-000000-000000.db.part").write_bytes(b"half")
    (places.backups / "library-20200101-000000-000000.db.part-journal").touch()
    backup = await database.back_up(places.backups)
    assert things_in(places.backups) == [backup.name]


@pytest.mark.nightly
@in_asyncio
async def test_backups_that_are_written_at_once_leave_each_other_alone(database, places):
    async with database.transaction() as connection:
        for number in range(20_000):
            await insert(connection, ADD, (str(number), f"{number} " * 20))
    first = asyncio.create_task(database.back_up(places.backups))
    while not (list(places.backups.glob("*.part")) or first.done()):  # noqa: ASYNC110 - a file, not an event
        await asyncio.sleep(0.001)
    others = [check(database, places, repair=True), database.back_up(places.backups)]
    await asyncio.gather(first, *others)
    assert things_in(places.backups) == sorted(b.path.name for b in backups(places.backups))
    assert len(backups(places.backups)) == 2
    assert len(titles_in(backups(places.backups)[0].path)) == 20_000


@pytest.mark.slow
@in_asyncio
async def test_a_damaged_library_makes_no_backup_and_costs_none(database, places):
    for number in range(500):
        await add(database, f"{number} " * 20)
    good = await database.back_up(places.backups)
    await database.fetch("PRAGMA wal_checkpoint")
    with places.database.open("r+b") as file:
        file.seek(4096 * 60)
        file.write(os.urandom(4096 * 20))
    with pytest.raises(LibraryError):
        back_up(places.database, places.backups)
    assert things_in(places.backups) == [good.name]


def test_a_week_of_days_and_a_month_of_weeks_are_kept(tmp_path):
    now = datetime(2026, 3, 15, 12, tzinfo=UTC)  # a Sunday
    for hours in range(0, 24 * 60, 6):
        made = now - timedelta(hours=hours)
        (tmp_path / f"library-{made:%Y%m%d-%H%M%S-%f}.db").touch()
    for minutes in range(5):
        made = now - timedelta(minutes=minutes)
        (tmp_path / f"before-version-2-{made:%Y%m%d-%H%M%S-%f}.db").touch()
    (tmp_path / "mine.db").touch()
    rotate(tmp_path)
    kept = [backup.made for backup in backups(tmp_path) if backup.reason == "library"]
    last = [now - timedelta(hours=6 * n) for n in range(10)]
    days = [now - timedelta(days=1) * n for n in range(7)]
    ends = [made.replace(hour=18) for made in days[1:]]
    sundays = [(now - timedelta(days=7 * n)).replace(hour=18) for n in (1, 2, 3)]
    assert kept == sorted({*last, *ends, *sundays}, reverse=True)
    assert sum(backup.reason == "before-version-2" for backup in backups(tmp_path)) == 3
    assert (tmp_path / "mine.db").exists()
    assert rotate(tmp_path) == []


@pytest.mark.slow
@in_asyncio
async def test_a_restored_backup_is_what_was_and_what_is_now_is_kept(places):
    async with await Database.open(places.database) as database:
        await add(database, "old")
        backup = await database.back_up(places.backups)
        await add(database, "new")
    aside = restore(places.database, backup, places.backups)
    async with await Database.open(places.database) as database:
        assert await titles(database) == ["old"]
    assert titles_in(aside) == ["old", "new"]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"nothing that SQLite knows" * 1000, b""])
@in_asyncio
async def test_a_destroyed_library_comes_back_from_its_backup(places, damage):
    async with await Database.open(places.database) as database:
        await add(database, "kept")
        backup = await database.back_up(places.backups)
    places.database.write_bytes(damage)
    restore(places.database, backup, places.backups)
    async with await Database.open(places.database) as database:
        assert await titles(database) == ["kept"]


@in_asyncio
async def test_a_damaged_backup_is_not_restored(places):
    async with await Database.open(places.database) as database:
        await add(database, "kept")
    before = places.database.read_bytes()
    bad = places.folder / "bad.db"
    bad.write_bytes(b"not a database" * 100)
    with pytest.raises(LibraryError):
        restore(places.database, bad, places.backups)
    with pytest.raises(LibraryError, match="no backup"):
        restore(places.database, places.folder / "none.db", places.backups)
    assert places.database.read_bytes() == before


@in_asyncio
async def test_a_second_backup_of_a_day_removes_none(places):
    async with await Database.open(places.database) as database:
        made = [await database.back_up(places.backups) for _ in range(3)]
    assert things_in(places.backups) == sorted(path.name for path in made)


def test_backups_of_a_clock_that_was_ahead_take_no_place_from_others(tmp_path):
    now = datetime.now(UTC)
    for days in range(30):
        for made in (now - timedelta(days=days), now + timedelta(days=365 + days)):
            (tmp_path / f"library-{made:%Y%m%d-%H%M%S-%f}.db").touch()
    rotate(tmp_path)
    kept = [backup.made for backup in backups(tmp_path)]
    assert {now - timedelta(days=days) for days in range(10)} <= set(kept)
    assert 10 <= sum(made > now + timedelta(days=1) for made in kept) <= 14


def test_a_clock_that_is_behind_throws_away_no_more_backups_than_one_that_is_right(tmp_path):
    now = datetime.now(UTC)
    for days in range(60):
        made = now + timedelta(days=3650 - days)
        (tmp_path / f"library-{made:%Y%m%d-%H%M%S-%f}.db").touch()
    rotate(tmp_path)
    made = [backup.made for backup in backups(tmp_path)]
    assert made[:10] == [now + timedelta(days=3650 - days) for days in range(10)]
    assert len({each.isocalendar()[:2] for each in made}) == 4


def test_the_newest_backup_is_none_of_a_later_time_unless_all_are(tmp_path):
    now = datetime.now(UTC)
    past, later, latest = (now - timedelta(days=1), now + timedelta(days=9), now + timedelta(99))
    files = {}
    for made in (latest, later):
        files[made] = tmp_path / f"library-{made:%Y%m%d-%H%M%S-%f}.db"
        files[made].touch()
    os.utime(files[latest], (1.0, 1.0))
    assert newest(backups(tmp_path)).made == later
    (tmp_path / f"library-{past:%Y%m%d-%H%M%S-%f}.db").touch()
    assert newest(backups(tmp_path)).made == past
    assert newest([]) is None


@pytest.mark.slow
@in_asyncio
async def test_the_oldest_backup_before_a_restore_can_be_restored(places):
    async with await Database.open(places.database) as database:
        await add(database, "old")
        oldest = back_up(places.database, places.backups, "before-restore")
        await add(database, "new")
        for _ in range(2):
            back_up(places.database, places.backups, "before-restore")
    restore(places.database, oldest, places.backups)
    assert oldest.exists()
    async with await Database.open(places.database) as database:
        assert await titles(database) == ["old"]


@in_asyncio
async def test_a_backup_that_was_just_made_stays_whatever_the_clock_says(places):
    places.backups.mkdir(parents=True)
    for days in range(40):
        made = datetime.now(UTC) + timedelta(days=365 + days)
        (places.backups / f"library-{made:%Y%m%d-%H%M%S-%f}.db").touch()
    async with await Database.open(places.database) as database:
        made = await database.back_up(places.backups)
        assert await database.back_up(places.backups) != made
    assert made.exists()


@in_asyncio
async def test_another_program_s_database_is_not_restored(places):
    async with await Database.open(places.database) as database:
        await add(database, "kept")
    other = places.folder / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE x (y)")
    with pytest.raises(LibraryError, match="not a backup of a library"):
        restore(places.database, other, places.backups)
    async with await Database.open(places.database) as database:
        assert await titles(database) == ["kept"]
