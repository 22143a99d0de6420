"""Pairs of tracks of any kind, planned and checked: always a plan, and no rule is broken.

::

    seed ─► any_track, any_track ─► plan_mix ─► rules: places, rates, voices, keys, reasons
                                        └─────► entrance ─► queued: can it be performed?
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sfa_engine.bench.random_facts import any_track
from sfa_engine.desk import find
from sfa_engine.errors import Refused
from sfa_engine.mix import live, wheel
from sfa_engine.mix.candidate import Candidate
from sfa_engine.mix.commands import entrance
from sfa_engine.mix.document import IN, Plan, Transition
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.plan_check import findings
from sfa_engine.mix.settings import LENGTHS
from sfa_engine.mix.timeline import Timeline
from sfa_engine.mix.transition import Pair
from sfa_engine.mix.voices import BOTH_S, CUT_S

STEP_S = 0.15  # of the planner, in which it looks for voices
LEAST_REASON = 5  # characters
MAX_FADE_S = 8.0
# What a planner that cannot cope with a track raises.
ANY_ERROR = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, Refused)


class Planned(NamedTuple):
    """A pair that was planned.

    Parameters
    ----------
    out, into : TrackFacts
    transition : Transition, optional
        None: there is no plan.
    broken : tuple of str
        Rules that it breaks.
    took_ms : float
    """

    out: TrackFacts
    into: TrackFacts
    transition: Transition | None
    broken: tuple[str, ...]
    took_ms: float


def random_pairs(count: int, seed: int) -> Iterator[Planned]:
    """Yield pairs of tracks of any kind, planned and checked."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(count):
        out, into = any_track(chance, 1), any_track(chance, 2)
        began_s = time.process_time()
        try:
            plan = plan_mix([out, into], ordered=True)
        except ANY_ERROR as error:
            yield Planned(out, into, None, (f"no plan: {error!r}",), 0.0)
            continue
        took_ms = 1000 * (time.process_time() - began_s)
        pair = Pair(plan.transitions[0], plan.tracks[1].pitch_st, 0.0)
        broken = (*broken_rules(pair, out, into), *not_performed(plan, out, into))
        yield Planned(out, into, pair.transition, broken, took_ms)


def fallbacks_of(found: list[Planned]) -> Counter[str]:
    """Return how many pairs have each kind of reason not to be blended."""
    said = [each.transition.fallback for each in found if each.transition]
    return Counter(_kind_of(text) for text in said if text)


def _kind_of(fallback: str) -> str:
    """Return a reason without names and numbers."""
    text = fallback.rpartition(": ")[2] if fallback.startswith("Artist") else fallback
    return "".join(c for c in text.partition(" (")[0].partition(":")[0] if not c.isdigit()).strip()


# ---------------------------------------------------------------------- rules


def broken_rules(
    pair: Pair, out: TrackFacts, into: TrackFacts, limit: float = 0.04
) -> Iterator[str]:
    """Yield the rules that the plan of a pair breaks.

    Parameters
    ----------
    pair : Pair
    out, into : TrackFacts
    limit : float
        Most that a rate may be off, as a share.
    """
    each = pair.transition
    if (each.out, each.into) != (out.id, into.id):
        yield "it is of other tracks"
    if abs(pair.pitch_st) > 1:
        yield f"shifted by {pair.pitch_st} semitones"
    yield from _not_at_rest(each)
    if each.kind == "blend":
        yield from _broken_blend(each, out, into, limit)
        return
    if len(each.fallback) <= LEAST_REASON:
        yield f"no reason for a {each.kind}"
    if not 0 <= each.seconds <= MAX_FADE_S:
        yield f"a fade of {each.seconds} s"
    if each.kind == "fade":
        assert each.out_s is not None
        assert each.in_s is not None
        if each.out_s < 0 or each.out_s + each.seconds > out.length_s + 0.01:
            yield "a fade outside the outgoing track"
        if each.in_s < 0 or each.in_s + each.seconds > into.length_s:
            yield "a fade outside the incoming track"


def not_performed(plan: Plan, out: TrackFacts, into: TrackFacts) -> Iterator[str]:
    """Yield why the plan of a pair could not be performed; a track without a length never is."""
    yield from (f"{found.path}: {found.message}" for found in findings(plan))
    if not (out.length_s and into.length_s):
        return
    try:
        live.queued(entrance(plan, {out.id: out, into.id: into}))
    except Refused as error:
        yield f"it cannot be performed: {error}"


