"""The worker program: ``python -m sfa_engine.prep.loops``; see `sfa_engine.prep.worker`.

::

    {"wanted": [{"stem": "drums", "count": 2, "places": [{"track": 3, "beat": 64, …}, …]}, …],
     "tracks": {"3": {"path": "….sfa", "name": "Wren - Long Way Down"}},
     "kit": "…/kits/NAME"}    or  {… "zip": "….zip", "format": "flac"}  ─►  {"result": {…}}
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from sfa_engine.errors import Refused
from sfa_engine.prep import worker


def work(request: Mapping[str, Any], progress: worker.Progress) -> dict[str, Any]:
    """Cut the loops of a request; its fields are those of `loop_set.Request`."""
    from sfa_engine.prep.loops.loop_set import Request, make

    given = {name: value for name, value in request.items() if name != "leash"}
    try:
        asked = msgspec.convert(given, Request, str_keys=True)
    except msgspec.ValidationError as error:
        raise Refused(f"invalid request: {error!s:.200}", "see `sfa loops --help`") from None
    return make(asked, progress)


if __name__ == "__main__":
    for library in ("OMP", "OPENBLAS"):  # one core a job, whatever the machine has
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    sys.exit(worker.main(work))
