"""Electronic kinds: steady club music, drops, broken beats."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from sfa_engine.bench.pieces.kinds import KINDS, Kind, kind
from sfa_engine.bench.pieces.song import Clock, Part, Song, part, steady
from sfa_engine.bench.pieces.style import (
    BACK,
    EIGHTHS,
    FOUR,
    LAST_OFF,
    OFF,
    SIXTEENTHS,
    SOFT_OFF,
    Player,
    Style,
)
from sfa_engine.bench.pieces.truth import Piece

HOUSE = Style(
    (118, 128),
    {
        "k": FOUR,
        "s": BACK,
        "h": f"{EIGHTHS}|{SIXTEENTHS}",
        "o": OFF,
        "z": SOFT_OFF,
        "g": ".......x.......-",
        "c": "...x..x....x..x.|..x..x....x..x..",
    },
    bass="..1...1...1...1.|1..1..1...1..15.|..1..1.8..1..1.8",
    kicks="club|deep",
    duck=0.5,
)
LOUD_OFF_BEAT = Style(
    (118, 132),
    {"k": FOUR, "s": BACK, "h": f"{OFF}|{SIXTEENTHS}", "o": OFF, "c": "...x..x....x..x."},
    bass="..1...1...1...1.",
    kicks="club|deep|hard",
    bass_gain=(0.8, 1.6),
    duck=0.5,
)
TECHNO = Style(
    (128, 140),
    {
        "k": FOUR,
        "s": "............x...|....x.......x...",
        "h": OFF,
        "o": OFF,
        "r": "x..x..x.x..x..x.|...x..x....x..x.",
        "c": "..x....x..x....x",
        "y": EIGHTHS,
    },
    bass="..1...1...1...1.|.111.111.111.111|...1..1....1..1.",
    kicks="club|hard|deep",
    duck=0.6,
)
TRANCE = Style(
    (132, 142),
    {"k": FOUR, "s": BACK, "h": SOFT_OFF, "o": OFF, "y": FOUR},
    bass=".111.111.111.111|..1...1...1...1.",
    kicks="club|hard",
    duck=0.6,
)
DNB = Style(
    (170, 178),
    {
        "k": "x.........x.....|x..x......x.....",
        "s": BACK,
        "h": EIGHTHS,
        "o": "......x.......x.",
        "g": ".......-.-.....-|.......x.-......",
        "y": EIGHTHS,
    },
    bass="1.....1...1.....|1.........1...5.",
    kicks="club|wood",
    backbeat="snare",
)
GARAGE = Style(
    (128, 136),
    {
        "k": "x.........x.....|x......x..x.....",
        "s": BACK,
        "h": "..x...x...x..xx.",
        "o": OFF,
        "z": SOFT_OFF,
        "r": ".......x.......x",
    },
    bass="1..1....1..1..5.|1......1..1.....",
    swing=(0.15, 0.3),
    duck=0.2,
    kicks="deep|club",
)
BREAKS = Style(
    (124, 136),
    {
        "k": "x.........x..x..|x..x......x.....|x.x.......x.....",
        "s": BACK,
        "h": EIGHTHS,
        "o": LAST_OFF,
        "g": ".......x.x.....-|.......-.-......",
        "c": "..x.....x.x.....",
    },
    bass="1..1......1.....|1.....1...1.....",
    kicks="wood|club",
    backbeat="snare",
)
TRAP = Style(
    (132, 148),
    {"k": "x......x..x.....|x.....x...x...x.", "s": "........x.......", "h": "x-x-xxx-x-x-x-xx"},
    bass="1......1..1.....",
    bass_sounds="sub",
    kicks="boom|deep",
)
ELECTRO = Style(
    (120, 132),
    {
        "k": "x..x..x...x.....|x.....x...x.....",
        "s": BACK,
        "h": SIXTEENTHS,
        "o": "......x.......x.",
        "r": "..x..x....x..x..",
    },
    bass="1.11..1.1.1.1.8.",
    kicks="club|boom",
)
HARDSTYLE = Style(
    (146, 156),
    {"k": FOUR, "s": BACK, "o": OFF, "h": EIGHTHS},
    bass="..1...1...1...1.",
    kicks="hard",
    duck=0.7,
)
DISCO = Style(
    (108, 122),
    {"k": FOUR, "s": BACK, "h": SOFT_OFF, "o": OFF, "c": "x..x..x...x.x..."},
    bass="1.8.1.8.1.8.1.8.|1..1..5.1..1..8.",
    kicks="wood|club",
    backbeat="snare|clap",
    comp="strum",
    minor=0.4,
    jitter_s=0.003,
    fine=True,
)
GABBER = Style(
    (186, 200),
    {"k": FOUR, "s": BACK, "o": OFF, "h": SOFT_OFF},
    bass="1...1...1...1...|..1...1...1...1.",
    kicks="hard",
    backbeat="clap",
    bass_sounds="saw|square",
)
BROKEN = Style(
    (100, 124),
    {
        "k": "x..x......x..x..|x.....x..x......|x..x..x.........",
        "s": "......x.....x...|....x....x..x...|...x....x...x...",
        "h": "x.xx.xx.x.xx.xx.",
        "r": "..x....x.....x..",
        "g": ".x.......-....x.",
        "z": SOFT_OFF,
    },
    bass="1..1......1..1..|1.....1..1......",
    kicks="wood|deep",
    backbeat="snare|rim",
    swing=(0.0, 0.15),
)
# the beat of a funk drummer who pushes the second half of the bar
BREAK = Style(
    (92, 138),
    {
        "k": "x.x.......xx....|x.x...x...xx....|x..x..x...x.....",
        "s": "....x..-.-..x..-|....x..x.x..x..x",
        "h": EIGHTHS,
        "y": EIGHTHS,
        "o": LAST_OFF,
    },
    kicks="wood",
    backbeat="snare",
    jitter_s=0.002,
    fine=True,
)

FULL = "kshogrzcyBPAC"


def form(rng: np.random.Generator, bpm: float, build: str = "PLR", drop: str = FULL) -> list[Part]:
    """Return a form of 60 to 90 s whose builds and drops play as given."""
    if bpm < 118:
        bars = [(4, "intro"), (8, "verse"), (4, "build"), (8, "drop"), (4, "break"), (8, "drop")]
    elif bpm < 160:
        bars = [(8, "intro"), (8, "verse"), (4, "build"), (8, "drop"), (4, "break"), (4, "build"),
                (8, "drop")]  # fmt: skip
    else:
        bars = [(8, "intro"), (8, "verse"), (8, "build"), (16, "drop"), (8, "break"), (4, "build"),
                (8, "drop")]  # fmt: skip
    intro = str(rng.choice(["kh", "khz", "kho", "kr"]))
    layers = {
        "intro": intro + "F", "verse": "kshgrBC" + str(rng.choice(["", "P", "z"])) + "F",
        "build": build, "drop": drop + "xF", "break": str(rng.choice(["PA", "P", "PAV", "PC"])),
    }  # fmt: skip
    return [part(label, n, layers[label]) for n, label in bars]


def club(
    rng: np.random.Generator,
    style: Style,
    parts: list[Part] | None = None,
    bpm: float | None = None,
    clock: Callable[[float, int, float], Clock] = steady,
) -> Player:
    """Return a player of a song in a style, not yet played.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses whatever is left open.
    style : Style
        What is played.
    parts : list of Part, optional
        Of the song; `form` if left out.
    bpm : float, optional
        Of the style if left out.
    clock : callable
        Makes the clock from tempo, number of beats and time of the first.
    """
    bpm = bpm or style.tempo(rng)
    parts = parts or form(rng, bpm)
    beats = sum(sum(p.bars) for p in parts)
    song = Song(rng, parts, clock(bpm, beats, float(rng.uniform(0.02, 1.2))), style.jitter_s)
    return Player(song, style)


def finished(player: Player) -> Piece:
    """Return the piece that a player plays."""
    return player.song.piece(player.play(), duck=player.style.duck)


def club_piece(style: Style, rng: np.random.Generator) -> Piece:
    """Return a steady piece in a style."""
    return finished(club(rng, style))


CLUB = {
    "house": HOUSE,
    "techno": TECHNO,
    "trance": TRANCE,
    "drum_and_bass": DNB,
    "garage": GARAGE,
    "breaks": BREAKS,
    "electro": ELECTRO,
    "hardstyle": HARDSTYLE,
    "disco": DISCO,
}
for _name, _style in CLUB.items():
    KINDS[_name] = Kind("club", "", partial(club_piece, _style))


@kind("club")
def trap(rng: np.random.Generator) -> Piece:
    """Half-time drums; people count either of two tempos."""
    piece = finished(club(rng, TRAP))
    assert piece.truth.bpm
    piece.truth.accept_bpm = [piece.truth.bpm, piece.truth.bpm / 2]
    return piece


@kind("club")
def vinyl(rng: np.random.Generator) -> Piece:
    """House at a tempo of two decimals, with the noise of a record and faded ends."""
    piece = finished(club(rng, HOUSE, bpm=round(float(rng.uniform(117, 131)), 2)))
    sound = piece.sound
    sound += rng.normal(0, 0.004, sound.shape).astype(np.float32)
    for place in rng.integers(0, len(sound) - 40, 200):
        sound[place : place + 3] += np.float32(rng.uniform(-0.2, 0.2))
    ramp = np.linspace(0, 1, 4 * piece.rate, dtype=np.float32)[:, None] ** 2
    sound[: len(ramp)] *= ramp
    sound[-len(ramp) :] *= ramp[::-1]
    return piece


@kind("club")
def loud_off_beat(rng: np.random.Generator) -> Piece:
    """House whose bass and open hat between the beats are louder than the kick."""
    bpm = LOUD_OFF_BEAT.tempo(rng)
    parts = None
    if rng.random() < 0.5:  # little changes: the drums alone say where the beats are
        bars = 4 * round(bpm * 65 / 60 / 16)
        layers = "koB" + str(rng.choice(["", "h", "s", "hs"]))
        parts = [part("groove", bars // 2, layers), part("groove", bars // 2, layers + "C")]
    player = club(rng, LOUD_OFF_BEAT, parts, bpm)
    player.kit.gains["k"] *= rng.uniform(0.4, 0.9)
    player.kit.gains["o"] *= rng.uniform(1.5, 3.0)
    return finished(player)


@kind("drop")
def drop_kick_on(rng: np.random.Generator) -> Piece:
    """Kick and bass continue through the build; a roll and noise rise above them."""
    style = HOUSE if rng.random() < 0.5 else TRANCE
    bpm = style.tempo(rng)
    return finished(club(rng, style, form(rng, bpm, build="kshBPLR"), bpm))


@kind("drop")
def drop_bass_on(rng: np.random.Generator) -> Piece:
    """The bass continues through the build without the kick."""
    style = (HOUSE, TECHNO, ELECTRO)[int(rng.integers(3))]
    bpm = style.tempo(rng)
    return finished(club(rng, style, form(rng, bpm, build="hBPLR"), bpm))


@kind("drop")
def drop_roll(rng: np.random.Generator) -> Piece:
    """The kick alone continues; the bass returns with the drop."""
    style = TECHNO if rng.random() < 0.5 else HARDSTYLE
    bpm = style.tempo(rng)
    return finished(club(rng, style, form(rng, bpm, build="kPLR"), bpm))


@kind("broken")
def broken_beat(rng: np.random.Generator) -> Piece:
    """Kicks between the beats, snares before or after two and four."""
    bpm = BROKEN.tempo(rng)
    parts = [
        part("intro", 4, "khz"),
        part("verse", 12, "kshrgBC"),
        part("chorus", 12, "kshrgzBPCAx"),
    ]
    return finished(club(rng, BROKEN, parts, bpm))


@kind("broken")
def drums_alone(rng: np.random.Generator) -> Piece:
    """A drummer's break; bars with a ride in turn with bars with a hat."""
    bpm = BREAK.tempo(rng)
    bars = 4 * round(bpm * 65 / 60 / 16)
    parts = [part("verse", 4, "ksh" if n % 2 else "ksyo") for n in range(bars // 4)]
    piece = finished(club(rng, BREAK, parts, bpm))
    piece.truth.sections = piece.truth.drops = None
    return piece


@kind("broken")
def jungle(rng: np.random.Generator) -> Piece:
    """The same break, fast, above a slow bass."""
    style = Style(
        (158, 172), BREAK.drums, bass="1.........1.....", bass_sounds="sub", kicks="wood",
        backbeat="snare",
    )  # fmt: skip
    bpm = style.tempo(rng)
    parts = [part("intro", 8, "ksh"), part("verse", 16, "kshoBP"), part("break", 8, "PA"),
             part("verse", 16, "kshoBPA")]  # fmt: skip
    piece = finished(club(rng, style, parts, bpm))
    piece.truth.accept_bpm = [bpm]
    return piece


@kind("meter")
def gabber(rng: np.random.Generator) -> Piece:
    """Four kicks a bar at 186 to 200 BPM."""
    bpm = GABBER.tempo(rng)
    parts = [part("intro", 8, "ko"), part("verse", 16, "ksoBF"), part("break", 8, "PA"),
             part("drop", 24, "ksohBPAx")]  # fmt: skip
    return finished(club(rng, GABBER, parts, bpm))
