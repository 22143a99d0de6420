"""M3U playlists: paths, a line each, with lengths and names. Pure.

Read as UTF-8, UTF-16 or cp1252, with relative, absolute and Windows paths, URLs and addresses;
written as extended M3U8, with paths relative to the file where they are below its folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError
from sfa_engine.interchange.paths import folded, name_of, plain
from sfa_engine.interchange.record import Collection, List, Loss, Record
from sfa_engine.interchange.texts import read_text, write_text
from sfa_engine.library.tags import in_one_line, names_of

MAX_ENTRIES = 1_000_000
MAX_DURATION_S = 86_400.0 * 7

_INFO = re.compile(r"#EXTINF:\s*(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)?[^,]*,?(.*)", re.IGNORECASE)
_NAME = re.compile(r"#PLAYLIST:(.*)", re.IGNORECASE)
_UNFIT = re.compile("[\r\n\0\ud800-\udfff]")


def read(path: Path) -> Collection:
    """Read a playlist; its tracks are one list in its order.

    Raises
    ------
    MediaError
        It is not a text, or has no entry.
    """
    folder = str(path.absolute().parent)
    name, about = path.stem, {}
    tracks: dict[str, Record] = {}
    keys: list[str] = []
    for line in map(str.strip, read_text(path, "playlist").splitlines()):
        if line.startswith("#"):
            if info := _INFO.match(line):
                about = _info(info)
            elif title := _NAME.match(line):
                name = in_one_line(title[1]) or name
            continue
        if not line:
            continue
        location = plain(line, folder)
        key = folded(location)
        keys.append(key)
        if len(keys) > MAX_ENTRIES:
            raise MediaError(f'"{path}" has more than {MAX_ENTRIES} entries', "split it")
        if key not in tracks:
            if "title" not in about:
                artist, title_of = names_of(name_of(location))
                about |= {"artist": artist, "title": title_of}
            tracks[key] = Record(key, location, **about)
        about = {}
    if not keys:
        raise MediaError(f'"{path}" is a playlist without entries', "name another file")
    return Collection(tuple(tracks.values()), (List(name, keys=tuple(keys)),))


def _info(info: re.Match[str]) -> dict[str, Any]:
    """Return what a line of information says: the length, and ``Artist - Title``."""
    about: dict[str, Any] = {}
    if info[1] and 0.0 < float(info[1]) <= MAX_DURATION_S:
        about["duration_s"] = float(info[1])
    if words := in_one_line(info[2]):
        artist, dash, title = words.partition(" - ")
        about |= {"artist": artist, "title": title} if dash and title else {"title": words}
    return about


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write one playlist: of the collection's first list, else of all its tracks."""
    tracks = {track.key: track for track in collection.tracks}
    keys = collection.playlists[0].keys if collection.playlists else tuple(tracks)
    lines = ["#EXTM3U"]
    if collection.playlists:
        lines.append(f"#PLAYLIST:{in_one_line(collection.playlists[0].name)}")
    losses = [
        Loss(each.name, "playlist", "an M3U file has one playlist")
        for each in collection.playlists[1:]
    ]
    folder = f"{path.absolute().parent}/"
    for key in keys:
        track = tracks.get(key)
        if track is None:
            continue
        if not track.location or _UNFIT.search(track.location):
            why = "its path cannot be a line of text" if track.location else "it has no file"
            losses.append(Loss(track.name, "track", why))
            continue
        length = -1 if track.duration_s is None else round(track.duration_s)
        lines.append(f"#EXTINF:{length},{in_one_line(track.name)}")
        inside = track.location.removeprefix(folder)
        lines.append(f"./{inside}" if inside.startswith(("#", " ")) else inside)
    write_text(path, "\n".join(lines) + "\n")
    return losses
