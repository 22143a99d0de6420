"""Reads the Engine library of `make_files.py` by the decoders of rb2engine; see there."""

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rb2engine.writer import blobs


def main(folder: Path) -> None:
    """Check cues, loops and every beat of each track."""
    expected = json.loads((folder / "expected.json").read_text())
    database = folder / "engine" / "Engine Library" / "Database2" / "m.db"
    connection = sqlite3.connect(database)
    rows = connection.execute(
        "SELECT path, key, rating, trackData, beatData, quickCues, loops FROM Track"
        " JOIN PerformanceData ON trackId = Track.id"
    ).fetchall()
    assert len(rows) == len(expected["kinds"])
    for path, key, rating, track, beat, cues, loops in rows:
        rate = blobs.decode_track_data(track).sample_rate
        assert (key, rating) == (1, 80), (key, rating)
        grid = blobs.decode_beat_data(beat)
        assert grid.sample_rate == rate
        beats = list(positions(grid.adjusted_beat_grid.markers, rate))
        for at in expected["beats"]:
            assert min(abs(at - each) for each in beats) < 1e-6, (path, at)
        found = blobs.decode_quick_cues(cues).cues
        for slot, (start, end, label) in expected["cues"].items():
            if end is None:
                cue = found[int(slot) - 1]
                assert abs(cue.sample_offset / rate - start) < 1e-9, cue
                assert cue.label == label.replace("♪", "?"), cue
            else:
                loop = blobs.decode_loops(loops).loops[int(slot) - 9]
                assert abs(loop.start_sample_offset / rate - start) < 1e-9, loop
                assert abs(loop.end_sample_offset / rate - end) < 1e-9, loop
        unset = [cue for index, cue in enumerate(found) if str(index + 1) not in expected["cues"]]
        assert {cue.sample_offset for cue in unset} == {-1.0}
        print("right:", path)


def positions(markers: Sequence[Any], rate: float) -> Iterator[float]:
    """Yield each beat in seconds."""
    for one, other in pairwise(markers):
        steps = other.beat_number - one.beat_number
        for step in range(steps):
            part = step / steps
            yield (one.sample_offset + part * (other.sample_offset - one.sample_offset)) / rate


if __name__ == "__main__":
    main(Path(sys.argv[1]))
