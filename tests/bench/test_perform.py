"""`sfa bench perform`: what it measures with, and a short run of what it measures."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from sfa_engine.bench import drift, perform
from sfa_engine.bench.command import bench
from sfa_engine.bench.random_set import RandomSet, timed
from sfa_engine.bench.rig import RATE
from sfa_engine.desk import CONTROLS
from sfa_engine.engine.intents import OPERATIONS
from sfa_engine.engine.layout import LATENCY
from sfa_engine.errors import EngineError, Refused
from sfa_engine.host.offline import Offline

BPM = 125.3


# ---------------------------------------------------------------------- clicks


@pytest.mark.parametrize("rate", [1.0, 0.93, 1.0711])
def test_clicks_are_found_where_they_are_to_a_hundredth_of_a_frame(rate):
    engine = Offline(RATE)
    engine.load(0, {"mix": drift.click_track(BPM, 12.0)}, rate=RATE)
    engine.set("deck1.rate", rate)
    engine.render(RATE)
    engine.push(drift.command_for(CONTROLS["deck1.play"], 1.0, drift.NOW, 0))
    first = int(engine.memory.engine["frame"])
    found = drift.click_times(engine.render(10 * RATE)[:, 0], first)
    head = engine.memory.engine["transport"][0]["head"]
    beat = 60.0 * RATE / BPM
    places = (np.arange(1, len(found) + 1) + 0.5) * beat
    began = int(head["anchor_frame"]) - float(head["anchor_position"]) / rate
    assert len(found) > 15
    assert np.abs(found - (began + places / rate + LATENCY)).max() < 0.01


def test_a_cut_click_is_left_out():
    sound = np.zeros(1000, np.float32)
    sound[:40] = sound[480:520] = sound[970:] = 0.5
    assert drift.click_times(sound, 100).tolist() == [pytest.approx(599.5)]


def test_silence_has_no_clicks_and_is_infinitely_far_from_any():
    nothing = drift.click_times(np.zeros(1000, np.float32), 0)
    assert not len(nothing)
    clicks = np.arange(5) * 1000.0
    assert drift.farthest(clicks, nothing) == drift.farthest(nothing, clicks) == math.inf


def test_the_farthest_click_counts():
    ones = np.arange(6) * 1000.0
    others = ones + np.array([0.0, 0.25, -3.0, 0.0, 0.5, 400.0])
    assert drift.farthest(ones, others) == 3.0


# ---------------------------------------------------------------------- gestures


def draw(seed, count=400):
    hands = RandomSet(seed, drift.TRACK_S)
    place = {1: 300.0, 2: 300.0}
    return [hands.begin(), *(hands.draw(place) for _ in range(count))], hands


def test_the_same_seed_is_the_same_performance():
    assert draw(3)[0] == draw(3)[0] != draw(4)[0]


def test_every_gesture_is_drawn_and_every_action_is_one_of_the_desk():
    gestures, hands = draw(1)
    assert set(hands.counts) == set(hands._gestures)
    for action in (action for gesture in gestures for action in gesture):
        control = CONTROLS[action.path]
        assert action.path in OPERATIONS
        assert control.scale.low <= action.value <= control.scale.high, action
        assert not control.planned


def test_a_deck_near_the_end_is_sent_back_and_a_loop_is_left():
    hands = RandomSet(5, drift.TRACK_S)
    while "loop" not in hands.counts:
        last = hands.draw({1: 300.0, 2: 300.0})
    deck = last[-1].path.partition(".")[0]
    away = hands.draw({1: drift.TRACK_S - 1.0, 2: 300.0})
    assert away[0].path == f"{deck}.loop.active"
    assert [action.path for action in away[1:]] == [
        *("deck1.quantise", "deck1.position", "deck1.quantise")
    ]


def test_actions_have_their_times():
    actions = [drift.Action("a", 1.0), drift.Action("b", 0.0, 0.5), drift.Action("c", 0.0, 0.25)]
    assert [at_s for at_s, _ in timed(actions)] == [0.0, 0.5, 0.75]


# ---------------------------------------------------------------------- figures


@pytest.mark.slow
def test_two_synced_decks_are_within_a_sample_by_timeline_and_by_ear():
    shares = []
    figures = {each["name"]: each for each in drift.bench_drift(20 * 14.0, 20, shares.append)}
    assert figures["sync_drift_samples"]["value"] <= 1.0
    assert figures["sync_heard_drift_samples"]["value"] <= 1.0
    assert figures["timeline_lag_samples"]["value"] <= 0.05
    assert figures["sync_drift_samples"]["n"] == len(shares) == 20


def test_a_deck_that_lags_is_seen():
    performance = drift.Performance()
    performance.render(2.0)
    head = performance.engine.memory.engine["transport"][1]["head"]
    assert drift.timeline_drift(performance.engine.memory.engine) < 1.0
    head["anchor_position"] += 40.0 * float(head["speed"])
    assert drift.timeline_drift(performance.engine.memory.engine) == pytest.approx(40.0, abs=1.0)


def test_too_many_gestures_are_refused():
    with pytest.raises(EngineError, match=r"500 gestures in 60 s leave 0\.12 s to each"):
        drift.bench_drift(60.0, 500, lambda _: None)


def run(*words):
    return CliRunner().invoke(bench, ["perform", *words])


def test_an_unknown_part_is_refused_with_the_nearest():
    with pytest.raises(Refused, match='no part "drfit"; did you mean "drift"'):
        perform.run_bench(
            seconds=1.0, drift_seconds=1.0, gestures=1, minutes=1.0, only=("drfit",),
            device=None, quiet=True,
        )  # fmt: skip


@pytest.mark.slow
def test_the_command_prints_an_object_with_the_figures():
    done = run("--json", "--only", "drift", "--gestures", "2", "--drift-seconds", "28")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert [each["name"] for each in said["results"]][:1] == ["sync_drift_samples"]


@pytest.mark.realtime
@pytest.mark.nightly
def test_the_parts_that_measure_a_sound_server_have_their_figures():
    results = perform.run_bench(
        seconds=2.0, drift_seconds=28.0, gestures=2, minutes=0.5, only=("varispeed", "live"),
        device=None, quiet=True,
    )  # fmt: skip
    figures = {each["name"]: each for each in results}
    assert (
        figures["callback_2x4_varispeed_128"]["value"]
        > figures["callback_2x4_varispeed_128"]["baseline"]
    )
    assert 0.0 < figures["varispeed_block_p50_us"]["value"] < 2667.0
    assert figures["live_sync_drift_samples"]["n"] == 2
    assert figures["live_underrun_frames"]["value"] == 0.0
