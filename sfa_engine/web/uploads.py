"""``PUT /api/uploads/{name}``: a sound file from a client, into the library.

::

    body ──► uploads/.sfa-part-…-NAME ──fsync, rename──► uploads/NAME ──prep.add──► jobs

A file appears whole or not at all: a broken connection, a full disk or a kill leaves nothing.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sfa_engine.errors import EngineError
from sfa_engine.system.atomic import atomic_file, clean_leftovers
from sfa_engine.system.file_names import safe_name
from sfa_engine.system.sound_files import SOUND_FILES
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.exchange import RECHECK_S, Exchange, answer
from sfa_engine.web.limits import Rate
from sfa_engine.web.named_verbs import NamedVerbs
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Actor, Right, may

FOLDER = "uploads"  # in the data folder
MAX_OF_ONE = 3  # uploads of an account at once
MAX_ALL = 12
WRITERS = 4  # threads
IDLE_S = 30.0  # without a byte
GRACE_S = 60.0  # before the rate counts
MIN_BYTES_PER_S = 64 * 1024  # on average; a file of 2 GiB may take nine hours
PIECE_BYTES = 1 << 20  # written at once
KEPT_FREE_BYTES = 256 << 20  # of the disk, for what is recorded and written down of the set
QUEUE_S = 20.0  # for backstage to be there again
QUEUE_RETRY_S = 0.5
BINARY = "application/octet-stream"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSE = {"Connection": "close"}  # the rest of the body is not read
Entered = TypeVar("Entered")


class Uploads:
    """The endpoint, and the files that are being received.

    Parameters
    ----------
    verbs : NamedVerbs
        Of backstage.
    folder : pathlib.Path
        Of the files; made with the first one.
    limit_mb : int
        Size of the largest file.
    """

    def __init__(self, verbs: NamedVerbs, folder: Path, limit_mb: int) -> None:
        self._verbs = verbs
        self._folder = folder
        self._limit_mb = limit_mb
        self._threads = ThreadPoolExecutor(WRITERS, "uploads")
        self._running: Counter[int] = Counter()  # by account
        self._taken: set[Path] = set()

    def clean(self) -> None:
        """Delete what a killed process had received in part; blocks."""
        clean_leftovers(self._folder)

    def close(self) -> None:
        """End the threads, when they have written what they have."""
        self._threads.shutdown()

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoint."""
        return [
            Endpoint(
                "PUT",
                "/api/uploads/{name}",
                "Receive a sound file as the body, and queue its import; the answer has the jobs.",
                self._put,
                statuses=(400, 408, 413, 415, 422, 500, 502, 503, 507),
                right=Right("prepare"),
                rate=Rate.HEAVY,
                success=202,
                takes=BINARY,
            )
        ]

    async def _put(self, exchange: Exchange) -> Response:
        name = _checked_name(exchange.path["name"])
        _check_encoding(exchange.request)
        if not may(exchange.actor, self._verbs.get("prep.add").right):
            raise Problem(403, "prep.add is not allowed", code="forbidden", headers=_CLOSE)
        with self._counted(exchange.actor.account):
            await self._in_thread(self._prepare, exchange.request)
            with self._reserved(name) as target:
                await self._receive(exchange, target)
                try:
                    queued = await self._queue(exchange.actor, target)
                except BaseException:
                    await self._in_thread(target.unlink)
                    raise
        response = answer({**queued, "file": target.name}, 202)
        if queued.get("jobs"):
            response.headers["Location"] = f"/api/jobs/show?job={queued['jobs'][0]}"
        return response

    @contextmanager
    def _counted(self, account: int) -> Iterator[None]:
        """Count an upload while it lasts; refuse too many."""
        if self._running[account] >= MAX_OF_ONE or self._running.total() >= MAX_ALL:
            headers = {"Retry-After": "10", **_CLOSE}
            hint = "wait until one has ended"
            raise Problem(429, "too many uploads at once", hint, headers=headers)
        self._running[account] += 1
        try:
            yield
        finally:
            self._running[account] -= 1

    @contextmanager
    def _reserved(self, name: str) -> Iterator[Path]:
        """Yield a path that no file has, and no other upload gets."""
        number, target = 1, self._folder / name
        stem, ending = target.stem, target.suffix
        while target in self._taken or target.exists():
            number += 1
            target = self._folder / f"{stem} ({number}){ending}"
        self._taken.add(target)
        try:
            yield target
        finally:
            self._taken.discard(target)

    def _prepare(self, request: Request) -> None:
        """Make the folder; refuse what is too long for the limit or the disk."""
        length = request.headers.get("content-length", "0")
        size = int(length[:19]) if length.isdecimal() else 0
        if size > self._limit_mb << 20:
            raise self._too_long()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            free = _free(self._folder)
        except OSError as error:
            raise _unwritten(error) from None
        if size > free:
            raise _full(f"the file has {size} bytes, and there is room for {free}")

    async def _receive(self, exchange: Exchange, target: Path) -> None:
        """Write the body to a file.

        Raises
        ------
        Problem
            It is too long, too slow, empty or broken off, the disk is full, or its sender may not
            send it any more; there is no file.
        """
        try:
            async with self._entered(atomic_file(target)) as part:
                await self._write(exchange, part)
        except OSError as error:
            raise _full("the disk is full") if error.errno in _FULL else _unwritten(error) from None

    async def _write(self, exchange: Exchange, part: Path) -> None:
        received = 0
        checked_s = time.monotonic()
        buffer = bytearray()
        try:
            async for chunk in _in_time(exchange.request):
                if time.monotonic() - checked_s > RECHECK_S:
                    _recheck(exchange)
                    checked_s = time.monotonic()
                received += len(chunk)
                if received > self._limit_mb << 20:
                    raise self._too_long()
                buffer += chunk
                if len(buffer) >= PIECE_BYTES:
                    await self._in_thread(_append, part, bytes(buffer))
                    buffer.clear()
        except TimeoutError:
            hint = f"send {MIN_BYTES_PER_S} bytes a second, or more"
            raise Problem(408, "the file arrives too slowly", hint, headers=_CLOSE) from None
        except ClientDisconnect:
            raise Problem(400, "the file ended too early") from None
        if not received:
            raise Problem(422, "the file is empty", "send it as the body")
        await self._in_thread(_append, part, bytes(buffer))
        _recheck(exchange)

    async def _queue(self, actor: Actor, target: Path) -> dict[str, Any]:
        """Queue the import of a file; wait for backstage if it is started again meanwhile."""
        give_up_s = asyncio.get_running_loop().time() + QUEUE_S
        while True:
            try:
                queued = await self._verbs.send(actor, "prep.add", {"sources": [str(target)]})
            except EngineError:
                if asyncio.get_running_loop().time() > give_up_s:
                    raise
                await asyncio.sleep(QUEUE_RETRY_S)
            else:
                return dict(queued)

    @asynccontextmanager
    async def _entered(self, manager: AbstractContextManager[Entered]) -> AsyncIterator[Entered]:
        """Enter and leave a context in a thread; it is left even if this is cancelled."""
        entered = await self._in_thread(manager.__enter__)
        try:
            yield entered
        except BaseException as error:
            leave = self._in_thread(manager.__exit__, type(error), error, error.__traceback__)
            await asyncio.shield(leave)
            raise
        await self._in_thread(manager.__exit__, None, None, None)

    def _in_thread(self, function: Callable[..., Any], *of: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *of)

    def _too_long(self) -> Problem:
        hint = "set upload_mb in [web] of the configuration"
        detail = f"the file has more than {self._limit_mb} MiB"
        return Problem(413, detail, hint, headers=_CLOSE)


