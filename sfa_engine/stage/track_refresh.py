"""Refresh decks when the library changes their tracks: hot cues, grid, names.

::

    backstage: track changed ──► deck with this bundle ─┐
    backstage reconnects ──────► every deck ────────────┼─► refresh, retried until it is done
    the stage starts ──────────► every deck ────────────┘

One connection to backstage is kept for this, and reopened whenever it breaks: then every deck is
refreshed once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import trio

from sfa_engine.desk import DECKS
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import SfaError
from sfa_engine.stage.backstage_link import absent
from sfa_engine.stage.hotcues import bundle_of
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.wire import trio_io
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.stream import Answer, Notification

CONNECT_RETRY_S = 1.0  # while backstage is down
REFRESH_RETRY_S = 0.5  # while the host is down, or reads the track

Refresh = Callable[[int], Awaitable[bool]]  # deck from 0 -> whether it is done


class TrackRefresh:
    """Watches the library, and refreshes decks.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of backstage's socket.
    memory : callable
        Returns the engine's memory.
    refresh : callable
    library_changed : callable
        Called when anything in the library may have changed.
    """

    def __init__(
        self,
        runtime: Path,
        memory: Callable[[], Memory],
        refresh: Refresh,
        library_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._runtime = runtime
        self._memory = memory
        self._refresh = refresh
        self._library_changed = library_changed
        self._stale = [trio.Event() for _ in range(DECKS)]
        self.mark_all()

    def mark(self, deck: int) -> None:
        """Request a refresh of a deck, from 0."""
        self._stale[deck].set()

    def mark_all(self) -> None:
        """Request a refresh of every deck."""
        for deck in range(DECKS):
            self.mark(deck)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with trio.open_nursery() as nursery:
            for deck in range(DECKS):
                nursery.start_soon(self._keep_fresh, deck)
            while True:
                with suppress(SfaError):
                    path, caller = self._runtime / BACKSTAGE_SOCKET, Caller("backstage", "stage")
                    await trio_io.watch(
                        path, caller, "library.watch", {}, self._on_event, absent=absent()
                    )
                await trio.sleep(CONNECT_RETRY_S)

    def _on_event(self, event: Answer | Notification) -> None:
        self._library_changed()
        if isinstance(event, Answer):
            self.mark_all()
        elif event.method == "track":
            for deck in range(DECKS):
                if Path(bundle_of(self._memory(), deck + 1)).name == event.params["bundle"]:
                    self.mark(deck)

    async def _keep_fresh(self, deck: int) -> None:
        while True:
            await self._stale[deck].wait()
            self._stale[deck] = trio.Event()
            try:
                is_done = await self._refresh(deck)
            except SfaError:
                is_done = False
            if not is_done:
                await trio.sleep(REFRESH_RETRY_S)
                self.mark(deck)
