"""The whole analysis of a track: what `sfa analyze` tells, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.audio.grid import TEMPOS, Anchor, Grid
from sfa_engine.audio.media import WHOLE
from sfa_engine.library.key import camelot
from sfa_engine.prep.analyse import bar, loudness, waveform
from sfa_engine.prep.analyse.beat import Beats, bars_of, find_beats
from sfa_engine.prep.analyse.cue import Cue, find_cues
from sfa_engine.prep.analyse.features import summary
from sfa_engine.prep.analyse.key import Key, find_key
from sfa_engine.prep.analyse.listen import RATE, Block, Heard, Levels, listen, listen_to_stem
from sfa_engine.prep.analyse.loop import find_loops
from sfa_engine.prep.analyse.onset import find_onsets, is_played, onset_times
from sfa_engine.prep.analyse.smooth import Floats
from sfa_engine.prep.analyse.structure import Section, find_sections
from sfa_engine.prep.decode import decode_blocks
from sfa_engine.prep.mixdown import source_blocks, stem_files

Progress = Callable[[float, str], None]

VERSION = 2  # rises when the same file would get other values
DRUMS = "drums"
_LISTENING = 0.9  # of the time, the pass over the sound
_PHRASE_BARS = 4


def analyse(
    path: str | Path,
    progress: Progress | None = None,
    stems: Mapping[str, str | Path] | None = None,
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

    Returns
    -------
    dict
        What ``sfa analyze --json`` prints; plain values only, no NaN.

    Raises
    ------
    MediaError
        If a file cannot be read.
    """
    files = stems or stem_files(path)
    share = _LISTENING / (1 + 0.5 * len(files))  # a stem takes half as long

    def told_from(start: float, part: float, doing: str) -> Callable[[float], None]:
        return lambda done: progress(start + part * done, doing) if progress else None

    decoding = source_blocks(path, RATE, told_from(0.0, share, "listening"))
    heard = listen(decoding)
    levels: dict[str, Levels] = {}
    for i, (name, file) in enumerate(files.items()):
        told = told_from(share * (1 + 0.5 * i), 0.5 * share, f"listening to {name}")
        levels[name] = listen_to_stem(decode_blocks(file, RATE, told), heard.frames)
    if progress:
        progress(_LISTENING, "beats and structure")
    result = judge(heard, levels)
    result["features"]["decoder"] = decoding.decoder
    result["features"]["truncated"] = decoding.truncated
    return result


def analyse_blocks(blocks: Iterable[Block]) -> dict[str, Any]:
    """Analyse sound at 48 kHz, float32[n, 2] each; see `analyse`."""
    return judge(listen(blocks), {})


def judge(heard: Heard, stems: Mapping[str, Levels]) -> dict[str, Any]:
    """Return everything that is told of a track.

    Parameters
    ----------
    heard : Heard
    stems : mapping of str to Levels
        As long as the track.

    Returns
    -------
    dict
        See `analyse`.
    """
    loud = loudness.measure(heard.power)
    silent = loud.integrated_lufs <= loudness.SILENCE_LUFS
    onsets = find_onsets(heard.levels)
    attacks = np.zeros(0) if silent else onset_times(onsets)
    drums = find_onsets(stems[DRUMS]) if is_played(stems.get(DRUMS)) else None
    beats = None if silent else find_beats(onsets, heard, drums)
    bars_s, first_beats = bars_of(beats, heard) if beats else (np.zeros(0), np.zeros(0, np.int64))
    key = find_key(heard.pitches, _phrases(bars_s))
    sections: list[Section] = []
    cues: list[Cue] = []
    if beats:
        rows = bar.stepwise(heard.spectra, beats.places_s)
        sections = find_sections(onsets, rows, bars_s, first_beats, beats.beats_per_bar)
        tracks = stems or {WHOLE: heard.levels}
        loops = {name: find_loops(levels, sections, bars_s) for name, levels in tracks.items()}
        cues = find_cues(sections, bars_s, loops)
    key_name = None if silent else key.name
    return {
        "duration_s": round(heard.seconds, 6),
        "bpm": round(beats.bpm, 4) if beats else None,
        "confidence": round(float(np.clip(beats.confidence, 0, 1)), 3) if beats else 0.0,
        "variable": beats is not None and beats.variable,
        "beats": _times(beats.places_s) if beats else [],
        "downbeats": _times(beats.places_s[beats.first :: beats.beats_per_bar]) if beats else [],
        "beats_per_bar": beats.beats_per_bar if beats else 4,
        "grid": _grid(beats) if beats else None,
        "key": key_name,
        "camelot": key_name and camelot(key_name),
        "lufs": round(loud.integrated_lufs, 2),
        "peak_dbtp": round(loudness.decibels(heard.true_peak), 2),
        "energy": _energy(loud.integrated_lufs, len(attacks) / max(heard.seconds, 1e-3), heard),
        "sections": [
            {"start_s": round(s.start_s, 6), "end_s": round(s.end_s, 6), "label": s.label}
            for s in sections
        ],
        "cues": [_told(cue) for cue in cues],
        "features": _features(heard, loud, key, attacks),
    }


def _features(heard: Heard, loud: loudness.Loudness, key: Key, attacks_s: Floats) -> dict[str, Any]:
    """Return what is measured and not judged."""
    return {
        "version": VERSION,
        "key_confidence": round(key.confidence, 3),
        "tuning_cents": round(key.tuning_cents, 1),
        "loudness_range_lu": round(loud.range_lu, 2),
        "loudness_short_lufs": [round(float(v), 1) for v in loud.short_lufs],
        "onsets_s": [round(float(t), 3) for t in attacks_s],
        "waveform": waveform.overview(heard.levels),
        **summary(heard.spectra),
    }


def _phrases(bars_s: Floats) -> Floats:
    """Return the first half bar of each phrase: float64[n, 2]."""
    starts, ends = bars_s[:-1:_PHRASE_BARS], bars_s[1::_PHRASE_BARS]
    return np.stack([starts, (starts + ends) / 2], axis=1)


def _told(cue: Cue) -> dict[str, Any]:
    """Return a cue with those of its fields that say something."""
    told: dict[str, Any] = {"time_s": round(cue.time_s, 6), "kind": cue.kind, "label": cue.label}
    if cue.end_s is not None:
        told |= {"end_s": round(cue.end_s, 6), "stem": cue.stem}
    if cue.hot_cue is not None:
        told["hot_cue"] = cue.hot_cue
    return told


def _times(places_s: Floats) -> list[float]:
    return [round(max(0.0, float(t)), 6) for t in places_s]


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


def _energy(lufs: float, attacks_a_second: float, heard: Heard) -> float:
    """Return how driving a track is, 0..1: half loudness, the rest attacks and treble."""
    if lufs <= loudness.SILENCE_LUFS:
        return 0.0
    loud = np.clip((lufs + 24) / 18, 0, 1)  # -24..-6 LUFS
    busy = np.clip(attacks_a_second / 10, 0, 1)
    centroid = heard.spectra.curve("centroid")
    bright = np.clip(float(np.median(centroid)) / 5000, 0, 1) if len(centroid) else 0.0
    return round(float(0.5 * loud + 0.3 * busy + 0.2 * bright), 3)
