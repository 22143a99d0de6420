"""Serato DJ: tags in sound files, and the lists of the folder ``_Serato_``.

::

    read    a drive or its _Serato_       tracks of its database with their files' tags, crates
            a sound file, a folder        their tags
    write   a folder                      a copy of each track with tags, a crate for each playlist

Serato keeps its own state while it is open, and writes it over ours: it must be closed. Its
database is not written where there is one: Serato takes up what the crates name. Blocks.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from sfa_engine.errors import MediaError, SfaError
from sfa_engine.interchange import serato_crates as crates
from sfa_engine.interchange.record import Collection, List, Loss, Record
from sfa_engine.interchange.serato_files import SUFFIXES, SeratoTags, read_file, write_file
from sfa_engine.interchange.serato_tags import NO_COLOR, shown_track
from sfa_engine.interchange.sound_record import record_of
from sfa_engine.library.payload import find_payload
from sfa_engine.system.atomic import write_durably
from sfa_engine.track.key import parse_key

FOLDER = "_Serato_"
MAX_BYTES = 1 << 30  # of database V2: a million tracks
MAX_FILES = 200_000  # of a folder
SAME_SOUND_BYTES = 1 << 20  # compared at the start of the sound of two files
_MISSING = "its file is not there: cues and grid are in its tags"
_UNFIT = re.compile(r'[\x00-\x1f<>:"|?*\\]')


def read(path: Path) -> Collection:
    """Read a drive with ``_Serato_``, that folder, a sound file, or a folder of sound files."""
    if not path.exists():
        raise MediaError(f'no file or folder "{path}"', "check its name")
    if path.is_file():
        record, losses = _of_file(path, path.name)
        return Collection((record,), (), tuple(losses))
    home = next((each for each in (path, path / FOLDER) if _is_home(each)), None)
    if home is not None:
        return _of_home(home)
    return _of_folder(path)


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write tagged copies of the tracks into a folder, and its crates."""
    losses: list[Loss] = []
    copies: dict[str, str] = {}
    used: set[str] = set()
    for record in collection.tracks:
        name = _copied(record, path, used, losses)
        if name is not None:
            copies[record.key] = name
            used.add(name.casefold())
    if collection.tracks and not copies:
        raise MediaError(f'no track can be written to "{path}"', losses[0].why if losses else "")
    _write_lists(collection, path, copies, losses)
    return losses


# ---------------------------------------------------------------- reading


def _is_home(path: Path) -> bool:
    return (path / "database V2").is_file() or (path / "Subcrates").is_dir()


def _of_home(home: Path) -> Collection:
    root = home.parent
    records: dict[str, Record] = {}
    losses: list[Loss] = []
    database = home / "database V2"
    if database.is_file():
        data = _content(database)
        if not crates.is_whole(data):
            losses.append(Loss("", "track", "database V2 is cut: its last track is lost"))
        for track in crates.parse_database(data):
            record = _of_row(track, root)
            if record is not None:
                records.setdefault(record.key, record)
    lists: list[List] = []
    for file in sorted((home / "Subcrates").glob("*.crate")):
        try:
            keys = [_key(path) for path in crates.parse_crate(_content(file))]
        except MediaError as problem:
            losses.append(Loss(file.stem, "playlist", problem.message))
            continue
        for key in keys:
            if key not in records:
                records[key] = Record(key, _location(key, root))
        name = crates.crate_name(file.stem)
        lists.append(List(name.name, name.folders, tuple(keys)))
    tracks = [_with_tags(record, losses) for record in records.values()]
    return Collection(tuple(tracks), tuple(lists), tuple(losses))


def _of_folder(path: Path) -> Collection:
    records: list[Record] = []
    losses: list[Loss] = []
    for file in _sounds(path):
        try:
            record, lost = _of_file(file, str(file.relative_to(path)))
        except MediaError as problem:
            losses.append(Loss(file.name, "track", problem.message))
            continue
        records.append(record)
        losses += lost
    if not records:
        raise MediaError(f'"{path}" has no {FOLDER} and no sound file', "name the drive of Serato")
    return Collection(tuple(records), (), tuple(losses))


