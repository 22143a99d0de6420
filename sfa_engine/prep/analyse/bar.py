"""Where the bar begins, to the sixteenth: which attacks are beats, and which beat is the one.

The track is laid out in sixteenths, and each of a bar's is tried as its first. Drums and changes
are asked together, for drums alone cannot tell a syncopated beat from the off-beat::

    drums     average level rise of kick, snare, middle and treble on each sixteenth of a bar;
              of the lowest band only where its pitch falls, for that of a kick does
    changes   of chords, timbre and level, where sections begin: on the one, whatever is played

Their weights were fitted (conditional logit) on 89 rendered pieces; with the style left out that
was asked for, the one was found in 98 of 100. That of kicks on all beats was set later: a bass
that changes its chord between the beats outweighs other drums, but not four kicks a bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfa_engine.prep.analyse.features import Spectra
from sfa_engine.prep.analyse.measurement import SWING_HZ
from sfa_engine.prep.analyse.onset import FRAME_HZ, Onsets
from sfa_engine.prep.analyse.smooth import (
    Curve,
    Floats,
    gaussian,
    highest,
    in_parts,
    standard,
    totals,
)

_LAG = 12  # ms over which a level has risen
_PART = 1 << 18  # ms that are folded at once, for memory
# A kick's pitch falls from its first 30 ms to what follows, by 0.15 to 1.2 octaves in the mix (0.1
# where a bass begins with it), that of a bass note by less than 0.06.
_EARLY_S, _LATE_S = (0.0, 0.03), (0.05, 0.09)
_FALLS, _FALLS_MOST = (
    0.1,
    0.3,
)  # octaves from which on it is a kick: a share of what is usual, within
_FALLS_SHARE = 0.3
_FALLS_CLEARLY = 0.12  # from which on kicks are recognised by it
_NO_KICK = 0.25  # of the rise of what does not fall is counted, where kicks do
_STRIKES = 0.08  # of the highest average rise: a kick beside a bass eight times as loud
_WEIGHTS = {
    "kick on the one": 1.28,
    "kick in the middle": 0.28,
    "kick on beats": 0.28,
    "kick between": -0.28,
    "snare on two and four": 0.08,
    "snare on three": -0.36,
    "snare on either": 0.61,
    "snare between": -0.40,
    "middle on beats": 0.18,
    "middle on the one": 0.95,
    "treble on beats": 0.02,
    "kicks on all beats": 2.0,
    "chords": 1.91,
    "timbre": 0.55,
    "timbre of a beat": 0.14,
    "sections": 0.87,
    "levels": 0.71,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """What the drums and changes say.

    Parameters
    ----------
    first : int
        Which sixteenth, 0..4 * beats_per_bar - 1, a bar begins on.
    margin : float
        How far it is ahead of the next that lies on another beat phase.
    one_margin : float
        How far it is ahead of the other beats of the bar.
    """

    first: int
    margin: float
    one_margin: float


@dataclass(frozen=True, slots=True)
class Stepwise:
    """Features of each stretch between two times.

    Parameters
    ----------
    tones : float64[n, 12]
        Pitch classes, each row of length 1.
    levels_db : float64[n, 24]
    """

    tones: Floats
    levels_db: Floats


def stepwise(spectra: Spectra, times_s: Floats) -> Stepwise:
    """Return the mean of the spectra from each time to the next."""
    which = np.searchsorted(times_s, spectra.times_s) - 1
    inside = which >= 0
    rows = which[inside]
    count = np.maximum(np.bincount(rows, minlength=len(times_s)), 1)[:, None]

    def means(name: str) -> Floats:
        curve = spectra.curve(name)[inside]
        total = np.zeros((len(times_s), curve.shape[1]))
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        if len(begins):
            total[rows[begins]] = np.add.reduceat(curve, begins, axis=0)
        return total / count

    tones = means("tones")
    tones /= np.linalg.norm(tones, axis=1, keepdims=True) + 1e-9
    return Stepwise(tones, 10 * np.log10(means("levels") + 1e-4))


def sixteenth_phase(strength: Curve, period_s: float) -> float:
    """Return where the sixteenth of a beat begins on which most attacks lie, in seconds.

    A line fitted from there finds an attack at most beats; from an empty sixteenth it would be
    drawn to neighbours on either side.
    """
    length = period_s / 4
    points = max(8, round(length * FRAME_HZ))
    total, count = np.zeros(points), np.zeros(points)
    for at in range(0, len(strength), _PART):
        part = strength[at : at + _PART]
        turn = np.arange(at, at + len(part)) / (FRAME_HZ * length) % 1
        place = np.minimum((turn * points).astype(int), points - 1)
        total += np.bincount(place, part, points)
        count += np.bincount(place, minlength=points)
    folded = total / np.maximum(1, count)
    smooth = gaussian(np.tile(folded, 3), 5.0)[points : 2 * points]
    phase = float(np.argmax(smooth)) / points * length
    around = in_parts(strength, 10, lambda part: highest(part, 21))  # 10 ms before and after
    beats = np.arange(0, len(strength) / FRAME_HZ - 2 * period_s, period_s)
    rows = np.round((phase + length * np.arange(4)[:, None] + beats) * FRAME_HZ).astype(int)
    most = int(around[rows].sum(axis=1).argmax()) if len(beats) else 0
    return phase + most * length


@dataclass(frozen=True, slots=True)
class Layout:
    """What happens on each sixteenth of a track, or of a part of it.

    Parameters
    ----------
    drums : dict of str to float64[bars, steps]
        Rise of each band.
    swings : float64[bars, steps, 4]
        Energy of the lowest band, and of its derivative over 2 pi, early and late in each
        sixteenth; see `_swings`.
    changes : dict of str to float64[bars, steps]
        Standardised; see `_changes`.
    votes : dict of str to float64[bars, steps]
        The highest changes of section and level, 0 elsewhere.
    beats_per_bar : int
    """

    drums: dict[str, Floats]
    swings: Floats
    changes: dict[str, Floats]
    votes: dict[str, Floats]
    beats_per_bar: int

    @property
    def bars(self) -> int:
        """Whole bars."""
        return len(self.drums["low"])

    def part(self, first: int, last: int) -> Layout:
        """Return some bars."""

        def some(rows: dict[str, Floats]) -> dict[str, Floats]:
            return {name: row[first:last] for name, row in rows.items()}

        return Layout(
            some(self.drums),
            self.swings[first:last],
            some(self.changes),
            some(self.votes),
            self.beats_per_bar,
        )

    def scores(self, step: int = 1) -> tuple[Floats, Floats]:
        """Return how much speaks for a bar that begins on each sixteenth.

        Parameters
        ----------
        step : int
            How far apart the sixteenths are that are asked about; -inf for the others.

        Returns
        -------
        of_drums, of_changes : float64[steps]
            Their sum decides.
        """
        drums = {name: _even(rows.mean(axis=0)) for name, rows in self.drums.items()}
        kicks = _kicks(drums["low"], self.swings.sum(axis=0))
        drums["kicks"] = kicks * np.minimum(1.0, drums["low"] / _STRIKES)
        drums["low"] = _even(drums["low"] * np.maximum(kicks, _NO_KICK))
        changes = {name: rows.mean(axis=0) for name, rows in self.changes.items()}
        changes |= {name: _share(rows) for name, rows in self.votes.items()}
        steps = 4 * self.beats_per_bar
        of_drums, of_changes = np.full(steps, -np.inf), np.zeros(steps)
        for r in range(0, steps, step):
            turned = {name: np.roll(row, -r) for name, row in drums.items()}
            evidence = _evidence_of_drums(turned, self.beats_per_bar)
            of_drums[r] = sum(_WEIGHTS[name] * value for name, value in evidence.items())
            of_changes[r] = sum(_WEIGHTS[name] * row[r] for name, row in changes.items())
        return of_drums, of_changes


def find_bar(
    onsets: Onsets, spectra: Spectra, sixteenths_s: Floats, beats_per_bar: int, step: int = 1
) -> Bar:
    """Return on which sixteenth the bars begin.

    Parameters
    ----------
    onsets : Onsets
    spectra : Spectra
    sixteenths_s : float64[n]
        Places of the sixteenths.
    beats_per_bar : int
    step : int
        How far apart those are that may be the one: 2 where the beats are known to an eighth.

    Returns
    -------
    Bar
        Its first sixteenth, and how clear that is.
    """
    steps = 4 * beats_per_bar
    if len(sixteenths_s) < 2 * steps:
        return Bar(0, 0.0, 0.0)
    scores = np.sum(lay_out(onsets, spectra, sixteenths_s, beats_per_bar).scores(step), axis=0)
    first = int(np.argmax(scores))
    place = np.arange(steps)
    here = (place - first) % 4 == 0
    others = here & (place != first)
    return Bar(
        first,
        float(scores[first] - scores[~here].max()),
        float(scores[first] - scores[others].max()),
    )


def lay_out(onsets: Onsets, spectra: Spectra, sixteenths_s: Floats, beats_per_bar: int) -> Layout:
    """Return what happens on each sixteenth.

    Parameters
    ----------
    onsets : Onsets
    spectra : Spectra
    sixteenths_s : float64[n]
        Places of the sixteenths, from the first of a bar on; a bar at the least.
    beats_per_bar : int

    Returns
    -------
    Layout
        Of the whole bars.
    """
    steps = 4 * beats_per_bar
    bars = len(sixteenths_s) // steps

    def in_bars(rows: dict[str, Floats]) -> dict[str, Floats]:
        return {name: row[: bars * steps].reshape(bars, steps) for name, row in rows.items()}

    changes, votes = _changes(onsets, spectra, sixteenths_s, steps)
    swings = _swings(onsets, sixteenths_s[: bars * steps]).reshape(bars, steps, 4)
    return Layout(
        in_bars(_drums(onsets, sixteenths_s)),
        swings,
        in_bars(changes),
        in_bars(votes),
        beats_per_bar,
    )


def kicks_on_beats(onsets: Onsets, period_s: float) -> float:
    """Return how clearly there is a kick on each beat of a tempo and none between, 0..1.

    Parameters
    ----------
    onsets : Onsets
    period_s : float
        Seconds a beat.
    """
    length = period_s / 4
    phase_s = sixteenth_phase(onsets.strength, period_s) % length
    times = np.arange(phase_s, onsets.seconds, length)
    bars = len(times) // 16
    if not bars:
        return 0.0
    rises = _even(_risen(onsets, "low", times)[: 16 * bars].reshape(bars, 16).mean(axis=0))
    swings = _swings(onsets, times[: 16 * bars]).reshape(bars, 16, 4).sum(axis=0)
    kicks = _kicks(rises, swings) * np.minimum(1.0, rises / _STRIKES)
    return max(_floor(np.roll(kicks, -r)) for r in range(4))


def _floor(kicks: Floats) -> float:
    """Return how clearly kicks are on all beats, the first step's, and none are between."""
    return float(kicks[0::4].min() * (1 - kicks[2::4].max()))


