"""Carries out what a live mix decides: one plan, step by step, from the stage's state on.

What is decided is in `live_decision`; when a step is taken, and what users ask for, in `live_mix`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.mixes.live_decision import (
    SOON_S,
    Blending,
    Due,
    Queueing,
    Setting,
    Timing,
    blend_due,
    due,
    first_settings,
    from_place,
    is_blend_off,
    is_clearing,
    is_stopped_by_hand,
    item,
    length_of,
    planned,
    queue_due,
    sent,
    taken_of,
    timing,
    with_adopted,
)
from sfa_engine.backstage.mixes.live_stage import LiveStage
from sfa_engine.backstage.mixes.live_state import Deck, LiveState, Stand, StateFile
from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.errors import EngineError, Locked, Refused, SfaError
from sfa_engine.library import tracks
from sfa_engine.library.database import rows
from sfa_engine.library.notifications import Level, News
from sfa_engine.mix import live
from sfa_engine.mix.commands import Entrance, entrance
from sfa_engine.mix.document import Plan, PlannedTrack
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.plan import DECKS
from sfa_engine.mix.timeline import Timeline

logger = logging.getLogger(__name__)
PERIOD_S = 0.2
LOAD_RETRY_S = 5.0  # after a load that the session's lock refused
MAX_REFUSALS = 5  # of a load in a row, after which the track is left out


class Performance:
    """A mix that is performed, or none.

    Parameters
    ----------
    context : PrepContext
    facts : FactsReader
    store : PlanStore
    notify : callable
        Adds a notification.
    file : StateFile

    Attributes
    ----------
    state : LiveState, optional
        None: no mix is performed.
    stage : LiveStage
    facts : dict of int to TrackFacts
        Of the tracks of the plan.
    note : str
        What is done, or why nothing is.
    taken : list of str
        Controls that performers have taken over.
    next_s : float, optional
        Seconds until the next transition begins.
    """

    def __init__(
        self,
        context: PrepContext,
        facts: FactsReader,
        store: PlanStore,
        notify: Callable[[News], None],
        file: StateFile,
    ) -> None:
        self._context = context
        self._reader = facts
        self._store = store
        self._notify = notify
        self._file = file
        self.state: LiveState | None = None
        self.stage = LiveStage()
        self.facts: dict[int, TrackFacts] = {}
        self.note = ""
        self.taken: list[str] = []
        self.next_s: float | None = None
        self._bundles: dict[int, Path] = {}
        self._entrance: tuple[Any, Entrance] | None = None
        self._commands: list[live.Queued] | None = None
        self._load_after = 0.0
        self._refusals = 0

    # ------------------------------------------------------------------ steps

    async def step(self, state: LiveState) -> None:
        """Do what is due now.

        Raises
        ------
        Refused
            Something cannot be done; the mix goes on.
        SfaError
            The stage is gone.
        """
        stand = await self.stand()
        if stand.set != state.engine:
            state.engine, state.since = stand.set, dict.fromkeys(DECKS, stand.seq)
            state.start_frame = state.end_frame = 0
            await self.save()
        self.taken = taken_of(state, stand)
        now, then = state.tracks
        match due(state, stand, await self._names(now, then)):
            case Due.BEGIN:
                await self._begin(state, stand)
            case Due.ADVANCE:
                await self._advance(state, stand)
            case Due.BLEND:
                await self._blend(state, stand)
            case Due.ADOPT:
                assert now is not None
                await self._adopt(state, now.deck, stand.deck(now))
            case Due.SILENT:
                await self._silent(state, stand)
            case Due.LAST:
                self.next_s, self.note = None, "the last track plays"
            case Due.LOAD:
                await self._load(state, stand)
            case Due.QUEUE:
                await self._queue(state, stand)

    async def _begin(self, state: LiveState, stand: Stand) -> None:
        """Start the first track, or go on from one that plays."""
        for number in DECKS:
            deck = stand.decks[number - 1]
            if deck.playing and deck.bundle:
                await self._adopt(state, number, deck, first=True)
                return
        first = state.plan.tracks[0]
        facts = self.facts.get(first.id)
        if facts is None or not facts.length_s:
            await self._drop(state, 0, "nothing is known of it")
            return
        if not await self._put(state, first, Timeline(facts).sound_s[0], 0):
            return
        await self._set_now(state, first_settings(first))
        state.place, state.loaded = 0, None
        self.note = ""
        await self.save()

    async def _advance(self, state: LiveState, stand: Stand) -> None:
        """Go on: the next track is the one that sounds, as it does at the end of a transition."""
        if state.start_frame and stand.frame < state.over_frame:  # a hand has stopped the other
            enters = await self._enters(state)
            ends = {each.path: each.value for each in self._commands_of(enters)}
            await self.cancel(state)
            await self._set_now(
                state,
                [(path, value) for path, value in ends.items() if not path.endswith(".play")],
            )
        state.place += 1
        state.loaded, state.start_frame = None, 0
        self._entrance, self.note = None, ""
        await self.save()

    async def _adopt(
        self, state: LiveState, number: int, deck: Deck, *, first: bool = False
    ) -> None:
        """Take a track that a performer has started as the one that sounds, and plan on from it."""
        track = await self._track_of(deck.bundle)
        if track is None:
            self.note = f"deck {number} plays a track that is not in the library"
            return
        found = await self._reader.of([track])
        if track not in found:
            return
        self.facts[track] = found[track]
        place = 0 if first else state.place + 1
        plan = with_adopted(state.plan, place, found[track], number)
        state.place, state.loaded, state.start_frame = place, None, 0
        await self.plan_rest(state, plan, place, free_s=deck.position_s + SOON_S)

    async def _silent(self, state: LiveState, stand: Stand) -> None:
        """See to a deck that does not play any more: it has ended, or a hand has stopped it."""
        now, then = state.tracks
        assert now is not None
        out = stand.deck(now)
        is_taken = f"deck{now.deck}.play" in self.taken and await self._has(out, now)
        if is_stopped_by_hand(out, length_of(self.facts.get(now.id)), is_taken=is_taken):
            if state.start_frame:
                await self.cancel(state)
            self.next_s, self.note = None, f"deck {now.deck} was stopped by hand"
            return
        if then is None:
            await self._finish(state)
            return
        if state.loaded != then.id or not await self._has(stand.deck(then), then):
            await self._load(state, stand)
            if state.loaded != then.id:
                return
        if state.start_frame:
            await self.cancel(state)
        logger.warning("mix: %s started at once: nothing played", then.name)
        await self._set_now(state, first_settings(then))

    async def _finish(self, state: LiveState) -> None:
        sentence = f'"{state.name}" has ended: {len(state.plan.tracks)} tracks'
        await self.forget()
        self.note = sentence
        self._notify(News(Level.INFO, "mix.done", f"The mix {sentence}."))

    async def _load(self, state: LiveState, stand: Stand) -> None:
        """Load the next track, if its deck is free."""
        _, then = state.pair
        if stand.deck(then).playing:
            self.note = f"deck {then.deck} is played by hand"
            return
        if asyncio.get_running_loop().time() < self._load_after or is_clearing(state, stand):
            return
        try:
            enters = await self._enters(state)
        except Refused as error:
            await self._replan_pair(state, stand, str(error))
            return
        if not await self._put(state, then, live.place_in(enters), state.place + 1):
            return
        await self._set_now(state, [*live.rest_of_deck(then.deck), *live.preparation(enters)])
        state.loaded, state.start_frame = then.id, 0
        await self.save()

    async def _put(
        self, state: LiveState, track: PlannedTrack, position_s: float, place: int
    ) -> bool:
        """Load a track; return whether it is there. One that cannot be is taken out of the plan."""
        bundle = await self._bundle(track.id)
        if bundle is None:
            await self._drop(state, place, "it is not in the library, or not prepared")
            return False
        loop = asyncio.get_running_loop()
        try:
            await self.stage.load(track.deck, bundle, max(0.0, position_s))
        except Locked as error:
            self.note = str(error)
            self._load_after = loop.time() + LOAD_RETRY_S
            return False
        except EngineError:  # it is being restarted: tried again with the next one
            raise
        except Refused as error:  # another load was first
            self.note = str(error)
            self._load_after = loop.time() + PERIOD_S
            self._refusals += 1
            if self._refusals >= MAX_REFUSALS:
                self._refusals = 0
                await self._drop(state, place, str(error))
            return False
        except SfaError as error:
            await self._drop(state, place, str(error))
            return False
        self._refusals = 0
        state.since[track.deck] = (await self.stand()).seq
        return True

    async def _queue(self, state: LiveState, stand: Stand) -> None:
        """Queue the transition a phrase ahead; again if the outgoing deck runs otherwise."""
        now, _ = state.pair
        out = stand.deck(now)
        try:
            enters = await self._enters(state)
            commands = self._commands_of(enters)
        except Refused as error:
            await self._replan_pair(state, stand, str(error))
            return
        at = timing(enters, out, stand)
        what = queue_due(state, stand, enters, commands, at)
        if what is Queueing.PASSED:
            await self._replan_pair(state, stand, "its beginning was passed", now_s=out.position_s)
            return
        self.next_s = (enters.start_s - at.now_s) / at.pace
        if what in {Queueing.STAYS, Queueing.AGAIN}:
            self.note = "the transition is queued"
        if what is Queueing.WAIT:
            self.note = ""
        if what is Queueing.AGAIN:
            await self.cancel(state)
        if what in {Queueing.SEND, Queueing.AGAIN}:
            await self._send(state, stand, enters, at)

    async def _blend(self, state: LiveState, stand: Stand) -> None:
        """Watch a transition while both decks play."""
        now, then = state.pair
        out = stand.deck(now)
        self.next_s = None
        what = blend_due(state, stand, self.taken)
        if what is Blending.HELD:
            if state.start_frame:
                await self.cancel(state)
            self.note = f"deck {then.deck} is played by hand"
            return
        self.note = f"{then.name} comes in"
        if what is Blending.OVER:
            return
        enters = await self._enters(state)
        at = timing(enters, out, stand)
        if what is Blending.CHECK:
            if not is_blend_off(state, stand, enters, at):
                return
            await self.cancel(state)
        await self._send(state, stand, enters, at)

    async def _send(self, state: LiveState, stand: Stand, enters: Entrance, at: Timing) -> None:
        """Queue what of a transition is still to come, and set what should have been."""
        made = sent(state, stand, enters, self._commands_of(enters), at)
        await self.stage.queue(made.items)
        state.anchor = at.anchor
        _, state.start_frame, state.over_frame, state.end_frame = made
        await self.save()

    async def _set_now(self, state: LiveState, settings: Sequence[Setting]) -> None:
        await self.stage.queue([item(state, *each) for each in dict(settings).items()])

    async def cancel(self, state: LiveState) -> None:
        """Cancel what waits."""
        await self.stage.cancel()
        state.start_frame = state.end_frame = 0
        await self.save()

    # ------------------------------------------------------------------ plans

    async def plan_rest(
        self, state: LiveState, plan: Plan, place: int, free_s: float | None = None
    ) -> None:
        """Plan from a place on; the transition from its track begins after `free_s`."""
        made = await asyncio.to_thread(planned, plan, self.facts, place, free_s)
        state.plan, self._entrance = made, None
        if place == max(0, state.place):
            state.loaded = None
        await self.save(stored=True)

    async def _replan_pair(
        self, state: LiveState, stand: Stand, reason: str, *, now_s: float | None = None
    ) -> None:
        """Plan the next transition anew, from where the outgoing deck is."""
        now, then = state.pair
        logger.info("mix: %s to %s planned anew: %s", now.name, then.name, reason)
        if then.id not in self.facts or not self.facts[then.id].length_s:
            await self._drop(state, state.place + 1, reason)
            return
        if state.start_frame:
            await self.cancel(state)
        position = stand.deck(now).position_s if now_s is None else now_s
        await self.plan_rest(state, state.plan, state.place, free_s=position + SOON_S)
        try:
            await self._enters(state)
        except Refused as error:
            await self._drop(state, state.place + 1, str(error))

    async def _drop(self, state: LiveState, place: int, reason: str) -> None:
        """Take a track out of the plan, say why, and plan the rest anew."""
        track = state.plan.tracks[place]
        sentence = f"{track.name} was left out of the mix: {reason}"
        logger.warning("mix: %s", sentence)
        state.dropped.append(f"{track.name}: {reason}")
        self._notify(News(Level.WARNING, "mix.dropped", f"{sentence}.", track=track.id))
        kept = [each for n, each in enumerate(state.plan.tracks) if n != place]
        if not kept:
            await self.forget()
            self.note = "no track of the plan could be played"
            return
        if place == 0:
            state.plan = from_place(state.plan, 1)
            await self.save(stored=True)
            return
        position = None
        with suppress(SfaError):
            if state.place == place - 1:
                now = state.plan.tracks[place - 1]
                position = (await self.stand()).deck(now).position_s + SOON_S
        plan = replace(state.plan, tracks=tuple(kept))
        await self.plan_rest(state, plan, place - 1, free_s=position)

    async def sooner(self, state: LiveState, stand: Stand) -> None:
        """Move the next transition to the next phrase."""
        now, _ = state.pair
        await self.cancel(state)
        at_s = stand.deck(now).position_s + SOON_S
        transitions = list(state.plan.transitions)
        transitions[state.place] = live.sooner(state.plan, self.facts, state.place, at_s)
        state.plan = replace(state.plan, transitions=tuple(transitions))
        self._entrance, state.loaded = None, None
        await self.save(stored=True)

    async def _enters(self, state: LiveState) -> Entrance:
        """Return how the next track comes in; kept until the plan changes."""
        now, then = state.pair
        transition = state.transition
        assert transition is not None
        pair = replace(state.plan, tracks=(now, then), transitions=(transition,))
        key = (pair, f"deck{now.deck}.rate" not in self.taken)  # else a hand has the tempo
        if self._entrance is None or self._entrance[0] != key:
            made = await asyncio.to_thread(entrance, pair, self.facts, glide=key[1])
            self._entrance, self._commands = (key, made), None
        return self._entrance[1]

    def _commands_of(self, enters: Entrance) -> list[live.Queued]:
        """Return what is queued of the entrance that is kept; 10 ms the first time."""
        if self._commands is None:
            self._commands = live.queued(enters)
        return self._commands

    # ------------------------------------------------------------------ what there is

    async def stand(self) -> Stand:
        """Return what the stage plays; Refused if there is none."""
        return await self.stage.stand(
            min(self.state.since.values(), default=0) if self.state else 0
        )

    async def know(self, plan: Plan) -> None:
        """Read what is known of the tracks of a plan."""
        self.facts = await self._reader.of([track.id for track in plan.tracks])

    async def facts_of(self, track: int) -> TrackFacts:
        """Return what is known of a track of the library; Refused if it is not prepared."""
        facts = (await self._reader.of([track])).get(track)
        if facts is None or not facts.length_s:
            raise Refused("the track is not prepared", "prepare it: `sfa prep --again TRACK`")
        self.facts[track] = facts
        return facts

    async def _names(self, *planned_: PlannedTrack | None) -> dict[int, str]:
        """Return the names of the bundles of tracks, of those that have one."""
        found = {
            each.id: self._bundles.get(each.id) or await self._bundle(each.id)
            for each in planned_
            if each
        }
        return {number: bundle.name for number, bundle in found.items() if bundle}

    async def _has(self, deck: Deck, track: PlannedTrack) -> bool:
        """Return whether a deck has a track."""
        return deck.has((await self._names(track)).get(track.id))

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

    # ------------------------------------------------------------------ begin and end

    def begin(self, state: LiveState, note: str) -> None:
        """Perform from a state on."""
        self.state, self.note = state, note
        self._reset()

    def changed(self) -> None:
        """Note that the plan is another one."""
        self._entrance = None

    async def save(self, *, stored: bool = False) -> None:
        """Keep the state; with `stored` the plan too, as it is performed."""
        state = self.state
        if state is None:
            return
        await asyncio.to_thread(self._file.write, state)
        if stored:
            with suppress(SfaError):  # a full disk is no reason to stop
                await self._store.write(state.name, state.plan)

    async def forget(self) -> None:
        """End; the decks play on."""
        self.state, self.note = None, "stopped"
        self._reset()
        await asyncio.to_thread(self._file.remove)

    def _reset(self) -> None:
        self._entrance, self.next_s, self.taken, self._load_after = None, None, [], 0.0