def _sounds(path: Path) -> Iterator[Path]:
    files = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    found = [file for file, _ in zip(files, range(MAX_FILES + 1), strict=False)]
    if len(found) > MAX_FILES:
        raise MediaError(f'"{path}" has more than {MAX_FILES} sound files', "name a smaller folder")
    yield from sorted(found)


def _of_file(path: Path, key: str) -> tuple[Record, list[Loss]]:
    """Return the track of a sound file; MediaError if it has no tags."""
    serato = read_file(path)
    return _joined(record_of(path, key), serato)


def _joined(record: Record, serato: SeratoTags) -> tuple[Record, list[Loss]]:
    record = replace(
        record,
        cues=serato.cues,
        grid=serato.grid,
        color=serato.color or record.color,
        bpm=serato.bpm or record.bpm,
    )
    return record, [Loss(record.name, what, why) for what, why in serato.losses]


def _with_tags(record: Record, losses: list[Loss]) -> Record:
    """Return a track of the database with what its file's tags have."""
    path = Path(record.location)
    if not path.is_file():
        losses.append(Loss(record.name, "cue", _MISSING))
        return record
    try:
        record, lost = _joined(record, read_file(path))
    except MediaError as problem:
        losses.append(Loss(record.name, "cue", problem.message))
        return record
    losses += lost
    return record


def _key(path: str) -> str:
    return path.replace("\\", "/").lstrip("/")


def _location(key: str, root: Path) -> str:
    """Return where a file is: on the drive of the folder, or that of the system."""
    if ".." not in PurePosixPath(key).parts:
        # A Mac writes é as two letters; the name in the list may have one.
        for name in (key, *(unicodedata.normalize(form, key) for form in ("NFC", "NFD"))):
            if (root / name).is_file():
                return str(root / name)
    return key if re.match("[A-Za-z]:", key) else f"/{key}"


def _of_row(track: crates.Track, root: Path) -> Record | None:
    """Return a track of the database; None without a path."""

    def text(name: str) -> str:
        value = track.get(name)
        return value[:500] if isinstance(value, str) else ""

    def number(name: str, low: float, high: float) -> float | None:
        value = track.get(name)
        with contextlib.suppress(ValueError, TypeError):
            parsed = float(value) if not isinstance(value, bytes) else -1.0  # type: ignore[arg-type]
            return parsed if low <= parsed <= high else None
        return None

    key = _key(text("pfil") or "")
    if not key:
        return None
    year = re.match(r"\d{4}", text("ttyr"))
    stored = track.get("ulbl")
    color = shown_track(stored) if isinstance(stored, int) and stored < NO_COLOR else None
    musical_key = ""
    with contextlib.suppress(SfaError):
        musical_key = parse_key(text("tkey"))
    plays = number("utpc", 0, 1e9)
    size = number("ufsb", 1, 1 << 40)
    return Record(
        key,
        _location(key, root),
        title=text("tsng"),
        artist=text("tart"),
        album=text("talb"),
        genre=text("tgen"),
        label=text("tlbl"),
        comment=text("tcom"),
        year=int(year[0]) if year else None,
        bpm=number("tbpm", 1, 1000),
        musical_key=musical_key,
        duration_s=_seconds(text("tlen")),
        size_bytes=int(size) if size else None,
        color="" if color is None else f"#{color:06x}",
        play_count=None if plays is None else int(plays),
        added_at=number("tadd", 0, 1e11),
    )


def _seconds(text: str) -> float | None:
    """Return a length such as ``03:45.12`` or ``1:02:03`` in seconds."""
    if not re.fullmatch(r"(\d{1,3}:){1,2}\d{1,2}(\.\d{1,9})?", text):
        return None
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MediaError(f'"{path}" has more than {MAX_BYTES >> 20} MB', "name another folder")
        return path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(f'cannot read "{path}": {reason}', "check its permissions") from problem


# ---------------------------------------------------------------- writing


