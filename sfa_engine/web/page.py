"""The web UI: the files that ``make page`` builds into the package, and the routes of its views.

``page.json`` lists them; nothing else in the folder is served. All are read once, so that a page
and its scripts are of one build until the process ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
from starlette.responses import PlainTextResponse, Response

from sfa_engine.web.endpoint import Endpoint, Handler
from sfa_engine.web.exchange import Exchange
from sfa_engine.web.limits import Rate
from sfa_engine.web.problem import Problem
from sfa_engine.web.ranges import State, is_unchanged
from sfa_engine.web.static_files import StaticFiles

LIST = "page.json"
INDEX = "index.html"
ASSETS = "assets/"  # their names contain digests
# What the page shows by the first part of its path; what follows is its own business.
VIEWS = (
    *("decks", "library", "jobs", "midi", "settings", "admin", "login", "performance"),
    *("arrange", "practice", "mix", "master", "chat"),
)
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_NO_CACHE = "no-cache"
_IMMUTABLE = "public, max-age=31536000, immutable"
_NOT_BUILT = (
    "The web UI is not built: run `make page`, then start `sfa web` again. The API is at /api.\n"
)
_ZERO = re.compile(r"q=0(\.0*)?")


class _Listed(msgspec.Struct):
    sha256: str
    gzip: bool


class _Listing(msgspec.Struct):
    build: str
    files: dict[str, _Listed]


@dataclass(frozen=True)
class PageFile:
    """A file of the page.

    Parameters
    ----------
    name : str
    tag : str
        Digest of what is in it.
    plain : bytes
    compressed : bytes, optional
        The same by gzip, if that is much smaller.
    """

    name: str
    tag: str
    plain: bytes
    compressed: bytes | None

    def answer(self, headers: Mapping[str, str]) -> Response:
        """Return it as the answer to a request with some headers; 304 if the client has it."""
        is_compressed = self.compressed is not None and accepts_gzip(headers)
        tag = f'"{self.tag}{"-gzip" if is_compressed else ""}"'
        sent = {
            "ETag": tag,
            "Cache-Control": _IMMUTABLE if self.name.startswith(ASSETS) else _NO_CACHE,
        }
        if self.compressed is not None:
            sent["Vary"] = "Accept-Encoding"
        if "if-none-match" in headers and is_unchanged(headers, State(0, 0.0, tag)):
            return Response(None, 304, sent)
        if is_compressed:
            sent["Content-Encoding"] = "gzip"
        media_type = _TYPES.get(self.name[self.name.rindex(".") :])
        body = self.compressed if is_compressed else self.plain
        return Response(body, 200, sent, media_type)


class Page:
    """The page, or the sentence that it is not built.

    Parameters
    ----------
    static : StaticFiles
        Has a page of one-time links, for as long as this one has none.
    folder : importlib.resources.abc.Traversable, optional
        Of a build; by default that of the package.

    Attributes
    ----------
    build : str
        Another one for another page; empty without one.
    """

    def __init__(self, static: StaticFiles, folder: Traversable | None = None) -> None:
        self._static = static
        self.build, self._files = _read(folder or files("sfa_engine.web") / "page")

    def endpoints(self) -> list[Endpoint]:
        """Return its endpoints."""
        views = ["", *VIEWS]
        for places in ("/{place}", "/{place}/{part}"):
            views += [name + places for name in VIEWS]
        names = [name for name in self._files if "/" not in name and name != INDEX]
        # The page of one-time links needs the files, so they are there before the first user.
        return [
            *(_part_of_page(path, self._view) for path in views),
            _part_of_page("welcome", self._welcome, is_welcome=True),
            _part_of_page(f"{ASSETS}{{file}}", self._asset, is_welcome=True),
            *(_part_of_page(name, self._file, is_welcome=True) for name in names),
        ]

    async def _view(self, exchange: Exchange) -> Response:
        if INDEX not in self._files:
            return PlainTextResponse(_NOT_BUILT, 404, {"Cache-Control": _NO_CACHE})
        return self._files[INDEX].answer(exchange.request.headers)

    async def _welcome(self, exchange: Exchange) -> Response:
        if INDEX in self._files:
            return await self._view(exchange)
        return self._static.answer("welcome.html")

    async def _asset(self, exchange: Exchange) -> Response:
        name = exchange.path["file"]
        file = self._files.get(ASSETS + name)
        if file is None:  # of another build
            raise Problem(404, f'no file "{name:.60}"', "reload the page")
        return file.answer(exchange.request.headers)

    async def _file(self, exchange: Exchange) -> Response:
        name = exchange.request.scope["path"][1:]
        return self._files[name].answer(exchange.request.headers)


def _part_of_page(path: str, handler: Handler, *, is_welcome: bool = False) -> Endpoint:
    return Endpoint(
        "GET",
        f"/{path}",
        "A part of the web UI.",
        handler,
        statuses=(404,),
        rate=Rate.PAGE,
        is_welcome=is_welcome,
        is_page=True,
        is_json=False,
    )


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Return whether a client reads gzip."""
    for each in headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = each.strip().partition(";")
        if coding.strip() == "gzip":
            return not _ZERO.fullmatch(weight.strip())
    return False


def _read(folder: Traversable) -> tuple[str, dict[str, PageFile]]:
    """Read a build; empty if there is none."""
    listing = folder / LIST
    if not listing.is_file():
        return "", {}
    listed = msgspec.json.decode(listing.read_bytes(), type=_Listing)
    found = {}
    for name, about in listed.files.items():
        path = folder.joinpath(*name.split("/"))
        compressed = folder.joinpath(*f"{name}.gz".split("/")).read_bytes() if about.gzip else None
        found[name] = PageFile(name, about.sha256[:32], path.read_bytes(), compressed)
    return listed.build, found
