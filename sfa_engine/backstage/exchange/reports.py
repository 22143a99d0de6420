"""Reports of imports and exports, in full: a file each, kept for as long as their jobs. Blocks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from sfa_engine.interchange.record import Loss
from sfa_engine.library.places import Places
from sfa_engine.system.atomic import atomic_file

KEEP_S = 7 * 86_400.0  # as jobs are
FOLDER = "reports"
PAGE = 2000  # losses in an answer


def _path(places: Places, job: int) -> Path:
    return places.folder / FOLDER / f"{job}.jsonl"


def keep_report(places: Places, job: int, losses: Sequence[Loss]) -> None:
    """Write what a job has left out, a line each; reports of long ago are deleted.

    A disk without space costs the full report, not the import.
    """
    file = _path(places, job)
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, exist_ok=True)
        for old in file.parent.glob("*.jsonl"):
            if old.stat().st_mtime < time.time() - KEEP_S:
                old.unlink(missing_ok=True)
        if losses:
            with atomic_file(file, mode=0o600, durable=False) as part, part.open("wb") as out:
                for loss in losses:
                    out.write(_line(loss))


def _line(loss: Loss) -> bytes:
    values = {"where": loss.where, "what": loss.what, "why": loss.why}
    plain = {name: text.encode("utf-8", "replace").decode() for name, text in values.items()}
    return msgspec.json.encode(plain) + b"\n"


def read_report(places: Places, job: int, after: int) -> list[dict[str, str]]:
    """Return a page of what a job has left out, after a number of them."""
    try:
        with _path(places, job).open("rb") as file:
            return [msgspec.json.decode(line) for line in islice(file, after, after + PAGE)]
    except (OSError, msgspec.DecodeError):
        return []
