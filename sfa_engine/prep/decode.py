"""The one decoder: what is analysed, separated and played comes from here.

So a frame number means the same place everywhere. Where a file states the delay of its encoder
it is removed (measured against the source, see ``tests/prep/test_decode.py``)::

    WAV AIFF CAF FLAC ALAC     nothing to remove                      delay "none"
    Ogg Opus MP3 M4A           to the frame, where the file says so         "removed"
    MP3 without a LAME tag     1105 frames late: nobody can know            "unknown"
    bare AAC (ADTS)            1024 frames late: nobody can know            "unknown"

M4A and bare AAC end up to one codec frame (1024) later than their source.

    file ─► repaired ─► FFmpeg ─► float ─► placed ─► stereo ─► soxr ─► float32[frames, 2]

What cannot be decoded is silence of its length, so that all after it keeps its time: placed by
the file's time stamps, or by counting frames (`sfa_engine.prep.repair`). Everything runs in
blocks of bounded size. Knows nothing of stems, bundles or the library.
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
from sfa_engine.prep.channels import channels_of, repair, stereo
from sfa_engine.prep.frames import flac_frames
from sfa_engine.prep.repair import Repairs, find_repairs

Block = NDArray[np.float32]
Progress = Callable[[float], None]

RATE = 48_000  # Hz, of the library
OUT_RATES = (8_000, 192_000)  # Hz
SOURCE_RATES = (4_000, 768_000)  # Hz
BLOCK_FRAMES = 1 << 16
LEAST_SECONDS = 1.0  # of a damaged file; with less it is refused
SLACK_SECONDS = 0.05  # a length that is short by one codec frame (2048) is not an early end
MOST_TAIL_BYTES = 1 << 16  # behind an MP3's last frame: lyrics, zeros; more was meant to be sound
# Between time stamps: what is less is rounding (Matroska: 1 ms). Packets last 2.5 ms and more, and
# are lost by the page or several together.
LEAST_GAP_SECONDS = Fraction(5, 1000)

# What may be opened. FFmpeg also knows play lists and scripts that name other files and hosts.
FORMATS = "wav,w64,aiff,caf,flac,ogg,mp3,aac,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
READABLE = "WAV, AIFF, FLAC, Ogg, Opus, MP3 and M4A are read"
_LENGTH_STATED = ("wav", "w64", "aiff", "caf", "flac", "mov,mp4,m4a,3gp,3g2,mj2")
_CUT_TOLD = ("wav", "w64", "caf", "ogg")  # by the container's structure; FFmpeg takes what there is
# Bit/s, at the least, by which a file's size bounds its length: of MP3 the lowest that there is, of
# others less than silence takes.
_LEAST_MP3_BIT_RATE = 8_000
_LEAST_BIT_RATE = 400
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A whole file as sound.

    Parameters
    ----------
    sound : float32[frames, 2]
        Full scale is +-1; a float file may go beyond.
    rate : int
        Hz.
    decoder : dict of str to str
        ``name``, ``version`` and ``delay`` ("none", "removed" or "unknown").
    title, artist : str
        From the file's tags; empty if they do not say.
    repaired_samples : int
        Samples that were not numbers, or absurdly large, and are silence now.
    truncated : bool
        Whether the file is damaged or ends early; `sound` is what could be read.
    silent_seconds : float
        How much of it could not be decoded, and is silence.
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
    """The blocks of one file, in order; each loop decodes it again. See `decode_blocks`.

    What is known about the file stands in the attributes, and is complete after a loop; they
    are those of `Decoded`, and `frames` is how many were returned.
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
        self._known: _Known | None = None
        self._begin()

    def _begin(self) -> None:
        """Forget what an earlier loop found."""
        self.frames = 0
        self.repaired_samples = 0
        self.truncated = False
        self._silent_seconds = Fraction(0)
        self._stated_seconds: Fraction | None = None
        self._most_seconds = Fraction(0)  # that the file's size allows
        self._length_stated = False
        self._stumbled = False

    @property
    def silent_seconds(self) -> float:
        """How much could not be decoded, and is silence."""
        return float(self._silent_seconds)

    def __iter__(self) -> Iterator[Block]:
        self._begin()
        resampler: soxr.ResampleStream | None = None
        source_rate = 0
        seconds = Fraction(0)
        with _opened(self.path, self._known) as (container, self._known):
            self._silent_seconds = self._known.repairs.silent_seconds
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
        self._judge(seconds)
        if self._progress:
            self._progress(1.0)

    @property
    def stated_seconds(self) -> float | None:
        """The length that the file states, before any of it is decoded; None if it does not.

        It is not more than the file's size allows.
        """
        if self._stated_seconds is None:
            with _opened(self.path, self._known) as (container, self._known):
                self._learn(container, _sound_of(self.path, container))
        if self._stated_seconds is None:
            return None
        return float(min(self._stated_seconds, self._most_seconds))

    def _resampled(
        self, resampler: soxr.ResampleStream | None, block: Block, *, last: bool
    ) -> Iterator[Block]:
        """Yield a block at the wanted rate, if it has any frames there."""
        if resampler is not None:
            block = resampler.resample_chunk(block, last=last)
        if len(block):
            self.frames += len(block)
            yield block

    def _stereo(self, container: Any) -> Iterator[tuple[int, Block]]:
        """Yield rate in Hz and stereo sound of each of the codec's frames."""
        stream = _sound_of(self.path, container)
        self._learn(container, stream)
        self._check_length(min(self._stated_seconds or 0, self._most_seconds))
        end: Fraction | None = None  # of the frame before, by its time stamp
        seconds = Fraction(0)
        for began, frame in self._frames(container, stream):
            rate = _checked_rate(self.path, frame.sample_rate)
            gap = Fraction(0) if began is None or end is None else began - end
            if self._is_gap(gap, seconds):
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
            self.repaired_samples += repair(channels)
            speakers = tuple(speaker.name for speaker in frame.layout.channels)
            yield rate, stereo(channels.astype(np.float32, copy=False), speakers)

    def _frames(self, container: Any, stream: Any) -> Iterator[tuple[Fraction | None, Any]]:
        """Yield what the codec makes of a stream, with the time of each in seconds if known."""
        context = stream.codec_context
        if context.name == "flac":  # a frame of noise is not to be had for sound
            context.options = {"err_detect": "crccheck+explode"}
        is_first = is_new = True
        lost_bytes = 0  # that could not be decoded, since the last frame
        for packet in self._packets(container, stream):
            if packet.size:
                if is_first:
                    self._learn_delay(container, packet)
                is_new = not is_first and _begins_anew(packet)
                is_first = False
            for piece, began in _pieces(container, packet):
                try:
                    frames = context.decode(piece)
                except av.FFmpegError:
                    lost_bytes += max(1, packet.size)
                    continue
                self._stumbled |= lost_bytes > 0 and bool(frames)
                lost_bytes = 0 if frames else lost_bytes
                for frame in frames:
                    is_told = began is not None or is_new
                    yield began if is_told else _begin_of(frame, packet), frame
        self._stumbled |= lost_bytes > (MOST_TAIL_BYTES if container.format.name == "mp3" else 0)

    def _is_gap(self, gap: Fraction, seconds: Fraction) -> bool:
        """Return whether time stamps leave out sound: no rounding, and not more than there is."""
        left = None if self._stated_seconds is None else self._stated_seconds - seconds
        return gap > LEAST_GAP_SECONDS and (left is None or gap <= left + Fraction(SLACK_SECONDS))

    def _check_length(self, seconds: Fraction | int) -> None:
        """Raise MediaError if the sound is longer than is wanted."""
        if self._longest_s is not None and seconds > self._longest_s + SLACK_SECONDS:
            raise MediaError(
                f'"{self.path}" is longer than {self._longest_s / 60:g} minutes',
                "cut it, or raise max_minutes in [library]",
            )

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield what the file holds of a stream, up to where it cannot be read further."""
        try:
            yield from container.demux(stream)
        except (av.FFmpegError, OSError):
            self._stumbled = True

    def _learn(self, container: Any, stream: Any) -> None:
        """Take tags and length from what the file states before its sound."""
        tags = {k.lower(): v for k, v in (*stream.metadata.items(), *container.metadata.items())}
        self.title, self.artist = (
            " ".join(tags.get(tag, "").split())[:500] for tag in ("title", "artist")
        )
        if stream.duration:
            self._stated_seconds = stream.duration * stream.time_base
        elif container.duration:
            self._stated_seconds = Fraction(container.duration, av.time_base)
        codec = stream.codec_context.name
        least = _LEAST_MP3_BIT_RATE if codec.startswith("mp3") else _LEAST_BIT_RATE
        if codec.startswith("pcm_") and stream.bit_rate:
            least = stream.bit_rate
        self._most_seconds = Fraction(container.size * 8, least)
        if container.format.name in _CUT_TOLD:
            cut_bytes = _cut_bytes(self.path)
            is_packed = container.format.name == "ogg"
            slack_bytes = 0 if is_packed else SLACK_SECONDS * (stream.bit_rate or 0) / 8
            self.truncated = cut_bytes > slack_bytes

    def _learn_delay(self, container: Any, packet: Any) -> None:
        """Note from the first packet what is known about the encoder's delay."""
        if packet.stream.codec_context.name.startswith(_LOSSLESS):
            self.decoder["delay"] = "none"
        elif packet.has_sidedata("skip_samples") or container.format.name == "ogg":
            self.decoder["delay"] = "removed"
        self._length_stated = container.format.name in _LENGTH_STATED or (
            # an MP3's length is a guess unless its first frame states it
            container.format.name == "mp3" and self.decoder["delay"] == "removed"
        )
        if container.format.name.startswith("matroska"):  # states that of its longest stream
            self._length_stated = len(container.streams) == 1

    def _judge(self, seconds: Fraction) -> None:
        """Decide, at the end, whether this was the whole file, and enough of it."""
        if self._stated_seconds and self._length_stated:  # then what follows the end is not sound
            self.truncated |= self._stated_seconds - seconds > SLACK_SECONDS
        else:
            self.truncated |= self._stumbled
        self.truncated |= self._silent_seconds > 0
        if self.truncated and seconds < LEAST_SECONDS:
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
        If the file cannot be read, has no sound, or less than a second of it is undamaged.

    Notes
    -----
    The result grows in place, so that the peak of memory is 1.25 times the result.
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
        Seconds; of a longer file MediaError is raised, before it is decoded if it states its
        length.

    Returns
    -------
    Decoding
        To be looped over: float32[n, 2] each, ``n`` up to some 1e5.
    """
    if not OUT_RATES[0] <= rate <= OUT_RATES[1]:
        raise MediaError(f"cannot decode to {rate} Hz", f"give {OUT_RATES[0]}..{OUT_RATES[1]} Hz")
    return Decoding(Path(path), rate, progress, longest_s)


def _gathered(pieces: Iterator[tuple[int, Block]]) -> Iterator[tuple[int, Block]]:
    """Join pieces of one rate to blocks of `BLOCK_FRAMES` and a little more."""
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
    """Return what brings a source to another rate, or None if there is nothing to do."""
    if source_rate == rate:
        return None
    return soxr.ResampleStream(source_rate, rate, 2, dtype="float32", quality="VHQ")


def _sound_of(path: Path, container: Any) -> Any:
    """Return the stream of a file that is its sound."""
    if not container.streams.audio:
        raise MediaError(f'"{path}" has no sound in it', READABLE)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise MediaError(f'"{path}" has sound in a format that is not known', READABLE)
    return stream


def _silence(seconds: Fraction, rate: int) -> Iterator[tuple[int, Block]]:
    """Yield silence in blocks."""
    frames = round(seconds * rate)
    for begin in range(0, frames, BLOCK_FRAMES):
        yield rate, np.zeros((min(BLOCK_FRAMES, frames - begin), 2), np.float32)


def _begin_of(frame: Any, packet: Any) -> Fraction | None:
    """Return the time of a frame in seconds, or None.

    FFmpeg stamps a Vorbis frame after a change of the block's size up to 9 ms late: its end, which
    is the packet's, is right.
    """
    context = packet.stream.codec_context
    if context.name == "vorbis" and None not in (packet.pts, packet.duration):
        end = (packet.pts + packet.duration) * packet.time_base
        return Fraction(end) - Fraction(frame.samples, frame.sample_rate)
    if frame.pts is None or (context.name == "flac" and not context.extradata):
        return None  # of a FLAC without its head FFmpeg does not know the rate
    return Fraction(frame.pts * frame.time_base)


def _begins_anew(packet: Any) -> bool:
    """Return whether a packet is the first of a file that was joined to the one before.

    The encoder's delay is removed there once more, which leaves no gap.
    """
    if not packet.has_sidedata("skip_samples"):
        return False
    return any(bytes(packet.get_sidedata("skip_samples"))[:4])  # the last packet's come behind


def _pieces(container: Any, packet: Any) -> Iterator[tuple[Any, Fraction | None]]:
    """Yield a packet, or the FLAC frames in one that FFmpeg could not part; with their times.

    Where a frame of a bare FLAC is damaged, FFmpeg gives it in one packet with those around it,
    and does not say when that is; the frames' own headers do.
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


