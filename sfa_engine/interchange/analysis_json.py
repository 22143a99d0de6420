"""The analysis of a track as JSON. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sfa_engine.interchange.described import described
from sfa_engine.interchange.record import Collection, Loss
from sfa_engine.interchange.texts import written


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write what is known of one track."""
    (track,) = collection.tracks
    with written(path) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(described(track)), indent=1))
    return []
