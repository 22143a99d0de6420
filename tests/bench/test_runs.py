"""Several runs of a bench in one."""

from sfa_engine.bench.engine import median_of
from sfa_engine.bench.rig import result


def test_several_runs_give_medians_with_their_spread():
    runs = [
        [result("latency_ms", value, "ms", 400, baseline), result("late", late, "blocks", 10)]
        for value, baseline, late in ((3.0, 2.0, 0), (9.0, 3.0, 0), (4.0, 1.0, 1))
    ]
    latency, late = median_of(runs)
    assert latency == {
        "name": "latency_ms", "value": 4.0, "unit": "ms", "baseline": 2.0, "ratio": 2.0,
        "n": 400, "runs": 3, "min": 3.0, "max": 9.0,
    }  # fmt: skip
    assert (late["value"], late["max"], late["baseline"]) == (0.0, 1, None)


def test_one_run_is_reported_as_it_is():
    only = [result("latency_ms", 3.0, "ms", 400)]
    assert median_of([only]) == only