async def _in_time(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces; raise TimeoutError if they are too slow."""
    loop = asyncio.get_running_loop()
    began_s, received = loop.time(), 0
    pieces = request.stream()
    while True:
        due_s = began_s + GRACE_S + received / MIN_BYTES_PER_S
        async with asyncio.timeout_at(min(due_s, loop.time() + IDLE_S)):
            piece = await anext(pieces, None)
        if piece is None:
            return
        received += len(piece)
        yield piece


def _recheck(exchange: Exchange) -> None:
    """Refuse the rest of a file whose sender is signed out or suspended."""
    try:
        exchange.recheck()
    except Problem as problem:
        problem.headers = {**problem.headers, **_CLOSE}
        raise


def _checked_name(given: str) -> str:
    """Return the name of a file, made safe; refuse what is not imported."""
    name = safe_name(given)
    if Path(name).suffix.lower() not in SOUND_FILES:
        endings = " ".join(sorted(SOUND_FILES))
        detail = f'"{given:.100}" is not the name of a sound file'
        raise Problem(415, detail, f"it ends in one of {endings}", headers=_CLOSE)
    return name


def _check_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Problem(415, f'the body is "{encoding:.40}"', "send it as it is", headers=_CLOSE)


def _free(folder: Path) -> int:
    """Return how many bytes may be written."""
    return max(0, shutil.disk_usage(folder).free - KEPT_FREE_BYTES)


def _append(part: Path, data: bytes) -> None:
    if len(data) > _free(part.parent):
        raise OSError(errno.ENOSPC, "the rest of the disk is kept free")
    with part.open("ab") as file:
        file.write(data)


def _full(detail: str) -> Problem:
    return Problem(507, detail, "make room on the disk of the data folder", headers=_CLOSE)


def _unwritten(error: OSError) -> Problem:
    hint = "check the permissions of the data folder"
    return Problem(503, f"the file cannot be written: {error.strerror}", hint, headers=_CLOSE)
