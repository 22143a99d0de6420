"""``/auth/spotify``: the login at Spotify, from a browser.

Spotify redirects to a loopback address only. A browser on this machine is sent there and comes
back; for one elsewhere a page shows the link, and takes the address that it then fails to open.
"""

from __future__ import annotations

from html import escape

from starlette.responses import RedirectResponse, Response

from sfa_engine.errors import SfaError
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.guard import host_name, is_loopback
from sfa_engine.web.limits import Rate
from sfa_engine.web.named_verbs import NamedVerbs
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Right
from sfa_engine.web.static_files import StaticFiles

CALLBACK = "/auth/spotify/callback"
ELSEWHERE = "/auth/spotify/elsewhere"
HOSTS = frozenset({"127.0.0.1", "::1"})  # that Spotify redirects to; not the name localhost
_RIGHT = Right("admin", least="admin")
_NO_STORE = {"Cache-Control": "no-store"}
_PAGE = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>Spotify: Sound Forge Alchemy</title>\n"
    '<link rel="stylesheet" href="/static/plain.css">\n</head>\n<body>\n<main>\n'
    "<h1>Spotify</h1>\n<p>{text}</p>\n</main>\n</body>\n</html>\n"
)


class SpotifyLogin:
    """The endpoints.

    Parameters
    ----------
    verbs : NamedVerbs
        Of backstage.
    files : StaticFiles
        With the page.
    """

    def __init__(self, verbs: NamedVerbs, files: StaticFiles) -> None:
        self._verbs = verbs
        self._files = files

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        return [
            Endpoint(
                "GET",
                "/auth/spotify",
                "Log in at Spotify: redirect a browser there, or to a page if it cannot come back.",
                self._begin,
                statuses=(422, 500, 502, 503),
                right=_RIGHT,
                rate=Rate.HEAVY,
                success=303,
                is_json=False,
            ),
            Endpoint(
                "GET",
                ELSEWHERE,
                "Show the login at Spotify to a browser on another machine.",
                self._elsewhere,
                right=_RIGHT,
                is_json=False,
            ),
            Endpoint(
                "GET",
                CALLBACK,
                "Finish a login at Spotify, which redirects here.",
                self._finish,
                statuses=(422, 500, 502, 503),
                right=_RIGHT,
                rate=Rate.HEAVY,
                is_json=False,
            ),
        ]

    async def _begin(self, exchange: Exchange) -> Response:
        host = exchange.request.headers.get("host", "")
        if host_name(host) not in HOSTS or not is_loopback(exchange.address):
            return RedirectResponse(ELSEWHERE, 303, _NO_STORE)
        given = {"redirect_uri": f"http://{host}{CALLBACK}"}
        begun = await self._verbs.call(exchange.actor, "spotify.login", given)
        return RedirectResponse(begun["url"], 303, _NO_STORE)

    async def _elsewhere(self, _exchange: Exchange) -> Response:
        return self._files.answer("spotify.html")

    async def _finish(self, exchange: Exchange) -> Response:
        try:
            await self._verbs.call(
                exchange.actor, "spotify.finish", {"address": str(exchange.request.url)}
            )
        except SfaError as error:
            return _page(f"Not logged in: {error}.", Problem.of(error).status)
        return _page("Logged in. You can close this window.")


def _page(text: str, status: int = 200) -> Response:
    return Response(_PAGE.format(text=escape(text)), status, _NO_STORE, "text/html")
