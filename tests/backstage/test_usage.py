"""How much there is, and whose: each actor sees the numbers of what it sees."""

import asyncio
import time
from datetime import date, timedelta

import pytest
from house import prep_context
from open_library import with_bundle

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.steps.plans import PrepOptions
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.verbs.usage import UsageVerbs
from sfa_engine.backstage.watch_folders import FolderWatcher
from sfa_engine.library import usage
from sfa_engine.library.database import change
from sfa_engine.library.ownership import join
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add
from sfa_engine.library.trash import remove
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import SCOPES

ANN, BOB = (Actor(number, "user", SCOPES) for number in (3, 4))
MODERATOR, ADMIN = Actor(5, "moderator", SCOPES), Actor(6, "admin", SCOPES)
ROOM = ("trash", "covers", "backups", "database", "free")
LARGE = 20_000


def played(folder, play):
    async def run():
        async with prep_context(folder) as context:
            return await play(context, UsageVerbs(context))

    return asyncio.run(run())


async def track(context, title, *accounts, seconds=2.0):
    async with context.database.transaction() as connection:
        made, _ = await add(connection, f"/m/{title}", tags=Tags(title=title))
        if accounts:
            await join(connection, made.id, accounts, shared=False, is_new=True)
    await with_bundle(context.database, context.places, made.id, seconds)
    return made.id


def test_each_sees_the_numbers_of_the_tracks_that_it_sees(tmp_path):
    async def play(context, verbs):
        await track(context, "shared")
        await track(context, "ann's", 3)
        await track(context, "both's", 3, 4)
        gone = await track(context, "bob's, removed", 4)
        await remove(context.database, context.places, gone)
        expected = {ANN: (3, 0), BOB: (2, 1), MODERATOR: (3, 1), ADMIN: (3, 1), SYSTEM: (3, 1)}
        for actor, (count, removed) in expected.items():
            found = await verbs.library_statistics(actor=actor)
            assert (found["tracks"], found["removed"]) == (count, removed), actor
            assert found["states"]["ready"] == count
            assert found["duration_s"] == 2.0 * count
            sound = count * 2 * 8_000 * 4
            assert sound < found["bundles_bytes"] < sound + count * 1_500
            shown = {name for name in ROOM if found[f"{name}_bytes"] is not None}
            assert shown == (set(ROOM) if actor.has("admin") else set())

    played(tmp_path, play)


def test_watched_folders_are_shown_to_those_who_may_name_files(tmp_path):
    async def play(context, _verbs):
        dispatcher = Dispatcher(context.queue, {}, {})
        watching = FolderWatcher(context, dispatcher)
        watching.add(tmp_path, PrepOptions())
        verbs = PrepVerbs(context, dispatcher, watching)
        for actor in (ANN, MODERATOR):
            assert verbs.prep_watched(actor=actor) == {"folders": []}
        for actor in (ADMIN, SYSTEM):
            assert verbs.prep_watched(actor=actor) == {"folders": [str(tmp_path)]}

    played(tmp_path, play)


def test_days_are_counted_and_none_is_left_out(tmp_path):
    async def play(context, verbs):
        first = await track(context, "today")
        second = await track(context, "three days ago")
        third = await track(context, "long ago")
        noon = time.mktime((date.today() - timedelta(days=3)).timetuple()) + 43_200  # noqa: DTZ011
        async with context.database.transaction() as connection:
            for number, at_s in ((second, noon), (third, noon - 400 * 86_400)):
                await change(
                    connection, "UPDATE tracks SET added_at = ? WHERE id = ?", (at_s, number)
                )
            for name in ("mix", "vocals", "drums"):
                await change(
                    connection,
                    "INSERT OR REPLACE INTO stems (track_id, name, engine, made_at)"
                    " VALUES (?, ?, 'x', ?)",
                    (second, name, noon),
                )
            await change(
                connection,
                "INSERT INTO analyses (track_id, version, made_at) VALUES (?, '1', ?)",
                (first, time.time()),
            )
        found = (await verbs.library_daily(days=90))["days"]
        today = date.today()  # noqa: DTZ011
        assert [each["day"] for each in found] == [
            str(today - timedelta(days=89 - number)) for number in range(90)
        ]
        assert found[-1] | {"day": ""} == {
            "day": "",
            "tracks": 1,
            "stems": 0,
            "analyses": 1,
            "jobs_done": 0,
            "jobs_failed": 0,
        }
        assert (found[-4]["tracks"], found[-4]["stems"]) == (1, 2)
        assert sum(each["tracks"] for each in found) == 2
        assert len((await verbs.library_daily(days=1))["days"]) == 1
        ended = ("done", 60.0), ("done", 5000.0), ("failed", 5000.0), ("done", 2 * 86_400.0)
        async with context.database.transaction() as connection:
            for state, ago_s in ended:
                await change(
                    connection,
                    "INSERT INTO jobs (kind, queue, state, title, args, most_attempts, due_s,"
                    " created_s, started_s, ended_s, time_limit_s)"
                    " VALUES ('tag', 'analysis', ?, '', '{}', 1, 0, 0, 0, ?, 1)",
                    (state, time.time() - ago_s),
                )
        hours = (await verbs.library_daily(days=1, hours=24))["hours"]
        assert len(hours) == 24
        assert [(each["jobs_done"], each["jobs_failed"]) for each in hours[-2:]] == [(1, 1), (1, 0)]
        assert sum(each["jobs_done"] for each in hours) == 2

    played(tmp_path, play)


