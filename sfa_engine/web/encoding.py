"""Answers whose bytes a worker program makes as they are sent: stems as FLAC, one or a zip of them.

::

    open WAV ─► stdin of `sfa_engine.prep.flac` (a process) ─► pipe ─► pieces of the answer

The length is not known before the end, so there are no parts and no Content-Length. An encoder
waits while its client does not read, and ends with the answer.
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from sfa_engine.errors import BusyError, WorkerError
from sfa_engine.web.open_file import PIECE_BYTES, OpenFile
from sfa_engine.web.problem import Problem
from sfa_engine.web.sending import Pieces
from sfa_engine.web.zip_layout import LIMIT, Layout, Member

MAX_ENCODERS = 4  # at once
MAX_OF_ONE = 2  # account
PROGRAM = "sfa_engine.prep.flac"
MAX_SOURCE = LIMIT - LIMIT // 8  # bytes of a file in a zip: its FLAC stays below what zip64 is for
MEDIA_TYPE = "audio/flac"


class Encoders:
    """Counts the encoders that run."""

    def __init__(self) -> None:
        self._running: Counter[int] = Counter()  # by account

    def take(self, account: int) -> Callable[[], None]:
        """Take a place for an encoder; return what gives it back.

        Raises
        ------
        BusyError
            There are too many.
        """
        if self._running.total() >= MAX_ENCODERS or self._running[account] >= MAX_OF_ONE:
            raise BusyError("too many stems are encoded at once", "repeat it, or ask for WAV")
        self._running[account] += 1

        def give() -> None:
            self._running[account] -= 1
            self._running += Counter()  # without zeros

        return give


def check_sizes(files: Sequence[OpenFile]) -> None:
    """Refuse files whose FLAC may be too long for the archive.

    Raises
    ------
    Problem
        422.
    """
    if any(file.state.size > MAX_SOURCE for file in files):
        raise Problem(422, "a stem is too long for a zip of FLAC", "ask for WAV")


async def encoded(file: OpenFile) -> AsyncGenerator[bytes, None]:
    """Yield the pieces of a WAV file as FLAC.

    Raises
    ------
    WorkerError
        The encoder failed.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: SubprocessStreamProtocol(PIECE_BYTES, loop),
        *(sys.executable, "-m", PROGRAM),
        stdin=file.descriptor,
        stdout=PIPE,
        stderr=None,
    )
    process = Process(transport, protocol, loop)
    assert process.stdout is not None
    try:
        while piece := await process.stdout.read(PIECE_BYTES):
            yield piece
        if await process.wait():
            raise WorkerError(f"the encoder ended with {process.returncode}", "see the web log")
    finally:
        transport.close()  # which kills it
        await process.wait()


class FlacStem(Pieces):
    """A stem as FLAC; see `Pieces`."""

    _made: AsyncGenerator[bytes, None] | None = None
    _first = b""

    async def begin(self) -> None:
        """Make the first piece: what fails at once is an error, not an answer without an end.

        Raises
        ------
        WorkerError
            The encoder failed.
        """
        self._made = encoded(self._files[0])
        self._first = await anext(self._made, b"")

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        assert self._made is not None
        async with aclosing(self._made):
            yield self._first
            async for piece in self._made:
                yield piece


class FlacArchive(Pieces):
    """Stems as FLAC in a zip archive; see `Pieces`.

    Attributes
    ----------
    members : sequence of Member
        Their sizes are set when they are known.
    """

    members: Sequence[Member] = ()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        done: list[Member] = []
        crcs: list[int] = []
        layout = Layout([])
        for member, file in zip(self.members, self._files, strict=True):
            yield layout.header(member)
            size = crc = 0
            async with aclosing(encoded(file)) as pieces:
                async for piece in pieces:
                    size, crc = size + len(piece), zlib.crc32(piece, crc)
                    yield piece
            done.append(Member(member.name, size, member.modified_s))
            crcs.append(crc)
            yield layout.descriptor(done[-1], crc)
        yield Layout(done).directory(crcs)
