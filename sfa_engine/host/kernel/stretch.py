"""Keylock and pitch in the time domain: the playing head runs at its own speed, beside the line.

The line of a voice is the timeline: where the deck is. With keylock the head runs at the track's
own speed, times the pitch, so it moves away from the line; it is *spliced* back to where the sound
is most alike, by a cross-fade (WSOLA [1]_). One head reads all stems of a voice, so they stay in
phase with each other, and mutes, filters and faders come after it. Nothing is late: the head reads
memory at random, and the position is the line's, whatever the head does.

::

    line   ────────────────●────────────  onset: here the head is on the line, to the frame
    head   ──╲__╲_____╲____●__╲___╲_____
               └ splices: to the best match within 12.5 ms of the line, 10 ms long

Hits are exact: one fade before each onset of the splice list (without a list, each beat) the head
is spliced so that both meet the onset at the same frame; no splice touches the attack.

All decisions fall on ticks, and voices search on different ones: the work of a block is bounded.

References
----------
.. [1] W. Verhelst, M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for
   high quality time-scale modification of speech", ICASSP 1993.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray

from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.layout import (
    DECIMATED_HZ,
    FADE,
    FASTEST,
    LANES,
    MATCH,
    MAX_DECIMATION,
    REACH,
    STRIPS,
    TICK,
    VOICES,
)
from sfa_engine.host.kernel import voice as voices
from sfa_engine.host.kernel.elementary import exp2
from sfa_engine.host.kernel.interpolate import LOUDEST
from sfa_engine.host.kernel.intrinsics import (
    float32_at,
    float64_at,
    int16_at,
    kernel,
    load_acquire,
    part,
)
from sfa_engine.host.kernel.simd import correlate
from sfa_engine.host.kernel.transport import anchor, place
from sfa_engine.host.kernel.voice import Course, set_slot

F = np.float32
LOWEST_RATE = 0.5  # of the track's own speed; slower, and splices repeat what is heard
HIGHEST_RATE = 2.0
SHARE_S = 0.02  # how long it takes to leave the stretch beyond these, and to take it up
FADE_S = 0.01  # 10, 15, 20 and 30 ms differ by 0.05 dB of log-spectral distance
SEARCH_TICKS = 12  # between two searches of a voice: 8 ms
GUARD_S = 0.002  # before and after an onset, where no fade is
REVERSED_GUARD_S = 0.01  # backwards, the loudest of a hit comes before its onset
SETTLED_S = 0.01  # after an onset, before a splice
SHORTEST_FADE = 0.3  # of `FADE_S`: less is a click, and the onset is left where it falls
ALIKE = 0.95  # correlation at which the head need not wait for a better match
FAR = 1e-5  # correlation that a frame (48 kHz) of the splice is worth: long ones are rarer
PLAYED = 4.0  # track frames: an onset as near as this is being played
ON_SPOT = 0.75  # frames: nearer to the line than this, the head is on it
PATIENCE_S = 0.25  # that a head waits for an onset, to be back on a line that is as fast
LOST_S = 0.1  # from the line: it was moved without a jump
SAME_SPEED = 1e-9  # share of it: paces of grids of one tempo differ by rounding
DRUMS = STEMS.index("drums")
NEVER = 1e18  # track frames: there is no onset


@kernel
def decimation(media):
    """Return how many track frames are summed for a match."""
    return max(1, min(MAX_DECIMATION, np.int64(math.floor(media.rate / DECIMATED_HZ + 0.5))))


@kernel
def is_to_be_keyed(dsp, deck, voice):
    """Return whether a voice is of another deck's stem with a pitch, and both keys are known."""
    host = dsp.channel[deck].voice[0].line.slot
    guest = voice.line.slot
    if voice.stem < 0 or voice.stem == DRUMS or host < 0 or guest == host:
        return False
    return dsp.media[host].key >= 0 and dsp.media[guest].key >= 0


