"""The whole analysis of a track, as `sfa analyze` tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.audio.grid import TEMPOS, Anchor, Grid
from sfa_engine.library.key import camelot
from sfa_engine.prep.analyse import bar, cue, drift, grid, loudness, waveform
from sfa_engine.prep.analyse.features import summary
from sfa_engine.prep.analyse.key import find_key
from sfa_engine.prep.analyse.listen import RATE, Block, Heard, listen
from sfa_engine.prep.analyse.octave import choose_octave
from sfa_engine.prep.analyse.onset import Onsets, find_onsets, onset_times
from sfa_engine.prep.analyse.smooth import Floats
from sfa_engine.prep.analyse.structure import find_sections
from sfa_engine.prep.analyse.tempo import Tempo, count_bar, find_tempo
from sfa_engine.prep.decode import decode_blocks

Progress = Callable[[float, str], None]

VERSION = 1  # rises when the same file would get other values
_LISTENING = 0.85  # of the time, the pass over the sound
_LEAST_BEATS = 8
_LEAST_STRENGTH = 0.06  # of what comes back, to call it a beat
_CLEAR = 1.0  # margin of the bar at which it was right in 98 of 100


@dataclass(frozen=True, slots=True)
class Beats:
    """The beats of a track.

    Parameters
    ----------
    places_s : float64[n]
    first : int
        Which of them begins the first whole bar.
    beats_per_bar : int
    bpm : float
    variable : bool
    confidence : float
        0..1, of beat and bar being where they are said to be.
    """

    places_s: Floats
    first: int
    beats_per_bar: int
    bpm: float
    variable: bool
    confidence: float


def analyse(
    path: str | Path,
    progress: Progress | None = None,
    stems: Mapping[str, str | Path] | None = None,
) -> dict[str, Any]:
    """Analyse a sound file.

    Parameters
    ----------
    path : str or Path
    progress : callable, optional
        Called with the part that is done, 0..1, and what is being done.
    stems : mapping of str to path, optional
        Sound files of the separated parts of the same sound.

    Returns
    -------
    dict
        As DESIGN section 7 lists it; plain values only.

    Raises
    ------
    MediaError
        If the file cannot be read.
    """

    def heard_so_far(share: float) -> None:
        if progress:
            progress(_LISTENING * share, "listening")

    decoding = decode_blocks(path, RATE, heard_so_far)
    result = analyse_blocks(decoding, progress)
    result["features"]["decoder"] = decoding.decoder
    result["features"]["truncated"] = decoding.truncated
    return result


def analyse_blocks(blocks: Iterable[Block], progress: Progress | None = None) -> dict[str, Any]:
    """Analyse sound at 48 kHz; see `analyse`.

    Parameters
    ----------
    blocks : iterable of float32[n, 2]
    progress : callable, optional

    Returns
    -------
    dict
    """
    heard = listen(blocks)
    if progress:
        progress(_LISTENING, "beats")
    onsets = find_onsets(heard.levels)
    beats = find_beats(onsets, heard)
    if progress:
        progress(0.95, "structure")
    return _told(heard, onsets, beats)


def find_beats(onsets: Onsets, heard: Heard) -> Beats | None:
    """Return the beats, or None where there is no tempo."""
    tempo = find_tempo(onsets.strength)
    if tempo is None or tempo.strength < _LEAST_STRENGTH:
        return None
    tempo = choose_octave(onsets, tempo)
    varies, _, path = drift.varies(onsets, tempo.period_s)
    if varies:
        return _varying(onsets, heard, tempo, path)
    return _constant(onsets, heard, tempo)


def _constant(onsets: Onsets, heard: Heard, tempo: Tempo) -> Beats | None:
    """Return the beats of a steady track: one period, one phase."""
    m = count_bar(onsets.strength, tempo.period_s)
    begin = grid.fit(
        onsets.attacks, tempo.period_s, bar.sixteenth_phase(onsets.strength, tempo.period_s)
    )
    sixteenths = np.arange(begin.phase_s % (begin.period_s / 4), heard.seconds, begin.period_s / 4)
    found = bar.find_bar(onsets, heard.spectra, sixteenths, m)
    if len(sixteenths) <= found.first:
        return None
    one_s = float(sixteenths[found.first])
    fitted = grid.snap(grid.fit(onsets.attacks, tempo.period_s, one_s))
    period = fitted.period_s
    start = fitted.phase_s - np.floor(fitted.phase_s / period + 1e-9) * period
    places = np.arange(start, heard.seconds, period)
    if len(places) < _LEAST_BEATS:
        return None
    first = round((one_s - start) / period) % m
    sure = min(1.0, found.margin / _CLEAR) * min(1.0, tempo.coherence / 0.7)
    sure *= 0.6 + 0.4 * min(1.0, found.one_margin / _CLEAR)
    return Beats(places, first, m, 60 / period, variable=False, confidence=sure)


def _varying(onsets: Onsets, heard: Heard, tempo: Tempo, path: drift.Path) -> Beats | None:
    """Return the beats of a track whose tempo changes."""
    m = count_bar(onsets.strength, tempo.period_s)
    places = drift.follow(onsets, heard.spectra, path)
    if len(places) < _LEAST_BEATS:
        return None
    numbers = np.arange(4 * (len(places) - 1)) / 4
    sixteenths = np.interp(numbers, np.arange(len(places)), places)
    found = bar.find_bar(onsets, heard.spectra, sixteenths, m, step=2)
    if found.first % 4:  # on the half beat
        places = (places[:-1] + places[1:]) / 2
    bpm = 60 / float(np.median(np.diff(places)))
    sure = 0.5 * min(1.0, found.margin / _CLEAR) * tempo.strength
    return Beats(places, found.first // 4, m, bpm, variable=True, confidence=sure)


def _told(heard: Heard, onsets: Onsets, beats: Beats | None) -> dict[str, Any]:
    """Return everything as plain values."""
    loud = loudness.measure(heard.power[:, 0])
    key = find_key(heard.pitches)
    silent = loud.integrated_lufs <= loudness.SILENCE_LUFS
    key_name = None if silent else key.name
    attacks = np.zeros(0) if silent else onset_times(onsets)
    told: dict[str, Any] = {
        "duration_s": round(heard.seconds, 6),
        "bpm": None,
        "confidence": 0.0,
        "variable": False,
        "beats": [],
        "downbeats": [],
        "beats_per_bar": 4,
        "grid": None,
        "key": key_name,
        "camelot": key_name and camelot(key_name),
        "lufs": round(loud.integrated_lufs, 2),
        "peak_dbtp": round(loudness.decibels(heard.true_peak), 2),
        "energy": _energy(loud.integrated_lufs, len(attacks) / max(heard.seconds, 1e-3), heard),
        "sections": [],
        "cues": [],
    }
    if beats is not None and not silent:
        told |= _told_beats(heard, onsets, beats)
    told["features"] = {
        "version": VERSION,
        "key_confidence": round(key.confidence, 3),
        "tuning_cents": round(key.tuning_cents, 1),
        "loudness_range_lu": round(loud.range_lu, 2),
        "loudness_short_lufs": [round(float(v), 1) for v in loud.short_lufs],
        "onsets_s": [round(float(t), 3) for t in attacks],
        "waveform": waveform.overview(heard.levels),
        **summary(heard.spectra),
    }
    return told


def _told_beats(heard: Heard, onsets: Onsets, beats: Beats) -> dict[str, Any]:
    """Return what follows from the beats."""
    m = beats.beats_per_bar
    bars_s, first_beats = _bars(heard, beats)
    rows = bar.stepwise(heard.spectra, beats.places_s)
    sections = find_sections(onsets, rows, bars_s, first_beats, m)
    cues = cue.find_cues(sections, bars_s, rows.levels_db[first_beats])
    return {
        "bpm": round(beats.bpm, 4),
        "confidence": round(float(np.clip(beats.confidence, 0, 1)), 3),
        "variable": beats.variable,
        "beats": _times(beats.places_s),
        "downbeats": _times(beats.places_s[beats.first :: m]),
        "beats_per_bar": m,
        "grid": _grid(beats),
        "sections": [
            {"start_s": round(s.start_s, 6), "end_s": round(s.end_s, 6), "label": s.label}
            for s in sections
        ],
        "cues": [_told_cue(c) for c in cues],
    }


def _told_cue(one: cue.Cue) -> dict[str, Any]:
    told: dict[str, Any] = {"time_s": round(one.time_s, 6), "kind": one.kind, "label": one.label}
    if one.end_s is not None:
        told["end_s"] = round(one.end_s, 6)
    if one.hot_cue is not None:
        told["hot_cue"] = one.hot_cue
    return told


def _times(places_s: Floats) -> list[float]:
    return [round(float(t), 6) for t in places_s]


def _grid(beats: Beats) -> dict[str, Any]:
    """Return the grid as the engine keeps it: frames at 48 kHz, beat 0 a downbeat."""
    bpm = float(np.clip(beats.bpm, *TEMPOS))
    if beats.variable:
        numbers = np.arange(len(beats.places_s)) - beats.first
        anchors = tuple(
            Anchor(round(float(t) * RATE, 3), float(n))
            for t, n in zip(beats.places_s, numbers, strict=True)
        )
    else:
        anchors = (Anchor(round(float(beats.places_s[beats.first]) * RATE, 3), 0.0),)
    kept = Grid(anchors, bpm, beats.beats_per_bar)
    return {
        "rate": RATE,
        "bpm": round(kept.bpm, 6),
        "beats_per_bar": kept.beats_per_bar,
        "anchors": [{"frame": a.frame, "beat": a.beat} for a in kept.anchors],
    }


def _bars(heard: Heard, beats: Beats) -> tuple[Floats, Any]:
    """Return the bars of the sounding part with its end, and the beat each begins with."""
    m = beats.beats_per_bar
    first_beats = np.arange(beats.first, len(beats.places_s), m)
    starts = beats.places_s[first_beats]
    length = m * float(np.median(np.diff(beats.places_s)))
    edges = np.append(starts, starts[-1] + length) if len(starts) else starts
    audible = np.zeros(len(heard.levels["low"]), bool)
    for name in ("low", "mid"):
        audible |= heard.levels[name] > 0.02 * np.percentile(heard.levels[name], 95)
    places = np.flatnonzero(audible) / 1000
    if len(places):
        inside = (edges >= places[0] - 0.6 * length) & (edges <= places[-1] + 0.6 * length)
        edges, first_beats = edges[inside], first_beats[inside[: len(first_beats)]]
    edges = np.minimum(edges, heard.seconds)
    return edges, first_beats[: max(0, len(edges) - 1)]


def _energy(lufs: float, attacks_a_second: float, heard: Heard) -> float:
    """Return how driving a track is, 0..1: half loudness, the rest attacks and treble."""
    if lufs <= loudness.SILENCE_LUFS:
        return 0.0
    loud = np.clip((lufs + 24) / 18, 0, 1)  # -24..-6 LUFS
    busy = np.clip(attacks_a_second / 10, 0, 1)
    centroid = heard.spectra.curve("centroid")
    bright = np.clip(float(np.median(centroid)) / 5000, 0, 1) if len(centroid) else 0.0
    return round(float(0.5 * loud + 0.3 * busy + 0.2 * bright), 3)
