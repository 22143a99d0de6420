"""What a user may choose of the mix. Pure values."""

from __future__ import annotations

from msgspec import Struct

from sfa_engine.errors import Refused
from sfa_engine.mix.arc import ARCS, Arc

LENGTHS = (16, 8, 32, 4)  # bars of a blend, best first
MAX_RATE_PCT = 8.0  # beyond it a change of tempo is audible on any music


class MixSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Choices for a whole mix.

    Parameters
    ----------
    arc : str
        One of `arc.ARCS`.
    rate_pct : float
        How far a track's tempo may be changed, up to 8 %; 82 % of the tracks that DJs play are
        changed by less than the 4 % of the default.
    shift_key : bool
        Whether a track may be shifted by a semitone to fit in key.
    lufs : float
        Loudness that tracks are brought to.
    deck : int
        Deck of the first track, from 1; the next one is on the other of the first two.
    """

    arc: Arc = "steady"
    rate_pct: float = 4.0
    shift_key: bool = True
    lufs: float = -14.0
    deck: int = 1

    def __post_init__(self) -> None:
        if self.arc not in ARCS:
            raise Refused(f'no arc "{self.arc}"', f"choose one of {', '.join(ARCS)}")
        if not 0 <= self.rate_pct <= MAX_RATE_PCT:
            raise Refused(f"rate_pct is {self.rate_pct:g}", f"give one from 0 to {MAX_RATE_PCT:g}")
        if not -30 <= self.lufs <= -6:
            raise Refused(f"lufs is {self.lufs:g}", "give one from -30 to -6")
        if self.deck not in (1, 2):
            raise Refused(f"deck is {self.deck}", "give 1 or 2")
