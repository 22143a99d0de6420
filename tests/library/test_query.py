"""Queries as they are typed: read, or refused with what was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.library.query import (
    OPERATORS,
    Choice,
    Keys,
    Query,
    Span,
    Symbols,
    Words,
    compatible,
    parse_query,
)
from sfa_engine.track.key import KEYS, camelot


def one(text):
    (term,) = parse_query(text).terms
    return term


def span(field, low, high, *, low_open=False, high_open=False, negated=False):
    return Span(field, low, high, low_open, high_open, negated)


def test_everything_together_is_read_in_order():
    asked = 'aphex "window licker" bpm:120-128 key:~8A -genre:ambient'
    assert parse_query(asked) == Query((
        Words("aphex", False, None, False),
        Words("window licker", True, None, False),
        span("bpm", 120.0, 128.0),
        Keys(("8A", "7A", "9A", "8B"), False),
        Words("ambient", False, "genre", True),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("bpm:124", span("bpm", 123.5, 124.5)),
        ("BPM:=124", span("bpm", 124.0, 124.0)),
        ("bpm:>=124.5", span("bpm", 124.5, None)),
        ("bpm:>124", span("bpm", 124.0, None, low_open=True)),
        ("bpm:<=124", span("bpm", None, 124.0)),
        ("-bpm:<124", span("bpm", None, 124.0, high_open=True, negated=True)),
        ("bpm:128-120", span("bpm", 120.0, 128.0)),
        ('bpm:"120 - 128"', span("bpm", 120.0, 128.0)),
        ("bpm:120..128", span("bpm", 120.0, 128.0)),
        ("year:1999", span("year", 1999.0, 1999.0)),
        ("duration:<6:30", span("duration", None, 390.0, high_open=True)),
        ("duration:3:00-200", span("duration", 180.0, 200.0)),
        ("added:<7d", span("added", None, 604_800.0, high_open=True)),
        ("added:2w", span("added", None, 1_209_600.0)),
        ("key:Am", Keys(("8A",), False)),
        ('key:"f sharp minor,8b"', Keys(("11A", "8B"), False)),
        ("stems:YES", Choice("stems", "yes", False)),
        ("stems:vocals", Choice("stems", "vocals", False)),
        ('playlist:"Friday night"', Choice("playlist", "Friday night", False)),
        ('artist:"boards of', Words("boards of", True, "artist", False)),
        ("jay-z", Words("jay-z", False, None, False)),
        ('"Re: Stacks"', Words("Re: Stacks", True, None, False)),
        ("-intro", Words("intro", False, None, True)),
    ],
)
def test_terms_are_read(text, term):
    assert one(text) == term


@pytest.mark.parametrize("text", ["", "  \t ", "sort:bpm"])
def test_what_asks_for_nothing_is_no_term(text):
    assert parse_query(text).terms == ()


@pytest.mark.parametrize(
    ("text", "symbols"),
    [("& - !", "& - !"), ('""', '""'), ("-", "-"), ("!!! sort:bpm", "!!!"), (" ¿? ", "¿?")],
)
def test_symbols_alone_are_found_as_they_are(text, symbols):
    assert parse_query(text).terms == (Symbols(symbols),)


def test_symbols_beside_words_have_no_effect():
    assert parse_query("simon & garfunkel") == parse_query("simon garfunkel")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("artst:x", 'did you mean "artist"?'),
        ("bmp:120", 'Put "quotes" around'),
        ("rating:many", "rating:>=4"),
        ("colour:rde", 'did you mean "red"?'),
        ("bpm:", "bpm:120-128"),
        ("bpm:fast", "not a valid range"),
        ("bpm:>", "not a valid range"),
        ("bpm:1e99", "not a valid range"),
        ("key:H", "is not a valid key"),
        ("stems:vocal", 'did you mean "vocals"?'),
        ("state:redy", 'did you mean "ready"?'),
        ("added:7", "added:<7d"),
        ("title:!!!", "has no letter"),
        ("\ud800", "invalid character"),
        ("x" * 1001, "1001 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_do(text, words):
    with pytest.raises(Refused) as caught:
        parse_query(text)
    assert caught.value.hint
    assert words in str(caught.value)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_example_of_every_operator_works(name):
    assert OPERATORS[name].example.startswith(f"{name}:")
    query = parse_query(OPERATORS[name].example)
    assert len(query.terms) + len(query.sorts) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("re:stacks", "re:stacks"),
        ("Mission: Impossible", "Mission:"),
        ("artst: x", "artst:"),  # no operator has an empty value
        ("-re:stacks", "re:stacks"),
        ('re:"the stacks"', "re the stacks"),
    ],
)
def test_a_word_with_a_colon_that_is_no_operator_is_text(text, words):
    assert parse_query(text).terms[0].text == words


def test_colours_are_read_by_name_and_in_both_spellings():
    assert one("colour:red") == one("color:#E62828")


PIECES = st.sampled_from(
    [*(f"{name}:" for name in OPERATORS), '"', "-", ">", "~", " ", "8A", "1:2"]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join))
def test_no_text_brings_anything_but_an_answer_or_a_refusal(text):
    try:
        answer = parse_query(text)
    except Refused as refused:
        answer = refused.hint
    assert answer


@given(st.sampled_from(KEYS), st.sampled_from(KEYS))
def test_mixing_well_goes_both_ways(one_key, other):
    assert (camelot(one_key) in compatible(other)) == (camelot(other) in compatible(one_key))


def test_a_key_mixes_with_itself_its_neighbours_and_its_relative():
    assert set(compatible("12B")) == {"12B", "11B", "1B", "12A"}
