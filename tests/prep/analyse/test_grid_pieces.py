"""Grids of more than one tempo or phase: drift, steps, edits, and files that are loops."""

from itertools import pairwise

import numpy as np
import pytest

from sfa_engine.bench.pieces import make_piece
from sfa_engine.bench.pieces.edit import resampled
from sfa_engine.prep.analyse.analysis import analyse_blocks
from sfa_engine.prep.analyse.smooth import Floats
from sfa_engine.prep.analyse.warp import Piece, Seam, Warp, few
from sfa_engine.track.grid import SEAM_S, Anchor, Grid

RATE = 48_000
BEATS = 112  # 28 bars
CHORDS = ((0, 3, 7), (-4, 0, 3), (3, 7, 10), (-2, 2, 5))


def hit(length_s, tau_s, seed):
    """Return a short noise, from which the drums but the kick are made."""
    n = round(length_s * RATE)
    sound = np.random.default_rng(seed).standard_normal(n + 1)
    return np.diff(sound) * np.exp(-np.arange(n) / (tau_s * RATE))


def kick():
    t = np.arange(9600) / RATE
    sweep = 2 * np.pi * np.cumsum(50 + 130 * np.exp(-t / 0.02)) / RATE
    return np.sin(sweep) * np.exp(-t / 0.09) * np.minimum(1, t / 0.0005)


