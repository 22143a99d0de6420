"""Words to a search: 82 written queries, and everything odd."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.library.query import parse_query
from sfa_engine.mix import vocabulary
from sfa_engine.mix.wanted import Wanted, checked
from sfa_engine.mix.words import MAX_WORDS_TEXT, count_words, read

# The first were written before the parser; of the second it had 33 of 40 right at first.
LISTS = ("queries.jsonl", "more_queries.jsonl")


def plain(wanted: Wanted) -> Wanted:
    """Return a search in one order, its tempo rounded."""
    bpm = wanted.bpm and tuple(each and round(each, 4) for each in wanted.bpm)
    return msgspec.structs.replace(wanted, bpm=bpm, where=tuple(sorted(wanted.where)))


@pytest.mark.parametrize("name", LISTS)
def test_written_queries_are_right_in_nine_of_ten(name: str) -> None:
    wrong = []
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    for case in map(json.loads, lines):
        got = read(case["words"]).wanted
        if plain(got) != plain(checked(case["query"])):
            wrong.append((case["words"], msgspec.to_builtins(got)))
    assert len(lines) >= 40
    assert len(wrong) <= len(lines) // 10, wrong


def test_the_list_has_three_hundred_spellings() -> None:
    assert count_words() >= 300


def test_each_feeling_has_an_opposite_and_a_comparative() -> None:
    assert set(vocabulary.FEELS) == set(vocabulary.FEEL_WORDS) == set(vocabulary.COMPARATIVES)
    for name, opposite in vocabulary.OPPOSITES.items():
        assert vocabulary.OPPOSITES[opposite] == name != opposite


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \t\n", "is empty"),
        ("\0\x1b\u202e\u200b", "is empty"),
        ("!!! ???", "has no word"),
        ("🎵🎵", "has no word"),
        ("find me some music please", "asks for nothing"),
        ("ein paar gute Stücke", "asks for nothing"),
        ("x" * 10_000, "10000 characters long"),
        ("dark but bright", "exclude each other"),
        ("vocal house, no vocals", "exclude each other"),
        ("over 130 and under 120", "no tempo is over 130 and under 120"),
        ("from 1990 to 1995, after 2000", "no year is"),
        ("goes with", "names no track"),
        ("like 7 but similar to 8", "two tracks are named"),
        ("dark bmp:120", "bmp"),
        ("dark year:later", "not a valid range"),
    ],
)
def test_bad_input_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(Refused) as error:
        read(text)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 300


def test_control_characters_count_as_spaces() -> None:
    assert read("dark\x00rolling\x1b\u202etechno") == read("dark rolling techno")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("DARK Techno", "dark techno"),
        ("dunkler Techno", "dark techno"),
        ("duesterer techno", "dark techno"),
        ("not dark", "bright"),
        ("nicht zu hart", "soft"),
        ("without singing", "instrumental"),
        ("dnb 174", "drum and bass around 174"),
        ("drum & bass um 174", "dnb 174"),
        ("in fis-Moll", "in F# minor"),
        ("in H-Moll", "in B minor"),
        ("in Es-Dur", "in Eb major"),
        ("120\u2013128", "between 120 and 128"),
        ("von 120 bis 128 bpm", "between 120 and 128"),
        ("aus den Neunzigern", "90s"),
        ("1990er", "90s"),
        ("mindestens vier Sterne", "at least 4 stars"),
        ("längere Stücke", "long"),
        ("matches deep house", "deep house"),
        ("which tracks go well with #12?", "goes with 12"),
        ("zu 12 passend", "goes with 12"),
    ],
)
def test_two_ways_to_say_it_are_one_search(one: str, other: str) -> None:
    assert plain(read(one).wanted) == plain(read(other).wanted)


def test_words_that_are_not_understood_are_text_and_said() -> None:
    reading = read('dark stuff by Burial, "night bus"')
    assert reading.unknown == ("Burial",)
    assert reading.wanted.text == ("Burial", '"night bus"')


def test_operators_are_as_they_were() -> None:
    wanted = read('dark artist:"boards of" -genre:ambient bpm:>=120 sort:played').wanted
    assert wanted.where == ('artist:"boards of"', "-genre:ambient", "bpm:>=120", "sort:played")


def test_minor_as_a_kind_of_key_is_not_the_key_of_a_minor() -> None:
    assert read("in a minor key").wanted.where == read("in minor").wanted.where
    assert read("in A minor").wanted.where == ("key:8A",)


@pytest.mark.parametrize(
    "document",
    [
        {"genre": ["techno"]},
        {"genres": ["nothing"]},
        {"feel": [{"name": "greenish"}]},
        {"feel": [{"name": "dark", "weight": 1e9}]},
        {"feel": [{"name": "dark"}, {"name": "bright"}]},
        {"bpm": [130, 120]},
        {"bpm": [None, None]},
        {"bpm": ["120", 130]},
        {"where": ["bmp:120"]},
        {"like": ""},
        {"limit": 0},
        {"text": ["x"] * 1000},
        [],
        None,
    ],
)
def test_an_invalid_search_is_refused(document: object) -> None:
    with pytest.raises(Refused):
        checked(document)


@given(st.text(max_size=200))
def test_any_text_is_a_search_or_refused(text: str) -> None:
    try:
        wanted = read(text).wanted
    except Refused:
        return
    assert checked(msgspec.to_builtins(wanted)) == wanted


_PIECES = st.sampled_from(
    [
        *("dark", "not", "very", "goes", "with", "like", "12", "126", "than", "techno", "in", "A"),
        *("minor", "over", "under", "between", "and", "to", "bpm", "minutes", "last", "7", "days"),
        *("played", "added", "zu", "passt", "über", "schneller", "als", "#3", "8A", "90s", "this"),
        *(",", '"', "-", "4", "stars", "never", "energy", "of", "ten", "tracks", "a", "key", "C"),
    ]
)


@given(st.lists(_PIECES, max_size=14))
def test_any_sentence_of_its_words_is_a_search_or_refused(words: list[str]) -> None:
    try:
        wanted = read(" ".join(words)).wanted
    except Refused:
        return
    for each in (*wanted.where, *wanted.text):
        parse_query(each)


def test_long_searches_are_read_in_a_moment() -> None:
    assert read("dark rolling techno, " * 37).wanted.genres == ("techno",)
    assert read("like " + "x " * 149).wanted.like is not None
    for text in ("zu " * 300, "x" * (MAX_WORDS_TEXT + 1)):
        with pytest.raises(Refused, match="give up to"):
            read(text)
