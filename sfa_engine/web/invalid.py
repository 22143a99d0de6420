"""What is wrong with a JSON body, in one sentence that names the field. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from sfa_engine.errors import did_you_mean
from sfa_engine.web.problem import Problem
from sfa_engine.wire.verbs import words


def invalid(given: Any, kind: type[msgspec.Struct], place: str = "") -> Problem:
    """Return the problem of a body, or of an object in it.

    It does not repeat a value, which may be a password.

    Parameters
    ----------
    given : any
        As decoded.
    kind : type
        What it is not.
    place : str
        The name of the object; empty for the body.
    """
    what = place or "the body"
    if not isinstance(given, dict):
        return Problem(422, f"{what} is not an object", "send parameters by their names")
    fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    for name in given:
        if name not in fields:
            hint = did_you_mean(name, fields) or f"it takes {', '.join(fields)}"
            return Problem(422, f'{what} takes no "{name:.60}"', hint)
    for name, field in fields.items():
        if name not in given:
            if field.required:
                return Problem(422, f"{what} needs {name}")
            continue
        try:
            msgspec.convert(given[name], field.type)
        except msgspec.ValidationError:
            inner = f"{place}.{name}" if place else name
            expected = msgspec.inspect.type_info(field.type)
            structs = _structs(expected)
            if structs and isinstance(given[name], dict):
                return invalid(given[name], structs[0], inner)
            return Problem(422, f"{inner} is not valid", f"give {words(expected)}")
    return Problem(422, f"{what} is not valid")


def _structs(expected: Any) -> list[type[msgspec.Struct]]:
    """Return the structs that a type accepts."""
    kinds = msgspec.inspect
    types = expected.types if isinstance(expected, kinds.UnionType) else (expected,)
    return [each.cls for each in types if isinstance(each, kinds.StructType)]
