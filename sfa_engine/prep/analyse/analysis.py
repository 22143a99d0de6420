"""The whole analysis of a track: what `sfa analyze` tells, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.prep.analyse import bar, heap, loudness, picture, splice, waveform
from sfa_engine.prep.analyse.beat import Beats, bars_of, find_beats
from sfa_engine.prep.analyse.confidence import QUESTIONS, Confidence, assess
from sfa_engine.prep.analyse.cue import find_cues
from sfa_engine.prep.analyse.engines import OWN, spectra_of
from sfa_engine.prep.analyse.features import summary
from sfa_engine.prep.analyse.key import Key, Pitches, find_key
from sfa_engine.prep.analyse.levels import Levels
from sfa_engine.prep.analyse.loop import find_loops
from sfa_engine.prep.analyse.measurement import Block, Measurement, measure_stem, measure_track
from sfa_engine.prep.analyse.onset import Onsets, find_onsets, is_played, kicked, onset_times
from sfa_engine.prep.analyse.smooth import Floats
from sfa_engine.prep.analyse.stem import Stem, describe
from sfa_engine.prep.analyse.structure import Section, find_sections
from sfa_engine.prep.analyse.vocal import find_vocals
from sfa_engine.prep.hot_cue import Cue
from sfa_engine.prep.mixdown import source_blocks, stem_blocks, stem_names
from sfa_engine.prep.options import ANALYSIS_VERSION
from sfa_engine.track.curves import packed
from sfa_engine.track.grid import TEMPOS, Anchor, Grid
from sfa_engine.track.key import camelot
from sfa_engine.track.media import RATE, WHOLE

Progress = Callable[[float, str], None]

DRUMS, VOCALS = "drums", "vocals"
_KICKS = 0.5  # of 1, from which on there are kicks to look past; see `bar.kicks_on_beats`
_DECODING = 0.9  # of the time, the pass over the sound


def analyse(
    path: str | Path,
    progress: Progress | None = None,
    stems: Mapping[str, str | Path] | None = None,
    *,
    engine: str = OWN,
    digest: str | None = None,
) -> dict[str, Any]:
    """Analyse a sound file.

    Parameters
    ----------
    path : str or Path
        A sound file, or the folder of a bundle.
    progress : callable, optional
        Told the part that is done, 0..1, and what is being done.
    stems : mapping of str to path, optional
        Sound files of its separated parts, a bundle's own if left out: loops are suggested in
        each, and `DRUMS` say where the beats are.
    engine : str
        Of the spectral features: one of `FEATURES`.
    digest : str, optional
        Of the sound in its bundle; with it the result has ``curves``: see `track.curves.packed`.

    Returns
    -------
    dict
        What ``sfa analyze --json`` prints; plain values only, no NaN.

    Raises
    ------
    MediaError
        If a file cannot be read.
    Refused
        If there is no such engine, or it is not installed.
    """
    spectra = spectra_of(engine)
    files = stems or {}
    names = list(files) or stem_names(path)
    share = _DECODING / (1 + 0.5 * len(names))  # a stem takes half as long
    at = 0.0  # of the time

    def progress_over(part: float, doing: str) -> Callable[[float], None]:
        nonlocal at
        start, at = at, at + part
        return lambda done: progress(start + part * done, doing) if progress else None

    decoding = source_blocks(path, RATE, progress_over(share, "measuring"))
    measured = measure_track(decoding, spectra)
    if progress:
        progress(at, "beats")

    def measure(name: str) -> Levels:
        report = progress_over(0.5 * share, f"measuring {name}")
        if files:
            blocks = source_blocks(files[name], RATE, report)
        else:
            blocks = stem_blocks(path, name, RATE, report)
        return measure_stem(blocks, measured.frames)

    result = evaluate(
        measured, {name: partial(measure, name) for name in names}, digest=digest, progress=progress
    )
    result["features"]["decoder"] = decoding.decoder
    result["features"]["truncated"] = decoding.truncated
    result["features"]["engine"] = engine
    return result


def analyse_blocks(blocks: Iterable[Block]) -> dict[str, Any]:
    """Analyse sound at 48 kHz, float32[n, 2] each; see `analyse`."""
    return evaluate(measure_track(blocks), {})


def evaluate(
    measured: Measurement,
    stems: Mapping[str, Callable[[], Levels]],
    *,
    digest: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the analysis of a track that was measured.

    Parameters
    ----------
    measured : Measurement
    stems : mapping of str to callable
        Measures the stem, once; its levels are as long as the track's.
    digest, progress : optional
        See `analyse`.

    Returns
    -------
    dict
        See `analyse`.
    """
    loud = loudness.measure(measured.power)
    silent = loud.integrated_lufs <= loudness.SILENCE_LUFS
    heap.trim()
    onsets = find_onsets(measured.levels)
    attacks = np.zeros(0) if silent else onset_times(onsets)
    drum_levels = stems[DRUMS]() if DRUMS in stems else None
    drums = find_onsets(drum_levels) if drum_levels and is_played(drum_levels) else None
    heap.trim()
    beats = None if silent else find_beats(onsets, measured, drums)
    sure = assess(onsets, measured.spectra, beats, drums) if beats else None
    none = np.zeros(0), np.zeros(0, np.int64)
    bars_s, first_beats = bars_of(beats, measured) if beats else none
    described: dict[str, Stem] = {}
    if drum_levels:
        described[DRUMS] = describe(drum_levels, bars_s, drums)
    kicks = _kicked(drums or onsets, beats, measured.pitches)
    drum_levels = drums = None
    sung = None
    for name in stems:
        if name != DRUMS:
            levels = stems[name]()
            if name == VOCALS:
                sung = find_vocals(levels, measured.levels)
            described[name] = describe(levels, bars_s)
            del levels
            heap.trim()
    if progress:
        progress(_DECODING, "structure")
    parts = {name: described[name] for name in stems}
    parts = parts or {WHOLE: describe(measured.levels, bars_s, onsets)}
    vocals_s = None if sung is None else [[round(a, 2), round(b, 2)] for a, b in sung]
    key = find_key(measured.pitches, bars_s, kicks)
    sections: list[Section] = []
    cues: list[Cue] = []
    if beats:
        rows = bar.stepwise(measured.spectra, beats.places_s)
        power = {name: part.power for name, part in described.items()}
        sections = find_sections(onsets, rows, bars_s, first_beats, beats.beats_per_bar, power)
        loops = {name: find_loops(part.steps, sections, bars_s) for name, part in parts.items()}
        cues = find_cues(sections, bars_s, loops, vocals_s or [])
    key_name = None if silent else key.name
    attacks_a_second = len(attacks) / max(measured.seconds, 1e-3)
    stem_attacks = {name: part.onsets for name, part in parts.items()}
    splices = splice.merge(stem_attacks)
    result = {
        "duration_s": round(measured.seconds, 6),
        "bpm": round(beats.bpm, 4) if beats else None,
        "confidence": round(sure.beats, 3) if sure else 0.0,
        **_sureness(sure),
        "variable": beats is not None and beats.variable,
        "edits_s": _times(np.array(beats.edits_s)) if beats else [],
        "beats": _times(beats.places_s) if beats else [],
        "downbeats": _times(beats.places_s[beats.ones]) if beats else [],
        "beats_per_bar": beats.beats_per_bar if beats else 4,
        "grid": _grid(beats) if beats else None,
        "key": key_name,
        "camelot": key_name and camelot(key_name),
        "lufs": round(loud.integrated_lufs, 2),
        "peak_dbtp": round(loudness.decibels(measured.true_peak), 2),
        "energy": _energy(loud.integrated_lufs, attacks_a_second, measured),
        "sections": [
            {"start_s": round(s.start_s, 6), "end_s": round(s.end_s, 6), "label": s.label}
            for s in sections
        ],
        "onsets": {name: frames.tolist() for name, frames in stem_attacks.items()},
        "splices": splices.tolist(),
        "vocals_s": vocals_s,
        "cues": [cue.as_values() for cue in cues],
        "features": {**_features(measured, loud, key, attacks), "vocals_s": vocals_s},
    }
    if digest is not None:
        peaks = {name: described[name].peaks for name in stems}
        attacks_s = np.round(attacks, 3)
        curves = picture.draw(measured, peaks, stem_attacks, splices, attacks_s)
        result["curves"] = packed(curves.file(digest))
    return result


