"""A codec's frames as floats, any number of channels as two. Opens no file."""

from __future__ import annotations

from functools import cache
from typing import Any

import av
import numpy as np
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

Block = NDArray[np.float32]

LOUDEST = 1e6  # +120 dB over full scale: not sound but damage, as NaN is

# ITU-R BS.775: centre and surround are 3 dB down on both or one side; no low-frequency channel.
_HALF_POWER = 0.5**0.5
_LEFT = {"FL": 1.0, "DL": 1.0} | dict.fromkeys(
    ("FC", "BC", "TC", "TFC", "TBC", "BL", "SL", "FLC", "WL", "TFL", "TBL", "TSL"), _HALF_POWER
)
_RIGHT = {"FR": 1.0, "DR": 1.0} | dict.fromkeys(
    ("FC", "BC", "TC", "TFC", "TBC", "BR", "SR", "FRC", "WR", "TFR", "TBR", "TSR"), _HALF_POWER
)
# Speakers of files that name none, in the order of WAVE_FORMAT_EXTENSIBLE.
_UNNAMED = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

_FORMATS = {  # FFmpeg's names of them: type, zero, full scale
    "u8": ("u1", 128.0, 2.0**7),
    "s16": ("i2", 0.0, 2.0**15),
    "s32": ("i4", 0.0, 2.0**31),
    "s64": ("i8", 0.0, 2.0**63),
    "flt": ("f4", 0.0, 1.0),
    "dbl": ("f8", 0.0, 1.0),
}


def stereo(channels: Block, speakers: tuple[str, ...]) -> Block:
    """Mix any channels down to two, front left and right at their level.

    The sum may exceed full scale: a bundle in 16 bits is then stored lower, and its gain is higher.

    Parameters
    ----------
    channels : float32[channels, frames]
        One row for each speaker.
    speakers : tuple of str
        FFmpeg's names of them (``FL FR FC LFE BL …``); ``NONE`` where the file has no name.

    Returns
    -------
    float32[frames, 2]
        Mono is in both. Channels beyond the eighth without names go left and right in turn.
    """
    if len(channels) == 1:
        return np.repeat(channels.T, 2, axis=1)
    if len(channels) == 2 and speakers[1] in ("FR", "NONE"):
        return np.ascontiguousarray(channels.T)
    mixed: Block = channels.T @ _downmix(speakers)
    return mixed


@cache
def _downmix(speakers: tuple[str, ...]) -> NDArray[np.float32]:
    """Return what each speaker gives to left and right; the loudest gives all of it."""
    if "NONE" in speakers and len(speakers) in _UNNAMED:
        layout = av.AudioLayout(_UNNAMED[len(speakers)])
        speakers = tuple(speaker.name for speaker in layout.channels)
    parts = np.array([[_LEFT.get(name, 0.0), _RIGHT.get(name, 0.0)] for name in speakers])
    known = _LEFT.keys() | _RIGHT.keys() | {"LFE", "LFE2"}
    if not known.issuperset(speakers):  # of unknown use: the mean on each side
        parts = np.array([[1.0, 0.0], [0.0, 1.0]] * len(speakers))[: len(speakers)]
        parts /= parts.sum(axis=0)
        return np.asarray(parts, np.float32)
    if not parts.any():  # only low-frequency channels
        parts[:] = 1.0 / len(speakers)
    for side in (0, 1):
        if not parts[:, side].any():
            parts[:, side] = parts[:, 1 - side]
    # a centre alone is as loud as a mono file; beside left and right it is 3 dB down on both
    shares: NDArray[np.float32] = (parts / parts.max()).astype(np.float32)
    return shares


def channels_of(frame: Any) -> NDArray[np.floating[Any]]:
    """Return a codec's frame as floats[channels, frames], full scale +-1."""
    name = frame.format.name.removesuffix("p")
    kind, zero, full = _FORMATS[name]
    channels = frame.layout.nb_channels
    if frame.format.is_planar:
        # not frame.planes nor to_ndarray(): with eight planes or more PyAV 18 counts too many,
        # and reads memory that is not the frame's
        planes = [AudioPlane(frame, channel) for channel in range(channels)]
        samples = np.array(
            [np.frombuffer(memoryview(plane), kind, frame.samples) for plane in planes]
        )
    else:
        plane = memoryview(AudioPlane(frame, 0))
        packed = np.frombuffer(plane, kind, frame.samples * channels)
        samples = packed.reshape(-1, channels).T
    if full == 1.0:
        return samples.copy()
    # in the order of memory, so that packed stereo stays as it is up to the analysis
    floats = samples.astype(np.float32)
    if zero:
        floats -= np.float32(zero)
    floats *= np.float32(1.0 / full)
    return floats


def may_be_damaged(frame: Any) -> bool:
    """Return whether samples of a codec's frame can be no numbers: those of a float format."""
    name: str = frame.format.name
    return name.startswith(("flt", "dbl"))


def repair(samples: NDArray[np.floating[Any]]) -> int:
    """Silence what is not a number, or absurd, in place; return how many samples it was."""
    damaged = ~(np.abs(samples) <= LOUDEST)
    samples[damaged] = 0.0
    return int(np.count_nonzero(damaged))
