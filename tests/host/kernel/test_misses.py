"""Blocks that a device went on without, and how long its blocks are."""

import time

import numpy as np
import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.host import build
from sfa_engine.host.build import STREAM
from sfa_engine.host.dsp_state import DspState

RATE = 8_000
BLOCK = 4_000  # half a second: no machine is so busy that it does not matter
UNDERFLOW = 4  # paOutputUnderflow


class Device:
    """Calls the kernel as PortAudio does, at the times that it is told."""

    def __init__(self, callback, in_graph):
        self.memory = Memory.anonymous()
        self._rack = DspState(self.memory, float(RATE), 2)
        self._rack.record["in_graph"] = in_graph
        self._stream = STREAM(callback)
        self._out = np.zeros((8192, 2), np.float32)

    def call(self, after_s, frames=BLOCK, flags=0):
        engine = self.memory.engine
        engine["monotonic_ns"] = time.monotonic_ns() - round(after_s * 1e9)
        self._stream(None, self._out.ctypes.data, frames, None, flags, self._rack.address)

    @property
    def misses(self):
        return int(self.memory.engine["device_misses"])

    @property
    def block(self):
        return int(self.memory.engine["block"])


@pytest.fixture(params=["stream", "idle"])
def begin(request):
    """The engine, and the client that does nothing beside it: both count alike."""
    kernel = build.load(build.ensure())

    def make(in_graph=True):
        device = Device(getattr(kernel, request.param), in_graph)
        device.call(1e3)  # of a host long ago
        return device

    return make


def test_the_first_block_of_a_host_is_late_for_nothing(begin):
    assert begin().misses == 0


@pytest.mark.parametrize(("after_s", "misses"), [(0.0, 0), (0.5, 0), (0.9, 0), (1.1, 1), (9.0, 1)])
def test_a_block_more_than_two_lengths_after_the_last_is_a_miss(begin, after_s, misses):
    device = begin()
    device.call(after_s)
    assert device.misses == misses


def pace(offsets, lost=()):
    """Return the time before each block, of blocks that come so many lengths after their cycle."""
    cycles = np.delete(np.arange(len(offsets)), np.asarray(lost, int))
    return np.diff(cycles + offsets[cycles]) * BLOCK / RATE


@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("drift", [-0.003, 0.0, 0.003])
def test_a_steady_pace_misses_nothing_however_it_jitters(begin, jitter, drift):
    device = begin()
    for gap in pace(np.random.default_rng(1).uniform(-jitter, jitter, 1_000)):
        device.call(gap * (1.0 + drift))
    assert device.misses == 0


@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.1])
def test_every_single_block_that_is_lost_is_a_miss(begin, jitter):
    device = begin()
    offsets = np.random.default_rng(1).uniform(-jitter, jitter, 400)
    for gap in pace(offsets, lost=range(10, 400, 20)):
        device.call(gap)
    assert device.misses == 20


def test_blocks_that_get_shorter_or_longer_are_no_misses(begin):
    device = begin()
    for frames in (2048, 64, 64, 64, 512, 512, 64, 64):
        device.call(max(device.block, frames) / RATE * 1.4, frames)
        device.call(0.6 * frames / RATE, frames)
    assert device.misses == 0


def test_each_time_that_blocks_were_skipped_counts(begin):
    device = begin()
    for _ in range(3):
        device.call(2.0)
        device.call(0.5)
    assert device.misses == 3


def test_what_jack_tells_of_a_miss_that_was_seen_is_the_same_miss(begin):
    device = begin()
    device.call(2.0, flags=UNDERFLOW)
    device.call(0.5, flags=UNDERFLOW)
    assert device.misses == 1


def test_what_jack_tells_where_no_block_was_late_is_a_miss(begin):
    device = begin()
    device.call(0.5, flags=UNDERFLOW)
    assert device.misses == 1


def test_a_device_with_a_buffer_of_its_own_may_let_blocks_wait(begin):
    device = begin(in_graph=False)
    device.call(9.0)
    assert device.misses == 0
    device.call(9.0, flags=UNDERFLOW)
    assert device.misses == 1


@pytest.mark.parametrize("calls", [(1024, 1024), (1024,) * 8, (1024, 512)])
def test_a_block_that_comes_in_several_calls_is_one_block(begin, calls):
    device = begin()
    length = sum(calls)
    for gap in (BLOCK, length, length):
        for number, frames in enumerate(calls):
            device.call(0.0 if number else gap / RATE, frames)
    assert device.block == length
    assert device.misses == 0
    device.call(2.5 * length / RATE, calls[0])
    assert device.misses == 1


def test_a_longer_block_than_the_last_is_no_miss(begin):
    device = begin()
    for frames in (128, 128, 4000):
        device.call(frames / RATE, frames)
    assert (device.block, device.misses) == (4000, 0)
    device.call(0.5, 1024)
    device.call(1024 / RATE, 1024)
    assert (device.block, device.misses) == (1024, 0)
