"""A deck's keylock without a device: sound at another tempo, in its own key."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import LATENCY
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Audio, Offline

GLIDE_S = 0.1  # until the controls are where they are set
QUIET = 0.25  # of the sound in the deck: the limiter is to take nothing


def stretched(
    stems: Mapping[str, Audio],
    change: float,
    rate: int,
    *,
    splices: npt.ArrayLike | None = None,
    onsets: Mapping[str, npt.ArrayLike] = MappingProxyType({}),
    keylock: bool = True,
    finer: bool = False,
) -> Audio:
    """Return what a deck plays of stems at another tempo.

    Parameters
    ----------
    stems : mapping of str to float32[frames, 2]
        By the desk's names.
    change : float
        Of the tempo, a factor; 2 is twice as fast.
    rate : int
        Hz.
    splices : float[n], optional
        Where it may be cut, in frames; None: not known.
    onsets : mapping of str to float[n]
        Of single stems, in frames.
    keylock, finer : bool
        As a deck has them.

    Returns
    -------
    float32[frames / change, 2]
        In time with the stems: their frame ``n`` is at ``n / change``.
    """
    engine = Offline(rate)
    settings = {"keylock": keylock, "keylock_mode": finer, "rate": change}
    for path, value in settings.items():
        engine.set(f"deck1.{path}", float(value))
    engine.render(round(rate * GLIDE_S))
    quiet = {name: np.float32(QUIET) * stem for name, stem in stems.items()}
    engine.load(0, quiet, rate=rate, splices=splices, onsets=onsets)
    engine.push(Command(Op["PLAY"], deck=0, x=1.0))
    frames = len(next(iter(stems.values())))
    played = engine.render(int(frames / change) + LATENCY)[LATENCY:]
    return played / np.float32(QUIET)
