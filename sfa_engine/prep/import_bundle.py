"""``python -m sfa_engine.prep.import_bundle``: the worker that makes a bundle of sound files.

::

    {"sources": {"mix": "song.flac"}, "bundle": "…/Wren - Long Way Down [3f2a91c0].sfa",
     "title": "…", "artist": "…", "rate": 48000, "pcm": "s16"}

The track can be played as soon as this is done; its beats come with the analysis. Files are given
by stem name, ``mix`` for one that was not separated.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.library.bundle import notes
from sfa_engine.prep.bundle_writer import write_bundle
from sfa_engine.prep.worker import Progress, field, main
from sfa_engine.track.media import RATE, read_bundle


def take_in(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Make the bundle that a request asks for; return what a person should know of it."""
    sources = field(request, "sources", dict)
    if not all(isinstance(name, str) and isinstance(path, str) for name, path in sources.items()):
        raise Refused(f"sources is {sources!r:.80}", 'give {"mix": "song.flac"}')
    target = Path(field(request, "bundle", str))
    write_bundle(
        target,
        {name: Path(path) for name, path in sources.items()},
        title=field(request, "title", str, ""),
        artist=field(request, "artist", str, ""),
        bpm=None,
        pcm=field(request, "pcm", str, "s16"),
        rate=field(request, "rate", int, RATE),
        longest_s=field(request, "longest_s", float, 0.0) or None,
        progress=lambda share: progress(share, "decoding"),
    )
    track = read_bundle(target).track
    return {
        "title": track.title,
        "artist": track.artist,
        "duration_s": track.frames / track.rate,
        "stems": [stem.name for stem in track.stems],
        "clipped_samples": sum(stem.clipped_samples for stem in track.stems),
        "repaired_samples": sum(stem.repaired_samples for stem in track.stems),
        "truncated": any(stem.truncated for stem in track.stems),
        "notes": notes(track),
    }


if __name__ == "__main__":
    sys.exit(main(take_in))
