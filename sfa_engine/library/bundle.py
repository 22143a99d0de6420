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

_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Part(Protocol):
    """One stem's sound on its way in, in blocks; what is known of it is complete at the end."""

    title: str
    artist: str
    repaired_samples: int
    truncated: bool

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
    """Write a bundle of which all is known but the sound; return its folder."""
    check_name(target)
    with drafted(target, DESCRIPTION, "bundle") as draft:
        written = {}
        for stem in facts.stems:
            part = parts[stem.name]
            frames, clipped = _write_sound(draft / stem.file, part, facts.pcm)
            written[stem.name] = replace(
                stem,
                frames=frames,
                clipped_samples=clipped,
                repaired_samples=part.repaired_samples,
                truncated=part.truncated,
            )
            _check_lengths(written.values(), facts.rate)
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


def _write_sound(path: Path, blocks: Iterable[Block], pcm: str) -> tuple[int, int]:
    """Write PCM behind the place of the header; return its frames and clipped samples."""
    frames = clipped = 0
    with path.open("wb") as file:
        file.write(bytes(OWN_HEADER_BYTES))
        for block in blocks:
            frames += len(block)
            if pcm == "s16":
                # times 2**15 is exact, and so is the way back: 16-bit sources stay bit for bit
                scaled = np.rint(block * np.float32(32768.0))
                clipped += int(np.count_nonzero(np.abs(scaled) > 32768.0))
                sound = np.clip(scaled, -32768.0, 32767.0)
            else:
                sound = block
            file.write(np.ascontiguousarray(sound, PCM[pcm]).data)
    return frames, clipped


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
