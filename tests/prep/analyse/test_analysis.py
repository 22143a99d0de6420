"""Whole analyses of small clips whose truth is known."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.prep.analyse.analysis import analyse, analyse_blocks, evaluate
from sfa_engine.prep.analyse.measurement import measure_stem, measure_track
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.key import KEYS

pytestmark = pytest.mark.slow

RATE = 48_000
FIELDS = [
    "duration_s", "bpm", "confidence", "confidences", "alternatives", "variable", "edits_s",
    "beats", "downbeats", "beats_per_bar", "grid", "key", "camelot", "lufs", "peak_dbtp", "energy",
    "sections", "onsets", "splices", "vocals_s", "cues", "features",
]  # fmt: skip


def kick(length: int = 9600) -> np.ndarray:
    t = np.arange(length) / RATE
    sweep = 2 * np.pi * np.cumsum(50 + 130 * np.exp(-t / 0.02)) / RATE
    return np.sin(sweep) * np.exp(-t / 0.09) * np.minimum(1, t / 0.0005)


def noise(length: int, tau: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.diff(rng.standard_normal(length + 1)) * np.exp(-np.arange(length) / (tau * RATE))


def place(sound: np.ndarray, hit: np.ndarray, time_s: float, gain: float = 1.0) -> None:
    at = round(time_s * RATE)
    n = min(len(hit), len(sound) - at)
    if n > 0:
        sound[at : at + n] += gain * hit[:n]


def band(beats: np.ndarray, seconds: float, beats_per_bar: int = 4) -> np.ndarray:
    """Drums on given beats: kick on the first (and third), snare between, hats on eighths."""
    sound = np.zeros(round(seconds * RATE))
    snare, hat = noise(7000, 0.05), noise(2000, 0.01, 2)
    for i, (beat, after) in enumerate(pairwise(beats)):
        if beats_per_bar == 3:
            place(sound, kick() if i % 3 == 0 else snare, beat, 0.7 if i % 3 == 0 else 0.2)
        else:
            place(sound, kick() if i % 2 == 0 else snare, beat, 0.7 if i % 2 == 0 else 0.25)
        if i % beats_per_bar == 0:
            chord = 220 * 2 ** (((i // beats_per_bar) % 4) * 3 / 12)
            t = np.arange(round((after - beat) * beats_per_bar * RATE)) / RATE
            place(sound, np.sin(2 * np.pi * chord * t) * 0.15, beat)
        place(sound, hat, beat, 0.08)
        place(sound, hat, (beat + after) / 2, 0.08)
    return sound


def steady(bpm: float, seconds: float, first_s: float = 0.3) -> np.ndarray:
    return np.arange(first_s, seconds, 60 / bpm)


def analysed(sound: np.ndarray) -> dict:
    if sound.ndim == 1:
        sound = np.repeat(sound[:, None], 2, axis=1)
    told = analyse_blocks([sound.astype(np.float32)])
    json.dumps(told, allow_nan=False)
    holds_its_form(told)
    return told


def holds_its_form(told: dict) -> None:
    assert sorted(told) == sorted(FIELDS)
    assert 0 <= told["confidence"] <= 1
    assert 0 <= told["energy"] <= 1
    assert told["key"] is None or told["key"] in KEYS
    assert all(0 <= b < told["duration_s"] for b in told["beats"])
    assert all(a < b for a, b in pairwise(told["beats"]))
    assert set(told["downbeats"]) <= set(told["beats"])
    assert all(a["end_s"] == b["start_s"] for a, b in pairwise(told["sections"]))
    pads = [c["hot_cue"] for c in told["cues"] if "hot_cue" in c]
    assert pads == list(range(1, len(pads) + 1))
    assert len(pads) <= 8
    bars = set(told["downbeats"])
    assert all(c["time_s"] in bars for c in told["cues"])
    if told["grid"]:
        anchors = tuple(Anchor(a["frame"], a["beat"]) for a in told["grid"]["anchors"])
        grid = Grid(anchors, told["grid"]["bpm"], told["grid"]["beats_per_bar"])
        downbeats = grid.beat_of(np.array(told["downbeats"]) * RATE, RATE)
        assert np.abs(downbeats / told["beats_per_bar"] % 1 - 0.5).min() > 0.49


def off_beat_ms(told: dict, beats: np.ndarray) -> np.ndarray:
    found = np.array(told["beats"])
    return 1000 * np.abs(found[:, None] - beats).min(axis=0)[2:-2]


@pytest.mark.parametrize("bpm", [98.0, 122.37, 140.0])
def test_a_drum_pattern_has_its_tempo_its_beats_and_its_bars(bpm):
    beats = steady(bpm, 40.0)
    told = analysed(band(beats, 40.0))
    assert told["bpm"] == pytest.approx(bpm, abs=0.02)
    assert not told["variable"]
    assert np.percentile(off_beat_ms(told, beats), 95) < 5
    one = np.abs(np.array(told["downbeats"])[:, None] - beats[::2]).min(axis=1)
    assert one.max() < 0.01  # a bar of this pattern repeats after two beats


@settings(max_examples=4, deadline=None)
@given(bpm=st.integers(95, 145), first_ms=st.integers(0, 900))
def test_any_whole_tempo_is_found_to_the_digit(bpm, first_ms):
    beats = steady(bpm, 24.0, first_ms / 1000)
    told = analysed(band(beats, 24.0))
    assert told["bpm"] in (bpm, bpm / 2)  # such a bare pattern may be counted either way
    off = off_beat_ms(told, beats)
    on = off[off < 200]
    assert len(on) >= len(beats) * told["bpm"] / bpm - 5  # those near the ends are left out
    assert np.percentile(on, 95) < 5


def test_a_bare_click_track_is_steady():
    sound = np.zeros(40 * RATE)
    for beat in steady(126.0, 40.0, 0.1):
        place(sound, noise(300, 0.001), beat, 0.5)
    told = analysed(sound)
    assert told["bpm"] == 126
    assert np.percentile(off_beat_ms(told, steady(126.0, 40.0, 0.1)), 95) < 3


def test_three_hundred_beats_a_minute_are_followed_at_half_of_them():
    sound = np.zeros(30 * RATE)
    for i, beat in enumerate(steady(300.0, 30.0)):
        place(sound, kick(4000) if i % 2 == 0 else noise(3000, 0.02), beat, 0.4)
    told = analysed(sound)
    assert told["bpm"] in (75, 100, 150)
    beats = np.array(told["beats"])
    assert 1000 * np.abs(beats[2:-2, None] - steady(300.0, 30.0)).min(axis=1).max() < 8


def test_a_waltz_has_three_beats():
    beats = steady(126.0, 48.0)
    told = analysed(band(beats, 48.0, 3))
    assert told["beats_per_bar"] == 3
    one = np.abs(np.array(told["downbeats"])[:, None] - beats[::3]).min(axis=1)
    assert np.median(one) < 0.01


def test_a_drifting_tempo_is_flagged_and_followed():
    periods = 60 / (110 + 9 * np.sin(np.arange(140) / 14))
    beats = 0.3 + np.concatenate([[0], np.cumsum(periods)])
    told = analysed(band(beats, float(beats[-1]) + 1))
    assert told["variable"]
    assert np.mean(off_beat_ms(told, beats) < 30) > 0.9
    assert 2 <= len(told["grid"]["anchors"]) < 0.5 * len(told["beats"])


def test_a_tempo_step_has_a_seam_of_no_more_than_25_ms():
    first = 0.3 + 0.6 * np.arange(64)
    beats = np.concatenate([first, first[-1] + 0.6 + 60 / 128 * np.arange(96)])
    told = analysed(band(beats, float(beats[-1]) + 1))
    assert told["variable"]
    assert off_beat_ms(told, beats).max() <= 25


@pytest.mark.parametrize("cut_ms", [50, 55, 65])
def test_a_file_cut_on_its_first_beat_begins_with_it(cut_ms):
    beats = steady(122.0, 40.0, 0.05)
    told = analysed(band(beats, 40.0)[round(cut_ms * RATE / 1000) :])
    assert told["beats"][0] == 0.0
    assert told["downbeats"][0] == 0.0
    assert off_beat_ms(told, beats - cut_ms / 1000).max() < 5


def swell(notes: np.ndarray, length_s: float, rise_s: float) -> np.ndarray:
    t = np.arange(round(length_s * RATE)) / RATE
    strings = sum(np.sin(2 * np.pi * f * h * t) / h for f in notes for h in range(1, 9))
    return strings * np.minimum(1, t / rise_s) * np.minimum(1, (length_s - t) / 0.05) * 0.05


@pytest.mark.parametrize("rise_s", [0.003, 0.04, 0.08])
def test_what_is_drawn_or_blown_lies_on_the_beat_it_swells_from(rise_s):
    beats = steady(96.0, 50.0)
    sound = np.zeros(50 * RATE)
    for i, (beat, after) in enumerate(pairwise(beats)):
        root = 220 * 2 ** ([0, 5, 7, 3][i // 4 % 4] / 12)
        place(sound, swell(root * np.array([1, 1.26, 1.5]), after - beat, rise_s), beat)
    assert off_beat_ms(analysed(sound), beats).max() < 8


@pytest.mark.parametrize("seconds", [0.01, 0.5, 5.0])
def test_silence_has_no_beat_no_key_and_no_cue(seconds):
    told = analysed(np.zeros(round(seconds * RATE)))
    assert told["bpm"] is None
    assert told["key"] is None
    assert told["cues"] == []
    assert told["lufs"] == -70
    assert told["peak_dbtp"] == -120
    assert told["duration_s"] == pytest.approx(seconds)


def test_no_sound_at_all_is_an_empty_analysis():
    holds_its_form(analyse_blocks([]))


def test_five_seconds_are_enough_for_a_tempo():
    told = analysed(band(steady(120.0, 5.0), 5.0))
    assert told["bpm"] == pytest.approx(120, abs=0.5)


def test_noise_has_no_confident_grid():
    told = analysed(np.random.default_rng(3).standard_normal(30 * RATE) * 0.1)
    assert told["bpm"] is None or told["confidence"] < 0.3


def test_ambient_has_no_confident_grid():
    t = np.arange(40 * RATE) / RATE
    sound = sum(np.sin(2 * np.pi * f * t + i) for i, f in enumerate((110, 164.8, 220, 277.2)))
    told = analysed(0.1 * sound * (1 + 0.3 * np.sin(2 * np.pi * 0.07 * t)))
    assert told["bpm"] is None or told["confidence"] < 0.3
    assert told["key"] is None  # the four tones of one chord are no key


def test_clipping_and_one_sided_sound_do_not_move_the_beats():
    beats = steady(128.0, 24.0)
    sound = np.clip(6 * band(beats, 24.0), -1, 1)
    told = analysed(np.stack([sound, np.zeros_like(sound)], axis=1))
    assert told["bpm"] == 128
    assert np.percentile(off_beat_ms(told, beats), 95) < 5
    assert told["peak_dbtp"] >= 0


@pytest.mark.parametrize("cut", [1, 777, 48_000, 61_001])
def test_how_the_sound_is_cut_into_blocks_changes_nothing(cut):
    sound = band(steady(120.0, 12.0), 12.0)
    whole = np.repeat(sound[:, None], 2, axis=1).astype(np.float32)
    if cut == 1:
        whole = whole[:3000]
    pieces = [whole[i : i + cut] for i in range(0, len(whole), cut)]
    assert analyse_blocks(pieces) == analyse_blocks([whole])


def test_a_mono_file_is_read_at_any_rate(tmp_path):
    beats = steady(125.0, 20.0)
    file = tmp_path / "mono.wav"
    soundfile.write(file, band(beats, 20.0)[::2], RATE // 2)
    told = analyse(file)
    assert told["bpm"] == 125
    assert told["features"]["decoder"]["name"] == "PyAV"
    assert np.percentile(off_beat_ms(told, beats), 95) < 5


def test_the_drums_stem_says_where_the_beats_are():
    beats = steady(124.0, 30.0)
    drums = band(beats, 30.0)
    rng = np.random.default_rng(5)
    mess = np.zeros_like(drums)
    for time in rng.uniform(0, 29, 150):  # louder attacks anywhere
        place(mess, noise(3000, 0.02, 7), time, 0.3)
    mixed = np.repeat((drums + mess)[:, None], 2, axis=1).astype(np.float32)
    alone = np.repeat(drums[:, None], 2, axis=1).astype(np.float32)
    told = evaluate(measure_track([mixed]), {"drums": lambda: measure_stem([alone], len(alone))})
    holds_its_form(told)
    assert told["bpm"] == 124
    assert np.percentile(off_beat_ms(told, beats), 95) < 3
    assert {c["stem"] for c in told["cues"] if c["kind"] == "loop"} <= {"drums"}


def test_a_stem_may_be_shorter_or_longer_than_its_track():
    sound = np.repeat(band(steady(120.0, 12.0), 12.0)[:, None], 2, axis=1).astype(np.float32)
    measured = measure_track([sound])
    for stem in (sound[: 5 * RATE], np.concatenate([sound, sound]), sound[:0]):
        levels = measure_stem([stem], measured.frames)
        assert {len(curve) for curve in levels.values()} == {12_000}
        holds_its_form(evaluate(measured, {"drums": lambda levels=levels: levels}))


def test_a_beat_of_half_the_speed_is_the_beat_where_little_happens_between():
    slow, fast = np.zeros(40 * RATE), np.zeros(40 * RATE)
    for i, beat in enumerate(steady(96.0, 40.0)):
        place(slow, kick() if i % 2 == 0 else noise(7000, 0.05), beat, 0.5)
        for part in range(4):
            place(slow, noise(2000, 0.01, 2), beat + part * 0.15625, 0.1)
    for i, beat in enumerate(steady(132.0, 40.0)):
        place(fast, kick(), beat, 0.7)
        if i % 2:
            place(fast, noise(7000, 0.05), beat, 0.25)
        place(fast, noise(2000, 0.01, 2), beat + 15 / 66, 0.1)
    assert analysed(slow)["bpm"] == 96
    assert analysed(fast)["bpm"] == 132


def whole_piece(bpm: float) -> tuple[np.ndarray, list[tuple[str, int]]]:
    """A dance track in A minor, and the bars of its sections."""
    form = [
        ("intro", 16), ("verse", 16), ("build", 8), ("drop", 16), ("break", 16), ("build", 8),
        ("drop", 16), ("outro", 16),
    ]  # fmt: skip
    beat_s = 60 / bpm
    sound = np.zeros(round((sum(bars for _, bars in form) * 4 * beat_s + 0.5) * RATE))
    hat, snare = noise(2000, 0.01, 2), noise(7000, 0.05)
    t = np.arange(round(4 * beat_s * RATE)) / RATE
    chords = [(0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5)]
    pads = [sum(np.sin(2 * np.pi * 220 * 2 ** (n / 12) * t) for n in chord) for chord in chords]
    basses = [np.sin(2 * np.pi * 55 * 2 ** (chord[0] / 12) * t) for chord in chords]
    time, bar = 0.2, 0
    for label, bars in form:
        for i in range(bars):
            if label in ("drop", "break", "build"):
                place(sound, pads[bar % 4], time, 0.12 if label == "drop" else 0.06)
            if label in ("verse", "drop"):
                place(sound, basses[bar % 4], time, 0.25)
            for b in range(4):
                if label not in ("build", "break"):
                    place(sound, kick(), time + b * beat_s, 0.7)
                if b % 2 and label in ("verse", "drop"):
                    place(sound, snare, time + b * beat_s, 0.3)
                for part in (0, 0.5) if label not in ("break", "build") else ():
                    place(sound, hat, time + (b + part) * beat_s, 0.1)
                if label == "build":
                    for part in range(4):
                        place(sound, snare, time + (b + part / 4) * beat_s, 0.02 * (i + 1))
            time, bar = time + 4 * beat_s, bar + 1
    return sound, form


def song(chords: list[int], cymbals: list[int]) -> np.ndarray:
    """A band at 110 BPM that never changes but in the roots of its chords, a bar each."""
    beat_s = 60 / 110
    sound = band(np.arange(4 * len(chords) + 1) * beat_s + 0.2, 4 * len(chords) * beat_s + 0.5)
    t = np.arange(round(4 * beat_s * RATE)) / RATE
    for bar, root in enumerate(chords):
        tones = sum(np.sin(2 * np.pi * 220 * 2 ** ((root + n) / 12) * t) for n in (0, 4, 7))
        place(sound, tones, 0.2 + 4 * bar * beat_s, 0.15)
        if bar in cymbals:
            place(sound, noise(RATE, 0.4, 5), 0.2 + 4 * bar * beat_s, 0.25)
    return sound


@pytest.mark.parametrize(
    ("other", "cymbals"),
    [((5, 7, 0, 9), []), ((0, 7, 9, 5), [8, 16, 32])],
    ids=["chords", "crash"],
)
def test_a_part_of_a_song_ends_where_other_chords_or_a_cymbal_begin(
    other: tuple[int, ...], cymbals: list[int]
):
    verse = [0, 7, 9, 5]
    told = analysed(song(2 * verse + 2 * list(other) + 4 * verse + 2 * list(other), cymbals))
    starts = 0.2 + 240 / 110 * np.array([0, 8, 16, 32])
    np.testing.assert_allclose([s["start_s"] for s in told["sections"]], starts, atol=0.02)


def test_a_whole_track_has_its_sections_its_key_and_its_cues():
    sound, form = whole_piece(126.0)
    told = analysed(sound)
    bar_s = 240 / 126
    starts = 0.2 + bar_s * np.cumsum([0] + [bars for _, bars in form])
    assert told["bpm"] == 126
    assert told["confidence"] > 0.5
    assert (told["key"], told["camelot"]) == ("A minor", "8A")
    assert [s["label"] for s in told["sections"]] == [label for label, _ in form]
    np.testing.assert_allclose([s["start_s"] for s in told["sections"]], starts[:-1], atol=0.01)
    drops = [c["time_s"] for c in told["cues"] if c["kind"] == "drop"]
    np.testing.assert_allclose(drops, starts[[3, 6]], atol=0.005)
    grid = told["grid"]
    beat_frames = RATE * 60 / grid["bpm"]
    from_beat = (np.array([c["time_s"] for c in told["cues"]]) * RATE) - grid["anchors"][0]["frame"]
    assert np.abs(from_beat - np.round(from_beat / beat_frames) * beat_frames).max() <= 1


LONG = """
import itertools
import numpy as np
from sfa_engine.prep.analyse.analysis import analyse_blocks
beat = np.zeros((24_000, 2), np.float32)
beat[:4000] = np.sin(np.arange(4000) / 100)[:, None] * np.exp(-np.arange(4000) / 300)[:, None]
told = analyse_blocks(itertools.repeat(beat, 2 * 60 * 15))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(told["bpm"], told["beats"][-1], int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_quarter_of_an_hour_takes_no_more_than_300_mb_and_does_not_drift():
    ran = subprocess.run(
        [sys.executable, "-c", LONG], capture_output=True, text=True, check=True, timeout=500
    )
    bpm, last_s, most_mb = map(float, ran.stdout.split())
    assert bpm == pytest.approx(120, abs=0.001)
    assert abs(last_s * 2 - round(last_s * 2)) < 0.01
    assert most_mb < 300


def test_samples_that_are_not_numbers_do_not_reach_the_result(tmp_path):
    sound = band(steady(120.0, 12.0), 12.0).astype(np.float32)
    sound[[5, 100_000, 300_000]] = np.nan, np.inf, -np.inf
    file = tmp_path / "damaged.wav"
    soundfile.write(file, sound, RATE, subtype="FLOAT")
    told = analyse(file)
    json.dumps(told, allow_nan=False)
    holds_its_form(told)
    assert told["bpm"] == 120
