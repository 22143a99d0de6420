"""A transition as commands of a running engine: each control with its frame. Pure.

::

    Entrance ──► preparation   at once, while the deck is silent: rest of its controls, trim, key
             └─► queued        a phrase ahead: ramps as steps, each at its frame

Ramps become as many steps as are needed not to be audible: the engine glides from one to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from sfa_engine.desk import find
from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import Refused
from sfa_engine.mix.commands import LEAD_S, Command, Entrance, bar_s, timeline_of
from sfa_engine.mix.document import Plan, Transition, Value
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.fallback import FADE_S
from sfa_engine.mix.mix_script import power_db
from sfa_engine.mix.moves import fade_moves
from sfa_engine.mix.timeline import Timeline

STEP_DB = 0.25  # of a level
COARSE_STEP_DB = 1.5  # of one below `COARSE_DB`
COARSE_DB = -24.0
STEP_RATE = 0.0005  # 0.9 cents
STEP_SHARE = 0.005  # of the range of other controls
PHRASE = 4  # bars, to the next of which a transition is moved
LOOK_S = 0.02  # between two looks at a ramp
MAX_COMMANDS = 380  # of a transition; the engine lets about 450 wait

# Controls of a deck that are put to rest when the mix takes it: as a performer may have left
# them, the next track would not sound, or not as it was planned.
TAKEN = (
    *("reverse", "bend", "slip", "start_time", "stop_time", "leader", "sync", "filter", "fader"),
    *("fx1", "fx2", "eq.low.gain", "eq.low.kill", "eq.mid.gain", "eq.mid.kill", "eq.high.gain"),
    *("eq.high.kill", "rate"),
)
TAKEN_OF_STEMS = ("volume", "mute", "solo", "pan", "filter", "fx1", "fx2")
# And those that the mix needs otherwise: see `commands.timetable`.
NEEDED = (("assign", "through"), ("keylock", "on"), ("sync_align", "bar"))


class Queued(NamedTuple):
    """A command: its control, its value, and its time in seconds of the entrance."""

    time_s: float
    path: str
    value: Value


def rest_of_deck(deck: int) -> list[tuple[str, Value]]:
    """Return the controls of a deck, from 1, with what the mix sets them to when it takes it."""
    names = [*TAKEN, *(f"stem.{stem}.{name}" for stem in STEMS for name in TAKEN_OF_STEMS)]
    rest: list[tuple[str, Value]] = [
        (f"deck{deck}.{name}", float(find(f"deck{deck}.{name}").scale.rest)) for name in names
    ]
    return [*rest, *((f"deck{deck}.{name}", value) for name, value in NEEDED)]


def preparation(entrance: Entrance) -> list[tuple[str, Value]]:
    """Return what is set on the incoming deck before it starts."""
    return [
        (command.path, command.value)
        for command in entrance.commands
        if command.verb == "set" and _is_before(command, entrance) and not _is_position(command)
    ]


def place_in(entrance: Entrance) -> float:
    """Return where the incoming track stands until it starts, in seconds of it."""
    return entrance.into.begin_s


def queued(entrance: Entrance) -> list[Queued]:
    """Return what is queued, in order of time: all after the preparation.

    Raises
    ------
    Refused
        The transition has more moves than the engine keeps waiting.
    """
    size = 1.0
    while True:
        made = sorted(_queued(entrance, size), key=lambda each: each.time_s)
        if len(made) <= MAX_COMMANDS:
            return made
        if size > 64:
            raise Refused(f"{len(made)} moves in one transition", f"up to {MAX_COMMANDS} can be")
        size *= 1.5


def _queued(entrance: Entrance, size: float) -> Iterator[Queued]:
    for command in entrance.commands:
        if _is_position(command):
            continue
        if command.when is not None:  # the deck starts on a bar: here at the frame of that bar
            yield Queued(entrance.start_s, command.path, command.value)
        elif command.verb == "ramp":
            yield from steps(command, size)
        elif command.verb == "set" and not _is_before(command, entrance):
            yield Queued(command.time_s, command.path, command.value)


def _is_before(command: Command, entrance: Entrance) -> bool:
    is_in = command.path.partition(".")[0] == _deck_of(entrance)
    return is_in and command.when is None and command.time_s < entrance.start_s - 1e-9


def _deck_of(entrance: Entrance) -> str:
    """Return the incoming deck's name."""
    return next(c.path for c in entrance.commands if c.verb == "load")


def _is_position(command: Command) -> bool:
    return command.path.endswith(".position")


