"""What can be asked of the kernel, and what it reports. Numbers, so that both sides agree.

An operation is one of the engine's own (set, load, cancel) or a verb of the desk: these are
numbered in the order in which the desk names them first, so that a verb is written down once,
with its control.
"""

from __future__ import annotations

from enum import IntEnum

from sfa_engine.desk import CONTROLS, DECKS

VERBS = tuple(dict.fromkeys(control.verb for control in CONTROLS.values() if control.verb))


class Op(IntEnum):
    """What a command does; beside these, ``Op["PLAY"]`` and so on for each verb of the desk."""

    _ignore_ = "members number verb"

    SET = 1  # the value with index `target` to x
    LOAD = 2  # media slot `target` onto the deck; x: seconds to stand at, y: a `Handover`
    # Waiting commands of ring `target`, ticket `frame` and the deck, see `ANY`; of source x, unless
    # that is 0.
    CANCEL = 3
    # A clock from outside, `target` of `ClockSource`, has beat x at engine frame `frame` and tempo
    # y in BPM; y 0: it was lost. `deck` is 1 while it runs, 0 after a stop.
    FOLLOW = 4
    SAMPLE = 5  # sample slot `target` onto pad x, from 0; slot -1: none
    LADDER = 6  # the kernel's own, see `kernel.ladder`: quality is lowered by x steps from now on

    members = vars()
    for number, verb in enumerate(VERBS, 7):
        members[verb.upper()] = number


NO_OP = 0  # of a report that no command caused
ANY = -1  # ring, deck or ticket of an `Op.CANCEL`: whichever it is
NO_DECK = -1  # of a command that is about no deck


class Ring(IntEnum):
    """Who writes a command ring; the kernel drains them in this order."""

    HOST = 0  # the loader
    STAGE = 1
    MIDI = 2  # the host's MIDI client
    EFFECTS = 3  # user effects


class ClockSource(IntEnum):
    """Who sets the tempo of the session's clock: the options of ``clock.source``."""

    INTERNAL = 0
    DECK1 = 1  # and so on for each deck
    LEADER = DECKS + 1  # the deck that leads
    MIDI = DECKS + 2
    LINK = DECKS + 3


class Handover(IntEnum):
    """How a deck takes a media slot."""

    NEW = 0  # stopped, at a position
    RESUMED = 1  # a new host: where the old one was, faded in
    SAME = 2  # the audio of slot x with another grid, in its place: inaudible
    GUEST = 3  # a new host: the track again that stem x is from; slot -1: it is not to be had


class When(IntEnum):
    """When a command is due."""

    NOW = 0
    FRAME = 1  # engine frame `frame`
    BEAT = 2  # next beat of `clock`: 0 the session, 1 and 2 the decks
    BAR = 3
    PHRASE = 4


class ReportKind(IntEnum):
    """What a report says."""

    APPLIED = 1  # the command was done; x as it was taken
    CHANGED = 2  # as a consequence of the command value `value_index` is now `value`
    REFUSED = 3  # the command could not be done: see `reason`
    ENDED = 4  # `deck` came to the track's end, at `value` seconds
    WRAPPED = 5  # `deck` went round its loop, from `value` seconds
    LATE = 6  # a block took `value` times its time
    CANCELLED = 7  # the command waited, and does not any more
    # These go to the journal alone:
    TAKEN = 8  # the command was read from its ring, at the tick that begins at `frame`
    BEGUN = 9  # a host's or a device's first block, at `frame`; `value` was to be the next
    STARVED = 10  # `value` frames of `deck` were not in memory, since the last MOVED_FRAMES


class Reason(IntEnum):
    """Why the kernel refused a command."""

    NONE = 0  # it was done
    NO_TRACK = 1
    NO_GRID = 2
    NOT_SET = 3  # a loop
    FULL = 4
    UNKNOWN = 5
    OUTSIDE = 6  # the track
    NOT_WAITING = 7
    FOLLOWING = 8  # what the clock follows has the tempo
    NO_STEM = 9  # of the other deck's track
    NO_CHANGE = 10  # to undo
    NO_OTHER = 11  # deck has a track
    NOT_SYNCED = 12  # with the beats of another
    NO_BAR = 13  # that both tracks have
    NO_SAMPLE = 14  # on the pad
    TAKEN_OVER = 15  # somebody has moved the control since the mix was queued


REASONS = {
    Reason.NO_TRACK: ("there is no track on the deck", "load one"),
    Reason.NO_GRID: ("the track has no beat grid", "give it one, or leave the beats out"),
    Reason.NOT_SET: (
        "there is no loop",
        "press loop.set_in and, later in the track, loop.set_out; or loop.beatloop",
    ),
    Reason.FULL: ("too many commands are waiting for their time", "cancel some"),
    Reason.OUTSIDE: ("that lies outside the track", "move it less far, or the other way"),
    Reason.UNKNOWN: ("the engine does not know this command", "restart host and stage together"),
    Reason.FOLLOWING: (
        "the clock follows another tempo",
        "set clock.source to internal, or change the tempo that it follows",
    ),
    Reason.NO_STEM: ("that track has no such stem", "separate it, or use another stem"),
    Reason.NO_CHANGE: ("there is no change of stems to undo", "swap or hand over a stem first"),
    Reason.NO_OTHER: ("no other deck has a track", "load one there"),
    Reason.NOT_SYNCED: ("the deck follows no beats", "set its sync to beat and play both decks"),
    Reason.NO_BAR: ("the bars of both tracks differ", "jump by beats instead"),
    Reason.NO_SAMPLE: ("there is no sound on the pad", "load one: `sfa pad load PAD FILE`"),
    Reason.TAKEN_OVER: (
        "the control was taken over from the mix",
        "give it back with `sfa mix release`",
    ),
    Reason.NOT_WAITING: ("no such command is waiting", "list them with `sfa waiting`"),
}


class Source(IntEnum):
    """Where a command came from. A surface does not get its own change echoed."""

    ENGINE = 0
    HOST = 1
    STAGE = 2
    MIX = 3  # the automatic mix; all from `MIDI` on are performers
    MIDI = 16  # and upwards: one number a slot, see `engine.midi`
    SOCKET = 1000  # and upwards: one number a client
    OSC = 1 << 30  # and upwards: one number a peer
