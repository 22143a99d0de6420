"""The tables of `docs/analysis.md`, and how they get there: between two comments that name them.

::

    <!-- analysis-table goals -->
    ... written by `make analysis-table`
    <!-- analysis-table end -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from sfa_engine.bench.analysis.goal import COST, GOALS, Goal, chosen, mean, sure_and_right
from sfa_engine.bench.analysis.reliability import EDGES, MEASURES, bins, calibration_error
from sfa_engine.bench.analysis.score import Row
from sfa_engine.errors import Refused

NAMES = {"product": "Sound Forge Alchemy", "librosa": "librosa"}
UNKNOWN = "–"  # noqa: RUF001 - typography
END = "<!-- analysis-table end -->"
Scores = Mapping[str, Sequence[Row]]  # of each engine


def goals(scores: Scores, cost: Scores | None = None) -> str:
    """Return all measures with their goals, an engine a column.

    Parameters
    ----------
    scores : mapping of str to rows
        Of each engine.
    cost : mapping of str to rows, optional
        Of an hour; see `run.cost`.
    """
    lines = [["", "measure", "goal", *(NAMES[engine] for engine in scores), "pieces"]]
    for goal in GOALS:
        pieces = len(chosen(next(iter(scores.values())), goal.about))
        values = [goal.value(rows) for rows in scores.values()]
        if pieces and values[0] is not None:
            lines.append(_line(goal, values, str(pieces)))
    for goal in COST if cost else ():
        assert cost is not None
        values = [goal.value(cost.get(engine, ())) for engine in scores]
        lines.append(_line(goal, values, "an hour"))
    return _markdown(lines)


def _line(goal: Goal, values: Sequence[float | None], pieces: str) -> list[str]:
    limit = "≤" if goal.at_most else "≥"
    wanted = "" if goal.goal is None else f"{limit} {_number(goal.goal)}"
    cells = [_number(value) for value in values]
    if values[0] is not None and not goal.met(values[0]):
        cells[0] += " ✗"
    return [goal.letter, goal.text, wanted, *cells, pieces]


def kinds(scores: Scores) -> str:
    """Return the most important measures of each kind."""
    mine = scores["product"]
    heads = ["kind", "pieces", "tempo", "octave", "BPM .02", "beats 25 ms", "downbeats", "sure",
             "sure and right"]  # fmt: skip
    other = scores.get("librosa")
    if other:
        heads += ["librosa: tempo", "octave", "beats 25 ms"]
    measures = [mean("acc2"), mean("acc1"), _constant, _within, mean("downbeats"),
                mean("sure"), sure_and_right]  # fmt: skip
    lines = [heads]
    for kind in [*dict.fromkeys(str(row["kind"]) for row in mine), ""]:
        rows = [row for row in mine if kind in ("", row["kind"])]
        line = [kind or "**all**", str(len(rows)), *(_number(m(rows)) for m in measures)]
        if other:
            theirs = [row for row in other if kind in ("", row["kind"])]
            line += [_number(measure(theirs)) for measure in (measures[0], measures[1], _within)]
        lines.append(line)
    return _markdown(lines)


def _constant(rows: Sequence[Row]) -> float | None:
    """Return the share of tempos within 0.02 BPM where the tempo is constant."""
    return mean("bpm_ok")([row for row in rows if row.get("constant_true")])


def _within(rows: Sequence[Row]) -> float | None:
    """Return the share of grids within 25 ms where there is a beat."""
    return mean("within25")([row for row in rows if row["bpm_true"]])


def reliability(rows: Sequence[Row]) -> str:
    """Return how often the product is right, by measure and confidence; pieces in brackets."""
    ends = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    lines = [["confidence", *ends, "calibration error"]]
    for measure in MEASURES:
        parts = bins(rows, measure)
        cells = [f"{part.right:.2f} ({part.pieces})" if part else UNKNOWN for part in parts]
        error = calibration_error(parts)
        lines.append([measure, *cells, UNKNOWN if error is None else f"{error:.2f}"])
    return _markdown(lines)


def failures(rows: Sequence[Row]) -> list[str]:
    """Return a line for each piece that the product is sure of and wrong about."""
    out = []
    for row in rows:
        known = row.get("within25") is not None
        if row.get("error"):
            out.append(f"{row['kind']}-{row['seed']}: {row['error']}")
        elif row["sure"] and known and not row["within25"]:
            out.append(
                f"{row['kind']}-{row['seed']}: confidence {row['confidence']:.2f}, "
                f"{row['bpm']:g} BPM for {row['bpm_true'] or 0:g}, "
                f"p95 {row.get('p95_ms', float('nan')):.1f} ms"
            )
    return out


def write(document: Path, parts: Mapping[str, str]) -> None:
    """Replace the parts of a document between their comments.

    Parameters
    ----------
    document : Path
        Changed in place.
    parts : mapping of str to str
        Text by the name in the opening comment.

    Raises
    ------
    Refused
        The document lacks one of the comments.
    """
    text = document.read_text()
    for name, part in parts.items():
        start = f"<!-- analysis-table {name} -->"
        found = re.compile(f"{re.escape(start)}\n.*?{re.escape(END)}", re.DOTALL)
        if not found.search(text):
            raise Refused(f"{document}: comment not found: {start}", f"add it, and {END} below it")
        text = found.sub(lambda _: f"{start}\n\n{part}\n\n{END}", text, count=1)  # noqa: B023
    document.write_text(text)


def _number(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.2f}" if abs(value) < 20 else f"{value:.0f}"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *body])
