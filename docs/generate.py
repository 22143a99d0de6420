"""What the documents take from the code: called by the cog blocks in them.

``make docs`` writes, ``make lint`` checks. Knows the desk, the library and backstage's verbs; none
of them knows it.
"""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.prep import PrepVerbs
from sfa_engine.desk import DESK, Button, Control, Desk, Each, Fader, Meter, Section
from sfa_engine.library.migrations import migrate
from sfa_engine.library.query import OPERATORS

HEADS = ("control", "kind", "range", "at rest", "what it does")


def controls() -> str:
    """Return every control in a table per section; sections that repeat stand once."""
    return "\n".join(_pages(DESK, "The desk itself", 2))


def operators() -> str:
    """Return every search operator in a table."""
    heads = ("operator", "for example", "what it asks for")
    rows = [(f"`{name}:`", f"`{o.example}`", o.sentence) for name, o in OPERATORS.items()]
    return "\n".join(_table(heads, rows))


def verbs() -> str:
    """Return every verb of backstage in a table."""
    rows = []
    for kind in (PrepVerbs, JobVerbs, LibraryVerbs):
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_"):
                params = [p for p in inspect.signature(method).parameters if p != "self"]
                sentence = (inspect.getdoc(method) or "").partition("\n\n")[0].replace("\n", " ")
                given = ", ".join(f"`{param}`" for param in params)
                rows.append((f"`{name.replace('_', '.', 1)}`", given, sentence))
    return "\n".join(_table(("method", "params", "what it does"), rows))


def tables() -> str:
    """Return the tables of the library as a diagram, read from a library that was just made."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return "\n".join(["```mermaid", "erDiagram", *_entities(connection), "```"])


def _entities(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield each table with its columns, and below that each reference."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'track\\_words%' ESCAPE '\\'"
    )
    references = []
    for (name,) in names.fetchall():
        yield f"    {name} {{"
        for column in connection.execute(f"PRAGMA table_info({name})"):
            yield f"        {column[2]} {column[1]}{' PK' if column[5] else ''}"
        yield "    }"
        keys = connection.execute(f"PRAGMA foreign_key_list({name})")
        references += [f"    {key[2]} ||--o{{ {name} : {key[3]}" for key in keys]
    yield from references


def _pages(section: Section, title: str, level: int) -> Iterator[str]:
    """Yield the lines of a section and of those below it."""
    yield f"{'#' * level} {title}\n"
    yield f"{_sentence(section)}\n"
    inside = [(name, getattr(section, name)) for name, _ in section.declared()]
    own = [part for _, part in inside if isinstance(part, Control)]
    if own:
        yield from _table(HEADS, [_row(control) for control in own])
    # Beside the desk itself, not below it.
    below = level if isinstance(section, Desk) else level + 1
    for _, part in inside:
        if isinstance(part, Section):
            yield from _pages(part, f"`{part.path}`", below)
        elif isinstance(part, Each):
            each: Sequence[Section] = list(part.values())
            yield from _pages(each[0], _names(part, [one.path for one in each]), below)


def _names(parts: Each[Any, Any], paths: list[str]) -> str:
    """Return the names of a section that stands several times, all of them if they are words."""
    numbered = all(isinstance(key, int) for key in parts) and len(parts) > 2
    shown = [f"`{path}`" for path in paths]
    return f"{shown[0]} to {shown[-1]}" if numbered else ", ".join(shown)


def _sentence(section: Section) -> str:
    return (inspect.getdoc(type(section)) or "").replace("``", "`")


def _row(control: Control) -> tuple[str, ...]:
    name = control.path.rpartition(".")[2]
    sentence = f"*Planned.* {control.sentence}" if control.planned else control.sentence
    return (f"`{name}`", control.kind, control.range_text(), _rest(control), sentence)


def _rest(control: Control) -> str:
    """Return where a control stands that nobody has touched, or what a button takes for granted."""
    scale = control.scale
    if isinstance(control, Meter) or not control.range_text():
        return ""
    if isinstance(control, Fader | Button) and control.text(scale.rest) != "off":
        return f"{scale.rest:.10g} {scale.unit}".rstrip()
    return control.text(scale.rest)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
