"""WAV headers, both ways: stereo PCM of 16-bit integers or 32-bit floats. Pure.

The host must know at which byte the sound begins, so that it can read it itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfa_engine.errors import MediaError

PCM: dict[str, np.dtype[Any]] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}
CHANNELS = 2
HEADER_BYTES = 64 << 10  # the data of a WAV begins before, cover art included
OWN_HEADER_BYTES = 128  # of our WAV files; a multiple of 16, so that PCM is aligned
SAMPLE_BYTES = {"s16": 2, "s24": 3, "f32": 4}  # what `wav_header` describes
_UNSTATED = 0xFFFFFFFF  # a size that stands in ``ds64``
_AGAIN = "prepare the track again with `sfa prep`"


@dataclass(frozen=True, slots=True)
class WavHeader:
    """A parsed WAV header: `rate` in Hz, channels, ``"s16"``/``"f32"``, position and length."""

    rate: int
    channels: int
    pcm: str
    offset_bytes: int
    frames: int


def parse_wav_header(head: bytes, file_bytes: int) -> WavHeader:
    """Parse the header of a WAV file of 16-bit integers or 32-bit floats.

    Parameters
    ----------
    head : bytes
        The first `HEADER_BYTES` of the file, or all of it.
    file_bytes : int
        Size of the file, which must be as stated in the header.

    Returns
    -------
    WavHeader
        Position and format of the PCM.

    Raises
    ------
    MediaError
        It is not such a file, or its size is not as stated.

    References
    ----------
    .. [1] Microsoft, "Multiple Channel Audio Data and WAVE Files", 2007.
    .. [2] EBU Tech 3306, "RF64: An Extended File Format for Audio Data", 2009: above 4 GB
       the sizes stand in ``ds64``.
    """
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        raise MediaError("is not a WAV file", _AGAIN)
    riff_bytes = int.from_bytes(head[4:8], "little")
    wide: tuple[int, int] | None = None
    form: tuple[int, int, str] | None = None
    at = 12
    while at + 8 <= len(head):
        tag, size = struct.unpack_from("<4sI", head, at)
        at += 8
        if tag == b"ds64" and head[:4] == b"RF64" and at + 16 <= len(head):
            wide = struct.unpack_from("<QQ", head, at)
        elif tag == b"fmt ":
            form = _wav_form(head[at : at + min(size, 40)])
        elif tag == b"data" and form is not None:
            rate, channels, pcm = form
            if wide is not None:
                riff_bytes, size = wide
            frames, rest = divmod(size, channels * PCM[pcm].itemsize)
            # the last byte may be one that only makes the length even
            if rest or not at + size <= riff_bytes + 8 <= file_bytes <= riff_bytes + 9:
                raise MediaError(
                    f"has {file_bytes} bytes; its header states {riff_bytes + 8}, with {size} of "
                    f"sound from {at} on",
                    f"it is truncated or incomplete; {_AGAIN}",
                )
            return WavHeader(rate, channels, pcm, at, frames)
        at += size + size % 2
    raise MediaError(f"has no format and sound within its first {len(head)} bytes", _AGAIN)


def _wav_form(chunk: bytes) -> tuple[int, int, str]:
    """Parse a ``fmt`` chunk to rate in Hz, channels and format."""
    if len(chunk) < 16:
        raise MediaError(f"has a format chunk of {len(chunk)} bytes, less than 16", _AGAIN)
    code, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == 0xFFFE and len(chunk) >= 26:  # "extensible": the code begins the GUID
        (code,) = struct.unpack_from("<H", chunk, 24)
    pcm = {(1, 16): "s16", (3, 32): "f32"}.get((code, bits))
    if pcm is None or channels == 0 or frame_bytes != channels * bits // 8:
        raise MediaError(
            f"has format {code} with {bits} bits and {channels} channels",
            f"16-bit integers (1) and 32-bit floats (3) are supported; {_AGAIN}",
        )
    if rate == 0:
        raise MediaError("has a rate of 0 Hz", _AGAIN)
    return rate, channels, pcm


def wav_header(frames: int, rate: int, pcm: str) -> bytes:
    """Return the header of a stereo WAV; `parse_wav_header` reads it, but for ``"s24"``.

    Parameters
    ----------
    frames : int
        Length of the sound.
    rate : int
        Hz.
    pcm : str
        ``"s16"``, ``"s24"`` or ``"f32"``.

    Returns
    -------
    bytes
        `OWN_HEADER_BYTES` of them; RF64 if the file has more than 4 GB.
    """
    sample_bytes = SAMPLE_BYTES[pcm]
    frame_bytes = CHANNELS * sample_bytes
    data_bytes = frames * frame_bytes
    riff_bytes = OWN_HEADER_BYTES - 8 + data_bytes
    wide = riff_bytes >= _UNSTATED
    sizes = struct.pack("<QQQI", *((riff_bytes, data_bytes, frames) if wide else (0, 0, 0)), 0)
    form = struct.pack(
        "<HHIIHHH",
        3 if pcm == "f32" else 1,
        CHANNELS,
        rate,
        rate * frame_bytes,
        frame_bytes,
        sample_bytes * 8,
        0,
    )
    chunks = [
        (b"ds64" if wide else b"JUNK", sizes),
        (b"fmt ", form),
        (b"fact", struct.pack("<I", min(frames, _UNSTATED))),
    ]
    body = b"".join(tag + struct.pack("<I", len(chunk)) + chunk for tag, chunk in chunks)
    filler = OWN_HEADER_BYTES - 12 - len(body) - 8 - 8
    body += struct.pack("<4sI", b"JUNK", filler) + bytes(filler)
    head = struct.pack("<4sI4s", b"RF64" if wide else b"RIFF", min(riff_bytes, _UNSTATED), b"WAVE")
    return head + body + struct.pack("<4sI", b"data", _UNSTATED if wide else data_bytes)
