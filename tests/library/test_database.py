"""One writer, readers beside it, and errors that say what to do."""

import asyncio
import os
import sqlite3

import pytest
from open_library import in_asyncio

from sfa_engine.errors import LibraryError
from sfa_engine.library.backup import backups
from sfa_engine.library.database import Database, change, insert, row, rows
from sfa_engine.library.migrations import MIGRATIONS, Migration, migrate, version_of

ADD = "INSERT INTO tracks (uuid, title, added_at, changed_at) VALUES (?, ?, 0, 0)"
LATER = (*MIGRATIONS, Migration("a table more", "CREATE TABLE more (id INTEGER PRIMARY KEY);"))
BROKEN = (
    *MIGRATIONS,
    Migration("fails half-way", "CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);"),
)


async def titles(database):
    return [found["title"] for found in await database.fetch("SELECT title FROM tracks")]


def plain(path):
    return sqlite3.connect(path, isolation_level=None)


async def refusal(path, **options):
    with pytest.raises(LibraryError) as caught:
        await Database.open(path, **options)
    assert caught.value.code == "library"
    assert caught.value.hint
    return str(caught.value)


@in_asyncio
async def test_what_was_committed_is_there_when_opened_again(places):
    async with await Database.open(places.database) as database:
        async with database.transaction() as connection:
            assert await insert(connection, ADD, ("u", "Über")) == 1
        assert await titles(database) == ["Über"]
    async with await Database.open(places.database) as database:
        assert await titles(database) == ["Über"]


