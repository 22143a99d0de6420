"""Kinds whose grid is not one line: drift, steps of tempo, edits, bars of two beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfa_engine.bench.pieces.band import FUNK, ROCK, verses
from sfa_engine.bench.pieces.club import BREAKS, HOUSE, TECHNO, TRANCE, club, finished, form
from sfa_engine.bench.pieces.edit import splice, tape
from sfa_engine.bench.pieces.kinds import kind
from sfa_engine.bench.pieces.song import Clock, Part, wander
from sfa_engine.bench.pieces.style import Style
from sfa_engine.bench.pieces.truth import Piece, Times

STYLES = (HOUSE, TECHNO, TRANCE, BREAKS)


def _style(rng: np.random.Generator) -> Style:
    return STYLES[int(rng.integers(len(STYLES)))]


@kind("drift")
def tape_wow(rng: np.random.Generator) -> Piece:
    """A tape that wanders: +-.2 to 1 %, its pitch too, a period of 10 to 40 s."""
    piece = finished(club(rng, _style(rng)))
    t = np.arange(0, len(piece.sound) / piece.rate + 2, 0.25)
    period = rng.uniform(10, 40)
    speed = np.sin(2 * np.pi * (t / period + rng.random()))
    speed += 0.3 * np.sin(2 * np.pi * (t / (0.37 * period) + rng.random()))
    return tape(piece, 1.0 + rng.uniform(0.002, 0.01) * speed / 1.3, 0.25)


@kind("drift")
def slow_walk(rng: np.random.Generator) -> Piece:
    """Machines whose clock walks within +-.2 to 1 %."""
    depth = rng.uniform(0.002, 0.01)
    return finished(club(rng, _style(rng), clock=lambda *c: wander(rng, c[0], c[1], depth, c[2])))


@kind("drift")
def live_drummer(rng: np.random.Generator) -> Piece:
    """A band without a click: the tempo walks within +-.4 to 1 %, each attack by some 6 ms."""
    style = replace(ROCK if rng.random() < 0.6 else FUNK, jitter_s=float(rng.uniform(0.004, 0.008)))
    depth = rng.uniform(0.004, 0.01)
    bpm = style.tempo(rng)
    player = club(
        rng, style, verses(bpm), bpm, clock=lambda *c: wander(rng, c[0], c[1], depth, c[2])
    )
    piece = finished(player)
    piece.truth.drops = None
    return piece


def _stepped(rng: np.random.Generator, change: float) -> Piece:
    """Return a piece whose tempo changes by a share at a bar near its middle."""

    def clock(bpm: float, beats: int, first_s: float) -> Clock:
        tempo: Times = np.full(beats + 1, bpm)
        tempo[4 * round(beats / 4 * rng.uniform(0.4, 0.6)) :] *= 1.0 + change
        return Clock(tempo, first_s)

    return finished(club(rng, _style(rng), clock=clock))


@kind("drift")
def small_step(rng: np.random.Generator) -> Piece:
    """A step of .4 to .6 %, as between two takes."""
    return _stepped(rng, float(rng.uniform(0.004, 0.006) * rng.choice([-1, 1])))


@kind("drift")
def large_step(rng: np.random.Generator) -> Piece:
    """A step of 5 to 12 %, as in a track for two tempos."""
    return _stepped(rng, float(rng.uniform(0.05, 0.12) * rng.choice([-1, 1])))


def _place(rng: np.random.Generator, piece: Piece, low: float, high: float) -> float:
    """Return the time of a downbeat between two shares of the piece."""
    downbeats = piece.truth.downbeats
    return downbeats[int(rng.integers(int(low * len(downbeats)), int(high * len(downbeats))))]


def _cut(rng: np.random.Generator, beats: float) -> Piece:
    """Return a piece from which a part of a beat is cut before one or two downbeats."""
    piece = finished(club(rng, _style(rng)))
    assert piece.truth.bpm
    length = beats * 60.0 / piece.truth.bpm
    end = len(piece.sound) / piece.rate
    seams = [_place(rng, piece, 0.3, 0.5)]
    if rng.random() < 0.4:
        seams.append(_place(rng, piece, 0.65, 0.8))
    starts = [0.0, *seams]
    ends = [*(seam - length for seam in seams), end]
    return splice(piece, list(zip(starts, ends, strict=True)))


@kind("edit")
def cut_quarter(rng: np.random.Generator) -> Piece:
    """A quarter of a beat is missing before a bar."""
    return _cut(rng, 0.25)


@kind("edit")
def cut_half(rng: np.random.Generator) -> Piece:
    """Half a beat is missing before a bar."""
    return _cut(rng, 0.5)


@kind("edit")
def cut_beat(rng: np.random.Generator) -> Piece:
    """One beat, two or three are missing before a bar: beats continue, bars do not."""
    return _cut(rng, float(rng.integers(1, 4)))


@kind("edit")
def insert_part(rng: np.random.Generator) -> Piece:
    """A quarter, half or three quarters of a beat are heard twice."""
    piece = finished(club(rng, _style(rng)))
    assert piece.truth.bpm
    seam = _place(rng, piece, 0.35, 0.65)
    length = float(rng.choice([0.25, 0.5, 0.75])) * 60.0 / piece.truth.bpm
    end = len(piece.sound) / piece.rate
    return splice(piece, [(0.0, seam + length), (seam, end)])


@kind("edit")
def new_phase(rng: np.random.Generator) -> Piece:
    """Silence of 1 to 3 s, after which the music continues with a bar, off the grid before."""
    piece = finished(club(rng, _style(rng)))
    assert piece.truth.bpm
    seam = _place(rng, piece, 0.35, 0.65)
    beat = 60.0 / piece.truth.bpm
    gap = (int(rng.integers(2, 6)) + rng.uniform(0.2, 0.8)) * beat
    return splice(piece, [(0.0, seam), (seam, len(piece.sound) / piece.rate)], gap)


@kind("edit")
def bar_of_two(rng: np.random.Generator) -> Piece:
    """A bar of two beats, once or twice, at the end of a part."""
    style = (HOUSE, TRANCE, BREAKS, ROCK)[int(rng.integers(4))]
    bpm = style.tempo(rng)
    parts = verses(bpm) if style is ROCK else form(rng, bpm)
    short = {int(rng.integers(1, 3)), int(rng.integers(1, len(parts) - 1))}
    parts = [
        Part(p.label, (*p.bars[:-1], 2), p.layers) if n in short else p for n, p in enumerate(parts)
    ]
    player = club(rng, style, parts, bpm)
    piece = finished(player)
    song = player.song
    shorts = [bar.beat + 2 for bar in song.bars if bar.beats == 2]
    piece.truth.edits_s = [song.clock.at(beat) for beat in shorts]
    if style is ROCK:
        piece.truth.drops = None
    return piece
