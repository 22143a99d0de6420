"""Tags of sound files: title, artist, album, genre, year, tempo, key, cover.

Read by mutagen, except for RIFF, AIFF and CAF files' own chunks. Files are untrusted: whatever
fails, at worst there are no tags. Knows no database.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from sfa_engine.errors import MediaError
from sfa_engine.library.payload import Chunk, chunks
from sfa_engine.track.key import parse_key

MAX_COVER_BYTES = 32 << 20
MAX_TEXT = 500  # characters
TEMPOS = (20.0, 400.0)  # BPM

# Names of ID3 frames, MP4 atoms, Vorbis comments, APE items, RIFF, AIFF and CAF infos, as `_named`
# has them; the first that has a value counts. An exact tempo comes before a rounded one.
_NAMES: dict[str, tuple[str, ...]] = {
    "title": ("tit2", "\xa9nam", "title", "inam", "name"),
    "artist": (
        "tpe1", "\xa9art", "artist", "artists", "author", "iart", "auth", "tpe2", "aart",
        "albumartist",
    ),
    "album": ("talb", "\xa9alb", "album", "wm/albumtitle", "iprd"),
    "genre": ("tcon", "\xa9gen", "genre", "wm/genre", "ignr"),
    "year": (
        "tdrc", "tdor", "tyer", "\xa9day", "date", "year", "originaldate", "wm/year", "icrd",
        "recordeddate",
    ),
    "bpm": ("fbpm", "tbpm", "bpm", "tmpo", "tempo", "wm/beatsperminute", "ibpm"),
    "key": ("tkey", "initialkey", "key", "wm/initialkey", "ikey", "keysignature"),
}  # fmt: skip
MAX_INFO_BYTES = 1 << 16  # of a RIFF, AIFF or CAF file
MAX_VALUES = 50  # of one tag
_FREEFORM = "----:"
# "01 - ", "7. ", "1-03 ", "[12] ", "04_"; or "02 ": a bare number counts if it begins with a zero,
# because of "50 Cent", "99 Problems" and "808 State".
_TRACK_NUMBER = re.compile(
    r"(?:(?:\d-)?\d{1,2}(?:\s*[.)_]\s*|\s+[-\u2013\u2014]\s+)|\d\d-(?=\D)|\[\d{1,3}\]\s*"
    r"|(?:\d-)?0\d{1,2}\s+)(?=\S)"
)
_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
_PICTURES = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"RIFF": "webp"}
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")
_INVISIBLE = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # categories of Unicode


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture and its kind by the first bytes (``jpg`` …)."""

    content: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a file; unknown ones are empty or None.

    Parameters
    ----------
    title, artist, album, genre : str
    year : int, optional
    bpm : float, optional
        20..400.
    key : str, optional
        In the usual spelling, ``A minor``.
    duration_s : float, optional
        From the file's header; the sound may differ.
    cover : Cover, optional
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: int | None = None
    bpm: float | None = None
    key: str | None = None
    duration_s: float | None = None
    cover: Cover | None = None


def read_tags(path: str | Path) -> Tags:
    """Read the tags of a file; empty if it is damaged or not a sound file.

    Several artists or genres are one text, with commas between them.

    Parameters
    ----------
    path : str or Path
        The format is recognised by content, then by name.
    """
    file = _opened(Path(path))
    texts = list(_texts(Path(path), file))
    known = _numbers(texts, _words(texts, Tags()))
    if file is None:
        return known
    for part in (_length, _picture):
        with contextlib.suppress(Exception):  # an invalid tag must not hide the others
            known = part(file, known)
    return known


def names_of(stem: str) -> tuple[str, str]:
    """Parse a file name to artist, which may be empty, and title.

    Parameters
    ----------
    stem : str
        Without its ending: ``Artist - Title``, ``01 - Artist - Title``, ``01 Title`` …
    """
    name = _UNFIT.sub(" ", stem)
    if " " not in name.strip():
        name = name.replace("_", " ")
    name = name.strip()
    name = _TRACK_NUMBER.sub("", name, count=1) if _TRACK_NUMBER.match(name) else name
    parts = [part.strip() for part in _DASH.split(name, maxsplit=1)]
    if len(parts) == 2 and all(parts):
        return parts[0][:MAX_TEXT], parts[1][:MAX_TEXT]
    return "", name[:MAX_TEXT] or stem.strip()[:MAX_TEXT]


