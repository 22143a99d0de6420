"""`sfa bench mix` on a small library, and its rows on meters and mastering."""

from __future__ import annotations

import pytest

from sfa_engine.bench import mix

pytestmark = pytest.mark.slow


def test_each_search_of_the_bench_has_hits_and_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mix, "RUNS", 2)
    results = mix.run_bench(tracks=2000, only=("words",), quiet=True)
    names = {result["name"] for result in results}
    assert {f"words_{name}_ms" for name in mix.SEARCHES} < names
    assert all(result["value"] > 0 for result in results)


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
