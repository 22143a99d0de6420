"""rekordbox's XML: a collection with grids, cues and playlists, as the vendor documents it.

::

    DJ_PLAYLISTS
    ├── COLLECTION > TRACK ├── TEMPO          Inizio (s), Bpm, Metro, Battito: the beat of the bar
    │                      └── POSITION_MARK  Type, Start, End (s), Num: 0-7, or -1 for memory cues
    └── PLAYLISTS > NODE (folder) > NODE (list) > TRACK Key

rekordbox writes positions with 3 decimal places and tempos with 2; so does this. There is no grid
before the first TEMPO, so that it stands on the first beat of the track, with its place in the bar.
A mark to stand on after loading is a memory cue of its own. Pure.

References
----------
.. [1] AlphaTheta, "rekordbox XML format list", rekordbox.com, support, for developers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TextIO

from sfa_engine import __version__
from sfa_engine.interchange import fields as f
from sfa_engine.interchange.fields import Fields, Keys, Report
from sfa_engine.interchange.location import file_url, path_of
from sfa_engine.interchange.playlist_tree import Draft, Folder, check_count, tree, written_entries
from sfa_engine.interchange.record import Collection, Loss, Record
from sfa_engine.interchange.safe_xml import Element, walk
from sfa_engine.interchange.tempo_list import Tempo, grid_of, tempos_of
from sfa_engine.interchange.xml_text import HEAD, tag, written
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Grid

KIND = "rekordbox XML"
PLACES, DIGITS = 3, 2
ROUNDING_S, ROUNDING_BPM = 0.001, 0.005
CUE, FADE_IN, FADE_OUT, LOAD, LOOP = range(5)
KINDS = {CUE: "cue", FADE_IN: "fade_in", FADE_OUT: "fade_out", LOAD: "cue", LOOP: "loop"}
FOLDER, LIST = "0", "1"
BY_LOCATION = "1"
COLORS = {
    "pink": "0xFF007F",
    "red": "0xFF0000",
    "orange": "0xFFA500",
    "yellow": "0xFFFF00",
    "green": "0x00FF00",
    "aqua": "0x25FDE9",
    "blue": "0x0000FF",
    "purple": "0x660099",
}
FILES = {
    ".mp3": "MP3 File",
    ".m4a": "M4A File",
    ".wav": "WAV File",
    ".aif": "AIFF File",
    ".aiff": "AIFF File",
    ".flac": "FLAC File",
    ".ogg": "Ogg File",
}

# ---------------------------------------------------------------- reading


def read(path: Path) -> Collection:
    """Read an XML file that rekordbox exported, or that another program made for it. Blocks.

    Raises
    ------
    MediaError
        It is not one, or is damaged.
    """
    report = Report()
    keys = Keys(report)
    tracks: list[Record] = []
    by_id: dict[str, str] = {}
    by_location: dict[str, str] = {}
    drafts: dict[int, tuple[Element, Draft]] = {}  # the element stays: its id is not reused
    for above, element in walk(path, KIND, "DJ_PLAYLISTS", lambda _above, tag: tag == "TRACK"):
        section = above[1].tag if len(above) > 1 else ""
        if element.tag == "TRACK" and section == "COLLECTION":
            track = _track(element, keys, report)
            tracks.append(track)
            by_id.setdefault(element.attributes.get("TrackID", ""), track.key)
            by_location.setdefault(element.attributes.get("Location", ""), track.key)
        elif element.tag == "NODE" and section == "PLAYLISTS":
            if element.attributes.get("Type") != FOLDER:
                drafts[id(element)] = element, _draft(above, element)
                check_count(len(drafts))
        elif element.tag == "TRACK" and section == "PLAYLISTS" and id(above[-1]) in drafts:
            draft = drafts[id(above[-1])][1]
            draft.entries.append(element.attributes.get("Key", ""))
    playlists = tuple(
        draft.finished(
            by_location if node.attributes.get("KeyType") == BY_LOCATION else by_id, report
        )
        for node, draft in drafts.values()
    )
    return Collection(tuple(tracks), playlists, tuple(report.losses))


def _draft(above: tuple[Element, ...], element: Element) -> Draft:
    """Return a playlist without entries; the outermost folder is the file's root."""
    folders = [each.attributes.get("Name", "") for each in above if each.tag == "NODE"]
    return Draft(element.attributes.get("Name", ""), tuple(folders[1:]))


