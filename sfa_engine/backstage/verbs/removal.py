"""The removal of a track, for the verbs that remove one or many."""

from __future__ import annotations

from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.library import trash
from sfa_engine.library.track import Track


async def remove_track(context: PrepContext, dispatcher: Dispatcher, track: int) -> Track:
    """End the jobs of a track, move it to the trash, and tell listeners; return the new row."""
    await dispatcher.cancel_track(track)  # or a worker puts a bundle where it was
    gone = await trash.remove(context.database, context.places, track)
    context.tell_track(track, "")
    return gone
