"""What the pieces do alike: chords that open, held pads, takes of a singer, the last mix of a stem.

Sits between the instruments and the pieces: it decides widths and doublings, never notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from sfa_engine.demo import effect, singer, voice
from sfa_engine.demo.score import Grid, Signal, Tape, play, ramp
from sfa_engine.demo.singer import Syllable

Notes = tuple[int, ...]


class Stabs:
    """The chords of a phrase as stabs, each made dark and bright; between the two lies the filter.

    Parameters
    ----------
    voicings : sequence of tuple of int
        Notes of every bar of a phrase; equal neighbours share their sound.
    seconds : float
        Length of a stab.
    rate : int
        Frames in a second.
    dark_hz, bright_hz : float
        Where the filter starts when it is shut and when it is open.
    """

    def __init__(
        self,
        voicings: Sequence[Notes],
        seconds: float,
        rate: int,
        dark_hz: float,
        bright_hz: float,
    ) -> None:
        self.voicings = list(voicings)
        self.pairs: dict[Notes, tuple[Signal, Signal]] = {
            notes: (
                voice.stab(notes, seconds, rate, dark_hz, sum(notes)),
                voice.stab(notes, seconds, rate, bright_hz, sum(notes)),
            )
            for notes in sorted(set(voicings))
        }

    def play(
        self,
        tape: Tape,
        grid: Grid,
        bars: range,
        pattern: str,
        opening: tuple[float, float],
        gain: float,
        send: float = 0.0,
    ) -> None:
        """Lay a pattern on some bars while the filter goes from one opening, 0 to 1, to another."""
        for bar, part in zip(bars, ramp(*opening, len(bars)), strict=True):
            dark, bright = self.pairs[self.voicings[bar % len(self.voicings)]]
            shot = dark * np.float32(1.0 - part) + bright * np.float32(part)
            play(tape, grid, [bar], pattern, [shot], gain, send=send)


def pads(
    tape: Tape,
    grid: Grid,
    voicings: Sequence[Notes],
    bars: range,
    hold: int,
    gains: Sequence[float],
) -> None:
    """Lay held chords of `hold` bars each, overlapping by a quarter of a second.

    Parameters
    ----------
    tape, grid : Tape, Grid
        Where to.
    voicings : sequence of tuple of int
        Notes of every bar of a phrase.
    bars : range
        Which bars.
    hold : int
        Bars between two chords.
    gains : sequence of float
        Factor of every bar; a chord goes straight from its first to its last.
    """
    over = round(0.25 * grid.rate)
    longest = grid.frame(hold) - grid.frame(0) + 1 + over
    shots: dict[tuple[Notes, float], Signal] = {}
    slow_s = 16 * grid.beat_s  # the brightness comes and goes in four bars
    for bar in range(bars.start, bars.stop, hold):
        first = grid.frame(bar)
        frames = grid.frame(min(bar + hold, bars.stop)) - first + over
        notes = voicings[bar % len(voicings)]
        turn = (bar % 4) / 4.0
        if (notes, turn) not in shots:
            shots[notes, turn] = voice.pad(notes, longest, grid.rate, 7 * sum(notes), slow_s, turn)
        k = bar - bars.start
        last = min(k + hold, len(gains)) - 1
        swell = np.linspace(gains[k], gains[last], frames, dtype=np.float32)
        shot = shots[notes, turn][:frames] * swell[:, None]
        tape.lay(effect.fade(shot, grid.rate, 0.0, 0.25), first)


def announce(tape: Tape, grid: Grid, risers: Iterable[tuple[int, int, float]]) -> None:
    """Lay risers and the impact that each of them ends in: first bar, bars, factor."""
    boom = voice.impact(grid.rate)
    for bar, bars, gain in risers:
        end = grid.frame(bar + bars)
        shot = voice.riser((end - grid.frame(bar)) / grid.rate, grid.rate, 90 + bar)
        tape.lay(shot, grid.frame(bar), gain, send=0.3)
        tape.lay(boom, end, 1.6 * gain, send=0.3)


def shake(
    tape: Tape,
    grid: Grid,
    pattern: str,
    shots: Sequence[Signal],
    pan: float,
    loose: np.random.Generator,
) -> None:
    """Lay the shaker, from the third bar to the last but for the silence in the break."""
    levels = [*ramp(0.05, 0.10, 6), *ramp(0.10, 0.12, 16), *ramp(0.03, 0.10, 4)]
    levels += ramp(0.12, 0.10, 16)
    play(tape, grid, [*range(2, 24), *range(28, 48)], pattern, shots, levels, pan, loose)


def roll(tape: Tape, grid: Grid, snare: Signal, bar: int, gain: float) -> None:
    """Lay the long roll out of a break: three bars, ever denser and louder, then a beat's rest."""
    places = [(bar, step) for step in (0, 8)]
    places += [(bar + 1, step) for step in range(0, 16, 2)]
    places += [(bar + 2, step) for step in range(12)]
    for (at, step), level in zip(places, ramp(0.17, 1.0, len(places)), strict=True):
        tape.lay(snare, grid.frame(at, step), level * gain)


