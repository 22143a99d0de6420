"""Writes files that other programs' readers check: Serato, Engine DJ and STEM.

::

    .venv/bin/python scripts/interchange_oracles/make_files.py FOLDER
    OTHER/bin/python scripts/interchange_oracles/check_serato.py FOLDER     sidecaramel 0.1.1
    OTHER/bin/python scripts/interchange_oracles/check_engine.py FOLDER     rb2engine 0.5.0
    OTHER/bin/python scripts/interchange_oracles/check_stem.py FOLDER       stempeg 0.2.6
    scripts/interchange_oracles/check_mixxx.sh FOLDER                       Mixxx under Xvfb

Each reader has a virtual environment of its own: their dependencies are not ours.
"""

import json
import sys
from pathlib import Path

import av
import numpy as np
import soundfile

from sfa_engine.interchange import engine_dj, serato, stem_file
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

RATE = 44_100
SECONDS = 20
KINDS = ("mp3", "flac", "wav", "aiff", "ogg", "m4a")


def main(folder: Path) -> None:
    """Write sound files, their tagged copies, a library and a STEM file."""
    for name in ("sources", "serato", "engine"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    grid = Grid((Anchor(0.25 * GRID_RATE, 0.0), Anchor(8.25 * GRID_RATE, 16.0)), 128.0)
    cues = (
        Cue(0.5, slot=1, label="one", color="#c02626"),
        Cue(12.345, slot=6, label="Refrain ♪", color="#123456"),
        Cue(4.25, kind="loop", end_s=8.25, slot=9, label="loop"),
    )
    tracks = []
    for number, kind in enumerate(KINDS, 1):
        path = sound(folder / "sources" / f"{kind}.{kind}")
        tracks.append(
            Record(
                *(str(number), str(path)),
                title=f"Title {kind}",
                artist="Artist",
                bpm=128.0,
                musical_key="A minor",
                duration_s=float(SECONDS),
                rating=4,
                color="#993333",
                grid=grid,
                cues=cues,
            )
        )
    lists = (List("Inner", ("Outer",), ("3", "1", "2")), List("All", (), ("1", "2", "3", "4")))
    collection = Collection(tuple(tracks), lists)
    for name, module in (("serato", serato), ("engine", engine_dj)):
        for loss in module.write(collection, folder / name):
            print(name, loss)
    stems(folder)
    beats = [float(frame) / GRID_RATE for frame in grid.frame_of(np.arange(30), GRID_RATE)]
    (folder / "expected.json").write_text(
        json.dumps(
            {
                "kinds": KINDS,
                "cues": {str(cue.slot): [cue.position_s, cue.end_s, cue.label] for cue in cues},
                "beats": beats,
                "bpm": grid.bpm,
            }
        )
    )


def sound(path: Path) -> Path:
    """Write a click at half a second, and quiet noise."""
    rng = np.random.default_rng(1)
    samples = (0.01 * rng.standard_normal((SECONDS * RATE, 2))).astype(np.float32)
    samples[RATE // 2 : RATE // 2 + 100] += 0.5
    if path.suffix != ".m4a":
        soundfile.write(path, samples, RATE)
        return path
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", "stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def stems(folder: Path) -> None:
    """Write a STEM file of four tones in AAC, and one in ALAC."""
    files = []
    for number, name in enumerate(("vocals", "drums", "bass", "other"), 1):
        tone = 0.2 * np.sin(2 * np.pi * 110 * number * np.arange(5 * RATE) / RATE)
        path = folder / "sources" / f"stem-{name}.wav"
        soundfile.write(path, np.stack([tone, tone], axis=1), RATE)
        files.append((name, str(path)))
    record = Record("1", title="Title", artist="Artist", stems=tuple(files))
    stem_file.write_stems(record, folder / "aac.stem.mp4", "aac")
    stem_file.write_stems(record, folder / "alac.stem.mp4", "alac")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
