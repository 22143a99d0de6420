"""Grooves: whole pieces of music in stems, made from numbers, to mix and to measure with.

A groove is rendered the same to the last bit on every run of one machine. Its stems simply
add up to the mix, and its grid is exact: beat k falls on frame
``round(first + k * 60 / bpm * rate)``. Kicks start on a beat or on an eighth between two.

::

    groove ─┬─ slow_gold, quicksilver, copper_rain    notes, patterns, levels
            │    └── ensemble                    doublings, widths, rooms
            │          └── voice, singer, drum   one sound each
            │                └── effect, oscillator, score
            └─ master                            one gain for all stems
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sfa_engine.demo import copper_rain, quicksilver, slow_gold
from sfa_engine.demo.master import ride
from sfa_engine.demo.score import Grid, Piece, Signal
from sfa_engine.errors import Refused, did_you_mean

Progress = Callable[[float], None]

ARTIST = "Sound Forge Alchemy"
LOWEST_RATE = 32000  # Hz; cymbals reach up to 15 kHz


@dataclass(frozen=True, eq=False)
class Groove:
    """A piece of music in stems.

    Parameters
    ----------
    title, artist : str
        For the library.
    bpm : float
        Beats in a minute, the same throughout.
    key : str
        As in ``A minor``.
    first_beat_s : float
        Time of the first downbeat; a whole number of frames.
    beats_per_bar, bars : int
        Length of the piece; after it comes a tail of echoes.
    stems : mapping of str to float32[frames, 2]
        ``vocals``, ``drums``, ``bass``, ``other``, all of the same length; their sum is the mix.
    sections : tuple of (str, int)
        Name and first bar of every section, in order; bars count from 0.
    """

    title: str
    artist: str
    bpm: float
    key: str
    first_beat_s: float
    beats_per_bar: int
    bars: int
    stems: Mapping[str, Signal]
    sections: tuple[tuple[str, int], ...] = ()

    def bar_s(self, bar: float) -> float:
        """Return the time of a bar, counted from 0, in seconds."""
        return self.first_beat_s + bar * self.beats_per_bar * 60.0 / self.bpm


PIECES: Mapping[str, Piece] = {
    "slow-gold": slow_gold.PIECE,
    "quicksilver": quicksilver.PIECE,
    "copper-rain": copper_rain.PIECE,
}

GROOVES: tuple[str, ...] = tuple(PIECES)


def render_groove(name: str, rate: int = 48000, progress: Progress | None = None) -> Groove:
    """Render a groove.

    Parameters
    ----------
    name : str
        One of `GROOVES`.
    rate : int
        Frames in a second.
    progress : callable, optional
        Called after each stem with the part that is done, up to 1.0.

    Returns
    -------
    Groove
        With fresh arrays that the caller may change.

    Raises
    ------
    Refused
        Unknown groove, or the rate is too low for its cymbals.
    """
    piece = PIECES.get(name)
    if piece is None:
        hint = did_you_mean(name, GROOVES) or f"there are {', '.join(GROOVES)}"
        raise Refused(f'no groove "{name}"', hint)
    if rate < LOWEST_RATE:
        raise Refused(f"a groove cannot be rendered at {rate} Hz", f"give {LOWEST_RATE} or more")
    grid = Grid(piece.bpm, rate, round(piece.lead_in_s * rate), piece.bars, piece.swing)
    stems: dict[str, Signal] = {}
    for stem in ("vocals", "drums", "bass", "other"):
        sound = piece.parts[stem](grid)
        sound *= np.float32(piece.levels[stem])
        stems[stem] = sound
        if progress is not None:
            progress(len(stems) / (len(piece.parts) + 1))
    ride(stems, rate)
    if progress is not None:
        progress(1.0)
    return Groove(
        title=piece.title,
        artist=ARTIST,
        bpm=piece.bpm,
        key=piece.key,
        first_beat_s=grid.first_frame / rate,
        beats_per_bar=4,
        bars=piece.bars,
        stems=stems,
        sections=piece.form,
    )
