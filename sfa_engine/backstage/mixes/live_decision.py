"""What a live mix does next, given its state and what the engine says. Pure.

::

    LiveState ─┐          ┌─► BEGIN    nothing has started: the first track, or one that plays
    Stand ─────┼──► due ──┼─► ADVANCE  the next track alone plays: it is the one that sounds
    bundles ───┘          ├─► BLEND    both play ─────────────────► blend_due
                          ├─► ADOPT    a hand has started another track
                          ├─► SILENT   the deck does not play ────► is_stopped_by_hand
                          ├─► LAST     there is no next track
                          ├─► LOAD     the next track is not on its deck
                          └─► QUEUE    it is ─────────────────────► queue_due

Time is kept by the place of the outgoing deck: `timing` says where that is in the entrance of the
next track. `sent` turns a transition into commands of the engine, each with its frame; the last
functions change a plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from msgspec.structs import replace

from sfa_engine.backstage.mixes.live_state import Deck, LiveState, Stand
from sfa_engine.errors import Refused
from sfa_engine.mix import live
from sfa_engine.mix.commands import LEAD_S, Entrance, mute_of
from sfa_engine.mix.document import Plan, PlannedTrack, Transition, Value
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.plan import DECKS, facts_in, replan, settings_of
from sfa_engine.mix.transition import Entered, plan_pair, trim_of

AHEAD_S = 16.0  # before its first command a transition is queued: eight bars at 120 BPM
OFF_S = 0.03  # that a queued transition may be off, before it is queued anew
BLEND_OFF_S = 0.12  # the same while both play: beats are kept by sync, only the moves are by time
LATE_S = 0.5  # past the beginning of a transition that is not queued yet: another is planned
CLEARED_S = 0.5  # after a deck was stopped
SOON_S = 4.0  # from now to the earliest beginning of a transition that is planned anew
CLOSED_DB = -40.0  # of a fader in a hand: the incoming deck is not to be relied on
END_S = 0.3  # before the end of its track a deck that stopped has ended by itself
Setting = tuple[str, Value]


class Due(Enum):
    """What is due; see the module."""

    BEGIN = auto()
    ADVANCE = auto()
    BLEND = auto()
    ADOPT = auto()
    SILENT = auto()
    LAST = auto()
    LOAD = auto()
    QUEUE = auto()


def due(state: LiveState, stand: Stand, bundles: Mapping[int, str]) -> Due:
    """Return what is due.

    Parameters
    ----------
    state : LiveState
    stand : Stand
    bundles : mapping of int to str
        Names of the bundles of the track that sounds and of the next one; without those that have
        none.
    """
    if state.place < 0:
        return Due.BEGIN
    now, then = state.tracks
    assert now is not None
    out = stand.deck(now)
    is_now = out.has(bundles.get(now.id))
    into = stand.deck(then) if then else None
    is_then = into is not None and then is not None and into.has(bundles.get(then.id))
    if into is not None and into.playing and is_then:
        return Due.BLEND if out.playing and is_now else Due.ADVANCE
    if out.playing and not is_now:
        return Due.ADOPT
    if not out.playing:
        return Due.SILENT
    if then is None:
        return Due.LAST
    return Due.QUEUE if state.loaded == then.id and is_then else Due.LOAD


# ---------------------------------------------------------------------- time


class Timing(NamedTuple):
    """Where the outgoing deck is.

    Parameters
    ----------
    now_s : float
        In seconds of the entrance.
    pace : float
        How fast it runs, of what the entrance expects.
    anchor : float
        Engine frame at which the entrance would have begun.
    """

    now_s: float
    pace: float
    anchor: float


def timing(enters: Entrance, out: Deck, stand: Stand) -> Timing:
    """Return where the outgoing deck is in an entrance."""
    now_s = enters.out.time_at(out.position_s)
    pace = max(0.01, out.rate / enters.out.rate_at(out.position_s))
    return Timing(now_s, pace, stand.frame - (now_s - LEAD_S) * stand.rate / pace)


class Queueing(Enum):
    """What is done about a transition that is to come."""

    PASSED = auto()  # its beginning is over: another one is planned
    WAIT = auto()
    SEND = auto()
    AGAIN = auto()  # the outgoing deck runs otherwise than was expected
    STAYS = auto()  # it is queued, and right


def queue_due(
    state: LiveState,
    stand: Stand,
    enters: Entrance,
    commands: Sequence[live.Queued],
    at: Timing,
) -> Queueing:
    """Return what is done about a transition that is to come."""
    if at.now_s > enters.start_s + LATE_S:
        return Queueing.PASSED
    if state.start_frame:
        is_off = abs(at.anchor - state.anchor) / stand.rate > OFF_S
        return Queueing.AGAIN if is_off else Queueing.STAYS
    first_s = commands[0].time_s if commands else enters.start_s
    return Queueing.WAIT if (first_s - at.now_s) / at.pace > AHEAD_S else Queueing.SEND


class Blending(Enum):
    """What is done about a transition while both decks play."""

    HELD = auto()  # the incoming deck is in a hand
    OVER = auto()  # what was queued is over, or in a hand: it goes on by itself
    LOST = auto()  # nothing waits: what is left of it is queued
    CHECK = auto()  # it goes on: is it in time?


def blend_due(state: LiveState, stand: Stand, taken: Sequence[str]) -> Blending:
    """Return what is done about a transition while both decks play."""
    now, then = state.pair
    is_closed = f"deck{then.deck}.fader" in taken and stand.deck(then).fader_db < CLOSED_DB
    if f"deck{then.deck}.play" in taken or is_closed:
        return Blending.HELD
    if not state.start_frame or stand.frame > state.end_frame:
        # What was queued is over, or lost with the engine: the outgoing deck ends by itself.
        is_lost = f"deck{now.deck}.play" not in taken and not stand.waiting
        return Blending.LOST if is_lost else Blending.OVER
    return Blending.CHECK


def is_blend_off(state: LiveState, stand: Stand, enters: Entrance, at: Timing) -> bool:
    """Return whether what waits of a transition is by another time than the outgoing deck's."""
    return abs(at.anchor - state.anchor) / stand.rate > BLEND_OFF_S and at.now_s < enters.end_s


