"""A plan as commands of the desk, each with its time and its place.

The time is that of a mix without any intervention, for a render; the place is a position of the
deck that sounds then, for a performance in which the user may intervene.

::

    load   prepare                    start ──── moves ──── stop  clear     glide back
    ─┴────────┴─────────────────────────┴───────────────────┴──────┴───────────┴──────►
           incoming: trim, pitch, rate,  │ at the bar of the outgoing deck
           in.… at 0, sync               │
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec.structs import replace

from sfa_engine.desk import find
from sfa_engine.errors import Refused
from sfa_engine.mix.course import Course, Segment
from sfa_engine.mix.document import IN, OUT, Curve, Move, Plan, PlannedTrack, Transition, Value
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.moves import with_trims
from sfa_engine.mix.timeline import Timeline

LEAD_S = 0.5  # before the first track
PREPARED_S = 2.0  # before a deck starts, it is set up
CLEARED_S = 0.2  # after a deck has stopped, its controls are put back: fades of 5 ms are over
LOADED_S = 1.0  # after that, its next track is loaded
OUTSIDE_S = 0.5  # of a track that a transition may be: the last bar may end after the file
LAST_BARS = 4  # of a blend, by whose tempo the incoming deck goes on
HALF_BAR = 0.5  # from the command that starts a deck to the bar at which it starts

Verb = Literal["load", "set", "ramp", "mark"]


class Command(NamedTuple):
    """One command.

    Parameters
    ----------
    time_s : float
        From the beginning of the mix.
    verb : str
        ``load``, ``set``, ``ramp`` or ``mark``.
    deck : int
        Deck that sounds, from 1.
    place_s : float
        Its position at that time, in seconds of its track.
    path : str
        Control; of a load the deck that gets the track, ``deck1``; of a mark its words.
    value : float or str
        In the control's unit; of a load the number of the track.
    start : float
        Value that a ramp begins with.
    over_s : float
        Length of a ramp.
    curve : str
        Of a ramp.
    when : str, optional
        A moment of a clock, as in ``bar deck1``, that comes next.
    why : str
    """

    time_s: float
    verb: Verb
    deck: int
    place_s: float
    path: str
    value: Value = 0.0
    start: float = 0.0
    over_s: float = 0.0
    curve: Curve = "linear"
    when: str | None = None
    why: str = ""


class Timetable(NamedTuple):
    """The commands of a plan, in order of time, and when the last track ends."""

    commands: tuple[Command, ...]
    end_s: float


def timetable(
    plan: Plan, facts: Mapping[int, TrackFacts], *, begin_s: float | None = None
) -> Timetable:
    """Return the commands of a plan.

    Parameters
    ----------
    plan : Plan
    facts : mapping of int to TrackFacts
        Of all its tracks.
    begin_s : float, optional
        Place at which the first track begins; without it, where its sound does.

    Raises
    ------
    Refused
        The facts or the length of a track are not known, or a transition lies outside a track, or
        before the one before it is over.
    """
    lines = [timeline_of(track, facts) for track in plan.tracks]
    courses = list(_courses(plan, lines, begin_s))
    made: list[Command] = []
    for place, track in enumerate(plan.tracks):
        before = _Before(plan, courses, lines, place)
        made += _track(track, before)
        if place:
            made += _transition(plan.transitions[place - 1], before)
    made.sort(key=lambda command: command.time_s)
    return Timetable(tuple(made), courses[-1].time_s if courses else 0.0)


class Times(NamedTuple):
    """When a track of a mix is heard, in seconds from the beginning of the mix."""

    start_s: float
    end_s: float


def times_of(plan: Plan, facts: Mapping[int, TrackFacts]) -> tuple[Times, ...]:
    """Return when each track of a plan is heard; a transition is where two of them overlap.

    Raises
    ------
    Refused
        As `timetable` does.
    """
    lines = [timeline_of(track, facts) for track in plan.tracks]
    return tuple(Times(course.start_s, course.time_s) for course in _courses(plan, lines, None))


class Entrance(NamedTuple):
    """How a track comes in: the commands of one transition, in order of time.

    Parameters
    ----------
    commands : tuple of Command
    out, into : Course
        Of the outgoing track from its beginning, at time `LEAD_S`, and of the incoming one.
    start_s, end_s : float
        When the incoming track starts, and when the outgoing one is stopped.
    """

    commands: tuple[Command, ...]
    out: Course
    into: Course
    start_s: float
    end_s: float


def entrance(pair: Plan, facts: Mapping[int, TrackFacts], *, glide: bool = True) -> Entrance:
    """Return how the second track of a plan of two comes in.

    Parameters
    ----------
    pair : Plan
        Two tracks and a transition.
    facts : mapping of int to TrackFacts
    glide : bool
        Whether the outgoing deck comes to the tempo of the transition; else it keeps its own, and
        the incoming deck takes it.

    Raises
    ------
    Refused
        As `timetable` does.
    """
    if not glide:
        each = pair.transitions[0]
        own = replace(each, out_glide_bars=0, out_rate=1.0, in_rate=each.in_rate / each.out_rate)
        pair = replace(pair, transitions=(own,))
    lines = [timeline_of(track, facts) for track in pair.tracks]
    courses = list(_courses(pair, lines, 0.0))
    before = _Before(pair, courses, lines, 1)
    made = [*_track(pair.tracks[1], before), *_transition(pair.transitions[0], before)]
    made.sort(key=lambda command: command.time_s)
    out, into = courses
    return Entrance(tuple(made), out, into, into.start_s, out.time_s)


def timeline_of(track: PlannedTrack, facts: Mapping[int, TrackFacts]) -> Timeline:
    """Return a track of a plan in bars; Refused if nothing is known of it."""
    if track.id not in facts or not facts[track.id].length_s:
        raise Refused(f"{track.name}: nothing is known of it", "plan the mix again without it")
    return Timeline(facts[track.id])


def bar_s(line: Timeline, bar: float) -> float:
    """Return the place of a bar of a track's grid, in seconds; whole or not."""
    facts = line.facts
    if facts.grid is None:
        raise Refused(f"{facts.name} has no bars", "plan the transition again")
    beat = bar * facts.beats_per_bar
    return float(facts.grid.frame_of(beat, facts.rate)) / facts.rate


