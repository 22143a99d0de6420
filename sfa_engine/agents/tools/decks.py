"""The tool that acts on a deck: one that nobody hears, on a bar, and never against a hand.

============  =============================  =====================================================
action        the deck                       how
============  =============================  =====================================================
``load``      stands still                   ``deck.load``, which ``session.lock`` may refuse
``start``     would not be heard             a command of the automatic mix for the next bar: one
``stop``      is not heard                   that a performer has taken over since is refused by
                                             the kernel, see `sfa_engine.stage.automation`
``jump``      is not heard                   ``deck.cue`` on the next bar
============  =============================  =====================================================
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from sfa_engine.agents.tools.answer import TrackNumber
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.desk import DECK_NUMBERS
from sfa_engine.engine.audible import is_open
from sfa_engine.errors import Locked, Refused

BAR = "bar"
Action = Literal["load", "start", "stop", "jump"]


class DeckActOf(Struct, frozen=True, forbid_unknown_fields=True):
    """What `deck_act` takes."""

    deck: Annotated[int, Meta(ge=min(DECK_NUMBERS), le=max(DECK_NUMBERS))]
    action: Action
    track: Annotated[TrackNumber | None, Meta(description="what to load; else null")]
    place: Annotated[
        Annotated[str, Meta(min_length=1, max_length=80)] | None,
        Meta(description='the cue or section to jump to, as "drop" or "break 2"; else null'),
    ]


class DeckActed(Struct, frozen=True):
    """What was done, or queued for the next bar."""

    deck: int
    action: str
    sentence: str


async def _act(bench: Workbench, params: DeckActOf) -> DeckActed:
    deck, action = params.deck, params.action
    if (params.track is not None) is not (action == "load"):
        raise Refused(f"{action}: track is {params.track}", "give a track to load, else null")
    if (params.place is not None) is not (action == "jump"):
        raise Refused(f"{action}: place is not expected", "give a place to jump to, else null")
    stand = await bench.call("automation.status")
    values = await bench.call("values")
    plays = bool(stand["decks"][deck - 1]["playing"] or values[f"deck{deck}.play"])
    is_deck_open = is_open(deck, values.__getitem__)
    if action == "load":
        return await _load(bench, deck, params.track, plays=plays)
    if is_deck_open and (plays or action == "start"):
        state = "is heard" if plays else "would be heard"
        raise Locked(f"deck {deck} {state}: only its performer may {action} it", "close its fader")
    if action == "jump":
        done = await bench.call("deck.cue", deck=deck, name=params.place, when=BAR)
        return DeckActed(deck, action, f"jumps to {clean(done['name'])} on the next bar")
    command = {
        "path": f"deck{deck}.play",
        "value": action == "start",
        "since": stand["seq"],  # a hand that touches it from now on has it
        "when": BAR,
    }
    await bench.call("automation.queue", commands=[command])
    return DeckActed(deck, action, f"{'starts' if action == 'start' else 'stops'} on the next bar")


async def _load(bench: Workbench, deck: int, track: int | None, *, plays: bool) -> DeckActed:
    assert track is not None
    number = bench.check_track(track)
    if plays:
        raise Locked(f"deck {deck} plays", "stop it first, or choose another deck")
    loaded: dict[str, Any] = await bench.call("deck.load", deck=deck, track=f"#{number}")
    if "preparing" in loaded:
        return DeckActed(deck, "load", f"{clean(loaded['name'])} is being prepared, then loaded")
    return DeckActed(deck, "load", f"track {number} is loaded")


DECK_ACT = AgentTool(
    "deck_act",
    "Load a deck that stands still, or start, stop or move one that nobody hears, on a bar.",
    DeckActOf,
    DeckActed,
    "perform",
    is_read_only=False,
    run=_act,
)
