"""The changes of a grid that an analysis may offer, and the confidences that it stores."""

import numpy as np
import pytest

from sfa_engine.errors import Refused
from sfa_engine.library.analysis import Analysis
from sfa_engine.track.correction import changed
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
GRID = Grid((Anchor(12_000.0, 0.0), Anchor(60_000.0, 2.0)), 120.0)


@pytest.mark.parametrize(
    ("change", "bpm", "downbeat_frame"),
    [
        ("double", 240.0, 12_000.0),
        ("half", 60.0, 12_000.0),
        ("half_beat_later", 120.0, 24_000.0),
        ("half_beat_earlier", 120.0, 0.0),
        ("beat_later", 120.0, 36_000.0),
        ("two_beats_later", 120.0, 60_000.0),
        ("three_beats_later", 120.0, 84_000.0),
    ],
)
def test_each_change_says_where_the_downbeat_goes(change, bpm, downbeat_frame):
    grid = changed(GRID, change)
    assert grid.bpm == bpm
    assert float(grid.frame_of(0.0, RATE)) == pytest.approx(downbeat_frame)


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("double", "half"),
        ("quarter_beat_later", "quarter_beat_earlier"),
        ("half_beat_later", "half_beat_earlier"),
        ("beat_later", "beat_earlier"),
    ],
)
def test_a_change_is_undone_by_its_opposite(change, back):
    beats = np.arange(8.0)
    there_and_back = changed(changed(GRID, change), back)
    np.testing.assert_allclose(there_and_back.frame_of(beats, RATE), GRID.frame_of(beats, RATE))


def test_an_unknown_change_is_refused():
    with pytest.raises(Refused, match='unknown change of a grid: "sideways"'):
        changed(GRID, "sideways")


def test_confidences_and_alternatives_are_absent_in_older_analyses():
    older = Analysis("2", bpm=120.0, confidence=0.9, features={"version": 2})
    assert older.confidences == {}
    assert older.alternatives == []
    with pytest.raises(Refused, match="no alternative 1 to the grid"):
        older.alternative(1)


def test_an_alternative_is_counted_from_1():
    offered = [{"change": "double", "bpm": 240.0, "score": 0.3}]
    made = Analysis("3", features={"alternatives": offered, "confidences": {"octave": 0.6}})
    assert made.alternative(1).change == "double"
    assert made.confidences == {"octave": 0.6}
    for number in (0, 2, -1):
        with pytest.raises(Refused):
            made.alternative(number)
