"""A plan of a mix: its tracks, and a transition between each two of them.

::

    Plan ─┬─ tracks       1 ─────────── 2 ─────────── 3
          └─ transitions        1 → 2         2 → 3
                                 └─ moves: `out.` and `in.` controls, by bars of the blend

Places are bars of each track's own grid (bar 0 is its first downbeat), or seconds where a track has
no beats. `sfa_engine.mix.plan_text` writes and reads it, `commands` performs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from sfa_engine.mix.arc import Arc

VERSION = 2  # 1: moves of a trim were absolute
Kind = Literal["blend", "fade", "follow"]
Curve = Literal["linear", "power"]
OUT, IN = "out", "in"
Value = float | str


class Move(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A control that is set, or moved, in a transition.

    Parameters
    ----------
    control : str
        Of the outgoing or the incoming deck: ``out.fader``, ``in.stem.bass.mute``.
    at : float
        Bars of the outgoing track after the beginning of a blend; seconds after that of a fade.
    value : float or str
        In the control's unit; of a trim beside the track's `trim_db`, so that an edited one counts.
    start : float, optional
        Value that a ramp begins with.
    over : float
        Length of the ramp, as `at`; 0: at once.
    curve : str
        ``linear`` in the control's unit, or ``power``: with the gain of a quarter of a sine.
    why : str
    """

    control: str
    at: float
    value: Value
    start: float | None = None
    over: float = 0.0
    curve: Curve = "linear"
    why: str = ""


class Transition(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one track gives way to the next.

    Parameters
    ----------
    out, into : int
        Numbers of both tracks in the library.
    kind : str
        ``blend``: beats together, for whole bars. ``fade``: volumes and lows, for some seconds.
        ``follow``: the next track begins when this one ends, or has faded out.
    out_bar, in_bar : float, optional
        Of a blend: where it begins in both tracks.
    bars : int
        Of a blend: length in bars of the outgoing track.
    ratio : float
        Beats of the incoming track for each of the outgoing one: 1, 2 or 0.5.
    out_rate, in_rate : float
        Speed of both during a blend.
    out_glide_bars, in_glide_bars : int
        Bars in which the outgoing track comes to that speed before the blend, and the incoming one
        returns to its own tempo after it.
    out_s, in_s : float, optional
        Of a fade or a follow: where it begins in both tracks.
    seconds : float
        Of a fade: its length.
    locked : bool
        Whether a new plan leaves it as it is.
    fallback : str
        Why it is no blend; empty for one.
    why : tuple of str
        Decisions of a blend, each with its reason.
    prices : mapping of str to float
        What spoke against it and was accepted, in points.
    vetoes : mapping of str to int
        How many of the candidates that were judged were ruled out, by what.
    moves : tuple of Move
        In order of time.
    """

    out: int
    into: int
    kind: Kind
    out_bar: float | None = None
    in_bar: float | None = None
    bars: int = 0
    ratio: float = 1.0
    out_rate: float = 1.0
    in_rate: float = 1.0
    out_glide_bars: int = 0
    in_glide_bars: int = 0
    out_s: float | None = None
    in_s: float | None = None
    seconds: float = 0.0
    locked: bool = False
    fallback: str = ""
    why: tuple[str, ...] = ()
    prices: Mapping[str, float] = {}
    vetoes: Mapping[str, int] = {}
    moves: tuple[Move, ...] = ()


class PlannedTrack(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A track of a plan.

    Parameters
    ----------
    id : int
        Its number in the library.
    name : str
    deck : int
        From 1.
    trim_db : float
        Gain that brings it to the loudness of the plan.
    pitch_st : int
        Semitones that it is shifted by.
    mute : tuple of str
        Stems that do not sound as long as it plays.
    locked : bool
        Whether a new plan leaves it at its place.
    why : str
        Why it is at its place.
    """

    id: int
    name: str
    deck: int
    trim_db: float = 0.0
    pitch_st: int = 0
    mute: tuple[str, ...] = ()
    locked: bool = False
    why: str = ""


class Plan(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mix.

    Parameters
    ----------
    version : int
        Of the form.
    arc : str
    rate_pct : float
        How far a track's tempo may be changed.
    shift_key : bool
        Whether a track may be shifted by a semitone.
    lufs : float
        Loudness of all tracks.
    tracks : tuple of PlannedTrack
    transitions : tuple of Transition
        One less than tracks.
    """

    version: int = VERSION
    arc: Arc = "steady"
    rate_pct: float = 4.0
    shift_key: bool = True
    lufs: float = -14.0
    tracks: tuple[PlannedTrack, ...] = field(default=(), name="track")
    transitions: tuple[Transition, ...] = field(default=(), name="transition")
