"""A timetable as a script that `sfa render` renders, and `sfa play` performs.

A ramp with the gain of a quarter of a sine becomes short straight ones in decibels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from sfa_engine.desk.scale import OFF
from sfa_engine.mix.commands import Command, Timetable

PIECES = 24  # of a fade: no more than 0.3 dB off where it is louder than -20 dB
TAIL_S = 1.0
_DIGITS = 6


def mix_script(table: Timetable, bundles: Mapping[int, str]) -> str:
    """Return the script of a mix.

    Parameters
    ----------
    table : Timetable
    bundles : mapping of int to str
        Folder of the bundle of each track, or words that the library finds it by.

    Returns
    -------
    str
        A line for each event; a fade is several ramps.
    """
    lines = ["# A planned mix. Times are seconds.\n"]
    for command in table.commands:
        lines += [f"{line}\n" for line in _lines(command, bundles)]
    lines.append(f"{_number(table.end_s + TAIL_S)} end\n")
    return "".join(lines)


def _lines(command: Command, bundles: Mapping[int, str]) -> Iterator[str]:
    time = _number(max(0.0, command.time_s))
    why = f"  # {_comment(command.why)}" if command.why else ""
    if command.verb == "load":
        track = bundles[int(command.value)]
        yield f"{time} load {command.path.removeprefix('deck')} {_quoted(track)}"
    elif command.verb == "mark":
        yield f"{time} mark {_quoted(_comment(command.path))}"
    elif command.verb == "set":
        when = f" at {command.when}" if command.when else ""
        yield f"{time} set {command.path} {_value(command.value)}{when}{why}"
    elif command.curve == "linear":
        yield _ramp(command, 0.0, 1.0, command.start, float(command.value)) + why
    else:
        levels = [
            power_db(command.start, float(command.value), k / PIECES) for k in range(PIECES + 1)
        ]
        for k in range(PIECES):
            yield _ramp(command, k / PIECES, 1 / PIECES, levels[k], levels[k + 1])


def power_db(start_db: float, end_db: float, share: float) -> float:
    """Return the level at a share of a fade whose gain is a quarter of a sine."""
    first, last = (0.0 if db <= OFF else 10 ** (db / 20) for db in (start_db, end_db))
    bend = math.sin(math.pi / 2 * share)
    if last < first:
        bend = 1 - math.cos(math.pi / 2 * share)
    gain = first + (last - first) * bend
    return OFF if gain <= 10 ** (OFF / 20) else 20 * math.log10(gain)


def _ramp(command: Command, at: float, share: float, start: float, end: float) -> str:
    time = _number(max(0.0, command.time_s) + at * command.over_s)
    over = _number(share * command.over_s)
    return f"{time} ramp {command.path} {_number(start)} {_number(end)} over {over}"


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    return f"{round(value, _DIGITS) + 0.0:.{_DIGITS}f}".rstrip("0").rstrip(".")


def _comment(text: str) -> str:
    """Return text in one line, without what a script reads as quotes."""
    return " ".join(text.split()).replace('"', "").replace("\\", "")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
