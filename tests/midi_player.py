"""The compiled resolver on an engine without a device, for tests."""

import struct

import numpy as np

from sfa_engine.engine.command import Op, Ring
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import COMMANDS, VALUE_INDEX
from sfa_engine.engine.midi import (
    ANY_CHANNEL,
    BINDING,
    LIGHT,
    Action,
    Encoding,
    FeedKind,
    Kind,
    Taper,
    key,
)
from sfa_engine.engine.midi_rings import EventReader, FeedWriter, TableWriter
from sfa_engine.host import build
from sfa_engine.host.midi_state import INBOX_BYTES, MidiState, Mode
from sfa_engine.host.offline import Offline

BLOCK = 128
RATE = 48_000
LATER_NS = 1 << 62
assert ANY_CHANNEL


def binding(path, kind, number, *, slot=0, channel=0, **fields):
    """Return a binding of a control; by default an absolute SET over its whole scale."""
    made = OPERATIONS[path]
    scale = made.control.scale
    row = np.zeros(1, BINDING)[0]
    row["key"] = key(slot, kind, channel, number)
    row["slot"] = slot
    row["op"], row["deck"], row["target"], row["index"] = (
        made.op,
        made.deck,
        made.target,
        made.index,
    )
    row["range_index"] = -1
    row["taper"] = Taper[scale.taper.upper()]
    row["whole"], row["low"], row["high"], row["end"] = scale.whole, scale.low, scale.high, 1.0
    row["x"] = 1.0
    row["step"] = 1 / 64
    row["input"] = number % 128
    for name, value in fields.items():
        row[name] = value
    return row


def button(path, number, action=Action.PRESS, **fields):
    """Return a binding of a note to a control."""
    return binding(path, Kind.NOTE, number, encoding=Encoding.BUTTON, action=action, **fields)


def light(path, on, off, **fields):
    """Return a light of a value."""
    row = np.zeros(1, LIGHT)[0]
    row["index"] = VALUE_INDEX.get(path, -1)
    row["low"] = row["high"] = 1.0
    row["length"] = len(on)
    row["on"][: len(on)] = list(on)
    row["off"][: len(off)] = list(off)
    row["level_at"] = -1
    for name, value in fields.items():
        row[name] = value
    return row


class MidiPlayer:
    """Hands bytes to the resolver, and shows the commands and bytes that come of them."""

    def __init__(self, *bindings, lights=()):
        self.engine = Offline(RATE, 2, BLOCK)
        self.engine.render(BLOCK)
        self.memory = self.engine.memory
        self.midi = self.memory.engine["midi"]
        self.state = MidiState(self.memory, self.engine.dsp.address)
        self._cycle = build.MIDI(self.engine._kernel.midi)
        self.tables = TableWriter(self.memory)
        self.feed = FeedWriter(self.memory)
        self.events = EventReader(self.memory)
        self.ring = self.memory.engine["rings"][Ring.MIDI]
        self._seen = int(self.ring["head"])
        self.bind(*bindings, lights=lights)
        self.open(0)

    def bind(self, *bindings, lights=()):
        self.tables.write(
            np.array(list(bindings), BINDING),
            np.array(list(lights), LIGHT),
        )

    def open(self, slot, mode=Mode.QUEUE):
        self.state.record["port"][slot]["wanted"] = mode
        self.cycle()

    def close(self, slot=0):
        self.open(slot, Mode.CLOSED)

    def cycle(self):
        """Run a cycle at the time of the engine's last block, however busy the machine is."""
        self.memory.engine["snapshots"]["monotonic_ns"] = LATER_NS
        assert self._cycle(0, self.state.address) == 0

    def play(self, *messages, slot=0, block=True):
        """Hand messages over, each of its own cycle; then render a block if asked."""
        for message in messages:
            for at in range(0, len(message), INBOX_BYTES):
                part = bytes(message[at : at + INBOX_BYTES])
                box = self.state.record["inbox"][0]
                box["slot"], box["length"] = slot, len(part)
                box["data"][: len(part)] = np.frombuffer(part, np.uint8)
                self.state.record["inbox_count"] = 1
                self.cycle()
        if block:
            self.render()

    def render(self, frames=3 * BLOCK):
        """Render until what was asked is done."""
        self.engine.render(frames)

    def wait(self, seconds):
        """Let time pass for the resolver: the engine's, by which it counts."""
        before = int(self.state.record["first"])
        while int(self.state.record["first"]) < before + seconds * RATE:
            self.engine.render(BLOCK)
            self.cycle()

    def commands(self):
        """Return the commands since the last call."""
        head = int(self.ring["head"])
        found = [self.ring["commands"][k % COMMANDS].copy() for k in range(self._seen, head)]
        self._seen = head
        return found

    def sets(self):
        """Return what was set since the last call."""
        return [float(c["x"]) for c in self.commands() if c["op"] == Op.SET]

    def value(self, path):
        return self.memory.value(path)

    def sent(self, slot=0):
        """Return the messages to a slot since the last call."""
        record = self.state.record
        data = record["outbox"][: int(record["outbox_length"])].tobytes()
        record["outbox_length"] = 0
        messages = []
        while data:
            length = int.from_bytes(data[1:4], "little")
            if data[0] == slot:
                messages.append(data[4 : 4 + length])
            data = data[4 + length :]
        return messages

    def told(self, kind):
        return [event for event in self.events.fetch() if event.kind == kind]

    def set_state(self, mask, value, slot=0):
        self.feed.write(FeedKind.STATE, slot, struct.pack("<q", value), mask)
        self.cycle()
