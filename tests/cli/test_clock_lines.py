"""What `sfa clock` shows."""

import math

from sfa_engine.cli.clock import MINUTE, ROWS, clock_lines, plot_lines

STATE = {
    "source": "midi", "followed": "midi", "locked": True, "running": True, "tempo": 127.98,
    "beat": 45.5, "bar": 12, "beat_of_bar": 3.5, "phase_error_ms": 0.21, "decks": [1, 2],
    "midi_in": True, "midi_out": False, "link": True,
    "sources": [
        {"name": "internal", "tempo": 127.98, "jitter_ms": None, "locked": True, "note": ""},
        {"name": "midi", "tempo": 127.98, "jitter_ms": 0.41, "locked": True, "note": "TR-8S"},
        {"name": "link", "tempo": None, "jitter_ms": None, "locked": False, "note": "0 peers"},
    ],
}  # fmt: skip


def text(lines):
    return ["".join(part for part, _ in line) for line in lines]


def test_the_clock_is_said_in_one_line_and_its_sources_in_one_each():
    lines = text(clock_lines(STATE))
    assert lines[0] == (
        "clock 127.98 BPM, bar 12.3, follows midi, phase +0.2 ms, followed by deck 1 and 2"
    )
    assert lines[3] == "▶ midi       127.98   0.41 ms   yes     TR-8S"
    assert lines[-1] == "sent by link"
    assert len(lines) == 6


def test_a_source_that_is_not_there_is_said():
    lines = text(clock_lines({**STATE, "followed": None, "decks": [], "running": False}))
    assert lines[0].endswith("midi is not there: the tempo is kept, stopped")


def test_the_plot_has_the_newest_at_the_right_and_zero_in_the_middle():
    lines = text(plot_lines([math.nan, 3.0, -3.0, 0.0]))
    assert len(lines) == ROWS + 1
    rows = [line.partition("┤")[2] or line.partition("│")[2] for line in lines[:ROWS]]
    assert lines[0].startswith("   +4 ms ┤")
    assert rows[ROWS // 2][-1] == "•"
    assert [row[-3] for row in rows].index("•") == 1  # 3 of 4 ms
    assert [row[-2] for row in rows].index("•") == ROWS - 2
    assert {row[-4] for row in rows} == {" ", "─"}
    assert all(len(row) == MINUTE for row in rows)


def test_a_plot_of_nothing_is_empty():
    assert "•" not in "".join(text(plot_lines([])))
