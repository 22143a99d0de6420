"""Compares what Mixxx has read of the tagged copies; started by `check_mixxx.sh`.

It is read by our own reader of Mixxx's database, so run it with our virtual environment. Mixxx
moves what it reads in MP3s of Serato by -26 ms.
"""

import json
import sys
from pathlib import Path

from sfa_engine.interchange import mixxx
from sfa_engine.interchange.mp3_shift import start_of

SERATO_MS = 26  # Mixxx: what it takes for the shift of every MP3


def main(folder: Path) -> None:
    """Check cues and loops within 2 ms."""
    expected = json.loads((folder / "expected.json").read_text())
    found = mixxx.read(folder / "mixxxdb.sqlite")
    for track in found.tracks:
        name = Path(track.location).name
        shift = -SERATO_MS / 1000 if name.endswith(".mp3") else 0.0
        cues = {cue.slot: cue for cue in track.cues if cue.slot}
        for slot, (start, end, label) in expected["cues"].items():
            cue = cues.get(int(slot))
            if cue is None:
                print("not there:", name, slot)
                continue
            apart = abs(cue.position_s - start - shift)
            assert apart < 2e-3, (name, slot, cue)
            assert end is None or abs(cue.end_s - end - shift) < 2e-3, (name, cue)
            assert cue.label == label, (name, cue)
        tempo = None if track.grid is None else f"{track.grid.bpm:.4f} BPM"
        print("read:", name, sorted(cues), tempo, start_of(Path(track.location)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
