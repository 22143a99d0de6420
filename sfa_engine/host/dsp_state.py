"""The host's own memory: tables, filter coefficients and glide times, worked out once."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import mmap

import numpy as np
import numpy.typing as npt

from sfa_engine.desk import CONTROLS
from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.effects import KINDS
from sfa_engine.engine.command import Op, Ring
from sfa_engine.engine.intents import OPERATIONS, deck_of, family
from sfa_engine.engine.layout import (
    CUTOFFS,
    DSP_STATE,
    ENVELOPE_ROOT,
    FAST_SIZE,
    FAST_TAPS,
    FX_MEMORY_S,
    FX_SLOT,
    FX_SLOTS,
    FX_UNIT,
    FX_UNITS,
    LOOKAHEAD,
    MEDIA,
    OPS,
    OVERSAMPLE_TAPS,
    PHASES,
    SET_RULES,
    SLOTS,
    SPECTRAL_SIZES,
    TAP,
    TAPS,
    TAPS_OF_SOUND,
    TICK,
    TONAL_STEMS,
    VALUE_INDEX,
    VALUE_PATHS,
    VOCALS,
    VOICES,
    SetRule,
)
from sfa_engine.engine.memory import Memory
from sfa_engine.host.elementary import Floats, cos_pi, kaiser, sin_pi, sinc
from sfa_engine.host.spectral_tables import hann, transform_table

LADDER_HOLD_S = 5.0  # of time to spare, before quality steps up again
LOW_HZ = 250.0  # crossovers of the isolator: below the voice, and above its body
HIGH_HZ = 2500.0
SINC_BETA = 9.0  # Kaiser: -90 dB
DETECTOR_BETA = 6.0
FAST_BETA = 7.0  # Kaiser: -72 dB from 0.18 of the device's half rate beyond the cutoff on
# Of the reverb, in frames at 48 kHz: primes, so that no two echoes of them fall together. The lines
# are 25 to 61 ms, the diffusers 2 to 10 ms, four a side.
REVERB_LINES = (1213, 1433, 1637, 1873, 2111, 2371, 2633, 2927)
DIFFUSERS = (113, 181, 337, 463, 127, 199, 317, 491)
FAST_EDGE = 0.81  # of the device's half rate, where half is left: above all of it is gone


class DspState:
    """One dsp, for one engine at one sample rate.

    Parameters
    ----------
    memory : Memory
        Its engine.
    rate : float
        Frames a second of the device.
    channels : int
        Of the device: 2, 4 with headphones, or 6 with the booth, or more that stay silent.

    Attributes
    ----------
    record : numpy.void of `DSP_STATE`
    address : int
    """

    def __init__(self, memory: Memory, rate: float, channels: int) -> None:
        self._buffer = memory_of(DSP_STATE.itemsize)
        self._array = np.frombuffer(self._buffer, dtype=DSP_STATE, count=1)
        self.record = self._array[0]
        self.address = int(self._array.ctypes.data)
        self.memory = memory
        dsp = self.record
        dsp["engine_address"] = memory.address
        dsp["out_channels"] = channels
        dsp["sample_rate"] = rate
        dsp["wake_fd"] = -1
        dsp["wake_word"] = 1
        engine = memory.engine
        for name in ("report_head", "journal_head", "serial", "waiting_serial"):
            engine[f"{name}_address"] = memory.field_address(name)
        self._adopt_rings()
        dsp["tap_frame_address"] = self.field_address("tap_frame")
        for number in range(TAPS_OF_SOUND):
            dsp["tap"][number]["address_at"] = self.tap_address(number)
        for slot in range(SLOTS):
            for end in ("ready_start", "ready_end"):
                dsp["media"][slot][f"{end}_address"] = self.media_address(slot, end)
        self._lay_controls(rate)
        dsp["sinc"] = sinc_tables()
        dsp["cutoffs"] = CUTOFFS
        for row, taps in enumerate(FAST_TAPS):
            table = fast_table(taps)
            dsp["fast_taps"][row] = taps
            dsp["fast_phases"][row] = len(table) - 1
            dsp["fast_sinc"][row][: table.size] = table.ravel()
        dsp["detector"] = detector_table()
        dsp["isolator"] = isolator(rate)
        dsp["limiter_calm"] = 2 * LOOKAHEAD
        dsp["limiter_hold"] = 1.0
        dsp["limiter_least"] = 1.0
        dsp["ladder_hold"] = LADDER_HOLD_S
        dsp["ladder_since"] = LADDER_HOLD_S  # a step that a host begins with is no new one
        engine["sample_rate"] = rate
        engine["channels"] = channels
        engine["fresh"] = 1
        # Heads point at slots of this dsp; a new dsp has none.
        engine["transport"]["head"]["slot"] = -1
        for reader in ("head", "line"):
            dsp["channel"]["voice"][reader]["slot"] = -1
        dsp["sound"]["slot"] = -1
        dsp["pad"]["slot"] = -1
        dsp["pads_rest"] = 1
        dsp["starved"] = engine["transport"]["underruns"]  # as the host before has noted
        dsp["channel"]["voice"]["stem"] = np.arange(VOICES) - 1
        release_held(memory)
        for name in ("now", "before", "held"):
            engine["transport"]["stem"][name]["slot"] = -1
        engine["stems_changed"] = 0  # what was to be undone had tracks in the old host's memory
        dsp["channel"]["voice"]["head"]["alike"] = 1.0
        dsp["channel"]["strip"]["share"] = 1.0
        dsp["channel"]["voice"]["level"] = 1.0
        self._lay_spectra()
        self._lay_effects(rate)

    def _lay_effects(self, rate: float) -> None:
        """Give the slots of effects their memory, and tell what their knobs mean."""
        dsp = self.record
        frames = 1 << math.ceil(math.log2(FX_MEMORY_S * rate))
        size = FX_UNITS * FX_SLOTS * frames * 2 * 4
        self._memory = memory_of(size)
        memory = np.frombuffer(self._memory, np.float32).reshape(FX_UNITS, FX_SLOTS, -1)
        dsp["fx_frames"] = frames
        dsp["unit"]["allow"] = 1.0
        for u, s in np.ndindex(FX_UNITS, FX_SLOTS):
            slot = dsp["unit"][u]["slot"][s]
            slot["memory_address"] = memory[u, s].ctypes.data
            slot["blend"] = 1.0
            slot["ring_at_address"] = self.slot_address(u, s, "given_address")
        for k, kind in enumerate(KINDS):
            dsp["fx_macro"][k] = kind.macro_index, kind.macro_end
            dsp["fx_tail"][k] = kind.tail
            for p, parameter in enumerate(kind.parameters):
                scale = parameter.scale
                law = 2.0 if scale.whole else float(scale.taper == "log")
                dsp["fx_scale"][k, p] = scale.low, scale.high, law
                # Rounded: a logarithm's last bit may differ between machines.
                dsp["fx_rest"][k, p] = round(parameter.rest, 3)
        lines = np.array([*REVERB_LINES, *DIFFUSERS]) * rate / 48_000.0
        dsp["fx_lines"] = np.maximum(2 * TICK, np.round(lines))

    def _lay_spectra(self) -> None:
        """Give the spectra of tonal stems their sizes, tables and windows."""
        self._tables = [
            (transform_table(*size), hann(size[0] * size[1])) for size in SPECTRAL_SIZES
        ]
        envelope = transform_table(ENVELOPE_ROOT, ENVELOPE_ROOT)
        self._tables.append((envelope, envelope))
        for channel in self.record["channel"]:
            for tonal, stem in zip(channel["tonal"], TONAL_STEMS, strict=True):
                tonal["stem"] = stem
                spectrum = tonal["spectrum"]
                kind = 0 if stem == VOCALS else 1
                rows, columns = SPECTRAL_SIZES[kind]
                spectrum["n1"], spectrum["n2"] = rows, columns
                spectrum["size"] = rows * columns
                spectrum["hop"] = rows * columns // 4
                spectrum["shift"] = 1.0
                table, shape = self._tables[kind]
                spectrum["table_address"] = table.ctypes.data
                spectrum["shape_address"] = shape.ctypes.data
                spectrum["envelope_table_address"] = envelope.ctypes.data

    def _adopt_rings(self) -> None:
        """Take over the command rings as the host before left them.

        Its loader's commands name slots of its own, and go; so do the commands that waited, for a
        host may have died while it changed them. The stage repeats its own.
        """
        engine = self.memory.engine
        for number, ring in enumerate(engine["rings"]):
            for name in ("head", "tail", "done"):
                address = self.memory.address + self.memory.ring_offset(number, name)
                ring[f"{name}_address"] = address
            if number == Ring.HOST:
                ring["tail"] = ring["head"]
            ring["done"] = ring["adopted"] = ring["tail"]
        engine["waiting_count"] = 0
        engine["waiting_serial"] = 2 * (int(engine["waiting_serial"]) // 2 + 1)

    def _lay_controls(self, rate: float) -> None:
        dsp = self.record
        for name, column in control_columns().items():
            dsp[name] = column
        ticks = np.round(glides() * rate / TICK)
        dsp["glide_frames"] = np.where(glides() > 0, np.maximum(1, ticks), 0) * TICK

    def field_address(self, name: str) -> int:
        """Return the address of a field of the dsp's record."""
        fields = DSP_STATE.fields
        assert fields is not None
        return self.address + int(fields[name][1])

    def slot_address(self, unit: int, slot: int, name: str) -> int:
        """Return the address of a field of an effect slot; both count from 0."""
        units, slots = FX_UNIT.fields, FX_SLOT.fields
        assert units is not None
        assert slots is not None
        at = unit * FX_UNIT.itemsize + int(units["slot"][1]) + slot * FX_SLOT.itemsize
        return self.field_address("unit") + at + int(slots[name][1])

    def tap_address(self, number: int) -> int:
        """Return the address of the field that has the address of a tap's ring."""
        return self.field_address("tap") + number * TAP.itemsize

    def media_address(self, slot: int, name: str) -> int:
        """Return the address of a field of a media slot."""
        fields = MEDIA.fields
        assert fields is not None
        return self.field_address("media") + slot * MEDIA.itemsize + int(fields[name][1])


