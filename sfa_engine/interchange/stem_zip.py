"""Stems of a track as a zip, written from first to last: FLAC or WAV, with an ``info.json``.

The files are stored: FLAC is compressed, and a mix deflates to 83 %. All stems begin at the same
frame and have one length and rate, so that they add up to the mix.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import soundfile

from sfa_engine.errors import MediaError
from sfa_engine.interchange.described import described
from sfa_engine.interchange.record import Collection, Loss, Record
from sfa_engine.interchange.texts import written
from sfa_engine.system.file_names import safe_name

PIECE_FRAMES = 1 << 16
PIECE_BYTES = 1 << 20
BITS = {"PCM_16": "PCM_16"}  # of FLAC by those of a WAV; what has more gets 24
LICENCE = "the rights of the recording and of the work apply to its stems too"


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write the stems of one track as FLAC.

    Raises
    ------
    MediaError
        It has no stems here, or they cannot be read or written.
    """
    return write_stems(collection, path, is_flac=True)


def write_stems(collection: Collection, path: Path, *, is_flac: bool) -> list[Loss]:
    """Write the stems of one track; see `write`."""
    (track,) = collection.tracks
    if not track.stems:
        raise MediaError(f'"{track.name}" is not imported', "prepare it with `sfa prep`")
    folder = safe_name(track.name)
    try:
        shape = _shape(track)
        with written(path) as part, zipfile.ZipFile(part, "w", allowZip64=True) as archive:
            info = {**described(track), **shape, "licence": LICENCE}
            text = msgspec.json.format(msgspec.json.encode(info), indent=1)
            archive.writestr(f"{folder}/info.json", text)
            for name, file in track.stems:
                _add(archive, f"{folder}/{safe_name(name)}", Path(file), is_flac=is_flac)
    except (soundfile.LibsndfileError, zipfile.LargeZipFile) as error:
        raise MediaError(
            f'"{track.name}": {error}', "check the free space, and the track"
        ) from None
    return []


def _shape(track: Record) -> dict[str, Any]:
    """Return rate, length and names of the stems; they have to be alike.

    Raises
    ------
    MediaError
        They are not, or one is not there.
    """
    shapes = set()
    for _, file in track.stems:
        try:
            about = soundfile.info(file)
        except soundfile.LibsndfileError as error:
            raise MediaError(f'cannot read "{file}": {error}', "see `sfa library check`") from None
        shapes.add((about.samplerate, about.frames))
    if len(shapes) != 1:
        raise MediaError(f'the stems of "{track.name}" differ in length', "prepare it again")
    ((rate, frames),) = shapes
    return {"rate": rate, "frames": frames, "stems": [name for name, _ in track.stems]}


def _add(archive: zipfile.ZipFile, name: str, file: Path, *, is_flac: bool) -> None:
    if not is_flac:
        with archive.open(f"{name}.wav", "w", force_zip64=True) as out, file.open("rb") as wav:
            shutil.copyfileobj(wav, out, PIECE_BYTES)
        return
    # FLAC states its length at the beginning: the encoder has to go back there at the end.
    with tempfile.TemporaryFile(dir=Path(str(archive.filename)).parent) as made:
        _encode(file, made)
        made.seek(0)
        with archive.open(f"{name}.flac", "w", force_zip64=True) as out:
            shutil.copyfileobj(made, out, PIECE_BYTES)


def _encode(file: Path, made: Any) -> None:
    with soundfile.SoundFile(file) as wav:
        subtype = BITS.get(wav.subtype, "PCM_24")
        with soundfile.SoundFile(
            made, "w", wav.samplerate, wav.channels, subtype, format="FLAC"
        ) as flac:
            # Integers pass as they are: by floats a full-scale sample would be rounded.
            kind = "int16" if subtype == "PCM_16" else "float64"
            for piece in wav.blocks(PIECE_FRAMES, dtype=kind):
                flac.write(piece)
