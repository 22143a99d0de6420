"""The MIDI resolver's own memory: what it remembers of controls, lights, parsers and ports.

It begins empty with each host; tables, slots, feed and events lie in the engine's memory. Anonymous
memory, every page of which is there before the resolver runs.
"""

from __future__ import annotations

import mmap
from enum import IntEnum

import numpy as np

from sfa_engine.engine.layout import MIDI, VALUES
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.midi import BINDING, INPUTS, LIGHTS, MAX_SYSEX, SHORT, SLOTS

PERIOD_S = 0.001  # between two cycles without JACK
MAX_HELD = 256  # buttons that are down at once, of all devices
MAX_PAIRS = 64  # 14-bit controls that moved within the last 3 ms
MAX_BENT = 32  # jog wheels that moved within the last 60 ms
MAX_TICKS = 64  # messages of MIDI clock in a cycle
INBOX = 64  # messages that a thread hands over at once
INBOX_BYTES = 256
LONG_AGO = -(1 << 40)  # engine frame
OUTBOX_BYTES = 1 << 18  # for what is sent by a thread, between two looks of it


class Mode(IntEnum):
    """How a slot's bytes come and go."""

    CLOSED = 0
    JACK = 1  # by the ports of our own client
    QUEUE = 2  # by inbox and outbox, of a thread on ALSA's sequencer
    STAGE = 3  # by feed and events: the stage reaches the device itself


INPUT = np.dtype(
    [
        ("place", "f8"),  # of the physical control, 0..1; -1: not known yet
        ("travel", "f8"),  # relative: where steps too small for the value have brought it
        ("sent", "f8"),  # the value that was set last
        ("owned", "i8"),  # index + 1 of the value that was set last; 0: none
        ("frame", "i8"),  # of the last half of a pair
        ("msb", "i4"),  # latched; -1: none yet
        ("lsb", "i4"),
        ("pending", "i4"),  # half that waits for the other: 1 MSB, 2 LSB
        ("first", "i4"),  # half that came first after a rest
        ("order", "i4"),  # half that the device sends first; 0: not known yet
        ("spare", "i4"),
    ]
)
PAIR = np.dtype([("key", "i8"), ("due", "i8"), ("slot", "i4"), ("input", "i4")])
BENT = np.dtype(
    [
        ("slot", "i4"),
        ("op", "i4"),
        ("deck", "i4"),
        ("target", "i4"),
        ("index", "i4"),
        ("spare", "i4"),
        ("rest", "f8"),
        ("sum", "f8"),  # ticks, fewer the longer ago
        ("frame", "i8"),
    ]
)
PARSER = np.dtype(
    [
        ("status", "i4"),  # running status; 0: none
        ("count", "i4"),  # data bytes that are there
        ("data", "u1", (8,)),  # status and data of a message
        ("sysex_length", "i8"),  # -1: outside one
        ("sysex_over", "i8"),  # 1: it is too long and will be dropped
        ("nrpn_msb", ("i4", (16,))),  # of each channel; -1: none, or RPN
        ("nrpn_lsb", ("i4", (16,))),
    ]
)
PORT = np.dtype(
    [
        ("wanted", "i8"),  # the `Mode` that the host's thread asks for
        ("mode", "i8"),  # the one in force, the resolver's
        ("input", "i8"),  # JACK's handles; 0: none
        ("output", "i8"),
        ("buffer", "i8"),  # of the output, in this cycle
    ]
)
MESSAGE = np.dtype([("slot", "i4"), ("length", "i4"), ("data", "u1", (INBOX_BYTES,))])
TICK_OUT = np.dtype([("offset", "i4"), ("length", "i4"), ("data", "u1", (8,))])

