"""``jobs.list`` for a page that has a row for each track: steps, places, queues."""

from __future__ import annotations

import asyncio
from pathlib import Path

from house import prep_context

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import State
from sfa_engine.backstage.verbs.jobs import JobVerbs

ROWS = (  # id, kind, queue, state, track, held
    (1, "separate", "separation", "failed", 1, 0),
    (2, "separate", "separation", "done", 1, 0),
    (3, "analyse", "analysis", "done", 1, 0),
    (4, "separate", "separation", "waiting", 2, 0),
    (5, "analyse", "analysis", "waiting", 2, 1),
    (6, "separate", "separation", "waiting", 3, 0),
)


def test_a_list_has_the_newest_steps_of_its_tracks_and_places_in_line(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            async with context.database.transaction() as connection:
                await connection.executemany(
                    "INSERT INTO tracks (id, uuid, title, added_at, changed_at)"
                    " VALUES (?, ?, '', 0, 0)",
                    [(n, f"u{n}") for n in (1, 2, 3)],
                )
                await connection.executemany(
                    "INSERT INTO jobs (id, kind, queue, state, track_id, held, title, args,"
                    " most_attempts, due_s, created_s, started_s, ended_s, time_limit_s)"
                    " VALUES (?, ?, ?, ?, ?, ?, '', '{}', 3, 0, 0, 0, 0, 1)",
                    ROWS,
                )
            verbs = JobVerbs(context.queue, Dispatcher(context.queue, {}, {"separation": 1}))
            failed = await verbs.jobs_list(states=[State.FAILED], whole=True)
            assert [job["id"] for job in failed["jobs"]] == [1]
            assert [job["id"] for job in failed["steps"]] == [3, 2]
            assert failed["queues"] == {"separation": {"waiting": 2, "running": 0, "most": 1}}
            waiting = await verbs.jobs_list(states=[State.WAITING])
            assert "steps" not in waiting
            places = {job["id"]: job["place"] for job in waiting["jobs"]}
            assert places == {4: 1, 5: 0, 6: 2}
            assert (await verbs.jobs_show(6))["place"] == 2

    asyncio.run(main())