def _drums(onsets: Onsets, times_s: Floats) -> dict[str, Floats]:
    """Return the rise of each band on each sixteenth."""
    return {name: _risen(onsets, name, times_s) for name in onsets.levels}


def _risen(onsets: Onsets, name: str, times_s: Floats) -> Floats:
    """Return the rise of a band on each sixteenth."""
    n = onsets.ms
    index = np.clip(np.round(times_s * FRAME_HZ).astype(int) + 4, 0, n - 1)
    sixteenth = float(np.median(np.diff(times_s)))
    reach = max(1, int(min(0.028, 0.88 * sixteenth) * FRAME_HZ))

    def risen(level: Curve) -> Curve:
        before = np.concatenate([np.full(_LAG, level[0]), level[:-_LAG]])[: len(level)]
        return highest(np.maximum(level - before, 0), 2 * reach + 1)

    rise: Floats = in_parts(onsets.levels[name], _LAG + reach, risen)[index].astype(np.float64)
    return rise


def _swings(onsets: Onsets, times_s: Floats) -> Floats:
    """Return the energies of the lowest band's swings early and late in each sixteenth.

    Parameters
    ----------
    onsets : Onsets
    times_s : float64[n]

    Returns
    -------
    float64[n, 4]
        Of its values and of its derivative over 2 pi, early; then the same late. The square root
        of a quotient is the frequency in Hz.
    """
    energy = np.square(onsets.levels.swings, dtype=np.float64)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(energy, axis=0)])
    edges = np.arange(len(total)) / SWING_HZ
    spans = []
    for start_s, end_s in (_EARLY_S, _LATE_S):
        for row in total.T:
            sums = [np.interp(times_s + at, edges, row) for at in (start_s, end_s)]
            spans.append(sums[1] - sums[0])
    return np.stack(spans, axis=1)


