"""What was just played: the rings that are always written, and bars of them as sound.

Every tap has a ring from the start, or from the first track with such a stem on: the master and the
decks of `BASE_S`, from which recordings begin in the past, stems of as many seconds as the
settings say. All together stay within a size; where that is too little, rings are shorter.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sfa_engine.desk.deck import STEMS
from sfa_engine.desk.desk import CAPTURE_SOURCES
from sfa_engine.engine.layout import DECKS, LATENCY, STRIPS, TAP_DECK, TAP_MASTER, TAP_STEM, TICK
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.loader import Loader
from sfa_engine.host.taps import FRAME_BYTES, Taps

BASE_S = 31.0  # of the master and the decks: a recording may begin 30 s in the past
USUAL_STEMS = 4  # of a deck, that the size is shared by
MAX_LOOKS = 1000  # at places that the kernel moves meanwhile
Audio = npt.NDArray[np.float32]
SOURCES = {name: TAP_MASTER + tap for tap, name in enumerate(CAPTURE_SOURCES)}


@dataclass(frozen=True)
class CaptureSettings:
    """How much is kept.

    Parameters
    ----------
    seconds : float
        Of each stem; 0: of none.
    size_mb : int
        Of all rings.
    """

    seconds: float = 16.0
    size_mb: int = 100


@dataclass(frozen=True)
class Captured:
    """Bars that were played.

    Attributes
    ----------
    sound : float32[frames, 2]
        As the source was heard, not quantised.
    rate : float
        Frames a second.
    first : int
        Its first frame: of the engine; of the master that of the mix, `LATENCY` before the output.
    beats : float
        Length.
    """

    sound: Audio
    rate: float
    first: int
    beats: float


class Capture:
    """Keeps what is played.

    Parameters
    ----------
    dsp : DspState
    taps : Taps
        Of the same dsp.
    loader : Loader
        Likewise.
    settings : CaptureSettings
    """

    def __init__(
        self, dsp: DspState, taps: Taps, loader: Loader, settings: CaptureSettings
    ) -> None:
        self._dsp = dsp
        self._loader = loader
        self._memory: Memory = dsp.memory
        self._taps = taps
        self._mutex = threading.Lock()
        self._rate = float(dsp.record["sample_rate"])
        self._most_bytes = settings.size_mb << 20
        second = self._rate * FRAME_BYTES
        base_s = min(BASE_S, self._most_bytes / ((1 + DECKS) * second))
        left = self._most_bytes - base_s * (1 + DECKS) * second
        self._stem_s = max(0.0, min(settings.seconds, left / (DECKS * USUAL_STEMS * second)))
        self._base_s = base_s

    def open(self) -> None:
        """Make the rings of the master and the decks."""
        for number in (TAP_MASTER, *range(TAP_DECK, TAP_STEM)):
            self._taps.open(number, self._frames(self._base_s))

    def _frames(self, seconds: float) -> int:
        """Return a length in whole ticks."""
        return math.floor(seconds * self._rate / TICK) * TICK

    def open_stems(self, deck: int, stems: Iterable[str]) -> None:
        """Make the rings of a deck's stems, before the deck has them; while there is room."""
        frames = self._frames(self._stem_s)
        if frames < self._rate:
            return
        with self._mutex:
            for stem in stems:
                if self._taps.size_bytes + frames * FRAME_BYTES > self._most_bytes:
                    return
                self._taps.open(TAP_STEM + deck * STRIPS + STEMS.index(stem), frames)

    def describe(self) -> dict[str, float]:
        """Return how long each source is kept, in seconds; and the size of all, in MB."""
        kept = {
            name: round(len(self._taps.ring(tap)) / self._rate, 2)
            for name, tap in SOURCES.items()
            if self._taps.is_open(tap)
        }
        return {**kept, "size_mb": round(self._taps.size_bytes / (1 << 20), 1)}

    def last_bars(self, source: str, bars: float) -> Captured:
        """Return the last whole bars of a source: they end with the newest downbeat.

        Bars are those of the deck's grid, at the speed that it has; of the master those of the
        session's clock.

        Parameters
        ----------
        source : str
            ``master``, ``deck1``, ``deck1.vocals`` …
        bars : float
            How many; may be less than one.

        Raises
        ------
        Refused
            There is no such source, it has no beats, or not so much of it is kept.
        """
        tap = self._tap(source)
        if not 0.0 < bars <= 1024.0:
            raise Refused(f"{bars:g} bars cannot be captured", "give more than 0")
        head = self._taps.head - LATENCY
        if tap == TAP_MASTER:
            start, end, beats = self._session_bars(bars, head)
        else:
            deck = tap - TAP_DECK if tap < TAP_STEM else (tap - TAP_STEM) // STRIPS
            start, end, beats = self._deck_bars(deck, bars, head)
        delay = LATENCY if tap == TAP_MASTER else 0
        first = self._taps.first(tap)
        if start + delay >= first:  # else it might be more than there is memory for
            sound, lost = self._taps.read(tap, start + delay, end + delay)
            if not lost:
                return Captured(sound, self._rate, start, beats)
        raise Refused(
            f"{bars:g} bars of {source} are {(end - start) / self._rate:.1f} s, and "
            f"{(self._taps.head - first) / self._rate:.1f} s are kept",
            "capture fewer bars, or set capture.seconds",
        )

    def last_seconds(self, source: str, seconds: float) -> Captured:
        """Return the last seconds of a source, as far as they are kept."""
        tap = self._tap(source)
        end = self._taps.head
        start = max(end - round(seconds * self._rate), self._taps.first(tap))
        sound, _ = self._taps.read(tap, start, end)
        return Captured(sound, self._rate, start - (LATENCY if tap == TAP_MASTER else 0), 0.0)

    def _tap(self, source: str) -> int:
        tap = SOURCES.get(source)
        if tap is None:
            raise Refused(
                f'no source "{source:.40}"',
                did_you_mean(source, SOURCES) or "master, deck1, deck1.vocals …",
            )
        if not self._taps.is_open(tap):
            raise Refused(f"{source} is not kept", "load a track with it, or set capture.size_mb")
        return tap

    def _session_bars(self, bars: float, head: int) -> tuple[int, int, float]:
        """Return first and last frame of the session's last bars, and their beats."""
        clock = self._memory.snapshot()["clock"]
        speed = float(clock["speed"])
        if speed <= 0.0:
            raise Refused("the session's clock stands still", "set clock.tempo")
        bar = int(clock["beats_per_bar"])
        beat = float(clock["beat"]) + (head - int(clock["frame"])) * speed
        downbeat = int(clock["downbeat"])
        last = math.floor((beat - downbeat) / bar + 1e-9) * bar + downbeat

        def frame_of(place: float) -> int:
            return round(int(clock["frame"]) + (place - float(clock["beat"])) / speed)

        return frame_of(last - bars * bar), frame_of(last), bars * bar

    def _deck_bars(self, deck: int, bars: float, head: int) -> tuple[int, int, float]:
        """Return first and last frame of a deck's last bars, and their beats."""
        slot, anchor, position, speed = self._line(deck)
        mounted = self._loader.in_slot(slot)
        if mounted is None:
            raise Refused(f"there is no track on deck {deck + 1}", "load one")
        media = self._dsp.record["media"][slot]
        places = mounted.beats
        if len(places) < 2:
            raise Refused("the track has no beat grid", "give it one, or capture seconds")
        if speed <= 0.0:
            raise Refused(f"deck {deck + 1} does not run forwards", "capture while it plays")
        first_beat, bar = int(media["first_beat"]), int(media["beats_per_bar"])
        numbers = first_beat + np.arange(len(places), dtype=np.float64)
        here = position + (head - anchor) * speed
        beat = float(extended(here, places, numbers))
        last = math.floor(beat / bar + 1e-9) * bar

        def frame_of(number: float) -> int:
            place = float(extended(number, numbers, places))
            return round(anchor + (place - position) / speed)

        return frame_of(last - bars * bar), frame_of(last), bars * bar

    def _line(self, deck: int) -> tuple[int, int, float, float]:
        """Return slot, anchor and speed of a deck, all of one moment."""
        head = self._memory.engine["transport"][deck]["head"]
        for _ in range(MAX_LOOKS):
            seen = bytes(head.tobytes())
            if seen == bytes(head.tobytes()):
                break
        line = np.frombuffer(seen, head.dtype)[0]
        return (
            int(line["slot"]),
            int(line["anchor_frame"]),
            float(line["anchor_position"]),
            float(line["speed"]),
        )


def extended(x: float, places: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """Interpolate, and go on at both ends as the last interval does."""
    k = min(max(int(np.searchsorted(places, x, side="right")) - 1, 0), len(places) - 2)
    share = (x - places[k]) / (places[k + 1] - places[k])
    return float(values[k] + share * (values[k + 1] - values[k]))