def memory_of(size: int) -> mmap.mmap:
    """Return zeros, every page of which is there before the audio thread comes."""
    made = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    made.madvise(mmap.MADV_DONTFORK)  # else each page is copied when it is written after a fork
    with contextlib.suppress(OSError):  # not all systems have huge pages: 10 ms, 0.4 ms with them
        made.madvise(mmap.MADV_HUGEPAGE)
    np.frombuffer(made, "u1")[:: mmap.PAGESIZE] = 0
    return made


@functools.cache
def glides() -> npt.NDArray[np.float64]:
    """Return the time that each value takes to its goal, in seconds; 0: none."""
    return np.array([CONTROLS[path].glide for path in VALUE_PATHS])


@functools.cache
def control_columns() -> dict[str, npt.NDArray[np.generic]]:
    """Return what the kernel knows of each value, by the fields of its record."""
    controls = [CONTROLS[path] for path in VALUE_PATHS]
    scales = [control.scale for control in controls]
    return {
        "gain_law": np.array([scale.law == "gain" for scale in scales]),
        "low_end": np.array([scale.low for scale in scales]),
        "high_end": np.array([scale.high for scale in scales]),
        "whole": np.array([scale.whole for scale in scales]),
        "optional": np.array([scale.optional for scale in scales]),
        "by_verb": np.array([bool(control.verb) for control in controls]),
        "set_rule": np.array([SET_RULES.get(family(p), SetRule.STORE) for p in VALUE_PATHS]),
        "deck_of": np.array([deck_of(path) for path in VALUE_PATHS]),
        **touch_columns(),
    }