def _track(element: Element, keys: Keys, report: Report) -> Record:
    values = element.attributes.get
    url = values("Location", "")
    location = path_of(url)
    record = Record("", location, values("Name", ""), values("Artist", ""))
    fields = Fields(record.name or values("TrackID", ""), report)
    if url and not location:
        fields.lose("track", f.STREAMED)
    duration_s = fields.known(values("TotalTime"), "duration", 1e6)
    return Record(
        keys.unique(values("TrackID", ""), fields.where),
        location=location,
        title=fields.text(record.title, "title"),
        artist=fields.text(record.artist, "artist"),
        album=fields.text(values("Album"), "album"),
        genre=fields.text(values("Genre"), "genre"),
        label=fields.text(values("Label"), "label"),
        comment=fields.text(values("Comments"), "comment"),
        year=fields.year(values("Year")),
        bpm=fields.known(values("AverageBpm"), "bpm", 1000),
        musical_key=fields.key(values("Tonality")),
        duration_s=duration_s,
        size_bytes=fields.whole(values("Size"), "size", (0, 2**53)) or None,
        rating=fields.stars(values("Rating"), 255),
        color=f.color_from(fields, values("Colour"), COLORS),
        play_count=fields.whole(values("PlayCount"), "play count", (0, 1e9)),
        added_at=fields.date(values("DateAdded"), "date"),
        grid=_grid(element, fields),
        cues=fields.cues(
            [_cue(each, fields) for each in _all(element, "POSITION_MARK")], duration_s
        ),
    )


def _all(element: Element, name: str) -> Iterator[Element]:
    return (each for each in element.children if each.tag == name)


def _grid(element: Element, fields: Fields) -> Grid | None:
    tempos: list[Tempo] = []
    bars: list[int] = []
    for each in _all(element, "TEMPO"):
        values = each.attributes.get
        at_s = fields.required(values("Inizio"), "grid", f.SECONDS_TO)
        bpm = fields.required(values("Bpm"), "grid", (0, 1e6))
        if at_s is None or bpm is None:
            continue
        beats = values("Metro", "4/4").partition("/")[0]
        bars.append(fields.whole(beats, "grid", (1, 32)) or 4)
        beat = fields.whole(values("Battito"), "grid", (1, 32)) or 1
        tempos.append(Tempo(at_s, bpm, beat - 1))
    if not tempos:
        return None
    if len(set(bars)) > 1:
        fields.lose("grid", "its bars change their length: the first one holds")
    return grid_of(
        tempos, fields, beats_per_bar=bars[0], rounding_s=ROUNDING_S, rounding_bpm=ROUNDING_BPM
    )


def _cue(element: Element, fields: Fields) -> Cue | None:
    values = element.attributes.get
    kind = fields.whole(values("Type"), "kind of a cue", (CUE, LOOP)) or CUE
    number = fields.whole(values("Num"), "number of a hot cue", (-1, 1000))
    return fields.cue(
        fields.required(values("Start"), "cue", f.SECONDS_TO),
        end_s=fields.number(values("End"), "cue", f.SECONDS_TO),
        number=None if number is None or number < 0 else number + 1,
        kind=KINDS[kind],
        label=values("Name", ""),
        color=_cue_color(element, fields),
        on_load=kind == LOAD,
    )


def _cue_color(element: Element, fields: Fields) -> str:
    parts = [element.attributes.get(name) for name in ("Red", "Green", "Blue")]
    shades = [fields.whole(part, "color of a cue", (0, 255)) for part in parts]
    known = [shade for shade in shades if shade is not None]
    return "#{:02x}{:02x}{:02x}".format(*known) if len(known) == len(parts) else ""