def is_blending(state: LiveState, stand: Stand) -> bool:
    """Return whether the transition that is queued has begun."""
    return bool(state.start_frame) and stand.frame >= state.start_frame


def is_clearing(state: LiveState, stand: Stand) -> bool:
    """Return whether what the last transition has moved on the free deck is being put back."""
    return state.over_frame > 0 and stand.frame < state.over_frame + CLEARED_S * stand.rate


def is_stopped_by_hand(out: Deck, end_s: float, *, is_taken: bool) -> bool:
    """Return whether a deck that does not play was stopped, rather than has ended.

    Parameters
    ----------
    out : Deck
    end_s : float
        Length of its track; infinite if it is not known.
    is_taken : bool
        Whether a hand has its ``play``, and the track is on it.
    """
    return is_taken and out.position_s < end_s - END_S


# ---------------------------------------------------------------------- controls


def taken_of(state: LiveState, stand: Stand, deck: int | None = None) -> list[str]:
    """Return the controls of the mix that performers have taken over, of one deck or all."""
    found = []
    for path, seq in stand.taken.items():
        number = live.deck_of(path)
        is_ours = number in state.since and deck in {None, number} and live.is_of_mix(path)
        if is_ours and seq > state.since[number]:
            found.append(path)
    return sorted(found)


def item(state: LiveState, path: str, value: Value) -> dict[str, Any]:
    """Return a command as `automation.queue` takes it."""
    return {"path": path, "value": value, "since": state.since.get(live.deck_of(path), 0)}


def first_settings(track: PlannedTrack) -> list[Setting]:
    """Return what is set when a track starts alone: at the beginning, or when nothing played."""
    return [
        *live.rest_of_deck(track.deck),
        (f"deck{track.deck}.trim", track.trim_db),
        (f"deck{track.deck}.pitch", float(track.pitch_st)),
        *((f"deck{track.deck}.{mute_of(stem)}", "on") for stem in track.mute),
        (f"deck{track.deck}.play", "on"),
    ]


class Sent(NamedTuple):
    """What is left of a transition, for `automation.queue`, and its frames; see `LiveState`."""

    items: list[dict[str, Any]]
    start_frame: int
    over_frame: int
    end_frame: int


