"""``spotify.*``: the tracks of a link, and the login for private playlists."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from sfa_engine.backstage.access import By
from sfa_engine.backstage.services.spotify_link import parse_link
from sfa_engine.backstage.spotify_accounts import SpotifyAccounts
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.errors import Refused
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import Count, Text, verb

FETCH_S = 120.0  # 400 pages of a playlist, one after another


class SpotifyVerbs:
    """The verbs on Spotify.

    Parameters
    ----------
    catalogue : SpotifySession
        Of the machine.
    accounts : SpotifyAccounts
    """

    def __init__(self, catalogue: SpotifySession, accounts: SpotifyAccounts) -> None:
        self._catalogue = catalogue
        self._accounts = accounts

    @verb(scope="prepare", slow=True)
    async def spotify_fetch(
        self, url: Text, offset: Count = 0, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return title and tracks of a track, album or playlist; downloads nothing.

        A page begins at `offset`; ``count`` is the number of all its tracks. An account's own login
        is used, as by its ``prep.add``.
        """
        link = parse_link(url)
        session = await asyncio.to_thread(self._accounts.session, actor.account)
        try:
            async with asyncio.timeout(FETCH_S):
                found = await session.listing(link, lambda _done, _all: None)
        except TimeoutError:
            raise Refused(f"Spotify did not answer in {FETCH_S:g} s", "try again later") from None
        return {
            "title": found.title,
            "url": found.url,
            "count": len(found.tracks),
            "tracks": fit_in_frame(asdict(each) for each in found.tracks[offset:]),
            "skipped": fit_in_frame(asdict(each) for each in found.skipped),
        }

    @verb(scope="read")
    async def spotify_status(self) -> dict[str, Any]:
        """Return whether there is an application, and whether a user is logged in."""
        return await asyncio.to_thread(self._catalogue.status)

    @verb(scope="admin")
    def spotify_login(self, redirect_uri: Text) -> dict[str, Any]:
        """Begin a login; return the address to open in a browser.

        Spotify redirects to `redirect_uri`, a loopback address that the application has in its
        dashboard. The login ends with ``spotify.finish``, within five minutes.
        """
        return {"url": self._catalogue.begin_login(redirect_uri)}

    @verb(scope="admin", slow=True)
    async def spotify_finish(self, address: Text) -> dict[str, Any]:
        """Finish a login by the address that Spotify redirected to, and store the tokens."""
        await self._catalogue.finish_login(address)
        return {"logged_in": True}

    @verb(scope="admin")
    async def spotify_logout(self) -> dict[str, Any]:
        """Delete the stored login; return whether there was one."""
        return {"was_logged_in": await asyncio.to_thread(self._catalogue.log_out)}
