"""VirtualDJ's database.xml, one for each drive, and the playlists in the folders beside it.

::

    VirtualDJ_Database > Song FilePath ├── Tags, Infos, Comment
                                       ├── Scan  Bpm: seconds per beat; Phase: a beat (2026)
                                       └── Poi   Type, Pos (s), Num 1-8, Size of a loop in beats
    Folders, MyLists > … > NAME.vdjfolder > song path        Playlists > … > NAME.m3u

A beatgrid point is taken for a downbeat: the first one, and those after which the beats do not go
on. Points that VirtualDJ finds itself, for its automix and remix, are left out. A list that is
there already is never replaced: it may be VirtualDJ's own. Pure but for these files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from sfa_engine.errors import MediaError
from sfa_engine.interchange import fields as f
from sfa_engine.interchange.fields import Fields, Keys, Report
from sfa_engine.interchange.location import forward, is_absolute, is_windows
from sfa_engine.interchange.playlist_tree import SMART, Draft, written_entries
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Loss, Record
from sfa_engine.interchange.safe_xml import Element, walk
from sfa_engine.interchange.tempo_list import Tempo, grid_of, tempos_of, unbarred
from sfa_engine.interchange.xml_text import HEAD, escaped, tag, written
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Grid

KIND = "VirtualDJ database"
VERSION = "2023"
PLACES, DIGITS = 6, 6
ROUNDING_BPM = 1e-3  # of a microsecond per beat, at 250 BPM
LIST_FOLDERS = ("Folders", "MyLists", "Playlists")
SUBFOLDERS = ".subfolders"  # what the folder of a list's own lists is named
MAX_LISTS = 10_000
MAX_M3U_BYTES = 1 << 24
CUE, LOOP, BEAT, ACTION = "cue", "loop", "beatgrid", "action"
KINDS = (CUE, LOOP)
NO_TEMPO = "a marker of it has no tempo"
OPAQUE = 0xFF000000  # of a colour, which is ARGB as a decimal number

_ARGB = re.compile(r"\d{1,10}", re.ASCII)
_RGB = re.compile("#[0-9a-f]{6}")
_BAD_IN_NAME = re.compile(r'[\x00-\x1f\\/:*?"<>|]')

# ---------------------------------------------------------------- reading


def read(path: Path) -> Collection:
    """Read a database, and the playlists in the folders beside it. Blocks.

    Raises
    ------
    MediaError
        It is not one, or is damaged.
    """
    report = Report()
    keys = Keys(report)
    tracks: list[Record] = []
    by_path: dict[str, str] = {}
    for _above, element in walk(
        path, KIND, "VirtualDJ_Database", lambda _above, tag: tag == "Song"
    ):
        if element.tag == "Song":
            track = _track(element, keys, report)
            tracks.append(track)
            by_path.setdefault(_folded(element.attributes.get("FilePath", "")), track.key)
    playlists = []
    for draft, songs in _drafts(path.parent, report):
        for song in songs:  # a list may have a track that the database lacks
            name = song.attributes.get("path", "")
            if name and _folded(name) not in by_path:
                track = _listed(song, keys, report)
                tracks.append(track)
                by_path[_folded(name)] = track.key
            draft.entries.append(_folded(name))
        playlists.append(draft.finished(by_path, report))
    return Collection(tuple(tracks), tuple(playlists), tuple(report.losses))


def _folded(path: str) -> str:
    """Return a path without case, which Windows does not tell apart either."""
    return forward(path).casefold()


def _file(path: str) -> str:
    """Return the location of a path; empty for an address, such as ``netsearch://…``."""
    return forward(path) if is_absolute(path) or "://" not in path else ""


