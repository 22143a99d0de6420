"""What can be asked of the kernel, and what it tells. Numbers, so that both sides agree."""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """What a command does. ``whom`` is a deck from 0, ``what`` a control, a cue or a slot."""

    SET = 1  # control `what` to x
    PLAY = 2  # x: on or off
    SEEK = 3  # x: seconds
    JUMP = 4  # x: beats
    CUE = 5  # x: pressed or let go
    HOTCUE_PRESS = 6
    HOTCUE_STORE = 7
    HOTCUE_CLEAR = 8
    LOOP_ACTIVE = 9
    LOOP_ENTER = 10
    LOOP_LEAVE = 11
    LOOP_AUTO = 12
    LOOP_AGAIN = 13
    LOOP_HALVE = 14
    LOOP_DOUBLE = 15
    LOOP_MOVE = 16  # x: beats
    SYNC = 17  # x: the choice
    LEADER = 18
    CLOCK_ALIGN = 19
    CLOCK_TEMPO = 20
    LOAD = 21  # what: media slot, x: seconds to stand at, y: a `Handover`
    EJECT = 22
    REVERSE = 23


class Handover(IntEnum):
    """How a deck takes a media slot."""

    NEW = 0  # stopped, at a place
    RESUMED = 1  # a new host: where the old one was, faded in
    SAME = 2  # the sound of slot x with other beats, in its place: nothing is heard of it


class When(IntEnum):
    """When a command is done."""

    NOW = 0
    FRAME = 1  # engine frame `frame`
    BEAT = 2  # next beat of `clock`: 0 the session, 1 and 2 the decks
    BAR = 3
    PHRASE = 4


class Tell(IntEnum):
    """What a report says."""

    APPLIED = 1  # command `seq`, at `frame`
    CHANGED = 2  # control `what` is now x, as a consequence
    REFUSED = 3  # command `seq` could not be done: see `Reason` in x
    ENDED = 4  # deck `whom` came to the track's end
    WRAPPED = 5  # deck `whom` went round its loop
    LATE = 6  # a block took x times its time


class Reason(IntEnum):
    """Why the kernel refused a command."""

    NO_TRACK = 1
    NO_GRID = 2
    NOT_SET = 3  # a loop
    FULL = 4
    UNKNOWN = 5
    OUTSIDE = 6  # the track


REASONS = {
    Reason.NO_TRACK: ("there is no track on the deck", "load one"),
    Reason.NO_GRID: ("the track has no beat grid", "give it one, or leave the beats out"),
    Reason.NOT_SET: (
        "there is no loop",
        "press loop.enter and, later in the track, loop.leave; or loop.auto",
    ),
    Reason.FULL: ("too many commands wait for their time", "wait for some to be done"),
    Reason.OUTSIDE: ("that lies outside the track", "move it less far, or the other way"),
    Reason.UNKNOWN: ("the engine does not know this command", "restart host and stage together"),
}


class Source(IntEnum):
    """Who asked. A surface does not get its own change echoed."""

    ENGINE = 0
    HOST = 1
    STAGE = 2
    SOCKET = 1000  # and upwards: one number a client
