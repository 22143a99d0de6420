"""The meters of a report: EBU's cases, an independent meter, and signals of known measures."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest
from music import pink, song, write

from sfa_engine.bench.loudness_cases import RATE, readings, tone
from sfa_engine.mix.mastering.report import THIRDS_HZ
from sfa_engine.prep.analyse.loudness import k_weighting
from sfa_engine.prep.master.meter import CLIPPED_RUN, Meter, RunMeter, Slots, k_sections

CASES = 25


def measured(sound, rate=RATE, block=1 << 16):
    meter = Meter(rate)
    sound = np.asarray(sound, np.float32)
    for begin in range(0, len(sound), block):
        meter.take(sound[begin : begin + block])
    return meter.finish()


def both(side):
    return np.stack([side, side], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rate", [48_000, *(pytest.param(r, marks=pytest.mark.nightly) for r in (44_100, 96_000))]
)
def test_every_generated_case_of_tech_3341_and_3342_is_within_its_tolerance(rate):
    found = list(readings(rate))
    assert len(found) == CASES
    wrong = {each.name: each.error for each in found if not each.is_met}
    assert not wrong


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 192_000])
def test_the_first_case_is_right_at_any_rate(rate):
    report = measured(tone([(-23.0, 5.0)], rate), rate)
    assert report.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert report.short_max_lufs == pytest.approx(-23.0, abs=0.1)
    assert report.duration_s == 5.0


def test_the_weighting_for_any_rate_is_that_of_the_standard_at_48_khz():
    hz = np.array([20.0, 60.0, 1000.0, 4000.0, 16_000.0])
    z = np.exp(-2j * np.pi * hz / 48_000)
    powers = np.stack([z**0, z, z**2])
    ours = np.prod([(row[:3] @ powers) / (row[3:] @ powers) for row in k_sections(48_000)], axis=0)
    np.testing.assert_allclose(ours, k_weighting(hz), rtol=1e-6)


@pytest.mark.slow
def test_ffmpeg_reads_the_same_loudness_range_and_true_peak(tmp_path):
    sound = song(40.0, peak=0.9)
    sound[: 15 * RATE] *= 0.15
    path = write(tmp_path / "song.wav", sound)
    said = subprocess.run(
        ["ffmpeg", "-nostats", "-i", path, "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr.rpartition("Summary:")[2]
    their = {
        name: float(re.search(rf"{name}:\s+(-?[\d.]+)", said)[1]) for name in ("I", "LRA", "Peak")
    }
    report = measured(sound)
    assert report.integrated_lufs == pytest.approx(their["I"], abs=0.1)
    assert report.range_lu == pytest.approx(their["LRA"], abs=0.2)
    assert report.true_peak_dbtp == pytest.approx(their["Peak"], abs=0.2)
    assert report.range_lu > 5.0


def test_a_report_does_not_depend_on_the_size_of_blocks():
    sound = song(7.3, 44_100)
    whole = measured(sound, 44_100, len(sound))
    assert measured(sound, 44_100, 4_999) == whole
    assert measured(sound, 44_100, 100) == whole


def test_slots_are_cut_to_the_frame():
    slots = Slots(22_050, 2)  # 220.5 frames each
    sound = np.arange(2 * 22_050, dtype=np.float32).reshape(-1, 2)
    pieces, starts = zip(
        *(slots.take(sound[at : at + 777]) for at in range(0, len(sound), 777)), strict=True
    )
    assert sum(map(len, starts)) == 100
    np.testing.assert_array_equal(np.concatenate([*pieces, slots.rest]), sound)


def test_a_block_costs_as_much_after_hours_as_at_the_beginning(monkeypatch):
    looked = []
    edge = Slots._edge
    monkeypatch.setattr(Slots, "_edge", lambda self, slot: looked.append(slot) or edge(self, slot))
    slots = Slots(RATE, 2)
    slots._done = 3 * 3600 * 100
    _, starts = slots.take(np.zeros((RATE, 2), np.float32))
    assert len(starts) == 100
    assert len(looked) < 110


def test_a_peak_between_samples_in_the_last_frames_is_seen():
    late = np.zeros((RATE, 2))
    late[-6:, 0] = 0.6 * np.array([1, 1, -1, -1, 1, 1])
    report = measured(late)
    assert report.true_peak_dbtp > report.sample_peak_dbfs + 1.0


def test_unrelated_sides_lose_3_lu_in_mono_and_opposite_ones_nearly_all():
    noise = pink(8.0)
    assert measured(noise).mono_loss_lu == pytest.approx(3.0, abs=0.1)
    assert measured(both(noise[:, 0])).mono_loss_lu == 0.0
    opposite = measured(np.stack([noise[:, 0], -noise[:, 0]], axis=1))
    assert opposite.mono_loss_lu > 40.0
    assert opposite.correlation == -1.0
    assert opposite.side_db > 60.0


def test_correlation_in_the_bass_is_not_that_of_all():
    time = np.arange(6 * RATE) / RATE
    bass = np.sin(2 * np.pi * 60 * time)
    high = np.sin(2 * np.pi * 2000 * time)
    report = measured(0.2 * np.stack([bass + 4 * high, -bass + 4 * high], axis=1))
    assert report.low_correlation == pytest.approx(-1.0, abs=0.01)
    assert report.correlation > 0.8


def test_shares_are_those_of_the_power():
    time = np.arange(6 * RATE) / RATE
    levels = {60.0: 0.4, 300.0: 0.3, 1000.0: 0.2, 6000.0: 0.1}  # Hz: share
    sound = sum(np.sqrt(share) * np.sin(2 * np.pi * hz * time) for hz, share in levels.items())
    shares = measured(both(0.3 * sound)).shares
    assert list(shares.values()) == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0], abs=0.005)
    assert sum(shares.values()) == pytest.approx(1.0, abs=0.01)


def test_pink_noise_falls_by_3_db_an_octave_and_white_does_not():
    assert measured(pink(20.0)).slope_db_per_octave == pytest.approx(-3.0, abs=0.15)
    white = np.random.default_rng(1).standard_normal((20 * RATE, 2)) * 0.1
    report = measured(white)
    assert report.slope_db_per_octave == pytest.approx(0.0, abs=0.15)
    # of white noise a third octave has the part that it is wide
    at = THIRDS_HZ.index(1000.0)
    assert report.thirds_db[at] == pytest.approx(10 * np.log10(231 / 24_000), abs=0.3)


def test_an_offset_is_measured_on_each_side_and_is_no_bass():
    noise = pink(6.0, peak=0.1)
    report = measured(noise + np.array([0.02, -0.01]))
    assert report.dc == pytest.approx((0.02, -0.01), abs=1e-4)
    assert report.shares["below_120"] == pytest.approx(
        measured(noise).shares["below_120"], abs=0.02
    )


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1000])
def test_runs_at_full_scale_are_counted_over_the_borders_of_blocks(block):
    full = np.zeros((40, 2), np.float32)
    full[2:4] = 1.0  # two samples: none
    full[10:13, 0] = -1.0
    full[20:27, 1] = 1.0
    full[36:, :] = 32_767 / 32_768  # up to the end
    meter = RunMeter()
    for begin in range(0, len(full), block):
        meter.take(full[begin : begin + block])
    meter.finish()
    assert CLIPPED_RUN == 3
    assert (meter.count, meter.longest) == (4, 7)


def test_psr_is_the_least_of_loud_places():
    dense = both(0.5 * np.sign(np.sin(2 * np.pi * 200 * np.arange(6 * RATE) / RATE)))
    sound = np.concatenate([pink(6.0, peak=0.9), dense])
    report = measured(sound)
    assert report.psr_db < measured(sound[: 6 * RATE]).psr_db - 3.0
    assert report.plr_db == pytest.approx(report.true_peak_dbtp - report.integrated_lufs, abs=0.02)


def test_silence_has_no_measures_and_no_warnings():
    report = measured(np.zeros((RATE, 2)))
    assert report.is_silent
    assert report.plr_db is report.psr_db is report.correlation is report.mono_loss_lu is None
    assert set(report.shares.values()) == {0.0}
