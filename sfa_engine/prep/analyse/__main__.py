"""``python -m sfa_engine.prep.analyse``: the worker program.

::

    {"path": "song.flac", "stems": {"drums": "song.sfa/drums.wav", …}}  ─►  {"result": {…}}

`stems` may be left out, `features` names their engine (``own``, ``librosa``); with the `digest` of
a bundle's sound the result has its curves. It writes no file: killed at any moment, it leaves
nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.prep import worker
from sfa_engine.prep.analyse import heap


def work(request: Mapping[str, Any], progress: worker.Progress) -> dict[str, Any]:
    """Analyse the sound file of a request.

    Parameters
    ----------
    request : mapping
        ``path``, ``stems``: a map of names to sound files, ``features`` and ``digest``.
    progress : callable
        Told the part that is done, 0..1, and what is being done.

    Returns
    -------
    dict
        What `analyse` returns.

    Raises
    ------
    Refused
        If the request names no file, or an engine that is missing.
    MediaError
        If a file cannot be read.
    """
    path = worker.field(request, "path", str)
    if not path:
        raise Refused("the request names no file", 'send {"path": "…"}')
    stems = worker.field(request, "stems", dict, {})
    files = {name: worker.field(stems, name, str) for name in stems}
    engine = worker.field(request, "features", str, "own")
    digest = worker.field(request, "digest", str, "") or None
    from sfa_engine.prep.analyse.analysis import analyse

    return analyse(path, progress, files, engine=engine, digest=digest)


if __name__ == "__main__":
    heap.return_large_blocks()
    for library in ("OMP", "OPENBLAS"):  # one core a job, whatever the machine has
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    sys.exit(worker.main(work))
