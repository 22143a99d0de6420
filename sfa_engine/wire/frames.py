"""Frames: four bytes of length, most significant first, then one msgpack object. Pure.

A stream without lengths could not be trusted again after one broken object.
"""

from __future__ import annotations

import struct
from typing import Any

import msgpack

from sfa_engine.errors import Refused

MOST_BYTES = 1 << 20
HEADER = struct.Struct(">I")
MOST_ITEMS = 65_536


class BrokenStream(Refused):
    """What came cannot be read on from: the connection ends."""


def sayable(text: str) -> str:
    """Return a text that can be sent: a path's bytes may be no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def pack(message: Any) -> bytes:
    """Return a message as a frame.

    Raises
    ------
    Refused
        It is too long, or a text in it cannot be sent: a file's name that is no UTF-8.
    """
    try:
        body: bytes = msgpack.packb(message, use_bin_type=True)
    except UnicodeEncodeError as error:
        raise Refused(f'"{sayable(error.object)}" is no name in UTF-8', "rename it") from None
    if len(body) > MOST_BYTES:
        raise Refused(f"the message has {len(body)} bytes", f"{MOST_BYTES} are the most")
    return HEADER.pack(len(body)) + body


class FrameReader:
    """Cuts what comes into frames.

    Feed it bytes as they come, in whatever pieces; it gives back the bodies that are whole.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_inside(self) -> bool:
        """Whether a frame has begun and is not whole yet."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies that are whole now.

        Raises
        ------
        BrokenStream
            A frame says that it is longer than any may be. Those before it were returned, by
            the call before if they came with it.
        """
        self._buffer += data
        bodies: list[bytes] = []
        while len(self._buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._buffer)
            if length > MOST_BYTES:
                if bodies:
                    break
                raise BrokenStream(
                    f"a frame of {length} bytes is announced", f"{MOST_BYTES} are the most"
                )
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            bodies.append(bytes(self._buffer[HEADER.size : end]))
            del self._buffer[:end]
        return bodies


def unpack(body: bytes) -> Any:
    """Return the object of a frame's body.

    Raises
    ------
    Refused
        It is not one msgpack object, or is nested or sized beyond reason.
    """
    try:
        return msgpack.unpackb(
            body,
            raw=False,
            strict_map_key=True,
            max_array_len=MOST_ITEMS,
            max_map_len=MOST_ITEMS,
            max_ext_len=0,
        )
    except (ValueError, msgpack.exceptions.UnpackException, UnicodeDecodeError, TypeError) as error:
        reason = str(error) or type(error).__name__
        raise Refused(f"a frame is not one msgpack object: {reason}") from None
