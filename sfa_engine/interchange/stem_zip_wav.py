"""Stems of a track as a zip of WAV files; see `sfa_engine.interchange.stem_zip`."""

from __future__ import annotations

from pathlib import Path

from sfa_engine.interchange.record import Collection, Loss
from sfa_engine.interchange.stem_zip import write_stems


def write(collection: Collection, path: Path) -> list[Loss]:
    """Write the stems of one track as WAV."""
    return write_stems(collection, path, is_flac=False)
