"""`sfa bench mix` on a small library, and its rows on meters and mastering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sfa_engine.bench import mix
from sfa_engine.bench.mix_pairs import (
    Mixed,
    blends_pct,
    found_tracks,
    met_pct,
    pairs_of,
    table_of,
)
from sfa_engine.bench.pieces.multitrack import PEAK, make_multitrack
from sfa_engine.bench.pieces.truth import RATE
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.goals import Goal

pytestmark = pytest.mark.slow


def test_each_search_of_the_bench_has_hits_and_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mix, "RUNS", 2)
    results = mix.run_bench(tracks=2000, only=("words",), quiet=True)
    names = {result["name"] for result in results}
    assert {f"words_{name}_ms" for name in mix.SEARCHES} < names
    assert all(result["value"] > 0 for result in results)


def test_the_order_of_a_hundred_tracks_is_timed() -> None:
    (found,) = mix.run_bench(tracks=20, only=("order",), quiet=True)
    assert found["name"] == "order_100_s"
    assert 0 < found["value"] < 60


def test_random_pairs_are_planned_with_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mix, "RANDOM_PAIRS", 60)
    results = mix.run_bench(tracks=20, only=("random",), quiet=True)
    values = {each["name"]: each["value"] for each in results}
    assert values["random_planned_pct"] == values["random_reasons_pct"] == 100
    assert values["random_broken"] == 0
    assert 10 < values["random_blends_pct"] < 90


def test_goals_are_counted_where_they_are_measured() -> None:
    def way(name: str, *met: bool | None, bars: int = 8, apart: float = 0.01) -> Mixed:
        goals = tuple(Goal(f"g{n}", 1.0, "<= 1", each) for n, each in enumerate(met))
        return Mixed(name, "blend" if bars else "fade", bars, apart, goals, 1.0)

    found = [
        way("plan", True, None),
        way("plan", False, True, bars=32),
        way("plan", True, True, bars=0, apart=0.07),
        way("fade", False, False),
    ]
    assert met_pct(found, "plan") == {"g0": pytest.approx(66.7, abs=0.1), "g1": 100.0}
    assert met_pct(found, "fade") == {"g0": 0.0, "g1": 0.0}
    assert blends_pct(found) == 50.0
    table = table_of(found).splitlines()
    assert len(table) == 4
    assert table[2] == "| g0 | <= 1 | 0 % (1) | - | 67 % (1) |"


@pytest.mark.nightly
def test_tracks_are_made_again_from_their_seed_in_stems() -> None:
    one, again, other = (make_multitrack(seed) for seed in (3, 3, 4))
    assert set(one.stems) == {"drums", "bass", "other", "vocals"}
    assert all(np.array_equal(one.stems[name], again.stems[name]) for name in one.stems)
    assert one.truth.bpm != other.truth.bpm
    total = sum(one.stems.values(), np.zeros_like(one.stems["drums"]))
    assert float(np.abs(total).max()) == pytest.approx(PEAK, abs=1e-3)
    assert one.truth.sections
    assert (one.truth.sections[0]["label"], one.truth.sections[-1]["label"]) == ("intro", "outro")
    outro = round(one.truth.sections[-1]["start"] * RATE)
    assert not one.stems["vocals"][outro + RATE :].any()
    sung = make_multitrack(3, sung_ends=True).stems["vocals"]
    assert sung[outro + RATE :].any()
    assert sung[: 16 * RATE].any()


def test_the_rows_of_the_meters_are_beside_their_tolerance() -> None:
    results = {
        each["name"]: each for each in mix.run_bench(tracks=20, only=("meters",), quiet=True)
    }
    assert results["ebu_cases_met_pct"]["value"] == 100.0
    rows = [each for name, each in results.items() if name.endswith("_error")]
    assert len(rows) == 25
    assert all(0.0 <= each["ratio"] <= 1.0 for each in rows)
    assert results["ebu_3341_19_error"]["unit"] == "dB"
    assert results["ebu_3342_1_error"]["baseline"] == 1.0


def test_the_rows_of_mastering_say_what_it_costs_and_how_exact_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mix, "MASTER_S", 6.0)
    results = mix.run_bench(tracks=20, only=("master",), quiet=True)
    values = {each["name"]: each["value"] for each in results}
    assert values["master_loudness_error"] <= 0.1
    assert values["master_over_ceiling"] <= 0.0
    assert values["master_cpu_s_per_minute"] > values["master_report_cpu_s_per_minute"] > 0


def test_of_a_list_of_sounds_a_mix_stands_for_the_stems_beside_it(tmp_path: Path) -> None:
    listed = tmp_path / "index.csv"
    listed.write_text("split,file\npublic,songs/one.ogg\npublic,two/mix.ogg\n")
    assert found_tracks(listed) == [tmp_path / "songs/one.ogg", tmp_path / "two"]
    (tmp_path / "two").mkdir()
    (tmp_path / "three.FLAC").touch()
    assert found_tracks(tmp_path) == [tmp_path / "three.FLAC", tmp_path / "two"]


def test_up_to_half_of_the_pairs_are_with_a_track_that_was_found() -> None:
    tracks = [TrackFacts(n, f"{n}", bpm=120.0 + n) for n in range(6)]
    pairs = pairs_of(tracks, 12, 7, found={5})
    assert len(set(pairs)) == 12
    assert sum(5 in pair for pair in pairs) == 6
    assert len(pairs_of(tracks, 100, 7, found={5})) == 30
    assert not any(5 in pair for pair in pairs_of(tracks[:5], 12, 7))