def with_names(tags: Tags, stem: str) -> Tags:
    """Fill a missing title or artist from the file name."""
    artist, title = names_of(stem)
    if not tags.title:
        is_same = not tags.artist or not artist or _alike(artist, tags.artist)
        title = title if is_same else f"{artist} - {title}"
        return replace(tags, title=title, artist=tags.artist or artist)
    if not tags.artist and artist and _alike(title, tags.title):
        return replace(tags, artist=artist)
    return tags


def in_one_line(text: str) -> str:
    """Return a text without line breaks and other control characters; empty if all is invisible."""
    text = _UNFIT.sub(" ", text).strip()[:MAX_TEXT]
    # Separators, and what has no width: a zero-width space alone would be a name without letters.
    is_visible = any(unicodedata.category(letter) not in _INVISIBLE for letter in text)
    return text if is_visible else ""


def _alike(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _opened(path: Path) -> Any:
    """Open a file with mutagen; None if it fails."""
    import mutagen

    # mutagen lets KeyError, struct.error and the like of odd files through.
    with contextlib.suppress(Exception):
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file, open(os.dup(file.fileno()), "rb") as nameless:  # noqa: PTH123
            if (known := mutagen.File(nameless)) is not None:  # by content alone
                return known
    with contextlib.suppress(Exception):
        return mutagen.File(path)
    return None


def _texts(path: Path, file: Any) -> Iterator[dict[str, list[str]]]:
    """Yield the texts of each tag format in a file, by the names of `_NAMES`."""
    with contextlib.suppress(Exception):
        yield _of_tags(file.tags)
    with contextlib.suppress(Exception):
        from mutagen.apev2 import APEv2

        ape: Any = APEv2
        if not isinstance(file.tags, APEv2):
            yield _of_tags(ape(path))
    with contextlib.suppress(Exception), path.open("rb") as opened:
        yield _of_chunks(opened)


def _of_tags(tags: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in list(tags.keys()):
        with contextlib.suppress(Exception):
            name = _named(key)
            values = [_plain(value) for value in _values(tags, key)[:MAX_VALUES]]
            found.setdefault(name, []).extend(filter(None, values))
    return found


def _named(key: str) -> str:
    """Return the name of a tag: the user's own of a free one, in small letters, without spaces."""
    if key.startswith((_FREEFORM, "TXXX:")):
        key = key.split(":", 1 if key.startswith("TXXX:") else 2)[-1]
    return re.sub(r"[\s_]", "", key).lower()


def _of_chunks(file: BinaryIO) -> dict[str, list[str]]:
    """Return the texts of a RIFF's INFO list, of AIFF's own chunks, and of CAF's information."""
    found: dict[str, list[str]] = {}
    for chunk in chunks(file):
        if chunk.name in {b"NAME", b"AUTH"}:
            pairs = [(chunk.name, _body(file, chunk))]
        elif chunk.name == b"LIST":
            pairs = _info(_body(file, chunk))
        elif chunk.name == b"info":
            words = _body(file, chunk)[4:].split(b"\0")
            pairs = list(zip(words[::2], words[1::2], strict=False))
        else:
            continue
        for name, text in pairs:
            if plain := _plain(text.split(b"\0")[0]):
                found.setdefault(_named(name.decode("latin-1")), []).append(plain)
    return found


def _body(file: BinaryIO, chunk: Chunk) -> bytes:
    file.seek(chunk.offset)
    return file.read(min(chunk.length, MAX_INFO_BYTES))


def _info(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return names and texts of a RIFF list, if it is one of information."""
    found = []
    at = 4 if body[:4] == b"INFO" else len(body)
    while at + 8 <= len(body):
        length = int.from_bytes(body[at + 4 : at + 8], "little")
        found.append((body[at : at + 4], body[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def _plain(value: Any) -> str:
    """Return a value as a text of one line."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = value.decode("cp1252", "replace")
    return in_one_line(str(value))


def _values_of(texts: list[dict[str, list[str]]], what: str) -> Iterator[list[str]]:
    """Yield what there is under the names of something, the best first."""
    for form in texts:
        for name in _NAMES[what]:
            if values := form.get(name):
                firsts: dict[str, str] = {}
                for value in values:
                    firsts.setdefault(value.casefold(), value)
                yield list(firsts.values())


def _words(texts: list[dict[str, list[str]]], known: Tags) -> Tags:
    def all_of(what: str) -> str:
        return ", ".join(next(_values_of(texts, what), []))[:MAX_TEXT].strip()

    return replace(
        known,
        title=all_of("title"),
        artist=all_of("artist"),
        album=all_of("album"),
        genre=all_of("genre"),
    )


def _numbers(texts: list[dict[str, list[str]]], known: Tags) -> Tags:
    def first(what: str, read: Callable[[str], Any]) -> Any:
        found = (read(text) for values in _values_of(texts, what) for text in values)
        return next((value for value in found if value is not None), None)

    return replace(
        known, year=first("year", _year), bpm=first("bpm", _tempo), key=first("key", _key)
    )


def _year(text: str) -> int | None:
    year = _YEAR.search(text)
    return int(year[1]) if year else None


def _tempo(text: str) -> float | None:
    tempo = re.match(r"(\d{1,6}(?:[.,]\d{1,20})?)", text)
    bpm = float(tempo[1].replace(",", ".")) if tempo else 0.0
    return bpm if TEMPOS[0] <= bpm <= TEMPOS[1] else None


def _key(text: str) -> str | None:
    for piece in re.split(r"[/,;|]| - ", text):  # "8A/9A", "8A - 128"
        with contextlib.suppress(MediaError):
            return parse_key(piece)
    return None


def _length(file: Any, known: Tags) -> Tags:
    length = float(file.info.length)
    return replace(known, duration_s=length) if 0.0 < length < 86_400.0 * 7 else known


def cover_of(content: bytes) -> Cover | None:
    """Return a picture with its kind, by its first bytes; None for anything else."""
    if not 0 < len(content) <= MAX_COVER_BYTES:
        return None
    for beginning, kind in _PICTURES.items():
        # RIFF is a WAV too
        if content.startswith(beginning) and (kind != "webp" or content[8:12] == b"WEBP"):
            return Cover(bytes(content), kind)
    return None


def _picture(file: Any, known: Tags) -> Tags:
    for content in _pictures(file):
        if cover := cover_of(content):
            return replace(known, cover=cover)
    return known


def _pictures(file: Any) -> Iterator[bytes]:
    """Yield the pictures of a file: FLAC's, ID3's, MP4's, Vorbis comments'; front covers first."""
    from mutagen import flac

    pictures = list(getattr(file, "pictures", ()))
    tags = file.tags or {}
    if hasattr(tags, "getall"):
        pictures += tags.getall("APIC")
    for text in _values(tags, "metadata_block_picture"):
        with contextlib.suppress(Exception):  # an invalid picture must not hide the others
            picture: Any = flac.Picture
            pictures.append(picture(base64.b64decode(text)))
    front = 3  # the type of a front cover, in ID3 and FLAC
    for picture in sorted(pictures, key=lambda picture: picture.type != front):
        yield picture.data
    for picture in _values(tags, "covr"):
        yield bytes(picture)


def _values(tags: Any, name: str) -> list[Any]:
    """Return the values of one tag, of whatever form."""
    try:
        value = tags.get(name)
    except ValueError:  # a name that this form of tags cannot have
        return []
    if value is None:
        return []
    value = getattr(value, "genres", None) or getattr(value, "text", value)  # "(17)" is Rock
    if type(value).__name__ == "APETextValue":
        return list(value)
    return list(value) if isinstance(value, list | tuple) else [value]