@in_asyncio
async def test_an_exception_in_a_transaction_takes_everything_back(database):
    async def fail():
        async with database.transaction() as connection:
            await insert(connection, ADD, ("u", "x"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await titles(database) == []


@in_asyncio
async def test_cancelling_a_transaction_takes_everything_back_and_frees_the_writer(database):
    inside = asyncio.Event()

    async def hang():
        async with database.transaction() as connection:
            await insert(connection, ADD, ("u", "x"))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction() as connection:
        await insert(connection, ADD, ("v", "y"))
    assert await titles(database) == ["y"]


@pytest.mark.slow
@in_asyncio
async def test_cancelling_at_any_moment_leaves_the_writer_free_and_rows_whole(database):
    async def add(number):
        async with database.transaction() as connection:
            await insert(connection, ADD, (f"a{number}", "first"))
            await insert(connection, ADD, (f"b{number}", "second"))

    for number in range(60):
        task = asyncio.create_task(add(number))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    found = await titles(database)
    assert found.count("first") == found.count("second")
    await add(1000)
    assert len(await titles(database)) == len(found) + 2


@in_asyncio
async def test_transactions_wait_for_each_other(database):
    async def count():
        async with database.transaction(durable=False) as connection:
            found = await row(connection, "SELECT count(*) AS n FROM tracks")
            await asyncio.sleep(0)
            await insert(connection, ADD, (str(found["n"]), str(found["n"])))

    await asyncio.gather(*(count() for _ in range(20)))
    assert sorted(await titles(database), key=int) == [str(n) for n in range(20)]


@in_asyncio
async def test_a_transaction_inside_a_transaction_is_a_mistake_and_not_a_standstill(database):
    async with database.transaction():
        with pytest.raises(RuntimeError, match="use the connection"):
            async with database.transaction():
                pass
    async with database.reading():
        with pytest.raises(RuntimeError, match="use the connection"):
            await database.fetch("SELECT 1")


@in_asyncio
async def test_a_reader_sees_one_moment_and_waits_for_no_writer(database):
    async with database.transaction() as writing:
        await insert(writing, ADD, ("u", "x"))
        assert await titles(database) == []
    async with database.reading() as reading:
        before = await rows(reading, "SELECT * FROM tracks")
        async with database.transaction() as writing:
            await insert(writing, ADD, ("v", "y"))
        assert await rows(reading, "SELECT * FROM tracks") == before
    assert await titles(database) == ["x", "y"]


@in_asyncio
async def test_a_reader_cannot_write(database):
    with pytest.raises(LibraryError, match="may not be written"):
        await database.fetch("DELETE FROM tracks")


@in_asyncio
async def test_what_a_person_made_is_synchronised_and_the_rest_is_not_waited_for(database):
    for durable, level in ((True, 2), (False, 1), (True, 2)):  # FULL is 2, NORMAL 1
        async with database.transaction(durable=durable) as connection:
            assert (await row(connection, "PRAGMA synchronous"))[0] == level
    assert (await database.fetch("PRAGMA journal_mode"))[0][0] == "wal"


@in_asyncio
async def test_our_own_mistakes_in_sql_are_not_blamed_on_the_disk(database):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await database.fetch("SELECT * FROM nowhere")
    with pytest.raises(sqlite3.IntegrityError):
        async with database.transaction() as connection:
            await insert(connection, ADD, (None, "x"))


@in_asyncio
async def test_foreign_keys_hold(database):
    with pytest.raises(sqlite3.IntegrityError):
        async with database.transaction() as connection:
            await change(connection, "INSERT INTO stems VALUES (7, 'mix', 'x', '', '', 0, 0, 0)")


# ---------------------------------------------------------------- migrations


def test_migrating_again_changes_nothing(tmp_path):
    connection = plain(tmp_path / "x.db")
    assert migrate(connection) == [step.name for step in MIGRATIONS]
    before = connection.execute("SELECT * FROM sqlite_schema").fetchall()
    assert migrate(connection) == []
    assert connection.execute("SELECT * FROM sqlite_schema").fetchall() == before
    assert version_of(connection) == len(MIGRATIONS)
    connection.close()


@in_asyncio
async def test_a_library_is_backed_up_before_it_is_migrated(places):
    async with (
        await Database.open(places.database) as database,
        database.transaction() as connection,
    ):
        await insert(connection, ADD, ("u", "kept"))
    async with await Database.open(places.database, migrations=LATER) as database:
        assert await titles(database) == ["kept"]
        assert await database.fetch("SELECT * FROM more") == []
    (backup,) = backups(places.backups)
    assert backup.reason == f"before-version-{len(LATER)}"
    with plain(backup.path) as old:
        assert version_of(old) == len(MIGRATIONS)
    old.close()


def test_jobs_from_before_are_held_by_those_they_come_after(tmp_path):
    connection = plain(tmp_path / "x.db")
    migrate(connection, MIGRATIONS[:4])
    connection.executemany(
        "INSERT INTO jobs (id, kind, queue, state, after_id, due_s, created_s, time_limit_s)"
        " VALUES (?, 'analyse', 'analysis', ?, ?, 0, 0, 0)",
        [
            *((1, "done", None), (2, "waiting", 1), (3, "waiting", 2)),
            *((4, "running", None), (5, "waiting", 4), (6, "waiting", None)),
        ],
    )
    assert migrate(connection)[0] == "what is next in the queue, in one step"
    held = connection.execute("SELECT id FROM jobs WHERE held ORDER BY id").fetchall()
    assert [number for (number,) in held] == [3, 5]
    connection.close()


@in_asyncio
async def test_a_migration_that_fails_leaves_the_library_as_it_was(places):
    async with await Database.open(places.database):
        pass
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await Database.open(places.database, migrations=BROKEN)
    async with await Database.open(places.database) as database:
        found = await database.fetch("SELECT name FROM sqlite_schema WHERE name = 'half'")
        assert found == []


@in_asyncio
async def test_two_that_open_a_new_library_at_once_both_succeed(places):
    opened = await asyncio.gather(*(Database.open(places.database) for _ in range(4)))
    for database in opened:
        assert await titles(database) == []
        await database.close()


@in_asyncio
async def test_a_library_that_another_is_about_to_make_is_waited_for(places):
    places.database.parent.mkdir(parents=True, exist_ok=True)
    other = plain(places.database)
    other.execute("BEGIN IMMEDIATE")  # SQLite refuses another journal at once, whatever its limit
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        plain(places.database).execute("PRAGMA journal_mode = WAL")
    opening = asyncio.create_task(Database.open(places.database))
    await asyncio.wait([opening], timeout=0.3)
    assert not opening.done()
    other.execute("ROLLBACK")
    async with await opening as database:
        assert await titles(database) == []


# ---------------------------------------------------------------- refusals


@in_asyncio
async def test_a_library_of_a_newer_release_is_left_alone(places):
    async with await Database.open(places.database, migrations=LATER):
        pass
    before = places.database.read_bytes()
    assert "newer release" in await refusal(places.database)
    assert places.database.read_bytes() == before


@in_asyncio
async def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "mixxx.db"
    connection = plain(path)
    connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    before = path.read_bytes()
    assert "another program" in await refusal(path)
    assert path.read_bytes() == before


@in_asyncio
async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "library.db"
    path.write_bytes(b"no database at all, but long enough to look at" * 100)
    assert "restore the newest backup" in await refusal(path)


@pytest.mark.slow
@in_asyncio
async def test_a_damaged_library_is_refused_where_the_damage_is_met(places):
    async with (
        await Database.open(places.database) as database,
        database.transaction() as connection,
    ):
        for number in range(2000):
            await insert(connection, ADD, (str(number), f"title {number}" * 5))
    size = places.database.stat().st_size
    with places.database.open("r+b") as file:
        # In the middle: the schema, which grows with each migration, is at the beginning, and a
        # page of it at the end, as statistics are added when the library is closed.
        file.seek(size // 8192 * 4096)
        file.write(os.urandom(size // 4))
    async with await Database.open(places.database) as database:
        with pytest.raises(LibraryError, match="damaged"):
            await database.fetch("SELECT sum(length(title)) FROM tracks")


@in_asyncio
async def test_a_library_that_another_program_writes_to_is_waited_for_and_then_refused(places):
    async with await Database.open(places.database, busy_s=0.05) as database:
        other = plain(places.database)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryError, match="another program is writing"):
            async with database.transaction():
                pass
        other.execute("ROLLBACK")
        other.close()
        async with database.transaction() as connection:
            await insert(connection, ADD, ("u", "after"))
        assert await titles(database) == ["after"]


@in_asyncio
async def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o555)
    tmp_path.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # nobody: root may write everywhere
    try:
        said = await refusal(folder / "library.db")
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
    assert "closed" in said


@in_asyncio
async def test_a_folder_in_whose_place_a_file_lies_is_named(tmp_path):
    (tmp_path / "file").touch()
    assert "cannot create the library" in await refusal(tmp_path / "file" / "library.db")
