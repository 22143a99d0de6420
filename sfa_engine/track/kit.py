"""A kit: a folder with the sounds of the sampler's pads as WAV files, and ``kit.json``.

::

    <data>/kits/NAME/
        kit.json     {"version": 1, "name": "NAME", "pads": [{"pad": 1, "file": "01.wav", …}]}
        01.wav       of pad 1: stereo PCM; the pad plays `frames` of it from `start` on

A file that is missing or damaged leaves its own pad empty. Knows the desk's numbers, no process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct, structs

from sfa_engine.desk.control import MAX_NAME
from sfa_engine.desk.desk import PADS
from sfa_engine.errors import MediaError, Refused
from sfa_engine.system.atomic import atomic_directory, sync, write_durably
from sfa_engine.track.media import StemFile, read_bundle, read_wav
from sfa_engine.track.wav import PCM, wav_header

MANIFEST = "kit.json"
VERSION = 1
MAX_MANIFEST_BYTES = 1 << 20
AROUND = 512  # frames of a track that are kept before and after a slice, for its seams
MAX_LENGTH_S = 600.0  # of a pad's sound: 230 MB as floats
CHUNK = 1 << 16  # frames that are copied at a time
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")
_AGAIN = "save the kit again with `sfa kit save`"


class KitPad(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A pad of a kit.

    Attributes
    ----------
    pad : int
        From 1.
    file : str
        Name of its WAV in the kit's folder.
    start, frames : int
        The stretch of it that the pad plays; 0 frames: all of it.
    gain : float
        A factor.
    label, color : str
        May be empty.
    settings : dict of str to float or str
        Of the pad's controls, those that are not at rest; of a choice, the word.
    """

    pad: int
    file: str
    start: int = 0
    frames: int = 0
    gain: float = 1.0
    label: str = ""
    color: str = ""
    settings: dict[str, float | str] = {}

    def __post_init__(self) -> None:
        if not 1 <= self.pad <= PADS:
            raise MediaError(f"has pad {self.pad}", f"there are {PADS}; {_AGAIN}")
        if self.file in {"", ".", ".."} or set(self.file) & set("/\\\0"):
            raise MediaError(f"has file {self.file[:80]!r}", "name a file of the kit's folder")
        if not (0 <= self.start <= 1 << 40 and 0 <= self.frames <= 1 << 40):
            raise MediaError(f"has a stretch of {self.frames} frames", _AGAIN)
        if not 0.0 <= self.gain <= 100.0 or len(self.label) > MAX_NAME or len(self.color) > 7:
            raise MediaError(f"has an invalid gain, label or colour of pad {self.pad}", _AGAIN)


class Kit(Struct, frozen=True, forbid_unknown_fields=True):
    """The manifest, ``kit.json``."""

    version: int
    name: str
    pads: tuple[KitPad, ...] = ()

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise MediaError(f"has version {self.version}, this engine reads {VERSION}", _AGAIN)
        numbers = [pad.pad for pad in self.pads]
        if len(set(numbers)) < len(numbers):
            raise MediaError("names a pad twice", _AGAIN)


class Source(Struct, frozen=True):
    """Where the sound of a pad is to be copied from: see `host.pads.Sound`."""

    pad: int
    path: str
    stems: tuple[str, ...] = ()
    start: int = 0
    frames: int = 0
    gain: float = 1.0
    label: str = ""
    color: str = ""
    settings: dict[str, float | str] = {}


def check_name(name: str) -> str:
    """Return the name of a kit, or refuse it: it is a folder's."""
    if not NAME.fullmatch(name) or name.endswith((".", " ")):
        raise Refused(
            f"{name!r:.70} is not a name for a kit",
            "use up to 60 letters, digits, spaces, dots, hyphens and underscores",
        )
    return name


def read_kit(folder: Path) -> Kit:
    """Read the manifest of a kit; its sounds are not looked at.

    Raises
    ------
    MediaError
        There is none, or it is not valid; the message names the folder.
    """
    try:
        with (folder / MANIFEST).open("rb") as file:
            text = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        raise MediaError(f'no kit "{folder.name}"', "list them: `sfa kit list`") from None
    except OSError as error:
        raise MediaError(
            f'cannot read kit "{folder}": {error.strerror}', "check its rights"
        ) from None
    if len(text) > MAX_MANIFEST_BYTES:
        raise MediaError(f'kit "{folder}" is longer than {MAX_MANIFEST_BYTES} bytes', _AGAIN)
    try:
        return msgspec.json.decode(text, type=Kit)
    except MediaError as error:
        raise MediaError(f'kit "{folder}" {error.message}', error.hint) from None
    except (ValueError, RecursionError) as error:
        raise MediaError(f'kit "{folder}" is not valid: {error!s:.200}', _AGAIN) from None


