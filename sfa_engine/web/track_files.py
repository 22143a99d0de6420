"""``/files`` and ``/export``: the files of the library's tracks, masters and auditions.

Backstage says which files a track has and where they are; no part of a path is a client's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import msgspec
from starlette.responses import Response

from sfa_engine.system.file_names import safe_name
from sfa_engine.web.encoding import MEDIA_TYPE, Encoders, FlacArchive, FlacStem, check_sizes
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import Exchange, number_in
from sfa_engine.web.file_names import attachment
from sfa_engine.web.limits import Rate
from sfa_engine.web.named_verbs import NamedVerbs
from sfa_engine.web.open_file import OpenFile, in_thread
from sfa_engine.web.problem import Problem
from sfa_engine.web.ranges import Span, UnsatisfiableError, is_unchanged, span_of
from sfa_engine.web.rights import Right
from sfa_engine.web.sending import Archive, FilePart, Pieces
from sfa_engine.web.zip_layout import Layout, Member

THREADS = 4  # that read
FORMATS = ("wav", "flac")  # the first one is the usual
BINARY = "application/octet-stream"
TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
AUDITIONED = {"flac": "sound", "svg": "picture"}  # files of an audition by their endings
NO_STEMS = frozenset({"manifest", "curves", "cover"})
# What `library.show` says of the music, not of the library or of this machine's folders.
ANALYSIS = (
    *("title", "artist", "duration_s", "bpm", "key", "camelot", "energy", "lufs", "peak_dbtp"),
    *("confidence", "confidences", "grid", "alternatives", "variable", "sections", "cues"),
    *("stems", "origins"),
)
_READ = Right("read")
_STATUSES = (404, 422, 500, 502, 503)


class Entry(msgspec.Struct, frozen=True):
    """A file of a track: its name, a folder of the library, and its path in there."""

    name: str
    folder: str
    path: str

    @property
    def ending(self) -> str:
        """The ending of its path, in lower case."""
        return PurePosixPath(self.path).suffix.lower()


class Files(msgspec.Struct, frozen=True):
    """What `library.files` says of a track."""

    track: int
    title: str
    artist: str
    files: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """Artist and title, as the name of a file."""
        both = " - ".join(filter(None, (self.artist, self.title)))
        return safe_name(both, f"track {self.track}")

    @property
    def stems(self) -> list[Entry]:
        """Its stems."""
        return [each for each in self.files if each.name not in NO_STEMS]

    def find(self, name: str) -> Entry:
        """Return a file by its name, with or without the ending.

        Raises
        ------
        Problem
            404 without such a file.
        """
        for each in self.files:
            if name in {each.name, f"{each.name}{each.ending}"}:
                return each
        there = ", ".join(each.name for each in self.files)
        raise Problem(404, f'track {self.track} has no file "{name:.60}"', f"it has {there}")

    def name_of(self, entry: Entry) -> str:
        """Return the name under which a file is saved."""
        return safe_name(f"{self.name} ({entry.name}){entry.ending}")


class TrackFiles:
    """The endpoints.

    Parameters
    ----------
    verbs : NamedVerbs
        Of backstage.
    """

    def __init__(self, verbs: NamedVerbs) -> None:
        self._verbs = verbs
        self._threads = ThreadPoolExecutor(THREADS, "files")
        self._encoders = Encoders()

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints."""
        return [
            Endpoint(
                "GET",
                "/files/{track}/{file}",
                "Send a file of a track: a stem by its name, cover, curves or manifest.",
                self._file,
                statuses=(*_STATUSES, 416),
                right=_READ,
                is_json=False,
                sends=BINARY,
                has_parts=True,
            ),
            Endpoint(
                "GET",
                "/export/stem/{id}",
                "Save a stem of a track; `12-vocals` is that of track 12.",
                self._stem,
                statuses=(*_STATUSES, 416),
                right=_READ,
                is_json=False,
                sends="audio/wav",
                has_parts=True,
                formats=FORMATS,
            ),
            Endpoint(
                "GET",
                "/export/stems/{track}",
                "Save all stems of a track as a zip archive.",
                self._stems,
                statuses=_STATUSES,
                right=_READ,
                rate=Rate.HEAVY,
                is_json=False,
                sends="application/zip",
                formats=FORMATS,
            ),
            Endpoint(
                "GET",
                "/export/master/{id}",
                "Save a master; `12` is that of job 12, `12-before` and `12-after` are to compare.",
                self._master,
                statuses=(*_STATUSES, 416),
                right=_READ,
                is_json=False,
                sends=BINARY,
                has_parts=True,
            ),
            Endpoint(
                "GET",
                "/export/loops/{job}",
                "Save the zip of a set of loops by the number of its job.",
                self._loops,
                statuses=(*_STATUSES, 416),
                right=_READ,
                is_json=False,
                sends=BINARY,
                has_parts=True,
            ),
            Endpoint(
                "GET",
                "/export/audition/{mix}/{file}",
                "Send an audition of a mix: `3.flac`, `3.svg` of a transition, `all.flac` of all.",
                self._audition,
                statuses=(*_STATUSES, 416),
                right=_READ,
                is_json=False,
                sends=BINARY,
                has_parts=True,
            ),
            Endpoint(
                "GET",
                "/export/analysis/{track}",
                "Save the analysis of a track as JSON.",
                self._analysis,
                statuses=_STATUSES,
                right=_READ,
            ),
        ]

    async def _file(self, exchange: Exchange) -> Response:
        files = await self._files(exchange, exchange.path["track"])
        return await self._send(exchange, files, files.find(exchange.path["file"]))

    async def _stem(self, exchange: Exchange) -> Response:
        number, _, name = exchange.path["id"].removesuffix(".wav").partition("-")
        files = await self._files(exchange, number)
        if name in NO_STEMS:
            raise Problem(404, f'"{name}" is not a stem', "see /files")
        if _format(exchange) == "flac":
            return await self._flac(exchange, files, files.find(name))
        return await self._send(exchange, files, files.find(name))

    async def _stems(self, exchange: Exchange) -> Response:
        files = await self._files(exchange, exchange.path["track"])
        if _format(exchange) == "flac":
            return await self._flacs(exchange, files)
        opened = await self._opened(files.stems)
        members = [
            Member(f"{files.name}/{files.name_of(stem)}", file.state.size, file.state.modified_s)
            for stem, file in zip(files.stems, opened, strict=True)
        ]
        saved = _saved(f"{files.name}.zip")
        return Archive(Layout(members), opened, self._threads, saved, exchange.recheck)

    async def _master(self, exchange: Exchange) -> Response:
        number, _, name = exchange.path["id"].partition("-")
        files = await self._of_job(exchange, "prep.mastered", number)
        return await self._send(exchange, files, files.find(name or "master"))

    async def _loops(self, exchange: Exchange) -> Response:
        files = await self._of_job(exchange, "loops.made", exchange.path["job"])
        return await self._send(exchange, files, files.find("zip"))

    async def _of_job(self, exchange: Exchange, method: str, number: str) -> Files:
        """Return the files that a job has made."""
        asked = {"job": number_in(number, "job")}
        shown = await self._verbs.show(exchange.actor, method, asked)
        try:
            return msgspec.convert({"track": 0, **shown, "artist": ""}, Files)
        except msgspec.ValidationError as error:
            raise Problem(502, f"backstage names files wrongly: {error}") from None

    async def _audition(self, exchange: Exchange) -> Response:
        number, _, ending = exchange.path["file"].partition(".")
        name = AUDITIONED.get(ending)
        if name is None:
            hint = "give 3.flac or 3.svg of a transition, all.flac or all.svg of the mix"
            raise Problem(404, f'no file "{exchange.path["file"]:.60}"', hint)
        asked: dict[str, Any] = {"name": exchange.path["mix"]}
        if number != "all":
            asked["transition"] = number_in(number, "transition")
        shown = await self._verbs.show(exchange.actor, "mix.auditioned", asked)
        title = f"{asked['name']} {number}"
        try:
            files = msgspec.convert({**shown, "track": 0, "title": title, "artist": ""}, Files)
        except msgspec.ValidationError as error:
            raise Problem(502, f"backstage names files wrongly: {error}") from None
        return await self._send(exchange, files, files.find(name))

    async def _flac(self, exchange: Exchange, files: Files, entry: Entry) -> Response:
        file = await in_thread(self._threads, entry.folder, entry.path)
        saved = {**_saved(_flac_name(files.name_of(entry))), "Accept-Ranges": "none"}
        shared = (None, [file], self._threads, 200, saved, MEDIA_TYPE, exchange.recheck)
        stem = FlacStem(*shared)
        try:
            self._begin(exchange, stem)
            if exchange.request.method != "HEAD":
                await stem.begin()
        except BaseException:
            stem.end()
            raise
        return stem

    async def _flacs(self, exchange: Exchange, files: Files) -> Response:
        opened = await self._opened(files.stems)
        saved = _saved(f"{files.name}.zip")
        kind = "application/zip"
        shared = (None, opened, self._threads, 200, saved, kind, exchange.recheck)
        archive = FlacArchive(*shared)
        try:
            check_sizes(opened)
            archive.members = [
                Member(f"{files.name}/{_flac_name(files.name_of(stem))}", 0, file.state.modified_s)
                for stem, file in zip(files.stems, opened, strict=True)
            ]
            self._begin(exchange, archive)
        except BaseException:
            archive.end()
            raise
        return archive

    def _begin(self, exchange: Exchange, pieces: Pieces) -> None:
        """Take a place for an encoder, until the answer is sent."""
        if exchange.request.method != "HEAD":
            pieces.on_end = self._encoders.take(exchange.actor.account)

    async def _opened(self, entries: Sequence[Entry]) -> list[OpenFile]:
        """Open all files of an archive, or none."""
        opening = [in_thread(self._threads, each.folder, each.path) for each in entries]
        found = await asyncio.gather(*opening, return_exceptions=True)
        opened = [each for each in found if isinstance(each, OpenFile)]
        for each in found:
            if isinstance(each, BaseException):
                for file in opened:
                    file.close()
                raise each
        return opened

    async def _analysis(self, exchange: Exchange) -> Response:
        shown = await self._call(exchange, "library.show", exchange.path["track"])
        kept = {name: shown[name] for name in ANALYSIS if name in shown}
        name = safe_name(f"{shown.get('name', 'track')} (analysis).json")
        body = msgspec.json.format(msgspec.json.encode(kept), indent=1)
        return Response(body, headers=_saved(name), media_type="application/json")

    async def _send(self, exchange: Exchange, files: Files, entry: Entry) -> Response:
        """Return a file or the part of it that is asked for; 304 if the client has it."""
        file = await in_thread(self._threads, entry.folder, entry.path)
        state, asked = file.state, exchange.request.headers
        headers = {
            "ETag": state.tag,
            "Last-Modified": state.modified,
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, no-cache",  # kept, and asked for again by its tag
        }
        try:
            if is_unchanged(asked, state):
                file.close()
                return Response(None, 304, headers)
            span = span_of(asked, state)
        except UnsatisfiableError:
            file.close()
            headers = {"Content-Range": f"bytes */{state.size}"}
            detail = f'range "{asked["range"]:.60}" of {state.size} bytes'
            raise Problem(416, detail, "ask for less", headers=headers) from None
        headers["Content-Disposition"] = attachment(files.name_of(entry))
        if span is not None:
            headers["Content-Range"] = f"bytes {span.first}-{span.end - 1}/{state.size}"
        status, part = (200, Span(0, state.size)) if span is None else (206, span)
        kind = TYPES.get(entry.ending, BINARY)
        return FilePart(file, part, self._threads, status, headers, kind, exchange.recheck)

    async def _files(self, exchange: Exchange, track: str) -> Files:
        try:
            return msgspec.convert(await self._call(exchange, "library.files", track), Files)
        except msgspec.ValidationError as error:
            raise Problem(502, f"backstage names files wrongly: {error}") from None

    async def _call(self, exchange: Exchange, name: str, track: str) -> Any:
        number = number_in(track, "track")
        return await self._verbs.show(exchange.actor, name, {"track": number})


def _format(exchange: Exchange) -> str:
    """Return the format that the query asks for.

    Raises
    ------
    Problem
        422 for another one.
    """
    if not exchange.request.scope["query_string"]:
        return FORMATS[0]
    given = exchange.request.query_params.getlist("format") or [FORMATS[0]]
    if len(given) > 1 or given[0] not in FORMATS:
        raise Problem(422, f'no format "{", ".join(given):.40}"', f"give {' or '.join(FORMATS)}")
    return given[0]


def _flac_name(name: str) -> str:
    return f"{name.removesuffix('.wav')}.flac"


def _saved(name: str) -> dict[str, str]:
    return {"Content-Disposition": attachment(name), "Cache-Control": "no-store"}
