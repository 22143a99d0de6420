"""The score of one answer against the truth of its piece.

The error of a grid is that of each true beat to the nearest beat of the answer; if the answer
counts slower, that of each of its beats to the nearest true one. So tempo alone judges the octave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.errors import SfaError
from sfa_engine.track.key import camelot, parse_key

Times = NDArray[np.float64]
Row = dict[str, Any]

SURE = 0.5  # confidence from which a grid counts as sure
OCTAVES = (1.0, 2.0, 0.5, 3.0, 1.0 / 3.0)
WINDOW_S = 0.07  # of a beat that counts as found, as MIREX has it
WRONG_S = 0.025  # a beat further off is heard as a flam
RANGE_S = 0.3  # before the first true beat and after the last an answer is not judged
DOWNBEATS_RIGHT = 0.8  # share from which the bars of a piece are right
DOWNBEATS_RIGHT_EDIT = 0.9  # with an edit in the middle .8 could mean: one side only
INVENTED_KEY = 0.1  # key confidence from which a key is claimed


def score(truth: dict[str, Any], answer: dict[str, Any]) -> Row:
    """Return the score of an answer.

    Parameters
    ----------
    truth : dict
        JSON of `Truth`; other fields are passed over.
    answer : dict
        JSON of ``sfa analyze``, or of an engine that says less; with ``cpu_s`` and ``rss_mb``.

    Returns
    -------
    dict
        Numbers by name; shares are 0 or 1 for a single piece.
    """
    row: Row = {name: truth.get(name) for name in ("kind", "group", "seed")}
    row |= {"bpm_true": truth["bpm"], "bpm": answer.get("bpm"), "duration_s": truth["duration"]}
    row |= {"confidence": answer.get("confidence"), "error": answer.get("error")}
    row["sure"] = row["confidence"] is None or row["confidence"] >= SURE
    row["sure"] = bool(row["sure"] and answer.get("bpm"))
    if truth["bpm"] is None:
        row["tempo_invented"] = row["sure"]
        row["within25"] = False
    else:
        _score_tempo(row, truth, answer)
        _score_grid(row, truth, answer)
        _score_downbeats(row, truth, answer)
        row["tempo_right"] = row["bpm_ok"] if truth["constant"] else row.get("dev95", 1e3) <= 25.0
    _score_key(row, truth, answer)
    _score_sections(row, truth, answer)
    _score_drops(row, truth, answer)
    _score_confidences(row, answer)
    if truth.get("lufs") is not None and answer.get("lufs") is not None:
        row["lufs_error"] = answer["lufs"] - truth["lufs"]
    if "cpu_s" in answer:
        row["cpu_per_minute"] = answer["cpu_s"] / truth["duration"] * 60.0
        row["rss_mb"] = answer["rss_mb"]
    return row


def _score_tempo(row: Row, truth: dict[str, Any], answer: dict[str, Any]) -> None:
    bpm, true = float(answer.get("bpm") or 0.0), float(truth["bpm"])
    accepted = truth.get("accept_bpm") or [true]
    row["acc1"] = bool(bpm and any(abs(bpm / a - 1.0) <= 0.04 for a in accepted))
    octave = min(OCTAVES, key=lambda o: abs(bpm / (o * true) - 1.0))
    row["acc2"] = bool(bpm and abs(bpm / (octave * true) - 1.0) <= 0.04)
    if row["acc2"]:
        row["bpm_error"] = abs(bpm / octave - true)
    row["bpm_ok"] = row["acc2"] and row["bpm_error"] <= 0.02
    row["variable"] = answer.get("variable")
    row["constant_true"] = truth["constant"]
    others = answer.get("alternatives") or []
    row["octave_offered"] = any(
        abs(float(o["bpm"]) / a - 1.0) <= 0.04 for o in others if o.get("bpm") for a in accepted
    )


def _score_grid(row: Row, truth: dict[str, Any], answer: dict[str, Any]) -> None:
    true, said = _times(truth.get("beats")), _times(answer.get("beats"))
    if len(true) < 4:
        return  # the phase is not known
    row["within25"] = False
    if len(said) < 4:
        return
    errors = grid_errors(true, said)
    if not len(errors):
        return
    size = np.abs(errors)
    row["median_ms"] = float(np.median(size))
    row["bias_ms"] = float(np.median(errors))
    row["p95_ms"] = float(np.percentile(size, 95))
    row["dev95"] = float(np.percentile(np.abs(errors - np.median(errors)), 95))
    row["beats_wrong"] = int((size > 1e3 * WRONG_S).sum())
    row["beats_true"] = len(true)
    for limit in (5, 10, 12, 25):
        row[f"within{limit}"] = row["p95_ms"] <= limit
    row["beat_f"] = f_measure(true, _inside(said, true), WINDOW_S)
    row["edits"] = len(truth.get("edits_s") or [])
    if row["edits"]:
        # each new anchor may be a bar late
        row["anchored"] = row["beats_wrong"] <= row["edits"] * (truth["meter"] or 4)


def _score_downbeats(row: Row, truth: dict[str, Any], answer: dict[str, Any]) -> None:
    true, said = _times(truth.get("downbeats")), _times(answer.get("downbeats"))
    if len(true) < 2 or answer.get("downbeats") is None:
        return
    row["meter_right"] = answer.get("beats_per_bar") == truth["meter"]
    beat_s = float(np.median(np.diff(_times(truth["beats"]))))
    said = _inside(said, true)
    row["downbeat_share"] = 0.0
    if len(said) > 1:
        precision = np.mean(np.abs(nearest(said, true)) <= 0.25 * beat_s)
        recall = np.mean(np.abs(nearest(true, said)) <= 0.25 * beat_s)
        slower = np.median(np.diff(said)) > 1.25 * np.median(np.diff(true))
        row["downbeat_share"] = float(precision if slower else min(precision, recall))
    limit = DOWNBEATS_RIGHT_EDIT if truth.get("edits_s") else DOWNBEATS_RIGHT
    row["downbeats"] = row["downbeat_share"] >= limit


def _score_key(row: Row, truth: dict[str, Any], answer: dict[str, Any]) -> None:
    if "key" not in answer:
        return
    said = _key(answer["key"])
    if truth.get("key"):
        true = _key(truth["key"])
        row["key_weighted"] = key_score(true, said)
        row["key_exact"] = said == true
        row["key_near"] = bool(said and true) and _camelot_near(str(said), str(true))
    elif truth.get("group") != "real":  # there a missing key is an unknown one
        confidence = (answer.get("features") or {}).get("key_confidence")
        row["key_invented"] = said is not None and (confidence is None or confidence > INVENTED_KEY)


def _score_sections(row: Row, truth: dict[str, Any], answer: dict[str, Any]) -> None:
    true, said = truth.get("sections"), answer.get("sections")
    if not true or said is None or "bpm" not in truth or not truth.get("beats"):
        return
    bar_s = float(np.median(np.diff(truth["beats"]))) * (truth["meter"] or 4)
    row["boundary_f"] = f_measure(
        np.array([s["start"] for s in true[1:]]),
        np.array([s["start_s"] for s in said[1:]]),
        1.01 * bar_s,
    )
    when = np.arange(true[0]["start"] + 0.05, true[-1]["end"], 0.25)
    labels = [_label(true, t, "start", "end") for t in when]
    answers = [_label(said, t, "start_s", "end_s") for t in when]
    row["label"] = float(np.mean([a == b for a, b in zip(labels, answers, strict=True)]))


def _score_drops(row: Row, truth: dict[str, Any], answer: dict[str, Any]) -> None:
    if truth.get("drops") is None or "cues" not in answer:
        return
    true = _times(truth["drops"])
    said = _times([cue["time_s"] for cue in answer["cues"] if cue["kind"] == "drop"])
    beat_s = float(np.median(np.diff(truth["beats"]))) if truth.get("beats") else 0.5
    row["drops_true"], row["drops_said"] = len(true), len(said)
    row["drops_hit"] = matches(true, said, 1.01 * beat_s)


def _score_confidences(row: Row, answer: dict[str, Any]) -> None:
    """Enter how sure the engine is of tempo, phase, bar and octave, and whether it is right."""
    if answer.get("confidence") is None:
        return
    said = answer.get("confidences") or {}
    right = {"tempo": "tempo_right", "phase": "within25", "bar": "downbeats", "octave": "acc1"}
    for name, measure in right.items():
        claimed = answer.get("bpm") and row.get("bpm_true") is None and name in ("tempo", "phase")
        if claimed or row.get(measure) is not None:
            row[f"sure_{name}"] = float(said.get(name, answer["confidence"]))
            row[f"right_{name}"] = bool(row.get(measure, False))


def grid_errors(true: Times, said: Times) -> Times:
    """Return the errors of a grid in ms, late ones positive; see the module.

    Parameters
    ----------
    true, said : float64[beats]
        In seconds, rising.
    """
    slower = np.median(np.diff(said)) > 1.25 * np.median(np.diff(true))
    return 1e3 * (nearest(_inside(said, true), true) if slower else -nearest(true, said))


def nearest(times: Times, others: Times) -> Times:
    """Return the distance of each time to the nearest of others: positive if it is later."""
    place = np.clip(np.searchsorted(others, times), 1, max(1, len(others) - 1))
    before, after = others[place - 1], others[np.minimum(place, len(others) - 1)]
    distance: Times = np.where(times - before <= after - times, times - before, times - after)
    return distance


def matches(true: Times, said: Times, window_s: float) -> int:
    """Return how many times are found, each by another answer within a window."""
    found, free = 0, sorted(said)
    for time in sorted(true):
        while free and free[0] < time - window_s:
            free.pop(0)
        if free and free[0] <= time + window_s:
            free.pop(0)
            found += 1
    return found


def f_measure(true: Times, said: Times, window_s: float) -> float:
    """Return the F measure of times within a window."""
    if not len(true) or not len(said):
        return float(len(true) == len(said))
    return 2.0 * matches(true, said, window_s) / (len(true) + len(said))


def key_score(true: str | None, said: str | None) -> float:
    """Return the weighted score of a key: 1, fifth above .5, relative .3, parallel .2.

    References
    ----------
    .. [1] MIREX audio key detection; as `mir_eval.key.weighted_score`.
    """
    if not true or not said:
        return 0.0
    if true == said:
        return 1.0
    pitches = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    flats = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#", "Cb": "B"}
    (a, mode), (b, other) = true.split(), said.split()
    up = (pitches.index(flats.get(b, b)) - pitches.index(flats.get(a, a))) % 12
    if mode == other:
        return 0.5 if up == 7 else 0.0
    if up == (9 if mode == "major" else 3):
        return 0.3
    return 0.2 if up == 0 else 0.0


def _camelot_near(said: str, true: str) -> bool:
    a, b = camelot(said), camelot(true)
    apart = (int(a[:-1]) - int(b[:-1])) % 12
    return apart == 0 or (a[-1] == b[-1] and apart in (1, 11))


def _key(text: str | None) -> str | None:
    try:
        return parse_key(text) if text else None
    except SfaError:
        return None


def _times(values: Sequence[float] | None) -> Times:
    return np.asarray(values or [], np.float64)


def _inside(said: Times, true: Times) -> Times:
    """Return the times within the truth, without those in a silence of it."""
    said = said[(said >= true[0] - RANGE_S) & (said <= true[-1] + RANGE_S)]
    if len(true) < 3 or not len(said):
        return said
    steps = np.diff(true)
    after = np.clip(np.searchsorted(true, said) - 1, 0, len(steps) - 1)
    silent = (steps[after] > 1.6 * np.median(steps)) & (np.abs(nearest(said, true)) > WINDOW_S)
    return said[~silent]


def _label(sections: list[dict[str, Any]], time: float, start: str, end: str) -> str | None:
    return next((s["label"] for s in sections if s[start] <= time < s[end]), None)
