"""The engine's memory, laid out from the desk as nested records.

Two blocks of memory. The *engine* is a mapped file: state that outlives a process, and no
pointers. The *dsp* is the host's own: media, filter states, tables and scratch; it begins
empty with each host. Knows the desk and NumPy, nothing else.

======== ==================================================================
engine   header · command rings · waiting · reports · values · transport · readings
dsp      media slots · gliding values · tables · filter states · buffers
======== ==================================================================

A control's *value* is in its unit, as it was set (``-6`` dB). Its *goal* is what the sound
works with (``0.5``); the sound goes ``from`` one number ``to`` another within a segment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np

from sfa_engine.desk import CONTROLS, DESK, Control, Meter, Section
from sfa_engine.desk.control import Each
from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.effects import KINDS
from sfa_engine.engine.command import ClockSource, Op, Ring
from sfa_engine.engine.midi import EVENT, EVENTS, FEED, FEEDS, SLOT, TABLE
from sfa_engine.engine.midi import SLOTS as MIDI_SLOTS
from sfa_engine.engine.midi_clock import MIDI_CLOCK

TICK = 32  # frames; every smoothing runs on this raster of the global frame counter
MOVED_FRAMES = 64 * TICK  # between reports of what moves, or lacks, by itself: 43 ms at 48 kHz
DECKS = len(DESK.deck)
STRIPS = len(STEMS)
HEADS = 4  # of a voice: one that plays and three that fade out behind jumps
FADE = 96  # frames, 2 ms: how long a jump, a start or a stop takes to fade
# Tracks in memory: on each deck one, and one that fades out or is loaded; one of each stem that it
# may have from a track that is on no deck any more; and some to spare.
SLOTS = DECKS * (2 + STRIPS) + 4
PADS = len(DESK.pad)
POLYPHONY = 64  # sounds of pads; one more lets the oldest fade out
FEW_VOICES = 16  # those that are left at the last step of the overload ladder
LADDER_STEPS = 3
SOUNDS = POLYPHONY + 32  # those that fade out too
# Sounds of pads in memory: one of each pad, and those that still sound after they were replaced.
SAMPLES = 2 * PADS
SEAM = 96  # frames of a pad's sound, 2 ms: over which it ends, or a loop begins anew, within it
RINGS = len(Ring)
COMMANDS = 1024  # on each ring
REPORTS = 8192
MAX_WAITING = 512  # commands that wait for their time
MAX_TIMED = MAX_WAITING - 64  # the rest is for what is to be done now: it never waits for those
BLOCKS = 8192  # recent blocks whose times are kept
BINS = 64  # of the cost histogram; bin k ends at 2**((k + 1) / 4 - 12) of a block's time

TAPS = 24  # of the interpolator
PHASES = 256
CUTOFFS = (1.0, 0.94, 0.88, 0.8, 0.7, 0.58, 0.45, 0.35, 0.25)
FASTEST = 16.0  # track frames per engine frame: a hand on the platter throws it no faster
# Above 1.25 an interpolator of its own works, whose taps grow with the speed: it has to cut off
# what would be above the device's half rate. Up to there 24 taps do, which leave more treble.
FAST_FROM = 1.25
FAST_TAPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)  # 24 a speed
FAST_SIZE = TAPS * PHASES  # weights of a table, so that each has the same accuracy and size
MOST_TAPS = FAST_TAPS[-1]
SPAN = int(TICK * FASTEST) + MOST_TAPS + 8

# The search of `kernel.stretch`, in track frames decimated to some 12 kHz.
DECIMATED_HZ = 12_000.0
MAX_DECIMATION = 16  # of 192 kHz
MATCH = 120  # compared: 10 ms
REACH = 150  # how far the playing head may be from the timeline: 12.5 ms
LANES = 32  # shifts that are compared at a time

# Sizes of the frames that tonal stems are stretched by, as rows times columns: short ones keep a
# voice whole, whose pitch moves, long ones a chord.
SPECTRAL_SIZES = ((64, 64), (64, 128))
TONAL_STEMS = tuple(STEMS.index(name) for name in ("vocals", "other", "guitar", "piano"))
VOCALS = STEMS.index("vocals")
ENVELOPE = 512  # groups of bins of a spectral envelope,
ENVELOPE_ROOT = 32  # which is smoothed by a transform of twice as many points, of so many rows
SPECTRAL_OUTPUT = 1024  # stretched samples that are kept for the interpolator
SPECTRAL_TAIL = 256  # of which a seek fades out

TEMPO_TAPS = 8  # the newest, that a tapped tempo is taken from

LOOKAHEAD = 20  # frames, 0.4 ms, over which the limiter lets itself down
OVERSAMPLE_TAPS = 24  # of each phase of the true-peak detector
LATENCY = LOOKAHEAD - 1 + OVERSAMPLE_TAPS // 2  # frames from the mix to the device
OUTPUTS = 6  # channels: master, headphones, booth

MAGIC = 0x5FA0A1C4E3


def _record(section: Section, keep: Callable[[Control], bool]) -> list[tuple[Any, ...]]:
    """Return the fields of a section's record: a float64 for each control that is kept."""
    fields: list[tuple[Any, ...]] = []
    for name, _ in section.declared():
        part = getattr(section, name)
        if isinstance(part, Control):
            if keep(part):
                fields.append((name, "f8"))
            continue
        inner = next(iter(part.values())) if isinstance(part, Each) else part
        below = _record(inner, keep)
        if below and isinstance(part, Each):
            fields.append((name, below, (len(part),)))
        elif below:
            fields.append((name, below))
    return fields


def _is_value(control: Control) -> bool:
    return control.settable and not control.planned and control.owner == "engine"


