"""``/api/engine/history``: load of the audio thread, and tracks loaded."""

import pytest
from served import run_site

from sfa_engine.web.engine_history import PERIOD_S, SPAN_S, EngineHistory
from sfa_engine.web.link import Link

START_S = 1_000_000.0


def status(load, worst, title=""):
    return {
        "engine": {"load_pct": load, "worst_pct": worst},
        "decks": [{"title": title}, {"loaded": False}],
    }


@pytest.fixture
def history(tmp_path):
    return EngineHistory(Link(tmp_path / "none", "the engine"))


def test_a_point_has_the_mean_and_the_worst_of_its_period(history):
    for second in range(2 * PERIOD_S):
        history.add(status(2.0 + second % 2, 40.0 if second == 3 else 5.0), START_S + second)
    (point,) = history.shown(START_S + 20)["points"]
    assert point == {"at_s": START_S, "load_pct": 2.5, "worst_pct": 40.0}


def test_an_hour_is_kept_and_no_more(history):
    for second in range(2 * SPAN_S):
        history.add(status(1.0, 2.0), START_S + second)
    points = history.shown(START_S + 2 * SPAN_S)["points"]
    assert SPAN_S // PERIOD_S - 2 <= len(points) <= SPAN_S // PERIOD_S
    assert points[0]["at_s"] >= START_S + SPAN_S
    assert history.shown(START_S + 4 * SPAN_S)["points"] == []


def test_a_track_that_takes_the_place_of_another_is_noted(history):
    for second, title in enumerate(("", "Slow Gold", "Slow Gold", "Quicksilver")):
        history.add(status(1.0, 2.0, title), START_S + second)
    loads = history.shown(START_S + 5)["loads"]
    assert [(each["deck"], each["title"]) for each in loads] == [
        (1, "Slow Gold"),
        (1, "Quicksilver"),
    ]


def test_a_clock_that_is_set_back_begins_another_point(history):
    history.add(status(1.0, 2.0), START_S)
    history.add(status(3.0, 4.0), START_S - 500)
    history.add(status(3.0, 4.0), START_S - 500 + PERIOD_S)
    assert [each["load_pct"] for each in history.shown(START_S)["points"]] == [1.0, 3.0]


def test_the_history_is_for_admins(tmp_path):
    async def scenario(site):
        async with site.client(site.user("eve", "moderator", ["read", "perform"])) as client:
            assert (await client.get("/api/engine/history")).status_code == 403
        async with site.client(site.user("ann", "admin", ["read", "admin"])) as client:
            found = (await client.get("/api/engine/history")).json()
            assert found["span_s"] == SPAN_S
            assert found["points"] == []

    run_site(scenario, tmp_path)
