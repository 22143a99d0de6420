"""Writes bundles: a folder of stems and a manifest, whole or not at all.

::

    stem files ── decode ──┐                           rename
                           ├─► .sfa-part-…/  ───────────────────►  NAME.sfa/
    arrays ────────────────┘   WAVs, track.json, all fsynced
                                             the old NAME.sfa, if any, is moved aside meanwhile

`sfa_engine.track.media` defines the bundle and reads it. Knows no database.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from msgspec import to_builtins
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import MediaError
from sfa_engine.system.atomic import atomic_directory, write_durably
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.key import parse_key
from sfa_engine.track.media import (
    GAINS,
    MANIFEST,
    RATE,
    VERSION,
    Cue,
    Decoder,
    Stem,
    StemFile,
    Track,
    check_stem_names,
    read_bundle,
)
from sfa_engine.track.wav import CHANNELS, OWN_HEADER_BYTES, PCM, wav_header

Block = NDArray[np.float32]
Progress = Callable[[float], None]

SUFFIX = ".sfa"
MAX_PADDING_S = 1.0  # that stems may differ in length; separators and encoders add a few frames
BLOCK_FRAMES = 1 << 16
MAX_NAME_BYTES = 200  # of 255, so that a prefix fits
# A hot MP3 peaks 1 or 2 dB above full scale, a float mix perhaps 20; beyond that a few samples are
# wrong, and the rest would lose its resolution for them.
MAX_HEADROOM_DB = 24.0

_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class StemSource(Protocol):
    """The sound of one stem, in blocks; its attributes are complete after the last one."""

    title: str
    artist: str
    repaired_samples: int
    truncated: bool

    @property
    def silent_seconds(self) -> float: ...

    @property
    def decoder(self) -> Mapping[str, str]: ...

    def __iter__(self) -> Iterator[Block]: ...


def write_bundle_arrays(
    target: str | Path,
    stems: Mapping[str, ArrayLike],
    *,
    title: str,
    artist: str,
    bpm: float | None,
    first_beat_s: float = 0.0,
    beats_per_bar: int = 4,
    key: str | None = None,
    gain_db: float = 0.0,
    cues: Sequence[Cue] = (),
    pcm: str = "s16",
    rate: int = RATE,
) -> Path:
    """Write arrays as a bundle.

    Parameters
    ----------
    target : str or Path
        As in `sfa_engine.prep.bundle_writer.write_bundle`, like all parameters not listed here.
    stems : mapping of str to float32[frames, 2]
        Sound of each stem at `rate`, full scale +-1.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    MediaError
        As there, and if an array is not stereo or has values that are not finite.
    """
    names = in_order(stems)
    grid = constant_grid(bpm, first_beat_s, beats_per_bar, rate)
    track = new_track(names, title, artist, grid, key, gain_db, pcm, rate)
    return write_stems(
        Path(target), {name: _Array(name, stems[name]) for name in names}, track, cues
    )


def pcm_digest(stems: Iterable[StemFile]) -> str:
    """Return the manifest's ``digest``: SHA-256, in hexadecimal, over the PCM of stems in order."""
    digest = hashlib.sha256()
    for stem in stems:
        with stem.path.open("rb") as file:
            file.seek(stem.offset_bytes)
            left = stem.frames * CHANNELS * stem.dtype.itemsize
            while left and (piece := file.read(min(left, 1 << 20))):
                digest.update(piece)
                left -= len(piece)
    return digest.hexdigest()


class _Array:
    """An array as a `StemSource`."""

    title = artist = ""
    repaired_samples = 0
    truncated = False
    silent_seconds = 0.0
    decoder: Mapping[str, str] = {}

    def __init__(self, name: str, sound: ArrayLike) -> None:
        self.sound = np.asarray(sound)
        if self.sound.ndim != 2 or self.sound.shape[1] != CHANNELS or not len(self.sound):
            raise MediaError(
                f'stem "{name}" has shape {self.sound.shape}', "give float32[frames, 2]"
            )
        if self.sound.dtype.kind != "f":
            raise MediaError(
                f'stem "{name}" has type {self.sound.dtype}', "give floats, full scale +-1"
            )
        if not np.isfinite(self.sound).all():
            raise MediaError(
                f'stem "{name}" has samples that are not finite', "check where they come from"
            )

    def __iter__(self) -> Iterator[Block]:
        for at in range(0, len(self.sound), BLOCK_FRAMES):
            yield self.sound[at : at + BLOCK_FRAMES].astype(np.float32)


def in_order(stems: Mapping[str, Any]) -> list[str]:
    """Return checked stem names in the desk's order."""
    check_stem_names(list(stems))
    return [name for name in STEMS if name in stems]


