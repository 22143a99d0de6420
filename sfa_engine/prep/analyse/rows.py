"""Rows that arrive a few at a time, in one array that grows.

A list of small arrays, joined at the end, needs twice the memory then, and leaves a heap full of
holes: for an hour of sound 60 MB of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST = 1024  # rows


class Rows:
    """An array that grows at its end; shape of a row and type are those of the first rows."""

    def __init__(self) -> None:
        self._kept: NDArray[Any] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: NDArray[Any]) -> None:
        """Append some rows."""
        if self._kept is None:
            self._kept = np.empty((max(_FIRST, len(rows)), *rows.shape[1:]), rows.dtype)
        end = self._count + len(rows)
        if end > len(self._kept):
            grown = max(end, len(self._kept) * 9 // 8)
            self._kept.resize((grown, *rows.shape[1:]), refcheck=False)
        self._kept[self._count : end] = rows
        self._count = end

    def whole(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return all rows, when none is to follow; without any, none of this shape and type."""
        if self._kept is None:
            return np.zeros((0, *shape), dtype)
        if len(self._kept) > self._count:
            self._kept = self._kept[: self._count].copy()
        return self._kept
