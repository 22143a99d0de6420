"""Stems that sum to their mix: what is left over is given to those that sound there.

A separator's stems do not quite sum to what it was given, least of all after resampling. What is
missing goes to each stem in proportion to its own power around that moment [1]_; where all are
silent, to the one called `other`, or the last. A silent stem stays silent. Knows arrays only; they
may be mapped files.

References
----------
.. [1] S. Wisdom et al., "Differentiable Consistency Constraints for Improved Deep Speech
   Enhancement", ICASSP 2019: weights by energy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.separate.chunks import Progress, Sound, forget

HOP_FRAMES = 2048  # 43 ms: weights are straight lines between
BLOCK_FRAMES = 64 * HOP_FRAMES
SILENT_DB = -200.0


def make_consistent(mix: Sound, stems: Mapping[str, Sound], progress: Progress) -> None:
    """Change stems in place so that they sum to their mix.

    Parameters
    ----------
    mix : float32[frames, 2]
        What they must sum to.
    stems : mapping of str to float32[frames, 2]
        Of the same length.
    progress : callable
        Told the part that is done, 0..1.
    """
    names = list(stems)
    last = "other" if "other" in stems else names[-1]
    before: NDArray[np.float64] | None = None
    for begin in range(0, len(mix), BLOCK_FRAMES):
        end = min(begin + BLOCK_FRAMES, len(mix))
        parts = {name: np.array(stems[name][begin:end]) for name in names}
        shares = _shares(parts, names.index(last))
        if before is None:
            before = shares[:, 0]
        weights = _drawn(before, shares, end - begin)
        before = shares[:, -1]
        missing = mix[begin:end] - _sum(parts)
        for name, weight in zip(names, weights, strict=True):
            parts[name] += missing * weight[:, None]
        # rounding is put right in one stem, and only where that sounds
        parts[last] += mix[begin:end] - _sum(parts)
        for name in names:
            stems[name][begin:end] = parts[name]
        forget([mix, *stems.values()])
        progress(end / len(mix))


class Null:
    """What a mix has that its stems have not, measured block by block."""

    def __init__(self) -> None:
        self._peak = 0.0

    def add(self, mix: Sound, stems: Mapping[str, Sound]) -> None:
        """Look at a block."""
        if len(mix):
            self._peak = max(self._peak, float(np.abs(mix - _sum(stems)).max()))

    @property
    def peak_db(self) -> float:
        """The greatest difference in dB below full scale; `SILENT_DB` if there is none."""
        return max(SILENT_DB, 20.0 * float(np.log10(self._peak))) if self._peak else SILENT_DB


def _sum(stems: Mapping[str, Sound]) -> Sound:
    """Return the sum of stems, added in double precision."""
    total = sum(np.asarray(stem, np.float64) for stem in stems.values())
    return np.asarray(total, np.float32)


def _shares(parts: Mapping[str, Sound], last: int) -> NDArray[np.float64]:
    """Return each stem's share of the power, float64[stems, hops]; each hop's sum to 1."""
    powers = np.array([_powers(part) for part in parts.values()])
    totals = powers.sum(axis=0)
    powers[last, totals <= 0.0] = 1.0
    shares: NDArray[np.float64] = powers / np.where(totals <= 0.0, 1.0, totals)
    return shares


def _powers(part: Sound) -> NDArray[np.float64]:
    """Return the power of each hop of a stem."""
    starts = np.arange(0, len(part), HOP_FRAMES)
    return np.add.reduceat(np.square(part, dtype=np.float64).sum(axis=1), starts)


def _drawn(
    before: NDArray[np.float64], shares: NDArray[np.float64], frames: int
) -> NDArray[np.float32]:
    """Return weights for each frame, float32[stems, frames]: lines from hop to hop."""
    ends = np.minimum(np.arange(1, shares.shape[1] + 1) * HOP_FRAMES, frames)
    places = np.concatenate([[0], ends])
    at = np.arange(frames)
    drawn = [
        np.interp(at, places, np.concatenate([[start], share]))
        for start, share in zip(before, shares, strict=True)
    ]
    return np.array(drawn, np.float32)
