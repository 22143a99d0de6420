"""MIDI clock as it comes: late, lost, doubled, started and stopped; and as it is sent."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import carray

from sfa_engine.bench.clock_parts import MODELS, TICKS, estimate, jittered, true_times
from sfa_engine.bench.rig import RATE
from sfa_engine.engine.command import ClockSource, Op, Ring
from sfa_engine.engine.layout import COMMANDS, ENGINE, LATENCY, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.host.kernel import midi_clock
from sfa_engine.host.kernel.intrinsics import _pointer

OUT = np.dtype([("tick", [("offset", "i4"), ("length", "i4"), ("data", "u1", (8,))], (64,))])
engine_at = _pointer(numba.from_dtype(ENGINE))


@numba.njit
def message(address, slot, status, data, frame):
    engine = carray(engine_at(address), (1,))[0]
    midi_clock.clock_message(engine, 0, slot, status, data, frame)


@numba.njit
def send(address, out, slot, first, frames):
    engine = carray(engine_at(address), (1,))[0]
    return midi_clock.clock_out(engine, out[0], slot, first, frames)


# ------------------------------------------------------------------ jitter


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_the_tempo_of_a_jittered_clock_stands_and_its_phase_is_right(model):
    times = true_times((64, 120.0))
    tempi, line, number = estimate(jittered(times, model))
    steady = slice(16 * TICKS, -1)
    assert tempi[steady].std() <= 0.025
    off = line[steady] - times[number[steady]]
    assert np.abs(off - off.mean()).max() <= 0.001


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", MODELS)
def test_another_tempo_is_found_within_four_beats(model, seed):
    tempi, _, number = estimate(jittered(true_times((32, 120.0), (16, 128.0)), model, seed))
    off = np.abs(tempi[32 * TICKS :] - 128.0) > 0.1
    assert (np.flatnonzero(off).max() + 1) / TICKS <= 4.0
    assert number[-1] in {48 * TICKS, 48 * TICKS + 1}  # one that is late may be taken for the next


@pytest.mark.parametrize("bpm", [60.0, 90.0, 100.0, 110.0, 130.0, 140.0, 180.0, 240.0])
def test_a_step_of_any_size_is_followed_without_losing_count(bpm):
    tempi, _, number = estimate(jittered(true_times((16, 120.0), (16, bpm)), "gauss 0.3 ms"))
    assert tempi[-1] == pytest.approx(bpm, rel=0.001)
    assert number[-1] == pytest.approx(32 * TICKS, abs=1 if bpm == 240 else 0)


def test_a_slow_ride_of_the_tempo_is_followed():
    gaps = 60 / np.linspace(120.0, 132.0, 32 * TICKS) / TICKS
    tempi, _, number = estimate(1.0 + np.cumsum(gaps))
    true = np.linspace(120.0, 132.0, 32 * TICKS)
    assert np.abs(tempi - true)[4 * TICKS :].max() < 1.0
    assert number[-1] == 32 * TICKS - 1


# ------------------------------------------------------------------ lost and doubled


@pytest.mark.parametrize("model", MODELS)
def test_lost_ticks_move_neither_tempo_nor_count(model):
    times = true_times((40, 120.0))
    keep = np.random.default_rng(3).random(len(times)) > 0.05
    keep[-30:] = True
    tempi, line, _ = estimate(jittered(times, model)[keep])
    assert tempi[-1] == pytest.approx(120.0, abs=0.1)
    assert line[-1] == pytest.approx(times[-1], abs=0.003)


def test_a_dropout_of_a_second_moves_neither_tempo_nor_count():
    times = true_times((20, 125.0))
    keep = np.ones(len(times), bool)
    keep[200:247] = False
    tempi, _, number = estimate(times[keep])
    assert tempi[-1] == pytest.approx(125.0, abs=0.01)
    assert number[-1] == len(times) - 1


def test_doubled_ticks_count_once():
    times = true_times((20, 120.0))
    twice = times[np.random.default_rng(4).random(len(times)) < 0.1]
    tempi, _, number = estimate(np.sort(np.concatenate([times, twice + 0.001])))
    assert tempi[-1] == pytest.approx(120.0, abs=0.05)
    assert number[-1] == pytest.approx(len(times) - 1, abs=1)


@settings(max_examples=60)
@given(st.lists(st.floats(0.0, 3.0, allow_subnormal=False), min_size=1, max_size=200))
def test_whatever_times_come_numbers_stay_finite(gaps):
    tempi, line, _ = estimate(np.cumsum(gaps))
    assert np.isfinite(tempi).all()
    assert np.isfinite(line).all()


# ------------------------------------------------------------------ messages


class Port:
    """A slot whose clock is enabled both ways, and what the kernel is told of it."""

    def __init__(self):
        self.memory = Memory.anonymous()
        engine = self.engine = self.memory.engine
        engine["sample_rate"] = RATE
        engine["serial_address"] = self.memory.field_address("serial")
        for number, ring in enumerate(engine["rings"]):
            for name in ("head", "tail"):
                address = self.memory.address + self.memory.ring_offset(number, name)
                ring[f"{name}_address"] = address
        for name in ("clock.midi_in", "clock.midi_out"):
            engine["flat"][VALUE_INDEX[name]] = 1.0
        for slot in (0, 1):
            self.open(slot)
        self.read = 0
        self.out = np.zeros(1, OUT)

    def open(self, slot):
        for name in ("open", "clock_in", "clock_out"):
            self.engine["midi"]["slots"][slot][name] = 1

    def hear(self, status, frame, data=0, slot=0):
        message(self.memory.address, slot, status, data, frame)

    def ticks(self, times, slot=0):
        for time in times:
            self.hear(0xF8, round(time * RATE), slot=slot)

    def told(self):
        """Return what is new on the ring: frame, beat, tempo, running, source of each command."""
        ring = self.engine["rings"][Ring.MIDI]
        head = int(ring["head"])
        new = [ring["commands"][k % COMMANDS] for k in range(self.read, head)]
        self.read = head
        ring["tail"] = head
        assert all(c["op"] == Op.FOLLOW and c["target"] == ClockSource.MIDI for c in new)
        names = ("frame", "x", "y", "deck", "source")
        return [tuple(c[name].item() for name in names) for c in new]

    def send(self, first, frames, slot=0):
        """Return what is sent in a cycle: frame and bytes of each message."""
        count = send(self.memory.address, self.out, slot, first, frames)
        return [
            (first + int(m["offset"]), bytes(m["data"][: m["length"]]))
            for m in self.out[0]["tick"][:count]
        ]

    def session(self, beat=0.0, bpm=120.0, frame=0, downbeat=0, bar=4, aligned=0):
        """Let the session's clock be somewhere."""
        serial = int(self.engine["serial"]) + 1
        clock = self.engine["snapshots"][serial & 1]["clock"]
        clock["frame"], clock["beat"], clock["speed"] = frame, beat, bpm / 60 / RATE
        clock["downbeat"], clock["beats_per_bar"], clock["aligned"] = downbeat, bar, aligned
        self.engine["serial"] = serial


