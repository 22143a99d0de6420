"""Tracks, albums and playlists of Spotify's Web API. Downloads no sound.

Pages are followed to the end, 50 items at a time: the API's limit since February 2026, for albums
and playlists. Since then it gives a playlist's contents to its owner and collaborators only, unless
the application has an extended quota.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.errors import Denied, ServiceError
from sfa_engine.backstage.services.json_api import Bearer, JsonApi
from sfa_engine.backstage.services.spotify_link import SpotifyLink, parse_link
from sfa_engine.backstage.services.track_info import (
    Skipped,
    TrackInfo,
    parse_available,
    parse_entry,
    text_of,
)
from sfa_engine.errors import Refused

API_URL = "https://api.spotify.com/v1"
SERVICE = "Spotify"
PAGE = 50  # items
MAX_PAGES = 400  # a playlist has 11,000 items at most; more pages are a loop
_MARKET = re.compile("[A-Z]{2}")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Listing:
    """The tracks of a link.

    Parameters
    ----------
    title : str
        Of the track, album or playlist.
    url : str
        Its address.
    tracks : tuple of TrackInfo
        In order, duplicates included.
    skipped : tuple of Skipped
        What cannot be downloaded.
    """

    title: str
    url: str
    tracks: tuple[TrackInfo, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnPlaylist:
    """A playlist of the logged-in user.

    Parameters
    ----------
    title : str
        Its name.
    link : SpotifyLink
        For `Spotify.listing`.
    items : int
        How many it has.
    """

    title: str
    link: SpotifyLink
    items: int


class Spotify:
    """Spotify's catalogue, with the rights of an application or a user.

    Parameters
    ----------
    client : httpx.AsyncClient
        Shared; closed by the caller.
    bearer : Bearer
        `token.ClientToken`, or `oauth.UserToken` for the user's own playlists.
    market : str, optional
        ISO 3166-1 code of the user's country: tracks unavailable there are skipped.
    base_url : str
        Of the API.
    breaker : Breaker, optional
        Shared by all calls to Spotify.
    **api : Any
        More for `JsonApi`: ``sleep`` and ``rng``.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        bearer: Bearer,
        *,
        market: str = "",
        base_url: str = API_URL,
        breaker: Breaker | None = None,
        **api: Any,
    ) -> None:
        if market and not _MARKET.fullmatch(market):
            raise Refused(f'invalid country "{market}"', "give two capital letters, as DE or GB")
        self._api = JsonApi(SERVICE, base_url, client, bearer, breaker, **api)
        self._market: dict[str, str | int] = {"market": market} if market else {}

    async def listing(self, link: SpotifyLink | str, progress: Progress | None = None) -> Listing:
        """Return the tracks of a link.

        Parameters
        ----------
        link : SpotifyLink or str
            A track, an album or a playlist.
        progress : callable, optional
            Called with how many items have been read, and of how many.

        Raises
        ------
        Denied
            It does not exist, or these credentials may not see it.
        Refused
            It is not a link.
        ServiceError
            Spotify fails; ``retry_after_s`` says when to retry, if known.
        """
        link = parse_link(link) if isinstance(link, str) else link
        read = {"track": self._track, "album": self._album, "playlist": self._playlist}[link.kind]
        return await read(link, progress or (lambda _done, _of: None))

    async def own_playlists(self) -> list[OwnPlaylist]:
        """Return the playlists that the logged-in user owns or may add to.

        Raises
        ------
        Denied
            No user is logged in.
        ServiceError
            Spotify fails.
        """
        me = (await self._api.get("/me")).get("id")
        first = await self._api.get("/me/playlists", {"limit": PAGE})
        found = []
        async for entry in self._items(first, lambda _done, _of: None):
            owner, contents = entry.get("owner"), entry.get("items") or entry.get("tracks")
            owned = isinstance(owner, dict) and owner.get("id") == me
            if entry.get("id") and (owned or entry.get("collaborative")):
                link = SpotifyLink("playlist", str(entry["id"]))
                total = contents.get("total") if isinstance(contents, dict) else None
                items = total if isinstance(total, int) else 0
                found.append(OwnPlaylist(text_of(entry.get("name")), link, items))
        return found

    async def _track(self, link: SpotifyLink, progress: Progress) -> Listing:
        track = await self._api.get(f"/tracks/{link.id}", self._market)
        progress(1, 1)
        return _listing(text_of(track.get("name")), link, [parse_available(track)])

    async def _album(self, link: SpotifyLink, progress: Progress) -> Listing:
        album = await self._api.get(f"/albums/{link.id}", self._market)
        first = album.get("tracks")
        if not isinstance(first, dict):
            raise ServiceError("Spotify gave an album without tracks", "try again later")
        read = [parse_available(track, album) async for track in self._items(first, progress)]
        return _listing(text_of(album.get("name")), link, read)

    async def _playlist(self, link: SpotifyLink, progress: Progress) -> Listing:
        about = await self._api.get(f"/playlists/{link.id}", {"fields": "name"})
        # without additional_types an episode is returned as a track
        query = {"limit": PAGE, "additional_types": "track,episode", **self._market}
        try:
            first = await self._api.get(f"/playlists/{link.id}/items", query)
        except Denied as denied:
            if denied.status != httpx.codes.FORBIDDEN:
                raise
            raise Denied(
                f'Spotify does not show the contents of "{text_of(about.get("name")) or link.id}"',
                "it does so to the owner and those who may add to it: log in as one of them, or"
                " copy the tracks to a playlist of your own",
                denied.status,
            ) from None
        read = [parse_entry(entry) async for entry in self._items(first, progress)]
        return _listing(text_of(about.get("name")), link, read)

    async def _items(
        self, page: dict[str, Any], progress: Progress
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of a page and of all following pages."""
        done = 0
        for _ in range(MAX_PAGES):
            items, following = page.get("items"), page.get("next")
            if not isinstance(items, list):
                raise ServiceError("Spotify gave a page without items", "try again later")
            for item in items:
                yield item if isinstance(item, dict) else {}
            done += len(items)
            total = page.get("total")
            progress(done, max(done, total if isinstance(total, int) else 0))
            if not following:
                return
            page = await self._api.get(str(following))
        raise ServiceError(f"Spotify's pages do not end: {done} items so far", "report it")


def _listing(title: str, link: SpotifyLink, read: list[TrackInfo | Skipped]) -> Listing:
    tracks = tuple(item for item in read if isinstance(item, TrackInfo))
    skipped = tuple(item for item in read if isinstance(item, Skipped))
    return Listing(title, link.url, tracks, skipped)
