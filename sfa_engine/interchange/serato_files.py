"""Serato's tags in sound files: GEOB frames of ID3, comments of FLAC and Ogg, atoms of MP4.

Through mutagen. A file is changed as a copy beside it that replaces it, so that a crash or a full
disk leaves it as it was. What Serato does not know stays in it. Blocks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError, SfaError
from sfa_engine.interchange import serato_tags as tags
from sfa_engine.interchange.mp3_shift import moov_range
from sfa_engine.interchange.pads import LOOPS_FROM, pads_of
from sfa_engine.interchange.record import Loss, Record, cue_name
from sfa_engine.library.cues import Cue
from sfa_engine.library.payload import chunks
from sfa_engine.system.atomic import atomic_file
from sfa_engine.track.grid import Grid

MAX_TAG_BYTES = 64 << 20  # of all tags of a file: ten covers
SUFFIXES = (
    ".mp3", ".wav", ".wave", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".m4a", ".mp4",
    ".m4v", ".alac",
)  # fmt: skip
_AGAIN = "copy it again from its source"
_GRID, _MARKERS, _MARKERS2, _AUTO = "BeatGrid", "Markers_", "Markers2", "Autotags"
_FLAC = {_GRID: "serato_beatgrid", _MARKERS2: "serato_markers_v2", _AUTO: "serato_autogain"}
_MP4 = {_GRID: "beatgrid", _MARKERS: "markers", _MARKERS2: "markersv2", _AUTO: "autgain"}
_OGG = {_GRID: "serato_beatgrid", _MARKERS: "serato_markers", _MARKERS2: "serato_markers2"}
_ATOM = "----:com.serato.dj:"
_WITHOUT_TAGS = "this kind of file has no tags of Serato"


@dataclass(frozen=True, slots=True)
class SeratoTags:
    """What Serato knows of a file, in our terms.

    Parameters
    ----------
    cues : tuple of Cue
        Its loops are our hot cues from 9 on.
    grid : Grid, optional
    color : str
    bpm : float, optional
    losses : tuple of (str, str)
        What could not be read, and why.
    """

    cues: tuple[Cue, ...] = ()
    grid: Grid | None = None
    color: str = ""
    bpm: float | None = None
    losses: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.cues or self.grid or self.color or self.bpm or self.losses)


def read_file(path: Path) -> SeratoTags:
    """Read Serato's tags of a sound file; empty if it has none.

    Raises
    ------
    MediaError
        The file cannot be read, or is no sound file with tags.
    """
    file = _Tagged(path)
    losses: list[tuple[str, str]] = []
    marks = _marks(file, losses)
    grid = _part(file, _GRID, "grid", losses)
    bpm = _part(file, _AUTO, "bpm", losses)
    cues: list[Cue] = []
    for index, mark in sorted(marks.cues.items()):
        _add(cues, losses, _cue(index + 1, mark), f"hot cue {index + 1}")
    for index, mark in sorted(marks.loops.items()):
        _add(cues, losses, _loop(LOOPS_FROM + index, mark), f"loop {index + 1}")
    color = tags.shown_track(marks.color) if marks.color is not None else None
    losses += [("cue", "it is damaged")] * marks.damaged
    cues.sort(key=lambda cue: cue.position_s)
    return SeratoTags(
        tuple(cues), grid, "" if color is None else f"#{color:06x}", bpm, tuple(losses)
    )


def write_file(record: Record, source: Path, target: Path) -> list[Loss]:
    """Write a copy of a sound file with the cues, loops, colour and grid of a track.

    Parameters
    ----------
    record : Record
        Positions as Serato counts them.
    source, target : pathlib.Path
        May be the same file, which is then replaced.

    Returns
    -------
    list of Loss
        What Serato cannot hold.

    Raises
    ------
    MediaError
        The file cannot be read or written; the target is as it was.
    """
    losses: list[Loss] = []
    try:
        # A new copy can be made again.
        with atomic_file(target, durable=source == target) as part:
            shutil.copyfile(source, part)
            with contextlib.suppress(OSError):
                shutil.copymode(source, part)
            try:
                file = _Tagged(part)
                _put(record, file, losses)
                file.save()
            except MediaError as problem:
                losses = [Loss(record.name, "tags", problem.message)]
                shutil.copyfile(source, part)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(
            f'cannot write "{target}": {reason}', "check the free space and the permissions there"
        ) from problem
    return losses


class _Tagged:
    """A sound file opened by mutagen, and its fields of Serato as bytes."""

    def __init__(self, path: Path) -> None:
        _check(path)
        self.path = path
        self._file, self.kind = _opened(path)

    def get(self, name: str) -> bytes | None:
        """Return the data of a tag; None if it is not there."""
        found = self._file.tags
        if found is None:
            return None
        if self.kind == "id3":
            frames = found.getall(f"GEOB:Serato {name}")
            return _sized(bytes(frames[0].data)) if frames else None
        key = self._key(name)
        values = found.get(key) if key else None
        if not values:
            return None
        value = _sized(values[0].encode() if isinstance(values[0], str) else bytes(values[0]))
        return value if self.kind == "ogg" else tags.from_envelope(f"Serato {name}", value)

    def set(self, name: str, data: bytes | None) -> None:
        """Store the data of a tag, or delete it."""
        if self._file.tags is None:
            self._file.add_tags()
        if self.kind == "id3":
            self._set_frame(name, data)
            return
        key = self._key(name)
        if not key:
            return
        if data is None:
            if key in self._file.tags:
                del self._file.tags[key]
        elif self.kind == "mp4":
            from mutagen import mp4

            # Lines in the markers only.
            value = tags.enveloped(f"Serato {name}", data, lines=name != _GRID)
            form: Any = mp4.MP4FreeForm
            self._file.tags[key] = [form(value)]
        elif self.kind == "flac":
            self._file.tags[key] = [tags.enveloped(f"Serato {name}", data).decode()]
        else:
            self._file.tags[key] = [data.decode()]

    def save(self) -> None:
        try:
            self._file.save()
        except OSError:
            raise
        except Exception as problem:
            raise MediaError(f"its tags cannot be written: {problem!r:.80}", _AGAIN) from problem

    def _set_frame(self, name: str, data: bytes | None) -> None:
        from mutagen import id3

        self._file.tags.delall(f"GEOB:Serato {name}")
        if data is not None:
            kind = "application/octet-stream"
            frame: Any = id3.GEOB
            made = frame(encoding=0, mime=kind, filename="", desc=f"Serato {name}", data=data)
            self._file.tags.add(made)

    def _key(self, name: str) -> str:
        names = {"flac": _FLAC, "mp4": _MP4, "ogg": _OGG}[self.kind]
        return (_ATOM if self.kind == "mp4" else "") + names[name] if name in names else ""


def _sized(data: bytes) -> bytes:
    if len(data) > tags.MAX_BYTES:
        raise MediaError(f"a tag of Serato has {len(data) >> 20} MB", _AGAIN)
    return data


def _check(path: Path) -> None:
    """Raise MediaError if mutagen would read tags of an absurd size."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            size = 0
            if head[:3] == b"ID3":
                size = sum(
                    (byte & 0x7F) << bits
                    for byte, bits in zip(head[6:10], (21, 14, 7, 0), strict=False)
                )
                size = min(size, os.fstat(file.fileno()).st_size)
            elif head[4:8] == b"ftyp":
                size = moov_range(file)[1]
            elif head[:4] in {b"RIFF", b"FORM"}:
                size = max(
                    (chunk.length for chunk in chunks(file) if chunk.name in {b"id3 ", b"ID3 "}),
                    default=0,
                )
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(f'cannot read "{path}": {reason}', _AGAIN) from problem
    if size > MAX_TAG_BYTES:
        raise MediaError(f'the tags of "{path}" have {size >> 20} MB', _AGAIN)


