"""A model's words while they come in: whole sentences, each checked before it is shown. Pure."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable

from sfa_engine.agents.plain_text import plain

OnPiece = Callable[[str], Awaitable[None] | None]
_SENTENCE_END = re.compile(r"[.!?…]\s+|\n")


class Preview:
    """Passes sentences on as they come in, until one of them may not be shown.

    Parameters
    ----------
    problem : callable
        Returns why a text may not be shown; empty if it may.
    on_piece : callable, optional
        Called with sentences.
    limit : int
        Characters of all that is shown.
    """

    def __init__(self, problem: Callable[[str], str], on_piece: OnPiece | None, limit: int) -> None:
        self._problem = problem
        self._on_piece = on_piece
        self._limit = limit
        self._rest = ""
        self._shown = 0

    def begin(self) -> None:
        """Forget what the round before has left."""
        self._rest = ""

    async def feed(self, text: str) -> None:
        """Take a piece over; show the sentences that it ends."""
        if self._on_piece is None:
            return
        self._rest += text
        ends = [each.end() for each in _SENTENCE_END.finditer(self._rest)]
        if ends:
            whole, self._rest = self._rest[: ends[-1]], self._rest[ends[-1] :]
            await self._show(whole)
        elif len(self._rest) > self._limit:
            self._on_piece = None

    async def end(self) -> None:
        """Show the last sentence."""
        await self._show(self._rest)
        self._rest = ""

    async def _show(self, text: str) -> None:
        if self._on_piece is None:
            return
        shown = plain(text, self._limit)
        self._shown += len(shown)
        if self._shown > self._limit or self._problem(shown):
            self._on_piece = None
            return
        if shown:
            ends_line = text.endswith("\n")
            waits = self._on_piece(shown + ("\n" if ends_line else " "))
            if inspect.isawaitable(waits):
                await waits
