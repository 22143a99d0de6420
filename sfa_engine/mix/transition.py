"""One transition: the cheapest of all blends that nothing vetoes, or a fallback that says why.

::

    pair ─► album, live, fade-out? ─► follow
         ─► beats, tempo, meter?   ─► fade
         ─► candidates ─► vetoes ─► prices ─► the best few with their loudness ─► blend
                             └─ all of them ─► fade
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from sfa_engine.mix.blend import (
    GLIDE_BARS,
    LOUDNESS_PRICE,
    Blend,
    drums_first,
    judge,
    place_prices,
)
from sfa_engine.mix.candidate import Candidate, candidates
from sfa_engine.mix.document import Transition
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.fallback import fade, follow, why_no_blend, why_no_mix
from sfa_engine.mix.loudness import Muted, Shape, best_shape, levels_of
from sfa_engine.mix.moves import blend_moves
from sfa_engine.mix.reasons import FREE_STEP_DB, blend_reasons
from sfa_engine.mix.settings import MixSettings
from sfa_engine.mix.tempo import Meeting, meet
from sfa_engine.mix.timeline import Timeline

FINALISTS = 6  # whose loudness is looked at
ROUNDED = 0.05  # points by which a price may be off: it is a sum of ten that are rounded
ROOM_S = 5.0  # after a transition, to clear the deck and load the next track
MOST_TRIM_DB = (-12.0, 6.0)  # of a track: more gain raises peaks into the limiter


class Pair(NamedTuple):
    """A transition, and what the incoming track keeps of it.

    Parameters
    ----------
    transition : Transition
    pitch_st : int
        Semitones that the incoming track is shifted by.
    free_s : float
        Where the incoming track is at its own tempo again, and the other deck is free for the next
        one, in seconds of it.
    """

    transition: Transition
    pitch_st: int
    free_s: float


class Entered(NamedTuple):
    """How the outgoing track came in.

    Parameters
    ----------
    pitch_st : int
        Semitones that it is shifted by.
    free_s : float
        Where it is at its own tempo again.
    """

    pitch_st: int = 0
    free_s: float = 0.0


def trim_of(facts: TrackFacts, lufs: float) -> float:
    """Return the trim that brings a track to a loudness, in dB; 0 if its own is not known."""
    if facts.lufs is None:
        return 0.0
    low, high = MOST_TRIM_DB
    return round(min(high, max(low, lufs - facts.lufs - facts.gain_db)), 1) + 0.0


def plan_pair(
    out: TrackFacts | Timeline,
    into: TrackFacts | Timeline,
    settings: MixSettings | None = None,
    entered: Entered | None = None,
    trims_db: tuple[float, float] | None = None,
) -> Pair:
    """Plan how one track gives way to another.

    Parameters
    ----------
    out, into : TrackFacts or Timeline
    settings : MixSettings, optional
    entered : Entered, optional
        How the outgoing track came in; without it, it plays from its beginning.
    trims_db : (float, float), optional
        Trims of both; without them, those that bring them to the loudness of the settings.

    Returns
    -------
    Pair
        Always: a pair that cannot be blended has a fade or a follow with its reason.
    """
    out = out if isinstance(out, Timeline) else Timeline(out)
    into = into if isinstance(into, Timeline) else Timeline(into)
    settings, entered = settings or MixSettings(), entered or Entered()
    if reason := why_no_mix(out, into):
        return _ended(follow(out, into, reason))
    if reason := why_no_blend(out, into, settings.rate_pct / 100):
        return _ended(fade(out, into, reason, entered.free_s))
    trims = trims_db or (trim_of(out.facts, settings.lufs), trim_of(into.facts, settings.lufs))
    blends, vetoes = _judged(out, into, settings, entered, trims)
    if not blends:
        causes = ", ".join(f"{name} ({count})" for name, count in vetoes.most_common())
        reason = f"no blend: {causes}" if causes else "no blend: no phrase is long enough"
        return _ended(fade(out, into, reason, entered.free_s, vetoes))
    blends.sort(key=lambda blend: (blend.price, blend.each))
    shaped = [_shaped(out, into, blend, trims) for blend in blends[:FINALISTS]]
    blend, shape = min(shaped, key=lambda pair: (pair[0].price, pair[0].each))
    return _blended(out, into, blend, shape, vetoes)


def _ended(transition: Transition) -> Pair:
    return Pair(transition, 0, (transition.in_s or 0.0) + transition.seconds + ROOM_S)


def _judged(
    out: Timeline,
    into: Timeline,
    settings: MixSettings,
    entered: Entered,
    trims: tuple[float, float],
) -> tuple[list[Blend], Counter[str]]:
    """Return the cheapest blends, and how many candidates were ruled out, by their vetoes.

    Candidates are judged in the order of what their places cost, until none of the others can be
    among the finalists: there are up to 384, and to judge one takes 0.1 ms.
    """
    limit = settings.rate_pct / 100
    usual = meet(out.facts.bpm or 120.0, into.facts.bpm or 120.0, limit)
    ratio = usual.ratio if usual else 1.0
    from_bar = glide_from = out.index_at(entered.free_s)
    if out.edges_s[from_bar] < entered.free_s - 0.05:
        from_bar += 1
    vetoes: Counter[str] = Counter()
    placed: list[tuple[float, Candidate, Meeting, dict[str, float]]] = []
    for each in candidates(out, into, ratio, from_bar):
        # The tempo there: of a track that changes it, another than its average.
        bpms = out.bpm_at(each.out_bar, each.bars), into.bpm_at(each.in_bar, each.in_bars)
        meeting = meet(*bpms, limit)
        if meeting is None or meeting.ratio != ratio:
            vetoes["tempo"] += 1
            continue
        prices = place_prices(out, into, each, meeting)
        placed.append((sum(prices.values()), each, meeting, prices))
    blends: list[Blend] = []
    least: list[float] = []  # prices of the finalists
    for price, each, meeting, prices in sorted(placed, key=lambda row: row[:2]):
        if len(least) == FINALISTS and price > least[-1] + ROUNDED:
            break
        judged = judge(
            out,
            into,
            each,
            meeting,
            prices,
            pitch_st=entered.pitch_st,
            trims_db=trims,
            may_shift=settings.shift_key,
            glide_from=glide_from,
        )
        if isinstance(judged, str):
            vetoes[judged] += 1
        else:
            blends.append(judged)
            insort(least, judged.price)
            del least[FINALISTS:]
    return blends, vetoes


def _shaped(
    out: Timeline, into: Timeline, blend: Blend, trims: tuple[float, float]
) -> tuple[Blend, Shape]:
    """Return a blend with the price of its loudness, and the shape that keeps it even."""
    meeting, bars = blend.meeting, blend.each.bars
    levels = levels_of(out, into, blend.each, (meeting.out_rate, meeting.in_rate), trims)
    known = out.knows_loudness and into.knows_loudness
    muted = Muted(
        blend.exchange,
        lambda rise: blend.drums_until or drums_first(into, blend, rise),
        rest_fades=not blend.drums_until,
        out_drums_from=blend.exchange.bar if blend.harmony.way == "exchange" else bars,
    )
    shape = best_shape(levels, bars, muted, known=known)
    if not known:
        return blend, shape
    prices = blend.prices | {
        "loudness": round(LOUDNESS_PRICE * shape.violation_db, 2),
        "step": round(max(0.0, abs(shape.step_db) - FREE_STEP_DB), 2),
    }
    return blend._replace(prices={name: p for name, p in prices.items() if p}), shape


def _blended(
    out: Timeline,
    into: Timeline,
    blend: Blend,
    shape: Shape,
    vetoes: Mapping[str, int],
) -> Pair:
    """Return the transition of the blend that was chosen."""
    each, meeting = blend.each, blend.meeting
    first = 0.0 if blend.drums_until else drums_first(into, blend, shape.rise)
    moves = blend_moves(
        out.facts,
        into.facts,
        each.bars,
        exchange=blend.exchange,
        voices=blend.voices,
        harmony=blend.harmony,
        shape=shape,
        drums_until=first,
    )
    glides = round(meeting.in_rate, 6) != 1.0
    transition = Transition(
        out=out.facts.id,
        into=into.facts.id,
        kind="blend",
        out_bar=float(each.out_bar + out.first),
        in_bar=float(each.in_bar + into.first),
        bars=each.bars,
        ratio=meeting.ratio,
        out_rate=round(meeting.out_rate, 6),
        in_rate=round(meeting.in_rate, 6),
        out_glide_bars=GLIDE_BARS if meeting.out_rate != 1.0 else 0,
        in_glide_bars=GLIDE_BARS if glides else 0,
        why=blend_reasons(out, into, blend, shape, first),
        prices=dict(sorted(blend.prices.items())),
        vetoes=dict(sorted(vetoes.items())),
        moves=moves,
    )
    over = each.in_bar + each.in_bars
    done = float(into.edges_s[min(into.bars, over + (GLIDE_BARS if glides else 0))])
    free_s = max(done, float(into.edges_s[over]) + ROOM_S)
    return Pair(transition, blend.harmony.shift_st, free_s)
