"""Traktor's collection, NML: tracks, cues and grids, and playlists that name tracks by their path.

::

    NML VERSION
    ├── COLLECTION > ENTRY ├── LOCATION  VOLUME, DIR "/:Music/:Sets/:", FILE
    │                      ├── INFO, ALBUM, TEMPO, MUSICAL_KEY
    │                      └── CUE_V2    TYPE, START (ms), LEN (ms), HOTCUE 0-7 or -1
    │                          └── GRID  BPM, of TYPE 4: a marker of the grid
    └── PLAYLISTS > NODE $ROOT > SUBNODES > NODE > PLAYLIST > ENTRY > PRIMARYKEY KEY

Any VERSION is read; 19 is written, that Traktor 2, 3 and 4 read. Traktor 4 has flexible grids, a
marker with a tempo of its own wherever the tempo changes; before, all markers have one tempo, see
`sfa_engine.interchange.traktor3_nml`. Without the GRID in it a marker is ignored, and without
LOCK="1" Traktor analyses the track again. A marker is taken for a downbeat: the first one, and
those after which the beats do not go on. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from uuid import NAMESPACE_URL, uuid5

from sfa_engine.interchange import fields as f
from sfa_engine.interchange.fields import Fields, Keys, Report
from sfa_engine.interchange.location import forward, is_windows
from sfa_engine.interchange.playlist_tree import (
    SMART,
    Draft,
    Folder,
    check_count,
    tree,
    written_entries,
)
from sfa_engine.interchange.record import Collection, List, Loss, Record
from sfa_engine.interchange.safe_xml import Element, walk
from sfa_engine.interchange.tempo_list import Tempo, grid_of, steadiest, tempos_of, unbarred
from sfa_engine.interchange.xml_text import legal, tag, written
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Grid
from sfa_engine.track.key import parse_key

KIND = "Traktor collection"
VERSION = 19
PLACES, DIGITS = 9, 6  # of a position in seconds, it is in ms with 6; of a tempo
CUE, FADE_IN, FADE_OUT, LOAD, GRID, LOOP = range(6)
KINDS = {
    CUE: "cue",
    FADE_IN: "fade_in",
    FADE_OUT: "fade_out",
    LOAD: "cue",
    GRID: "cue",
    LOOP: "loop",
}
NO_TEMPO = "a marker of it has no tempo"
NO_NAME = "n.n."
GRID_NAME = "AutoGrid"
COLORS = dict(
    zip(("red", "orange", "yellow", "green", "blue", "purple", "pink"), "1234567", strict=True)
)
PITCHES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(parse_key(f"{pitch} {mode}") for mode in ("major", "minor") for pitch in PITCHES)
BOOT_VOLUME = "Macintosh HD"
BOOT_FOLDERS = ("users", "applications", "library", "system", "private", "tmp", "opt", "home")

_DRIVE = re.compile("[A-Za-z]:")
_COLOR = re.compile("#[0-9a-f]{6}")

# ---------------------------------------------------------------- reading


def read(path: Path) -> Collection:
    """Read a collection, or an exported playlist, of any version of Traktor. Blocks.

    Raises
    ------
    MediaError
        It is not one, or is damaged.
    """
    report = Report()
    keys = Keys(report)
    tracks: list[Record] = []
    by_path: dict[str, str] = {}
    drafts: dict[int, tuple[Element, Draft]] = {}  # the element stays: its id is not reused
    for above, element in walk(path, KIND, "NML", lambda _above, tag: tag == "ENTRY"):
        section = above[1].tag if len(above) > 1 else ""
        if element.tag == "ENTRY" and section == "COLLECTION":
            track = _track(element, keys, report)
            tracks.append(track)
            by_path.setdefault(_primary_key(element.child("LOCATION")), track.key)
        elif element.tag == "NODE" and section == "PLAYLISTS":
            kind, name = element.attributes.get("TYPE"), element.attributes.get("NAME", "")
            if kind == "PLAYLIST":
                drafts[id(element)] = element, Draft(name, _folders(above))
                check_count(len(drafts))
            elif kind == "SMARTLIST":
                report.lose(name, "playlist", SMART)
        elif element.tag == "ENTRY" and section == "PLAYLISTS":
            node = next((each for each in reversed(above) if each.tag == "NODE"), None)
            if node is not None and id(node) in drafts:
                entry = element.child("PRIMARYKEY").attributes.get("KEY", "")
                drafts[id(node)][1].entries.append(entry)
    playlists = tuple(draft.finished(by_path, report) for _, draft in drafts.values())
    return Collection(tuple(tracks), playlists, tuple(report.losses))


def _folders(above: tuple[Element, ...]) -> tuple[str, ...]:
    """Return the names of the folders above a playlist; the outermost is the file's root."""
    return tuple(each.attributes.get("NAME", "") for each in above if each.tag == "NODE")[1:]


