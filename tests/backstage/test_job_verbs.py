"""``jobs.*`` and ``prep.add`` on a real queue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import prep_context

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import Kind, Plan
from sfa_engine.backstage.job_store import MAX_LISTED
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.steps.plans import ImportSource, PrepOptions, import_file
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.backstage.watch_folders import FolderWatcher
from sfa_engine.errors import Refused
from sfa_engine.library.database import Database
from sfa_engine.wire import frames

MANY = MAX_LISTED + 20


@pytest.mark.slow
def test_all_jobs_are_all_jobs_however_many_are_listed(tmp_path: Path) -> None:
    async def main() -> None:
        async with await Database.open(tmp_path / "library.db") as database:
            queue = Queue(database, "me")
            verbs = JobVerbs(queue, Dispatcher(queue, {}, {}))
            async with database.transaction(durable=False) as connection:
                for _ in range(MANY):
                    await queue.add_chain(connection, [Plan(Kind.ANALYSE)])
            assert (await verbs.jobs_cancel(everything=True))["count"] == MANY
            assert len((await verbs.jobs_list())["jobs"]) == MAX_LISTED
            async with database.transaction(durable=False) as connection:
                await connection.execute("UPDATE jobs SET state = 'failed'")
            again = await verbs.jobs_retry(failed=True)
            assert (again["count"], len(again["jobs"])) == (MANY, MANY)

    asyncio.run(main())


def test_a_job_with_names_that_are_no_utf_8_is_told_in_words_that_can_be_sent(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with await Database.open(tmp_path / "library.db") as database:
            queue = Queue(database, "me")
            find = ImportSource("/m/caf\udce9", {"drums": "/m/caf\udce9/drums.wav"})
            async with database.transaction(durable=False) as connection:
                (job,) = await queue.add_chain(connection, [import_file(find, PrepOptions())])
            told = await JobVerbs(queue, Dispatcher(queue, {}, {})).jobs_show(job)
            assert told["args"]["path"] == "/m/caf\\udce9"
            assert told["args"]["sources"] == {"drums": "/m/caf\\udce9/drums.wav"}
            assert told["state"] == "waiting"
            assert frames.pack(told)

    asyncio.run(main())


def test_folders_that_cannot_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "music" / "caf\udce9"
    closed.mkdir(parents=True)
    real = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:  # root may read everything
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            dispatcher = Dispatcher(context.queue, {}, {})
            verbs = PrepVerbs(context, dispatcher, FolderWatcher(context, dispatcher))
            with pytest.raises(Refused, match=r"no sound file in .*udce9\" cannot be read"):
                await verbs.prep_add([str(closed.parent)])
            (closed.parent / "a.wav").write_bytes(b"sound")
            said = await verbs.prep_add([str(closed.parent)])
            assert len(said["jobs"]) == 1
            assert said["unread"] == [f"{tmp_path}/music/caf\\udce9"]

    asyncio.run(main())


def test_jobs_are_found_by_the_words_of_their_titles(tmp_path: Path) -> None:
    async def main() -> None:
        async with await Database.open(tmp_path / "library.db") as database:
            queue = Queue(database, "me")
            verbs = JobVerbs(queue, Dispatcher(queue, {}, {}))
            async with database.transaction(durable=False) as connection:
                for title in ("Slow Gold", "Quicksilver 100%", "Old Slow"):
                    await queue.add_chain(connection, [Plan(Kind.ANALYSE, title=title)])

            async def found(words: str) -> list[str]:
                return [job["title"] for job in (await verbs.jobs_list(words=words))["jobs"]]

            assert await found("slow") == ["Old Slow", "Slow Gold"]
            assert await found("gold SLOW") == ["Slow Gold"]
            assert await found("100%") == ["Quicksilver 100%"]
            assert len(await found("")) == 3

    asyncio.run(main())
