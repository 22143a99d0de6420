"""The parameters of a verb in the query of an address, converted by their JSON Schema. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sfa_engine.web.problem import Problem

MAX_TEXTS = 1000
_WHOLE = re.compile(r"[+-]?\d{1,19}")
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,4})?")
_WORDS: Mapping[str, Mapping[str, bool | None]] = {
    "boolean": {"true": True, "false": False},
    "null": {"null": None},
}


def params_of(
    schemas: Mapping[str, Mapping[str, Any]], given: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Return the parameters that a query gives.

    What does not fit its type stays a text: the server's error names it.

    Parameters
    ----------
    schemas : mapping
        JSON Schemas by the names of the parameters.
    given : sequence of (str, str)
        Names and texts, in their order.

    Raises
    ------
    Problem
        One that is not a list is given twice; there are too many.
    """
    if len(given) > MAX_TEXTS:
        raise Problem(422, f"the query has {len(given)} parts", f"the limit is {MAX_TEXTS}")
    texts: dict[str, list[str]] = {}
    for name, text in given:
        texts.setdefault(name, []).append(text)
    return {name: _value(name, schemas.get(name, {}), found) for name, found in texts.items()}


def _value(name: str, schema: Mapping[str, Any], texts: list[str]) -> Any:
    options = _options(schema)
    lists = [each for each in options if each.get("type") == "array"]
    others = [each for each in options if each.get("type") != "array"]
    if lists and (len(texts) > 1 or not others):
        items = lists[0].get("items", {})
        return [_scalar(_options(items), text) for text in texts]
    if len(texts) > 1:
        raise Problem(422, f"{name:.60} is given {len(texts)} times", "give it once")
    return _scalar(others, texts[0])


def _options(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the alternatives of a schema."""
    return [each for one in schema.get("anyOf", [schema]) for each in _typed(one)]


def _typed(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "anyOf" in schema:
        return _options(schema)
    types = schema.get("type")
    return [{**schema, "type": each} for each in types] if isinstance(types, list) else [schema]


def _scalar(options: list[Mapping[str, Any]], text: str) -> Any:
    types = {each.get("type") for each in options}
    if "integer" in types and _WHOLE.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    for kind, words in _WORDS.items():
        if kind in types and text in words:
            return words[text]
    return text
