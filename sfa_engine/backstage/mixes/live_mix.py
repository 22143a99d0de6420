"""Performs a plan live: loads each next track long before, queues transitions, gives way to hands.

::

    verbs ──────────────────────► LiveMix ◄── every PERIOD_S
                                     │
      live_state ◄─── live_performance ───► live_stage ◄─► the stage: automation.status, queue …
      (a file)               │
                       live_decision   what is due? (pure)

All that is audible is queued in the engine up to the end of a transition, `AHEAD_S` before it
begins: while backstage is away the engine performs it, and a restarted backstage goes on from the
file. Time is kept by the place of the outgoing deck: if it runs otherwise than was expected (a hand
on the tempo, a jump, a loop), what waits is cancelled and queued anew. Nothing makes it stop but
the end of the plan, `stop`, or a hand that stops the deck.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.mixes.live_decision import (
    from_place,
    is_blending,
    taken_of,
    with_edit,
    with_next,
)
from sfa_engine.backstage.mixes.live_performance import PERIOD_S, Performance
from sfa_engine.backstage.mixes.live_stage import Engine
from sfa_engine.backstage.mixes.live_state import FILE, LiveState, StateFile
from sfa_engine.backstage.mixes.store import PlanStore
from sfa_engine.errors import Refused, SfaError
from sfa_engine.library.notifications import News
from sfa_engine.mix.document import Plan
from sfa_engine.mix.plan import DECKS
from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.wire import aio
from sfa_engine.wire.caller import Caller

logger = logging.getLogger(__name__)
RETRY_S = 0.3  # while there is no stage


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
        self._store = store
        self._socket = runtime / ENGINE_SOCKET
        self._file = StateFile(context.settings.data / file)
        self._performance = Performance(context, facts, store, notify, self._file)
        self._lock = asyncio.Lock()
        self._asked = asyncio.Event()
        self._resuming = asyncio.Lock()
        self._has_resumed = False

    @property
    def state(self) -> LiveState | None:
        """The mix that runs, if one does."""
        return self._performance.state

    # ------------------------------------------------------------------ from verbs

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
        await self.resume()
        performance = self._performance
        async with self._lock:
            if self.state is not None:
                raise Refused(f'the mix "{self.state.name}" runs', "stop it first: `sfa mix stop`")
            plan = await self._store.read(name)
            if not 0 <= place < len(plan.tracks):
                raise Refused(f"no track at place {place + 1}", f"the plan has {len(plan.tracks)}")
            plan = from_place(plan, place)
            await performance.know(plan)
            performance.begin(LiveState(name, plan, started_at=time.time()), "starts")
            await performance.save()
        self._asked.set()

    async def stop(self) -> None:
        """End the mix: what waits is cancelled, and the decks play on as they are."""
        await self.resume()
        async with self._lock:
            self._running()
            await self._performance.stage.cancel()
            await self._performance.forget()

    async def skip(self) -> None:
        """Begin the next transition at the next phrase."""
        await self.resume()
        async with self._lock:
            state = self._running()
            stand = await self._performance.stand()
            if is_blending(state, stand):
                raise Refused("a transition is on its way", "wait for its end")
            if state.place < 0 or state.place + 1 >= len(state.plan.tracks):
                raise Refused("there is no next track", "give one: `sfa mix next TRACK`")
            await self._performance.sooner(state, stand)
        self._asked.set()

    async def next(self, track: int) -> None:
        """Play a track next, before what was to come.

        Parameters
        ----------
        track : int
            Its number in the library.
        """
        await self.resume()
        performance = self._performance
        async with self._lock:
            state = self._running()
            place = await self._last_place(state)
            if track in {each.id for each in state.plan.tracks[: place + 1]}:
                raise Refused("it plays, or was played already", "choose another track")
            facts = await performance.facts_of(track)
            await performance.plan_rest(state, with_next(state.plan, place, facts), place)
            if place == state.place:
                await performance.cancel(state)
        self._asked.set()

    async def release(self, deck: int | None = None) -> list[str]:
        """Give controls that were taken over back to the mix; return them.

        Parameters
        ----------
        deck : int, optional
            From 1; without it those of all decks.
        """
        await self.resume()
        async with self._lock:
            state = self._running()
            stand = await self._performance.stand()
            given = taken_of(state, stand, deck)
            for number in [deck] if deck else DECKS:
                state.since[number] = stand.seq
            if given and state.start_frame:  # what waits is of before, and would be refused
                await self._performance.cancel(state)
            await self._performance.save()
            return given

    async def edited(self, name: str, plan: Plan) -> None:
        """Take over a plan that was edited, from the track that sounds on.

        Raises
        ------
        Refused
            It differs in what was played already.
        """
        await self.resume()
        performance = self._performance
        async with self._lock:
            state = self.state
            if state is None or state.name != name:
                return
            place = await self._last_place(state)
            made = with_edit(state.plan, plan, place)
            await performance.know(plan)
            state.plan = made
            performance.changed()
            if place == state.place:
                await performance.cancel(state)
            await performance.save()
        self._asked.set()

    async def status(self) -> dict[str, Any]:
        """Return what runs: plan, place, what is taken over, and when the next transition is."""
        await self.resume()
        performance, state = self._performance, self.state
        if state is None:
            return {"running": False, "note": performance.note}
        now, then = state.tracks
        transition, next_s = state.transition, performance.next_s
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
            "transition_in_s": None if next_s is None else round(next_s, 1),
            "queued": bool(state.start_frame),
            "taken": list(performance.taken),
            "dropped": list(state.dropped),
            "note": performance.note,
        }

    def _running(self) -> LiveState:
        if self.state is None:
            raise Refused("no mix runs", "start one: `sfa mix start NAME`")
        return self.state

    async def _last_place(self, state: LiveState) -> int:
        """Return the place of the last track that plays: in a transition of the incoming one."""
        stand = await self._performance.stand()
        return max(0, state.place) + is_blending(state, stand)

    # ------------------------------------------------------------------ the loop

    async def run(self) -> None:
        """Perform until cancelled."""
        await self.resume()
        while True:
            if self.state is None:
                await self._asked.wait()
                self._asked.clear()
                continue
            with suppress(OSError, SfaError):
                async with aio.connect(self._socket, Caller("the stage", "backstage")) as client:
                    await self._perform(client)
            self._performance.stage.connected(None)
            await asyncio.sleep(RETRY_S)

    async def resume(self) -> None:
        """Go on with the mix that ran when backstage ended, once; all verbs wait for it."""
        async with self._resuming:
            if self._has_resumed:
                return
            state = await asyncio.to_thread(self._file.read)
            if state is not None:
                await self._performance.know(state.plan)
                self._performance.begin(state, "goes on")
            self._has_resumed = True

    async def step(self, engine: Engine) -> bool:
        """See to what is due now, with the stage that runs; return whether the mix goes on.

        Raises
        ------
        SfaError
            The stage is gone.
        """
        performance = self._performance
        performance.stage.connected(engine)
        async with self._lock:
            if self.state is None:
                return False
            try:
                await performance.step(self.state)
            except Refused as error:  # never the end of the mix
                if str(error) != performance.note:
                    logger.warning("mix: %s", error)
                performance.note = str(error)
            return self.state is not None

    async def _perform(self, engine: Engine) -> None:
        """Perform with one stage, as long as it lives."""
        while await self.step(engine):
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await self._asked.wait()
                self._asked.clear()
