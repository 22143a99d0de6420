"""The steps that resolve links and download music."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.services.input_sources import WebLink, parse_source
from sfa_engine.backstage.services.spotify import Listing
from sfa_engine.backstage.services.spotify_link import SpotifyLink
from sfa_engine.backstage.services.track_info import TrackInfo
from sfa_engine.backstage.steps.plans import PrepOptions, download
from sfa_engine.errors import Refused
from sfa_engine.library import followed, tracks
from sfa_engine.library.database import Connection

WORKER = "sfa_engine.prep.download"
DOWNLOADS = "downloads"

Lister = Callable[[SpotifyLink, Callable[[int, int], None]], Awaitable[Listing]]


@dataclass(frozen=True)
class Resolve:
    """Resolves links to tracks.

    Parameters
    ----------
    context : PrepContext
    listing : callable
        Returns the tracks of a Spotify link.
    listing_of : callable, optional
        Returns that function for the account of a job.
    """

    context: PrepContext
    listing: Lister
    listing_of: Callable[[int], Lister] | None = None

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Queue a download for each track of a job's link; the library follows a playlist."""
        link = parse_source(str(job.args["link"]))
        options = PrepOptions.of(job.args)
        listed: Listing | None = None  # a playlist
        if isinstance(link, WebLink):
            chains = [download(link.url, {}, options)]
            result: dict[str, Any] = {"tracks": 1}
        elif isinstance(link, SpotifyLink):
            list_tracks = self.listing_of(job.account) if self.listing_of else self.listing
            listing = await list_tracks(
                link, lambda done, of: progress(done / max(1, of), f"{done} of {of}")
            )
            chains = [download(track.url, _metadata(track), options) for track in listing.tracks]
            skipped = [asdict(each) for each in listing.skipped]
            result = {"title": listing.title, "tracks": len(chains), "skipped": skipped}
            if link.kind == "playlist":
                listed = listing
        else:
            raise Refused(f"not a link: {job.args['link']}", "give a file's path to `sfa prep`")

        async def effect(connection: Connection) -> None:
            if listed is not None:
                urls = [track.url for track in listed.tracks]
                made = await followed.follow(connection, listed.url, listed.title, urls)
                result["playlist"] = made.name
            for plans in chains:
                await self.context.queue.add_chain(connection, plans, after=job.id)

        return Outcome(result, effect)


@dataclass(frozen=True)
class Download:
    """Downloads music.

    Parameters
    ----------
    context : PrepContext
    """

    context: PrepContext

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Download a job's address, unless its file exists."""
        existing = await self.downloaded(job)
        if existing:
            return Outcome({"path": existing, "why": "it was downloaded before"}, skipped=True)
        metadata, options = job.args["metadata"], PrepOptions.of(job.args)
        request = {
            "url": job.args["url"],
            "expected": {
                "title": metadata.get("title", ""),
                "artists": metadata.get("artists", []),
                "duration_s": metadata.get("duration_s"),
            },
            "out": str(self.context.settings.data / DOWNLOADS),
            "quality": options.quality or self.context.settings.download.quality,
            "attempts": 1,  # the queue retries
        }
        return Outcome(await self.context.run_local(job, WORKER, request, progress))

    async def downloaded(self, job: Job) -> str:
        """Return the file of an earlier download; empty if there is none, or `again` is set."""
        if PrepOptions.of(job.args).again:
            return ""
        async with self.context.database.reading() as connection:
            paths = await tracks.locations_of(connection, str(job.args["url"]))
        return await asyncio.to_thread(_first_file, paths)


def _first_file(paths: Sequence[str]) -> str:
    return next((path for path in paths if Path(path).is_file()), "")


def _metadata(track: TrackInfo) -> dict[str, Any]:
    """Return a track's metadata as plain values."""
    return {**asdict(track), "artists": list(track.artists), "artist": ", ".join(track.artists)}
