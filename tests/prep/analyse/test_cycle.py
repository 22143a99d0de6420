"""Chords that come back, and where others begin."""

from __future__ import annotations

import numpy as np
import pytest

from sfa_engine.prep.analyse.cycle import chord_cycle, other_chords


def bars(*roots: int, noise: float = 0.02) -> np.ndarray:
    """Major chords on these roots, a bar each, never quite the same."""
    rng = np.random.default_rng(3)
    tones = np.full((len(roots), 12), 0.1)
    for bar, root in enumerate(roots):
        tones[bar, [root % 12, (root + 4) % 12, (root + 7) % 12]] = 0.5
    return np.abs(tones + noise * rng.standard_normal(tones.shape))


VERSE, CHORUS = (0, 7, 9, 5), (5, 7, 0, 9)  # the same chords in another order


def test_chords_come_back_after_a_cycle():
    assert chord_cycle(bars(*(4 * VERSE + 2 * CHORUS + 4 * VERSE))) == 4


@pytest.mark.parametrize(("times", "cycle"), [(2, 8), (1, 4)])
def test_a_bar_told_as_two_makes_the_cycle_twice_as_long(times: int, cycle: int):
    roots = [root for root in 4 * VERSE + 4 * CHORUS for _ in range(times)]
    assert chord_cycle(bars(*roots)) == cycle


def test_two_bars_told_as_one_make_the_cycle_half_as_long():
    tones = bars(*(6 * VERSE + 6 * CHORUS))
    assert chord_cycle((tones[0::2] + tones[1::2]) / 2) == 2


@pytest.mark.parametrize("count", [8, 12, 13, 24, 25, 80])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_chord_that_stays_has_no_cycle_of_its_own_and_no_other_chords(count: int, noise: float):
    tones = bars(*([0] * count), noise=noise)
    assert chord_cycle(tones) == 4
    assert other_chords(tones, 4).max() < 0.1


def test_other_chords_begin_where_the_same_ones_follow_in_another_order():
    found = other_chords(bars(*(4 * VERSE + 2 * CHORUS + 4 * VERSE + 4 * CHORUS)), 4)
    assert np.flatnonzero(found).tolist() == [16, 24, 40]
    assert len(found) == 57
    assert found.max() == 1
