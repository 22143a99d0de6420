"""Taking a file in, with workers that are killed when their work is done but not told of."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from house import prep_context, song

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.steps.import_file import ImportFile
from sfa_engine.backstage.steps.plans import ImportSource, PrepOptions, import_file
from sfa_engine.errors import WorkerError
from sfa_engine.library import cues, tracks
from sfa_engine.library.cues import Cue
from sfa_engine.library.search import search
from sfa_engine.library.track import Track
from sfa_engine.track.media import read_bundle

pytestmark = pytest.mark.slow
Run = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let workers do their work and die then, as often as ``deaths`` says."""
    run: Run = PrepContext.run_local
    fate = {"deaths": 1, "meanwhile": None}

    async def here(
        context: PrepContext, job: Job, module: str, request: Mapping[str, Any], progress: Progress
    ) -> dict[str, Any]:
        said = await run(context, job, module, request, progress)
        if fate["deaths"]:
            fate["deaths"] -= 1
            if fate["meanwhile"]:
                await fate["meanwhile"](context)
            raise WorkerError("the worker ended by SIGKILL without a result")
        return said

    monkeypatch.setattr(PrepContext, "run_local", here)
    return fate


async def put(context: PrepContext, path: Path) -> None:
    async with context.database.transaction() as connection:
        await context.queue.add_chain(
            connection, [import_file(ImportSource(str(path)), PrepOptions("none"))]
        )


async def attempt(context: PrepContext) -> None:
    """Do the import that waits, and end it."""
    job = await context.queue.claim("import")
    assert job is not None
    outcome = await ImportFile(context)(job, lambda *_: None)
    async with context.database.transaction() as connection:
        await outcome.effect(connection)
        await context.queue.finish(connection, job, outcome.result)
    await outcome.after_commit()


async def only_track(context: PrepContext) -> Track:
    async with context.database.reading() as connection:
        (track,) = await search(connection, "")
    return track


@pytest.mark.usefixtures("dying")
def test_a_killed_import_leaves_no_bundle_that_nobody_knows(tmp_path: Path) -> None:
    path = song(tmp_path / "song.wav", seconds=2.0)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            await put(context, path)
            with pytest.raises(WorkerError):
                await attempt(context)
            assert [*context.places.bundles.glob("*.sfa")] == []
            async with context.database.transaction() as connection:
                await connection.execute("UPDATE jobs SET state = 'waiting', due_s = 0")
            await attempt(context)
            track = await only_track(context)
            assert track.bundle == "song.sfa"
            assert [entry.name for entry in context.places.bundles.glob("*.sfa")] == ["song.sfa"]

    asyncio.run(main())


def test_what_somebody_marked_meanwhile_is_not_forgotten_with_it(
    tmp_path: Path, dying: dict[str, Any]
) -> None:
    path = song(tmp_path / "song.wav", seconds=2.0)

    async def mark(context: PrepContext) -> None:
        async with context.database.transaction() as connection:
            track = await tracks.by_bundle(connection, "song.sfa")
            assert track is not None
            await cues.add(connection, track.id, Cue(0.5, "cue", slot=1))

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            dying["meanwhile"] = mark
            await put(context, path)
            with pytest.raises(WorkerError):
                await attempt(context)
            marked = await only_track(context)
            assert (context.places.bundles / "song.sfa").is_dir()
            async with context.database.transaction() as connection:
                await connection.execute("UPDATE jobs SET state = 'waiting', due_s = 0")
            await attempt(context)
            track = await only_track(context)
            assert (track.id, track.duration_s) == (marked.id, 2.0)
            (cue,) = read_bundle(context.places.bundles / "song.sfa").track.cues
            assert (cue.hot_cue, cue.by_hand) == (1, True)

    asyncio.run(main())