# ---------------------------------------------------------------- writing


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write an XML file that rekordbox imports; return what it cannot hold. Blocks.

    Raises
    ------
    MediaError
        It cannot be written.
    """
    report = Report()
    kept = [track for track in collection.tracks if _has_file(track, report)]
    ids = _ids(kept)
    with written(path) as file:
        file.write(HEAD + '<DJ_PLAYLISTS Version="1.0.0">\n')
        maker = {"Name": "Sound Forge Alchemy", "Version": __version__, "Company": ""}
        file.write(f"  {tag('PRODUCT', maker)}\n")
        file.write(f"  {tag('COLLECTION', {'Entries': len(kept)}, '>')}\n")
        for track in kept:
            _write_track(file, track, ids[track.key], Fields(track.name, report))
        file.write("  </COLLECTION>\n  <PLAYLISTS>\n")
        _write_folder(file, tree(collection.playlists, "ROOT"), ids, report, 2)
        file.write("  </PLAYLISTS>\n</DJ_PLAYLISTS>\n")
    return report.losses


def _has_file(track: Record, report: Report) -> bool:
    why = f.unwritable(track.location, is_url=True)
    if why:
        report.lose(track.name, "track", why)
    return not why


def _ids(tracks: list[Record]) -> dict[str, str]:
    """Return the TrackIDs by key: the keys themselves, if all are numbers, as ours are."""
    keys = [track.key for track in tracks]
    if all(key.isascii() and key.isdigit() and len(key) < 10 and key[0] != "0" for key in keys):
        return {key: key for key in keys}
    return {key: str(number) for number, key in enumerate(keys, 1)}


def _write_track(file: TextIO, track: Record, number: str, fields: Fields) -> None:
    text = fields.written_text
    grid = track.grid
    tempos = [] if grid is None else tempos_of(grid, track.duration_s, places=PLACES, digits=DIGITS)
    bpm = track.bpm or (tempos[0].bpm if tempos else None)
    if track.played_at is not None:
        fields.lose("last played", f.NO_FIELD)
    attributes = {
        "TrackID": number,
        "Name": text(track.title, "title") or "",
        "Artist": text(track.artist, "artist"),
        "Album": text(track.album, "album"),
        "Genre": text(track.genre, "genre"),
        "Kind": FILES.get(PurePosixPath(track.location).suffix.lower()),
        "Size": track.size_bytes,
        "TotalTime": None if track.duration_s is None else round(track.duration_s),
        "Year": track.year,
        "AverageBpm": None if bpm is None else f"{bpm:.2f}",
        "DateAdded": f.day(track.added_at, "{:04}-{:02}-{:02}"),
        "Comments": text(track.comment, "comment"),
        "PlayCount": track.play_count,
        "Rating": None if track.rating is None else track.rating * 51,
        "Location": file_url(track.location),
        "Tonality": fields.short_key(track.musical_key),
        "Label": text(track.label, "label"),
        "Colour": f.code_of(fields, track.color, COLORS),
    }
    file.write(f"    {tag('TRACK', attributes, '>')}\n")
    for tempo in tempos:
        values = {
            "Inizio": f"{tempo.at_s:.{PLACES}f}",
            "Bpm": f"{tempo.bpm:.{DIGITS}f}",
            "Metro": f"{grid.beats_per_bar if grid else 4}/4",
            "Battito": (tempo.beat or 0) + 1,
        }
        file.write(f"      {tag('TEMPO', values)}\n")
    for cue in track.cues:
        file.writelines(f"      {tag('POSITION_MARK', mark)}\n" for mark in _marks(cue, fields))
    file.write("    </TRACK>\n")


def _marks(cue: Cue, fields: Fields) -> Iterator[dict[str, object]]:
    """Return a cue as marks: where a deck stands after loading is a memory cue of its own."""
    number = f.check_cue(fields, cue, KINDS.values())
    kind = LOOP if cue.end_s is not None else CUE
    kind = {"fade_in": FADE_IN, "fade_out": FADE_OUT}.get(cue.kind, kind)
    mark: dict[str, object] = {
        "Name": fields.written_text(f.named(cue), "label") or "",
        "Type": kind,
        "Start": f"{cue.position_s:.{PLACES}f}",
        "End": None if cue.end_s is None else f"{cue.end_s:.{PLACES}f}",
        "Num": -1 if number is None else number - 1,
    }
    if cue.color and number is None:
        fields.lose("color of a cue", "memory cues have none in the format")
    elif cue.color:
        mark |= dict(zip(("Red", "Green", "Blue"), f.rgb(cue.color), strict=True))
    if not cue.on_load:
        yield mark
    elif number is None and kind == CUE:
        yield mark | {"Type": LOAD}
    else:
        yield mark
        yield {"Name": "", "Type": LOAD, "Start": mark["Start"], "Num": -1}


def _write_folder(
    file: TextIO, folder: Folder, ids: dict[str, str], report: Report, depth: int
) -> None:
    indent = "  " * depth
    values: dict[str, object] = {"Type": FOLDER, "Name": folder.name, "Count": len(folder)}
    file.write(f"{indent}{tag('NODE', values, '>')}\n")
    for inner in folder.folders.values():
        _write_folder(file, inner, ids, report, depth + 1)
    for playlist in folder.playlists:
        entries = written_entries(playlist, ids, report)
        values = {"Type": LIST, "Name": playlist.name, "KeyType": "0", "Entries": len(entries)}
        file.write(f"{indent}  {tag('NODE', values, '>')}\n")
        file.writelines(f'{indent}    <TRACK Key="{entry}"/>\n' for entry in entries)
        file.write(f"{indent}  </NODE>\n")
    file.write(f"{indent}</NODE>\n")
