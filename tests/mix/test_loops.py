"""Where loops are found: on made levels whose loops, fills, builds and pauses are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from sfa_engine.bench.random_facts import made_track
from sfa_engine.mix.facts import Section, TrackFacts
from sfa_engine.mix.loops import MOST, LoopPlace, cut, find_loops, in_turn, why_not
from sfa_engine.track.grid import Anchor, Grid

HZ = 150.0
BPM = 120.0
BEAT_S = 0.5


def levels(bars: list[str], beats_per_bar: int = 4, first_s: float = 0.0) -> np.ndarray:
    """Return peaks of bars by letters: each has hits of its own; "." is a silent one."""
    beat = round(BEAT_S * HZ)
    parts = [np.zeros((round(first_s * HZ), 4))]
    for letter in bars:
        bar = np.zeros((beat * beats_per_bar, 4))
        if letter != ".":
            chance = np.random.default_rng(ord(letter))
            for step in range(4 * beats_per_bar):
                strength = chance.uniform(0.0, 1.0, 3) ** 3
                at = round(step * beat / 4)
                end = round((step + 1) * beat / 4)
                shape = np.exp(-np.arange(end - at) / 8.0)[:, None]
                bar[at:end, 1:] = 0.6 * strength * shape
            bar[:, 0] = bar[:, 1:].max(axis=1)
        parts.append(bar)
    return np.concatenate(parts)


def track(bars: int, **changes: object) -> TrackFacts:
    return made_track(
        bpm=BPM, first_s=0.0, bars={"verse": bars}, **{"sections": (), "vocals_s": (), **changes}
    )


def found(text: str, beats: int, stem: str = "drums", **changes: object) -> list[LoopPlace]:
    facts = track(len(text), length_s=len(text) * 2.0, **changes)
    return find_loops(facts, {stem: (levels(list(text)), HZ)}, stem, beats)


def bars_of(places: list[LoopPlace]) -> list[int]:
    return [place.beat // 4 for place in places]


def test_the_loop_that_the_track_itself_repeats_is_the_best() -> None:
    places = found("xyzwABABuvqr", 8)
    assert bars_of(places)[0] == 4
    best = places[0]
    assert best.seam_db == 0.0
    assert (best.start_s, best.bpm, best.beats, best.stem) == (8.0, 120.0, 8, "drums")
    assert "its end leads back within 0.0 dB" in best.why
    assert [place.cost for place in places] == sorted(place.cost for place in places)


def test_loops_lie_apart_and_no_two_are_alike() -> None:
    places = found("AAAAAAAABBBBBBBB", 4)
    assert len(places) == 2  # one of each pattern
    assert {bars_of([place])[0] // 8 for place in places} == {0, 1}
    many = found("AABBCCDDEEFF", 4)
    assert len(many) == MOST
    starts = sorted(bars_of(many))
    assert all(b - a >= 1 for a, b in pairwise(starts))


def test_a_bar_that_is_silent_is_in_no_loop() -> None:
    places = found("AA.AAAA.AA", 8)
    assert places
    for place in places:
        bar = place.beat // 4
        assert "." not in "AA.AAAA.AA"[bar : bar + 2]
    assert found("." * 12, 8) == []


def test_a_loop_that_ends_in_a_fill_costs_more() -> None:
    places = found("AAAFAAAAAAAA", 16)
    assert "F" not in "AAAFAAAAAAAA"[places[0].beat // 4 :][:4]
    with_fill = found("AAAFAAAF", 16)  # nothing else
    assert not with_fill or with_fill[0].cost > places[0].cost


def test_a_build_is_no_loop_by_its_name_and_by_its_rise() -> None:
    sections = (Section(0.0, 16.0, "build"), Section(16.0, 32.0, "drop"))
    places = found("AAAAAAAAAAAAAAAA", 8, sections=sections)
    assert places
    assert all(place.section == "drop" for place in places)
    facts = track(8, length_s=16.0)
    rising = levels(["A"] * 8) * np.repeat(10 ** (np.arange(8) * 7 / 20 - 2.5), 300)[:, None]
    assert find_loops(facts, {"drums": (rising, HZ)}, "drums", 16) == []


def test_a_phrase_of_its_section_is_preferred() -> None:
    sections = (Section(0.0, 6.0, "intro"), Section(6.0, 40.0, "drop"))
    places = found("xyzAAAAAAAAAAAAAAAAA", 16, sections=sections)
    assert places[0].beat // 4 in {3, 7, 11, 15}  # bars 1, 5, 9 of the drop
    assert "of the drop" in places[0].why


def test_vocals_are_not_cut_in_a_line() -> None:
    def sung(text: str, beats: int) -> list[int]:
        each = np.repeat([0.0 if bar == "." else 0.4 for bar in text], 300)
        values = np.repeat(each[:, None], 4, axis=1)
        facts = track(len(text), length_s=len(text) * 2.0)
        return bars_of(find_loops(facts, {"vocals": (values, HZ)}, "vocals", beats))

    assert sung(".AAAA.BBBB.", 8) == []  # only from rest to rest
    assert sung(".AAAA.BBBB.", 16) == [6]  # the other one is alike, and further off a phrase
    assert sung("..AA....AAAA....", 16)[0] == 8
    assert sung("....A...B...", 8)[0] in {3, 4}
    assert sung("....A.......", 16) == []  # a rest for the most


def test_a_voice_is_not_cut_in_the_whole_mix() -> None:
    whole = found("ABABABAB", 8, "mix", vocals_s=((3.0, 5.0), (6.5, 7.5)))
    assert whole
    assert all(
        not (start < edge < end)
        for place in whole
        for edge in (place.start_s, place.start_s + 4.0)
        for start, end in ((3.0, 5.0), (6.5, 7.5))
    )


def test_what_a_separation_leaves_of_other_stems_is_no_loop() -> None:
    loud, quiet = levels(list("ABABABAB")), 0.01 * levels(list("ABABABAB"))
    facts = track(8, length_s=16.0)
    both = {"mix": (loud, HZ), "drums": (quiet, HZ)}
    assert find_loops(facts, both, "drums", 8) == []
    assert find_loops(facts, {**both, "drums": (loud, HZ)}, "drums", 8)
    assert find_loops(facts, both, "bass", 8) == []


def test_a_loop_is_within_the_track_and_of_one_tempo() -> None:
    short = found("AB", 16)
    assert short == []
    whole = found("AB", 8)  # a file that is one loop: nothing follows
    assert [(place.beat, place.seam_db) for place in whole] == [(0, None)]
    drift = Grid((Anchor(0.0, 0.0), Anchor(96_000.0, 4.0), Anchor(180_000.0, 8.0)), 120.0)
    facts = track(8, length_s=16.0, grid=drift)
    places = find_loops(facts, {"drums": (levels(list("AAAAAAAA")), HZ)}, "drums", 8)
    assert 0 not in [place.beat for place in places]
    seam = Grid((Anchor(0.0, 0.0), Anchor(95_990.0, 3.5), Anchor(96_000.0, 4.0)), 120.0)
    facts = track(8, length_s=16.0, grid=seam)
    places = find_loops(facts, {"drums": (levels(list("AAAAAAAA")), HZ)}, "drums", 8)
    assert 0 not in [place.beat for place in places]


def test_a_grid_that_is_missing_or_not_sure_is_said() -> None:
    facts = track(8)
    assert why_not(facts) == ""
    assert why_not(replace(facts, grid=None)) == "has no beat grid"
    assert why_not(replace(facts, confidence=0.3)) == "has a grid that is not sure (30 %)"


@pytest.mark.parametrize("bpm", [126.0, 120.0, 97.3, 174.0])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_loop_has_the_frames_of_its_beats_wherever_it_begins(bpm: float, rate: int) -> None:
    grid = Grid((Anchor(123.4, 0.0),), bpm)
    for beat in range(0, 400, 7):
        start, frames = cut(grid, 48_000, beat, 16, rate)
        assert frames == round(16 * 60 / bpm * rate)
        assert abs(start - (123.4 / 48_000 + beat * 60 / bpm) * rate) <= 0.5


def test_tracks_take_turns() -> None:
    assert in_turn([[1, 2, 3], [], [4], [5, 6]]) == [1, 4, 5, 2, 6, 3]
