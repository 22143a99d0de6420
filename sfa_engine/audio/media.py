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
import math
import re
import reprlib
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import MediaError, did_you_mean

Floats = NDArray[np.float64]

VERSION = 1
DESCRIPTION = "track.json"
WHOLE = "mix"  # the only stem of a track that was not separated
MOST_STEMS = len(STEMS) - 1
PCM: dict[str, np.dtype[Any]] = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}
CHANNELS = 2
RATES = (8_000, 192_000)  # Hz
TEMPOS = (20.0, 400.0)  # BPM, as a person or an analysis may state it
DRIFTS = (5.0, 1600.0)  # BPM between two anchors: a held pause, a hurried bar
GAINS = (-60.0, 60.0)  # dB
DESCRIPTION_BYTES = 8 << 20  # an hour of music with an anchor on each beat has 0.5 MB
HEADER_BYTES = 64 << 10  # by then the data of a WAV has begun, cover art or not

_KEY = re.compile(r"[A-G][#b]? (?:major|minor)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character: could not be written again
_WANTED = {str: "a text", int: "a whole number", float: "a finite number", bool: "true or false"}
_AGAIN = "prepare the track again with `sfa prep`"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place whose beat number is known.

    Parameters
    ----------
    frame : float
        Place in the track, in frames at the track's rate; may lie between two frames.
    beat : float
        Number of the beat there; 0 is a downbeat.
    """

    frame: float
    beat: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the beats are: straight lines between anchors.

    Before the first anchor the first line goes on backwards, after the last one `bpm` holds.
    A constant grid is one anchor and its tempo.

    Parameters
    ----------
    anchors : tuple of Anchor
        One at least; frames and beats rise strictly.
    bpm : float
        Tempo after the last anchor, in beats a minute, 20..400.
    beats_per_bar : int
        1..32. Beat ``n`` is a downbeat if ``n % beats_per_bar == 0``.
    """

    anchors: tuple[Anchor, ...]
    bpm: float
    beats_per_bar: int = 4

    def __post_init__(self) -> None:
        if not self.anchors:
            raise MediaError("a grid has no anchor", "give one at least: a frame and its beat")
        _within("grid.bpm", self.bpm, TEMPOS)
        _within("grid.beats_per_bar", self.beats_per_bar, (1, 32))
        for anchor in self.anchors:
            _within("grid anchor frame", anchor.frame, (-1e12, 1e12))
            _within("grid anchor beat", anchor.beat, (-1e9, 1e9))
        for before, after in pairwise(self.anchors):
            if not (before.frame < after.frame and before.beat < after.beat):
                raise MediaError(
                    f"the grid goes from {before} to {after}",
                    "put anchors in order; both their frames and their beats rise",
                )

    def frame_of(self, beats: ArrayLike, rate: int) -> Floats:
        """Return the place of each beat number.

        Parameters
        ----------
        beats : float64[n]
            Beat numbers; whole or not, inside the track or not.
        rate : int
            The track's rate in Hz.

        Returns
        -------
        float64[n]
            Places in frames.
        """
        frames, numbers, before, after = self._lines(rate)
        return _piecewise(np.asarray(beats, np.float64), numbers, frames, before, after)

    def beat_of(self, frames: ArrayLike, rate: int) -> Floats:
        """Return the beat number, usually between two beats, of each place in frames."""
        places, numbers, before, after = self._lines(rate)
        return _piecewise(
            np.asarray(frames, np.float64), places, numbers, 1.0 / before, 1.0 / after
        )

    def beats(self, frames: int, rate: int) -> Floats:
        """Return the place of every beat of a track.

        Parameters
        ----------
        frames : int
            Length of the track.
        rate : int
            Its rate in Hz.

        Returns
        -------
        float64[n]
            Places in frames, rising, each in ``[0, frames)``. The number of the first is
            `first_beat`.
        """
        first, end = self._span(frames, rate)
        return self.frame_of(np.arange(first, end), rate)

    def first_beat(self, frames: int, rate: int) -> int:
        """Return the number of the first beat that `beats` returns; it may be negative."""
        return self._span(frames, rate)[0]

    def _lines(self, rate: int) -> tuple[Floats, Floats, float, float]:
        """Return frames and beats of the anchors, and frames a beat before and after them."""
        frames = np.array([anchor.frame for anchor in self.anchors])
        numbers = np.array([anchor.beat for anchor in self.anchors])
        after = 60.0 * rate / self.bpm
        if len(frames) == 1:
            return frames, numbers, after, after
        return frames, numbers, (frames[1] - frames[0]) / (numbers[1] - numbers[0]), after

    def _span(self, frames: int, rate: int) -> tuple[int, int]:
        """Return the first beat inside a track and the first behind its end.

        Both are corrected by `frame_of`, so that rounding never puts a beat outside.
        """

        def first_from(edge: int) -> int:
            beat = math.ceil(float(self.beat_of(edge, rate)))
            while self.frame_of(beat, rate) < edge:
                beat += 1
            while self.frame_of(beat - 1, rate) >= edge:
                beat -= 1
            return beat

        first = first_from(0)
        return first, max(first, first_from(frames))


@dataclass(frozen=True, slots=True)
class Cue:
    """A marked place: `position_frames` in the track, a `label` to read, its `kind`."""

    position_frames: int
    label: str
    kind: str


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
    """

    name: str
    file: str
    frames: int
    clipped_samples: int = 0
    repaired_samples: int = 0
    padded_frames: int = 0
    truncated: bool = False

    def __post_init__(self) -> None:
        if self.file in {"", ".", ".."} or set(self.file) & set("/\\\0"):
            raise MediaError(
                f'file {self.file[:80]!r} of stem "{self.name:.80}" is not in the bundle',
                "name a file of the bundle's folder, without a path",
            )
        for count in (self.clipped_samples, self.repaired_samples, self.padded_frames):
            _within(f'a count of stem "{self.name:.80}"', count, (0, 1 << 41))


@dataclass(frozen=True, slots=True)
class Decoder:
    """What made the PCM: a program, its version, and how it treats an encoder's delay.

    `delay` is ``none`` (the format has none), ``removed`` (the file states it) or ``unknown``.
    """

    name: str
    version: str
    delay: str


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

    def __post_init__(self) -> None:
        _within("rate_hz", self.rate, RATES)
        _within("frames", self.frames, (1, 1 << 40))
        _within("gain_db", self.gain_db, GAINS)
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
            _within(f'position of cue "{cue.label:.80}"', cue.position_frames, (0, self.frames - 1))
        if self.grid is not None:
            for before, after in pairwise(self.grid.anchors):
                beats = (after.beat - before.beat) * 60.0 * self.rate
                _within("tempo between two anchors", beats / (after.frame - before.frame), DRIFTS)


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


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV header says: `rate` in Hz, channels, ``"s16"``/``"f32"``, place and length."""

    rate: int
    channels: int
    pcm: str
    offset_bytes: int
    frames: int


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


def parse_wav_header(head: bytes, file_bytes: int) -> WavHeader:
    """Find the sound in a WAV file of 16-bit integers or 32-bit floats.

    Parameters
    ----------
    head : bytes
        The first `HEADER_BYTES` of the file, or all of it.
    file_bytes : int
        Length of the file, which must be what the header says.

    Returns
    -------
    WavHeader
        Where the PCM begins, and its form.

    Raises
    ------
    MediaError
        If it is no such file, or is longer or shorter than it says.

    References
    ----------
    .. [1] Microsoft, "Multiple Channel Audio Data and WAVE Files", 2007.
    .. [2] EBU Tech 3306, "RF64: An Extended File Format for Audio Data", 2009: above 4 GB
       the sizes stand in ``ds64``.
    """
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        raise MediaError("is not a WAV file", _AGAIN)
    riff_bytes = int.from_bytes(head[4:8], "little")
    wide: tuple[int, int] | None = None
    form: tuple[int, int, str] | None = None
    at = 12
    while at + 8 <= len(head):
        tag, size = struct.unpack_from("<4sI", head, at)
        at += 8
        if tag == b"ds64" and head[:4] == b"RF64" and at + 16 <= len(head):
            wide = struct.unpack_from("<QQ", head, at)
        elif tag == b"fmt ":
            form = _wav_form(head[at : at + min(size, 40)])
        elif tag == b"data" and form is not None:
            rate, channels, pcm = form
            if wide is not None:
                riff_bytes, size = wide
            frames, rest = divmod(size, channels * PCM[pcm].itemsize)
            # the last byte may be one that only makes the length even
            if rest or not at + size <= riff_bytes + 8 <= file_bytes <= riff_bytes + 9:
                raise MediaError(
                    f"has {file_bytes} bytes; its header says {riff_bytes + 8}, of which sound "
                    f"{size} from {at} on",
                    f"it was cut off, or never completed; {_AGAIN}",
                )
            return WavHeader(rate, channels, pcm, at, frames)
        at += size + size % 2
    raise MediaError(f"has no format and sound within its first {len(head)} bytes", _AGAIN)


def _wav_form(chunk: bytes) -> tuple[int, int, str]:
    """Return rate in Hz, channels and format that a ``fmt`` chunk states."""
    if len(chunk) < 16:
        raise MediaError(f"describes its format in {len(chunk)} bytes of at least 16", _AGAIN)
    code, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == 0xFFFE and len(chunk) >= 26:  # "extensible": the code begins the GUID
        (code,) = struct.unpack_from("<H", chunk, 24)
    pcm = {(1, 16): "s16", (3, 32): "f32"}.get((code, bits))
    if pcm is None or channels == 0 or frame_bytes != channels * bits // 8:
        raise MediaError(
            f"is of format {code} with {bits} bits and {channels} channels",
            f"16-bit integers (1) and 32-bit floats (3) are played; {_AGAIN}",
        )
    return rate, channels, pcm


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
    if type(version) is not int or version != VERSION:
        raise MediaError(
            f"is of version {reprlib.repr(version)}, and this engine reads {VERSION}",
            f"update the engine, or {_AGAIN}",
        )
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


def _built_record(kind: Any, value: dict[str, Any], where: str) -> Any:
    """Return an object of JSON as the dataclass whose fields it has."""
    kinds = get_type_hints(kind)
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


def _piecewise(x: Floats, xs: Floats, ys: Floats, before: float, after: float) -> Floats:
    """Return the line through some points at `x`, with its slopes before and after them."""
    y = np.interp(x, xs, ys)
    y = np.where(x < xs[0], ys[0] + (x - xs[0]) * before, y)
    return np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * after, y)


def _within(what: str, value: float, limits: tuple[float, float]) -> None:
    """Raise MediaError if a number is outside its limits, or none."""
    if not limits[0] <= value <= limits[1]:
        raise MediaError(f"{what} is {value}", f"it is a number from {limits[0]} to {limits[1]}")
