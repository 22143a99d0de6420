"""What an argument of `sfa prep` names. Looks at names and folders, opens no file, calls no host.

::

    song.flac                         a file
    ~/Music/Sets                      a folder: every sound file in it, however deep
    https://open.spotify.com/…        a track, album or playlist of Spotify
    https://…                         any other site: yt-dlp knows a thousand
    anything else                     refused, with a hint
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sfa_engine.backstage.services.spotify_link import SpotifyLink, is_spotify, parse_link
from sfa_engine.errors import Refused
from sfa_engine.system.sound_files import SOUND_FILES
from sfa_engine.track.media import MANIFEST

MAX_LENGTH = 4096
_HINT = "give a sound file, a folder, a Spotify link or an http(s) address"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
# Names of incomplete files of downloaders and browsers: "Song.part.mp3", "Song.temp.m4a".
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
        ``http`` or ``https``, as given.
    """

    url: str


InputSource = LocalFile | LocalFolder | SpotifyLink | WebLink


@dataclass(frozen=True, slots=True)
class SoundFiles:
    """The sound files of a folder.

    Parameters
    ----------
    paths : tuple of Path
        By name, each once.
    unread : tuple of Path
        Folders that cannot be read.
    """

    paths: tuple[Path, ...]
    unread: tuple[Path, ...]


def parse_source(text: str) -> InputSource:
    """Parse an argument of `sfa prep`.

    Raises
    ------
    Refused
        It names nothing that can be imported.
    """
    shown = text if len(text) <= 100 else text[:97] + "…"
    if not text.strip() or "\0" in text or len(text) > MAX_LENGTH:
        raise Refused(f'"{shown}" is not a valid source', _HINT)
    if is_spotify(text):
        return parse_link(text)
    try:
        address = urlsplit(text)
        host = address.hostname
    except ValueError:
        raise Refused(f'"{shown}" is not a valid address', _HINT) from None
    if address.scheme in {"http", "https"}:
        if not host or any(character.isspace() for character in text):
            raise Refused(f'"{shown}" has no host', "give an address as https://example.com/song")
        return WebLink(text)
    if address.scheme == "file" and host in {None, "", "localhost"}:
        return _local(unquote(address.path), shown)
    return _local(text, shown)


def is_sound_file(path: Path) -> bool:
    """Return whether a name is that of a complete, visible sound file."""
    return (
        path.suffix.lower() in SOUND_FILES
        and not path.name.startswith((".", "~$"))
        and not _UNFINISHED.intersection(path.suffixes[-2:-1])
    )


def sound_files(folder: Path) -> SoundFiles:
    """Return the sound files of a folder and of all below it.

    Without hidden, incomplete and empty files, and bundles. Links are followed, but no folder is
    read twice and no file listed twice.

    Parameters
    ----------
    folder : Path
        Itself may be hidden.

    Raises
    ------
    Refused
        It cannot be read.
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
            entries = sorted(here.iterdir(), key=_sort_key)
            folders = [each for each in entries if not each.name.startswith(".") and each.is_dir()]
        except OSError as problem:
            if here == folder:
                raise Refused(f'cannot read "{folder}": {problem.strerror}', _HINT) from None
            unread.append(here)
            continue
        if any(entry.name == MANIFEST for entry in entries):
            continue  # a bundle
        waiting.extend(reversed(folders))
        for entry in entries:
            if is_sound_file(entry) and (key := _inode(entry)):
                found.setdefault(key, entry)
    return SoundFiles(tuple(sorted(found.values(), key=_sort_key)), tuple(unread))


def _local(text: str, shown: str) -> LocalFile | LocalFolder:
    """Return an existing file or folder."""
    try:
        path = Path(text).expanduser().absolute()
        if path.is_dir():
            return LocalFolder(path)
        if path.is_file():
            return LocalFile(path)
        there = path.exists()
    except (OSError, RuntimeError, ValueError):  # too long a name, no such user, no such bytes
        there = False
    if there:
        raise Refused(f'"{shown}" is neither a file nor a folder', _HINT)
    if _SCHEME.match(text):
        raise Refused(f'"{shown}": unsupported kind of address', _HINT)
    if re.match(r"(www\.|open\.spotify\.com/)", text, re.IGNORECASE):
        raise Refused(f'no file "{shown}"', f"if it is an address, write https://{shown}")
    raise Refused(f'no file or folder "{shown}"', _HINT)


def _inode(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file; None if it is not a file, empty or missing."""
    try:
        about = path.stat()
    except OSError:
        return None
    return (about.st_dev, about.st_ino) if path.is_file() and about.st_size else None


def _sort_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts "2 Song" before "10 Song" and ignores case."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], str(path)