@kernel
def speed_in_key(dsp, deck, voice, own):
    """Return the speed at which a stem of another deck's has the key that its host is heard in.

    The nearest one, up or down: which octave it is in follows from both keys and the host's
    pitch, not from its rate, so that a hand on the rate never turns it over.

    Parameters
    ----------
    own : float64
        Speed of the stem's track by itself, in track frames per engine frame.
    """
    whole = dsp.channel[deck].voice[0]
    host = dsp.media[whole.line.slot]
    to = dsp.to.deck[deck]
    apart = np.float64(host.key - dsp.media[voice.line.slot].key)
    octaves = math.floor((apart + dsp.goal.deck[deck].pitch + 6.0) / 12.0)
    ratio = abs(whole.line.speed) * dsp.sample_rate / host.rate
    ratio += (1.0 - ratio) * to.keylock * whole.share
    return own * ratio * exp2((apart + to.pitch) / 12.0 - octaves)


@kernel
def speed_beside(dsp, deck, voice, frame):
    """Return the speed of a playing head, in track frames per engine frame.

    That is the speed of its line, or the track's own, times the pitch.
    """
    speed = voice.line.speed
    fast = abs(speed)
    to = dsp.to.deck[deck]
    own = dsp.media[voice.line.slot].rate / dsp.sample_rate
    wanted = 1.0 if LOWEST_RATE * own <= fast <= HIGHEST_RATE * own else 0.0
    if voice.course == Course.NEW:
        voice.share = wanted
    else:
        step = (frame - voice.seen_frame) / (SHARE_S * dsp.sample_rate)
        voice.share = min(voice.share + step, max(voice.share - step, wanted))
    voice.seen_frame = frame
    keyed = to.stem_key != 0.0 and is_to_be_keyed(dsp, deck, voice)
    if voice.share == 0.0 or (to.keylock == 0.0 and to.pitch == 0.0 and not keyed):
        return speed
    beside = own if to.keylock == 1.0 else fast + (own - fast) * to.keylock
    if to.pitch != 0.0:
        beside *= exp2(to.pitch / 12.0)
    if keyed:
        beside += (speed_in_key(dsp, deck, voice, own) - beside) * to.stem_key
        if abs(beside - fast) < SAME_SPEED * fast:
            return speed  # it is in key as it is
    if voice.share != 1.0:
        beside = fast + (beside - fast) * voice.share
    beside = min(FASTEST, beside)
    return beside if speed > 0.0 else -beside


@kernel
def first_beyond(rising, hint, position):
    """Return the index of the first number of a rising list that is above a position.

    Parameters
    ----------
    rising : float64[n] or int64[n]
    hint : int64
        The last answer.
    position : float64 or int64
        As the list.
    """
    count = rising.size
    k = min(max(hint, np.int64(0)), count)
    if (k == 0 or rising[k - 1] <= position) and (k == count or rising[k] > position):
        return k
    low = np.int64(0)
    high = count
    while low < high:
        middle = (low + high) // 2
        if rising[middle] <= position:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def onsets_around(voice, media, home, way):
    """Return the onset that the line comes to and the one that it left, counted the way it runs.

    Parameters
    ----------
    home : float64
        Where the line is, counted likewise.
    way : float64
        1, or -1 backwards.

    Returns
    -------
    ahead, behind : float64
        `NEVER` and -`NEVER` where there is none.
    """
    address = media.splices_address
    count = media.splices
    if count < 0:
        address = media.beats_address
        count = media.beats
    ahead = NEVER
    behind = -NEVER
    if count > 0:
        played = way * (home + PLAYED)
        onsets = carray(float64_at(address), (count,))
        voice.splice_hint = first_beyond(onsets, voice.splice_hint, played)
        after = voice.splice_hint if way > 0.0 else voice.splice_hint - 1
        before = voice.splice_hint - 1 if way > 0.0 else voice.splice_hint
        if 0 <= after < count:
            ahead = way * onsets[after]
        if 0 <= before < count:
            behind = way * onsets[before]
    return ahead, behind


@kernel
def gain_of(dsp, deck, media, stem, solo):
    """Return how loud a stem is in a deck's mix, 0 if it is not there."""
    to = dsp.to.deck[deck].stem[stem]
    if media.address[stem] == 0:
        return 0.0
    return to.volume * (1.0 - to.mute) * (1.0 - solo * (1.0 - to.solo))


