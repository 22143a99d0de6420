"""Plans a whole mix, and plans the rest of one anew from any track on.

::

    tracks ─► order ─► pair, pair, pair … ─► Plan
                          each knows how the outgoing track came in
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec.structs import replace

from sfa_engine.errors import Refused
from sfa_engine.mix.document import Plan, PlannedTrack, Transition
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.order import Locks, Ordered, order_tracks
from sfa_engine.mix.settings import MixSettings
from sfa_engine.mix.timeline import Timeline
from sfa_engine.mix.transition import ROOM_S, Entered, plan_pair, trim_of

DECKS = (1, 2)


def plan_mix(
    tracks: Sequence[TrackFacts],
    settings: MixSettings | None = None,
    *,
    locks: Locks | None = None,
    library: Sequence[float] = (),
    ordered: bool = False,
    mute: Mapping[int, tuple[str, ...]] | None = None,
) -> Plan:
    """Plan a mix.

    Parameters
    ----------
    tracks : sequence of TrackFacts
        Each once.
    settings : MixSettings, optional
    locks : Locks, optional
        What the order keeps.
    library : sequence of float
        Energies of the whole library, for the arc.
    ordered : bool
        Whether the tracks stay in the order that they are given in.
    mute : mapping of int to tuple of str, optional
        Stems of tracks that do not sound.

    Returns
    -------
    Plan
        With a transition between each two tracks.

    Raises
    ------
    Refused
        The locks contradict each other, or a track is given twice.
    """
    settings, locks = settings or MixSettings(), locks or Locks()
    if ordered:
        ids = tuple(track.id for track in tracks)
        if len(set(ids)) != len(ids):
            raise Refused("a track is twice in the list", "give each once")
        order = Ordered(ids, ("as given",) * len(ids), 0.0)
    else:
        order = order_tracks(tracks, arc=settings.arc, locks=locks, library=library)
    by_id = {track.id: track for track in tracks}
    muted = mute or {}
    held = {locks.first, locks.last, *locks.at.values()}
    placed = [
        PlannedTrack(
            number,
            by_id[number].name,
            _deck(settings.deck, place),
            trim_db=trim_of(by_id[number], settings.lufs),
            mute=muted.get(number, ()),
            locked=number in held,
            why=why,
        )
        for place, (number, why) in enumerate(zip(order.ids, order.reasons, strict=True))
    ]
    return _joined(placed, [], by_id, settings, {})


def replan(
    plan: Plan,
    facts: Mapping[int, TrackFacts],
    place: int,
    *,
    without: AbstractSet[int] = frozenset(),
    library: Sequence[float] = (),
    reorder: bool = False,
) -> Plan:
    """Plan the rest of a mix anew; what was played and what is locked stays.

    Parameters
    ----------
    plan : Plan
    facts : mapping of int to TrackFacts
        Of its tracks; one that is not there is planned without its facts.
    place : int
        Of the track that plays, from 0: the transitions before it stay.
    without : set of int
        Tracks that are taken out, because they are missing or damaged.
    library : sequence of float
        Energies of the whole library, for the arc.
    reorder : bool
        Whether the tracks after `place` that are not locked are put in a new order.

    Returns
    -------
    Plan
        With a transition between each two tracks.

    Raises
    ------
    Refused
        There is no such place, or the track that plays is taken out.
    """
    if not 0 <= place < len(plan.tracks):
        raise Refused(f"no track at place {place + 1}", f"the plan has {len(plan.tracks)}")
    if plan.tracks[place].id in without:
        raise Refused("the track that plays cannot be taken out", "plan from the next one on")
    settings = settings_of(plan)
    kept = {
        (t.out, t.into): t
        for t in plan.transitions[place:]
        if t.locked and not {t.out, t.into} & without
    }
    rest = [track for track in plan.tracks[place:] if track.id not in without]
    if reorder:
        rest = _reordered(rest, kept, facts, settings, library)
    decks = plan.tracks[place].deck
    rest = [replace(track, deck=_deck(decks, n)) for n, track in enumerate(rest)]
    placed = [*plan.tracks[:place], *rest]
    return _joined(placed, plan.transitions[:place], facts, settings, kept)


def settings_of(plan: Plan) -> MixSettings:
    """Return the choices that a plan was made with."""
    deck = plan.tracks[0].deck if plan.tracks else DECKS[0]
    return MixSettings(plan.arc, plan.rate_pct, plan.shift_key, plan.lufs, deck)


def _deck(first: int, place: int) -> int:
    return first if place % 2 == 0 else DECKS[0] + DECKS[1] - first


def _reordered(
    rest: Sequence[PlannedTrack],
    kept: Mapping[tuple[int, int], Transition],
    facts: Mapping[int, TrackFacts],
    settings: MixSettings,
    library: Sequence[float],
) -> list[PlannedTrack]:
    """Return the rest in a new order; the first stays, and so does what is locked."""
    at = {n: track.id for n, track in enumerate(rest) if track.locked or n == 0}
    known = [facts_in(facts, track) for track in rest]
    locks = Locks(after=tuple(kept), at=at)
    order = order_tracks(known, arc=settings.arc, locks=locks, library=library)
    by_id = {track.id: track for track in rest}
    reasons = (rest[0].why, *order.reasons[1:])
    return [replace(by_id[i], why=why) for i, why in zip(order.ids, reasons, strict=True)]


def facts_in(facts: Mapping[int, TrackFacts], track: PlannedTrack) -> TrackFacts:
    """Return what is known of a track as a plan has it: without the stems that it mutes."""
    known = facts.get(track.id) or TrackFacts(track.id, track.name)
    return known.without(track.mute) if track.mute else known


class _Played(NamedTuple):
    """A track whose way in is known."""

    line: Timeline
    entered: Entered


def _joined(
    placed: Sequence[PlannedTrack],
    played: Sequence[Transition],
    facts: Mapping[int, TrackFacts],
    settings: MixSettings,
    kept: Mapping[tuple[int, int], Transition],
) -> Plan:
    """Return a plan of tracks in order: some transitions are given, the others are planned."""
    tracks, transitions = list(placed), list(played)
    if not tracks:
        return _plan(tracks, transitions, settings)
    start = len(transitions)
    line = Timeline(facts_in(facts, tracks[start]))
    entered = Entered(tracks[start].pitch_st)
    if transitions:
        entered = entered._replace(free_s=free_s(transitions[-1], line))
    now = _Played(line, entered)
    for place in range(start, len(tracks) - 1):
        into = Timeline(facts_in(facts, tracks[place + 1]))
        pair = (tracks[place].id, tracks[place + 1].id)
        if pair in kept:
            transition, pitch_st = kept[pair], tracks[place + 1].pitch_st
            free = free_s(transition, into)
        else:
            trims = tracks[place].trim_db, tracks[place + 1].trim_db
            transition, pitch_st, free = plan_pair(now.line, into, settings, now.entered, trims)
        tracks[place + 1] = replace(tracks[place + 1], pitch_st=pitch_st)
        transitions.append(transition)
        now = _Played(into, Entered(pitch_st, free))
    return _plan(tracks, transitions, settings)


def free_s(transition: Transition, into: Timeline) -> float:
    """Return where the incoming track is free to leave, in seconds of it; see `Pair`."""
    if transition.kind != "blend" or transition.in_bar is None or not into.bars:
        return (transition.in_s or 0.0) + transition.seconds + ROOM_S
    over = transition.in_bar + transition.bars * transition.ratio
    places = [
        float(into.edges_s[min(into.bars, max(0, round(bar) - into.first))])
        for bar in (over, over + transition.in_glide_bars)
    ]
    return max(places[0] + ROOM_S, places[1])


def _plan(
    tracks: Sequence[PlannedTrack], transitions: Sequence[Transition], settings: MixSettings
) -> Plan:
    return Plan(
        arc=settings.arc,
        rate_pct=float(settings.rate_pct),
        shift_key=settings.shift_key,
        lufs=float(settings.lufs),
        tracks=tuple(tracks),
        transitions=tuple(transitions),
    )
