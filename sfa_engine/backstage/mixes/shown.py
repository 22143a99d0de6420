"""A plan as clients show it: its tracks and transitions with names and times. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sfa_engine.errors import Refused
from sfa_engine.mix.commands import Times, times_of
from sfa_engine.mix.document import Plan
from sfa_engine.mix.facts import TrackFacts


def shown(plan: Plan, facts: Mapping[int, TrackFacts]) -> dict[str, Any]:
    """Return a plan as plain values.

    Parameters
    ----------
    plan : Plan
    facts : mapping of int to TrackFacts
        Of its tracks; those that are missing are marked.

    Returns
    -------
    dict
        What the document has, with ``start_s`` and ``end_s`` of each track and transition in the
        mix; None, with the reason as ``problem``, if it cannot be performed.
    """
    values = msgspec.to_builtins(plan)
    times: tuple[Times, ...] | None = None
    problem = ""
    try:
        times = times_of(plan, facts)
    except Refused as error:
        problem = f"{error.message} ({error.hint})" if error.hint else error.message
    tracks = []
    for place, track in enumerate(plan.tracks):
        known = facts.get(track.id)
        tracks.append(
            {
                **msgspec.to_builtins(track),
                "place": place + 1,
                "trim_db": track.trim_db,
                "locked": track.locked,
                "mute": list(track.mute),
                "missing": known is None,
                "bpm": known.bpm if known else None,
                "camelot": known.camelot if known else None,
                "energy": known.energy if known else None,
                "length_s": known.length_s if known else None,
                "start_s": _rounded(times[place].start_s) if times else None,
                "end_s": _rounded(times[place].end_s) if times else None,
            }
        )
    transitions = []
    for place, transition in enumerate(plan.transitions):
        transitions.append(
            {
                **msgspec.to_builtins(transition),
                "place": place + 1,
                "start_s": _rounded(times[place + 1].start_s) if times else None,
                "end_s": _rounded(times[place].end_s) if times else None,
            }
        )
    return {
        **{name: values.get(name, getattr(plan, name)) for name in _HEAD},
        "length_s": _rounded(times[-1].end_s) if times else None,
        "problem": problem,
        "tracks": tracks,
        "transitions": transitions,
    }


_HEAD = ("version", "arc", "rate_pct", "shift_key", "lufs")


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
