"""When things happen: to the frame, whatever the block size, and without drift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.desk import CONTROLS, Fader, Switch
from sfa_engine.desk.scale import NOT_SET
from sfa_engine.engine.command import Op, Reason, ReportKind, When
from sfa_engine.engine.layout import LATENCY, MAX_TIMED, REPORTS, TICK, VALUE_INDEX
from sfa_engine.engine.ring import Command
from sfa_engine.errors import EngineError
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
NOISE = (np.random.default_rng(3).standard_normal((6 * RATE, 2)) * 3000).astype(np.int16)
STEMS = {"vocals": NOISE // 2, "drums": NOISE[::-1].copy() // 2}
GRID = Grid((Anchor(0.0, 0.0),), 120.0)  # a beat is 24000 frames


def engine_with(tracks=1, *, block=256, grids=(GRID, GRID), start=True):
    engine = Offline(RATE, 2, block)
    for deck in range(tracks):
        engine.load(deck, STEMS, rate=RATE, grid=grids[deck])
    engine.render(TICK)
    engine.reported()
    if start:
        for deck in range(tracks):
            engine.push(Command(Op.PLAY, deck=deck, x=1.0))
    return engine


def position(engine, deck=0):
    """Return where a deck is, in track frames."""
    return float(engine.memory.value(f"deck{deck + 1}.position")) * RATE


def do(engine, op, **fields):
    """Do something now; return the kernel's answer to it."""
    ticket = engine.push(Command(op, **fields))
    engine.render(TICK)
    return next(report for report in engine.reported() if report.is_end and report.ticket == ticket)


# ---------------------------------------------------------------------- the same bytes

FADERS = [
    path
    for path, control in CONTROLS.items()
    if path in VALUE_INDEX
    and path.startswith(("deck1", "master.vol", "crossfader"))
    and isinstance(control, Fader | Switch)
    and not any(word in path for word in ("position", "play", "loop", "cue", "leader", "load"))
]
FRAMES = st.integers(0, 20_000)
APART = (Op.LOOP_ROLL, Op.STEM_LOOP, Op.STEM_ROLL, Op.STEM_SWAP_HOLD, Op.STEM_HAND_OVER)
PRESSES = (
    *(Op.HOTCUE_PRESS, Op.LOOP_BEATLOOP, Op.LOOP_HALVE, Op.CUE),
    *(Op.CENSOR, Op.BRAKE, Op.SPINBACK),
)
changes = st.tuples(st.sampled_from(FADERS), st.floats(0, 1), FRAMES).map(
    lambda c: Command(
        Op.SET,
        target=VALUE_INDEX[c[0]],
        x=CONTROLS[c[0]].scale.value(c[1]),
        when=When.FRAME,
        frame=c[2],
    )
)
verbs = st.one_of(
    st.tuples(st.just(Op.SEEK), st.floats(0, 6), FRAMES),
    st.tuples(st.just(Op.JUMP), st.integers(-4, 4).map(float), FRAMES),
    st.tuples(
        st.sampled_from(PRESSES),
        st.sampled_from([0.0, 1.0]),
        FRAMES,
    ),
    st.tuples(st.just(Op.PLAY), st.sampled_from([0.0, 1.0]), FRAMES),
    st.tuples(st.sampled_from(APART), st.sampled_from([0.0, 1.0]), FRAMES),
).map(lambda v: Command(v[0], x=v[1], when=When.FRAME, frame=v[2]))
musical = st.sampled_from([When.BEAT, When.BAR]).map(
    lambda when: Command(Op.HOTCUE_PRESS, target=1, x=1.0, when=when, clock=1)
)


@settings(max_examples=15)
@given(
    commands=st.lists(st.one_of(changes, verbs, musical), max_size=12),
    blocks=st.lists(st.integers(1, 1500), min_size=1, max_size=4),
)
@pytest.mark.slow
def test_the_same_commands_give_the_same_bytes_whatever_the_blocks(commands, blocks):
    def play(sizes):
        engine = engine_with(2)
        engine.set("deck1.stem.vocals.loop_length", 1 / 16)
        for command in commands:
            engine.push(command)
        pieces, done = [], 0
        while done < 24_000:
            size = min(sizes[len(pieces) % len(sizes)], 24_000 - done)
            engine.block = size
            pieces.append(engine.render(size))
            done += size
        return np.concatenate(pieces)

    assert np.array_equal(play([512]), play(blocks))


# ---------------------------------------------------------------------- the exact frame


