"""Bundles are written here: stems in, one folder out, whole or not at all.

::

    stem files ── decode ──┐                           rename
                           ├─► .sfa-part-…/  ───────────────────►  NAME.sfa/
    arrays ────────────────┘   WAVs, track.json, all fsynced
                                             the old NAME.sfa, if any, steps aside meanwhile

How a folder appears whole is `sfa_engine.library.draft`; what a bundle is, and reading one, is
`sfa_engine.audio.media`. Knows no database.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sfa_engine.audio.grid import Anchor, Grid
from sfa_engine.audio.media import (
    DESCRIPTION,
    GAINS,
    VERSION,
    Cue,
    Decoder,
    Stem,
    StemFile,
    Track,
    check_stem_names,
    read_bundle,
)
from sfa_engine.audio.wav import CHANNELS, OWN_HEADER_BYTES, PCM, wav_header
from sfa_engine.desk.deck import STEMS
from sfa_engine.durable import sync
from sfa_engine.errors import MediaError
from sfa_engine.library.draft import drafted, drafted_file
from sfa_engine.library.key import parse_key

Block = NDArray[np.float32]
Progress = Callable[[float], None]

SUFFIX = ".sfa"
RATE = 48_000  # Hz
PAD_SECONDS = 1.0  # stems may differ by so much; separators and encoders add a few frames
BLOCK_FRAMES = 1 << 16
MOST_NAME_BYTES = 200  # of 255, so that a prefix fits
# A hot MP3 has 1 or 2 dB over full scale, a mix in floats perhaps 20; beyond that it is not music
# that is loud but a few samples that are wrong, and everything else would lose its resolution.
MAX_HEADROOM_DB = 24.0

_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Part(Protocol):
    """One stem's sound on its way in, in blocks; what is known of it is complete at the end."""

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
    """Write sound that is in memory as a bundle.

    Parameters
    ----------
    target : str or Path
        As in `sfa_engine.prep.ingest.write_bundle`; so are all parameters not named here.
    stems : mapping of str to float32[frames, 2]
        Sound at `rate` for each stem name, full scale +-1.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    MediaError
        As there, and if an array is not stereo or has values that are not numbers.
    """
    names = in_order(stems)
    grid = constant_grid(bpm, first_beat_s, beats_per_bar, rate)
    facts = facts_of(names, title, artist, grid, key, gain_db, pcm, rate)
    return write_parts(
        Path(target), {name: _Array(name, stems[name]) for name in names}, facts, cues
    )


def pcm_digest(stems: Iterable[StemFile]) -> str:
    """Return the SHA-256, in hexadecimal, over the PCM of stems in their order.

    It is what ``track.json`` has as ``digest``: comparing the two finds a changed sample.
    """
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
    """A stem that is in memory, as a `Part`."""

    title = artist = ""
    repaired_samples = 0
    truncated = False
    silent_seconds = 0.0
    decoder: Mapping[str, str] = {}

    def __init__(self, name: str, sound: ArrayLike) -> None:
        self.sound = np.asarray(sound)
        if self.sound.ndim != 2 or self.sound.shape[1] != CHANNELS or not len(self.sound):
            raise MediaError(
                f'stem "{name}" has the shape {self.sound.shape}', "give float32[frames, 2]"
            )
        if self.sound.dtype.kind != "f":
            raise MediaError(
                f'stem "{name}" is of type {self.sound.dtype}', "give floats, full scale +-1"
            )
        if not np.isfinite(self.sound).all():
            raise MediaError(f'stem "{name}" has samples that are not numbers', "find out why")

    def __iter__(self) -> Iterator[Block]:
        for at in range(0, len(self.sound), BLOCK_FRAMES):
            yield self.sound[at : at + BLOCK_FRAMES].astype(np.float32)


def in_order(stems: Mapping[str, Any]) -> list[str]:
    """Return the names of stems in the desk's order, after a check."""
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
            f"the first beat at {first_beat_s:g} s cannot be", "give seconds from the start, from 0"
        )
    return Grid((Anchor(first_beat_s * rate, 0.0),), float(bpm), beats_per_bar)


def facts_of(
    names: list[str],
    title: str,
    artist: str,
    grid: Grid | None,
    key: str | None,
    gain_db: float,
    pcm: str,
    rate: int,
) -> Track:
    """Return a track of one frame: all that is known, and checked, before the work begins."""
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


def write_parts(target: Path, parts: Mapping[str, Part], facts: Track, cues: Sequence[Cue]) -> Path:
    """Write a bundle of which all is known but the sound; return its folder.

    Where 16 bits cannot hold a peak, all stems are written a second time, as much lower as the
    loudest needs; the track's gain takes that back. So parts are looped over twice then.
    """
    check_name(target)
    with drafted(target, DESCRIPTION, "bundle") as draft:
        written, peak = _write_stems(draft, parts, facts, 0.0)
        if any(stem.clipped_samples for stem in written.values()):
            headroom_db = min(math.ceil(2000.0 * math.log10(peak)) / 100.0, MAX_HEADROOM_DB)
            written, _ = _write_stems(draft, parts, facts, headroom_db)
            facts = replace(
                facts,
                headroom_db=min(facts.headroom_db + headroom_db, GAINS[1]),
                gain_db=min(facts.gain_db + headroom_db, GAINS[1]),
            )
        longest = max(stem.frames for stem in written.values())
        _check_first_beat(facts, longest)
        for stem in written.values():
            _finish_sound(draft / stem.file, longest, facts.rate, facts.pcm)
        kind = PCM[facts.pcm]
        files = [StemFile(draft / s.file, OWN_HEADER_BYTES, longest, kind) for s in facts.stems]
        track = replace(
            facts,
            title=facts.title
            or next(
                filter(None, (p.title for p in parts.values())), target.name.removesuffix(SUFFIX)
            ),
            artist=facts.artist or next(filter(None, (p.artist for p in parts.values())), ""),
            frames=longest,
            stems=tuple(
                replace(stem, frames=longest, padded_frames=longest - stem.frames)
                for stem in written.values()
            ),
            digest=pcm_digest(files),
            cues=tuple(cues),
            decoder=_common_decoder([part.decoder for part in parts.values()]),
        )
        _write_description(draft / DESCRIPTION, track)
    return target


