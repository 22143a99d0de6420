"""What a person reads, at the width of a terminal."""

import io

from rich.console import Console

from sfa_engine.cli.screen import track_table


def test_a_long_title_gives_way_and_no_other_column_does():
    track = {
        "id": 1234, "name": "Some Artist of a long name - A title as long (Extended Mix) " * 2,
        "state": "ready", "bpm": 124.0, "key": "G# minor", "camelot": "1A", "energy": 0.5,
        "duration_s": 171.25, "stems": ("vocals", "drums"),
    }  # fmt: skip
    file = io.StringIO()
    Console(file=file, width=80).print(track_table([track]))
    head, line = file.getvalue().splitlines()
    assert head.split() == ["track", "BPM", "key", "energy", "length", "stems"]
    assert line.startswith("1234  Some Artist of a long name")
    assert line.split()[-7:] == ["124.00", "G#", "minor", "1A", "0.50", "2:51", "2"]
