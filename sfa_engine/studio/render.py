"""A script through the real kernel without a device, straight into a file."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sfa_engine.audio.command import REASONS, Reason, Tell, When
from sfa_engine.audio.layout import LATENCY, TICK
from sfa_engine.audio.offline import Offline
from sfa_engine.audio.ring import Command
from sfa_engine.audio.translate import Moment, command_for
from sfa_engine.desk import find
from sfa_engine.errors import MediaError, Refused
from sfa_engine.studio.script import Event, Script

Audio = npt.NDArray[np.float32]
Progress = Callable[[float], None]
FORMATS = (".wav", ".flac", ".aiff", ".caf", ".w64", ".rf64")  # those that hold 24 bits
NO_COMMENT = (".w64",)  # has no place for one
PROBE_BYTES = 1 << 16  # more than what may be left over in the last block of a full disk
MOST_AT_ONCE = 200  # in one tick; the kernel keeps 256 waiting


def perform(script: Script, rate: float = 48_000.0, block: int = 512) -> Iterator[Audio]:
    """Yield the sound of a script, piece by piece: float32[frames, 2].

    Every event is done at its exact frame. What the engine's limiter holds back is left out at
    the start, so that second 0 of the script is the first frame.

    Raises
    ------
    MediaError
        A bundle of the script cannot be read.
    Refused
        The kernel could not do something; when and why is named.
    """
    engine = Offline(rate, 2, block)
    end = round(script.end_s * rate) + LATENCY
    position = 0
    sent: dict[int, Event] = {}

    def upto(frame: int) -> Iterator[Audio]:
        nonlocal position
        if position < frame:
            sent.clear()
        while position < frame:
            piece = engine.render(min(frame - position, round(rate)))
            skip = max(0, min(len(piece), LATENCY - position))
            position += len(piece)
            yield piece[skip:]
        _check(engine, asked)

    asked: dict[int, Event] = {}
    for event in script.events:
        # To the tick in which it happens; the kernel finds the exact frame by itself.
        yield from upto(round(event.time_s * rate) // TICK * TICK)
        if event.verb in {"load", "eject"}:
            _load(engine, event)
        elif event.verb != "mark":
            seq = engine.push(_command(event, rate))
            sent[seq] = asked[seq] = event
            if len(sent) > MOST_AT_ONCE:
                raise Refused(f"more than {MOST_AT_ONCE} things are done at {event.time_s:g} s")
    yield from upto(end)


def _check(engine: Offline, asked: dict[int, Event]) -> None:
    """Raise what the kernel refused."""
    for report in engine.told():
        event = asked.pop(report.seq, None)
        if event is not None and report.kind is Tell.REFUSED:
            message, hint = REASONS[Reason(int(report.x))]
            raise Refused(f"at {event.time_s:g} s {event.path}: {message}", hint)


def _load(engine: Offline, event: Event) -> None:
    if event.verb == "load":
        engine.load(event.deck - 1, Path(event.path))
    else:
        engine.loader.hand_over(event.deck - 1, None)


def _command(event: Event, rate: float) -> Command:
    control = find(event.path)
    moment = Moment(When.FRAME, frame=round(event.time_s * rate))
    if event.when is not None:
        moment = Moment.parse(event.when)
    return command_for(control, event.value, moment, 0)


def write_wav(
    target: Path,
    pieces: Iterator[Audio],
    rate: int,
    frames: int,
    progress: Progress | None = None,
    *,
    subtype: str = "PCM_24",
    comment: str = "",
) -> float:
    """Write pieces of sound to a file that appears when it is whole; return its peak.

    Parameters
    ----------
    target : pathlib.Path
        Its ending is one of `FORMATS`.
    frames : int
        How many there will be, for the progress.
    comment : str
        Kept in the file, where its format has a place for it.

    Raises
    ------
    MediaError
        The ending is none of these, or the file cannot be written; the system's reason is named.
    """
    import soundfile

    if target.suffix.lower() not in FORMATS:
        raise MediaError(
            f'"{target}": sound is not written as "{target.suffix}"',
            f"end it with {' or '.join(FORMATS)}",
        )
    if not target.parent.is_dir():
        raise MediaError(f"{target.parent} is not a folder", "make it first")
    beside = target.with_name(f".{os.getpid()}.{target.name}")
    peak = 0.0
    done = 0
    try:
        with soundfile.SoundFile(beside, "w", rate, 2, subtype) as file:
            if comment and target.suffix.lower() not in NO_COMMENT:
                file.comment = comment
            for piece in pieces:
                file.write(piece)
                peak = max(peak, float(np.abs(piece).max(initial=0.0)))
                done += len(piece)
                if progress is not None:
                    progress(min(1.0, done / max(1, frames)))
        beside.replace(target)
    except (OSError, soundfile.LibsndfileError) as error:
        why = error if isinstance(error, OSError) else _ask_system(beside) or error
        hint = "choose another place"
        if isinstance(why, OSError) and why.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "make room there, or choose another place"
        reason = why.strerror if isinstance(why, OSError) else str(why)
        raise MediaError(f"{target} cannot be written: {reason}", hint) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
    return peak


def _ask_system(path: Path) -> OSError | None:
    """Return why nothing can be added to a file: libsndfile says only "System error"."""
    try:
        with path.open("ab", buffering=0) as file:
            file.write(bytes(PROBE_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None
