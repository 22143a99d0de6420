"""What a word given to `sfa prep` means. Looks at names and folders, opens no file, asks no host.

::

    song.flac                         a file
    ~/Music/Sets                      a folder: every sound file in it, however deep
    https://open.spotify.com/…        Spotify's business
    https://…                         anybody's: yt-dlp knows a thousand sites
    what else                         refused, with a hint
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sfa_engine.audio.media import DESCRIPTION
from sfa_engine.backstage.services.spotify_link import SpotifyLink, is_spotify, parse_link
from sfa_engine.errors import Refused
from sfa_engine.library.sources import SOUND_FILES

LONGEST_WORD = 4096
_HINT = "give a sound file, a folder, a Spotify link or an http(s) address"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
# What downloaders and browsers call a file that is not whole yet: "Song.part.mp3", "Song.temp.m4a".
# "Part.2.wav" and "Body.Temp.wav" are music.
_UNFINISHED = {".part", ".partial", ".temp", ".tmp", ".crdownload", ".download", ".ytdl"}


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file of this machine.

    Parameters
    ----------
    path : Path
        Absolute.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder of this machine.

    Parameters
    ----------
    path : Path
        Absolute; see `sound_files`.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class WebLink:
    """An address that is not Spotify's.

    Parameters
    ----------
    url : str
        ``http`` or ``https``, as it was given.
    """

    url: str


Meaning = LocalFile | LocalFolder | SpotifyLink | WebLink


@dataclass(frozen=True, slots=True)
class SoundFiles:
    """What a folder has.

    Parameters
    ----------
    paths : tuple of Path
        Sound files, by name, each once.
    unread : tuple of Path
        Folders that may not be read.
    """

    paths: tuple[Path, ...]
    unread: tuple[Path, ...]


def meaning(word: str) -> Meaning:
    """Return what a word means.

    Raises
    ------
    Refused
        If it means nothing, or nothing that can be had.
    """
    shown = word if len(word) <= 100 else word[:97] + "…"
    if not word.strip() or "\0" in word or len(word) > LONGEST_WORD:
        raise Refused(f'"{shown}" names nothing', _HINT)
    if is_spotify(word):
        return parse_link(word)
    try:
        address = urlsplit(word)
        host = address.hostname
    except ValueError:
        raise Refused(f'"{shown}" is no address', _HINT) from None
    if address.scheme in {"http", "https"}:
        if not host or any(character.isspace() for character in word):
            raise Refused(f'"{shown}" names no host', "give an address as https://example.com/song")
        return WebLink(word)
    if address.scheme == "file" and host in {None, "", "localhost"}:
        return _local(unquote(address.path), shown)
    return _local(word, shown)


def is_sound_file(path: Path) -> bool:
    """Return whether a name is that of a sound file that is whole and not hidden."""
    return (
        path.suffix.lower() in SOUND_FILES
        and not path.name.startswith((".", "~$"))
        and not _UNFINISHED.intersection(path.suffixes[-2:-1])
    )


def sound_files(folder: Path) -> SoundFiles:
    """Return the sound files of a folder and of all folders in it.

    Hidden ones, files that are not whole yet or empty, and bundles are left out. Links are
    followed, but no folder is read twice and no file listed twice.

    Parameters
    ----------
    folder : Path
        Itself may be hidden.

    Raises
    ------
    Refused
        If it cannot be read itself.
    """
    found: dict[tuple[int, int], Path] = {}
    visited: set[tuple[int, int]] = set()
    unread: list[Path] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            about = here.stat()
            if (about.st_dev, about.st_ino) in visited:
                continue
            visited.add((about.st_dev, about.st_ino))
            entries = sorted(here.iterdir(), key=_order)
            folders = [each for each in entries if not each.name.startswith(".") and each.is_dir()]
        except OSError as problem:
            if here == folder:
                raise Refused(f'cannot read "{folder}": {problem.strerror}', _HINT) from None
            unread.append(here)
            continue
        if any(entry.name == DESCRIPTION for entry in entries):
            continue  # a bundle: prepared already
        waiting.extend(reversed(folders))
        for entry in entries:
            if is_sound_file(entry) and (key := _content(entry)):
                found.setdefault(key, entry)
    return SoundFiles(tuple(sorted(found.values(), key=_order)), tuple(unread))


def _local(word: str, shown: str) -> LocalFile | LocalFolder:
    """Return a file or a folder that is there."""
    try:
        path = Path(word).expanduser().absolute()
        if path.is_dir():
            return LocalFolder(path)
        if path.is_file():
            return LocalFile(path)
        there = path.exists()
    except (OSError, RuntimeError, ValueError):  # too long a name, no such user, no such bytes
        there = False
    if there:
        raise Refused(f'"{shown}" is neither a file nor a folder', _HINT)
    if _SCHEME.match(word):
        raise Refused(f'"{shown}" is no address that music comes from', _HINT)
    if re.match(r"(www\.|open\.spotify\.com/)", word, re.IGNORECASE):
        raise Refused(f'no file "{shown}"', f"if it is an address, write https://{shown}")
    raise Refused(f'no file or folder "{shown}"', _HINT)


def _content(path: Path) -> tuple[int, int] | None:
    """Return what a file is recognised by, or None if it is no file, empty or gone."""
    try:
        about = path.stat()
    except OSError:
        return None
    return (about.st_dev, about.st_ino) if path.is_file() and about.st_size else None


def _order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts "2 Song" before "10 Song", and capitals with the rest."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], str(path)
