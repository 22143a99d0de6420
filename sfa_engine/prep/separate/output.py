"""Stems on their way out: a folder of files, or a bundle; it appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sfa_engine.audio.media import DESCRIPTION, Cue, Separation, Track
from sfa_engine.audio.wav import wav_header
from sfa_engine.errors import MediaError, Refused, did_you_mean
from sfa_engine.library.bundle import check_name, write_parts
from sfa_engine.library.draft import check_place, drafted
from sfa_engine.prep.separate.chunks import Sound, forget

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
        What parted them.
    decoder : mapping of str to str
        What decoded the track.
    title, artist : str
        From the track's tags.
    repaired_samples : int
        Samples of the track that were not numbers.
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


class _Part:
    """One of the stems, as `sfa_engine.library.bundle.Part`."""

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
    check_place(target, SIGN, _KIND)


def check_bundle(target: Path) -> None:
    """Raise MediaError if `write_bundle` may not put its bundle there."""
    check_name(target)
    check_place(target, DESCRIPTION, "bundle")


def write_folder(target: Path, stems: Stems, form: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """Write stems as sound files into a folder, which takes its place whole.

    Parameters
    ----------
    target : Path
        The folder. One that is there is replaced if it is empty or was made by this function.
    stems : Stems
    form : str
        ``wav``: 32-bit floats, as separated. ``flac``: 24 bits, clipped at full scale.
    facts : mapping
        What is written into ``separation.json`` besides.

    Returns
    -------
    dict of str to str
        The file of each stem.
    """
    with drafted(target, SIGN, _KIND) as draft:
        clipped = {}
        for name in stems.sounds:
            write = _write_wav if form == "wav" else _write_flac
            clipped[name] = write(draft / f"{name}.{form}", _Part(stems, name), stems)
        told = {
            "title": stems.title,
            "artist": stems.artist,
            **asdict(stems.separation),
            **facts,
            "clipped_samples": clipped,
        }
        text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
        (draft / SIGN).write_bytes(text.encode("utf-8", "replace"))
    return {name: str(target / f"{name}.{form}") for name in stems.sounds}


def write_bundle(
    target: Path, stems: Stems, facts: Track, cues: Sequence[Cue] = ()
) -> dict[str, str]:
    """Write stems as a bundle, with tags where the facts have none; return the file of each."""
    track = replace(
        facts,
        title=facts.title or stems.title,
        artist=facts.artist or stems.artist,
        separation=stems.separation,
    )
    write_parts(target, {name: _Part(stems, name) for name in stems.sounds}, track, cues)
    return {stem.name: str(target / stem.file) for stem in facts.stems}


def _write_wav(path: Path, part: _Part, stems: Stems) -> int:
    """Write 32-bit floats; nothing clips."""
    frames = len(next(iter(stems.sounds.values())))
    with path.open("wb") as file:
        file.write(wav_header(frames, stems.rate, "f32"))
        for block in part:
            file.write(block.astype("<f4", copy=False).data)
    return 0


def _write_flac(path: Path, part: _Part, stems: Stems) -> int:
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
