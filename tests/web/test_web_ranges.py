"""Parts of files, and whether a client has them."""

import pytest

from sfa_engine.web.ranges import Span, State, UnsatisfiableError, is_unchanged, span_of

FILE = State(1000, 1_700_000_000.5, '"abc"')
EMPTY = State(0, 0.0, '"e"')


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-", Span(0, 1000)),
        ("bytes=990-2000", Span(990, 1000)),
        ("BYTES= 5-9 ", Span(5, 10)),
        ("bytes=-10", Span(990, 1000)),
        ("bytes=-5000", Span(0, 1000)),
        ("bytes=0-99999999999999999999", Span(0, 1000)),
        ("", None),
        ("bytes=-", None),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("bytes=0-999999999999999999999", None),
        ("lines=0-5", None),
        ("bytes=٣-٤", None),
    ],
)
def test_a_range_is_a_part_or_is_ignored(given, span):
    assert span_of({"range": given}, FILE) == span


@pytest.mark.parametrize("given", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_outside_the_file_cannot_be_sent(given):
    with pytest.raises(UnsatisfiableError):
        span_of({"range": given}, FILE)
    with pytest.raises(UnsatisfiableError):
        span_of({"range": "bytes=0-"}, EMPTY)


@pytest.mark.parametrize(
    ("condition", "is_part"),
    [
        ('"abc"', True),
        (FILE.modified, True),
        ('W/"abc"', False),
        ('"abd"', False),
        ("Tue, 14 Nov 2023 22:13:21 GMT", False),
    ],
)
def test_the_rest_of_another_file_is_not_sent(condition, is_part):
    found = span_of({"range": "bytes=5-", "if-range": condition}, FILE)
    assert (found is not None) is is_part


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", W/"abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"abcd"'}, False),
        ({"if-none-match": "abc"}, False),
        ({"if-none-match": '"x"', "if-modified-since": FILE.modified}, False),
        ({"if-modified-since": FILE.modified}, True),
        ({"if-modified-since": "Tue, 14 Nov 2023 22:13:19 GMT"}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": "Tue, 14 Nov 99999 22:13:19 GMT"}, False),
    ],
)
def test_a_client_that_has_the_file_is_not_sent_it_again(headers, unchanged):
    assert is_unchanged(headers, FILE) is unchanged