class Ends(NamedTuple):
    """Where a transition begins and ends in both tracks, in seconds of each."""

    out_s: float
    out_end_s: float
    in_s: float
    in_end_s: float


def ends_of(each: Transition, out: Timeline, into: Timeline) -> Ends:
    """Return where a transition begins and ends in both tracks."""
    if each.kind == "blend":
        assert each.out_bar is not None
        assert each.in_bar is not None
        return Ends(
            bar_s(out, each.out_bar),
            bar_s(out, each.out_bar + each.bars),
            bar_s(into, each.in_bar),
            bar_s(into, each.in_bar + each.bars * each.ratio),
        )
    start = out.facts.length_s if each.out_s is None else each.out_s
    begin = each.in_s or 0.0
    return Ends(start, start + each.seconds, begin, begin + each.seconds)


def _courses(plan: Plan, lines: list[Timeline], begin_s: float | None) -> Iterator[Course]:
    """Yield the course of each track."""
    course = None
    if lines:
        course = Course(lines[0].sound_s[0] if begin_s is None else begin_s, LEAD_S)
    for place, line in enumerate(lines):
        assert course is not None
        if place == len(lines) - 1:
            course.run(line.facts.length_s, 1.0)
            yield course
            return
        each, into = plan.transitions[place], lines[place + 1]
        ends = ends_of(each, line, into)
        _check(ends, line, into, course)
        if ends.out_s < course.place_s:
            course.cut(ends.out_s)
        if each.out_glide_bars and each.out_bar is not None:
            glide_s = bar_s(line, each.out_bar - each.out_glide_bars)
            course.run(glide_s, 1.0)
            course.run(ends.out_s, course.rate, each.out_rate)
        else:
            course.run(ends.out_s, 1.0)
        start = course.time_s
        course.run(ends.out_end_s, each.out_rate)
        if each.kind == "follow":  # a fade-out goes on under the next track
            course.run(line.facts.length_s, course.rate)
        yield course
        rate = course.rate if each.kind == "blend" else 1.0
        seconds = (ends.out_end_s - ends.out_s) / rate
        course = Course(ends.in_s, start)
        if seconds > 0:  # of a grid that is not straight, the mean rate
            course.run(ends.in_end_s, (ends.in_end_s - ends.in_s) / seconds)
        if each.in_glide_bars and each.in_bar is not None:
            bar = each.in_bar + each.bars * each.ratio + each.in_glide_bars
            course.run(bar_s(into, bar), _last_rate(each, line, into), 1.0)


