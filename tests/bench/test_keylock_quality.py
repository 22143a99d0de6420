"""The quality of keylock, as `sfa bench perform` gives it."""

import numpy as np
import pytest

from sfa_engine.bench import keylock, keylock_material


@pytest.mark.nightly
def test_keylock_at_8_percent_is_as_good_as_promised(monkeypatch):
    monkeypatch.setattr(keylock, "SECONDS", 5.0)
    figures = {figure["name"]: figure for figure in keylock.bench_keylock((8,))}
    assert figures["keylock_onset_error_max_ms_8pct"]["value"] <= 0.03
    assert figures["keylock_pre_echo_db_8pct"]["value"] < -60.0
    assert figures["keylock_hsnr_db_8pct"]["value"] >= 25.0
    assert figures["keylock_mix_lsd_db_8pct"]["ratio"] < 0.8  # of the same without keylock


def test_the_measures_see_what_is_wrong():
    frequencies = keylock_material.partials(keylock_material.TRIAD)
    clean = keylock_material.chord(3.0, keylock_material.TRIAD, 2.0)
    assert np.median(keylock.harmonic_snr_db(clean, frequencies)) > 60.0
    hiss = np.random.default_rng(0).standard_normal(clean.shape) * clean.std() / 10
    noisy = keylock.harmonic_snr_db(clean + hiss.astype(np.float32), frequencies)
    assert np.median(noisy) == pytest.approx(20.0, abs=0.5)
    assert keylock.spectral_distance_db(clean, clean) == 0.0
    assert keylock.spectral_distance_db(clean, 2 * clean) > 0.5
    stem, (onset, *_) = keylock_material.hits(3.0, 1.0, keylock_material.kick)
    late = np.roll(stem, 48, axis=0).mean(axis=1)
    assert keylock.attack(late, onset) - keylock.attack(stem.mean(axis=1), onset) == 48


def test_rubber_band_is_measured_by_the_same_distance(monkeypatch, tmp_path):
    program = tmp_path / keylock.RUBBER_BAND
    program.write_text('#!/bin/sh\ncp "$3" "$4"\n')  # its answer at the original tempo
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(keylock, "SECONDS", 3.0)
    assert keylock.rubber_band_distance_db(1.0) == pytest.approx(0.0, abs=1e-6)
    assert keylock.rubber_band_distance_db(1.08) > 2.0
