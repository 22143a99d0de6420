"""Tags of a library's sounds: likeness, and words that rank by them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sfa_engine.mix.rank import GenreHits, Hits, Named, count_tagged, rank, tag_scores
from sfa_engine.mix.shelf import COLUMNS, Shelf, shelf_of
from sfa_engine.mix.similarity import Space
from sfa_engine.mix.sound import MEASURES, VECTOR
from sfa_engine.mix.tagged import TAG_WEIGHT, Tagged
from sfa_engine.mix.wanted import checked
from sfa_engine.mix.words import read
from sfa_engine.track import sound_tags

NAN = math.nan
RNG = np.random.default_rng(2)


def tagged(ids: list[int], vectors: np.ndarray | None = None, **tags: list[float]) -> Tagged:
    """Return tags of some tracks; a name has ``_`` for a space."""
    labels = np.zeros((len(ids), len(sound_tags.LABELS)), np.float32)
    for name, values in tags.items():
        labels[:, sound_tags.TAGS[name.replace("_", " ")][0]] = values
    if vectors is None:
        vectors = RNG.normal(size=(len(ids), sound_tags.VECTOR))
    return Tagged.of(np.array(ids), vectors.astype(np.float32), labels)


def shelf(count: int, tags: Tagged, **columns: list[float]) -> Shelf:
    numbers = {name: np.array(columns.get(name, [NAN] * count), float) for name in COLUMNS}
    measured = np.full((count, len(MEASURES)), NAN, np.float32)
    for place, name in enumerate(MEASURES):
        measured[:, place] = columns.get(name, [NAN] * count)
    vectors = np.random.default_rng(1).normal(size=(count, VECTOR)).astype(np.float32)
    ids = np.arange(1, count + 1)
    return shelf_of(ids, numbers, ids, Space.of(vectors).place(vectors), measured, tags)


def hits(of: Shelf, document: dict[str, Any], **more: Any) -> list[int]:
    found: Hits = rank(of, checked(document), visible=np.ones(len(of.ids), bool), **more)
    return [int(number) for number in of.ids[found.rows]]


def test_likeness_is_the_cosine_of_vectors_in_deviations_from_the_mean() -> None:
    vectors = (5.0 + 3.0 * RNG.normal(size=(20, sound_tags.VECTOR))).astype(np.float32)
    of = tagged(list(range(20)), vectors)
    normal = (vectors - vectors.mean(0)) / vectors.std(0)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    for row in range(20):
        assert of.likeness(row) == pytest.approx(normal @ normal[row], abs=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_likeness_in_the_smallest_libraries_is_a_number(count: int) -> None:
    of = tagged(list(range(count)))
    assert np.isfinite(of.likeness(0)).all()
    assert Tagged.of(of.ids[:0], of.vectors[:0], of.labels[:0]).lengths.shape == (0,)


def test_tags_bring_a_track_nearer_and_one_without_them_counts_as_before() -> None:
    vectors = RNG.normal(size=(3, sound_tags.VECTOR))
    vectors[1] = vectors[0] + 0.05 * vectors[1]
    plain = shelf(5, tagged([]))
    with_tags = shelf(5, tagged([1, 4, 2], vectors))  # 4 has the vector of 1
    before, now = plain.likeness(0), with_tags.likeness(0)
    assert now[[2, 4]] == pytest.approx(before[[2, 4]])
    by_tags = with_tags.tagged.likeness(0)[1]
    assert now[3] == pytest.approx((before[3] + TAG_WEIGHT * by_tags) / (1 + TAG_WEIGHT))
    assert now[3] > before[3]
    assert with_tags.likeness(2) == pytest.approx(plain.likeness(2))  # 3 has no tags
    named = {"1": Named(0, "One")}
    assert hits(with_tags, {"like": "1"}, named=named)[0] == 4


def test_a_tag_is_there_if_it_is_likely_or_likelier_than_in_most_of_the_library() -> None:
    odds = np.array([0.9, 0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, NAN, 0.12, 0.14])
    scores = tag_scores(odds, np.ones(12, bool))
    assert np.flatnonzero(~np.isnan(scores)).tolist() == [0, 1]
    rare = np.where(np.arange(12) < 2, odds / 4, odds)  # the best is 0.225, then 0.2
    assert np.flatnonzero(~np.isnan(tag_scores(rare, np.ones(12, bool)))).tolist() == [0, 2]
    # Ranks are among what is seen.
    few = np.zeros(12, bool)
    few[2:9] = True
    assert np.flatnonzero(~np.isnan(tag_scores(odds, few))).tolist() == [2]
    assert scores[0] > scores[1] > 0.5


@pytest.mark.parametrize("count", [0, 1, 2, 5, 40, 999])
def test_tracks_with_a_tag_are_counted_as_they_are_scored(count: int) -> None:
    everything = np.ones(count, bool)
    for digits in (1, 2, 6):  # many ties, some, none
        odds = RNG.beta(0.6, 2.0, count).round(digits)
        odds[RNG.random(count) < 0.1] = NAN
        for visible in (everything, RNG.random(count) < 0.7):
            scored = int((~np.isnan(tag_scores(np.where(visible, odds, NAN), visible))).sum())
            assert count_tagged(odds, visible) == scored
    assert count_tagged(np.full(count, NAN), everything) == 0


def test_a_hit_has_all_tags_that_are_asked_for_by_sound_or_by_name() -> None:
    of = shelf(5, tagged([1, 2, 3, 4], piano=[0.9, 0.8, 0.01, 0.01], guitar=[0.01, 0.7, 0.9, 0.01]))
    nothing = np.zeros(5, bool)
    named = np.array([False, False, False, False, True])
    piano = GenreHits(nothing, named, of.tag("piano"))
    guitar = GenreHits(nothing, named, of.tag("guitar"))
    assert hits(of, {"tags": ["piano"]}, tags={"piano": piano}) == [1, 2, 5]
    both = rank(
        of,
        checked({"tags": ["piano", "guitar"]}),
        visible=np.ones(5, bool),
        tags={"piano": piano, "guitar": guitar},
    )
    assert sorted(int(number) for number in of.ids[both.rows]) == [2, 5]
    assert both.reasons(1) == ["piano .80", "guitar .70"]
    assert both.reasons(4) == ['"piano" in its name', '"guitar" in its name']


def test_singing_is_known_by_tags_where_there_is_no_stem_and_a_stem_comes_first() -> None:
    of = shelf(
        4,
        tagged([1, 2, 3, 4], vocals=[0.1, 0.2, 0.9, 0.05], female_vocals=[0.8, 0.1, 0.1, 0.1]),
        vocals=[0.0, 0.9, NAN, NAN],
    )
    found = hits(of, {"feel": [{"name": "vocal"}]})
    assert set(found) == {2, 3}  # 1 sounds like singing, and its stem is empty
    assert hits(shelf(4, tagged([])), {"feel": [{"name": "vocal"}]}) == []


def test_happy_and_sad_use_tags_where_there_are_some() -> None:
    columns = {"minor": [0.0] * 4, "energy": [0.5] * 4, "brightness": [1.0] * 4}
    of = shelf(4, tagged([1, 2, 3, 4], happy=[0.1, 0.4, 0.2, 0.3]), **columns)
    assert hits(of, {"feel": [{"name": "euphoric"}]}) == [2, 4]
    # Without tags the other measures decide, which are all equal here.
    assert hits(shelf(4, tagged([]), **columns), {"feel": [{"name": "euphoric"}]}) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("techno with piano", {"genres": ["techno"], "tags": ["piano"]}),
        ("ruhige Stücke mit Klavier und Geige", {"feel": ["calm"], "tags": ["piano", "violin"]}),
        ("female vocals over 120", {"tags": ["female vocals"], "bpm": [120.0, None]}),
        ("house with a female singer", {"genres": ["house"], "tags": ["female vocals"]}),
        ("dark drums, no guitar", {"feel": ["dark"], "tags": ["drums"], "where": ["-guitar"]}),
        ("drum and bass", {"genres": ["drum and bass"]}),
        ("vocals", {"feel": ["vocal"]}),
        ("no vocals", {"feel": ["instrumental"]}),
        ("hard rock", {"genres": ["hard rock"]}),
        ("acoustic, slow", {"feel": ["slow"], "tags": ["acoustic"]}),
    ],
)
def test_instruments_and_voices_are_read_as_tags(text: str, document: dict[str, Any]) -> None:
    feel = [{"name": name} for name in document.get("feel", [])]
    assert read(text).wanted == checked({**document, "feel": feel})
    assert read(text).unknown == ()
