"""Playlists in folders: as they are read, entry by entry, and as a tree to be written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sfa_engine.errors import MediaError
from sfa_engine.interchange.fields import Report
from sfa_engine.interchange.record import List

FOREIGN = "it names tracks that are not in the file"
MAX_LISTS = 100_000  # of a file
SMART = "it is a rule, not a list"


@dataclass(slots=True)
class Draft:
    """A playlist that is being read: its entries as the file names tracks."""

    name: str
    folders: tuple[str, ...]
    entries: list[str] = field(default_factory=list)

    def finished(self, keys: Mapping[str, str], report: Report) -> List:
        """Return the playlist.

        Parameters
        ----------
        keys : mapping of str to str
            The keys of the tracks by what entries name them.
        report : Report
            Where an entry without a track is a loss, one for the playlist.
        """
        found = tuple(keys[entry] for entry in self.entries if entry and entry in keys)
        if len(found) < len(self.entries):
            report.lose(self.name, "entries of a playlist", FOREIGN)
        return List(self.name, self.folders, found)


def check_count(lists: int) -> None:
    """Raise MediaError if a file has more playlists than any library."""
    if lists > MAX_LISTS:
        raise MediaError(
            f"the file has more than {MAX_LISTS} playlists", "export it in several parts"
        )


@dataclass(slots=True)
class Folder:
    """A folder to be written: the folders and the playlists in it, in order."""

    name: str
    folders: dict[str, Folder] = field(default_factory=dict)
    playlists: list[List] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.folders) + len(self.playlists)


def tree(playlists: Iterable[List], root: str) -> Folder:
    """Return playlists as a tree; folders of one name at one place are one."""
    top = Folder(root)
    for playlist in playlists:
        folder = top
        for name in playlist.folders:
            folder = folder.folders.setdefault(name, Folder(name))
        folder.playlists.append(playlist)
    return top


def written_entries(playlist: List, ids: Mapping[str, str], report: Report) -> list[str]:
    """Return the entries of a playlist that is written, by the ids of the tracks in the file."""
    entries = [ids[key] for key in playlist.keys if key in ids]
    if len(entries) < len(playlist.keys):
        report.lose(playlist.name, "entries of a playlist", "their tracks are not exported")
    return entries