def _kicks(rises: Floats, swings: Floats) -> Floats:
    """Return how much each rise of the lowest band is that of a kick, 0..1, by its falling pitch.

    Parameters
    ----------
    rises : float64[steps]
        The highest is 1.
    swings : float64[steps, 4]
        See `_swings`.

    Returns
    -------
    float64[steps]
        1 throughout where nothing that is struck falls: those kicks cannot be recognised by it.
    """
    early, early_speed, late, late_speed = np.maximum(swings, 1e-12).T
    falls = 0.5 * np.log2((early_speed / early) / (late_speed / late))
    struck = falls[rises > _STRIKES]
    if struck.max(initial=0.0) < _FALLS_CLEARLY:
        return np.ones(len(rises))
    usual = float(np.median(struck[struck >= _FALLS]))  # one that stands alone falls furthest
    least = np.clip(_FALLS_SHARE * usual, _FALLS, _FALLS_MOST)
    kicks: Floats = np.clip(falls / least, 0.0, 1.0)
    return kicks


def _even(average: Floats) -> Floats:
    """Return the averages of a bar, the highest 1."""
    even: Floats = average / (float(average.max()) + 1e-9)
    return even


def _evidence_of_drums(drums: dict[str, Floats], beats_per_bar: int) -> dict[str, float]:
    """Return how much like a bar this is that begins with its first sixteenth."""
    kick, snare, mid, high = (drums[name] for name in ("low", "snare", "mid", "high"))

    def on_beats(row: Floats) -> float:
        return float(row[0::4].mean() - row[2::4].mean())

    evidence = {
        "kick on the one": kick[0],
        "kick on beats": on_beats(kick),
        "kick between": kick[1::2].mean(),
        "kicks on all beats": _floor(drums["kicks"]),
        "snare between": snare[1::2].mean(),
        "middle on beats": on_beats(mid),
        "middle on the one": mid[0],
        "treble on beats": on_beats(high),
    }
    if beats_per_bar == 4:
        even = 0.5 * (snare[4] + snare[12] - snare[0] - snare[8])
        third = snare[8] - (snare[0] + snare[4] + snare[12]) / 3
        evidence |= {
            "kick in the middle": kick[8],
            "snare on two and four": even,
            "snare on three": third,
            "snare on either": max(1.2 * even, 0.9 * third),
        }
    else:
        evidence["snare on either"] = snare[4::4].mean() - snare[0]
    return {name: float(value) for name, value in evidence.items()}


