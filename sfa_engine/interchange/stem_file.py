"""STEM files of Native Instruments: a mix and four stems in one MP4.

::

    stream 1    the mix, the only one that is enabled: other players play it
    2 to 5      drums, bass, other, vocals
    moov/udta/stem    JSON: names and colours of the stems, a compressor and a limiter, both off

All are AAC or ALAC, stereo, at 44.1 kHz, and equally long. We write AAC: Traktor on Windows reads
no ALAC. Guitar and piano are added to *other*, and a missing stem is silent. Blocks; the encoder
takes a tenth of the track's length: 5.6 CPU-s for a minute.

References
----------
.. [1] Native Instruments, "Stem file format", 2015.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import MediaError
from sfa_engine.interchange.mp3_shift import moov_range
from sfa_engine.interchange.mp4_boxes import MAX_MOOV_BYTES, find, integer
from sfa_engine.interchange.record import Collection, Loss, Record
from sfa_engine.interchange.sound_record import record_of
from sfa_engine.system.atomic import atomic_file

RATE = 44_100  # Hz; Traktor plays no other
STREAMS = 5
BIT_RATE = 256_000  # a stream: as Native Instruments' own tool has it
BLOCK_FRAMES = 1 << 16
MAX_SECONDS = 4 * 3600.0
Codec = Literal["aac", "alac"]
Block = NDArray[np.float32]
# In the order of a file; colours that a colour-blind person tells apart (Okabe and Ito).
STEMS = {"drums": "#009e73", "bass": "#d55e00", "other": "#cc79a7", "vocals": "#56b4e9"}
JOINED = ("guitar", "piano")  # to other
_FORMATS = {"aac": "fltp", "alac": "s16p"}
_NAMES = {
    "drums": ("drum", "drums", "beat", "beats", "perc", "percussion", "kick"),
    "bass": ("bass", "bassline", "sub"),
    "vocals": ("vocal", "vocals", "vox", "voice", "voices", "acapella"),
    "guitar": ("guitar", "guitars", "gtr"),
    "piano": ("piano", "keys"),
    "other": ("other", "others", "melody", "synth", "synths", "instruments", "music", "harmony"),
}
_TAGS = ("title", "artist", "album", "genre", "comment")
_SPARE = ("other", "guitar", "piano", "vocals", "drums", "bass")  # for names that mean nothing
_DSP = {
    "compressor": {
        "enabled": False, "input_gain": 0.0, "output_gain": 0.0, "threshold": 0.0, "ratio": 10.0,
        "attack": 0.0001, "release": 0.05, "hp_cutoff": 20.0, "dry_wet": 100,
    },
    "limiter": {"enabled": False, "threshold": 0.0, "ceiling": 0.0, "release": 0.05},
}  # fmt: skip
_FORMAT = "a STEM file has a mix and four stems, all stereo and of one rate"
_SPACE = "check the free space and the permissions there"


@dataclass(frozen=True, slots=True)
class StemFile:
    """What a STEM file says of itself.

    Parameters
    ----------
    rate : int
        Hz.
    duration_s : float
    labels, colors : tuple of str
        Of the four stems as the file has them.
    stems : tuple of str
        Our names of the four, each once.
    """

    rate: int
    duration_s: float
    labels: tuple[str, ...]
    colors: tuple[str, ...]
    stems: tuple[str, ...]


def read(path: Path) -> Collection:
    """Read the track of a STEM file; `extract` decodes its stems."""
    file = inspect(path)
    record = record_of(path, path.name)
    name = path.name.removesuffix(path.suffix).removesuffix(".stem")
    record = replace(record, title=record.title or name, duration_s=file.duration_s)
    losses = [
        Loss(record.name, "stems", f'"{label:.40}" is {ours} here')
        for label, ours in zip(file.labels, file.stems, strict=True)
        if label and label.casefold() not in _NAMES[ours]
    ]
    return Collection((record,), (), tuple(losses))


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write the one track of a collection as a STEM file."""
    if len(collection.tracks) != 1:
        raise MediaError(
            f"a STEM file has one track, not {len(collection.tracks)}", "write one file a track"
        )
    return write_stems(collection.tracks[0], path)