def notes(track: Track) -> list[str]:
    """Return what befell a track's sound on its way in, in words for the user; mostly nothing."""
    silent_s = max(stem.silent_frames for stem in track.stems) / track.rate
    repaired = max(stem.repaired_samples for stem in track.stems)
    clipped = sum(stem.clipped_samples for stem in track.stems)
    told = []
    if silent_s:
        told.append(f"the file is damaged: {silent_s:.2f} s of it are silent")
    elif any(stem.truncated for stem in track.stems):
        told.append("the file breaks off")
    if repaired:
        told.append(f"{repaired} samples were no numbers")
    if track.headroom_db:
        told.append(f"stored {track.headroom_db:.1f} dB lower, its peaks exceed full scale")
    if clipped:
        told.append(f"{clipped} samples clipped")
    return told


def rewrite_facts(bundle: str | Path, track: Track) -> bool:
    """Write the description of a bundle anew, whole or not at all; its sound stays.

    Parameters
    ----------
    bundle : str or Path
        The folder.
    track : Track
        What it is to say; of the sound it says what is there already. A whole `Grid` and all
        cues are welcome.

    Returns
    -------
    bool
        Whether anything was different.

    Raises
    ------
    MediaError
        The bundle cannot be read or written, or the track tells of another sound.
    """
    folder = Path(bundle)
    there = read_bundle(folder).track
    for what in ("rate", "frames", "pcm", "stems", "digest"):
        if getattr(track, what) != getattr(there, what):
            raise MediaError(
                f'bundle "{folder}" has another {what} than its new description',
                "describe the sound that is there, or write the bundle anew",
            )
    if track == there:
        return False
    with drafted_file(folder / DESCRIPTION) as draft:
        _write_description(draft, track)
    return True


def _write_description(path: Path, track: Track) -> None:
    text = json.dumps({"version": VERSION} | asdict(track), ensure_ascii=False, indent=1)
    path.write_bytes(text.encode("utf-8", "replace"))
    sync(path)


def _common_decoder(decoders: list[Mapping[str, str]]) -> Decoder | None:
    """Return what made all stems; the delay is that of the least certain of them."""
    if not decoders[0]:
        return None
    delays = {decoder["delay"] for decoder in decoders}
    delay = next(delay for delay in ("unknown", "removed", "none") if delay in delays)
    return Decoder(decoders[0]["name"], decoders[0]["version"], delay)


def _check_lengths(stems: Iterable[Stem], rate: int) -> None:
    """Raise MediaError if stems differ by more than padding may hide."""
    by_length = sorted(stems, key=lambda stem: stem.frames)
    short, long = by_length[0], by_length[-1]
    if long.frames - short.frames > PAD_SECONDS * rate:
        raise MediaError(
            f'stem "{short.name}" lasts {short.frames / rate:.2f} s and '
            f'"{long.name}" {long.frames / rate:.2f} s',
            f"stems of one track differ by {PAD_SECONDS:g} s at most; export them again",
        )


def _check_first_beat(facts: Track, frames: int) -> None:
    """Raise MediaError if the beats begin where the sound has ended."""
    if facts.grid is not None and facts.grid.anchors[0].frame >= frames:
        raise MediaError(
            f"the first beat is at {facts.grid.anchors[0].frame / facts.rate:g} s "
            f"and the sound lasts {frames / facts.rate:.1f} s",
            "give a first beat within it",
        )


def _write_stems(
    draft: Path, parts: Mapping[str, Part], facts: Track, headroom_db: float
) -> tuple[dict[str, Stem], float]:
    """Write the sound of all stems; return what is known of each, and their highest peak."""
    written: dict[str, Stem] = {}
    peaks = [0.0]
    for stem in facts.stems:
        part = parts[stem.name]
        frames, clipped, peak = _write_sound(draft / stem.file, part, facts.pcm, headroom_db)
        peaks.append(peak)
        written[stem.name] = replace(
            stem,
            frames=frames,
            clipped_samples=clipped,
            repaired_samples=part.repaired_samples,
            truncated=part.truncated,
            silent_frames=round(part.silent_seconds * facts.rate),
        )
        _check_lengths(written.values(), facts.rate)
    return written, max(peaks)


def _write_sound(
    path: Path, blocks: Iterable[Block], pcm: str, headroom_db: float
) -> tuple[int, int, float]:
    """Write PCM behind the place of the header; return its frames, clipped samples and peak."""
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
    """Bring a file to its length with silence, write its header, and wait for the disk."""
    with path.open("r+b") as file:
        file.truncate(OWN_HEADER_BYTES + frames * CHANNELS * PCM[pcm].itemsize)
        file.write(wav_header(frames, rate, pcm))
        file.flush()
        os.fsync(file.fileno())


def check_name(target: Path) -> None:
    """Raise MediaError unless a bundle and its draft can have this name."""
    odd = _CONTROL.search(target.name)
    if odd or target.suffix != SUFFIX or len(os.fsencode(target.name)) > MOST_NAME_BYTES:
        raise MediaError(
            f"{target.name[:80]!r} is no name for a bundle",
            f"end it in {SUFFIX}, within {MOST_NAME_BYTES} bytes and without control characters",
        )
