"""Kinds with played instruments: bands, slow music, swing, and bars not of four."""

from __future__ import annotations

from functools import partial

import numpy as np

from sfa_engine.bench.pieces import voice
from sfa_engine.bench.pieces.club import club, finished
from sfa_engine.bench.pieces.kinds import KINDS, Kind, kind
from sfa_engine.bench.pieces.song import Part, Song, part, steady
from sfa_engine.bench.pieces.style import BACK, LAST_OFF, SOFT_OFF, Player, Style
from sfa_engine.bench.pieces.truth import Piece

ROCK = Style(
    (96, 148),
    {
        "k": "x.......x.x.....|x.x.....x.x.....|x......xx.......",
        "s": BACK,
        "h": SOFT_OFF,
        "y": SOFT_OFF,
        "o": LAST_OFF,
    },
    bass="1.1.1.1.1.1.1.1.|1.....1.1.....5.",
    chords="x...x...x...x...|x.x.x.x.x.x.x.x.",
    kicks="wood",
    backbeat="snare",
    bass_sounds="string",
    comp="strum",
    minor=0.4,
    jitter_s=0.004,
    fine=True,
)
FUNK = Style(
    (94, 116),
    {
        "k": "x..x......x.....|x......x..x..x..",
        "s": BACK,
        "g": ".......-.-.-...-",
        "h": SOFT_OFF,
        "c": "..x..x.x..x..x.x",
    },
    bass="1..1..8...1..5..|1.....8.1.5.....",
    chords="..x..x....x..x..|...x..x....x....",
    kicks="wood",
    backbeat="snare",
    bass_sounds="string",
    comp="strum",
    jitter_s=0.003,
    fine=True,
)
BALLAD = Style(
    (60, 78),
    {"k": "x.......x.......|x.......x.x.....", "s": BACK, "h": SOFT_OFF, "y": SOFT_OFF},
    bass="1.......1.......|1.......5.......",
    chords="x...x...x...x...|x.......x.......",
    kicks="wood|deep",
    backbeat="snare|rim",
    bass_sounds="string|sub",
    comp="piano|strum",
    minor=0.5,
    jitter_s=0.004,
)
HIPHOP = Style(
    (66, 78),
    {
        "k": "x......x..x.....|x..x......x..x..",
        "s": BACK,
        "h": "x-x-x-x-x-x-x-x-|xxx-xxx-xxx-xxx-",
        "g": ".......-......-.",
    },
    bass="1......1..1.....",
    chords="x...........x...",
    kicks="boom|deep",
    backbeat="snare|clap",
    bass_sounds="sub|string",
    comp="piano|stab",
    swing=(0.1, 0.3),
)
# twelve steps: triplets
SWING = Style(
    (112, 168),
    {
        "k": "x..-..x..-..",
        "s": ".........-..|.....-......",
        "y": "x..x.xx..x.x",
        "h": "...x.....x..",
    },
    bass="1..5..8..5..|1..1..5..8..",
    chords="..x.....x...|x....x......",
    per_beat=3,
    kicks="wood",
    backbeat="snare",
    bass_sounds="string",
    comp="piano",
    minor=0.5,
    jitter_s=0.005,
    fine=True,
)
REGGAE = Style(
    (64, 84),
    {
        "k": "........x.......",
        "r": "........x.......|........x....x..",
        "h": SOFT_OFF,
        "o": LAST_OFF,
    },
    bass="1...1.5.....1...|1..1....5.......",
    chords="....x.......x...|....x-......x-..",
    kicks="wood|deep",
    backbeat="rim",
    bass_sounds="string|sub",
    comp="strum|piano",
    minor=0.5,
    jitter_s=0.004,
)
SIX_EIGHT = Style(
    (48, 72),
    {"k": "x.....x...x.|x...........", "s": "......x.....", "h": "x.x.x.x.x.x."},
    bass="1.....1...5.|1.....5.....",
    chords="x.x.x.x.x.x.|x...x.x...x.",
    per_beat=6,
    kicks="wood",
    backbeat="snare",
    bass_sounds="string",
    comp="strum|piano",
    minor=0.5,
    jitter_s=0.003,
)
WALTZ = Style(
    (84, 168),
    {
        "k": "x...........",
        "s": "....x...x...|........x...",
        "h": "x...x...x...",
        "y": "x...x.x.x...",
    },
    bass="1...........|1.......5...",
    chords="....x...x...",
    kicks="wood",
    backbeat="snare|rim",
    bass_sounds="string",
    comp="strum|piano",
    minor=0.4,
    jitter_s=0.003,
)
FIVE = Style(
    (104, 160),
    {
        "k": "x.........x..x......|x.....x.....x.......",
        "s": "....x...........x...|........x.......x...",
        "h": "x.x.x.x.x.x.x.x.x.x.",
    },
    bass="1.....1.....1.......",
    chords="x.....x.....x...x...",
    kicks="wood|club",
    backbeat="snare",
    bass_sounds="string|saw",
    comp="strum|piano|stab",
    jitter_s=0.002,
)
# two steps an eighth: 2+2+3
SEVEN = Style(
    (216, 280),
    {
        "k": "x.......x.....|x.....x.x.....",
        "s": "....x.......x.|....x.....x...",
        "h": "x.x.x.x.x.x.x.",
    },
    bass="1...1...1.....",
    chords="x...x...x.....",
    per_beat=2,
    kicks="wood|club",
    backbeat="snare",
    bass_sounds="string|saw",
    comp="strum|piano|stab",
    jitter_s=0.002,
)


