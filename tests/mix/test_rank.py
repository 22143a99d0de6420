"""Hits in their order, with their reasons: on a shelf of a few made tracks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sfa_engine.errors import Refused
from sfa_engine.mix.rank import GenreHits, Hits, Named, rank
from sfa_engine.mix.shelf import COLUMNS, Shelf, percentiles, shelf_of
from sfa_engine.mix.similarity import Space
from sfa_engine.mix.sound import MEASURES, VECTOR
from sfa_engine.mix.wanted import checked

NAN = math.nan


def shelf(count: int = 10, **columns: list[float]) -> Shelf:
    """Return tracks from number 1 on; what is not given is not known."""
    numbers = {name: np.array(columns.get(name, [NAN] * count), float) for name in COLUMNS}
    measured = np.full((count, len(MEASURES)), NAN, np.float32)
    for place, name in enumerate(MEASURES):
        measured[:, place] = columns.get(name, [NAN] * count)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(count, VECTOR)).astype(np.float32)
    vectors[1] = vectors[0] + 0.1  # number 2 sounds like number 1
    ids = np.arange(1, count + 1)
    placed = Space.of(vectors).place(vectors)
    return shelf_of(ids, numbers, ids, placed, measured)


def hits(of: Shelf, document: dict[str, Any], **named: Any) -> Hits:
    everything = np.ones(len(of.ids), bool)
    options: dict[str, Any] = {"visible": everything, **named}
    return rank(of, checked(document), **options)


def numbers(of: Shelf, found: Hits) -> list[int]:
    return [int(number) for number in of.ids[found.rows]]


def test_a_feeling_is_a_percentile_within_the_library() -> None:
    of = shelf(10, brightness=[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], minor=[0.0] * 10)
    found = hits(of, {"feel": [{"name": "dark"}]})
    assert numbers(of, found) == [10, 9, 8, 7, 6]
    assert found.reasons(int(found.rows[0])) == ["darker than 95 % of your library"]


def test_around_a_tempo_takes_half_and_double_for_less() -> None:
    of = shelf(5, bpm=[126.0, 63.0, 252.0, 123.5, 140.0])
    found = hits(of, {"bpm": [122.85, 129.15]})
    assert numbers(of, found) == [1, 4, 2, 3]
    assert found.scores[2] == pytest.approx(0.7)
    assert found.reasons(1) == ["63.0 BPM, half the tempo"]
    assert found.reasons(2) == ["252.0 BPM, double the tempo"]


def test_over_a_tempo_takes_no_double() -> None:
    of = shelf(3, bpm=[70.0, 140.0, NAN])
    assert numbers(of, hits(of, {"bpm": [130, None]})) == [2]


def test_what_goes_with_a_track_can_be_mixed_with_it() -> None:
    of = shelf(
        8,
        bpm=[126.0, 127.0, 63.5, 135.0, 126.0, 126.0, NAN, 125.0],
        wheel=[9, 8, 9, 9, 11, 9, 9, NAN],
        minor=[1, 1, 0, 1, 1, 1, 1, NAN],
        energy=[0.6, 0.65, 0.6, 0.6, 0.6, 0.9, 0.6, 0.6],
    )
    named = {"1": Named(0, "One")}
    found = hits(of, {"goes_with": "1"}, named=named)
    # 4 is too fast, 5 two steps away, 6 too driving, 7 has no tempo; of 8 the key is not known.
    assert sorted(numbers(of, found)) == [2, 3, 8]
    assert numbers(of, found)[0] == 2
    said = found.reasons(1)
    assert said[:3] == ["127.0 BPM (-0.8 %)", "8A beside 9A", "energy +0.05"]
    assert found.reasons(2)[:2] == ["63.5 BPM (-0.8 % at double)", "9B beside 9A"]


def test_a_track_without_a_tempo_goes_with_none() -> None:
    of = shelf(2, bpm=[NAN, 126.0])
    with pytest.raises(Refused, match="has no tempo"):
        hits(of, {"goes_with": "1"}, named={"1": Named(0, "One")})


def test_the_likest_track_comes_first() -> None:
    of = shelf(10)
    found = hits(of, {"like": "1"}, named={"1": Named(0, "One")})
    assert numbers(of, found)[0] == 2
    assert 1 not in numbers(of, found)
    assert found.reasons(1)[0].startswith("sounds closer than 94 % of your library, most in ")


def test_a_comparison_excludes_what_does_not_surpass_it() -> None:
    of = shelf(4, brightness=[5, 9, 3, 1], minor=[1.0, 1.0, 1.0, 1.0])
    named = {"1": Named(0, "One")}
    found = hits(of, {"feel": [{"name": "dark", "than": "1"}]}, named=named)
    assert numbers(of, found) == [4, 3]
    assert found.reasons(3) == ['darker than "One"']


def test_a_genre_is_found_by_text_or_by_a_score_of_a_tag() -> None:
    of = shelf(4)
    genre = np.array([False, True, False, False])
    name = np.array([False, False, True, False])
    tags = np.array([0.81, NAN, 0.1, 0.3])
    found = hits(of, {"genres": ["techno"]}, genres={"techno": GenreHits(genre, name, tags)})
    assert numbers(of, found) == [2, 1, 3]
    assert found.reasons(0) == ["techno .81"]
    assert found.reasons(1) == ["genre techno"]
    assert found.reasons(2) == ['"techno" in its name']


def test_of_several_genres_a_hit_has_one_and_both_come_first() -> None:
    of = shelf(4)
    none = np.zeros(4, bool)
    minimal = GenreHits(np.array([True, False, True, False]), none)
    house = GenreHits(np.array([False, True, True, False]), none)
    document = {"genres": ["minimal", "house"]}
    found = hits(of, document, genres={"minimal": minimal, "house": house})
    assert numbers(of, found) == [3, 1, 2]
    assert found.reasons(2) == ["genre minimal", "genre house"]
    assert found.reasons(1) == ["genre house"]


def test_a_word_that_nothing_is_known_of_is_left_out_and_said() -> None:
    of = shelf(3, bpm=[120.0, 130.0, 140.0])
    found = hits(of, {"feel": [{"name": "vocal"}, {"name": "fast"}]})
    assert numbers(of, found) == [3, 2]
    assert len(found.notes) == 1
    assert '"vocal" was left out' in found.notes[0]


def test_a_track_that_is_not_seen_is_no_hit_and_counts_in_no_percentile() -> None:
    of = shelf(4, bpm=[100.0, 110.0, 500.0, 600.0])
    visible = np.array([True, True, False, False])
    found = hits(of, {"feel": [{"name": "fast"}]}, visible=visible)
    assert numbers(of, found) == [2]
    assert found.reasons(1) == ["faster than 75 % of your library"]


def test_a_name_with_the_words_comes_first_whatever_it_sounds_like() -> None:
    of = shelf(3, brightness=[3, 2, 1], minor=[1.0] * 3)
    found = hits(of, {"feel": [{"name": "dark"}]}, first=np.array([True, False, False]))
    assert numbers(of, found) == [1, 3, 2]
    assert found.reasons(0)[0] == "has the words in its name"


def test_a_name_with_the_words_needs_nothing_else_that_is_known() -> None:
    of = shelf(3, bpm=[120.0, 121.0, NAN], brightness=[3, 2, NAN], minor=[1.0, 1.0, NAN])
    first = np.array([False, False, True])
    found = hits(of, {"bpm": [100, 130], "feel": [{"name": "dark"}]}, first=first)
    assert numbers(of, found) == [3, 2, 1]
    assert found.reasons(2) == ["has the words in its name"]


def test_a_search_of_which_all_is_left_out_has_no_hits() -> None:
    of = shelf(3)
    assert not len(hits(of, {"feel": [{"name": "vocal"}]}).rows)
    assert not len(hits(of, {"genres": ["dubstep"]}).rows)
    candidates = np.array([True, True, False])
    found = hits(of, {"feel": [{"name": "vocal"}]}, candidates=candidates)
    assert numbers(of, found) == [1, 2]  # what an operator has found


def test_equal_values_have_equal_percentiles() -> None:
    values = np.array([2.0, 1.0, 2.0, NAN, 3.0])
    shares = percentiles(values, np.ones(5, bool))
    assert shares[[0, 1, 2, 4]].tolist() == [0.5, 0.125, 0.5, 0.875]
    assert np.isnan(shares[3])


def test_an_empty_library_has_no_hits() -> None:
    of = shelf_of(
        np.zeros(0, np.int64),
        {name: np.zeros(0) for name in COLUMNS},
        np.zeros(0, np.int64),
        np.zeros((0, VECTOR), np.float32),
        np.zeros((0, len(MEASURES)), np.float32),
    )
    assert not len(hits(of, {"feel": [{"name": "fast"}], "bpm": [100, 130]}).rows)
