"""The curves of a track: what is drawn of it, and where a stretcher may cut, in one file.

``curves.sfc`` in the bundle, little-endian, every table at a multiple of 8 bytes::

    0   8  "SFACURVE"
    8   2  version, 1                          10  2  number of tables, at most 64
    12  4  CRC-32 of bytes 16 to the end of the last entry
    16 32  digest: SHA-256 of the PCM it was made of, as in track.json
    48  …  an entry of 64 bytes for each table; then their data
           0  24  name, ASCII, zeros after it    24  1  type: 1 uint8, 2 uint16, 3 int16, 4 uint32
          25   1  scale: 0 linear, 1 square      26  2  columns
          28   4  rows                           32  8  rows a second, float64; 0: a plain list
          40   4  low, float32                   44  4  high, float32
          48   8  offset in the file             56  4  CRC-32 of the data      60  4  zero

A value is ``low + (high - low) * x``, with x the number over the highest of its type (int16: from
-32768 on), or the square of that. Rows are one after another, so a span of time is a span of bytes.

================ ============ ==================================================================
table            rows         columns
================ ============ ==================================================================
``peaks/STEM``   150 a second all, low, mid, high: highest sample, square, full scale 1
``chroma``       2 a second   pitch classes from C up, 0..1
``mfcc``         2 a second   20 cepstral coefficients
``centroid``     2 a second   Hz
``rolloff``      2 a second   Hz, below which 85 % of the magnitude lie
``energy``       2 a second   0..1, how driving it is
``loudness``     2 a second   LUFS, of the 0.4 s around
``onsets/STEM``  a list       frames at 48 kHz
``splices``      a list       frames at 48 kHz: the onsets of all stems, merged
================ ============ ==================================================================

STEM is one of the bundle's, and ``mix`` always. Reading needs no NumPy until values are asked for.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfa_engine.errors import MediaError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FILE = "curves.sfc"
MAGIC = b"SFACURVE"
VERSION = 1
MAX_TABLES = 64
MAX_FILE_BYTES = 256 << 20  # two hours of six stems have 30 MB
PEAKS, ONSETS, SPLICES = "peaks/", "onsets/", "splices"
_HEADER = struct.Struct("<8sHHI32s")
_ENTRY = struct.Struct("<24sBBHIdffQII")
_TYPES = {1: "u1", 2: "<u2", 3: "<i2", 4: "<u4"}
_BYTES = {1: 1, 2: 2, 3: 2, 4: 4}
_SPANS = {1: (0, 255), 2: (0, 65_535), 3: (-32_768, 65_535), 4: (0, 2**32 - 1)}  # least, width
_LINEAR, _SQUARE = 0, 1
_ALIGNMENT = 8
_AT_ONCE = 1 << 16  # rows
_AGAIN = "analyse the track again"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file.

    Parameters
    ----------
    name : str
    kind : int
        1 uint8, 2 uint16, 3 int16, 4 uint32.
    scale : int
        0 linear, 1 square.
    columns, rows : int
    rate_hz : float
        Rows a second; 0 for a list.
    low, high : float
        Values of the least and the highest number.
    offset, crc : int
        Of the data: its place in the file in bytes, its CRC-32.
    """

    name: str
    kind: int
    scale: int
    columns: int
    rows: int
    rate_hz: float
    low: float
    high: float
    offset: int
    crc: int

    @property
    def row_bytes(self) -> int:
        """Size of a row."""
        return _BYTES[self.kind] * self.columns

    @property
    def size(self) -> int:
        """Size of the data in bytes."""
        return self.rows * self.row_bytes


