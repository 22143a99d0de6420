"""The kinds of pieces, by name; each makes a piece from a random generator.

Groups are what the table of the analysis is divided by::

    club    one tempo, electronic           drift    the tempo moves
    band    one tempo, played               edit     beats are cut, inserted or begin elsewhere
    slow    the octave is in doubt          drop     kick or bass continue through the build
    broken  the phase is in doubt           meter    fast, or not in four
    none    nothing to count                signal   odd files: sides, channels, loops
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from sfa_engine.bench.pieces.truth import Piece
from sfa_engine.errors import Refused, did_you_mean

GROUPS = ("club", "band", "slow", "broken", "drop", "drift", "edit", "meter", "signal", "none")
Maker = Callable[[np.random.Generator], Piece]


@dataclass(frozen=True)
class Kind:
    """A kind of pieces: its group, what it is, and what makes one."""

    group: str
    what: str
    make: Maker


KINDS: dict[str, Kind] = {}


def kind(group: str) -> Callable[[Maker], Maker]:
    """Enter a function into `KINDS` by its name; its docstring says what the kind is."""

    def enter(make: Maker) -> Maker:
        what = (make.__doc__ or "").splitlines()[0].rstrip(".")
        KINDS[make.__name__] = Kind(group, what, make)
        return make

    return enter


def make_piece(name: str, seed: int) -> Piece:
    """Make a piece of a kind; the same seed makes the same frames.

    Parameters
    ----------
    name : str
        Of `KINDS`.
    seed : int
        Not negative.

    Raises
    ------
    Refused
        There is no such kind.
    """
    if name not in KINDS:
        raise Refused(f'kind of piece not found: "{name}"', did_you_mean(name, KINDS) or "--list")
    # the kind is part of the seed, so that two kinds of one style do not share kit and key
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    piece = KINDS[name].make(rng)
    piece.truth.kind, piece.truth.group, piece.truth.seed = name, KINDS[name].group, seed
    return piece


def write_piece(name: str, seed: int, folder: Path) -> Path:
    """Write a piece as FLAC of 16 bits and its truth as JSON beside it; return the FLAC's path.

    Parameters
    ----------
    name : str
        Of `KINDS`.
    seed : int
        Not negative.
    folder : Path
        Made if missing.
    """
    piece = make_piece(name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{seed}.flac"
    soundfile.write(path, piece.sound, piece.rate, subtype="PCM_16")
    said = piece.truth.as_json(path.name, len(piece.sound) / piece.rate)
    path.with_suffix(".json").write_text(json.dumps(said))
    return path
