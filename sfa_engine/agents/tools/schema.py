"""The JSON Schema of a tool's parameters, in the strict subset that all vendors take. Pure.

Every field is required, no other is taken, there is no reference and no default; what may be left
out is a type with null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

# Bounds of a number that only say "finite", or that no caller could mean to exceed.
_MAX = 1 << 53
_DROPPED = frozenset({"title", "default", "$defs"})


def json_schema(params: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the schema of a tool's parameters.

    Parameters
    ----------
    params : type of msgspec.Struct

    Returns
    -------
    dict
        With ``additionalProperties: false`` and all properties in ``required``, at each depth.
    """
    schema = msgspec.json.schema(params)
    whole: dict[str, Any] = _whole(schema, schema.get("$defs", {}))
    whole.pop("description", None)  # the docstring of the struct; a tool has a sentence of its own
    return whole


def _whole(part: Any, named: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_whole(each, named) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _whole(named[part["$ref"].rpartition("/")[2]], named)
    made: dict[str, Any] = {}
    for key, value in part.items():
        if key == "properties":
            made[key] = {name: _whole(each, named) for name, each in value.items()}
        elif key in _DROPPED or (key in {"minimum", "maximum"} and abs(value) > _MAX):
            continue
        else:
            made[key] = _whole(value, named)
    if made.get("type") == "object":
        made.setdefault("properties", {})
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    return made
