"""A deck's keylock without a device: sound at another tempo, in its own key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import LATENCY
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Audio, Offline

GLIDE_S = 0.1  # until the controls are where they are set
LEAD_S = 0.2  # before the first place
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


def fitted(
    stems: Mapping[str, Audio],
    places: Sequence[tuple[float, int]],
    rate: int,
    out_rate: int,
    *,
    semitones: float = 0.0,
    splices: npt.ArrayLike | None = None,
    keylock: bool = True,
) -> Audio:
    """Return what a deck plays of stems whose places are given: of a warp, or at another rate.

    Between two places the speed is constant. It is set from where the deck is, each second and at
    each place, so that nothing adds up.

    Parameters
    ----------
    stems : mapping of str to float32[frames, 2]
        By the desk's names.
    places : sequence of (float, int)
        Frames of the stems, and of what is returned; at least two, both rising. The sound begins
        with the first and ends at the last; the second frame of the first is 0.
    rate, out_rate : int
        Hz, of the stems and of what is returned.
    semitones : float
        By which the pitch is shifted; -12 .. 12.
    splices : float[n], optional
        Where it may be cut, in frames of the stems.
    keylock : bool
        Whether the pitch stays; without, it follows the speed.

    Returns
    -------
    float32[n, 2]
        ``n`` is the second frame of the last place.
    """
    first, (next_frame, next_out) = places[0][0], places[1]
    speed = (next_frame - first) / next_out  # frames of the stems a frame
    lead = round(LEAD_S * out_rate)  # the deck fades in, and finds its speed
    silence = math.ceil(lead * speed) + 1
    quiet = {
        name: np.concatenate([np.zeros((silence, 2), np.float32), np.float32(QUIET) * stem])
        for name, stem in stems.items()
    }
    known = None if splices is None else np.asarray(splices, np.float64) + silence
    engine = Offline(out_rate)
    for path, value in {"keylock": keylock, "pitch": semitones}.items():
        engine.set(f"deck1.{path}", float(value))
    factor = out_rate / rate  # of a speed that is 1 on the deck

    def steer(to_frame: float, out_frames: int) -> None:
        at = engine.memory.value("deck1.position") * rate if is_playing else start
        engine.set("deck1.rate", (to_frame + silence - at) / out_frames * factor)

    is_playing, start = False, first + silence - lead * speed
    steer(first, lead)
    engine.render(round(out_rate * GLIDE_S))
    engine.load(0, quiet, rate=rate, position_s=start / rate, splices=known)
    engine.push(Command(Op["PLAY"], deck=0, x=1.0))
    is_playing = True
    parts = [engine.render(lead)]
    for (_, out_before), (frame, out) in pairwise(places):
        done = out_before
        while done < out:
            count = min(out - done, out_rate)
            at = engine.memory.value("deck1.position") * rate - silence
            steer(at + (frame - at) * count / (out - done), count)
            parts.append(engine.render(count))
            done += count
    parts.append(engine.render(LATENCY))
    played = np.concatenate(parts)[lead + LATENCY :]
    return played / np.float32(QUIET)
