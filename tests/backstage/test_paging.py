"""Answers that fit into a message, on a library with more than fits."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from house import prep_context

from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import Kind, Plan
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.paging import MAX_LIST_BYTES, MAX_NUMBERS, fit_in_frame, job_numbers
from sfa_engine.library.tags import MAX_TEXT
from sfa_engine.wire import frames

MANY = 1000


def test_a_list_breaks_off_before_it_is_too_long_and_never_before_its_first() -> None:
    long = {"title": "x" * (MAX_LIST_BYTES // 3)}
    assert fit_in_frame(iter([])) == []
    assert fit_in_frame([long] * 5) == [long] * 2
    assert fit_in_frame([{"title": "x" * MAX_LIST_BYTES}, long]) == [
        {"title": "x" * MAX_LIST_BYTES}
    ]
    assert fit_in_frame([{"a": 1}] * 500) == [{"a": 1}] * 500


def test_more_numbers_than_fit_are_counted() -> None:
    assert job_numbers([4, 2]) == {"count": 2, "jobs": [4, 2]}
    said = job_numbers(list(range(100_000)))
    assert (said["count"], said["jobs"]) == (100_000, list(range(MAX_NUMBERS)))
    assert frames.pack(said)


def test_tracks_with_long_names_are_all_told_in_several_answers(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            verbs = LibraryVerbs(context, Dispatcher(context.queue, {}, {}))
            async with context.database.transaction() as connection:
                name = "é" * MAX_TEXT
                await connection.executemany(
                    "INSERT INTO tracks (uuid, title, artist, added_at, changed_at, deleted_at)"
                    " VALUES (?, ?, ?, 0, 0, ?)",
                    [(f"u{n}", name, name, None if n % 2 else n + 1.0) for n in range(2 * MANY)],
                )
                await connection.execute(
                    "INSERT INTO playlists (id, name, changed_at) VALUES (1, 'all', 0)"
                )
                await connection.execute(
                    "INSERT INTO playlist_entries (playlist_id, place, track_id)"
                    " SELECT 1, id, id FROM tracks"
                )
            for asked, kind, count in (
                (lambda at: verbs.library_search(limit=MANY, offset=at), "tracks", "count"),
                (verbs.library_trash, "tracks", "count"),
                (lambda at: verbs.library_playlist("all", at), "entries", "tracks"),
            ):
                told: list[Any] = []
                answers = 0
                while len(told) < MANY:
                    said = await asked(len(told))
                    assert said[count] == MANY
                    assert said[kind]
                    assert frames.pack(said)
                    told += said[kind]
                    answers += 1
                assert len({track["id"] for track in told}) == len(told) == MANY
                assert answers > 2

    asyncio.run(main())


def test_jobs_with_long_errors_are_all_told_in_several_answers(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            async with context.database.transaction() as connection:
                await context.queue.add_all(
                    connection, [Plan(Kind.IMPORT, unique=str(n)) for n in range(400)], "b"
                )
                error = json.dumps({"code": "x", "message": "m" * 4000, "hint": "h" * 4000})
                await connection.execute("UPDATE jobs SET state = 'failed', error = ?", (error,))
            verbs = JobVerbs(context.queue, Dispatcher(context.queue, {}, {}))
            told = (await verbs.jobs_list())["jobs"]
            answers = 1
            while more := (await verbs.jobs_list(before=told[-1]["id"]))["jobs"]:
                told += more
                answers += 1
            assert [job["id"] for job in told] == list(range(400, 0, -1))
            assert answers > 1

    asyncio.run(main())
