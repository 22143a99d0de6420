"""`sfa analyze`: words for a person, objects for programs, one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sfa_engine.cli.analyze import in_words
from sfa_engine.cli.main import main

TOLD = {
    "bpm": 122.5,
    "variable": False,
    "confidence": 0.4,
    "key": "A minor",
    "camelot": "8A",
    "lufs": -9.27,
    "peak_dbtp": 0.31,
    "energy": 0.7,
    "sections": [{"label": "intro"}, {"label": "drop"}],
}


def test_a_result_in_words_says_when_the_grid_wants_checking():
    assert in_words(TOLD) == (
        "122.5 BPM, check the grid, A minor (8A), -9.3 LUFS, peak +0.3 dBTP, energy 0.70; "
        "intro, drop"
    )


def test_a_track_without_beat_and_key_is_said_to_have_none():
    told = TOLD | {"bpm": None, "key": None, "camelot": None, "sections": []}
    assert in_words(told).startswith("no beat, no key")
    assert in_words(told).endswith("no sections")


def test_it_may_be_spelt_with_an_s():
    asked = CliRunner().invoke(main, ["analyse", "--help"])
    assert asked.exit_code == 0
    assert "Analyse sound files" in asked.output


@pytest.mark.slow
def test_files_are_analysed_one_by_one_and_one_that_is_no_music_is_told(tmp_path):
    rate = 48_000
    clicks = np.zeros((rate * 12, 2), np.float32)
    clicks[:: rate // 2] = 0.9
    soundfile.write(tmp_path / "clicks.wav", clicks, rate)
    (tmp_path / "words.wav").write_text("no music")
    command = [sys.executable, "-m", "sfa_engine.cli.main", "analyze", "--json", "--quiet"]
    done = subprocess.run(
        [*command, "words.wav", "clicks.wav"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "words.wav" in done.stderr
    (told,) = (json.loads(line) for line in done.stdout.splitlines())
    assert told["file"] == "clicks.wav"
    assert told["bpm"] == pytest.approx(120.0, abs=0.02)
    assert {"beats", "downbeats", "grid", "key", "lufs", "sections", "cues", "features"} <= set(
        told
    )
