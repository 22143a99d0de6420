"""The only decoder: for analysis, separation and playing.

So a frame number means the same position everywhere. An encoder's delay is removed if the file
states it (measured against the source, see ``tests/prep/test_decode.py``)::

    WAV AIFF CAF FLAC ALAC     nothing to remove                      delay "none"
    Ogg Opus MP3 M4A           to the frame, where the file says so         "removed"
    MP3 without a LAME tag     1105 frames late: not stated                 "unknown"
    bare AAC (ADTS)            1024 frames late: not stated                 "unknown"

M4A and bare AAC end up to one codec frame (1024) later than their source.

    file ─► repaired ─► FFmpeg ─► float ─► aligned ─► stereo ─► soxr ─► float32[frames, 2]

What cannot be decoded becomes silence of its length, so that everything after it keeps its time:
by the file's time stamps, or by counting frames (`sfa_engine.prep.repair`). Blocks are bounded in
size. Knows no stems, bundles or library.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from sfa_engine.errors import MediaError
from sfa_engine.library.payload import find_payload
from sfa_engine.prep.channels import channels_of, may_be_damaged, repair, stereo
from sfa_engine.prep.frames import flac_frames
from sfa_engine.prep.repair import Repairs, find_repairs
from sfa_engine.track.media import RATE

Block = NDArray[np.float32]
Progress = Callable[[float], None]

OUT_RATES = (8_000, 192_000)  # Hz
SOURCE_RATES = (4_000, 768_000)  # Hz
BLOCK_FRAMES = 1 << 16
MIN_SECONDS = 1.0  # of a damaged file; with less it is refused
SLACK_SECONDS = 0.05  # a file short by one codec frame (2048) is not truncated
MAX_TAIL_BYTES = 1 << 16  # after an MP3's last frame: lyrics, zeros; more was sound
# Between time stamps: less is rounding (Matroska: 1 ms). Packets last 2.5 ms or more, and are lost
# several at a time.
MIN_GAP_SECONDS = Fraction(5, 1000)
# FFmpeg stamps Vorbis packets up to (2048 - 256) / 4 = 448 samples late where block sizes change:
# 10 ms at 44.1 kHz. Silence there would be heard, and the rest be late; a page is far longer.
MIN_VORBIS_GAP_SECONDS = Fraction(25, 1000)

# Whitelist: FFmpeg also opens playlists and scripts that name other files and hosts.
FORMATS = "wav,w64,aiff,caf,flac,ogg,mp3,aac,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
READABLE = "WAV, AIFF, FLAC, Ogg, Opus, MP3 and M4A are read"
_LENGTH_STATED = ("wav", "w64", "aiff", "caf", "flac", "mov,mp4,m4a,3gp,3g2,mj2")
_TRUNCATION_STATED = ("wav", "w64", "caf", "ogg")  # by the container; FFmpeg ignores it
# Bit/s by which a file's size bounds its length: MP3's lowest, for others less than silence takes.
_MIN_MP3_BIT_RATE = 8_000
_MIN_BIT_RATE = 400
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded file.

    Parameters
    ----------
    sound : float32[frames, 2]
        Full scale is +-1; a float file may exceed it.
    rate : int
        Hz.
    decoder : dict of str to str
        ``name``, ``version`` and ``delay`` ("none", "removed" or "unknown").
    title, artist : str
        From the file's tags; may be empty.
    repaired_samples : int
        Samples that were not finite, or absurdly large, and are silent now.
    truncated : bool
        Whether the file is damaged or truncated; `sound` is what could be read.
    silent_seconds : float
        Length of what could not be decoded and is silent.
    """

    sound: Block
    rate: int
    decoder: dict[str, str]
    title: str
    artist: str
    repaired_samples: int
    truncated: bool
    silent_seconds: float = 0.0


