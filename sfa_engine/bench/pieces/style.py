"""Styles: patterns, sounds and harmony of a kind of music, and the player that lays them.

A pattern is one bar, a character a step; in a longer bar it continues from its start. The letters
of a part's layers::

    k kick   s backbeat   g ghost   r rim   h hat   o open hat   z shaker   t tom   c conga
    y ride   x crash on a part's first beat
    B bass   P pad   C chords   A arpeggio   V voice   L roll   R riser   F fill in the last bar
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sfa_engine.bench.pieces import drum, voice
from sfa_engine.bench.pieces.song import NOTES, Bar, Song
from sfa_engine.bench.pieces.truth import RATE, Truth
from sfa_engine.demo.score import Signal

DRUMS = "ksgrhoztcy"
# bars of sixteen steps that many styles share
FOUR = "x...x...x...x..."
BACK = "....x.......x..."
OFF = "..x...x...x...x."
LAST_OFF = "..............x."
EIGHTHS = "x.x.x.x.x.x.x.x."
SOFT_OFF = "x-x-x-x-x-x-x-x-"
SIXTEENTHS = "xxxxxxxxxxxxxxxx"
# semitones above the root of each chord's notes, a chord a bar
MINOR = (
    ((0, 3, 7), (8, 12, 15), (5, 8, 12), (10, 14, 17)),
    ((0, 3, 7), (5, 8, 12), (0, 3, 7), (7, 10, 14)),
    ((0, 3, 7), (0, 3, 7), (8, 12, 15), (10, 14, 17)),
    ((0, 3, 7), (10, 14, 17), (8, 12, 15), (10, 14, 17)),
)
MAJOR = (
    ((0, 4, 7), (7, 11, 14), (9, 12, 16), (5, 9, 12)),
    ((0, 4, 7), (5, 9, 12), (0, 4, 7), (7, 11, 14)),
    ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14)),
    ((0, 4, 7), (5, 9, 12), (2, 5, 9), (7, 11, 14)),
)


@dataclass(frozen=True)
class Style:
    """A kind of music.

    Parameters
    ----------
    bpm : tuple of float
        Lowest and highest tempo.
    drums : dict of str
        Alternative patterns of each drum, separated by a bar.
    bass : str
        Alternative patterns: 1 root, 5 fifth, 8 octave.
    chords : str
        Pattern of the layer C.
    per_beat : int
        Steps in a beat.
    swing : tuple of float
        How late every second step is, in steps.
    kicks, backbeat : str
        See `drum.make_kit`.
    bass_sounds, comp : str
        Alternatives: saw, square, sub, string; stab, strum, piano.
    bass_gain : tuple of float
        Lowest and highest level of the bass.
    minor : float
        How likely a minor key is.
    duck : float
        See `Song.mixed`.
    jitter_s : float
        See `Song`.
    fine : bool
        The tempo has two decimals, else none.
    """

    bpm: tuple[float, float]
    drums: dict[str, str]
    bass: str = "1.......1......."
    chords: str = "x..x..x.........|..x...x...x...x."
    per_beat: int = 4
    swing: tuple[float, float] = (0.0, 0.0)
    kicks: str = "club"
    backbeat: str = "clap|snare"
    bass_sounds: str = "saw|square|sub"
    bass_gain: tuple[float, float] = (0.4, 0.4)
    comp: str = "stab"
    minor: float = 0.7
    duck: float = 0.0
    jitter_s: float = 0.0
    fine: bool = False

    def tempo(self, rng: np.random.Generator) -> float:
        """Return a tempo of the style."""
        return round(float(rng.uniform(*self.bpm)), 2 if self.fine else 0)


def choose(rng: np.random.Generator, alternatives: str) -> str:
    """Return one of some words separated by bars."""
    return str(rng.choice(alternatives.split("|")))


@dataclass
class Player:
    """Lays a style into a song; everything left open is chosen once a piece."""

    song: Song
    style: Style
    notes: dict[tuple[object, ...], Signal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng, style = self.song.rng, self.style
        self.kit = drum.make_kit(rng, style.kicks, style.backbeat)
        self.root = int(rng.integers(12))
        self.minor = bool(rng.random() < style.minor)
        modes = MINOR if self.minor else MAJOR
        self.harmony = modes[int(rng.integers(len(modes)))]
        self.patterns = {name: choose(rng, all_) for name, all_ in style.drums.items()}
        self.bass, self.chords = choose(rng, style.bass), choose(rng, style.chords)
        self.bass_sound, self.comp = choose(rng, style.bass_sounds), choose(rng, style.comp)
        self.swing = float(rng.uniform(*style.swing))
        self.bright = float(rng.uniform(0.3, 1.0))
        self.arpeggio = [int(n) for n in rng.integers(0, 3, 8)]
        # a tune of eight places, some of them silent: the same in every part
        self.tune = [int(n) if rng.random() < 0.7 else -1 for n in rng.integers(0, 3, 8)]
        low, high = style.bass_gain
        self.bass_gain = low if low == high else float(rng.uniform(low, high))

    @property
    def key(self) -> str:
        """Such as "A minor"."""
        return f"{NOTES[self.root]} {'minor' if self.minor else 'major'}"

    def play(self) -> Truth:
        """Lay everything; return the truth with the key."""
        for bar in self.song.bars:
            self._drums(bar)
            self._tones(bar)
        periods = np.diff(self.song.clock.times)
        constant = bool(np.ptp(periods) < 1e-9)
        bpm = float(60.0 / np.median(periods))
        tonal = any(set("BPCAV") & set(bar.part.layers) for bar in self.song.bars)
        bpm = round(bpm, 4) if constant else bpm
        return self.song.truth(bpm=bpm, key=self.key if tonal else None, constant=constant)

    def _drums(self, bar: Bar) -> None:
        song, layers = self.song, bar.part.layers
        fill = bar.last and "F" in layers
        for step, beat in song.steps(bar, self.style.per_beat, self.swing):
            late = step >= (bar.beats - 1) * self.style.per_beat
            for name in DRUMS:
                pattern = self.patterns.get(name, ".")
                if name not in layers or pattern[step % len(pattern)] == ".":
                    continue
                if fill and late and name in "ksg":
                    continue
                loud = 1.0 if step % self.style.per_beat == 0 or name in "ks" else 0.75
                loud *= 0.6 if pattern[step % len(pattern)] == "-" else 1.0
                self._hit(name, beat, loud)
            if fill and late:
                self._hit("t" if step % 2 else "s", beat, 0.8)
            if "L" in layers:
                done = (bar.number + step / (bar.beats * 4)) / len(bar.part.bars)
                every = 4 if done < 0.4 else 2 if done < 0.75 else 1
                if step % every == 0:
                    self._hit("s", beat, 0.25 + 0.5 * done)
        if bar.number == 0 and "x" in layers:
            self._hit("x", bar.beat, 1.0)
        if bar.number == 0 and "R" in layers:
            seconds = song.seconds(bar.beat, sum(bar.part.bars))
            rise = drum.noise(song.rng, seconds, 900, 9000)
            rise *= np.linspace(0, 1, len(rise)) ** 2
            song.lay(song.music, rise.astype(np.float32), bar.beat, 0.09)

    def _hit(self, name: str, beat: float, loud: float) -> None:
        song = self.song
        pan = {"h": 0.15, "o": 0.15, "z": -0.3, "r": -0.2, "c": 0.35, "y": -0.25}.get(name, 0.0)
        if name == "k":
            song.kicks.append(round(song.clock.at(beat) * RATE))
        song.lay(song.drums, self.kit.sounds[name], beat, loud * self.kit.gains[name], pan)

    def _tones(self, bar: Bar) -> None:
        song, layers, per_beat = self.song, bar.part.layers, self.style.per_beat
        chord = self.harmony[bar.number % len(self.harmony)]
        middle = [60 + (self.root + 5) % 12 - 5 + n for n in chord]
        low = 36 + (self.root + 8) % 12 - 8 + chord[0] % 12
        bar_s = song.seconds(bar.beat, bar.beats)
        step_s = bar_s / (bar.beats * per_beat)
        if "P" in layers:
            cutoff = 1200.0 + 2500.0 * self.bright
            song.lay(
                song.music, self._note("pad", tuple(middle), bar_s, cutoff, 0.04), bar.beat, 0.5
            )
        for step, beat in song.steps(bar, per_beat, self.swing):
            note = self.bass[step % len(self.bass)]
            if "B" in layers and note != ".":
                rest = self.bass[step + 1 :].split("1")[0].split("5")[0].split("8")[0]
                length = step_s * min(len(rest) + 1, bar.beats * per_beat - step, 6)
                pitch = low + {"1": 0, "5": 7, "8": 12}[note]
                sound = self._note(
                    "bass", pitch, 0.95 * length, self.bass_sound, 350 + 900 * self.bright
                )
                song.lay(song.bass, sound, beat, self.bass_gain)
            if "C" in layers and self.chords[step % len(self.chords)] != ".":
                self._comp(middle, beat, step_s)
            if "A" in layers and step % max(1, per_beat // 2) == 0:
                degree = self.arpeggio[(step // max(1, per_beat // 2)) % 8]
                pitch = middle[degree] + 12
                song.lay(
                    song.music, self._note("pluck", pitch, 3 * step_s, self.bright), beat, 0.3, 0.2
                )
        if "V" in layers:
            self._sing(bar, middle)

    def _comp(self, notes: list[int], beat: float, step_s: float) -> None:
        song = self.song
        if self.comp == "strum":
            sound = self._note("strum", tuple(n - 12 for n in notes) + tuple(notes), 5 * step_s)
            song.lay(song.music, sound, beat, 0.3, -0.2)
        elif self.comp == "piano":
            for n in notes:
                song.lay(song.music, self._note("piano", n, 5 * step_s), beat, 0.22, 0.1)
        else:
            sound = self._note("pad", tuple(notes), 1.6 * step_s, 3500.0, 0.002)
            song.lay(song.music, sound, beat, 0.6)

    def _sing(self, bar: Bar, notes: list[int]) -> None:
        song = self.song
        places = 2 * bar.beats
        for place in range(places):
            degree = self.tune[(place + 3 * (bar.number % 2)) % 8]
            if degree < 0:
                continue
            length = song.seconds(bar.beat + place / 2, 0.5)
            sound = self._note("vowel", notes[degree], 0.95 * length, (place + bar.number) % 5)
            song.lay(song.sung, sound, bar.beat + place / 2, 0.5)

    def _note(self, maker: str, *what: object) -> Signal:
        """Return a note, made once."""
        key = (maker, *(round(w, 2) if isinstance(w, float) else w for w in what))
        if key not in self.notes:
            self.notes[key] = getattr(voice, maker)(*what)
        return self.notes[key]
