"""How often an engine is right when it says how sure it is: by bins, and as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sfa_engine.bench.analysis.score import Row

MEASURES = ("tempo", "phase", "bar", "octave")
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)  # most answers are above .8: the last fifth is split


@dataclass(frozen=True)
class Bin:
    """Pieces of similar confidence: how many, its mean, and the share that is right."""

    pieces: int
    sure: float
    right: float


def bins(rows: Iterable[Row], measure: str) -> list[Bin | None]:
    """Return a bin for each two of `EDGES`; None where no piece is.

    Parameters
    ----------
    rows : iterable of dict
        Scores of an engine that gives a confidence.
    measure : str
        Of `MEASURES`.
    """
    pairs = [(r[f"sure_{measure}"], r[f"right_{measure}"]) for r in rows if f"sure_{measure}" in r]
    out: list[Bin | None] = []
    for low, high in pairwise(EDGES):
        last = high == EDGES[-1]
        inside = [(s, r) for s, r in pairs if low <= s < high or (last and s >= high)]
        n = len(inside)
        out.append(
            Bin(n, sum(s for s, _ in inside) / n, sum(r for _, r in inside) / n) if n else None
        )
    return out


def calibration_error(parts: Iterable[Bin | None]) -> float | None:
    """Return the mean distance of confidence and share right, each bin by its pieces.

    References
    ----------
    .. [1] C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    known = [part for part in parts if part]
    total = sum(part.pieces for part in known)
    if not total:
        return None
    return sum(part.pieces * abs(part.sure - part.right) for part in known) / total


def draw(rows: list[Row], path: Path) -> None:
    """Draw the reliability diagram of all measures; dots are as large as their pieces are many."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(MEASURES), figsize=(11, 3.2), sharey=True)
    for axis, measure in zip(axes, MEASURES, strict=True):
        parts = [part for part in bins(rows, measure) if part]
        error = calibration_error(parts)
        axis.plot([0, 1], [0, 1], color="0.75", linewidth=1)
        axis.plot([p.sure for p in parts], [p.right for p in parts], color="tab:blue", linewidth=1)
        sizes = [10 + 4 * p.pieces for p in parts]
        axis.scatter([p.sure for p in parts], [p.right for p in parts], s=sizes, color="tab:blue")
        axis.set_title(measure if error is None else f"{measure}: error {error:.2f}", fontsize=10)
        axis.set_xlim(-0.03, 1.03)
        axis.set_ylim(-0.03, 1.03)
        axis.set_xlabel("confidence")
    axes[0].set_ylabel("share right")
    figure.tight_layout()
    # no date in the file: the same rows make the same bytes
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)
