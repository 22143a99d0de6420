"""Measures a file, decides on a chain, and writes the master.

::

    source ─► meters ─► plan ─► chain ─► meters ─► gain, limiter ─┐   until the loudness is met:
                                                                  ▼   three times at most
                         encoder, meters ◄─ the file ◄─ chain, limiter, meters

Each pass decodes the source again: nothing is kept in memory that grows with the sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import MediaError, Refused
from sfa_engine.mix.mastering import chain, platforms
from sfa_engine.mix.mastering.codecs import NONE, check_codec
from sfa_engine.mix.mastering.report import Report, remarks
from sfa_engine.prep.decode import OUT_RATES, decode_blocks
from sfa_engine.prep.master.encode import EncoderMeter
from sfa_engine.prep.master.meter import SHORTEST_S, Meter
from sfa_engine.prep.master.process import Rendering
from sfa_engine.prep.master.sound_out import BITS, SoundOut, check_target, write_all, written
from sfa_engine.prep.mixdown import Mixdown, is_bundle
from sfa_engine.track.media import RATE, read_bundle

Block = NDArray[np.float32]
Progress = Callable[[float, str], None]

MOST_TRIES = 3
MET_LU = 0.05  # of the target
MET_DB = 0.05  # over the ceiling
AB_S = 30.0  # around the loudest moment
# Where each pass begins, of the work: with a target that needs one more try it goes back.
MEASURED, PLANNED, RENDERED = 0.25, 0.4, 0.7


class Request(NamedTuple):
    """What to do.

    Parameters
    ----------
    path : Path
        A sound file, or the folder of a bundle.
    out : Path or None
        The master, WAV or FLAC by its name; None measures and plans alone.
    preset : str
    target_lufs, ceiling_dbtp, limit_db : float or None
        See `chain.aim_of`.
    reference : Path or None
        Music that it is to sound like.
    codec : str
        Of `codecs.CODECS`, or ``none``.
    bits : int
        Of the master.
    compare : Path or None
        A folder for the loudest 30 s before and after, equally loud.
    """

    path: Path
    out: Path | None = None
    preset: str = chain.DEFAULT_PRESET
    target_lufs: float | None = None
    ceiling_dbtp: float | None = None
    limit_db: float | None = None
    reference: Path | None = None
    codec: str = NONE
    bits: int = 24
    compare: Path | None = None


class Source:
    """A sound file or a bundle, at its own rate, read as often as needed.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.channels = 2
        self._progress: Callable[[float], None] = lambda _share: None
        self._file: Mixdown | Any
        if is_bundle(path):
            bundle = read_bundle(path)
            self.rate = bundle.track.rate
            self._file = Mixdown(bundle, self.rate, self._report)
        else:
            self._file = decode_blocks(path, RATE, self._report)
            rate, channels = self._file.stated_format()
            self.rate = int(np.clip(rate or RATE, *OUT_RATES))
            self.channels = channels or 2
            self._file.rate = self.rate

    def _report(self, share: float) -> None:
        self._progress(share)

    def blocks(self, progress: Callable[[float], None]) -> Iterator[Block]:
        """Yield the sound from the beginning: float32[n, 2]."""
        self._progress = progress
        yield from self._file

    def with_damage(self, report: Report) -> Report:
        """Return a report with what was wrong with the file, which has been read."""
        return msgspec.structs.replace(
            report,
            silent_samples=int(self._file.repaired_samples),
            damaged_s=round(float(self._file.silent_seconds), 3),
            truncated=bool(self._file.truncated),
        )

    @property
    def tags(self) -> dict[str, str]:
        """Title and artist."""
        return {"title": self._file.title, "artist": self._file.artist}


