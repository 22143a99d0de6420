"""MIDI in the engine's memory: what controllers' messages do, and what their lights show.

The stage compiles profiles into a table; the host's compiled MIDI client resolves messages by
it, at the frame they arrived, and keeps doing so while the stage is dead. A *slot* is a place for
one open device. A *binding* says what one message does, a *light* what one lamp shows.

::

    JACK MIDI ─────────┐                  ┌─► commands on ring MIDI ─► kernel
    ALSA (a thread) ───┤ resolve, by the  ├─► events ─► stage (what is not the engine's)
    stage: network ────┘ active table     └─► MIDI out: lights, clock, what the stage sends
           (feed)

The two tables are written in turn: the stage writes the one that the last bit of `serial` does not
name, then stores the serial; `used` is the serial that the resolver works with, so that no table is
written while it is read. Feed and events are rings as those of `engine.ring`: one writer, one
reader, each end stored with release.

Each slot has a *state*, an int64 of bits that modifiers set: shift layers, banks, deck focus. A
binding or light is in force while ``state & mask == want``. Only the resolver writes it.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

SLOTS = 16  # devices that are open at once
INPUTS = 512  # physical controls of a device
BINDINGS = 4096  # of all devices
LIGHTS = 2048
FEEDS = 1024
EVENTS = 4096
SHORT = 16  # bytes of a light's message
FEED_BYTES = 40  # of a message in one record of the feed; a longer one takes several
EVENT_BYTES = 24
MAX_SYSEX = 64 << 10  # bytes; a longer one is dropped and counted
ANY_CHANNEL = 16


class Kind(IntEnum):
    """Kind of a message, as a key has it."""

    NOTE = 0  # number: the note; on and off
    POLY_PRESSURE = 1
    CONTROL = 2  # CC
    PROGRAM = 3
    CHANNEL_PRESSURE = 4  # number 0
    PITCH_BEND = 5  # number 0
    NRPN = 6  # number: of 14 bits


def key(slot: int, kind: int, channel: int, number: int) -> int:
    """Return what a message is looked up by; `channel` counts from 0."""
    return ((slot * 8 + kind) * 16 + channel) << 14 | number


class Encoding(IntEnum):
    """How the number of a message is read."""

    ABSOLUTE = 0  # 0..127; of pitch bend and NRPN 0..16383
    MSB = 1  # of a pair; the other half is the binding with the same input and `LSB`
    LSB = 2
    TWOS_COMPLEMENT = 3  # relative: 1 is one step up, 127 one down
    OFFSET_64 = 4  # relative: 65 up, 63 down
    SIGN_BIT = 5  # relative: 1 up, 65 down
    BUTTON = 6  # on above 0; of a control change from 64


class Action(IntEnum):
    """What a binding does with the number."""

    SET = 0  # the value at `index`: low..high by travel, with `takeover`; relative by `step`
    TOGGLE = 1  # on press: x to what is at `index`, or rest if that is there
    CYCLE = 2  # on press: the next option of the choice at `index`
    PRESS = 3  # on press: x (or the velocity, see `by_velocity`) to op, deck, target
    HOLD = 4  # x on press and rest on release
    BEND = 5  # relative: `step` a tick, and rest again when it has been still
    TEMPO_FADER = 6  # absolute: the rate at `index` within the range at `range_index`
    STATE = 7  # changes the slot's state: see `StateRule`
    STAGE = 8  # an event to the stage, with travel, steps or velocity as x


class StateRule(IntEnum):
    """How a binding changes the bits `state_mask` of a slot's state."""

    HOLD = 0  # `state_value` while it is pressed, else 0
    TOGGLE = 1  # `state_value`, or 0 if that is there
    SET = 2  # `state_value`


class Taper(IntEnum):
    """Of `desk.scale`: how travel becomes a value."""

    LINEAR = 0
    LOG = 1
    DECIBEL = 2
    CENTRED = 3


class Takeover(IntEnum):
    """What an absolute control does that does not stand where the value is."""

    JUMP = 0
    PICKUP = 1  # nothing until it reaches or passes the value


class LightKind(IntEnum):
    """What makes a light's `on` message rather than its `off` message."""

    SWITCH = 0  # a value or reading from `low` to `high`
    IS_SET = 1  # an optional value that is set
    METER = 2  # byte `level_at` of `on` is the travel of a value, 0..127
    STATE = 3  # the slot's state alone: on while mask and want say so, else off


