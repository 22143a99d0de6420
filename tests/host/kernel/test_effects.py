"""Effects: neutral is the same bits; tails, time by the grid, and what is no sound."""

import numpy as np
import pytest

from sfa_engine.desk.effects import KIND_NAMES, KINDS, LENGTHS, SLOTS, UNITS
from sfa_engine.engine.command import Op, Ring
from sfa_engine.engine.layout import LATENCY, VALUE_INDEX
from sfa_engine.engine.ring import Command, CommandWriter
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
BPM = 120.0
BEAT = 24_000  # frames
SOUNDING = [name for name in KIND_NAMES if name not in {"none", "user"}]
TAILS = [kind.name for kind in KINDS if kind.tail and kind.name != "user"]


def noise(seconds=8.0, seed=1, level=6000):
    rng = np.random.default_rng(seed)
    return rng.integers(-level, level, (round(seconds * RATE), 2), dtype=np.int16)


def playing(source=None, block=512, play=True, **settings):
    """Return an engine with a deck that plays; settings are made at once, and have glided."""
    engine = Offline(RATE, 2, block)
    stems = source if isinstance(source, dict) else {"mix": noise() if source is None else source}
    engine.load(0, stems, rate=RATE, grid=Grid((Anchor(0.0, 0.0),), BPM))
    engine.set("master.limiter.on", 0.0)
    for path, value in settings.items():
        engine.set(path.replace("__", "."), value)
    engine.render(4096)
    if play:
        engine.push(Command(Op.PLAY, deck=0, x=1.0))
    return engine


def with_effect(kind, block=512, source=None, slot=1, play=True, **settings):
    """Return an engine whose deck is put through one effect, at its defaults."""
    chosen = {f"fx1__slot{slot}__kind": KIND_NAMES.index(kind), "fx1__on": 1.0, "deck1__fx1": 1.0}
    return playing(source, block, play, **(chosen | settings))


def knob(kind, label, value):
    """Return the travel, in percent, of a parameter's value."""
    (parameter,) = (p for k in KINDS if k.name == kind for p in k.parameters if p.label == label)
    return 100.0 * parameter.scale.travel(value)


def step(beats):
    return 100.0 * [float(length) for length in LENGTHS].index(beats) / (len(LENGTHS) - 1)


@pytest.fixture(scope="module")
def dry():
    return playing().render(RATE)


# ---------------------------------------------------------------------- neutral


