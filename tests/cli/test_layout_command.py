"""`sfa layout`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sfa_engine.cli.main import main
from sfa_engine.surfaces.touchosc import PAGES, layout


@pytest.mark.slow
def test_a_layout_is_written_with_the_pages_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "deck.tosc"
    words = ["layout", "touchosc", "-o", str(file), "--pages", "pads, library", "--format", "6"]
    said = CliRunner().invoke(main, [*words, "--tablet", "phone", "--port", "9123"])
    assert said.exit_code == 0, said.output
    made = layout(tablet="phone", pages=["pads", "library"], port=9123, version=6)
    assert file.read_bytes() == made
    assert "port 9123" in said.output


def test_every_page_is_listed_with_a_sentence() -> None:
    said = CliRunner().invoke(main, ["layout", "list"])
    assert said.exit_code == 0
    for page in PAGES:
        assert any(line.split()[:2] == ["page", page] for line in said.output.splitlines())


def test_a_wrong_page_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "deck.tosc"
    said = CliRunner().invoke(main, ["layout", "touchosc", "-o", str(file), "--pages", "pad"])
    assert said.exit_code == 1
    assert 'unknown page "pad"' in said.output
    assert "pads" in said.output
    assert not file.exists()


def test_a_folder_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    words = ["layout", "touchosc", "-o", str(tmp_path / "none/deck.tosc"), "--pages", "pads"]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 1
    assert "No such file or directory" in said.output
