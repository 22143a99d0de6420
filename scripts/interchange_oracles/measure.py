"""Measures 20,000 tracks with eight cues, four loops and a grid in each database format.

::

    .venv/bin/python scripts/interchange_oracles/measure.py serato|engine|mixxx FOLDER
"""

import resource
import sqlite3
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sfa_engine.interchange import engine_dj, mixxx, serato
from sfa_engine.interchange import serato_crates as crates
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

TRACKS = 20_000


def main(name: str, folder: Path) -> None:
    """Write and read one format; print seconds and the peak of memory."""
    {"serato": of_serato, "engine": of_engine, "mixxx": of_mixxx}[name](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of memory {peak:.0f} MB")


def timed(what: str, work: Callable[[], Collection | list[object]]) -> None:
    """Print how long some work takes."""
    began = time.process_time()
    work()
    print(f"{what}: {time.process_time() - began:.1f} CPU-s")


def records() -> tuple[Record, ...]:
    """Return the tracks."""
    grid = Grid((Anchor(0.25 * GRID_RATE, 0.0), Anchor(8.25 * GRID_RATE, 16.0)), 128.0)
    cues = (
        *(
            Cue(10.0 * slot, slot=slot, label=f"cue {slot}", color="#ff8800")
            for slot in range(1, 9)
        ),
        *(Cue(5.0 * slot, kind="loop", end_s=5.0 * slot + 4, slot=slot) for slot in range(9, 13)),
    )
    return tuple(
        Record(
            *(str(index), f"/music/{index // 100}/{index}.mp3"),
            title=f"Title {index}",
            artist="Artist",
            duration_s=300.0,
            bpm=128.0,
            grid=grid,
            cues=cues,
        )
        for index in range(TRACKS)
    )


def of_engine(folder: Path) -> None:
    """Measure Engine DJ's library."""
    tracks = records()
    lists = tuple(
        List(f"List {index}", (), tuple(str(track) for track in range(index, TRACKS, 100)))
        for index in range(100)
    )
    timed("engine write", lambda: list(engine_dj.write(Collection(tracks, lists), folder)))
    timed("engine read", lambda: engine_dj.read(folder))


def of_serato(folder: Path) -> None:
    """Measure Serato's database, the files of which are missing."""
    home = folder / "_Serato_"
    home.mkdir()
    rows = [
        {"pfil": f"music/{index}.mp3", "tsng": f"Title {index}", "tart": "A", "tbpm": "128.00"}
        for index in range(TRACKS)
    ]
    (home / "database V2").write_bytes(crates.database(rows))
    timed("serato read", lambda: serato.read(folder))


def of_mixxx(folder: Path) -> None:
    """Measure Mixxx's database, each track with 500 beats."""
    beats = b"".join(
        bytes([0x0A, 9, 9]) + struct.pack("<d", 20_000.0 * index) for index in range(500)
    )
    path = folder / "mixxxdb.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE track_locations (id INTEGER PRIMARY KEY, location TEXT, filesize INTEGER);"
        "CREATE TABLE library (id INTEGER PRIMARY KEY, title TEXT, location INTEGER,"
        " mixxx_deleted INTEGER, samplerate INTEGER, beats BLOB, beats_version TEXT);"
        "CREATE TABLE cues (id INTEGER PRIMARY KEY, track_id INTEGER, type INTEGER,"
        " position REAL, length REAL, hotcue INTEGER, label TEXT, color INTEGER);"
    )
    for index in range(TRACKS):
        connection.execute("INSERT INTO track_locations VALUES (?, ?, 1)", (index, f"/{index}.mp3"))
        connection.execute(
            "INSERT INTO library VALUES (?, 'T', ?, 0, 44100, ?, 'BeatMap-1.0')",
            (index, index, beats),
        )
        connection.executemany(
            "INSERT INTO cues VALUES (NULL, ?, 1, ?, 0, ?, 'x', 255)",
            [(index, 1e5 * cue, cue) for cue in range(12)],
        )
    connection.commit()
    connection.close()
    timed("mixxx read", lambda: mixxx.read(path))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
