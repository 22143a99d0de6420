"""A block: ticks are rendered on the global raster and handed to the device as it asks."""

from __future__ import annotations

import math

import numpy as np

from sfa_engine.engine.command import Reason, ReportKind
from sfa_engine.engine.layout import (
    BINS,
    BLOCKS,
    DECK_STRIDE,
    DECKS,
    LATENCY,
    MOVED_FRAMES,
    OUTPUTS,
    STRIPS,
    TICK,
)
from sfa_engine.host.kernel import (
    clock,
    cue,
    grid,
    ladder,
    mixer,
    motion,
    sampler,
    scheduler,
    slip,
    stem_line,
    sync,
    tap,
    transport,
    vu,
)
from sfa_engine.host.kernel.glide import advance, settle
from sfa_engine.host.kernel.intrinsics import gettid, kernel, now_ns, store_release, wake
from sfa_engine.host.kernel.lead import CLOCK, downbeat, running_beat, session_beat
from sfa_engine.host.kernel.lead import tempo as tempo_of
from sfa_engine.host.kernel.reports import changed, event, note, starved
from sfa_engine.host.kernel.waiting import frames_to_next

F = np.float32
CHUNK = 1024  # frames: PortAudio hands JACK's longer blocks on in calls of so many
SAME_MISS_NS = 100_000_000  # JACK tells of a miss in a message that comes after the block
SLOWEST = 1.02  # lengths between two blocks: no device of the right rate is slower than that
MISSED = 0.9  # lengths that a block is late which follows a lost one


@kernel
def begin(engine, dsp, started_ns):
    """Take over at the first block of a host: settle the controls, find the thread."""
    settle(engine, dsp)
    before = np.float64(engine.frame)
    dsp.output_left = 0
    dsp.cycle = 0
    dsp.chunk = 0
    engine.thread = gettid()
    if engine.resuming != 0:
        # Where we would be by now: the frames that the other host did not play are skipped.
        last = engine.snapshots[engine.serial & 1]
        gone = np.int64((started_ns - last.monotonic_ns) * dsp.sample_rate / 1e9)
        frame = max(engine.emitted, last.frame + gone)
        engine.frame = (frame + TICK - 1) // TICK * TICK
        engine.emitted = engine.frame
        engine.resuming = 0
    for d in range(DECKS):
        engine.transport[d].steered_frame = engine.frame
        motion.resume(engine, np.int64(d), engine.frame)
    clock.steer(engine, dsp, engine.frame)
    for d in range(DECKS):
        mixer.settle_sides(engine, dsp, np.int64(d))
    engine.fresh = 0
    tap.skip(engine, dsp)
    note(engine, ReportKind.BEGUN, dsp.command, 0, engine.frame, Reason.NONE, -1, before)


@kernel
def report_moved(engine, dsp, frame):
    """Report the rates and the tempo that moved because a deck was followed, and starved decks."""
    for d in range(DECKS):
        machine = engine.transport[d]
        if machine.underruns != dsp.starved[d]:
            if machine.underruns > dsp.starved[d]:
                lacking = np.float64(machine.underruns - dsp.starved[d])
                starved(engine, dsp, d, frame, lacking)
            dsp.starved[d] = machine.underruns
        if machine.rate_moved != 0:
            machine.rate_moved = 0
            changed(engine, dsp, sync.AT_RATE + d * DECK_STRIDE, frame)
    if engine.clock_moved != 0:
        engine.clock_moved = 0
        changed(engine, dsp, clock.AT_TEMPO, frame)


@kernel
def tick(engine, dsp):
    """Render the next 32 frames, cut wherever something happens."""
    ladder.ask(engine, dsp)
    scheduler.drain(engine)
    done = np.int64(0)
    while done < TICK:
        frame = engine.frame
        for d in range(DECKS):
            slip.note(engine, np.int64(d))
        scheduler.run_due(engine, dsp, frame)
        sampler.run_due(engine, dsp, frame)
        if done == 0:
            scheduler.mark_done(engine)
        frames = TICK - done
        for d in range(DECKS):
            # Before the speed may change: how far a loop was run over is known by the old one.
            if transport.frames_to_event(engine, dsp, np.int64(d), frame) <= 0:
                transport.happen(engine, dsp, np.int64(d), frame)
        for d in range(DECKS):
            if done == 0:
                motion.advance(engine, dsp, np.int64(d), frame)
            slip.update(engine, dsp, np.int64(d), frame)
        for d in range(DECKS):
            sync.steer(engine, dsp, np.int64(d), frame)
            left = transport.frames_to_event(engine, dsp, np.int64(d), frame)
            frames = min(frames, max(np.int64(1), left))
            frames = min(frames, stem_line.frames_to_knot(engine, dsp, np.int64(d), frame))
            left = sync.frames_to_bar(engine, dsp, np.int64(d), frame)
            frames = min(frames, max(np.int64(1), left))
        clock.steer(engine, dsp, frame)
        frames = min(frames, max(np.int64(1), frames_to_next(engine, dsp, frame)))
        frames = min(frames, max(np.int64(1), sampler.frames_to_next(engine, dsp, frame)))
        advance(dsp, frames)
        mixer.mix(engine, dsp, done, frames, frame)
        engine.frame = frame + frames
        done += frames
    tap.publish(engine, dsp)
    if engine.frame % MOVED_FRAMES == 0:
        report_moved(engine, dsp, engine.frame)