def verses(bpm: float, meter: int = 4, extra: str = "", seconds: float = 70.0) -> list[Part]:
    """Return intro, verses and choruses of about so many seconds."""
    bars = bpm * seconds / 60.0 / meter
    long = max(4, 4 * round(bars / 18))
    return [
        part("intro", 4, "khC" + extra, meter),
        part("verse", long, "kshrgBCF" + extra, meter),
        part("chorus", long, "ksyrgcoBCPVxF" + extra, meter),
        part("verse", long, "kshrgBCF" + extra, meter),
        part("chorus", long, "ksyrgcoBCPVx" + extra, meter),
    ]


def band(style: Style, meter: int, rng: np.random.Generator) -> Piece:
    """Return a song in a style; where one would drop it is not known."""
    bpm = style.tempo(rng)
    piece = finished(club(rng, style, verses(bpm, meter), bpm))
    piece.truth.drops = None
    return piece


# group, style and meter
BANDS = {
    "pop_rock": ("band", ROCK, 4),
    "funk": ("band", FUNK, 4),
    "ballad": ("slow", BALLAD, 4),
    "slow_hiphop": ("slow", HIPHOP, 4),
    "swing": ("slow", SWING, 4),
    "three_four": ("meter", WALTZ, 3),
    "five_four": ("meter", FIVE, 5),
}
for _name, (_group, _style, _meter) in BANDS.items():
    KINDS[_name] = Kind(_group, "", partial(band, _style, _meter))


@kind("band")
def piano_solo(rng: np.random.Generator) -> Piece:
    """Broken chords and a tune on a piano, without drums."""
    bpm = round(float(rng.uniform(72, 126)), 1)
    bars = 4 * round(bpm * 65 / 60 / 16)
    clock = steady(bpm, 4 * bars, float(rng.uniform(0.1, 0.8)))
    song = Song(rng, [part("verse", bars, "C")], clock, 0.005)
    player = Player(song, BALLAD)
    order = [int(n) for n in rng.permutation([0, 2, 1, 2, 0, 2, 1, 2])]
    order[0] = 0
    for bar in song.bars:
        chord = player.harmony[bar.number % 4]
        low = 48 + (player.root + 6) % 12 - 6
        song.lay(song.music, voice.piano(low + chord[0] - 12, 2.5), bar.beat, 0.5)
        for eighth in range(8):
            note = low + chord[order[eighth]] + (12 if eighth == 4 else 0)
            loud = 0.75 if eighth % 4 == 0 else 0.5
            song.lay(song.music, voice.piano(note, 1.4, loud), bar.beat + eighth / 2, 0.35)
        for beat, degree in enumerate(player.tune[bar.number % 4 : bar.number % 4 + 4]):
            if degree >= 0:
                note = low + 24 + chord[degree]
                song.lay(song.music, voice.piano(note, 1.6, 0.8), bar.beat + beat, 0.5)
    truth = song.truth(bpm=bpm, key=player.key)
    truth.sections = truth.drops = None
    return song.piece(truth)


@kind("slow")
def one_drop(rng: np.random.Generator) -> Piece:
    """Reggae: the kick on three alone, the guitar on two and four."""
    return band(REGGAE, 4, rng)


@kind("slow")
def six_eight(rng: np.random.Generator) -> Piece:
    """Two beats a bar, of three eighths each."""
    return band(SIX_EIGHT, 2, rng)


@kind("meter")
def seven_eight(rng: np.random.Generator) -> Piece:
    """Seven eighths a bar; a count of quarters is right too."""
    piece = band(SEVEN, 7, rng)
    assert piece.truth.bpm
    piece.truth.accept_bpm = [piece.truth.bpm, piece.truth.bpm / 2]
    return piece
