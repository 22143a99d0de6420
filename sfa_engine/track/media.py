"""The track on disk: the *bundle*, and the position of the sound in its files.

A bundle is a folder; `sfa_engine.library.bundle` writes it, this module reads it::

    Wren - Long Way Down.sfa/
        track.json      title, grid, key, cues, stems, digest     -> Track
        vocals.wav  ┐
        drums.wav   ├─  one stereo WAV for each stem              -> StemFile
        …           ┘   equal rate, format and length

Everything is checked: an invalid bundle is a `MediaError` that names the file, the value and what
to do. The sound itself is read by the host's loader, from `StemFile.offset_bytes` on. Knows the
desk's stem names; no decoder, no database, no event loop.
"""

from __future__ import annotations

import re
import reprlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from sfa_engine.desk.deck import HOT_CUES, STEMS
from sfa_engine.errors import MediaError, did_you_mean
from sfa_engine.track.grid import DRIFTS, SEAMS, Anchor, Grid, is_seam, within
from sfa_engine.track.wav import CHANNELS, HEADER_BYTES, PCM, parse_wav_header

VERSION = 2
VERSIONS = (1, 2)  # readable ones; 1 has no sections, and cues without end, number, color and stem
MANIFEST = "track.json"
WHOLE = "mix"  # the only stem of a track that was not separated
MAX_STEMS = len(STEMS) - 1
RATE = 48_000  # Hz, of the library unless the user sets another
RATES = (8_000, 192_000)  # Hz
GAINS = (-60.0, 60.0)  # dB
MAX_CUES, MAX_SECTIONS = 1000, 5000  # far more than two hours have
MAX_TEXT, MAX_LABEL = 1000, 200  # characters
MAX_STARS = 5
MAX_MANIFEST_BYTES = 8 << 20  # an hour of music with an anchor on each beat has 0.5 MB

_KEY = re.compile(r"[A-G][#b]? (?:major|minor)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_WANTED = {
    "str": "a text", "int": "a whole number", "float": "a finite number", "bool": "true or false",
    "array": "a list [...]", "object": "an object {...}",
}  # fmt: skip
_AGAIN = "prepare the track again with `sfa prep`"


class Cue(Struct, frozen=True, forbid_unknown_fields=True):
    """A cue or a loop.

    Parameters
    ----------
    position_frames : int
        Position in the track.
    label : str
        May be empty.
    kind : str
        ``drop``, ``break``, ``loop``, ``cue`` …
    end_frames : int, optional
        Of a loop: the frame after its last.
    hot_cue : int, optional
        Its number, 1..32.
    color : str
        ``#rrggbb``, or empty.
    stem : str, optional
        The stem of a loop; None: the whole track.
    by_hand : bool
        Whether the user made it.
    on_load : bool
        Whether a deck stands on it when the track is loaded.
    """

    position_frames: int
    label: str
    kind: str
    end_frames: int | None = None
    hot_cue: int | None = None
    color: str = ""
    stem: str | None = None
    by_hand: bool = False
    on_load: bool = False

    def __post_init__(self) -> None:
        _check_length("label of a cue", self.label, MAX_LABEL)
        _check_length("kind of a cue", self.kind, MAX_LABEL)
        if self.hot_cue is not None:
            within(f'hot_cue of cue "{self.label:.80}"', self.hot_cue, (1, HOT_CUES))
        if self.color and not _COLOR.fullmatch(self.color):
            raise MediaError(
                f'color of cue "{self.label:.80}" is "{self.color:.40}"', 'write it like "#ff8800"'
            )
        if self.stem is not None:
            check_stem_names([self.stem])


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a track, from `start_frames` to before `end_frames`: ``intro``, ``drop``."""

    start_frames: int
    end_frames: int
    label: str

    def __post_init__(self) -> None:
        _check_length("label of a section", self.label, MAX_LABEL)


class Stem(Struct, frozen=True, forbid_unknown_fields=True):
    """One stem, and what the import changed in it.

    Parameters
    ----------
    name : str
        One of the desk's stem names.
    file : str
        Name of the WAV inside the bundle.
    frames : int
        Length; that of the track.
    clipped_samples, repaired_samples : int
        Number of changed samples: beyond full scale, or not finite.
    padded_frames : int
        Silence added at the end, because another stem is longer.
    truncated : bool
        Whether the source file was damaged or truncated.
    silent_frames : int
        Number of frames that could not be decoded and are silent.
    """

    name: str
    file: str
    frames: int
    clipped_samples: int = 0
    repaired_samples: int = 0
    padded_frames: int = 0
    truncated: bool = False
    silent_frames: int = 0

    def __post_init__(self) -> None:
        if self.file in {"", ".", ".."} or set(self.file) & set("/\\\0"):
            raise MediaError(
                f'file {self.file[:80]!r} of stem "{self.name:.80}" is not in the bundle',
                "name a file of the bundle's folder, without a path",
            )
        counts = self.clipped_samples, self.repaired_samples, self.padded_frames
        for count in (*counts, self.silent_frames):
            within(f'a count of stem "{self.name:.80}"', count, (0, 1 << 41))


class Decoder(Struct, frozen=True, forbid_unknown_fields=True):
    """The program that made the PCM, its version, and what it did with an encoder's delay.

    `delay` is ``none`` (the format has none), ``removed`` (the file states it) or ``unknown``.
    """

    name: str
    version: str
    delay: str


class Separation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The engine, model and version that separated the stems, and whether they are a sketch.

    `preview` has the first frame and the end of the only part that was separated, for auditioning;
    outside it the mix is in the stem ``other``, or in the last one. None: all was separated.
    """

    engine: str
    model: str
    version: str
    sketch: bool = False
    preview: tuple[int, int] | None = None