@kernel
def fill_mono(dsp, deck, media, stem, low, count, row):
    """Sum the stems that are heard, left and right, from a track frame on.

    Parameters
    ----------
    stem : int64
        The only one that is summed; -1: all.
    row : float32[1, frames]
        Overwritten up to `count`; silence where nothing is in memory.
    """
    sums = part(row, 0, 0)
    for i in range(count):
        sums[i] = F(0)
    first = min(count, max(np.int64(0), load_acquire(media.ready_start_address) - low))
    last = max(first, min(count, load_acquire(media.ready_end_address) - low))
    many = last - first
    if many == 0:
        return
    sums = part(row, 0, first)
    solo = 0.0
    for s in range(STRIPS):
        if media.address[s] != 0:
            solo = max(solo, dsp.to.deck[deck].stem[s].solo)
    for s in range(STRIPS):
        gain = gain_of(dsp, deck, media, s, solo)
        if gain == 0.0 or (stem >= 0 and s != stem):
            continue
        address = media.address[s]
        if media.float32 != 0:
            loud = carray(float32_at(address + 8 * (low + first)), (2 * many,))
            scale = F(gain)
            for i in range(many):
                x = loud[2 * i] + loud[2 * i + 1]
                sums[i] += scale * (x if abs(x) < LOUDEST else F(0))
        else:
            short = carray(int16_at(address + 4 * (low + first)), (2 * many,))
            scale = F(gain / 32768.0)
            for i in range(many):
                sums[i] += scale * F(np.int32(short[2 * i]) + np.int32(short[2 * i + 1]))


@kernel
def decimate(row, count, by, few):
    """Sum each `by` numbers of a row."""
    whole = part(row, 0, 0)
    sums = part(few, 0, 0)
    for i in range(count):
        total = F(0)
        for k in range(by):
            total += whole[i * by + k]
        sums[i] = total


@kernel
def energy(row, start, count):
    """Return the sum of squares of part of a row."""
    whole = part(row, 0, start)
    total = 0.0
    for i in range(count):
        total += np.float64(whole[i]) * np.float64(whole[i])
    return total


@kernel
def alike(product, one, other):
    """Return the correlation of two sounds by their product and their energies."""
    both = one * other
    if not both > 1e-30:  # silence
        return 0.0
    return product / math.sqrt(both)


