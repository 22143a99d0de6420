"""``python -m sfa_engine.prep.sample``: the worker that decodes a sound file for a pad.

::

    {"path": "kick.mp3", "output": "…/pads/3f2a.wav", "longest_s": 600}

A pad plays stereo PCM at the library's rate: mono is in both channels, more than two are mixed
down, and what is no number is silence.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError
from sfa_engine.prep.decode import decode_blocks
from sfa_engine.prep.worker import Progress, field, main
from sfa_engine.system.atomic import atomic_file
from sfa_engine.track.media import RATE
from sfa_engine.track.wav import wav_header


def make_sample(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Decode the file that a request names into a WAV of floats; return its length."""
    target = Path(field(request, "output", str))
    longest_s = field(request, "longest_s", float)
    decoding = decode_blocks(
        field(request, "path", str), RATE, lambda share: progress(share, "decoding"), longest_s
    )
    try:
        with atomic_file(target, mode=0o600, durable=False) as part, part.open("r+b") as file:
            file.write(wav_header(0, RATE, "f32"))
            for block in decoding:
                file.write(block.tobytes())
            file.seek(0)
            file.write(wav_header(decoding.frames, RATE, "f32"))
    except OSError as error:
        raise MediaError(f"{target}: {error.strerror}", "free some space or memory") from None
    return {
        "path": str(target),
        "frames": decoding.frames,
        "rate": RATE,
        "repaired_samples": decoding.repaired_samples,
        "truncated": decoding.truncated,
    }


if __name__ == "__main__":
    sys.exit(main(make_sample))