def _is_reading(control: Control) -> bool:
    return isinstance(control, Meter) and not control.planned and control.owner == "engine"


VALUE = np.dtype(_record(DESK, _is_value))
READING = np.dtype(_record(DESK, _is_reading))
# Records of float64 alone have no gaps: a control's index is its place in the order of the desk.
VALUE_PATHS = tuple(path for path, control in CONTROLS.items() if _is_value(control))
READING_PATHS = tuple(path for path, control in CONTROLS.items() if _is_reading(control))
VALUE_INDEX = {path: index for index, path in enumerate(VALUE_PATHS)}
READING_INDEX = {path: index for index, path in enumerate(READING_PATHS)}
VALUES = len(VALUE_PATHS)
READINGS = len(READING_PATHS)
DECK_STRIDE = VALUE_INDEX["deck2.play"] - VALUE_INDEX["deck1.play"]
OPS = max(Op) + 1

COMMAND = np.dtype(  # 64 bytes; `ring` packs and unpacks them in this order
    [
        ("op", "i4"),
        ("source", "i4"),
        ("deck", "i4"),
        ("target", "i4"),
        ("when", "i4"),
        ("clock", "i4"),
        ("ring", "i4"),
        ("spare", "i4"),
        ("frame", "i8"),
        ("ticket", "i8"),
        ("x", "f8"),
        ("y", "f8"),
    ]
)
REPORT = np.dtype(  # 96 bytes, likewise
    [
        ("kind", "i4"),
        ("reason", "i4"),
        ("ring", "i4"),
        ("op", "i4"),
        ("source", "i4"),
        ("deck", "i4"),
        ("target", "i4"),
        ("when", "i4"),
        ("clock", "i4"),
        ("value_index", "i4"),
        ("at", "i8"),
        ("ticket", "i8"),
        ("seq", "i8"),
        ("frame", "i8"),
        ("x", "f8"),
        ("y", "f8"),
        ("value", "f8"),
    ]
)
_PLACE = [
    ("slot", "i8"),  # -1: none
    ("anchor_frame", "i8"),
    ("anchor_position", "f8"),  # track frames
    ("speed", "f8"),  # track frames per engine frame
]
# Of a deck that is moved by hand or slows down, from the anchor's frame on: see `kernel.motion`.
_TURN = [
    ("curve", "f8"),  # change of the speed, per frame
    ("level", "f8"),  # gain of a platter that turns so fast
    ("level_slope", "f8"),
]
TIMELINE = np.dtype(_PLACE)  # where a deck is in its track
LINE_OF_VOICE = np.dtype([*_PLACE, *_TURN, ("moving", "i8")])  # 1: see `kernel.motion`
HEAD = np.dtype(  # what reads
    [
        *_PLACE,
        ("gain", "f8"),
        ("slope", "f8"),  # of the gain, per frame
        ("alike", "f8", (STRIPS,)),  # by stem: 1 fades in a straight line, see `kernel.seam`
        *_TURN,
    ]
)
# How a deck moves that does not just run: see `kernel.motion`.
MOTION = np.dtype(
    [
        ("kind", "i8"),  # a `Move`
        ("frame", "i8"),  # first frame of the tick that the numbers below are of
        ("speed", "f8"),  # at the end of the tick, track frames per engine frame
        ("first", "f8"),  # at its first frame
        ("curve", "f8"),  # change of the speed in it, per frame
        ("level", "f8"),  # gain at its end
        ("level_first", "f8"),
        ("began_frame", "i8"),  # when a spin-back began
        ("began_speed", "f8"),
        ("time", "f8"),  # s, that a stop or a start takes from or to full speed
        ("by_speed", "i8"),  # 1: the hand's speed is followed, 0: its place
        ("origin", "f8"),  # track frames, where the deck was when the platter was at `rest`
        ("rest", "f8"),  # s
        ("goal", "f8"),  # s, the platter's last place, and the one before it
        ("goal_before", "f8"),
        ("goal_frame", "i8"),  # when it came
        ("goal_frames", "i8"),  # over which the platter goes there
        ("gap", "f8"),  # frames between messages, in the mean
    ]
)
# Where a deck would be without what it does on top of its track: see `kernel.slip`.
SLIP = np.dtype(
    [
        ("reasons", "i8"),  # bits of `Slip`; 0: the deck is where it is
        ("line", TIMELINE),  # goes on underneath; without a reason, the deck's own before a command
        ("unrolled", "f8"),  # as of the transport, when it began
        ("began", "f8"),  # track frames, where the deck was then
        ("cue", "i8"),  # hot cue that is held
    ]
)
VOICE = np.dtype(
    [
        ("stem", "i8"),  # that it is of; -1: all of them
        ("line", LINE_OF_VOICE),  # where it is to be
        ("head", HEAD, (HEADS,)),  # the first plays, the others fade out
        ("newest", "i8"),  # of those that fade out
        ("level", "f8"),  # of the head that plays, while a cue fades in; else 1
        ("rise", "f8"),  # of the level, per frame
        # keylock and pitch: see `kernel.stretch`
        ("entered", "i8"),  # how often it was faded in
        ("course", "i8"),  # how the playing head follows the line: a `Course`
        ("share", "f8"),  # of the stretch: 0 for a line too slow or too fast for it
        ("seen_frame", "i8"),
        ("apart_frame", "i8"),  # when line and head last ran at two speeds
        ("splice_hint", "i8"),
    ]
)
VOICES = 1 + STRIPS  # of a deck: one for all stems, and one for each that goes its own way
LINE = 64  # bytes; the two ends of a ring live on lines of their own


