"""Tags of sounds: their names, and which of the nets' labels each is."""

from __future__ import annotations

import numpy as np

from sfa_engine.mix.vocabulary import GENRES, TAG_MEASURES, TAG_WORDS
from sfa_engine.track.sound_tags import LABELS, SHOWN, TAGS, probabilities, top


def test_each_label_is_of_one_tag() -> None:
    places = sorted(place for each in TAGS.values() for place in each)
    assert places == list(range(len(LABELS))) == list(range(100))
    assert {LABELS[place] for place in TAGS["female vocals"]} == {
        *("female vocalists", "female vocalist", "female", "woman", "female vocal", "female voice")
    }
    assert len(TAGS["rock"]) == 2  # of both nets


def test_a_tag_is_as_probable_as_the_likeliest_of_its_labels() -> None:
    labels = np.zeros((2, 100), np.float32)
    labels[0, LABELS.index("chill")] = 0.4
    labels[0, LABELS.index("chillout")] = 0.3
    assert probabilities(labels, "chillout").tolist() == [np.float32(0.4), 0.0]


def test_the_likeliest_tags_come_first_and_unlikely_ones_are_left_out() -> None:
    labels = np.linspace(0.0, 0.99, 100, dtype=np.float32)
    found = top(labels)
    assert len(found) == SHOWN
    assert found[0] == ("choir", 0.99)
    assert [value for _, value in found] == sorted((value for _, value in found), reverse=True)
    assert top(np.full(100, 0.05, np.float32)) == []
    assert top([]) == []


def test_words_of_a_search_name_tags_that_there_are() -> None:
    assert set(TAG_WORDS) <= set(TAGS)
    assert not set(TAG_WORDS) & set(GENRES)
    assert {tag for tags in TAG_MEASURES.values() for tag in tags} <= set(TAGS)
    genres = {"techno", "house", "jazz", "rock", "metal", "hip hop", "rnb", "classical", "ambient"}
    assert genres <= set(GENRES) & set(TAGS)
