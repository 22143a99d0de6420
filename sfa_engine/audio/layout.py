"""The engine's memory, laid out from the desk as nested records.

Two blocks of memory. The *engine* is a mapped file: state that outlives a process, and no
pointers. The *rack* is the host's own: media, filter states, tables and scratch; it begins
anew with each host. Knows the desk and NumPy, nothing else.

======== ==================================================================
engine   header · command ring · report ring · values · transport · readings
rack     media slots · pending commands · tables · filter states · buffers
======== ==================================================================

A control's *value* is in its unit, as it was set (``-6`` dB). Its *goal* is what the sound
works with (``0.5``); the sound goes ``from`` one number ``to`` another within a segment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from sfa_engine.desk import CONTROLS, DESK, Control, Meter, Section
from sfa_engine.desk.control import Each
from sfa_engine.desk.deck import STEMS

TICK = 32  # frames; every smoothing runs on this raster of the global frame counter
DECKS = len(DESK.deck)
STRIPS = len(STEMS)
HEADS = 4  # the playing head of a deck and three that fade out behind jumps
FADE = 96  # frames, 2 ms: how long a jump, a start or a stop takes to fade
SLOTS = 8  # tracks in memory: one a deck, one fading out, the rest being loaded
COMMANDS = 1024
REPORTS = 8192
PENDING = 256
HOST_COMMANDS = 64
BLOCKS = 8192  # recent blocks whose times are kept
BINS = 64  # of the cost histogram; bin k ends at 2**((k + 1) / 4 - 12) of a block's time

TAPS = 24  # of the interpolator
PHASES = 256
CUTOFFS = (1.0, 0.94, 0.88, 0.8, 0.7, 0.58, 0.45, 0.35, 0.25)
FASTEST = 8.0  # track frames per engine frame, beyond any rate times any ratio of rates
SPAN = int(TICK * FASTEST) + TAPS + 8

LOOKAHEAD = 20  # frames, 0.4 ms, over which the limiter lets itself down
OVERSAMPLE_TAPS = 24  # of each phase of the true-peak detector
LATENCY = LOOKAHEAD - 1 + OVERSAMPLE_TAPS // 2  # frames from the mix to the device

MAGIC = 0x5FA0A1C4E3


def _record(section: type[Section], keep: Callable[[Control], bool]) -> list[tuple[Any, ...]]:
    """Return the fields of a section's record: a float64 for each control that is kept."""
    fields: list[tuple[Any, ...]] = []
    for name, part in section.declared():
        if isinstance(part, Control):
            if keep(part):
                fields.append((name, "f8"))
            continue
        inner = part.section if isinstance(part, Each) else type(part)
        below = _record(inner, keep)
        if below and isinstance(part, Each):
            fields.append((name, below, (len(part),)))
        elif below:
            fields.append((name, below))
    return fields


def _is_value(control: Control) -> bool:
    return control.settable and not control.planned


def _is_reading(control: Control) -> bool:
    return isinstance(control, Meter) and not control.planned


VALUE = np.dtype(_record(type(DESK), _is_value))
READING = np.dtype(_record(type(DESK), _is_reading))
# Records of float64 alone have no gaps: a control's index is its place in the order of the desk.
VALUE_PATHS = tuple(path for path, control in CONTROLS.items() if _is_value(control))
READING_PATHS = tuple(path for path, control in CONTROLS.items() if _is_reading(control))
VALUE_INDEX = {path: index for index, path in enumerate(VALUE_PATHS)}
READING_INDEX = {path: index for index, path in enumerate(READING_PATHS)}
VALUES = len(VALUE_PATHS)
READINGS = len(READING_PATHS)
DECK_STRIDE = VALUE_INDEX["deck2.play"] - VALUE_INDEX["deck1.play"]