def _opened(path: Path) -> tuple[Any, str]:
    import mutagen
    from mutagen.aiff import AIFF
    from mutagen.flac import FLAC
    from mutagen.mp3 import MP3
    from mutagen.mp4 import MP4
    from mutagen.ogg import OggFileType
    from mutagen.wave import WAVE

    try:
        file: Any = mutagen.File(path)
    except OSError as problem:
        raise MediaError(f'cannot read "{path}": {problem}', _AGAIN) from problem
    except Exception as problem:  # mutagen lets struct.error and others of odd files through
        raise MediaError(f'"{path}" is damaged', _AGAIN) from problem
    kinds = ((MP3, "id3"), (AIFF, "id3"), (WAVE, "id3"), (FLAC, "flac"), (MP4, "mp4"))
    for kind, name in kinds:
        if isinstance(file, kind):
            return file, name
    if isinstance(file, OggFileType):
        return file, "ogg"
    raise MediaError(_WITHOUT_TAGS, "convert it to MP3, M4A, FLAC, AIFF or WAV")


def _marks(file: _Tagged, losses: list[tuple[str, str]]) -> tags.Marks:
    """Return the markers of a file, as Serato joins its two tags."""
    new, old = tags.Marks(), None
    try:
        data = file.get(_MARKERS2)
        if data is not None:
            parse = tags.parse_markers2
            new = tags.parse_entries(tags.from_base64(data)) if file.kind == "ogg" else parse(data)
    except MediaError as problem:
        losses.append(("cue", problem.message))
    try:
        data = None if file.kind == "ogg" else file.get(_MARKERS)  # Ogg's is another, of text
        old = None if data is None else tags.parse_markers(data, is_mp4=file.kind == "mp4")
    except MediaError as problem:
        losses.append(("cue", problem.message))
    return tags.merged(new, old)


