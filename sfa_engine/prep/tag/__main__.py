"""``python -m sfa_engine.prep.tag``: the worker program.

::

    {"path": "song.sfa"}  ─►  {"result": {"labels": [0.91, …], "vector": [0.2, …]}}

Both lists are empty for a silent track. It writes no file: killed at any moment, it leaves nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.prep import worker


def work(request: Mapping[str, Any], progress: worker.Progress) -> dict[str, Any]:
    """Tag the bundle of a request.

    Parameters
    ----------
    request : mapping
        ``path``: the folder of the bundle.
    progress : callable
        Called with the part that is done, 0..1, and what is being done.

    Returns
    -------
    dict
        ``labels`` and ``vector``, as lists.

    Raises
    ------
    Refused
        The request names no bundle.
    SfaError
        The bundle cannot be read, or the weights are missing.
    """
    path = worker.field(request, "path", str)
    if not path:
        raise Refused("the request names no bundle", 'send {"path": "NAME.sfa"}')
    from sfa_engine.prep.tag.net import load_nets
    from sfa_engine.prep.tag.tagging import tag

    found = tag(Path(path), load_nets(), lambda done: progress(done, "tagging"))
    if found is None:
        return {"labels": [], "vector": []}
    return {
        "labels": [round(float(each), 5) for each in found.labels],
        "vector": [round(float(each), 5) for each in found.vector],
    }


if __name__ == "__main__":
    for library in ("OMP", "OPENBLAS"):  # one core a job, whatever the machine has
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    sys.exit(worker.main(work))
