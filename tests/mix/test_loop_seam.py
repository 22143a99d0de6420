"""The seam of a loop, measured in sound that is known."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.mix.loop_seam import JOIN_S, Seam, fault, joined, measure

RATE = 48_000


def sine(hertz: float, frames: int, level: float = 0.5, first: int = 0) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * hertz * (first + np.arange(frames)) / RATE)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def test_a_sound_that_goes_on_as_it_began_has_no_seam() -> None:
    loop, after = sine(100.0, RATE), sine(100.0, RATE // 2, first=RATE)
    seam = measure(loop, after, RATE)
    assert seam.level_db == pytest.approx(0.0, abs=0.01)
    assert seam.spectrum_db == pytest.approx(0.0, abs=0.1)
    assert (seam.correlation, seam.clicks) == (pytest.approx(1.0, abs=1e-3), False)
    assert fault(loop, seam, is_voice=False) == ""


def test_a_step_of_level_and_another_sound_are_measured_and_refused() -> None:
    loop = sine(100.0, RATE)
    quiet = measure(loop, sine(100.0, RATE // 2, level=0.1, first=RATE), RATE)
    assert quiet.level_db == pytest.approx(20 * np.log10(5), abs=0.05)
    assert "a step of +14.0 dB" in fault(loop, quiet, is_voice=False)
    other = measure(loop, sine(3000.0, RATE // 2, first=RATE), RATE)
    assert other.spectrum_db is not None
    assert other.spectrum_db > 6.0
    assert "sounds different at its seam" in fault(loop, other, is_voice=False)
    assert fault(loop, other, is_voice=True) == ""  # a voice need not go on so


def test_a_jump_of_the_wave_is_a_click_and_the_join_takes_it_away() -> None:
    loop = sine(110.0, RATE + 109)  # a quarter of a wave too long
    assert measure(loop, loop[:0], RATE).clicks
    assert not measure(sine(110.0, RATE), loop[:0], RATE).clicks
    before = sine(110.0, RATE, first=-RATE)
    made = joined(loop, before, RATE)
    count = round(JOIN_S * RATE)
    assert len(made) == len(loop)
    assert np.array_equal(made[:-count], loop[:-count])
    assert np.array_equal(made[-1], before[-1])
    assert not measure(made, loop[:0], RATE).clicks


def test_at_the_track_s_start_a_join_fades_out() -> None:
    loop = sine(110.0, RATE + 109)
    made = joined(loop, loop[:0], RATE)
    assert np.abs(made[-1]).max() == 0.0
    assert not measure(made, loop[:0], RATE).clicks


def test_nothing_behind_silence_and_broken_samples() -> None:
    loop = sine(100.0, RATE)
    alone = measure(loop, loop[:100], RATE)
    assert alone == Seam(None, None, None, clicks=False)
    assert fault(loop, alone, is_voice=False) == ""
    silence = np.zeros((RATE, 2), np.float32)
    seam = measure(silence, silence, RATE)
    assert seam == Seam(0.0, 0.0, 1.0, clicks=False)
    assert fault(silence, seam, is_voice=True) == "is silent"
    loop[5, 0] = np.nan
    assert fault(loop, alone, is_voice=False) == "has samples that are no numbers"