def test_an_import_whose_backstage_was_killed_is_made_whole_by_the_next(
    tmp_path: Path, dying: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(tmp_path / "song.wav", seconds=2.0)

    async def none(*_: Any) -> None:
        pass

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            await put(context, path)
            with monkeypatch.context() as killed:
                killed.setattr(tracks, "delete_unprepared", none)  # nobody lives to do it
                with pytest.raises(WorkerError):
                    await attempt(context)
            assert read_bundle(context.places.bundles / "song.sfa")
            async with context.database.transaction() as connection:
                await connection.execute("UPDATE jobs SET state = 'waiting', due_s = 0")
            await attempt(context)
            track = await only_track(context)
            assert (track.bundle, track.duration_s) == ("song.sfa", 2.0)
            assert dying["deaths"] == 0

    asyncio.run(main())


def test_a_cancelled_import_leaves_the_track_to_another_file_of_the_same_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = song(tmp_path / "song.wav", seconds=2.0)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(path.read_bytes())
    run: Run = PrepContext.run_local

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            both = asyncio.Event()
            over = asyncio.Event()

            async def here(*given: Any) -> dict[str, Any]:
                said = await run(*given)
                if not both.is_set():
                    both.set()
                    await over.wait()
                return said

            monkeypatch.setattr(PrepContext, "run_local", here)
            await put(context, path)
            await put(context, copy)
            first = asyncio.create_task(attempt(context))
            await both.wait()
            second = await context.queue.claim("import")
            assert second is not None
            async with context.database.transaction() as connection:
                track = await tracks.by_bundle(connection, "song.sfa")
                assert track is not None
                await context.queue.set_track(connection, second, track.id)
            await context.queue.cancel([1])
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert (context.places.bundles / "song.sfa").is_dir()
            outcome = await ImportFile(context)(second, lambda *_: None)
            async with context.database.transaction() as connection:
                await outcome.effect(connection)
            assert (await only_track(context)).duration_s == 2.0

    asyncio.run(main())


@pytest.mark.usefixtures("dying")
def test_of_two_files_of_one_content_the_last_that_is_given_up_clears_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = song(tmp_path / "song.wav", seconds=2.0)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            await put(context, path)
            job = await context.queue.claim("import")
            assert job is not None
            take = ImportFile(context)
            async with context.database.transaction() as connection:
                track, _ = await tracks.add(connection, str(path), content_hash="0" * 64)
                await tracks.set_bundle(connection, track.id, "song.sfa")
            (context.places.bundles / "song.sfa").mkdir(parents=True)
            await take._undo(job, track.id, context.places.bundles / "song.sfa")
            assert [*context.places.bundles.iterdir()] == []
            # The other one, whose worker was at its end, finds the row gone.
            (context.places.bundles / "song.sfa").mkdir()
            await take._undo(job, track.id, context.places.bundles / "song.sfa")
            assert [*context.places.bundles.iterdir()] == []
            # Another track's bundle of this name stays.
            async with context.database.transaction() as connection:
                other, _ = await tracks.add(connection, "/m/b", content_hash="1" * 64)
                await tracks.set_bundle(connection, other.id, "song.sfa", 2.0)
            (context.places.bundles / "song.sfa").mkdir()
            await take._undo(job, track.id, context.places.bundles / "song.sfa")
            assert (context.places.bundles / "song.sfa").is_dir()

    asyncio.run(main())
    assert caplog.text == ""


def test_an_import_that_is_not_alone_but_waits_keeps_no_track(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            for name in ("a", "b"):
                await put(context, tmp_path / name)
            jobs = [await context.queue.claim("import") for _ in range(2)]
            first, second = (job for job in jobs if job)
            async with context.database.transaction() as connection:
                track, _ = await tracks.add(connection, "/m/a", content_hash="0" * 64)
                for job in (first, second):
                    await context.queue.set_track(connection, job, track.id)
                assert not await context.queue.is_only(connection, second, track.id)
            await context.queue.fail(first, WorkerError("killed"))  # it waits to be tried again
            async with context.database.reading() as connection:
                assert await context.queue.is_only(connection, second, track.id)

    asyncio.run(main())


def test_a_library_that_cannot_be_written_does_not_hide_why_an_import_failed(
    tmp_path: Path, dying: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = song(tmp_path / "song.wav", seconds=2.0)
    held: list[sqlite3.Connection] = []

    async def lock(context: PrepContext) -> None:
        held.append(sqlite3.connect(context.places.database, isolation_level=None))
        held[0].execute("BEGIN IMMEDIATE")

    async def main() -> None:
        async with prep_context(tmp_path / "data", busy_s=0.05) as context:
            dying["meanwhile"] = lock
            await put(context, path)
            with pytest.raises(WorkerError, match="SIGKILL"):
                await attempt(context)
            held[0].close()

    asyncio.run(main())
    assert "import 1: " in caplog.text


def test_an_import_waits_for_what_is_at_work_on_its_track(tmp_path: Path) -> None:
    path = song(tmp_path / "song.wav", seconds=2.0)

    async def main() -> None:
        async with prep_context(tmp_path / "data") as context:
            await put(context, path)
            await attempt(context)
            analysing = await context.queue.claim("analysis")
            assert analysing is None  # it comes after the separation
            separating = await context.queue.claim("separation")
            assert separating is not None
            made = (context.places.bundles / "song.sfa").stat().st_ino
            again = import_file(ImportSource(str(path)), PrepOptions("none", again=True))
            async with context.database.transaction() as connection:
                await context.queue.add_chain(connection, [again])
            importing = asyncio.create_task(attempt(context))
            done, _ = await asyncio.wait([importing], timeout=1.0)
            assert not done
            assert (context.places.bundles / "song.sfa").stat().st_ino == made
            async with context.database.transaction() as connection:
                await context.queue.finish(connection, separating, {})
            await asyncio.wait_for(importing, 60)
            assert (context.places.bundles / "song.sfa").stat().st_ino != made

    asyncio.run(main())
