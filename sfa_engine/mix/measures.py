"""How good a rendered transition is, in numbers, from the sound of each deck and stem.

Each deck is given twice: as it sounds in the mix, and at unity, as it would without a move.

======================  ==========================================================  ==========
measure                 what                                                        goal
======================  ==========================================================  ==========
``apart_ms``            drums of both decks, by correlation of their attacks        10
``bass_both_bars``      both basses (below 120 Hz) within 12 dB of their own level  1
``bass_neither_bars``   neither, though one plays at unity                          1
``over_louder_db``      short-term loudness over the louder deck at unity           1.5
``under_louder_db``     the same, lowest                                            -3
``over_line_db``        over the straight line from 8 bars before to 8 after        2
``step_lu``             loudness after against before                               -
``added_step_lu``       the same beyond the step that the tracks have at unity      2
``tonal_both_bars``     pitched stems of both within 20 dB of their own level       -
``voices_s``            both vocal stems within 20 dB of their own level            0
``silence_s``           longest stretch 30 dB below the median                      0.4
======================  ==========================================================  ==========
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import butter, sosfilt

Floats = NDArray[np.float64]
Audio = NDArray[np.float32]

BASS_HZ, BASS_DB, VOICE_DB, SILENT_DB = 120.0, -12.0, -20.0, -30.0
KICK_HZ = (40.0, 150.0)
ENVELOPE_HZ = 1000.0
MOST_APART_MS = 60
HOLD_MS = 40  # three half waves of 40 Hz
PLATEAU_BARS = 8
THINNED = 8  # a filter of a low band takes an eighth of the time at an eighth of the rate
SHORT_S, SHORT_HOP_S = 3.0, 0.25  # of the loudness
BASS_S, BASS_HOP_S = 0.4, 0.1
VOICE_S, SILENCE_S, SILENCE_HOP_S = 0.05, 0.4, 0.05
_QUIETEST_DB = -120.0
# K-weighting of ITU-R BS.1770-5 at 48 kHz: a high shelf, then a high-pass.
_K_SOS = (
    (
        1.53512485958697,
        -2.69169618940638,
        1.19839281085285,
        1.0,
        -1.69065929318241,
        0.73248077421585,
    ),
    (1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621),
)


class DeckSound(NamedTuple):
    """The sound of a deck around a transition; mono or stereo, all as long as each other.

    Parameters
    ----------
    mixed, unity : float32[frames] or float32[frames, 2]
        In the mix, and without its moves.
    drums : float32[frames] or float32[frames, 2], optional
        Stem at unity.
    vocals, vocals_unity : float32[frames] or float32[frames, 2], optional
        Stem in the mix, and without its moves.
    tonal : float32[frames] or float32[frames, 2], optional
        Pitched stems in the mix.
    """

    mixed: Audio
    unity: Audio
    drums: Audio | None = None
    vocals: Audio | None = None
    vocals_unity: Audio | None = None
    tonal: Audio | None = None


class Measures(Struct, frozen=True):
    """The measures of a transition; None: there is no stem for it."""

    apart_ms: float | None
    bass_both_bars: float
    bass_neither_bars: float
    over_louder_db: float
    under_louder_db: float
    over_line_db: float
    step_lu: float
    added_step_lu: float
    voices_s: float | None
    silence_s: float
    tonal_both_bars: float | None = None


def measure(
    out: DeckSound, into: DeckSound, *, rate: int, start_s: float, end_s: float, bar_s: float
) -> Measures:
    """Measure a transition.

    Parameters
    ----------
    out, into : DeckSound
        From at least eight bars before the transition to eight after it.
    rate : int
        Frames a second.
    start_s, end_s : float
        Where the transition begins and ends in the sound.
    bar_s : float
        Length of a bar.

    Returns
    -------
    Measures
        Rounded to two decimals.
    """
    mix = _mono(out.mixed) + _mono(into.mixed)
    span, hop = (start_s, end_s), SHORT_HOP_S
    times, level = _levels(_weighted(mix), rate, SHORT_S, hop)
    loud = [_levels(_weighted(_mono(d.unity)), rate, SHORT_S, hop)[1] for d in (out, into)]
    inside = (times >= start_s) & (times <= end_s)
    before = (times > start_s - PLATEAU_BARS * bar_s) & (times < start_s)
    after = (times > end_s) & (times < end_s + PLATEAU_BARS * bar_s)
    first, last = (float(level[part].mean()) for part in (before, after))
    own_step = float(loud[1][after].mean()) - float(loud[0][before].mean())
    line = first + (last - first) * (times - start_s) / (end_s - start_s)
    against = (level - np.maximum(*loud))[inside]
    both, neither = _basses(out, into, rate, span, bar_s)
    return Measures(
        apart_ms=_apart_ms(out, into, rate, span),
        bass_both_bars=round(both, 2),
        bass_neither_bars=round(neither, 2),
        over_louder_db=round(float(against.max()), 2),
        under_louder_db=round(float(against.min()), 2),
        over_line_db=round(float((level - line)[inside].max()), 2),
        step_lu=round(last - first, 2),
        added_step_lu=round(last - first - own_step, 2),
        voices_s=_voices_s(out, into, rate, span),
        silence_s=_silence_s(mix, rate, start_s - bar_s, end_s + bar_s),
        tonal_both_bars=_tonal_both_bars(out, into, rate, span, bar_s),
    )


def _mono(sound: Audio) -> Floats:
    wide = np.asarray(sound, np.float64)
    return wide if wide.ndim == 1 else 0.5 * (wide[:, 0] + wide[:, 1])


def _thinned(sound: Audio) -> Floats:
    """Return mono sound at an eighth of its rate, for low bands: what folds is above 2 kHz."""
    mono = _mono(sound)
    parts = mono[: len(mono) // THINNED * THINNED].reshape(-1, THINNED)
    thinned: Floats = np.einsum("ij->i", parts) / THINNED  # `mean(axis=1)` takes longer
    return thinned


def _weighted(sound: Floats) -> Floats:
    """Return K-weighted sound; at other rates than 48 kHz the filter is a little off."""
    weighted: Floats = sosfilt(np.array(_K_SOS), sound)
    return weighted


def _levels(sound: Floats, rate: int, window_s: float, hop_s: float) -> tuple[Floats, Floats]:
    """Return the middles of windows in seconds, and the level of each in dB.

    A window is a whole number of hops long.
    """
    hop, hops = round(hop_s * rate), round(window_s / hop_s)
    parts = sound[: len(sound) // hop * hop].reshape(-1, hop)
    total = np.concatenate([[0.0], np.cumsum(np.einsum("ij,ij->i", parts, parts))])
    count = max(1, len(parts) - hops + 1)
    begin = np.arange(count)
    power = (total[np.minimum(begin + hops, len(parts))] - total[begin]) / (hops * hop)
    level = 10 * np.log10(np.maximum(power, 10 ** (_QUIETEST_DB / 10)))
    return (begin + hops / 2) * hop / rate, level


def _basses(
    out: DeckSound, into: DeckSound, rate: int, span: tuple[float, float], bar_s: float
) -> tuple[float, float]:
    """Return the bars in which both basses sound, and in which neither does but could."""
    low_rate = rate // THINNED
    low = butter(4, BASS_HZ, "low", fs=low_rate, output="sos")
    active, could = [], []
    for deck in (out, into):
        times, mixed = _levels(sosfilt(low, _thinned(deck.mixed)), low_rate, BASS_S, BASS_HOP_S)
        _, unity = _levels(sosfilt(low, _thinned(deck.unity)), low_rate, BASS_S, BASS_HOP_S)
        own = float(np.percentile(unity, 75)) + BASS_DB  # of the bars in which it plays
        inside = (times >= span[0]) & (times <= span[1])
        active.append((mixed > own)[inside])
        could.append((unity > own)[inside])
    bars = (span[1] - span[0]) / bar_s
    both = float((active[0] & active[1]).mean()) * bars
    neither = float((~(active[0] | active[1]) & (could[0] | could[1])).mean()) * bars
    return both, neither


def _voices_s(
    out: DeckSound, into: DeckSound, rate: int, span: tuple[float, float]
) -> float | None:
    """Return how long both voices sound."""
    active = []
    for deck in (out, into):
        if deck.vocals is None or deck.vocals_unity is None:
            return None
        times, mixed = _levels(_mono(deck.vocals), rate, VOICE_S, VOICE_S)
        _, unity = _levels(_mono(deck.vocals_unity), rate, VOICE_S, VOICE_S)
        own = float(np.percentile(unity, 95)) + VOICE_DB
        active.append((mixed > max(own, -60.0))[(times >= span[0]) & (times <= span[1])])
    return round(float(np.count_nonzero(active[0] & active[1])) * VOICE_S, 2)


def _tonal_both_bars(
    out: DeckSound, into: DeckSound, rate: int, span: tuple[float, float], bar_s: float
) -> float | None:
    """Return the bars in which pitched stems of both sound; None without stems."""
    active = []
    for deck in (out, into):
        if deck.tonal is None:
            return None
        times, level = _levels(_mono(deck.tonal), rate, BASS_S, BASS_HOP_S)
        own = float(np.percentile(level, 95)) + VOICE_DB
        active.append((level > max(own, -60.0))[(times >= span[0]) & (times <= span[1])])
    return round(float((active[0] & active[1]).mean()) * (span[1] - span[0]) / bar_s, 2)


def _silence_s(mix: Floats, rate: int, start_s: float, end_s: float) -> float:
    """Return the longest silence."""
    times, level = _levels(mix, rate, SILENCE_S, SILENCE_HOP_S)
    inside = level[(times >= start_s) & (times <= end_s)]
    longest = run = 0
    for quiet in inside < np.median(inside) + SILENT_DB:
        run = run + 1 if quiet else 0
        longest = max(longest, run)
    return round(longest * SILENCE_HOP_S, 2)


def _apart_ms(
    out: DeckSound, into: DeckSound, rate: int, span: tuple[float, float]
) -> float | None:
    """Return how much later the kicks of the incoming deck are; None without both."""
    if out.drums is None or into.drums is None:
        return None
    low_rate = rate // THINNED
    band = butter(2, KICK_HZ, "band", fs=low_rate, output="sos")
    rises = []
    for drums in (out.drums, into.drums):
        first, last = (round(t * low_rate) for t in span)
        sound = np.abs(sosfilt(band, _thinned(drums)[first:last]))
        step = round(low_rate / ENVELOPE_HZ)
        level = sound[: len(sound) // step * step].reshape(-1, step).max(axis=1)
        # Held, so that the waves of a kick that rings are no attacks.
        held = maximum_filter1d(level, HOLD_MS, origin=(HOLD_MS - 1) // 2)
        rise = np.maximum(0.0, np.diff(np.log(held + 1e-4)))
        rises.append(rise - rise.mean())
    if min(float(np.abs(rise).max(initial=0.0)) for rise in rises) < 1e-9:
        return None
    length = len(rises[0])
    lags = range(-MOST_APART_MS, MOST_APART_MS + 1)  # rows of a millisecond
    score = []
    for k in lags:
        one = rises[0][max(0, -k) : length - max(0, k)]
        other = rises[1][max(0, k) : length + min(0, k)]
        score.append(float(np.einsum("i,i", one, other)))  # `dot` wakes threads, which cost 0.6 s
    return lags[int(np.argmax(score))] * 1000 / ENVELOPE_HZ