def beat_at(told, frame):
    at, beat, tempo, *_ = told
    return beat + (frame - at) * tempo / 60 / RATE


@pytest.mark.slow
def test_the_kernel_is_told_tempo_and_beat_when_the_clock_is_steady():
    port = Port()
    times = true_times((4, 126.0))
    port.hear(0xFA, 0)
    port.ticks(times)
    told = port.told()
    assert 6 <= len(told) <= 9  # every half beat, from the first beat on
    for each in told:
        assert each[2] == pytest.approx(126.0, abs=0.05)
        assert each[3:] == (1, 16)
        # A beat that is heard now left the kernel `LATENCY` frames ago.
        frame = round(times[0] * RATE) - LATENCY
        assert beat_at(each, frame) == pytest.approx(0.0, abs=0.001)


def test_an_offset_takes_the_clock_as_late():
    port = Port()
    port.engine["midi"]["slots"][0]["clock_offset"] = 0.010
    port.hear(0xFA, 0)
    port.ticks(true_times((2, 120.0)))
    frame = round(0.990 * RATE) - LATENCY
    assert beat_at(port.told()[-1], frame) == pytest.approx(0.0, abs=0.001)


@pytest.mark.parametrize("late", [0, 5, 17])
def test_start_makes_the_next_tick_beat_0(late):
    port = Port()
    times = true_times((6, 120.0))
    for k, time in enumerate(times):
        if k == 48 + late:
            port.hear(0xFA, round(time * RATE) - 100)
        port.hear(0xF8, round(time * RATE))
    frame = round(times[48 + late] * RATE) - LATENCY
    assert beat_at(port.told()[-1], frame) == pytest.approx(0.0, abs=0.001)


def test_continue_goes_on_where_stop_was():
    port = Port()
    times = true_times((8, 120.0))
    for k, time in enumerate(times):
        if k in {0, 30, 77}:
            port.hear({0: 0xFA, 30: 0xFC, 77: 0xFB}[k], round(time * RATE) - 100)
        port.hear(0xF8, round(time * RATE))
    told = port.told()
    assert [each[3] for each in told][-1] == 1
    assert 0 in [each[3] for each in told]
    assert beat_at(told[-1], round(times[77] * RATE) - LATENCY) == pytest.approx(
        30 / TICKS, abs=0.001
    )


def test_a_song_position_holds_from_continue_on_and_only_while_stopped():
    port = Port()
    times = true_times((8, 120.0))
    for k, time in enumerate(times):
        frame = round(time * RATE) - 100
        if k == 0:
            port.hear(0xF2, frame, 17)
            port.hear(0xFB, frame)
        if k == 50:
            port.hear(0xF2, frame, 400)  # while it runs: without effect
        port.hear(0xF8, frame + 100)
    frame = round(times[0] * RATE) - LATENCY
    assert beat_at(port.told()[-1], frame) == pytest.approx(17 / 4, abs=0.001)


