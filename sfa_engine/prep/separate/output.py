"""Writes stems as a folder of files or as a bundle, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from msgspec.structs import asdict, replace

from sfa_engine.errors import MediaError, Refused, did_you_mean
from sfa_engine.library.bundle import check_name, write_stems
from sfa_engine.prep.separate.chunks import Sound, forget
from sfa_engine.system.atomic import atomic_directory, check_replaceable
from sfa_engine.track.media import MANIFEST, Cue, Separation, Track
from sfa_engine.track.wav import wav_header

SIGN = "separation.json"  # what a folder of stems has, and no other
FORMATS = ("wav", "flac")
_KIND = f"folder with {SIGN}"
BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True)
class Stems:
    """Separated stems, and all that is known of them.

    Parameters
    ----------
    sounds : mapping of str to float32[frames, 2]
        By name; may be mapped files.
    rate : int
        Hz.
    separation : Separation
        The engine, model and version.
    decoder : mapping of str to str
        What decoded the track.
    title, artist : str
        From the track's tags.
    repaired_samples : int
        Samples of the track that were not finite.
    truncated : bool
        Whether the track was damaged.
    silent_seconds : float
        How much of it could not be decoded.
    """

    sounds: Mapping[str, Sound]
    rate: int
    separation: Separation
    decoder: Mapping[str, str]
    title: str
    artist: str
    repaired_samples: int
    truncated: bool
    silent_seconds: float = 0.0


class _StemSource:
    """One of the stems, as `sfa_engine.library.bundle.StemSource`."""

    def __init__(self, stems: Stems, name: str) -> None:
        self.title, self.artist = stems.title, stems.artist
        self.repaired_samples = stems.repaired_samples
        self.truncated = stems.truncated
        self.silent_seconds = stems.silent_seconds
        self.decoder = stems.decoder
        self._sound = stems.sounds[name]

    def __iter__(self) -> Iterator[Sound]:
        for begin in range(0, len(self._sound), BLOCK_FRAMES):
            yield np.array(self._sound[begin : begin + BLOCK_FRAMES])
            forget([self._sound])


def check_format(form: str) -> str:
    """Return the name of a format; Refused if it is not one of `FORMATS`."""
    if form not in FORMATS:
        raise Refused(f'no format "{form:.20}"', did_you_mean(form, FORMATS) or "wav or flac")
    return form


def check_folder(target: Path) -> None:
    """Raise MediaError if `write_folder` may not put its folder there."""
    check_replaceable(target, SIGN, _KIND)


def check_bundle(target: Path) -> None:
    """Raise MediaError if `write_bundle` may not put its bundle there."""
    check_name(target)
    check_replaceable(target, MANIFEST, "bundle")


def write_folder(target: Path, stems: Stems, form: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """Write stems as sound files into a folder, atomically.

    Parameters
    ----------
    target : Path
        The folder. One that is there is replaced if it is empty or was made by this function.
    stems : Stems
    form : str
        ``wav``: 32-bit floats, as separated. ``flac``: 24 bits, clipped at full scale.
    facts : mapping
        More values for ``separation.json``.

    Returns
    -------
    dict of str to str
        The file of each stem.
    """
    with atomic_directory(target, SIGN, _KIND) as folder:
        clipped = {}
        for name in stems.sounds:
            write = _write_wav if form == "wav" else _write_flac
            clipped[name] = write(folder / f"{name}.{form}", _StemSource(stems, name), stems)
        made = asdict(stems.separation)
        facts_written = {
            "title": stems.title,
            "artist": stems.artist,
            **{name: value for name, value in made.items() if value is not None},
            **facts,
            "clipped_samples": clipped,
        }
        text = json.dumps(facts_written, ensure_ascii=False, indent=1) + "\n"
        (folder / SIGN).write_bytes(text.encode("utf-8", "replace"))
    return {name: str(target / f"{name}.{form}") for name in stems.sounds}


def write_bundle(
    target: Path, stems: Stems, facts: Track, cues: Sequence[Cue] = ()
) -> dict[str, str]:
    """Write stems as a bundle, with tags where the facts have none; return the file of each."""
    frames = len(next(iter(stems.sounds.values())))
    track = replace(
        facts,
        frames=frames,
        stems=tuple(replace(stem, frames=frames) for stem in facts.stems),
        title=facts.title or stems.title,
        artist=facts.artist or stems.artist,
        separation=stems.separation,
    )
    write_stems(target, {name: _StemSource(stems, name) for name in stems.sounds}, track, cues)
    return {stem.name: str(target / stem.file) for stem in facts.stems}


def _write_wav(path: Path, part: _StemSource, stems: Stems) -> int:
    """Write 32-bit floats; nothing clips."""
    frames = len(next(iter(stems.sounds.values())))
    with path.open("wb") as file:
        file.write(wav_header(frames, stems.rate, "f32"))
        for block in part:
            file.write(block.astype("<f4", copy=False).data)
    return 0


def _write_flac(path: Path, part: _StemSource, stems: Stems) -> int:
    """Write 24-bit FLAC; return how many samples were beyond full scale."""
    clipped = 0
    try:
        with soundfile.SoundFile(path, "w", stems.rate, 2, "PCM_24", format="FLAC") as file:
            for block in part:
                clipped += int(np.count_nonzero(np.abs(block) > 1.0))
                file.write(np.clip(block, -1.0, 1.0))
    except soundfile.LibsndfileError as problem:
        raise MediaError(
            f'cannot write "{path.name}": {problem}', "look at the space there"
        ) from problem
    return clipped
