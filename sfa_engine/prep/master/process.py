"""The steps of a chain on blocks of sound, one after another; each keeps its state.

The limiter is that of the engine's master, as machine code; see
`sfa_engine.host.offline.MasterLimiter`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from sfa_engine.host.offline import MasterLimiter
from sfa_engine.mix.mastering import chain
from sfa_engine.mix.mastering.equaliser import sections

Block = NDArray[np.float32]
Floats = NDArray[np.float64]

CONTROL_HZ = 1000  # of the compressor: a level each millisecond, a straight line between
DETECTOR_MS = 10.0  # over which it takes the level


class Process(Protocol):
    """A step at work."""

    def run(self, block: Floats) -> Floats:
        """Return the next frames: float64[n, 2]."""


class Sections:
    """Second-order sections on both sides.

    Parameters
    ----------
    sos : float64[n, 6]
    """

    def __init__(self, sos: Floats) -> None:
        self._sos = sos
        self._state = np.zeros((len(sos), 2, 2))

    def run(self, block: Floats) -> Floats:
        """Filter."""
        filtered: Floats
        filtered, self._state = sosfilt(self._sos, block, axis=0, zi=self._state)
        return filtered


class Side:
    """A gain of the side, and sections on it; the middle stays.

    Parameters
    ----------
    gain : float
    sos : float64[n, 6], optional
    """

    def __init__(self, gain: float = 1.0, sos: Floats | None = None) -> None:
        self._gain = gain
        self._sos = sos
        self._state = np.zeros((0 if sos is None else len(sos), 2))

    def run(self, block: Floats) -> Floats:
        """Change the side."""
        middle, side = block.sum(axis=1) / 2, (block[:, 0] - block[:, 1]) / 2
        if self._sos is not None:
            side, self._state = sosfilt(self._sos, side, zi=self._state)
        side = side * self._gain
        return np.stack([middle + side, middle - side], axis=1)


class Factor:
    """A gain of all.

    Parameters
    ----------
    gain : float
    """

    def __init__(self, gain: float) -> None:
        self._gain = gain

    def run(self, block: Floats) -> Floats:
        """Multiply."""
        return block * self._gain


class Compression:
    """A bus compressor: RMS of both sides, feed-forward, at most some dB.

    Parameters
    ----------
    step : Compressor
    rate : int
        Hz.
    """

    def __init__(self, step: chain.Compressor, rate: int) -> None:
        self._step = step
        self._tick = max(1, round(rate / CONTROL_HZ))
        tick_ms = 1000.0 * self._tick / rate
        self._attack = 1 - math.exp(-tick_ms / step.attack_ms)
        self._release = 1 - math.exp(-tick_ms / step.release_ms)
        self._smooth = 1 - math.exp(-tick_ms / DETECTOR_MS)
        self._held = np.empty((0, 2))
        self._power = 0.0
        self._taken_db = 0.0
        self.most_db = 0.0

    def run(self, block: Floats) -> Floats:
        """Compress whole ticks; what is left waits for the next block."""
        held = np.concatenate([self._held, block])
        ticks = len(held) // self._tick
        sound, self._held = held[: ticks * self._tick], held[ticks * self._tick :].copy()
        return self._compress(sound, ticks)

    def finish(self) -> Floats:
        """Return what is left, at the gain of the last tick."""
        return self._held * 10 ** (-self._taken_db / 20)

    def _compress(self, sound: Floats, ticks: int) -> Floats:
        if not ticks:
            return sound
        step = self._step
        powers = (sound**2).reshape(ticks, -1).mean(axis=1)
        slope = 1 - 1 / step.ratio
        taken = np.empty(ticks + 1)
        taken[0] = now = self._taken_db
        level = self._power
        for n, power in enumerate(powers.tolist()):
            level += (power - level) * self._smooth
            over = 10 * math.log10(level + 1e-12) - step.threshold_db
            wanted = min(step.most_db, max(0.0, slope * over))
            now += (wanted - now) * (self._attack if wanted > now else self._release)
            taken[n + 1] = now
        self._power, self._taken_db = level, now
        self.most_db = max(self.most_db, float(taken.max()))
        places = np.arange(1, len(sound) + 1) / self._tick
        gain = 10 ** (-np.interp(places, np.arange(ticks + 1), taken) / 20)
        return sound * gain[:, None]


def processes(steps: Sequence[chain.Step], rate: int) -> list[Process]:
    """Return the steps at work, without the limiter."""
    return [_process(step, rate) for step in steps if not isinstance(step, chain.Limiter)]


def _process(step: chain.Step, rate: int) -> Process:
    if isinstance(step, chain.HighPass):
        return Sections(butter(2, step.hz, "highpass", fs=rate, output="sos"))
    if isinstance(step, chain.Equaliser):
        return Sections(sections(step.bands, rate))
    if isinstance(step, chain.MonoBass):
        return Side(sos=butter(4, step.hz, "highpass", fs=rate, output="sos"))
    if isinstance(step, chain.Width):
        return Side(gain=10 ** (step.gain_db / 20))
    if isinstance(step, chain.Compressor):
        return Compression(step, rate)
    assert isinstance(step, chain.Gain)
    return Factor(10 ** (step.gain_db / 20))


class Rendering:
    """The sound of a chain, block by block, as long as its source and aligned with it.

    Parameters
    ----------
    steps : sequence of Step
    rate : int
        Hz.

    Attributes
    ----------
    limited_db : float
        The most that the limiter has taken.
    compressed_db : float
        The most that the compressor has taken.
    """

    def __init__(self, steps: Sequence[chain.Step], rate: int) -> None:
        self._steps = steps
        self._rate = rate
        self.limited_db = 0.0
        self.compressed_db = 0.0

    def run(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Return the sound, block by block.

        Parameters
        ----------
        blocks : iterable of float32[n, 2]

        Yields
        ------
        float32[n, 2]
            Of other lengths than the blocks.
        """
        found = [step for step in self._steps if isinstance(step, chain.Limiter)]
        if not found:
            yield from self._before(blocks)
            return
        limiter = MasterLimiter(self._rate, found[0].ceiling_dbtp, found[0].release_ms)
        late = limiter.latency
        for block in self._before(blocks):
            done = limiter.run(block)
            skipped = min(late, len(done))
            late -= skipped
            yield done[skipped:]
        end = limiter.run(np.zeros((limiter.latency, 2), np.float32))
        yield end[late:]
        self.limited_db = limiter.reduction_db

    def _before(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield what comes to the limiter."""
        line = processes(self._steps, self._rate)
        if not line:
            yield from blocks
            return
        for block in blocks:
            sound = block.astype(float)
            for process in line:
                sound = process.run(sound)
            yield sound.astype(np.float32)
        # only a compressor holds sound back, and a chain has one at most
        for n, process in enumerate(line):
            if isinstance(process, Compression):
                sound = process.finish()
                for later in line[n + 1 :]:
                    sound = later.run(sound)
                self.compressed_db = process.most_db
                yield sound.astype(np.float32)
