"""Rings in the host's memory into which the kernel writes the sound: the readers' side.

The kernel writes, and never waits; a reader copies, and then looks whether what it copied was
still there. A frame has one place on a ring, see `kernel.tap`. A ring is never taken away again:
the kernel may be about to write to it.
"""

from __future__ import annotations

import mmap
import threading

import numpy as np
import numpy.typing as npt

from sfa_engine.engine.atomic import load_acquire, store_release
from sfa_engine.engine.layout import TAPS_OF_SOUND, TICK
from sfa_engine.host.dsp_state import DspState

FRAME_BYTES = 8  # stereo float32
MARGIN = 8 * TICK  # frames that the kernel may be writing while they are read
Audio = npt.NDArray[np.float32]


class Taps:
    """The rings of a dsp.

    Parameters
    ----------
    dsp : DspState
    margin : int
        Frames that may be written at a time; they are not read from the end of a ring.

    Attributes
    ----------
    size_bytes : int
        Of all rings.
    """

    def __init__(self, dsp: DspState, margin: int = MARGIN) -> None:
        self._dsp = dsp
        self._margin = margin
        self._rings: dict[int, Audio] = {}
        self._opened: dict[int, int] = {}
        self._mutex = threading.Lock()
        self.size_bytes = 0

    def open(self, number: int, frames: int) -> None:
        """Give a tap a ring, unless it has one.

        Parameters
        ----------
        number : int
            Of the tap.
        frames : int
            Length; rounded up to whole ticks.
        """
        assert 0 <= number < TAPS_OF_SOUND
        with self._mutex:
            if number in self._rings:
                return
            frames = -(-frames // TICK) * TICK
            ring = np.frombuffer(mmap.mmap(-1, frames * FRAME_BYTES), np.float32).reshape(-1, 2)
            ring[:] = 0.0  # every page is there before the audio thread comes
            self._rings[number] = ring
            self._opened[number] = self.head
            self.size_bytes += ring.nbytes
            tap = self._dsp.record["tap"][number]
            tap["frames"] = frames
            store_release(self._dsp.tap_address(number), ring.ctypes.data)

    def is_open(self, number: int) -> bool:
        """Return whether a tap has a ring."""
        return number in self._rings

    def ring(self, number: int) -> Audio:
        """Return the memory of a tap's ring, for what keeps it warm."""
        return self._rings[number]

    @property
    def numbers(self) -> list[int]:
        """Taps that have a ring."""
        return list(self._rings)

    @property
    def head(self) -> int:
        """Frame up to which the rings are written, not with."""
        return load_acquire(self._dsp.field_address("tap_frame"))

    def first(self, number: int) -> int:
        """Return the first frame of a tap that can be read now."""
        ring = self._rings.get(number)
        if ring is None:
            return self.head
        return max(0, self._opened[number], self.head - len(ring) + self._slack(ring))

    def _slack(self, ring: Audio) -> int:
        return self._margin if len(ring) > self._margin else 0

    def read(self, number: int, start: int, end: int) -> tuple[Audio, int]:
        """Return a copy of a tap's frames, and how many of them are silence instead of sound.

        Parameters
        ----------
        number : int
        start, end : int
            Engine frames.

        Returns
        -------
        sound : float32[end - start, 2]
            Silence where there is none.
        lost : int
            Frames that were overwritten, were before the tap had a ring, or are still to come.
        """
        out = np.zeros((max(0, end - start), 2), np.float32)
        ring = self._rings.get(number)
        if ring is None or not len(out):
            return out, len(out)
        low, high = max(start, self.first(number)), min(end, self.head)
        if low >= high:
            return out, len(out)
        size = len(ring)
        at = low
        while at < high:
            place = at % size
            count = min(high - at, size - place)
            out[at - start : at - start + count] = ring[place : place + count]
            at += count
        # What the kernel has overwritten meanwhile is no sound of these frames.
        late = min(high, max(low, self.first(number)))
        out[low - start : late - start] = 0.0
        self._silence_skipped(out, start, end)
        return out, len(out) - (high - late)

    def _silence_skipped(self, out: Audio, start: int, end: int) -> None:
        """Silence the frames that nobody played, as a device was opened again."""
        record = self._dsp.record
        low, high = int(record["tap_end"]), int(record["tap_begin"])
        if low < high and low < end and high > start:
            out[max(0, low - start) : max(0, high - start)] = 0.0
