"""The stage of a render: what a deck gets when it is loaded, and the controls of the stage.

The parts are those of the control process, on the kernel of the render: hot cues and the saved loop
of a bundle, memory cues, key match, tempo in BPM, corrections of the grid. Nothing is saved: a
render leaves the library as it is.

::

    script ──► set, press ──► Conductor ──► ring ──► kernel
                    └──► Keys, MemoryCues, GridEdits ──┘
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio

from sfa_engine.desk import DECK_NUMBERS, DECKS, DESK, Button, Value, find
from sfa_engine.engine.command import Source
from sfa_engine.errors import EngineError, Refused
from sfa_engine.host.decks import Decks
from sfa_engine.host.loader import Mounted
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.grid_edits import GridChange, GridEdits
from sfa_engine.stage.hotcues import HotCueChange, HotCues
from sfa_engine.stage.keys import Keys
from sfa_engine.stage.memory_cues import MemoryCue, MemoryCues
from sfa_engine.stage.outbox import Outbox
from sfa_engine.stage.place import place_s
from sfa_engine.stage.track_cues import TrackCues
from sfa_engine.track.grid import Grid

Message = TypeVar("Message", bound=msgspec.Struct)


class _Unsent(Outbox[Message]):
    """Messages for the library that stay in memory."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.state = {}
        self.is_damaged = False

    @property
    def is_saved(self) -> bool:
        return True

    def put(self, key: str, message: Message) -> None:
        self.messages.pop(key, None)
        self.messages[key] = message


class _Decks(Decks):
    """The decks of a kernel that runs in this thread: it takes a track when it is rendered on."""

    def _give(self, deck: int, mounted: Mounted | None, position_s: float) -> int:
        if mounted is not None:
            mounted.filled.wait()
            if mounted.error:
                raise EngineError(mounted.error)
        return self.loader.give_track(deck, mounted, position_s)


class OfflineStage:
    """Sets and presses controls in a render.

    Parameters
    ----------
    engine : Offline
    """

    def __init__(self, engine: Offline) -> None:
        self._engine = engine
        self._decks = _Decks(engine.memory, engine.loader)
        self.conductor = Conductor(engine.memory)
        self._keys = Keys(self.conductor)
        self._track_cues = [TrackCues()] * DECKS
        self._hotcues = HotCues(_Unsent[HotCueChange](), self.conductor)
        self._memory = MemoryCues(
            _Unsent[MemoryCue](),
            self.conductor,
            lambda deck: self._track_cues[deck - 1],
            self._now_s,
        )
        self._grids = GridEdits(
            _Unsent[GridChange](), self.conductor, self._ask, lambda _: None, self._now_s
        )
        self._buttons = {deck.key_match.path for deck in DESK.deck.values()}
        for number, deck in DESK.deck.items():
            for section, press in (
                (deck.memory, self._press_memory),
                (deck.grid, self._press_grid),
            ):
                for control in section.controls():
                    if isinstance(control, Button):
                        name = control.path.rpartition(".")[2]
                        self.conductor.on_press(control.path, partial(press, number, name))
                        self._buttons.add(control.path)

    def _now_s(self) -> float:
        return int(self._engine.memory.engine["emitted"]) / self._engine.rate

    # ------------------------------------------------------------------ tracks

    def load(self, deck: int, path: Path) -> Callable[[], None]:
        """Load a bundle on a deck, from 1; the kernel takes it at its next tick.

        Returns
        -------
        callable
            Sets the hot cues, the cue point and the loop of the track, when the kernel has it.
        """
        self._engine.loader.free_taken()
        loaded = self._decks.load(deck - 1, str(path))
        return partial(self._set_up, deck, loaded)

    def eject(self, deck: int) -> Callable[[], None]:
        """Eject a deck's track; return what to call when the kernel has done it."""
        self._decks.eject(deck - 1)
        return partial(self._set_up, deck, {})

    def _set_up(self, deck: int, loaded: dict[str, Any]) -> None:
        """Set what a track brings with it, as a load of the control process does."""
        put = partial(self.conductor.set_nowait, source=Source.HOST)
        cues = TrackCues.of({n: loaded[n] for n in TrackCues.__struct_fields__ if n in loaded})
        self._track_cues[deck - 1] = cues
        self.conductor.stage.show_track(deck, loaded, loaded.get("bpm"))
        self._hotcues.loaded(deck)
        self._memory.loaded(deck)
        if not loaded:
            return
        self._hotcues.put_on_deck(deck, cues.cues, self._hotcues.pending())
        if cues.cue_point is not None:
            put(f"deck{deck}.cue_point", cues.cue_point)
        if loop := loaded["loop"]:
            put(f"deck{deck}.loop.start", loop[0])
            put(f"deck{deck}.loop.end", loop[1])
            if self.conductor.get(f"deck{deck}.loop.on_load"):
                put(f"deck{deck}.loop.active", 1.0)
        if not self._engine.memory.engine["transport"][deck - 1]["playing"]:
            self._hotcues.stand_on(deck)

    # ------------------------------------------------------------------ controls

    def do(self, verb: str, path: str, value: Value, when: Any) -> int:
        """Set or press a control; return the ticket of its command, 0 if it has none.

        Parameters
        ----------
        verb : str
            ``set`` or ``press``.
        path : str
        value : float or str
            In the control's unit.
        when : see `Moment.parse`
            Controls of the stage that are not derived from the engine's act at once, without one.
        """
        if verb == "set":
            return self.conductor.set_nowait(path, value, when=when).ticket
        if find(path).owner != "stage":
            return self.conductor.press_nowait(path, value, when=when).ticket
        if path not in self._buttons:
            raise Refused(f"{path}: not in a render", "load a track with `load DECK TRACK`")
        self.conductor.pump()
        with self._standing_still():
            return self.conductor.press_nowait(path, value, when=when).ticket

    @contextmanager
    def _standing_still(self) -> Iterator[None]:
        """Let no time pass since the last block: positions are those of the sound."""
        engine = self._engine.memory.engine
        before = int(engine["monotonic_ns"])
        engine["monotonic_ns"] = 1 << 62
        try:
            yield
        finally:
            engine["monotonic_ns"] = before

    def _press_memory(self, deck: int, name: str, _number: float) -> None:
        if name in {"next", "previous"}:
            self._memory.step(deck, 1 if name == "next" else -1)
            return
        here_s = place_s(self._engine.memory, deck)
        if name == "delete":
            _run(partial(self._memory.delete, deck, here_s))
            return
        there = self._decks.grid(deck - 1)
        grid = None if there.get("grid") is None else msgspec.convert(there["grid"], Grid)
        _run(partial(self._memory.store, deck, here_s, grid, int(there.get("rate", 1))))

    def _press_grid(self, deck: int, name: str, number: float) -> None:
        self._engine.loader.free_taken()
        if name == "undo":
            _run(partial(self._grids.undo, deck))
        elif made := self._grids.make(deck, name, number):
            _run(partial(self._grids.correct, deck, *made))
        else:
            return
        for each in DECK_NUMBERS:  # the tempo that `bpm` counts with
            shown = self._decks.describe(each - 1)
            self.conductor.stage.show_track(each, shown, shown.get("bpm"))

    async def _ask(self, name: str, **params: Any) -> dict[str, Any]:
        """Answer what the host of an engine would."""
        if name == "grid":
            return self._decks.grid(**params)
        grid = params.pop("grid")
        made = None if grid is None else msgspec.convert(grid, Grid)
        return self._decks.set_grid(grid=made, **params)


def _run(work: Callable[[], Awaitable[None]]) -> None:
    """Run what the control process would do beside others."""
    trio.run(work)
