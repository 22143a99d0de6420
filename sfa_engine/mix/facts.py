"""What the planner knows of a track, built from stored values.

Every value may be missing: a track that was only imported has a name and a length, one without
stems has no vocal spans. The planner uses what there is, and says what is not.

::

    row, grid ────────┐
    analysis ─────────┼──► facts_of ──► TrackFacts ──► order, transition, plan
    curves (2 Hz, …) ─┘
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from sfa_engine.errors import MediaError
from sfa_engine.mix.band_levels import LOW, bass_steps, contributions
from sfa_engine.track.grid import Grid
from sfa_engine.track.key import camelot
from sfa_engine.track.media import RATE, WHOLE

Floats = NDArray[np.float64]

LOUDNESS_HZ = 2.0
SURE = 0.5  # confidence from which on a grid can be trusted; below, 15 of 100 are wrong
BY_HAND = 1.0  # confidence of a grid that the user corrected
QUIET_DB = -99.0  # of a bar in which nothing sounds
DRUMS, BASS, VOCALS = "drums", "bass", "vocals"
TONAL = ("vocals", "bass", "other", "guitar", "piano")  # stems that have pitches
# Tables of the curves file that `facts_of` reads: that of each stem, and these.
LOUDNESS, PEAKS = "loudness", "peaks/"
_ALL = 0  # column of the peaks
_LOUD_PERCENTILE = 90
_BLEED_DB = -24.0  # below the mix's loud bars: what a separation leaves of other stems
_MAX_BARS = 20_000  # ten hours at 130 BPM


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a track's form, in seconds; its label is ``intro``, ``drop`` and so on."""

    start_s: float
    end_s: float
    label: str


class TrackFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What the planner knows of a track.

    Parameters
    ----------
    id : int
        Its number in the library.
    name : str
        ``Artist - Title``.
    artist, album : str
        May be empty.
    album_number : int, optional
        Place within the album, from 1.
    length_s : float
        0: not known.
    grid : Grid, optional
        In frames at `rate` Hz; None: no beats are known.
    rate : int
    confidence : float
        Of the grid, 0..1; 1 if it was corrected by hand.
    bar_confidence : float
        The same of where its bars begin.
    bpm : float, optional
        Average tempo.
    variable : bool
        Whether the tempo changes.
    camelot : str, optional
        ``8A``; None: not known.
    energy : float, optional
        0..1.
    lufs : float, optional
        Loudness of the whole track, as recorded.
    gain_db : float
        Gain that a deck applies when it loads the track.
    sections : tuple of Section
        In order; empty: not known.
    vocals_s : tuple of (float, float), optional
        Where the vocals sing, in seconds, in order; None: not known.
    stems : tuple of str
        Separated stems; empty: there is only the mix.
    first_bar : int
        Number of the bar of the first value of the next six.
    bass_db, drums_db, tonal_db : tuple of float
        Level of each bar below the loud bars of the same part (low band, drums, pitched stems), in
        dB; 0 and more is loud. Empty: not known.
    bass_steps : tuple of int
        Sixteenths of each bar, of the same bars, in which the bass sounds, as bits; the first is
        the lowest. Empty: not known.
    lows, kit : tuple of float
        Shares of the loudness of each bar, 0..1; see `band_levels.Contributions`.
    loudness : tuple of float
        Momentary loudness twice a second, LUFS, as recorded; empty: not known.
    tags : mapping of str to float
        Probability of each.
    vector : tuple of float
        Place among similar tracks; empty: not known.
    """

    id: int
    name: str
    artist: str = ""
    album: str = ""
    album_number: int | None = None
    length_s: float = 0.0
    grid: Grid | None = None
    rate: int = RATE
    confidence: float = 0.0
    bar_confidence: float = 1.0
    bpm: float | None = None
    variable: bool = False
    camelot: str | None = None
    energy: float | None = None
    lufs: float | None = None
    gain_db: float = 0.0
    sections: tuple[Section, ...] = ()
    vocals_s: tuple[tuple[float, float], ...] | None = None
    stems: tuple[str, ...] = ()
    first_bar: int = 0
    bass_db: tuple[float, ...] = ()
    drums_db: tuple[float, ...] = ()
    tonal_db: tuple[float, ...] = ()
    bass_steps: tuple[int, ...] = ()
    lows: tuple[float, ...] = ()
    kit: tuple[float, ...] = ()
    loudness: tuple[float, ...] = ()
    tags: Mapping[str, float] = {}
    vector: tuple[float, ...] = ()

    def without(self, mute: Sequence[str]) -> TrackFacts:
        """Return the facts of the track as it sounds with some of its stems muted."""
        sounding = tuple(stem for stem in self.stems if stem not in mute)
        is_quiet = {
            "bass_db": BASS in mute,
            "drums_db": DRUMS in mute,
            "tonal_db": not set(sounding) & set(TONAL),
        }
        quiet = {
            name: (QUIET_DB,) * len(getattr(self, name))
            for name, is_so in is_quiet.items()
            if is_so
        }
        steps = (0,) * len(self.bass_steps) if BASS in mute else self.bass_steps
        vocals_s = () if VOCALS in mute else self.vocals_s
        sound = {"lows": (), "kit": (), "bass_steps": steps}  # shares of another sound
        return replace(self, stems=sounding, vocals_s=vocals_s, **quiet, **sound)

    @property
    def beats_per_bar(self) -> int:
        """Beats in a bar; 4 if no beats are known."""
        return self.grid.beats_per_bar if self.grid else 4

    @property
    def has_stems(self) -> bool:
        """Whether it can be mixed by its stems: at least vocals or drums stand apart."""
        return VOCALS in self.stems or DRUMS in self.stems


def facts_of(
    number: int,
    *,
    name: str = "",
    artist: str = "",
    album: str = "",
    album_number: int | None = None,
    length_s: float | None = None,
    grid: Grid | None = None,
    rate: int = RATE,
    by_hand: bool = False,
    confidence: float | None = None,
    bpm: float | None = None,
    variable: bool = False,
    key: str | None = None,
    energy: float | None = None,
    lufs: float | None = None,
    gain_db: float = 0.0,
    sections: Sequence[Sequence[Any]] = (),
    features: Mapping[str, Any] | None = None,
    stems: Sequence[str] = (),
    curves: Mapping[str, tuple[ArrayLike, float]] | None = None,
    tags: Mapping[str, float] | None = None,
    vector: Sequence[float] = (),
) -> TrackFacts:
    """Return the facts of a track from what is stored of it; whatever is missing may be left out.

    Parameters
    ----------
    number : int
        Of the track in the library.
    name, artist, album : str
    album_number : int, optional
    length_s : float, optional
    grid : Grid, optional
        The one in force, in frames at `rate`.
    rate : int
    by_hand : bool
        Whether the user set the grid.
    confidence, bpm : float, optional
        Of the analysis.
    variable : bool
    key : str, optional
        In any spelling; one that cannot be read counts as not known.
    energy, lufs : float, optional
        Of the analysis.
    gain_db : float
        Of the bundle.
    sections : sequence of (start_s, end_s, label)
    features : mapping, optional
        Of the analysis: ``confidences``, ``vocals_s``, ``waveform`` and ``loudness_short_lufs`` are
        used.
    stems : sequence of str
        Separated stems.
    curves : mapping of str to (float[rows, columns], float), optional
        Tables of the curves file, each with its rows a second: ``loudness``, ``peaks/STEM``.
    tags : mapping of str to float, optional
    vector : sequence of float

    Returns
    -------
    TrackFacts
        Whatever is not known has its default.
    """
    known, tables = features or {}, curves or {}
    length = _finite(length_s) or 0.0
    separated = tuple(stem for stem in stems if stem != WHOLE)
    edges, first = (
        bar_edges_s(grid, rate, length) if grid is not None and length > 0 else (np.zeros(0), 0)
    )
    powers = _bar_powers(tables, separated, edges)
    levels = _levels(powers, known, edges)
    share = contributions(powers.pop(WHOLE, None), powers)
    code = None
    if key:
        try:
            code = camelot(key)
        except MediaError:
            code = None
    return TrackFacts(
        id=number,
        name=name or f"track {number}",
        artist=artist,
        album=album,
        album_number=album_number,
        length_s=length,
        grid=grid,
        rate=rate,
        confidence=BY_HAND if by_hand and grid is not None else (_finite(confidence) or 0.0),
        bar_confidence=BY_HAND if by_hand else _bar_confidence(known),
        bpm=_finite(bpm) or (grid.bpm if grid is not None else None),
        variable=variable,
        camelot=code,
        energy=_finite(energy),
        lufs=_finite(lufs),
        gain_db=_finite(gain_db) or 0.0,
        sections=tuple(Section(float(a), float(b), str(label)) for a, b, label in sections),
        vocals_s=_spans(known.get("vocals_s")),
        stems=separated,
        first_bar=first,
        bass_db=levels["bass"],
        drums_db=levels["drums"],
        tonal_db=levels["tonal"],
        bass_steps=_bass_steps(tables, edges),
        lows=share.lows,
        kit=share.kit,
        loudness=_loudness(tables, known, length),
        tags=dict(tags or {}),
        vector=tuple(float(x) for x in vector),
    )


def bar_edges_s(grid: Grid, rate: int, length_s: float) -> tuple[Floats, int]:
    """Return the downbeats of all whole bars of a track, and the number of the first.

    Parameters
    ----------
    grid : Grid
    rate : int
        Hz, of the grid's frames.
    length_s : float

    Returns
    -------
    float64[bars + 1]
        Start of each bar and the end of the last, in seconds; empty if there is no whole bar.
    int
        Number of the first bar; it starts at beat `number` times `beats_per_bar`.
    """
    per_bar = grid.beats_per_bar
    slack = 0.05 * rate  # a first downbeat that lies at -10 ms is the track's start
    beats = grid.beat_of([-slack, length_s * rate + slack], rate)
    first, last = math.ceil(float(beats[0]) / per_bar), math.floor(float(beats[1]) / per_bar)
    last = min(last, first + _MAX_BARS)
    if last <= first:
        return np.zeros(0), first
    edges: Floats = grid.frame_of(np.arange(first, last + 1) * per_bar, rate) / rate
    return edges, first


def _bar_powers(
    tables: Mapping[str, tuple[ArrayLike, float]], stems: Sequence[str], edges: Floats
) -> dict[str, Floats]:
    """Return the mean squared peaks of each bar, of the mix and each stem: float64[bars, 4]."""
    names = [name for name in (WHOLE, *stems) if f"{PEAKS}{name}" in tables]
    if len(edges) < 2 or WHOLE not in names:
        return {}
    return {name: _bars_power(*tables[f"{PEAKS}{name}"], edges) for name in names}


def _levels(
    powers: Mapping[str, Floats], features: Mapping[str, Any], edges: Floats
) -> dict[str, tuple[float, ...]]:
    """Return the level of each part in each bar, below its loud bars."""
    found: dict[str, tuple[float, ...]] = {"bass": (), "drums": (), "tonal": ()}
    if len(edges) < 2:
        return found
    if WHOLE in powers:
        loud = _loud_db(_db(powers[WHOLE][:, _ALL]))
        found["bass"] = _below(_db(powers[WHOLE][:, LOW]))
        if DRUMS in powers:
            found["drums"] = _below(_db(powers[DRUMS][:, _ALL]), loud + _BLEED_DB)
        pitched = [powers[stem][:, _ALL] for stem in TONAL if stem in powers]
        if pitched:
            found["tonal"] = _below(_db(np.sum(pitched, axis=0)), loud + _BLEED_DB)
        return found
    drawn = features.get("waveform") or {}
    if drawn.get("low") and drawn.get("rate_hz"):
        low = np.asarray(drawn["low"], np.float64)[:, None] / 255
        found["bass"] = _below(_db(_bars_power(low, float(drawn["rate_hz"]), edges)[:, 0]))
    return found


def _bass_steps(tables: Mapping[str, tuple[ArrayLike, float]], edges: Floats) -> tuple[int, ...]:
    if f"{PEAKS}{WHOLE}" not in tables or len(edges) < 2:
        return ()
    peaks, hz = tables[f"{PEAKS}{WHOLE}"]
    return bass_steps(np.asarray(peaks, np.float64)[:, LOW] ** 2, hz, edges)


def _bars_power(peaks: ArrayLike, hz: float, edges: Floats) -> Floats:
    """Return the mean squared peaks of each bar: float64[bars, columns]."""
    total = np.cumsum(np.asarray(peaks, np.float64) ** 2, axis=0)
    total = np.concatenate([np.zeros_like(total[:1]), total])
    at = np.clip(np.round(edges * hz).astype(int), 0, len(total) - 1)
    power: Floats = np.diff(total[at], axis=0) / np.maximum(np.diff(at), 1)[:, None]
    return power


def _db(power: Floats) -> Floats:
    level: Floats = 10 * np.log10(np.maximum(power, 10 ** (QUIET_DB / 10)))
    return level


def _loud_db(levels: Floats) -> float:
    return float(np.percentile(levels, _LOUD_PERCENTILE))


def _below(levels: Floats, least: float = -60.0) -> tuple[float, ...]:
    """Return levels below the loud ones; a part that is never louder than `least` is silent."""
    loud = max(_loud_db(levels), least)
    return tuple(round(max(float(x) - loud, QUIET_DB), 1) for x in levels)


def _loudness(
    tables: Mapping[str, tuple[ArrayLike, float]], features: Mapping[str, Any], length_s: float
) -> tuple[float, ...]:
    """Return the loudness twice a second, from the curve or from three-second values."""
    if LOUDNESS in tables:
        values, hz = np.asarray(tables[LOUDNESS][0], np.float64).ravel(), tables[LOUDNESS][1]
        middle = (np.arange(len(values)) + 0.5) / hz
    else:
        values = np.asarray(features.get("loudness_short_lufs") or [], np.float64)
        middle = np.arange(len(values)) + 1.0 - 1.5  # each is of the three seconds before
    if not len(values) or length_s <= 0:
        return ()
    wanted = (np.arange(math.ceil(length_s * LOUDNESS_HZ)) + 0.5) / LOUDNESS_HZ
    return tuple(np.round(np.interp(wanted, middle, values), 1).tolist())


def _spans(found: Any) -> tuple[tuple[float, float], ...] | None:
    """Return spans in order, none within another."""
    if found is None:
        return None
    spans: list[tuple[float, float]] = []
    for start, end in sorted((float(a), float(b)) for a, b in found):
        if end <= start:
            continue
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return tuple(spans)


def _bar_confidence(features: Mapping[str, Any]) -> float:
    """Return how sure the bars are; an older analysis does not say."""
    found = _finite((features.get("confidences") or {}).get("bar"))
    return BY_HAND if found is None else found


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