def _primary_key(location: Element) -> str:
    return "".join(location.attributes.get(part, "") for part in ("VOLUME", "DIR", "FILE"))


def _track(element: Element, keys: Keys, report: Report) -> Record:
    location = _path(element.child("LOCATION"))
    title, artist = element.attributes.get("TITLE", ""), element.attributes.get("ARTIST", "")
    fields = Fields(Record("", location, title, artist).name, report)
    info = element.child("INFO").attributes.get
    tempo = element.child("TEMPO").attributes.get("BPM")
    bpm = fields.known(tempo, "bpm", 1e5)
    playtime = info("PLAYTIME_FLOAT") or info("PLAYTIME")
    duration_s = fields.known(playtime, "duration", 1e6)
    marks = [each for each in element.children if each.tag == "CUE_V2"]
    return Record(
        keys.unique(_primary_key(element.child("LOCATION")), fields.where),
        location=location,
        title=fields.text(title, "title"),
        artist=fields.text(artist, "artist"),
        album=fields.text(element.child("ALBUM").attributes.get("TITLE"), "album"),
        genre=fields.text(info("GENRE"), "genre"),
        label=fields.text(info("LABEL"), "label"),
        comment=fields.text(info("COMMENT"), "comment"),
        year=fields.year(info("RELEASE_DATE")),
        bpm=bpm,
        musical_key=_key(element, fields),
        duration_s=duration_s,
        # FILESIZE is in kB: too rough to recognise a file by.
        rating=fields.stars(info("RANKING"), 255),
        color=f.color_from(fields, info("COLOR"), COLORS),
        play_count=fields.whole(info("PLAYCOUNT"), "play count", (0, 1e9)),
        played_at=fields.date(info("LAST_PLAYED"), "last played"),
        added_at=fields.date(info("IMPORT_DATE"), "date"),
        grid=_grid(marks, bpm, fields),
        cues=fields.cues([_cue(mark, fields) for mark in marks], duration_s),
    )


def _key(element: Element, fields: Fields) -> str:
    number = fields.whole(
        element.child("MUSICAL_KEY").attributes.get("VALUE"), "key", (0, len(KEYS) - 1)
    )
    if number is not None:
        return KEYS[number]
    return fields.key(element.child("INFO").attributes.get("KEY"))


def _path(location: Element) -> str:
    """Return the path of a LOCATION: on a Mac another disk than the first is in ``/Volumes``.

    A colon in a name is written like the slash that the Finder shows for it, twice.
    """
    volume = location.attributes.get("VOLUME", "")
    file = location.attributes.get("FILE", "")
    if not file:
        return ""
    parts = [part for part in location.attributes.get("DIR", "").split("/:") if part]
    path = "/".join(part.replace("//", ":") for part in [*parts, file])
    if _DRIVE.fullmatch(volume):
        return f"{volume}/{path}"
    first = path.partition("/")[0].lower()
    if not volume or volume == BOOT_VOLUME or first in {*BOOT_FOLDERS, "volumes"}:
        return f"/{path}"
    return f"/Volumes/{volume}/{path}"


def _grid(marks: list[Element], bpm: float | None, fields: Fields) -> Grid | None:
    tempos: list[Tempo] = []
    for mark in marks:
        if mark.attributes.get("TYPE") != str(GRID):
            continue
        at_ms = fields.required(mark.attributes.get("START"), "grid", f.MILLISECONDS_TO)
        own = fields.number(mark.child("GRID").attributes.get("BPM"), "grid", (0, 1e6)) or bpm
        if own is None:
            fields.lose("grid", NO_TEMPO)
        elif at_ms is not None:
            tempos.append(Tempo(at_ms / 1000, own))
    return grid_of(tempos, fields) if tempos else None


def _cue(mark: Element, fields: Fields) -> Cue | None:
    values = mark.attributes.get
    kind = fields.whole(values("TYPE"), "kind of a cue", (CUE, LOOP)) or CUE
    number = fields.whole(values("HOTCUE"), "number of a hot cue", (-1, 1000))
    if number is not None and number < 0:
        number = None
    if kind == GRID and number is None:
        return None
    name = values("NAME", "")
    start_ms = fields.required(values("START"), "cue", f.MILLISECONDS_TO)
    length_ms = fields.number(values("LEN"), "cue", f.MILLISECONDS_TO) or 0.0
    color = values("COLOR", "").lower()
    start_s = None if start_ms is None else start_ms / 1000
    return fields.cue(
        start_s,
        end_s=None if start_s is None or length_ms <= 0 else start_s + length_ms / 1000,
        number=None if number is None else number + 1,
        kind=KINDS[kind],
        label="" if name in {NO_NAME, GRID_NAME} else name,
        color=color if _COLOR.fullmatch(color) else "",
        on_load=kind == LOAD,
    )