def _kicked(onsets: Onsets, beats: Beats | None, pitches: Pitches) -> NDArray[np.bool_] | None:
    """Return which frames of pitches have kicks, None where no kicks are on the beats."""
    if beats is None or bar.kicks_on_beats(onsets, 60 / beats.bpm) <= _KICKS:
        return None
    return kicked(onsets, pitches.starts_s, pitches.seconds)


def _sureness(sure: Confidence | None) -> dict[str, Any]:
    """Return the confidence in each property of the grid, and what else it may be."""
    return {
        "confidences": {q: round(getattr(sure, q), 3) if sure else 0.0 for q in QUESTIONS},
        "alternatives": [
            {"change": other.change, "bpm": round(other.bpm, 4), "score": round(other.score, 3)}
            for other in (sure.alternatives if sure else ())
        ],
    }


def _features(
    measured: Measurement, loud: loudness.Loudness, key: Key, attacks_s: Floats
) -> dict[str, Any]:
    """Return the features that are measured, without a decision."""
    return {
        "version": ANALYSIS_VERSION,
        "key_confidence": round(key.confidence, 3),
        "tuning_cents": round(key.tuning_cents, 1),
        "loudness_range_lu": round(loud.range_lu, 2),
        "loudness_short_lufs": [round(float(v), 1) for v in loud.short_lufs],
        "onsets_s": [round(float(t), 3) for t in attacks_s],
        "waveform": waveform.overview(measured.levels),
        **summary(measured.spectra),
    }


def _times(places_s: Floats) -> list[float]:
    return [round(max(0.0, float(t)), 6) for t in places_s]


def _grid(beats: Beats) -> dict[str, Any]:
    """Return the grid as the engine keeps it: frames at 48 kHz, beat 0 a downbeat."""
    bpm = float(np.clip(beats.bpm, *TEMPOS))
    anchors = tuple(Anchor(round(float(t) * RATE, 3), round(float(n), 6)) for t, n in beats.anchors)
    kept = Grid(anchors, bpm, beats.beats_per_bar)
    return {
        "rate": RATE,
        "bpm": round(kept.bpm, 6),
        "beats_per_bar": kept.beats_per_bar,
        "anchors": [{"frame": a.frame, "beat": a.beat} for a in kept.anchors],
    }


def _energy(lufs: float, attacks_a_second: float, measured: Measurement) -> float:
    """Return how driving a track is, 0..1: half loudness, the rest attacks and treble."""
    centroid = measured.spectra.curve("centroid")
    bright_hz = float(np.median(centroid)) if len(centroid) else 0.0
    values = (np.array([value]) for value in (lufs, attacks_a_second, bright_hz))
    return round(float(picture.driving(*values)[0]), 3)
