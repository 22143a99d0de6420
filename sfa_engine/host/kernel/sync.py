"""Who leads, who follows, and how a deck is held in time without a leap.

The rules stand as a table in ``docs/performing.md``. Their heart: a deck that follows writes the
followed tempo into its own rate. So whatever ends the following (the leader stops, is ejected,
loses the lead; sync goes off) leaves the deck at the tempo that is heard.

While a deck is heard, what sync does to it moves no faster than `SLEW`, and its phase is brought
in by bending the speed. A deck that is not heard takes both at once.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.command import Reason
from sfa_engine.engine.layout import DECK_STRIDE, DECKS, VALUE_INDEX, Move
from sfa_engine.host.kernel import grid, transport, voice
from sfa_engine.host.kernel.glide import put
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.lead import (
    CLOCK,
    beat_length,
    beats_per_bar,
    downbeat,
    is_playing,
    is_reversed,
    running_beat,
    tempo,
)
from sfa_engine.host.kernel.lead import bend as bend_of
from sfa_engine.host.kernel.lead import rate as rate_of
from sfa_engine.host.kernel.reports import change

AT_RATE = VALUE_INDEX["deck1.rate"]
OFF = 0.0
BEAT = 2.0
BAR = 1.0  # of `sync_align`
DEAD_ZONE = 2e-5  # beats, half a frame at 120 BPM and 48 kHz: closer is in phase
PULL = 1.0  # of the phase error is made good a second
LEAST_PULL = 0.0005  # of the speed, 0.9 cents: else the last half millisecond took 7 s
MAX_PULL = 0.04  # of the speed; half a beat at 120 BPM is made good in 7 s
MAX_CLOCK_BEND = 0.01  # of the speed of a deck that follows the clock: 17 cents, not heard
OUT_OF_PHASE = 0.02  # beats, 10 ms at 120 BPM: a deck that is not heard is put right at once
SLEW = 0.25  # a second, of the original speed: 5 % of tempo takes 0.2 s, and is heard as a glide


@kernel
def has_grid(engine, dsp, deck):
    """Return whether there is a track with beats on a deck."""
    slot = engine.transport[deck].head.slot
    return slot >= 0 and grid.has_grid(dsp.media[slot])


@kernel
def can_lead(engine, dsp, deck):
    """Return whether a deck has a tempo that is heard."""
    return transport.runs(engine, deck) and has_grid(engine, dsp, deck)


@kernel
def is_heard(engine, dsp, deck):
    """Return whether a deck's sound reaches the master."""
    if engine.transport[deck].playing == 0:
        return False
    return dsp.to.deck[deck].fader > 0.0 and dsp.channel[deck].side_to > 0.0


@kernel
def longest_playing(engine, dsp, but):
    """Return the deck that has played longest and does not follow deck `but`; or -1.

    One that is heard comes before those that are not.
    """
    best = np.int64(-1)
    for d in range(DECKS):
        if d == but or not can_lead(engine, dsp, d):
            continue
        if but >= 0 and engine.transport[d].following == but + 1:
            continue
        if best >= 0:
            heard = is_heard(engine, dsp, d)
            if heard != is_heard(engine, dsp, best):
                if not heard:
                    continue
            elif engine.transport[d].started_frame >= engine.transport[best].started_frame:
                continue
        best = np.int64(d)
    return best


@kernel
def holds_lead(engine, dsp, deck):
    """Return whether a deck goes on leading: one that is neither audible nor followed gives way."""
    if deck < 0 or not can_lead(engine, dsp, deck):
        return False
    if is_heard(engine, dsp, deck):
        return True
    for d in range(DECKS):
        if engine.transport[d].following == deck + 1:
            return True
    return False


@kernel
def named_leader(engine, dsp):
    """Return the deck whose `leader` is on, if its track has beats; or -1."""
    for d in range(DECKS):
        if engine.values.deck[d].leader != 0.0 and has_grid(engine, dsp, d):
            return np.int64(d)
    return np.int64(-1)


@kernel
def settle_lead(engine, dsp):
    """Bring up to date which deck leads: the lead stays where it is for as long as it can."""
    named = named_leader(engine, dsp)
    if named >= 0 and transport.runs(engine, named):
        engine.lead = named + 1
    elif not holds_lead(engine, dsp, engine.lead - 1):
        engine.lead = longest_playing(engine, dsp, np.int64(-1)) + 1


