"""One transition of a plan by itself, from some bars before it to some after, to be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from sfa_engine.errors import Refused
from sfa_engine.mix.commands import Command, Timetable, ends_of, timeline_of, timetable
from sfa_engine.mix.document import Plan
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.measures import PLATEAU_BARS

NO_BAR_S = 2.0  # of a track without beats


class Audition(NamedTuple):
    """A transition to be rendered, and where it is in the sound; see `measures.measure`."""

    table: Timetable
    start_s: float
    end_s: float
    bar_s: float


def audition(
    plan: Plan, facts: Mapping[int, TrackFacts], place: int, bars: int = PLATEAU_BARS + 1
) -> Audition:
    """Return a transition of a plan by itself.

    Parameters
    ----------
    plan : Plan
    facts : mapping of int to TrackFacts
        Of both tracks.
    place : int
        Of the transition, from 0.
    bars : int
        Played before it and after it; before it at least those in which the tempo changes.

    Returns
    -------
    Audition
        Times are seconds from its beginning.

    Raises
    ------
    Refused
        There is no such transition, or it cannot be performed: see `timetable`.
    """
    if not 0 <= place < len(plan.transitions):
        raise Refused(f"no transition {place + 1}", f"the plan has {len(plan.transitions)}")
    each = plan.transitions[place]
    pair = plan.tracks[place : place + 2]
    out, into = (timeline_of(track, facts) for track in pair)
    bar = [
        60.0 * line.facts.beats_per_bar / line.facts.bpm if line.facts.bpm else NO_BAR_S
        for line in (out, into)
    ]
    ends = ends_of(each, out, into)
    begin_s = max(out.sound_s[0], ends.out_s - max(bars, each.out_glide_bars) * bar[0])
    alone = replace(plan, tracks=pair, transitions=(each,))
    table = timetable(alone, facts, begin_s=begin_s)
    start_s = next(c.time_s for c in reversed(table.commands) if c.verb == "mark")
    stop = f"deck{pair[0].deck}.play"
    end_s = max(c.time_s for c in table.commands if c.path == stop)
    until_s = min(table.end_s, end_s + bars * bar[1])
    kept = tuple(_cut(command, until_s) for command in table.commands if command.time_s < until_s)
    bar_s = (end_s - start_s) / each.bars if each.bars else bar[0]
    return Audition(Timetable(kept, until_s), start_s, end_s, bar_s)


def _cut(command: Command, until_s: float) -> Command:
    """Return a command whose ramp, of a rate, ends where it has come to at a time."""
    if command.verb != "ramp" or command.time_s + command.over_s <= until_s:
        return command
    over_s = until_s - command.time_s
    way = (float(command.value) - command.start) * over_s / command.over_s
    return command._replace(over_s=over_s, value=round(command.start + way, 6))