def _copied(record: Record, path: Path, used: set[str], losses: list[Loss]) -> str | None:
    """Write the copy of a track; return its name, or None if that fails."""
    source = Path(record.location)
    if not record.location:
        losses.append(Loss(record.name, "track", "it has no file"))
        return None
    if not source.is_file():
        losses.append(Loss(record.name, "track", "its file is not there"))
        return None
    name = _free_name(source, path, used)
    target = path / name
    if target.exists() and target.samefile(source):
        losses.append(Loss(record.name, "track", "it is the file itself: name another folder"))
        return None
    # What Serato wrote into an earlier copy stays.
    base = target if target.is_file() else source
    losses += write_file(record, base, target)
    return name


def _free_name(source: Path, path: Path, used: set[str]) -> str:
    """Return a name that is free, or that of an earlier copy of the same sound."""
    stem = _UNFIT.sub("-", source.stem).strip(" .") or "track"
    number = 1
    while True:
        name = f"{stem}{f' ({number})' if number > 1 else ''}{source.suffix}"
        target = path / name
        if name.casefold() not in used and (
            not (target.exists() or target.is_symlink()) or _is_same_sound(source, target)
        ):
            return name
        number += 1


def _is_same_sound(one: Path, other: Path) -> bool:
    return not other.is_symlink() and other.is_file() and _mark_of(one) == _mark_of(other)


def _mark_of(path: Path) -> tuple[int, bytes]:
    """Return the length of a file's sound, and a digest of its beginning."""
    with path.open("rb") as file:
        payload = find_payload(file)
        if payload is None:
            return path.stat().st_size, b""
        file.seek(payload.ranges[0][0])
        begin = file.read(min(SAME_SOUND_BYTES, payload.ranges[0][1]))
    length = sum(length for _, length in payload.ranges)
    return length, hashlib.blake2b(begin, digest_size=16).digest()


def _write_lists(
    collection: Collection, path: Path, copies: dict[str, str], losses: list[Loss]
) -> None:
    home = path / FOLDER
    if home.is_symlink():
        raise MediaError(f'"{home}" leads out of the folder', "name another folder")
    try:
        (home / "Subcrates").mkdir(parents=True, exist_ok=True)
        for each in collection.playlists:
            _write_crate(each, home / "Subcrates", copies, losses)
        if not (home / "database V2").exists():
            rows = [
                _row(record, copies[record.key])
                for record in collection.tracks
                if record.key in copies
            ]
            write_durably(home / "database V2", crates.database(rows))
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MediaError(
            f'cannot write "{home}": {reason}', "check the free space and the permissions there"
        ) from problem


def _write_crate(each: List, folder: Path, copies: dict[str, str], losses: list[Loss]) -> None:
    """Write a crate; tracks that one of its name has stay, and ours come after them."""
    name = crates.CrateName(each.name, each.folders)
    if not name.is_exact:
        losses.append(Loss(each.name, "playlist", "its name has letters that file names lack"))
    target = folder / name.file
    paths: list[str] = []
    if target.is_file() and not target.is_symlink():
        try:
            paths = crates.parse_crate(_content(target))
        except MediaError as problem:
            losses.append(Loss(each.name, "playlist", problem.message))
            return
    known = set(paths)
    ours = list(dict.fromkeys(copies[key] for key in each.keys if key in copies))
    if len(ours) < len([key for key in each.keys if key in copies]):
        losses.append(Loss(each.name, "playlist", "a crate has each track once"))
    paths += [file for file in ours if file not in known]
    write_durably(target, crates.crate(paths))


def _row(record: Record, name: str) -> dict[str, Any]:
    """Return the fields of a track in ``database V2``."""
    minutes, seconds = divmod(record.duration_s or 0.0, 60)
    texts = {
        "ttyp": Path(name).suffix[1:].lower(),
        "pfil": name,
        "tsng": record.title,
        "tart": record.artist,
        "talb": record.album,
        "tgen": record.genre,
        "tlen": f"{int(minutes):02d}:{seconds:05.2f}" if record.duration_s else "",
        "tbpm": f"{record.bpm:.2f}" if record.bpm else "",
        "tcom": record.comment,
        "tlbl": record.label,
        "ttyr": str(record.year or ""),
        "tadd": f"{record.added_at:.0f}" if record.added_at else "",
        "tkey": record.musical_key,
    }
    return {name: text for name, text in texts.items() if text}
