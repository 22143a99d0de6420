"""Headers of MP3, AAC and FLAC frames: how long each is, and where it belongs. Reads no file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# ISO 11172-3, 13818-3: kbit/s of layer III by index, MPEG 1 and MPEG 2 / 2.5; rates in Hz.
_KBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_ADTS_RATES = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
)  # fmt: skip
# What a header that the functions below know begins with.
MP3_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
ADTS_SYNC = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
# A raw data block of silence in AAC-LC, for one and two channels.
_AAC_SILENCE = {1: bytes.fromhex("00c800802380"), 2: bytes.fromhex("210049900219002380")}


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of an MPEG frame.

    Parameters
    ----------
    kind : tuple of int
        What all frames of a file have in common.
    length : int
        Bytes, with the header.
    samples, rate : int
        Of each channel; Hz.
    silence : bytes
        A silent frame of this kind; empty if none can be made.
    """

    kind: tuple[int, ...]
    length: int
    samples: int
    rate: int
    silence: bytes


def mp3_frame(head: bytes) -> Frame | None:
    """Return what a header of MPEG layer III says; None if it is none, or of a free bit rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, index, rate_index = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or index in {0, 15} or rate_index == 3:
        return None
    is_first = version == 3
    rate = _MP3_RATES[version][rate_index]
    kbits = _KBITS[3 if is_first else 2][index]
    length = (144_000 if is_first else 72_000) * kbits // rate
    # without a checksum and padding; side information of zeros: no part of the spectrum is coded
    silence = bytes([0xFF, head[1] | 1, head[2] & 0xFD, head[3]]) + bytes(length - 4)
    is_mono = head[3] >> 6 == 3
    return Frame(
        (version, rate, is_mono), length + (head[2] >> 1 & 1), 1152 if is_first else 576, rate,
        silence,
    )  # fmt: skip


def adts_frame(head: bytes) -> Frame | None:
    """Return what a header of AAC's transport stream says; None if it is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    profile, rate_index = head[2] >> 6, head[2] >> 2 & 15
    channels = (head[2] & 1) << 2 | head[3] >> 6
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate_index >= len(_ADTS_RATES) or length < 7 or head[6] & 3:
        return None
    silence = _AAC_SILENCE.get(channels, b"") if profile == 1 else b""
    if silence:
        size = 7 + len(silence)
        silence = (
            bytes([0xFF, head[1] | 1, head[2], head[3] & 0xC0 | size >> 11, size >> 3 & 0xFF])
            + bytes([(size & 7) << 5 | 0x1F, 0xFC])
            + silence
        )
    rate = _ADTS_RATES[rate_index]
    return Frame((profile, rate, channels), length, 1024, rate, silence)


def xing_counts(frame: bytes) -> tuple[int, int]:
    """Return how many frames, and bytes, the first frame of an MP3 states; 0 where it does not."""
    for at in (4 + 9, 4 + 17, 4 + 32):  # behind the side information, which is zeros there
        if frame[at : at + 4] in {b"Xing", b"Info"} and frame[at + 7 : at + 8]:
            flags = frame[at + 7]
            after = at + 8 + (4 if flags & 1 else 0)
            frames = int.from_bytes(frame[at + 8 : after], "big")
            return frames, int.from_bytes(frame[after : after + 4], "big") if flags & 2 else 0
    return 0, 0


def flac_frames(data: bytes, block_size: int) -> Iterator[tuple[int, int]]:
    """Yield where FLAC frames begin in some bytes, and the number of each one's first sample.

    Parameters
    ----------
    data : bytes
    block_size : int
        Of the stream, in samples; a frame of a stream with one block size has only its number.
    """
    place = data.find(b"\xff")
    before = -1
    while place >= 0:
        number = _flac_number(data[place : place + 16])
        if number is not None:
            is_variable = data[place + 1] & 1
            sample = number if is_variable else number * block_size
            if sample > before:
                yield place, sample
                before = sample
        place = data.find(b"\xff", place + 1)


def _flac_number(head: bytes) -> int | None:
    """Return the number of sample or frame in a FLAC frame's header; None if it is none."""
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if not size_code or rate_code == 15 or head[3] >> 4 > 10:
        return None
    if head[4] & 0xC0 == 0x80 or head[4] == 0xFF:
        return None
    extra = max(0, 8 - (head[4] ^ 0xFF).bit_length() - 1) if head[4] >= 0xC0 else 0
    number = head[4] & (0x7F if not extra else 0x3F >> extra)
    for byte in head[5 : 5 + extra]:
        number = number << 6 | byte & 0x3F
    end = 5 + extra + {6: 1, 7: 2}.get(size_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(head) <= end or _crc8(head[:end]) != head[end]:
        return None
    return number


def _crc8(data: bytes) -> int:
    """Return the checksum of a FLAC header: x^8 + x^2 + x + 1."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc
