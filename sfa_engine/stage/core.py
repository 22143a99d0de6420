"""The whole stage as surfaces know it: every verb, and nothing of how it is done.

Surfaces export the public methods by inspection; ``deck_load`` is ``deck.load`` on the socket.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trio

from sfa_engine.audio.command import Source
from sfa_engine.audio.layout import LATENCY
from sfa_engine.audio.media import DESCRIPTION, HOT_CUES
from sfa_engine.audio.memory import Memory
from sfa_engine.desk import CONTROLS, find
from sfa_engine.errors import EngineError, Refused, SfaError
from sfa_engine.stage.backstage_link import ask_backstage
from sfa_engine.stage.conductor import Conductor, Done, readings_of
from sfa_engine.stage.health import LATELY_S, Facts, Misses, judge
from sfa_engine.stage.host_link import ask_host
from sfa_engine.stage.keeper import Keeper
from sfa_engine.stage.pending_load import PendingLoads
from sfa_engine.stage.plays import Plays
from sfa_engine.stage.restarts import Restarts
from sfa_engine.stage.state_log import StateLog

MEMORY = "engine.memory"
RESTARTS = "restarts.json"
SUFFIX = ".sfa"  # of a bundle's folder, as a rule
PENDING = "marks-pending.json"
PLAYS = "plays-pending.json"
UNTOLD = frozenset({"cues", "digest", "track_rate"})  # what a status does not need
PUMP_S = 0.005  # between two looks for reports
PUMP_SOON_S = 0.0005  # the same while somebody waits for an answer
INFO_S = 1.0
SAME_S = 0.001  # between a mark on a deck and in a bundle, which counts frames
SOON_S = 0.05  # till the next question to a host that is not there


class Core:
    """The stage's verbs.

    Parameters
    ----------
    runtime : pathlib.Path
        Where the engine's memory and the sockets are.
    wanted : str
        The device that was asked for.
    data : pathlib.Path, optional
        Folder of what outlives the machine's being switched off; the runtime folder without one.
    """

    def __init__(self, runtime: Path, wanted: str = "default", data: Path | None = None) -> None:
        self._runtime = runtime
        self._wanted = wanted
        self.conductor = Conductor(self._open())
        self._host: dict[str, Any] = {}
        self._followed: dict[str, Any] | None = None  # what the host said last of its tracks
        self._misses = Misses()
        self._log = StateLog()
        self._restarted = Restarts(runtime / RESTARTS)
        self._count_misses()
        self._loading = (trio.Lock(), trio.Lock())
        self._asked, self._done = [0, 0], [0, 0]  # requests for each deck: the last, the last done
        self._keeper = Keeper(runtime, (data or runtime) / PENDING, self.conductor)
        self._plays = Plays(runtime, (data or runtime) / PLAYS, self.conductor)
        self._pending = PendingLoads(runtime, self._load_prepared)

    def _open(self) -> Memory:
        memory = Memory.open(self._runtime / MEMORY)
        if not float(memory.engine["sample_rate"]):
            raise EngineError("the audio process is still opening its device", "wait a moment")
        return memory

    # ------------------------------------------------------------------ life

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take in reports, and look after the host, for as long as the stage lives."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump)
            nursery.start_soon(self._keeper.run)
            nursery.start_soon(self._plays.run)
            nursery.start_soon(self._pending.run)
            with trio.move_on_after(INFO_S):  # the first to ask is to hear what is on the decks
                await self._look()
            task_status.started()
            while True:
                await trio.sleep(INFO_S if self._host else SOON_S)
                await self._look()

    async def _pump(self) -> None:
        while True:
            self.conductor.pump()
            await trio.sleep(PUMP_SOON_S if self.conductor.waiting else PUMP_S)

    async def _look(self) -> None:
        """Follow a host that made its memory anew, and keep what it says of itself."""
        try:
            if (self._runtime / MEMORY).stat().st_ino != self.conductor.memory.inode:
                self.conductor.attach(self._open())
            before = self._host
            said = await ask_host(self._runtime, "info")
            if self._host is before:  # else a load came between, and knows more
                self._host = said
                self._follow_marks(self._followed, said)
                self._followed = said
        except (OSError, SfaError):
            self._host = {}
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

    def describe(self, planned: bool = True) -> dict[str, Any]:
        """Return every control with its kind, unit, range, rest and sentence."""
        shown = [c for c in CONTROLS.values() if planned or not c.planned]
        return {"controls": [control.told() for control in shown]}

    def get(self, path: str) -> dict[str, Any]:
        """Return a control's value, in its unit and as text."""
        value = self.conductor.get(path)
        control = find(path)
        return {"path": path, "value": control.wire(value), "text": control.text(value)}

    async def set(
        self, path: str, value: Any, when: Any = None, wait: bool = False, source: int = 0
    ) -> dict[str, Any]:
        """Set a control, now or at a moment; ``wait`` answers when it has been done."""
        done = await self.conductor.set(path, value, source, when, wait=bool(wait))
        return _said(path, done)

    async def press(
        self, path: str, value: Any = None, when: Any = None, source: int = 0
    ) -> dict[str, Any]:
        """Press a button, now or at a moment."""
        done = await self.conductor.press(path, value, source, when)
        return _said(path, done)

    async def deck_load(
        self,
        deck: int,
        path: str = "",
        track: str = "",
        position_s: float = 0.0,
        force: bool = False,
    ) -> dict[str, Any]:
        """Put a track on a deck: by a bundle's folder, a file, or words that the library knows.

        One that is not prepared yet is prepared: the answer has the number of the job as
        ``preparing``, and the track is loaded when it is ready, if the deck does not play then.
        """
        index = self._deck_index(deck)
        if not isinstance(path, str) or not isinstance(track, str) or bool(path) is bool(track):
            raise Refused(
                "one of path and track is needed", "give the folder of a bundle, a file, or words"
            )
        if not isinstance(position_s, int | float) or not 0 <= position_s <= 86_400:
            raise Refused(f"{position_s!r:.40} is not a place in a track", "give seconds from 0")
        self._check_lock(index, force=force)
        ticket = self._ticket(index)
        # What takes its time comes before the deck's lock: nobody else waits for it.
        if track:
            found = await ask_backstage(self._runtime, "library.find", words=track, prepare=True)
        elif await trio.to_thread.run_sync(_is_source, path):
            found = await ask_backstage(self._runtime, "library.find", path=path, prepare=True)
        else:
            found = {"bundle": path}
        self._check_ticket(index, ticket)
        self._pending.forget(index)
        if "preparing" in found:
            self._pending.add(index, found, float(position_s))
            return {"deck": deck, **found}
        bundle = str(found["bundle"])
        return await self._load(index, ticket, bundle, float(position_s), force=force)

    def _check_lock(self, index: int, *, force: bool) -> None:
        """Refuse to load onto a deck that plays while its load lock is on."""
        playing = bool(self.conductor.memory.engine["transport"][index]["playing"])
        if playing and self.conductor.get(f"deck{index + 1}.load_lock") and not force:
            raise Refused(
                f"deck {index + 1} is playing and its load lock is on", "stop it, or force it"
            )

    async def _load(
        self, index: int, ticket: int, bundle: str, position_s: float, *, force: bool
    ) -> dict[str, Any]:
        """Put a bundle on a deck, with the hot cues that it has."""
        async with self._on_deck(index, ticket):
            self._check_lock(index, force=force)
            said = await ask_host(
                self._runtime, "load", deck=index, path=bundle, position_s=position_s
            )
            self._plays.loaded(index + 1)
            marks = _marks(index + 1, said)
            for number, seconds in self._keeper.pending(index + 1).items():
                marks.pop(place := f"deck{index + 1}.hotcue{number}.position", None)
                marks |= {} if seconds is None else {place: seconds}
            for place, seconds in marks.items():
                self.conductor.set_nowait(place, seconds, source=Source.HOST)
            return said

    async def _load_prepared(self, index: int, bundle: str, position_s: float) -> None:
        """Load what was prepared for a deck, unless the performer has begun to play on it."""
        if self.conductor.memory.engine["transport"][index]["playing"]:
            raise Refused(f"deck {index + 1} is playing", "load it again when it stands")
        await self._load(index, self._ticket(index), bundle, position_s, force=False)

    def _ticket(self, index: int) -> int:
        """Return the number of a request for a deck: they count in the order they came."""
        self._asked[index] += 1
        return self._asked[index]

    def _check_ticket(self, index: int, ticket: int) -> None:
        """Refuse a request whose look-up took longer than a later request for the same deck."""
        if ticket < self._done[index]:
            raise Refused(
                f"deck {index + 1} was loaded or ejected by a later request", "load it again"
            )

    @asynccontextmanager
    async def _on_deck(self, index: int, ticket: int) -> AsyncIterator[None]:
        """Change a deck's track: one at a time, and to the end even if the caller has gone."""
        async with self._loading[index]:
            self._check_ticket(index, ticket)
            self._done[index] = ticket
            with trio.CancelScope(shield=True):
                self.conductor.pump()  # what was marked till now is of the track that goes
                yield
                with suppress(SfaError):  # it is asked again in a second
                    self._host = self._followed = await ask_host(self._runtime, "info")

    def _follow_marks(self, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
        """Put on the decks what the library says anew of their tracks' marks.

        What the performer has changed since is newer, and on its way to the library. A stage that
        is new gives its marks to a deck that has none: the one before may have died in a load.
        """
        for index, new in enumerate(after["decks"]):
            old = before["decks"][index] if before else {}
            if not new["loaded"] or (before and _sound(old) != _sound(new)):
                continue
            if before is None and self._is_marked(index + 1):
                continue
            newer = {
                f"deck{index + 1}.hotcue{number}.position"
                for number in self._keeper.pending(index + 1)
            }
            were, are = _marks(index + 1, old), _marks(index + 1, new)
            for place in sorted((were.keys() | are.keys()) - newer):
                rest = CONTROLS[place].scale.rest
                was, wanted = were.get(place, rest), are.get(place, rest)
                if was != wanted and abs(self.conductor.get(place) - was) < SAME_S:
                    self.conductor.set_nowait(place, wanted, source=Source.HOST)

    def _is_marked(self, deck: int) -> bool:
        """Return whether any hot cue of a deck is set."""
        places = (f"deck{deck}.hotcue{number}.position" for number in range(1, HOT_CUES + 1))
        return any(self.conductor.get(place) > CONTROLS[place].scale.rest for place in places)

    async def deck_eject(self, deck: int) -> dict[str, Any]:
        """Take a deck's track away."""
        index = self._deck_index(deck)
        self._pending.forget(index)
        async with self._on_deck(index, self._ticket(index)):
            said: dict[str, Any] = await ask_host(self._runtime, "eject", deck=index)
            self._plays.loaded(index + 1)
            return said

    async def engine_advance(self, frames: int) -> dict[str, Any]:
        """Let so many frames pass, where a file takes the device's place."""
        return await ask_host(self._runtime, "advance", frames=frames)

    async def engine_finish(self) -> dict[str, Any]:
        """Finish the file that takes the device's place."""
        return await ask_host(self._runtime, "finish")

    @staticmethod
    def _deck_index(deck: Any) -> int:
        if deck not in (1, 2) or isinstance(deck, bool):
            raise Refused(f"there is no deck {deck!r:.40}", "say 1 or 2")
        return int(deck) - 1

    def values(self) -> dict[str, float | None]:
        """Return every value; null where a position is not set."""
        values = self.conductor.values()
        return {path: CONTROLS[path].wire(value) for path, value in values.items()}

    def status(self) -> dict[str, Any]:
        """Return what a person wants to see at a glance."""
        memory = self.conductor.memory
        readings = readings_of(memory)
        word, reasons = self._judge(readings)
        decks = []
        for number in (1, 2):
            prefix = f"deck{number}."
            described = (self._host.get("decks") or [{}, {}])[number - 1]
            decks.append(
                {
                    "loaded": False,
                    **{k: v for k, v in described.items() if k not in UNTOLD},
                    "playing": bool(memory.engine["transport"][number - 1]["playing"]),
                    "position_s": self.conductor.get(prefix + "position"),
                    "tempo": readings[prefix + "tempo"],
                    "beat": readings[prefix + "beat"],
                    "phase_error": readings[prefix + "phase_error"],
                    "level_db": readings[prefix + "level"],
                    "rate": self.conductor.get(prefix + "rate"),
                    "ready_pct": readings[prefix + "ready"],
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
                "latency_ms": (int(engine["block"]) + LATENCY) / float(engine["sample_rate"]) * 1e3,
                "host_pid": int(engine["host_pid"]),
                "stage_pid": os.getpid(),
            },
        }

    def health(self) -> dict[str, Any]:
        """Return one word and its reasons."""
        word, reasons = self._judge(readings_of(self.conductor.memory))
        return {"health": word, "reasons": reasons}

    def _judge(self, readings: dict[str, float]) -> tuple[str, list[str]]:
        engine = self.conductor.memory.engine
        silent_s = (time.monotonic_ns() - int(engine["monotonic_ns"])) / 1e9
        if engine["driver"] == b"file":
            silent_s = 0.0  # time passes when somebody wants it to
        if int(engine["host_pid"]) == 0 or not int(engine["blocks"]):
            silent_s = float("inf")
        described = self._host.get("decks") or []
        facts = Facts(
            silent_s=silent_s,
            block_s=int(engine["block"]) / max(1.0, float(engine["sample_rate"])),
            load_pct=readings["engine.load"],
            late=int(engine["late"]),
            misses=int(engine["device_misses"]),
            late_ago_s=self._misses.ago_s(time.monotonic()),
            reports_lost=int(engine["reports_lost"]),
            realtime=int(engine["realtime"]),
            locked=bool(engine["locked"]),
            driver=engine["driver"].decode(errors="replace"),
            device=engine["device"].decode(errors="replace"),
            wanted=self._wanted,
            trouble=engine["trouble"].decode(errors="replace"),
            decks=[d.get("trouble", "") for d in described],
            starved=[int(readings[f"deck{n}.starved"]) for n in (1, 2)],
            relinked_ago_s=(time.monotonic_ns() - int(engine["relinked_ns"])) / 1e9
            if engine["relinked_ns"]
            else float("inf"),
            restarts=self._restarts(),
        )
        return judge(facts)

    def _restarts(self) -> dict[str, str]:
        """Return which process the parent had to start again lately, and why."""
        self._restarted.look()
        return {
            name: why
            for name, (why, at_s) in self._restarted.all.items()
            if 0.0 <= time.time() - at_s < LATELY_S
        }


def _marks(deck: int, described: dict[str, Any]) -> dict[str, float]:
    """Return where a track wants its hot cues, and the cue point: on its first downbeat.

    Parameters
    ----------
    deck : int
        From 1.
    described : dict
        The track, as the host tells of it.

    Returns
    -------
    dict of str to float
        Seconds, by control.
    """
    rate, cues = described.get("track_rate", 0), described.get("cues", ())
    marks = {
        f"deck{deck}.hotcue{cue['hot_cue']}.position": cue["position_frames"] / rate
        for cue in cues
        if cue["hot_cue"]
    }
    begins = [cue["position_frames"] for cue in cues if cue["kind"] == "intro"]
    return marks | ({f"deck{deck}.cue_point": min(begins) / rate} if begins else {})


def _is_source(path: str) -> bool:
    """Return whether a path is of music that a bundle is made of: a file, or a folder of stems."""
    place = Path(path)
    try:
        if place.is_dir():
            return place.suffix != SUFFIX and not (place / DESCRIPTION).exists()
        return place.is_file()
    except (OSError, ValueError):  # a name that cannot be, or too long: the host says so
        return False


def _sound(described: dict[str, Any]) -> tuple[Any, Any]:
    """Return what tells a deck's track from another."""
    return described.get("path"), described.get("digest")


def _said(path: str, done: Done) -> dict[str, Any]:
    """Return what became of an intent, for whoever had it."""
    return {"path": path, **asdict(done), "value": find(path).wire(done.value)}
