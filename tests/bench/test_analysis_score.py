"""The scorer: known errors have known scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.bench.analysis import reliability, table
from sfa_engine.bench.analysis.goal import GOALS, sure_and_right
from sfa_engine.bench.analysis.run import found
from sfa_engine.bench.analysis.score import f_measure, grid_errors, key_score, matches, score
from sfa_engine.cli.main import main
from sfa_engine.errors import Refused

ROOT = Path(__file__).parents[2]
BEATS = np.arange(64) * 0.5 + 0.25


def truth(**other: Any) -> dict[str, Any]:
    """A minute at 120 BPM with a drop."""
    return {
        "kind": "house", "group": "club", "seed": 1, "bpm": 120.0, "accept_bpm": [120.0],
        "constant": True, "meter": 4, "beats": BEATS.tolist(), "downbeats": BEATS[::4].tolist(),
        "key": "A minor", "drops": [16.25], "edits_s": [], "duration": 33.0,
        "sections": [{"start": 0.25, "end": 16.25, "label": "verse"},
                     {"start": 16.25, "end": 32.25, "label": "drop"}],
    } | other  # fmt: skip


def said(beats: np.ndarray = BEATS, **other: Any) -> dict[str, Any]:
    """What an engine says that is right."""
    return {
        "bpm": 120.0, "confidence": 0.9, "variable": False, "beats": beats.tolist(),
        "downbeats": beats[::4].tolist(), "beats_per_bar": 4, "key": "A minor",
        "sections": [{"start_s": 0.25, "end_s": 16.25, "label": "verse"},
                     {"start_s": 16.25, "end_s": 32.25, "label": "drop"}],
        "cues": [{"time_s": 16.25, "kind": "drop"}],
        "features": {"key_confidence": 0.8},
    } | other  # fmt: skip


def test_an_answer_without_an_error_has_all_points():
    row = score(truth(), said())
    good = ("acc1", "acc2", "bpm_ok", "within5", "downbeats", "meter_right", "key_exact", "sure")
    assert all(row[name] for name in good)
    assert row["boundary_f"] == row["label"] == row["beat_f"] == row["key_weighted"] == 1.0
    assert row["drops_hit"] == row["drops_true"] == row["drops_said"] == 1
    assert not row["variable"]


def test_a_late_grid_is_late_by_as_much():
    row = score(truth(), said(BEATS + 0.012))
    assert row["bias_ms"] == pytest.approx(12)
    assert row["p95_ms"] == pytest.approx(12)
    assert row["dev95"] == pytest.approx(0, abs=1e-9)
    assert row["within12"] is False or row["p95_ms"] <= 12
    assert row["within25"]
    assert not row["within10"]


def test_half_a_beat_off_is_wrong_however_sure():
    row = score(truth(), said(BEATS + 0.25))
    assert row["p95_ms"] == pytest.approx(250)
    assert row["sure"]
    assert not row["within25"]
    assert row["beats_wrong"] == 64
    assert sure_and_right([row]) == 0.0


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_another_octave_is_an_error_of_tempo_alone(factor):
    beats = np.arange(0.25, 32, 0.5 / factor)
    row = score(truth(), said(beats, bpm=120.0 * factor))
    assert not row["acc1"]
    assert row["acc2"]
    assert row["bpm_ok"]
    assert row["within5"]


def test_the_right_octave_among_the_alternatives_is_seen():
    other = [{"change": "half", "bpm": 120.0, "score": 0.4}]
    row = score(truth(), said(bpm=240.0, alternatives=other))
    assert row["octave_offered"]
    assert not score(truth(), said(bpm=240.0))["octave_offered"]


def test_downbeats_a_beat_late_are_wrong():
    assert not score(truth(), said(downbeats=BEATS[1::4].tolist()))["downbeats"]


def test_a_grid_that_ignores_an_edit_is_not_anchored():
    shifted = np.concatenate([BEATS[:32], BEATS[32:] - 0.25])
    edited = truth(beats=shifted.tolist(), downbeats=shifted[::4].tolist(), edits_s=[16.0])
    row = score(edited, said())
    assert not row["anchored"]
    assert not row["downbeats"]
    late = np.concatenate([BEATS[:35], shifted[35:]])  # three beats of the new part are missed
    assert score(edited, said(late))["anchored"]


def test_beats_in_a_silence_are_not_judged():
    apart = np.concatenate([BEATS[:32], BEATS[32:] + 3.2])
    gap = np.arange(BEATS[31] + 0.5, apart[32] - 0.3, 0.5)
    row = score(truth(beats=apart.tolist(), downbeats=apart[::4].tolist()), said(np.sort(
        np.concatenate([apart, gap]))))  # fmt: skip
    assert row["p95_ms"] == pytest.approx(0, abs=1e-6)
    assert row["beat_f"] == 1.0


def test_drift_is_followed_or_not():
    beats = BEATS + 0.05 * np.sin(BEATS / 4)
    moving = truth(beats=beats.tolist(), constant=False, downbeats=beats[::4].tolist())
    assert score(moving, said(beats))["tempo_right"]
    constant = score(moving, said())
    assert not constant["tempo_right"]
    assert constant["variable"] is False


def test_a_tempo_where_there_is_none_is_invented_if_sure():
    nothing = truth(group="none", bpm=None, accept_bpm=[], beats=[], downbeats=[], key=None,
                    meter=None, sections=None, drops=None, constant=False)  # fmt: skip
    assert score(nothing, said())["tempo_invented"]
    assert not score(nothing, said(confidence=0.2))["tempo_invented"]
    assert score(nothing, said())["key_invented"]
    assert not score(nothing, said(key=None))["key_invented"]
    assert not score(nothing, said(features={"key_confidence": 0.0}))["key_invented"]
    assert score(nothing, said())["right_tempo"] is False  # and so it counts for the calibration


def test_an_engine_that_says_only_beats_can_be_scored():
    row = score(truth(), {"bpm": 120.0, "beats": BEATS.tolist()})
    assert row["within5"]
    assert row["sure"]
    assert "downbeats" not in row
    assert "sure_tempo" not in row
    assert not score(truth(), {"error": "damaged"})["acc2"]


def test_confidences_of_their_own_are_used():
    row = score(truth(), said(confidences={"tempo": 0.9, "phase": 0.7, "bar": 0.6, "octave": 0.5}))
    assert [row[f"sure_{name}"] for name in reliability.MEASURES] == [0.9, 0.7, 0.6, 0.5]
    assert score(truth(), said())["sure_bar"] == 0.9  # else the one for all


@pytest.mark.parametrize(
    ("answer", "points"),
    [("A minor", 1.0), ("E minor", 0.5), ("D minor", 0.0), ("C major", 0.3), ("A major", 0.2),
     ("F# major", 0.0), (None, 0.0)],
)  # fmt: skip
def test_keys_that_are_near_have_some_points(answer, points):
    assert key_score("A minor", answer) == points


def test_a_missed_drop_and_a_false_one_are_counted():
    row = score(truth(drops=[8.25, 16.25]), said(cues=[{"time_s": t, "kind": "drop"} for t in
                                                       (16.5, 24.0)]))  # fmt: skip
    assert (row["drops_true"], row["drops_said"], row["drops_hit"]) == (2, 2, 1)


@given(
    st.lists(st.floats(0, 60), min_size=4, max_size=40, unique=True),
    st.lists(st.floats(0, 60), min_size=4, max_size=40, unique=True),
)
def test_any_two_grids_have_an_error(true, answer):
    true, answer = np.sort(true), np.sort(answer)
    errors = grid_errors(true, answer)
    assert np.isfinite(errors).all()
    assert 0 <= matches(true, answer, 0.07) <= min(len(true), len(answer))
    assert 0.0 <= f_measure(true, answer, 0.07) <= 1.0
    assert f_measure(true, true, 0.07) == 1.0


def test_a_calibrated_engine_has_no_error():
    rows = [{"sure_tempo": 0.75, "right_tempo": n % 4 != 0} for n in range(40)]
    parts = reliability.bins(rows, "tempo")
    assert [part.pieces for part in parts if part] == [40]
    assert reliability.calibration_error(parts) == pytest.approx(0)
    always = [{"sure_tempo": 1.0, "right_tempo": n % 4 != 0} for n in range(40)]
    assert reliability.calibration_error(reliability.bins(always, "tempo")) == pytest.approx(0.25)
    assert reliability.calibration_error(reliability.bins([], "tempo")) is None


def test_every_goal_can_be_measured_and_says_whether_it_is_met():
    abouts = [(g.about[0], g.about[-1]) if g.about else ("club", "house") for g in GOALS]
    rows = [score(truth(group=group, kind=kind), said()) for group, kind in abouts]
    for goal in GOALS:
        value = goal.value(rows)
        assert value is None or isinstance(goal.met(value), bool)
        assert goal.value([]) is None


def test_tables_replace_what_is_between_their_comments(tmp_path):
    rows = [score(truth(), said() | {"cpu_s": 1.0, "rss_mb": 100.0})]
    document = tmp_path / "analysis.md"
    document.write_text(f"before\n<!-- analysis-table goals -->\nold\n{table.END}\nafter\n")
    table.write(document, {"goals": table.goals({"product": rows})})
    text = document.read_text()
    assert "old" not in text
    assert "beats within 25 ms" in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    with pytest.raises(Refused, match="comment not found"):
        table.write(document, {"kinds": ""})
    assert "house" in table.kinds({"product": rows, "librosa": rows})
    assert "1.00 (1)" in table.reliability(rows)
    assert table.failures(rows) == []


def test_the_document_has_a_place_for_every_table():
    text = (ROOT / "docs" / "analysis.md").read_text()
    for name in ("goals", "kinds", "reliability"):
        assert f"<!-- analysis-table {name} -->" in text


def test_a_list_of_pieces_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"bpm": 128.0, "accept_bpm": [128.0], "duration": 9.0}')
    (tmp_path / "b.json").write_text('{"bpm": null, "duration": 9.0}')
    index = tmp_path / "index.csv"
    index.write_text("file,truth_file\na.ogg,a.json\nb.ogg,b.json\nc.ogg,\n")
    (item,) = found(index)
    assert item.path == tmp_path / "a.ogg"
    row = score(item.truth, said(bpm=128.01))
    assert row["group"] == "real"
    assert row["bpm_ok"]
    assert "within25" not in row  # the phase is not known


@pytest.mark.slow
def test_the_picture_of_the_calibration_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    reliability.draw([score(truth(), said())], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.nightly
def test_the_command_scores_pieces_and_keeps_the_answers(tmp_path):
    words = ["bench", "analysis", "--kinds", "house,tone", "--seed", "3", "--count", "1",
             "--no-cost", "--only", "product", "--json", "--keep", str(tmp_path)]  # fmt: skip
    ended = CliRunner().invoke(main, words, catch_exceptions=False)
    house, tone = json.loads(ended.stdout)["scores"]["product"]
    assert house["acc2"]
    assert house["bpm_ok"]
    assert house["within25"]
    assert not tone["tempo_invented"]
    assert house["cpu_per_minute"] > 0.05
    assert len(list(tmp_path.glob("*.product"))) == 2