class Decoding:
    """Iterates over the blocks of a file; each iteration decodes it again. See `decode_blocks`.

    The attributes are those of `Decoded`, complete after an iteration, and `frames`, the number
    of frames returned.
    """

    def __init__(
        self,
        path: Path,
        rate: int,
        progress: Progress | None,
        longest_s: float | None = None,
    ) -> None:
        codec = ".".join(map(str, av.library_versions["libavcodec"]))
        self.path = path
        self.rate = rate
        self.decoder = {
            "name": "PyAV",
            "version": f"{av.__version__} (libavcodec {codec})",
            "delay": "unknown",
        }
        self.title = ""
        self.artist = ""
        self._progress = progress
        self._longest_s = longest_s
        self._scan: _Scan | None = None
        self._reset()

    def _reset(self) -> None:
        """Reset the results of an earlier iteration."""
        self.frames = 0
        self.repaired_samples = 0
        self.truncated = False
        self._silent_seconds = Fraction(0)
        self._stated_seconds: Fraction | None = None
        self._max_seconds = Fraction(0)  # by the file's size
        self._length_stated = False
        self._has_errors = False

    @property
    def silent_seconds(self) -> float:
        """Length of what could not be decoded and is silent."""
        return float(self._silent_seconds)

    def __iter__(self) -> Iterator[Block]:
        self._reset()
        resampler: soxr.ResampleStream | None = None
        source_rate = 0
        seconds = Fraction(0)
        with _opened(self.path, self._scan) as (container, self._scan):
            self._silent_seconds = self._scan.repairs.silent_seconds
            for new_rate, block in _gathered(self._stereo(container)):
                if new_rate != source_rate:
                    yield from self._resampled(resampler, block[:0], last=True)
                    source_rate = new_rate
                    resampler = _resampler(source_rate, self.rate)
                seconds += Fraction(len(block), source_rate)
                self._check_length(seconds)
                yield from self._resampled(resampler, block, last=False)
                if self._progress and self._stated_seconds:
                    self._progress(min(1.0, float(seconds / self._stated_seconds)))
            yield from self._resampled(resampler, np.empty((0, 2), np.float32), last=True)
        self._check_complete(seconds)
        if self._progress:
            self._progress(1.0)

    @property
    def stated_seconds(self) -> float | None:
        """The length that the file states, at most what its size allows; None if not stated."""
        if self._stated_seconds is None:
            with _opened(self.path, self._scan) as (container, self._scan):
                self._read_header(container, _sound_of(self.path, container))
        if self._stated_seconds is None:
            return None
        return float(min(self._stated_seconds, self._max_seconds))

    def stated_format(self) -> tuple[int, int]:
        """Return the rate in Hz and the number of channels that the file states; 0 if it does not.

        Raises
        ------
        MediaError
            The file cannot be read, or has no sound.
        """
        with _opened(self.path, self._scan) as (container, self._scan):
            context = _sound_of(self.path, container).codec_context
            return int(context.sample_rate or 0), int(context.channels or 0)

    def _resampled(
        self, resampler: soxr.ResampleStream | None, block: Block, *, last: bool
    ) -> Iterator[Block]:
        """Yield a resampled block, unless it is empty."""
        if resampler is not None:
            block = resampler.resample_chunk(block, last=last)
        if len(block):
            self.frames += len(block)
            yield block

    def _stereo(self, container: Any) -> Iterator[tuple[int, Block]]:
        """Yield rate in Hz and stereo sound of each codec frame."""
        stream = _sound_of(self.path, container)
        self._read_header(container, stream)
        self._check_length(min(self._stated_seconds or 0, self._max_seconds))
        end: Fraction | None = None  # of the previous frame, by its time stamp
        seconds = Fraction(0)
        for began, frame in self._frames(container, stream):
            rate = _checked_rate(self.path, frame.sample_rate)
            gap = Fraction(0) if began is None or end is None else began - end
            if self._is_gap(gap, seconds, stream.codec_context.name):
                yield from _silence(gap, rate)
                self._silent_seconds += gap
                seconds += gap
            length = Fraction(frame.samples, rate)
            seconds += length
            if began is not None:
                end = began + length
            elif end is not None:
                end += length
            channels = channels_of(frame)
            if may_be_damaged(frame):
                self.repaired_samples += repair(channels)
            speakers = tuple(speaker.name for speaker in frame.layout.channels)
            yield rate, stereo(channels.astype(np.float32, copy=False), speakers)

    def _frames(self, container: Any, stream: Any) -> Iterator[tuple[Fraction | None, Any]]:
        """Yield the decoded frames of a stream, with their times in seconds if known."""
        context = stream.codec_context
        if context.name == "flac":  # reject damaged frames, which would be noise
            context.options = {"err_detect": "crccheck+explode"}
        is_first = is_new = True
        lost_bytes = 0  # not decoded since the last frame
        for packet in self._packets(container, stream):
            if packet.size:
                if is_first:
                    self._read_delay(container, packet)
                is_new = not is_first and _is_joined_file(packet)
                is_first = False
            for piece, began in _pieces(container, packet):
                try:
                    frames = context.decode(piece)
                except av.FFmpegError:
                    lost_bytes += max(1, packet.size)
                    continue
                self._has_errors |= lost_bytes > 0 and bool(frames)
                lost_bytes = 0 if frames else lost_bytes
                for frame in frames:
                    is_known = began is not None or is_new
                    yield began if is_known else _begin_of(frame, packet), frame
        self._has_errors |= lost_bytes > (MAX_TAIL_BYTES if container.format.name == "mp3" else 0)

    def _is_gap(self, gap: Fraction, seconds: Fraction, codec: str) -> bool:
        """Return whether a gap between time stamps is lost sound, not rounding or an error."""
        if gap <= (MIN_VORBIS_GAP_SECONDS if codec == "vorbis" else MIN_GAP_SECONDS):
            return False
        left = None if self._stated_seconds is None else self._stated_seconds - seconds
        return left is None or gap <= left + Fraction(SLACK_SECONDS)

    def _check_length(self, seconds: Fraction | int) -> None:
        """Raise MediaError if the sound is longer than the limit."""
        if self._longest_s is not None and seconds > self._longest_s + SLACK_SECONDS:
            raise MediaError(
                f'"{self.path}" is longer than {self._longest_s / 60:g} minutes',
                "cut it, or raise max_minutes in [library]",
            )

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the packets of a stream, up to a read error."""
        try:
            yield from container.demux(stream)
        except (av.FFmpegError, OSError):
            self._has_errors = True

    def _read_header(self, container: Any, stream: Any) -> None:
        """Read tags and length from the header."""
        tags = {k.lower(): v for k, v in (*stream.metadata.items(), *container.metadata.items())}
        self.title, self.artist = (
            " ".join(tags.get(tag, "").split())[:500] for tag in ("title", "artist")
        )
        if stream.duration:
            self._stated_seconds = stream.duration * stream.time_base
        elif container.duration:
            self._stated_seconds = Fraction(container.duration, av.time_base)
        codec = stream.codec_context.name
        min_bit_rate = _MIN_MP3_BIT_RATE if codec.startswith("mp3") else _MIN_BIT_RATE
        if codec.startswith("pcm_") and stream.bit_rate:
            min_bit_rate = stream.bit_rate
        self._max_seconds = Fraction(container.size * 8, min_bit_rate)
        if container.format.name in _TRUNCATION_STATED:
            missing_bytes = _missing_bytes(self.path)
            is_ogg = container.format.name == "ogg"
            slack_bytes = 0 if is_ogg else SLACK_SECONDS * (stream.bit_rate or 0) / 8
            self.truncated = missing_bytes > slack_bytes

    def _read_delay(self, container: Any, packet: Any) -> None:
        """Read the handling of the encoder's delay from the first packet."""
        if packet.stream.codec_context.name.startswith(_LOSSLESS):
            self.decoder["delay"] = "none"
        elif packet.has_sidedata("skip_samples") or container.format.name == "ogg":
            self.decoder["delay"] = "removed"
        self._length_stated = container.format.name in _LENGTH_STATED or (
            # an MP3's length is an estimate unless its first frame states it
            container.format.name == "mp3" and self.decoder["delay"] == "removed"
        )
        if container.format.name.startswith("matroska"):  # states its longest stream
            self._length_stated = len(container.streams) == 1

    def _check_complete(self, seconds: Fraction) -> None:
        """Decide whether the file is truncated; raise MediaError if too little is left."""
        if self._stated_seconds and self._length_stated:  # what follows the stated end is not sound
            self.truncated |= self._stated_seconds - seconds > SLACK_SECONDS
        else:
            self.truncated |= self._has_errors
        self.truncated |= self._silent_seconds > 0
        if self.truncated and seconds < MIN_SECONDS:
            raise MediaError(
                f'"{self.path}" is damaged: {float(seconds):.2f} s of it can be read',
                "copy or download it again",
            )
        if not self.frames:
            raise MediaError(f'"{self.path}" has no sound: 0 frames', "export it again")


