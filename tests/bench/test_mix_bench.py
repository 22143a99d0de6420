"""`sfa bench mix` on a small library."""

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
