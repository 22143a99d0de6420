"""PCM kept warm: touched a second before the audio thread reads it, by a thread of Python's.

The first to touch a page that nobody has used for a while waits for it. In a virtual machine whose
hypervisor drops idle mappings that takes 0.12 ms, for 7 to 9 % of the pages after six seconds: with
four stems every seventh block of 128 frames crosses into new pages, and these blocks carried a
third of the audio thread's cost. Where memory may not be locked, such a page is swapped out, and
the wait is a disk's. Touched half a second before, 1.5 to 2 % of the pages are slow.

======== ====================================== =====================================
order    what                                   how far
======== ====================================== =====================================
each     every head that plays                  a second ahead, in its direction
each     the edges of a loop that is active     half a second before and after
each     the rings that sound is written to     a second ahead
by turns the engine's memory                    all of it: its rings come round in 22 s
by turns cue point, loop edges, hot cues        half a second before and after
each     sounds of the sampler's pads           half a second from where they are; of every pad
                                               its first half second, once a second
======== ====================================== =====================================

Only reads, and takes no lock: an array that is being read keeps its memory, so that a track which
is let go meanwhile is unmapped when the read is over. Places are read from the engine's memory
while the kernel changes them; a torn one costs a needless read, for every stretch is cut to what
the loader has filled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.layout import DECKS, VOICES
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.loader import Loader, Mounted
from sfa_engine.host.pads import Pads
from sfa_engine.host.taps import Taps

PERIOD_S = 0.25
TURNS = 4  # periods in which every place has its turn: once a second
AHEAD_S = 1.0  # of playing: two periods may be missed on a busy machine
AROUND_S = 0.5  # of track, to either side of a place that may be jumped to
PAD_FRAMES = 24_000  # of a pad, half a second at 48 kHz: two periods
MOST_S = 4.0  # of track in one stretch: a head that scratches at 16 times comes back anyway
BUDGET_NS = 2_000_000  # of CPU a period, 0.8 % of a core; what is left over waits for its turn
# Sixteen reads a page instead of one, so that a second of a stem is more than 500 elements: from
# there on NumPy gives the interpreter's lock away while it reads (4 us a second of 16-bit stereo).
STRIDE_BYTES = 256


class Stretch(NamedTuple):
    """A stretch of a track to touch, in track frames."""

    mounted: Mounted
    start: float
    end: float
    stem: str | None = None  # None: all


class Warmer:
    """Touches what the heads of a dsp will read.

    Parameters
    ----------
    dsp : DspState
    loader : Loader
        Of the same dsp.
    stop : threading.Event
        Ends `run`.
    taps : Taps, optional
        Likewise of the dsp.
    pads : Pads, optional
        Of the same dsp.

    Attributes
    ----------
    touched : int
        Bytes in the stretches touched so far.
    """

    def __init__(
        self,
        dsp: DspState,
        loader: Loader,
        stop: threading.Event,
        taps: Taps | None = None,
        pads: Pads | None = None,
    ) -> None:
        self._pads = pads
        self._dsp = dsp
        self._engine = dsp.memory.engine
        self._loader = loader
        self._stop = stop
        self._taps = taps
        self._warmed = 0  # frame up to which the rings were touched
        self._state = np.frombuffer(dsp.memory.buffer, np.uint8)
        self._period = 0
        self._turn = 0
        self.touched = 0

    def run(self) -> None:
        """Touch, period by period, until the host stops."""
        while not self._stop.wait(PERIOD_S):
            self.touch()

    def touch(self) -> None:
        """Touch what the heads read soon, then places that may be jumped to, within the budget."""
        end_ns = time.thread_time_ns() + BUDGET_NS
        self._period = (self._period + 1) % TURNS
        if self._period == 0:
            read_through(self._state)
            self._read_pads(self._pads.beginnings() if self._pads else [])
        self._read_pads(self._pads.ahead() if self._pads else [])
        for stretch in self._heads():
            if time.thread_time_ns() > end_ns:
                return
            self._read(stretch)
        self._touch_rings()
        places = list(self._places())
        for _ in range(-(-len(places) // TURNS)):
            if time.thread_time_ns() > end_ns:
                return
            self._turn = (self._turn + 1) % len(places)
            self._read(places[self._turn])

    def _touch_rings(self) -> None:
        """Touch what the kernel writes next of each ring; what was touched before is left out."""
        if self._taps is None:
            return
        head = self._taps.head
        until = head + int(AHEAD_S * float(self._dsp.record["sample_rate"]))
        start = min(until, max(head, self._warmed))
        self._warmed = until
        for number in self._taps.numbers:
            ring = self._taps.ring(number)
            low, high = start % len(ring), start % len(ring) + until - start
            self.touched += read_through(ring[low:high])
            if high > len(ring):
                self.touched += read_through(ring[: min(high - len(ring), low)])

    # ------------------------------------------------------------------ what

    def _heads(self) -> Iterator[Stretch]:
        """Yield what is ahead of the heads, and the edges of the loops that they go round."""
        frame = int(self._engine["frame"])
        for deck in range(DECKS):
            machine = self._engine["transport"][deck]
            line = machine["head"]
            mounted = self._loader.in_slot(int(line["slot"]))
            if mounted is None:
                continue
            if not machine["playing"]:  # it may be started
                speed = self._rate(mounted) / float(self._dsp.record["sample_rate"])
                yield self._ahead(mounted, float(machine["position"]), speed)
                continue
            yield self._ahead(mounted, _place(line, frame), float(line["speed"]))
            yield from self._stem_heads(deck, frame)
            loop = self._engine["values"]["deck"][deck]["loop"]
            if loop["active"]:
                yield from self._around(mounted, (loop["start"], loop["end"]))

    def _stem_heads(self, deck: int, frame: int) -> Iterator[Stretch]:
        """Yield what is ahead of the stems that have a head of their own."""
        for voice in range(1, VOICES):
            head = self._dsp.record["channel"][deck]["voice"][voice]["head"][0]
            mounted = self._loader.in_slot(int(head["slot"]))
            if mounted is not None and (head["gain"] != 0.0 or head["slope"] > 0.0):
                place, speed = _place(head, frame), float(head["speed"])
                yield self._ahead(mounted, place, speed, STEMS[voice - 1])

    def _ahead(
        self, mounted: Mounted, place: float, speed: float, stem: str | None = None
    ) -> Stretch:
        most = MOST_S * self._rate(mounted)
        far = min(most, max(-most, speed * AHEAD_S * float(self._dsp.record["sample_rate"])))
        return Stretch(mounted, min(place, place + far), max(place, place + far), stem)

    def _places(self) -> Iterator[Stretch]:
        """Yield what is around the places that a deck may be sent to."""
        for deck in range(DECKS):
            slot = int(self._engine["transport"][deck]["head"]["slot"])
            mounted = self._loader.in_slot(slot)
            if mounted is None:
                continue
            values = self._engine["values"]["deck"][deck]
            loop = values["loop"]
            places = [values["cue_point"], loop["start"], loop["end"]]
            yield from self._around(mounted, (*places, *values["hotcue"]["position"]))

    def _around(self, mounted: Mounted, places_s: Any) -> Iterator[Stretch]:
        rate = self._rate(mounted)
        for place_s in places_s:
            if place_s != NOT_SET:
                yield Stretch(mounted, (place_s - AROUND_S) * rate, (place_s + AROUND_S) * rate)

    def _rate(self, mounted: Mounted) -> float:
        return float(self._dsp.record["media"][mounted.slot]["rate"])

    # ------------------------------------------------------------------ how

    def _read_pads(self, sounds: list[npt.NDArray[np.generic]]) -> None:
        """Touch the beginnings of sounds."""
        for pcm in sounds:
            self.touched += read_through(pcm[:PAD_FRAMES])

    def _read(self, stretch: Stretch) -> None:
        mounted = stretch.mounted
        media = self._dsp.record["media"][mounted.slot]
        low = max(stretch.start, float(media["ready_start"]), 0.0)
        high = min(stretch.end, float(media["ready_end"]), float(mounted.frames))
        if not low < high:  # a torn place may be no number
            return
        stems = mounted.pcm if stretch.stem is None else {stretch.stem}
        for stem in stems:
            pcm = mounted.pcm.get(stem)
            if pcm is not None:
                self.touched += read_through(pcm[int(low) : int(high) + 1])


def _place(head: np.void, frame: int) -> float:
    """Return where a head is at an engine frame, in track frames, as `transport.place` does."""
    gone = frame - int(head["anchor_frame"])
    return float(head["anchor_position"]) + gone * float(head["speed"])


def read_through(pcm: npt.NDArray[np.generic]) -> int:
    """Touch every page of contiguous samples; return their size in bytes."""
    flat = pcm.reshape(-1).view(np.uint8)
    if flat.size:
        flat[::STRIDE_BYTES].max()
        flat[-1:].max()  # the last page, where the stride steps over its part
    return flat.size
