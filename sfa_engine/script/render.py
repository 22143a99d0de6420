"""Render a script with the real kernel, without a device, into a file."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sfa_engine.desk import DESK
from sfa_engine.engine.command import REASONS, Reason, ReportKind, Ring
from sfa_engine.engine.layout import LATENCY, TICK
from sfa_engine.errors import MediaError, Refused
from sfa_engine.host.offline import Offline
from sfa_engine.host.pads import Sound
from sfa_engine.script.offline_stage import OfflineStage
from sfa_engine.script.script import Event, Script
from sfa_engine.stage.conductor import Conductor
from sfa_engine.system.atomic import atomic_file
from sfa_engine.system.write_error import write_error
from sfa_engine.track.kit import read_kit

Audio = npt.NDArray[np.float32]
Progress = Callable[[float], None]
Watch = Callable[[float, Conductor], None]
FORMATS = (".wav", ".flac", ".aiff", ".caf", ".w64", ".rf64")  # those that hold 24 bits
NO_COMMENT = (".w64",)  # cannot store one
WATCH_S = 0.1
MAX_AT_ONCE = 200  # in one tick; the kernel holds 256 waiting commands


def perform(
    script: Script,
    rate: float = 48_000.0,
    block: int = 512,
    watch: Watch | None = None,
    *,
    engine: Offline | None = None,
) -> Iterator[Audio]:
    """Yield the sound of a script, piece by piece: float32[frames, 2].

    Every event happens at its exact frame. The limiter's delay is cut off at the start, so that
    second 0 of the script is the first frame.

    Parameters
    ----------
    script : Script
    rate : float
        Frames a second.
    block : int
        Frames a call of the kernel.
    watch : callable, optional
        Called every `WATCH_S` of sound, with the time in seconds and the conductor of the stage,
        whose values and readings are those of that moment.
    engine : Offline, optional
        A new one, whose taps are read between the pieces; `rate` and `block` are its own.

    Raises
    ------
    MediaError
        A bundle of the script cannot be read.
    Refused
        The kernel refused an event; its time and the reason are named.
    """
    engine = engine or Offline(rate, 2, block)
    stage = OfflineStage(engine)
    end = round(script.end_s * rate) + LATENCY
    position, watched = 0, 0
    longest = round(rate if watch is None else rate * WATCH_S)
    sent: dict[int, Event] = {}

    def upto(frame: int) -> Iterator[Audio]:
        nonlocal position, watched
        if position < frame:
            sent.clear()
        while position < frame:
            piece = engine.render(min(frame - position, longest))
            skip = max(0, min(len(piece), LATENCY - position))
            position += len(piece)
            yield piece[skip:]
            if watch is not None and position >= watched:
                stage.conductor.pump()
                watch(position / rate, stage.conductor)
                watched = position + longest
        _check(engine, pending)
        stage.conductor.pump()

    pending: dict[int, Event] = {}
    for event in script.events:
        # Up to the event's tick; the kernel applies it at the exact frame.
        tick = round(event.time_s * rate) // TICK * TICK
        if event.verb in {"load", "eject"}:
            # A tick earlier: the kernel has the track when its cues are set.
            yield from upto(max(0, tick - TICK))
            is_load = event.verb == "load"
            set_up = (
                stage.load(event.deck, Path(event.path)) if is_load else stage.eject(event.deck)
            )
            yield from upto(tick)
            set_up()
            continue
        yield from upto(tick)
        if event.verb in {"kit", "pad"}:
            _load_pads(engine, stage, event)
        elif event.verb != "mark" and (ticket := _do(stage, event, rate)):
            sent[ticket] = pending[ticket] = event
            if len(sent) > MAX_AT_ONCE:
                raise Refused(f"more than {MAX_AT_ONCE} events at {event.time_s:g} s")
    yield from upto(end)


def _check(engine: Offline, pending: dict[int, Event]) -> None:
    """Raise an error if the kernel refused an event."""
    for report in engine.reported():
        if report.ring != Ring.STAGE or not report.is_end:
            continue
        event = pending.pop(report.ticket, None)
        if event is not None and report.kind is ReportKind.REFUSED:
            message, hint = REASONS[Reason(report.reason)]
            raise Refused(f"at {event.time_s:g} s {event.path}: {message}", hint)


def _do(stage: OfflineStage, event: Event, rate: float) -> int:
    """Set or press a control at its exact frame; return the ticket, 0 if it is the stage's."""
    when = event.when or (None if event.is_at_once else round(event.time_s * rate))
    try:
        return stage.do(event.verb, event.path, event.value, when)
    except Refused as error:
        raise Refused(f"at {event.time_s:g} s {error.message}", error.hint) from None


def _load_pads(engine: Offline, stage: OfflineStage, event: Event) -> None:
    """Load a kit, or a sound file onto one pad."""
    if event.verb == "pad":
        from sfa_engine.prep.decode import decode  # FFmpeg, which few scripts need

        decoded = decode(event.path)
        engine.load_pad(event.deck - 1, decoded.sound, rate=decoded.rate)
        return
    folder = Path(event.path)
    kit = {pad.pad: pad for pad in read_kit(folder).pads}
    for number, pad in DESK.pad.items():
        each = kit.get(number)
        for control in pad.controls():
            if not control.settable or control.owner != "engine":
                continue
            name = control.path.rpartition(".")[2]
            said = each.settings.get(name) if each is not None else None
            value = control.scale.rest if said is None else control.check(said)
            if engine.memory.value(control.path) != value:
                stage.do("set", control.path, value, None)
        if each is not None:
            sound = Sound(str(folder / each.file), (), each.start, each.frames, each.gain)
            engine.load_pad(number - 1, sound)
        elif engine.pads.describe(number - 1)["loaded"]:
            engine.load_pad(number - 1, None)


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
    """Write pieces of sound to a file atomically; return the peak.

    Parameters
    ----------
    target : pathlib.Path
        Its ending is one of `FORMATS`.
    frames : int
        Their number, for the progress.
    comment : str
        Stored in the file, if its format can.

    Raises
    ------
    MediaError
        The ending is not one of these, or the file cannot be written; the reason is named.
    """
    import soundfile

    if target.suffix.lower() not in FORMATS:
        raise MediaError(
            f'"{target}": unknown sound format "{target.suffix}"',
            f"end it with {' or '.join(FORMATS)}",
        )
    if not target.parent.is_dir():
        raise MediaError(f"{target.parent} is not a folder", "make it first")
    peak = 0.0
    done = 0
    try:
        with atomic_file(target, durable=False) as part:
            try:
                with soundfile.SoundFile(part, "w", rate, 2, subtype) as file:
                    if comment and target.suffix.lower() not in NO_COMMENT:
                        file.comment = comment
                    for piece in pieces:
                        file.write(piece)
                        peak = max(peak, float(np.abs(piece).max(initial=0.0)))
                        done += len(piece)
                        if progress is not None:
                            progress(min(1.0, done / max(1, frames)))
            except soundfile.LibsndfileError as error:
                raise write_error(part) or error from None
    except (OSError, soundfile.LibsndfileError) as why:
        hint = "choose another path"
        if isinstance(why, OSError) and why.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "free some space, or choose another path"
        reason = why.strerror if isinstance(why, OSError) else str(why)
        raise MediaError(f"{target} cannot be written: {reason}", hint) from None
    return peak
