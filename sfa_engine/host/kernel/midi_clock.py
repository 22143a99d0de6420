"""MIDI clock, received and sent: called by the host's MIDI client, in its thread.

::

    F8 FA FB FC F2 ──► clock_message ──► ticks ──► regression ──► Op.FOLLOW on ring MIDI
    the session's clock (snapshot) ──► clock_out ──► messages of this cycle, at their frames

Received ticks jitter, get lost and come twice. So the tempo is the slope of a regression of their
times on their *numbers*, which go on by the interval and not by one a tick, without those that
deviate most; it restarts with the last ticks as soon as they say together that the tempo is
another. What is heard of a beat leaves the engine `LATENCY` frames after its frame.
"""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.command import ClockSource, Op, Ring, Source
from sfa_engine.engine.layout import COMMANDS, LATENCY, VALUE_INDEX
from sfa_engine.engine.midi import SLOTS
from sfa_engine.engine.midi_clock import ARRIVALS, WINDOW
from sfa_engine.host.kernel.intrinsics import kernel, load_acquire, store_release

AT_TEMPO = VALUE_INDEX["clock.tempo"]
FOLLOW, MIDI, RING, SOURCE = int(Op.FOLLOW), int(ClockSource.MIDI), int(Ring.MIDI), int(Source.MIDI)
# No literals: a function is compiled anew for each that it is given.
SONG_POSITION, TICK, START, CONTINUE, STOP = np.int64([0xF2, 0xF8, 0xFA, 0xFB, 0xFC])
NO_DATA = np.int64(0)
PER_BEAT = 24  # ticks
PER_SIXTEENTH = 6  # what a song position counts
SLOWEST, FASTEST = 20.0, 400.0  # BPM, the scale of `clock.tempo`

# A tick costs 3 to 10 us. One at each frame of a cycle of 128 took 0.43 ms of its 2.7, per device.
MAX_RATE = 2.0 * PER_BEAT * FASTEST / 60.0  # messages/s: the fastest clock, each tick twice
MAX_BURST = 16  # messages at once, that a computer held up: 0.23 s at 174 BPM

SILENCE_S = 2.0  # without a tick: the clock is gone
FIRST_FIT = 6  # ticks; before that they are only counted
LOCKED = 24  # ticks of a window that is trusted, one beat: 0.14 % of tempo at 1 ms of jitter
TRUSTED = 16  # ticks of a window that began anew
TOLD_EVERY = 12  # ticks, half a beat: 1.5 s at 20 BPM, less than the session's silence
RECENT = 8  # ticks that say together that the tempo is another
CUT = 2.5  # standard deviations: what is beyond takes no part
# Of a tempo that is another. Medians of 8 have 0.45 standard deviations of one, so 2.5 are over
# five of theirs: some false alarms a day at 1 ms of jitter, and one costs 0.5 BPM for a beat.
ONE_SIDED = 2.5
FLOOR_S = 0.0002  # so that the steps of the frames themselves are no alarm
OTHER_PERIOD = 0.02
MAX_EXCUSE = 0.15  # of an interval, five deviations of the median at 174 BPM and 1 ms of jitter
CLEARLY = 0.2  # of an interval: by how much the other tempo has to fit better
LIKE = 0.3  # of an interval: what is off by more belongs to another tempo
FEWEST = 4  # intervals that are kept in any case
JUMP = 4  # half ticks: a clock that is off by more has moved, and is not caught up with
TO_SCALE = 1.4826  # from the median of the absolute deviations to a standard deviation


@kernel
def median(values, count):
    """Return the median of the first numbers of an array, and leave them sorted."""
    for k in range(1, count):
        value = values[k]
        j = k - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    middle = count // 2
    if count % 2 == 1:
        return values[middle]
    return 0.5 * (values[middle - 1] + values[middle])


@kernel
def song_at(clock, index):
    """Return the position of a tick in the song, in ticks."""
    return clock.base_song + index - clock.base_index


