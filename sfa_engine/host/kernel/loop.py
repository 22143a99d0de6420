"""The loop of a deck: set by hand or in beats, left, halved, doubled, moved."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE
from sfa_engine.host.kernel import grid, sync, transport
from sfa_engine.host.kernel.glide import legal, set_goal
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.reports import change
from sfa_engine.host.kernel.transport import (
    AT_LOOP_ACTIVE,
    AT_LOOP_END,
    AT_LOOP_LENGTH,
    AT_LOOP_START,
    JUST_OVER,
    SHORTEST_LOOP,
)
from sfa_engine.host.kernel.values import check_loop
from sfa_engine.host.kernel.verbs import verb


@verb(needs_track=True)
def loop_active(engine, dsp, deck, command, frame):
    """Go round the loop, or leave it."""
    at_active = AT_LOOP_ACTIVE + deck * DECK_STRIDE
    values = engine.values.deck[deck]
    if command.x != 0.0:
        if not transport.has_loop(values, dsp.media[engine.transport[deck].head.slot]):
            return Reason.NOT_SET
        command.x = 1.0
    set_goal(engine, dsp, at_active, command.x)
    return Reason.NONE


@verb(needs_track=True)
def loop_set_in(engine, dsp, deck, command, frame):
    """Put the loop's start where the deck is."""
    rate = dsp.media[engine.transport[deck].head.slot].rate
    here = transport.position_now(engine, deck, frame)
    place = transport.snap(engine, dsp, deck, here)
    change(engine, dsp, AT_LOOP_START + deck * DECK_STRIDE, place / rate, frame)
    check_loop(engine, dsp, deck, frame)
    return Reason.NONE


@verb(needs_track=True)
def loop_set_out(engine, dsp, deck, command, frame):
    """Put the loop's end where the deck is, and loop."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    values = engine.values.deck[deck]
    base = deck * DECK_STRIDE
    begin = values.loop.start * media.rate
    here = transport.position_now(engine, deck, frame)
    place = transport.snap(engine, dsp, deck, here)
    if values.loop.start == NOT_SET or place <= begin:
        return Reason.NOT_SET
    place = max(place, begin + SHORTEST_LOOP)
    if place > np.float64(media.frames):
        return Reason.OUTSIDE
    change(engine, dsp, AT_LOOP_END + base, place / media.rate, frame)
    change(engine, dsp, AT_LOOP_ACTIVE + base, 1.0, frame)
    # Leaving late must still go round: what ran over is played from the start again.
    if machine.playing != 0 and here > place:
        transport.shift(engine, dsp, deck, frame, here - (place - begin))
    return Reason.NONE


@verb(needs_track=True)
def loop_beatloop(engine, dsp, deck, command, frame):
    """Loop `length` beats from here, or leave the loop."""
    if engine.values.deck[deck].loop.active != 0.0:
        change(engine, dsp, AT_LOOP_ACTIVE + deck * DECK_STRIDE, 0.0, frame)
        return Reason.NONE
    return loop_here(engine, dsp, deck, frame)


@kernel
def loop_here(engine, dsp, deck, frame):
    """Loop `length` beats from where the deck is."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    values = engine.values.deck[deck]
    base = deck * DECK_STRIDE
    if not grid.has_grid(media):
        return Reason.NO_GRID
    rate = media.rate
    last = np.float64(media.frames)
    here = transport.position_now(engine, deck, frame)
    beat = grid.beat_near(media, machine.beat_hint, here)
    if values.quantise != 0.0:
        step = min(1.0, values.loop.length)
        beat = math.floor(beat / step + 0.5) * step
    place = grid.position_of(media, beat)
    end = grid.position_of(media, beat + values.loop.length)
    if end > last:
        # The last one that fits, so many whole beats earlier.
        room = grid.beat_near(media, machine.beat_hint, last)
        beat -= math.ceil(beat + values.loop.length - room - 1e-6)
        place = grid.position_of(media, beat)
        end = min(last, grid.position_of(media, beat + values.loop.length))
    end = max(end, place + SHORTEST_LOOP)
    if place != transport.inside(media, place) or end > last:
        return Reason.OUTSIDE
    change(engine, dsp, AT_LOOP_START + base, place / rate, frame)
    change(engine, dsp, AT_LOOP_END + base, end / rate, frame)
    change(engine, dsp, AT_LOOP_ACTIVE + base, 1.0, frame)
    # A start or an end that was put on a beat may have left the deck outside.
    speed = machine.head.speed
    if machine.playing != 0 and not transport.in_loop(values, media, speed, here):
        transport.shift(engine, dsp, deck, frame, place + (here - place) % (end - place))
    return Reason.NONE


@verb(needs_track=True)
def loop_reloop(engine, dsp, deck, command, frame):
    """Go back into the last loop, or leave it."""
    media = dsp.media[engine.transport[deck].head.slot]
    values = engine.values.deck[deck]
    at_active = AT_LOOP_ACTIVE + deck * DECK_STRIDE
    if values.loop.active != 0.0:
        change(engine, dsp, at_active, 0.0, frame)
        return Reason.NONE
    if not transport.has_loop(values, media):
        return Reason.NOT_SET
    change(engine, dsp, at_active, 1.0, frame)
    sync.go(engine, dsp, deck, frame, values.loop.start * media.rate)
    return Reason.NONE


@verb(needs_track=True)
def loop_halve(engine, dsp, deck, command, frame):
    """Halve the loop."""
    return resize(engine, dsp, deck, frame, 0.5)


@verb(needs_track=True)
def loop_double(engine, dsp, deck, command, frame):
    """Double the loop."""
    return resize(engine, dsp, deck, frame, 2.0)