def _lay(*fields: tuple[str, Any] | tuple[str, Any, str]) -> np.dtype[np.void]:
    """Return a record whose fields lie on 8-byte places; a third item names one to lie upon."""
    names: list[str] = []
    formats: list[np.dtype[Any]] = []
    offsets: list[int] = []
    end = 0
    for name, form, *over in fields:
        dtype = np.dtype(form)
        offset = offsets[names.index(over[0])] if over else end
        names.append(name)
        formats.append(dtype)
        offsets.append(offset)
        end = max(end, -(-(offset + dtype.itemsize) // 8) * 8)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": end})


PATH = 1024  # bytes of a bundle's path, and a zero
# Where the sound of a stem comes from, see `kernel.stem_source`.
GUEST = np.dtype(
    [
        ("source", "i8"),  # as the control: 0 own, 1 and up a deck, `NO_SOURCE` none
        ("slot", "i8"),  # of the track; -1: none, or not yet again after a restart of the host
        ("offset", "f8"),  # its beat = the deck's beat times `multiple`, plus this
        ("multiple", "f8"),
        ("bundle", "u1", (PATH,)),  # for a new host to load again
    ]
)
NO_SOURCE = DECKS + 1
LATCHED, ROLLED = 0, 1  # the two loops of a stem: by switch, and while a button is held
STEM_LINE = np.dtype(  # what a stem does that the others of its deck do not
    [
        ("loop_start", "f8", (2,)),  # beats of the deck's track
        ("lead", "f8", (2,)),  # beats before the start (< 0: behind the end) still played straight
        ("rolling", "i8"),
        ("now", GUEST),
        ("before", GUEST),  # the last change, to undo
        ("held", GUEST),  # until a button is released
        ("holding", "i8"),  # it is held
    ]
)
TRANSPORT = _lay(
    ("head", TIMELINE),
    ("playing", "i8"),
    ("motion", MOTION),
    ("slip", SLIP),
    ("cue_held", "i8"),
    ("position", "f8"),  # track frames, at the frame being rendered
    ("beat_hint", "i8"),
    ("underruns", "i8"),
    # sync: see `kernel.sync`
    ("following", "i8"),  # number of the deck that this one follows; 0: none
    ("multiple", "f8"),  # of the followed tempo: 0.5, 1 or 2
    ("lead_rate", "f8"),  # rate of the followed deck, as last looked at
    ("nudge", "f8"),  # share of the speed that is added to hold the phase
    ("started_frame", "i8"),
    ("steered_frame", "i8"),
    ("bar_due", "i8"),  # 1: it jumps to the followed bar on its next beat
    ("unrolled", "f8"),  # beats that the loop which plays has taken back so far
    ("rate_moved", "i8"),  # 1: sync moved the rate, and has not reported it yet
    # roll: see `kernel.loop`
    ("rolling", "i8"),
    ("rolled", "f8"),  # track frames from here to where the deck would be without its roll
    ("kept_loop", ("f8", (3,))),  # start, end and active of the loop before the roll
    ("apart", "i8"),  # 0: no stem has a loop or a source of its own
    ("stem", (STEM_LINE, (STRIPS,))),
    ("track_rate", "f8"),
    ("track_frames", "i8"),
    ("bundle", f"S{PATH}"),  # for a new host to load again
    ("bundle_bytes", ("u1", (PATH,)), "bundle"),
    ("digest", "S64"),
    ("load_ticket", "i8"),  # of the `Op.LOAD` that put the bundle there
)

# What a pad plays, for a new host to read again: a stretch of a WAV file, or of a bundle's stems.
PAD = _lay(
    ("path", f"S{PATH}"),  # empty: nothing
    ("stems", "i8"),  # of a bundle: bits, the first is `vocals`; 0: the path is a WAV file's
    ("start", "i8"),  # first frame in it
    ("frames", "i8"),
    ("gain", "f8"),  # a factor
    ("label", "S800"),
    ("color", "S8"),
)

# The session's clock, of which another thread works out frames.
CLOCK = np.dtype(
    [
        ("frame", "i8"),
        ("beat", "f8"),  # at that frame
        ("speed", "f8"),  # beats a frame
        ("downbeat", "i8"),  # a beat that begins a bar
        ("beats_per_bar", "i8"),
        ("aligned", "i8"),  # how often `clock.align` was pressed
    ]
)
# A clock from outside, as the last `Op.FOLLOW` has it.
OUTSIDE = np.dtype(
    [
        ("frame", "i8"),
        ("beat", "f8"),
        ("speed", "f8"),  # beats a frame; 0: lost
        ("heard_frame", "i8"),  # when it was last heard
        ("running", "i8"),
    ]
)

SNAPSHOT = _lay(
    ("frame", "i8"),
    ("monotonic_ns", "i8"),
    ("clock", CLOCK),
    ("values", READING),
    ("flat", ("f8", (READINGS,)), "values"),
)

# Of controllers: see `engine.midi`. Addresses are of the fields before them, in the host.
MIDI = _lay(
    ("serial", "i8"),  # its last bit names the table in force
    ("serial_address", "i8"),
    ("used", "i8"),  # the serial that the resolver works with
    ("used_address", "i8"),
    ("slots", (SLOT, (MIDI_SLOTS,))),
    ("tables", (TABLE, (2,))),
    ("feed_head", "i8"),  # the stage's
    ("feed_head_address", "i8"),
    ("pad0", ("u1", (LINE,))),
    ("feed_tail", "i8"),  # the resolver's
    ("feed_tail_address", "i8"),
    ("pad1", ("u1", (LINE,))),
    ("feed", (FEED, (FEEDS,))),
    ("event_head", "i8"),  # the resolver's
    ("event_head_address", "i8"),
    ("pad2", ("u1", (LINE,))),
    ("event_tail", "i8"),  # the stage's
    ("event_tail_address", "i8"),
    ("pad3", ("u1", (LINE,))),
    ("events", (EVENT, (EVENTS,))),
    ("events_lost", "i8"),
)

RING = _lay(
    ("head", "i8"),  # the writer's
    ("pad0", ("u1", (LINE,))),
    ("tail", "i8"),  # the kernel's: how many were taken
    ("done", "i8"),  # how many were done, refused, or put among those that wait
    ("adopted", "i8"),  # how many had been taken when this host began
    ("head_address", "i8"),  # of the fields above in the host, for the kernel's atomic access
    ("tail_address", "i8"),
    ("done_address", "i8"),
    ("pad1", ("u1", (LINE,))),
    ("commands", (COMMAND, (COMMANDS,))),
)

ENGINE = _lay(
    # header
    ("magic", "i8"),
    ("layout", "i8"),
    ("size", "i8"),
    ("host_pid", "i8"),
    ("host_started_ns", "i8"),
    ("boot", "S40"),
    ("set_id", "i8"),  # at random, of this memory: a journal with another is of another set
    ("sample_rate", "f8"),
    ("block", "i8"),
    ("channels", "i8"),
    ("device_latency", "f8"),  # seconds from the device to what is heard, as far as it says
    ("device", "S120"),
    ("driver", "S40"),  # portaudio or timer
    ("error", "S256"),  # why the device is not the one that was asked for
    ("locked", "i8"),  # memory locked: 1, refused: 0
    ("realtime", "i8"),  # priority of the audio thread, 0 when it has none
    ("relinked_ns", "i8"),  # when the outputs were linked again that had lost their links
    ("reopened_ns", "i8"),  # when the device was reopened, at another rate than it had
    ("reopened_in_vain", "i8"),  # how often in a row it had the wrong rate afterwards too
    # rings
    ("pad0", ("u1", (LINE,))),
    ("rings", (RING, (RINGS,))),
    ("waiting_serial", "i8"),  # odd while the kernel changes the waiting commands
    ("waiting_serial_address", "i8"),
    ("waiting_count", "i8"),
    ("waiting", (COMMAND, (MAX_WAITING,))),
    ("pad1", ("u1", (LINE,))),
    ("report_head", "i8"),
    ("report_head_address", "i8"),  # of the line above in the host, for a release store
    ("pad2", ("u1", (LINE,))),
    ("report_tail", "i8"),
    ("pad3", ("u1", (LINE,))),
    ("reports", (REPORT, (REPORTS,))),
    # The same for the journal, and what only the journal gets; its reader is a thread of the host.
    ("pad4", ("u1", (LINE,))),
    ("journal_head", "i8"),
    ("journal_head_address", "i8"),
    ("pad5", ("u1", (LINE,))),
    ("journal_tail", "i8"),
    ("pad6", ("u1", (LINE,))),
    ("journal", (REPORT, (REPORTS,))),
    ("journal_lost", "i8"),
    ("journalled", "i8"),  # 1: there is a reader
    # state
    ("fresh", "i8"),  # 1 until the kernel's first block
    ("resuming", "i8"),  # 1: a host takes up where another ended, as if no time had been lost
    ("frame", "i8"),  # next frame to be rendered, on the raster
    ("emitted", "i8"),  # next frame for the device
    ("monotonic_ns", "i8"),  # when the last block began
    ("seq", "i8"),  # how many commands were applied, of all rings
    # `seq` of the performer's last command on each value: the mix, whose commands have in y the
    # `seq` from which on they may be overruled, does not change it any more.
    ("touched", ("i8", (VALUES,))),
    ("values", VALUE),
    ("flat", ("f8", (VALUES,)), "values"),
    ("transport", (TRANSPORT, (DECKS,))),
    ("pad", (PAD, (PADS,))),
    ("clock_frame", "i8"),
    ("clock_beat", "f8"),
    ("clock_speed", "f8"),  # beats a frame
    ("clock_downbeat", "i8"),  # a beat that begins a bar
    ("clock_shift", "i8"),  # beats from the bars of the deck that the clock follows to its own
    ("clock_moved", "i8"),  # 1: a deck moved the tempo, and it is not reported yet
    ("clock_followed", "i8"),  # `ClockSource` of what the clock follows at present; 0: nothing
    ("clock_leads", "i8"),  # 1: synced decks follow the clock, as it has followed an outer one
    ("clock_aligned", "i8"),  # how often `clock.align` was pressed
    ("outside", (OUTSIDE, (2,))),  # MIDI clock and Link
    ("taps", "i8"),
    ("tap_frame", ("i8", (TEMPO_TAPS,))),  # of the newest ones
    ("lead", "i8"),  # number of the deck that leads; 0: none
    ("stems_changed", "i8"),  # 1: there is a change of stems to undo
    ("ladder", "i8"),  # by how many steps quality is lowered, see `kernel.ladder`
    ("loop_tempo", "f8"),  # beats a second: of what loops of pads follow, as it was last heard
    # readings: two, written in turn; the serial's last bit names the newest
    ("serial", "i8"),
    ("serial_address", "i8"),
    ("snapshots", (SNAPSHOT, (2,))),
    # how it goes
    ("thread", "i8"),
    ("blocks", "i8"),
    ("late", "i8"),
    ("device_misses", "i8"),
    ("reports_lost", "i8"),
    ("worst_ns", "i8"),
    ("spent_ns", "i8"),
    ("histogram", ("i8", (BINS,))),
    ("block_start_ns", ("i8", (BLOCKS,))),
    ("block_cost_ns", ("i8", (BLOCKS,))),
    ("block_frame", ("i8", (BLOCKS,))),
    ("midi", MIDI),
    ("midi_clock", (MIDI_CLOCK, (MIDI_SLOTS,))),
)

MEDIA = np.dtype(
    [
        ("heads", "i8"),  # how many heads play it
        ("address", "i8", (STRIPS,)),  # of each stem's PCM, 0 where there is none
        ("float32", "i8"),  # else 16-bit
        ("frames", "i8"),
        ("rate", "f8"),
        ("ready_start", "i8"),  # frames in memory: from …
        ("ready_end", "i8"),  # … up to, not with
        ("ready_start_address", "i8"),  # of the two above, for an acquire load
        ("ready_end_address", "i8"),
        ("beats_address", "i8"),  # float64 positions of beats, in track frames
        ("beats", "i8"),
        ("first_beat", "i8"),  # number of the first of them
        ("beats_per_bar", "i8"),
        ("splices_address", "i8"),  # float64 positions of onsets, in track frames
        ("splices", "i8"),  # how many; -1: not known
        ("onsets_address", "i8", (STRIPS,)),  # of each stem: int64, in track frames
        ("onsets", "i8", (STRIPS,)),  # how many
        ("gain", "f8"),
        ("key", "i8"),  # tonic of the major key that has its notes, from C; -1: unknown
    ]
)
FILTER = np.dtype(
    [
        ("state", "f8", (2, 2)),  # state, channel
        ("from", "f8", (4,)),  # g-coefficients a1 a2 a3, and the damping k
        ("to", "f8", (4,)),
        ("wet", "f8"),
        ("high", "i8"),
        ("place", "f8"),  # what the coefficients were made for
        ("ring", "f8"),
    ]
)
# Of the isolator: 4 part low L R from the rest L R, 2 turn the low band's phase and let the rest
# pass, 4 part the rest into mid L R and high L R.
SECTIONS = 10
EQUALISER = np.dtype(
    [
        ("delays", "f8", (SECTIONS * 2 * 4,)),  # section, delay, lane
        ("wet", "f8"),
        ("idle", "i8"),  # ticks that it has been neutral
    ]
)
_LONGEST = max(rows * columns for rows, columns in SPECTRAL_SIZES)
# Rows lie 1 KiB apart within a page: at one place in it they would fight for cache.
SPECTRUM = _lay(
    ("n1", "i8"),
    ("n2", "i8"),
    ("size", "i8"),
    ("hop", "i8"),
    ("table_address", "i8"),  # of the transform: float32[4, size]
    ("shape_address", "i8"),  # of the window: float32[size]
    ("envelope_table_address", "i8"),  # of its transform: float32[4, 2 * ENVELOPE]
    ("onsets_address", "i8"),  # int64, source samples
    ("onsets", "i8"),
    ("shift", "f8"),  # of the pitch, as a factor, that the formants are kept against; 1: none
    # where it is: a stretched sample is one of the output, before its interpolation
    ("base", "i8"),  # stretched sample that frame 0 is centred at
    ("frame", "i8"),
    ("unit", "i8"),  # of the frame, that is next
    ("made", "i8"),  # next stretched sample to be made
    ("place", "f8"),  # its source sample
    # of the frame under way
    ("centre", "i8"),
    ("next_onset", "i8"),
    ("source_start", "i8"),  # where what it sees begins,
    ("sample_start", "i8"),  # and where that is heard
    ("is_cut", "i8"),  # 1: it begins with an onset
    ("is_first", "i8"),
    ("is_plain", "i8"),  # 1: it is the copy, unturned
    ("source_centre", "i8"),
    ("source_end", "i8"),
    ("heard_from", "i8"),
    ("heard_to", "i8"),
    # of what is heard
    ("next_heard", "i8"),
    ("is_copy", "i8"),  # 1: the source itself is heard, `offset` further
    ("offset", "i8"),
    ("take_over", "i8"),  # centre of the frame with which the spectra return
    ("fade_start", "i8"),
    ("fade_end", "i8"),
    ("to_copy", "i8"),
    ("to_offset", "i8"),
    ("tail_start", "i8"),
    ("rows", ("f4", (8, _LONGEST + 256))),
    ("energy", ("f4", (_LONGEST // 2 + 1,))),
    ("turn", ("f4", (2, _LONGEST))),
    ("envelope", ("f4", (4, 2 * ENVELOPE))),
    ("gains", ("f4", (ENVELOPE,))),
    ("ring", ("f4", (3, 2 * _LONGEST))),  # left, right, and the sum of the windows
    ("output", ("f4", (2 * SPECTRAL_OUTPUT,))),
    ("tail", ("f4", (2 * SPECTRAL_TAIL,))),
)
STRIP = np.dtype(
    [
        ("filter", FILTER),
        ("mute", "f8"),
        ("peak", "f8"),
        ("power", "f8"),
        ("share", "f8"),  # of the voice of all stems that is heard here: 1, or 0 with an own voice
        ("share_slope", "f8"),
        ("hint", "i8"),  # an interval of its source's grid that is near
        ("side_from", "f8"),  # at the stem's crossfader
        ("side_to", "f8"),
    ]
)
# A tonal stem that is stretched by its spectra: see `kernel.finer`.
TONAL = _lay(
    ("stem", "i8"),
    ("on", "i8"),
    ("slot", "i8"),
    ("entered", "i8"),  # as of the voice, when it began
    ("anchor_frame", "i8"),
    ("anchor_sample", "f8"),  # stretched sample that is heard at that frame
    ("speed", "f8"),  # stretched samples per engine frame
    ("gain", "f8"),
    ("slope", "f8"),
    ("share", "f8"),  # that it has of the voice: the rest is read by the voice's heads
    ("share_slope", "f8"),
    ("tail_anchor", "f8"),  # sample of the tail that is heard at `tail_frame`
    ("tail_frame", "i8"),
    ("tail_speed", "f8"),
    ("tail_gain", "f8"),
    ("tail_slope", "f8"),
    ("tail_loudness", "f8"),
    ("spectrum", SPECTRUM),
)
CHANNEL = np.dtype(
    [
        ("voice", VOICE, (VOICES,)),
        ("tonal", TONAL, (len(TONAL_STEMS),)),
        ("strip", STRIP, (STRIPS,)),
        ("eq", EQUALISER),
        ("filter", FILTER),
        ("side_from", "f8"),
        ("side_to", "f8"),
        ("together", "i8"),  # 1: all stems are read by the first voice, and no other sounds on
        ("tonal_rest", "i8"),  # 1: no tonal stem is stretched by its spectra, and no such sounds on
        ("sides_rest", "i8"),  # 1: the stems' crossfaders are in their middle
        ("peak", "f8"),
        ("power", "f8"),
        ("vu", "f8", (2, 2)),  # see `kernel.vu`
    ]
)
SAMPLE = np.dtype(  # the sound of a pad: see `kernel.sampler`
    [
        ("heads", "i8"),  # how many sounds read it
        ("address", "i8"),
        ("float32", "i8"),  # else 16-bit
        ("frames", "i8"),  # in memory,
        ("first", "i8"),  # of which the pad's own begin here; what lies around is for seams
        ("length", "i8"),
        ("rate", "f8"),
        ("gain", "f8"),
    ]
)
SOUND = np.dtype(  # of a pad that was hit
    [
        ("slot", "i8"),  # sample that it reads; -1: none
        ("pad", "i8"),  # whose sample and settings
        ("key", "i8"),  # that was hit
        ("serial", "i8"),  # number of the hit
        ("struck_frame", "i8"),
        ("state", "i8"),  # a `kernel.sampler.State`
        ("output", "i8"),  # as of its pad, when it was struck
        ("low", "i8"),  # the stretch of the sample that it plays: from here up to,
        ("high", "i8"),  # not with, there
        ("position", "f8"),  # frames of the sample
        ("semitones", "f8"),  # by its key
        ("gain", "f8"),  # by the force of the hit
        ("level", "f8"),  # of the envelope and of fades, 0 to 1
        ("slope", "f8"),  # of the level, per frame; 0: it holds, decays or sustains
        ("hold", "i8"),  # frames until it decays
    ]
)
PAD_STATE = np.dtype(
    [
        ("slot", "i8"),  # its sample; -1: none
        ("sounds", "i8"),  # how many it has, without those that fade out
        ("force", "f8"),  # of a hit that waits for its beat; 0: none
        ("peak", "f8"),
    ]
)
# Of a slot of an effect unit: see `kernel.effects`. What it remembers of the sound is in memory of
# its own, `2 * FX_FRAMES` float32, whose address it has.
FX_MEMORY_S = 5.0  # at least: four beats of 48 BPM
FX_LINES = 8  # of the reverb
FX_STAGES = 6  # of the phaser
FX_KINDS = len(KINDS)
FX_SLOT = _lay(
    ("kind", "i8"),  # that sounds; it is the control's when the one before has faded out
    ("blend_from", "f8"),  # of that fade, across the segment
    ("blend", "f8"),
    ("gate_from", "f8"),  # how far it is in the chain, across the segment
    ("gate_to", "f8"),
    ("mix_from", "f8"),
    ("mix_to", "f8"),
    ("ringing", "i8"),  # 1: something of what went in may still come out
    ("quiet", "i8"),  # frames that nothing has come out
    ("memory_address", "i8"),
    ("at", "i8"),  # frames written to the memory since it was empty
    ("knob", ("f8", (3,))),  # parameters in their units, at the end of the segment
    ("knob_from", ("f8", (3,))),
    ("fresh", "i8"),  # 1: it has not sounded since it was settled
    ("delay", "i8"),  # frames, of the tap that is heard
    ("delay_to", "i8"),  # of the one that fades in
    ("fade", "i8"),  # frames that are left of that
    ("wave", "f8"),  # place of a slow movement, -1 to 1, at the end of the segment
    ("wave_side", "f8"),  # of the right side
    ("level", "f8"),  # of an envelope
    ("gain", "f8"),
    ("hold", ("f4", (2,))),  # samples that are held
    ("phase", "f8"),
    ("state", ("f8", (2, 4))),  # of filters; channel
    ("stage", ("f8", (2, FX_STAGES))),
    ("damp", ("f4", (1, FX_LINES))),
    ("filter", FILTER),
    # what repeats, and what stops
    ("start", "i8"),  # first frame of the slice
    ("slice", "i8"),  # its frames; 0: there is none
    ("half", "i8"),  # of the memory, where the newest are written
    ("slice_half", "i8"),
    ("cell", "i8"),  # of the beat grid, that the segment is in
    ("read", "i8"),  # next frame of the slice; -1: what comes in is heard
    ("read_before", "i8"),  # of the reader that fades out
    ("repeats", "i8"),
    ("lag", "f8"),  # frames that the tape is behind
    ("speed", "f8"),
    ("running", "i8"),  # of the tape: 0 normal, 1 slows down or stands, 2 comes to speed
    # of a user effect, see `kernel.user_effect`
    ("given_address", "i8"),  # of the memory shared with its process; 0: there is none
    ("ring_at_address", "i8"),  # of the line above, for an acquire load
    ("ring_address", "i8"),  # the one in use
    ("filled", "i8"),
    ("wet_gain", "f8"),
)
FX_UNITS = len(DESK.fx)
FX_SLOTS = len(DESK.fx[1].slot)
FX_UNIT = _lay(
    ("slot", (FX_SLOT, (FX_SLOTS,))),
    ("active", "i8"),  # 1: it is to be heard
    ("listens", "i8"),  # 1: it takes what is assigned, heard or not
    ("dry_from", "f8"),  # what is left of the sound that is assigned, across the segment
    ("dry_to", "f8"),
    ("insert", "f8"),  # 1: it replaces that sound, 0: it is added
    ("insert_from", "f8"),
    ("allow", "f8"),  # 0: the overload ladder has switched it off
    ("allow_from", "f8"),
    ("lead", "i8"),  # whose beats it goes by
    ("beat", "f8"),  # at the start of the segment
    ("pace", "f8"),  # beats a frame, backwards below 0
    ("tempo", "f8"),  # the same without a bend, for lengths; 0: not known yet
    ("beat_frame", "i8"),
    ("bus", ("f4", (2, TICK))),
)
HISTORY = LATENCY + TICK
DETECTOR = OVERSAMPLE_TAPS + TICK


class Move(IntEnum):
    """What moves a deck that does not just run."""

    NONE = 0
    BRAKE = 1  # slows down, and stops
    SPIN = 2  # thrown back, slows down, and stops
    START = 3  # comes to its own speed
    HAND = 4  # is moved by a hand on the platter


class Slip(IntEnum):
    """What a deck does on top of its track: bits."""

    LOOP = 1
    REVERSE = 2
    MOTION = 4  # a hand, a brake or a spin-back
    HOTCUE = 8  # while it is held
    CENSOR = 16
    ROLL = 32  # a loop that is held


class SetRule(IntEnum):
    """What SET has to see to when it stores a value."""

    STORE = 0  # nothing else
    RATE = 1  # a deck that follows keeps the rate that it follows
    TEMPO = 2  # a clock that follows keeps the tempo that it follows
    CLOCK_SOURCE = 3  # restarts the count of bars
    LOOP = 4  # a loop whose ends cross is left
    PLATTER = 5  # a hand turns the platter there
    EFFECT = 6  # another kind of effect begins with knobs of its own


SET_RULES = {
    "deck.rate": SetRule.RATE,
    "clock.tempo": SetRule.TEMPO,
    "clock.source": SetRule.CLOCK_SOURCE,
    "deck.loop.start": SetRule.LOOP,
    "deck.loop.end": SetRule.LOOP,
    "deck.platter": SetRule.PLATTER,
    "fx.slot.kind": SetRule.EFFECT,
}  # by family: the path without its numbers

# What is written down of the sound, for recordings and captures: see `kernel.tap`.
TAP_MASTER = 0
TAP_DECK = 1  # and so on for each deck; then each stem of deck 1, of deck 2 …
TAP_STEM = TAP_DECK + DECKS
TAPS_OF_SOUND = TAP_STEM + DECKS * STRIPS
TAP = np.dtype(
    [
        ("address", "i8"),  # of float32[frames, 2]; 0: not written
        ("address_at", "i8"),  # of the field above, for an acquire load
        ("frames", "i8"),  # whole ticks; engine frame f is at f % frames
    ]
)

DSP_STATE = _lay(
    ("engine_address", "i8"),
    ("out_channels", "i8"),
    ("sample_rate", "f8"),
    ("in_graph", "i8"),  # 1: of JACK or PipeWire, which skip a client that is late
    ("cycle", "i8"),  # frames of the device's own block, as far as they were asked for
    ("chunk", "i8"),  # frames of the last call
    ("lag_ns", "f8"),  # how late the last block was, by the pace of the earliest ones
    ("skipped_ns", "i8"),  # when a block began that came after skipped ones
    ("timespec", ("i8", (2,))),
    ("media", (MEDIA, (SLOTS,))),
    ("command", COMMAND),  # that is being done; its op is 0 between two
    ("wake_fd", "i8"),  # eventfd that is written when there are reports; -1: none
    ("wake_word", ("i8", (1,))),  # 1: what is written to it
    # gliding: what each control is going to, and where it is
    ("goal", VALUE),
    ("goal_flat", ("f8", (VALUES,)), "goal"),
    ("start", VALUE),
    ("start_flat", ("f8", (VALUES,)), "start"),
    ("to", VALUE),
    ("to_flat", ("f8", (VALUES,)), "to"),
    ("glide_frames", ("i8", (VALUES,))),  # how long a change takes
    ("gain_law", ("i8", (VALUES,))),
    ("low_end", ("f8", (VALUES,))),
    ("high_end", ("f8", (VALUES,))),
    ("whole", ("i8", (VALUES,))),  # 1: whole numbers only
    ("optional", ("i8", (VALUES,))),  # 1: may be `NOT_SET`
    ("by_verb", ("i8", (VALUES,))),  # 1: changed by a verb of its own, never by SET
    # For each operation the value that it is about on deck 1 with target 0, or -1; and from there
    # to that of the next target.
    ("op_value", ("i8", (OPS,))),
    ("op_stride", ("i8", (OPS,))),
    ("set_rule", ("i8", (VALUES,))),  # what else SET has to do: a `SetRule`
    ("deck_of", ("i8", (VALUES,))),  # from 0; -1: it is no deck's
    ("glide_step", ("f8", (VALUES,))),
    ("glide_left", ("i8", (VALUES,))),
    ("gliding", ("i8", (VALUES,))),
    ("glidings", "i8"),
    # signal
    ("channel", (CHANNEL, (DECKS,))),
    ("isolator", ("f8", (SECTIONS, 4, 4))),  # section, coefficient, lane
    ("sinc", ("f4", (len(CUTOFFS), PHASES + 1, TAPS))),
    ("cutoffs", ("f8", (len(CUTOFFS),))),
    ("fast_sinc", ("f4", (len(FAST_TAPS), FAST_SIZE + 2 * MOST_TAPS))),
    ("fast_taps", ("i8", (len(FAST_TAPS),))),
    ("fast_phases", ("i8", (len(FAST_TAPS),))),
    ("detector", ("f4", (3, OVERSAMPLE_TAPS // 2))),
    ("weights", ("f4", (TICK, 2 * MOST_TAPS))),  # each twice, for left and right
    ("taps", "i8"),  # of the weights that stand there
    ("offsets", ("i8", (TICK,))),
    ("span", ("f4", (1, 2 * SPAN))),  # left and right by turns, as in the track
    # stretch: what plays, what may follow, both decimated, and their products' sums
    ("near", ("f4", (1, MATCH * MAX_DECIMATION))),
    ("far", ("f4", (1, (MATCH + 2 * REACH) * MAX_DECIMATION + LANES))),
    ("near_few", ("f4", (1, MATCH))),
    ("far_few", ("f4", (1, MATCH + 2 * REACH + LANES))),
    ("products", ("f4", (1, 2 * REACH + LANES))),
    ("other_span", ("f4", (1, 2 * FADE))),  # of the other side of a seam
    ("weighed_at", "f8"),  # what the weights are for: position, speed and frames
    ("weighed_speed", "f8"),
    ("weighed_curve", "f8"),
    ("weighed_frames", "i8"),
    ("strip_bus", ("f4", (2, TICK))),
    ("deck_bus", ("f4", (2, TICK))),
    ("cue_bus", ("f4", (2, TICK))),
    ("mix_bus", ("f4", (2, TICK))),
    ("dry_bus", ("f4", (2, TICK))),
    ("ramp", ("f4", (TICK,))),
    # effects
    ("unit", (FX_UNIT, (FX_UNITS,))),
    ("fx_frames", "i8"),  # of a slot's memory, a power of two
    (
        "fx_scale",
        ("f8", (FX_KINDS, 3, 3)),
    ),  # kind, knob: low, high, and 1 for a log taper, 2 for steps
    ("fx_rest", ("f8", (FX_KINDS, 3))),  # travel in percent
    ("fx_macro", ("f8", (FX_KINDS, 2))),  # knob that the macro moves, and where to: 0 or 1
    ("fx_tail", ("i8", (FX_KINDS,))),  # 1: it rings on
    ("fx_lines", ("i8", (2 * FX_LINES,))),  # frames of the reverb's lines, then of its diffusers
    ("fx_in", ("f4", (2, TICK))),
    ("fx_wet", ("f4", (2, TICK))),
    ("fx_out", ("f4", (2, TICK))),
    ("fx_scratch", ("f4", (2 * FX_LINES, TICK))),
    ("tap_from", "f8"),  # gain of the deck's stems at the effects, across the segment
    ("tap_to", "f8"),
    ("high_bus", ("f8", (TICK, 4))),
    ("low_bus", ("f8", (TICK, 4))),
    ("output", ("f4", (OUTPUTS, TICK))),
    ("output_left", "i8"),
    # sampler
    ("sample", (SAMPLE, (SAMPLES,))),
    ("sound", (SOUND, (SOUNDS,))),
    ("pad", (PAD_STATE, (PADS,))),
    ("hits", "i8"),  # so far
    ("pads_waiting", "i8"),  # how many hits wait for their beat
    ("pads_rest", "i8"),  # 1: nothing sounds, and every meter has fallen
    ("pads_peak", "f8"),
    ("moment", COMMAND),  # when those hits are due
    ("tap", (TAP, (TAPS_OF_SOUND,))),
    ("tap_frame", "i8"),  # up to which the taps are written, not with
    ("tap_frame_address", "i8"),
    ("tap_end", "i8"),  # where they ended when frames were last skipped …
    ("tap_begin", "i8"),  # … and went on
    ("starved", ("i8", (DECKS,))),  # underruns of the decks, as last put in the journal
    # limiter
    ("limiter_delay", ("f4", (2, HISTORY))),
    ("limiter_input", ("f4", (2, DETECTOR))),
    ("limiter_peak", ("f4", (TICK,))),
    ("limiter_between", ("f4", (2, TICK + 1))),
    ("limiter_queue", ("f8", (LOOKAHEAD + 2,))),
    ("limiter_when", ("i8", (LOOKAHEAD + 2,))),
    ("limiter_first", "i8"),
    ("limiter_count", "i8"),
    ("limiter_time", "i8"),
    ("limiter_hold", "f8"),
    ("limiter_window", ("f8", (LOOKAHEAD,))),
    ("limiter_sum", "f8"),
    ("limiter_calm", "i8"),  # frames that the gain has been one
    ("limiter_least", "f8"),
    ("phones_delay", ("f4", (2, HISTORY))),
    ("booth_delay", ("f4", (2, HISTORY))),
    ("master_peak", "f8"),
    ("master_power", "f8"),
    ("master_vu", ("f8", (2, 2))),
    ("load_mean", "f8"),
    ("load_worst", "f8"),
    # overload ladder
    ("ladder_budget", "f8"),  # share of a block's time, above which quality steps down; 0: never
    ("ladder_mean", "f8"),  # share of late
    ("ladder_since", "f8"),  # seconds since the last step
    ("ladder_calm", "f8"),  # seconds that the mean has been well below the budget
    ("ladder_hold", "f8"),  # seconds of it, after which quality steps up
    ("ladder_rose", "i8"),  # 1: the last step was one up
    ("ladder_due", "i8"),  # 1: a step down, -1: a step up, at the next tick
)


def digest() -> int:
    """Return a number that names this layout; a file with another is not opened."""
    ops = [(op.name, op.value) for op in (*Op, *ClockSource)]
    words = repr((ENGINE, DSP_STATE.itemsize, VALUE_PATHS, READING_PATHS, ops))
    return int(hashlib.sha256(words.encode()).hexdigest()[:15], 16)


LAYOUT = digest()
