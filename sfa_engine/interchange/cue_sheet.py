"""CUE sheets: the points of a recording, in frames of a CD, 75 a second. Pure.

Read, each point of a file is a cue with the name of the track that begins there, and a sheet of
several files is a playlist. Written, each cue of a track is a point, up to 99 of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from sfa_engine.errors import MediaError, Refused
from sfa_engine.interchange.paths import folded, name_of, plain
from sfa_engine.interchange.record import Collection, List, Loss, Record
from sfa_engine.interchange.texts import read_text, write_text
from sfa_engine.library.cues import MAX_LABEL, Cue
from sfa_engine.library.tags import in_one_line, names_of

FRAMES_S = 75  # frames of a CD in a second
MAX_POINTS = 99  # that a sheet numbers
MAX_LINES = 1_000_000

_LINE = re.compile(r"\s*(\w+)\s*(.*?)\s*$")
_QUOTED = re.compile(r'"([^"]*)"')
_TIME = re.compile(r"0*1\s+([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2})$")
_TYPES = {".mp3": "MP3", ".aif": "AIFF", ".aiff": "AIFF"}


@dataclass
class _Point:
    """A track of a sheet."""

    title: str = ""
    artist: str = ""
    position_s: float | None = None

    @property
    def name(self) -> str:
        return " - ".join(filter(None, (self.artist, self.title)))


@dataclass
class _File:
    """A file of a sheet, and the tracks in it."""

    location: str
    points: list[_Point] = field(default_factory=list)


def read(path: Path) -> Collection:
    """Read a sheet.

    Raises
    ------
    MediaError
        It is not a sheet, or names no file.
    """
    folder = str(path.absolute().parent)
    files: list[_File] = []
    whole: dict[str, str] = {}
    losses: list[Loss] = []
    lines = read_text(path, "CUE sheet").splitlines()
    for line in lines[:MAX_LINES]:
        found = _LINE.match(line)
        if found is None:
            continue
        word, rest = found[1].upper(), found[2]
        points = files[-1].points if files else []
        if word == "FILE":
            files.append(_File(plain(_file_name(rest), folder)))
        elif word == "TRACK" and files:
            points.append(_Point())
        elif word == "INDEX" and points:
            _set_position(points[-1], rest, losses, path.name)
        elif word in {"TITLE", "PERFORMER"}:
            text = in_one_line(_first(rest))
            if not points:
                whole[word] = text
            elif word == "TITLE":
                points[-1].title = text
            else:
                points[-1].artist = text
        elif word == "REM":
            name, _, value = rest.partition(" ")
            if name.upper() in {"GENRE", "DATE"}:
                whole[name.upper()] = in_one_line(_first(value.strip()))
    if not files:
        raise MediaError(f'"{path}" is not a CUE sheet', "it has to name a FILE")
    tracks = {folded(file.location): _record(file, whole, len(files) > 1, losses) for file in files}
    lists: tuple[List, ...] = ()
    if len(files) > 1:
        keys = tuple(folded(file.location) for file in files)
        lists = (List(whole.get("TITLE") or path.stem, keys=keys),)
    return Collection(tuple(tracks.values()), lists, tuple(losses))


def _file_name(text: str) -> str:
    """Return the name of a file: in quotes, or up to the word that says its type."""
    if text.startswith('"'):
        return _first(text)
    words = text.rsplit(None, 1)
    is_type = len(words) == 2 and words[1].isupper() and words[1].isalnum()
    return words[0] if is_type else text


def _first(text: str) -> str:
    """Return a text without the quotes that it may be in."""
    found = _QUOTED.match(text)
    return found[1] if found else text


def _set_position(point: _Point, text: str, losses: list[Loss], where: str) -> None:
    """Set where a track begins; other indexes than 01 are gaps, and left out."""
    if not re.match(r"0*1\s", f"{text} "):
        return
    time = _TIME.match(text)
    if time is None or int(time[2]) >= 60 or int(time[3]) >= FRAMES_S:
        losses.append(Loss(point.name or where, "cue", f'"{text:.40}" is not a time'))
        return
    point.position_s = int(time[1]) * 60 + int(time[2]) + int(time[3]) / FRAMES_S


def _record(file: _File, whole: dict[str, str], is_one_of_many: bool, losses: list[Loss]) -> Record:
    artist, title = names_of(name_of(file.location))
    if is_one_of_many:
        if file.points:
            artist, title = file.points[0].artist or artist, file.points[0].title or title
    else:
        artist, title = whole.get("PERFORMER", artist), whole.get("TITLE") or title
    cues = []
    is_single = len(file.points) == 1 and not file.points[0].position_s
    for point in [] if is_single else file.points:
        if point.position_s is None:
            continue
        try:
            cues.append(Cue(point.position_s, label=point.name[:MAX_LABEL]))
        except Refused as error:
            losses.append(Loss(title, "cue", error.message))
    year = whole.get("DATE", "")[:4]
    return Record(
        folded(file.location),
        file.location,
        title=title,
        artist=artist,
        genre=whole.get("GENRE", ""),
        year=int(year) if re.fullmatch("[12][0-9]{3}", year) else None,
        cues=tuple(sorted(cues, key=lambda cue: cue.position_s)),
    )


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write the sheet of one track: a point for each cue, the first one at its start."""
    (track,) = collection.tracks
    if not track.location:
        raise MediaError(f'"{track.name}" has no file that a sheet could name', "import its file")
    location = Path(track.location)
    file = location.name if location.parent == path.absolute().parent else track.location
    losses: list[Loss] = []
    points: dict[int, str] = {}
    for cue in sorted(track.cues, key=lambda cue: cue.position_s):
        frame = round(cue.position_s * FRAMES_S)
        if frame in points:
            losses.append(Loss(track.name, "cue", "another one is within 1/75 s"))
        elif len(points) >= MAX_POINTS - (0 not in points):
            losses.append(Loss(track.name, "cue", f"a sheet has up to {MAX_POINTS} points"))
        else:
            points[frame] = cue.label or cue.kind
        if cue.end_s is not None:
            losses.append(Loss(track.name, "end of a loop", "a sheet has points alone"))
    points.setdefault(0, track.title)
    lines = [f"PERFORMER {_quoted(track.artist)}"] if track.artist else []
    lines.append(f"TITLE {_quoted(track.title or track.name)}")
    lines.append(f"FILE {_quoted(file)} {_TYPES.get(location.suffix.lower(), 'WAVE')}")
    for number, frame in enumerate(sorted(points), 1):
        seconds, rest = divmod(frame, FRAMES_S)
        minutes, seconds = divmod(seconds, 60)
        lines.append(f"  TRACK {number:02} AUDIO")
        lines.append(f"    TITLE {_quoted(points[frame])}")
        lines.append(f"    INDEX 01 {minutes:02}:{seconds:02}:{rest:02}")
    write_text(path, "\n".join(lines) + "\n")
    return losses


def _quoted(text: str) -> str:
    """Return a text in quotes, of which a sheet has no other kind."""
    plainer = re.sub("[\0-\x1f\x7f\ud800-\udfff]+", " ", text).replace('"', "'")
    return f'"{plainer}"'
