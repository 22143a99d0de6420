"""What a link stands for is put in the queue whole: the download, and what comes after it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from house import prep_context, song

from sfa_engine.backstage.core import Core
from sfa_engine.backstage.dispatcher import Outcome, Step
from sfa_engine.backstage.job import QUEUES, Job, Kind, Plan, State
from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.backstage.services.spotify import Listing
from sfa_engine.backstage.services.spotify_link import SpotifyLink, parse_link
from sfa_engine.backstage.services.track_info import TrackInfo
from sfa_engine.backstage.settings import Settings
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.backstage.steps.download import Download, Resolve
from sfa_engine.backstage.steps.import_file import ImportFile
from sfa_engine.backstage.steps.plans import PrepOptions, download, import_link
from sfa_engine.library.secret import Secrets

SPOTIFY = "https://open.spotify.com/track/11dFghVXANMlKmJXsNCbNl"


async def listing(link: SpotifyLink, _progress: object) -> Listing:
    wanted = TrackInfo("Title", ("Artist",), "Album", 200.0, None, link.url, None, 1, 1999)
    return Listing("a track", link.url, (wanted,))


@pytest.mark.parametrize("url", ["https://example.com/song", SPOTIFY])
def test_what_a_link_brings_is_taken_in_once_it_is_here(tmp_path: Path, url: str) -> None:
    async def main() -> None:
        async with prep_context(tmp_path) as context:
            database, queue = context.database, context.queue
            async with database.transaction() as connection:
                await queue.add_chain(connection, [import_link(url, PrepOptions())], "batch")
            job = await queue.claim("import")
            assert job is not None
            outcome = await Resolve(context, listing)(job, lambda _share, _doing: None)
            async with database.transaction() as connection:  # as the dispatcher does
                await outcome.effect(connection)
                await queue.finish(connection, job, outcome.result)
            take, fetch = await queue.list([State.WAITING], "batch")
            assert (fetch.kind, fetch.after) == (Kind.DOWNLOAD, job.id)
            assert (take.kind, take.after, take.needs_last) == (Kind.IMPORT, fetch.id, True)

    assert parse_link(SPOTIFY).url == SPOTIFY
    asyncio.run(main())


@pytest.mark.slow
def test_what_was_fetched_before_is_not_fetched_again_unless_it_is_gone(tmp_path: Path) -> None:
    url = "https://example.com/song"
    path = song(tmp_path / "tune.wav", seconds=6.0)
    fetch, take = download(url, {}, PrepOptions())

    async def main() -> None:
        async with prep_context(tmp_path) as context:

            async def claimed(plan: Plan) -> Job:
                async with context.database.transaction() as connection:
                    await context.queue.add_chain(connection, [plan], "batch")
                job = await context.queue.claim(QUEUES[plan.kind])
                assert job is not None
                return job

            async def done(stage: Step, job: Job) -> Outcome:
                outcome = await stage(job, lambda _share, _doing: None)
                async with context.database.transaction() as connection:
                    await outcome.effect(connection)
                    await context.queue.finish(connection, job, outcome.result)
                return outcome

            known = {**take.args, "downloaded": False, "path": str(path)}
            await done(
                ImportFile(context), await claimed(replace(take, args=known, needs_last=False))
            )
            job = await claimed(fetch)
            there = await done(Download(context), job)
            assert there.skipped
            assert there.result["path"] == str(path)
            again = replace(job, args={**job.args, **PrepOptions(again=True).to_args()})
            assert not await Download(context).downloaded(again)
            path.unlink()
            assert not await Download(context).downloaded(job)

    asyncio.run(main())


def test_spotify_is_needed_by_its_links_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")

    async def main() -> None:
        async with Core.open(Settings(tmp_path, tmp_path, tmp_path), tmp_path):
            pass
        settings = Settings(tmp_path, tmp_path, tmp_path)
        async with SpotifySession(settings, Secrets(tmp_path)) as catalogue:
            with pytest.raises(ServiceError, match=r"cannot connect to Spotify .*ALL_PROXY"):
                await catalogue.listing(parse_link(SPOTIFY), lambda _done, _of: None)

    asyncio.run(main())
