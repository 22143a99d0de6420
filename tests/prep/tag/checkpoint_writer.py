"""Writes a TensorFlow checkpoint, as far as the reader knows them."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from sfa_engine.prep.tag.checkpoint import masked_crc

MAGIC = 0xDB4775248B80FB57


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def block(rows: list[tuple[bytes, bytes]]) -> bytes:
    """Return a block with its trailer; keys share what they have in common with the one before."""
    content, before = b"", b""
    for key, value in rows:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        content += varint(shared) + varint(len(key) - shared) + varint(len(value))
        content += key[shared:] + value
        before = key
    content += struct.pack("<II", 0, 1) + b"\0"
    return content + struct.pack("<I", masked_crc(content))


def entry(tensor: np.ndarray, offset: int) -> bytes:
    shape = b"".join(
        b"\x12" + varint(len(dim)) + dim for dim in (b"\x08" + varint(n) for n in tensor.shape)
    )
    content = tensor.astype("<f4").tobytes()
    found = b"\x08\x01\x12" + varint(len(shape)) + shape
    found += b"\x20" + varint(offset) + b"\x28" + varint(len(content))
    return found + b"\x35" + struct.pack("<I", masked_crc(content))


def checkpoint(tensors: Mapping[str, np.ndarray]) -> tuple[bytes, bytes]:
    """Return the index and the data of a checkpoint."""
    data, rows = b"", [(b"", b"\x08\x01")]
    for name in sorted(tensors):
        rows.append((name.encode(), entry(tensors[name], len(data))))
        data += tensors[name].astype("<f4").tobytes()
    first = block(rows)
    handle = varint(0) + varint(len(first) - 5)
    second = block([(b"z", handle)])
    handles = varint(0) + varint(0) + varint(len(first)) + varint(len(second) - 5)
    return first + second + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC), data