def steps(command: Command, size: float = 1.0) -> list[Queued]:
    """Return a ramp as steps, the last of which is its end.

    Parameters
    ----------
    command : Command
        A ramp.
    size : float
        Of a step, of that which is not audible.
    """
    made: list[Queued] = []
    last = command.start
    count = max(1, round(command.over_s / LOOK_S))
    for k in range(count + 1):
        value = value_at(command, k / count)
        if k == count or not made or abs(value - last) >= size * _step(command.path, value):
            if not made or value != last:
                made.append(
                    Queued(command.time_s + command.over_s * k / count, command.path, value)
                )
            last = value
    return made


def value_at(command: Command, share: float) -> float:
    """Return the value of a ramp at a share of its time."""
    if command.curve == "power":
        return power_db(command.start, float(command.value), share)
    return command.start + (float(command.value) - command.start) * share


def _step(path: str, value: float) -> float:
    if path.endswith(".rate"):
        return STEP_RATE
    scale = find(path).scale
    if scale.unit == "dB":
        return STEP_DB if value > COARSE_DB else COARSE_STEP_DB
    return STEP_SHARE * (scale.high - scale.low)


def split(commands: Iterable[Queued], now_s: float) -> tuple[dict[str, Value], list[Queued]]:
    """Return what past commands have left each control at, and the commands to come."""
    past: dict[str, Value] = {}
    left: list[Queued] = []
    for each in commands:
        if each.time_s <= now_s:
            past[each.path] = each.value
        else:
            left.append(each)
    return past, left


def deck_of(path: str) -> int:
    """Return the deck of a control, from 1; 0: of none."""
    name = path.partition(".")[0]
    return int(name[4:]) if name.startswith("deck") and name[4:].isdigit() else 0


_OF_MIX = frozenset(
    {*TAKEN, *(name for name, _ in NEEDED), "play", "trim", "pitch"}
    | {f"stem.{stem}.{name}" for stem in STEMS for name in TAKEN_OF_STEMS}
)


def is_of_mix(path: str) -> bool:
    """Return whether a control of a deck is one that the mix works with."""
    return path.partition(".")[2] in _OF_MIX


def sooner(plan: Plan, facts: Mapping[int, TrackFacts], place: int, at_s: float) -> Transition:
    """Return the transition of a plan moved to the next phrase.

    Parameters
    ----------
    plan : Plan
    facts : mapping of int to TrackFacts
    place : int
        Of the transition, from 0.
    at_s : float
        Earliest place of the outgoing track, in seconds of it.

    Returns
    -------
    Transition
        The same blend some phrases earlier or later, with the outgoing deck at its own tempo; a
        fade where there is no room for it.
    """
    each, pair = plan.transitions[place], plan.tracks[place : place + 2]
    out, into = (timeline_of(track, facts) for track in pair)
    asked = "moved to the next phrase: asked for"
    begin = into.sound_s[0] if each.in_s is None else each.in_s
    if each.kind == "blend" and each.out_bar is not None and each.in_bar is not None:
        begin = bar_s(into, each.in_bar)
        bar = _bar_at(out, at_s)
        bar = each.out_bar + PHRASE * math.ceil((bar - each.out_bar) / PHRASE)
        if bar_s(out, bar + each.bars) <= out.facts.length_s:
            rate = each.in_rate / each.out_rate
            return replace(
                each, out_bar=bar, out_glide_bars=0, out_rate=1.0, in_rate=rate, why=(asked,)
            )
    seconds = round(min(FADE_S, max(0.0, (out.sound_s[1] - at_s) / 2)), 3)
    return Transition(
        out=each.out,
        into=each.into,
        kind="fade" if seconds else "follow",
        out_s=round(min(at_s, out.facts.length_s), 3),
        in_s=round(begin, 3),
        seconds=seconds,
        fallback=asked,
        moves=fade_moves(seconds),
    )


def _bar_at(line: Timeline, place_s: float) -> float:
    facts = line.facts
    assert facts.grid is not None
    return float(facts.grid.beat_of([place_s * facts.rate], facts.rate)[0]) / facts.beats_per_bar


def frame_of(time_s: float, now_frame: int, sample_rate: float, pace: float = 1.0) -> int:
    """Return the engine frame of a time of an entrance that begins now.

    Parameters
    ----------
    time_s : float
        Of the entrance, whose beginning is `LEAD_S`.
    now_frame : int
    sample_rate : float
    pace : float
        How fast the outgoing deck runs, of what the entrance expects.
    """
    return now_frame + max(0, round((time_s - LEAD_S) * sample_rate / pace))