def touch_columns() -> dict[str, npt.NDArray[np.generic]]:
    """Return which value each operation is about: of deck 1 and target 0, and the next target."""
    value, stride = np.full(OPS, -1), np.zeros(OPS, np.int64)
    for made in OPERATIONS.values():
        if made.op == Op.SET or made.index < 0 or made.deck > 0:
            continue
        if made.target == 0:
            value[made.op] = made.index
        elif made.target == 1:
            stride[made.op] = made.index - value[made.op]
    return {"op_value": value, "op_stride": stride}


def release_held(memory: Memory) -> None:
    """Put stems back that a held button moved: a new host would not have their tracks to do it."""
    stems = memory.engine["transport"]["stem"]
    for stem in np.flatnonzero(stems["holding"].any(axis=0)):
        stems["now"][:, stem] = stems["held"][:, stem]
        for deck, source in enumerate(stems["now"][:, stem]["source"]):
            path = f"deck{deck + 1}.stem.{STEMS[stem]}.source"
            memory.engine["flat"][VALUE_INDEX[path]] = source
    stems["holding"] = 0
    memory.engine["transport"]["apart"] = 1  # to be looked at again


@functools.cache
def sinc_tables() -> npt.NDArray[np.float32]:
    """Return the interpolator's weights: float32[cutoffs, phases + 1, taps].

    Row p of a table is for a place p / `PHASES` of a frame after the middle tap. At cutoff
    1 and phase 0 a row is one at the middle and exactly zero elsewhere.
    """
    half = TAPS // 2
    place = np.arange(-half + 1, half + 1) - (np.arange(PHASES + 1) / PHASES)[:, None]
    window = kaiser(place / half, SINC_BETA)
    tables = np.empty((len(CUTOFFS), PHASES + 1, TAPS))
    for row, cutoff in enumerate(CUTOFFS):
        tables[row] = _summing_to_one(cutoff * sinc(cutoff * place) * window)
    rounded: npt.NDArray[np.float32] = tables.astype(np.float32)
    return rounded