def _last_rate(each: Transition, out: Timeline, into: Timeline) -> float:
    """Return the rate of the incoming deck at the end of a blend, in step with the outgoing one."""
    assert each.out_bar is not None
    assert each.in_bar is not None
    bars = min(LAST_BARS, each.bars)
    over, in_over = each.out_bar + each.bars, each.in_bar + each.bars * each.ratio
    lasts_s = (bar_s(out, over) - bar_s(out, over - bars)) / each.out_rate
    return (bar_s(into, in_over) - bar_s(into, in_over - bars * each.ratio)) / lasts_s


def _check(ends: Ends, line: Timeline, into: Timeline, course: Course) -> None:
    """Raise Refused if a transition lies outside a track, or in the one before it."""
    hint = "plan the transition again, or correct it"
    for begin, end, owner in (
        (ends.out_s, ends.out_end_s, line),
        (ends.in_s, ends.in_end_s, into),
    ):
        name, length = owner.facts.name, owner.facts.length_s
        if end > length + OUTSIDE_S:
            said = f"ends at {end:.1f} s of it, after its end at {length:.1f} s"
            raise Refused(f"{name}: a transition {said}", hint)
        if begin < -OUTSIDE_S:
            raise Refused(f"{name}: a transition begins at {begin:.1f} s of it", hint)
    over = course.segments[0].until_s if course.segments else course.begin_s
    if ends.out_s < over - OUTSIDE_S:
        said = f"leaves at {ends.out_s:.1f} s of it, before it has come in at {over:.1f} s"
        raise Refused(f"{line.facts.name}: {said}", hint)


class _Before:
    """A track and the one before it, while both are turned into commands."""

    def __init__(
        self, plan: Plan, courses: list[Course], lines: list[Timeline], place: int
    ) -> None:
        self.plan, self.courses, self.lines, self.place = plan, courses, lines, place
        self.deck = plan.tracks[place].deck
        self.course = courses[place]
        self.start_s = self.course.start_s
        self.loaded_s = 0.0
        if place > 1:  # when the deck is free again
            self.loaded_s = min(courses[place - 2].time_s + CLEARED_S + LOADED_S, self.start_s)
        self.ready_s = max(self.loaded_s, self.start_s - PREPARED_S) if place else 0.0

    def at(
        self,
        time_s: float,
        verb: Verb,
        path: str,
        value: Value = 0.0,
        *,
        sounding: int | None = None,
        when: str | None = None,
        why: str = "",
    ) -> Command:
        """Return a command, placed on the deck that sounds at its time."""
        sounding = self._sounding(time_s) if sounding is None else sounding
        place = self.courses[sounding].place_at(time_s)
        deck = self.plan.tracks[sounding].deck
        return Command(time_s, verb, deck, round(place, 4), path, value, when=when, why=why)

    def _sounding(self, time_s: float) -> int:
        """Return which track sounds at a time: the outgoing one, as long as it does."""
        first = max(0, self.place - 2)
        for place in range(first, self.place + 1):
            if time_s <= self.courses[place].time_s:
                return place
        return self.place


def _track(track: PlannedTrack, before: _Before) -> Iterator[Command]:
    """Yield what loads a track, sets it up, starts and stops it.

    Yields
    ------
    Command
        Not in order of time.
    """
    place, deck = before.place, f"deck{track.deck}"
    start, ready = before.start_s, before.ready_s
    if place == 0:
        for path, value in (("assign", "through"), ("keylock", "on"), ("sync_align", "bar")):
            for other in (1, 2):
                yield before.at(0.0, "set", f"deck{other}.{path}", value)
    yield before.at(before.loaded_s, "load", deck, float(track.id), why=track.name)
    yield before.at(ready, "set", f"{deck}.position", round(before.course.begin_s, 6))
    yield before.at(ready, "set", f"{deck}.trim", track.trim_db)
    yield before.at(ready, "set", f"{deck}.pitch", float(track.pitch_st))
    for stem in track.mute:
        yield before.at(ready, "set", f"{deck}.{mute_of(stem)}", "on", why="muted in this mix")
    if place == 0:
        yield before.at(start, "set", f"{deck}.play", "on", why=track.why)
        yield before.at(start, "mark", track.name)