def decode(path: str | Path, rate: int = RATE, progress: Progress | None = None) -> Decoded:
    """Decode a whole sound file into memory.

    Parameters
    ----------
    path : str or Path
        A sound file, or one that has a sound track.
    rate : int
        Wanted rate in Hz, 8000..192000.
    progress : callable, optional
        Called with the part that is done, 0..1.

    Returns
    -------
    Decoded
        float32[frames, 2]: mono is in both channels, more than two are mixed down.

    Raises
    ------
    MediaError
        The file cannot be read, has no sound, or less than a second of it is undamaged.

    Notes
    -----
    The array grows in place, so that the peak of memory is 1.25 times the result.
    """
    decoding = decode_blocks(path, rate, progress)
    sound = np.empty((0, 2), np.float32)
    for block in decoding:
        end = decoding.frames
        if end > len(sound):
            sound.resize((max(end, len(sound) * 5 // 4), 2), refcheck=False)
        sound[end - len(block) : end] = block
    sound.resize((decoding.frames, 2), refcheck=False)
    return Decoded(
        sound,
        rate,
        decoding.decoder,
        decoding.title,
        decoding.artist,
        decoding.repaired_samples,
        decoding.truncated,
        decoding.silent_seconds,
    )


def decode_blocks(
    path: str | Path,
    rate: int = RATE,
    progress: Progress | None = None,
    longest_s: float | None = None,
) -> Decoding:
    """Decode a sound file block by block, in memory of a few MB whatever its length.

    Parameters and errors are those of `decode`; the file is opened when the loop begins.

    Parameters
    ----------
    path : str or Path
        As there.
    rate : int
        As there.
    progress : callable, optional
        As there.
    longest_s : float, optional
        Seconds; a longer file is a MediaError, before decoding if it states its length.

    Returns
    -------
    Decoding
        Yields float32[n, 2], with ``n`` up to some 1e5.
    """
    if not OUT_RATES[0] <= rate <= OUT_RATES[1]:
        raise MediaError(f"cannot decode to {rate} Hz", f"give {OUT_RATES[0]}..{OUT_RATES[1]} Hz")
    return Decoding(Path(path), rate, progress, longest_s)


def _gathered(pieces: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
    """Join pieces of one rate to blocks of at least `BLOCK_FRAMES`."""
    rate = 0
    held: list[Block] = []
    frames = 0
    for new_rate, piece in pieces:
        if held and (new_rate != rate or frames >= BLOCK_FRAMES):
            yield rate, np.concatenate(held)
            held, frames = [], 0
        rate = new_rate
        held.append(piece)
        frames += len(piece)
    if held:
        yield rate, np.concatenate(held)


def _resampler(source_rate: int, rate: int) -> soxr.ResampleStream | None:
    """Return a resampler, or None if the rates are equal."""
    if source_rate == rate:
        return None
    return soxr.ResampleStream(source_rate, rate, 2, dtype="float32", quality="VHQ")


def _sound_of(path: Path, container: Any) -> Any:
    """Return the audio stream of a file."""
    if not container.streams.audio:
        raise MediaError(f'"{path}" has no sound in it', READABLE)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise MediaError(f'"{path}" has sound in an unknown format', READABLE)
    return stream


def _silence(seconds: Fraction, rate: int) -> Iterator[tuple[int, Block]]:
    """Yield silence in blocks."""
    frames = round(seconds * rate)
    for begin in range(0, frames, BLOCK_FRAMES):
        yield rate, np.zeros((min(BLOCK_FRAMES, frames - begin), 2), np.float32)


def _begin_of(frame: Any, packet: Any) -> Fraction | None:
    """Return the time of a frame in seconds, or None.

    FFmpeg stamps a Vorbis frame after a change of block size up to 9 ms late; the end of its
    packet is right.
    """
    context = packet.stream.codec_context
    if context.name == "vorbis" and None not in (packet.pts, packet.duration):
        end = (packet.pts + packet.duration) * packet.time_base
        return Fraction(end) - Fraction(frame.samples, frame.sample_rate)
    if frame.pts is None or (context.name == "flac" and not context.extradata):
        return None  # FFmpeg does not know the rate of a FLAC without its header
    return Fraction(frame.pts * frame.time_base)


def _is_joined_file(packet: Any) -> bool:
    """Return whether a packet is the first of a file that was appended to another.

    The encoder's delay is removed there again, which leaves no gap.
    """
    if not packet.has_sidedata("skip_samples"):
        return False
    return any(bytes(packet.get_sidedata("skip_samples"))[:4])  # of the last: the next four


def _pieces(container: Any, packet: Any) -> Iterator[tuple[Any, Fraction | None]]:
    """Yield a packet, or the FLAC frames in one that FFmpeg could not split, with their times.

    Around a damaged frame of a bare FLAC, FFmpeg returns one packet without a time; the frames'
    own headers have it.
    """
    context = packet.stream.codec_context
    is_joined = container.format.name == "flac" and packet.pts is None and packet.size
    if not is_joined or not context.extradata:
        yield packet, None
        return
    data = bytes(packet)
    found = list(flac_frames(data, int.from_bytes(bytes(context.extradata)[2:4], "big")))
    for (begin, sample), (end, _) in zip(found, [*found[1:], (len(data), 0)], strict=True):
        yield av.Packet(data[begin:end]), Fraction(sample, context.sample_rate)


def _missing_bytes(path: Path) -> int:
    """Return how many bytes are missing by the file's own statement."""
    with path.open("rb") as file:
        payload = find_payload(file)
    return payload.missing_bytes or 0 if payload else 0


def _checked_rate(path: Path, rate: int) -> int:
    """Return a source's rate in Hz, or raise MediaError if it is implausible."""
    if not SOURCE_RATES[0] <= rate <= SOURCE_RATES[1]:
        raise MediaError(
            f'"{path}" has a rate of {rate} Hz',
            f"{SOURCE_RATES[0]}..{SOURCE_RATES[1]} Hz are read; convert it first",
        )
    return rate


@dataclass(frozen=True, slots=True)
class _Scan:
    """The repairs of a file of some size in bytes and modification time."""

    stamp: tuple[int, int]
    repairs: Repairs


@contextmanager
def _opened(path: Path, scan: _Scan | None) -> Iterator[tuple[Any, _Scan]]:
    """Open a sound file, scanned for repairs unless that was done; raise MediaError if it fails."""
    again = "copy or download it again"
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f'"{path}" is a folder', "name one sound file in it")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f'"{path}" is not a regular file', "name a sound file")
        if not status.st_size:
            raise MediaError(f'"{path}" is empty: 0 bytes', again)
        file = path.open("rb")
    except FileNotFoundError as problem:
        raise MediaError(f'no file "{path}"', "check its name and folder") from problem
    except PermissionError as problem:
        raise MediaError(f'may not read "{path}"', "check its owner and permissions") from problem
    except (OSError, ValueError) as problem:
        raise MediaError(f'cannot read "{path}": {problem}', again) from problem
    with file:
        try:
            # a file object, not a name: FFmpeg takes names for addresses (http:, concat: …)
            options = {"format_whitelist": FORMATS}
            stamp = status.st_size, status.st_mtime_ns
            if scan is None or scan.stamp != stamp:
                scan = _Scan(stamp, find_repairs(file))
            container = av.open(
                scan.repairs.applied(file), options=options, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as problem:
            raise MediaError(f'"{path}" is not a sound file, or damaged', READABLE) from problem
        with container:
            yield container, scan
