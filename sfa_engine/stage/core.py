"""The stage's interface to surfaces: all verbs, delegated to its parts.

Surfaces export the methods that `verb` marks; ``deck_load`` is ``deck.load`` on the socket.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import trio
from msgspec import Meta, convert, structs

from sfa_engine.desk import CONTROLS, DECK_NUMBERS, DECKS, DESK, Button, Control, find
from sfa_engine.desk.control import Name
from sfa_engine.engine.audible import is_playing
from sfa_engine.engine.command import Source
from sfa_engine.engine.command import When as Timing
from sfa_engine.engine.intents import Moment, path_of
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, Refused, SfaError
from sfa_engine.stage.automation import Automation
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.browser import Browser
from sfa_engine.stage.clocks import describe_clocks
from sfa_engine.stage.conductor import Conductor, Done, readings_of
from sfa_engine.stage.cue_names import Place, find_place, places_of
from sfa_engine.stage.derived import SYNC_OF
from sfa_engine.stage.effects import Effects
from sfa_engine.stage.grid_edits import GridChange, GridEdits
from sfa_engine.stage.health import LATELY_S, Facts, Misses, judge
from sfa_engine.stage.host_link import ask_host
from sfa_engine.stage.hotcues import HotCueChange, HotCueMap, HotCues, bundle_of
from sfa_engine.stage.keys import Keys
from sfa_engine.stage.memory_cues import MemoryCue, MemoryCues
from sfa_engine.stage.midi_link import MidiLink
from sfa_engine.stage.midi_ports import ExternalPorts
from sfa_engine.stage.outbox import Outbox
from sfa_engine.stage.outcome import Failures, Outcome
from sfa_engine.stage.pads import Pads
from sfa_engine.stage.pending_load import PendingLoads
from sfa_engine.stage.place import place_s
from sfa_engine.stage.plays import Plays
from sfa_engine.stage.presets import Presets
from sfa_engine.stage.raw_bus import RawBus
from sfa_engine.stage.recording import Recording
from sfa_engine.stage.restarts import Restarts
from sfa_engine.stage.session_lock import SessionLock
from sfa_engine.stage.state_log import StateLog
from sfa_engine.stage.trace import Trace
from sfa_engine.stage.track_cues import TrackCue, TrackCues
from sfa_engine.stage.track_refresh import TrackRefresh
from sfa_engine.stage.wake import Wake
from sfa_engine.system.runtime_files import ENGINE_MEMORY, RESTARTS, STAGE_VALUES
from sfa_engine.track.cue_kind import library_kind
from sfa_engine.track.grid import Grid
from sfa_engine.track.media import MANIFEST
from sfa_engine.wire.verbs import GIVEN, Bound, Text, exported, verb

logger = logging.getLogger(__name__)
SUFFIX = ".sfa"  # of a bundle's folder, usually
HOTCUES = "hotcues-pending.json"
MEMORY_CUES = "memory-cues-pending.json"
GRIDS = "grids-pending.json"
PLAYS = "plays-pending.json"
SAVE_TIMEOUT_S = 1.0  # that the answer to a label waits for a disk that hangs
OMITTED = frozenset({"digest"})  # of the host's decks in a status
INFO_S = 1.0
LIBRARY_TIMEOUT_S = 0.25  # for the library's hot cues at a load; then the bundle's are used
MAX_RUNNING = 64  # of what buttons have started; a controller sends up to 1500 presses a second
SHORT_RETRY_S = 0.05  # while the host is not running

Deck = Annotated[int, Meta(ge=1, le=DECKS)]
Value = Annotated[
    float | int | bool | str | None,
    Meta(description="a number in the control's unit, true or false, or a text"),
]
When = Annotated[
    str | int | None,
    Meta(description="a moment: now, an engine frame, or beat, bar or phrase and perhaps a deck"),
]
FromServer = Annotated[int, GIVEN]
CommandId = Annotated[int, Meta(ge=0, le=2**53)]


class Core:
    """The stage's verbs.

    Parameters
    ----------
    runtime : pathlib.Path
        Where the engine's memory and the sockets are.
    device : str
        The configured device.
    data : pathlib.Path, optional
        Folder of what survives a reboot; the runtime folder without one.
    """

    def __init__(self, runtime: Path, device: str = "default", data: Path | None = None) -> None:
        self._runtime = runtime
        self._device = device
        self.conductor = Conductor(self._open(), runtime / STAGE_VALUES)
        self.runtime = runtime
        self.data = data or runtime
        self.midi = MidiLink(self.conductor)
        self._trace = Trace()
        self.surface_verbs: dict[str, Bound] = exported(self._trace)
        self.surface_errors: list[str] = []
        self.external_ports = ExternalPorts()
        self.raw_bus = RawBus()
        self._wake = Wake(runtime)
        self._host: dict[str, Any] = {}
        self._misses = Misses()
        self._log = StateLog()
        self._restarted = Restarts(runtime / RESTARTS)
        self._count_misses()
        self._loading = [trio.Lock() for _ in DECK_NUMBERS]
        # Requests for each deck: the last received, and the last done.
        self._requested, self._done = [0] * DECKS, [0] * DECKS
        self._lock = SessionLock(self.conductor)
        self._browser = Browser(runtime, self.conductor)
        self._keys = Keys(self.conductor)
        self._effects = Effects(runtime, self.data, self.conductor)
        self.add_verbs(self._effects)
        self.add_verbs(Automation(self.conductor))
        self._hotcues = HotCues(
            Outbox(runtime, self.data / HOTCUES, HotCues.VERB, HotCueChange), self.conductor
        )
        self._track_cues = [TrackCues()] * DECKS
        self._memory = MemoryCues(
            Outbox(runtime, self.data / MEMORY_CUES, MemoryCues.VERB, MemoryCue),
            self.conductor,
            lambda deck: self._track_cues[deck - 1],
        )
        self._cue_points: list[float | None] = [None] * DECKS  # from the library
        self._auto_trims: list[float | None] = [None] * DECKS  # as automatic gain set them last
        self._unseen = set(range(DECKS))  # decks loaded by an earlier stage
        self._plays = Plays(runtime, (data or runtime) / PLAYS, self.conductor)
        self._pending = PendingLoads(runtime, self._load_prepared)
        self._tracks = TrackRefresh(
            runtime, lambda: self.conductor.memory, self._refresh, self._browser.library_changed
        )
        self._grids = GridEdits(
            Outbox(runtime, self.data / GRIDS, GridEdits.VERB, GridChange),
            self.conductor,
            partial(ask_host, runtime),
            self._tracks.mark,
        )
        self._pads = Pads(runtime, self.conductor)
        self.add_verbs(self._pads)
        for number, pad in DESK.pad.items():
            self.conductor.on_press(pad.capture.path, partial(self._press_capture, number))

        self._presets = Presets(runtime, self.conductor)
        self.add_verbs(self._presets)

        self.recording = Recording(runtime, self.conductor)
        self.add_verbs(self.recording)

        self._nursery: trio.Nursery | None = None
        self._running = 0  # of what buttons have started
        self._failures = Failures()
        for number in DECK_NUMBERS:
            button = f"deck{number}.load_selected"
            self.conductor.on_press(button, partial(self._load_selected, number))
            for part, press in (("memory", self._press_memory), ("grid", self._press_grid)):
                for control in getattr(DESK.deck[number], part).controls():
                    if isinstance(control, Button):
                        self.conductor.on_press(control.path, partial(press, number, control))
        self.conductor.on_press(DESK.preset.recall.path, self._recall_program)

    def _open(self) -> Memory:
        memory = Memory.open(self._runtime / ENGINE_MEMORY)
        if not float(memory.engine["sample_rate"]):
            raise EngineError("the audio process is still opening its device", "wait a moment")
        return memory

    def add_verbs(self, owner: object) -> None:
        """Serve a surface's verbs, or a part's, on the control socket, to later clients."""
        self.surface_verbs |= exported(owner)

    # ------------------------------------------------------------------ life

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Process reports, and poll the host, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._pump)
            nursery.start_soon(self._wake.run)
            nursery.start_soon(self.midi.run)
            nursery.start_soon(self._hotcues.run)
            nursery.start_soon(self._memory.run)
            nursery.start_soon(self._grids.run)
            nursery.start_soon(self._plays.run)
            nursery.start_soon(self._pending.run)
            nursery.start_soon(self._pads.run)
            nursery.start_soon(self._browser.run)
            nursery.start_soon(self._effects.run)
            nursery.start_soon(self.recording.run)
            with trio.move_on_after(INFO_S):  # so that the first status has the decks' tracks
                await self._poll_host()
            nursery.start_soon(self._tracks.run)
            task_status.started()
            while True:
                await trio.sleep(INFO_S if self._host else SHORT_RETRY_S)
                await self._poll_host()

    async def _pump(self) -> None:
        while True:
            reports = self.conductor.pump()
            self._log.ladder(reports)
            self._trace.take(reports)
            self.midi.wake()
            await self._wake.wait(self.conductor.host_started_ns)

    async def _poll_host(self) -> None:
        """Attach to a new engine memory, and update the host's info."""
        try:
            if (self._runtime / ENGINE_MEMORY).stat().st_ino != self.conductor.memory.inode:
                self.conductor.attach(self._open())
            before = self._host
            info = await ask_host(self._runtime, "info")
            if self._host is before:  # else a load in between has newer info
                self._host = info
                self._show_tracks(info)
                self.recording.update(info.get("record"))
        except (OSError, SfaError):
            self._host = {}
        self._lock.update()  # in case a report was lost
        if self._host:
            self._log.host(self._host)
        self._count_misses()
        self._log.health(*self._judge(readings_of(self.conductor.memory)))

    def _count_misses(self) -> None:
        engine = self.conductor.memory.engine
        host, late = int(engine["host_started_ns"]), int(engine["late"])
        missed = int(engine["device_misses"])
        self._misses.count(host, late + missed, time.monotonic())
        self._log.misses(host, late, missed)

    # ------------------------------------------------------------------ verbs

    @verb(scope="read")
    def describe(self, planned: bool = True) -> dict[str, Any]:
        """Return every control with all that a client needs."""
        return {"controls": _controls(planned)}

    @verb(scope="read")
    def get(self, path: Text) -> dict[str, Any]:
        """Return a control's value, in its unit and as text."""
        value = self.conductor.get(path)
        control = find(path)
        return {"path": path, "value": control.wire(value), "text": control.text(value)}

    @verb(scope="perform", slow=lambda given: given["wait"] and given["when"] not in {None, "now"})
    def set(
        self,
        path: Text,
        value: Value,
        when: When = None,
        wait: bool = False,
        keep: bool = False,
        source: FromServer = 0,
    ) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        """Set a control, now or at a moment; ``wait`` answers when it has been done.

        A control that springs back (``momentary``) is released when its client leaves; with
        ``keep`` it stays as it is. The tempo of a deck that follows another stays as well: the
        answer has it, and not the value that was sent.
        """
        control = find(path)
        done = self.conductor.set_nowait(path, value, source, when)
        if keep:
            self.conductor.holds.drop(path)
        if wait or (control.verb and control.refusable):
            return self._answer(path, done, wait=wait)
        if when in {None, "now"} and self._may_be_followed(path):
            return self._answer(path, done, wait=True)
        if isinstance(control, Name):
            return self._save_text(path, done)
        return _result(path, done)

    def _may_be_followed(self, path: str) -> bool:
        """Return whether a control is the tempo of a deck that may follow another."""
        sync = SYNC_OF.get(path)
        return sync is not None and bool(self.conductor.get(sync))

    async def _answer(self, path: str, done: Done, *, wait: bool = False) -> dict[str, Any]:
        return _result(path, await self.conductor.answer(path, done, wait=wait))

    async def _save_text(self, path: str, done: Done) -> dict[str, Any]:
        """Answer when a text is on the disk."""
        await self._hotcues.wait_saved(SAVE_TIMEOUT_S)
        return _result(path, done)

    @verb(scope="perform")
    async def press(
        self,
        path: Text,
        value: Value = None,
        when: When = None,
        keep: bool = False,
        source: FromServer = 0,
    ) -> dict[str, Any]:
        """Press a button, now or at a moment.

        A button that is ``held`` is released when its client leaves; with ``keep`` it stays
        pressed.
        """
        done = self.conductor.press_nowait(path, value, source, when)
        if keep:
            self.conductor.holds.drop(path)
        return await self._answer(path, done)

    @verb(scope="read")
    def deck_cues(self, deck: Deck) -> dict[str, Any]:
        """Return the places of a deck's track that `deck.cue` jumps to: cues and sections."""
        return {
            "places": [
                {
                    "position_s": each.position_s,
                    "end_s": each.end_s,
                    "name": each.name,
                    "names": list(each.names),
                    "what": each.what,
                    "hot_cue": each.hot_cue,
                }
                for each in self._places(deck)
            ]
        }

    @verb(scope="perform")
    async def deck_cue(
        self, deck: Deck, name: Text, when: When = None, source: FromServer = 0
    ) -> dict[str, Any]:
        """Jump to a hot cue, a memory cue or a section by its name, its kind or its number.

        ``drop`` is the first place that is called so, ``break 2`` the second of its kind.
        """
        if not bundle_of(self.conductor.memory, deck):
            raise Refused(f"there is no track on deck {deck}", "load one")
        found = find_place(self._places(deck), name)
        if found.hot_cue is not None:
            path = f"deck{deck}.hotcue{found.hot_cue}.press"
            done = await self.conductor.press(path, None, source, when)
        else:
            kind = "cue" if found.end_s is None else "loop"
            label = found.names[0] if found.names else ""
            cue = TrackCue(found.position_s, found.end_s, kind, label=label)
            jumped = self._memory.jump(deck, cue, when)
            done = await self.conductor.answer(f"deck{deck}.position", jumped)
        return {
            "name": found.name,
            "what": found.what,
            "hot_cue": found.hot_cue,
            "position_s": found.position_s,
            "ticket": done.ticket,
            "frame": done.frame,
        }

    def _places(self, deck: int) -> list[Place]:
        cues = self._track_cues[deck - 1]
        # What a hot cue of the library is called, a deck knows only by its label.
        kinds = {cue.slot: cue.kind for cue in cues.cues if cue.slot is not None}
        hot_cues = [
            structs.replace(cue, kind=library_kind(cue.kind, kinds.get(cue.slot or 0, "cue")))
            for cue in self._hotcues.on_deck(deck)
        ]
        return places_of(hot_cues, self._memory.of(deck), cues.sections)

    @verb(scope="read")
    def commands_waiting(self) -> list[dict[str, Any]]:
        """Return the commands that wait for their time, in the order of arrival."""
        return [
            {
                "id": number,
                "path": (path := path_of(command)),
                "value": CONTROLS[path].wire(command.x) if path else command.x,
                "when": Moment(Timing(command.when), command.clock, command.frame).text(),
                "source": command.source,
            }
            for number, command in self.conductor.waiting()
        ]

    @verb(scope="perform", slow=True)
    async def commands_cancel(
        self,
        id: CommandId | None = None,  # noqa: A002 - as `commands.waiting` has it
        deck: Deck | None = None,
        source: FromServer = 0,
    ) -> dict[str, Any]:
        """Cancel a waiting command by its id, or all, or all of a deck."""
        index = None if deck is None else deck - 1
        return {"cancelled": await self.conductor.cancel(id, index, source)}

    @verb(scope="perform", slow=True, restricted={"path": "library"})
    async def deck_load(
        self,
        deck: Deck,
        path: Text = "",
        track: Text = "",
        position_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0,
        force: bool = False,
    ) -> dict[str, Any]:
        """Load a track on a deck: by a bundle's folder, a file, or words that the library knows.

        An unprepared track is prepared: the answer has the number of the job as ``preparing``, and
        the track is loaded when it is ready, unless the deck plays then. ``force`` overrides
        ``session.lock``.
        """
        index = deck - 1
        if bool(path) is bool(track):
            raise Refused(
                "one of path and track is needed", "give the folder of a bundle, a file, or words"
            )
        self._lock.check_deck(deck, "loading", force=force)
        ticket = self._ticket(index)
        # Slow steps come before the deck's lock: no other request waits for them.
        if track:
            found = await ask_backstage(self._runtime, "library.find", words=track, prepare=True)
        elif await trio.to_thread.run_sync(_is_source, path):
            found = await ask_backstage(self._runtime, "library.find", path=path, prepare=True)
        else:
            found = {"bundle": path}
        self._check_ticket(index, ticket)
        self._pending.forget(index)
        if "preparing" in found:
            self._done[index] = ticket  # a request before this one may still be looked up
            self._pending.add(index, found, float(position_s))
            return {"deck": deck, **found}
        bundle = str(found["bundle"])
        return await self._load(index, ticket, bundle, float(position_s), force=force)

    async def _load(
        self, index: int, ticket: int, bundle: str, position_s: float, *, force: bool
    ) -> dict[str, Any]:
        """Load a bundle on a deck, with its hot cues."""
        async with self._on_deck(index, ticket):
            self._lock.check_deck(index + 1, "loading", force=force)
            pending, cues = self._hotcues.pending(), None
            self._take_cues(index, TrackCues())
            with trio.move_on_after(LIBRARY_TIMEOUT_S) as patience, suppress(SfaError):
                cues = await self._library_cues(bundle)
            loaded = await ask_host(
                self._runtime, "load", deck=index, path=bundle, position_s=position_s
            )
            self._plays.loaded(index + 1)
            self._hotcues.loaded(index + 1)
            self._memory.loaded(index + 1)
            self._unseen.discard(index)
            self._cue_points[index] = self.conductor.get(f"deck{index + 1}.cue_point")
            loop = loaded.pop("loop", None)
            of_bundle = TrackCues.of(
                {n: loaded.pop(n) for n in TrackCues.__struct_fields__ if n in loaded}
            )
            self._put_cues(index, of_bundle if cues is None else cues, pending)
            self._put_loop(index, loop)
            self._put_trim(index)
            playing = self.conductor.memory.engine["transport"][index]["playing"]
            if position_s == 0.0 and not playing:
                self._hotcues.stand_on(index + 1)
            if patience.cancelled_caught or self._grids.is_pending(
                bundle_of(self.conductor.memory, index + 1)
            ):
                self._tracks.mark(index)
            return loaded

    def _press_memory(self, deck: int, control: Control, _number: float) -> Outcome | None:
        """Do what a button of the memory cues asks for."""
        name = control.path.rpartition(".")[2]
        if name in {"next", "previous"}:
            self._memory.step(deck, 1 if name == "next" else -1)
            return None
        here_s = place_s(self.conductor.memory, deck)
        if name == "delete":
            return self._start(control.path, partial(self._memory.delete, deck, here_s))

        async def store() -> None:
            there = await ask_host(self._runtime, "grid", deck=deck - 1)
            grid = there.get("grid")
            made = None if grid is None else convert(grid, Grid)
            await self._memory.store(deck, here_s, made, int(there.get("rate", 1)))

        return self._start(control.path, store)

    def _press_capture(self, pad: int, _number: float) -> Outcome | None:
        """Put what was just played on a pad."""
        return self._start(DESK.pad[pad].capture.path, partial(self._pads.capture, pad))

    def _recall_program(self, program: float) -> Outcome:
        """Recall the preset that has a program number."""
        recall = partial(self._presets.recall_program, int(program))
        return self._start(DESK.preset.recall.path, recall)

    def _press_grid(self, deck: int, control: Control, number: float) -> Outcome | None:
        """Do what a button of the grid's corrections asks for."""
        name = control.path.rpartition(".")[2]
        if name == "undo":
            correct: Callable[[], Awaitable[None]] = partial(self._grids.undo, deck)
        else:
            made = self._grids.make(deck, name, number)
            if made is None:
                return None
            correct = partial(self._grids.correct, deck, *made)

        async def run() -> None:
            await correct()
            await self._poll_host()  # the tempo that is shown

        return self._start(control.path, run)

    def _start(self, name: str, run: Callable[[], Awaitable[None]]) -> Outcome:
        """Run what a button of the stage has started."""
        outcome = Outcome(name, self._failures)

        async def attempt() -> None:
            try:
                await run()
            except SfaError as error:
                outcome.set(error)
            else:
                outcome.set()
            finally:
                self._running -= 1

        if self._nursery is None:
            raise EngineError("the control process is still starting", "wait a moment")
        self._count_running()
        self._nursery.start_soon(attempt)
        return outcome

    def _count_running(self) -> None:
        """Count what a button starts; refuse it while too much of what others started runs."""
        if self._running >= MAX_RUNNING:
            raise Refused(f"{self._running} presses are not done yet", "wait a moment")
        self._running += 1

    def _load_selected(self, deck: int, _number: float) -> None:
        """Load the selected track on a deck; an error is logged."""

        async def load() -> None:
            try:
                track = await self._browser.selected()
                await self.deck_load(deck, track=f"#{track}")
            except SfaError as error:
                self._failures.log(f"deck {deck}: the selected track was not loaded", error)
            finally:
                self._running -= 1

        if self._nursery is not None:
            self._count_running()
            self._nursery.start_soon(load)

    async def _library_cues(self, bundle: str) -> TrackCues | None:
        """Return cues, sections and cue point of a bundle; None if the library does not have it.

        None without backstage, too: every deck is refreshed when it is running again.
        """
        try:
            return TrackCues.of(
                await ask_backstage(self._runtime, "library.hotcues", bundle=bundle)
            )
        except (Refused, EngineError):
            return None

    def _take_cues(self, index: int, cues: TrackCues) -> None:
        """Keep cues and sections of the track on a deck, and show its number in the library."""
        self._track_cues[index] = cues
        self.conductor.stage.put(DESK.deck[index + 1].track.path, float(cues.track))

    def _put_cues(self, index: int, cues: TrackCues, pending: Mapping[str, HotCueMap]) -> None:
        """Set a deck's hot cues, and its cue point unless the performer has moved it."""
        self._take_cues(index, cues)
        self._hotcues.put_on_deck(index + 1, cues.cues, pending)
        self._memory.refreshed(index + 1)
        path, point_s = f"deck{index + 1}.cue_point", cues.cue_point
        if point_s is not None and self.conductor.get(path) == self._cue_points[index] != point_s:
            self._cue_points[index] = point_s
            self.conductor.set_nowait(path, point_s, source=Source.HOST)

    def _put_loop(self, index: int, loop: list[float] | None) -> None:
        """Set the loop that a track was saved with, and switch it on if `on_load` says so."""
        if loop is None:
            return
        name = f"deck{index + 1}.loop"
        self.conductor.set_nowait(f"{name}.start", loop[0], source=Source.HOST)
        self.conductor.set_nowait(f"{name}.end", loop[1], source=Source.HOST)
        if self.conductor.get(f"{name}.on_load"):
            self.conductor.set_nowait(f"{name}.active", 1.0, source=Source.HOST)

    def _put_trim(self, index: int) -> None:
        """Bring the track on a deck to the loudness that is wanted, unless the deck plays.

        A track without a known loudness does not keep the trim that was set for another one.
        """
        playing = self.conductor.memory.engine["transport"][index]["playing"]
        if playing or not self.conductor.get(DESK.master.auto_gain.path):
            return
        lufs, trim = self._track_cues[index].loudness_lufs, DESK.deck[index + 1].trim
        if lufs is not None:
            wanted = self.conductor.get(DESK.master.loudness.path) - lufs
            value = round(min(trim.scale.high, max(-trim.scale.high, wanted)), 1)
        elif self.conductor.get(trim.path) == self._auto_trims[index]:
            value = trim.scale.rest
        else:
            return
        self._auto_trims[index] = value
        self.conductor.set_nowait(trim.path, value, source=Source.HOST)

    async def _refresh(self, index: int) -> bool:
        """Update a deck to what library and bundle have for its track.

        Return False if the grid could not be replaced yet.
        """
        while True:
            request, bundle = self._done[index], bundle_of(self.conductor.memory, index + 1)
            if not bundle:
                return True
            pending = self._hotcues.pending()
            async with self._grids.lock(index + 1):
                keep_grid = self._grids.is_pending(bundle)
                cues = await self._library_cues(bundle)
                refreshed = await ask_host(
                    self._runtime, "refresh", deck=index, keep_grid=keep_grid
                )
                if keep_grid:
                    await self._grids.put_on_deck(index + 1)
            async with self._loading[index]:
                # Else it was loaded meanwhile: the answers may be outdated.
                if (request, bundle) == (
                    self._done[index], bundle_of(self.conductor.memory, index + 1),
                ):  # fmt: skip
                    break
        # The previous stage may have died while it loaded a bundle that the library does not have.
        if cues is None and index in self._unseen and "cues" in refreshed:
            of_bundle = TrackCues.of(refreshed)
            self._take_cues(index, of_bundle)  # their names, at least
            cues = None if self._hotcues.has_any(index + 1) else of_bundle
        self._unseen.discard(index)
        if cues is not None:
            self._put_cues(index, cues, pending)
        await self._poll_host()
        return bool(refreshed["is_current"])

    async def _load_prepared(self, index: int, bundle: str, position_s: float) -> None:
        """Load a prepared track, unless the deck plays by now."""
        if is_playing(self.conductor.memory, index + 1, self.conductor.get):
            raise Refused(f"deck {index + 1} is playing", "load it again when it is stopped")
        await self._load(index, self._ticket(index), bundle, position_s, force=False)

    def _ticket(self, index: int) -> int:
        """Return the number of a request for a deck, in the order of arrival."""
        self._requested[index] += 1
        return self._requested[index]

    def _check_ticket(self, index: int, ticket: int) -> None:
        """Refuse a request that a later one for the same deck has overtaken."""
        if ticket < self._done[index]:
            raise Refused(
                f"deck {index + 1} was loaded or ejected by a later request", "load it again"
            )

    @asynccontextmanager
    async def _on_deck(self, index: int, ticket: int) -> AsyncIterator[None]:
        """Change a deck's track: one at a time, and to the end even if the caller disconnects."""
        async with self._loading[index]:
            self._check_ticket(index, ticket)
            self._done[index] = ticket
            with trio.CancelScope(shield=True):
                yield
                with suppress(SfaError):  # it is polled again in a second
                    self._host = await ask_host(self._runtime, "info")
                    self._show_tracks(self._host)

    def _show_tracks(self, host: dict[str, Any]) -> None:
        """Show the texts of the tracks on the decks."""
        for number, track in zip(DECK_NUMBERS, host["decks"], strict=True):
            self.conductor.stage.show_track(number, track, track.get("bpm"))
        self._effects.show_host(host)

    @verb(scope="perform", slow=True)
    async def deck_eject(self, deck: Deck, force: bool = False) -> dict[str, Any]:
        """Eject a deck's track; ``force`` overrides ``session.lock``."""
        index = deck - 1
        self._lock.check_deck(deck, "ejecting", force=force)
        self._pending.forget(index)
        async with self._on_deck(index, self._ticket(index)):
            self._lock.check_deck(deck, "ejecting", force=force)
            ejected: dict[str, Any] = await ask_host(self._runtime, "eject", deck=index)
            self._plays.loaded(index + 1)
            self._hotcues.loaded(index + 1)
            self._memory.loaded(index + 1)
            self._take_cues(index, TrackCues())
            return ejected

    @verb(scope="read")
    def values(self) -> dict[str, Any]:
        """Return every value, null where a position is not set, and every text."""
        values = self.conductor.values()
        return {path: CONTROLS[path].wire(value) for path, value in values.items()}

    @verb(scope="read")
    def status(self) -> dict[str, Any]:
        """Return an overview of the engine."""
        memory = self.conductor.memory
        readings = readings_of(memory)
        word, reasons = self._judge(readings)
        decks = []
        for number in DECK_NUMBERS:
            prefix = f"deck{number}."
            described = (self._host.get("decks") or [{}] * DECKS)[number - 1]
            decks.append(
                {
                    "loaded": False,
                    **{k: v for k, v in described.items() if k not in OMITTED},
                    "playing": bool(memory.engine["transport"][number - 1]["playing"]),
                    "position_s": self.conductor.get(prefix + "position"),
                    "tempo": readings[prefix + "tempo"],
                    "beat": readings[prefix + "beat"],
                    "phase_error": readings[prefix + "phase_error"],
                    "bar_error": readings[prefix + "bar_error"],
                    "level_db": readings[prefix + "level"],
                    "rate": self.conductor.get(prefix + "rate"),
                    "ready_pct": readings[prefix + "ready"],
                    "hotcues": [
                        {
                            "number": cue.slot,
                            "position_s": cue.position_s,
                            "end_s": cue.end_s,
                            "kind": cue.kind,
                            "label": cue.label,
                            "color": cue.color,
                            "on_load": cue.on_load,
                        }
                        for cue in self._hotcues.on_deck(number)
                    ],
                }
            )
        engine = memory.engine
        return {
            "health": word,
            "reasons": reasons,
            "decks": decks,
            "master_db": readings["master.level"],
            "reduction_db": readings["master.limiter.reduction"],
            "crossfader": self.conductor.get("crossfader"),
            "clock": {"tempo": readings["clock.current"], "beat": readings["clock.beat"]},
            "engine": {
                "frame": int(engine["emitted"]),
                "rate": float(engine["sample_rate"]),
                "block": int(engine["block"]),
                "driver": engine["driver"].decode(errors="replace"),
                "device": engine["device"].decode(errors="replace"),
                "load_pct": readings["engine.load"],
                "worst_pct": readings["engine.worst"],
                "blocks": int(engine["blocks"]),
                "late": int(engine["late"]),
                "device_misses": int(engine["device_misses"]),
                "latency_ms": self.conductor.memory.latency_s * 1e3,
                "device_latency_ms": float(engine["device_latency"]) * 1e3,
                "host_pid": int(engine["host_pid"]),
                "stage_pid": os.getpid(),
            },
        }

    @verb(scope="read")
    def clock(self) -> dict[str, Any]:
        """Return the session clock, and the sources that it may follow."""
        return describe_clocks(self.conductor)

    @verb(scope="read")
    def health(self) -> dict[str, Any]:
        """Return one word and its reasons."""
        word, reasons = self._judge(readings_of(self.conductor.memory))
        return {"health": word, "reasons": reasons}

    def _judge(self, readings: dict[str, float]) -> tuple[str, list[str]]:
        engine = self.conductor.memory.engine
        silent_s = (time.monotonic_ns() - int(engine["monotonic_ns"])) / 1e9
        if int(engine["host_pid"]) == 0 or not int(engine["blocks"]):
            silent_s = float("inf")
        described = self._host.get("decks") or []
        facts = Facts(
            silent_s=silent_s,
            block_s=int(engine["block"]) / max(1.0, float(engine["sample_rate"])),
            load_pct=readings["engine.load"],
            late=int(engine["late"]),
            misses=int(engine["device_misses"]),
            ladder=int(readings["engine.ladder"]),
            late_ago_s=self._misses.ago_s(time.monotonic()),
            reports_lost=int(engine["reports_lost"]),
            realtime=int(engine["realtime"]),
            locked=bool(engine["locked"]),
            driver=engine["driver"].decode(errors="replace"),
            device=engine["device"].decode(errors="replace"),
            configured=self._device,
            error=engine["error"].decode(errors="replace"),
            decks=[d.get("error", "") for d in described],
            underruns=[int(readings[f"deck{n}.underruns"]) for n in DECK_NUMBERS],
            relinked_ago_s=(time.monotonic_ns() - int(engine["relinked_ns"])) / 1e9
            if engine["relinked_ns"]
            else float("inf"),
            restarts=self._restarts(),
            surfaces=self.surface_errors,
            effects=self._effects.problems,
            pads=self._host.get("pads") or {},
            files=unwritten(self._host),
        )
        return judge(facts)

    def _restarts(self) -> dict[str, str]:
        """Return the processes restarted within `LATELY_S`, and why."""
        self._restarted.poll()
        return {
            name: why
            for name, (why, at_s) in self._restarted.all.items()
            if 0.0 <= time.time() - at_s < LATELY_S
        }


def unwritten(host: dict[str, Any]) -> list[str]:
    """Return what the host could not write to its disk, for health."""
    found = []
    for name, words in (
        ("journal", "the journal of this set ended"),
        ("record", "the recording ended"),
        ("snapshot", "no snapshot is kept to resume from"),
    ):
        error = (host.get(name) or {}).get("error")
        if error:
            found.append(f"{words}: {error}")
    return found


@cache
def _controls(planned: bool) -> list[dict[str, Any]]:
    """Return all controls as JSON types; cached, as that takes 12 ms."""
    return [control.to_dict() for control in CONTROLS.values() if planned or not control.planned]


def _is_source(path: str) -> bool:
    """Return whether a path is a source for a bundle: a file, or a folder of stems."""
    place = Path(path)
    try:
        if place.is_dir():
            return place.suffix != SUFFIX and not (place / MANIFEST).exists()
        return place.is_file()
    except (OSError, ValueError):  # an invalid or too long name: the host refuses it
        return False


def _result(path: str, done: Done) -> dict[str, Any]:
    """Return the result of a change, for its caller."""
    return {
        "path": path,
        "value": done.control.wire(done.value),
        "text": done.text,
        "ticket": done.ticket,
        "seq": done.seq,
        "frame": done.frame,
    }
