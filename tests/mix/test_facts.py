import numpy as np
import pytest

from sfa_engine.mix.facts import TrackFacts, bar_edges_s, facts_of
from sfa_engine.mix.timeline import SECTION, Timeline
from sfa_engine.track.grid import Anchor, Grid

GRID = Grid((Anchor(4800.0, 0.0),), 120.0)  # a bar of 2 s from 0.1 s on


def peaks(levels, hz=150):
    """Return rows of all, low, mid, high: a level for each bar of 2 s, from 0.1 s on."""
    rows = np.concatenate([np.zeros(15), np.repeat(levels, 2 * hz)])
    return np.stack([rows] * 4, axis=1), float(hz)


def test_nothing_but_a_number_is_enough():
    facts = facts_of(7)
    assert facts == TrackFacts(7, "track 7")
    line = Timeline(facts)
    assert (line.bars, line.sound_s, line.outro_s) == (0, (0.0, 0.0), 0.0)


def test_the_parts_of_each_bar_are_measured_against_their_own_loud_bars():
    loud, quiet = [1.0] * 8, [0.01] * 4
    facts = facts_of(
        1,
        length_s=24.2,
        grid=GRID,
        stems=("drums", "bass", "other"),
        curves={
            "peaks/mix": peaks(loud + quiet),
            "peaks/drums": peaks(quiet + loud),
            "peaks/other": peaks([0.001] * 12),
            "peaks/bass": peaks([0.0] * 12),
        },
    )
    assert facts.first_bar == 0
    assert [level > -12 for level in facts.bass_db] == [True] * 8 + [False] * 4
    assert [level > -20 for level in facts.drums_db] == [False] * 4 + [True] * 8
    assert max(facts.tonal_db) < -20  # what bleeds is no part


def test_without_curves_the_drawn_waveform_and_the_loudness_serve():
    features = {
        "waveform": {"rate_hz": 10, "low": [0] + [255] * 160 + [2] * 81},
        "loudness_short_lufs": [-9.0] * 20 + [-30.0] * 4,
        "vocals_s": [[5.0, 6.0], [1.0, 2.0], [1.5, 3.0], [4.0, 4.0]],
    }
    facts = facts_of(1, length_s=24.2, grid=GRID, features=features, key="Am", stems=["mix"])
    assert [level > -12 for level in facts.bass_db] == [True] * 8 + [False] * 4
    assert facts.loudness[4] == -9.0
    assert len(facts.loudness) == 49
    assert facts.vocals_s == ((1.0, 3.0), (5.0, 6.0))
    assert (facts.camelot, facts.stems) == ("8A", ())


@pytest.mark.parametrize("key", [None, "", "noise"])
def test_a_key_that_cannot_be_read_is_not_known(key):
    assert facts_of(1, key=key).camelot is None


def test_a_grid_by_hand_is_sure():
    assert facts_of(1, grid=GRID, by_hand=True, confidence=0.1).confidence == 1.0
    assert facts_of(1, grid=GRID, confidence=float("nan")).confidence == 0.0


def test_an_analysis_says_how_sure_its_bars_are():
    assert facts_of(1, features={"confidences": {"bar": 0.3}}).bar_confidence == 0.3
    assert facts_of(1, features={"confidences": {"bar": 0.3}}, by_hand=True).bar_confidence == 1.0
    assert facts_of(1, features={}).bar_confidence == 1.0


def test_bars_begin_at_the_first_downbeat_and_end_with_the_last_whole_one():
    edges, first = bar_edges_s(Grid((Anchor(-480.0, 0.0),), 120.0), 48_000, 10.0)
    assert (first, len(edges)) == (0, 6)  # a downbeat at -10 ms is the start
    edges, first = bar_edges_s(GRID, 48_000, 1.0)
    assert len(edges) == 0


def test_borders_are_sections_and_each_eight_bars_of_them():
    sections = [(0.1, 24.1, "intro"), (24.1, 64.1, "drop")]
    line = Timeline(facts_of(1, length_s=64.2, grid=GRID, sections=sections))
    assert np.flatnonzero(line.border == SECTION).tolist() == [0, 12, 32]
    assert np.flatnonzero(line.border >= 2).tolist() == [0, 8, 12, 20, 28, 32]
    assert line.label_at(24.1) == "drop"
    assert line.bpm_at(3, 4) == pytest.approx(120.0)


def test_silence_at_the_ends_is_no_sound():
    levels = [-70.0] * 6 + [-9.0] * 40 + [-70.0] * 4
    curves = {"loudness": (np.array(levels)[:, None], 2.0)}
    line = Timeline(facts_of(1, length_s=25.0, curves=curves))
    assert line.sound_s == (3.0, 23.0)
    assert line.quiet_s(0.0) == pytest.approx(2.5, abs=1.0)