class Track(Struct, frozen=True, forbid_unknown_fields=True):
    """The manifest, ``track.json``.

    Parameters
    ----------
    title, artist : str
        May be empty.
    rate : int
        Hz, of every stem.
    frames : int
        Length of every stem.
    pcm : str
        ``"s16"`` or ``"f32"``, of every stem.
    stems : tuple of Stem
        One to six; ``mix`` only alone.
    digest : str
        SHA-256, in hexadecimal, over the PCM bytes of the stems in this order.
    grid : Grid, optional
        None: no beats are known.
    key : str, optional
        ``"A minor"``; None: not known.
    gain_db : float
        To the target loudness.
    cues : tuple of Cue
        Each inside the track.
    decoder : Decoder, optional
        None: the PCM was synthesised.
    album : str
        May be empty.
    sections : tuple of Section
        Each inside the track, in order.
    grid_by_hand : bool
        Whether the user set the grid, or may have.
    uuid : str
        Of the track in its library; empty: not in one yet.
    content_hash : str
        Identity of the source file's sound; empty: unknown.
    separation : Separation, optional
        What separated the stems; None: they were imported, or there is one.
    headroom_db : float
        Attenuation of the PCM against its source, so that no peak is clipped.
    rating : int
        Stars from 1 to 5; 0 is not rated.
    comment, color : str
        By the user; may be empty.
    """

    title: str
    artist: str
    rate: int
    frames: int
    pcm: str
    stems: tuple[Stem, ...]
    digest: str
    grid: Grid | None = None
    key: str | None = None
    gain_db: float = 0.0
    cues: tuple[Cue, ...] = ()
    decoder: Decoder | None = None
    album: str = ""
    sections: tuple[Section, ...] = ()
    grid_by_hand: bool = True
    uuid: str = ""
    content_hash: str = ""
    separation: Separation | None = None
    headroom_db: float = 0.0
    rating: int = 0
    comment: str = ""
    color: str = ""

    def __post_init__(self) -> None:
        for name in ("title", "artist", "album", "comment", "color"):
            _check_length(name, getattr(self, name), MAX_TEXT)
        within("number of cues", len(self.cues), (0, MAX_CUES))
        within("number of sections", len(self.sections), (0, MAX_SECTIONS))
        within("rating", self.rating, (0, MAX_STARS))
        within("rate_hz", self.rate, RATES)
        within("frames", self.frames, (1, 1 << 40))
        within("gain_db", self.gain_db, GAINS)
        within("headroom_db", self.headroom_db, (0.0, GAINS[1]))
        if self.pcm not in PCM:
            raise MediaError(f'pcm is "{self.pcm}"', f"it is one of {', '.join(PCM)}")
        if not _DIGEST.fullmatch(self.digest):
            raise MediaError(f'digest is "{self.digest:.80}"', "it is 64 hexadecimal digits")
        if self.key is not None and not _KEY.fullmatch(self.key):
            raise MediaError(f'key is "{self.key:.40}"', 'write it like "A minor" or "F# major"')
        check_stem_names([stem.name for stem in self.stems])
        for stem in self.stems:
            if stem.frames != self.frames:
                raise MediaError(
                    f'stem "{stem.name}" has {stem.frames} frames and the track {self.frames}',
                    _AGAIN,
                )
        files = [stem.file for stem in self.stems]
        if len(set(files)) < len(files):
            raise MediaError(f"two stems have one file: {', '.join(files)}", _AGAIN)
        for cue in self.cues:
            start = cue.position_frames
            within(f'position of cue "{cue.label:.80}"', start, (0, self.frames - 1))
            if cue.end_frames is not None:
                within(f'end of loop "{cue.label:.80}"', cue.end_frames, (start + 1, self.frames))
        for part in self.sections:
            start = part.start_frames
            within(f'start of section "{part.label:.80}"', start, (0, self.frames - 1))
            within(f'end of section "{part.label:.80}"', part.end_frames, (start + 1, self.frames))
        if self.separation is not None and self.separation.preview is not None:
            start, end = self.separation.preview
            within("start of the preview", start, (0, self.frames - 1))
            within("end of the preview", end, (start + 1, self.frames))
        if self.grid is not None:
            check_drifts(self.grid, self.rate)


