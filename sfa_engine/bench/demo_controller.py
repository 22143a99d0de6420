"""A controller on JACK for screenshots: ``python -m sfa_engine.bench.demo_controller [NAME]``.

Turns the filters of both decks back and forth, so that monitor and counts have something to show,
until it is ended.
"""

from __future__ import annotations

import sys
import time
from itertools import count

import numpy as np

from sfa_engine.bench.midi_peer import ARMED, DATA, Client, send
from sfa_engine.host import jack
from sfa_engine.host.midi_jack import MIDI

NAME = "DDJ-400"
CONTROL_CHANGE, FILTERS = 0xB6, (0x17, 0x18)  # of decks 1 and 2, coarse
MIDDLE, SWING = 64, 6
PERIOD_S = 0.5


def main() -> None:
    """Send until the process is ended."""
    name = sys.argv[1] if len(sys.argv) > 1 else NAME
    keys = Client(name, f"{name} MIDI 1", MIDI, jack.IS_OUTPUT, send)
    data = np.zeros(3, np.uint8)
    keys.words[DATA] = data.ctypes.data
    for turn in count():
        value = MIDDLE + round(SWING * float(np.sin(turn / 3.0)))
        data[:] = CONTROL_CHANGE, FILTERS[turn // 8 % len(FILTERS)], value
        keys.words[ARMED] = 0
        time.sleep(PERIOD_S)


if __name__ == "__main__":
    main()