@kernel
def leader_of(engine, dsp, deck):
    """Return what a deck follows if it syncs, or -1: it has its own tempo then.

    That is a deck, or `CLOCK`: a clock that follows one from outside leads every deck.
    """
    settle_lead(engine, dsp)
    if engine.clock_leads != 0:
        return np.int64(CLOCK)
    if engine.values.deck[deck].leader != 0.0:
        return np.int64(-1)
    named = named_leader(engine, dsp)
    if named >= 0:
        # One that stands still gives its tempo to decks that stand still too.
        heard = transport.runs(engine, named)
        return named if heard or engine.transport[deck].playing == 0 else np.int64(-1)
    lead = engine.lead - 1
    return lead if lead != deck else np.int64(-1)


@kernel
def fold(ratio):
    """Return 0.5, 1 or 2: the multiple of a tempo that brings it nearest to another."""
    if ratio > 1.4142135:
        return 0.5
    if ratio < 0.7071068:
        return 2.0
    return 1.0


@kernel
def phase_error(lead, beat):
    """Return how far a beat lags behind the leader's, -0.5 to 0.5 beats."""
    error = (lead - math.floor(lead)) - (beat - math.floor(beat))
    return error - math.floor(error + 0.5)


@kernel
def bar_error(lead, beat, bar):
    """Return how far a beat lags behind the leader's in a bar of so many beats, in beats."""
    return phase_error(lead / bar, beat / bar) * bar


@kernel
def common_bar(engine, dsp, deck, lead, multiple):
    """Return after how many beats of a deck its bars and those of what leads can meet again.

    One where they do not: a bar of three beats against one of four, or half the tempo against
    bars of an odd number of beats.
    """
    bar = dsp.media[engine.transport[deck].head.slot].beats_per_bar
    shared = bar * min(1.0, multiple)
    first = downbeat(engine, lead) * multiple
    if bar != beats_per_bar(engine, dsp, lead) or shared < 1.0:
        return 1.0
    if shared != math.floor(shared) or first != math.floor(first):
        return 1.0
    return shared


@kernel
def follow(engine, dsp, deck, frame):
    """Bring a deck's rate to the tempo that it follows; return what leads it, or -1.

    Half or double the tempo is chosen when the following begins, and kept.
    """
    machine = engine.transport[deck]
    step = SLEW * (frame - machine.steered_frame) / dsp.sample_rate
    machine.steered_frame = frame
    lead = np.int64(-1)
    if engine.values.deck[deck].sync != OFF and has_grid(engine, dsp, deck):
        lead = leader_of(engine, dsp, deck)
    if lead < 0:
        machine.following = 0
        return lead
    length = beat_length(engine, dsp, deck, frame)
    followed = tempo(engine, dsp, lead, frame)
    natural = dsp.media[machine.head.slot].rate / dsp.sample_rate / length
    rate = dsp.to.deck[deck].rate
    lead_rate = rate_of(dsp, lead)
    if machine.following != lead + 1:
        machine.following = lead + 1
        machine.lead_rate = lead_rate
        machine.multiple = fold(followed / (natural * (rate if machine.playing != 0 else 1.0)))
    index = AT_RATE + deck * DECK_STRIDE
    wanted = followed * machine.multiple / natural
    wanted = min(dsp.high_end[index], max(dsp.low_end[index], wanted))
    if is_heard(engine, dsp, deck):
        # The hand on the leader's rate is followed as it moves, everything else as a glide.
        step += abs(lead_rate / machine.lead_rate - 1.0) * rate
        wanted = min(rate + step, max(rate - step, wanted))
    machine.lead_rate = lead_rate
    if put(engine, dsp, index, wanted):
        machine.rate_moved = 1
    return lead


@kernel
def is_beat_synced(engine, deck, lead):
    """Return whether a deck is to have the beats of what it follows."""
    if lead < 0 or engine.values.deck[deck].sync != BEAT or not is_playing(engine, lead):
        return False
    return is_reversed(engine, deck) == is_reversed(engine, lead)


