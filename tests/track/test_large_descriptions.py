"""A `track.json` of any content up to its limit of bytes is read or refused in little time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sfa_engine.errors import MediaError
from sfa_engine.track.media import parse_track

FRAMES = 10**9
STEM = {"name": "mix", "file": "mix.wav", "frames": FRAMES}
TRACK = {
    "version": 2, "title": "", "artist": "", "rate": 48_000, "frames": FRAMES, "pcm": "s16",
    "stems": [STEM], "digest": "0" * 64,
}  # fmt: skip
CUE = {"position_frames": 1, "label": "x", "kind": "cue"}
ANCHORS = [{"frame": 20_000.0 * beat, "beat": float(beat)} for beat in range(20_000)]


def cpu_s(values: dict[str, Any]) -> tuple[float, str]:
    text = json.dumps(TRACK | values).encode()
    began = time.process_time()
    try:
        parse_track(text)
    except MediaError as error:
        return time.process_time() - began, error.message
    return time.process_time() - began, ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cues", [CUE] * 100_000),
        ("sections", [{"start_frames": 1, "end_frames": 2, "label": ""}] * 100_000),
        ("stems", [STEM] * 100_000),
    ],
)
def test_too_many_are_refused_before_each_of_them_is_checked(name, values):
    taken_s, told = cpu_s({name: values})
    assert told.startswith(f"number of {name} is 100000")
    assert taken_s < 1.5  # 8.6 s for cues, when each was built first


@pytest.mark.slow
def test_an_anchor_on_each_beat_of_two_hours_is_read_in_a_moment():
    taken_s, told = cpu_s({"grid": {"anchors": ANCHORS, "bpm": 144.0, "beats_per_bar": 4}})
    assert told == ""
    assert taken_s < 0.8