@pytest.mark.parametrize(
    "neutral",
    [
        {"fx1__on": 0.0},
        {"fx1__mix": 0.0},
        {"deck1__fx1": 0.0},
        {"fx1__slot1__on": 0.0},
        {"fx1__slot1__mix": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", SOUNDING)
def test_what_is_neutral_changes_no_bit(kind, neutral, dry):
    heard = with_effect(kind, **neutral).render(RATE)
    assert np.array_equal(heard, dry)


@pytest.mark.parametrize("kind", SOUNDING)
def test_an_effect_is_heard(kind, dry):
    heard = with_effect(kind, fx1__mix=100.0).render(RATE)
    assert np.abs(heard - dry).max() > 0.01


@pytest.mark.parametrize("kind", SOUNDING)
def test_when_it_is_off_and_has_rung_out_the_bits_are_those_of_before(kind):
    effect, plain = (
        with_effect(kind, source=noise(40.0), fx1__mix=100.0, deck1__fx1=on) for on in (1.0, 0.0)
    )
    effect.render(RATE)
    effect.set("fx1.on", 0.0)
    for _ in range(25):
        last = effect.render(RATE)
    plain.render(25 * RATE)
    assert np.array_equal(last, plain.render(RATE))
    assert all(slot["ringing"] == 0 for slot in effect.dsp.record["unit"][0]["slot"])


@pytest.mark.parametrize("kind", TAILS)
def test_a_tail_outlives_the_bypass_of_slot_and_unit(kind):
    for switch in ("fx1.on", "fx1.slot1.on"):
        engine = with_effect(kind, fx1__mix=100.0, fx1__slot1__param_b=70.0)
        engine.render(RATE)
        engine.push(Command(Op.PLAY, deck=0, x=0.0))
        engine.set(switch, 0.0)
        engine.render(4800)
        assert np.abs(engine.render(RATE // 2)).max() > 0.001, switch


# ---------------------------------------------------------------------- the same bytes


@pytest.mark.parametrize("kind", SOUNDING)
def test_the_bytes_do_not_depend_on_the_block(kind):
    def render(block):
        engine = with_effect(kind, block, source=noise(3.0), fx1__mix=80.0)
        for frame, path, value in (
            (9001, "fx1.slot1.param_a", 30.0),
            (15_007, "fx1.macro", 60.0),
            (21_003, "fx1.slot1.on", 0.0),
            (25_000, "fx1.slot1.on", 1.0),
            (30_011, "deck1.rate", 1.05),
            (40_001, "fx1.mode", 1.0),
        ):
            engine.set(path, value, frame)
        return engine.render(60_000)

    first = render(512)
    for block in (32, 100, 1024):
        assert np.array_equal(render(block), first), block


# ---------------------------------------------------------------------- routing


def test_a_deck_and_all_of_its_stems_are_the_same():
    stems = {"vocals": noise(2.0, 3), "drums": noise(2.0, 4)}
    whole = with_effect("crush", source=stems, fx1__mix=100.0).render(RATE)
    each = {f"deck1__stem__{name}__fx1": 1.0 for name in stems}
    parts = with_effect("crush", source=stems, fx1__mix=100.0, deck1__fx1=0.0, **each).render(RATE)
    assert np.abs(whole - parts).max() < 1e-6


def test_a_stem_goes_alone():
    stems = {"vocals": noise(2.0, 3), "drums": noise(2.0, 4)}
    settings = {"fx1__mix": 100.0, "deck1__fx1": 0.0, "deck1__stem__vocals__fx1": 1.0}
    both = with_effect("crush", source=stems, **settings).render(RATE)
    vocals = with_effect("crush", source={"vocals": stems["vocals"]}, **settings).render(RATE)
    drums = playing({"drums": stems["drums"]}).render(RATE)
    assert np.abs(both - vocals - drums).max() < 1e-6


def test_the_master_goes_as_its_decks_do():
    whole = with_effect("crush", fx1__mix=100.0).render(RATE)
    master = with_effect("crush", fx1__mix=100.0, deck1__fx1=0.0, master__fx1=1.0).render(RATE)
    assert np.abs(whole - master).max() < 1e-6


def test_a_send_leaves_the_sound_and_adds_the_effect(dry):
    insert = with_effect("reverb", fx1__mix=100.0).render(RATE)
    send = with_effect("reverb", fx1__mix=100.0, fx1__mode=1.0).render(RATE)
    assert np.abs(send - insert - dry).max() < 1e-6


def test_effects_come_behind_the_fader():
    engine = with_effect("crush", fx1__mix=100.0, deck1__fader=-60.0)
    assert np.abs(engine.render(RATE)).max() == 0.0


def test_two_units_of_the_master_follow_each_other():
    settings = {"fx2__slot1__kind": KIND_NAMES.index("crush"), "fx2__on": 1.0}
    both = {"fx1__mix": 100.0, "fx2__mix": 100.0, "deck1__fx1": 0.0, "master__fx1": 1.0}
    units = with_effect("sweep", **both, **settings, master__fx2=1.0).render(RATE)
    slots = with_effect(
        "sweep", **both, fx1__slot2__kind=KIND_NAMES.index("crush"), **settings
    ).render(RATE)
    assert np.abs(units - slots).max() < 1e-6


# ---------------------------------------------------------------------- time


def click(at=0, seconds=8.0):
    pcm = np.zeros((round(seconds * RATE), 2), np.int16)
    pcm[at : at + 4] = 16_000
    return pcm


def hits(sound, above=0.02):
    """Return the frames at which a sound begins."""
    loud = np.flatnonzero(np.abs(sound).max(axis=1) > above)
    return loud[np.diff(loud, prepend=-1000) > 100]


def test_an_echo_repeats_at_the_beat_to_the_frame():
    engine = with_effect(
        "echo", source=click(1000), fx1__mix=100.0, fx1__mode=1.0, fx1__slot1__param_a=step(0.5)
    )
    found = hits(engine.render(3 * RATE))
    first = found[0]
    assert list(found[:4] - first) == [0, BEAT // 2, BEAT, BEAT // 2 * 3]


def test_an_echo_follows_the_rate_of_its_deck_and_the_clock_when_asked():
    for timing, tempo in ((0.0, BPM * 1.25), (1.0, 100.0)):
        engine = with_effect(
            "echo", source=click(2000), fx1__mix=100.0, fx1__mode=1.0, deck1__rate=1.25,
            fx1__timing=timing, fx1__slot1__param_a=step(1.0), fx1__slot1__param_b=0.0,
        )  # fmt: skip
        engine.push(Command(Op.CLOCK_TEMPO, deck=-1, x=100.0))
        found = hits(engine.render(2 * RATE))
        assert abs(found[1] - found[0] - 60.0 / tempo * RATE) < 1.5


def test_another_length_makes_no_click():
    tone = (np.sin(np.arange(8 * RATE) * 2 * np.pi * 200 / RATE) * 8000).astype(np.int16)
    engine = with_effect("echo", source=np.stack([tone, tone], 1), fx1__mix=100.0)
    engine.render(2 * RATE)
    for k in range(20):
        engine.set("fx1.slot1.param_a", step(float(LENGTHS[k % 5 + 1])))
        heard = engine.render(3000)
        # What a tone of 200 Hz of this level can change by from frame to frame, with its repeats.
        assert np.abs(np.diff(heard[:, 0])).max() < 0.06


def test_a_beat_repeat_repeats_the_beat_that_it_was_switched_on_in():
    source = noise(8.0)
    engine = with_effect(
        "repeat", source=source, fx1__mix=100.0, fx1__slot1__param_a=step(1.0), fx1__slot1__on=0.0
    )
    began = int(engine.memory.engine["frame"])
    engine.set("fx1.slot1.on", 1.0, began + BEAT + BEAT // 4)
    heard = engine.render(5 * BEAT)
    track = source.astype(np.float32) / 32768
    late = LATENCY
    fade = 96
    for k in range(2, 4):
        here = heard[k * BEAT + late + fade : (k + 1) * BEAT + late]
        assert np.abs(here - track[BEAT + fade : 2 * BEAT]).max() < 2e-4, k


def test_a_gate_is_shut_for_the_rest_of_each_length():
    engine = with_effect("gate", fx1__mix=100.0, fx1__slot1__param_a=step(1.0))
    heard = engine.render(4 * BEAT)[LATENCY:]
    for k in range(3):
        assert np.abs(heard[k * BEAT + 200 : k * BEAT + BEAT // 2 - 5]).max() > 0.1
        assert np.abs(heard[k * BEAT + BEAT // 2 + 100 : (k + 1) * BEAT - 5]).max() == 0.0


def test_a_tape_stops_within_its_time_and_comes_back_to_the_beat():
    engine = with_effect("tapestop", fx1__mix=100.0, fx1__slot1__on=0.0, source=noise(10.0))
    engine.render(RATE)
    engine.set("fx1.slot1.on", 1.0)
    engine.render(BEAT + 512)
    assert np.abs(engine.render(RATE - 512)).max() == 0.0
    engine.set("fx1.slot1.on", 0.0)
    engine.render(RATE)
    plain = playing(noise(10.0))
    plain.render(3 * RATE + BEAT)
    assert np.array_equal(engine.render(RATE), plain.render(RATE))


def test_a_stopped_deck_leaves_the_echo_in_its_tempo():
    engine = with_effect(
        "echo", source=click(2000), fx1__mix=100.0, fx1__mode=1.0, deck1__rate=1.25,
        fx1__slot1__param_a=step(1.0), fx1__slot1__param_b=80.0,
    )  # fmt: skip
    engine.render(4000)
    engine.push(Command(Op.PLAY, deck=0, x=0.0))
    found = hits(engine.render(3 * RATE))
    assert len(found) >= 3
    assert np.abs(np.diff(found) - BEAT / 1.25).max() < 1.5


def test_a_reverb_fades_by_60_db_in_its_size():
    engine = with_effect(
        "reverb", source=click(2000), fx1__mix=100.0, fx1__mode=1.0,
        fx1__slot1__param_a=knob("reverb", "SIZE", 2.0), fx1__slot1__param_b=0.0,
    )  # fmt: skip
    heard = engine.render(4 * RATE).astype(np.float64)

    def level(at_s):
        at = round(at_s * RATE) + 2000
        return 10 * np.log10((heard[at : at + RATE // 4] ** 2).mean())

    assert level(0.25) - level(1.25) == pytest.approx(30.0, abs=2.5)
    assert abs(np.corrcoef(heard[10_000:40_000].T)[0, 1]) < 0.3  # the sides differ


# ---------------------------------------------------------------------- knobs


def test_another_kind_puts_the_knobs_to_where_it_begins():
    engine = playing()
    engine.set("fx1.slot2.param_a", 3.0)
    engine.set("fx1.slot2.kind", KIND_NAMES.index("reverb"))
    engine.render(512)
    for letter, parameter in zip("abc", KINDS[KIND_NAMES.index("reverb")].parameters, strict=True):
        value = engine.memory.value(f"fx1.slot2.param_{letter}")
        assert value == pytest.approx(parameter.rest, abs=1e-3)
    changed = [r.value_index for r in engine.reported() if r.op == Op.SET]
    assert VALUE_INDEX["fx1.slot2.param_a"] in changed
    engine.set("fx1.slot2.param_a", 3.0)
    engine.set("fx1.slot2.kind", KIND_NAMES.index("reverb"))  # the same: they stay
    engine.render(512)
    assert engine.memory.value("fx1.slot2.param_a") == 3.0


def test_the_macro_moves_one_knob_of_each_slot():
    turned = with_effect("crush", fx1__mix=100.0, fx1__macro=50.0, fx1__slot1__param_a=50.0).render(
        RATE
    )
    moved = with_effect("crush", fx1__mix=100.0, fx1__slot1__param_a=25.0).render(RATE)
    assert np.array_equal(turned, moved)


def test_values_out_of_range_and_kinds_that_do_not_exist_are_brought_into_range():
    engine = with_effect("echo", fx1__mix=100.0)
    writer = CommandWriter(engine.memory, Ring.EFFECTS)
    for path in ("fx1.mix", "fx1.macro", "fx1.slot1.param_a", "fx1.slot1.param_b", "fx1.slot1.mix"):
        for value, legal in ((1e9, 100.0), (-1e9, 0.0)):
            writer.push(Command(Op.SET, target=VALUE_INDEX[path], x=value))
            engine.render(512)
            assert engine.memory.value(path) == legal
    for value, legal in ((99.0, len(KIND_NAMES) - 1), (-5.0, 0.0)):
        writer.push(Command(Op.SET, target=VALUE_INDEX["fx1.slot1.kind"], x=value))
        engine.render(4096)
        assert engine.memory.value("fx1.slot1.kind") == legal
    assert np.isfinite(engine.render(RATE)).all()


def test_a_thousand_kinds_in_a_block_are_survived():
    engine = with_effect("echo", block=2048, fx1__mix=100.0)
    for k in range(1000):
        unit, slot = UNITS[k % 2], SLOTS[k % 3]
        engine.set(f"fx{unit}.slot{slot}.kind", 1 + k % (len(KIND_NAMES) - 1))
    heard = engine.render(2 * RATE)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() < 4.0


@pytest.mark.parametrize("kind", SOUNDING)
def test_changes_of_kind_do_not_click(kind):
    tone = (np.sin(np.arange(8 * RATE) * 2 * np.pi * 100 / RATE) * 8000).astype(np.int16)
    engine = with_effect("phaser", source=np.stack([tone, tone], 1), fx1__mix=50.0)
    engine.render(RATE)
    engine.set("fx1.slot1.kind", KIND_NAMES.index(kind))
    heard = engine.render(1200)
    if kind == "crush":
        return  # its own steps are larger
    assert np.abs(np.diff(heard[:, 0])).max() < 0.03


# ---------------------------------------------------------------------- what is no sound


@pytest.mark.parametrize("kind", SOUNDING)
def test_nan_and_infinity_become_silence_and_the_effect_recovers(kind):
    source = (noise(4.0) / 32768.0).astype(np.float32)
    source[5000] = np.nan
    source[6000] = np.inf
    source[7000] = 1e30
    heard = with_effect(kind, source=source, fx1__mix=100.0, fx1__slot1__param_b=95.0).render(RATE)
    assert np.isfinite(heard).all()
    assert np.abs(heard[-4800:]).max() > 0.01 or kind == "tapestop"


@pytest.mark.parametrize("kind", SOUNDING)
def test_nothing_grows_without_end(kind):
    full = (np.sign(np.sin(np.arange(8 * RATE) * 2 * np.pi * 110 / RATE)) * 32_767).astype(np.int16)
    settings = {f"fx1__slot1__param_{letter}": 100.0 for letter in "abc"}
    engine = with_effect(kind, source=np.stack([full, full], 1), fx1__mix=100.0, **settings)
    heard = engine.render(7 * RATE)
    assert np.abs(heard).max() < 40.0


@pytest.mark.parametrize("kind", SOUNDING)
def test_a_silent_effect_has_no_denormals(kind):
    pcm = noise(2.0)
    pcm[RATE // 2 :] = 0
    engine = with_effect(kind, source=np.concatenate([pcm, np.zeros((20 * RATE, 2), np.int16)]),
                         fx1__mix=100.0)  # fmt: skip
    engine.render(15 * RATE)
    slot = engine.dsp.record["unit"][0]["slot"][0]
    least = np.finfo(np.float32).tiny
    for name in ("state", "stage", "damp", "hold"):
        numbers = np.abs(slot[name].astype(np.float64))
        assert not ((numbers > 0) & (numbers < least)).any(), name