def _cut_bytes(path: Path) -> int:
    """Return how many bytes a file states that it does not have."""
    with path.open("rb") as file:
        payload = find_payload(file)
    return payload.missing_bytes or 0 if payload else 0


def _checked_rate(path: Path, rate: int) -> int:
    """Return a source's rate in Hz, or raise MediaError if no sound has it."""
    if not SOURCE_RATES[0] <= rate <= SOURCE_RATES[1]:
        raise MediaError(
            f'"{path}" has a rate of {rate} Hz',
            f"{SOURCE_RATES[0]}..{SOURCE_RATES[1]} Hz are read; convert it first",
        )
    return rate


@dataclass(frozen=True, slots=True)
class _Known:
    """What is to be repaired in a file of some size in bytes and time of change."""

    stamp: tuple[int, int]
    repairs: Repairs


@contextmanager
def _opened(path: Path, known: _Known | None) -> Iterator[tuple[Any, _Known]]:
    """Open a sound file, looked through only if that is not known, or say why not."""
    again = "copy or download it again"
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f'"{path}" is a folder', "name one sound file in it")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f'"{path}" is no regular file', "name a sound file")
        if not status.st_size:
            raise MediaError(f'"{path}" is empty: 0 bytes', again)
        file = path.open("rb")
    except FileNotFoundError as problem:
        raise MediaError(f'no file "{path}"', "check its name and place") from problem
    except PermissionError as problem:
        raise MediaError(f'may not read "{path}"', "check its owner and its rights") from problem
    except (OSError, ValueError) as problem:
        raise MediaError(f'cannot read "{path}": {problem}', again) from problem
    with file:
        try:
            # a file object and not a name: FFmpeg reads names as addresses (http:, concat: …)
            options = {"format_whitelist": FORMATS}
            stamp = status.st_size, status.st_mtime_ns
            if known is None or known.stamp != stamp:
                known = _Known(stamp, find_repairs(file))
            container = av.open(
                known.repairs.applied(file), options=options, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as problem:
            raise MediaError(f'"{path}" is not a sound file, or damaged', READABLE) from problem
        with container:
            yield container, known