@dataclass(frozen=True)
class Curves:
    """A checked file of curves; the data are read when asked for.

    Parameters
    ----------
    path : pathlib.Path
    digest : str
        Of the PCM it was made of, in hexadecimal.
    tables : mapping of str to Table
    """

    path: Path
    digest: str
    tables: Mapping[str, Table]

    def data(self, name: str, first: int = 0, end: int | None = None) -> bytes:
        """Return rows of a table as they are in the file; whole, they are checked.

        Raises
        ------
        MediaError
            There is no such table, or the file was cut or damaged.
        """
        table = self.tables.get(name)
        if table is None:
            raise MediaError(f'"{self.path}" has no table "{name:.80}"', ", ".join(self.tables))
        first = min(max(first, 0), table.rows)
        end = table.rows if end is None else min(max(end, first), table.rows)
        wanted = (end - first) * table.row_bytes
        try:
            with self.path.open("rb") as file:
                file.seek(table.offset + first * table.row_bytes)
                found = file.read(wanted)
        except OSError as problem:
            raise MediaError(
                f'cannot read "{self.path}": {problem.strerror or problem}', _AGAIN
            ) from problem
        if len(found) != wanted or (wanted == table.size and zlib.crc32(found) != table.crc):
            raise MediaError(f'table "{name}" of "{self.path}" is damaged', _AGAIN)
        return found

    def numbers(self, name: str, first: int = 0, end: int | None = None) -> NDArray[Any]:
        """Return rows of a table as whole numbers: [rows, columns], of a list [rows]."""
        import numpy as np

        table, found = self.tables.get(name), self.data(name, first, end)
        assert table is not None
        numbers = np.frombuffer(found, _TYPES[table.kind])
        return numbers if not table.rate_hz else numbers.reshape(-1, table.columns)

    def values(self, name: str, first: int = 0, end: int | None = None) -> NDArray[Any]:
        """Return rows of a curve in its unit: float64[rows, columns]."""
        table, numbers = self.tables.get(name), self.numbers(name, first, end)
        assert table is not None
        least, width = _SPANS[table.kind]
        share = (numbers.astype("f8") - least) / width
        values: NDArray[Any] = table.low + (table.high - table.low) * (
            share**2 if table.scale == _SQUARE else share
        )
        return values

    def has_onsets(self, stem: str) -> bool:
        """Return whether the onsets of a stem are listed."""
        return f"{ONSETS}{stem}" in self.tables

    def onsets(self, stem: str) -> NDArray[Any]:
        """Return the onsets of a stem, in frames at 48 kHz: uint32[n], rising."""
        return self.numbers(f"{ONSETS}{stem}")

    def splices(self) -> NDArray[Any]:
        """Return where a stretcher may cut, in frames at 48 kHz: uint32[n], rising."""
        return self.numbers(SPLICES)


class CurvesWriter:
    """Collects tables, and returns the file."""

    def __init__(self) -> None:
        self._tables: list[tuple[Table, bytes]] = []

    def add(
        self,
        name: str,
        values: ArrayLike,
        rate_hz: float,
        span: tuple[float, float],
        *,
        fine: bool = False,
        square: bool = False,
    ) -> None:
        """Add a curve; what lies outside its span is clipped.

        Parameters
        ----------
        name : str
        values : float[rows, columns]
        rate_hz : float
            Rows a second.
        span : (float, float)
            Least and highest value.
        fine : bool
            Whether it takes 16 bits a value, not 8.
        square : bool
            Whether small values are kept finer than large ones.
        """
        import numpy as np

        kind = 2 if fine else 1
        low, high = span
        table: NDArray[Any] = np.asarray(values)
        rows, columns = table.shape
        numbers: NDArray[Any] = np.empty((rows, columns), _TYPES[kind])
        for at in range(0, rows, _AT_ONCE):  # for memory: an hour's peaks took 70 MB
            part = table[at : at + _AT_ONCE].astype(np.float64)
            share = np.clip((part - low) / (high - low), 0.0, 1.0)
            share = np.nan_to_num(np.sqrt(share) if square else share)
            numbers[at : at + _AT_ONCE] = np.rint(share * _SPANS[kind][1])
        scale = _SQUARE if square else _LINEAR
        self._add(name, kind, scale, columns, rows, rate_hz, span, numbers.tobytes())

    def add_list(self, name: str, frames: ArrayLike) -> None:
        """Add a list of frames at 48 kHz: whole numbers below 2**32."""
        import numpy as np

        numbers = np.asarray(frames, _TYPES[4])
        span = (0.0, float(2**32 - 1))
        self._add(name, 4, _LINEAR, 1, len(numbers), 0.0, span, numbers.tobytes())

    def _add(
        self,
        name: str,
        kind: int,
        scale: int,
        columns: int,
        rows: int,
        rate_hz: float,
        span: tuple[float, float],
        data: bytes,
    ) -> None:
        crc = zlib.crc32(data)
        table = Table(name, kind, scale, columns, rows, rate_hz, *span, offset=0, crc=crc)
        self._tables.append((table, data))

    def file(self, digest: str) -> bytes:
        """Return the file for PCM of this digest, in hexadecimal."""
        at = _HEADER.size + _ENTRY.size * len(self._tables)
        entries, body = b"", b""
        for table, data in self._tables:
            gap = -at % _ALIGNMENT
            body += bytes(gap) + data
            at += gap
            entries += _ENTRY.pack(
                table.name.encode("ascii"), table.kind, table.scale, table.columns, table.rows,
                table.rate_hz, table.low, table.high, at, table.crc, 0,
            )  # fmt: skip
            at += len(data)
        sound = bytes.fromhex(digest)
        crc = zlib.crc32(sound + entries)
        return _HEADER.pack(MAGIC, VERSION, len(self._tables), crc, sound) + entries + body


