"""Serato's lists: ``database V2`` of all tracks, and a ``.crate`` file for each crate.

A file is a sequence of fields: four letters, a u32 length, the data. The first letter is its kind:
``o`` holds fields, ``t`` and ``p`` are UTF-16BE text, ``u`` u32, ``s`` u16, ``b`` a byte; big-
endian. Paths are relative to the root of the drive and have slashes. A crate within another is the
file ``Outer%%Inner.crate``. Files are untrusted. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sfa_engine.errors import MediaError

MAX_FIELDS = 10_000_000  # of a file: 500,000 tracks
SEPARATOR = "%%"
_CRATE = "1.0/Serato ScratchLive Crate"
_DATABASE = "2.0/Serato Scratch LIVE Database"
_UNFIT = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_HINT = "take the folder _Serato_ from the drive again"

Value = str | int | bytes
Track = dict[str, Value]


@dataclass(frozen=True, slots=True)
class CrateName:
    """The name of a crate and those above it, from the outermost."""

    name: str
    folders: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of its file, with what file systems refuse replaced."""
        parts = [_UNFIT.sub("-", part).replace(SEPARATOR, "%") for part in self._parts]
        return SEPARATOR.join(part.strip(" .") or "-" for part in parts)[:200] + ".crate"

    @property
    def is_exact(self) -> bool:
        """Whether the file's name says all of it."""
        return crate_name(self.file.removesuffix(".crate")) == self

    @property
    def _parts(self) -> tuple[str, ...]:
        return (*self.folders, self.name)


def crate_name(stem: str) -> CrateName:
    """Return the name that the stem of a crate's file means."""
    *folders, name = stem.split(SEPARATOR)
    return CrateName(name, tuple(folders))


def parse_database(data: bytes) -> Iterator[Track]:
    """Yield the tracks of ``database V2``, fields by name."""
    _check(data, "database V2", "Database")
    for name, body in _fields(data):
        if name == "otrk":
            yield {field: _value(field, value) for field, value in _fields(body)}


def parse_crate(data: bytes) -> list[str]:
    """Return the paths of a crate's tracks."""
    _check(data, "the crate", "Crate")
    paths: list[str] = []
    for name, body in _fields(data):
        if name == "otrk":
            paths += [_text(value) for field, value in _fields(body) if field == "ptrk"]
    return paths


def crate(paths: Iterable[str]) -> bytes:
    """Return the file of a crate, sorted and with columns as a new one of Serato has."""
    columns = (("song", "250"), ("artist", "250"), ("bpm", "250"), ("key", "250"))
    head = [
        _field("vrsn", _utf16(_CRATE)),
        _field("osrt", _field("tvcn", _utf16("#")) + _field("brev", b"\0")),
    ]
    head += [
        _field("ovct", _field("tvcn", _utf16(name)) + _field("tvcw", _utf16(width)))
        for name, width in columns
    ]
    return b"".join([*head, *(_field("otrk", _field("ptrk", _utf16(path))) for path in paths)])


def database(tracks: Iterable[Track]) -> bytes:
    """Return ``database V2``: fields by name, as of `parse_database`."""
    parts = [_field("vrsn", _utf16(_DATABASE))]
    for track in tracks:
        fields = (_field(name, _data(name, value)) for name, value in track.items())
        parts.append(_field("otrk", b"".join(fields)))
    return b"".join(parts)


def _check(data: bytes, what: str, word: str) -> None:
    for name, body in _fields(data):
        if name == "vrsn":
            version = _text(body)
            if word.lower() in version.lower() and version[:2] in {"1.", "2."}:
                return
            raise MediaError(f'{what} is of version "{version:.60}"', "1 and 2 are read")
        break
    raise MediaError(f"{what} is not of Serato", _HINT)


def _fields(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield names and data; the last one may be cut."""
    at = 0
    for _ in range(MAX_FIELDS):
        if at + 8 > len(data):
            return
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        if at + 8 + length > len(data):
            return
        yield data[at : at + 4].decode("latin-1"), data[at + 8 : at + 8 + length]
        at += 8 + length


def is_whole(data: bytes) -> bool:
    """Return whether the fields of a file reach to its end."""
    at = 0
    while at + 8 <= len(data):
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    return at == len(data)


def _value(name: str, data: bytes) -> Value:
    if name[0] in "tp" or name == "vrsn":
        return _text(data)
    return int.from_bytes(data[:8], "big") if name[0] in "usb" else data


def _data(name: str, value: Value) -> bytes:
    if isinstance(value, str):
        return _utf16(value)
    if isinstance(value, int):
        return value.to_bytes({"u": 4, "s": 2, "b": 1}[name[0]], "big")
    return value


def _field(name: str, data: bytes) -> bytes:
    return name.encode("latin-1") + len(data).to_bytes(4, "big") + data


def _text(data: bytes) -> str:
    return data[: len(data) // 2 * 2].decode("utf-16-be", "replace").rstrip("\0")


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "replace")
