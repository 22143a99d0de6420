"""Apple Music's and iTunes's library as XML: tracks, ratings, play counts and playlists; no cues.

::

    plist > dict ├── Tracks     > dict  > number, dict of a track
                 └── Playlists  > array > dict of a playlist > Playlist Items > array > dict

Read as a stream and not by `plistlib`, which has the whole file in memory and refuses it for one
invalid number. Only read. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sfa_engine.errors import MediaError
from sfa_engine.interchange import fields as f
from sfa_engine.interchange.fields import Fields, Keys, Report
from sfa_engine.interchange.location import path_of
from sfa_engine.interchange.playlist_tree import Draft, check_count
from sfa_engine.interchange.record import Collection, List, Record
from sfa_engine.interchange.safe_xml import Element, walk

KIND = "Apple Music library"
TRACKS, PLAYLISTS, ITEMS = "Tracks", "Playlists", "Playlist Items"
# Depths of elements, from plist at 0.
TOP_KEY, IN_SECTION, IN_PLAYLIST, ITEM = 2, 3, 4, 5
OWN_LISTS = ("Master", "Distinguished Kind")  # that show the library itself: Music, Downloaded …
MAX_FOLDERS = 64  # of each other


@dataclass(slots=True)
class _List:
    """A playlist that is being read: its values, its tracks."""

    values: dict[str, str] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)


def read(path: Path) -> Collection:
    """Read a library that Apple Music or iTunes exported. Blocks.

    Raises
    ------
    MediaError
        It is not one, or is damaged.
    """
    report = Report()
    keys = Keys(report)
    tracks: list[Record] = []
    by_id: dict[str, str] = {}
    lists: list[_List] = []
    sections: set[str] = set()
    section = key = ""
    for above, element in walk(path, KIND, "plist", _is_subtree):
        depth = len(above)
        if depth == TOP_KEY and element.tag == "key":
            section = element.text
            sections.add(section)
        elif section == TRACKS and depth == IN_SECTION and element.tag == "dict":
            values = _values(element)
            track = _track(values, keys, report)
            tracks.append(track)
            by_id.setdefault(values.get("Track ID", ""), track.key)
        elif section == PLAYLISTS and depth == IN_SECTION and element.tag == "dict":
            lists.append(_List())
            check_count(len(lists))
        elif section == PLAYLISTS and depth == IN_PLAYLIST and lists:
            if element.tag == "key":
                key = element.text
            elif element.tag != "array":
                lists[-1].values[key] = _value(element)
        elif section == PLAYLISTS and depth == ITEM and element.tag == "dict" and key == ITEMS:
            lists[-1].items.append(_values(element).get("Track ID", ""))
    if not sections & {TRACKS, PLAYLISTS}:
        raise MediaError(
            f'"{path.name}" is not an {KIND}: it has no tracks',
            "export it in Music by File, Library, Export Library",
        )
    return Collection(tuple(tracks), tuple(_playlists(lists, by_id, report)), tuple(report.losses))


def _is_subtree(above: list[Element], tag: str) -> bool:
    """Return whether an element is complete: a value, a track, an item of a playlist."""
    if tag not in {"dict", "array", "plist"}:
        return True
    if tag != "dict":
        return False
    tags = [element.tag for element in above[2:]]
    return tags in (["dict"], ["array", "dict", "array"])


def _value(element: Element) -> str:
    return element.tag if element.tag in {"true", "false"} else element.text


def _values(element: Element) -> dict[str, str]:
    """Return a dict's values as texts; of ``<true/>`` its name."""
    values: dict[str, str] = {}
    key = None
    for each in element.children:
        if each.tag == "key":
            key = each.text
        elif key is not None:
            values.setdefault(key, _value(each))
            key = None
    return values


def _track(values: Mapping[str, str], keys: Keys, report: Report) -> Record:
    get = values.get
    url = get("Location", "")
    location = path_of(url)
    fields = Fields(
        Record("", location, get("Name", ""), get("Artist", "")).name or get("Track ID", ""), report
    )
    if not location:
        fields.lose("track", f.STREAMED if url or get("Track Type") != "File" else f.NO_FILE)
    total_ms = fields.known(get("Total Time"), "duration", 1e9)
    is_rated = get("Rating Computed") != "true"
    return Record(
        keys.unique(get("Track ID", ""), fields.where),
        location=location,
        title=fields.text(get("Name"), "title"),
        artist=fields.text(get("Artist"), "artist"),
        album=fields.text(get("Album"), "album"),
        genre=fields.text(get("Genre"), "genre"),
        comment=fields.text(get("Comments"), "comment"),
        year=fields.year(get("Year")),
        bpm=fields.known(get("BPM"), "bpm", 1000),
        duration_s=None if total_ms is None else total_ms / 1000,
        size_bytes=fields.whole(get("Size"), "size", (0, 2**53)) or None,
        rating=fields.stars(get("Rating"), 100) if is_rated else None,
        play_count=fields.whole(get("Play Count"), "play count", (0, 1e9)),
        played_at=fields.date(get("Play Date UTC"), "last played"),
        added_at=fields.date(get("Date Added"), "date"),
    )


def _playlists(lists: list[_List], by_id: Mapping[str, str], report: Report) -> list[List]:
    """Return the user's playlists, each with the folders above it."""
    folders = {
        each.values.get("Playlist Persistent ID", ""): each.values
        for each in lists
        if each.values.get("Folder") == "true"
    }
    playlists = []
    for each in lists:
        values = each.values
        if values.get("Folder") == "true" or any(name in values for name in OWN_LISTS):
            continue
        name = values.get("Name", "")
        if "Smart Info" in values:
            report.lose(name, "rule of a playlist", "it becomes a list of the tracks it has now")
        above: list[str] = []
        parent = values.get("Parent Persistent ID", "")
        while parent in folders and len(above) < MAX_FOLDERS:
            above.insert(0, folders[parent].get("Name", ""))
            parent = folders[parent].get("Parent Persistent ID", "")
        playlists.append(Draft(name, tuple(above), each.items).finished(by_id, report))
    return playlists
