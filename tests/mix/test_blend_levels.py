"""Levels of a blend: fades, trims and the place of the basses keep it beside the louder track."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sfa_engine.bench.random_facts import made_track
from sfa_engine.mix.band_levels import STEPS, bass_steps, contributions
from sfa_engine.mix.basses import settle_basses
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.facts import LOUDNESS_HZ
from sfa_engine.mix.loudness import (
    LEAST_DB,
    MOST_OVER_LOUDER_DB,
    MOST_RAISE_DB,
    RAISE_DB,
    Muted,
    best_shape,
    levels_of,
)
from sfa_engine.mix.timeline import Timeline

BARS = 16
EACH = Candidate(104, 0, BARS, BARS)  # the outro of a made track onto the intro of another


def levelled(number, section, level, **changes):
    """Return a track, whose bass never stops, with one section of a loudness of its own."""
    track = made_track(number, seed=number, vocals_s=(), camelot="8A")
    span = next(s for s in track.sections if s.label == section)
    loudness = np.array(track.loudness)
    first, end = (round(t * LOUDNESS_HZ) for t in (span.start_s, span.end_s))
    loudness[first:end] = level
    loud = (0.0,) * len(track.bass_db)
    return Timeline(replace(track, loudness=tuple(loudness.tolist()), bass_db=loud, **changes))


def shape_of(out, into, exchange=None, each=EACH):
    exchange = exchange or settle_basses(out, into, each)
    muted = Muted(exchange, lambda _rise: 0.0)
    levels = levels_of(out, into, each, (1.0, 1.0), (0.0, 0.0))
    return best_shape(levels, each.bars, muted, known=True)


def test_the_outro_of_a_made_track_begins_where_the_tests_blend():
    out = levelled(1, "outro", -14.0)
    assert out.label_at(out.edges_s[EACH.out_bar]) == "outro"


@pytest.mark.parametrize("louder_db", [3.0, 4.5])
def test_a_louder_intro_comes_in_sooner(louder_db):
    out, into = levelled(1, "outro", -14.0), levelled(2, "intro", -14.0 + louder_db)
    shape = shape_of(out, into)
    equal = shape_of(out, levelled(2, "intro", -14.0))
    assert shape.rise < equal.rise
    assert shape.under_louder_db > LEAST_DB


def test_of_equals_the_fades_are_long_and_nothing_is_raised():
    shape = shape_of(levelled(1, "outro", -14.0), levelled(2, "intro", -14.0))
    assert min(shape.rise, shape.fall) >= 8
    assert max(shape.out_trim_db + shape.in_trim_db) == 0
    assert shape.over_louder_db < MOST_OVER_LOUDER_DB


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(-8, 8), st.floats(-8, 8), st.sampled_from([8, 16]))
def test_trims_are_raised_slowly_and_end_where_they_have_to(out_db, in_db, bars):
    each = EACH._replace(bars=bars, in_bars=bars)
    out, into = levelled(1, "outro", -14.0 + out_db), levelled(2, "intro", -14.0 + in_db)
    shape = shape_of(out, into, each=each)
    assert shape.out_trim_db[0] == 0
    assert shape.in_trim_db[-1] == 0
    for trims in (shape.out_trim_db, shape.in_trim_db):
        assert len(trims) == bars // 4 + 1
        assert max(trims) <= MOST_RAISE_DB
        raised = np.maximum(trims, 0)
        assert np.abs(np.diff(raised)).max() <= RAISE_DB


def test_a_track_is_raised_no_higher_than_it_is_elsewhere():
    outro, intro = -9.0, -5.0
    flat = {"loudness": (outro,) * len(made_track(1).loudness)}
    out = Timeline(replace(levelled(1, "outro", outro).facts, **flat))
    assert out.loudest_db == pytest.approx(outro + out.facts.gain_db, abs=0.01)
    shape = shape_of(out, levelled(2, "intro", intro))
    assert max(shape.out_trim_db) == 0


def bits(pattern):
    return sum(1 << n for n, sounds in enumerate(pattern) if sounds == "x")


def test_the_basses_change_early_where_the_outgoing_one_pauses():
    pauses, steady = bits("xxxxxxxxxxxx...x"), bits("x" * STEPS)
    out, into = (
        levelled(number, section, -14.0, bass_steps=(steps,) * len(made_track(number).bass_db))
        for number, section, steps in ((1, "outro", pauses), (2, "intro", steady))
    )
    early = settle_basses(out, into, EACH)
    assert early.bar == 4
    assert early.empty_bars == pytest.approx(4 * 3 / STEPS)
    late = settle_basses(into, out, EACH._replace(out_bar=104, in_bar=0))
    assert late.bar == BARS - 4


def test_the_basses_change_early_where_the_incoming_track_is_louder_and_has_most_of_it_in_lows():
    lows = {"lows": (0.85,) * 200}
    out = levelled(1, "outro", -16.0, **lows)
    into = levelled(2, "intro", -9.0, **lows)
    assert settle_basses(out, into, EACH).bar == 0
    assert settle_basses(out, levelled(2, "intro", -16.0, **lows), EACH).bar == 8


def test_a_blend_whose_basses_never_meet_needs_no_exchange():
    out, into = levelled(1, "outro", -14.0), levelled(2, "intro", -14.0)
    silent = Timeline(replace(into.facts, bass_db=(-40.0,) * len(into.facts.bass_db)))
    found = settle_basses(out, silent, EACH)
    assert not found.needed
    assert found.weak_db == 0


def test_shares_of_lows_and_drums_add_up_with_the_rest():
    quiet, loud = np.zeros((2, 4)), np.ones((2, 4))
    stems = {"drums": loud, "bass": quiet, "other": quiet}
    found = contributions(loud, stems)
    assert all(a + b == pytest.approx(1, abs=0.02) for a, b in zip(*found, strict=True))
    found = contributions(loud, {"drums": quiet, "bass": loud, "other": loud})
    assert found.kit == (0.0, 0.0)
    assert found.lows == (0.5, 0.5)
    alone = contributions(loud, {})
    assert 0 < alone.lows[0] < 1
    assert alone.kit == ()
    assert contributions(None, {}) == ((), ())
    assert contributions(quiet, {}).lows == (0.0, 0.0)


def test_a_bass_sounds_in_the_sixteenths_in_which_its_level_is_near_its_own():
    hz, bar_s = 150.0, 2.0
    half = np.concatenate([np.ones(150), np.zeros(150)])
    found = bass_steps(np.tile(half, 3), hz, np.arange(4) * bar_s)
    assert len(found) == 3
    sounds = [found[1] >> n & 1 for n in range(STEPS)]
    assert sounds[2:8] == [1] * 6
    assert sounds[10:15] == [0] * 5
    assert bass_steps(np.zeros(0), hz, np.arange(4) * bar_s) == ()
    assert bass_steps(np.zeros(900), hz, np.arange(4) * bar_s) == (0, 0, 0)
