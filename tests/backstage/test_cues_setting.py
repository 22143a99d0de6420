"""`[cues]` of the configuration file reaches the hot cues of the library: real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import House, prepared, song

pytestmark = pytest.mark.slow

CUES = """
[cues]
kinds = ["outro", "intro"]
hot_cues = 2
first = 3
order = "kinds"
"""


def test_cues_of_the_configuration_are_the_hot_cues_of_a_prepared_track(
    here: House, tmp_path: Path
) -> None:
    here.configure(CUES)
    with here.start() as client:
        prepared(client, song(tmp_path / "song.wav", seconds=40.0))
        cues = client.call("library.show", track="song")["cues"]
    assert {cue["kind"] for cue in cues} >= {"intro", "loop"}
    on = {cue["slot"]: cue["kind"] for cue in cues if cue["slot"]}
    assert on == {3: "intro"}  # as it comes, the intro is 1, and a loop 2
