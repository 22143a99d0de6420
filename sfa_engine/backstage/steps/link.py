"""The steps for music that is elsewhere: what a link stands for, and fetching it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sfa_engine.backstage.foreman import Outcome, Progress
from sfa_engine.backstage.job import Job
from sfa_engine.backstage.services.links import WebLink, meaning
from sfa_engine.backstage.services.spotify import Listing
from sfa_engine.backstage.services.spotify_link import SpotifyLink
from sfa_engine.backstage.services.wanted import Wanted
from sfa_engine.backstage.steps.chain import Wish, download
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import Refused
from sfa_engine.library import tracks
from sfa_engine.library.database import Connection

WORKER = "sfa_engine.prep.download"
DOWNLOADS = "downloads"

List = Callable[[SpotifyLink, Callable[[int, int], None]], Awaitable[Listing]]


@dataclass(frozen=True)
class Resolve:
    """Finds out what links stand for.

    Parameters
    ----------
    shop : Workshop
    listing : callable
        Asks Spotify what a link of its stands for.
    """

    shop: Workshop
    listing: List

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Put downloads in the queue for all that the link of a job stands for."""
        link = meaning(str(job.args["link"]))
        wish = Wish.of(job.args)
        if isinstance(link, WebLink):
            chains = [download(link.url, {}, wish)]
            result: dict[str, Any] = {"tracks": 1}
        elif isinstance(link, SpotifyLink):
            listing = await self.listing(
                link, lambda done, of: progress(done / max(1, of), f"{done} of {of}")
            )
            chains = [download(wanted.url, _told(wanted), wish) for wanted in listing.wanted]
            skipped = [asdict(left_out) for left_out in listing.skipped]
            result = {"title": listing.title, "tracks": len(chains), "skipped": skipped}
        else:
            raise Refused(f"{job.args['link']} is no link", "give a file's path to `sfa prep`")

        async def effect(connection: Connection) -> None:
            for plans in chains:
                await self.shop.queue.add_chain(connection, plans, after=job.id)

        return Outcome(result, effect)


@dataclass(frozen=True)
class Download:
    """Fetches music.

    Parameters
    ----------
    shop : Workshop
    """

    shop: Workshop

    async def __call__(self, job: Job, progress: Progress) -> Outcome:
        """Fetch what a job names into the folder of downloads, unless it is there."""
        there = await self.fetched(job)
        if there:
            return Outcome({"path": there, "why": "it was fetched before"}, skipped=True)
        told = job.args["told"]
        request = {
            "url": job.args["url"],
            "wanted": {
                "title": told.get("title", ""),
                "artists": told.get("artists", []),
                "duration_s": told.get("duration_s"),
            },
            "out": str(self.shop.settings.data / DOWNLOADS),
            "quality": self.shop.settings.quality,
            "attempts": 1,  # the queue tries again, later
        }
        return Outcome(await self.shop.here(job, WORKER, request, progress))

    async def fetched(self, job: Job) -> str:
        """Return the file that this address brought before; empty if it is wanted anew, or gone."""
        if Wish.of(job.args).again:
            return ""
        async with self.shop.database.reading() as connection:
            places = await tracks.places_of(connection, str(job.args["url"]))
        return await asyncio.to_thread(_first_file, places)


def _first_file(places: Sequence[str]) -> str:
    return next((place for place in places if Path(place).is_file()), "")


def _told(wanted: Wanted) -> dict[str, Any]:
    """Return what is known of a track as plain values."""
    return {**asdict(wanted), "artists": list(wanted.artists), "artist": ", ".join(wanted.artists)}
