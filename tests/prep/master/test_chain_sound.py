"""What each step of a chain does to sound, measured on what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from music import pink, song

from sfa_engine.engine.command import Op
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import MasterLimiter, Offline
from sfa_engine.mix.mastering import chain
from sfa_engine.mix.mastering.equaliser import Band, response_db
from sfa_engine.mix.mastering.report import THIRDS_HZ
from sfa_engine.prep.master.meter import Meter
from sfa_engine.prep.master.process import Compression, Rendering

RATE = 48_000


def rendered(sound, *steps, rate=RATE, block=10_000):
    blocks = (sound[at : at + block].astype(np.float32) for at in range(0, len(sound), block))
    return np.concatenate(list(Rendering(steps, rate).run(blocks)))


def measured(sound, rate=RATE):
    meter = Meter(rate)
    meter.take(sound.astype(np.float32))
    return meter.finish()


def rms_db(sound):
    return 10 * np.log10(np.mean(np.square(sound, dtype=float)))


def tone(hz, level_db, seconds=2.0):
    side = 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([side, side], axis=1)


def test_an_empty_chain_changes_no_sample():
    sound = pink(1.0).astype(np.float32)
    np.testing.assert_array_equal(rendered(sound), sound)


@pytest.mark.parametrize("shape", ["bell", "low_shelf", "high_shelf"])
@pytest.mark.parametrize("gain_db", [-3.0, 2.0])
def test_the_equaliser_does_what_its_response_says(shape, gain_db):
    bands = (Band(shape=shape, hz=800.0, gain_db=gain_db),)
    before, sound = pink(20.0), None
    sound = rendered(before, chain.Equaliser(bands=bands, reason=""))
    hz = np.array(THIRDS_HZ)
    apart = np.array(measured(sound).thirds_db) - np.array(measured(before).thirds_db)
    wanted = response_db(bands, hz, RATE)
    apart += (wanted - apart).mean()  # shares are of another whole
    np.testing.assert_allclose(apart, wanted, atol=0.15)
    far = {"bell": 0.0, "low_shelf": 0.0, "high_shelf": gain_db}[shape]
    assert response_db(bands, [19_000.0], RATE)[0] == pytest.approx(far, abs=0.05)
    at_corner = gain_db if shape == "bell" else gain_db / 2
    assert response_db(bands, [800.0], RATE)[0] == pytest.approx(at_corner, abs=0.01)


def test_the_high_pass_removes_an_offset_and_leaves_40_hz():
    step = chain.HighPass(hz=25.0, reason="")
    sound = rendered(tone(40.0, -12.0, 8.0) + 0.1, step)
    assert abs(sound[RATE:].mean()) < 1e-4
    assert rms_db(sound[RATE:]) == pytest.approx(-15.0, abs=0.7)


def test_the_bass_becomes_mono_and_the_rest_stays_wide():
    step = chain.MonoBass(hz=120.0, reason="")
    sound = pink(10.0)
    before, after = measured(sound), measured(rendered(sound, step))
    assert before.low_correlation < 0.1
    assert after.low_correlation > 0.85
    high = pink(10.0)
    high[1:] -= 0.95 * high[:-1].copy()
    assert measured(rendered(high, step)).correlation == pytest.approx(0.0, abs=0.1)
    middle = tone(60.0, -12.0)
    np.testing.assert_allclose(rendered(middle, step), middle, atol=1e-6)


def test_the_side_is_changed_by_its_gain():
    sound = pink(5.0)
    wide = measured(rendered(sound, chain.Width(gain_db=2.0, reason="")))
    assert wide.side_db - measured(sound).side_db == pytest.approx(2.0, abs=0.01)


def test_the_compressor_takes_its_ratio_above_the_threshold_and_nothing_below():
    step = chain.Compressor(threshold_db=-20.0, ratio=2.0, most_db=9.0, reason="")
    for level_db, taken_db in ((-30.0, 0.0), (-16.0, 0.5 * (20.0 - 16.0 - 3.01)), (-9.0, 3.995)):
        sound = tone(1000.0, level_db)
        taken = rms_db(sound[RATE:]) - rms_db(rendered(sound, step)[RATE:])
        assert taken == pytest.approx(taken_db, abs=0.05)


def test_the_compressor_never_takes_more_than_it_may():
    step = chain.Compressor(threshold_db=-40.0, ratio=2.0, most_db=2.0, reason="")
    work = Compression(step, RATE)
    work.run(song(3.0, peak=0.9))
    assert 1.9 < work.most_db <= 2.0


@pytest.mark.parametrize("block", [1, 47, 48, 1000, 100_000])
def test_the_compressor_does_not_depend_on_the_size_of_blocks(block):
    step = chain.Compressor(threshold_db=-25.0, ratio=2.0, most_db=2.0, reason="")
    sound = song(0.5)
    whole = rendered(sound, step, block=len(sound))
    assert len(whole) == len(sound)
    np.testing.assert_allclose(rendered(sound, step, block=block), whole, atol=1e-7)


@pytest.mark.slow
def test_the_limiter_is_that_of_the_master():
    noise = (pink(2.0, peak=1.0) * 3).astype(np.float32)

    def played(*, limited):
        engine = Offline(RATE, 2)
        engine.load(0, {"mix": noise}, rate=RATE)
        engine.set("deck1.assign", 2)
        engine.set("master.limiter.on", float(limited))
        engine.set("master.limiter.ceiling", -1.0)
        engine.set("master.limiter.release", 100.0)
        engine.render(3200)
        engine.push(Command(Op.PLAY, deck=0, x=1.0))
        return engine.render(RATE)

    free, limited = played(limited=False), played(limited=True)
    assert np.abs(free).max() > 2.0
    ours = MasterLimiter(RATE, -1.0, 100.0)
    late = ours.latency
    done = np.concatenate([ours.run(free[:7001]), ours.run(free[7001:])])
    np.testing.assert_allclose(done[late:], limited[:-late], atol=2e-6)
    assert ours.reduction_db > 6.0


@pytest.mark.slow
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 192_000])
def test_the_limiter_holds_the_true_peak_at_any_rate_and_keeps_the_length(rate):
    sound = pink(3.0, rate, peak=2.0)
    step = chain.Limiter(ceiling_dbtp=-1.0, reason="")
    out = rendered(sound, step, rate=rate)
    assert len(out) == len(sound)
    assert measured(out, rate).true_peak_dbtp <= -0.95
    quiet = 0.1 * sound
    np.testing.assert_array_equal(rendered(quiet, step, rate=rate), quiet.astype(np.float32))