@kernel
def find(dsp, deck, voice, frame, least, most):
    """Find the shift of the playing head after which the sound is most like the one that plays.

    Parameters
    ----------
    least, most : int64
        Shifts of the head that are allowed, in track frames; equal ones are only compared.

    Returns
    -------
    shift : float64
        In track frames; whole for a head that runs from frame to frame.
    likeness : float64
        Correlation of 10 ms after the shift with those without it, -1 to 1.
    """
    main = voice.head[0]
    media = dsp.media[main.slot]
    by = decimation(media)
    count = MATCH * by
    most = min(most, least + 2 * REACH * by)
    low = np.int64(math.floor(place(main, frame)))
    if main.speed < 0.0:
        low -= count - 1
    fill_mono(dsp, deck, media, voice.stem, low, count, dsp.near)
    fill_mono(dsp, deck, media, voice.stem, low + least, count + most - least + LANES, dsp.far)
    near = np.int64(dsp.near.ctypes.data)
    far = np.int64(dsp.far.ctypes.data)
    products = np.int64(dsp.products.ctypes.data)
    sums = dsp.products[0]
    first = np.int64(0)
    if most > least:
        steps = (most - least) // by + 1
        decimate(dsp.near, MATCH, by, dsp.near_few)
        decimate(dsp.far, MATCH + steps, by, dsp.far_few)
        near_few = np.int64(dsp.near_few.ctypes.data)
        far_few = np.int64(dsp.far_few.ctypes.data)
        for k in range((steps + LANES - 1) // LANES):
            at = 4 * LANES * k
            correlate(near_few, far_few + at, np.int64(MATCH), products + at, LANES)
        here = energy(dsp.near_few, 0, MATCH)
        there = energy(dsp.far_few, 0, MATCH)
        few = dsp.far_few[0]
        worth = FAR * 48_000.0 / media.rate
        best = -2.0
        for k in range(steps):
            shift = least + k * by
            found = alike(np.float64(sums[k]), here, there) + worth * abs(shift)
            if found > best:
                best = found
                first = k * by
            gone = np.float64(few[k])
            come = np.float64(few[k + MATCH])
            there = max(0.0, there + (come * come - gone * gone))
        first = max(np.int64(0), first - min(by, LANES // 2))
    correlate(near, far + 4 * first, count, products, LANES)
    here = energy(dsp.near, 0, count)
    there = energy(dsp.far, first, count)
    window = dsp.far[0]
    best = -2.0
    at = np.int64(0)
    lanes = min(np.int64(LANES), most - least - first + 1)
    for k in range(lanes):
        found = alike(np.float64(sums[k]), here, there)
        sums[k] = found
        if found > best:
            best = found
            at = np.int64(k)
        gone = np.float64(window[first + k])
        come = np.float64(window[first + k + count])
        there = max(0.0, there + (come * come - gone * gone))
    shift = np.float64(least + first + at)
    if main.speed != 1.0 and 0 < at < lanes - 1:
        # The top of a parabola through the best and its neighbours.
        before = np.float64(sums[at - 1])
        after = np.float64(sums[at + 1])
        bend = before - 2.0 * np.float64(sums[at]) + after
        if bend < 0.0:
            shift += min(0.5, max(-0.5, 0.5 * (before - after) / bend))
    return shift, best


@kernel
def splice(dsp, voice, frame, position, frames, likeness):
    """Put the playing head elsewhere, and fade over from where it was in so many frames."""
    main = voice.head[0]
    for s in range(STRIPS):
        main.alike[s] = min(1.0, max(0.0, likeness))
    voices.leave(dsp, voice, frames)
    anchor(main, frame, position, main.speed)
    main.gain = 0.0
    main.slope = 1.0 / frames


@kernel
def copy_line(voice):
    """Put the playing head where the line is."""
    main = voice.head[0]
    line = voice.line
    anchor(main, line.anchor_frame, line.anchor_position, line.speed)
    main.curve = line.curve
    main.level = line.level
    main.level_slope = line.level_slope


@kernel
def move_along(dsp, voice, frame):
    """Put the playing head on a line that a hand, a brake or a start moves: without a stretch."""
    if voice.course == Course.STRETCHED:
        splice(dsp, voice, frame, place(voice.line, frame), np.float64(FADE), 1.0)
    copy_line(voice)
    voice.course = Course.ALONG
    voice.share = 0.0
    voice.seen_frame = frame


@kernel
def go_home(dsp, deck, voice, frame, frames):
    """Splice the playing head onto the line, which runs at its speed."""
    home = place(voice.line, frame)
    shift = np.int64(math.floor(home - place(voice.head[0], frame) + 0.5))
    _, likeness = find(dsp, deck, voice, frame, shift, shift)
    splice(dsp, voice, frame, home, frames, likeness)
    copy_line(voice)
    voice.course = Course.ALONG


@kernel
def first_position(dsp, voice, frame, speed):
    """Return where a head begins that runs at another speed than its line.

    That is where the line is; before an onset that comes so soon that no splice would have the
    time, it is where both meet there.
    """
    line = voice.line
    media = dsp.media[line.slot]
    position = place(line, frame)
    way = 1.0 if line.speed > 0.0 else -1.0
    ahead, _ = onsets_around(voice, media, way * position, way)
    due = (ahead - way * position) / abs(line.speed)
    guard_s = GUARD_S if way > 0.0 else REVERSED_GUARD_S
    if due < FADE + TICK + (guard_s + SHORTEST_FADE * FADE_S) * dsp.sample_rate:
        position = way * (ahead - abs(speed) * due)
    # Between two frames each sample would have to be weighed.
    return math.floor(position + 0.5) if speed == 1.0 else position


@kernel
def guide(dsp, deck, frame):
    """Bring the playing heads of a deck's voices up to date with their lines."""
    for v in range(VOICES):
        voice = dsp.channel[deck].voice[v]
        main = voice.head[0]
        line = voice.line
        set_slot(dsp, main, line.slot)
        if line.slot < 0 or (main.gain == 0.0 and main.slope <= 0.0):
            copy_line(voice)
            voice.course = Course.NEW
            continue
        if line.moving != 0:
            move_along(dsp, voice, frame)
            continue
        speed = speed_beside(dsp, deck, voice, frame)
        if voice.course == Course.NEW:
            copy_line(voice)
            voice.course = Course.ALONG
            if speed != line.speed:
                anchor(main, frame, first_position(dsp, voice, frame, speed), speed)
                voice.course = Course.STRETCHED
        elif voice.course == Course.ALONG:
            copy_line(voice)
            if speed != line.speed:
                anchor(main, frame, place(line, frame), speed)
                voice.course = Course.STRETCHED
        else:
            if speed != main.speed:
                anchor(main, frame, place(main, frame), speed)
            if frame % TICK == 0:
                is_turn = (frame // TICK + deck * VOICES + v) % SEARCH_TICKS == 0
                steer(dsp, deck, voice, frame, is_turn)
        if speed != line.speed:
            voice.apart_frame = frame


@kernel
def steer(dsp, deck, voice, frame, is_turn):
    """Splice a head that runs beside its line, if it is time; see the picture above.

    Positions are counted the way that the line runs, so that backwards is like forwards.
    """
    main = voice.head[0]
    line = voice.line
    media = dsp.media[main.slot]
    rate = dsp.sample_rate
    way = 1.0 if line.speed > 0.0 else -1.0
    fast = abs(line.speed)
    pace = abs(main.speed)
    home = way * place(line, frame)
    here = way * place(main, frame)
    drift = home - here
    is_as_fast = main.speed == line.speed
    if is_as_fast and drift == 0.0:
        copy_line(voice)
        voice.course = Course.ALONG
        return
    if abs(drift) > LOST_S * media.rate:
        splice(dsp, voice, frame, way * home, np.float64(FADE), 1.0)
        return
    if main.gain < 1.0:
        return
    fade = math.floor(FADE_S * rate)
    guard = math.floor((GUARD_S if way > 0.0 else REVERSED_GUARD_S) * rate)
    reach = REACH * decimation(media)
    low = home - reach
    high = home + reach
    ahead, behind = onsets_around(voice, media, home, way)
    if ahead < NEVER:
        due = (ahead - home) / fast
        room = min(due, (ahead - here) / pace) - guard
        if room <= 2.0 * fade + SEARCH_TICKS * TICK:
            if room <= fade + TICK and room >= SHORTEST_FADE * fade:
                frames = math.floor(min(room, fade))
                if is_as_fast:
                    go_home(dsp, deck, voice, frame, frames)
                else:
                    lock(dsp, deck, voice, frame, way * (ahead - pace * due), frames)
            return
        high = min(high, ahead - guard * fast - 2.0 * fade * max(pace, fast))
    if home - behind < SETTLED_S * media.rate and abs(drift) < reach:
        return
    low = max(low, behind + guard * pace)
    if not is_turn:
        return
    if is_as_fast:
        if frame - voice.apart_frame > PATIENCE_S * rate:
            go_home(dsp, deck, voice, frame, fade)
        return
    gains = 1.0 if fast > pace else -1.0  # the line on the head
    if gains * drift < 0.5 * reach:
        return
    if gains > 0.0:
        low = max(low, here + 0.25 * reach)
    else:
        high = min(high, here - 0.25 * reach)
    if high < low:
        return
    least = low - here if way > 0.0 else here - high
    most = high - here if way > 0.0 else here - low
    shift, likeness = find(
        dsp, deck, voice, frame, np.int64(math.ceil(least)), np.int64(math.floor(most))
    )
    if likeness > ALIKE or gains * drift > reach:
        position = way * here + shift
        if main.speed == 1.0:
            position = math.floor(position + 0.5)
        splice(dsp, voice, frame, position, fade, likeness)


@kernel
def lock(dsp, deck, voice, frame, position, frames):
    """Splice the playing head to a position from which it meets an onset with the line."""
    main = voice.head[0]
    here = place(main, frame)
    if main.speed == 1.0:
        position = math.floor(position + 0.5)
    if abs(position - here) < ON_SPOT:
        return
    shift = np.int64(math.floor(position - here + 0.5))
    _, likeness = find(dsp, deck, voice, frame, shift, shift)
    splice(dsp, voice, frame, position, frames, likeness)
