"""A model's words as plain text, and results within their size."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.agents.figures import Known, figures
from sfa_engine.agents.plain_text import fitted, harmless, plain

LIMIT = 400


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Just words, 8A/9A, AC/DC, feat. X.", "Just words, 8A/9A, AC/DC, feat. X."),
        ("[a link](http://evil.example/x) here", "a link here"),
        ("![alt](https://evil.example/p.png?q=1)", "alt"),
        ("![](http://evil.example/p.png", ""),
        ("![alt][ref] and [text][ref]\n\n[ref]: http://evil.example", "alt and text"),
        ("<https://evil.example> and <b>bold</b>", "and bold"),
        ('<img src="http://evil.example/x">', ""),
        ("3 < 4 and 5 > 4", "3 < 4 and 5 > 4"),
        ("see http://evil.example/x?d=1 now", "see now"),
        ("see HTTPS://EVIL.EXAMPLE, FTP://x/y", "see"),
        ("www.evil.example and //evil.example/x", "and"),
        ("evil.example/steal?d=1 and evil.example:80/x", "and"),
        ("mailto:a@b.example, a.b@c.example", ""),
        ("javascript:alert(1) data:text/html,x tel:+491234 file:///etc/passwd", ""),
        ("data: 124 BPM", "data: 124 BPM"),
        ("[a]([b](http://evil.example))", "a)"),
        ("hthttp://x/tp://evil.example/", ""),
        ("**bold** and `code`\n# Head", "bold and code\nHead"),
        ("play #12", "play #12"),
        ("a\x00b\x1b[2Jc\u202ed\u200be\u2066f\ufeffg\u00adh\U000e0041i", "ab[2Jcdefghi"),
        ("one\r\ntwo\rthree\u2028four\n\n\n\nfive", "one\ntwo\nthree\nfour\n\nfive"),
        ("  much   space  ", "much space"),
    ],
)
def test_what_is_no_plain_text_is_taken_out(text, left):
    assert plain(text, LIMIT) == left


@given(
    st.lists(
        st.sampled_from(
            [*"[]()<>!#*`:/.@ \n\u202e\u200b", "http://", "x", "a.bc/", "](", "![", "data:a,"]
        )
        | st.characters(),
        max_size=60,
    )
)
def test_nothing_is_left_of_links_and_unseen_characters(pieces):
    found = plain("".join(pieces), LIMIT)
    assert len(found) <= LIMIT
    assert "://" not in found
    assert not [each for each in found if each != "\n" and unicodedata.category(each)[0] == "C"]


@pytest.mark.parametrize(
    "piece", ["[", "![", "](", "<a", "a.", "a@b.", "http", "1:", "1.", "A ", "#1", "bpm ", "\u202e"]
)
def test_no_text_takes_long(piece):
    text = piece * (1_000_000 // len(piece))
    began_s = time.process_time()
    shown = plain(text, 4000)
    list(figures(shown))
    Known(shown).unknown(shown)
    assert time.process_time() - began_s < 1.5


def test_results_are_cut_where_they_are_longest():
    value = {"tracks": [{"id": each, "title": "x" * 50} for each in range(1000)], "count": 1000}
    found = json.loads(fitted(value, 4096))
    assert len(fitted(value, 4096)) <= 4096
    assert (found["count"], found["cut"], len(found["tracks"])) == (1000, True, 31)
    assert json.loads(fitted({"text": "ä" * 9000}, 4096))["text"] == "ä" * 1125
    assert fitted({str(each): each for each in range(9000)}, 4096) == '{"cut":true}'
    assert fitted({"a": 1}, 4096) == '{"a":1}'


def test_texts_in_results_are_cleaned_wherever_they_are():
    value = {"a\u202e": ["x\x1b\n" * 1000, {"b": ("\u200b",)}], "n": 1.5, "none": None}
    found = harmless(value)
    assert found["n"] == 1.5
    assert found["none"] is None
    assert found["a"][1] == {"b": [""]}
    assert len(found["a"][0]) == 400