def constant_grid(
    bpm: float | None, first_beat_s: float, beats_per_bar: int, rate: int
) -> Grid | None:
    """Return a constant grid, or None without a tempo."""
    if bpm is None:
        return None
    if not 0.0 <= first_beat_s < float("inf"):
        raise MediaError(
            f"invalid first beat at {first_beat_s:g} s", "give seconds from the start, 0 or more"
        )
    return Grid((Anchor(first_beat_s * rate, 0.0),), float(bpm), beats_per_bar)


def new_track(
    names: list[str],
    title: str,
    artist: str,
    grid: Grid | None,
    key: str | None,
    gain_db: float,
    pcm: str,
    rate: int,
) -> Track:
    """Return a track of one frame, with everything that can be checked before decoding."""
    return Track(
        title=title,
        artist=artist,
        rate=rate,
        frames=1,
        pcm=pcm,
        stems=tuple(Stem(name, f"{name}.wav", 1) for name in names),
        digest="0" * 64,
        grid=grid,
        key=None if key is None else parse_key(key),
        gain_db=float(gain_db),
    )


def write_stems(
    target: Path, sources: Mapping[str, StemSource], track: Track, cues: Sequence[Cue]
) -> Path:
    """Write a bundle from its stems and the rest of its manifest; return its folder.

    If a peak exceeds 16 bits, all stems are written again, attenuated for the loudest; the track's
    gain compensates. The sources are then iterated twice.
    """
    check_name(target)
    with atomic_directory(target, MANIFEST, "bundle") as folder:
        written, peak = _write_stems(folder, sources, track, 0.0)
        if any(stem.clipped_samples for stem in written.values()):
            headroom_db = min(math.ceil(2000.0 * math.log10(peak)) / 100.0, MAX_HEADROOM_DB)
            written, _ = _write_stems(folder, sources, track, headroom_db)
            track = replace(
                track,
                headroom_db=min(track.headroom_db + headroom_db, GAINS[1]),
                gain_db=min(track.gain_db + headroom_db, GAINS[1]),
            )
        longest = max(stem.frames for stem in written.values())
        _check_first_beat(track, longest)
        for stem in written.values():
            _finish_sound(folder / stem.file, longest, track.rate, track.pcm)
        dtype = PCM[track.pcm]
        files = [StemFile(folder / s.file, OWN_HEADER_BYTES, longest, dtype) for s in track.stems]
        titles = (track.title, *(source.title for source in sources.values()))
        artists = (track.artist, *(source.artist for source in sources.values()))
        track = replace(
            track,
            title=next(filter(None, titles), target.name.removesuffix(SUFFIX)),
            artist=next(filter(None, artists), ""),
            frames=longest,
            stems=tuple(
                replace(stem, frames=longest, padded_frames=longest - stem.frames)
                for stem in written.values()
            ),
            digest=pcm_digest(files),
            cues=tuple(cues),
            decoder=_common_decoder([source.decoder for source in sources.values()]),
        )
        write_durably(folder / MANIFEST, _manifest_text(track))
    return target


def notes(track: Track) -> list[str]:
    """Return what the import changed or lost of a track's sound, for the user."""
    silent_s = max(stem.silent_frames for stem in track.stems) / track.rate
    repaired = max(stem.repaired_samples for stem in track.stems)
    clipped = sum(stem.clipped_samples for stem in track.stems)
    found = []
    if silent_s:
        found.append(f"the file is damaged: {silent_s:.2f} s of it are silent")
    elif any(stem.truncated for stem in track.stems):
        found.append("the file is truncated")
    if repaired:
        found.append(f"{repaired} samples were not finite")
    if track.headroom_db:
        found.append(f"stored {track.headroom_db:.1f} dB lower, its peaks exceed full scale")
    if clipped:
        found.append(f"{clipped} samples clipped")
    return found


def rewrite_manifest(bundle: str | Path, track: Track) -> bool:
    """Replace the manifest of a bundle atomically; its sound stays.

    Parameters
    ----------
    bundle : str or Path
        The folder.
    track : Track
        The new manifest; its facts on the sound equal the present ones.

    Returns
    -------
    bool
        Whether it differs from the present one.

    Raises
    ------
    MediaError
        The bundle cannot be read or written, or the manifest describes another sound.
    """
    folder = Path(bundle)
    present = read_bundle(folder).track
    for what in ("rate", "frames", "pcm", "stems", "digest"):
        if getattr(track, what) != getattr(present, what):
            raise MediaError(
                f'bundle "{folder}" has another {what} than its new manifest',
                "prepare the track again with `sfa prep`",
            )
    if track == present:
        return False
    try:
        write_durably(folder / MANIFEST, _manifest_text(track))
    except OSError as problem:
        raise MediaError(
            f'cannot write "{folder / MANIFEST}": {problem.strerror or problem}',
            "check the free space and the permissions there",
        ) from problem
    return True


