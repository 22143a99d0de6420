"""A plan as TOML: written the same way each time, read strictly.

Tracks and transitions stand in the order of the set, a move on a line, so that two plans can be
compared line by line. A plan that was edited is refused with the number of the line.
"""

from __future__ import annotations

import json
import re
import tomllib
from itertools import pairwise, zip_longest
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.mix.document import VERSION, Move, Plan, PlannedTrack, Transition
from sfa_engine.mix.moves import with_trims
from sfa_engine.mix.plan_check import first_finding

MAX_BYTES = 4 << 20  # a plan of 1000 tracks has 1.5 MB
_HEAD = (
    "# A mix plan of Sound Forge Alchemy. `out` and `into` are tracks; bars are the tracks' own.\n"
)
_TABLE = re.compile(r"\s*\[\[\s*(\w+)\s*\]\]")
_KEY = re.compile(r"\s*\"?([\w]+)\"?\s*=")
_PLACE = re.compile(r"(?:(\w+)(?:\[(\d+)\])?)?(?:\.?(\w+)(?:\[(\d+)\])?)?(?:\.(\w+))?")
_TABLES: dict[str, type[Struct]] = {"track": PlannedTrack, "transition": Transition}


def write_plan(plan: Plan) -> str:
    """Return a plan as TOML; equal plans give equal texts."""
    head = {k: v for k, v in msgspec.to_builtins(plan).items() if k not in _TABLES}
    lines = [_HEAD, *(f"{key} = {_text(value)}\n" for key, value in _with_version(head, plan))]
    for place, (track, transition) in enumerate(zip_longest(plan.tracks, plan.transitions), 1):
        if track is not None:
            lines += [f"\n[[track]] # {place}\n", *_fields(track)]
        if transition is not None:
            lines += [f"\n[[transition]] # {place} to {place + 1}\n", *_fields(transition)]
    return "".join(lines)


def read_plan(text: str) -> Plan:
    """Read a plan, strictly.

    Parameters
    ----------
    text : str

    Returns
    -------
    Plan
        Nothing is wrong with it in itself.

    Raises
    ------
    Refused
        It is not TOML, has unknown keys, or makes no sense; the line and what to do are named.
    """
    if len(text) > MAX_BYTES:
        raise Refused(f"the plan has {len(text)} characters", f"{MAX_BYTES} at most")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = re.sub(r" \(at (line \d+), column \d+\)", "", str(error))
        where = re.search(r"line (\d+)", str(error))
        line = where[1] if where else str(text.count("\n") + 1)
        raise Refused(f"line {line}: {said}", "write it as TOML") from None
    try:
        plan = msgspec.convert(data, Plan)
    except msgspec.ValidationError as error:
        raise _invalid(text, str(error)) from None
    plan = _as_now(plan)
    if finding := first_finding(plan):
        raise Refused(f"line {line_of(text, finding.path)}: {finding.message}", finding.hint)
    return plan


def _as_now(plan: Plan) -> Plan:
    """Return a plan of the first version as one of this; its moves of a trim were absolute."""
    if plan.version != 1 or len(plan.transitions) != max(0, len(plan.tracks) - 1):
        return plan
    transitions = (
        with_trims(each, -out.trim_db, -into.trim_db)
        for each, (out, into) in zip(plan.transitions, pairwise(plan.tracks), strict=True)
    )
    return replace(plan, version=VERSION, transitions=tuple(transitions))


def line_of(text: str, path: str) -> int:
    """Return the line, from 1, of a value of a plan.

    Parameters
    ----------
    text : str
        The plan, valid TOML.
    path : str
        As in ``transition[0].moves[2].at``.
    """
    found = _PLACE.fullmatch(path)
    if found is None:
        return 1
    table, number, key, entry, _ = found.groups()
    if number is None:  # a key at the top, or the tables as a whole
        table, key = (table, None) if table in _TABLES else (None, table)
    count, inside, at = -1, table is None, 1
    for line, words in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(words):
            count += header[1] == table
            inside = table is not None and header[1] == table and count == int(number or 0)
            at = line if inside else at
        elif inside and key and (named := _KEY.match(words)) and named[1] == key:
            return _entry_line(text, line, int(entry)) if entry else line
    return at


def _entry_line(text: str, line: int, entry: int) -> int:
    """Return the line of an entry of a list that begins at a line."""
    seen = -1
    for at, words in enumerate(text.splitlines()[line - 1 :], line):
        seen += words.count("{") if not words.lstrip().startswith("#") else 0
        if seen >= entry:
            return at
        if words.strip() == "]":
            break
    return line


def _invalid(text: str, message: str) -> Refused:
    """Return the error for a value of the wrong type, or an unknown key."""
    said, _, path = message.partition(" - at `$")
    path = path.rstrip("`").lstrip(".").replace("[...]", "")
    unknown = re.search(r"unknown field `(.*)`", said)
    if unknown:
        kind = _kind(path)
        names = kind.__struct_encode_fields__
        line = line_of(text, f"{path}.{unknown[1]}" if path else unknown[1])
        if ".moves" in path:
            line = line_of(text, path)
        hint = did_you_mean(unknown[1], names) or f"known are {', '.join(names)}"
        return Refused(f'line {line}: unknown key "{unknown[1]:.60}"', hint)
    missing = re.search(r"missing required field `(.*)`", said)
    if missing:
        return Refused(f"line {line_of(text, path)}: {missing[1]} is missing", "add it")
    name = path.rpartition(".")[2] or "the plan"
    wanted = said[:1].lower() + said[1:]
    return Refused(f"line {line_of(text, path)}: {name} is invalid", wanted.replace("`", ""))


def _kind(path: str) -> type[Struct]:
    if ".moves" in path:
        return Move
    return _TABLES.get(path.partition("[")[0], Plan)


def _with_version(head: dict[str, Any], plan: Plan) -> list[tuple[str, Any]]:
    """Return the keys at the top in their order, those at their defaults too."""
    names = [n for n in plan.__struct_encode_fields__ if n not in _TABLES]
    return [(name, head.get(name, getattr(plan, name))) for name in names]


def _fields(value: Struct) -> list[str]:
    """Return the lines of a table; what is at its default is left out."""
    lines = []
    for name, each in msgspec.to_builtins(value).items():
        if name == "moves":
            lines += ["moves = [\n", *(f"    {_text(move)},\n" for move in each), "]\n"]
        elif name == "why" and not isinstance(each, str):
            lines += ["why = [\n", *(f"    {_text(reason)},\n" for reason in each), "]\n"]
        else:
            lines.append(f"{name} = {_text(each)}\n")
    return lines


def _text(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_name(k)} = {_text(v)}" for k, v in value.items()) + " }"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _name(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
