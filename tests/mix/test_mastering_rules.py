"""What a report leads to: platforms, remarks, and the steps of a chain."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from sfa_engine.errors import Refused
from sfa_engine.mix.mastering import chain, platforms
from sfa_engine.mix.mastering.chain import PRESETS, aim_of, level, plan
from sfa_engine.mix.mastering.equaliser import response_db
from sfa_engine.mix.mastering.report import THIRDS_HZ, Encoded, Report, remarks
from sfa_engine.mix.mastering.spectrum import matching_bands, slope_of

OCTAVES = np.log2(np.array(THIRDS_HZ) / 1000)


def thirds(slope):
    """Return third octaves whose power per hertz falls by a slope."""
    level_db = (slope + 10 * np.log10(2)) * OCTAVES
    level_db[:3] -= 20.0  # no rumble
    return tuple(float(each) for each in level_db - 10 * np.log10((10 ** (level_db / 10)).sum()))


FINISHED = Report(
    duration_s=200.0,
    rate=48_000,
    channels=2,
    integrated_lufs=-14.0,
    short_max_lufs=-11.0,
    momentary_max_lufs=-9.0,
    loudest_s=60.0,
    range_lu=6.0,
    true_peak_dbtp=-2.0,
    sample_peak_dbfs=-2.1,
    plr_db=12.0,
    psr_db=10.0,
    shares={
        "below_120": 0.38,
        "120_to_500": 0.3,
        "500_to_4k": 0.28,
        "4k_to_11k": 0.02,
        "above_11k": 0.02,
    },
    thirds_db=thirds(-5.0),
    slope_db_per_octave=-5.0,
    correlation=0.8,
    low_correlation=0.95,
    side_db=-12.0,
    mono_loss_lu=0.4,
    dc=(0.0, 0.0),
    clipped_runs=0,
    longest_run=0,
    level_95_db=-12.0,
)


def report(**changed):
    return msgspec.structs.replace(FINISHED, **changed)


def steps(aim="streaming", **changed):
    return plan(report(**changed), aim_of(aim))


def change(name, **changed):
    return next(each for each in platforms.changes(report(**changed)) if each["platform"] == name)


def test_a_finished_mix_needs_no_step_and_has_no_remark():
    for aim in PRESETS:
        assert steps(aim) == []
    assert remarks(FINISHED) == []
    assert level(FINISHED, aim_of("streaming"), -14.0).steps == ()


# ---------------------------------------------------------------------- platforms


def test_what_is_louder_will_be_turned_down_by_the_difference():
    found = change("YouTube", integrated_lufs=-8.8)
    assert found["sentence"] == "it will be turned down by 5.2 dB"
    assert found["change_db"] == -5.2
    assert change("Apple Music", integrated_lufs=-8.8)["change_db"] == -7.2
    assert change("Tidal")["sentence"] == "it stays as it is"


def test_quiet_music_is_raised_by_spotify_as_far_as_its_peaks_allow_and_not_by_youtube():
    quiet = {"integrated_lufs": -20.0}
    held = change("Spotify", **quiet)
    assert held["change_db"] == 1.0
    assert held["sentence"] == "it will be raised by 1.0 dB, up to a true peak of -1 dBTP"
    assert change("Spotify", **quiet, true_peak_dbtp=-9.0)["change_db"] == 6.0
    assert change("Spotify", **quiet, true_peak_dbtp=-0.5)["change_db"] == 0.0
    assert change("YouTube", **quiet)["sentence"] == "it stays as it is, 6.0 dB below the level"


def test_minus_2_dbtp_are_advised_of_what_is_louder_than_spotify():
    loud = change("Spotify", integrated_lufs=-9.0, true_peak_dbtp=-1.0)
    assert not loud["peak_ok"]
    assert "a true peak of -2 dBTP at most is advised" in loud["sentence"]
    assert change("Spotify", integrated_lufs=-14.0, true_peak_dbtp=-1.0)["peak_ok"]
    assert change("Spotify", integrated_lufs=-9.0, true_peak_dbtp=-2.0)["peak_ok"]


def test_broadcast_allows_one_lu():
    assert platforms.broadcast(report(integrated_lufs=-22.2)) == "within 1 LU of -23 LUFS"
    assert platforms.broadcast(report(integrated_lufs=-21.9)) == "1.1 LU above -23 LUFS"
    assert platforms.broadcast(report(integrated_lufs=-25.0)) == "2.0 LU below -23 LUFS"


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"plr_db": 7.9}, "crushed"),
        ({"clipped_runs": 3, "longest_run": 9}, "3 runs of 3 samples or more"),
        ({"low_correlation": 0.5}, "correlate by 0.50"),
        ({"mono_loss_lu": 6.0}, "in mono it loses 6.0 LU"),
        ({"channels": 1}, "mono: measured as it plays"),
        ({"channels": 6}, "6 channels: mixed down"),
        ({"silent_samples": 4}, "4 samples were not finite"),
        ({"truncated": True}, "ends early"),
        (
            {
                "encoded": Encoded(
                    codec="aac-256", true_peak_dbtp=0.4, overshoot_db=1.4, over_samples=9
                )
            },
            "after aac-256 the true peak is +0.4 dBTP",
        ),
    ],
)
def test_each_fault_has_its_remark(changed, word):
    (said,) = remarks(report(**changed))
    assert word in said


# ---------------------------------------------------------------------- steps


def test_an_offset_or_rumble_needs_a_high_pass():
    (step,) = steps(dc=(0.0, -0.01))
    assert (step.hz, step.reason) == (
        25.0,
        "an offset of -40 dBFS: no loudspeaker plays it",
    )
    rumbling = list(FINISHED.thirds_db)
    rumbling[0] = -13.0
    (step,) = steps(thirds_db=tuple(rumbling))
    assert "5 % of the power around 20 Hz" in step.reason


@pytest.mark.parametrize(
    ("share", "gain_db"),
    [(0.05, 3.0), (0.12, 0.8), (0.14, None), (0.45, None), (0.55, -1.7), (0.9, -3.0)],
)
def test_bass_is_brought_into_the_usual_range_by_3_db_at_most(share, gain_db):
    shares = FINISHED.shares | {"below_120": share}
    found = [step for step in steps(shares=shares) if isinstance(step, chain.Equaliser)]
    if gain_db is None:
        assert not found
    else:
        assert found[0].bands[0].shape == "low_shelf"
        assert found[0].bands[0].gain_db == pytest.approx(gain_db, abs=0.05)


def test_a_third_octave_that_stands_out_is_lowered_and_a_note_of_the_bass_is_not():
    for hz, lowered in ((1000.0, True), (80.0, False)):
        out = list(FINISHED.thirds_db)
        at = int(np.argmin(np.abs(np.array(THIRDS_HZ) - hz)))
        out[at] += 7.0
        bands = [
            b
            for s in steps(thirds_db=tuple(out))
            if isinstance(s, chain.Equaliser)
            for b in s.bands
        ]
        assert any(band.shape == "bell" and band.hz == hz for band in bands) is lowered
        assert all(abs(band.gain_db) <= 3.0 for band in bands)


def test_a_bass_that_is_not_mono_is_made_so():
    (step,) = steps(low_correlation=0.5)
    assert step == chain.MonoBass(hz=120.0, reason=step.reason)
    assert not steps(low_correlation=0.8)
    assert not steps(low_correlation=None)


@pytest.mark.parametrize(
    ("range_lu", "ratio", "most_db"), [(15.9, None, None), (16.4, 1.5, 0.7), (25.0, 2.0, 2.0)]
)
def test_the_compressor_takes_2_db_at_most_and_only_of_a_wide_range(range_lu, ratio, most_db):
    found = steps(range_lu=range_lu)
    if ratio is None:
        assert not found
        return
    (step,) = found
    assert (step.ratio, step.most_db) == (ratio, most_db)
    assert 10.0 <= step.attack_ms <= 30.0
    # so much is taken from what 95 % of the sound do not exceed
    over = FINISHED.level_95_db - step.threshold_db
    assert over * (1 - 1 / ratio) == pytest.approx(most_db, abs=0.1)


@pytest.mark.parametrize(("slope", "tilt"), [(-3.0, -3.0), (-4.0, None), (-6.4, None), (-7.0, 3.0)])
def test_a_spectrum_that_falls_otherwise_is_tilted_by_3_db_at_most(slope, tilt):
    found = steps(thirds_db=thirds(slope), slope_db_per_octave=slope)
    if tilt is None:
        assert not found
        return
    (step,) = found
    low, high = step.bands
    assert high.gain_db - low.gain_db == pytest.approx(tilt, abs=0.01)
    after = np.array(thirds(slope)) + response_db(step.bands, THIRDS_HZ, 48_000)
    assert abs(slope_of(list(after)) + 5.0) < abs(slope + 5.0)


def test_a_reference_of_the_same_sound_needs_nothing():
    assert plan(FINISHED, aim_of(), FINISHED) == []


def test_matching_bands_come_nearer_to_the_reference():
    have, want = np.array(thirds(-5.0)), np.array(thirds(-5.0))
    want[8:14] += 2.5  # 125 to 400 Hz
    want[22:] -= 2.0
    bands = matching_bands(list(have), list(want), 48_000, most_db=3.0, least_db=0.5)
    after = have + response_db(bands, THIRDS_HZ, 48_000)

    def far(level_db):
        apart = want - level_db
        return float(np.std(apart))

    assert far(after) < 0.5 * far(have)
    assert all(0.5 <= abs(band.gain_db) <= 3.0 for band in bands)


def test_the_side_follows_a_reference_by_3_db_at_most():
    aim = aim_of()
    (step,) = plan(FINISHED, aim, report(side_db=-20.0))
    assert step.gain_db == -3.0
    assert plan(FINISHED, aim, report(side_db=-120.0)) == []  # a mono reference


def test_silence_is_refused():
    silent = report(integrated_lufs=-70.0)
    with pytest.raises(Refused, match="the file is silent"):
        plan(silent, aim_of())
    with pytest.raises(Refused, match="the reference is silent"):
        plan(FINISHED, aim_of(), silent)


# ---------------------------------------------------------------------- gain and limiter


def test_a_target_is_met_by_gain_and_the_limiter_holds_the_peak():
    found = level(report(integrated_lufs=-15.5, true_peak_dbtp=-1.2), aim_of("streaming"), -15.5)
    gain, limiter = found.steps
    assert gain.gain_db == 1.5
    assert limiter.ceiling_dbtp == -1.0
    assert found.goal_lufs == -14.0
    assert "1.3 dB over -1" in limiter.reason


def test_the_limiter_takes_no_more_than_it_may():
    found = level(report(integrated_lufs=-20.0), aim_of("club"), -20.0)
    assert found.steps[0].gain_db == pytest.approx(-1.0 + 3.0 - 0.2 + 2.0)
    assert found.goal_lufs is None
    assert "8.2 dB short of it, for the limiter may take 3 dB" in found.steps[0].reason


def test_streaming_leaves_what_is_loud_and_takes_the_ceiling_that_is_advised_for_it():
    loud = report(integrated_lufs=-9.0, true_peak_dbtp=-0.5)
    found = level(loud, aim_of("streaming"), -9.0)
    assert [type(step) for step in found.steps] == [chain.Limiter]
    assert found.steps[0].ceiling_dbtp == -2.0
    (down,) = level(loud, aim_of("streaming", target_lufs=-14.0), -9.0).steps
    assert down.gain_db == -5.0
    (down,) = level(loud, aim_of("broadcast"), -9.0).steps
    assert down.gain_db == -14.0


def test_what_steps_took_from_the_loudness_is_given_back_where_there_is_no_target():
    found = level(report(integrated_lufs=-12.0, true_peak_dbtp=-6.0), aim_of("dj"), -10.5)
    assert found.steps[0].gain_db == 1.5
    assert "as loud as before" in found.steps[0].reason


def test_the_loudness_of_a_reference_is_the_target_unless_one_is_given():
    reference = report(integrated_lufs=-10.04)
    assert aim_of(reference=reference).target_lufs == -10.0
    assert aim_of(reference=reference, target_lufs=-12.0).target_lufs == -12.0