@kernel
def forget(clock):
    """Know nothing of the clock that a slot receives but where the song is, and whether it runs."""
    if clock.ticks > 0:
        clock.base_song = song_at(clock, clock.index[clock.ticks - 1] + 1)
        clock.base_index = 0
    clock.ticks = 0
    clock.arrivals = 0
    clock.period = 0.0
    clock.jitter = 0.0
    clock.locked = 0


@kernel
def median_interval(clock):
    """Return the median of the newest intervals, as the ticks came."""
    count = clock.arrivals - 1
    for k in range(count):
        clock.sorted[k] = clock.arrival[k + 1] - clock.arrival[k]
    return median(clock.sorted, count)


@kernel
def expected(clock):
    """Return when the newest tick would have come by the last few: a median, which no one moves."""
    count = min(np.int64(5), clock.ticks)
    newest = clock.index[clock.ticks - 1]
    for k in range(count):
        at = clock.ticks - 1 - k
        clock.sorted[k] = clock.time[at] + (newest - clock.index[at]) * clock.period
    return median(clock.sorted, count)


@kernel
def fit(clock, floor):
    """Fit a line through the ticks of the window, three times, each without what deviates most."""
    n = clock.ticks
    origin_index = clock.index[n - 1]
    origin_time = clock.time[n - 1]
    limit = 1e300
    slope = clock.period
    start = 0.0
    for _ in range(3):
        count = 0.0
        sum_k = 0.0
        sum_t = 0.0
        sum_kk = 0.0
        sum_kt = 0.0
        for i in range(n):
            k = np.float64(clock.index[i] - origin_index)
            t = clock.time[i] - origin_time
            if abs(t - start - slope * k) <= limit:
                count += 1.0
                sum_k += k
                sum_t += t
                sum_kk += k * k
                sum_kt += k * t
        below = count * sum_kk - sum_k * sum_k
        if count < 4.0 or below <= 0.0:
            break
        slope = (count * sum_kt - sum_k * sum_t) / below
        start = (sum_t - slope * sum_k) / count
        for i in range(n):
            k = np.float64(clock.index[i] - origin_index)
            clock.sorted[i] = abs(clock.time[i] - origin_time - start - slope * k)
        clock.jitter = TO_SCALE * median(clock.sorted, n)
        limit = CUT * clock.jitter + floor
    clock.period = slope
    clock.fit_index = origin_index
    clock.fit_time = origin_time + start


@kernel
def steps_of(gap, carried, longer, shorter):
    """Return how many ticks an interval has, and what is left over, when it is of either tempo.

    Of two that fit alike the longer: around a change of tempo a tick is seldom lost as well. What
    is left over belongs to the next interval: one tick that came late lengthens one and shortens
    the other.
    """
    by_longer = gap / longer + carried
    steps = math.floor(by_longer + 0.5)
    left = by_longer - steps
    by_shorter = gap / shorter + carried
    other = math.floor(by_shorter + 0.5)
    if abs(by_shorter - other) < abs(left) - CLEARLY:
        steps = other
        left = by_shorter - other
    return max(np.int64(0), np.int64(steps)), left if abs(left) > LIKE else 0.0


@kernel
def begin_anew(clock):
    """Keep the newest ticks of one tempo alone, numbered on from the oldest arrival."""
    period = max(1.0, median_interval(clock))
    before = clock.period if clock.period > 0.0 else period
    count = clock.arrivals
    carried = 0.0
    for k in range(1, count):
        gap = clock.arrival[k] - clock.arrival[k - 1]
        steps, carried = steps_of(gap, carried, max(period, before), min(period, before))
        clock.arrival_index[k] = clock.arrival_index[k - 1] + steps
    first = count - 1
    while first > 0:
        gap = clock.arrival[first] - clock.arrival[first - 1]
        steps = clock.arrival_index[first] - clock.arrival_index[first - 1]
        if abs(gap - steps * period) > LIKE * period and count - first > FEWEST:
            break
        first -= 1
    kept = np.int64(0)
    for k in range(first, count):
        if kept == 0 or clock.arrival_index[k] > clock.index[kept - 1]:
            clock.time[kept] = clock.arrival[k]
            clock.index[kept] = clock.arrival_index[k]
            kept += 1
    clock.ticks = kept
    clock.period = period


