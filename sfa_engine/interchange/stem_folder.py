"""Folders of stems: a folder with a file for each stem, or one with such folders in it."""

from __future__ import annotations

from pathlib import Path

from sfa_engine.errors import MediaError
from sfa_engine.interchange.record import Collection, Loss, Record
from sfa_engine.library.sources import stem_sources
from sfa_engine.library.tags import names_of
from sfa_engine.system.sound_files import SOUND_FILES

MIN_STEMS = 2  # that make a folder one track
MAX_FOLDERS = 100_000


def read(path: Path) -> Collection:
    """Read a folder, or the folders in it; each that has stems is a track.

    Raises
    ------
    MediaError
        Neither the folder nor one in it has stems.
    """
    if not path.is_dir():
        raise MediaError(f'"{path}" is not a folder', "name a folder of stems")
    if _has_sound(path):
        return Collection((_record(path),))
    tracks, losses = [], []
    try:
        folders = sorted(each for each in path.iterdir() if each.is_dir())[:MAX_FOLDERS]
    except OSError as error:
        raise MediaError(f'cannot read "{path}": {error.strerror}', "name another folder") from None
    for folder in folders:
        if folder.name.startswith(".") or not _has_sound(folder):
            continue
        try:
            tracks.append(_record(folder))
        except MediaError as error:
            losses.append(Loss(folder.name, "track", error.message))
    if not tracks:
        raise MediaError(
            f'no folder of stems in "{path}"', "each file has to have a stem in its name: drums.wav"
        )
    return Collection(tuple(tracks), losses=tuple(losses))


def _has_sound(folder: Path) -> bool:
    try:
        return any(each.suffix.lower() in SOUND_FILES for each in folder.iterdir())
    except OSError:
        return False


def _record(folder: Path) -> Record:
    stems = stem_sources(folder)
    if len(stems) < MIN_STEMS:
        raise MediaError(f'"{folder}" has one stem alone', "a track has two or more")
    location = str(folder.absolute())
    artist, title = names_of(folder.name)
    files = tuple((name, str(file)) for name, file in stems.items())
    return Record(location, location, title=title, artist=artist, stems=files)