def _transition(each: Transition, before: _Before) -> Iterator[Command]:
    """Yield what starts the incoming track, moves both decks, and stops the outgoing one.

    Yields
    ------
    Command
        Not in order of time.
    """
    place = before.place
    leaving, deck = before.plan.tracks[place - 1], f"deck{before.deck}"
    coming = before.plan.tracks[place]
    each = with_trims(_without_muted(each, leaving, coming), leaving.trim_db, coming.trim_db)
    gone = f"deck{leaving.deck}"
    out, start = before.courses[place - 1], before.start_s
    end = out.time_s
    unit_s = (end - start) / each.bars if each.kind == "blend" else 1.0
    ready = before.ready_s
    # What it is set to before it starts.
    yield before.at(ready, "set", f"{deck}.rate", round(before.course.first_rate, 6))
    for move in each.moves:
        if move.control.startswith("in.") and move.at == 0 and not move.over:
            yield before.at(ready, "set", _path(move, gone, deck), move.value, why=move.why)
    if each.kind == "blend":
        yield before.at(ready, "set", f"{deck}.sync", "beat")
        moment = start - HALF_BAR * unit_s
        yield before.at(moment, "set", f"{deck}.play", "on", when=f"bar {gone}")
    else:
        yield before.at(start, "set", f"{deck}.play", "on")
    said = each.fallback or (each.why[0] if each.why else each.kind)
    yield before.at(start, "mark", f"{coming.name}: {said}")
    yield from _moves(each, before, start, unit_s, gone, deck)
    yield from _glides(each, before, gone, deck)
    yield before.at(end, "set", f"{gone}.play", "off")
    touched = {move.control.partition(".")[2] for move in each.moves if move.control[:4] == "out."}
    touched.update(map(mute_of, leaving.mute))
    for name in sorted(touched):
        rest: Value = leaving.trim_db if name == "trim" else _rest(name)
        yield before.at(end + CLEARED_S, "set", f"{gone}.{name}", rest)
    yield before.at(end + CLEARED_S, "set", f"{gone}.sync", "off")


def _moves(
    each: Transition, before: _Before, start: float, unit_s: float, gone: str, deck: str
) -> Iterator[Command]:
    for move in each.moves:
        if move.control.startswith("in.") and move.at == 0 and not move.over:
            continue
        time_s = start + move.at * unit_s
        made = before.at(time_s, "set", _path(move, gone, deck), move.value, why=move.why)
        if move.over and move.start is not None:
            over_s = move.over * unit_s
            made = made._replace(verb="ramp", start=move.start, over_s=over_s, curve=move.curve)
        yield made


def _glides(each: Transition, before: _Before, gone: str, deck: str) -> list[Command]:
    """Return the changes of tempo before a blend and after it."""
    if each.kind != "blend":
        return []
    place, out, into = before.place, before.courses[before.place - 1], before.course
    over = out.time_s + CLEARED_S
    made = [before.at(over, "set", f"{deck}.sync", "off", sounding=place)]
    if each.out_glide_bars:
        made += [
            _glide(before.at(s.time_s, "ramp", f"{gone}.rate", sounding=place - 1), s)
            for s in out.segments
            if abs(s.time_s + s.seconds - before.start_s) < 1e-6
        ]
    if each.in_glide_bars and len(into.segments) > 1:
        back = into.segments[1]
        ramp = before.at(over + CLEARED_S, "ramp", f"{deck}.rate", sounding=place)
        made.append(_glide(ramp, back, late_s=2 * CLEARED_S))
    return made


def _glide(ramp: Command, segment: Segment, late_s: float = 0.0) -> Command:
    """Return the ramp of a rate over a segment that begins a little late."""
    return ramp._replace(
        value=round(segment.until_rate, 6),
        start=round(segment.rate, 6),
        over_s=max(segment.seconds - late_s, 0.1),
    )


def _path(move: Move, gone: str, deck: str) -> str:
    side, _, name = move.control.partition(".")
    return f"{gone if side == OUT else deck}.{name}"


def mute_of(stem: str) -> str:
    """Return the control of a deck that mutes a stem."""
    return f"stem.{stem}.mute"


def _without_muted(each: Transition, leaving: PlannedTrack, coming: PlannedTrack) -> Transition:
    """Return a transition that leaves alone what is muted as long as a track plays."""
    held = {f"{OUT}.{mute_of(stem)}" for stem in leaving.mute}
    held |= {f"{IN}.{mute_of(stem)}" for stem in coming.mute}
    moves = tuple(move for move in each.moves if move.control not in held)
    return each if len(moves) == len(each.moves) else replace(each, moves=moves)


def _rest(name: str) -> Value:
    control = find(f"deck1.{name}")
    return control.text(control.scale.rest) if control.kind == "switch" else control.scale.rest