@pytest.mark.parametrize("frame", [4096, 4097, 5003, 6111])
def test_a_command_changes_the_sound_at_its_frame_and_not_before(frame):
    still, changed = engine_with(), engine_with()
    ticket = changed.set("deck1.stem.drums.mute", 1.0, frame)
    before, after = still.render(8192), changed.render(8192)
    start = TICK  # rendered already
    first = int(np.flatnonzero((before != after).any(axis=1))[0])
    assert first + start == frame + LATENCY
    answer = next(r for r in changed.reported() if r.is_end and r.ticket == ticket)
    assert (answer.kind, answer.frame) == (ReportKind.APPLIED, frame)


@pytest.mark.parametrize(
    ("when", "clock", "due"), [(When.BEAT, 1, 24_000), (When.BAR, 1, 96_000), (When.BAR, 0, 96_000)]
)
def test_a_musical_moment_is_the_frame_of_its_beat(when, clock, due):
    engine = engine_with()
    engine.render(10 * TICK)
    engine.reported()
    began = TICK if clock else 0  # the deck started then; the session's clock at 0
    ticket = engine.push(
        Command(Op.SET, target=VALUE_INDEX["master.volume"], x=-6.0, when=when, clock=clock)
    )
    engine.render(110_000)
    answer = next(r for r in engine.reported() if r.is_end and r.ticket == ticket)
    assert answer.frame == began + due


def test_a_moment_of_a_deck_that_stands_still_is_now():
    engine = engine_with(start=False)
    ticket = engine.push(
        Command(Op.SET, target=VALUE_INDEX["master.volume"], x=-6.0, when=When.BAR, clock=1)
    )
    engine.render(TICK)
    assert ticket in {r.ticket for r in engine.reported()}


def test_commands_of_one_moment_are_done_in_the_order_they_came():
    engine = engine_with()
    for value in (-3.0, -9.0, -6.0):
        engine.set("master.volume", value, 5000)
    engine.render(8192)
    assert engine.memory.value("master.volume") == -6.0


# ---------------------------------------------------------------------- positions


