"""Fit the weights of the confidences and of the octave.

::

    pieces of kinds and seeds ─► analysis ─► evidence ─► regressions ─► weights to paste
                                             (a file)          └─► reliability on kinds left out

The file of evidence in the repository has a line for each piece, all of `sfa_engine.bench.pieces`,
with its kind and seed, so that it can be made again::

    python -m sfa_engine.bench.fit_confidence --seed 1001 --count 4

adds the pieces that it lacks, and prints the fit; without ``--count`` it only fits. After a change
of the evidence or of the octave's features, remove the file first. The seeds of `FIT_SEEDS` are
for fitting alone: nothing that `docs/analysis.md` reports is of them.

For the reliability that is printed, a kind of music is either fitted on or checked, never both:
pieces of one kind are too alike for a fair check. Kinds are divided into `_FOLDS` for that; the
weights that are printed are of all.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from sfa_engine.bench.pieces import write_piece
from sfa_engine.bench.pieces.__main__ import chosen
from sfa_engine.prep.analyse import octave
from sfa_engine.prep.analyse.beat import Beats, find_beats
from sfa_engine.prep.analyse.confidence import AGAINST, CLIPS, WEIGHTS, gather
from sfa_engine.prep.analyse.measurement import Measurement, measure_track
from sfa_engine.prep.analyse.octave import FACTORS, FASTEST, SLOWEST
from sfa_engine.prep.analyse.onset import find_onsets
from sfa_engine.prep.analyse.tempo import find_tempo
from sfa_engine.prep.decode import decode_blocks
from sfa_engine.track.media import RATE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Row = dict[str, Any]

EVIDENCE = Path(__file__).with_name("confidence_evidence.jsonl")
FIT_SEEDS = range(1001, 1005)  # of the evidence
_FOLDS = 8
# Of a weight of 1 on a feature of deviation 1: three pieces' worth of evidence, for only a few of
# the pieces are wrong, and with less, weights are beyond what so few can show.
_PENALTY = 3.0
_OCTAVE_PENALTY = 0.5  # kinds left out were likeliest with 0.3 to 1, of 0.1 to 1
_RIGHT_BPM, _RIGHT_S = 0.02, 0.025
_BINS = (0.0, 0.2, 0.5, 0.8, 0.9, 1.0)


def observe(measured: Measurement, truth: dict[str, Any]) -> Row | None:
    """Return the evidence of a piece and what was right, or None without a beat to judge.

    Parameters
    ----------
    measured : Measurement
    truth : dict
        JSON of `sfa_engine.bench.pieces.Truth`.
    """
    onsets = find_onsets(measured.levels)
    tempo = find_tempo(onsets.strength)
    beats = find_beats(onsets, measured)
    if tempo is None or beats is None or beats.assured is not None:
        return None
    accepted = truth.get("accept_bpm") or []
    candidates = [tempo.bpm * f for f in FACTORS if SLOWEST <= tempo.bpm * f <= FASTEST]
    return {
        "kind": truth["kind"],
        "seed": truth["seed"],
        "evidence": {n: round(v, 3) for n, v in gather(onsets, measured.spectra, beats)[0].items()},
        "right": right(beats, truth),
        "octaves": np.round(octave.features(onsets, candidates), 3).tolist(),
        "counted": [any(abs(bpm / a - 1) < 0.04 for a in accepted) for bpm in candidates],
    }


def _made(kind: str, seed: int) -> Row | None:
    """Return the evidence of a piece that is made for it."""
    with TemporaryDirectory() as folder:
        sound = write_piece(kind, seed, Path(folder))
        truth = json.loads(sound.with_suffix(".json").read_text())
        return observe(measure_track(decode_blocks(sound, RATE, None)), truth)


def right(beats: Beats, truth: dict[str, Any]) -> dict[str, bool]:
    """Return what is right about beats; nothing is where there is no beat.

    Where beats are twice as fast as the true ones, these are compared with the nearest, and the
    other way round: which octave it is is asked by itself.
    """
    true = np.array(truth["beats"], float)
    if not truth.get("bpm"):
        return {"tempo": False, "phase": False, "bar": False}
    octaves = [truth["bpm"] * factor for factor in (0.5, 1, 2, 3, 1 / 3)]
    tempo = any(abs(beats.bpm - bpm) * truth["bpm"] / bpm <= _RIGHT_BPM for bpm in octaves)
    if len(true) < 2:
        return {"tempo": tempo}
    inside = (beats.places_s >= true[0] - 0.3) & (beats.places_s <= true[-1] + 0.3)
    found = beats.places_s[inside]
    if len(found) < 2:
        return {"tempo": False, "phase": False, "bar": False}
    period, own = float(np.median(np.diff(true))), float(np.median(np.diff(found)))
    off = _nearest(true, found) if own < 0.8 * period else _nearest(found, true)
    phase = float(np.percentile(np.abs(off), 95)) <= _RIGHT_S
    if not truth.get("constant", True):
        tempo = phase
    ones = beats.places_s[beats.ones]
    ones = ones[(ones >= true[0] - 0.3) & (ones <= true[-1] + 0.3)]
    bar = bool(len(ones) and len(truth["downbeats"]) > 1)
    if bar:
        near = np.abs(_nearest(ones, np.array(truth["downbeats"]))) <= 0.25 * period
        bar = float(near.mean()) >= 0.8 and 0.45 < len(ones) / len(truth["downbeats"]) < 2.2
    return {"tempo": tempo, "phase": phase, "bar": bar}


def _nearest(times: Floats, reference: Floats) -> Floats:
    """Return how late times are against the nearest of a reference."""
    right_ = np.clip(np.searchsorted(reference, times), 1, len(reference) - 1)
    before, after = times - reference[right_ - 1], times - reference[right_]
    late: Floats = np.where(before <= -after, before, after)
    return late


def fit(x: Floats, y: Floats, signs: Floats, penalty: float = _PENALTY) -> Floats:
    """Return the weights of a logistic regression, the constant last.

    Parameters
    ----------
    x : float64[n, features]
    y : float64[n]
        0 or 1.
    signs : float64[features]
        1 or -1, what a weight's sign has to be: no evidence for an answer may count against it
        because of a few pieces. A weight that would have the other is 0.
    penalty : float
        Half the square of each weight, for features of deviation 1, times this is added.

    Returns
    -------
    float64[features + 1]
        In the order of the features.
    """
    kept = np.ones(x.shape[1], bool)
    while True:
        weights = np.append(np.zeros(x.shape[1]), 0.0)
        weights[np.append(kept, True)] = _newton(x[:, kept], y, penalty)
        wrong = kept & (weights[:-1] * signs < 0)
        if not wrong.any():
            return weights
        kept[int(np.argmin(np.where(wrong, weights[:-1] * signs * x.std(axis=0), 0.0)))] = False


def _newton(x: Floats, y: Floats, penalty: float) -> Floats:
    """Return the weights of a logistic regression without constraints."""
    middle, size = x.mean(axis=0), x.std(axis=0) + 1e-6
    even = np.column_stack([(x - middle) / size, np.ones(len(x))])
    ridge = np.append(np.full(x.shape[1], penalty), 1e-3)
    weights = np.zeros(even.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-even @ weights))
        slope = even.T @ (y - p) - ridge * weights
        curve = (even * (p * (1 - p) + 1e-9)[:, None]).T @ even + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        weights += step / max(1.0, float(np.abs(step).max()))
    plain = weights[:-1] / size
    return np.append(plain, weights[-1] - plain @ middle)


def table(rows: Sequence[Row], question: str) -> tuple[Floats, Floats]:
    """Return the clipped evidence for a question, and whether its answer was right."""
    names = [name for name in WEIGHTS[question] if name != "always"]
    known = [row for row in rows if question in row["right"]]
    x = np.array([[np.clip(row["evidence"][n], *CLIPS[n]) for n in names] for row in known])
    return x, np.array([float(row["right"][question]) for row in known])


def folds(kinds: Iterable[str]) -> Ints:
    """Return the fold of each piece, the same for all of a kind."""
    return np.array([zlib.crc32(kind.encode()) % _FOLDS for kind in kinds])


def signs(question: str) -> Floats:
    """Return the sign that each weight of a question has to have."""
    return np.array([-1.0 if n in AGAINST else 1.0 for n in WEIGHTS[question] if n != "always"])


def left_out(rows: Sequence[Row], question: str) -> Floats:
    """Return the probability of each row, by weights of other kinds than its own."""
    x, y = table(rows, question)
    fold = folds(row["kind"] for row in rows if question in row["right"])
    p = np.zeros(len(y))
    for k in range(_FOLDS):
        weights = fit(x[fold != k], y[fold != k], signs(question))
        p[fold == k] = 1 / (1 + np.exp(-(x[fold == k] @ weights[:-1] + weights[-1])))
    return p


def reliability(p: Floats, y: Floats) -> list[tuple[float, float, int]]:
    """Return mean probability, share that is right and count of each bin that is not empty."""
    which = np.digitize(p, _BINS[1:-1])
    return [
        (float(p[which == i].mean()), float(y[which == i].mean()), int((which == i).sum()))
        for i in range(len(_BINS) - 1)
        if (which == i).any()
    ]


def fit_octave(rows: Sequence[Row], penalty: float = _OCTAVE_PENALTY) -> Floats:
    """Return the weights of the octave: a conditional logit over each piece's octaves."""
    pieces = [
        (np.array(r["octaves"]), np.array(r["counted"])) for r in rows if any(r.get("counted", ()))
    ]
    weights = np.zeros(pieces[0][0].shape[1])
    for _ in range(60):
        slope, curve = -2 * penalty * weights, 2 * penalty * np.eye(len(weights))
        for x, counted in pieces:
            p = _shares(x @ weights)
            q = p * counted / (p[counted].sum() + 1e-12)
            slope += x.T @ (q - p)
            around = x - p @ x
            curve += (around * p[:, None]).T @ around
        step = np.linalg.solve(curve, slope)
        weights += step / max(1.0, float(np.abs(step).max()))
    return weights