def _track(element: Element, keys: Keys, report: Report) -> Record:
    path = element.attributes.get("FilePath", "")
    tags = element.child("Tags").attributes.get
    infos = element.child("Infos").attributes.get
    scan = element.child("Scan").attributes.get
    location = _file(path)
    fields = Fields(
        Record("", location, tags("Title", ""), tags("Author", "")).name or path, report
    )
    if path and not location:
        fields.lose("track", f.STREAMED)
    beat_s = fields.known(scan("Bpm") or tags("Bpm"), "bpm", 1000)
    duration_s = fields.known(infos("SongLength"), "duration", 1e6)
    bpm = None if beat_s is None else _bpm(beat_s)
    if beat_s is not None and bpm is None:
        fields.lose("bpm", f.INVALID)
    points = [each for each in element.children if each.tag == "Poi"]
    grid = _grid(points, bpm, scan("Phase"), fields)
    return Record(
        keys.unique(path, fields.where),
        location=location,
        title=fields.text(tags("Title"), "title"),
        artist=fields.text(tags("Author"), "artist"),
        album=fields.text(tags("Album"), "album"),
        genre=fields.text(tags("Genre"), "genre"),
        label=fields.text(tags("Label"), "label"),
        comment=fields.text(element.child("Comment").text, "comment"),
        year=fields.year(tags("Year")),
        bpm=bpm,
        musical_key=fields.key(tags("Key") or scan("Key")),
        duration_s=duration_s,
        size_bytes=fields.whole(element.attributes.get("FileSize"), "size", (0, 2**53)) or None,
        rating=fields.stars(tags("Stars"), 5),
        play_count=fields.whole(infos("PlayCount"), "play count", (0, 1e9)),
        played_at=fields.known(infos("LastPlay"), "last played", 1e11),
        added_at=fields.known(infos("FirstSeen"), "date", 1e11),
        grid=grid,
        cues=fields.cues([_cue(point, grid, bpm, fields) for point in points], duration_s),
    )


def _bpm(beat_s: float) -> float | None:
    """Return BPM of seconds per beat; of a number above 15, which is BPM: 4 BPM is no tempo."""
    bpm = 60 / beat_s if beat_s <= 15 else beat_s
    return bpm if bpm <= 1e5 else None


def _grid(
    points: list[Element], bpm: float | None, phase: str | None, fields: Fields
) -> Grid | None:
    tempos: list[Tempo] = []
    for point in points:
        if point.attributes.get("Type", "").lower() != BEAT:
            continue
        at_s = fields.required(point.attributes.get("Pos"), "grid", f.SECONDS_TO)
        own_s = fields.known(point.attributes.get("Bpm"), "grid", 1000)
        own = bpm if own_s is None else _bpm(own_s)
        if own is None:
            fields.lose("grid", NO_TEMPO)
        elif at_s is not None:
            tempos.append(Tempo(at_s, own))
    if len(tempos) <= 1 and bpm is not None:
        phase_s = fields.number(phase, "grid", f.SECONDS_TO)
        tempos = tempos if phase_s is None else [Tempo(phase_s, bpm)]
    return grid_of(tempos, fields, rounding_bpm=ROUNDING_BPM) if tempos else None


def _cue(point: Element, grid: Grid | None, bpm: float | None, fields: Fields) -> Cue | None:
    values = point.attributes.get
    kind = values("Type", CUE).lower()
    if kind == ACTION:
        fields.lose("action point", f.ONLY_CUES)
    if kind not in KINDS:
        return None
    number = fields.whole(values("Num"), "number of a hot cue", (-1, 1000))
    at_s = fields.required(values("Pos"), "cue", f.SECONDS_TO)
    beats = fields.known(values("Size"), "loop", 1e5) if kind == LOOP else None
    end_s = None
    if at_s is not None and beats is not None:
        if grid is not None:
            end_s = _beats_later(grid, max(0.0, at_s), beats)
        elif bpm is not None:
            end_s = at_s + beats * 60 / bpm
    return fields.cue(
        at_s,
        end_s=end_s,
        number=None if number is None or number < 1 else number,
        kind=kind,
        label=values("Name", ""),
        color=_color(values("Color"), fields),
    )


def _beats_later(grid: Grid, at_s: float, beats: float) -> float:
    beat = float(grid.beat_of(at_s * GRID_RATE, GRID_RATE))
    return float(grid.frame_of(beat + beats, GRID_RATE)) / GRID_RATE


def _color(text: str | None, fields: Fields) -> str:
    if not text or text == "0":
        return ""
    if _RGB.fullmatch(text.lower()):
        return text.lower()
    if _ARGB.fullmatch(text) and int(text) <= 0xFFFFFFFF:
        return f"#{int(text) & 0xFFFFFF:06x}"
    fields.lose("color of a cue", f.INVALID)
    return ""


# ---------------------------------------------------------------- playlists that are read


