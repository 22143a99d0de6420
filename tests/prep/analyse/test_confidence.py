"""Confidences: when they are high, when they must be low, and what is offered instead."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sfa_engine.bench import fit_confidence
from sfa_engine.bench.pieces import KINDS
from sfa_engine.prep.analyse import octave
from sfa_engine.prep.analyse.analysis import analyse_blocks
from sfa_engine.prep.analyse.beat import Beats
from sfa_engine.prep.analyse.confidence import CLIPS, QUESTIONS, WEIGHTS, Confidence
from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.onset import find_onsets, struck
from sfa_engine.prep.analyse.tempo import count_bar

RATE = 48_000
STEPS = 16


def hit(kind: str) -> np.ndarray:
    t = np.arange(9600) / RATE
    if kind == "k":
        return (
            0.8
            * np.sin(2 * np.pi * np.cumsum(50 + 130 * np.exp(-t / 0.02)) / RATE)
            * np.exp(-t / 0.09)
        )
    tau, gain = {"s": (0.05, 0.3), "h": (0.01, 0.1)}[kind]
    noise = np.diff(np.random.default_rng(1).standard_normal(len(t) + 1))
    return gain * noise * np.exp(-t / tau)


def played(bpm: float, bars: int, chords: tuple[int, ...] = (0, 8, 3, 10), **pattern: str) -> dict:
    """Analyse bars of sixteenths: ``k``, ``s`` and ``h`` are played where there is an x."""
    step = 15 / bpm
    sound = np.zeros(round((bars * STEPS * step + 1) * RATE))
    for bar in range(bars):
        for kind, steps in pattern.items():
            for i, sign in enumerate(steps):
                if sign == "x":
                    at = round((0.2 + (bar * STEPS + i) * step) * RATE)
                    sound[at : at + 9600] += hit(kind)[: len(sound) - at]
        if chords:
            at, n = round((0.2 + bar * STEPS * step) * RATE), round(STEPS * step * RATE)
            t = np.arange(min(n, len(sound) - at)) / RATE
            tones = 220 * 2 ** ((chords[bar % len(chords)] + np.array([0, 3, 7])) / 12)
            sound[at : at + len(t)] += 0.06 * np.sin(2 * np.pi * tones[:, None] * t).sum(axis=0)
    return analyse_blocks([np.repeat(sound[:, None], 2, axis=1).astype(np.float32)])


FOUR = "x...x...x...x..."
BACK = "....x.......x..."
EIGHTHS = "x.x.x.x.x.x.x.x."


@pytest.mark.slow
def test_a_steady_piece_with_drums_and_chords_is_sure_of_everything():
    told = played(124.0, 20, k=FOUR, s=BACK, h="..x...x...x...x.")
    assert min(told["confidences"].values()) > 0.7
    assert told["confidence"] > 0.8
    assert told["alternatives"] == []


@pytest.mark.slow
def test_four_kicks_a_bar_are_four_beats_even_at_190():
    told = played(190.0, 32, k=FOUR, h="..x...x...x...x.")
    assert told["bpm"] == pytest.approx(190, abs=0.02) or told["confidence"] < 0.5


@pytest.mark.slow
def test_confidences_and_alternatives_keep_their_form():
    told = played(70.0, 10, chords=(), k="x..x..x...x.....", s="....x..x.x..x..x", h=EIGHTHS)
    assert tuple(told["confidences"]) == QUESTIONS
    assert all(0 <= p <= 1 for p in told["confidences"].values())
    scores = [other["score"] for other in told["alternatives"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0.1 <= score <= 1 for score in scores)
    factors = {"half": 0.5, "double": 2.0}
    for other in told["alternatives"]:
        factor = factors.get(other["change"], 1.0)
        assert other["bpm"] == pytest.approx(told["bpm"] * factor, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hz", "seconds"), [(55.0, 20), (440.0, 20), (977.0, 20), (977.0, 8), (100.0, 16), (251.0, 8)]
)
def test_a_steady_tone_has_no_tempo(hz, seconds):
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(seconds * RATE) / RATE)
    told = analyse_blocks([np.repeat(tone[:, None], 2, axis=1).astype(np.float32)])
    assert told["bpm"] is None
    assert told["confidences"] == dict.fromkeys(QUESTIONS, 0.0)
    assert told["alternatives"] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_irregular_knocks_are_no_sure_beat(seed):
    rng = np.random.default_rng(seed)
    sound = 0.003 * rng.standard_normal(30 * RATE)
    for time in np.cumsum(rng.exponential(0.25, 100)):
        at = round(time * RATE)
        if at + 9600 < len(sound):
            sound[at : at + 9600] += hit("s")
    told = analyse_blocks([np.repeat(sound[:, None], 2, axis=1).astype(np.float32)])
    assert told["confidence"] < 0.3


@pytest.mark.parametrize("octave_", [0.0, 0.3, 0.69])
def test_a_doubtful_octave_keeps_the_confidence_below_one_half(octave_):
    assert Confidence(1.0, 1.0, 1.0, octave_).beats < 0.5
    assert Confidence(0.9, 0.8, 0.1, 0.95).beats == pytest.approx(0.5)


@pytest.mark.parametrize("beats", [3, 4, 5, 7])
def test_a_bar_is_as_long_as_what_returns(beats):
    rng = np.random.default_rng(beats)
    loud = rng.uniform(0.2, 1.0, beats)
    strength = np.zeros(60_000, np.float32)
    for i, at in enumerate(range(200, 59_900, 500)):
        strength[at : at + 20] = loud[i % beats] + 0.05 * rng.random()
    assert count_bar(strength, 0.5) == beats


def test_what_is_struck_rises_quickly():
    ms = np.arange(20_000)
    swells = (0.5 + 0.4 * np.sin(2 * np.pi * ms / 5000)).astype(np.float32)
    clicks = np.where(ms % 500 < 30, 1.0, 0.01).astype(np.float32)
    names = ("low", "mid", "snare", "high")
    assert struck(find_onsets(Levels(dict.fromkeys(names, swells)))) < 0.1
    assert struck(find_onsets(Levels(dict.fromkeys(names, clicks)))) > 1.5


def test_the_weights_are_those_of_the_evidence_in_the_repository():
    rows = fit_confidence.read_rows(fit_confidence.EVIDENCE)
    for question, weights in WEIGHTS.items():
        x, right = fit_confidence.table(rows, question)
        fitted = fit_confidence.fit(x, right, fit_confidence.signs(question))
        np.testing.assert_allclose(list(weights.values()), fitted, atol=0.006)
    dense = list(octave.WEIGHTS).index("more attacks than usual")
    fitted = fit_confidence.fit_octave(rows)[dense]
    assert octave.WEIGHTS["more attacks than usual"] == pytest.approx(fitted, abs=0.006)


def test_the_evidence_is_of_the_pieces_of_the_repository_alone():
    rows = fit_confidence.read_rows(fit_confidence.EVIDENCE)
    assert {row["kind"] for row in rows} <= set(KINDS)
    assert {row["seed"] for row in rows} <= set(fit_confidence.FIT_SEEDS)
    assert len({(row["kind"], row["seed"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("apart_ms", [500, 250, 125])
def test_attacks_of_a_beat_are_counted_where_something_is_played(apart_ms):
    ms = np.arange(40_000)
    clicks = np.where((ms % apart_ms < 30) & (ms < 20_000), 1.0, 0.01).astype(np.float32)
    clicks += np.where((ms % apart_ms == apart_ms // 2) & (ms < 20_000), 0.02, 0.0)  # no hit
    names = ("low", "mid", "snare", "high")
    onsets = find_onsets(Levels(dict.fromkeys(names, clicks.astype(np.float32))))
    assert octave.hits_a_second(onsets) == pytest.approx(1000 / apart_ms, rel=0.05)


def test_every_feature_has_a_range():
    assert {name for weights in WEIGHTS.values() for name in weights} - {"always"} <= set(CLIPS)


def test_a_regression_finds_what_made_its_data():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((4000, 2)) * [1.0, 3.0]
    p = 1 / (1 + np.exp(-(2 * x[:, 0] - 0.5 * x[:, 1] + 1)))
    weights = fit_confidence.fit(x, (rng.random(4000) < p).astype(float), np.array([1.0, -1.0]))
    np.testing.assert_allclose(weights, [2, -0.5, 1], atol=0.2)


def beats_at(places: np.ndarray, bpm: float) -> Beats:
    none = np.zeros((1, 2))
    return Beats(places, np.arange(len(places)), 4, bpm, variable=False, holds=1.0, anchors=none)


@pytest.mark.parametrize(
    ("late_s", "factor", "expected"),
    [(0.0, 1, (True, True)), (0.02, 1, (True, True)), (0.25, 1, (False, False)),
     (0.0, 2, (True, True)), (0.5, 1, (True, False))],
)  # fmt: skip
def test_right_is_within_25_ms_in_any_octave(late_s, factor, expected):
    true = np.arange(0.1, 60, 0.5)
    truth = {
        "bpm": 120.0,
        "constant": True,
        "beats": true.tolist(),
        "downbeats": true[::4].tolist(),
    }
    found = beats_at(np.arange(0.1, 60, 0.5 / factor) + late_s, 120.0 * factor)
    right = fit_confidence.right(found, json.loads(json.dumps(truth)))
    assert right["tempo"]
    assert right["phase"] is expected[0]
    if factor == 1:
        assert right["bar"] is expected[1]
