"""Feeds mutated inputs to each binary parser: it reads them or refuses them with a hint.

::

    .venv/bin/python scripts/interchange_oracles/fuzz.py COUNT FOLDER [PARSER …]

FOLDER is that of `make_files.py`. Prints a line for each parser; an exception of another kind ends
it, with the input in hexadecimal.
"""

import random
import sqlite3
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sfa_engine.errors import SfaError
from sfa_engine.interchange import engine_blobs, engine_dj, mixxx, stem_file
from sfa_engine.interchange import serato_crates as crates
from sfa_engine.interchange import serato_tags as tags
from sfa_engine.interchange.mp3_shift import mp3_start, start_of
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.interchange.serato_files import read_file, write_file
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

GRID = Grid((Anchor(12_000.0, 0.0), Anchor(8.25 * GRID_RATE, 16.0)), 128.0)
MARKS = tags.Marks(
    {0: tags.Mark(500, None, 0xCC0000, "one"), 5: tags.Mark(9000)}, {1: tags.Mark(1, 2)}, 5
)
CUES = (Cue(0.5, slot=1, label="x"), Cue(1.0, kind="loop", end_s=2.0, slot=9))
EDGES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return some bytes changed, repeated, cut out or cut off."""
    content = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(content) + 1)
        kind = rng.randrange(6)
        if kind == 0 and content:
            content[at % len(content)] = rng.randrange(256)
        elif kind == 1:
            content[at : at + 4] = rng.choice(EDGES)
        elif kind == 2:
            content = content[:at]
        elif kind == 3:
            del content[at : at + rng.randrange(16)]
        elif kind == 4:
            content[at:at] = content[at : at + rng.randrange(64)]
        else:
            content[at:at] = rng.randbytes(rng.randrange(8))
    return bytes(content)


def in_file(name: str, parse: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return a parser of bytes that writes them to a file."""
    path = Path(tempfile.mkdtemp(prefix="sfa-fuzz-")) / name

    def parser(data: bytes) -> object:
        path.write_bytes(data)
        return parse(path)

    return parser


def samples(folder: Path) -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    """Return a valid input and the parser of each kind."""
    beat = bytes([0x0A, 9, 9]) + struct.pack("<d", 120.0)
    first = bytes([0x12, 9, 9]) + struct.pack("<d", 100.0)
    beats = b"".join(
        bytes([0x0A, 9, 9]) + struct.pack("<d", 20_000.0 * index) for index in range(9)
    )
    grid = engine_blobs.beat_data(GRID, 44_100.0, 60.0)[0]
    pads = {0: engine_blobs.Pad(5.0, 9.0, "x", 7)}
    made = {
        "markers2": (tags.markers2(MARKS), tags.parse_markers2),
        "entries": (tags.entries(MARKS), tags.parse_entries),
        "markers": (tags.markers(MARKS), tags.parse_markers),
        "markers of MP4": (
            tags.markers(MARKS, is_mp4=True),
            lambda data: tags.parse_markers(data, is_mp4=True),
        ),
        "beat grid": (tags.beat_grid(GRID)[0], tags.parse_beat_grid),
        "envelope": (
            tags.enveloped("Serato X", b"abc"),
            lambda d: tags.from_envelope("Serato X", d),
        ),
        "database": (
            crates.database([{"pfil": "a/b.mp3", "tsng": "x", "tbpm": "12", "bmis": 1}] * 3),
            lambda data: list(crates.parse_database(data)),
        ),
        "crate": (crates.crate(["a/b.mp3", "c.flac"]), crates.parse_crate),
        "Mixxx' grid": (beat + first, lambda data: mixxx.parse_beat_grid(data, 44_100.0)),
        "Mixxx' map": (beats, lambda data: mixxx.parse_beat_map(data, 44_100.0)),
        "Engine's grid": (
            engine_blobs.unpacked(grid),
            lambda data: engine_blobs.parse_beat_data(engine_blobs.packed(data)),
        ),
        "Engine's cues": (
            engine_blobs.unpacked(engine_blobs.quick_cues(pads, 3.0)),
            lambda data: engine_blobs.parse_quick_cues(engine_blobs.packed(data)),
        ),
        "Engine's loops": (engine_blobs.loops(pads), engine_blobs.parse_loops),
        "zlib": (grid, engine_blobs.unpacked),
    }
    for kind in ("mp3", "flac", "ogg"):
        small = head_of(folder / "serato" / f"{kind}.{kind}", folder)
        made[f"tags of {kind}"] = (small, in_file(f"x.{kind}", read_file))
    made["MP3"] = ((folder / "sources" / "mp3.mp3").read_bytes()[:4000], mp3_start)
    tagged = folder / "serato" / "m4a.m4a"
    made["tags of m4a"] = at_the_end(tagged, read_file)
    made["M4A"] = at_the_end(tagged, start_of)
    made["STEM"] = at_the_end(folder / "alac.stem.mp4", stem_file.read)
    with tempfile.TemporaryDirectory() as place:
        target = Path(place)
        record = Record("1", "/m/a.mp3", title="T", grid=GRID, cues=CUES)
        engine_dj.write(Collection((record,), (List("L", (), ("1",)),)), target)
        database = target / "Engine Library" / "Database2" / "m.db"
        made["m.db"] = (database.read_bytes(), in_file("m.db", engine_dj.read))
    made["mixxxdb"] = (mixxx_database(), in_file("mixxxdb.sqlite", mixxx.read))
    return made


