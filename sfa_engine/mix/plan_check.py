"""What is wrong with a plan that somebody edited: each finding with the place of the value.

Checks without the tracks' facts: names and values of controls, lengths, neighbours. Whether a bar
lies inside a track is found when the plan is performed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from sfa_engine.desk import Fader, Meter, find
from sfa_engine.desk.control import Button
from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import Refused, did_you_mean
from sfa_engine.mix.document import IN, OUT, VERSION, Move, Plan, Transition
from sfa_engine.mix.plan import DECKS, settings_of
from sfa_engine.mix.settings import MAX_RATE_PCT
from sfa_engine.mix.tempo import RATIOS

MAX_BARS, MAX_FADE_S, MAX_GLIDE_BARS = 64, 60.0, 256
AFTER_BARS = 8  # after the end of a blend, up to which moves go
MAX_TEXT = 1000
# What a transition does itself: its places and rates say when and how.
RESERVED = ("play", "position", "needle", "rate", "bpm", "tempo_fader", "sync", "sync_align")


class Finding(NamedTuple):
    """Something wrong: the path of its value as in ``transition[0].bars``, what, what to do."""

    path: str
    message: str
    hint: str


def findings(plan: Plan) -> Iterator[Finding]:
    """Yield what is wrong with a plan, from its top to its end."""
    if plan.version != VERSION:
        yield Finding("version", f"version is {plan.version}", f"this engine reads {VERSION}")
    yield from _not_finite(plan, "")
    try:
        settings_of(plan)
    except Refused as error:
        yield Finding(error.message.split()[0], error.message, error.hint)
    if len(plan.transitions) != max(0, len(plan.tracks) - 1):
        yield Finding(
            "transition",
            f"{len(plan.transitions)} transitions between {len(plan.tracks)} tracks",
            "write one between each two",
        )
        return
    yield from _tracks(plan)
    for n, (transition, pair) in enumerate(
        zip(plan.transitions, pairwise(plan.tracks), strict=True)
    ):
        path = f"transition[{n}]"
        for name, said, track in (
            ("out", transition.out, pair[0]),
            ("into", transition.into, pair[1]),
        ):
            if said != track.id:
                yield Finding(f"{path}.{name}", f"{name} is {said}", f"here it is {track.id}")
        yield from _transition(transition, path)
    for n, (before, after) in enumerate(pairwise(plan.transitions), 1):
        begin, end = before.in_bar, after.out_bar
        if begin is not None and end is not None:
            until = begin + before.bars * before.ratio
            if end < until:
                yield Finding(
                    f"transition[{n}].out_bar",
                    f"out_bar is {end:g}, in the middle of the blend before",
                    f"give {until:g} or more",
                )


def _not_finite(value: Struct, path: str) -> Iterator[Finding]:
    for name, encoded in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
        each, place = getattr(value, name), f"{path}{encoded}"
        if isinstance(each, float) and not math.isfinite(each):
            yield Finding(place, f"{encoded} is {each}", "give a finite number")
        elif isinstance(each, str) and len(each) > MAX_TEXT:
            yield Finding(place, f"{encoded} has {len(each)} characters", f"{MAX_TEXT} at most")
        elif isinstance(each, tuple):
            for n, part in enumerate(each):
                if isinstance(part, Struct):
                    yield from _not_finite(part, f"{place}[{n}].")


def _tracks(plan: Plan) -> Iterator[Finding]:
    seen: set[int] = set()
    for n, track in enumerate(plan.tracks):
        path = f"track[{n}]"
        if track.id in seen:
            yield Finding(f"{path}.id", f"track {track.id} is twice in the plan", "keep one")
        seen.add(track.id)
        if track.deck not in DECKS:
            yield Finding(f"{path}.deck", f"deck is {track.deck}", "give 1 or 2")
        elif n and track.deck == plan.tracks[n - 1].deck:
            other = sum(DECKS) - track.deck
            yield Finding(f"{path}.deck", f"deck {track.deck} plays already", f"give {other}")
        yield from _value(f"{path}.trim_db", "trim", track.trim_db)
        yield from _value(f"{path}.pitch_st", "pitch", float(track.pitch_st))
        for stem in track.mute:
            if stem not in STEMS:
                hint = did_you_mean(stem, STEMS) or f"give some of {', '.join(STEMS)}"
                yield Finding(f"{path}.mute", f'no stem "{stem:.40}"', hint)


def _value(path: str, name: str, value: float | str) -> Iterator[Finding]:
    try:
        find(f"deck1.{name}").check(value)
    except Refused as error:
        yield Finding(path, error.message.replace("deck1.", ""), error.hint)


def _transition(each: Transition, path: str) -> Iterator[Finding]:
    if each.kind == "blend":
        yield from _blend(each, path)
        last, unit = float(each.bars + AFTER_BARS), "bars"
    else:
        given = [n for n in ("out_bar", "in_bar") if getattr(each, n) is not None]
        for name in given:
            yield Finding(f"{path}.{name}", f"a {each.kind} has no {name}", "give seconds")
        for name in ("out_s", "in_s"):
            value = getattr(each, name)
            if value is None and each.kind == "fade":
                yield Finding(path, f"a fade needs {name}", "give seconds of the track")
            elif value is not None and value < 0:
                yield Finding(f"{path}.{name}", f"{name} is {value:g}", "give 0 or more")
        longest = MAX_FADE_S if each.kind == "fade" else 0.0
        if not 0 <= each.seconds <= longest:
            yield Finding(
                f"{path}.seconds", f"seconds is {each.seconds:g}", f"give 0 to {longest:g}"
            )
        last, unit = each.seconds, "seconds"
    for n, move in enumerate(each.moves):
        yield from _move(move, f"{path}.moves[{n}]", last, unit)


def _blend(each: Transition, path: str) -> Iterator[Finding]:
    for name in ("out_bar", "in_bar"):
        if getattr(each, name) is None:
            yield Finding(path, f"a blend needs {name}", "give a bar of the track")
    for name in ("out_s", "in_s"):
        if getattr(each, name) is not None:
            yield Finding(f"{path}.{name}", f"a blend has no {name}", "give bars")
    if each.seconds:
        yield Finding(f"{path}.seconds", "a blend has no seconds", "give bars")
    if not 1 <= each.bars <= MAX_BARS:
        yield Finding(f"{path}.bars", f"bars is {each.bars}", f"give 1 to {MAX_BARS}")
    if each.ratio not in RATIOS:
        yield Finding(f"{path}.ratio", f"ratio is {each.ratio:g}", "give 1.0, 2.0 or 0.5")
    most = MAX_RATE_PCT / 100
    for name in ("out_rate", "in_rate"):
        rate = getattr(each, name)
        if not 1 - most - 1e-9 <= rate <= 1 + most + 1e-9:
            yield Finding(
                f"{path}.{name}", f"{name} is {rate:g}", f"give {1 - most:g} to {1 + most:g}"
            )
    for name in ("out_glide_bars", "in_glide_bars"):
        if not 0 <= getattr(each, name) <= MAX_GLIDE_BARS:
            yield Finding(
                f"{path}.{name}", f"{name} is {getattr(each, name)}", f"give 0 to {MAX_GLIDE_BARS}"
            )


def _move(move: Move, path: str, last: float, unit: str) -> Iterator[Finding]:
    side, _, name = move.control.partition(".")
    if side not in {OUT, IN} or not name:
        hint = "begin with out. or in., as in out.eq.low.gain"
        yield Finding(f"{path}.control", f'"{move.control:.80}" is on neither deck', hint)
        return
    try:
        control = find(f"deck1.{name}")
    except Refused as error:
        message, hint = (text.replace("deck1.", f"{side}.") for text in (error.message, error.hint))
        yield Finding(f"{path}.control", message, hint)
        return
    if name in RESERVED:
        hint = "the places and rates of the transition say when and how"
        yield Finding(f"{path}.control", f"{move.control} is moved by the transition", hint)
        return
    if isinstance(control, Button | Meter) or not control.settable or control.owner == "stage":
        yield Finding(f"{path}.control", f"{move.control} holds no value", "name a fader or switch")
        return
    yield from _value(f"{path}.value", name, move.value)
    if not 0 <= move.at <= last:
        yield Finding(f"{path}.at", f"at is {move.at:g}", f"give 0 to {last:g} {unit}")
    elif not 0 <= move.over <= last - move.at + 1e-6:
        hint = f"give 0 to {last - move.at:g} {unit}"
        yield Finding(f"{path}.over", f"over is {move.over:g}", hint)
    yield from _ramp(move, control, name, path)


def _ramp(move: Move, control: object, name: str, path: str) -> Iterator[Finding]:
    if not move.over:
        if move.start is not None:
            yield Finding(f"{path}.start", "a start without a length", "give over, or no start")
        return
    if not isinstance(control, Fader) or isinstance(move.value, str):
        yield Finding(f"{path}.over", f"{move.control} cannot be moved", "set it, without over")
    elif move.start is None:
        yield Finding(path, "a ramp needs a start", "give the value that it begins with")
    else:
        yield from _value(f"{path}.start", name, move.start)
    if move.curve == "power" and isinstance(control, Fader) and control.scale.law != "gain":
        yield Finding(f"{path}.curve", f"{move.control} is no gain", "use linear")


def first_finding(plan: Plan) -> Finding | None:
    """Return the first thing that is wrong with a plan, or None."""
    found: Sequence[Finding] = list(findings(plan))
    return found[0] if found else None