@kernel
def steer(engine, dsp, deck, frame):
    """Bring a deck's speed up to date; re-anchor only if it changed.

    A deck that turns round leaves a head behind, as in a jump: else the sound had a kink.
    """
    machine = engine.transport[deck]
    main = machine.head
    step = SLEW * (frame - machine.steered_frame) / dsp.sample_rate
    lead = follow(engine, dsp, deck, frame)
    if engine.values.deck[deck].loop.active == 0.0:
        machine.unrolled = 0.0
        machine.slip.unrolled = 0.0
    if machine.playing == 0 or main.slot < 0 or not transport.runs(engine, deck):
        machine.nudge = 0.0
        machine.bar_due = 0
        return
    if machine.bar_due != 0 and frames_to_bar(engine, dsp, deck, frame) == 0:
        go_to_bar(engine, dsp, deck, frame)
    slips = transport.is_slipping(engine, deck)
    bend = dsp.to.deck[deck].bend
    if machine.motion.kind == Move.HAND:
        bend = 0.0
    wanted = 0.0
    if lead >= 0:
        wanted = bend_of(engine, dsp, lead)
    if bend == 0.0 and is_beat_synced(engine, deck, lead):
        lead_beat = running_beat(engine, dsp, lead, frame)
        beat, length = transport.running_beat(engine, dsp, deck, frame)
        error = phase_error(lead_beat * machine.multiple, beat)
        if is_reversed(engine, deck):
            error = -error
        if abs(error) > OUT_OF_PHASE and not slips and not is_heard(engine, dsp, deck):
            bar = wanted_bar(engine, dsp, deck)
            landing = land(engine, dsp, deck, frame, transport.place(main, frame), bar)
            hold_roll(engine, dsp, deck, frame, landing)
        elif abs(error) > DEAD_ZONE:
            seconds = error * length / transport.base_speed(dsp, engine, deck) / dsp.sample_rate
            pull = min(MAX_PULL, max(LEAST_PULL, PULL * abs(seconds)))
            wanted += pull if seconds > 0.0 else -pull
    if lead == CLOCK:
        wanted = min(MAX_CLOCK_BEND, max(-MAX_CLOCK_BEND, wanted))
    machine.nudge = min(machine.nudge + step, max(machine.nudge - step, wanted))
    if slips:
        line = machine.slip.line
        own = transport.pace(engine, dsp, deck)
        own = -own if line.speed < 0.0 else own
        if own != line.speed:
            transport.anchor(line, frame, transport.place(line, frame), own)
    if machine.motion.kind != Move.NONE:
        return
    speed = transport.speed_of(engine, dsp, deck)
    if speed != main.speed:
        if speed * main.speed < 0.0:
            hold_roll(engine, dsp, deck, frame, transport.place(main, frame))
        transport.anchor(main, frame, transport.place(main, frame), speed)


@kernel
def followed_beat(engine, dsp, deck, frame, bar):
    """Return the beat of what a deck follows, in the deck's beats; from a downbeat if bars meet."""
    machine = engine.transport[deck]
    lead = machine.following - 1
    beat = running_beat(engine, dsp, lead, frame)
    if bar != 1.0:
        beat -= downbeat(engine, lead)
    return beat * machine.multiple


@kernel
def wanted_bar(engine, dsp, deck):
    """Return within how many beats a deck is aligned where it begins or lands: a beat, or a bar."""
    lead = engine.transport[deck].following - 1
    if lead < 0 or engine.values.deck[deck].sync_align != BAR:
        return 1.0
    return common_bar(engine, dsp, deck, lead, engine.transport[deck].multiple)


@kernel
def land(engine, dsp, deck, frame, position, bar):
    """Return where a deck lands that is sent to a position, both in track frames.

    A playing deck stays in time: with the deck whose beats it follows, or else, where it
    quantises, with itself. That moves it by half a beat at most; one that follows beats, by half
    a `bar` of so many beats.
    """
    machine = engine.transport[deck]
    media = dsp.media[machine.head.slot]
    position = transport.inside(media, position)
    if machine.playing == 0 or not grid.has_grid(media):
        return position
    lead = machine.following - 1
    reference, _ = transport.running_beat(engine, dsp, deck, frame)
    close = 0.0
    if is_beat_synced(engine, deck, lead):
        reference = followed_beat(engine, dsp, deck, frame, bar)
        close = DEAD_ZONE
    elif engine.values.deck[deck].quantise == 0.0:
        return position
    else:
        bar = 1.0
    beat = grid.beat_near(media, machine.beat_hint, position)
    error = bar_error(reference, beat, bar)
    if abs(error) <= close:
        return position
    values = engine.values.deck[deck]
    landing = grid.position_of(media, beat + error)
    if landing != transport.inside(media, landing):
        landing = grid.position_of(media, beat + error - (bar if landing > 0.0 else -bar))
    if values.loop.active != 0.0 and transport.has_loop(values, media):
        begin = values.loop.start * media.rate
        end = transport.loop_end(values, media)
        if begin <= position < end and not begin <= landing < end:
            landing = begin + (landing - begin) % (end - begin)  # who is sent into a loop is in it
    return transport.inside(media, landing)


@kernel
def go(engine, dsp, deck, frame, position):
    """Move a deck to a position, in track frames, and in time."""
    landing = land(engine, dsp, deck, frame, position, wanted_bar(engine, dsp, deck))
    transport.locate(engine, dsp, deck, frame, landing)