@kernel
def publish_phase(engine, dsp, deck, beat, tempo, frame, reading):
    """Write how far a deck lags behind what it follows, or could, in its own beats."""
    reading.phase_error = 0.0
    reading.bar_error = 0.0
    lead = sync.leader_of(engine, dsp, deck)
    if lead < 0:
        lead = sync.longest_playing(engine, dsp, deck)
        if lead < 0:
            return
    if lead == CLOCK:
        lead_beat = session_beat(engine, frame)
    else:
        lead_beat, _ = transport.paced_beat(engine, dsp, lead, frame)
    multiple = engine.transport[deck].multiple
    if engine.transport[deck].following == 0:
        multiple = sync.fold(tempo_of(engine, dsp, lead, frame) / abs(tempo))
    reading.phase_error = sync.phase_error(lead_beat * multiple, beat)
    bar = sync.common_bar(engine, dsp, deck, lead, multiple)
    if bar != 1.0:
        counted = (running_beat(engine, dsp, lead, frame) - downbeat(engine, lead)) * multiple
        late = math.floor(sync.bar_error(counted, beat, bar) + 0.5)
        reading.bar_error = np.float64(-late if late == bar / 2.0 else late)


@kernel
def needle_at(media, position):
    """Return a place as a share of the track, in percent."""
    return min(100.0, max(0.0, 100.0 * position / max(1, media.frames)))


@kernel
def publish(engine, dsp, started_ns, first_frame):
    """Write the readings into the older of the two snapshots, then name it the newest."""
    serial = engine.serial + 1
    snapshot = engine.snapshots[serial & 1]
    snapshot.frame = first_frame
    snapshot.monotonic_ns = started_ns
    values = snapshot.values
    frame = engine.frame
    for d in range(DECKS):
        reading = values.deck[d]
        machine = engine.transport[d]
        channel = dsp.channel[d]
        main = machine.head
        reading.level = channel.peak
        reading.rms = math.sqrt(channel.power)
        reading.vu = vu.reading(channel.vu)
        reading.underruns = np.float64(machine.underruns)
        for s in range(STRIPS):
            reading.stem[s].level = channel.strip[s].peak
            reading.stem[s].rms = math.sqrt(channel.strip[s].power)
        position = transport.position_now(engine, np.int64(d), frame)
        cue.light(engine, dsp, np.int64(d), frame, reading)
        reading.slipping = np.float64(machine.slip.reasons != 0)
        if main.slot < 0:
            engine.values.deck[d].needle = 0.0
            reading.loaded = 0.0
            reading.ready = 0.0
            reading.duration = 0.0
            reading.tempo = 0.0
            reading.beat = 0.0
            reading.phase_error = 0.0
            reading.bar_error = 0.0
            continue
        media = dsp.media[main.slot]
        engine.values.deck[d].position = position / media.rate
        engine.values.deck[d].needle = needle_at(media, position)
        reading.loaded = 1.0
        reading.duration = media.frames / media.rate
        reading.ready = 100.0 * (media.ready_end - media.ready_start) / max(1, media.frames)
        if not grid.has_grid(media):
            reading.tempo = 0.0
            reading.beat = 0.0
            reading.phase_error = 0.0
            reading.bar_error = 0.0
            continue
        beat, length = transport.beat_of(engine, dsp, np.int64(d), frame)
        reading.beat = beat
        if machine.slip.reasons != 0:
            beat, _ = transport.paced_beat(engine, dsp, np.int64(d), frame)
        speed = main.speed
        if machine.playing == 0:
            speed = transport.speed_of(engine, dsp, np.int64(d))
        reading.tempo = abs(speed) * dsp.sample_rate / length * 60.0
        tempo = transport.paced_speed(engine, d) if machine.slip.reasons != 0 else speed
        tempo /= length
        publish_phase(engine, dsp, np.int64(d), beat, tempo, frame, reading)
    values.clock.beat = session_beat(engine, frame)
    values.clock.current = engine.clock_speed * dsp.sample_rate * 60.0
    clock.publish(engine, dsp, snapshot, frame)
    sampler.publish(dsp, values)
    values.master.level = dsp.master_peak
    values.master.rms = math.sqrt(dsp.master_power)
    values.master.vu = vu.reading(dsp.master_vu)
    values.master.limiter.reduction = 20.0 * math.log10(max(1e-3, dsp.limiter_least))
    dsp.limiter_least += (1.0 - dsp.limiter_least) * 0.02
    values.engine.load = dsp.load_mean
    values.engine.worst = dsp.load_worst
    values.engine.ladder = np.float64(engine.ladder)
    values.engine.late = np.float64(engine.late)
    values.engine.device_misses = np.float64(engine.device_misses)
    values.engine.reports_lost = np.float64(engine.reports_lost)
    latency = (engine.block + LATENCY) / dsp.sample_rate + engine.device_latency
    values.engine.latency = latency * 1000.0
    store_release(engine.serial_address, serial)