class Choir:
    """One singer in several takes: alone in the middle, doubled at the sides, made small.

    A line that comes back with the same seed is the same take, laid again.

    Parameters
    ----------
    tape, grid : Tape, Grid
        Where to.
    """

    def __init__(self, tape: Tape, grid: Grid) -> None:
        self.tape = tape
        self.grid = grid
        self.takes: dict[tuple[tuple[Syllable, ...], int, float, float], Signal] = {}

    def _take(
        self, bar: int, line: Sequence[Syllable], seed: int, gain: float, pan: float, send: float,
        size: float = 1.0, detune: float = 0.0,
    ) -> None:  # fmt: skip
        grid = self.grid
        take = (tuple(line), seed, size, detune)
        if take not in self.takes:
            swung = [replace(s, beat=grid.swung(s.beat)) for s in line]
            self.takes[take] = singer.sing(swung, grid.rate, grid.beat_s, seed, size, detune)
        first = grid.frame(bar) - round(singer.LEAD_S * grid.rate)
        self.tape.lay(self.takes[take], first, gain, pan, send)

    def lead(self, bar: int, line: Sequence[Syllable], seed: int, gain: float, send: float) -> None:
        """Sing in the middle, with two quiet doubles at the sides."""
        self._take(bar, line, seed, gain, 0.0, send)
        self._take(bar, line, seed + 1, 0.4 * gain, -0.8, send, 1.03, -0.08)
        self._take(bar, line, seed + 2, 0.4 * gain, 0.8, send, 0.97, 0.08)

    def behind(
        self, bar: int, line: Sequence[Syllable], seed: int, gain: float, send: float
    ) -> None:
        """Sing at both sides, and not in the middle."""
        self._take(bar, line, seed, gain, -0.6, send, 1.05, 0.05)
        self._take(bar, line, seed + 1, gain, 0.6, send, 0.98, -0.05)

    def small(
        self, bar: int, line: Sequence[Syllable], seed: int, gain: float, send: float
    ) -> None:
        """Sing as a sampler would play it: smaller, and from side to side."""
        self._take(bar, line[::2], seed, gain, -0.45, send, 1.14, 0.03)
        if len(line) > 1:
            self._take(bar, line[1::2], seed + 1, gain, 0.45, send, 1.14, -0.03)


def blend(
    tape: Tape,
    grid: Grid,
    kicks: Sequence[int],
    depth: float,
    back_s: float,
    space: Signal,
    wet: float,
    delay_s: float,
    echoes: float,
) -> Signal:
    """Give a tape its echoes and its room, and let all of it duck under the kick.

    Parameters
    ----------
    tape, grid : Tape, Grid
        The stem.
    kicks : sequence of int
        Frames of the kicks.
    depth, back_s : float
        Of the ducking.
    space : float32[n, 2]
        Response of the room.
    wet : float
        Factor of the room; a send of 1 through a wet of 1 is as loud as the dry sound.
    delay_s : float
        From echo to echo.
    echoes : float
        Factor of the first echo.

    Returns
    -------
    float32[frames, 2]
        The stem.
    """
    if tape.send is None:
        raise ValueError("nothing has been sent to the room")
    repeats = effect.echo(grid.rate, delay_s, 5)
    response = np.zeros((max(len(space), len(repeats)), 2), np.float32)
    response[: len(space)] += space * np.float32(wet)
    response[: len(repeats)] += repeats * np.float32(echoes)
    effect.mix_in(tape.sound, tape.send, response)
    tape.sound *= effect.duck(grid.frames, kicks, grid.rate, depth, back_s)[:, None]
    return effect.drive(tape.sound, 1.6)