def _manifest_text(track: Track) -> bytes:
    text = json.dumps({"version": VERSION} | to_builtins(track), ensure_ascii=False, indent=1)
    return text.encode("utf-8", "replace")


def _common_decoder(decoders: list[Mapping[str, str]]) -> Decoder | None:
    """Return the decoder of all stems, with the least certain delay."""
    if not decoders[0]:
        return None
    delays = {decoder["delay"] for decoder in decoders}
    delay = next(delay for delay in ("unknown", "removed", "none") if delay in delays)
    return Decoder(decoders[0]["name"], decoders[0]["version"], delay)


def _check_lengths(stems: Iterable[Stem], rate: int) -> None:
    """Raise MediaError if stems differ in length by more than the padding."""
    by_length = sorted(stems, key=lambda stem: stem.frames)
    short, long = by_length[0], by_length[-1]
    if long.frames - short.frames > MAX_PADDING_S * rate:
        raise MediaError(
            f'stem "{short.name}" lasts {short.frames / rate:.2f} s and '
            f'"{long.name}" {long.frames / rate:.2f} s',
            f"stems of one track differ by {MAX_PADDING_S:g} s at most; export them again",
        )


def _check_first_beat(track: Track, frames: int) -> None:
    """Raise MediaError if the first beat is after the end."""
    if track.grid is not None and track.grid.anchors[0].frame >= frames:
        raise MediaError(
            f"the first beat is at {track.grid.anchors[0].frame / track.rate:g} s "
            f"and the sound lasts {frames / track.rate:.1f} s",
            "give a first beat within it",
        )


def _write_stems(
    folder: Path, sources: Mapping[str, StemSource], track: Track, headroom_db: float
) -> tuple[dict[str, Stem], float]:
    """Write the sound of all stems; return their facts by name, and the highest peak."""
    written: dict[str, Stem] = {}
    peaks = [0.0]
    for stem in track.stems:
        source = sources[stem.name]
        frames, clipped, peak = _write_sound(folder / stem.file, source, track.pcm, headroom_db)
        peaks.append(peak)
        written[stem.name] = replace(
            stem,
            frames=frames,
            clipped_samples=clipped,
            repaired_samples=source.repaired_samples,
            truncated=source.truncated,
            silent_frames=round(source.silent_seconds * track.rate),
        )
        _check_lengths(written.values(), track.rate)
    return written, max(peaks)


def _write_sound(
    path: Path, blocks: Iterable[Block], pcm: str, headroom_db: float
) -> tuple[int, int, float]:
    """Write PCM after room for the header; return frames, clipped samples and peak."""
    frames = clipped = 0
    peak = 0.0
    # times 2**15 is exact, and so is the way back: 16-bit sources stay bit for bit
    scale = np.float32(32768.0 * 10.0 ** (-headroom_db / 20.0))
    with path.open("wb") as file:
        file.write(bytes(OWN_HEADER_BYTES))
        for block in blocks:
            frames += len(block)
            if pcm == "s16":
                peak = max(peak, float(np.abs(block).max(initial=0.0)))
                scaled = np.rint(block * scale)
                clipped += int(np.count_nonzero(np.abs(scaled) > 32768.0))
                sound = np.clip(scaled, -32768.0, 32767.0)
            else:
                sound = block
            file.write(np.ascontiguousarray(sound, PCM[pcm]).data)
    return frames, clipped, peak


def _finish_sound(path: Path, frames: int, rate: int, pcm: str) -> None:
    """Pad a file to its length with silence, write its header, and fsync."""
    with path.open("r+b") as file:
        file.truncate(OWN_HEADER_BYTES + frames * CHANNELS * PCM[pcm].itemsize)
        file.write(wav_header(frames, rate, pcm))
        file.flush()
        os.fsync(file.fileno())


def check_name(target: Path) -> None:
    """Raise MediaError unless a bundle can have this name."""
    invalid = _CONTROL.search(target.name)
    if invalid or target.suffix != SUFFIX or len(os.fsencode(target.name)) > MAX_NAME_BYTES:
        raise MediaError(
            f"{target.name[:80]!r} is not a valid name for a bundle",
            f"end it in {SUFFIX}, within {MAX_NAME_BYTES} bytes and without control characters",
        )