def read_curves(path: str | Path) -> Curves:
    """Read the header of a file of curves, and check it.

    Parameters
    ----------
    path : str or Path
        The file, or the folder of its bundle.

    Returns
    -------
    Curves
        The data are located but not read.

    Raises
    ------
    MediaError
        The file is missing, of another version, or damaged.
    """
    file = Path(path)
    if file.is_dir():
        file /= FILE
    try:
        size = file.stat().st_size
        if not file.is_file() or size > MAX_FILE_BYTES:
            raise MediaError(f'"{file}" is not a curves file: {size} bytes', _AGAIN)
        with file.open("rb") as opened:
            head = opened.read(_HEADER.size + MAX_TABLES * _ENTRY.size)
    except OSError as problem:
        reason = "is missing" if isinstance(problem, FileNotFoundError) else problem.strerror
        raise MediaError(f'"{file}" {reason}', _AGAIN) from problem
    try:
        digest, tables = parse_header(head, size)
    except MediaError as problem:
        raise MediaError(f'"{file}" {problem.message}', problem.hint) from problem
    return Curves(file, digest, tables)


def parse_header(head: bytes, size: int) -> tuple[str, dict[str, Table]]:
    """Parse the header and the entries.

    Parameters
    ----------
    head : bytes
        The beginning of the file.
    size : int
        Of the whole file in bytes; every table lies within it.

    Returns
    -------
    digest : str
        In hexadecimal.
    tables : dict of str to Table
        By name.

    Raises
    ------
    MediaError
        It is of another version, or damaged.
    """
    if len(head) < _HEADER.size or head[: len(MAGIC)] != MAGIC:
        raise MediaError("is not a curves file", _AGAIN)
    _, version, count, crc, sound = _HEADER.unpack_from(head)
    if version != VERSION:
        raise MediaError(f"has version {version}, this engine reads {VERSION}", _AGAIN)
    end = _HEADER.size + count * _ENTRY.size
    if count > MAX_TABLES or len(head) < end or zlib.crc32(head[16:end]) != crc:
        raise MediaError("has a damaged header", _AGAIN)
    tables: dict[str, Table] = {}
    for at in range(_HEADER.size, end, _ENTRY.size):
        raw, *rest, _ = _ENTRY.unpack_from(head, at)
        name = raw.rstrip(b"\0")
        if not name.isascii() or not name.decode("ascii").isprintable():
            raise MediaError(f"has a table of the name {name!r}", _AGAIN)
        table = Table(name.decode("ascii"), *rest)
        if (
            table.name in tables
            or table.kind not in _TYPES
            or table.scale not in (_LINEAR, _SQUARE)
            or not table.columns
            or not all(map(math.isfinite, (table.rate_hz, table.low, table.high)))
            or not 0 <= table.rate_hz <= 1000
            or table.offset < end
            or table.offset + table.size > size
        ):
            raise MediaError(f'has an invalid table "{table.name}"', _AGAIN)
        tables[table.name] = table
    return sound.hex(), tables


def packed(file: bytes) -> str:
    """Return a file of curves as text of an answer: zlib, base64."""
    return base64.b64encode(zlib.compress(file)).decode("ascii")


def unpacked(text: str) -> bytes:
    """Return the file of curves of an answer."""
    return zlib.decompress(base64.b64decode(text))


def is_current(bundle: Path, digest: str, stems: list[str]) -> bool:
    """Return whether a bundle has curves of this version, of this sound and these stems."""
    try:
        curves = read_curves(bundle)
    except MediaError:
        return False
    wanted = {f"{PEAKS}{stem}" for stem in stems}
    return curves.digest == digest and wanted <= set(curves.tables)