def master(request: Request, progress: Progress) -> dict[str, Any]:
    """Measure a file, plan its chain, and write the master if a file is named for it.

    Returns
    -------
    dict
        ``source`` (a `Report`, with ``platforms``, ``broadcast`` and ``remarks``), ``aim``,
        ``chain`` (steps), and ``result``, of the same form, with ``file``, ``limited_db`` and
        ``compressed_db``, if there is one.

    Raises
    ------
    MediaError
        A file cannot be read or written, or is too short.
    Refused
        A value is invalid, the file is silent, or the master would overwrite it.
    """
    check_codec(request.codec)
    if request.bits not in BITS:
        raise Refused(f"{request.bits} bits", f"give {' or '.join(map(str, BITS))}")
    chain.aim_of(  # invalid numbers are refused before anything is read
        request.preset,
        target_lufs=request.target_lufs,
        ceiling_dbtp=request.ceiling_dbtp,
        limit_db=request.limit_db,
    )
    compared = _check_outputs(request)
    source = Source(request.path)
    codec = NONE if request.out else request.codec  # encoded once: the master, if there is one
    before = measured(source, _part(progress, 0.0, MEASURED, "measuring"), codec)
    reference = None
    if request.reference is not None:
        reference = measured(Source(request.reference), lambda _share: None)
    aim = chain.aim_of(
        request.preset,
        target_lufs=request.target_lufs,
        ceiling_dbtp=request.ceiling_dbtp,
        limit_db=request.limit_db,
        reference=reference,
    )
    answer: dict[str, Any] = {
        "path": str(request.path),
        "source": described(before),
        "aim": msgspec.to_builtins(aim),
        "chain": [],
        "result": None,
        "compare": None,
    }
    if before.is_silent and request.out is None:
        return answer
    steps = chain.plan(before, aim, reference)
    planned = before
    if steps:
        planned = _measure(
            Rendering(steps, source.rate).run(
                source.blocks(_part(progress, MEASURED, PLANNED, "planning"))
            ),
            source,
        )
    if request.out is None:
        level = chain.level(planned, aim, before.integrated_lufs)
        answer["chain"] = msgspec.to_builtins([*steps, *level.steps])
        return answer
    with written(request.out) as part:
        rendering, done = _rendered(
            request, source, part, steps, planned, aim, before.integrated_lufs, progress
        )
        ending = _part(progress, RENDERED, 1.0, "measuring the master")
        after = measured(Source(part), ending, request.codec)
        if compared is not None:
            moment_s = before.loudest_s
            answer["compare"] = _compare(source, Source(part), moment_s, compared)
    answer["chain"] = msgspec.to_builtins(done)
    answer["result"] = {
        **described(after),
        "file": str(request.out),
        "limited_db": round(rendering.limited_db, 2) + 0.0,
        "compressed_db": round(rendering.compressed_db, 2) + 0.0,
    }
    return answer


def measured(source: Source, progress: Callable[[float], None], codec: str = NONE) -> Report:
    """Return the report of a source.

    Raises
    ------
    MediaError
        It cannot be read, or is too short.
    """
    encoder = EncoderMeter(codec, source.rate) if codec != NONE else None
    report = source.with_damage(_measure(source.blocks(progress), source, encoder))
    if report.duration_s < SHORTEST_S:
        raise MediaError(
            f'"{source.path}" is too short to measure: {report.duration_s:g} s',
            f"{SHORTEST_S:g} s are needed",
        )
    if encoder is not None and not report.is_silent:
        report = msgspec.structs.replace(report, encoded=encoder.finish(report.true_peak_dbtp))
    return report


def described(report: Report) -> dict[str, Any]:
    """Return a report as plain values, with what platforms do, and remarks."""
    return {
        **msgspec.to_builtins(report),
        "platforms": platforms.changes(report),
        "broadcast": None if report.is_silent else platforms.broadcast(report),
        "remarks": remarks(report),
    }


def _measure(
    blocks: Iterable[Block], source: Source, encoder: EncoderMeter | None = None
) -> Report:
    meter = Meter(source.rate)
    for block in blocks:
        meter.take(block)
        if encoder is not None:
            encoder.take(block)
    return meter.finish(source.channels)


