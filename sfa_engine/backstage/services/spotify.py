"""Tracks, albums and playlists of Spotify's Web API, whole. Downloads no sound.

Pages are followed to the end, 50 at a time: that is the API's most since February 2026, for
albums and for playlists. Since then it gives a playlist's contents to its owner and to those who
may add to it, and to nobody else, unless the application has an extended quota.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from sfa_engine.backstage.services.api import Api, Bearer
from sfa_engine.backstage.services.breaker import Breaker
from sfa_engine.backstage.services.fault import Denied, ServiceError
from sfa_engine.backstage.services.spotify_link import SpotifyLink, parse_link
from sfa_engine.backstage.services.wanted import (
    Skipped,
    Wanted,
    entry_of,
    text_of,
    unless_unavailable,
)
from sfa_engine.errors import Refused

API_URL = "https://api.spotify.com/v1"
SERVICE = "Spotify"
PAGE = 50  # items
MOST_PAGES = 400  # a playlist ends at 11 000 items; more pages are a loop
_MARKET = re.compile("[A-Z]{2}")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a link stands for.

    Parameters
    ----------
    title : str
        Of the track, album or playlist.
    url : str
        Its address.
    wanted : tuple of Wanted
        In its order; what is in it twice is here twice.
    skipped : tuple of Skipped
        What is in it and cannot be had.
    """

    title: str
    url: str
    wanted: tuple[Wanted, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnPlaylist:
    """A playlist in somebody's own library.

    Parameters
    ----------
    title : str
        Its name.
    link : SpotifyLink
        To be given to `Spotify.listing`.
    items : int
        How many are in it.
    """

    title: str
    link: SpotifyLink
    items: int


class Spotify:
    """Spotify's catalogue, as an application or a person may see it.

    Parameters
    ----------
    client : httpx.AsyncClient
        Shared, and closed by its owner.
    bearer : Bearer
        `token.ClientToken`, or `oauth.UserToken` for playlists of one's own.
    market : str, optional
        ISO 3166-1 code of the user's country: what cannot be played there is left out.
    base_url : str
        Where the API is.
    breaker : Breaker, optional
        Shared by all that ask Spotify.
    **api : Any
        More for `Api`: ``sleep`` and ``chance``.
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
            raise Refused(f'"{market}" is no country', "give two capital letters, as DE or GB")
        self._api = Api(SERVICE, base_url, client, bearer, breaker, **api)
        self._market: dict[str, str | int] = {"market": market} if market else {}

    async def listing(self, link: SpotifyLink | str, progress: Progress | None = None) -> Listing:
        """Return all that a link stands for.

        Parameters
        ----------
        link : SpotifyLink or str
            A track, an album or a playlist.
        progress : callable, optional
            Called with how many items have been read, and of how many.

        Raises
        ------
        Denied
            If there is no such thing, or these credentials may not see it.
        Refused
            If it is no link.
        ServiceError
            If Spotify fails; its ``retry_after_s`` tells when to try again, where that is known.
        """
        link = parse_link(link) if isinstance(link, str) else link
        read = {"track": self._track, "album": self._album, "playlist": self._playlist}[link.kind]
        return await read(link, progress or (lambda _done, _of: None))

    async def own_playlists(self) -> list[OwnPlaylist]:
        """Return the playlists that the person who logged in owns or may add to.

        Raises
        ------
        Denied
            If nobody logged in.
        ServiceError
            If Spotify fails.
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
        return _listing(text_of(track.get("name")), link, [unless_unavailable(track)])

    async def _album(self, link: SpotifyLink, progress: Progress) -> Listing:
        album = await self._api.get(f"/albums/{link.id}", self._market)
        first = album.get("tracks")
        if not isinstance(first, dict):
            raise ServiceError("Spotify gave an album without tracks", "try again later")
        read = [unless_unavailable(track, album) async for track in self._items(first, progress)]
        return _listing(text_of(album.get("name")), link, read)

    async def _playlist(self, link: SpotifyLink, progress: Progress) -> Listing:
        about = await self._api.get(f"/playlists/{link.id}", {"fields": "name"})
        # without additional_types an episode would come as a track
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
        read = [entry_of(entry) async for entry in self._items(first, progress)]
        return _listing(text_of(about.get("name")), link, read)

    async def _items(
        self, page: dict[str, Any], progress: Progress
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of a page and of all that follow it."""
        done = 0
        for _ in range(MOST_PAGES):
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


def _listing(title: str, link: SpotifyLink, read: list[Wanted | Skipped]) -> Listing:
    wanted = tuple(item for item in read if isinstance(item, Wanted))
    skipped = tuple(item for item in read if isinstance(item, Skipped))
    return Listing(title, link.url, wanted, skipped)