def _broken_blend(
    each: Transition, out: TrackFacts, into: TrackFacts, limit: float
) -> Iterator[str]:
    one, other, place = window(each, out, into)
    if each.fallback:
        yield "a blend with a fallback"
    if not each.why:
        yield "a blend without a reason"
    if each.bars not in LENGTHS:
        yield f"a blend of {each.bars} bars"
    if place.out_bar < 0 or place.out_bar + place.bars > one.bars:
        yield "a blend outside the outgoing track"
    if place.in_bar < 0 or place.in_bar + place.in_bars > other.bars:
        yield "a blend outside the incoming track"
    for rate, glide in (
        (each.out_rate, each.out_glide_bars),
        (each.in_rate, each.in_glide_bars),
    ):
        if abs(rate - 1) > limit + 1e-5:
            yield f"a rate of {rate}"
        if rate != 1 and glide < 16:
            yield f"a rate of {rate} is reached in {glide} bars"
    beats = one.bpm_at(place.out_bar, place.bars) * each.out_rate * each.ratio
    if abs(other.bpm_at(place.in_bar, place.in_bars) * each.in_rate / beats - 1) > 1e-4:
        yield "beats of both are not together"
    both, cut_end, cut_start = both_voices_s(each, out, into)
    if both > BOTH_S + STEP_S:
        yield f"two voices for {both:.2f} s"
    if max(cut_end, cut_start) > CUT_S + 1e-6:
        yield f"a line is cut: {cut_end:.2f} s at its end, {cut_start:.2f} s at its start"
    if wheel.grade(out.camelot, into.camelot) < wheel.CLASH and not any(
        "clash" in why or "shifted" in why for why in each.why
    ):
        yield "a clash of keys without a word"


def _not_at_rest(each: Transition) -> Iterator[str]:
    """Yield the controls of the incoming deck that are not at rest when all is over."""
    last = {
        move.control.partition(".")[2]: move
        for move in each.moves
        if move.control.startswith(f"{IN}.")
    }
    for name, move in last.items():
        control = find(f"deck1.{name}")
        if control.check(move.value) != control.scale.rest:
            yield f"{move.control} is left at {move.value}"


def window(
    each: Transition, out: TrackFacts, into: TrackFacts
) -> tuple[Timeline, Timeline, Candidate]:
    """Return both timelines, and the candidate that a blend came from."""
    one, other = Timeline(out), Timeline(into)
    assert each.out_bar is not None
    assert each.in_bar is not None
    place = Candidate(
        int(each.out_bar) - one.first,
        int(each.in_bar) - other.first,
        each.bars,
        int(each.bars * each.ratio),
    )
    return one, other, place


def muted(each: Transition, control: str) -> tuple[float, float] | None:
    """Return the bars from and until which a switch is on; None if it never is."""
    moves = [move for move in each.moves if move.control == control]
    if not moves:
        return None
    off = [move.at for move in moves if move.value == "off"]
    return moves[0].at, off[0] if off else float("inf")


def both_voices_s(
    each: Transition, out: TrackFacts, into: TrackFacts
) -> tuple[float, float, float]:
    """Return the seconds of both voices in a blend, and of a line cut at the end and the start."""
    one, other, place = window(each, out, into)
    start, begin = one.edges_s[place.out_bar], other.edges_s[place.in_bar]
    per_bar = float(one.edges_s[place.out_bar + place.bars] - start) / place.bars
    in_bar = float(other.edges_s[place.in_bar + place.in_bars] - begin) / place.bars
    gone = muted(each, "out.stem.vocals.mute")
    kept = muted(each, "in.stem.vocals.mute")
    out_until = float(place.bars) if gone is None else gone[0]
    in_from = 0.0 if kept is None else kept[1]
    lines = (np.array(one.vocals_s).reshape(-1, 2) - start) / per_bar
    others = (np.array(other.vocals_s).reshape(-1, 2) - begin) / in_bar
    both = sum(
        max(0.0, min(b, d, out_until, place.bars) - max(a, c, in_from, 0.0))
        for a, b in lines.tolist()
        for c, d in others.tolist()
    )
    until_s = float(start) + out_until * per_bar
    cut_end = one.phrase_left_s(until_s)
    if one.phrase_gone_s(until_s) <= CUT_S / 5:
        cut_end = 0.0
    cut_start = other.phrase_gone_s(float(begin) + in_from * in_bar)
    return both * per_bar, cut_end, cut_start