def song(beats: Floats, numbers: Floats | None = None) -> np.ndarray:
    """Return drums and chords on given beats, whose numbers count from a downbeat.

    A syncopated kick and a chord a bar make each sixteenth of a bar unlike the others.
    """
    numbers = np.arange(len(beats)) if numbers is None else numbers
    sound = np.zeros(round((beats[-1] + 1.5) * RATE))
    drum, snare, hat = kick(), hit(0.15, 0.05, 1), hit(0.04, 0.01, 2)

    def place(what, time_s, gain):
        at = round(time_s * RATE)
        n = min(len(what), len(sound) - at)
        sound[at : at + n] += gain * what[:n]

    lengths = np.append(np.diff(beats), np.median(np.diff(beats)))
    for beat, number, length in zip(beats, numbers, np.minimum(lengths, 0.7), strict=True):
        inside = int(number) % 4
        if inside in (0, 2):
            place(drum, beat, 0.7)
        if inside == 1:
            place(drum, beat + 0.5 * length, 0.5)
        if inside in (1, 3):
            place(snare, beat, 0.3)
        if inside == 3:
            place(snare, beat + 0.75 * length, 0.15)
        place(hat, beat, 0.08)
        place(hat, beat + 0.5 * length, 0.1)
        if inside == 0:
            t = np.arange(round(3.9 * length * RATE)) / RATE
            for tone in CHORDS[int(number) // 4 % 4]:
                place(np.sin(2 * np.pi * 220 * 2 ** (tone / 12) * t), beat, 0.05)
    return sound


def analysed(sound):
    blocks = np.repeat(sound[:, None], 2, axis=1).astype(np.float32)
    return analyse_blocks([blocks])


def off_ms(found, truth):
    """Return the 95th percentile of how far the true times are from the found ones."""
    near = np.abs(np.asarray(found)[:, None] - truth).min(axis=0)
    return float(np.percentile(1000 * near, 95))


def holds_its_form(told):
    """Check that the grid says what the lists of beats say."""
    anchors = tuple(Anchor(a["frame"], a["beat"]) for a in told["grid"]["anchors"])
    grid = Grid(anchors, told["grid"]["bpm"], told["grid"]["beats_per_bar"])
    numbers = grid.beat_of(np.array(told["beats"][1:-1]) * RATE, RATE)
    seconds = grid.frame_of(np.round(numbers), RATE) / RATE
    assert np.abs(seconds - told["beats"][1:-1]).max() < 0.0031
    ones = grid.beat_of(np.array(told["downbeats"][1:-1]) * RATE, RATE) / 4
    assert np.abs(ones - np.round(ones)).max() < 0.01
    for edit in told["edits_s"]:
        assert any(
            b.frame - a.frame <= SEAM_S * RATE + 0.01 and abs(b.frame / RATE - edit) < 0.002
            for a, b in pairwise(anchors)
        )


def played(tempo):
    """Return beats of a tempo that is a function of the beat's number."""
    return 0.4 + np.append(0.0, np.cumsum([60 / tempo(n) for n in range(BEATS - 1)]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tempo", "anchors"),
    [
        (lambda n: 124 * (1 + 0.004 * np.sin(n / 14)), 40),
        (lambda n: 124 * (1 + 0.004 * n / BEATS), 20),
        (lambda n: 124.0 if n < 50 else 124.62, 16),
    ],
    ids=["wanders", "rises", "steps"],
)
def test_a_tempo_that_drifts_is_followed_by_few_anchors(tempo, anchors):
    beats = played(tempo)
    told = analysed(song(beats))
    assert told["variable"]
    assert told["edits_s"] == []
    assert off_ms(told["beats"], beats) < 8
    assert off_ms(told["downbeats"], beats[::4]) < 8
    assert len(told["grid"]["anchors"]) <= anchors
    holds_its_form(told)


@pytest.mark.slow
@pytest.mark.parametrize("jitter_ms", [0, 4])
def test_a_steady_tempo_has_one_anchor_and_no_edit(jitter_ms):
    beats = played(lambda _n: 124.0)
    late = np.random.default_rng(3).standard_normal(BEATS) * jitter_ms / 1000
    told = analysed(song(beats + late))
    assert not told["variable"]
    assert told["edits_s"] == []
    assert len(told["grid"]["anchors"]) == 1
    assert off_ms(told["beats"], beats) < 4


@pytest.mark.slow
def test_two_cuts_of_a_quarter_beat_are_no_drift():
    beats = played(lambda _n: 124.0)
    numbers = np.arange(BEATS)
    cut_s = 0.25 * 60 / 124
    moved = beats - cut_s * ((numbers >= 40).astype(float) + (numbers >= 76))
    told = analysed(song(moved, numbers))
    assert not told["variable"]
    assert len(told["edits_s"]) == 2
    for edit, number in zip(told["edits_s"], (40, 76), strict=True):
        assert abs(edit - moved[number]) < 2.0  # within a bar
    assert off_ms(told["beats"], moved) < 8
    holds_its_form(told)


@pytest.mark.slow
@pytest.mark.parametrize("beats_cut", [0.5, 0.3, 1.0, 2.0, 3.0])
def test_bars_count_from_the_downbeat_after_a_cut(beats_cut):
    beats = played(lambda _n: 124.0)
    numbers = np.arange(BEATS)
    keep = (numbers < 52 - np.ceil(beats_cut)) | (numbers >= 52)
    cut_s = beats_cut * 60 / 124
    moved = np.where(numbers >= 52, beats - cut_s, beats)[keep]
    if beats_cut % 1:  # the beat before the cut is played, and is cut short
        moved = np.where(numbers >= 52, beats - cut_s, beats)[keep | (numbers == 51)]
        keep |= numbers == 51
    told = analysed(song(moved, numbers[keep]))
    assert not told["variable"]
    assert told["bpm"] == 124.0
    assert len(told["edits_s"]) == 1
    assert abs(told["edits_s"][0] - (beats[52] - cut_s)) < 2.0  # within a bar
    assert off_ms(told["beats"], moved) < 8
    assert off_ms(told["downbeats"], moved[numbers[keep] % 4 == 0]) < 8
    assert len(told["grid"]["anchors"]) <= 4
    holds_its_form(told)


@pytest.mark.slow
def test_a_cut_of_half_a_beat_in_a_break_is_not_sure():
    beats = played(lambda _n: 124.0)
    moved = np.where(np.arange(BEATS) >= 56, beats - 0.5 * 60 / 124, beats)
    sound = song(moved)
    first, end = round((moved[44] - 0.01) * RATE), round((moved[68] - 0.01) * RATE)
    sound[first:end] = 0.05 * np.sin(2 * np.pi * 220 * np.arange(end - first) / RATE)
    told = analysed(sound)
    assert told["bpm"] == 124.0
    assert moved[43] < told["edits_s"][0] < moved[69]
    assert told["confidence"] < 0.5
    assert told["confidences"]["bar"] < 0.5
    holds_its_form(told)


@pytest.mark.slow
def test_a_new_phase_after_a_silence_starts_at_its_end():
    beats = played(lambda _n: 124.0)
    moved = np.where(np.arange(BEATS) >= 48, beats + 1.7, beats)
    told = analysed(song(moved))
    assert len(told["edits_s"]) == 1
    assert moved[47] < told["edits_s"][0] < moved[52]
    assert off_ms(told["beats"], moved) < 8
    assert off_ms(told["downbeats"], moved[::4]) < 8
    holds_its_form(told)


@pytest.mark.slow
@pytest.mark.parametrize("bars", [1, 2, 4])
def test_a_loop_has_the_tempo_of_its_length(bars):
    beats = np.arange(4 * bars) * 60 / 123.4
    seconds = 4 * bars * 60 / 123.4
    told = analysed(song(beats)[: round(seconds * RATE)])
    assert told["bpm"] == pytest.approx(123.4, abs=0.005)
    assert told["beats_per_bar"] == 4
    assert told["downbeats"] == pytest.approx(beats[::4], abs=0.001)


def test_straight_time_is_the_inverse_of_real_time_and_leaves_no_seam():
    line = np.array([0.0, 20.0])
    bent = np.array([20.7, 30.0, 40.0])
    one = Piece(0.0, 20.3, line, line, is_even=True)
    two = Piece(20.3, 41.0, bent, np.array([20.0, 29.5, 39.3]), is_even=False)
    warp = Warp((one, two)).numbered(2.0)
    times = np.concatenate([np.linspace(0, 20.29, 50), np.linspace(20.31, 41, 50)])
    assert warp.real(warp.straight(times)) == pytest.approx(times, abs=1e-9)
    on_beats = warp.on_beats(0.0, 0.5, 4)
    seam = np.array([on_beats.pieces[1].start_s])
    beat = on_beats.pieces[1].straight(seam) / 0.5
    assert beat == pytest.approx(np.round(beat), abs=1e-6)
    assert on_beats.pieces[0].straight(seam - SEAM_S)[0] < on_beats.pieces[1].straight(seam)[0]


def cut(losses: Floats) -> Warp:
    """Return 40 s at 120 BPM with a cut of half a beat, from 10 s on where these losses say."""
    line = np.array([0.0, 40.0])
    seam = Seam(10.0, 0.1, losses, is_clear=True)
    start_s = 10.0 + 0.1 * int(losses.argmin())
    one = Piece(0.0, start_s, line, line, is_even=True)
    two = Piece(start_s, 40.0, line, line + 0.25, is_even=True, seam=seam)
    return Warp((one, two)).numbered(2.0)


@pytest.mark.parametrize(("downbeat", "seam_s"), [(0.05, 13.75), (0.5, 14.25)])
def test_a_seam_lies_on_a_downbeat_that_fits_nearly_as_well_as_the_best_place(downbeat, seam_s):
    losses = np.full(80, 2.0)
    losses[42] = 0.0  # 14.2 s, on no beat of the piece that starts there
    losses[37:39] = downbeat  # 13.75 s, where its bar begins
    warp = cut(losses).on_beats(0.0, 0.5, 4)
    assert warp.seams_s == pytest.approx([seam_s])


def made(kind: str, seed: int) -> tuple[dict, dict]:
    piece = resampled(make_piece(kind, seed), RATE)
    return analyse_blocks([piece.sound]), piece.truth.as_json("", len(piece.sound) / RATE)


@pytest.mark.slow
def test_a_cut_where_both_sides_fit_alike_is_found_within_a_bar():
    told, truth = made("cut_half", 8111)
    assert len(told["edits_s"]) == 1
    assert abs(told["edits_s"][0] - truth["edits_s"][0]) < 1.01 * 4 * 60 / truth["bpm"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [("cut_beat", 105), ("cut_quarter", 9377)])
def test_cuts_and_a_break_that_fits_less_are_no_drift(kind, seed):
    told, truth = made(kind, seed)
    assert not told["variable"]
    assert told["bpm"] == truth["bpm"]
    assert len(told["edits_s"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 8111])
def test_a_quarter_of_a_bar_of_five_is_no_beat(seed):
    told, truth = made("five_four", seed)
    assert not told["variable"]
    assert told["bpm"] == truth["bpm"]
    assert told["beats_per_bar"] == 5


def test_few_points_stay_as_near_as_they_are_asked_to():
    x = np.linspace(0, 10, 200)
    y = np.sin(x)
    fx, fy = few(x, y, 0.05)
    assert len(fx) < 20
    assert np.abs(np.interp(x, fx, fy) - y).max() <= 0.05


@pytest.mark.slow
def test_music_in_five_whose_windows_say_another_tempo_is_constant():
    told, truth = made("five_four", 9613)
    assert not told["variable"]
    assert told["bpm"] == pytest.approx(truth["bpm"], abs=0.02)