MIDI_STATE = np.dtype(
    [
        ("engine_address", "i8"),
        ("dsp_address", "i8"),
        ("wanted_address", "i8"),  # of the first port's `wanted`
        # libjack: a client and the addresses of functions; 0 without
        ("client", "i8"),
        ("port_get_buffer", "i8"),
        ("event_count", "i8"),
        ("event_get", "i8"),
        ("event_write", "i8"),
        ("clear_buffer", "i8"),
        ("last_frame_time", "i8"),
        ("jack_event", "i8", (3,)),  # jack_midi_event_t: time, size, address
        ("cycles", "i8"),
        ("timespec", "i8", (2,)),
        # frames: see `kernel.midi_frames`
        ("first", "i8"),  # engine frame at which this cycle begins
        ("frames", "i8"),  # of this cycle
        ("heard", "i8"),  # all messages before this engine frame are there
        ("latest", "i8"),  # frame of the command that is due last
        ("delay", "i8"),  # frames from a message to what it does
        ("ahead", "i8"),  # engine frame of JACK's frame 0
        ("ahead_seen", "i8"),  # another one, that may replace it
        ("ahead_count", "i8"),  # cycles that said so; -1: `ahead` is not known
        ("behind", "i8"),  # cycles for which messages go to the next block
        ("jack_high", "i8"),  # of JACK's frame, beyond its 32 bits
        ("jack_last", "i8"),
        # controls
        ("input", INPUT, (SLOTS, INPUTS)),
        ("held", BINDING, (MAX_HELD,)),  # buttons that are down, as they were bound then
        ("held_velocity", "i8", (MAX_HELD,)),
        ("held_count", "i8"),
        ("pair", PAIR, (MAX_PAIRS,)),
        ("pair_count", "i8"),
        ("bent", BENT, (MAX_BENT,)),
        ("bent_count", "i8"),
        ("asked", "f8", (VALUES,)),  # values on their way to the kernel …
        ("asked_frame", "i8", (VALUES,)),  # … which has them after this frame
        # lights
        ("shown", "i4", (LIGHTS,)),  # -1: not known; 0 off, 1 on, 2 and up: level
        ("shown_frame", "i8", (LIGHTS,)),
        ("lights_frame", "i8"),
        ("lights_from", "i8"),
        ("sent_now", "i8", (SLOTS,)),
        ("message", "u1", (SHORT,)),
        # bytes in and out
        ("parser", PARSER, (SLOTS,)),
        ("sysex", "u1", (SLOTS, MAX_SYSEX)),
        ("feed_data", "u1", (MAX_SYSEX,)),
        ("port", PORT, (SLOTS,)),
        ("inbox_count", "i8"),
        ("inbox", MESSAGE, (INBOX,)),
        ("outbox_length", "i8"),
        ("outbox", "u1", (OUTBOX_BYTES,)),  # slot, 3 bytes of length, message; and so on
        ("tick", TICK_OUT, (MAX_TICKS,)),
        ("clock_due", "f8", (SLOTS,)),  # see `kernel.midi_clock.is_flood`
        ("events", "i8"),  # told since the stage was woken
    ]
)


class MidiState:
    """One resolver's memory.

    Parameters
    ----------
    memory : Memory
        Its engine.
    dsp_address : int
        Of the engine's `DspState`.

    Attributes
    ----------
    record : numpy.void of `MIDI_STATE`
    address : int
    """

    def __init__(self, memory: Memory, dsp_address: int) -> None:
        self._buffer = mmap.mmap(-1, -(-MIDI_STATE.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE)
        self._array = np.frombuffer(self._buffer, dtype=MIDI_STATE, count=1)
        self._array.view("u1")[:] = 0  # every page is there before the resolver comes
        self.record = self._array[0]
        self.address = int(self._array.ctypes.data)
        state = self.record
        state["engine_address"] = memory.address
        state["dsp_address"] = dsp_address
        state["wanted_address"] = self.port_address(0, "wanted")
        state["input"]["place"] = -1.0
        state["input"]["frame"] = LONG_AGO
        for name in ("msb", "lsb"):
            state["input"][name] = -1
            state["parser"][f"nrpn_{name}"] = -1
        state["parser"]["sysex_length"] = -1
        state["shown"] = -1
        state["asked_frame"] = -1
        state["ahead_count"] = -1
        lay_addresses(memory)

    def port_address(self, slot: int, name: str) -> int:
        """Return the address of a field of a slot's `PORT`."""
        assert MIDI_STATE.fields is not None
        assert PORT.fields is not None
        first = int(MIDI_STATE.fields["port"][1])
        return self.address + first + slot * PORT.itemsize + int(PORT.fields[name][1])


def lay_addresses(memory: Memory) -> None:
    """Write where the shared words are in this process, for the resolver's atomic access."""
    midi = memory.engine["midi"]
    assert MIDI.fields is not None
    for name in ("serial", "used", "feed_head", "feed_tail", "event_head", "event_tail"):
        address = memory.field_address("midi") + int(MIDI.fields[name][1])
        midi[f"{name}_address"] = address
