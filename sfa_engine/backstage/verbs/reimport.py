"""The import of what a deck is to play and cannot yet: first of all that waits."""

from __future__ import annotations

from pathlib import Path

from sfa_engine.backstage.job import Plan
from sfa_engine.backstage.steps.chain import Find, Wish, import_file, import_link
from sfa_engine.errors import Refused
from sfa_engine.library.sources import stem_sources
from sfa_engine.wire.frames import sayable

FIRST = 100  # priority


def plan_for(source: str, name: str) -> Plan:
    """Return the plan to import a source first of all; blocks.

    Raises
    ------
    Refused
        Its file is not there.
    """
    wish = Wish(priority=FIRST)
    file = Path(source)
    if file.is_file():
        return import_file(Find(source), wish)
    if file.is_dir():
        stems = {stem: str(path) for stem, path in stem_sources(file).items()}
        return import_file(Find(source, stems), wish)
    if "://" in source:
        return import_link(source, wish)
    raise Refused(
        f'"{name}" cannot be played, and its file "{sayable(source)}" is not there',
        "prepare its file again with `sfa prep`",
    )