@pytest.mark.parametrize("rate", [1.0, 0.973, 1.0601])
def test_a_position_is_its_anchor_and_the_time_since(rate):
    engine = Offline(RATE, 2, 4096)
    engine.load(0, {"mix": np.zeros((150 * RATE, 2), np.int16)}, rate=RATE)
    engine.set("deck1.rate", rate)
    engine.render(RATE // 10)  # the glide of the rate
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    frames = 100 * RATE
    engine.render(frames)
    assert position(engine) == pytest.approx(frames * rate, abs=1e-3)


def test_two_decks_that_sync_stay_in_phase():
    grids = (Grid((Anchor(0.0, 0.0),), 124.0), Grid((Anchor(1234.5, 0.0),), 128.0))
    engine = Offline(RATE, 2, 8192)
    quiet = {"mix": np.zeros((700 * RATE, 2), np.int16)}
    for deck in range(2):
        engine.load(deck, quiet, rate=RATE, grid=grids[deck])
    engine.render(TICK)
    engine.push(Command(Op.LEADER, deck=0, x=1.0))
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.render(12_345)
    engine.push(Command(Op.SYNC, deck=1, x=2.0))
    engine.push(Command(Op.PLAY, deck=1, x=1.0))
    engine.render(RATE)
    assert engine.memory.reading("deck2.tempo") == pytest.approx(124.0, abs=1e-9)
    for _ in range(10):
        engine.render(60 * RATE)
        error_s = engine.memory.reading("deck2.phase_error") * 60 / 124
        assert abs(error_s) < 1.0 / RATE
    engine.set("deck1.rate", 1.05)
    engine.render(RATE)
    assert engine.memory.reading("deck2.tempo") == pytest.approx(124.0 * 1.05, rel=1e-9)


@pytest.mark.parametrize(("own", "lead", "expected"), [(70.0, 140.0, 70.0), (174.0, 88.0, 176.0)])
def test_half_and_double_tempo_are_followed_as_such(own, lead, expected):
    grids = (Grid((Anchor(0.0, 0.0),), lead), Grid((Anchor(0.0, 0.0),), own))
    engine = engine_with(2, grids=grids)
    engine.push(Command(Op.LEADER, deck=0, x=1.0))
    do(engine, Op.SYNC, deck=1, x=1.0)
    engine.render(4096)
    assert engine.memory.reading("deck2.tempo") == pytest.approx(expected)


def test_a_grid_with_several_tempi_is_followed():
    step = Grid((Anchor(0.0, 0.0), Anchor(2.0 * RATE, 4.0)), 60.0)
    engine = engine_with(grids=(step, GRID))
    engine.render(RATE)
    assert engine.memory.reading("deck1.tempo") == pytest.approx(120.0)
    engine.render(2 * RATE)
    assert engine.memory.reading("deck1.tempo") == pytest.approx(60.0)
    assert engine.memory.reading("deck1.beat") == pytest.approx(5.0, abs=0.01)


# ---------------------------------------------------------------------- cues and loops


def test_a_hot_cue_is_stored_jumped_to_and_forgotten():
    engine = engine_with()
    engine.render(10_000)
    do(engine, Op.HOTCUE_PRESS, target=2, x=1.0)
    stored = engine.memory.value("deck1.hotcue3.position")
    assert stored * RATE == pytest.approx(10_000, abs=TICK)
    engine.render(30_000)
    do(engine, Op.HOTCUE_PRESS, target=2, x=1.0)
    assert position(engine) == pytest.approx(stored * RATE + TICK, abs=1)
    do(engine, Op.HOTCUE_CLEAR, target=2)
    assert engine.memory.value("deck1.hotcue3.position") == NOT_SET


def test_quantise_puts_cues_on_the_nearest_beat():
    engine = engine_with()
    engine.set("deck1.quantise", 1.0)
    engine.render(22_000)
    do(engine, Op.HOTCUE_STORE, target=0)
    assert engine.memory.value("deck1.hotcue1.position") * RATE == pytest.approx(24_000)


def test_the_cue_button_is_a_cd_players():
    engine = engine_with(start=False)
    do(engine, Op.SEEK, x=1.0)
    do(engine, Op.CUE, x=1.0)  # paused elsewhere: stores
    assert engine.memory.value("deck1.cue_point") == pytest.approx(1.0)
    do(engine, Op.CUE, x=0.0)
    do(engine, Op.CUE, x=1.0)  # held at the point: plays
    engine.render(4800)
    assert position(engine) > RATE + 4000
    do(engine, Op.CUE, x=0.0)  # let go: back, and paused
    assert position(engine) == pytest.approx(RATE)
    do(engine, Op.CUE, x=1.0)
    do(engine, Op.PLAY, x=1.0)  # play while it is held latches
    do(engine, Op.CUE, x=0.0)
    engine.render(4800)
    assert position(engine) > RATE + 4800
    do(engine, Op.CUE, x=1.0)  # playing: back, and paused
    assert position(engine) == pytest.approx(RATE)
    assert engine.memory.value("deck1.play") == 0.0


def test_a_loop_goes_round_at_its_frame_for_ever():
    engine = engine_with()
    engine.set("deck1.quantise", 1.0)
    engine.set("deck1.loop.length", 1.0)
    engine.render(23_000)
    do(engine, Op.LOOP_BEATLOOP)
    assert engine.memory.value("deck1.loop.start") * RATE == pytest.approx(24_000)
    assert engine.memory.value("deck1.loop.end") * RATE == pytest.approx(48_000)
    engine.render(24_000 * 20)
    wraps = [r for r in engine.reported() if r.kind is ReportKind.WRAPPED]
    assert len(wraps) >= 19
    assert set(np.diff([r.frame for r in wraps])) == {24_000}
    assert 24_000 <= position(engine) < 48_000


def test_a_loop_over_periodic_sound_has_no_seam():
    period = stereo_sine(100)
    engine = Offline(RATE, 2, 256)
    engine.load(0, {"mix": period}, rate=RATE, grid=GRID)
    engine.render(TICK)
    engine.set("deck1.loop.length", 1.0)
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.render(960)
    engine.push(Command(Op.LOOP_BEATLOOP, deck=0))
    out = engine.render(4 * RATE)[LATENCY + 200 :, 0]
    assert np.abs(np.diff(out)).max() < 0.5 * 2 * np.pi * 100 / RATE * 1.01


def stereo_sine(hertz):
    mono = 0.5 * np.sin(2 * np.pi * hertz * np.arange(6 * RATE) / RATE)
    return np.stack([mono, mono], axis=1).astype(np.float32)


def test_a_loop_is_halved_doubled_moved_and_left():
    engine = engine_with()
    engine.set("deck1.loop.length", 4.0)
    engine.render(TICK)
    do(engine, Op.LOOP_BEATLOOP)
    length = engine.memory.value("deck1.loop.end") - engine.memory.value("deck1.loop.start")
    do(engine, Op.LOOP_HALVE)
    halved = engine.memory.value("deck1.loop.end") - engine.memory.value("deck1.loop.start")
    assert halved == pytest.approx(length / 2)
    do(engine, Op.LOOP_DOUBLE)
    start = engine.memory.value("deck1.loop.start")
    do(engine, Op.LOOP_MOVE, x=2.0)
    assert engine.memory.value("deck1.loop.start") - start == pytest.approx(1.0)
    do(engine, Op.LOOP_BEATLOOP)
    assert engine.memory.value("deck1.loop.active") == 0.0
    engine.render(5 * RATE)
    assert position(engine) > engine.memory.value("deck1.loop.end") * RATE


def test_a_track_ends_where_it_ends_and_says_so():
    engine = engine_with()
    engine.render(len(NOISE) + 5000)
    ended = next(r for r in engine.reported() if r.kind is ReportKind.ENDED)
    assert ended.frame == TICK + len(NOISE)
    assert engine.memory.value("deck1.play") == 0.0


def test_backwards_it_stops_at_the_start():
    engine = engine_with()
    do(engine, Op.SEEK, x=0.5)
    engine.set("deck1.reverse", 1.0)
    engine.render(RATE)
    assert engine.memory.value("deck1.play") == 0.0
    assert position(engine) == pytest.approx(0.0, abs=1.0)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("op", "reason"),
    [(Op.PLAY, Reason.NO_TRACK), (Op.CUE, Reason.NO_TRACK), (Op.LOOP_BEATLOOP, Reason.NO_TRACK)],
)
def test_an_empty_deck_refuses_with_its_reason(op, reason):
    answer = do(Offline(RATE), op, x=1.0)
    assert (answer.kind, answer.reason) == (ReportKind.REFUSED, reason)


