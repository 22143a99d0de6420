"""Answers with the bytes of files: a part of one, or several as a zip archive.

They are read piece by piece in threads. A client that reads slowly holds a piece and a descriptor,
no thread; one that is gone is noticed before the next piece.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sfa_engine.errors import SfaError
from sfa_engine.web.exchange import RECHECK_S
from sfa_engine.web.open_file import PIECE_BYTES, OpenFile
from sfa_engine.web.problem import Problem
from sfa_engine.web.ranges import Span
from sfa_engine.web.zip_layout import Layout

logger = logging.getLogger(__name__)
IS_FILE = "is_file"  # in the state of a request: a browser that plays a file may pause


class Pieces(Response):
    """An answer made of pieces, which has files open until it is sent.

    Parameters
    ----------
    size : int, optional
        Of all pieces, in bytes; None if it is not known.
    files : sequence of OpenFile
    threads : concurrent.futures.Executor
        That read them.
    status : int
    headers : mapping
    media_type : str
    recheck : callable
        Raises Problem if the client may not go on; asked every few seconds.

    Attributes
    ----------
    on_end : callable
        Called when it is sent, or given up.
    """

    def __init__(
        self,
        size: int | None,
        files: Sequence[OpenFile],
        threads: Executor,
        status: int,
        headers: Mapping[str, str],
        media_type: str,
        recheck: Callable[[], None],
    ) -> None:
        fields = dict(headers) if size is None else {**headers, "Content-Length": str(size)}
        super().__init__(None, status, fields, media_type)
        if size is None:
            del self.headers["content-length"]
        self.on_end: Callable[[], None] = lambda: None
        self._files = files
        self._threads = threads
        self._recheck = recheck
        self._checked_s = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; nothing but its head to a HEAD request."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        scope.setdefault("state", {})[IS_FILE] = True
        gone = asyncio.ensure_future(wait_gone(receive))
        try:
            await send({"type": "http.response.start", **start})
            if scope["method"] != "HEAD":
                async with aclosing(self._pieces()) as pieces:
                    async for piece in pieces:
                        if gone.done() or not self._is_allowed():
                            return  # the connection is closed
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except SfaError as error:  # the client gets less than was announced
            logger.error("%s: %s", scope["path"], error)  # noqa: TRY400 - one line
        finally:
            gone.cancel()
            self.end()

    def end(self) -> None:
        """Close its files, and give back its place."""
        self.on_end()
        for file in self._files:
            file.close()

    def _is_allowed(self) -> bool:
        """Return whether the client may still have the rest."""
        if time.monotonic() - self._checked_s > RECHECK_S:
            self._checked_s = time.monotonic()
            try:
                self._recheck()
            except Problem:
                return False
        return True

    def _pieces(self) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError

    async def _read(self, file: OpenFile, at: int, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, file.read, at, min(count, PIECE_BYTES))


class FilePart(Pieces):
    """A file, or a part of it.

    Parameters
    ----------
    file : OpenFile
    span : Span
    threads : concurrent.futures.Executor
    status : int
    headers : mapping
    media_type : str
    recheck : callable
    """

    def __init__(
        self,
        file: OpenFile,
        span: Span,
        threads: Executor,
        status: int,
        headers: Mapping[str, str],
        media_type: str,
        recheck: Callable[[], None],
    ) -> None:
        super().__init__(span.length, [file], threads, status, headers, media_type, recheck)
        self._span = span

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        at = self._span.first
        while at < self._span.end:
            piece = await self._read(self._files[0], at, self._span.end - at)
            at += len(piece)
            yield piece


class Archive(Pieces):
    """Files as a zip archive.

    Parameters
    ----------
    layout : Layout
    files : sequence of OpenFile
        Its members.
    threads : concurrent.futures.Executor
    headers : mapping
    recheck : callable
    """

    def __init__(
        self,
        layout: Layout,
        files: Sequence[OpenFile],
        threads: Executor,
        headers: Mapping[str, str],
        recheck: Callable[[], None],
    ) -> None:
        super().__init__(layout.size, files, threads, 200, headers, "application/zip", recheck)
        self._layout = layout

    async def _read_summed(
        self, file: OpenFile, at: int, count: int, crc: int
    ) -> tuple[bytes, int]:
        def work() -> tuple[bytes, int]:
            piece = file.read(at, min(count, PIECE_BYTES))
            return piece, zlib.crc32(piece, crc)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        crcs = []
        for member, file in zip(self._layout.members, self._files, strict=True):
            yield self._layout.header(member)
            at = crc = 0
            while at < member.size:
                piece, crc = await self._read_summed(file, at, member.size - at, crc)
                at += len(piece)
                yield piece
            crcs.append(crc)
            yield self._layout.descriptor(member, crc)
        yield self._layout.directory(crcs)


async def wait_gone(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