def write_kit(folder: Path, name: str, sources: Sequence[Source]) -> Kit:
    """Write a kit atomically, in place of one of its name; its sounds are copied.

    Raises
    ------
    MediaError
        A sound cannot be read, or the kit not be written; an earlier one is unchanged.
    """
    with atomic_directory(folder, MANIFEST, "kit") as part:
        pads = []
        for source in sorted(sources, key=lambda each: each.pad):
            file = f"{source.pad:02}.wav"
            start, frames = _copy(source, part / file)
            pads.append(
                KitPad(
                    source.pad, file, start, frames, source.gain, source.label, source.color,
                    source.settings,
                )
            )  # fmt: skip
        kit = Kit(VERSION, name, tuple(pads))
        _write_manifest(part, kit)
    return kit


def rename_manifest(folder: Path, name: str) -> None:
    """Write another name into the manifest of a kit."""
    write_durably(folder / MANIFEST, _encoded(structs.replace(read_kit(folder), name=name)))


def _write_manifest(folder: Path, kit: Kit) -> None:
    path = folder / MANIFEST
    path.write_bytes(_encoded(kit))
    sync(path)


def _encoded(kit: Kit) -> bytes:
    return msgspec.json.format(msgspec.json.encode(kit), indent=2) + b"\n"


def sound_files(path: Path, names: Sequence[str]) -> tuple[float, list[StemFile]]:
    """Return rate and PCM of a sound: one WAV file, or stems of a bundle if these are named.

    Raises
    ------
    MediaError
        It cannot be read, or has no such stem.
    """
    if not names:
        try:
            rate, file = read_wav(path)
        except MediaError as error:  # its hint is about tracks
            raise MediaError(error.message, "load another file") from None
        return float(rate), [file]
    bundle = read_bundle(path)
    there = [stem.name for stem in bundle.track.stems]
    files = dict(zip(there, bundle.stems, strict=True))
    missing = [name for name in names if name not in files]
    if missing:
        raise MediaError(f'{path} has no stem "{missing[0]}"', f"it has {', '.join(there)}")
    return float(bundle.track.rate), [files[name] for name in names]


def surroundings(start: int, frames: int, total: int) -> tuple[int, int, int, int]:
    """Return a stretch within a file, and the frames around it that are kept for its seams.

    Returns
    -------
    start, frames, low, high : int
        The stretch, and what is read: from low up to high.
    """
    begin = min(start, total)
    length = min(frames or total, total - begin)
    around = AROUND if frames else 0
    return begin, length, max(0, begin - around), min(total, begin + length + around)


def check_length(frames: int, rate: float, name: str) -> None:
    """Raise MediaError for no sound at all, and Refused for one that is too long for a pad."""
    if frames < 1:
        raise MediaError(f"{name} has no sound: 0 frames", "load another file")
    if frames > MAX_LENGTH_S * rate:
        raise Refused(
            f"{name} is {frames / rate:.0f} s long",
            f"a pad has up to {MAX_LENGTH_S:g} s; cut it, or load a slice of it",
        )


def _copy(source: Source, target: Path) -> tuple[int, int]:
    """Write the sound of a pad into a WAV file; return the stretch of it that the pad plays."""
    rate, stems = sound_files(Path(source.path), source.stems)
    start, frames, low, high = surroundings(source.start, source.frames, stems[0].frames)
    check_length(frames, rate, source.path)
    kind = "f32" if len(stems) > 1 else next(k for k, v in PCM.items() if v == stems[0].dtype)
    with target.open("wb") as file:
        file.write(wav_header(high - low, round(rate), kind))
        for at in range(low, high, CHUNK):
            file.write(_mixed(stems, at, min(high, at + CHUNK)).tobytes())
    sync(target)
    return start - low, frames if high - low > frames else 0


def _mixed(stems: Sequence[StemFile], low: int, high: int) -> npt.NDArray[Any]:
    """Return a stretch of PCM: of one file as it is, of several added up as floats."""
    if len(stems) == 1:
        return _read(stems[0], low, high)
    mixed = np.zeros((high - low, 2), np.float32)
    for stem in stems:
        one = _read(stem, low, high)
        mixed += one if one.dtype == np.float32 else one / np.float32(32768.0)
    return mixed


def _read(stem: StemFile, low: int, high: int) -> npt.NDArray[Any]:
    frame_bytes = 2 * stem.dtype.itemsize
    with _naming(stem.path), stem.path.open("rb") as file:
        file.seek(stem.offset_bytes + low * frame_bytes)
        data = file.read((high - low) * frame_bytes)
        if len(data) < (high - low) * frame_bytes:
            raise MediaError(f"{stem.path} has become shorter", "load the pad again")
    return np.frombuffer(data, stem.dtype).reshape(-1, 2)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}", "load the pad again") from None


def described(folder: Path, kit: Kit) -> list[Mapping[str, Any]]:
    """Return the pads of a kit with the paths of their files, for a pad to load."""
    return [{**structs.asdict(pad), "path": str(folder / pad.file)} for pad in kit.pads]
