"""Stems that go their own way: in loops of their own, and on other decks."""

import math

import numpy as np
import pytest

from sfa_engine.desk.deck import STEMS
from sfa_engine.engine.command import Handover, Op, Reason
from sfa_engine.engine.layout import DECKS, FADE, LATENCY, NO_SOURCE, TICK, VALUE_INDEX
from sfa_engine.engine.ring import Command
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.loader import Loader
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
LENGTH_S = 12
VOCALS, DRUMS = STEMS.index("vocals"), STEMS.index("drums")
GRID = Grid((Anchor(0.0, 0.0),), 120.0)  # a beat is 24000 frames
STEPS = Grid((Anchor(0.0, 0.0), Anchor(48_000.0, 2.0)), 150.0)  # 120 BPM for two beats, then 150


def noise(seed, seconds=LENGTH_S, rate=RATE):
    rng = np.random.default_rng(seed)
    return rng.integers(-4000, 4000, (seconds * rate, 2), dtype=np.int16)


TRACKS = [{name: noise(10 * deck + n) for n, name in enumerate(STEMS[:3])} for deck in range(2)]


def engine_with(grids=(GRID,), *, tracks=TRACKS, play=True, block=256, **settings):
    engine = Offline(RATE, 2, block)
    for name, value in settings.items():
        engine.set(name.replace("__", "."), value)
    engine.render(TICK)
    for deck, grid in enumerate(grids):
        engine.load(deck, tracks[deck], rate=RATE, grid=grid)
    engine.render(TICK)
    for deck in range(len(grids)):
        engine.push(Command(Op.PLAY, deck=deck, x=float(play)))
    engine.reported()
    return engine


def do(engine, op, x=0.0, *, deck=0, target=VOCALS, frames=TICK):
    """Do something now; return what is heard, why it was refused, if it was, is asserted away."""
    reason, heard = ask(engine, op, x, deck=deck, target=target, frames=frames)
    assert reason is Reason.NONE
    return heard


def ask(engine, op, x=0.0, *, deck=0, target=VOCALS, frames=TICK):
    engine.reported()
    ticket = engine.push(Command(op, deck=deck, target=target, x=x))
    heard = engine.render(frames)
    end = next(r for r in engine.reported() if r.is_end and r.ticket == ticket)
    return Reason(end.reason), heard


def place_of(engine, deck=0):
    """Return where the deck's timeline is, in track frames."""
    line = engine.memory.engine["transport"][deck]["head"]
    gone = int(engine.memory.engine["frame"]) - int(line["anchor_frame"])
    return float(line["anchor_position"]) + gone * float(line["speed"])


def own_head(engine, deck=0, stem=VOCALS):
    return engine.dsp.record["channel"][deck]["voice"][1 + stem]["head"][0]


def own_place(engine, deck=0, stem=VOCALS):
    """Return where a stem's own voice is, in frames of its track; None without one."""
    head = own_head(engine, deck, stem)
    if head["slot"] < 0:
        return None
    gone = int(engine.memory.engine["frame"]) - int(head["anchor_frame"])
    return float(head["anchor_position"]) + gone * float(head["speed"])


def beat_at(grid, place, frames=LENGTH_S * RATE):
    beats = grid.beats(frames, RATE)
    k = int(np.clip(np.searchsorted(beats, place, "right") - 1, 0, len(beats) - 2))
    return grid.first_beat(frames, RATE) + k + (place - beats[k]) / (beats[k + 1] - beats[k])


def place_at(grid, beat, frames=LENGTH_S * RATE):
    beats = grid.beats(frames, RATE)
    index = beat - grid.first_beat(frames, RATE)
    k = int(np.clip(math.floor(index), 0, len(beats) - 2))
    return beats[k] + (index - k) * (beats[k + 1] - beats[k])


def expected(places, *stems):
    """Return the sum of stems, each read from its own place, as it leaves the engine."""
    total = np.zeros((len(places[0]), 2))
    for place, pcm in zip(places, stems, strict=True):
        total += pcm[place].astype(np.float64) / 32768
    return total.astype(np.float32)


