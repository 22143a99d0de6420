"""The encoders after which a report measures the true peak."""

from __future__ import annotations

from typing import NamedTuple

from sfa_engine.errors import Refused, did_you_mean

NONE = "none"
DEFAULT = "aac-256"


class Codec(NamedTuple):
    """An encoder, by FFmpeg's names, and its bit rate."""

    encoder: str
    decoder: str
    bit_rate: int


# These are in every build of PyAV.
CODECS = {
    "aac-256": Codec("aac", "aac", 256_000),
    "aac-128": Codec("aac", "aac", 128_000),
    "mp3-320": Codec("libmp3lame", "mp3float", 320_000),
    "mp3-128": Codec("libmp3lame", "mp3float", 128_000),
    "opus-128": Codec("libopus", "opus", 128_000),
}


def check_codec(name: str) -> str:
    """Return the name of a codec; Refused if it is not one of `CODECS` or `NONE`."""
    if name != NONE and name not in CODECS:
        known = (*CODECS, NONE)
        raise Refused(f'no codec "{name:.20}"', did_you_mean(name, known) or ", ".join(known))
    return name
