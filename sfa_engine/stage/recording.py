"""The recording as the stage has it: the control and the verbs; the host records.

``recorder.on`` is what is wanted. A host that died records again as soon as the next one runs, into
another file; one whose disk takes no more is not asked again.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import trio
from msgspec import Meta

from sfa_engine.desk.desk import DESK
from sfa_engine.engine.command import Source
from sfa_engine.errors import SfaError
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.host_link import ask_host
from sfa_engine.wire.verbs import Text, verb

logger = logging.getLogger(__name__)
RECORDER = DESK.recorder
ON = RECORDER.on.path
Bars = Annotated[float, Meta(gt=0, le=1024)]
Preroll = Annotated[float, Meta(ge=0, le=30)]


class Recording:
    """Serves ``record.*`` and ``capture``, and keeps the controls of the recorder.

    Parameters
    ----------
    runtime : pathlib.Path
    conductor : Conductor
    """

    def __init__(self, runtime: Path, conductor: Conductor) -> None:
        self._runtime = runtime
        self._conductor = conductor
        self._asking = trio.Lock()
        self._changed = trio.Event()
        self._follows = False  # from a press on until the host has done it
        self._host: int | None = None  # when the host started that was last asked
        conductor.listen(self._on_change)

    # ------------------------------------------------------------------ verbs

    @verb(scope="perform", slow=True, restricted={"path": "library"})
    async def record_start(
        self,
        path: Text = "",
        form: Text = "",
        decks: bool | None = None,
        stems: bool | None = None,
        split: bool | None = None,
        preroll_s: Preroll | None = None,
    ) -> dict[str, Any]:
        """Begin a recording of the master; ``form`` is flac, wav or float."""
        async with self._asking:
            get = self._conductor.get
            state = await ask_host(
                self._runtime,
                "record.start",
                path=path,
                form=form,
                decks=bool(get(RECORDER.decks.path)) if decks is None else decks,
                stems=bool(get(RECORDER.stems.path)) if stems is None else stems,
                split=split,
                preroll_s=preroll_s,
            )
            self.show(state)
        return state

    @verb(scope="perform", slow=True)
    async def record_stop(self) -> dict[str, Any]:
        """End the recording; answer with its files."""
        async with self._asking:
            state = await ask_host(self._runtime, "record.stop")
            self.show(state)
        return state

    @verb(scope="read", slow=True)
    async def record_status(self) -> dict[str, Any]:
        """Return the state of the recording, or of the last one; and what is kept to capture."""
        return await ask_host(self._runtime, "record.status")

    @verb(scope="perform", slow=True, restricted={"path": "library"})
    async def capture(
        self, source: Text, path: Text, bars: Bars | None = None, seconds: Bars | None = None
    ) -> dict[str, Any]:
        """Save the last bars, or seconds, of the master, a deck or a stem as a WAV of floats."""
        return await ask_host(
            self._runtime, "capture", source=source, path=path, bars=bars, seconds=seconds
        )

    # ------------------------------------------------------------------ control

    def _on_change(self, path: str, _value: Any, source: int) -> None:
        if path == ON and source != Source.STAGE:
            self._follows = True
            self._changed.set()

    async def run(self) -> None:
        """Start and stop as the switch says, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            await self._follow()
            self._follows = self._changed.is_set()

    async def _follow(self) -> None:
        wanted = bool(self._conductor.get(ON))
        try:
            state = await ask_host(self._runtime, "record.status")
            if bool(state["on"]) is not wanted:
                await (self.record_start() if wanted else self.record_stop())
        except SfaError as error:
            logger.warning("the recording was not %s: %s", "started" if wanted else "ended", error)
            if wanted:
                self._conductor.stage.put(ON, 0.0)

    def update(self, state: dict[str, Any] | None) -> None:
        """Show the state that the host has told; have a new host go on with a recording."""
        if state is None:
            return
        host = self._conductor.host_started_ns
        wanted = bool(self._conductor.get(ON))
        is_new, self._host = self._host != host, host
        if is_new and wanted and not state["on"] and not state["error"]:
            self._changed.set()
        elif not self._follows and not self._asking.locked():
            self.show(state)

    def show(self, state: dict[str, Any]) -> None:
        """Put the state of a recording onto the desk."""
        put = self._conductor.stage.put
        put(ON, float(bool(state["on"])))
        put(RECORDER.time.path, min(RECORDER.time.scale.high, float(state.get("time_s", 0.0))))
        put(RECORDER.lost.path, float(state.get("lost", 0)))
        put(RECORDER.bytes.path, float(state.get("bytes", 0)))