# ---------------------------------------------------------------------- loops of stems


@pytest.mark.parametrize("op", [Op.STEM_LOOP, Op.STEM_ROLL])
def test_one_stem_loops_while_the_others_go_on_and_comes_back_to_the_sample(op):
    engine = engine_with(deck1__stem__vocals__loop_length=0.25)
    length = 6000
    engine.render(18_016)
    start = round(place_of(engine))
    first = do(engine, op, 1.0, frames=4 * length)
    away = (place_of(engine) - own_place(engine)) % length
    assert min(away, length - away) < 1e-6
    back = do(engine, op, 0.0, frames=4 * length)
    out = np.concatenate([first, back])[LATENCY:]
    there = start + np.arange(len(out))
    looped = start + (there - start) % length
    vocals = np.where(np.arange(len(out)) < 4 * length, looped, there)
    want = expected([vocals, there, there], *TRACKS[0].values())
    off = np.abs(out - want).max(axis=1)
    # Each seam and the return fade for 2 ms; everything else is the very samples.
    seams = np.zeros(len(out), bool)
    for seam in (*range(length, 4 * length + 1, length),):
        seams[seam : seam + FADE] = True
    assert off[~seams].max() < 1e-6
    assert off[seams].max() > 0.01, "the seams did not fade"
    assert own_place(engine) is None


def test_a_loop_of_a_stem_is_exact_over_a_thousand_repeats():
    engine = engine_with((GRID,), tracks=[{"vocals": noise(5, 66)}], block=4096)
    engine.set("deck1.stem.vocals.loop_length", 1 / 8)
    engine.render(4096)
    start = place_of(engine)
    do(engine, Op.STEM_LOOP, 1.0)
    engine.render(3000 - TICK)
    second = engine.render(3000)
    engine.render(3000 * 998)
    last = engine.render(3000)
    assert np.array_equal(second, last)
    gone = place_of(engine) - start
    assert gone == pytest.approx(3000 * 1001, abs=TICK)
    assert own_place(engine) == start + gone % 3000


@pytest.mark.parametrize("rate", [1.0, 1.07, 0.63])
@pytest.mark.parametrize("reverse", [0.0, 1.0])
def test_a_stem_in_its_loop_has_the_beat_of_its_deck_where_the_tempo_changes(rate, reverse):
    engine = engine_with((STEPS,), deck1__rate=rate, deck1__reverse=reverse)
    engine.set("deck1.stem.vocals.loop_length", 1.5)
    engine.push(Command(Op.SEEK, x=1.7 if not reverse else 5.3))
    engine.render(TICK)
    at = beat_at(STEPS, place_of(engine))
    do(engine, Op.STEM_LOOP, 1.0)
    low = at - (1.5 if reverse else 0.0)
    for _ in range(250):
        engine.render(7 * TICK)
        beat = beat_at(STEPS, place_of(engine))
        folded = low + (beat - low) % 1.5
        heard = beat_at(STEPS, own_place(engine))
        # At the very edge it may be on either side.
        away = abs(heard - folded)
        assert min(away, abs(away - 1.5)) < 2e-3, (beat, heard, folded)


def test_a_stem_in_its_loop_follows_jumps_and_loops_of_its_deck():
    engine = engine_with(deck1__quantise=1.0, deck1__stem__vocals__loop_length=1.0)
    engine.render(24_000)
    do(engine, Op.STEM_LOOP, 1.0)
    start = float(engine.memory.engine["transport"][0]["stem"][VOCALS]["loop_start"][0])
    assert start == 1.0
    for op, x in ((Op.JUMP, 4.0), (Op.JUMP, -3.0), (Op.SEEK, 2.21), (Op.LOOP_BEATLOOP, 0.0)):
        do(engine, op, x, target=0, frames=3200)
        beat = beat_at(GRID, place_of(engine))
        if beat >= 1.0 or beat < 0.5:
            assert own_place(engine) == pytest.approx(24_000 * (start + (beat - start) % 1.0))
    engine.render(5 * RATE)  # the deck goes round its own loop
    beat = beat_at(GRID, place_of(engine))
    assert own_place(engine) == pytest.approx(24_000 * (start + (beat - start) % 1.0))
    do(engine, Op.STEM_LOOP, 0.0)
    assert own_place(engine) is None