def inspect(path: Path) -> StemFile:
    """Read what a STEM file says of itself.

    Raises
    ------
    MediaError
        It is not one: not five stereo streams of one rate.
    """
    with _input(path) as container:
        streams = container.streams.audio
        if len(streams) != STREAMS:
            raise MediaError(f'"{path}" has {len(streams)} streams of sound', _FORMAT)
        contexts = [stream.codec_context for stream in streams]
        if None in contexts:
            raise MediaError(f'"{path}" has sound in an unknown format', _FORMAT)
        forms = {(context.sample_rate, context.channels) for context in contexts}
        if len(forms) != 1 or {channels for _, channels in forms} != {2}:
            raise MediaError(f'the streams of "{path}" are not alike', _FORMAT)
        length = max(float((each.duration or 0) * (each.time_base or 0)) for each in streams)
        rate = int(contexts[0].sample_rate or 0)
    labels, colors = _atom(path)
    return StemFile(rate, length, labels, colors, stem_names(labels))


def stem_names(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return our names of stems: by their labels, else by their places; each once."""
    found: list[str] = []
    for label, usual in zip(labels, STEMS, strict=True):
        meant = next((ours for ours, words in _NAMES.items() if label.casefold() in words), "")
        found.append(meant or (usual if not label else ""))
    for index, name in enumerate(found):
        if name in found[:index]:
            found[index] = ""
    spare = (name for name in _SPARE if name not in found)
    return tuple(name or next(spare) for name in found)


def extract(path: Path, folder: Path) -> dict[str, Path]:
    """Decode the four stems of a STEM file to WAV files of floats, equally long.

    Parameters
    ----------
    path : pathlib.Path
    folder : pathlib.Path
        Exists; a file such as ``vocals.wav`` is put there for each stem.

    Returns
    -------
    dict of str to pathlib.Path
        By our names.
    """
    import soundfile

    file = inspect(path)
    made = {name: folder / f"{name}.wav" for name in file.stems}
    outs: list[soundfile.SoundFile] = []
    try:
        with contextlib.ExitStack() as stack:
            for target in made.values():
                out = soundfile.SoundFile(target, "w", file.rate, 2, "FLOAT", format="WAV")
                outs.append(stack.enter_context(out))
            for index, block in _decoded(path):
                if outs[index].tell() > MAX_SECONDS * file.rate:
                    raise MediaError(f'"{path}" is longer than {MAX_SECONDS:.0f} s', _FORMAT)
                outs[index].write(block)
            longest = max(out.tell() for out in outs)
            if not longest:
                raise MediaError(f'"{path}" has no sound', "copy it again")
            for out in outs:
                _pad(out, longest)
    except (OSError, soundfile.LibsndfileError) as problem:
        raise MediaError(f'cannot write to "{folder}": {problem}', _SPACE) from problem
    return made


def write_stems(record: Record, path: Path, codec: Codec = "aac") -> list[Loss]:
    """Write a track with its stems as a STEM file.

    Parameters
    ----------
    record : Record
        `Record.stems` names WAV or FLAC files of one rate and length.
    path : pathlib.Path
        ``Name.stem.mp4``.
    codec : {"aac", "alac"}
        AAC is 10 MB a minute, ALAC 38 MB and exact to 16 bits.

    Returns
    -------
    list of Loss
        What the format cannot hold.

    Raises
    ------
    MediaError
        The track is not separated, a stem cannot be read, or the file cannot be written.
    """
    stems = {name: Path(file) for name, file in record.stems}
    losses = _check(record, stems)
    try:
        with atomic_file(path) as part:
            _encode(record, stems, part, codec)
            _finish(part)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(f'cannot write "{path}": {reason}', _SPACE) from problem
    return losses


# ---------------------------------------------------------------- reading


@contextlib.contextmanager
def _input(path: Path) -> Iterator[Any]:
    import av

    try:
        with path.open("rb") as file:
            options = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2"}
            # A file object: FFmpeg takes names for addresses.
            with av.open(file, options=options, metadata_errors="replace") as container:
                yield container
    except MediaError:
        raise
    except (av.FFmpegError, ValueError) as problem:
        raise MediaError(f'"{path}" is not an MP4, or damaged', _FORMAT) from problem
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(f'cannot read "{path}": {reason}', "check its permissions") from problem


def _atom(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels and colours of a file's stems; empty ones where it has none."""
    with path.open("rb") as file:
        at, size = moov_range(file)
        file.seek(at)
        moov = file.read(size) if size <= MAX_MOOV_BYTES else b""
    stems: list[Any] = []
    for box in find(moov, "moov/udta/stem"):
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            text = moov[box.body : box.end].rstrip(b"\0").decode("utf-8", "replace")
            stems = list(json.loads(text).get("stems") or [])
    stems = [stem if isinstance(stem, Mapping) else {} for stem in (*stems, {}, {}, {}, {})][:4]
    labels = tuple(str(stem.get("name") or "")[:200] for stem in stems)
    return labels, tuple(str(stem.get("color") or "")[:7].lower() for stem in stems)


def _decoded(path: Path) -> Iterator[tuple[int, Block]]:
    """Yield the sound of the four stems in turn, float32[frames, 2], with their number from 0."""
    import av

    with _input(path) as container:
        streams = list(container.streams.audio)[1:]
        index_of = {stream.index: number for number, stream in enumerate(streams)}
        resampler = [av.AudioResampler("fltp", "stereo") for _ in streams]
        for packet in container.demux(streams):
            number = index_of[packet.stream.index]
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # a damaged packet: the rest moves, and is padded
            for frame in frames:
                for piece in resampler[number].resample(frame):
                    yield number, np.ascontiguousarray(piece.to_ndarray().T, np.float32)


def _pad(out: Any, frames: int) -> None:
    while (missing := frames - out.tell()) > 0:
        out.write(np.zeros((min(missing, BLOCK_FRAMES), 2), np.float32))


# ---------------------------------------------------------------- writing


def _check(record: Record, stems: Mapping[str, Path]) -> list[Loss]:
    separated = set(stems) - {"mix"}
    if len(separated) < 2:
        raise MediaError(f'"{record.name}" has no stems', "separate it first: `sfa prep`")
    losses = [
        Loss(record.name, "stems", f"{name} is added to other")
        for name in JOINED
        if name in separated
    ]
    losses += [
        Loss(record.name, "stems", f"{name} is silent: the track has none")
        for name in STEMS
        if name not in separated and not (name == "other" and separated & set(JOINED))
    ]
    if record.cues or record.grid:
        losses.append(Loss(record.name, "cue", "a STEM file has no cues and no grid"))
    return losses


def _blocks(stems: Mapping[str, Path]) -> Iterator[list[Block]]:
    """Yield blocks of the four stems at `RATE`, float32[frames, 2] each, in a file's order."""
    import soundfile
    import soxr

    with contextlib.ExitStack() as stack:
        files: dict[str, Any] = {}
        for name, path in stems.items():
            if name == "mix":
                continue
            try:
                files[name] = stack.enter_context(soundfile.SoundFile(path))
            except (OSError, soundfile.LibsndfileError) as problem:
                raise MediaError(f'cannot read "{path}"', "prepare the track again") from problem
        forms = {(file.samplerate, file.frames) for file in files.values()}
        if len(forms) != 1:
            raise MediaError("its stems are not of one rate and length", "prepare the track again")
        ((rate, frames),) = forms
        if not 0 < frames <= MAX_SECONDS * rate:
            raise MediaError(f"its stems are {frames / rate:.0f} s long", "cut the track")
        resamplers = [
            None if rate == RATE else soxr.ResampleStream(rate, RATE, 2, quality="VHQ")
            for _ in STEMS
        ]
        for begin in range(0, frames, BLOCK_FRAMES):
            blocks = {
                name: _two(file.read(BLOCK_FRAMES, "float32")) for name, file in files.items()
            }
            count = min(BLOCK_FRAMES, frames - begin)
            four = [_of(blocks, name, count) for name in STEMS]
            last = begin + count == frames
            yield [
                block if resampler is None else resampler.resample_chunk(block, last=last)
                for block, resampler in zip(four, resamplers, strict=True)
            ]


def _two(block: Block) -> Block:
    """Return a block with two channels."""
    if block.ndim == 1:
        block = block[:, None]
    return np.repeat(block, 2, axis=1) if block.shape[1] == 1 else block[:, :2]


def _of(blocks: Mapping[str, Block], name: str, count: int) -> Block:
    names = (name, *JOINED) if name == "other" else (name,)
    parts = [blocks[each] for each in names if each in blocks]
    if not parts:
        return np.zeros((count, 2), np.float32)
    if any(len(part) != count for part in parts):
        raise MediaError("a stem is shorter than it says", "prepare the track again")
    total: Block = np.sum(parts, axis=0, dtype=np.float32)
    return total


def _encode(record: Record, stems: Mapping[str, Path], part: Path, codec: Codec) -> None:
    import av

    try:
        with av.open(str(part), "w", format="mp4") as container:
            for name in _TAGS:
                if text := getattr(record, name):
                    container.metadata[name] = text
            if record.year:
                container.metadata["date"] = str(record.year)
            streams = [_stream(container, codec) for _ in range(STREAMS)]
            for blocks in _blocks(stems):
                mix: Block = np.sum(blocks, axis=0, dtype=np.float32)
                for stream, block in zip(streams, [mix, *blocks], strict=True):
                    stream.feed(block)
            for stream in streams:
                stream.finish()
    except av.FFmpegError as problem:
        if isinstance(problem, OSError) and problem.errno:
            raise OSError(problem.errno, problem.strerror) from problem
        raise MediaError(f"cannot encode: {problem}", _SPACE) from problem


class _Stream:
    """Encodes one stream: whole frames of the codec as they come, the rest at the end."""

    def __init__(self, container: Any, stream: Any, codec: Codec) -> None:
        self._container, self._stream, self._codec = container, stream, codec
        self._held: Block = np.empty((0, 2), np.float32)
        self._frames = 0

    def feed(self, block: Block) -> None:
        held = np.concatenate([self._held, block])
        size = self._stream.codec_context.frame_size or 1024
        whole = len(held) // size * size
        for begin in range(0, whole, size):
            self._encode(held[begin : begin + size])
        self._held = held[whole:].copy()

    def finish(self) -> None:
        if len(self._held):
            self._encode(self._held)
        self._container.mux(self._stream.encode(None))

    def _encode(self, block: Block) -> None:
        import av

        planes = np.ascontiguousarray(block.T)
        if self._codec == "alac":
            planes = np.clip(np.rint(planes * 32768), -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(planes, _FORMATS[self._codec], "stereo")
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = self._frames
        self._frames += len(block)
        self._container.mux(self._stream.encode(frame))


def _stream(container: Any, codec: Codec) -> _Stream:
    stream = container.add_stream(codec, rate=RATE)
    stream.codec_context.layout = "stereo"
    stream.codec_context.format = _FORMATS[codec]
    stream.codec_context.time_base = Fraction(1, RATE)
    if codec == "aac":
        stream.codec_context.bit_rate = BIT_RATE
    stream.codec_context.open()
    return _Stream(container, stream, codec)


def _finish(part: Path) -> None:
    """Enable the mix alone, and put the names of the stems into the last box."""
    with part.open("r+b") as file:
        at, size = moov_range(file)
        file.seek(at)
        moov = bytearray(file.read())
        if not size or len(moov) != size:
            raise MediaError("the encoder left no box of streams at the end", "report this")
        for index, header in enumerate(find(bytes(moov), "moov/trak/tkhd")):
            moov[header.body + 3] = 3 if index == 0 else 2  # enabled, and in the movie
        file.seek(at)
        file.write(_with_atom(bytes(moov)))


def _with_atom(moov: bytes) -> bytes:
    """Return the box of streams with the atom of the stems in its user data."""
    stems = [{"name": name.capitalize(), "color": color} for name, color in STEMS.items()]
    said = json.dumps({"version": 1, "mastering_dsp": _DSP, "stems": stems}).encode()
    atom = _box(b"stem", said)
    data = find(moov, "moov/udta")
    if not data:
        added = moov + _box(b"udta", atom)
    else:
        user = data[0]
        length = integer(moov, user.start, 4) + len(atom)
        head = moov[: user.start] + length.to_bytes(4, "big")
        added = head + moov[user.start + 4 : user.end] + atom + moov[user.end :]
    return len(added).to_bytes(4, "big") + added[4:]


def _box(name: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + name + body
