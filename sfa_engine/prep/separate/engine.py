"""The interface of separation engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sfa_engine.prep.separate.chunks import Progress, Sound


class Engine(Protocol):
    """Separates a mix into stems.

    Attributes
    ----------
    name, model, version : str
        Stored with the stems, so that they can be made again.
    sketch : bool
        Whether the stems are of low quality, and labelled so.
    rate : int
        Hz, of its input and output.
    stems : tuple of str
        Names of its stems.
    """

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def sketch(self) -> bool: ...
    @property
    def rate(self) -> int: ...
    @property
    def stems(self) -> tuple[str, ...]: ...

    def separate(self, mix: Sound, stems: Mapping[str, Sound], progress: Progress) -> None:
        """Separate a track.

        Parameters
        ----------
        mix : float32[frames, 2]
            The track, at `rate`; may be a mapped file, and is only read.
        stems : mapping of str to float32[frames, 2]
            Where each of `stems` is written to; zeros before.
        progress : callable
            Told the part that is done, 0..1.
        """
        ...
