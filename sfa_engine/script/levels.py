"""Levels of a sound that comes in pieces: RMS of each twentieth of a second, for silences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOWS_HZ = 20  # 50 ms: shorter than a pause that is heard
SILENT_DB = -30.0  # below the median


class Levels:
    """Takes pieces of any length.

    Parameters
    ----------
    rate : int
        Frames a second.
    """

    def __init__(self, rate: int) -> None:
        self._window = rate // WINDOWS_HZ
        self._rows: list[NDArray[np.float64]] = []
        self._left = np.zeros((0, 2), np.float32)

    def add(self, piece: NDArray[np.float32]) -> None:
        """Add a piece: float32[frames, 2]."""
        sound = np.concatenate([self._left, piece])
        count = len(sound) // self._window
        whole = sound[: count * self._window].reshape(count, 2 * self._window)
        power = np.einsum("ij,ij->i", whole, whole, dtype=np.float64) / (2 * self._window)
        self._rows.append(np.sqrt(power))
        self._left = sound[count * self._window :]

    @property
    def rows(self) -> NDArray[np.float64]:
        """Levels so far, `WINDOWS_HZ` a second, full scale 1."""
        return np.concatenate([np.zeros(0), *self._rows])


def silent_below(levels: NDArray[np.float64]) -> float:
    """Return the level below which sound of these levels is silent."""
    return float(np.median(levels)) * 10 ** (SILENT_DB / 20)
