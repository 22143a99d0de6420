"""Ticks and frames: exact on the grid, rounded once, the same way back."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.studio.tempo_map import MAX_TICK, TempoAnchor, TempoMap, check_tempo

RATE = 48_000


@st.composite
def maps(draw):
    anchors, tick, frame = [TempoAnchor(0, 0)], 0, 0
    for _ in range(draw(st.integers(0, 5))):
        beats = draw(st.integers(1, 64))
        tick += beats * 960
        frame += round(beats * 60 * RATE / draw(st.floats(30.0, 300.0)))
        anchors.append(TempoAnchor(tick, frame))
    return TempoMap(tuple(anchors), draw(st.floats(30.0, 300.0)))


@given(maps(), st.lists(st.integers(0, 1 << 20), min_size=2, max_size=20))
def test_frames_rise_with_ticks_and_the_way_back_is_the_same(tempo, ticks):
    check_tempo(tempo, RATE)
    ticks.sort()
    frames = [tempo.frame_of(tick, RATE) for tick in ticks]
    assert frames == sorted(frames)
    for tick, frame in zip(ticks, frames, strict=True):
        assert tempo.tick_of(frame, RATE) == tick  # a tick is longer than a frame up to 3000 BPM


@given(maps())
def test_a_frame_is_off_its_true_place_by_half_a_frame_at_most(tempo):
    for here, there in zip(tempo.anchors, tempo.anchors[1:], strict=False):
        assert tempo.frame_of(there.tick, RATE) == there.frame
        for tick in range(here.tick, there.tick, 1 + (there.tick - here.tick) // 7):
            share = Fraction(tick - here.tick, there.tick - here.tick)
            true = here.frame + share * (there.frame - here.frame)
            assert abs(tempo.frame_of(tick, RATE) - true) <= Fraction(1, 2)


def test_an_hour_of_beats_at_124_bpm_is_where_it_belongs():
    tempo = TempoMap(bpm=124.0)
    for beat in range(0, 7440, 97):
        assert tempo.frame_of(beat * 960, RATE) == round(Fraction(beat * 60 * RATE, 124))


@pytest.mark.parametrize(
    ("tempo", "says"),
    [
        (TempoMap(bpm=0.0), "invalid tempo 0 BPM"),
        (TempoMap(bpm=float("nan")), "invalid tempo nan BPM"),
        (TempoMap(bpm=1e9), "invalid tempo"),
        (TempoMap(beats_per_bar=0), "invalid bar of 0 beats"),
        (TempoMap(()), "begins at tick 0"),
        (TempoMap((TempoAnchor(0, 5),)), "begins at tick 0"),
        (TempoMap((TempoAnchor(0, 0), TempoAnchor(960, 0))), "must rise"),
        (TempoMap((TempoAnchor(0, 0), TempoAnchor(960, 10**9))), "would be"),
        (TempoMap((TempoAnchor(0, 0), TempoAnchor(MAX_TICK + 1, 10**9))), "invalid anchor"),
    ],
)
def test_a_map_that_cannot_be_played_is_refused(tempo, says):
    with pytest.raises(Refused, match=says):
        check_tempo(tempo, RATE)