def _rendered(
    request: Request,
    source: Source,
    part: Path,
    steps: Sequence[chain.Step],
    planned: Report,
    aim: chain.Aim,
    source_lufs: float,
    progress: Progress,
) -> tuple[Rendering, list[chain.Step]]:
    """Write the master; return the last rendering and its steps.

    What the limiter takes from the loudness is added to the gain, and what a true peak is over the
    ceiling is taken from the limiter's, until both are met.
    """
    more_db, less_db, lower_db = 0.0, 0.0, 0.0
    channels = min(2, source.channels)
    for number in range(MOST_TRIES):
        level = chain.level(planned, aim, source_lufs, more_db, less_db)
        done = [*steps, *(_lowered(step, lower_db) for step in level.steps)]
        rendering = Rendering(done, source.rate)
        frames = round(planned.duration_s * source.rate)
        out = SoundOut(
            part,
            source.rate,
            channels=channels,
            bits=request.bits,
            frames=frames,
            tags=source.tags,
        )
        meter = Meter(source.rate)
        try:
            words = "rendering" if not number else f"rendering again ({number})"
            for block in rendering.run(source.blocks(_part(progress, PLANNED, RENDERED, words))):
                meter.take(block)
                out.write(block)
        finally:
            out.close()
        report = meter.finish(source.channels)
        limits = [step for step in level.steps if isinstance(step, chain.Limiter)]
        over_db = report.true_peak_dbtp - limits[0].ceiling_dbtp if limits else 0.0
        short_lu = 0.0 if level.goal_lufs is None else level.goal_lufs - report.integrated_lufs
        excess_db = rendering.limited_db - aim.limit_db if level.gain_db else 0.0
        more_db += short_lu if abs(short_lu) > MET_LU else 0.0
        less_db += excess_db if excess_db > MET_DB else 0.0
        lower_db += over_db if over_db > MET_DB else 0.0
        better = chain.level(planned, aim, source_lufs, more_db, less_db)
        if better == level and over_db <= MET_DB:
            break
    return rendering, done


def _lowered(step: chain.Step, by_db: float) -> chain.Step:
    if not by_db or not isinstance(step, chain.Limiter):
        return step
    return msgspec.structs.replace(step, ceiling_dbtp=round(step.ceiling_dbtp - by_db, 2))


def _check_outputs(request: Request) -> tuple[Path, Path] | None:
    """Refuse outputs that cannot be written; return the files to compare, if they are asked for."""
    sources = [path for path in (request.path, request.reference) if path is not None]
    if request.out is not None:
        check_target(request.out, *sources)
    if request.compare is None:
        return None
    if request.out is None:
        raise Refused("there is nothing to compare without a master", "name one with -o")
    name = request.out.stem
    pair = tuple(request.compare / f"{name}.{which}.wav" for which in ("before", "after"))
    for target in pair:
        check_target(target, *sources, request.out)
    return pair[0], pair[1]


def _compare(
    source: Source, after: Source, moment_s: float, targets: tuple[Path, Path]
) -> dict[str, Any]:
    """Write the loudest part before and after, at the loudness of the quieter one."""
    begin = max(0, round((moment_s + 1.5 - AB_S / 2) * source.rate))
    parts = [_excerpt(each, begin, round(AB_S * source.rate)) for each in (source, after)]
    reports = []
    for sound in parts:
        meter = Meter(source.rate)
        meter.take(sound)
        reports.append(meter.finish())
    level = min(report.integrated_lufs for report in reports)
    gains = [level - report.integrated_lufs for report in reports]
    # a float file may exceed full scale: both go down
    over = max(0.0, *(r.true_peak_dbtp + g for r, g in zip(reports, gains, strict=True)))
    channels = min(2, source.channels)
    for sound, gain, target in zip(parts, gains, targets, strict=True):
        factor = np.float32(10 ** ((gain - over) / 20))
        write_all(target, [sound * factor], source.rate, channels)
    return {
        "before": str(targets[0]),
        "after": str(targets[1]),
        "start_s": round(begin / source.rate, 3),
        "duration_s": round(len(parts[0]) / source.rate, 3),
        "lufs": round(level - over, 2),
        "turned_down_db": [round(over - gain, 2) + 0.0 for gain in gains],
    }


def _excerpt(source: Source, begin: int, frames: int) -> Block:
    """Return some frames of a source."""
    kept: list[Block] = []
    at = 0
    for block in source.blocks(lambda _share: None):
        kept.append(block[max(0, begin - at) : max(0, begin + frames - at)])
        at += len(block)
        if at >= begin + frames:
            break
    return np.concatenate(kept)


def _part(progress: Progress, low: float, high: float, words: str) -> Callable[[float], None]:
    """Return what reports a part of the work."""
    return lambda share: progress(low + share * (high - low), words)
