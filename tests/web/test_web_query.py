"""Parameters in an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.web.problem import Problem
from sfa_engine.web.query import params_of

SCHEMAS = {
    "limit": {"type": "integer", "minimum": 1},
    "rate": {"type": "number"},
    "deep": {"type": "boolean"},
    "name": {"type": "string"},
    "track": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "states": {"type": "array", "items": {"enum": ["failed", "done"]}},
    "numbers": {"type": "array", "items": {"type": "integer"}},
    "paths": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
    "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
}


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        ("limit", ["7"], 7),
        ("limit", ["-7"], -7),
        ("limit", ["x"], "x"),
        ("limit", ["7.5"], "7.5"),
        ("limit", ["9" * 30], "9" * 30),
        ("rate", ["7"], 7.0),
        ("rate", ["1e3"], 1000.0),
        ("rate", ["1e999"], "1e999"),
        ("rate", ["nan"], "nan"),
        ("deep", ["true"], True),
        ("deep", ["1"], "1"),
        ("name", ["7"], "7"),
        ("name", ["true"], "true"),
        ("track", ["7"], 7),
        ("track", ["#7"], "#7"),
        ("states", ["failed"], ["failed"]),
        ("states", ["failed", "done"], ["failed", "done"]),
        ("numbers", ["1", "x"], [1, "x"]),
        ("paths", ["deck1.*"], "deck1.*"),
        ("paths", ["a", "b"], ["a", "b"]),
        ("maybe", ["null"], None),
        ("maybe", ["3"], 3),
        ("unknown", ["x"], "x"),
    ],
)
def test_a_text_becomes_what_its_schema_has(name, texts, value):
    found = params_of(SCHEMAS, [(name, text) for text in texts])
    assert found == {name: value}
    assert type(found[name]) is type(value)


def test_one_that_is_no_list_is_given_once():
    with pytest.raises(Problem, match="given 2 times"):
        params_of(SCHEMAS, [("limit", "1"), ("limit", "2")])


def test_the_number_of_parts_is_limited():
    with pytest.raises(Problem, match="1001 parts"):
        params_of(SCHEMAS, [("states", "done")] * 1001)


@given(st.sampled_from(sorted(SCHEMAS)), st.text())
def test_any_text_is_taken(name, text):
    params_of(SCHEMAS, [(name, text)])