def check_drifts(grid: Grid, rate: int) -> None:
    """Raise MediaError if the tempo between two anchors of a grid is out of range."""
    for before, after in pairwise(grid.anchors):
        if is_seam(before, after, rate):
            within("beats jumped by the grid", after.beat - before.beat, SEAMS)
            continue
        beats = (after.beat - before.beat) * 60.0 * rate
        within("tempo between two anchors", beats / (after.frame - before.frame), DRIFTS)


_RECORDS = {
    "stems": Stem, "cues": Cue, "sections": Section, "grid": Grid, "anchors": Anchor,
    "decoder": Decoder, "separation": Separation,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StemFile:
    """The PCM of a stem in its file: interleaved stereo, little-endian.

    Parameters
    ----------
    path : Path
        The WAV file.
    offset_bytes : int
        Of the first sample.
    frames : int
        Length.
    dtype : numpy.dtype
        ``<i2`` or ``<f4``, of one sample.
    """

    path: Path
    offset_bytes: int
    frames: int
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle: its folder, its manifest, and the stems' files in order."""

    path: Path
    track: Track
    stems: tuple[StemFile, ...]


def _check_length(what: str, text: str, most: int) -> None:
    """Raise MediaError if a text is too long: it is part of every answer."""
    if len(text) > most:
        raise MediaError(f"{what} has {len(text)} characters", f"give up to {most}")


def check_stem_names(names: list[str]) -> None:
    """Raise MediaError unless the names are valid stems of one track."""
    for name in names:
        if name not in STEMS:
            raise MediaError(
                f'no stem "{name:.80}"',
                did_you_mean(name[:80], STEMS) or f"the names are {', '.join(STEMS)}",
            )
        if names.count(name) > 1:
            raise MediaError(f'duplicate stem "{name}"', "keep one")
    if WHOLE in names and len(names) > 1:
        raise MediaError(
            f'stem "{WHOLE}" together with {", ".join(n for n in names if n != WHOLE)}',
            f'"{WHOLE}" is the only stem of a track without stems; leave it out',
        )
    if not names:
        raise MediaError("no stem", f"give 1 to {MAX_STEMS} of {', '.join(STEMS)}")


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle's manifest and check it against its files.

    Parameters
    ----------
    path : str or Path
        The bundle's folder.

    Returns
    -------
    Bundle
        The sound is located but not read.

    Raises
    ------
    MediaError
        Anything is missing, unreadable, or not as stated.
    """
    folder = Path(path)
    try:
        if not folder.is_dir():
            there = "is not a folder" if folder.exists() else "does not exist"
            raise MediaError(f'bundle "{folder}" {there}', "a bundle is a folder NAME.sfa")
        with _naming(folder / MANIFEST):
            track = parse_track(_head(folder / MANIFEST, MAX_MANIFEST_BYTES + 1)[0])
        return Bundle(folder, track, tuple(_locate(folder, track, stem) for stem in track.stems))
    except (OSError, RuntimeError) as problem:  # pathlib raises it for a loop of links
        reason = getattr(problem, "strerror", None) or problem
        raise MediaError(
            f'cannot read bundle "{folder}": {reason}', "check its owner, permissions and links"
        ) from problem


def _locate(folder: Path, track: Track, stem: Stem) -> StemFile:
    """Locate a stem's PCM, and check its WAV against the manifest."""
    path = folder / stem.file
    with _naming(path):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise MediaError("is a link that leads out of the bundle", "copy the file into it")
        header = parse_wav_header(*_head(path, HEADER_BYTES))
        for what, found, wanted in (
            ("channels", header.channels, CHANNELS),
            ("rate in Hz", header.rate, track.rate),
            ("format", header.pcm, track.pcm),
            ("length in frames", header.frames, track.frames),
        ):
            if found != wanted:
                raise MediaError(f"its {what} is {found}, and {MANIFEST} says {wanted}", _AGAIN)
    return StemFile(path, header.offset_bytes, header.frames, PCM[track.pcm])


def read_wav(path: Path) -> tuple[int, StemFile]:
    """Return rate in Hz and place of the PCM of a stereo WAV file, of 16-bit integers or floats.

    Raises
    ------
    MediaError
        It is something else, cannot be read, or is not as stated.
    """
    try:
        with _naming(path):
            header = parse_wav_header(*_head(path, HEADER_BYTES))
            if header.channels != CHANNELS:
                raise MediaError(f"has {header.channels} channels", "make it stereo")
    except (OSError, ValueError, RuntimeError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise MediaError(f'cannot read "{path}": {reason}', "check its name and rights") from None
    return header.rate, StemFile(path, header.offset_bytes, header.frames, PCM[header.pcm])


def _head(path: Path, most_bytes: int) -> tuple[bytes, int]:
    """Return the first bytes of a regular file, and its size."""
    try:
        status = path.stat()
    except FileNotFoundError as problem:
        raise MediaError("is missing", _AGAIN) from problem
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("is not a regular file", _AGAIN)
    with path.open("rb") as file:
        return file.read(most_bytes), status.st_size


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Prefix errors of the block with the name of a file."""
    try:
        yield
    except MediaError as problem:
        raise MediaError(f'"{path}": {problem.message}', problem.hint) from problem


def parse_track(text: bytes) -> Track:
    """Parse a ``track.json``: a `Track` in JSON, and its ``version``.

    Parameters
    ----------
    text : bytes
        JSON in UTF-8.

    Returns
    -------
    Track
        Consistent in itself; not yet checked against its files.

    Raises
    ------
    MediaError
        It is not JSON, or a field is unknown, missing, of a wrong type, or out of range.
    """
    if len(text) > MAX_MANIFEST_BYTES:
        raise MediaError(f"is longer than {MAX_MANIFEST_BYTES} bytes", _AGAIN)
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as problem:
        raise MediaError(f"is not valid JSON: {problem!s:.200}", _AGAIN) from problem
    version = value.pop("version", None) if isinstance(value, dict) else VERSION
    if type(version) is not int or version not in VERSIONS:
        known = " and ".join(str(number) for number in VERSIONS)
        raise MediaError(
            f"has version {reprlib.repr(version)}, this engine reads {known}",
            f"update the engine, or {_AGAIN}",
        )
    for name, most in (("cues", MAX_CUES), ("sections", MAX_SECTIONS), ("stems", len(STEMS))):
        # first, because building each of 100,000 cues takes longer than reading them
        if isinstance(value, dict) and isinstance(many := value.get(name), list):
            within(f"number of {name}", len(many), (0, most))
    try:
        return msgspec.convert(value, Track)
    except msgspec.ValidationError as problem:
        raise _invalid(value, str(problem)) from None


def _invalid(value: Any, problem: str) -> MediaError:
    """Return the error for a message of msgspec, with the value and what to do."""
    said, _, path = problem.partition(" - at `$")
    path = path.rstrip("`")
    kind: Any = Track
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        value = value[name] if name else value[int(index)]
        kind = _RECORDS.get(name, kind)
    where = f"track{path}"
    words = re.findall("`(.*?)`", said)
    if said.startswith("Object contains unknown field"):
        known = kind.__struct_fields__
        hint = did_you_mean(words[0][:80], known) or f"the keys are {', '.join(known)}"
        return MediaError(f'{where} has an unknown key "{words[0]:.80}"', hint)
    if said.startswith("Object missing required field"):
        return MediaError(f'{where} has no "{words[0]}"', _AGAIN)
    expected = words[0].partition(" ")[0] if words else "float"  # out of range
    wanted = _WANTED.get(expected, expected)
    return MediaError(f"{where} is {reprlib.repr(value)}", f"it is {wanted}")
