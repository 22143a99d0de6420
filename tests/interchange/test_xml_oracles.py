"""Independent readers of rekordbox's and Traktor's files find what was written, within 1 ms.

They are installed into a venv of their own: no dependency of the product, and one is GPL-3.
"""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from interchange_records import LENGTH_S, assert_beats_agree, assert_cues_agree

from sfa_engine.interchange import rekordbox_xml, traktor_nml
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

pytestmark = pytest.mark.nightly

ORACLES = Path(__file__).parents[2] / "scripts" / "interchange_oracles"
KINDS = {"cue": 0, "fade_in": 1, "fade_out": 2, "loop": 5}
NAMED = {"cue": "cue", "fade_in": "fadein", "fade_out": "fadeout", "loop": "loop"}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return the interpreter of a venv with the readers."""
    folder = tmp_path_factory.mktemp("oracles") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    requirements = ORACLES / "requirements.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    return python


def made():
    """Return 60 tracks with grids of one tempo, of several and drifting, and with cues."""
    chance = random.Random(7)
    tracks = []
    for number in range(1, 61):
        at_s, beat = chance.uniform(0, 2), chance.randint(-3, 3)
        points = [(at_s, beat)]
        for _ in range((0, 3, 100)[number % 3]):
            beats = chance.randint(1, 4) * 4
            at_s, beat = at_s + beats * 60 / chance.uniform(118, 122), beat + beats
            points.append((at_s, beat))
        anchors = tuple(Anchor(at_s * GRID_RATE, float(beat)) for at_s, beat in points)
        cues = []
        for slot in range(1, 9):
            at_s = chance.uniform(0, 400)
            kind = chance.choice(list(KINDS))
            end_s = at_s + chance.uniform(0.5, 20) if kind in {"loop", "fade_in"} else None
            label = chance.choice(["", "Dröp & <1>"])
            cues.append(Cue(at_s, kind, end_s, chance.choice([slot, None]), label))
        cues.sort(key=lambda cue: cue.position_s)
        path = f"{chance.choice(['/Library/dj', 'C:/Müsik'])}/a & b #{number} 100%.mp3"
        grid = Grid(anchors, chance.uniform(60, 180))
        tracks.append(
            Record(
                str(number), path, f"Tïtle {number}", bpm=123.45, duration_s=LENGTH_S, rating=4,
                grid=grid, cues=tuple(cues),
            )
        )  # fmt: skip
    keys = tuple(track.key for track in tracks)
    return Collection(tuple(tracks), (List("List", ("Folder",), keys[::-1]),))


def seen_by(python, program, path):
    """Return what the other reader finds, and where it wrote it again."""
    copy = path.with_name(f"copy{path.suffix}")
    command = [python, ORACLES / "libraries.py", program, path, copy]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout), copy


def beats_of(tempos, first_s):
    """Return each beat of a list of (position, BPM), counted from each of them on."""
    ends = [at_s for at_s, _ in tempos[1:]] + [LENGTH_S]
    found = [
        np.arange(at_s, end_s - 0.05 * 60 / bpm, 60 / bpm)
        for (at_s, bpm), end_s in zip(tempos, ends, strict=True)
    ]
    every = np.concatenate(found)
    return every[every >= first_s]


def assert_beats_found(grid, tempos):
    wanted = grid.beats(round((LENGTH_S - 1) * GRID_RATE), GRID_RATE) / GRID_RATE
    wanted = wanted[wanted >= tempos[0][0] - 0.002]
    found = beats_of(tempos, 0.0)[: len(wanted)]
    assert np.abs(found - wanted).max() <= 0.002


def assert_same(collection, again, within_s, from_bar):
    for track, other in zip(collection.tracks, again.tracks, strict=True):
        assert (track.title, track.rating) == (other.title, other.rating)
        assert_beats_agree(track.grid, other.grid, from_bar)
        assert_cues_agree(track.cues, other.cues, within_s)


def test_pyrekordbox_finds_what_was_written(python, tmp_path):
    collection = made()
    path = tmp_path / "library.xml"
    assert rekordbox_xml.write(collection, path) == []
    found, copy = seen_by(python, "rekordbox", path)
    places = [track.location.removeprefix("/") for track in collection.tracks]
    tracks = {location.removeprefix("/"): each for location, each in found["tracks"].items()}
    assert list(tracks) == places
    for track, place in zip(collection.tracks, places, strict=True):
        other = tracks[place]
        assert (other["title"], other["bpm"], other["rating"]) == (track.title, 123.45, 4)
        assert_beats_found(track.grid, [(at_s, bpm) for at_s, bpm, _ in other["tempos"]])
        for at_s, _, beat in other["tempos"]:
            assert round(float(track.grid.beat_of(at_s * GRID_RATE, GRID_RATE))) % 4 == beat - 1
        for cue, (kind, start, end, number, name) in zip(track.cues, other["cues"], strict=True):
            assert kind == NAMED[cue.kind]
            assert abs(start - cue.position_s) <= 0.001
            assert abs((end or 0) - (cue.end_s or 0)) <= 0.001
            assert (number, name) == (-1 if cue.slot is None else cue.slot - 1, cue.label)
    listed = [place.removeprefix("/") for place in found["lists"]["Folder/List"]]
    assert listed == places[::-1]
    assert_same(collection, rekordbox_xml.read(copy), 0.00051, from_bar=False)


def test_traktor_nml_utils_finds_what_was_written(python, tmp_path):
    collection = made()
    path = tmp_path / "collection.nml"
    assert traktor_nml.write(collection, path) == []
    found, copy = seen_by(python, "traktor", path)
    for track, (place, other) in zip(collection.tracks, found["tracks"].items(), strict=True):
        assert place.replace("/:", "/").removeprefix("Macintosh HD") == track.location
        assert (other["title"], other["bpm"], other["rating"]) == (track.title, 123.45, 204)
        assert_beats_found(track.grid, [(at_ms / 1000, bpm) for at_ms, bpm in other["tempos"]])
        for cue, (kind, start, length, number, name) in zip(track.cues, other["cues"], strict=True):
            assert kind == KINDS[cue.kind]
            assert abs(start - cue.position_s * 1000) <= 0.001
            length_s = 0 if cue.end_s is None else cue.end_s - cue.position_s
            assert abs(length - length_s * 1000) <= 0.001
            assert (number, name) == (-1 if cue.slot is None else cue.slot - 1, cue.label or "n.n.")
    assert found["lists"]["Folder/List"] == list(found["tracks"])[::-1]
    assert_same(collection, traktor_nml.read(copy), 1e-8, from_bar=True)
