"""The vocabulary: every control, declared once, with unit, range, taper and sentence.

Pure data: nothing here knows who reads it. Memory layout, addresses, widgets and
documents are derived where they are used. Imports nothing of ours but the errors.

::

    Desk ── crossfader, master, phones, clock, engine
     ├── deck1, deck2 ── play, rate, position, trim, fader, filter …
     │     ├── stem.vocals … ── volume, mute, solo, pan, filter, level
     │     ├── eq.low, eq.mid, eq.high ── gain, kill
     │     ├── hotcue1 … hotcue32, in four banks of eight
     │     └── loop
     ├── session, browse, preset ── held by the stage
     ├── sampler, pad1 … pad64, in four banks of 16
     ├── fx1, fx2 ── on, mix, macro, mode
     │     └── slot1, slot2, slot3 ── kind, on, three knobs
     └── recorder ── held by the stage
"""

from sfa_engine.desk.control import (
    Button,
    Choice,
    Control,
    Each,
    Fader,
    Meter,
    Section,
    Switch,
    Text,
    Value,
)
from sfa_engine.desk.deck import DECK_NAMES, DECK_NUMBERS, DECKS, HOT_CUES, HOT_CUES_IN_BANK
from sfa_engine.desk.desk import CONTROLS, DESK, Desk, find
from sfa_engine.desk.scale import Scale

__all__ = [
    "CONTROLS",
    "DECKS",
    "DECK_NAMES",
    "DECK_NUMBERS",
    "DESK",
    "HOT_CUES",
    "HOT_CUES_IN_BANK",
    "Button",
    "Choice",
    "Control",
    "Desk",
    "Each",
    "Fader",
    "Meter",
    "Scale",
    "Section",
    "Switch",
    "Text",
    "Value",
    "find",
]
