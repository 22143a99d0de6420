"""What a new analysis changed: each kind of difference, and none where there is none."""

import pytest

from sfa_engine.library.analysis import Analysis, Section
from sfa_engine.library.changes import (
    analysis_changes,
    bar_shift,
    cue_changes,
    grid_distance_ms,
)
from sfa_engine.library.cues import Cue
from sfa_engine.library.grids import TrackGrid
from sfa_engine.track.correction import doubled, shifted
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
GRID = Grid((Anchor(12_000.0, 0.0),), 120.0)
LENGTH_S = 60.0


def on_track(grid, rate=RATE):
    return TrackGrid(grid, rate, by_hand=False)


def test_the_same_analysis_changes_nothing():
    made = Analysis("2", 120.0, 0.9, key="A minor", sections=(Section(0.25, 8.25, "drop"),))
    again = Analysis("3", 120.0, 0.9, key="Am", sections=(Section(0.255, 8.25, "drop"),))
    grid = on_track(GRID)
    assert analysis_changes(made, again, grid, grid, LENGTH_S) == {}
    halved_rate = Grid((Anchor(6_000.0, 0.0),), 120.0)
    other_rate = on_track(halved_rate, RATE // 2)
    assert analysis_changes(made, again, grid, other_rate, LENGTH_S) == {}


@pytest.mark.parametrize(
    ("moved", "distance_ms", "beats_later"),
    [
        (GRID, 0.0, 0),
        (Grid((Anchor(12_480.0, 0.0),), 120.0), 10.0, 0),
        (shifted(GRID, 0.5), 250.0, 0),
        (shifted(GRID, 1.0), 0.0, 1),
        (shifted(GRID, -1.0), 0.0, 3),
        (shifted(GRID, 2.0), 0.0, 2),
        (doubled(GRID), 0.0, 0),  # bars cannot be compared
    ],
)
def test_beats_and_bars_move_apart_from_each_other(moved, distance_ms, beats_later):
    before, now = on_track(GRID), on_track(moved)
    assert grid_distance_ms(before, now, LENGTH_S) == pytest.approx(distance_ms, abs=1e-6)
    if moved != shifted(GRID, 0.5):  # halfway, either bar is as near
        assert bar_shift(before, now, LENGTH_S) == beats_later


def test_a_wrong_tempo_shows_in_the_largest_distance():
    slower = Grid((Anchor(12_000.0, 0.0),), 119.99)
    # 120 beats later a beat of 119.99 BPM is 5 ms late.
    assert grid_distance_ms(on_track(GRID), on_track(slower), LENGTH_S) == pytest.approx(
        5.0, abs=0.1
    )


def test_grids_of_a_beat_or_of_none_are_compared_too():
    late = Grid((Anchor(0.9 * RATE, 0.0),), 20.0)
    assert grid_distance_ms(on_track(late), on_track(late), 1.0) == 0.0
    assert grid_distance_ms(on_track(GRID), on_track(late), 0.1) == 0.0
    assert bar_shift(on_track(late), on_track(late), 0.5) == 0


def test_every_value_is_reported_before_and_now():
    made = Analysis("2", 124.0, 1.0, key="A minor", sections=(Section(8.0, 16.0, "drop"),))
    again = Analysis("3", 62.0, 0.4, key="C major")
    assert analysis_changes(made, again, on_track(GRID), None, LENGTH_S) == {
        "bpm": [124.0, 62.0],
        "confidence": [1.0, 0.4],
        "key": ["A minor", "C major"],
        "drops": [[8.0], []],
    }
    silent = Analysis("3", None, 0.0)
    changed = analysis_changes(made, silent, on_track(GRID), None, LENGTH_S)
    assert changed["bpm"] == [124.0, None]
    assert changed["key"] == ["A minor", None]


def test_cues_are_the_same_by_kind_stem_and_place():
    before = [Cue(1.0, "drop"), Cue(8.0, "loop", 10.0, stem="bass"), Cue(20.0, "outro")]
    now = [Cue(1.01, "drop"), Cue(8.0, "loop", 12.0, stem="bass"), Cue(20.0, "outro"), Cue(3.0)]
    assert cue_changes(before, now) == {"cues_new": 2, "cues_gone": 1}
    assert cue_changes(before, before) == {}


def test_numbers_that_a_seam_skips_are_no_beats():
    # 0.4 of a beat is cut out at 10 s: the number jumps to the next downbeat within a millisecond.
    cut = (Anchor(0.0, 0.0), Anchor(480_000.0, 20.0), Anchor(480_048.0, 23.6))
    grid = on_track(Grid(cut, 120.0))
    assert grid_distance_ms(grid, grid, 20.0) == 0.0
    same = on_track(Grid((*cut[:2], Anchor(480_096.0, 23.604)), 120.0))
    assert grid_distance_ms(grid, same, 20.0) == pytest.approx(0.0, abs=1.1)
    assert bar_shift(grid, same, 20.0) == 0