def _changes(
    onsets: Onsets, spectra: Spectra, times_s: Floats, steps: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return how much changes on each sixteenth, and its votes where that is most."""
    rows = stepwise(spectra, times_s)
    edges = np.clip((times_s * FRAME_HZ).astype(int), 0, onsets.ms - 1)
    ends = np.append(edges, onsets.ms)
    curves = (onsets.levels[name] for name in onsets.levels)
    power = np.stack([np.diff(totals(curve, ends, power=2)) for curve in curves], axis=1)
    levels = 10 * np.log10(np.maximum(power, 1e-6))
    changes = {
        "chords": standard(novelty(rows.tones, 8)),
        "timbre": standard(novelty(rows.levels_db, steps)),
        "timbre of a beat": standard(novelty(rows.levels_db, 4)),
    }
    votes = {
        "sections": _votes(novelty(rows.levels_db, 4 * steps), steps),
        "levels": _votes(novelty(np.clip(levels, -50, 0), 4 * steps), steps),
    }
    return changes, votes


def _votes(change: Floats, steps: int) -> Floats:
    """Return the highest changes, over the highest of all; 0 elsewhere."""
    top = (change >= highest(change, 4 * steps + 1)) & (change > np.percentile(change, 75))
    top[: 2 * steps] = top[-2 * steps :] = False
    votes: Floats = np.where(top, change, 0.0) / (change.max() + 1e-9)
    return votes


def _share(votes: Floats) -> Floats:
    """Return for which sixteenth of the bar votes speak, 0 in the mean.

    One more vote, for none, keeps a track of few sections from being sure.
    """
    each = votes.sum(axis=0)
    share: Floats = (each - each.mean()) / (each.sum() + 1.0)
    return share


def novelty(rows: Floats, reach: int) -> Floats:
    """Return how much the `reach` rows from each on differ from those before it."""
    n = len(rows)
    total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    here = np.arange(n)
    before, after = np.maximum(here - reach, 0), np.minimum(here + reach, n)
    left, right = np.maximum(here - before, 1), np.maximum(after - here, 1)
    new = (total[after] - total[here]) / right[:, None]
    old = (total[here] - total[before]) / left[:, None]
    size: Floats = np.linalg.norm(new - old, axis=1) * np.sqrt(np.minimum(left, right) / reach)
    size[:2] = size[-1:] = 0
    return size
