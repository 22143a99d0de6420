"""The demonstration's script: where it begins, and that the engine reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from sfa_engine.demo.demo import write_script
from sfa_engine.library.bundle import rewrite_manifest, write_bundle_arrays
from sfa_engine.script.script import parse_script
from sfa_engine.track.media import Section, read_bundle

RATE = 8_000  # Hz; nothing is listened to here
SECONDS = 180
BAR_S = 2.0  # at 120 BPM


def bundle(folder: Path, name: str, sections_s: list[float], bpm: float | None = 120.0) -> Path:
    sound = np.zeros((SECONDS * RATE, 2), np.float32)
    path = write_bundle_arrays(
        folder / f"{name}.sfa", {"mix": sound}, title=name, artist="", bpm=bpm, rate=RATE
    )
    track = read_bundle(path).track
    ends = [*sections_s, SECONDS][1:]
    parts = tuple(
        Section(round(begin * RATE), round(end * RATE), "verse")
        for begin, end in zip(sections_s, ends, strict=True)
    )
    rewrite_manifest(path, replace(track, sections=parts))
    return path


def position_of(script: str, deck: int) -> float:
    (event,) = [
        e for e in parse_script(script).events if e.path == f"deck{deck}.position" and e.time_s == 0
    ]
    return float(event.value)


def test_the_mix_begins_with_the_phrase_nearest_to_a_third(tmp_path: Path) -> None:
    one = bundle(tmp_path, "one", [2.0, 58.0, 90.0, 170.0])
    two = bundle(tmp_path, "two", [0.0, 30.0, 66.0])
    script = write_script(one, two)
    assert position_of(script, 1) == pytest.approx(58.0)
    assert position_of(script, 2) == pytest.approx(66.0)


def test_without_sections_phrases_have_eight_bars(tmp_path: Path) -> None:
    plain = bundle(tmp_path, "plain", [])
    assert position_of(write_script(plain, plain), 1) == pytest.approx(24 * BAR_S)


def test_tracks_without_beats_are_mixed_too(tmp_path: Path) -> None:
    still = bundle(tmp_path, "still", [], bpm=None)
    script = write_script(still, still)
    assert "at bar deck1" not in script
    assert parse_script(script).end_s >= 60.0