@kernel
def resize(engine, dsp, deck, frame, factor):
    """Make the loop longer or shorter; a deck that would be left outside stays in it."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    values = engine.values.deck[deck]
    if not transport.has_loop(values, media):
        return Reason.NOT_SET
    base = deck * DECK_STRIDE
    begin = values.loop.start * media.rate
    length = (transport.loop_end(values, media) - begin) * factor
    if length < SHORTEST_LOOP:
        return Reason.NONE
    if begin + length > np.float64(media.frames) + JUST_OVER:
        return Reason.OUTSIDE
    beats = legal(dsp, AT_LOOP_LENGTH, values.loop.length * factor)
    change(engine, dsp, AT_LOOP_LENGTH + base, beats, frame)
    change(engine, dsp, AT_LOOP_END + base, (begin + length) / media.rate, frame)
    here = transport.position_now(engine, deck, frame)
    if values.loop.active != 0.0 and machine.playing != 0 and here > begin + length:
        transport.shift(engine, dsp, deck, frame, begin + (here - begin) % length)
    return Reason.NONE


@verb(needs_track=True)
def loop_move(engine, dsp, deck, command, frame):
    """Move the loop by so many beats, and the deck with it."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    values = engine.values.deck[deck]
    if not transport.has_loop(values, media):
        return Reason.NOT_SET
    if not grid.has_grid(media):
        return Reason.NO_GRID
    base = deck * DECK_STRIDE
    begin = values.loop.start * media.rate
    end = transport.loop_end(values, media)
    hint = machine.beat_hint
    first = grid.position_of(media, grid.beat_near(media, hint, begin) + command.x)
    end_moved = grid.position_of(media, grid.beat_near(media, hint, end) + command.x)
    last = np.float64(media.frames)
    if first != transport.inside(media, first) or end_moved > last + JUST_OVER:
        return Reason.OUTSIDE
    if end_moved - first < SHORTEST_LOOP:
        return Reason.OUTSIDE
    here = transport.position_now(engine, deck, frame)
    change(engine, dsp, AT_LOOP_START + base, first / media.rate, frame)
    change(engine, dsp, AT_LOOP_END + base, end_moved / media.rate, frame)
    if values.loop.active != 0.0 and machine.playing != 0 and begin <= here < end:
        transport.shift(engine, dsp, deck, frame, here + first - begin)
    return Reason.NONE


@verb(needs_track=True)
def loop_in_adjust(engine, dsp, deck, command, frame):
    """Move the loop's start by so many beats."""
    return adjust(engine, dsp, deck, frame, command.x, 0.0)


@verb(needs_track=True)
def loop_out_adjust(engine, dsp, deck, command, frame):
    """Move the loop's end by so many beats."""
    return adjust(engine, dsp, deck, frame, 0.0, command.x)


@kernel
def adjust(engine, dsp, deck, frame, by_start, by_end):
    """Move the ends of the loop by beats; a deck that would be left outside stays in it."""
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    values = engine.values.deck[deck]
    if not transport.has_loop(values, media):
        return Reason.NOT_SET
    if not grid.has_grid(media):
        return Reason.NO_GRID
    base = deck * DECK_STRIDE
    hint = machine.beat_hint
    begin = values.loop.start * media.rate
    end = transport.loop_end(values, media)
    here = transport.position_now(engine, deck, frame)
    within = begin <= here < end
    if by_start != 0.0:
        begin = grid.position_of(media, grid.beat_near(media, hint, begin) + by_start)
    if by_end != 0.0:
        end = grid.position_of(media, grid.beat_near(media, hint, end) + by_end)
    last = np.float64(media.frames)
    if begin != transport.inside(media, begin) or end > last + JUST_OVER:
        return Reason.OUTSIDE
    if end - begin < SHORTEST_LOOP:
        return Reason.OUTSIDE
    change(engine, dsp, AT_LOOP_START + base, begin / media.rate, frame)
    change(engine, dsp, AT_LOOP_END + base, end / media.rate, frame)
    outside = within and not begin <= here < end
    if values.loop.active != 0.0 and machine.playing != 0 and outside:
        transport.shift(engine, dsp, deck, frame, begin + (here - begin) % (end - begin))
    return Reason.NONE


@verb(needs_track=True)
def loop_roll(engine, dsp, deck, command, frame):
    """Loop `length` beats while held; land where the deck would be without that."""
    machine = engine.transport[deck]
    values = engine.values.deck[deck]
    kept = machine.kept_loop
    if command.x != 0.0:
        if machine.rolling == 0:
            kept[0] = values.loop.start
            kept[1] = values.loop.end
            kept[2] = values.loop.active
        rolled = machine.rolled if machine.rolling != 0 else 0.0
        here = transport.position_now(engine, deck, frame)
        reason = loop_here(engine, dsp, deck, frame)
        if reason == Reason.NONE:
            machine.rolling = 1
            machine.rolled = rolled + here - transport.position_now(engine, deck, frame)
        return reason
    if machine.rolling == 0:
        return Reason.NONE
    machine.rolling = 0
    media = dsp.media[machine.head.slot]
    base = deck * DECK_STRIDE
    change(engine, dsp, AT_LOOP_START + base, kept[0], frame)
    change(engine, dsp, AT_LOOP_END + base, kept[1], frame)
    change(engine, dsp, AT_LOOP_ACTIVE + base, kept[2], frame)
    target = transport.position_now(engine, deck, frame) + machine.rolled
    if values.loop.active != 0.0 and transport.has_loop(values, media):
        begin = values.loop.start * media.rate
        end = transport.loop_end(values, media)
        if target >= end:
            target = begin + (target - begin) % (end - begin)
    if machine.rolled != 0.0:
        transport.locate(engine, dsp, deck, frame, target)
    machine.unrolled = 0.0
    return Reason.NONE
