"""The worker program: ``python -m sfa_engine.prep.master``; see `sfa_engine.prep.worker`.

::

    {"path": "song.flac", "out": "master.wav", "preset": "club"}  ─►  {"result": {…}}
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.prep import worker

NUMBERS = ("target_lufs", "ceiling_dbtp", "limit_db")
PATHS = ("out", "reference", "compare")
FIELDS = frozenset({"path", *PATHS, *NUMBERS, "preset", "codec", "bits", "leash"})


def work(request: Mapping[str, Any], progress: worker.Progress) -> dict[str, Any]:
    """Master the file of a request; its fields are those of `mastering.Request`."""
    if unknown := set(request) - FIELDS:
        raise Refused(f"the request has unknown fields: {', '.join(sorted(unknown))[:200]}")
    path = worker.field(request, "path", str)
    if not path:
        raise Refused("the request names no file", 'send {"path": "…"}')
    from sfa_engine.mix.mastering.chain import DEFAULT_PRESET
    from sfa_engine.mix.mastering.codecs import DEFAULT
    from sfa_engine.prep.master.mastering import Request, master

    given = {name: request[name] for name in NUMBERS if request.get(name) is not None}
    numbers = {
        name: worker.field(given, name, float) if name in given else None for name in NUMBERS
    }
    paths = {name: worker.field(request, name, str, "") for name in PATHS}
    values: dict[str, Any] = {
        **numbers,
        **{name: Path(each) if each else None for name, each in paths.items()},
    }
    return master(
        Request(
            path=Path(path),
            preset=worker.field(request, "preset", str, DEFAULT_PRESET),
            codec=worker.field(request, "codec", str, DEFAULT),
            bits=worker.field(request, "bits", int, 24),
            **values,
        ),
        progress,
    )


if __name__ == "__main__":
    for library in ("OMP", "OPENBLAS"):  # one core a job, whatever the machine has
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    sys.exit(worker.main(work))
