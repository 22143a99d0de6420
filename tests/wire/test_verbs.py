"""Verbs by annotation: a parameter takes its type and no other, and the error names both."""

import math
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from any_values import VALUES
from msgspec import Meta

from sfa_engine.errors import Forbidden, Refused
from sfa_engine.system.named_files import FileName
from sfa_engine.wire import frames
from sfa_engine.wire.verbs import (
    GIVEN,
    NO_NUL,
    SCOPES,
    Count,
    Text,
    Texts,
    exported,
    verb,
    verbs_of,
    words,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Verbs:
    """A verb of every type."""

    @verb(scope="read")
    def all_of(
        self,
        text: str = "",
        switch: bool = False,
        whole: int = 0,
        number: float = 0.0,
        maybe: str | None = None,
    ) -> Any:
        """Return all of it, and more."""
        return text, switch, whole, number, maybe

    @verb(scope="perform", slow=True, restricted={"path": "library"})
    async def deck_load(
        self,
        deck: Annotated[int, Meta(ge=1, le=2)],
        path: Text = "",
        way: Literal["halve", "double"] = "halve",
        colors: list[Colour] = [],  # noqa: B006 - never changed
        sources: Texts = [],  # noqa: B006 - never changed
        rate: float | None = None,
        source: Annotated[int, GIVEN] = 0,
    ) -> Any:
        """Load."""

    def not_a_verb(self) -> None:
        """Is none."""


RIGHT = {
    "text": ["", "x"],
    "switch": [True, False],
    "whole": [0, -1, 1 << 62],
    "number": [0.5, 3, -1e308],
    "maybe": [None, "x"],
}
KINDS = {"text": str, "switch": bool, "whole": int, "number": int | float, "maybe": str | None}


def parse(name, **params):
    return verbs_of(Verbs)[name].parse(msgspec.Raw(msgspec.msgpack.encode(params)))


@pytest.mark.parametrize("name", RIGHT)
def test_a_parameter_takes_its_type_and_no_other(name):
    for value in VALUES + RIGHT[name]:
        fits = isinstance(value, KINDS[name]) and (type(value) is not bool or name == "switch")
        if isinstance(value, float) and not math.isfinite(value):
            fits = False
        if name == "whole" and fits and not -(1 << 63) <= value < 1 << 64:
            fits = False
        if fits:
            wanted = float(value) if name == "number" else value
            assert parse("all.of", **{name: value})[name] == wanted
        else:
            with pytest.raises(Refused, match=f"^{name} is .*; give "):
                parse("all.of", **{name: value})


def test_every_value_that_is_tried_can_be_sent():
    for value in VALUES:
        frames.pack([0, 1, "get", {"x": value}])


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "deck.load needs deck"),
        ({"deck": 3}, "deck is 3; give a whole number from 1 to 2"),
        ({"deck": 1, "pth": "x"}, 'deck.load takes no "pth"; did you mean "path"?'),
        ({"deck": 1, "source": 5}, 'deck.load takes no "source"'),
        (
            {"deck": 1, "path": "a\0b"},
            "path is 'a\\x00b'; give a text of at most 4096 characters without NUL",
        ),
        ({"deck": 1, "path": "x" * 5000}, "path is of 5003 bytes; give a text"),
        ({"deck": 1, "way": "halv"}, "way is 'halv'; did you mean \"halve\"?"),
        ({"deck": 1, "way": "?"}, "way is '?'; give one of "),
        ({"deck": 1, "colors": ["rod"]}, "colors is ['rod']; give a list of any of red, blue"),
        ({"deck": 1, "sources": [1]}, "sources is [1]; give a list of at most 10000 texts of"),
        ({"deck": 1, "rate": math.nan}, "rate is nan; give a number or nothing"),
    ],
)
def test_an_error_names_the_parameter_and_what_is_expected(params, sentence):
    with pytest.raises(Refused) as refused:
        parse("deck.load", **params)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Count, "a whole number from 0"),
        (FileName, "a name of at most 40 lower-case letters, digits and hyphens"),
        (Annotated[str, Meta(min_length=1, max_length=9, pattern=NO_NUL)],
         "a text of at most 9 characters without NUL"),
    ],
)  # fmt: skip
def test_the_values_that_a_type_accepts_are_said_in_words(kind, expected):
    assert words(msgspec.inspect.type_info(kind)) == expected


@pytest.mark.parametrize("body", [b"\xc0", b"\x90", b"\x80", b"\x91\x80"])
def test_no_parameters_may_be_said_in_several_ways(body):
    assert verbs_of(Verbs)["all.of"].parse(msgspec.Raw(body))["whole"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"\x05",
        b"\x92\x80\x80",
        b"\x81\x01\x02",
        b"\xa1x",
        b"\x91\x05",
        b"\x91\x91\x80",
        b"\x91" * 900 + b"\x80",
    ],
)
def test_parameters_are_a_map_of_names(body):
    with pytest.raises(Refused, match="not a map of names"):
        verbs_of(Verbs)["all.of"].parse(msgspec.Raw(body))


def test_a_text_that_is_no_utf_8_is_refused():
    with pytest.raises(Refused, match="text cannot be read"):
        verbs_of(Verbs)["all.of"].parse(msgspec.Raw(b"\x81\xa4text\xa1\xff"))


def test_only_what_is_marked_is_a_verb():
    assert set(exported(Verbs())) == {"all.of", "deck.load"}


def test_a_scope_that_is_not_granted_is_refused_by_verb_and_by_parameter():
    load = verbs_of(Verbs)["deck.load"]
    load.check_scopes(SCOPES, parse("deck.load", deck=1, path="x"))
    load.check_scopes(frozenset({"perform"}), parse("deck.load", deck=1))
    with pytest.raises(Forbidden, match=r'path of deck.load needs the scope "library"'):
        load.check_scopes(frozenset({"perform"}), parse("deck.load", deck=1, path="x"))
    with pytest.raises(Forbidden, match=r'deck.load needs the scope "perform"; .* has read'):
        load.check_scopes(frozenset({"read"}), parse("deck.load", deck=1))


def test_a_verb_describes_itself_in_plain_values():
    told = verbs_of(Verbs)["deck.load"].describe()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told)) == told
    assert (told["scope"], told["slow"], told["sentence"]) == ("perform", True, "Load.")
    params = {each.pop("name"): each for each in told["params"]}
    assert params["deck"] == {
        "type": {"type": "integer", "minimum": 1, "maximum": 2},
        "required": True,
    }
    assert params["path"]["scope"] == "library"
    assert params["way"] == {
        "type": {"enum": ["double", "halve"]},
        "required": False,
        "default": "halve",
    }
    assert sorted(params["colors"]["type"]["items"]["enum"]) == ["blue", "red"]
    assert params["rate"]["type"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert "source" not in params
