"""Traktor's collection as its versions before 4 hold it: one tempo for a track, no colour of a cue.

Read by `sfa_engine.interchange.traktor_nml`, as any version. Pure.
"""

from __future__ import annotations

from pathlib import Path

from sfa_engine.interchange import traktor_nml
from sfa_engine.interchange.record import Collection, Loss


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write a collection whose grids are one marker, at the steadiest part. Blocks."""
    return traktor_nml.write(collection, path, flexible=False)
