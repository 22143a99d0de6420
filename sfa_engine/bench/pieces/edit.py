"""What is done to a finished piece: tape speed, cuts, inserts, silence, sides and channels.

The truth moves with the sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfa_engine.bench.pieces.truth import Piece, Times

CROSSFADE_S = 0.003  # of a cut; short enough to keep the attack that follows


def splice(piece: Piece, parts: Sequence[tuple[float, float]], gap_s: float = 0.0) -> Piece:
    """Return parts of a piece in a row, cut on frames, with silence between them.

    Parameters
    ----------
    piece : Piece
        Where the parts are taken from.
    parts : sequence of tuple of float
        Start and end of each, in seconds.
    gap_s : float
        Silence between two.
    """
    rate, truth = piece.rate, piece.truth
    fade = round(CROSSFADE_S * rate)
    gap = round(gap_s * rate)
    sounds: list[np.ndarray] = []
    when: dict[str, list[float]] = {"beats": [], "downbeats": [], "drops": []}
    at = 0
    edits = []
    for number, (start_s, end_s) in enumerate(parts):
        start, end = round(start_s * rate), min(round(end_s * rate), len(piece.sound))
        sound = piece.sound[start:end].copy()
        if number:
            # the part before fades out over its own last frames: what follows starts at once
            sounds[-1][-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
            if gap:
                sounds.append(np.zeros((gap, sound.shape[1]), np.float32))
                at += gap
            edits.append(at / rate)
        for name, out in when.items():
            inside = (t for t in getattr(truth, name) or [] if start_s - 1e-6 <= t < end_s - 1e-6)
            out.extend(t - start / rate + at / rate for t in inside)
        sounds.append(sound)
        at += len(sound)
    truth.move({name: np.array(times) for name, times in when.items() if name != "drops"})
    truth.drops = when["drops"] if truth.drops is not None else None
    truth.sections = None
    truth.edits_s = edits
    return Piece(np.concatenate(sounds), truth, rate)


def tape(piece: Piece, speed: Times, every_s: float) -> Piece:
    """Return a piece played at a speed that changes: pitch and tempo move together.

    Parameters
    ----------
    piece : Piece
        Made over.
    speed : float64[points]
        1 is as recorded.
    every_s : float
        Time between two points.
    """
    rate, truth = piece.rate, piece.truth
    frames = len(piece.sound)
    now = np.arange(frames) / rate
    faster = np.interp(now, np.arange(len(speed)) * every_s, speed)
    place = np.concatenate([[0.0], np.cumsum(faster)[:-1]])  # frame of the source at each frame
    place = place[place < frames - 3]
    sound = np.stack([_cubic(side, place) for side in piece.sound.T], axis=1)

    def moved(times: Sequence[float]) -> Times:
        out: Times = np.interp(np.asarray(times) * rate, place, np.arange(len(place))) / rate
        return out

    truth.move({name: moved(getattr(truth, name)) for name in ("beats", "downbeats", "drops")})
    for section in truth.sections or []:
        section["start"], section["end"] = moved([section["start"], section["end"]]).tolist()
    truth.constant = False
    truth.bpm = float(60.0 / np.median(np.diff(truth.beats)))
    truth.accept_bpm = [truth.bpm]
    return Piece(sound, truth, rate)


def _cubic(side: np.ndarray, place: Times) -> np.ndarray:
    """Read a signal between its frames, by cubic interpolation (Catmull-Rom)."""
    whole = np.clip(place.astype(np.int64), 1, len(side) - 3)
    x = (place - whole).astype(np.float32)
    a, b, c, d = (side[whole + k] for k in (-1, 0, 1, 2))
    read: np.ndarray = b + 0.5 * x * (
        c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a))
    )
    return read


def resampled(piece: Piece, rate: int) -> Piece:
    """Return a piece at another rate, the same in time."""
    frames = int(len(piece.sound) * rate / piece.rate) - 4
    place: Times = np.arange(frames, dtype=np.float64) * (piece.rate / rate)
    sound = np.stack([_cubic(side, place) for side in piece.sound.T], axis=1)
    return Piece(sound, piece.truth, rate)
