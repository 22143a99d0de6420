"""What is louder than 16 bits hold: stored lower by a gain that is noted, and never clipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfa_engine.library.bundle import MAX_HEADROOM_DB, notes, write_bundle_arrays
from sfa_engine.prep.bundle_writer import write_bundle
from sfa_engine.prep.decode import decode
from sfa_engine.track.media import Bundle, read_bundle

RATE = 48_000


def tone(peak: float, hertz: float = 440.0) -> np.ndarray:
    wave = peak * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
    return np.column_stack((wave, wave)).astype(np.float32)


def written(folder: Path, **stems: np.ndarray) -> Bundle:
    path = folder / "x.sfa"
    write_bundle_arrays(path, stems, title="x", artist="", bpm=None, gain_db=-2.0)
    return read_bundle(path)


def played(bundle: Bundle, gain_db: float) -> list[np.ndarray]:
    """Return the stems as a deck has them, with the track's gain."""
    sounds = []
    for stem in bundle.stems:
        words = np.fromfile(stem.path, stem.dtype, offset=stem.offset_bytes).reshape(-1, 2)
        sounds.append(words.astype(np.float64) / 32768 * 10 ** (gain_db / 20))
    return sounds


@pytest.mark.parametrize("peak", [1.0001, 1.18, 1.995, 12.0])
def test_a_peak_over_full_scale_is_kept_and_the_gain_takes_the_headroom_back(tmp_path, peak):
    bundle = written(tmp_path, mix=tone(peak))
    track = bundle.track
    assert track.stems[0].clipped_samples == 0
    assert track.headroom_db == pytest.approx(20 * np.log10(peak), abs=0.011)
    assert track.gain_db == pytest.approx(-2.0 + track.headroom_db)
    (sound,) = played(bundle, track.gain_db + 2.0)
    np.testing.assert_allclose(sound, tone(peak), atol=peak / 60_000)
    assert "lower" in notes(track)[0]


def test_stems_are_all_lowered_alike_so_that_they_sum_to_the_mix(tmp_path):
    bundle = written(tmp_path, drums=tone(1.5), bass=tone(0.5, 60.0))
    drums, bass = played(bundle, bundle.track.headroom_db)
    np.testing.assert_allclose(drums, tone(1.5), atol=1e-4)
    np.testing.assert_allclose(bass, tone(0.5, 60.0), atol=1e-4)


def test_full_scale_itself_stays_bit_for_bit(tmp_path):
    bundle = written(tmp_path, mix=tone(1.0))
    assert (bundle.track.headroom_db, bundle.track.gain_db, notes(bundle.track)) == (0.0, -2.0, [])


def test_absurd_peaks_cost_no_resolution_and_are_clipped_and_told(tmp_path):
    sound = tone(0.5)
    sound[1000] = 1000.0
    track = written(tmp_path, mix=sound).track
    assert track.headroom_db == MAX_HEADROOM_DB
    assert track.stems[0].clipped_samples == 2
    assert "2 samples clipped" in notes(track)


def test_an_mp3_that_decodes_beyond_full_scale_is_not_clipped(tmp_path):
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "hot.mp3", np.sign(rng.standard_normal((2 * RATE, 2))), RATE)
    peak = np.abs(decode(tmp_path / "hot.mp3").sound).max()
    assert peak > 1.2
    sources = {"mix": tmp_path / "hot.mp3"}
    path = write_bundle(tmp_path / "x.sfa", sources, title="", artist="", bpm=None)
    track = read_bundle(path).track
    assert track.stems[0].clipped_samples == 0
    assert track.headroom_db == track.gain_db == pytest.approx(20 * np.log10(peak), abs=0.011)
