"""A receiver of MIDI clock: ``python -m sfa_engine.bench.clock_ear SECONDS FILE``.

A JACK client with a compiled callback records the frame of every tick, into the file as JSON.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path

import numba
import numpy as np
from numba import carray, types

from sfa_engine.bench.midi_peer import (
    ARMED,
    AT,
    BUFFER,
    CLIENT,
    DATA,
    FRAME,
    PORT,
    PROCESS,
    QUIET,
    WORDS,
    Client,
    wait_for,
)
from sfa_engine.errors import EngineError
from sfa_engine.host import jack
from sfa_engine.host.kernel.intrinsics import (
    int64_at,
    jack_last_frame_time,
    jack_midi_event_get,
    jack_midi_get_event_count,
    jack_port_get_buffer,
    uint8_at,
)
from sfa_engine.host.midi_jack import MIDI

NAME = "sfa-bench-clock"
COUNT, GET, EVENT = 11, 12, 13  # words after those of `midi_peer`; an event takes three
MAX_TICKS = 1 << 16
TICK = 0xF8


@numba.cfunc(PROCESS)
def record(frames, user):
    """Record the frame of each tick, while `ARMED`."""
    words = carray(user, (WORDS,))
    if words[ARMED] != 1:
        return types.int32(0)
    buffer = jack_port_get_buffer(words[BUFFER], words[PORT], types.int64(frames))
    now = jack_last_frame_time(words[FRAME], words[CLIENT])
    event = carray(int64_at(words.ctypes.data + 8 * EVENT), (3,))
    ticks = carray(int64_at(words[DATA]), (MAX_TICKS,))
    for k in range(jack_midi_get_event_count(words[COUNT], buffer)):
        if jack_midi_event_get(words[GET], event.ctypes.data, buffer, k) == 0:
            byte = carray(uint8_at(event[2]), (1,))[0]
            if byte == TICK and words[AT] < MAX_TICKS:
                ticks[words[AT]] = (now + (event[0] & 0xFFFFFFFF)) & 0xFFFFFFFF
                words[AT] += 1
    return types.int32(0)


def main() -> None:
    """Record for some seconds from the first tick."""
    seconds, file = float(sys.argv[1]), Path(sys.argv[2])
    ear = Client(NAME, "in", MIDI, jack.IS_INPUT, record)
    ticks = np.zeros(MAX_TICKS, np.int64)
    for at, function in ((COUNT, "jack_midi_get_event_count"), (GET, "jack_midi_event_get")):
        address = ctypes.cast(getattr(ear._jack, function), ctypes.c_void_p).value  # noqa: SLF001
        ear.words[at] = address or 0
    ear.words[DATA], ear.words[AT], ear.words[QUIET] = ticks.ctypes.data, 0, 0
    ear.words[ARMED] = 1
    if not wait_for(lambda: ear.words[AT] > 0, 60.0):
        raise EngineError("no engine sends clock")
    time.sleep(seconds)
    ear.words[ARMED] = 0
    file.write_text(json.dumps({"frames": ticks[: int(ear.words[AT])].tolist()}))
    ear.close()


if __name__ == "__main__":
    main()
