"""The import of a track that is to be loaded and cannot be played yet, at the highest priority."""

from __future__ import annotations

from pathlib import Path

from sfa_engine.backstage.job import Plan
from sfa_engine.backstage.steps.plans import ImportSource, PrepOptions, import_file, import_link
from sfa_engine.errors import Refused
from sfa_engine.library.sources import stem_sources
from sfa_engine.wire.frames import sayable

HIGHEST = 100


def plan_import(source: str, name: str) -> Plan:
    """Return the plan that imports a source before all others. Blocks.

    Raises
    ------
    Refused
        Its file does not exist.
    """
    options = PrepOptions(priority=HIGHEST)
    file = Path(source)
    if file.is_file():
        return import_file(ImportSource(source), options)
    if file.is_dir():
        stems = {stem: str(path) for stem, path in stem_sources(file).items()}
        return import_file(ImportSource(source, stems), options)
    if "://" in source:
        return import_link(source, options)
    raise Refused(
        f'"{name}" cannot be played, and its file "{sayable(source)}" is not there',
        "prepare its file again with `sfa prep`",
    )
