"""Test pieces: their truth is in their sound, and the same seed makes the same frames."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sfa_engine.bench.pieces import GROUPS, KINDS, edit, make_piece, write_piece
from sfa_engine.bench.pieces.__main__ import main
from sfa_engine.bench.pieces.club import HOUSE, club
from sfa_engine.bench.pieces.odd import loudness
from sfa_engine.bench.pieces.song import Clock, Part, Song, part, steady, wander
from sfa_engine.bench.pieces.style import Player
from sfa_engine.bench.pieces.truth import RATE, Piece, Truth
from sfa_engine.errors import Refused


def clicks(times: list[float], seconds: float) -> Piece:
    """A click at each time: what is done to a piece is read off them."""
    sound = np.zeros((round(seconds * RATE), 2), np.float32)
    for time in times:
        sound[round(time * RATE) : round(time * RATE) + 40] = 1.0
    truth = Truth(bpm=120.0, accept_bpm=[120.0], beats=times, downbeats=times[::4], drops=[])
    return Piece(sound, truth)


def heard(piece: Piece) -> np.ndarray:
    """Times of the clicks in a sound."""
    loud = np.abs(piece.sound[:, 0]) > 0.5
    starts = np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
    return starts[np.diff(starts, prepend=-9999) > 100] / piece.rate


def test_there_are_more_than_forty_kinds_and_every_group_has_some():
    assert len(KINDS) > 40
    assert {kind.group for kind in KINDS.values()} == set(GROUPS)


def test_a_steady_clock_counts_from_its_first_beat():
    clock = steady(120.0, 8, 0.3)
    assert [clock.at(beat) for beat in (0, 1, 1.5, 8)] == pytest.approx([0.3, 0.8, 1.05, 4.3])


def test_a_clock_steps_at_the_beat_whose_tempo_changes():
    clock = Clock(np.array([120.0, 120.0, 60.0, 60.0]), 0.0)
    assert clock.times.tolist() == [0.0, 0.5, 1.0, 2.0, 3.0]


def test_a_wandering_clock_stays_within_its_depth():
    periods = np.diff(wander(np.random.default_rng(1), 120.0, 200, 0.008, 0.0).times)
    assert 0.9 * 0.008 < np.abs(60.0 / periods / 120.0 - 1.0).max() <= 0.008 + 1e-9
    assert np.abs(np.diff(periods)).max() < 0.002 * 0.5  # no jump from beat to beat


def test_a_kick_starts_on_the_frame_of_its_beat():
    rng = np.random.default_rng(3)
    song = Song(rng, [part("verse", 4, "k")], steady(123.45, 16, 0.377))
    truth = Player(song, HOUSE).play()
    first = np.flatnonzero(np.abs(song.drums[:, 0]) > 1e-9)
    for beat in truth.beats:
        at = round(beat * RATE)
        after = first[first >= at]
        assert after[0] - at <= 2  # a sine's first frame is zero
    assert truth.bpm == 123.45
    assert truth.key is None
    assert len(truth.downbeats) == 4


def test_a_bar_of_two_moves_the_downbeats_that_follow():
    parts = [Part("verse", (4, 2), "k"), Part("drop", (4, 4), "k")]
    player = club(np.random.default_rng(1), HOUSE, parts, 120.0)
    truth = player.play()
    beats = np.array(truth.beats)
    assert [int(np.argmin(abs(beats - d))) for d in truth.downbeats] == [0, 4, 6, 10]
    assert truth.drops == [truth.downbeats[2]]
    assert [s["label"] for s in truth.sections] == ["verse", "drop"]


def test_a_cut_moves_beats_and_sound_alike():
    piece = clicks([0.1 + 0.5 * n for n in range(16)], 8.5)
    cut = edit.splice(piece, [(0.0, 4.1 - 0.25), (4.1, 8.5)])
    assert heard(cut) == pytest.approx(cut.truth.beats, abs=2 / RATE)
    assert np.diff(cut.truth.beats)[7] == pytest.approx(0.25)
    assert cut.truth.edits_s == pytest.approx([3.85], abs=2 / RATE)


def test_a_part_heard_twice_has_its_beats_twice():
    piece = clicks([0.1 + 0.5 * n for n in range(16)], 8.5)
    longer = edit.splice(piece, [(0.0, 4.1 + 0.25), (4.1, 8.5)])
    assert heard(longer) == pytest.approx(longer.truth.beats, abs=2 / RATE)
    assert len(longer.truth.beats) == 17


def test_silence_between_two_parts_has_no_beats():
    piece = clicks([0.1 + 0.5 * n for n in range(16)], 8.5)
    apart = edit.splice(piece, [(0.0, 4.1), (4.1, 8.5)], gap_s=1.37)
    assert heard(apart) == pytest.approx(apart.truth.beats, abs=2 / RATE)
    assert np.diff(apart.truth.beats).max() == pytest.approx(0.5 + 1.37, abs=1e-3)


def test_a_tape_moves_the_beats_with_the_sound():
    piece = clicks([0.1 + 0.5 * n for n in range(40)], 20.5)
    speed = 1.0 + 0.01 * np.sin(np.arange(0, 30, 0.25) / 3.0)
    moved = edit.tape(piece, speed, 0.25)
    assert heard(moved) == pytest.approx(moved.truth.beats, abs=3 / RATE)
    periods = np.diff(moved.truth.beats)
    assert np.ptp(periods) > 0.5 * 0.015
    assert not moved.truth.constant


def test_another_rate_keeps_the_times():
    piece = clicks([0.1 + 0.5 * n for n in range(8)], 4.5)
    assert heard(edit.resampled(piece, 48_000)) == pytest.approx(piece.truth.beats, abs=3 / RATE)


def test_the_loudness_of_a_sine_is_that_of_the_standard():
    t = np.arange(10 * 48_000) / 48_000
    sine = np.sin(2 * np.pi * 997 * t).astype(np.float32)
    # EBU Tech 3341: -3.01 LUFS for one side of full scale
    assert loudness(np.stack([sine, 0 * sine], axis=1)) == pytest.approx(-3.01, abs=0.02)


def test_an_unknown_kind_is_refused_with_one_like_it():
    with pytest.raises(Refused, match=r"house|hous"):
        make_piece("hous", 1)


def test_the_program_lists_the_kinds():
    said = CliRunner().invoke(main, ["--list"]).output
    assert all(name in said for name in KINDS)


@pytest.mark.slow
def test_the_same_seed_makes_the_same_file_and_another_one_another(tmp_path):
    first = write_piece("loop_2_bars", 5, tmp_path / "a")
    again = write_piece("loop_2_bars", 5, tmp_path / "b")
    other = write_piece("loop_2_bars", 6, tmp_path / "a")
    assert first.read_bytes() == again.read_bytes()
    assert zlib.crc32(first.read_bytes()) != zlib.crc32(other.read_bytes())
    said = json.loads(first.with_suffix(".json").read_text())
    assert said["file"] == first.name
    assert len(said["beats"]) == 8
    info = soundfile.info(first)
    assert info.frames == round(8 * 60 / said["bpm"] * RATE)
    assert said["duration"] == info.frames / RATE


@pytest.mark.slow
def test_the_sides_of_an_antiphase_piece_cancel():
    sound = make_piece("antiphase", 1).sound
    assert not (sound[:, 0] + sound[:, 1]).any()
    assert sound.std() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ["house", "cut_half", "tape_wow", "bar_of_two"])
def test_most_beats_of_a_piece_are_attacks_of_it(name):
    piece = make_piece(name, 4)
    moved = np.diff(piece.sound[:, 0].astype(np.float64), prepend=0.0) ** 2
    energy = np.concatenate([[0.0], np.cumsum(moved)])
    near = round(0.005 * piece.rate)
    at = np.array([round(beat * piece.rate) for beat in piece.truth.beats])
    at = at[(at > near) & (at < len(moved) - near)]

    def rises(place: np.ndarray) -> float:
        after = energy[place + near] - energy[place] + 1e-9
        before = energy[place] - energy[place - near] + 1e-9
        return float(np.mean(after > 2 * before))

    assert rises(at) > 0.6  # not in a break without drums
    assert rises(at + round(0.06 * piece.rate)) < 0.4


@pytest.mark.nightly
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_can_be_made(name):
    piece = make_piece(name, 9)
    truth = piece.truth
    assert np.isfinite(piece.sound).all()
    assert 0.1 < np.abs(piece.sound).max() <= 1.0
    assert (truth.bpm is None) == (not truth.beats)
    assert all(np.diff(truth.beats) > 0)
    assert set(truth.downbeats) <= set(truth.beats)
    length = len(piece.sound) / piece.rate
    assert all(0 <= beat < length for beat in truth.beats)
    assert truth.group == "signal" or 40 <= length < 100


def test_words_that_begin_late_are_cut_off_with_the_piece():
    assert len(make_piece("speech", 1003).sound) == 50 * RATE
