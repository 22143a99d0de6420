"""The record of a sound file, by its own tags."""

from __future__ import annotations

from pathlib import Path

from sfa_engine.interchange.record import Record
from sfa_engine.library.tags import read_tags


def record_of(path: Path, key: str) -> Record:
    """Return the track of a sound file, without cues and grid. Blocks; raises OSError."""
    tags = read_tags(path)
    return Record(
        key,
        str(path.absolute()),
        title=tags.title,
        artist=tags.artist,
        album=tags.album,
        genre=tags.genre,
        year=tags.year,
        bpm=tags.bpm,
        musical_key=tags.key or "",
        duration_s=tags.duration_s,
        size_bytes=path.stat().st_size,
    )