def _shares(worth: Floats) -> Floats:
    p = np.exp(worth - worth.max())
    shares: Floats = p / p.sum()
    return shares


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file of evidence; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


@click.command()
@click.option("--evidence", type=click.Path(path_type=Path), default=EVIDENCE, show_default=True)
@click.option("--kinds", default="", help="Names of kinds or groups, with commas; all if left out.")
@click.option("--seed", type=click.IntRange(0), default=FIT_SEEDS.start, show_default=True)
@click.option("--count", type=click.IntRange(0), default=0, help="Pieces of each kind to add.")
def main(evidence: Path, kinds: str, seed: int, count: int) -> None:
    """Print weights and their reliability on kinds left out; add pieces to the evidence first."""
    rows = read_rows(evidence)
    known = {(row["kind"], row["seed"]) for row in rows}
    with evidence.open("a") as file:
        for number in range(seed, seed + count):
            for kind in chosen(kinds):
                if (kind, number) in known:
                    continue
                row = _made(kind, number)
                if row:
                    rows.append(row)
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    report(rows)


def report(rows: Sequence[Row]) -> None:
    """Print reliability and weights."""
    for question in WEIGHTS:
        x, y = table(rows, question)
        p = left_out(rows, question)
        print(f"{question}: {len(y)} pieces, right {y.mean():.3f}")
        for mean, share, count in reliability(p, y):
            print(f"   told {mean:.2f}   right {share:.2f}   of {count}")
        kinds = [row["kind"] for row in rows if question in row["right"]]
        wrong = Counter(k for k, q, yes in zip(kinds, p, y, strict=True) if q >= 0.5 and not yes)
        print("   0.5 or more, and wrong:", dict(wrong))
        names = [name for name in WEIGHTS[question] if name != "always"]
        told = dict(
            zip([*names, "always"], np.round(fit(x, y, signs(question)), 2).tolist(), strict=True)
        )
        print(f"    {question!r}: {told},")
    pieces = [row for row in rows if any(row.get("counted", ()))]
    fold, sure = folds(row["kind"] for row in pieces), []
    for k in set(fold.tolist()):
        weights = fit_octave([row for row, f in zip(pieces, fold, strict=True) if f != k])
        for row in (row for row, f in zip(pieces, fold, strict=True) if f == k):
            shares = _shares(np.array(row["octaves"]) @ weights)
            sure.append((float(shares.max()), float(row["counted"][int(shares.argmax())])))
    p, y = np.array(sure).T
    print(f"octave: {len(y)} pieces, right {y.mean():.3f}")
    for mean, share, count in reliability(p, y):
        print(f"   told {mean:.2f}   right {share:.2f}   of {count}")
    print(dict(zip(octave.WEIGHTS, np.round(fit_octave(rows), 2).tolist(), strict=True)))


if __name__ == "__main__":
    main()
