"""``mix.start`` and what follows: a plan performed live, see `mixes.live_mix`."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from sfa_engine.backstage.access import By, find
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.mixes.live_mix import LiveMix
from sfa_engine.backstage.verbs.mixes import Number
from sfa_engine.backstage.verbs.words import TrackWord
from sfa_engine.mix.plan import DECKS
from sfa_engine.system.named_files import FileName
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import verb

Deck = Annotated[int, Meta(ge=min(DECKS), le=max(DECKS))]


class LiveMixVerbs:
    """The verbs on the mix that is performed.

    Parameters
    ----------
    context : PrepContext
    live : LiveMix
    """

    def __init__(self, context: PrepContext, live: LiveMix) -> None:
        self._context = context
        self._live = live

    @verb(scope="perform", slow=True)
    async def mix_start(self, name: FileName, place: Number = 1) -> dict[str, Any]:
        """Perform a stored plan, from the track at a place on.

        If a deck plays already, the mix goes on from its track.
        """
        await self._live.start(name, place - 1)
        return await self._live.status()

    @verb(scope="perform", slow=True)
    async def mix_stop(self) -> dict[str, Any]:
        """End the mix that is performed; the decks play on as they are."""
        await self._live.stop()
        return await self._live.status()

    @verb(scope="perform", slow=True)
    async def mix_skip(self) -> dict[str, Any]:
        """Begin the next transition at the next phrase."""
        await self._live.skip()
        return await self._live.status()

    @verb(scope="perform", slow=True, owned=True)
    async def mix_next(self, track: TrackWord, actor: By = SYSTEM) -> dict[str, Any]:
        """Play a track next, before what was to come; the rest is planned anew."""
        async with self._context.database.reading() as connection:
            found = await find(connection, actor, track)
        await self._live.next(found.id)
        return await self._live.status()

    @verb(scope="perform", slow=True)
    async def mix_release(self, deck: Deck | None = None) -> dict[str, Any]:
        """Give the controls that performers have taken over back to the mix."""
        given = await self._live.release(deck)
        return {"released": given, **await self._live.status()}

    @verb(scope="read")
    async def mix_status(self) -> dict[str, Any]:
        """Return what the mix that is performed does.

        What plays, what comes next and in how many seconds, what performers have taken over, and
        which tracks were left out.
        """
        return await self._live.status()
