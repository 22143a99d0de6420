"""Whole club tracks in stems, made by rule: three to four minutes with a form that DJs mix by.

::

    intro 16 │ verse │ build 8 │ drop │ break │ build 8 │ drop │ outro 16 bars
    drums      voice                drums, bass, chords            drums
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sfa_engine.bench.pieces.club import DISCO, ELECTRO, HOUSE, TECHNO, TRANCE
from sfa_engine.bench.pieces.song import Bar, Part, Song, part, steady
from sfa_engine.bench.pieces.style import Player
from sfa_engine.bench.pieces.truth import RATE, Truth
from sfa_engine.demo.score import Signal

STYLES = (HOUSE, TECHNO, TRANCE, ELECTRO, DISCO)
TEMPOS = (119.0, 131.0)  # BPM: of two, most are within 6 %
PEAK = 0.9


@dataclass(frozen=True)
class Multitrack:
    """A track: its stems, float32[frames, 2] each at `RATE`, and what is true of it."""

    stems: Mapping[str, Signal]
    truth: Truth


class _Song(Song):
    """A song whose bass and voice have buses of their own."""

    def __init__(self, rng: np.random.Generator, form: list[Part], bpm: float) -> None:
        beats = sum(sum(each.bars) for each in form)
        super().__init__(rng, form, steady(bpm, beats, float(rng.uniform(0.02, 1.2))))
        self.bass = np.zeros_like(self.music)
        self.sung = np.zeros_like(self.music)

    def stems(self, duck: float) -> dict[str, Signal]:
        """Return the stems, in the level in which their sum has the peak `PEAK`."""
        since = np.arange(round(0.25 * RATE)) / RATE
        hole = (1.0 - duck * np.exp(-since / 0.08)).astype(np.float32)
        gain = np.ones(len(self.music), np.float32)
        for first in self.kicks:
            span = gain[first : first + len(hole)]
            np.minimum(span, hole[: len(span)], out=span)
        found = {"drums": self.drums, "vocals": self.sung}
        found |= {"bass": self.bass * gain[:, None], "other": self.music * gain[:, None]}
        loudest = float(np.abs(sum(found.values(), np.zeros_like(self.music))).max())
        return {name: sound * np.float32(PEAK / loudest) for name, sound in found.items()}


class _Player(Player):
    """A player whose singer sings two bars and rests two."""

    def _sing(self, bar: Bar, notes: list[int]) -> None:
        if bar.number % 4 < 2:
            super()._sing(bar, notes)


def make_multitrack(seed: int, *, sung_ends: bool = False) -> Multitrack:
    """Make a track; the same seed makes the same frames.

    Parameters
    ----------
    seed : int
    sung_ends : bool
        Whether there is singing in the intro and in the outro, too.
    """
    rng = np.random.default_rng([seed, 0x6D6978])
    style = STYLES[int(rng.integers(len(STYLES)))]
    player = _Player(
        _Song(rng, _form(rng, "V" * sung_ends), round(float(rng.uniform(*TEMPOS)), 1)), style
    )
    truth = player.play()
    truth.kind, truth.group, truth.seed = "multitrack", "club", seed
    song = player.song
    assert isinstance(song, _Song)
    return Multitrack(song.stems(style.duck), truth)


def _form(rng: np.random.Generator, sung: str) -> list[Part]:
    """Return a form; what is open is how long its parts are, who sings, and what the ends play."""
    voice = [" V"[int(rng.integers(2))].strip() for _ in range(3)]
    drums = str(rng.choice(["kh", "khz", "kho", "khs"]))
    ends = [drums + str(rng.choice(["", "", "B", "P"])) for _ in range(2)]
    long = [int(rng.choice([16, 16, 32])) for _ in range(3)]
    return [
        part("intro", int(rng.choice([8, 16, 16])), ends[0] + sung + "F"),
        part("verse", long[0], "kshBC" + voice[0] + "F"),
        part("build", 8, "PLR"),
        part("drop", long[1], "kshozBPC" + voice[1] + "xF"),
        part("break", int(rng.choice([8, 16])), "PA" + voice[2]),
        part("build", 8, "PLR"),
        part("drop", long[2], "kshozBPAC" + voice[1] + "xF"),
        part("outro", int(rng.choice([8, 16, 16])), ends[1] + sung),
    ]
