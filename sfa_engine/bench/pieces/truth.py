"""What is true of a piece, and the piece itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.demo.score import Signal

RATE = 44_100  # frames in a second

Times = NDArray[np.float64]


@dataclass
class Truth:
    """The truth of a piece; its JSON is the file beside the sound.

    Parameters
    ----------
    kind, group : str
        What the piece is an example of.
    seed : int
        Makes the same piece again.
    bpm : float, optional
        The tempo that people count; the median of a tempo that varies; None without a beat.
    accept_bpm : list of float
        Tempos that count as the right octave.
    constant : bool
        False for drift, steps and live playing; true for one tempo with edits.
    meter : int, optional
        Beats in a bar.
    beats, downbeats : list of float
        In seconds: the first frame of what is played there.
    key : str, optional
        Such as "A minor"; None if there is none.
    sections : list of dict, optional
        ``start``, ``end`` (seconds) and ``label``; None if unknown.
    drops : list of float, optional
        In seconds; empty if there is none, None if unknown.
    edits_s : list of float
        Seams between parts whose beats do not continue each other, in seconds.
    lufs : float, optional
        Integrated loudness of the stereo downmix, where it is at stake.
    """

    kind: str = ""
    group: str = ""
    seed: int = 0
    bpm: float | None = None
    accept_bpm: list[float] = field(default_factory=list)
    constant: bool = True
    meter: int | None = 4
    beats: list[float] = field(default_factory=list)
    downbeats: list[float] = field(default_factory=list)
    key: str | None = None
    sections: list[dict[str, Any]] | None = None
    drops: list[float] | None = None
    edits_s: list[float] = field(default_factory=list)
    lufs: float | None = None

    def move(self, when: dict[str, Times]) -> None:
        """Replace beats, downbeats and drops, each if given."""
        for name, times in when.items():
            setattr(self, name, [float(t) for t in times])

    def as_json(self, file: str, duration_s: float) -> dict[str, Any]:
        """Return the JSON of the piece, times to the microsecond."""
        said = asdict(self)
        for name in ("beats", "downbeats", "drops", "edits_s"):
            if said[name] is not None:
                said[name] = [round(t, 6) for t in said[name]]
        for section in said["sections"] or []:
            section.update({word: round(section[word], 6) for word in ("start", "end")})
        return {"file": file, "source": "made", **said, "duration": duration_s}


@dataclass
class Piece:
    """A sound and its truth.

    Parameters
    ----------
    sound : float32[frames, channels]
        Full scale +-1.
    truth : Truth
        What is played in it, and when.
    rate : int
        Frames in a second.
    """

    sound: Signal
    truth: Truth
    rate: int = RATE
