"""Reads the tagged copies of `make_files.py` by sidecaramel; see there."""

import json
import sys
from pathlib import Path

from sidecaramel import tags


def main(folder: Path) -> None:
    """Check cues and loops within 1 ms, and every beat within 2 ms."""
    expected = json.loads((folder / "expected.json").read_text())
    for kind in expected["kinds"]:
        path = folder / "serato" / f"{kind}.{kind}"
        said = tags.read_serato_metadata(str(path))
        if kind == "ogg":  # it reads the form of FLAC there; Serato's own is another
            print("not compared:", path.name, bool(said))
            continue
        cues = {cue["idx"] + 1: cue for cue in said["cues"]}
        loops = {loop["idx"] + 9: loop for loop in said["loops"]}
        assert len(cues) + len(loops) == len(expected["cues"])
        for slot, (start, end, label) in expected["cues"].items():
            if end is None:
                assert abs(cues[int(slot)]["pos_sec"] - start) < 1e-3, cues
                assert cues[int(slot)]["label"] == label, cues
            else:
                assert abs(loops[int(slot)]["start_sec"] - start) < 1e-3, loops
                assert abs(loops[int(slot)]["end_sec"] - end) < 1e-3, loops
        beats = tags.serato_beat_grid_seconds(said, 20.0)
        apart = max(min(abs(at - each) for each in beats) for at in expected["beats"])
        assert apart < 2e-3, apart
        print(f"right: {path.name}, beats within {1000 * apart:.4f} ms, {said['track_color']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