COMMAND = np.dtype(
    [
        ("op", "i4"),
        ("source", "i4"),
        ("whom", "i4"),
        ("what", "i4"),
        ("when", "i4"),
        ("clock", "i4"),
        ("frame", "i8"),
        ("seq", "i8"),
        ("x", "f8"),
        ("y", "f8"),
        ("z", "f8"),
    ]
)
REPORT = np.dtype(
    [
        ("kind", "i4"),
        ("op", "i4"),
        ("whom", "i4"),
        ("what", "i4"),
        ("source", "i4"),
        ("late", "i4"),
        ("seq", "i8"),
        ("frame", "i8"),
        ("x", "f8"),
        ("y", "f8"),
        ("z", "f8"),
    ]
)
HEAD = np.dtype(
    [
        ("slot", "i8"),  # -1: silent
        ("anchor_frame", "i8"),
        ("anchor_position", "f8"),  # track frames
        ("speed", "f8"),  # track frames per engine frame
        ("gain", "f8"),
        ("slope", "f8"),  # of the gain, per frame
    ]
)
TRANSPORT = np.dtype(
    [
        ("head", HEAD, (HEADS,)),  # the first plays, the others fade out
        ("playing", "i8"),
        ("cue_held", "i8"),
        ("position", "f8"),  # track frames, at the frame being rendered
        ("beat_hint", "i8"),
        ("starved", "i8"),
        # sync: see `kernel.sync`
        ("following", "i8"),  # number of the deck that this one follows; 0: none
        ("multiple", "f8"),  # of the followed tempo: 0.5, 1 or 2
        ("lead_rate", "f8"),  # rate of the followed deck, as last looked at
        ("nudge", "f8"),  # share of the speed that is added to hold the phase
        ("started_frame", "i8"),
        ("steered_frame", "i8"),
        ("unrolled", "f8"),  # beats that the loop which plays has taken back so far
        ("rate_moved", "i8"),  # 1: sync moved the rate, and has not reported it yet
        ("track_rate", "f8"),
        ("track_frames", "i8"),
        ("bundle", "S1024"),  # for a new host to load again
        ("digest", "S64"),
    ]
)
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


SNAPSHOT = _lay(
    ("frame", "i8"),
    ("monotonic_ns", "i8"),
    ("values", READING),
    ("flat", ("f8", (READINGS,)), "values"),
)

ENGINE = _lay(
    # header
    ("magic", "i8"),
    ("layout", "i8"),
    ("size", "i8"),
    ("host_pid", "i8"),
    ("host_started_ns", "i8"),
    ("boot", "S40"),
    ("sample_rate", "f8"),
    ("block", "i8"),
    ("channels", "i8"),
    ("device", "S120"),
    ("driver", "S40"),  # portaudio or timer
    ("trouble", "S256"),  # why the device is not the one that was asked for
    ("locked", "i8"),  # memory locked: 1, refused: 0
    ("realtime", "i8"),  # priority of the audio thread, 0 when it has none
    ("relinked_ns", "i8"),  # when the outputs were linked again that had lost their links
    ("reopened_ns", "i8"),  # when the device was reopened, at another rate than it had
    ("reopened_in_vain", "i8"),  # how often in a row it had the wrong rate afterwards too
    # rings
    ("pad0", ("u1", (LINE,))),
    ("command_head", "i8"),
    ("command_head_address", "i8"),  # in the host, for the kernel's acquire loads
    ("pad1", ("u1", (LINE,))),
    ("command_tail", "i8"),
    ("command_tail_address", "i8"),
    ("pad2", ("u1", (LINE,))),
    ("commands", (COMMAND, (COMMANDS,))),
    ("report_head", "i8"),
    ("report_head_address", "i8"),  # of the line above in the host, for a release store
    ("pad3", ("u1", (LINE,))),
    ("report_tail", "i8"),
    ("pad4", ("u1", (LINE,))),
    ("reports", (REPORT, (REPORTS,))),
    # state
    ("fresh", "i8"),  # 1 until the kernel's first block
    ("resuming", "i8"),  # 1: a host takes up where another ended, as if no time had been lost
    ("frame", "i8"),  # next frame to be rendered, on the raster
    ("emitted", "i8"),  # next frame for the device
    ("monotonic_ns", "i8"),  # when the last block began
    ("command_seq", "i8"),
    ("values", VALUE),
    ("flat", ("f8", (VALUES,)), "values"),
    ("transport", (TRANSPORT, (DECKS,))),
    ("clock_frame", "i8"),
    ("clock_beat", "f8"),
    ("clock_speed", "f8"),  # beats a frame
    ("clock_downbeat", "i8"),  # a beat that begins a bar
    ("clock_shift", "i8"),  # beats from the bars of the deck that the clock follows to its own
    ("clock_moved", "i8"),  # 1: a deck moved the tempo, and nobody was told yet
    ("lead", "i8"),  # number of the deck that leads; 0: none
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
    ("commands_refused", "i8"),
    ("worst_ns", "i8"),
    ("spent_ns", "i8"),
    ("histogram", ("i8", (BINS,))),
    ("block_start_ns", ("i8", (BLOCKS,))),
    ("block_cost_ns", ("i8", (BLOCKS,))),
    ("block_frame", ("i8", (BLOCKS,))),
)