def test_a_quantised_loop_that_is_pressed_early_begins_on_the_beat():
    engine = engine_with(deck1__quantise=1.0, deck1__stem__vocals__loop_length=2.0)
    engine.render(43_200)  # 0.2 beats before beat 2
    do(engine, Op.STEM_LOOP, 1.0)
    assert own_place(engine) == place_of(engine)
    engine.render(48_000)
    assert own_place(engine) == place_of(engine)
    engine.render(12_000)
    assert own_place(engine) == place_of(engine) - 48_000


def test_a_roll_over_a_loop_gives_the_loop_back():
    engine = engine_with(deck1__stem__vocals__loop_length=1.0)
    engine.render(24_000)
    start = place_of(engine)
    do(engine, Op.STEM_LOOP, 1.0)
    engine.render(10_016)
    do(engine, Op.STEM_ROLL, 1.0, frames=30_016)
    do(engine, Op.STEM_ROLL, 0.0)
    assert own_place(engine) == start + (place_of(engine) - start) % 24_000


def test_the_length_of_a_loop_that_plays_can_be_changed_and_never_leaves_the_track():
    engine = engine_with(deck1__stem__vocals__loop_length=8.0)
    engine.push(Command(Op.SEEK, x=11.0))
    engine.render(TICK)
    do(engine, Op.STEM_LOOP, 1.0)
    for length in (8.0, 16.0, 64.0, 1.0, 1 / 32):
        engine.set("deck1.stem.vocals.loop_length", length)
        engine.render(TICK)
        place = own_place(engine)
        beats = length
        while beats * 24_000 < 256:
            beats *= 2
        assert (place - place_of(engine)) % 24_000 == pytest.approx(0.0, abs=1e-6) or beats < 1
        assert place <= LENGTH_S * RATE


@pytest.mark.parametrize(
    ("grid", "length", "reason"),
    [(None, 1.0, Reason.NO_GRID), (GRID, 64.0, Reason.OUTSIDE)],
)
@pytest.mark.parametrize("op", [Op.STEM_LOOP, Op.STEM_ROLL])
def test_a_loop_that_cannot_be_is_refused(grid, length, reason, op):
    engine = engine_with((grid,), deck1__stem__vocals__loop_length=length)
    engine.render(9600)
    assert ask(engine, op, 1.0)[0] is reason
    assert engine.memory.value("deck1.stem.vocals.loop") == 0.0
    assert ask(engine, op, 1.0, deck=1)[0] is Reason.NO_TRACK
    assert ask(engine, op, 1.0, target=len(STEMS))[0] is Reason.UNKNOWN
    assert ask(engine, op, 1.0, target=-1)[0] is Reason.UNKNOWN


def test_another_track_ends_loops_and_guests_of_its_deck():
    engine = engine_with((GRID, GRID))
    engine.render(9600)
    do(engine, Op.STEM_LOOP, 1.0)
    do(engine, Op.STEM_SOURCE, 2.0, target=DRUMS)
    engine.load(0, TRACKS[0], rate=RATE, grid=GRID)
    engine.render(TICK)
    assert engine.memory.value("deck1.stem.vocals.loop") == 0.0
    assert engine.memory.value("deck1.stem.drums.source") == 0.0
    assert own_place(engine, stem=DRUMS) is None


# ---------------------------------------------------------------------- loops of the deck


