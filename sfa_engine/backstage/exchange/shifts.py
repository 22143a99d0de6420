"""Positions between our count of a file's frames and another program's, track by track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sfa_engine.backstage.exchange.report import Report
from sfa_engine.errors import Refused
from sfa_engine.interchange.mp3_shift import shift_of
from sfa_engine.interchange.record import Record, moved
from sfa_engine.interchange.registry import Program

MAX_SHIFT_MS = 1000.0
PADDED = (".mp3", ".m4a", ".mp4", ".aac")  # formats whose encoders pad the beginning


@dataclass(frozen=True, slots=True)
class ShiftRule:
    """How positions are moved: by the kind of each file, not at all, or by a number.

    Parameters
    ----------
    milliseconds : float, optional
        Of every file with an encoder's padding: theirs are so much later than ours. None: as each
        file says.
    """

    milliseconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> ShiftRule:
        """Parse ``auto``, ``none`` or milliseconds; Refused if it is none of these."""
        word = text.strip().lower()
        if word in {"", "auto"}:
            return cls()
        if word == "none":
            return cls(0.0)
        try:
            milliseconds = float(word)
        except ValueError:
            milliseconds = float("nan")
        if not -MAX_SHIFT_MS <= milliseconds <= MAX_SHIFT_MS:
            raise Refused(
                f'invalid MP3 shift "{text:.40}"',
                f"give auto, none, or up to {MAX_SHIFT_MS:g} milliseconds",
            )
        return cls(milliseconds)


def shifted(
    tracks: Iterable[tuple[Record, str | None]],
    program: Program,
    rule: ShiftRule,
    direction: Literal[1, -1],
    report: Report,
) -> Iterator[Record]:
    """Yield tracks with their positions moved. Blocks.

    Parameters
    ----------
    tracks : iterable of (Record, str or None)
        Each with its file here, if there is one.
    program : str
    rule : ShiftRule
    direction : int
        1 to the other program, -1 from it.
    report : Report
        Gets how many were moved by what, and what was lost by it.
    """
    for track, file in tracks:
        has_positions = track.grid is not None or bool(track.cues)
        if not program or not has_positions or not track.location.lower().endswith(PADDED):
            yield track
            continue
        by_s, case = _shift(file, program, rule)
        if case is None:
            report.lose(track.name, "MP3 shift", "its file is not here to be looked at")
            yield track
            continue
        if case:
            report.shifts[f"{case} {direction * by_s * 1000:+.1f} ms"] += 1
        track, losses = moved(track, direction * by_s)  # noqa: PLW2901 - the same track
        report.extend(losses)
        yield track


def _shift(file: str | None, program: Program, rule: ShiftRule) -> tuple[float, str | None]:
    """Return by how much positions are later there, in seconds, and the case; None: unknown."""
    if rule.milliseconds is not None:
        return rule.milliseconds / 1000.0, "by hand"
    if file is None:
        return 0.0, None
    try:
        found = shift_of(Path(file), program)
    except OSError:
        return 0.0, None
    unsure = "" if found.is_sure or not found.case else " (not measured)"
    return found.seconds, f"{found.case}{unsure}"
