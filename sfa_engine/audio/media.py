"""A track as it lies on disk: the *bundle*, and where its sound begins in each file.

A bundle is a folder; `sfa_engine.library.bundle` writes it, this module reads it::

    Wren - Long Way Down.sfa/
        track.json      title, grid, key, cues, stems, digest     -> Track
        vocals.wav  ┐
        drums.wav   ├─  one stereo WAV for each stem              -> StemFile
        …           ┘   equal rate, format and length

Nothing is believed: what does not fit is a `MediaError` that names the file, the value and
what to do. The sound itself is read by the host's loader, from `StemFile.offset_bytes` on.
Knows stem names from the desk; no decoder, no database, no event loop.
"""

from __future__ import annotations

import json
import re
import reprlib
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from sfa_engine.audio.grid import DRIFTS, Grid, within
from sfa_engine.audio.wav import CHANNELS, HEADER_BYTES, PCM, parse_wav_header
from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import MediaError, did_you_mean

VERSION = 2
VERSIONS = (1, 2)  # that are read; 1 has no sections, and cues without end, slot, colour and stem
DESCRIPTION = "track.json"
WHOLE = "mix"  # the only stem of a track that was not separated
MOST_STEMS = len(STEMS) - 1
HOT_CUES = 8
RATES = (8_000, 192_000)  # Hz
GAINS = (-60.0, 60.0)  # dB
MOST_CUES, MOST_SECTIONS = 1000, 5000  # many times what two hours have
MOST_TEXT, MOST_LABEL = 1000, 200  # characters
MOST_STARS = 5
DESCRIPTION_BYTES = 8 << 20  # an hour of music with an anchor on each beat has 0.5 MB

