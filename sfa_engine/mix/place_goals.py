"""Goals of a transition that its place decides, from what is known of both tracks. Pure.

================  ==============================================================================
measure           goal
================  ==============================================================================
``off_border``    ends of a blend that lie on no border of a section or of eight bars: none
``cut_s``         seconds of a vocal line that is cut, at its end or its start: 0.25 at most
``clash_bars``    bars in which pitched parts of both sound in keys that clash: 4 at most
``lost_s``        of the outgoing track before its outro: none, or the plan says so
``intro_lost_s``  of the incoming track before its place: 2 at most, or the plan says so
================  ==============================================================================

What cannot be known of a pair, as lines of voices where nobody has looked for them, is None.
"""

from __future__ import annotations

from collections.abc import Mapping

from sfa_engine.mix import wheel
from sfa_engine.mix.commands import ends_of, timeline_of
from sfa_engine.mix.document import Plan, Transition
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.goals import Goal
from sfa_engine.mix.timeline import PHRASE, Timeline
from sfa_engine.mix.voices import CUT_S

MAX_CLASH_BARS = 4.0
MAX_INTRO_LOST_S, MAX_LOST_S = 2.0, 0.5
_GONE_S = CUT_S / 5  # since the start of a line, that is not heard yet
_SLACK_S = 1e-6


def place_goals(
    plan: Plan,
    place: int,
    facts: Mapping[int, TrackFacts],
    tonal_both_bars: float | None = None,
) -> tuple[Goal, ...]:
    """Return the goals that the place of a transition decides.

    Parameters
    ----------
    plan : Plan
    place : int
        Of the transition, from 0.
    facts : mapping of int to TrackFacts
        Of both tracks.
    tonal_both_bars : float, optional
        Bars in which pitched parts of both sound, as measured.
    """
    each, pair = plan.transitions[place], plan.tracks[place : place + 2]
    out, into = (timeline_of(track, facts) for track in pair)
    clash = _clash_bars(plan, place, facts, tonal_both_bars)
    lost_s, intro_lost_s = _lost_s(each, out, into)
    cut_s, off = _cut_s(each, out, into), _off_border(each, out, into)
    is_said, is_begin_said = (
        each.kind != "blend" or any(why.startswith(word) for why in each.why)
        for word in ("end:", "beginning:")
    )
    met = {
        "off_border": off == 0,
        "cut_s": cut_s is not None and cut_s <= CUT_S + _SLACK_S,
        "clash_bars": clash is not None and clash <= MAX_CLASH_BARS,
        "lost_s": lost_s <= MAX_LOST_S or is_said,
        "intro_lost_s": intro_lost_s <= MAX_INTRO_LOST_S or is_begin_said,
    }
    found = {
        "off_border": (off, "0"),
        "cut_s": (cut_s, f"<= {CUT_S:g}"),
        "clash_bars": (clash, f"<= {MAX_CLASH_BARS:g}"),
        "lost_s": (lost_s, "0, or said"),
        "intro_lost_s": (intro_lost_s, f"<= {MAX_INTRO_LOST_S:g}, or said"),
    }
    return tuple(
        Goal(name, value, goal, None if value is None else met[name])
        for name, (value, goal) in found.items()
    )


def _off_border(each: Transition, out: Timeline, into: Timeline) -> float | None:
    """Return how many ends of a blend are on no border; None of anything else."""
    if each.kind != "blend":
        return None
    ends = ends_of(each, out, into)
    begins = min(_border(out, ends.out_s), _border(into, ends.in_s))
    lasts = max(_border(out, ends.out_end_s), _border(into, ends.in_end_s))
    return float((begins < PHRASE) + (lasts < PHRASE))


def _border(line: Timeline, seconds: float) -> int:
    return int(line.border[min(line.bars, line.index_at(seconds))])


def _cut_s(each: Transition, out: Timeline, into: Timeline) -> float | None:
    """Return how much of a line is cut, at most; None where nobody has looked for voices."""
    if not (out.knows_vocals and into.knows_vocals):
        return None
    ends = ends_of(each, out, into)
    share = _muted_share(each, "out.stem.vocals.mute", "on")
    until_s = ends.out_end_s if share is None else _between(ends.out_s, ends.out_end_s, share)
    share = _muted_share(each, "in.stem.vocals.mute", "off")
    from_s = ends.in_s if share is None else _between(ends.in_s, ends.in_end_s, share)
    left_s = out.phrase_left_s(until_s) if out.phrase_gone_s(until_s) > _GONE_S else 0.0
    return round(max(left_s, into.phrase_gone_s(from_s)), 2)


def _muted_share(each: Transition, control: str, value: str) -> float | None:
    """Return at which share of a transition a switch gets a value; None: never."""
    at = next((m.at for m in each.moves if m.control == control and m.value == value), None)
    length = float(each.bars) if each.kind == "blend" else each.seconds
    return at / length if at is not None and length else None


def _between(start: float, end: float, share: float) -> float:
    return start + share * (end - start)


def _clash_bars(
    plan: Plan, place: int, facts: Mapping[int, TrackFacts], tonal_both_bars: float | None
) -> float | None:
    """Return in how many bars keys clash; None where a key or what sounds is not known."""
    codes = [
        wheel.shifted(code, track.pitch_st) if code else None
        for track in plan.tracks[place : place + 2]
        for code in [facts[track.id].camelot]
    ]
    if None in codes:
        return None
    return 0.0 if wheel.grade(*codes) >= wheel.CLASH else tonal_both_bars


def _lost_s(each: Transition, out: Timeline, into: Timeline) -> tuple[float, float]:
    """Return how much of the outgoing track before its outro, and of the other's start, is lost."""
    ends = ends_of(each, out, into)
    lost_s = max(0.0, out.outro_s - ends.out_end_s)
    return round(lost_s, 1), round(max(0.0, ends.in_s - into.sound_s[0]), 1)