@kernel
def is_other_tempo(clock, floor):
    """Return whether the newest ticks say together that the tempo is another."""
    if clock.arrivals == ARRIVALS:
        apart = abs(median_interval(clock) - clock.period)
        # A wrong numbering that has settled looks like jitter: it must not excuse itself.
        deviation = min(CUT * clock.jitter, MAX_EXCUSE * clock.period)
        if apart > OTHER_PERIOD * clock.period + deviation + floor:
            return True
    if clock.ticks < 2 * RECENT:
        return False
    for k in range(RECENT):
        at = clock.ticks - 1 - k
        by_line = clock.fit_time + (clock.index[at] - clock.fit_index) * clock.period
        clock.sorted[k] = clock.time[at] - by_line
    return abs(median(clock.sorted, np.int64(RECENT))) > ONE_SIDED * clock.jitter + floor


@kernel
def hear_tick(clock, time, rate):
    """Take in a tick.

    Parameters
    ----------
    clock : record of `MIDI_CLOCK`
    time : float64
        When it came, in frames.
    rate : float64
        Frames a second.

    Returns
    -------
    taken : bool
        Whether it belongs to the clock: False of one that came twice.
    """
    floor = FLOOR_S * rate
    if clock.ticks > 0 and abs(time - clock.heard) > SILENCE_S * rate:
        forget(clock)
    clock.heard = time
    if clock.arrivals == ARRIVALS:
        for k in range(1, ARRIVALS):
            clock.arrival[k - 1] = clock.arrival[k]
            clock.arrival_index[k - 1] = clock.arrival_index[k]
        clock.arrivals -= 1
    newest = clock.arrivals
    clock.arrival[newest] = time
    clock.arrivals += 1
    if clock.period == 0.0:
        clock.index[clock.ticks] = clock.ticks
        clock.time[clock.ticks] = time
        clock.arrival_index[newest] = clock.ticks
        clock.ticks += 1
        if clock.ticks == FIRST_FIT:
            begin_anew(clock)
            fit(clock, floor)
        return True
    n = clock.ticks
    step = np.int64(math.floor((time - expected(clock)) / clock.period + 0.5))
    if step > 0:
        clock.missing += step - 1
        if n == WINDOW:
            for k in range(1, WINDOW):
                clock.index[k - 1] = clock.index[k]
                clock.time[k - 1] = clock.time[k]
            n -= 1
        clock.index[n] = clock.index[n - 1] + step
        clock.time[n] = time
        clock.ticks = n + 1
        fit(clock, floor)
    else:
        clock.doubled += 1
    clock.arrival_index[newest] = clock.index[clock.ticks - 1]
    if is_other_tempo(clock, floor):
        begin_anew(clock)
        fit(clock, floor)
        step = 1
    if clock.ticks >= LOCKED:
        clock.locked = 1
    return step > 0


@kernel
def transport_message(clock, status, data):
    """Take in start, continue, stop or a song position, which holds from the next tick on.

    Parameters
    ----------
    data : int64
        Of a song position: sixteenths.
    """
    if status == SONG_POSITION:
        if clock.running == 0:
            clock.song = PER_SIXTEENTH * data
    elif status == STOP:
        if clock.running != 0 and clock.ticks > 0 and clock.starting == 0:
            clock.song = song_at(clock, clock.index[clock.ticks - 1] + 1)
        clock.running = 0
        clock.starting = 0
    elif status in (START, CONTINUE):
        if status == START:
            clock.song = 0
        if status == START or clock.running == 0:
            clock.starting = 1
        clock.running = 1


@kernel
def start_at_tick(clock):
    """Let the newest tick be the one at which the song begins, or goes on."""
    if clock.starting != 0:
        clock.starting = 0
        clock.base_index = clock.index[clock.ticks - 1]
        clock.base_song = clock.song


