"""Controls derived from a deck's rate: the tempo fader, and the tempo in BPM. Pure.

::

    rate = 1 + (tempo_fader / 100) * (rate_range / 100)
    bpm  = rate * the track's average tempo

They hold no value of their own: any change of the rate, by sync too, moves both.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfa_engine.desk import DESK
from sfa_engine.desk.deck import RATE_RANGES_PCT
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.errors import Refused

_RATE = DESK.deck[1].rate.scale
_FADER = DESK.deck[1].tempo_fader.scale
_DIGITS = 9  # far more than are shown: 50 % stays 50, not 50.00000000000004


def tempo_fader(rate: float, range_pct: float) -> float:
    """Return the position of the tempo fader; its end for a rate beyond its range."""
    position = round((rate - 1.0) * 100.0 / range_pct * 100.0, _DIGITS)
    return min(_FADER.high, max(_FADER.low, position))


def rate_of_fader(position: float, range_pct: float) -> float:
    """Return the rate of a position of the tempo fader, clipped to the rate's range."""
    rate = 1.0 + position / 100.0 * range_pct / 100.0
    return min(_RATE.high, max(_RATE.low, rate))


def bpm(rate: float, track_bpm: float | None) -> float:
    """Return the tempo of a track at a rate; `NOT_SET` without a grid."""
    return NOT_SET if track_bpm is None else round(rate * track_bpm, _DIGITS)


def rate_of_bpm(tempo: float, track_bpm: float | None) -> float:
    """Return the rate at which a track has a tempo.

    Raises
    ------
    Refused
        The track has no grid, or would have to run faster or slower than a deck can.
    """
    if track_bpm is None:
        raise Refused("the track has no beat grid", "load one that has, or set the rate")
    if tempo == NOT_SET or not _RATE.low <= tempo / track_bpm <= _RATE.high:
        low, high = _RATE.low * track_bpm, _RATE.high * track_bpm
        shown = "no tempo" if tempo == NOT_SET else f"{tempo:g} BPM"
        raise Refused(
            f"{shown} is out of range for this track", f"give one from {low:.2f} to {high:.2f} BPM"
        )
    return tempo / track_bpm


@dataclass(frozen=True)
class Derived:
    """One derived control of a deck, from 1."""

    deck: int
    name: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The controls that it depends on; the first is the one that it sets."""
        rate = f"deck{self.deck}.rate"
        return (rate, f"{rate}_range") if self.name == "tempo_fader" else (rate,)

    def read(self, rate: float, rate_range: float, track_bpm: float | None) -> float:
        """Return its value; `rate_range` is the index of the choice."""
        if self.name == "bpm":
            return bpm(rate, track_bpm)
        return tempo_fader(rate, RATE_RANGES_PCT[int(rate_range)])

    def rate(self, value: float, rate_range: float, track_bpm: float | None) -> float:
        """Return the rate for a value, or refuse the value."""
        if self.name == "bpm":
            return rate_of_bpm(value, track_bpm)
        return rate_of_fader(value, RATE_RANGES_PCT[int(rate_range)])


DERIVED = {
    control.path: Derived(number, name)
    for number, deck in DESK.deck.items()
    for name, control in (("tempo_fader", deck.tempo_fader), ("bpm", deck.bpm))
}
# Controls that cannot be set while their deck follows another, and its sync.
SYNC_OF = {
    control.path: deck.sync.path
    for deck in DESK.deck.values()
    for control in (deck.rate, deck.tempo_fader, deck.bpm)
}
