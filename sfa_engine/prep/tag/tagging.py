"""The tags of a bundle: its mix in twelve places of three seconds, each seen by both nets.

Only these places are read and resampled, so that a track of two hours costs what one of four
minutes does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sfa_engine.prep.mixdown import Mixdown
from sfa_engine.prep.tag.mel import BANDS, HOP, RATE, WINDOW, Curve, mel_frames
from sfa_engine.prep.tag.net import FRAMES, Net
from sfa_engine.track.media import read_bundle

PLACES = 12
_EDGE = 0.1  # of the track at both ends, where it is not looked at: intro and outro
_MARGIN = RATE // 50  # samples, for the resampler to settle
_SILENCE = 1e-4  # peak; -80 dBFS

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Tagging:
    """What the nets made of a track.

    Parameters
    ----------
    labels : float32[100]
        Mean probabilities of all places, of the first net and then of the second.
    vector : float32[400]
        Mean units, likewise.
    """

    labels: Curve
    vector: Curve


def tag(bundle: Path, nets: list[Net], progress: Progress | None = None) -> Tagging | None:
    """Return the tags of a bundle; None if it is silent.

    Parameters
    ----------
    bundle : Path
    nets : list of Net
        From `net.load_nets`.
    progress : callable, optional
        Called with the part that is done, 0..1.

    Raises
    ------
    MediaError
        The bundle cannot be read.
    """
    track = read_bundle(bundle)
    mix = Mixdown(track, track.track.rate)
    found = []
    starts = places(mel_count(track.track.frames, track.track.rate))
    for number, bands in enumerate(_pictures(mix, track.track.frames, starts)):
        if bands.any():
            found.append([net(bands) for net in nets])
        if progress:
            progress((number + 1) / len(starts))
    if not found:
        return None
    means = (
        np.concatenate(
            [np.mean([place[at][part] for place in found], 0) for at in range(len(nets))]
        )
        for part in (0, 1)
    )
    labels, vector = (each.astype(np.float32) for each in means)
    return Tagging(labels, vector)


def mel_count(frames: int, rate: int) -> int:
    """Return how many windows there are in some sound, the first and last half outside it."""
    return frames * RATE // rate // HOP + 1


def places(count: int) -> list[int]:
    """Return the first window of each place, of `count` windows."""
    last = count - FRAMES
    if last > FRAMES * PLACES:
        return [int(place) for place in np.linspace(_EDGE * last, (1 - _EDGE) * last, PLACES)]
    return list(range(0, max(last, 1), FRAMES))


def _pictures(mix: Mixdown, frames: int, starts: list[int]) -> Iterator[Curve]:
    """Yield the mel bands of each place: float32[FRAMES, BANDS]; zeros where it is silent."""
    for start in starts:
        sound = _sound(mix, frames, start * HOP - WINDOW // 2, (FRAMES - 1) * HOP + WINDOW)
        if np.abs(sound).max(initial=0.0) < _SILENCE:
            yield np.zeros((FRAMES, BANDS), np.float32)
        else:
            yield mel_frames(sound)


def _sound(mix: Mixdown, frames: int, first: int, count: int) -> Curve:
    """Return samples at `RATE` from a place on, which may begin or end outside the track.

    A track that is shorter than one place is repeated.
    """
    rate = mix.rate
    common = math.gcd(rate, RATE)
    step_in, step_out = rate // common, RATE // common  # so many of each are equally long
    length = frames * RATE // rate
    if length < count:
        return np.resize(_resampled(mix.read(0, frames), rate), count)
    begin = max(0, (max(0, first) - _MARGIN) // step_out)  # in steps
    end = min(frames, (first + count + _MARGIN) * step_in // step_out + step_in)
    made = _resampled(mix.read(begin * step_in, end - begin * step_in), rate)
    found = np.zeros(count, np.float32)
    offset = first - begin * step_out
    source = made[max(0, offset) : max(0, offset + count)]
    place = max(0, -offset)
    found[place : place + len(source)] = source[: count - place]
    return found


def _resampled(block: Curve, rate: int) -> Curve:
    mono: Curve = block.mean(axis=1, dtype=np.float32)
    if rate == RATE:
        return mono
    import soxr

    made: Curve = soxr.resample(mono, rate, RATE)
    return made