@functools.cache
def fast_table(taps: int) -> npt.NDArray[np.float32]:
    """Return the weights for speeds up to taps / `TAPS`: float32[phases + 1, taps].

    Nothing passes above the device's half rate, which is `TAPS` / taps of the track's. The wider
    the taps, the fewer rows are needed between two frames: all tables are of one size.
    """
    half = taps // 2
    phases = FAST_SIZE // taps
    place = np.arange(-half + 1, half + 1) - (np.arange(phases + 1) / phases)[:, None]
    cutoff = FAST_EDGE * TAPS / taps
    table = _summing_to_one(cutoff * sinc(cutoff * place) * kaiser(place / half, FAST_BETA))
    rounded: npt.NDArray[np.float32] = table.astype(np.float32)
    return rounded


@functools.cache
def detector_table() -> npt.NDArray[np.float32]:
    """Return what `simd.peaks_between` finds what is between two frames with.

    Returns
    -------
    float32[3, OVERSAMPLE_TAPS / 2]
        The first halves of three rows. The first is even about its middle and the second odd:
        their sum are the taps for a quarter of a frame, their difference those for three
        quarters. The third are the taps for a half.
    """
    half = OVERSAMPLE_TAPS // 2
    phase = np.array([0.25, 0.5])[:, None]
    place = np.arange(-half + 1, half + 1) - phase
    table = sinc(place) * kaiser(place / half, DETECTOR_BETA)
    quarter, middle = _summing_to_one(table)
    rows = [0.5 * (quarter + quarter[::-1]), 0.5 * (quarter - quarter[::-1]), middle]
    return np.array(rows, np.float32)[:, :half]


def _summing_to_one(table: Floats) -> Floats:
    """Return rows divided by their sums, added up from left to right: NumPy's order may change."""
    total = np.zeros(len(table))
    for column in table.T:
        total += column
    return table / total[:, None]


def _section(kind: str, cutoff: float, q: float, rate: float) -> Floats:
    """Return a second-order section (R. Bristow-Johnson's cookbook) as `equaliser` reads it.

    Returns
    -------
    float64[4]
        Of a low-pass or a high-pass ``b1 -a1 -a2 b0``, with the b divided by b0: 2 or -2, which
        is 1 in the first and the third. Of an all-pass ``a2 a1 0 0``.
    """
    half_w = cutoff / rate  # of pi; below half the rate it is below 0.5
    sine, cosine = sin_pi(half_w), cos_pi(half_w)
    alpha = sine * cosine / q
    a0 = 1.0 + alpha
    a1, a2 = -2.0 * (2.0 * cosine * cosine - 1.0) / a0, (1.0 - alpha) / a0
    if kind == "low":
        return np.array([2.0, -a1, -a2, sine * sine / a0])
    if kind == "high":
        return np.array([-2.0, -a1, -a2, cosine * cosine / a0])
    return np.array([a2, a1, 0.0, 0.0])  # all-pass


@functools.cache
def isolator(rate: float) -> Floats:
    """Return the isolator's coefficients for a sample rate.

    Returns
    -------
    float64[SECTIONS, 4, 4]
        Section, coefficient, lane. The first and the last four sections are crossovers, and the
        last of each four has the gain of them all; the two between them are, for the low band,
        the all-pass that the upper crossover is in sum.
    """
    # A fourth-order Butterworth has these two Qs; twice in a row it is Linkwitz-Riley.
    qs = [1.0 / (2.0 * cos_pi(k / 8.0)) for k in (1, 3)]
    as_it_is = np.array([1.0, 0.0, 0.0, 0.0])

    def lanes(first: Floats, second: Floats) -> Floats:
        return np.stack([first, first, second, second], axis=1)

    def split(cutoff: float) -> list[Floats]:
        ways = [[_section(kind, cutoff, q, rate) for kind in ("low", "high")] for q in qs * 2]
        for before, after in itertools.pairwise(ways):
            for one, other in zip(before, after, strict=True):
                other[3] *= one[3]
        return [lanes(low, high) for low, high in ways]

    turn = [lanes(_section("all", HIGH_HZ, q, rate), as_it_is) for q in qs]
    return np.stack([*split(LOW_HZ), *turn, *split(HIGH_HZ)])