@kernel
def arrive(engine, dsp, started_ns, frames, flags):
    """Note that a block begins: how long the device's own are, and whether one was missed.

    A device of a graph (JACK, PipeWire) goes on without a client that is late. JACK tells of it
    afterwards, in `flags`; PipeWire never does. So a block that begins nearly a length behind the
    pace of the earliest ones counts as a miss, and what JACK then tells is the same one. The gap
    to the last block alone would not tell a lost one from two that jitter apart.
    """
    gap_ns = started_ns - engine.monotonic_ns
    engine.monotonic_ns = started_ns
    length_ns = 1e9 / dsp.sample_rate
    if dsp.in_graph != 0 and dsp.chunk == CHUNK and gap_ns < 0.25 * CHUNK * length_ns:
        dsp.cycle += frames
        dsp.chunk = frames
        dsp.lag_ns += gap_ns
        return
    longest_ns = max(dsp.cycle, frames) * length_ns
    dsp.lag_ns = max(0.0, dsp.lag_ns + gap_ns - SLOWEST * longest_ns)
    skipped = dsp.in_graph != 0 and dsp.cycle > 0 and dsp.lag_ns > MISSED * longest_ns
    if skipped or dsp.cycle == 0 or frames not in (dsp.cycle, CHUNK):
        dsp.lag_ns = 0.0  # of blocks before a gap, or of another length
    told = flags & 4 != 0 and started_ns - dsp.skipped_ns > SAME_MISS_NS
    if skipped:
        dsp.skipped_ns = started_ns
    if skipped or told:
        engine.device_misses += 1
    engine.block = max(dsp.cycle, frames) if frames == CHUNK else frames
    dsp.cycle = frames
    dsp.chunk = frames


@kernel
def account(engine, dsp, started_ns, frames, first_frame):
    """Note what the block cost."""
    cost = now_ns(dsp.timespec) - started_ns
    due = frames / dsp.sample_rate * 1e9
    share = cost / due
    at = engine.blocks % BLOCKS
    engine.block_start_ns[at] = started_ns
    engine.block_cost_ns[at] = cost
    engine.block_frame[at] = first_frame
    engine.spent_ns += cost
    engine.worst_ns = max(engine.worst_ns, cost)
    bin_ = np.int64((math.log2(max(share, 1e-6)) + 12.0) * 4.0)
    engine.histogram[min(BINS - 1, max(np.int64(0), bin_))] += 1
    dsp.load_mean += (100.0 * share - dsp.load_mean) * min(1.0, due / 1e9)
    dsp.load_worst = max(100.0 * share, dsp.load_worst * (1.0 - min(1.0, due / 1e9)))
    if share > 1.0:
        engine.late += 1
        event(engine, dsp, ReportKind.LATE, 0, first_frame, share)
    engine.blocks += 1
    ladder.judge(engine, dsp, share, due / 1e9)


@kernel
def process(engine, dsp, out, frames, flags):
    """Fill a device's block.

    Parameters
    ----------
    out : float32[frames * channels]
        Interleaved.
    flags : int64
        PortAudio's: 4 says that output was missed since the last block.
    """
    started_ns = now_ns(dsp.timespec)
    reported = engine.report_head
    if engine.fresh != 0:
        begin(engine, dsp, started_ns)
    arrive(engine, dsp, started_ns, frames, flags)
    first_frame = engine.emitted
    channels = dsp.out_channels
    heard = min(channels, np.int64(OUTPUTS))
    done = np.int64(0)
    while done < frames:
        if dsp.output_left == 0:
            tick(engine, dsp)
            dsp.output_left = TICK
        count = min(frames - done, dsp.output_left)
        at = TICK - dsp.output_left
        for c in range(heard):
            row = dsp.output[c]
            for i in range(count):
                out[(done + i) * channels + c] = row[at + i]
        for c in range(heard, channels):
            for i in range(count):
                out[(done + i) * channels + c] = F(0)
        dsp.output_left -= count
        done += count
    engine.emitted = first_frame + frames
    publish(engine, dsp, started_ns, first_frame)
    account(engine, dsp, started_ns, frames, first_frame)
    if engine.report_head != reported and dsp.wake_fd >= 0:
        wake(dsp.wake_fd, dsp.wake_word)
