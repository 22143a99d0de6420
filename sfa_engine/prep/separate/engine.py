"""What an engine is: something that parts a mix into stems. Knows none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sfa_engine.prep.separate.chunks import Progress, Sound

DEVICES = ("auto", "cpu", "cuda", "mps")  # that one may be asked to compute on


class Engine(Protocol):
    """One way to separate.

    Attributes
    ----------
    name, model, version : str
        What is written beside the stems, so that they can be made again.
    sketch : bool
        Whether the stems are a help for the ear only, and are to be called that.
    rate : int
        Hz, of what it is given and gives.
    stems : tuple of str
        Names of the stems it gives, in our words.
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
