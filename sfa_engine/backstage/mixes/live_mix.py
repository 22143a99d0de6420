"""Performs a plan live: loads each next track long before, queues transitions, gives way to hands.

::

    PERIOD_S: automation.status ─► where are we? ─► load · queue · queue again · next · plan anew
                                        │
              LiveState (a file) ◄──────┘   a restarted backstage goes on from it

All that is audible is queued in the engine up to the end of a transition, `AHEAD_BARS` before it
begins: while backstage is away the engine performs it. Time is kept by the place of the outgoing
deck: if it runs otherwise than was expected (a hand on the tempo, a jump, a loop), what waits is
cancelled and queued anew. Nothing makes it stop but the end of the plan, `stop`, or a hand that
stops the deck.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.errors import EngineError, Locked, Refused, SfaError
from sfa_engine.library import tracks
from sfa_engine.library.database import rows
from sfa_engine.library.notifications import Level, News
from sfa_engine.mix import live
from sfa_engine.mix.commands import LEAD_S, Entrance, entrance, mute_of
from sfa_engine.mix.document import Plan, PlannedTrack, Transition, Value
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.plan import DECKS, facts_in, replan, settings_of
from sfa_engine.mix.timeline import Timeline
from sfa_engine.mix.transition import Entered, plan_pair, trim_of
from sfa_engine.system.atomic import write_durably
from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.wire import aio
from sfa_engine.wire.caller import Caller

logger = logging.getLogger(__name__)
FILE = "live-mix.json"  # in the data folder
PERIOD_S = 0.2
RETRY_S = 0.3  # while there is no stage
AHEAD_S = 16.0  # before its first command a transition is queued: eight bars at 120 BPM
OFF_S = 0.03  # that a queued transition may be off, before it is queued anew
LOAD_RETRY_S = 5.0  # after a load that the session's lock refused
MAX_REFUSALS = 5  # of a load in a row, after which the track is left out
LATE_S = 0.5  # past the beginning of a transition that is not queued yet: another is planned
CLEARED_S = 0.5  # after a deck was stopped
SOON_S = 4.0  # from now to the earliest beginning of a transition that is planned anew
CLOSED_DB = -40.0  # of a fader in a hand: the incoming deck is not to be relied on
END_S = 0.3  # before the end of its track a deck that stopped has ended by itself


class LiveState(Struct):
    """Where a live mix is; kept in a file.

    Parameters
    ----------
    name : str
        Of the stored plan.
    plan : Plan
        As it is performed.
    place : int
        Of the track that sounds, from 0; -1: none has started.
    engine : int
        Number of the engine's memory that the next ones are of.
    since : mapping of int to int
        Of each deck, the count of commands since which the mix has its controls.
    loaded : int, optional
        Track that stands on the deck of the next one.
    start_frame, over_frame, end_frame : int
        When the transition that is queued begins, when the outgoing deck stops, and when the last
        command is; 0: none is queued.
    anchor : float
        Frame at which the entrance would have begun, by which the transition was queued.
    started_at : float
        Seconds since 1970.
    dropped : list of str
        Tracks that could not be played, each with the reason.
    """

    name: str
    plan: Plan
    place: int = -1
    engine: int = 0
    since: dict[int, int] = {}
    loaded: int | None = None
    start_frame: int = 0
    over_frame: int = 0
    end_frame: int = 0
    anchor: float = 0.0
    started_at: float = 0.0
    dropped: list[str] = []


class Deck(Struct, frozen=True):
    """A deck, as `automation.status` has it."""

    bundle: str
    playing: bool
    position_s: float
    rate: float
    fader_db: float


class Stand(Struct, frozen=True):
    """What `automation.status` returns."""

    set: int
    frame: int
    rate: float
    seq: int
    taken: dict[str, int]
    waiting: int
    decks: list[Deck]


class Engine(Protocol):
    """The stage."""

    async def call(self, method: str, **params: Any) -> Any:
        """Call a verb, and return its result."""


class LiveMix:
    """Performs one plan at a time.

    Parameters
    ----------
    context : PrepContext
    facts : FactsReader
    store : PlanStore
    runtime : pathlib.Path
        Where the stage's socket is.
    notify : callable
        Adds a notification.
    file : str
        In the data folder, in which the state is kept.
    """

    def __init__(
        self,
        context: PrepContext,
        facts: FactsReader,
        store: PlanStore,
        runtime: Path,
        notify: Callable[[News], None],
        *,
        file: str = FILE,
    ) -> None:
        self._context = context
        self._reader = facts
        self._store = store
        self._socket = runtime / ENGINE_SOCKET
        self._notify = notify
        self._file = context.settings.data / file
        self._state: LiveState | None = None
        self._lock = asyncio.Lock()
        self._asked = asyncio.Event()
        self._client: Engine | None = None
        self._note = ""
        self._taken: list[str] = []
        self._next_s: float | None = None  # until the next transition begins
        self._facts: dict[int, TrackFacts] = {}
        self._bundles: dict[int, Path] = {}
        self._entrance: tuple[Any, Entrance] | None = None
        self._commands: list[live.Queued] | None = None
        self._load_after = 0.0
        self._refusals = 0

    # ------------------------------------------------------------------ from verbs

    @property
    def state(self) -> LiveState | None:
        """The mix that runs, if one does."""
        return self._state

    async def start(self, name: str, place: int = 0) -> None:
        """Begin a stored plan.

        Parameters
        ----------
        name : str
        place : int
            Of the track to begin with, from 0.

        Raises
        ------
        Refused
            One runs already, there is no such plan, or it has no track that can be played.
        """
        async with self._lock:
            if self._state is not None:
                raise Refused(f'the mix "{self._state.name}" runs', "stop it first: `sfa mix stop`")
            plan = await self._store.read(name)
            if not 0 <= place < len(plan.tracks):
                raise Refused(f"no track at place {place + 1}", f"the plan has {len(plan.tracks)}")
            plan = _from(plan, place)
            state = LiveState(name, plan, started_at=time.time())
            await self._know(plan)
            self._state, self._note = state, "starts"
            self._reset()
            await self._save()
        self._asked.set()

    async def stop(self) -> None:
        """End the mix: what waits is cancelled, and the decks play on as they are."""
        async with self._lock:
            self._running()
            if self._client is not None:
                await self._client.call("automation.cancel")
            await self._forget()

    async def skip(self) -> None:
        """Begin the next transition at the next phrase."""
        async with self._lock:
            state = self._running()
            stand = await self._stand()
            if self._is_blending(state, stand):
                raise Refused("a transition is on its way", "wait for its end")
            if state.place < 0 or state.place + 1 >= len(state.plan.tracks):
                raise Refused("there is no next track", "give one: `sfa mix next TRACK`")
            await self._sooner(state, stand)
        self._asked.set()

    async def next(self, track: int) -> None:
        """Play a track next, before what was to come.

        Parameters
        ----------
        track : int
            Its number in the library.
        """
        async with self._lock:
            state = self._running()
            stand = await self._stand()
            place = max(0, state.place)
            if self._is_blending(state, stand):
                place += 1
            if track in {each.id for each in state.plan.tracks[: place + 1]}:
                raise Refused("it plays, or was played already", "choose another track")
            found = await self._reader.of([track])
            facts = found.get(track)
            if facts is None or not facts.length_s:
                raise Refused("the track is not prepared", "prepare it: `sfa prep --again TRACK`")
            self._facts[track] = facts
            deck = DECKS[0] + DECKS[1] - state.plan.tracks[place].deck
            lufs = state.plan.lufs
            wanted = PlannedTrack(
                track, facts.name, deck, trim_db=trim_of(facts, lufs), why="asked for"
            )
            kept = state.plan.tracks
            rest = [each for each in kept[place + 1 :] if each.id != track]
            plan = replace(state.plan, tracks=(*kept[: place + 1], wanted, *rest))
            await self._plan_rest(state, plan, place)
            if place == state.place:
                await self._cancel(state)
        self._asked.set()

    async def release(self, deck: int | None = None) -> list[str]:
        """Give controls that were taken over back to the mix; return them.

        Parameters
        ----------
        deck : int, optional
            From 1; without it those of all decks.
        """
        async with self._lock:
            state = self._running()
            stand = await self._stand()
            given = self._taken_of(state, stand, deck)
            for number in [deck] if deck else DECKS:
                state.since[number] = stand.seq
            if given and state.start_frame:  # what waits is of before, and would be refused
                await self._cancel(state)
            await self._save()
            return given

    async def edited(self, name: str, plan: Plan) -> None:
        """Take over a plan that was edited, from the track that sounds on.

        Raises
        ------
        Refused
            It differs in what was played already.
        """
        async with self._lock:
            state = self._state
            if state is None or state.name != name:
                return
            done = max(0, state.place)
            stand = await self._stand()
            if self._is_blending(state, stand):
                done += 1
            played = [each.id for each in state.plan.tracks[: done + 1]]
            if [each.id for each in plan.tracks[: done + 1]] != played:
                raise Refused(
                    f"tracks up to {done + 1} are played already",
                    "change what comes after them, or stop the mix",
                )
            await self._know(plan)
            decks = state.plan.tracks[done].deck
            tracks_ = [
                each
                if n <= done
                else replace(each, deck=decks if (n - done) % 2 == 0 else sum(DECKS) - decks)
                for n, each in enumerate(plan.tracks)
            ]
            kept = state.plan.tracks[: done + 1]
            state.plan = replace(plan, tracks=(*kept, *tracks_[done + 1 :]))
            self._entrance = None
            if done == state.place:
                await self._cancel(state)
            await self._save()
        self._asked.set()

    async def status(self) -> dict[str, Any]:
        """Return what runs: plan, place, what is taken over, and when the next transition is."""
        state = self._state
        if state is None:
            return {"running": False, "note": self._note}
        now, then = self._tracks(state)
        transition = self._transition(state)
        return {
            "running": True,
            "name": state.name,
            "place": state.place + 1,
            "tracks": len(state.plan.tracks),
            "now": {"track": now.id, "name": now.name, "deck": now.deck} if now else None,
            "next": (
                {
                    "track": then.id,
                    "name": then.name,
                    "deck": then.deck,
                    "loaded": state.loaded == then.id,
                }
                if then
                else None
            ),
            "transition": msgspec.to_builtins(transition) if transition else None,
            "transition_in_s": None if self._next_s is None else round(self._next_s, 1),
            "queued": bool(state.start_frame),
            "taken": list(self._taken),
            "dropped": list(state.dropped),
            "note": self._note,
        }

    def _running(self) -> LiveState:
        if self._state is None:
            raise Refused("no mix runs", "start one: `sfa mix start NAME`")
        return self._state

    # ------------------------------------------------------------------ the loop

    async def run(self) -> None:
        """Perform until cancelled."""
        await self.resume()
        while True:
            if self._state is None:
                await self._asked.wait()
                self._asked.clear()
                continue
            with suppress(OSError, SfaError):
                async with aio.connect(self._socket, Caller("the stage", "backstage")) as client:
                    await self._perform(client)
            self._client = None
            await asyncio.sleep(RETRY_S)

    async def step(self, engine: Engine) -> bool:
        """See to what is due now, with the stage that runs; return whether the mix goes on.

        Raises
        ------
        SfaError
            The stage is gone.
        """
        self._client = engine
        async with self._lock:
            if self._state is None:
                return False
            try:
                await self._step(self._state)
            except Refused as error:  # never the end of the mix
                if str(error) != self._note:
                    logger.warning("mix: %s", error)
                self._note = str(error)
            return self._state is not None

    async def _perform(self, engine: Engine) -> None:
        """Perform with one stage, as long as it lives."""
        while await self.step(engine):
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await self._asked.wait()
                self._asked.clear()

    async def _step(self, state: LiveState) -> None:
        stand = await self._stand()
        if stand.set != state.engine:
            state.engine, state.since = stand.set, dict.fromkeys(DECKS, stand.seq)
            state.start_frame = state.end_frame = 0
            await self._save()
        self._taken = self._taken_of(state, stand)
        if state.place < 0:
            await self._begin(state, stand)
            return
        now, then = self._tracks(state)
        assert now is not None
        out = stand.decks[now.deck - 1]
        if then is not None:
            into = stand.decks[then.deck - 1]
            is_there = into.playing and await self._has(into, then)
            if is_there and not (out.playing and await self._has(out, now)):
                await self._advance(state, stand)
                return
            if is_there:
                await self._blend(state, stand, out, into)
                return
        if out.playing and not await self._has(out, now):
            await self._adopt(state, now.deck, out)
            return
        if not out.playing:
            await self._silent(state, stand, now, out, then)
            return
        if then is None:
            self._next_s, self._note = None, "the last track plays"
            return
        if state.loaded != then.id or not await self._has(stand.decks[then.deck - 1], then):
            await self._load(state, stand, then)
            return
        await self._queue(state, stand, out)

    # ------------------------------------------------------------------ steps

    async def _begin(self, state: LiveState, stand: Stand) -> None:
        """Start the first track, or go on from one that plays."""
        for number in DECKS:
            deck = stand.decks[number - 1]
            if deck.playing and deck.bundle:
                await self._adopt(state, number, deck, first=True)
                return
        first = state.plan.tracks[0]
        facts = self._facts.get(first.id)
        if facts is None or not facts.length_s:
            await self._drop(state, 0, "nothing is known of it")
            return
        start_s = Timeline(facts).sound_s[0]
        if not await self._put(state, first, start_s, 0):
            return
        await self._set_now(
            state,
            [
                *live.rest_of_deck(first.deck),
                (f"deck{first.deck}.trim", first.trim_db),
                (f"deck{first.deck}.pitch", float(first.pitch_st)),
                *((f"deck{first.deck}.{mute_of(stem)}", "on") for stem in first.mute),
                (f"deck{first.deck}.play", "on"),
            ],
        )
        state.place, state.loaded = 0, None
        self._note = ""
        await self._save()

    async def _advance(self, state: LiveState, stand: Stand) -> None:
        """Go on: the next track is the one that sounds, as it does at the end of a transition."""
        _, then = self._tracks(state)
        assert then is not None
        if state.start_frame and stand.frame < state.over_frame:  # a hand has stopped the other
            enters = await self._enters(state)
            ends = {each.path: each.value for each in self._commands_of(enters)}
            await self._cancel(state)
            await self._set_now(
                state,
                [(path, value) for path, value in ends.items() if not path.endswith(".play")],
            )
        state.place += 1
        state.loaded, state.start_frame = None, 0
        self._entrance, self._note = None, ""
        await self._save()

    async def _adopt(
        self, state: LiveState, number: int, deck: Deck, *, first: bool = False
    ) -> None:
        """Take a track that a performer has started as the one that sounds, and plan on from it."""
        track = await self._track_of(deck.bundle)
        if track is None:
            self._note = f"deck {number} plays a track that is not in the library"
            return
        found = await self._reader.of([track])
        if track not in found:
            return
        self._facts[track] = found[track]
        done = state.plan.tracks[: state.place + 1] if not first else ()
        rest = [each for each in state.plan.tracks[len(done) :] if each.id != track]
        taken = PlannedTrack(track, found[track].name, number, why="started by hand")
        place = len(done)
        plan = replace(state.plan, tracks=(*done, taken, *rest))
        transitions = state.plan.transitions[: max(0, place - 1)]
        if done:  # how it came in is not known
            transitions = (*transitions, Transition(done[-1].id, track, "follow", why=("by hand",)))
        plan = replace(plan, transitions=transitions)
        state.place, state.loaded, state.start_frame = place, None, 0
        await self._plan_rest(state, plan, place, free_s=deck.position_s + SOON_S)

    async def _silent(
        self,
        state: LiveState,
        stand: Stand,
        now: PlannedTrack,
        out: Deck,
        then: PlannedTrack | None,
    ) -> None:
        """See to a deck that does not play any more: it has ended, or a hand has stopped it."""
        facts = self._facts.get(now.id)
        end_s = facts.length_s - END_S if facts else math.inf
        by_hand = f"deck{now.deck}.play" in self._taken and await self._has(out, now)
        stopped = by_hand and out.position_s < end_s
        if stopped:
            if state.start_frame:
                await self._cancel(state)
            self._next_s, self._note = None, f"deck {now.deck} was stopped by hand"
            return
        if then is None:
            await self._finish(state)
            return
        if state.loaded != then.id or not await self._has(stand.decks[then.deck - 1], then):
            await self._load(state, stand, then)
            if state.loaded != then.id:
                return
        if state.start_frame:
            await self._cancel(state)
        name = f"deck{then.deck}"
        logger.warning("mix: %s started at once: nothing played", then.name)
        rest = [(path, value) for path, value in live.rest_of_deck(then.deck)]
        own: list[tuple[str, Value]] = [(f"{name}.trim", then.trim_db)]
        own += [(f"{name}.{mute_of(stem)}", "on") for stem in then.mute]
        await self._set_now(state, [*rest, *own, (f"{name}.play", "on")])

    async def _finish(self, state: LiveState) -> None:
        played = len(state.plan.tracks)
        name = state.name
        await self._forget()
        self._note = f'"{name}" has ended: {played} tracks'
        self._notify(News(Level.INFO, "mix.done", f'The mix "{name}" has ended: {played} tracks.'))

    async def _load(self, state: LiveState, stand: Stand, then: PlannedTrack) -> None:
        """Load the next track, if its deck is free."""
        deck = stand.decks[then.deck - 1]
        if deck.playing:
            self._note = f"deck {then.deck} is played by hand"
            return
        if asyncio.get_running_loop().time() < self._load_after:
            return
        if state.over_frame > 0 and stand.frame < state.over_frame + CLEARED_S * stand.rate:
            return  # what the last transition moved on it is being put back
        try:
            enters = await self._enters(state)
        except Refused as error:
            await self._replan_pair(state, stand, str(error))
            return
        if not await self._put(state, then, live.place_in(enters), state.place + 1):
            return
        await self._set_now(state, [*live.rest_of_deck(then.deck), *live.preparation(enters)])
        state.loaded, state.start_frame = then.id, 0
        await self._save()

    async def _put(
        self, state: LiveState, track: PlannedTrack, position_s: float, place: int
    ) -> bool:
        """Load a track; return whether it is there. One that cannot be is taken out of the plan."""
        assert self._client is not None
        bundle = await self._bundle(track.id)
        if bundle is None:
            await self._drop(state, place, "it is not in the library, or not prepared")
            return False
        position = max(0.0, position_s)
        try:
            await self._client.call(
                "deck.load", deck=track.deck, path=str(bundle), position_s=position
            )
        except Locked as error:
            self._note = str(error)
            self._load_after = asyncio.get_running_loop().time() + LOAD_RETRY_S
            return False
        except EngineError:  # it is being restarted: tried again with the next one
            raise
        except Refused as error:  # another load was first
            self._note = str(error)
            self._load_after = asyncio.get_running_loop().time() + PERIOD_S
            self._refusals += 1
            if self._refusals >= MAX_REFUSALS:
                self._refusals = 0
                await self._drop(state, place, str(error))
            return False
        except SfaError as error:
            await self._drop(state, place, str(error))
            return False
        self._refusals = 0
        state.since[track.deck] = (await self._stand()).seq
        return True

    async def _queue(self, state: LiveState, stand: Stand, out: Deck) -> None:
        """Queue the transition a phrase ahead; again if the outgoing deck runs otherwise."""
        try:
            enters = await self._enters(state)
            commands = self._commands_of(enters)
        except Refused as error:
            await self._replan_pair(state, stand, str(error))
            return
        now_s = enters.out.time_at(out.position_s)
        if now_s > enters.start_s + LATE_S:
            await self._replan_pair(state, stand, "its beginning was passed", now_s=out.position_s)
            return
        pace = max(0.01, out.rate / enters.out.rate_at(out.position_s))
        first_s = commands[0].time_s if commands else enters.start_s
        self._next_s = (enters.start_s - now_s) / pace
        anchor = stand.frame - (now_s - LEAD_S) * stand.rate / pace
        if state.start_frame:
            self._note = "the transition is queued"
            if abs(anchor - state.anchor) / stand.rate <= OFF_S:
                return
            await self._cancel(state)
        elif (first_s - now_s) / pace > AHEAD_S:
            self._note = ""
            return
        await self._send(state, stand, enters, commands, now_s, pace)

    async def _blend(self, state: LiveState, stand: Stand, out: Deck, into: Deck) -> None:
        """Watch a transition while both decks play."""
        now, then = self._tracks(state)
        assert now is not None
        assert then is not None
        self._next_s = None
        by_hand = f"deck{then.deck}.play" in self._taken
        is_closed = f"deck{then.deck}.fader" in self._taken and into.fader_db < CLOSED_DB
        if by_hand or is_closed:
            if state.start_frame:
                await self._cancel(state)
            self._note = f"deck {then.deck} is played by hand"
            return
        self._note = f"{then.name} comes in"
        if not state.start_frame or stand.frame > state.end_frame:
            # What was queued is over, or lost with the engine: the outgoing deck ends by itself.
            if f"deck{now.deck}.play" not in self._taken and not stand.waiting:
                await self._rest_of_blend(state, stand, out)
            return
        enters = await self._enters(state)
        now_s = enters.out.time_at(out.position_s)
        pace = max(0.01, out.rate / enters.out.rate_at(out.position_s))
        anchor = stand.frame - (now_s - LEAD_S) * stand.rate / pace
        # Beats are kept by sync; only the moves are by time. A bar late is what is not expected.
        if abs(anchor - state.anchor) / stand.rate > 4 * OFF_S and now_s < enters.end_s:
            await self._cancel(state)
            await self._rest_of_blend(state, stand, out)

    async def _rest_of_blend(self, state: LiveState, stand: Stand, out: Deck) -> None:
        enters = await self._enters(state)
        now_s = enters.out.time_at(out.position_s)
        pace = max(0.01, out.rate / enters.out.rate_at(out.position_s))
        await self._send(state, stand, enters, self._commands_of(enters), now_s, pace)

    async def _send(
        self,
        state: LiveState,
        stand: Stand,
        enters: Entrance,
        commands: Sequence[live.Queued],
        now_s: float,
        pace: float,
    ) -> None:
        """Queue what of a transition is still to come, and set what should have been."""
        past, left = live.split(commands, now_s)
        anchor = stand.frame - (now_s - LEAD_S) * stand.rate / pace
        items: list[dict[str, Any]] = [
            self._item(state, path, value) for path, value in past.items()
        ]
        for each in left:
            frame = live.frame_of(each.time_s, round(anchor), stand.rate, pace)
            items.append({**self._item(state, each.path, each.value), "when": frame})
        assert self._client is not None
        await self._client.call("automation.queue", commands=items)
        state.anchor = anchor
        state.over_frame = live.frame_of(enters.end_s, round(anchor), stand.rate, pace)
        state.start_frame = max(1, live.frame_of(enters.start_s, round(anchor), stand.rate, pace))
        last_s = max([enters.end_s, *(each.time_s for each in left)])
        state.end_frame = live.frame_of(last_s, round(anchor), stand.rate, pace)
        await self._save()

    async def _cancel(self, state: LiveState) -> None:
        """Cancel what waits."""
        if self._client is not None:
            await self._client.call("automation.cancel")
        state.start_frame = state.end_frame = 0
        await self._save()

    # ------------------------------------------------------------------ plans

    async def _replan_pair(
        self, state: LiveState, stand: Stand, reason: str, *, now_s: float | None = None
    ) -> None:
        """Plan the next transition anew, from where the outgoing deck is."""
        now, then = self._tracks(state)
        assert now is not None
        assert then is not None
        logger.info("mix: %s to %s planned anew: %s", now.name, then.name, reason)
        if then.id not in self._facts or not self._facts[then.id].length_s:
            await self._drop(state, state.place + 1, reason)
            return
        if state.start_frame:
            await self._cancel(state)
        position = stand.decks[now.deck - 1].position_s if now_s is None else now_s
        await self._plan_rest(state, state.plan, state.place, free_s=position + SOON_S)
        try:
            await self._enters(state)
        except Refused as error:
            await self._drop(state, state.place + 1, str(error))

    async def _plan_rest(
        self, state: LiveState, plan: Plan, place: int, free_s: float | None = None
    ) -> None:
        """Plan from a place on; the transition from its track begins after `free_s`."""
        plan = await asyncio.to_thread(_planned, plan, self._facts, place, free_s)
        state.plan, self._entrance = plan, None
        if place == max(0, state.place):
            state.loaded = None
        await self._save(stored=True)

    async def _drop(self, state: LiveState, place: int, reason: str) -> None:
        """Take a track out of the plan, say why, and plan the rest anew."""
        track = state.plan.tracks[place]
        sentence = f"{track.name} was left out of the mix: {reason}"
        logger.warning("mix: %s", sentence)
        state.dropped.append(f"{track.name}: {reason}")
        self._notify(News(Level.WARNING, "mix.dropped", f"{sentence}.", track=track.id))
        kept = [each for n, each in enumerate(state.plan.tracks) if n != place]
        if not kept:
            await self._forget()
            self._note = "no track of the plan could be played"
            return
        if place == 0:
            state.plan = _from(state.plan, 1)
            await self._save(stored=True)
            return
        position = None
        with suppress(SfaError):
            now = state.plan.tracks[place - 1]
            if state.place == place - 1:
                position = (await self._stand()).decks[now.deck - 1].position_s + SOON_S
        plan = replace(state.plan, tracks=tuple(kept))
        await self._plan_rest(state, plan, place - 1, free_s=position)

    async def _sooner(self, state: LiveState, stand: Stand) -> None:
        """Move the next transition to the next phrase."""
        now, _ = self._tracks(state)
        assert now is not None
        await self._cancel(state)
        at_s = stand.decks[now.deck - 1].position_s + SOON_S
        transition = live.sooner(state.plan, self._facts, state.place, at_s)
        transitions = list(state.plan.transitions)
        transitions[state.place] = transition
        state.plan = replace(state.plan, transitions=tuple(transitions))
        self._entrance, state.loaded = None, None
        await self._save(stored=True)

    async def _enters(self, state: LiveState) -> Entrance:
        """Return how the next track comes in; kept until the plan changes."""
        now, then = self._tracks(state)
        transition = self._transition(state)
        assert now is not None
        assert then is not None
        assert transition is not None
        pair = replace(state.plan, tracks=(now, then), transitions=(transition,))
        key = (pair, f"deck{now.deck}.rate" not in self._taken)  # else a hand has the tempo
        if self._entrance is None or self._entrance[0] != key:
            made = await asyncio.to_thread(entrance, pair, self._facts, glide=key[1])
            self._entrance, self._commands = (key, made), None
        return self._entrance[1]

    def _commands_of(self, enters: Entrance) -> list[live.Queued]:
        """Return what is queued of the entrance that is kept; 10 ms the first time."""
        if self._commands is None:
            self._commands = live.queued(enters)
        return self._commands

    # ------------------------------------------------------------------ what there is

    def _tracks(self, state: LiveState) -> tuple[PlannedTrack | None, PlannedTrack | None]:
        """Return the track that sounds and the next one."""
        tracks_ = state.plan.tracks
        now = tracks_[state.place] if 0 <= state.place < len(tracks_) else None
        then = tracks_[state.place + 1] if state.place + 1 < len(tracks_) else None
        return now, then

    def _transition(self, state: LiveState) -> Transition | None:
        if 0 <= state.place < len(state.plan.transitions):
            return state.plan.transitions[state.place]
        return None

    def _is_blending(self, state: LiveState, stand: Stand) -> bool:
        return bool(state.start_frame) and stand.frame >= state.start_frame

    def _taken_of(self, state: LiveState, stand: Stand, deck: int | None = None) -> list[str]:
        """Return the controls of the mix that performers have taken over."""
        found = []
        for path, seq in stand.taken.items():
            number = live.deck_of(path)
            is_ours = number in state.since and deck in {None, number} and live.is_of_mix(path)
            if is_ours and seq > state.since[number]:
                found.append(path)
        return sorted(found)

    async def _stand(self) -> Stand:
        if self._client is None:
            raise Refused("the engine does not run", "start it: `sfa start`")
        least = min(self._state.since.values(), default=0) if self._state else 0
        found = await self._client.call("automation.status", since=least)
        return msgspec.convert(found, Stand)

    async def _set_now(self, state: LiveState, values: Sequence[tuple[str, Value]]) -> None:
        assert self._client is not None
        items = [self._item(state, path, value) for path, value in dict(values).items()]
        await self._client.call("automation.queue", commands=items)

    def _item(self, state: LiveState, path: str, value: Value) -> dict[str, Any]:
        return {"path": path, "value": value, "since": state.since.get(live.deck_of(path), 0)}

    async def _has(self, deck: Deck, track: PlannedTrack) -> bool:
        """Return whether a deck has a track."""
        bundle = self._bundles.get(track.id) or await self._bundle(track.id)
        return bundle is not None and Path(deck.bundle).name == bundle.name

    async def _bundle(self, number: int) -> Path | None:
        async with self._context.database.reading() as connection:
            found = next(iter(await tracks.listed(connection, [number])), None)
        if found is None or found.deleted_at is not None or not found.bundle:
            return None
        self._bundles[number] = self._context.places.bundles / found.bundle
        return self._bundles[number]

    async def _track_of(self, bundle: str) -> int | None:
        async with self._context.database.reading() as connection:
            found = await rows(
                connection, "SELECT id FROM tracks WHERE bundle = ?", (Path(bundle).name,)
            )
        return int(found[0]["id"]) if found else None

    async def _know(self, plan: Plan) -> None:
        self._facts = await self._reader.of([track.id for track in plan.tracks])

    # ------------------------------------------------------------------ the file

    def _reset(self) -> None:
        self._entrance, self._next_s, self._taken, self._load_after = None, None, [], 0.0

    async def _save(self, *, stored: bool = False) -> None:
        """Keep the state; with `stored` the plan too, as it is performed."""
        state = self._state
        if state is None:
            return
        data = msgspec.json.encode(state)
        await asyncio.to_thread(write_durably, self._file, data, 0o600)
        if stored:
            with suppress(SfaError):  # a full disk is no reason to stop
                await self._store.write(state.name, state.plan)

    async def _forget(self) -> None:
        self._state, self._note = None, "stopped"
        self._reset()
        await asyncio.to_thread(self._file.unlink, True)

    async def resume(self) -> None:
        """Go on with the mix that ran when backstage ended."""
        try:
            data = await asyncio.to_thread(self._file.read_bytes)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("the mix that ran is lost: %s", error)
            return
        try:
            state = msgspec.json.decode(data, type=LiveState)
        except msgspec.MsgspecError as error:
            logger.warning("the mix that ran is lost: %s", error)
            return
        await self._know(state.plan)
        self._state, self._note = state, "goes on"
        self._reset()


def _from(plan: Plan, place: int) -> Plan:
    """Return a plan without the tracks before a place."""
    return replace(plan, tracks=plan.tracks[place:], transitions=plan.transitions[place:])


def _planned(plan: Plan, facts: Mapping[int, TrackFacts], place: int, free_s: float | None) -> Plan:
    """Return a plan whose rest is planned anew; its first transition begins after `free_s`."""
    if free_s is None or place + 1 >= len(plan.tracks):
        return replan(plan, facts, place)
    now, then = plan.tracks[place : place + 2]
    one, other = (facts_in(facts, each) for each in (now, then))
    pair = plan_pair(one, other, settings_of(plan), Entered(now.pitch_st, free_s))
    first = replace(pair.transition, locked=True)
    before = plan.transitions[:place]
    made = replan(replace(plan, transitions=(*before, first)), facts, place)
    rest = made.transitions[place + 1 :]
    return replace(made, transitions=(*before, pair.transition, *rest))