class LightSource(IntEnum):
    """Where a light's number lies."""

    VALUE = 0
    READING = 1


class FeedKind(IntEnum):
    """What the stage asks of the resolver."""

    IN = 0  # bytes that came from elsewhere (network), as if the slot had received them
    OUT = 1  # bytes to send to the device
    STATE = 2  # set the bits `mask` of the slot's state to `value`
    RESYNC = 3  # send every light of the slot again


class EventKind(IntEnum):
    """What the resolver tells the stage."""

    MESSAGE = 0  # bytes as they came; all of a slot that is monitored, else those without a binding
    STAGE = 1  # binding `number` with x; see `Action.STAGE`
    STATE = 2  # the slot's state is now `state`
    OUT = 3  # bytes for a slot that the stage reaches itself, over the network


BINDING = np.dtype(
    [
        ("key", "i8"),  # the table is sorted by it
        ("mask", "i8"),
        ("want", "i8"),
        ("state_mask", "i8"),
        ("state_value", "i8"),
        ("slot", "i4"),
        ("number", "i4"),  # the stage's number of the binding
        ("input", "i4"),  # physical control of the slot, 0..INPUTS-1
        ("encoding", "i4"),
        ("action", "i4"),
        ("state_rule", "i4"),
        ("op", "i4"),  # as in `Command`
        ("deck", "i4"),
        ("target", "i4"),
        ("index", "i4"),  # of the value in the engine's memory; -1: none
        ("range_index", "i4"),
        ("taper", "i4"),
        ("whole", "i4"),
        ("takeover", "i4"),
        ("by_velocity", "i4"),
        ("options", "i4"),  # of a choice
        ("low", "f8"),  # of the control's scale
        ("high", "f8"),
        ("start", "f8"),  # travel 0..1 where the physical control is at its lowest
        ("end", "f8"),  # and at its highest: the other way round when it is inverted
        ("x", "f8"),
        ("rest", "f8"),
        ("step", "f8"),  # relative: travel a tick; of `Action.BEND` the value a tick
    ]
)
LIGHT = np.dtype(
    [
        ("mask", "i8"),
        ("want", "i8"),
        ("slot", "i4"),
        ("kind", "i4"),
        ("source", "i4"),
        ("index", "i4"),
        ("level_at", "i4"),
        ("taper", "i4"),
        ("length", "i4"),
        ("spare", "i4"),
        ("low", "f8"),
        ("high", "f8"),
        ("on", "u1", (SHORT,)),
        ("off", "u1", (SHORT,)),
    ]
)
TABLE = np.dtype(
    [
        ("bindings", "i8"),
        ("lights", "i8"),
        ("binding", BINDING, (BINDINGS,)),
        ("light", LIGHT, (LIGHTS,)),
    ]
)
SLOT = np.dtype(
    [
        ("open", "i8"),  # 1 while a device is there
        ("opened", "i8"),  # how often its device came, or came back: it is to be set up again
        ("state", "i8"),
        ("monitored", "i8"),  # 1: every message is told to the stage
        ("clock_in", "i8"),  # 1: its MIDI clock is followed
        ("clock_out", "i8"),  # 1: it is sent MIDI clock
        ("clock_offset", "f8"),  # seconds that its clock is sent early, or taken as late
        ("received", "i8"),
        ("sent", "i8"),
        ("dropped", "i8"),
        ("name", "S128"),
        ("source", "S256"),  # ports that it is connected to, by which a new host finds them
        ("sink", "S256"),
    ]
)
FEED = np.dtype(  # 64 bytes
    [
        ("kind", "i4"),
        ("slot", "i4"),
        ("length", "i4"),  # bytes of this record
        ("more", "i4"),  # 1: the message goes on in the next record
        ("frame", "i8"),  # engine frame; 0: now. Of STATE: the mask, and `data` the value
        ("data", "u1", (FEED_BYTES,)),
    ]
)
EVENT = np.dtype(  # 64 bytes
    [
        ("kind", "i4"),
        ("slot", "i4"),
        ("number", "i4"),
        ("length", "i2"),
        ("more", "i2"),
        ("frame", "i8"),
        ("x", "f8"),
        ("state", "i8"),
        ("data", "u1", (EVENT_BYTES,)),
    ]
)
