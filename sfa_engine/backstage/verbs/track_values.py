"""A track in an answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sfa_engine.backstage.access import CHANGE, sees
from sfa_engine.backstage.context import PrepContext
from sfa_engine.library.ownership import OTHER
from sfa_engine.library.track import Track
from sfa_engine.wire.rights import Actor, may


def track_values(context: PrepContext, track: Track, actor: Actor) -> dict[str, Any]:
    """Return a track as plain values, with the folder of its bundle.

    Whose it is besides the actor is for those who see everything; where it came from, perhaps
    from others too, for those who may change everything.
    """
    bundle = str(context.places.bundles / track.bundle) if track.bundle else None
    answer = {**asdict(track), "stems": list(track.stems), "name": track.name, "bundle": bundle}
    if track.account is not None and not sees(actor, int(track.account)):
        answer["account"] = str(actor.account)
    if not may(actor, CHANGE, OTHER):
        answer |= {"source": "", "source_path": None}
    return answer