@kernel
def hold_roll(engine, dsp, deck, frame, position):
    """Move a deck a little, as sync or a turn does; a roll under it is not given up for that."""
    rolled = engine.transport[deck].rolled
    transport.locate(engine, dsp, deck, frame, position)
    engine.transport[deck].rolled = rolled


@kernel
def start(engine, dsp, deck, frame):
    """Run the deck from where it stands; one that follows beats begins on them."""
    machine = engine.transport[deck]
    main = machine.head
    if main.slot < 0 or machine.playing != 0:
        return
    follow(engine, dsp, deck, frame)
    machine.nudge = 0.0
    machine.playing = 1
    machine.started_frame = frame
    voice.begin(dsp, deck)
    transport.anchor(main, frame, machine.position, transport.speed_of(engine, dsp, deck))
    change(engine, dsp, transport.AT_PLAY + deck * DECK_STRIDE, 1.0, frame)
    rolled = machine.rolled
    go(engine, dsp, deck, frame, machine.position)
    machine.rolled = rolled  # it stood still as well


@kernel
def engage(engine, dsp, deck, frame, before):
    """Take up following, as a press of `sync` asks; `before` is the mode until now.

    Who presses sync on the deck that leads wants it to follow: the lead goes to a deck that
    plays and does not follow it.
    """
    machine = engine.transport[deck]
    settle_lead(engine, dsp)
    if before == OFF and engine.lead == deck + 1:
        other = longest_playing(engine, dsp, deck)
        if other >= 0:
            engine.lead = other + 1
    lead = follow(engine, dsp, deck, frame)
    if is_beat_synced(engine, deck, lead) and machine.playing != 0:
        if not is_heard(engine, dsp, deck):
            go(engine, dsp, deck, frame, transport.position_now(engine, deck, frame))


@kernel
def frames_to_bar(engine, dsp, deck, frame):
    """Return the frames until a deck that waits for its next beat jumps to the followed bar."""
    machine = engine.transport[deck]
    if machine.bar_due == 0:
        return transport.NEVER
    if not is_beat_synced(engine, deck, machine.following - 1):
        return np.int64(0)
    beat, length = transport.running_beat(engine, dsp, deck, frame)
    tempo = transport.paced_speed(engine, deck) / length
    return transport.frames_to_beat(beat, tempo, np.int64(1))


@kernel
def go_to_bar(engine, dsp, deck, frame):
    """Put a deck on the bar that it follows; what goes on underneath, if it slips or rolls."""
    machine = engine.transport[deck]
    lead = machine.following - 1
    machine.bar_due = 0
    if machine.playing == 0 or not is_beat_synced(engine, deck, lead):
        return
    bar = common_bar(engine, dsp, deck, lead, machine.multiple)
    line = machine.slip.line
    here = transport.place(machine.head, frame)
    if transport.is_slipping(engine, deck):
        place = transport.place(line, frame)
        landing = on_bar(engine, dsp, deck, frame, place, bar)
        transport.anchor(line, frame, landing, line.speed)
    elif machine.rolling != 0:
        place = here + machine.rolled
        machine.rolled += on_bar(engine, dsp, deck, frame, place, bar) - place
    else:
        landing = land(engine, dsp, deck, frame, here, bar)
        if landing != here:
            transport.locate(engine, dsp, deck, frame, landing)


@kernel
def on_bar(engine, dsp, deck, frame, place, bar):
    """Return the place nearest to one where a deck would be on the bar that it follows."""
    media = dsp.media[engine.transport[deck].head.slot]
    beat = grid.beat_near(media, engine.transport[deck].beat_hint, place)
    error = bar_error(followed_beat(engine, dsp, deck, frame, bar), beat, bar)
    return transport.inside(media, grid.position_of(media, beat + error))


@kernel
def ask_for_bar(engine, dsp, deck, frame):
    """Put a deck on the bar that it follows: on its next beat, if it quantises."""
    machine = engine.transport[deck]
    lead = machine.following - 1
    if machine.playing == 0 or not is_beat_synced(engine, deck, lead):
        return Reason.NOT_SYNCED
    if common_bar(engine, dsp, deck, lead, machine.multiple) == 1.0:
        return Reason.NO_BAR
    machine.bar_due = 1
    if engine.values.deck[deck].quantise == 0.0:
        go_to_bar(engine, dsp, deck, frame)
    return Reason.NONE


@kernel
def regrid(engine, deck):
    """Let a tempo that was followed be looked at again: a grid changed under a track."""
    engine.transport[deck].following = 0
    for d in range(DECKS):
        if engine.transport[d].following == deck + 1:
            engine.transport[d].following = 0
