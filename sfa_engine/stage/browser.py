"""Fill the rows of the list that surfaces show with the library's tracks, by name.

The first row is entry ``browse.position`` of the list. The library is queried only when the
position or a track has changed. The rows stay while backstage does not answer.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import trio

from sfa_engine.desk import DESK, Value
from sfa_engine.errors import Refused, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor

PERIOD_S = 1.0  # between two queries while many tracks change
RETRY_S = 5.0  # after an error
_BROWSE = DESK.browse


class Browser:
    """The browser's list.

    Parameters
    ----------
    runtime : pathlib.Path
        Where backstage's socket is.
    conductor : Conductor
    """

    def __init__(self, runtime: Path, conductor: Conductor) -> None:
        self._runtime = runtime
        self._conductor = conductor
        self._moved, self._wake = trio.Event(), trio.Event()
        conductor.listen(self._on_change)

    def _on_change(self, path: str, value: Value, _source: int) -> None:
        if path == _BROWSE.selected.path:
            self._show(int(value))
        if path == _BROWSE.position.path:
            self._moved.set()
            self._wake.set()

    def _show(self, entry: int) -> None:
        """Scroll the rows until they include an entry."""
        first = int(self._conductor.get(_BROWSE.position.path))
        shown = min(max(first, entry - len(_BROWSE.row) + 1), entry)
        if shown != first:
            self._conductor.set_nowait(_BROWSE.position.path, float(shown))

    def library_changed(self) -> None:
        """Request a refill of the rows."""
        self._wake.set()

    async def run(self) -> None:
        """Follow the position and the library until cancelled."""
        while True:
            self._moved, self._wake = trio.Event(), trio.Event()
            is_done = await self._fill()
            with trio.move_on_after(PERIOD_S):
                await self._moved.wait()
            with trio.move_on_after(math.inf if is_done else RETRY_S):
                await self._wake.wait()

    async def _fill(self) -> bool:
        """Show the library's tracks; return whether it answered."""
        first = int(self._conductor.get(_BROWSE.position.path))
        rows = len(_BROWSE.row)
        try:
            found = await ask_backstage(self._runtime, "library.search", limit=rows, offset=first)
        except SfaError:
            return False
        put = self._conductor.stage.put
        put(_BROWSE.length.path, float(min(found["count"], _BROWSE.length.scale.high)))
        tracks: list[dict[str, Any]] = found["tracks"]
        for number, row in _BROWSE.row.items():
            track = tracks[number - 1] if number <= len(tracks) else {}
            put(row.track.path, float(track.get("id", 0)))
            put(row.title.path, track.get("title") or "")
            put(row.artist.path, track.get("artist") or "")
            put(row.tempo.path, f"{track['bpm']:.1f}" if track.get("bpm") else "")
            put(row.key.path, track.get("camelot") or "")
        return True

    async def selected(self) -> int:
        """Return the number of the selected track.

        Raises
        ------
        Refused
            The list ends before it.
        EngineError
            Backstage does not answer.
        """
        entry = int(self._conductor.get(_BROWSE.selected.path))
        row = _BROWSE.row.get(entry - int(self._conductor.get(_BROWSE.position.path)) + 1)
        if row is not None and (track := int(self._conductor.get(row.track.path))):
            return track
        found = await ask_backstage(self._runtime, "library.search", limit=1, offset=entry)
        if not found["tracks"]:
            raise Refused("the list has no selected track", "move browse.selected")
        return int(found["tracks"][0]["id"])
