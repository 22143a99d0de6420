"""The worker program: ``python -m sfa_engine.prep.separate``; see `sfa_engine.prep.worker`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.prep.separate.choice import EngineChoice
from sfa_engine.prep.separate.models import default_folder
from sfa_engine.prep.separate.separation import SeparationRequest, separate
from sfa_engine.prep.worker import Progress, field, main
from sfa_engine.track.media import RATE

FACTS: Mapping[str, type] = {
    "title": str,
    "artist": str,
    "bpm": float,
    "first_beat_s": float,
    "beats_per_bar": int,
    "key": str,
    "gain_db": float,
    "pcm": str,
    "cues": list,
}


def work(request: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Separate; a request has the fields of `SeparationRequest`, `EngineChoice` and `FACTS`."""
    unknown = set(request) - FACTS.keys() - {"path", "out", "bundle", "engine", "model", "leash"}
    unknown -= {"models_folder", "device", "fetch", "url", "format", "preview_s", "rate"}
    unknown -= {"licence", "licence_folder"}
    if unknown:
        raise Refused(f"the request has unknown fields: {', '.join(sorted(unknown))[:200]}")
    folder = field(request, "models_folder", str, "")
    choice = EngineChoice(
        engine=field(request, "engine", str, "auto"),
        model=field(request, "model", str, ""),
        models_folder=Path(folder).expanduser() if folder else default_folder(),
        device=field(request, "device", str, "auto"),
        fetch=field(request, "fetch", bool, default=False),
        url=field(request, "url", str, ""),
        licence=field(request, "licence", str, ""),
        licence_folder=field(request, "licence_folder", str, ""),
    )
    given = {name: request[name] for name in FACTS if request.get(name) is not None}
    wanted = SeparationRequest(
        path=Path(field(request, "path", str)),
        out=_path(request, "out"),
        bundle=_path(request, "bundle"),
        choice=choice,
        form=field(request, "format", str, "wav"),
        preview_s=field(request, "preview_s", float, 0.0),
        rate=field(request, "rate", int, RATE),
        facts={name: field(given, name, FACTS[name]) for name in given},
    )
    return separate(wanted, progress)


def _path(request: Mapping[str, Any], name: str) -> Path | None:
    path = field(request, name, str, "")
    return Path(path) if path else None


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a cloud hears of it
    sys.exit(main(work))