def at_the_end(
    source: Path, parse: Callable[[Path], object]
) -> tuple[bytes, Callable[[bytes], object]]:
    """Return the last box of an MP4, and a parser of the file with another one there."""
    data = source.read_bytes()
    at = data.rindex(b"moov") - 4
    opened = in_file(f"x{source.suffix}", parse)
    return data[at:], lambda changed: opened(data[:at] + changed)


def head_of(source: Path, folder: Path) -> bytes:
    """Return the beginning of a sound file, with tags: the rest is not parsed."""
    target = folder / f"short{source.suffix}"
    target.write_bytes(source.read_bytes()[:12_000])
    write_file(Record("1", cues=CUES, grid=GRID), target, target)
    return target.read_bytes()


def mixxx_database() -> bytes:
    """Return a small database of Mixxx."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.sqlite"
        connection = sqlite3.connect(path)
        connection.executescript(
            "CREATE TABLE track_locations (id INTEGER, location TEXT, filesize INTEGER);"
            "CREATE TABLE library (id INTEGER, title TEXT, location INTEGER,"
            " mixxx_deleted INTEGER, samplerate INTEGER, beats BLOB, beats_version TEXT);"
            "CREATE TABLE cues (id INTEGER, track_id INTEGER, type INTEGER, position INTEGER,"
            " length INTEGER, hotcue INTEGER, label TEXT, color INTEGER);"
            "CREATE TABLE Playlists (id INTEGER, name TEXT, position INTEGER, hidden INTEGER);"
            "CREATE TABLE PlaylistTracks (id INTEGER, playlist_id INTEGER, track_id INTEGER,"
            " position INTEGER);"
            "INSERT INTO track_locations VALUES (1, '/a.mp3', 5);"
            "INSERT INTO library VALUES (1, 'T', 1, 0, 44100, X'00', 'BeatMap-1.0');"
            "INSERT INTO cues VALUES (1, 1, 1, 88200, 0, 3, 'x', 255);"
            "INSERT INTO Playlists VALUES (1, 'L', 1, 0);"
            "INSERT INTO PlaylistTracks VALUES (1, 1, 1, 1);"
        )
        connection.close()
        return path.read_bytes()


def main(count: int, folder: Path, names: list[str]) -> None:
    """Run each parser on `count` inputs."""
    for name, (valid, parse) in samples(folder).items():
        if names and name not in names:
            continue
        rng = random.Random(name)  # noqa: S311 - inputs, no secrets
        refused, slowest, began = 0, 0.0, time.monotonic()
        for _ in range(count):
            data = mutated(valid, rng)
            start = time.monotonic()
            try:
                parse(data)
            except SfaError as problem:
                refused += bool(problem.hint)
            except BaseException:
                print(name, data.hex()[:4000])
                raise
            slowest = max(slowest, time.monotonic() - start)
        seconds = time.monotonic() - began
        print(
            f"{name:16} {count} inputs, {refused} refused, slowest {1000 * slowest:.0f} ms,"
            f" {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