@kernel
def is_enabled(engine, slot):
    """Return whether the clock of a slot is wanted."""
    device = engine.midi.slots[slot]
    return engine.values.clock.midi_in != 0.0 and device.open != 0 and device.clock_in != 0


@kernel
def is_elected(engine, slot):
    """Return whether the session hears this slot: the first that is steady, until it is gone."""
    for other in range(SLOTS):
        if other != slot and engine.midi_clock[other].elected != 0 and is_enabled(engine, other):
            return False
    return True


@kernel
def push(engine, slot, frame, beat, tempo, running):
    """Write an `Op.FOLLOW` on ring MIDI; return whether there was room."""
    ring = engine.rings[RING]
    head = ring.head
    if head - load_acquire(ring.tail_address) >= COMMANDS:
        return False
    command = ring.commands[head % COMMANDS]
    command.op = FOLLOW
    command.source = SOURCE + slot
    command.deck = running
    command.target = MIDI
    command.when = 0
    command.clock = 0
    command.ring = RING
    command.frame = frame
    command.ticket = head + 1
    command.x = beat
    command.y = tempo
    store_release(ring.head_address, head + 1)
    return True


@kernel
def tell(engine, slot):
    """Tell the kernel where the clock of a slot is."""
    clock = engine.midi_clock[slot]
    rate = engine.sample_rate
    tempo = 60.0 * rate / (PER_BEAT * clock.period)
    if not SLOWEST <= tempo <= FASTEST or not is_elected(engine, slot):
        return
    late = engine.midi.slots[slot].clock_offset * rate + LATENCY
    time = clock.fit_time - late
    frame = np.int64(math.floor(time))
    song = np.float64(song_at(clock, clock.fit_index)) - (time - frame) / clock.period
    if push(engine, slot, frame, song / PER_BEAT, tempo, clock.running):
        clock.elected = 1
        clock.told_index = clock.fit_index


@kernel
def lose(engine, slot):
    """Forget the clock of a slot, and tell the kernel if it followed it."""
    clock = engine.midi_clock[slot]
    stopped = np.int64(0)
    if clock.elected == 0 or push(engine, slot, stopped, 0.0, 0.0, stopped):
        clock.elected = 0
        forget(clock)


@kernel
def part(engine, slot):
    """Lose the clock of a device that is gone; the next one is started at a bar of ours."""
    lose(engine, slot)
    clock = engine.midi_clock[slot]
    clock.out_started = 0
    clock.out_on = 0


@kernel
def is_flood(state, slot, frame, rate):
    """Return whether a slot sends more messages than a clock; count one that it may send."""
    gap = rate / MAX_RATE
    due = state.clock_due[slot]
    if not 0.0 <= due - frame <= (MAX_BURST + 1) * gap:  # long ago; or the engine counts anew
        due = np.float64(frame)
    if due - frame > MAX_BURST * gap:
        return True
    state.clock_due[slot] = due + gap
    return False


@kernel
def clock_message(engine, state, slot, status, data, frame):
    """Take in a message of MIDI clock from a slot.

    Parameters
    ----------
    state : record
        The resolver's.
    status : int64
        0xF8, 0xFA, 0xFB, 0xFC or 0xF2; others are left alone.
    data : int64
        Of 0xF2: the 14-bit number; else 0.
    frame : int64
        Engine frame at which it came.
    """
    if not is_enabled(engine, slot):
        return
    clock = engine.midi_clock[slot]
    if status != TICK:
        before = clock.running
        transport_message(clock, status, data)
        if clock.running != before and clock.locked != 0 and clock.starting == 0:
            tell(engine, slot)
        return
    if not hear_tick(clock, np.float64(frame), engine.sample_rate):
        return
    started = clock.starting != 0
    start_at_tick(clock)
    if clock.locked == 0 or clock.ticks < TRUSTED:
        return
    due = clock.fit_index - clock.told_index >= TOLD_EVERY
    if due or started or clock.elected == 0:
        tell(engine, slot)