# ---------------------------------------------------------------- writing


def write(collection: Collection, path: Path, *, flexible: bool = True) -> list[Loss]:
    """Write a collection that Traktor imports; return what it cannot hold. Blocks.

    Parameters
    ----------
    collection : Collection
    path : pathlib.Path
    flexible : bool
        Whether grids may have several tempos, and cues a colour: Traktor 4.

    Returns
    -------
    list of Loss
        What the format cannot hold.

    Raises
    ------
    MediaError
        It cannot be written.
    """
    report = Report()
    kept: list[Record] = []
    ids: dict[str, str] = {}
    for track in collection.tracks:
        if why := f.unwritable(track.location):
            report.lose(track.name, "track", why)
        else:
            kept.append(track)
            ids[track.key] = "".join(_location(track.location))
    with written(path) as file:
        file.write('<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n')
        file.write(f'<NML VERSION="{VERSION}">')
        file.write('<HEAD COMPANY="www.native-instruments.com" PROGRAM="Traktor"></HEAD>\n')
        file.write("<MUSICFOLDERS></MUSICFOLDERS>\n")
        file.write(f'<COLLECTION ENTRIES="{len(kept)}">')
        for track in kept:
            _write_track(file, track, Fields(track.name, report), flexible=flexible)
        file.write('</COLLECTION>\n<SETS ENTRIES="0"></SETS>\n<PLAYLISTS>')
        _write_folder(file, tree(collection.playlists, "$ROOT"), ids, report)
        file.write("</PLAYLISTS>\n</NML>\n")
    return report.losses


def _location(path: str) -> tuple[str, str, str]:
    """Return VOLUME, DIR and FILE of an absolute path."""
    path = forward(path)
    parts = [part for part in path.split("/") if part]
    volume = BOOT_VOLUME
    if is_windows(path):
        volume = parts.pop(0)
    elif path.startswith("/Volumes/") and len(parts) > 2:
        volume = parts[1]
        parts = parts[2:]
    parts = [part.replace(":", "//") for part in parts] or [""]
    folders = "".join(f"/:{part}" for part in parts[:-1])
    return volume, f"{folders}/:", parts[-1]


def _write_track(file: TextIO, track: Record, fields: Fields, *, flexible: bool) -> None:
    text = fields.written_text
    volume, folder, name = _location(track.location)
    tempos: list[Tempo] = []
    if track.grid is not None:
        tempos = _tempos(track.grid, track.duration_s, fields, flexible=flexible)
    bpm = track.bpm or (tempos[0].bpm if tempos else None)
    now = datetime.now(UTC)
    entry = {
        "MODIFIED_DATE": f"{now.year}/{now.month}/{now.day}",
        "MODIFIED_TIME": now.hour * 3600 + now.minute * 60 + now.second,
        "LOCK": 1 if tempos else None,
        "TITLE": text(track.title, "title"),
        "ARTIST": text(track.artist, "artist"),
    }
    whole_s = None if track.duration_s is None else round(track.duration_s)
    info = {
        "GENRE": text(track.genre, "genre"),
        "LABEL": text(track.label, "label"),
        "COMMENT": text(track.comment, "comment"),
        "KEY": fields.short_key(track.musical_key),
        "PLAYCOUNT": track.play_count,
        "PLAYTIME": whole_s,
        "PLAYTIME_FLOAT": None if track.duration_s is None else f"{track.duration_s:.6f}",
        "RANKING": None if track.rating is None else track.rating * 51,
        "IMPORT_DATE": f.day(track.added_at, "{}/{}/{}"),
        "LAST_PLAYED": f.day(track.played_at, "{}/{}/{}"),
        "RELEASE_DATE": None if track.year is None else f"{track.year:04}/1/1",
        "FILESIZE": None if track.size_bytes is None else track.size_bytes >> 10,
        "COLOR": f.code_of(fields, track.color, COLORS),
    }
    file.write(tag("ENTRY", entry, ">"))
    file.write(_element("LOCATION", {"DIR": folder, "FILE": name, "VOLUME": volume}) + "\n")
    if track.album:
        file.write(_element("ALBUM", {"TITLE": text(track.album, "album")}) + "\n")
    file.write(_element("INFO", info) + "\n")
    if bpm is not None:
        file.write(_element("TEMPO", {"BPM": f"{bpm:.6f}", "BPM_QUALITY": "100.000000"}) + "\n")
    if info["KEY"] is not None:
        number = KEYS.index(parse_key(track.musical_key))
        file.write(_element("MUSICAL_KEY", {"VALUE": number}) + "\n")
    marks = [(tempo.at_s, _grid_mark(tempo)) for tempo in tempos]
    for cue in track.cues:
        marks += [(cue.position_s, mark) for mark in _marks(cue, fields, flexible=flexible)]
    file.writelines(mark + "\n" for _, mark in sorted(marks, key=lambda mark: mark[0]))
    file.write("</ENTRY>\n")


