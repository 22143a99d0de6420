"""Reads a TensorFlow checkpoint without TensorFlow. Bytes in, arrays out.

::

    .index   a sorted table: blocks of (key, entry), an index of the blocks, a footer of 48 bytes
    .data    the tensors, one behind the other; an entry has the place, shape and CRC of one

A block ends in its type and CRC. Keys share a prefix with the key before; entries are protocol
buffers, of which four fields count. Every place and length is checked before it is used.

References
----------
.. [1] ``tensorflow/core/lib/io/table_format.txt`` and ``tensor_bundle.proto``, TensorFlow 1.14.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import MediaError

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # of a block: its type, and the CRC of both
_FLOAT32 = 1  # of `DataType`
_ENTRY = {1: "dtype", 2: "shape", 4: "offset", 5: "size", 6: "crc"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # kinds of fields
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, reversed


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        found.append(value)
    return tuple(found)


_CRC_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C of bytes, masked as the format has it; some 10 MB a second."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_checkpoint(
    index: bytes, data: bytes, skip: str = "Adam"
) -> dict[str, NDArray[np.float32]]:
    """Return the float32 tensors of a checkpoint by their names.

    Parameters
    ----------
    index, data : bytes
        Content of ``.index`` and of ``.data-00000-of-00001``.
    skip : str
        Tensors with this in their name are left out: the state of the training.

    Raises
    ------
    MediaError
        It is damaged, or no such checkpoint.
    """
    try:
        return _tensors(index, data, skip)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError, KeyError) as problem:
        raise MediaError(f"damaged checkpoint: {problem}", "download it again") from problem


def _tensors(index: bytes, data: bytes, skip: str) -> dict[str, NDArray[np.float32]]:
    footer = index[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("its index has no footer")
    at = 0
    for _ in range(2):  # the block of statistics
        _, at = _varint(footer, at)
    place, at = _varint(footer, at)
    size, at = _varint(footer, at)
    found = {}
    for _, handle in _block(index, place, size):
        place, at = _varint(handle, 0)
        size, at = _varint(handle, at)
        for key, value in _block(index, place, size):
            name = key.decode()
            if name and skip not in name:  # the first has no name: it is the header
                tensor = _tensor(name, value, data)
                if tensor is not None:
                    found[name] = tensor
    if not found:
        raise ValueError("it has no tensor")
    return found


def _tensor(name: str, entry: bytes, data: bytes) -> NDArray[np.float32] | None:
    fields = {_ENTRY[number]: value for number, value in _fields(entry) if number in _ENTRY}
    if fields.get("dtype") != _FLOAT32:
        return None
    shape = tuple(
        _whole(dict(_fields(_raw(dim))).get(1, 0))
        for number, dim in _fields(_raw(fields.get("shape", b"")))
        if number == 2
    )
    offset, size = _whole(fields.get("offset", 0)), _whole(fields.get("size", 0))
    if size != 4 * math.prod(shape) or offset + size > len(data):
        raise ValueError(f'"{name:.60}" is not where its entry says')
    content = data[offset : offset + size]
    if struct.pack("<I", masked_crc(content)) != fields.get("crc"):
        raise ValueError(f'"{name:.60}" has another CRC')
    return np.frombuffer(content, "<f4").reshape(shape)


def _block(table: bytes, place: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block."""
    whole = table[place : place + size + _TRAILER_BYTES]
    if len(whole) != size + _TRAILER_BYTES or size < 4:
        raise ValueError("a block of its index is not where it should be")
    if struct.unpack("<I", whole[-4:])[0] != masked_crc(whole[:-4]):
        raise ValueError("a block of its index has another CRC")
    if whole[size] != 0:
        raise ValueError("its index is compressed")
    restarts = struct.unpack("<I", whole[size - 4 : size])[0]
    end, at, key = size - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = _varint(whole, at)
        length, at = _varint(whole, at)
        size_of_value, at = _varint(whole, at)
        value_at = at + length
        if shared > len(key) or value_at + size_of_value > end:
            raise ValueError("an entry of its index is longer than its block")
        key = key[:shared] + whole[at:value_at]
        at = value_at + size_of_value
        yield key, whole[value_at:at]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the numbers and values of the fields of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[kind]
        if at + size > len(message):
            raise ValueError("an entry of its index ends early")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length, and the place behind it."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number in its index has no end")


def _whole(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("an entry of its index has a field of another kind")  # noqa: TRY004
    return value


def _raw(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("an entry of its index has a field of another kind")  # noqa: TRY004
    return value