def test_a_roll_of_the_deck_lands_where_it_would_be():
    engine = engine_with(deck1__loop__length=0.5, deck1__rate=1.03)
    engine.set("deck1.loop.start", 3.0)
    engine.set("deck1.loop.end", 4.0)
    engine.render(RATE)
    twin = engine_with(deck1__rate=1.03)
    twin.render(RATE)
    do(engine, Op.LOOP_ROLL, 1.0, target=0)
    twin.render(TICK)
    for change in (1.03, 0.8, 1.4):
        for each in (engine, twin):
            each.set("deck1.rate", change)
            each.render(37_088)
        assert place_of(engine) < place_of(twin) - 10_000
    do(engine, Op.LOOP_ROLL, 0.0, target=0)
    twin.render(TICK)
    assert place_of(engine) == pytest.approx(place_of(twin), abs=1e-6)
    assert [engine.memory.value(f"deck1.loop.{name}") for name in ("start", "end", "active")] == [
        3.0, 4.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize("op", [Op.SEEK, Op.HOTCUE_PRESS])
def test_a_jump_during_a_roll_is_where_the_deck_goes_on(op):
    engine = engine_with(deck1__loop__length=1.0)
    engine.set("deck1.hotcue1.position", 8.0)
    engine.render(RATE)
    do(engine, Op.LOOP_ROLL, 1.0, target=0, frames=RATE)
    do(engine, op, 8.0, target=0)
    do(engine, Op.LOOP_ROLL, 0.0, target=0)
    assert place_of(engine) == 8.0 * RATE + 2 * TICK
    assert engine.memory.value("deck1.loop.active") == 0.0


def test_a_roll_while_another_loop_plays_goes_back_into_that():
    engine = engine_with(deck1__loop__length=4.0)
    engine.render(RATE)
    begin = place_of(engine)
    do(engine, Op.LOOP_BEATLOOP, target=0)
    engine.set("deck1.loop.length", 0.25)
    engine.render(30_016)
    do(engine, Op.LOOP_ROLL, 1.0, target=0, frames=90_016)
    do(engine, Op.LOOP_ROLL, 0.0, target=0)
    gone = 2 * TICK + 30_016 + 90_016
    assert place_of(engine) == begin + gone % 96_000
    assert engine.memory.value("deck1.loop.active") == 1.0


@pytest.mark.parametrize("rate", [1.0, 1.063])
def test_a_loop_is_exact_over_a_thousand_repeats_where_the_tempo_changes(rate):
    engine = engine_with((STEPS,), block=4096, deck1__rate=rate, deck1__loop__length=1 / 8)
    engine.render(9600)  # the rate has come to where it is set
    engine.push(Command(Op.SEEK, x=47_500 / RATE))
    engine.render(TICK)
    begin = place_of(engine)
    do(engine, Op.LOOP_BEATLOOP, target=0)
    start, end = (engine.memory.value(f"deck1.loop.{name}") * RATE for name in ("start", "end"))
    assert start == pytest.approx(begin)
    assert end - start != pytest.approx(3000.0)  # the tempo does change within it
    frames = math.ceil(1000 * (end - start) / rate / TICK) * TICK
    engine.render(frames)
    want = start + (place_of(engine) - start) % (end - start)
    went = (frames + TICK) * rate
    assert place_of(engine) == pytest.approx(want)
    assert place_of(engine) == pytest.approx(begin + went % (end - start), abs=1e-4)


def test_the_ends_of_a_loop_are_moved_by_beats_and_the_deck_stays_inside():
    engine = engine_with(deck1__loop__length=4.0)
    engine.render(RATE)
    do(engine, Op.LOOP_BEATLOOP, target=0)
    start, end = (engine.memory.value(f"deck1.loop.{name}") for name in ("start", "end"))
    engine.render(48_000)
    do(engine, Op.LOOP_IN_ADJUST, 0.5, target=0)
    do(engine, Op.LOOP_OUT_ADJUST, -1.0, target=0)
    assert engine.memory.value("deck1.loop.start") == pytest.approx(start + 0.25)
    assert engine.memory.value("deck1.loop.end") == pytest.approx(end - 0.5)
    do(engine, Op.LOOP_OUT_ADJUST, -2.0, target=0)  # the deck was at beat 2, it is outside now
    assert start + 0.25 <= place_of(engine) / RATE < end - 1.5
    for op, x in ((Op.LOOP_IN_ADJUST, 8.0), (Op.LOOP_OUT_ADJUST, 64.0), (Op.LOOP_OUT_ADJUST, -9.0)):
        assert ask(engine, op, x, target=0)[0] is Reason.OUTSIDE


def test_a_loop_cut_out_of_a_loop_has_no_seam():
    period = 6000
    pcm = np.tile(noise(3, 1)[:period], (LENGTH_S * RATE // period, 1))
    engine = engine_with(tracks=[{"mix": pcm}], deck1__loop__length=0.25)
    engine.render(period)
    heard = do(engine, Op.LOOP_BEATLOOP, target=0, frames=5 * period)
    assert engine.memory.value("deck1.loop.active") == 1.0
    assert np.abs(heard[:period] - heard[3 * period : 4 * period]).max() < 1e-6
    straight = engine_with(tracks=[{"mix": pcm}])
    straight.render(period)
    assert np.abs(heard - straight.render(5 * period)).max() < 1e-6


def test_a_seam_of_two_sounds_that_differ_keeps_the_power():
    engine = engine_with(tracks=[{"mix": noise(4)}], deck1__loop__length=1 / 32)
    engine.render(9600)
    do(engine, Op.LOOP_BEATLOOP, target=0)
    start, end = (engine.memory.value(f"deck1.loop.{name}") * RATE for name in ("start", "end"))
    length = round(end - start)
    assert length == 750
    powers = []
    for place in range(9600, 9600 + 200 * 1600, 1600):
        engine.push(Command(Op.LOOP_MOVE, x=1 / 15))
        heard = engine.render(2 * length + 1600).astype(np.float64)
        position = (place_of(engine) - engine.memory.value("deck1.loop.start") * RATE) % length
        seam = len(heard) - round(position) + LATENCY - length
        powers.append((heard[seam + 24 : seam + 72] ** 2).mean())
        assert place
    whole = (TRACKS[0]["vocals"].astype(np.float64) / 32768) ** 2
    assert np.mean(powers) == pytest.approx(whole.mean(), rel=0.1)  # 0.54 of it in a straight fade


# ---------------------------------------------------------------------- stems across decks

FASTER = Grid((Anchor(1000.0, 0.0),), 126.0)


def guest(engine, deck=0, stem=VOCALS, which="now"):
    return engine.memory.engine["transport"][deck]["stem"][stem][which]


def sources(engine, stem="vocals"):
    return tuple(int(engine.memory.value(f"deck{d + 1}.stem.{stem}.source")) for d in range(DECKS))


def in_time(engine, deck=0, grids=(GRID, FASTER), stem=VOCALS):
    """Return how far a guest's beat is from the beat of its deck, in beats."""
    there = guest(engine, deck, stem)
    beat = beat_at(grids[deck], place_of(engine, deck))
    source = beat_at(grids[int(there["source"]) - 1], own_place(engine, deck, stem))
    return source - beat * float(there["multiple"]) - float(there["offset"])


def test_a_guest_is_in_time_with_its_deck_whatever_its_owner_does():
    engine = engine_with((GRID, FASTER))
    engine.render(RATE)
    do(engine, Op.STEM_SOURCE, 2.0)
    assert sources(engine) == (2, 0)
    slot = int(guest(engine)["slot"])
    heads = engine.dsp.record["media"]["heads"]
    for change in (
        lambda: engine.set("deck2.rate", 1.3),
        lambda: engine.set("deck1.rate", 0.9),
        lambda: engine.push(Command(Op.JUMP, deck=1, x=4.0)),
        lambda: engine.push(Command(Op.PLAY, deck=1, x=0.0)),
        lambda: engine.loader.give_track(1, None),
        lambda: engine.load(1, TRACKS[0], rate=RATE, grid=GRID),
        lambda: engine.push(Command(Op.JUMP, deck=0, x=-2.0)),
    ):
        change()
        engine.render(6400)
        engine.loader.free()
        assert abs(in_time(engine)) < 1e-6
        assert own_head(engine)["slot"] == slot
        assert heads[slot] > 0
    do(engine, Op.STEM_SOURCE, 0.0, frames=6400)
    assert own_place(engine) is None
    do(engine, Op.STEMS_UNDO, deck=-1, target=0, frames=640)  # it is still to be had
    assert own_head(engine)["slot"] == slot
    assert abs(in_time(engine)) < 1e-6
    engine.load(0, TRACKS[0], rate=RATE, grid=GRID)
    engine.render(6400)
    assert heads[slot] == 0
    engine.loader.free()
    assert slot not in engine.loader._mounted


def test_a_guest_plays_the_very_samples_of_the_other_track_where_both_are_alike():
    engine = engine_with((GRID, GRID))
    engine.set("deck2.fader", -60.0)
    engine.render(RATE)
    here = round(place_of(engine))
    heard = do(engine, Op.STEM_SOURCE, 2.0, frames=9600)[LATENCY + FADE :]
    there = here + FADE + np.arange(len(heard))
    mine, theirs = TRACKS
    want = expected([there] * 3, theirs["vocals"], mine["drums"], mine["bass"])
    assert np.abs(heard - want).max() < 1e-6


@pytest.mark.parametrize(("bpm", "multiple"), [(120, 1.0), (174, 2.0), (62, 0.5), (90, 1.0)])
def test_half_and_double_tempo_are_told_apart(bpm, multiple):
    grids = (GRID, Grid((Anchor(0.0, 0.0),), float(bpm)))
    engine = engine_with(grids)
    engine.render(9600)
    do(engine, Op.STEM_SOURCE, 2.0)
    assert guest(engine)["multiple"] == multiple
    engine.render(9600)
    assert abs(in_time(engine, grids=grids)) < 1e-6


def test_decks_in_time_keep_their_beat_and_others_are_brought_to_a_bar():
    engine = engine_with((GRID, GRID))
    engine.render(9600)
    engine.push(Command(Op.JUMP, deck=1, x=3.0))
    engine.render(9600)
    do(engine, Op.STEM_SOURCE, 2.0)
    assert guest(engine)["offset"] == 3.0
    do(engine, Op.STEM_SOURCE, 0.0)
    engine.push(Command(Op.JUMP, deck=1, x=0.4))
    do(engine, Op.STEM_SOURCE, 2.0)
    assert guest(engine)["offset"] == 4.0


def test_a_swap_exchanges_a_stem_and_swaps_it_back():
    engine = engine_with((GRID, FASTER))
    engine.render(RATE)
    do(engine, Op.STEM_SWAP)
    assert sources(engine) == (2, 1)
    engine.render(9600)
    assert abs(in_time(engine, 0)) < 1e-6
    assert abs(in_time(engine, 1)) < 1e-6
    do(engine, Op.STEM_SWAP, deck=1)
    assert sources(engine) == (0, 0)


def test_a_hand_over_leaves_its_slot_silent_until_it_is_taken_back():
    tracks = [{"vocals": track["vocals"]} for track in TRACKS]
    engine = engine_with((GRID, GRID), tracks=tracks)
    engine.render(RATE)
    do(engine, Op.STEM_HAND_OVER, frames=9600)
    assert sources(engine) == (NO_SOURCE, 1)
    engine.set("deck2.fader", -60.0)
    engine.render(9600)
    assert np.abs(engine.render(9600)).max() == 0.0
    do(engine, Op.STEM_HAND_OVER, frames=9600)
    assert sources(engine) == (0, 0)
    assert np.abs(engine.render(9600)).max() > 0.1


@pytest.mark.parametrize(
    ("op", "held"), [(Op.STEM_SWAP_HOLD, (2, 1)), (Op.STEM_LEND, (NO_SOURCE, 1))]
)
def test_a_held_button_puts_everything_back_when_it_is_released(op, held):
    engine = engine_with((GRID, FASTER))
    engine.render(RATE)
    do(engine, op, 1.0)
    assert sources(engine) == held
    do(engine, op, 1.0, deck=1)  # the other deck's button does nothing meanwhile
    do(engine, op, 0.0, deck=1)
    assert sources(engine) == held
    do(engine, op, 0.0)
    assert sources(engine) == (0, 0)
    assert ask(engine, Op.STEMS_UNDO, deck=-1, target=0)[0] is Reason.NO_CHANGE


def test_one_press_undoes_the_last_change_and_another_repeats_it():
    engine = engine_with((GRID, FASTER))
    engine.render(RATE)
    assert ask(engine, Op.STEMS_UNDO, deck=-1, target=0)[0] is Reason.NO_CHANGE
    do(engine, Op.STEM_SWAP, target=DRUMS)
    do(engine, Op.STEM_HAND_OVER)
    for want in ((0, 0), (NO_SOURCE, 1), (0, 0)):
        do(engine, Op.STEMS_UNDO, deck=-1, target=0)
        assert sources(engine) == want
        assert sources(engine, "drums") == (2, 1)
    engine.render(640)
    assert abs(in_time(engine, 1, stem=DRUMS)) < 1e-6


@pytest.mark.parametrize("op", [Op.STEM_SWAP, Op.STEM_HAND_OVER, Op.STEM_LEND, Op.STEM_SWAP_HOLD])
def test_what_has_no_partner_no_stem_or_no_grid_is_refused(op):
    alone = engine_with((GRID,))
    assert ask(alone, op, 1.0)[0] is Reason.NO_OTHER
    assert ask(alone, op, 1.0, deck=1)[0] is Reason.NO_TRACK
    loose = engine_with((GRID, None))
    assert ask(loose, op, 1.0)[0] is Reason.NO_GRID
    engine = engine_with((GRID, GRID))
    assert ask(engine, op, 1.0, target=STEMS.index("piano"))[0] is Reason.NO_STEM
    assert ask(engine, op, 1.0, target=99)[0] is Reason.UNKNOWN
    assert sources(engine) == sources(loose) == (0, 0)


def test_a_source_that_is_not_there_is_refused():
    engine = engine_with((GRID,))
    assert ask(engine, Op.STEM_SOURCE, 2.0)[0] is Reason.NO_TRACK
    assert ask(engine, Op.STEM_SOURCE, 1.0)[0] is Reason.NONE  # its own, by number
    assert sources(engine)[0] == 0
    do(engine, Op.STEM_SOURCE, 1e9)  # clamped: none
    assert sources(engine)[0] == NO_SOURCE


def test_a_deck_that_stops_and_a_guest_beyond_its_track_are_silent():
    engine = engine_with((GRID, GRID))
    engine.push(Command(Op.SEEK, deck=1, x=11.0))
    engine.render(TICK)
    for stem in (DRUMS, STEMS.index("bass")):
        engine.set(f"deck1.stem.{STEMS[stem]}.mute", 1.0)
    engine.set("deck2.fader", -60.0)
    do(engine, Op.STEM_SOURCE, 2.0, frames=9600)
    assert np.abs(engine.render(9600)).max() > 0.05
    engine.render(RATE)
    assert np.abs(engine.render(9600)).max() == 0.0
    assert engine.memory.engine["transport"][0]["underruns"] == 0


# ---------------------------------------------------------------------- which stems are heard


def heard_stems(engine, deck=0):
    """Return which of the three stems of a track are in what is heard, and how loud each is."""
    engine.render(9600)
    here = round(place_of(engine, deck))
    heard = engine.render(9600)[LATENCY:, 0].astype(np.float64)
    parts = [pcm[here : here + len(heard), 0] / 32768 for pcm in TRACKS[deck].values()]
    return np.linalg.lstsq(np.stack(parts, 1), heard, rcond=None)[0].round(3).tolist()


def test_acapella_and_instrumental_are_one_or_the_other():
    engine = engine_with()
    assert heard_stems(engine) == [1, 1, 1]
    do(engine, Op.ACAPELLA, 1.0, target=0)
    assert heard_stems(engine) == [1, 0, 0]
    do(engine, Op.INSTRUMENTAL, 1.0, target=0)
    assert heard_stems(engine) == [0, 1, 1]
    assert engine.memory.value("deck1.acapella") == 0.0
    do(engine, Op.INSTRUMENTAL, 0.0, target=0)
    assert heard_stems(engine) == [1, 1, 1]


def test_an_acapella_of_a_track_without_vocals_is_all_of_it():
    engine = engine_with(tracks=[{"mix": noise(1)}], deck1__acapella=0.0)
    do(engine, Op.ACAPELLA, 1.0, target=0)
    engine.render(9600)
    assert np.abs(engine.render(9600)).max() > 0.1


@pytest.mark.parametrize(
    ("curve", "place", "gains"),
    [
        (0, 0, (1, 1)), (0, -100, (1, 0)), (0, 50, (0.5, 1)),
        (1, 0, (1, 1)), (1, 100, (0, 1)), (1, 50, (0.541, 1)), (2, 90, (1, 1)), (2, 100, (0, 1)),
    ],
)  # fmt: skip
def test_a_stem_fader_fades_one_stem_from_deck_to_deck(curve, place, gains):
    for deck, gain in enumerate(gains):
        engine = engine_with((GRID, GRID), stem_fader__curve=curve, stem_fader__drums=place)
        engine.set(f"deck{2 - deck}.fader", -60.0)
        assert heard_stems(engine, deck) == [1, gain, 1]


# ---------------------------------------------------------------------- another host


def test_a_new_host_goes_on_with_loops_and_gets_guests_their_tracks_again():
    engine = engine_with((GRID, FASTER))
    engine.render(RATE)
    do(engine, Op.STEM_LOOP, 1.0, target=DRUMS)
    do(engine, Op.STEM_SOURCE, 2.0)
    start = float(engine.memory.engine["transport"][0]["stem"][DRUMS]["loop_start"][0])
    # Another host: its memory is new, the engine's is as it was.
    engine.dsp = DspState(engine.memory, RATE, 2)
    engine.loader = Loader(engine.dsp)
    mounted = [engine.loader.mount_arrays(TRACKS[d], RATE, grid=(GRID, FASTER)[d]) for d in (0, 1)]
    engine.render(TICK)
    engine.loader.give_track(0, mounted[0], resumed=True)
    engine.render(640)
    beat = beat_at(GRID, place_of(engine))
    assert own_place(engine, stem=DRUMS) == pytest.approx(
        place_at(GRID, start + (beat - start) % 4)
    )
    assert own_place(engine) is None  # silent until its track is there
    engine.loader.give_stem(0, VOCALS, mounted[1])
    engine.render(640)
    assert abs(in_time(engine)) < 1e-6
    assert ask(engine, Op.STEMS_UNDO, deck=-1, target=0)[0] is Reason.NO_CHANGE


def test_a_new_host_puts_back_what_a_button_held():
    engine = engine_with((GRID, FASTER))
    engine.render(RATE)
    do(engine, Op.STEM_SWAP, target=DRUMS)
    do(engine, Op.STEM_LEND, 1.0)
    assert sources(engine) == (NO_SOURCE, 1)
    engine.dsp = DspState(engine.memory, RATE, 2)
    assert sources(engine) == (0, 0)
    assert sources(engine, "drums") == (2, 1)
    assert not engine.memory.engine["transport"]["stem"]["holding"].any()


def test_a_guest_whose_track_is_gone_gives_its_slot_back():
    engine = engine_with((GRID, FASTER))
    engine.render(RATE)
    do(engine, Op.STEM_SOURCE, 2.0)
    engine.memory.engine["transport"][0]["stem"][VOCALS]["now"]["slot"] = -1
    engine.reported()
    engine.loader.give_stem(0, VOCALS, None)
    engine.render(TICK)
    assert sources(engine) == (0, 0)
    index = VALUE_INDEX["deck1.stem.vocals.source"]
    assert index in [report.value_index for report in engine.reported()]
    writer = engine.loader._commands
    for stem in (-1, 99):
        engine.reported()
        writer.push(Command(Op.LOAD, deck=0, target=0, x=float(stem), y=float(Handover.GUEST)))
        engine.render(TICK)
        assert [r.reason for r in engine.reported() if r.op == Op.LOAD] == [Reason.UNKNOWN]
