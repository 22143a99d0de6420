"""Where notes stand and what they are laid on: a grid of sixteenths, patterns, a tape.

Knows time and level, not timbre. A bar has sixteen steps; only the odd ones swing, so a hit on
an even step is exactly on the beat grid::

    step    0   1   2   3   4   5   6   7   8 ...
    kick    9   .   .   .   9   .   .   .   9        "9...9...9..."
    hat     .   .   7   .   .   .   7   .   .        level = (digit / 9) ** 1.5
                |<->|   swing: where in its pair the odd step falls, 0.5 is straight
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
Curve = NDArray[np.float64]

STEPS = 16  # sixteenths in a bar of four beats


Part = Callable[["Grid"], Signal]


@dataclass(frozen=True)
class Grid:
    """The time of a piece: which frame a step of a bar falls on.

    Parameters
    ----------
    bpm : float
        Beats in a minute.
    rate : int
        Frames in a second.
    first_frame : int
        Frame of the first downbeat.
    bars : int
        Length of the piece, in bars of four beats.
    swing : float
        Where in its pair an odd sixteenth falls: 0.5 is straight, 0.66 a triplet.
    tail_s : float
        What is left after the last bar for echoes to die in, in seconds.
    """

    bpm: float
    rate: int
    first_frame: int
    bars: int
    swing: float = 0.5
    tail_s: float = 2.0

    @property
    def beat_s(self) -> float:
        """Length of a beat, in seconds."""
        return 60.0 / self.bpm

    @property
    def frames(self) -> int:
        """Length of the piece with its tail, in frames."""
        return self.frame(self.bars) + round(self.tail_s * self.rate)

    def swung(self, beat: float) -> float:
        """Return where a straight beat falls once its sixteenths swing, in beats."""
        pair, place = divmod(4.0 * beat, 2.0)
        if place < 1.0:
            warped = place * 2.0 * self.swing
        else:
            warped = 2.0 * self.swing + (place - 1.0) * 2.0 * (1.0 - self.swing)
        return (2.0 * pair + warped) / 4.0

    def frame(self, bar: float, step: float = 0.0) -> int:
        """Return the frame of a step of a bar; both may be fractions, bars count from 0."""
        beats = self.swung((bar * STEPS + step) / 4.0)
        return round(self.first_frame + beats * self.beat_s * self.rate)

    def length_s(self, steps: float) -> float:
        """Return how long so many straight sixteenths last, in seconds."""
        return steps * self.beat_s / 4.0


@dataclass(frozen=True)
class Piece:
    """How a piece is made: its figures, and who plays what.

    Parameters
    ----------
    title, key : str
        For the library.
    bpm, swing : float
        As in `Grid`.
    lead_in_s : float
        Silence before the first downbeat.
    bars : int
        Length, in bars of four beats.
    form : tuple of (str, int)
        Name and first bar of every section, in order.
    parts : mapping of str to callable
        What renders each stem on a grid: float32[frames, 2].
    levels : mapping of str to float
        Factor of each stem in the mix; the last fader.
    """

    title: str
    key: str
    bpm: float
    swing: float
    lead_in_s: float
    bars: int
    form: tuple[tuple[str, int], ...]
    parts: Mapping[str, Part]
    levels: Mapping[str, float]


def hits(pattern: str) -> Iterator[tuple[int, float]]:
    """Yield step and level of every digit of a pattern; ``9`` is 1.0, ``.`` is a rest.

    Blanks are ignored, so a bar may be written in groups.
    """
    for step, mark in enumerate(pattern.replace(" ", "")):
        if mark != ".":
            yield step, (int(mark) / 9.0) ** 1.5


class Tape:
    """A stem while it is being made: shots are laid on it, some of them also sent to a room.

    Parameters
    ----------
    frames : int
        Length of the stem.

    Attributes
    ----------
    sound : float32[frames, 2]
        What has been laid so far.
    send : float32[frames] or None
        What goes to the room, in mono; nothing has been sent while it is None.
    """

    def __init__(self, frames: int) -> None:
        self.sound: Signal = np.zeros((frames, 2), np.float32)
        self.send: Signal | None = None

    def lay(
        self, shot: Signal, frame: int, gain: float = 1.0, pan: float = 0.0, send: float = 0.0
    ) -> None:
        """Add a shot to the tape; what stands over either end is cut off.

        Parameters
        ----------
        shot : float32[n] or float32[n, 2]
            The sound.
        frame : int
            Where its first frame falls.
        gain : float
            Factor.
        pan : float
            -1 left to +1 right; a balance, so that the middle is 0 dB on both sides.
        send : float
            Factor for the room, before the pan.
        """
        skip = max(0, -frame)
        part = shot[skip : max(skip, len(self.sound) - frame)]
        place = slice(frame + skip, frame + skip + len(part))
        for side, share in enumerate((min(1.0, 1.0 - pan), min(1.0, 1.0 + pan))):
            one = part[:, side] if part.ndim == 2 else part
            self.sound[place, side] += one * np.float32(share * gain)
        if send:
            if self.send is None:
                self.send = np.zeros(len(self.sound), np.float32)
            mono = 0.5 * (part[:, 0] + part[:, 1]) if part.ndim == 2 else part
            self.send[place] += mono * np.float32(gain * send)


def play(
    tape: Tape,
    grid: Grid,
    bars: Iterable[int],
    patterns: str | Sequence[str],
    shots: Sequence[Signal],
    gain: float | Sequence[float] = 1.0,
    pan: float = 0.0,
    loose: np.random.Generator | None = None,
    send: float = 0.0,
) -> None:
    """Lay a pattern on some bars.

    Parameters
    ----------
    tape, grid : Tape, Grid
        Where to.
    bars : iterable of int
        Which bars.
    patterns : str or sequence of str
        One bar each, taken in turn.
    shots : sequence of float32[n] or float32[n, 2]
        Takes of the same drum, used in turn, so that no two hits are the same.
    gain : float or sequence of float
        Factor, or one for each bar.
    pan : float
        -1 left to +1 right.
    loose : numpy.random.Generator, optional
        Lets the hits stray by up to 2 ms and 1 dB; without it they are exact.
    send : float
        Factor for the room.
    """
    lines = [patterns] if isinstance(patterns, str) else list(patterns)
    take = 0
    for k, bar in enumerate(bars):
        level = gain if isinstance(gain, int | float) else gain[k]
        for step, height in hits(lines[k % len(lines)]):
            frame, loud = grid.frame(bar, step), height * level
            if loose is not None:
                frame += round(loose.uniform(-0.002, 0.002) * grid.rate)
                loud *= loose.uniform(0.89, 1.12)
            tape.lay(shots[take % len(shots)], frame, loud, pan, send)
            take += 1


def ramp(first: float, last: float, places: int) -> list[float]:
    """Return levels in even steps from the first to the last, both included."""
    return [float(v) for v in np.linspace(first, last, places)]