def test_the_usage_of_each_account_and_of_all(tmp_path):
    async def play(context, verbs):
        await track(context, "shared")
        await track(context, "both's", 3, 4)
        gone = await track(context, "bob's, removed", 4)
        await remove(context.database, context.places, gone)
        async with context.database.transaction() as connection:
            for account, state in ((None, "done"), ("3", "done"), ("3", "failed")):
                await change(
                    connection,
                    "INSERT INTO jobs (kind, queue, state, account, due_s, created_s, time_limit_s)"
                    " VALUES ('import', 'x', ?, ?, 0, 0, 9)",
                    (state, account),
                )
        found = await verbs.library_usage()
        machine, ann, bob = found["accounts"]
        assert [each["account"] for each in found["accounts"]] == [0, 3, 4]
        assert machine["tracks"] == ann["tracks"] == bob["tracks"] == 1
        assert ann["bundles_bytes"] == bob["bundles_bytes"] > 2 * 8_000 * 4
        assert (machine["jobs"], ann["jobs"]) == ({"done": 1}, {"done": 1, "failed": 1})
        total = found["total"]
        assert (total["tracks"], total["removed"], total["duration_s"]) == (2, 1, 4.0)
        assert total["bundles_bytes"] == machine["bundles_bytes"] + ann["bundles_bytes"]
        assert total["jobs"] == {"done": 2, "failed": 1}
        assert total["free_bytes"] > 0

    played(tmp_path, play)


@pytest.mark.slow
def test_a_large_library_is_counted_in_a_moment(tmp_path):
    """Of 20,000 tracks with 80,000 stems; 0.1 s of each verb, which other readers wait for."""

    async def play(context, _verbs):
        now_s = time.time()
        async with context.database.transaction() as connection:
            await connection.executemany(
                "INSERT INTO tracks (uuid, title, bundle, duration_s, state, added_at, changed_at)"
                " VALUES (?, ?, ?, 240, 'ready', ?, 0)",
                [(f"u{n}", f"t{n}", f"b{n}", now_s - n * 400) for n in range(LARGE)],
            )
            await connection.executemany(
                "INSERT INTO stems (track_id, name, engine, made_at) SELECT id, ?, 'x', added_at"
                " FROM tracks",
                [(name,) for name in ("vocals", "drums", "bass", "other")],
            )
            await change(
                connection,
                "INSERT INTO analyses (track_id, version, made_at)"
                " SELECT id, '1', added_at FROM tracks",
            )
            await change(
                connection, "INSERT INTO memberships SELECT id, id % 20 + 1, 0 FROM tracks"
            )
        sizes = {f"b{number}": 1000 for number in range(LARGE)}
        took_s = []
        for _ in range(3):
            async with context.database.reading() as connection:
                began_s = time.process_time()
                days = await usage.daily(connection, 90, date.today())  # noqa: DTZ011
                accounts = await usage.by_account(connection, sizes)
                took_s.append(time.process_time() - began_s)
        assert sum(each["stems"] for each in days) > 70_000
        assert len(accounts) == 21
        assert min(took_s) < 0.6, took_s

    played(tmp_path, play)
