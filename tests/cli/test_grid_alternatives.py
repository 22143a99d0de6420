"""`sfa library grid`: how sure the analysis is, what else the beats may be, and taking it."""

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from sfa_engine.cli.grid_details import BEATS
from sfa_engine.errors import Refused

CONFIDENCES = {"tempo": 0.98, "phase": 0.41, "bar": 0.62, "octave": 0.9}
ALTERNATIVES = [
    {"change": "half_beat_later", "bpm": 120.0, "score": 0.4},
    {"change": "double", "bpm": 240.0, "score": 0.1},
]


@pytest.fixture
def doubtful(backstage):
    """Store another confidence, with or without alternatives, in the analysis of the one track."""

    def store(confidence, **features):
        library = Path(backstage["XDG_DATA_HOME"]) / "sfa" / "library.db"
        packed = zlib.compress(json.dumps(features).encode())
        with closing(sqlite3.connect(library, timeout=10.0)) as connection, connection:
            connection.execute(
                "UPDATE analyses SET confidence = ?, features = ?", (confidence, packed)
            )

    yield store
    store(None)


@pytest.mark.slow
def test_a_doubtful_grid_is_shown_with_its_confidences_and_alternatives(ask, doubtful):
    doubtful(0.4, confidences=CONFIDENCES, alternatives=ALTERNATIVES)
    assert ask("library", "grid", "#1")[1].splitlines() == [
        "Orbital - Halcyon",
        "  120.000 BPM (analysed; check the grid), 4 a bar, first downbeat at 0:00.250",
        "  confidence 0.40 (tempo 0.98, phase 0.41, bar 0.62, octave 0.90)",
        "  1  half beat later: 120.000 BPM, score 0.40",
        "  2  double: 240.000 BPM, score 0.10",
        "  take one with `--take NUMBER`",
    ]
    said = json.loads(ask("library", "grid", "#1", "--json")[1])
    assert said["confidences"] == CONFIDENCES
    assert said["alternatives"] == ALTERNATIVES
    assert "check the grid" in ask("library", "show", "#1")[1]
    assert ask("library", "search", "grid:check")[1].endswith("1 track\n")
    assert "check grid" in ask("library", "search", "halcyon")[1]
    assert json.loads(ask("library", "search", "halcyon", "--json")[1])["tracks"][0]["check_grid"]


@pytest.mark.slow
def test_an_alternative_is_taken_by_its_number_from_the_analysed_grid(ask, doubtful):
    doubtful(0.4, confidences=CONFIDENCES, alternatives=ALTERNATIVES)
    assert ask("library", "grid", "#1", "--take", "1")[1] == (
        "120.000 BPM, first downbeat at 0:00.500\n"
    )
    # The second is a change of what the analysis found, not of the grid by hand.
    assert ask("library", "grid", "#1", "--take", "2")[1] == (
        "240.000 BPM, first downbeat at 0:00.250\n"
    )
    assert "check grid" not in ask("library", "search", "halcyon")[1]
    assert ask("library", "search", "grid:check")[1] == "0 tracks\n"
    assert ask("library", "search", "grid:hand", "-grid:no")[1].endswith("1 track\n")
    status, _, err = ask("library", "grid", "#1", "--take", "3")
    assert (status, err) == (1, "sfa: no alternative 3 to the grid; give 1 to 2\n")
    assert ask("library", "grid", "#1", "--automatic", "--yes")[0] == 0


@pytest.mark.slow
def test_an_older_analysis_has_neither(ask, doubtful):
    doubtful(0.9)
    said = json.loads(ask("library", "grid", "#1", "--json")[1])
    assert (said["confidences"], said["alternatives"], said["check_grid"]) == ({}, [], False)
    assert ask("library", "grid", "#1")[1].splitlines()[-1] == "  confidence 0.90"
    assert "no alternative 1" in ask("library", "grid", "#1", "--take", "1")[2]


@pytest.mark.slow
def test_a_change_of_a_newer_analysis_is_refused_by_name(ask, doubtful):
    doubtful(0.4, alternatives=[{"change": "three_a_bar", "bpm": 120.0, "score": 0.5}])
    assert ask("library", "grid", "#1", "--take", "1")[2] == (
        'sfa: unknown change of a grid: "three_a_bar"; correct the grid by hand\n'
    )


@pytest.mark.slow
def test_half_and_fractions_of_a_beat_are_typed_as_they_are_said(ask):
    assert ask("library", "grid", "#1", "--shift", "1/2")[1].endswith("at 0:00.500\n")
    assert ask("library", "grid", "#1", "--shift", "-1/2")[1].endswith("at 0:00.250\n")
    assert ask("library", "grid", "#1", "--half")[1].startswith("60.000 BPM")
    assert ask("library", "grid", "#1", "--automatic", "--yes")[0] == 0


@pytest.mark.parametrize("text", ["", "1/0", "half", "1e9", "1//2", "9999", "٣", "0/0"])
def test_what_is_no_number_of_beats_is_refused(text):
    with pytest.raises(Refused, match="invalid number of beats"):
        BEATS.convert(text, None, None)
