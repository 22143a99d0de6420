"""A replay into files: the master, and beside it every deck and stem that was heard."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from sfa_engine.errors import MediaError
from sfa_engine.host.replay import MASTER, Replay
from sfa_engine.system.atomic import atomic_file

FORMATS = {
    ".wav": ("WAV", "FLOAT"),
    ".rf64": ("RF64", "FLOAT"),
    ".w64": ("W64", "FLOAT"),
    ".caf": ("CAF", "FLOAT"),
    ".aiff": ("AIFF", "FLOAT"),
    ".flac": ("FLAC", "PCM_24"),
}
WAV_BYTES = 0xFFFFF000  # of sound, that a WAV's sizes can say


def write_replay(
    replay: Replay, target: Path, progress: Callable[[float], None] | None = None
) -> dict[str, float]:
    """Write what a replay renders; return the peak of each file by its name.

    Parameters
    ----------
    replay : Replay
    target : pathlib.Path
        File of the master; the others are beside it, ``NAME.deck1.vocals.wav``. What is silent
        throughout has no file.
    progress : callable, optional
        Called with the share that is done.

    Raises
    ------
    MediaError
        The ending is unknown, or a file cannot be written.
    """
    import soundfile

    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise MediaError(
            f'"{target}": unknown sound format "{target.suffix}"',
            f"end it with {' or '.join(FORMATS)}",
        )
    if not target.parent.is_dir():
        raise MediaError(f"{target.parent} is not a folder", "make it first")
    form, subtype = FORMATS[suffix]
    if form == "WAV" and replay.frames * 8 > WAV_BYTES:
        form = "RF64"
    peaks = dict.fromkeys(replay.names, 0.0)
    parts: dict[str, Path] = {}
    files: dict[str, soundfile.SoundFile] = {}
    done = 0
    try:
        with ExitStack() as stack, ExitStack() as made:  # closed before they are renamed
            for pieces in replay.pieces():
                for name, piece in pieces.items():
                    peak = float(np.abs(piece).max(initial=0.0))
                    if name not in files:
                        if not peak and name != MASTER:
                            continue
                        parts[name] = stack.enter_context(
                            atomic_file(_path(target, name), durable=False)
                        )
                        files[name] = made.enter_context(
                            soundfile.SoundFile(
                                parts[name], "w", replay.rate, 2, subtype, format=form
                            )
                        )
                        _write_silence(files[name], done)
                    files[name].write(piece)
                    peaks[name] = max(peaks[name], peak)
                done += len(pieces[MASTER])
                if progress is not None:
                    progress(min(1.0, done / max(1, replay.frames)))
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(
            f"{target} cannot be written: {reason}", "free some space, or choose another path"
        ) from None
    return {str(_path(target, name)): peaks[name] for name in files}


def _path(target: Path, name: str) -> Path:
    if name == MASTER:
        return target
    return target.with_name(f"{target.stem}.{name}{target.suffix}")


def _write_silence(file: object, frames: int) -> None:
    zeros = np.zeros((1 << 16, 2), np.float32)
    while frames > 0:
        file.write(zeros[: min(frames, len(zeros))])  # type: ignore[attr-defined]
        frames -= len(zeros)
