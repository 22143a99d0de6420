"""The few files of the web process itself: pages of one-time links and of Spotify, and a style."""

from __future__ import annotations

from importlib.resources import files

from starlette.responses import Response

from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.problem import Problem

_TYPES = {
    "welcome.html": "text/html",
    "page.js": "text/javascript",
    "welcome.js": "text/javascript",
    "spotify.html": "text/html",
    "spotify.js": "text/javascript",
    "plain.css": "text/css",
}
_NO_CACHE = {"Cache-Control": "no-cache"}


class StaticFiles:
    """The files, read once."""

    def __init__(self) -> None:
        folder = files("sfa_engine.web") / "static"
        self._files = {name: (folder / name).read_bytes() for name in _TYPES}

    def endpoints(self) -> list[Endpoint]:
        """Return their endpoints."""
        file = "A file of the pages."
        return [
            Endpoint(
                "GET",
                "/static/{file}",
                file,
                self._file,
                statuses=(404,),
                is_welcome=True,
                is_json=False,
            ),
        ]

    async def _file(self, exchange: Exchange) -> Response:
        name = exchange.path["file"]
        if name not in self._files:
            raise Problem(404, f'no file "{name:.60}"')
        return self.answer(name)

    def answer(self, name: str) -> Response:
        """Return one of the files."""
        return Response(self._files[name], headers=_NO_CACHE, media_type=_TYPES[name])