@pytest.mark.slow
def test_a_clock_that_ends_is_told_as_lost_and_another_slot_takes_over():
    port = Port()
    port.ticks(true_times((2, 120.0)))
    assert port.told()[-1][4] == 16
    port.ticks(3.0 + true_times((2, 121.0)), slot=1)
    assert port.told() == []  # one clock at a time
    port.send(round(6.5 * RATE), 128)
    assert port.told()[-1][2] == 0.0
    port.ticks(6.0 + true_times((2, 121.0)), slot=1)
    assert port.told()[-1][2:] == (pytest.approx(121.0, abs=0.05), 0, 17)


@pytest.mark.parametrize("way", ["switch", "port"])
def test_a_clock_that_is_not_enabled_is_not_heard(way):
    port = Port()
    if way == "switch":
        port.engine["flat"][VALUE_INDEX["clock.midi_in"]] = 0.0
    else:
        port.engine["midi"]["slots"][0]["clock_in"] = 0
    port.ticks(true_times((3, 120.0)))
    assert port.told() == []


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0xF8, 0xF8, 0xF8, 0xFA, 0xFB, 0xFC, 0xF2, 0xFE, 0xFF, 0x90]),
            st.integers(-5000, 100_000),
            st.integers(0, 16_383),
            st.integers(0, 1),
        ),
        max_size=120,
    )
)
def test_whatever_messages_come_what_is_told_is_a_clock(messages):
    port = Port()
    frame = 0
    for status, gap, data, slot in messages:
        frame = max(0, frame + gap)
        port.hear(status, frame, data, slot)
        port.send(frame, 128, slot)
    for _, beat, tempo, running, _ in port.told():
        assert abs(beat) < 1e6
        assert tempo == 0.0 or 20.0 <= tempo <= 400.0
        assert running in {0, 1}


# ------------------------------------------------------------------ sending


def sent_over(port, seconds, block=128, start=0):
    return [
        m for first in range(start, start + round(seconds * RATE), block) for m in
        port.send(first, block)
    ]  # fmt: skip


@pytest.mark.parametrize("block", [16, 128, 1000, 8192])
def test_ticks_come_at_the_frames_of_the_sessions_clock(block):
    port = Port()
    port.session(beat=0.37, bpm=125.0, frame=77)
    frames = [frame for frame, data in sent_over(port, 4.0, block) if data == b"\xf8"]
    step = 60 * RATE / 125.0 / TICKS
    first = 77 + LATENCY - 0.37 * TICKS * step
    off = (np.array(frames) - first) / step
    assert np.abs(off - np.round(off)).max() * step <= 1.0
    assert (np.diff(np.round(off)) == 1).all()
    blocks = -(-4 * RATE // block)
    assert len(frames) == pytest.approx(blocks * block / step, abs=1)


def test_start_goes_out_before_the_first_bar_and_stop_when_it_is_disabled():
    port = Port()
    port.session(beat=1.5, downbeat=1, bar=3)
    sent = sent_over(port, 3.0)
    (at,) = [k for k, (_, data) in enumerate(sent) if data == b"\xfa"]
    frame, data = sent[at + 1]
    assert data == b"\xf8"
    beat = 1.5 + (frame - LATENCY) * 2 / RATE
    assert beat == pytest.approx(4.0, abs=0.001)  # a bar begins at 1 + 3
    assert 0.008 < (frame - sent[at][0]) / RATE < 0.013
    port.engine["flat"][VALUE_INDEX["clock.midi_out"]] = 0.0
    assert [data for _, data in sent_over(port, 0.2, start=3 * RATE)] == [b"\xfc"]


def test_an_aligned_clock_sends_its_position():
    port = Port()
    port.session(beat=0.0)
    sent_over(port, 3.0)
    port.session(beat=0.0, frame=3 * RATE, aligned=1)
    sent = sent_over(port, 2.0, start=3 * RATE)
    others = [(k, data) for k, (_, data) in enumerate(sent) if data != b"\xf8"]
    assert [data for _, data in others] == [b"\xfc", b"\xf2\x04\x00", b"\xfb"]
    frame, _ = sent[others[-1][0] + 1]
    assert (frame - 3 * RATE - LATENCY) * 2 / RATE == pytest.approx(1.0, abs=0.001)


def test_a_clock_that_leaps_sends_no_burst():
    port = Port()
    port.session(beat=0.0)
    sent_over(port, 1.0)
    for beat in (100.0, 3.0):
        port.session(beat=beat, frame=RATE)
        frames = [frame for frame, _ in sent_over(port, 0.5, start=RATE)]
        assert len(frames) == pytest.approx(24, abs=3)
        assert np.diff(frames).min() > 400


def test_an_offset_sends_early():
    port, early = Port(), Port()
    early.engine["midi"]["slots"][0]["clock_offset"] = 0.005
    for each in (port, early):
        each.session(beat=0.1)
    on_time, before = ([f for f, d in sent_over(p, 1.0) if d == b"\xf8"] for p in (port, early))
    assert np.array(on_time[:20]) - np.array(before[:20]) == pytest.approx(240, abs=1)


def test_nothing_is_sent_while_it_is_not_enabled():
    port = Port()
    port.session()
    port.engine["midi"]["slots"][0]["clock_out"] = 0
    assert sent_over(port, 1.0) == []
