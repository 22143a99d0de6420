"""Bundles are written here: stems in, one folder out, whole or not at all.

::

    stem files ── decode ──┐                           rename
                           ├─► .sfa-part-…/  ───────────────────►  NAME.sfa/
    arrays ────────────────┘   WAVs, track.json, all fsynced
                                             the old NAME.sfa, if any, steps aside meanwhile

A run that is killed leaves a part behind, and at the worst moment the old bundle aside; the
next write in that folder, or `clean_leftovers`, puts it right. What a bundle is, and reading
one, is `sfa_engine.audio.media`. Knows no database.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

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
)
from sfa_engine.audio.wav import CHANNELS, OWN_HEADER_BYTES, PCM, wav_header
from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import MediaError
from sfa_engine.library.key import parse_key

Block = NDArray[np.float32]
Progress = Callable[[float], None]

SUFFIX = ".sfa"
RATE = 48_000  # Hz
PAD_SECONDS = 1.0  # stems may differ by so much; separators and encoders add a few frames
BLOCK_FRAMES = 1 << 16
MOST_NAME_BYTES = 200  # of 255, so that a prefix fits

_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LEFTOVER = re.compile(r"\.sfa-(part|old)-([0-9a-f]{8})-([1-9][0-9]*)-[0-9]+-(.+)")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_counter = itertools.count()
_ours: set[str] = set()  # leftovers-to-be of this process, which are still in use


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


def clean_leftovers(folder: str | Path) -> int:
    """Put right what killed writers left in a folder of bundles; return how many things.

    A half-made part is removed. An old bundle that had stepped aside is put back if the new one
    had not taken its place yet, else removed. What living processes are at work on stays.
    """
    cleaned = 0
    if not Path(folder).exists():
        return 0
    for entry in sorted(Path(folder).iterdir()):
        match = _LEFTOVER.fullmatch(entry.name)
        if match is None or entry.name in _ours:
            continue
        if match[2] == _boot() and _is_alive(int(match[3])):
            continue
        home = entry.with_name(match[4])
        if match[1] == "part" or home.exists():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(FileNotFoundError):  # another process cleans too
                entry.rename(home)
        cleaned += 1
    return cleaned


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
        raise MediaError(f"first_beat_s is {first_beat_s}", "give seconds from the start, >= 0")
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
    _check_name(target)
    with drafted(target, DESCRIPTION) as draft:
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
        text = json.dumps({"version": VERSION} | asdict(track), ensure_ascii=False, indent=1)
        with (draft / DESCRIPTION).open("wb") as file:
            file.write(text.encode("utf-8", "replace"))
            _sync(file)
    return target


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
        _sync(file)


@contextmanager
def drafted(target: Path, sign: str) -> Iterator[Path]:
    """Lend an empty folder beside a target, which takes its place if all goes well.

    Parameters
    ----------
    target : Path
        The folder to make. One that is there is replaced if it is empty or has the sign in it.
    sign : str
        Name of the file that only folders of this kind have.

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    MediaError
        If something else is in that place, or it cannot be written.
    """
    draft = _beside(target, "part")
    aside = _beside(target, "old")
    try:
        _check_place(target, sign)
        target.parent.mkdir(parents=True, exist_ok=True)
        clean_leftovers(target.parent)
        draft.mkdir()
        yield draft
        _sync_folder(draft)
        with suppress(FileNotFoundError):
            target.rename(aside)
        draft.rename(target)
        _sync_folder(target.parent)
    except OSError as problem:
        raise MediaError(
            f'cannot write {_kind(sign)} "{target}": {problem.strerror or problem}',
            "look at the space and the rights there",
        ) from problem
    finally:
        if aside.exists() and not target.exists():
            aside.rename(target)
        for folder in (draft, aside):
            shutil.rmtree(folder, ignore_errors=True)
            _ours.discard(folder.name)


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """Lend a hidden folder beside a target for what is needed meanwhile; a kill leaves a part.

    Raises
    ------
    MediaError
        If it cannot be made, or the disk is full meanwhile.
    """
    folder = _beside(target, "part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        clean_leftovers(target.parent)
        folder.mkdir()
    except OSError as problem:
        raise MediaError(
            f'cannot work beside "{target}": {problem.strerror or problem}',
            "look at the space and the rights there",
        ) from problem
    try:
        yield folder
    except OSError as problem:
        if problem.errno not in _NO_SPACE:
            raise
        raise MediaError(
            f'no space to work beside "{target}": {problem.strerror}', "make some, or go elsewhere"
        ) from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _ours.discard(folder.name)


def _beside(target: Path, kind: str) -> Path:
    """Return a hidden path that tells whose it is; it is ours until it is discarded."""
    name = f".sfa-{kind}-{_boot()}-{os.getpid()}-{next(_counter)}-{target.name}"
    _ours.add(name)
    return target.with_name(name)


def _check_name(target: Path) -> None:
    """Raise MediaError unless a bundle and its draft can have this name."""
    odd = _CONTROL.search(target.name)
    if odd or target.suffix != SUFFIX or len(os.fsencode(target.name)) > MOST_NAME_BYTES:
        raise MediaError(
            f"{target.name[:80]!r} is no name for a bundle",
            f"end it in {SUFFIX}, within {MOST_NAME_BYTES} bytes and without control characters",
        )


def _check_place(target: Path, sign: str) -> None:
    """Raise MediaError if something that is of another kind would be overwritten."""
    if target.is_symlink() or (target.exists() and not _is_replaceable(target, sign)):
        raise MediaError(
            f'"{target}" is there and is no {_kind(sign)}', "choose another name, or move it away"
        )


def _kind(sign: str) -> str:
    """Return what a folder with a sign is called."""
    return "bundle" if sign == DESCRIPTION else f"folder with {sign}"


def _is_replaceable(target: Path, sign: str) -> bool:
    """Return whether a path has the sign, or is an empty folder: nothing else is overwritten."""
    return target.is_dir() and ((target / sign).exists() or not any(target.iterdir()))


@cache
def _boot() -> str:
    """Return eight digits that differ from boot to boot: process numbers begin anew then."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:  # no Linux
        return "00000000"


def _is_alive(pid: int) -> bool:
    """Return whether another process has this number; our own leftovers are in `_ours`."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync(file: BinaryIO) -> None:
    """Wait until a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