def _drafts(folder: Path, report: Report) -> Iterator[tuple[Draft, list[Element]]]:
    """Return the playlists beside a database, each with its songs."""
    for count, (file, folders) in enumerate(_list_files(folder)):
        if count >= MAX_LISTS:
            report.lose("", "playlist", f"there are more than {MAX_LISTS}")
            return
        draft = Draft(_shown(file.stem), tuple(map(_shown, folders)))
        try:
            songs = _songs_of_m3u(file) if file.suffix.lower() != ".vdjfolder" else _songs(file)
        except (MediaError, OSError):
            report.lose(file.name, "playlist", "its file is damaged or cannot be read")
            continue
        if songs is None:
            report.lose(draft.name, "playlist", SMART)
        else:
            yield draft, songs


def _shown(name: str) -> str:
    """Return a file's name as text: it may have bytes that are not UTF-8."""
    return name.encode("utf-8", "replace").decode()


def _list_files(folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for top in LIST_FOLDERS:
        for place, inner, names in os.walk(folder / top):  # it follows no links
            inner.sort(key=str.casefold)
            parts = Path(place).relative_to(folder / top).parts
            folders = tuple(part.removesuffix(SUBFOLDERS) for part in parts)
            for name in sorted(names, key=str.casefold):
                if name.lower().endswith((".vdjfolder", ".m3u", ".m3u8")):
                    yield Path(place, name), folders


def _songs(file: Path) -> list[Element] | None:
    """Return the songs of a list; None if it is a filter."""
    songs = []
    is_filter = False
    for _above, element in walk(
        file, "VirtualDJ list", "VirtualFolder", lambda _above, tag: tag == "song"
    ):
        if element.tag == "song":
            songs.append(element)
        elif element.tag == "VirtualFolder":
            is_filter = "filter" in element.attributes
    return None if is_filter and not songs else songs


def _songs_of_m3u(file: Path) -> list[Element]:
    if file.stat().st_size > MAX_M3U_BYTES or not file.is_file():
        return []
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    lines = (line.strip() for line in text.replace("\r", "\n").split("\n"))
    paths = [line for line in lines if line and line[0] != "#" and "\0" not in line]
    return [Element("song", {"path": path}) for path in paths]


def _listed(song: Element, keys: Keys, report: Report) -> Record:
    """Return the track of a list that is not in the database."""
    values = song.attributes.get
    path = values("path", "")
    title, artist = values("title", ""), values("artist", "")
    location = _file(path)
    fields = Fields(Record("", location, title, artist).name or path, report)
    if not location:
        fields.lose("track", f.STREAMED)
    return Record(
        keys.unique(path, fields.where),
        location=location,
        title=fields.text(title, "title"),
        artist=fields.text(artist, "artist"),
        duration_s=fields.known(values("songlength"), "duration", 1e6),
        size_bytes=fields.whole(values("size"), "size", (0, 2**53)) or None,
    )


# ---------------------------------------------------------------- writing


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write a database, and a list in ``Folders`` beside it for each playlist. Blocks.

    Raises
    ------
    MediaError
        It cannot be written.
    """
    report = Report()
    paths: dict[str, str] = {}
    tracks: dict[str, Record] = {}
    with written(path, "\r\n") as file:
        file.write(HEAD)
        file.write(tag("VirtualDJ_Database", {"Version": VERSION}, ">\n"))
        for track in collection.tracks:
            if why := f.unwritable(track.location):
                report.lose(track.name, "track", why)
                continue
            paths[track.key] = _native(track.location)
            tracks[paths[track.key]] = track
            _write_track(file, track, Fields(track.name, report))
        file.write("</VirtualDJ_Database>\n")
    taken: set[str] = set()
    for playlist in collection.playlists:
        _write_list(path.parent, playlist, paths, tracks, taken, report)
    return report.losses


def _native(location: str) -> str:
    """Return a path as its system writes it: with backslashes after a drive."""
    return location.replace("/", "\\") if is_windows(location) else location


def _write_track(file: TextIO, track: Record, fields: Fields) -> None:
    text = fields.written_text
    grid = track.grid
    tempos: list[Tempo] = []
    if grid is not None:
        tempos = tempos_of(grid, track.duration_s, places=PLACES, digits=DIGITS, from_bar=True)
        tempos = unbarred(tempos, grid, fields)
    bpm = tempos[0].bpm if tempos else track.bpm
    if track.color:
        fields.lose("color", f.NO_FIELD)
    tags = {
        "Author": text(track.artist, "artist"),
        "Title": text(track.title, "title"),
        "Genre": text(track.genre, "genre"),
        "Album": text(track.album, "album"),
        "Label": text(track.label, "label"),
        "Year": track.year,
        "Stars": track.rating,
        "Key": fields.short_key(track.musical_key),
    }
    infos = {
        "SongLength": None if track.duration_s is None else f"{track.duration_s:.6f}",
        "FirstSeen": None if track.added_at is None else round(track.added_at),
        "LastPlay": None if track.played_at is None else round(track.played_at),
        "PlayCount": track.play_count,
    }
    song = {"FilePath": _native(track.location), "FileSize": track.size_bytes}
    file.write(f" {tag('Song', song, '>')}\n  {tag('Tags', tags)}\n  {tag('Infos', infos)}\n")
    if comment := text(track.comment, "comment"):
        file.write(f"  <Comment>{escaped(comment)}</Comment>\n")
    if bpm:
        scan = {"Version": "801", "Bpm": f"{60 / bpm:.6f}", "Key": tags["Key"]}
        file.write(f"  {tag('Scan', scan)}\n")
    for tempo in tempos:
        own = f"{60 / tempo.bpm:.6f}" if len(tempos) > 1 else None
        point = {"Pos": f"{tempo.at_s:.{PLACES}f}", "Type": BEAT, "Bpm": own}
        file.write(f"  {tag('Poi', point)}\n")
    file.writelines(f"  {tag('Poi', _point(cue, grid, bpm, fields))}\n" for cue in track.cues)
    file.write(" </Song>\n")


def _point(cue: Cue, grid: Grid | None, bpm: float | None, fields: Fields) -> dict[str, object]:
    number = f.check_cue(fields, cue, KINDS)
    name = "cue" if cue.slot is None else f"hot cue {cue.slot}"
    beats = None
    if cue.end_s is not None and not cue.kind.startswith("fade_"):
        if grid is not None:
            edges = [cue.position_s * GRID_RATE, cue.end_s * GRID_RATE]
            start, end = grid.beat_of(edges, GRID_RATE)
            beats = float(end - start)
        elif bpm:
            beats = (cue.end_s - cue.position_s) * bpm / 60
        else:
            fields.lose(name, "the format has lengths of loops in beats, and its tempo is unknown")
    if cue.on_load:
        fields.lose(f"load mark of {name}", f.NO_FIELD)
    return {
        "Name": fields.written_text(f.named(cue), "label"),
        "Pos": f"{cue.position_s:.{PLACES}f}",
        "Num": number,
        "Color": OPAQUE | int(cue.color[1:], 16) if cue.color else None,
        "Type": CUE if beats is None else LOOP,
        "Size": None if beats is None else f"{beats:.6f}".rstrip("0").rstrip("."),
    }


def _write_list(
    folder: Path,
    playlist: List,
    paths: dict[str, str],
    tracks: dict[str, Record],
    taken: set[str],
    report: Report,
) -> None:
    """Write a playlist, unless another file of its name is there."""
    parts = [_file_name(part, report) for part in (*playlist.folders, playlist.name)]
    place = folder.joinpath(LIST_FOLDERS[0], *parts[:-1])
    name = parts[-1]
    number = 2
    while str(place / name).casefold() in taken:
        name = f"{parts[-1]} ({number})"
        number += 1
    taken.add(str(place / name).casefold())
    target = place / f"{name}.vdjfolder"
    lines = [HEAD, '<VirtualFolder noDuplicates="no" ordered="yes">\n']
    for index, entry in enumerate(written_entries(playlist, paths, report)):
        track = tracks[entry]
        song = {
            "path": entry,
            "size": track.size_bytes,
            "songlength": None if track.duration_s is None else f"{track.duration_s:.3f}",
            "artist": track.artist or None,
            "title": track.title or None,
            "idx": index,
        }
        lines.append(f"\t{tag('song', song)}\n")
    content = "".join([*lines, "</VirtualFolder>\n"])
    try:
        place.mkdir(parents=True, exist_ok=True)
        if target.exists():
            if target.read_bytes() != content.replace("\n", "\r\n").encode():
                report.lose(playlist.name, "playlist", "a file of its name is there: it is kept")
            return
    except OSError as problem:
        raise MediaError(
            f'cannot write "{target}": {problem.strerror or problem}',
            "check the free space and the permissions there",
        ) from problem
    with written(target, "\r\n") as file:
        file.write(content)


def _file_name(name: str, report: Report) -> str:
    """Return a name that a file may have on any system."""
    kept = _BAD_IN_NAME.sub("_", name).encode("utf-8", "replace").decode()[:80].strip(" .")
    if kept != name:
        report.lose(name, "name of a playlist", "a file cannot have it: it is changed")
    return kept or "_"
