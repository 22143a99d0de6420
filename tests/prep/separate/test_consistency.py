"""Stems are brought to sum to their mix, and nothing sounds where nothing did."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.prep.separate.chunks import Chunking, in_chunks
from sfa_engine.prep.separate.consistency import BLOCK_FRAMES, Null, make_consistent


def noise(frames, seed, gain=0.3):
    return (np.random.default_rng(seed).standard_normal((frames, 2)) * gain).astype(np.float32)


@pytest.mark.parametrize("frames", [1, 2047, 2048, 2049, BLOCK_FRAMES, BLOCK_FRAMES + 5000])
def test_the_sum_is_the_mix_to_the_rounding(frames):
    mix = noise(frames, 0)
    stems = {name: noise(frames, seed) for seed, name in enumerate(("vocals", "drums", "other"))}
    make_consistent(mix, stems, lambda _: None)
    null = Null()
    null.add(mix, stems)
    assert null.peak_db < -120.0


def test_a_silent_stem_stays_silent():
    mix = noise(10_000, 0)
    stems = {"vocals": np.zeros_like(mix), "drums": noise(10_000, 1), "other": noise(10_000, 2)}
    make_consistent(mix, stems, lambda _: None)
    assert not stems["vocals"].any()


def test_where_all_are_silent_the_rest_goes_to_other():
    mix = noise(10_000, 0)
    stems = {name: np.zeros_like(mix) for name in ("vocals", "other", "drums")}
    make_consistent(mix, stems, lambda _: None)
    np.testing.assert_array_equal(stems["other"], mix)


def test_stems_that_sum_already_are_not_changed():
    parts = {"vocals": noise(9_000, 1), "other": noise(9_000, 2)}
    mix = (parts["vocals"].astype(float) + parts["other"]).astype(np.float32)
    stems = {name: part.copy() for name, part in parts.items()}
    make_consistent(mix, stems, lambda _: None)
    for name, part in parts.items():
        np.testing.assert_allclose(stems[name], part, atol=1e-6)


def test_a_difference_is_measured_in_db():
    null = Null()
    mix = np.full((10, 2), 0.5, np.float32)
    null.add(mix, {"other": mix * 0.8})
    assert null.peak_db == pytest.approx(-20.0, abs=1e-4)


@given(
    frames=st.integers(1, 5000),
    chunk=st.integers(2, 800),
    fade=st.integers(0, 400),
)
def test_chunks_cover_a_track_and_sum_to_it(frames, chunk, fade):
    chunking = Chunking(chunk, min(fade, chunk // 2))
    mix = noise(frames, 4)
    stems = {"drums": np.zeros_like(mix), "other": np.zeros_like(mix)}
    shares = []

    def half(sound, progress):
        progress(0.5)
        return {"drums": sound * 0.25, "other": sound * 0.75}

    in_chunks(mix, stems, chunking, half, shares.append)
    np.testing.assert_allclose(stems["drums"], mix * 0.25, atol=1e-6)
    np.testing.assert_allclose(stems["drums"] + stems["other"], mix, atol=1e-6)
    assert shares == sorted(shares)
    assert all(end - begin <= chunk * 3 // 2 for begin, end in chunking.bounds(frames))