def _part(file: _Tagged, name: str, what: str, losses: list[tuple[str, str]]) -> Any:
    try:
        data = file.get(name)
        if data is None:
            return None
        if name == _AUTO:
            return tags.parse_autotags(data)
        if file.kind == "ogg":
            return tags.parse_text_grid(data.decode("latin-1"))
        return tags.parse_beat_grid(data)
    except MediaError as problem:
        losses.append((what, problem.message))
    return None


def _cue(slot: int, mark: tags.Mark) -> dict[str, Any]:
    return {
        "position_s": mark.start_ms / 1000,
        "slot": slot,
        "label": mark.label[:200],
        "color": f"#{tags.shown_cue(mark.color):06x}",
    }


def _loop(slot: int, mark: tags.Mark) -> dict[str, Any]:
    color = "" if mark.color == tags.LOOP_COLOR else f"#{tags.shown_cue(mark.color):06x}"
    return {
        **_cue(slot, mark),
        "kind": "loop",
        "end_s": None if mark.end_ms is None else mark.end_ms / 1000,
        "color": color,
    }


def _add(cues: list[Cue], losses: list[tuple[str, str]], values: dict[str, Any], what: str) -> None:
    try:
        cues.append(Cue(**values))
    except SfaError as problem:
        losses.append((what, problem.message))


def _put(record: Record, file: _Tagged, losses: list[Loss]) -> None:
    """Put what a track has into the tags of a file; collect what finds no place."""
    pads = pads_of(record)
    losses += pads.losses
    old = _marks(file, [])
    cues = {
        index: _mark(cue, tags.DEFAULTS[index], is_loop=False) for index, cue in pads.cues.items()
    }
    loops = {index: _mark(cue, tags.LOOP_COLOR, is_loop=True) for index, cue in pads.loops.items()}
    for index, loop in list(loops.items()):
        if loop.end_ms is not None and loop.end_ms <= loop.start_ms:
            losses.append(Loss(record.name, cue_name(pads.loops[index]), "it is under a ms long"))
            del loops[index]
    color = tags.stored_track(int(record.color[1:], 16) if record.color else None)
    marks = replace(
        old, cues=cues, loops=loops, color=color, is_locked=record.grid is not None, damaged=0
    )
    if file.kind == "ogg":
        file.set(_MARKERS2, tags.in_lines(tags.entries(marks)))
        file.set(_MARKERS, None)
    else:
        file.set(_MARKERS2, tags.markers2(marks))
        fits = all(
            max(mark.start_ms, mark.end_ms or 0) <= tags.MAX_MS
            for mark in (*cues.values(), *loops.values())
        )
        if file.kind == "mp4" or fits:
            file.set(_MARKERS, tags.markers(marks, is_mp4=file.kind == "mp4"))
        else:
            file.set(_MARKERS, None)
    if record.grid is None:
        return
    if record.grid.beats_per_bar != 4:
        losses.append(Loss(record.name, "grid", "bars are of four beats there"))
    if file.kind == "ogg":
        text, exact = tags.text_grid(record.grid)
        file.set(_GRID, text.encode())
    else:
        data, exact = tags.beat_grid(record.grid)
        file.set(_GRID, data)
    if not exact:
        losses.append(Loss(record.name, "grid", "some beats are moved: markers are whole beats"))
    auto = file.get(_AUTO) if file.kind != "ogg" else None
    if auto and auto[:2] == b"\1\1":
        file.set(_AUTO, tags.autotags(record.bpm or record.grid.bpm, auto))


def _mark(cue: Cue, default: int, *, is_loop: bool) -> tags.Mark:
    color = tags.stored_cue(int(cue.color[1:], 16)) if cue.color else default
    end = round(cue.end_s * 1000) if is_loop and cue.end_s is not None else None
    return tags.Mark(round(cue.position_s * 1000), end, color, cue.label)