_KEY = re.compile(r"[A-G][#b]? (?:major|minor)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: could not be written again
_WANTED = {str: "a text", int: "a whole number", float: "a finite number", bool: "true or false"}
_AGAIN = "prepare the track again with `sfa prep`"


@dataclass(frozen=True, slots=True)
class Cue:
    """A marked place, or a stretch to loop.

    Parameters
    ----------
    position_frames : int
        Place in the track.
    label : str
        To read; may be empty.
    kind : str
        ``drop``, ``break``, ``loop``, ``cue`` …
    end_frames : int, optional
        Of a loop: the frame that is the start again.
    hot_cue : int, optional
        The button that it is on, 1..8.
    color : str
        ``#rrggbb``, or empty.
    stem : str, optional
        The stem that a loop is of; None: the whole track.
    by_hand : bool
        Whether a person made it.
    """

    position_frames: int
    label: str
    kind: str
    end_frames: int | None = None
    hot_cue: int | None = None
    color: str = ""
    stem: str | None = None
    by_hand: bool = False

    def __post_init__(self) -> None:
        _check_length("label of a cue", self.label, MOST_LABEL)
        _check_length("kind of a cue", self.kind, MOST_LABEL)
        if self.hot_cue is not None:
            within(f'hot_cue of cue "{self.label:.80}"', self.hot_cue, (1, HOT_CUES))
        if self.color and not _COLOR.fullmatch(self.color):
            raise MediaError(
                f'color of cue "{self.label:.80}" is "{self.color:.40}"', 'write it like "#ff8800"'
            )
        if self.stem is not None:
            check_stem_names([self.stem])


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a track's form, from `start_frames` to before `end_frames`: ``intro``, ``drop``."""

    start_frames: int
    end_frames: int
    label: str

    def __post_init__(self) -> None:
        _check_length("label of a section", self.label, MOST_LABEL)


@dataclass(frozen=True, slots=True)
class Stem:
    """One separated part, and what happened to it when it was written.

    Parameters
    ----------
    name : str
        One of the desk's stem names.
    file : str
        Name of the WAV inside the bundle.
    frames : int
        Length; that of the track.
    clipped_samples, repaired_samples : int
        How many samples were beyond full scale, or were not numbers, and were changed.
    padded_frames : int
        Silence at the end, added because another stem is longer.
    truncated : bool
        Whether the file it came from was damaged or ended early.
    silent_frames : int
        How many frames of it could not be decoded, and are silence.
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


@dataclass(frozen=True, slots=True)
class Decoder:
    """What made the PCM: a program, its version, and how it treats an encoder's delay.

    `delay` is ``none`` (the format has none), ``removed`` (the file states it) or ``unknown``.
    """

    name: str
    version: str
    delay: str


@dataclass(frozen=True, slots=True)
class Separation:
    """What parted the stems: engine, model and version, and whether that is only a sketch."""

    engine: str
    model: str
    version: str
    sketch: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """What ``track.json`` says.

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
        Brings the track to the common loudness.
    cues : tuple of Cue
        Each inside the track.
    decoder : Decoder, optional
        What made the PCM; None: it was synthesised.
    album : str
        May be empty.
    sections : tuple of Section
        Each inside the track, in order.
    grid_by_hand : bool
        Whether a person set the grid, or may have.
    uuid : str
        Of the track in its library; empty: it is in none yet.
    content_hash : str
        What identifies the sound of the file that it came from; empty: not known.
    separation : Separation, optional
        What parted the stems; None: they came apart, or there is one.
    headroom_db : float
        How much lower than its source the PCM is, so that no peak of it is clipped.
    rating : int
        Stars from 1 to 5; 0 is not rated.
    comment, color : str
        Of a person; may be empty.
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
            _check_length(name, getattr(self, name), MOST_TEXT)
        within("number of cues", len(self.cues), (0, MOST_CUES))
        within("number of sections", len(self.sections), (0, MOST_SECTIONS))
        within("rating", self.rating, (0, MOST_STARS))
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
            raise MediaError(f"two stems are in one file: {', '.join(files)}", _AGAIN)
        for cue in self.cues:
            start = cue.position_frames
            within(f'position of cue "{cue.label:.80}"', start, (0, self.frames - 1))
            if cue.end_frames is not None:
                within(f'end of loop "{cue.label:.80}"', cue.end_frames, (start + 1, self.frames))
        for part in self.sections:
            start = part.start_frames
            within(f'start of section "{part.label:.80}"', start, (0, self.frames - 1))
            within(f'end of section "{part.label:.80}"', part.end_frames, (start + 1, self.frames))
        if self.grid is not None:
            for before, after in pairwise(self.grid.anchors):
                beats = (after.beat - before.beat) * 60.0 * self.rate
                within("tempo between two anchors", beats / (after.frame - before.frame), DRIFTS)


@dataclass(frozen=True, slots=True)
class StemFile:
    """Where the PCM of a stem is: interleaved stereo, little-endian.

    Parameters
    ----------
    path : Path
        The WAV file.
    offset_bytes : int
        Of the first sample in it.
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
    """A bundle that was checked: its folder, its track, and the stems' files in order."""

    path: Path
    track: Track
    stems: tuple[StemFile, ...]


def deck_cues(cues: Iterable[Cue]) -> list[dict[str, Any]]:
    """Return what a deck needs of a track's cues: hot cues and starts, without texts and loops."""
    names = ("position_frames", "hot_cue", "kind")
    wanted = (cue for cue in cues if cue.hot_cue or cue.kind == "intro")
    return [{name: getattr(cue, name) for name in names} for cue in wanted]


def _check_length(what: str, text: str, most: int) -> None:
    """Raise MediaError if a text is longer than anybody reads: it goes into every answer."""
    if len(text) > most:
        raise MediaError(f"{what} has {len(text)} characters", f"{most} are the most")


def check_stem_names(names: list[str]) -> None:
    """Raise MediaError unless these names are the stems of one track."""
    for name in names:
        if name not in STEMS:
            raise MediaError(
                f'no stem is called "{name:.80}"',
                did_you_mean(name[:80], STEMS) or f"the names are {', '.join(STEMS)}",
            )
        if names.count(name) > 1:
            raise MediaError(f'stem "{name}" is there twice', "keep one of them")
    if WHOLE in names and len(names) > 1:
        raise MediaError(
            f'stem "{WHOLE}" stands beside {", ".join(n for n in names if n != WHOLE)}',
            f'"{WHOLE}" is the only stem of a track without stems; leave it out',
        )
    if not names:
        raise MediaError("there is no stem", f"give 1 to {MOST_STEMS} of {', '.join(STEMS)}")


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle's description and check it against its files.

    Parameters
    ----------
    path : str or Path
        The bundle's folder.

    Returns
    -------
    Bundle
        Its sound was located but not read.

    Raises
    ------
    MediaError
        If anything is missing, unreadable, or not what it says.
    """
    folder = Path(path)
    try:
        if not folder.is_dir():
            there = "is not a folder" if folder.exists() else "does not exist"
            raise MediaError(f'bundle "{folder}" {there}', "a bundle is a folder NAME.sfa")
        with _blame(folder / DESCRIPTION):
            track = parse_track(_head(folder / DESCRIPTION, DESCRIPTION_BYTES + 1)[0])
        return Bundle(folder, track, tuple(_locate(folder, track, stem) for stem in track.stems))
    except (OSError, RuntimeError) as problem:  # a ring of links is a RuntimeError to pathlib
        reason = getattr(problem, "strerror", None) or problem
        raise MediaError(
            f'cannot read bundle "{folder}": {reason}', "check its owner, rights and links"
        ) from problem


def _locate(folder: Path, track: Track, stem: Stem) -> StemFile:
    """Return where a stem's PCM is, after its WAV was checked against the track."""
    path = folder / stem.file
    with _blame(path):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise MediaError("is a link that leads out of the bundle", "copy the file itself there")
        header = parse_wav_header(*_head(path, HEADER_BYTES))
        for what, found, wanted in (
            ("channels", header.channels, CHANNELS),
            ("rate in Hz", header.rate, track.rate),
            ("format", header.pcm, track.pcm),
            ("length in frames", header.frames, track.frames),
        ):
            if found != wanted:
                raise MediaError(f"its {what} is {found}, and {DESCRIPTION} says {wanted}", _AGAIN)
    return StemFile(path, header.offset_bytes, header.frames, PCM[track.pcm])


def _head(path: Path, most_bytes: int) -> tuple[bytes, int]:
    """Return the first bytes of a regular file, and how many it has."""
    try:
        status = path.stat()
    except FileNotFoundError as problem:
        raise MediaError("is missing", _AGAIN) from problem
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("is not a regular file", _AGAIN)
    with path.open("rb") as file:
        return file.read(most_bytes), status.st_size


@contextmanager
def _blame(path: Path) -> Iterator[None]:
    """Put the name of a file before what is said inside the block."""
    try:
        yield
    except MediaError as problem:
        raise MediaError(f'"{path}": {problem.message}', problem.hint) from problem


def parse_track(text: bytes) -> Track:
    """Read the text of a ``track.json``: a `Track` in JSON, and its ``version``.

    Parameters
    ----------
    text : bytes
        JSON in UTF-8.

    Returns
    -------
    Track
        Checked in itself; not yet against its files.

    Raises
    ------
    MediaError
        If it is not JSON, or a field is unknown, missing, of a wrong type, or out of range.
    """
    if len(text) > DESCRIPTION_BYTES:
        raise MediaError(f"is longer than {DESCRIPTION_BYTES} bytes", _AGAIN)
    try:
        value = json.loads(text, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as problem:
        raise MediaError(f"is not JSON: {problem!s:.200}", _AGAIN) from problem
    version = value.pop("version", None) if isinstance(value, dict) else VERSION
    if type(version) is not int or version not in VERSIONS:
        known = " and ".join(str(number) for number in VERSIONS)
        raise MediaError(
            f"is of version {reprlib.repr(version)}, and this engine reads {known}",
            f"update the engine, or {_AGAIN}",
        )
    for name, most in (("cues", MOST_CUES), ("sections", MOST_SECTIONS), ("stems", len(STEMS))):
        # before each of them is checked, which takes longer than reading them
        if isinstance(value, dict) and isinstance(many := value.get(name), list):
            within(f"number of {name}", len(many), (0, most))
    track: Track = _built(Track, value, "track")
    return track


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; refuse one that says a thing twice."""
    named: dict[str, Any] = {}
    for name, value in pairs:
        if name in named:
            raise MediaError(f'has "{name:.80}" twice in an object', "keep one of them")
        named[name] = value
    return named


def _built(kind: Any, value: Any, where: str) -> Any:
    """Return a value from JSON as the type that a field declares."""
    if isinstance(kind, UnionType):  # all of them are `something | None`
        return None if value is None else _built(get_args(kind)[0], value, where)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_built(get_args(kind)[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if is_dataclass(kind) and isinstance(value, dict):
        return _built_record(kind, value, where)
    if kind is str and isinstance(value, str) and not _SURROGATE.search(value):
        return value
    if kind in (int, bool) and type(value) is kind:
        return value
    if kind is float and type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    wanted = "a list [...]" if get_origin(kind) is tuple else _WANTED.get(kind, "an object {...}")
    raise MediaError(f"{where} is {reprlib.repr(value)}", f"it is {wanted}")


@cache
def _types_of(kind: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields: asked once, not for each of 100,000 anchors."""
    return get_type_hints(kind)


def _built_record(kind: Any, value: dict[str, Any], where: str) -> Any:
    """Return an object of JSON as the dataclass whose fields it has."""
    kinds = _types_of(kind)
    for name in value:
        if name not in kinds:
            raise MediaError(
                f'{where} has an unknown key "{name:.80}"',
                did_you_mean(name[:80], kinds) or f"the keys are {', '.join(kinds)}",
            )
    for part in fields(kind):
        if part.name not in value and part.default is MISSING:
            raise MediaError(f'{where} has no "{part.name}"', _AGAIN)
    return kind(**{name: _built(kinds[name], v, f"{where}.{name}") for name, v in value.items()})