MEDIA = np.dtype(
    [
        ("state", "i8"),  # see `audio.media_slot`
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
        ("gain", "f8"),
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
STRIP = np.dtype([("filter", FILTER), ("mute", "f8"), ("peak", "f8"), ("power", "f8")])
CHANNEL = np.dtype(
    [
        ("strip", STRIP, (STRIPS,)),
        ("eq", EQUALISER),
        ("filter", FILTER),
        ("side_from", "f8"),
        ("side_to", "f8"),
        ("peak", "f8"),
        ("power", "f8"),
    ]
)
HISTORY = LATENCY + TICK
DETECTOR = OVERSAMPLE_TAPS + TICK

RACK = _lay(
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
    ("command_head", "i8"),
    ("command_tail", "i8"),
    ("command_head_address", "i8"),
    ("command_tail_address", "i8"),
    ("commands", (COMMAND, (HOST_COMMANDS,))),
    ("pending", (COMMAND, (PENDING,))),
    ("pendings", "i8"),
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
    ("glide_step", ("f8", (VALUES,))),
    ("glide_left", ("i8", (VALUES,))),
    ("gliding", ("i8", (VALUES,))),
    ("glidings", "i8"),
    # signal
    ("channel", (CHANNEL, (DECKS,))),
    ("isolator", ("f8", (SECTIONS, 4, 4))),  # section, coefficient, lane
    ("sinc", ("f4", (len(CUTOFFS), PHASES + 1, TAPS))),
    ("cutoffs", ("f8", (len(CUTOFFS),))),
    ("detector", ("f4", (3, OVERSAMPLE_TAPS // 2))),
    ("weights", ("f4", (TICK, 2 * TAPS))),  # each twice, for left and right
    ("offsets", ("i8", (TICK,))),
    ("span", ("f4", (1, 2 * SPAN))),  # left and right by turns, as in the track
    ("strip_bus", ("f4", (2, TICK))),
    ("deck_bus", ("f4", (2, TICK))),
    ("cue_bus", ("f4", (2, TICK))),
    ("mix_bus", ("f4", (2, TICK))),
    ("dry_bus", ("f4", (2, TICK))),
    ("ramp", ("f4", (TICK,))),
    ("high_bus", ("f8", (TICK, 4))),
    ("low_bus", ("f8", (TICK, 4))),
    ("output", ("f4", (4, TICK))),
    ("output_left", "i8"),
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
    ("master_peak", "f8"),
    ("master_power", "f8"),
    ("load_mean", "f8"),
    ("load_worst", "f8"),
)


def digest() -> int:
    """Return a number that names this layout; a file with another is not opened."""
    words = repr((ENGINE, RACK.itemsize, VALUE_PATHS, READING_PATHS))
    return int(hashlib.sha256(words.encode()).hexdigest()[:15], 16)


LAYOUT = digest()
