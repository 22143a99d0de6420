"""The curves that are drawn of a track, from what one pass has kept; see `sfa_engine.track.curves`.

Peaks of three bands for each stem and the mix; twice a second what the sound is like.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sfa_engine.prep.analyse import loudness
from sfa_engine.prep.analyse.levels import Halves, Levels, halves
from sfa_engine.prep.analyse.measurement import COLUMN_HZ, Measurement
from sfa_engine.prep.analyse.smooth import Curve, Floats, Ints
from sfa_engine.track.curves import ONSETS, PEAKS, SPLICES, CurvesWriter
from sfa_engine.track.media import RATE, WHOLE

CURVE_HZ = 2
BANDS = {"low": ("low",), "mid": ("mid", "snare"), "high": ("high",)}
MFCC_SPAN = (-1200.0, 1200.0)  # the first is the level: -100 to +30 dB times the root of 128
LUFS_SPAN = (loudness.SILENCE_LUFS, 6.0)
_ENERGY_S = 3.0  # of the attacks and the loudness that a value is made of


def draw(
    measured: Measurement,
    stems: Mapping[str, Halves],
    onsets: Mapping[str, Ints],
    splices: Ints,
    attacks_s: Floats,
) -> CurvesWriter:
    """Return the curves of a track, to be written with the digest of its sound.

    Parameters
    ----------
    measured : Measurement
    stems : mapping of str to float16[columns, 4]
        `peaks` of each.
    onsets : mapping of str to int64[n]
        Of each stem, in frames at 48 kHz.
    splices : int64[n]
        Of all, merged.
    attacks_s : float64[n]
        Of the mix, in seconds.
    """
    written = CurvesWriter()
    for name, columns in {**stems, WHOLE: peaks(measured.levels)}.items():
        written.add(f"{PEAKS}{name}", columns, COLUMN_HZ, (0.0, 1.0), square=True)
    count = max(1, int(np.ceil(measured.seconds * CURVE_HZ)))
    spectra = measured.spectra
    which = np.minimum((spectra.described_s * CURVE_HZ).astype(int), count - 1)
    for name, curve, span, fine in (
        ("chroma", spectra.curve("chroma"), (0.0, 1.0), False),
        ("mfcc", spectra.mfcc(), MFCC_SPAN, True),
        ("centroid", spectra.curve("centroid"), (0.0, RATE / 2), True),
        ("rolloff", spectra.curve("rolloff"), (0.0, RATE / 2), True),
    ):
        written.add(name, _means(curve, which, count), CURVE_HZ, span, fine=fine)
    centroid = _means(spectra.curve("centroid"), which, count)[:, 0]
    short = _lufs(measured.power, round(10 * _ENERGY_S), count)
    momentary = _lufs(measured.power, loudness.TENTHS_MOMENTARY, count)
    energy = driving(short, _attack_rate(attacks_s, count), centroid)
    written.add("energy", energy[:, None], CURVE_HZ, (0.0, 1.0))
    written.add("loudness", momentary[:, None], CURVE_HZ, LUFS_SPAN)
    for name, frames in onsets.items():
        written.add_list(f"{ONSETS}{name}", frames)
    written.add_list(SPLICES, splices)
    return written


def driving(lufs: Floats, attacks_a_second: Floats, centroid_hz: Floats) -> Floats:
    """Return how driving a sound is, 0..1: half loudness, the rest attacks and treble."""
    loud = np.clip((lufs + 24) / 18, 0, 1)  # -24..-6 LUFS
    busy = np.clip(attacks_a_second / 10, 0, 1)
    bright = np.clip(centroid_hz / 5000, 0, 1)
    energy: Floats = 0.5 * loud + 0.3 * busy + 0.2 * bright
    return np.where(lufs > loudness.SILENCE_LUFS, energy, 0.0)


def peaks(levels: Levels) -> Halves:
    """Return the highest samples of all, low, mid and high: float16[columns, 4]."""
    whole = levels.whole
    edges = np.arange(len(whole)) * 1000 // COLUMN_HZ
    edges = np.minimum(edges, max(0, levels.ms - 1))
    columns = [whole]
    for parts in BANDS.values():
        bands = [np.maximum.reduceat(levels[part], edges) for part in parts]
        columns.append(np.maximum.reduce(bands))
    return np.stack([halves(column) for column in columns], axis=1)


def _means(curve: Curve, which: Ints, count: int) -> Floats:
    """Return the mean of the rows of each half second; where there are none, the last one."""
    total = np.zeros((count, curve.shape[1]))
    rows = which[: len(curve)]
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    if not len(begins):
        return total
    total[rows[begins]] = np.add.reduceat(curve, begins, axis=0, dtype=np.float64)
    sizes = np.bincount(rows, minlength=count)
    known = np.maximum.accumulate(np.where(sizes > 0, np.arange(count), 0))
    means: Floats = (total / np.maximum(sizes, 1)[:, None])[known]
    return means


def _lufs(power: Floats, tenths: int, count: int) -> Floats:
    """Return the loudness around the middle of each half second."""
    total = np.concatenate([[0.0], np.cumsum(power)])
    middle = (np.arange(count) + 0.5) * 10 / CURVE_HZ
    first = np.clip(np.round(middle - tenths / 2).astype(int), 0, len(power) - 1)
    end = np.clip(first + tenths, first + 1, len(power))
    mean = (total[end] - total[first]) / (end - first)
    lufs: Floats = np.maximum(loudness.lufs(mean), loudness.SILENCE_LUFS)
    return lufs


def _attack_rate(attacks_s: Floats, count: int) -> Floats:
    """Return the attacks a second around the middle of each half second."""
    middle = (np.arange(count) + 0.5) / CURVE_HZ
    first = np.searchsorted(attacks_s, middle - _ENERGY_S / 2)
    end = np.searchsorted(attacks_s, middle + _ENERGY_S / 2)
    rate: Floats = (end - first) / _ENERGY_S
    return rate