def _tempos(grid: Grid, duration_s: float | None, fields: Fields, *, flexible: bool) -> list[Tempo]:
    if not flexible:
        tempo = steadiest(grid, duration_s, fields, places=PLACES, digits=DIGITS)
        return unbarred([tempo], grid, fields)
    tempos = tempos_of(grid, duration_s, places=PLACES, digits=DIGITS, from_bar=True)
    return unbarred(tempos, grid, fields)


def _grid_mark(tempo: Tempo) -> str:
    inner = _element("GRID", {"BPM": f"{tempo.bpm:.{DIGITS}f}"})
    return _mark(GRID_NAME, GRID, tempo.at_s, 0.0, None, None, inner)


def _marks(cue: Cue, fields: Fields, *, flexible: bool) -> Iterator[str]:
    """Write a cue: that a deck stands on a loop after loading is a mark of its own.

    Yields
    ------
    str
        An element.
    """
    number = f.check_cue(fields, cue, KINDS.values())
    kind = LOOP if cue.end_s is not None else CUE
    kind = {"fade_in": FADE_IN, "fade_out": FADE_OUT}.get(cue.kind, kind)
    length_s = 0.0 if cue.end_s is None else cue.end_s - cue.position_s
    is_mark = cue.on_load and kind == CUE
    color = cue.color.upper() or None
    if color is not None and not flexible:
        fields.lose("color of a cue", f.NO_FIELD)
        color = None
    name = fields.written_text(f.named(cue), "label") or NO_NAME
    yield _mark(name, LOAD if is_mark else kind, cue.position_s, length_s, number, color)
    if cue.on_load and not is_mark:
        yield _mark(NO_NAME, LOAD, cue.position_s, 0.0, None, None)


def _mark(
    name: str,
    kind: int,
    at_s: float,
    length_s: float,
    number: int | None,
    color: str | None,
    inner: str = "",
) -> str:
    values = {
        "NAME": name,
        "DISPL_ORDER": 0,
        "TYPE": kind,
        "START": f"{at_s * 1000:.6f}",
        "LEN": f"{length_s * 1000:.6f}",
        "REPEATS": -1,
        "HOTCUE": -1 if number is None else number - 1,
        "COLOR": color,
    }
    return _element("CUE_V2", values, inner)


def _uuid(playlist: List) -> str:
    """Return the same UUID for a playlist whenever it is written."""
    return uuid5(NAMESPACE_URL, legal("/".join((*playlist.folders, playlist.name)))).hex


def _element(name: str, values: Mapping[str, object], inner: str = "") -> str:
    """Return an element with an end tag, as Traktor writes empty ones, too."""
    return tag(name, values, f">{inner}</{name}>")


def _write_folder(file: TextIO, folder: Folder, ids: dict[str, str], report: Report) -> None:
    file.write(tag("NODE", {"TYPE": "FOLDER", "NAME": folder.name}, ">"))
    file.write(tag("SUBNODES", {"COUNT": len(folder)}, ">") + "\n")
    for inner in folder.folders.values():
        _write_folder(file, inner, ids, report)
    for playlist in folder.playlists:
        entries = written_entries(playlist, ids, report)
        file.write(tag("NODE", {"TYPE": "PLAYLIST", "NAME": playlist.name}, ">"))
        values = {"ENTRIES": len(entries), "TYPE": "LIST", "UUID": _uuid(playlist)}
        file.write(tag("PLAYLIST", values, ">") + "\n")
        for entry in entries:
            key = _element("PRIMARYKEY", {"TYPE": "TRACK", "KEY": entry})
            file.write(f"<ENTRY>{key}</ENTRY>\n")
        file.write("</PLAYLIST></NODE>\n")
    file.write("</SUBNODES></NODE>\n")