def sent(
    state: LiveState, stand: Stand, enters: Entrance, commands: Sequence[live.Queued], at: Timing
) -> Sent:
    """Return what of a transition is still to come, and sets what should have been."""
    past, left = live.split(commands, at.now_s)

    def frame(time_s: float) -> int:
        return live.frame_of(time_s, round(at.anchor), stand.rate, at.pace)

    items = [item(state, path, value) for path, value in past.items()]
    items += [{**item(state, c.path, c.value), "when": frame(c.time_s)} for c in left]
    last_s = max([enters.end_s, *(each.time_s for each in left)])
    return Sent(items, max(1, frame(enters.start_s)), frame(enters.end_s), frame(last_s))


# ---------------------------------------------------------------------- plans


def from_place(plan: Plan, place: int) -> Plan:
    """Return a plan without the tracks before a place."""
    return replace(plan, tracks=plan.tracks[place:], transitions=plan.transitions[place:])


def planned(plan: Plan, facts: Mapping[int, TrackFacts], place: int, free_s: float | None) -> Plan:
    """Return a plan whose rest is planned anew; its first transition begins after `free_s`."""
    if free_s is None or place + 1 >= len(plan.tracks):
        return replan(plan, facts, place)
    now, then = plan.tracks[place : place + 2]
    one, other = (facts_in(facts, each) for each in (now, then))
    trims = now.trim_db, then.trim_db
    pair = plan_pair(one, other, settings_of(plan), Entered(now.pitch_st, free_s), trims)
    first = replace(pair.transition, locked=True)
    before = plan.transitions[:place]
    made = replan(replace(plan, transitions=(*before, first)), facts, place)
    rest = made.transitions[place + 1 :]
    return replace(made, transitions=(*before, pair.transition, *rest))


def with_next(plan: Plan, place: int, facts: TrackFacts) -> Plan:
    """Return a plan with a track after a place; its transitions are old.

    A track that was to come later keeps its trim and its muted stems.
    """
    later = {each.id: each for each in plan.tracks[place + 1 :]}
    deck = sum(DECKS) - plan.tracks[place].deck
    new = PlannedTrack(facts.id, facts.name, deck, trim_db=trim_of(facts, plan.lufs))
    wanted = replace(later.pop(facts.id, new), deck=deck, why="asked for")
    rest = later.values()
    return replace(plan, tracks=(*plan.tracks[: place + 1], wanted, *rest))


def with_adopted(plan: Plan, done: int, facts: TrackFacts, deck: int) -> Plan:
    """Return a plan in which a track that a hand has started follows those that were played.

    Parameters
    ----------
    plan : Plan
    done : int
        Tracks that were played.
    facts : TrackFacts
        Of the track that was started.
    deck : int
    """
    played = plan.tracks[:done]
    rest = [each for each in plan.tracks[done:] if each.id != facts.id]
    started = PlannedTrack(facts.id, facts.name, deck, why="started by hand")
    transitions = plan.transitions[: max(0, done - 1)]
    if played:  # how it came in is not known
        last = Transition(played[-1].id, facts.id, "follow", why=("by hand",))
        transitions = (*transitions, last)
    return replace(plan, tracks=(*played, started, *rest), transitions=transitions)


def with_edit(plan: Plan, edited: Plan, done: int) -> Plan:
    """Return an edited plan as it is performed: what was played and the decks are those of before.

    Parameters
    ----------
    plan, edited : Plan
    done : int
        Place of the last track that plays, or comes in.

    Raises
    ------
    Refused
        They differ in what was played already.
    """
    kept = plan.tracks[: done + 1]
    if [each.id for each in edited.tracks[: done + 1]] != [each.id for each in kept]:
        raise Refused(
            f"tracks up to {done + 1} are played already",
            "change what comes after them, or stop the mix",
        )
    deck = kept[done].deck
    rest = [
        replace(each, deck=deck if n % 2 == 0 else sum(DECKS) - deck)
        for n, each in enumerate(edited.tracks[done + 1 :], 1)
    ]
    return replace(edited, tracks=(*kept, *rest))


def length_of(facts: TrackFacts | None) -> float:
    """Return how long a track is, in seconds; infinite if nothing is known of it."""
    return facts.length_s if facts else math.inf
