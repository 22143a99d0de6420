"""What a sound file says of itself: title, artist, album, genre, year, tempo, key, cover.

mutagen reads; files by anybody come in, so that whatever it makes of one, at the worst nothing
is known. Knows no database.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError
from sfa_engine.library.key import parse_key

MOST_COVER_BYTES = 32 << 20
MOST_TEXT = 500  # characters; a text of a megabyte is no title
TEMPOS = (20.0, 400.0)  # BPM

# Names of ID3 frames, MP4 atoms, Vorbis comments and APE items; the first that has a text counts.
_NAMES: dict[str, tuple[str, ...]] = {
    "title": ("TIT2", "\xa9nam", "title", "Title"),
    "artist": ("TPE1", "\xa9ART", "artist", "TPE2", "aART", "albumartist", "Author"),
    "album": ("TALB", "\xa9alb", "album", "WM/AlbumTitle"),
    "genre": ("TCON", "\xa9gen", "genre", "WM/Genre"),
    "year": ("TDRC", "TDOR", "TYER", "\xa9day", "date", "year", "originaldate", "WM/Year"),
    "bpm": ("TBPM", "tmpo", "bpm", "tempo", "WM/BeatsPerMinute"),
    "key": (
        "TKEY", "----:com.apple.iTunes:initialkey", "----:com.apple.iTunes:KEY", "initialkey",
        "initial key", "key", "WM/InitialKey",
    ),
}  # fmt: skip
_PICTURES = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"RIFF": "webp"}
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture: its `content`, and the `kind` that its first bytes tell (``jpg`` …)."""

    content: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Tags:
    """What is known of a file; what is not is empty or None.

    Parameters
    ----------
    title, artist, album, genre : str
    year : int, optional
    bpm : float, optional
        20..400.
    key : str, optional
        In the usual spelling, ``A minor``.
    duration_s : float, optional
        As the file's header says; the sound itself may differ.
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
    """Return what a file says of itself; nothing, if it is no sound file or is damaged.

    Parameters
    ----------
    path : str or Path
        The kind of file is told by its content, then by its name.
    """
    file = _opened(Path(path))
    known = Tags()
    if file is None:
        return known
    for part in (_words, _numbers, _length, _picture):
        with contextlib.suppress(Exception):  # one odd tag does not take the others along
            known = part(file, known)
    return known


def _opened(path: Path) -> Any:
    """Return a file as mutagen knows it, or None."""
    import mutagen

    # mutagen lets KeyError, struct.error and the like of odd files through.
    with contextlib.suppress(Exception):
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file, open(os.dup(file.fileno()), "rb") as nameless:  # noqa: PTH123
            if (known := mutagen.File(nameless)) is not None:  # told by its content alone
                return known
    with contextlib.suppress(Exception):
        return mutagen.File(path)
    return None


def _words(file: Any, known: Tags) -> Tags:
    return replace(
        known,
        title=_first(file, "title"),
        artist=_first(file, "artist"),
        album=_first(file, "album"),
        genre=_first(file, "genre"),
    )


def _numbers(file: Any, known: Tags) -> Tags:
    year = _YEAR.search(_first(file, "year"))
    tempo = re.match(r"\s*(\d+(?:[.,]\d+)?)", _first(file, "bpm"))
    bpm = float(tempo[1].replace(",", ".")) if tempo else 0.0
    key = None
    with contextlib.suppress(MediaError):
        key = parse_key(_first(file, "key"))
    return replace(
        known,
        year=int(year[1]) if year else None,
        bpm=bpm if TEMPOS[0] <= bpm <= TEMPOS[1] else None,
        key=key,
    )


def _length(file: Any, known: Tags) -> Tags:
    length = float(file.info.length)
    return replace(known, duration_s=length) if 0.0 < length < 86_400.0 * 7 else known


def _picture(file: Any, known: Tags) -> Tags:
    for content in _pictures(file):
        if 0 < len(content) <= MOST_COVER_BYTES:
            for beginning, kind in _PICTURES.items():
                if content.startswith(beginning):
                    return replace(known, cover=Cover(bytes(content), kind))
    return known


def _pictures(file: Any) -> Iterator[bytes]:
    """Yield the pictures of a file: FLAC's, ID3's, MP4's, Vorbis comments'; front covers first."""
    from mutagen import flac

    pictures = list(getattr(file, "pictures", ()))
    tags = file.tags or {}
    if hasattr(tags, "getall"):
        pictures += tags.getall("APIC")
    for text in _values(tags, "metadata_block_picture"):
        with contextlib.suppress(Exception):  # one odd picture does not take the others along
            picture: Any = flac.Picture
            pictures.append(picture(base64.b64decode(text)))
    front = 3  # the type of a front cover, in ID3 and FLAC
    for picture in sorted(pictures, key=lambda picture: picture.type != front):
        yield picture.data
    for picture in _values(tags, "covr"):
        yield bytes(picture)


def _first(file: Any, what: str) -> str:
    """Return the first text that a file has under the names of something."""
    for name in _NAMES[what]:
        for value in _values(file.tags or {}, name):
            raw = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            if text := _UNFIT.sub(" ", raw).strip()[:MOST_TEXT]:
                return text
    return ""


def _values(tags: Any, name: str) -> list[Any]:
    """Return the values of one tag, of whatever form."""
    try:
        value = tags.get(name)
    except ValueError:  # a name that this form of tags cannot have
        return []
    if value is None:
        return []
    value = getattr(value, "genres", None) or getattr(value, "text", value)  # "(17)" is Rock
    return list(value) if isinstance(value, list | tuple) else [value]
