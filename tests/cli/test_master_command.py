"""`sfa master`: a report in words and as JSON, a master, tracks of the library, one-line errors."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

RATE = 44_100


@pytest.fixture
def mix(tmp_path):
    """A file of 6 s: a tone that a noise is around, 20 dB apart in its halves."""
    rng = np.random.default_rng(4)
    time = np.arange(6 * RATE) / RATE
    side = 0.3 * np.sin(2 * np.pi * 110 * time) + 0.05 * rng.standard_normal(len(time))
    side[: 3 * RATE] *= 0.3
    path = tmp_path / "My Mix.wav"
    soundfile.write(path, np.stack([side, side], axis=1), RATE, "PCM_24")
    return path


@pytest.fixture
def here(sfa):
    """Run the command with the kernel that is built already."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return lambda *words: sfa("master", *words, **({"XDG_CACHE_HOME": cache} if cache else {}))


def test_without_an_output_the_report_and_the_chain_are_printed_and_nothing_is_written(
    here, mix, tmp_path
):
    before = sorted(path.name for path in tmp_path.iterdir())
    status, said, errors = here(mix.name)
    assert (status, errors) == (0, "")
    for word in ("LUFS", "dBTP", "PLR", "after aac-256", "Spotify", "YouTube", "not applied"):
        assert word in said
    assert max(map(len, said.splitlines())) < 200
    after = {path.name for path in tmp_path.iterdir()} - {"data", "run"}
    assert after == {*before} - {"data", "run"}


def test_a_master_is_written_and_its_report_too(here, mix, tmp_path):
    status, said, errors = here(
        mix,
        "-o",
        "out.flac",
        "--target",
        "-16",
        "--codec",
        "none",
        "--report",
        "out.json",
        "--json",
    )
    assert (status, errors) == (0, "")
    answer = json.loads(said)
    assert answer == json.loads((tmp_path / "out.json").read_text())
    assert answer["result"]["integrated_lufs"] == pytest.approx(-16.0, abs=0.1)
    assert answer["aim"]["target_lufs"] == -16.0
    assert soundfile.info(tmp_path / "out.flac").samplerate == RATE
    assert soundfile.info(tmp_path / "out.flac").frames == 6 * RATE
    status, said, _ = here("out.flac", "--codec", "none", "--report", "out.txt")
    assert status == 0
    assert (tmp_path / "out.txt").read_text() == said


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["My Mix.wav", "-o", "My Mix.wav"], "is the source; choose another name"),
        (["My Mix.wav", "-o", "none/out.wav"], "is not a folder; make it first"),
        (["My Mix.wav", "-o", "out.mp3"], "end it with .wav or .flac"),
        (["My Mix.wav", "--preset", "cub"], 'did you mean "club"?'),
        (["My Mix.wav", "--report", "out.pdf"], "end it with .json or .txt"),
        (["My Mix.wav", "-o", "out.wav", "--report", "none/out.txt"], "make it first"),
        (["./None.wav"], "check its name and folder"),
        (["no such track"], "no track"),
        (["./empty"], "is empty"),
    ],
)
def test_errors_are_one_line_with_a_remedy(here, mix, tmp_path, words, error):
    (tmp_path / "empty").touch()
    status, said, errors = here(*words)
    assert status == 1
    assert said == ""
    assert error in errors
    assert errors.count("\n") == 1
    assert mix.stat().st_size > 1_000_000


def test_words_of_the_library_find_the_track(here, sfa, mix):
    assert sfa("prep", mix, "--engine", "none", "--quiet")[0] == 0
    status, said, errors = here("my mix", "--codec", "none", "--json")
    assert (status, errors) == (0, "")
    answer = json.loads(said)
    assert answer["path"] == str(mix)
    mix.unlink()  # the stick is away: the bundle has the sound
    status, said, errors = here("#1", "--codec", "none", "--json")
    assert (status, errors) == (0, "")
    again = json.loads(said)
    assert again["path"].endswith(".sfa")
    lufs = answer["source"]["integrated_lufs"]
    assert again["source"]["integrated_lufs"] == pytest.approx(lufs, abs=0.05)
