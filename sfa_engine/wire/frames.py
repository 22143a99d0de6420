"""Frames: four bytes of length, most significant first, then one msgpack object. Pure.

A stream without lengths could not be resynchronised after a broken object.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sfa_engine.errors import Refused
from sfa_engine.wire.protocol import MAX_BYTES
from sfa_engine.wire.stream import HEADER, framed, sayable

__all__ = ["HEADER", "MAX_BYTES", "Raw", "pack", "sayable", "unpack"]

Raw = msgspec.Raw
MAX_QUOTED = 4096  # bytes of a value that an error quotes
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder()
# What msgspec raises for bytes that are not one object, or nested deeper than the interpreter's
# limit. It allocates lists for missing items unless `Raw` was read first.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, TypeError)


def pack(message: Any) -> bytes:
    """Return a message as a frame; see `framed`."""
    return framed(_ENCODER.encode, message)


def unpack(body: bytes | Raw) -> Any:
    """Return the object of a frame's body, or of a part of it.

    Raises
    ------
    Refused
        It is not one msgpack object, or is nested too deep.
    """
    try:
        return _DECODER.decode(body)
    except UNREADABLE as error:
        raise unreadable(error) from None


def quoted(part: Raw) -> str:
    """Return the beginning of a value as an error quotes it.

    A value of a megabyte is not decoded: a million empty lists take half a second.
    """
    if len(bytes(part)) > MAX_QUOTED:
        return f"of {len(bytes(part))} bytes"
    try:
        return f"{_DECODER.decode(part)!r:.60}"
    except UNREADABLE:
        return "that cannot be read"


def unreadable(error: Exception) -> Refused:
    """Return the error for bytes that are not a msgpack object."""
    reason = str(error) or type(error).__name__
    return Refused(f"a frame is not one msgpack object: {reason}")