@kernel
def write(state, count, offset, status, data):
    """Add a message to those of the cycle; return how many there are."""
    if count >= len(state.tick):
        return count
    tick = state.tick[count]
    tick.offset = offset
    tick.length = 3 if status == SONG_POSITION else 1
    tick.data[0] = status
    tick.data[1] = data & 0x7F
    tick.data[2] = data >> 7 & 0x7F
    return count + 1


@kernel
def read_session(engine):
    """Return frame, beat, speed, downbeat, beats a bar and alignments of the session's clock.

    All of one frame: the kernel writes the older of two copies.
    """
    serial = load_acquire(engine.serial_address)
    for _ in range(4):
        now = engine.snapshots[serial & 1].clock
        found = (now.frame, now.beat, now.speed, now.downbeat, now.beats_per_bar, now.aligned)
        after = load_acquire(engine.serial_address)
        if after == serial:
            break
        serial = after
    return found


@kernel
def clock_out(engine, state, slot, first_frame, frames):
    """Work out what a slot is sent in a cycle; also notes that its own clock has gone.

    Ticks come at the frames of the session's clock, for as long as it is enabled. The first bar
    begins with start. When the clock is aligned anew, its next beat begins with stop, song
    position and continue. These come half a tick before the tick that they are about: some
    devices take a tick right behind a start for the one before it.

    Parameters
    ----------
    state : record
        The resolver's: what is to be sent is put in its `tick`, in order.
    first_frame : int64
        Engine frame that the device plays with the first of the cycle's frames.
    frames : int64
        Of the cycle.

    Returns
    -------
    messages : int64
        How many there are.
    """
    clock = engine.midi_clock[slot]
    count = np.int64(0)
    if clock.arrivals > 0:
        gone = first_frame - clock.heard > SILENCE_S * engine.sample_rate
        if gone or not is_enabled(engine, slot):
            lose(engine, slot)
    device = engine.midi.slots[slot]
    if device.open == 0 or device.clock_out == 0 or engine.values.clock.midi_out == 0.0:
        if clock.out_started != 0 and device.open != 0:
            count = write(state, count, np.int64(0), STOP, NO_DATA)
        clock.out_started = 0
        clock.out_on = 0
        return count
    frame, beat, speed, downbeat, bar, aligned = read_session(engine)
    if speed <= 0.0 or bar < 1:
        return count
    shift = device.clock_offset * engine.sample_rate - LATENCY
    now = beat + (first_frame - frame + shift) * speed
    end = now + frames * speed
    first = np.int64(math.ceil(now * 2 * PER_BEAT - 1e-6))
    if clock.out_on == 0 or abs(clock.out_next - first) > JUMP:
        clock.out_next = first
        clock.out_on = 1
    while clock.out_next < end * 2 * PER_BEAT - 1e-6:
        half = clock.out_next
        clock.out_next += 1
        wait = (half / (2.0 * PER_BEAT) - now) / speed
        offset = min(frames - 1, max(np.int64(0), np.int64(math.ceil(wait - 1e-3))))
        if half % 2 == 0:
            count = write(state, count, offset, TICK, NO_DATA)
            continue
        ticks = (half + 1) // 2 - PER_BEAT * downbeat
        if clock.out_started == 0:
            if ticks % (PER_BEAT * bar) == 0:
                count = write(state, count, offset, START, NO_DATA)
                clock.out_started = 1
                clock.out_aligned = aligned
        elif clock.out_aligned != aligned and ticks % PER_BEAT == 0:
            beats = ticks // PER_BEAT
            if beats < 0:
                beats %= bar
            count = write(state, count, offset, STOP, NO_DATA)
            count = write(state, count, offset, SONG_POSITION, 4 * beats % (1 << 14))
            count = write(state, count, offset, CONTINUE, NO_DATA)
            clock.out_aligned = aligned
    return count
