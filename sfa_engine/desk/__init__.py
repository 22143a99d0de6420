"""The vocabulary: every control, declared once, with unit, range, taper and sentence.

Pure data: nothing here knows who reads it. Memory layout, addresses, widgets and
documents are derived where they are used. Imports nothing of ours but the errors.

::

    Desk ── crossfader, master, phones, clock, engine
     ├── deck1, deck2 ── play, rate, position, trim, fader, filter …
     │     ├── stem.vocals … ── volume, mute, solo, pan, filter, level
     │     ├── eq.low, eq.mid, eq.high ── gain, kill
     │     ├── hotcue1 … hotcue8
     │     └── loop
     ├── effect1, effect2, recorder          (planned)
     └── pad1 … pad64                        (planned)
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
)
from sfa_engine.desk.desk import CONTROLS, DESK, Desk, find
from sfa_engine.desk.scale import Scale

__all__ = [
    "CONTROLS",
    "DESK",
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
    "find",
]
