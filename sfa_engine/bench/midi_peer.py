"""A controller and a recorder on JACK: ``python -m sfa_engine.bench.midi_peer PRESSES FILE``.

Two clients with compiled callbacks, so that no interpreter is in the measured path: one sends a
note at a known frame, the other finds the first sample that differs from the one before it. It
begins when its port is linked, and writes the frames from each note to its sound into the file.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import carray, types

from sfa_engine.errors import EngineError
from sfa_engine.host import jack
from sfa_engine.host.kernel.intrinsics import (
    float32_at,
    jack_last_frame_time,
    jack_midi_clear_buffer,
    jack_midi_event_write,
    jack_port_get_buffer,
)
from sfa_engine.host.midi_jack import MIDI

KEYS, EAR = "sfa-bench-keys", "sfa-bench-ear"
NOTE = 36
QUIET_FRAMES = 1200  # without a change, until the next note: a glide takes 5 ms
TIMEOUT_S = 2.0  # for the sound of a note
DIFFERS = 1e-6
PROCESS = types.int32(types.uint32, types.CPointer(types.int64))
WORDS = 16
# Words of both callbacks.
CLIENT, PORT, BUFFER, FRAME, CLEAR, WRITE, DATA, ARMED, AT, QUIET, LAST = range(11)


@numba.cfunc(PROCESS)
def send(frames, user):
    """Send a note at frame `ARMED` of the cycle, and record its engine frame."""
    words = carray(user, (WORDS,))
    buffer = jack_port_get_buffer(words[BUFFER], words[PORT], types.int64(frames))
    jack_midi_clear_buffer(words[CLEAR], buffer)
    offset = words[ARMED]
    if offset >= 0:
        offset %= frames
        words[AT] = (jack_last_frame_time(words[FRAME], words[CLIENT]) + offset) & 0xFFFFFFFF
        words[ARMED] = -1
        jack_midi_event_write(words[WRITE], buffer, offset, words[DATA], 3)
    return types.int32(0)


@numba.cfunc(PROCESS)
def listen(frames, user):
    """Find the first sample that differs from the one before, while `ARMED`."""
    words = carray(user, (WORDS,))
    count = types.int64(frames)
    buffer = jack_port_get_buffer(words[BUFFER], words[PORT], count)
    samples = carray(float32_at(buffer), (count,))
    now = jack_last_frame_time(words[FRAME], words[CLIENT])
    last = carray(float32_at(words.ctypes.data + 8 * LAST), (1,))
    for i in range(count):
        if abs(samples[i] - last[0]) > DIFFERS:
            words[QUIET] = 0
            if words[ARMED] == 1:
                words[AT] = (now + i) & 0xFFFFFFFF
                words[ARMED] = 0
        else:
            words[QUIET] += 1
        last[0] = samples[i]
    return types.int32(0)


class Client(jack.Graph):
    """A client with one port and a compiled callback."""

    def __init__(self, name: str, port: str, kind: bytes, flags: int, callback: Any) -> None:
        super().__init__(name)
        library = self._jack
        void, text, word = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong
        library.jack_port_register.restype = void
        library.jack_port_register.argtypes = [void, text, text, word, word]
        library.jack_set_process_callback.argtypes = [void, void, void]
        library.jack_activate.argtypes = [void]
        self.words = np.zeros(WORDS, np.int64)
        self.words[CLIENT] = self._client
        flags_word = ctypes.c_ulong(flags)
        handle = library.jack_port_register(self._client, port.encode(), kind, flags_word, 0)
        self.words[PORT] = handle
        for at, function in (
            (BUFFER, "jack_port_get_buffer"),
            (FRAME, "jack_last_frame_time"),
            (CLEAR, "jack_midi_clear_buffer"),
            (WRITE, "jack_midi_event_write"),
        ):
            self.words[at] = ctypes.cast(getattr(library, function), void).value
        library.jack_set_process_callback(self._client, callback.address, self.words.ctypes.data)
        self.words[ARMED] = -1
        self.port = f"{name}:{port}"
        library.jack_activate(self._client)


def wait_for(condition: Any, seconds: float) -> bool:
    """Poll a condition; return whether it holds in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return bool(condition())  # this program itself may have been delayed
        time.sleep(0.0005)
    return True


def main() -> None:
    """Press a number of times; write the results."""
    presses, file = int(sys.argv[1]), Path(sys.argv[2])
    keys = Client(KEYS, "out", MIDI, jack.IS_OUTPUT, send)
    ear = Client(EAR, "in", jack.AUDIO, jack.IS_INPUT, listen)
    ear.words[ARMED] = 0
    ear.link("Sound Forge Alchemy:out_0", ear.port)
    note = np.array([0x90, NOTE, 100], np.uint8)
    keys.words[DATA] = note.ctypes.data
    if not wait_for(lambda: keys.links(keys.port), 60.0):
        raise EngineError("no engine has opened the bench's controller")
    rng = np.random.default_rng(3)
    frames, lost = [], 0
    for _ in range(presses):
        wait_for(lambda: ear.words[QUIET] > QUIET_FRAMES, 2.0)
        time.sleep(float(rng.uniform(0.0, 0.004)))
        ear.words[ARMED] = 1
        keys.words[ARMED] = int(rng.integers(0, 1 << 16))
        if wait_for(lambda: ear.words[ARMED] == 0, TIMEOUT_S):
            passed = (int(ear.words[AT]) - int(keys.words[AT])) & 0xFFFFFFFF
            frames.append(passed - (1 << 32) if passed >> 31 else passed)
        else:
            lost += 1
    file.write_text(json.dumps({"frames": frames, "lost": lost}))
    keys.close()
    ear.close()


if __name__ == "__main__":
    main()