def test_without_a_grid_beats_are_refused():
    engine = engine_with(grids=(None, None))
    assert do(engine, Op.JUMP, x=4.0).reason == Reason.NO_GRID
    assert do(engine, Op.LOOP_BEATLOOP).reason == Reason.NO_GRID


def test_a_loop_that_was_never_set_is_refused():
    assert do(engine_with(), Op.LOOP_ACTIVE, x=1.0).reason == Reason.NOT_SET


@pytest.mark.parametrize(
    ("op", "fields"), [(99, {}), (Op.SET, {"target": 9999}), (Op.PLAY, {"deck": 7})]
)
def test_a_command_that_makes_no_sense_is_refused_and_harms_nothing(op, fields):
    engine = engine_with()
    assert do(engine, op, **fields).kind is ReportKind.REFUSED
    assert np.isfinite(engine.render(4096)).all()


def test_more_commands_than_can_wait_are_refused_one_by_one():
    engine = engine_with()
    for k in range(MAX_TIMED + 10):
        engine.set("master.volume", -1.0, 1 << 40)
        if k % 100 == 99:
            engine.render(TICK)
    engine.render(TICK)
    refused = [r for r in engine.reported() if r.kind is ReportKind.REFUSED]
    assert len(refused) == 10
    assert {r.reason for r in refused} == {Reason.FULL}


def test_a_full_ring_says_so_instead_of_waiting():
    engine = engine_with()

    def set_often():
        for _ in range(2000):
            engine.set("master.volume", -1.0)

    with pytest.raises(EngineError, match="full"):
        set_often()


def test_reports_that_nobody_fetches_are_counted_and_the_music_plays_on():
    engine = engine_with()
    engine.reported()
    for _ in range(REPORTS // 100 + 5):
        for _ in range(100):
            engine.set("master.volume", -1.0)
        engine.render(TICK)
    assert engine.memory.engine["reports_lost"] > 0
    assert np.abs(engine.render(4096)).max() > 0.01


# ---------------------------------------------------------------------- media


def test_what_is_not_in_memory_yet_is_silent_and_counted():
    engine = engine_with()
    slot = int(engine.memory.engine["transport"][0]["head"]["slot"])
    engine.loader._set_ready(slot, 0, 10_000)
    out = engine.render(20_000)
    assert not out[12_000:].any()
    assert engine.memory.reading("deck1.underruns") > 5000


def test_fifty_tracks_in_turn_leave_no_slot_behind():
    engine = engine_with()
    for _ in range(50):
        engine.load(0, STEMS, rate=RATE, grid=GRID)
        engine.push(Command(Op.PLAY, deck=0, x=1.0))
        assert np.isfinite(engine.render(640)).all()
    engine.loader.free()
    assert len(engine.loader._mounted) <= 2


def test_no_deck_is_sent_beyond_the_end_of_its_track():
    engine = engine_with(start=False)
    assert do(engine, Op.SEEK, x=5000.0).x == 6.0  # what was done is told, not what was asked
    assert position(engine) == 6 * RATE
    do(engine, Op.SEEK, x=3.0)
    do(engine, Op.JUMP, x=200.0)
    assert position(engine) == 6 * RATE
    do(engine, Op.SEEK, x=-1.0)  # a deck may stand before the first frame
    assert position(engine) == -RATE
