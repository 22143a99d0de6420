"""What a person reads, at the width of a terminal."""

import io

import pytest
from rich.console import Console

from sfa_engine.cli import screen
from sfa_engine.cli.job_progress import JobProgress
from sfa_engine.cli.screen import progress_bar, track_table
from sfa_engine.cli.status import status_lines
from sfa_engine.cli.terminal import cell_len, fit, print_styled

ODD = "Come [/x] Together [Original Mix] :drum:"  # rich knows such marks and names


@pytest.fixture
def terminal(monkeypatch):
    """What is written to a terminal's error stream."""
    file = io.StringIO()
    wide = Console(file=file, width=160, force_terminal=True, color_system=None)
    monkeypatch.setattr(screen, "errors", wide)
    return file


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


@pytest.mark.parametrize("width", [12, 30, 40, 60])
def test_where_it_is_narrow_columns_give_way_and_no_title_does(monkeypatch, width):
    track = {
        "id": 12, "name": "Halcyon and On and On", "state": "failed", "bpm": 124.0,
        "key": "G# minor", "camelot": "1A", "energy": 0.5, "duration_s": 171.25, "stems": ("mix",),
    }  # fmt: skip
    file = io.StringIO()
    narrow = Console(file=file, width=width)
    monkeypatch.setattr(screen, "console", narrow)
    narrow.print(track_table([track]))
    head, line = file.getvalue().splitlines()
    assert line.startswith("12  Halcyon"[: width - 1])
    assert ("BPM" in head, "124.00" in line) == (width > 12, width > 12)
    assert ("key" in head, "G# minor 1A" in line) == (width > 40, width > 40)


def test_a_step_that_was_skipped_says_why(terminal):
    event = {"job": 1, "kind": "separate", "title": "Halcyon", "progress": 1.0, "doing": "",
             "error": None, "state": "skipped", "why": "it has stems (sketch)"}  # fmt: skip
    with JobProgress() as board:
        board.show(event)
    assert "- separate  Halcyon: it has stems (sketch)" in terminal.getvalue()


def test_a_title_stands_on_a_progress_bar_as_it_is(terminal):
    with progress_bar(ODD) as bar:
        bar(0.5)
    assert ODD in terminal.getvalue()


def test_a_title_stands_on_the_board_as_it_is_while_its_job_runs_and_after(terminal):
    event = {"job": 1, "kind": "cue", "title": ODD, "progress": 0.5, "doing": "[y]", "error": None}
    with JobProgress() as board:
        board.show(event | {"state": "running"})
    assert ODD in terminal.getvalue()
    assert "[y]" in terminal.getvalue()
    terminal.truncate(0)
    terminal.seek(0)
    with JobProgress() as board:
        board.show(event | {"state": "done"})
    assert ODD in terminal.getvalue()


def test_a_title_stands_in_the_status_as_it_is(capsys):
    deck = {
        "loaded": True, "playing": True, "artist": "[b]", "title": ODD, "tempo": 120.0,
        "position_s": 1.0, "duration_s": 2.0, "key": "A minor", "beat": 3.0, "level_db": -6.0,
    }  # fmt: skip
    engine = {
        "device": "[x]", "rate": 48_000, "block": 128, "latency_ms": 3.0, "load_pct": 1.0,
        "worst_pct": 2.0, "late": 0, "device_misses": 0,
    }  # fmt: skip
    status = {
        "engine": engine, "health": "ok", "reasons": ["[/y]"], "decks": [deck],
        "master_db": -6.0, "reduction_db": 0.0, "crossfader": 0.0,
    }  # fmt: skip
    print_styled(status_lines(status, 160))
    shown = capsys.readouterr().out
    assert f"[b] - {ODD}" in shown
    assert "[/y]" in shown
    assert "\x1b" not in shown  # the output is not a terminal


@pytest.mark.parametrize(
    "text", ["", "short", "exactly 10", "longer than ten", "日本語の曲名です", "e\u0301" * 12]
)
def test_a_cell_is_as_wide_as_its_column_for_every_script(text):
    assert cell_len(fit(text, 10)) == 10


def test_a_control_character_in_a_title_does_not_reach_the_terminal(capsys):
    print_styled([[("\x1b[31mred\n", "bold")]])
    assert capsys.readouterr().out == "\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}\n"
