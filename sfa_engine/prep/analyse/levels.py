"""The levels of a sound's bands in each millisecond, kept in half precision.

An hour has 3.6 million milliseconds: four bands take 29 MB in float16, and a band that is looked
at becomes float32 for as long as it is used. Half precision is 0.05 % of a value, far less than
any rule asks, down to -84 dBFS; below, the step is 6e-8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sfa_engine.prep.analyse.smooth import Curve, highest

Halves = NDArray[np.float16]
_CACHED_MS = 15 * 60_000  # a conversion takes 7 ms, and a band of 5 minutes is read 20 times
MAX_LEVEL = 6e4  # 65504 is the highest float16; damaged files reach 1e6


class Levels(Mapping[str, Curve]):
    """A curve for each band, a value a millisecond; each access returns a new float32 array.

    Parameters
    ----------
    bands : mapping of str to array_like
        All of one length.
    hold_ms : mapping of str to int, optional
        How long each band's level is held when it is read.
    whole : array_like, optional
        Highest sample of either channel in each column of a picture; see `measurement.COLUMN_HZ`.
    edges : array_like, optional
        RMS of the difference from frame to frame in each millisecond.
    swings : array_like, optional
        float[n, 2], RMS of the lowest band in each 10 ms, and of its derivative over 2 pi: their
        ratio is its frequency in Hz.
    """

    def __init__(
        self,
        bands: Mapping[str, ArrayLike],
        hold_ms: Mapping[str, int] | None = None,
        whole: ArrayLike = (),
        edges: ArrayLike = (),
        swings: ArrayLike = (),
    ) -> None:
        self._bands = {name: halves(curve) for name, curve in bands.items()}
        self._hold_ms = hold_ms or {}
        self._whole = halves(whole)
        self._edges = halves(edges)
        self._swings = halves(swings).reshape(-1, 2)
        self._read: dict[str, Curve] = {}  # of tracks that are not long, for memory

    def __getitem__(self, name: str) -> Curve:
        if name in self._read:
            return self._read[name].copy()
        # as integers: of what is not negative, float16 has the same order, in half the memory
        bits = self._bands[name].view(np.uint16)
        held = highest(bits, self._hold_ms.get(name, 0), trailing=True)
        curve = held.view(np.float16).astype(np.float32)
        if len(curve) <= _CACHED_MS:
            self._read[name] = curve.copy()
        return curve

    def __iter__(self) -> Iterator[str]:
        return iter(self._bands)

    def __len__(self) -> int:
        return len(self._bands)

    @property
    def ms(self) -> int:
        """Length in milliseconds."""
        return len(next(iter(self._bands.values()), ()))

    @property
    def whole(self) -> Curve:
        """Highest sample of either channel in each column."""
        return self._whole.astype(np.float32)

    @property
    def edges(self) -> Curve:
        """RMS of the difference from frame to frame, of each millisecond."""
        return self._edges.astype(np.float32)

    @property
    def swings(self) -> Curve:
        """RMS of the lowest band and of its derivative in each 10 ms: float32[n, 2]."""
        return self._swings.astype(np.float32)

    def held(self, hold_ms: Mapping[str, int]) -> Levels:
        """Return the same levels, held for so long when they are read."""
        held = Levels({}, hold_ms)
        held._bands, held._whole, held._edges = self._bands, self._whole, self._edges
        held._swings = self._swings
        return held

    def cut(self, ms: int, columns: int) -> Levels:
        """Return the first part, or all and silence after it."""

        def fitted(curve: Halves, length: int) -> Halves:
            if len(curve) >= length:
                return curve[:length]
            return np.pad(curve, [(0, length - len(curve)), *[(0, 0)] * (curve.ndim - 1)])

        bands = {name: fitted(level, ms) for name, level in self._bands.items()}
        whole, edges = fitted(self._whole, columns), fitted(self._edges, ms)
        return Levels(bands, self._hold_ms, whole, edges, fitted(self._swings, -(-ms // 10)))


def halves_of_long(curve: Curve) -> Curve | Halves:
    """Return a curve in half precision if it is of more than 15 minutes, else as it is."""
    return halves(curve) if len(curve) > _CACHED_MS else curve


def halves(curve: ArrayLike) -> Halves:
    """Return a curve in half precision, without copying one that is."""
    values = np.asarray(curve)
    if values.dtype == np.float16:
        return values
    kept: Halves = np.minimum(values, np.float32(MAX_LEVEL)).astype(np.float16)
    return kept
