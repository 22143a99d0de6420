"""`sfa midi check` and `sfa midi map`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from sfa_engine.cli.main import main

PADS = Path(__file__).parents[2] / "profiles/lpd8.toml"


@pytest.fixture
def sfa(tmp_path, monkeypatch):
    """Run the command in this process, with a data folder of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    before = os.environ.get("PYTHONSAFEPATH")

    def run(*words):
        done = CliRunner().invoke(main, list(map(str, words)))
        return done.exit_code, done.output

    yield run
    if before is None:
        os.environ.pop("PYTHONSAFEPATH", None)


def test_check_says_line_and_remedy_of_every_fault(sfa, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(
        'name = "x"\ntitle = "X"\n[[control]]\nname = "a"\nnote = 1\ndo = "deck1.plya"\n'
        '[[control]]\nname = "b"\nnote = 200\ndo = "deck1.play"\n'
    )
    status, out = sfa("midi", "check", file)
    assert status == 1
    assert out.splitlines() == [
        f'{file}:6: no control "deck1.plya"; did you mean "deck1.play"?',
        f"{file}:9: note: expected int <= 127; see docs/profiles.md",
    ]


def test_check_of_a_valid_profile_says_what_is_in_it(sfa):
    status, out = sfa("midi", "check", PADS)
    assert status == 0
    assert out.startswith("lpd8: Akai LPD8: 24 controls, 45 bindings")


def test_check_of_no_file_is_one_line(sfa):
    status, out = sfa("midi", "check", "nothing.toml")
    assert status == 1
    assert len(out.splitlines()) == 1


def test_map_lists_shows_and_draws(sfa, tmp_path):
    status, out = sfa("midi", "map")
    assert status == 0
    assert "ddj-400" in out
    status, out = sfa("midi", "map", "lpd8")
    assert status == 0
    assert "deck{focus}.hotcue8.press" in out
    status, out = sfa("midi", "map", "lpd8", "--json")
    found = json.loads(out)
    assert found[0]["control"] == "pad 1"
    assert found[0]["does"][0]["control"] == "deck{focus}.hotcue1.press"
    status, out = sfa("midi", "map", PADS, "-o", tmp_path / "a.svg")
    assert status == 0
    assert (tmp_path / "a.svg").read_text().startswith("<svg ")
    status, out = sfa("midi", "map", "lpd8", "-o", tmp_path / "a.gif")
    assert status == 1
    assert ".svg or .png" in out


def test_map_shows_the_users_own_profile(sfa, tmp_path):
    folder = tmp_path / "data/sfa/profiles"
    folder.mkdir(parents=True)
    text = PADS.read_text().replace('title = "Akai LPD8"', 'title = "Mine"')
    (folder / "mine.toml").write_text(text)
    assert sfa("midi", "map", "lpd8")[1].startswith("Mine")
    status, out = sfa("midi", "map", "lpd9")
    assert status == 1
    assert 'did you mean "lpd8"?' in out
