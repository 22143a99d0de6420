"""The neutral record between all formats: tracks, cues, grids, playlists, and what was lost.

A reader makes a `Collection` of a file, a writer makes a file of one. Positions are seconds of our
decoder's line, grids are in frames at `GRID_RATE`; where another program counts an MP3's first
frames, its positions are moved when they are read and written, see
`sfa_engine.interchange.mp3_shift`. Whatever a format cannot hold, or a file has wrong, is a `Loss`
and costs that one field, never the track. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

GRID_RATE = 48_000  # Hz, of the frames of a record's grid


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that does not come over.

    Parameters
    ----------
    where : str
        The track or playlist as a person knows it; empty: the whole file.
    what : str
        ``hot cue 9``, ``colour``, ``grid`` …
    why : str
        In words, without a full stop.
    """

    where: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Record:
    """A track as programs exchange it; what is unknown is empty or None.

    Parameters
    ----------
    key : str
        What playlists of the same file name it by; unique in a `Collection`.
    location : str
        Path of its file as the other program wrote it, decoded: ``/Volumes/b.mp3``, ``C:/b.mp3``.
    title, artist, album, genre, label, comment : str
        Several artists or genres are one text, with commas between them.
    year : int, optional
    bpm : float, optional
        As displayed there; the grid counts more.
    musical_key : str
        In our spelling, ``A minor``.
    duration_s : float, optional
    size_bytes : int, optional
    rating : int, optional
        Stars from 0 to 5.
    color : str
        ``#rrggbb``.
    play_count : int, optional
    played_at, added_at : float, optional
        Seconds since 1970, UTC.
    grid : Grid, optional
        In frames at `GRID_RATE`.
    cues : tuple of Cue
        By position.
    stems : tuple of (str, str)
        Our names of the separated stems, each with the path of its file.
    extra : mapping
        What only our own formats have, as plain values; other readers leave it empty.
    """

    key: str
    location: str = ""
    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    label: str = ""
    comment: str = ""
    year: int | None = None
    bpm: float | None = None
    musical_key: str = ""
    duration_s: float | None = None
    size_bytes: int | None = None
    rating: int | None = None
    color: str = ""
    play_count: int | None = None
    played_at: float | None = None
    added_at: float | None = None
    grid: Grid | None = None
    cues: tuple[Cue, ...] = ()
    stems: tuple[tuple[str, str], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``Artist - Title``, or what there is of it: how a report names the track."""
        return " - ".join(filter(None, (self.artist, self.title))) or self.location or self.key


@dataclass(frozen=True, slots=True)
class List:
    """A playlist: its name, the folders above it from the outermost, and the keys of its tracks."""

    name: str
    folders: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collection:
    """What a file of another program holds, and what of it could not be read."""

    tracks: tuple[Record, ...] = ()
    playlists: tuple[List, ...] = ()
    losses: tuple[Loss, ...] = ()


def moved(record: Record, by_s: float) -> tuple[Record, list[Loss]]:
    """Move all positions of a track: cues, loops, grid.

    Parameters
    ----------
    record : Record
    by_s : float
        Seconds; positive is later.

    Returns
    -------
    tuple of Record and list of Loss
        A cue that would be before the start is put there; a loop that would end there is lost.
    """
    if not by_s:
        return record, []
    losses: list[Loss] = []
    cues: list[Cue] = []
    for cue in record.cues:
        end_s = None if cue.end_s is None else cue.end_s + by_s
        try:
            cues.append(replace(cue, position_s=max(0.0, cue.position_s + by_s), end_s=end_s))
        except Refused:
            losses.append(Loss(record.name, cue_name(cue), "it is outside of the sound"))
    grid = record.grid
    if grid is not None:
        frames = by_s * GRID_RATE
        anchors = tuple(Anchor(anchor.frame + frames, anchor.beat) for anchor in grid.anchors)
        grid = Grid(anchors, grid.bpm, grid.beats_per_bar)
    return replace(record, cues=tuple(cues), grid=grid), losses


def cue_name(cue: Cue) -> str:
    """Return how a report names a cue: ``hot cue 3``, ``loop at 61.25 s``."""
    if cue.slot is not None:
        return f"hot cue {cue.slot}"
    return f"{'cue' if cue.end_s is None else 'loop'} at {cue.position_s:.2f} s"
