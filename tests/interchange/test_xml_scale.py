"""20,000 tracks written and read in each XML format: 60 s and 300 MB at the most, each.

Each track has ten cues, a grid whose tempo no format can write exactly, and a place in five
playlists. Measured in processes of their own: a peak of memory is a process's.
"""

import json
import subprocess
import sys

import pytest
from test_apple_xml import HEAD
from test_apple_xml import SAMPLE as APPLE

pytestmark = pytest.mark.nightly

TRACKS = 20_000
MOST_S, MOST_MB = 60, 300
PROGRAM = """
import json, resource, sys, time
from importlib import import_module
from pathlib import Path

from sfa_engine.interchange.record import Collection, List, Record
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

what, module, path, tracks = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
module = import_module(f"sfa_engine.interchange.{module}")


def made():
    for number in range(1, tracks + 1):
        grid = Grid((Anchor(4800.0 + number, -3.0),), 120 + number / 7919)
        cues = tuple(
            Cue(20.0 * n + number / 1000, "loop" if n % 3 == 0 else "cue",
                20.0 * n + 8 + number / 1000 if n % 3 == 0 else None,
                n + 1 if n < 8 else None, f"cue {n}", "#ff8800" if n < 8 else "")
            for n in range(10)
        )
        yield Record(
            str(number), f"/music/artist {number % 997}/album {number % 4999}/{number} title.mp3",
            f"Title number {number}", f"Artist number {number % 997}", f"Album {number % 4999}",
            "House, Techno", "Label", "A comment of usual length, as DJs write them", 2019, 120.0,
            "A minor", 300.0, 9_000_000 + number, 4, "#28b428", 7, None, 1.6e9, grid, cues,
        )


if what == "write":
    every = tuple(made())
    keys = tuple(track.key for track in every)
    lists = tuple(List(f"List {n}", ("Folder",), keys) for n in range(5))
    collection = Collection(every, lists)
    begin = time.perf_counter()
    module.write(collection, path)
else:
    begin = time.perf_counter()
    collection = module.read(path)
    assert len(collection.tracks) == tracks, len(collection.tracks)
    cues = 0 if module.__name__.endswith("apple_xml") else 10
    assert all(len(track.cues) == cues for track in collection.tracks)
    assert [len(each.keys) for each in collection.playlists] == [tracks] * 5
took_s = time.perf_counter() - begin
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"took_s": took_s, "peak_mb": peak_mb}))
"""


def measured(what, module, path):
    """Run the program in a process; it keeps within time and memory."""
    command = [sys.executable, "-c", PROGRAM, what, module, str(path), str(TRACKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    found = json.loads(done.stdout)
    print(module, what, found, f"{path.stat().st_size / 1e6:.0f} MB")
    assert found["took_s"] <= MOST_S
    assert found["peak_mb"] <= MOST_MB


@pytest.mark.parametrize("module", ["rekordbox_xml", "traktor_nml", "virtualdj_xml"])
def test_a_large_library_is_written_and_read_in_time_and_memory(module, tmp_path):
    path = tmp_path / "library.xml"
    measured("write", module, path)
    measured("read", module, path)


def test_a_large_library_of_apple_is_read_in_time_and_memory(tmp_path):
    track = APPLE[APPLE.index("<key>101</key>") : APPLE.index("<key>102</key>")]
    items = "".join(
        f"<dict><key>Track ID</key><integer>{number}</integer></dict>\n"
        for number in range(1000, 1000 + TRACKS)
    )
    path = tmp_path / "library.xml"
    with path.open("w") as file:
        file.write(f"{HEAD}<dict><key>Tracks</key><dict>")
        file.writelines(track.replace("101", str(number)) for number in range(1000, 1000 + TRACKS))
        file.write("</dict><key>Playlists</key><array>")
        for number in range(5):
            file.write(f"<dict><key>Name</key><string>{number}</string><key>Playlist Items</key>")
            file.write(f"<array>{items}</array></dict>")
        file.write("</array></dict></plist>")
    measured("read", "apple_xml", path)
