"""A score in beats, a clock that gives every beat its time, and the mix of what is laid there.

A bar may have any number of beats; the clock may drift: truth is read off both, not measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import oaconvolve

from sfa_engine.bench.pieces.truth import RATE, Piece, Times, Truth
from sfa_engine.demo.score import Signal

NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TAIL_S = 0.4  # after the last beat
ROOM_S = 0.9


class Clock:
    """The time of every beat; between two beats time runs evenly.

    Parameters
    ----------
    bpm : float64[beats]
        Tempo of each beat.
    first_s : float
        Time of beat 0.
    """

    def __init__(self, bpm: Times, first_s: float) -> None:
        self.times: Times = first_s + np.concatenate([[0.0], np.cumsum(60.0 / bpm)])

    def at(self, beat: float) -> float:
        """Return the time of a beat, or of a part of one, in seconds."""
        whole = min(max(int(beat // 1), 0), len(self.times) - 2)
        period = self.times[whole + 1] - self.times[whole]
        return float(self.times[whole] + (beat - whole) * period)


@dataclass(frozen=True)
class Part:
    """A section: its label, the beats of each of its bars, and the letters of what plays."""

    label: str
    bars: tuple[int, ...]
    layers: str


@dataclass(frozen=True)
class Bar:
    """A bar of a song: its first beat, its length in beats, its part and its number in it."""

    beat: int
    beats: int
    part: Part
    number: int

    @property
    def last(self) -> bool:
        """Whether the next bar belongs to another part."""
        return self.number == len(self.part.bars) - 1


def part(label: str, bars: int, layers: str, meter: int = 4) -> Part:
    """Return a part of equal bars."""
    return Part(label, (meter,) * bars, layers)


class Song:
    """Sounds laid on beats.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses whatever is left open.
    form : sequence of Part
        What follows what.
    clock : Clock
        When each beat is.
    jitter_s : float
        Standard deviation of each attack about its place; truth does not contain it.
    """

    def __init__(
        self, rng: np.random.Generator, form: Sequence[Part], clock: Clock, jitter_s: float = 0.0
    ) -> None:
        self.rng, self.form, self.clock, self.jitter_s = rng, tuple(form), clock, jitter_s
        self.bars: list[Bar] = []
        beat = 0
        for section in self.form:
            for number, beats in enumerate(section.bars):
                self.bars.append(Bar(beat, beats, section, number))
                beat += beats
        self.beats = beat
        frames = round((clock.at(beat) + TAIL_S) * RATE)
        self.drums = np.zeros((frames, 2), np.float32)
        self.music = np.zeros((frames, 2), np.float32)
        self.bass = self.sung = self.music  # in one; see `multitrack`
        self.kicks: list[int] = []

    def seconds(self, beat: float, beats: float) -> float:
        """Return how long some beats last from a beat on."""
        return self.clock.at(beat + beats) - self.clock.at(beat)

    def lay(self, bus: Signal, sound: Signal, beat: float, gain: float, pan: float = 0.0) -> None:
        """Add a sound to a bus, its first frame on a beat; `pan` is -1 to 1."""
        when = self.clock.at(beat)
        if self.jitter_s:
            when += float(np.clip(self.rng.normal(0, self.jitter_s), -0.025, 0.025))
        first = round(when * RATE)
        sound = sound[max(0, -first) : max(0, len(bus) - first)]
        sides = np.array([1 - max(0, pan), 1 + min(0, pan)], np.float32) * np.float32(gain)
        first = max(0, first)
        bus[first : first + len(sound)] += (sound[:, None] if sound.ndim == 1 else sound) * sides

    def steps(self, bar: Bar, per_beat: int, swing: float) -> Iterator[tuple[int, float]]:
        """Yield number and beat of each step of a bar; odd ones are late by `swing` steps."""
        for step in range(bar.beats * per_beat):
            yield step, bar.beat + (step + (swing if step % 2 else 0.0)) / per_beat

    def mixed(self, *, duck: float = 0.0, room: float = 0.15, peak: float = 0.9) -> Signal:
        """Return drums and music in a room, softly limited: float32[frames, 2].

        Parameters
        ----------
        duck : float
            How much of the music each kick takes away, 0 to 1.
        room : float
            Level of the room.
        peak : float
            Of the result.
        """
        music = self.music
        if duck:
            since = np.arange(round(0.25 * RATE)) / RATE
            hole = (1.0 - duck * np.exp(-since / 0.08)).astype(np.float32)
            gain = np.ones(len(music), np.float32)
            for first in self.kicks:
                span = gain[first : first + len(hole)]
                np.minimum(span, hole[: len(span)], out=span)
            music = music * gain[:, None]
        if room:
            t = np.arange(round(ROOM_S * RATE)) / RATE
            tail = self.rng.standard_normal((len(t), 2)) * np.exp(-t / (ROOM_S / 5))[:, None]
            tail *= room / np.sqrt((tail**2).sum(axis=0))
            tail[: round(0.008 * RATE)] = 0.0
            wet = oaconvolve(music, tail.astype(np.float32), axes=0)
            music = music + wet[: len(music)].astype(np.float32)
        out = np.tanh(1.2 * (self.drums + music))
        mix: Signal = (out * (peak / np.abs(out).max())).astype(np.float32)
        return mix

    def truth(self, *, bpm: float, key: str | None, constant: bool = True) -> Truth:
        """Return what the score says."""
        beats = [self.clock.at(beat) for beat in range(self.beats)]
        starts = [bar for bar in self.bars if bar.number == 0]
        ends = [self.clock.at(bar.beat) for bar in starts[1:]] + [self.clock.at(self.beats)]
        sections: list[dict[str, Any]] = [
            {"start": self.clock.at(bar.beat), "end": end, "label": bar.part.label}
            for bar, end in zip(starts, ends, strict=True)
        ]
        meters = [bar.beats for bar in self.bars]
        return Truth(
            bpm=bpm,
            accept_bpm=[bpm],
            constant=constant,
            meter=max(set(meters), key=meters.count),
            beats=beats,
            downbeats=[beats[bar.beat] for bar in self.bars],
            key=key,
            sections=sections,
            drops=[s["start"] for s in sections if s["label"] == "drop"],
        )

    def piece(self, truth: Truth, **mix: float) -> Piece:
        """Return the mix with its truth."""
        return Piece(self.mixed(**mix), truth)


def steady(bpm: float, beats: int, first_s: float) -> Clock:
    """Return a clock of one tempo."""
    return Clock(np.full(beats + 1, bpm), first_s)


def wander(rng: np.random.Generator, bpm: float, beats: int, depth: float, first_s: float) -> Clock:
    """Return a clock whose tempo walks slowly within `depth`, a share, of its centre."""
    knots = np.cumsum(rng.standard_normal(beats // 8 + 3))
    knots -= np.linspace(knots[0], knots[-1], len(knots))
    walk = np.interp(np.arange(beats + 1) / 8.0, np.arange(len(knots)), knots)
    smooth = np.convolve(np.pad(walk, 8, "edge"), np.hanning(17) / np.hanning(17).sum(), "valid")
    smooth -= smooth.mean()
    return Clock(bpm * (1.0 + depth * smooth / np.abs(smooth).max()), first_s)
