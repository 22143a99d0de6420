"""Short performances, one a feature, whose sound is kept; run as a program it prints their sums.

``scenes.py FOLDER`` renders all with the machine code in a folder, for another CPU perhaps.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from sfa_engine.desk.effects import KIND_NAMES
from sfa_engine.engine.command import Op, When
from sfa_engine.engine.ring import Command
from sfa_engine.host import build
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
FRAMES = 9600  # 0.2 s, 75 kB
THROUGH = 2  # of deck.assign


def noise(seed, level=4000):
    """Return four seconds of noise, made of whole numbers alone: int16[frames, 2]."""
    rng = np.random.default_rng(seed)
    return rng.integers(-level, level, (4 * RATE, 2), dtype=np.int16)


def wave(period, level=8000):
    """Return four seconds of a triangle, its period in frames: int16[frames, 2]."""
    place = np.arange(4 * RATE) % period
    mono = np.minimum(place, period - place) * 4 * level // period - level
    return np.stack([mono, mono], axis=1).astype(np.int16)


def playing(*decks, channels=2, block=512, **settings):
    """Return an engine whose decks play, after 64 frames; ``deck1__rate=1.08`` sets a control."""
    engine = Offline(RATE, channels, block)
    for name, value in settings.items():
        engine.set(name.replace("__", "."), value)
    engine.render(32)
    for deck, source in enumerate(decks):
        stems = source if isinstance(source, dict) else {"mix": source}
        engine.load(deck, stems, rate=RATE, grid=Grid((Anchor(500.0, 0.0),), 124.0 + 4 * deck))
        engine.push(Command(Op.PLAY, deck=deck, x=1.0))
    engine.render(32)
    return engine


def at(engine, *changes):
    """Send changes of controls, each at a frame."""
    for frame, path, value in changes:
        engine.set(path, value, frame)


def everything():
    """Render half a second in which most of the kernel has its turn: float32[24000, 2]."""
    rng = np.random.default_rng(42)
    hiss = (rng.standard_normal((4 * RATE, 2)) * 4000).astype(np.int16)
    engine = Offline(RATE)
    for deck, bpm in enumerate((124.0, 128.0)):
        stems = {"drums": np.roll(hiss, 1000 * deck, 0), "bass": hiss[::-1].copy()}
        engine.load(deck, stems, rate=RATE, grid=Grid((Anchor(500.0, 0.0),), bpm))
    engine.render(32)
    engine.push(Command(Op.LEADER, deck=0, x=1.0))
    engine.push(Command(Op.PLAY, deck=0, x=1.0))
    engine.push(Command(Op.SYNC, deck=1, x=2.0))
    engine.push(Command(Op.PLAY, deck=1, x=1.0))
    at(
        engine,
        (1000, "deck1.rate", 1.04),
        (3001, "deck1.stem.drums.mute", 1.0),
        (4000, "deck2.eq.low.kill", 1.0),
        (5000, "deck2.stem.bass.pan", -50.0),
        (7003, "deck1.filter", -60.0),
        (9000, "crossfader", 30.0),
        (9500, "crossfader_curve", 1.0),
        (12_000, "deck1.trim", 9.0),
        (15_000, "deck2.filter", 70.0),
        (18_000, "deck1.reverse", 1.0),
    )
    presses = ((Op.HOTCUE_PRESS, 2500), (Op.LOOP_BEATLOOP, 11_000), (Op.HOTCUE_PRESS, 20_001))
    for op, frame in presses:
        engine.push(Command(op, x=1.0, when=When.FRAME, frame=frame))
    return engine.render(24_000)


def mute():
    engine = playing({"drums": noise(1), "bass": wave(480)})
    at(engine, (2001, "deck1.stem.drums.mute", 1.0), (6003, "deck1.stem.drums.mute", 0.0))
    return engine.render(FRAMES)


def solo():
    engine = playing({"drums": noise(1), "bass": wave(480)})
    at(engine, (2001, "deck1.stem.bass.solo", 1.0), (6003, "deck1.stem.bass.solo", 0.0))
    return engine.render(FRAMES)


def volume():
    engine = playing({"drums": noise(2), "bass": wave(300)})
    at(
        engine,
        (1000, "deck1.stem.bass.volume", -12.0),
        (3001, "deck1.fader", 3.0),
        (5000, "deck1.trim", -6.0),
        (7000, "master.volume", -60.0),
    )
    return engine.render(FRAMES)


def pan():
    engine = playing({"drums": noise(3), "bass": wave(200)})
    at(engine, (1500, "deck1.stem.bass.pan", -100.0), (5000, "deck1.stem.drums.pan", 35.0))
    return engine.render(FRAMES)


def equaliser():
    engine = playing(noise(4))
    at(
        engine,
        (1000, "deck1.eq.low.kill", 1.0),
        (3000, "deck1.eq.mid.gain", -9.0),
        (5000, "deck1.eq.high.gain", 6.0),
        (7000, "deck1.eq.low.kill", 0.0),
    )
    return engine.render(FRAMES)


def filters():
    engine = playing({"drums": noise(5), "bass": noise(6)}, deck1__resonance=60.0)
    at(
        engine,
        (500, "deck1.filter", -70.0),
        (2500, "deck1.filter", 55.0),
        (5000, "deck1.stem.drums.filter", -40.0),
        (7000, "deck1.filter", 0.0),
    )
    return engine.render(FRAMES)


def loop_seam():
    engine = playing(wave(317), deck1__rate=1.03)
    at(engine, (100, "deck1.loop.start", 0.01), (100, "deck1.loop.end", 0.06))
    engine.push(Command(Op.LOOP_ACTIVE, x=1.0, when=When.FRAME, frame=101))
    return engine.render(FRAMES)


def jump():
    engine = playing(wave(457))
    for op, x, frame in ((Op.SEEK, 1.0, 1003), (Op.JUMP, -1.0, 4000), (Op.SEEK, 2.5, 7777)):
        engine.push(Command(op, x=x, when=When.FRAME, frame=frame))
    return engine.render(FRAMES)


def varispeed():
    engine = playing({"drums": noise(7), "bass": wave(100)}, deck1__rate=0.93)
    at(engine, (3000, "deck1.bend", 8.0), (6000, "deck1.rate", 1.9), (8000, "deck1.reverse", 1.0))
    return engine.render(FRAMES)


def limiter():
    engine = playing(noise(8, 20_000), master__limiter__release=20.0)
    at(engine, (1000, "deck1.trim", 12.0), (4000, "deck1.trim", -12.0))
    at(engine, (7000, "master.limiter.ceiling", -9.0), (7000, "deck1.trim", 6.0))
    return engine.render(FRAMES)


def crossfader():
    engine = playing(wave(480), noise(9))
    for curve in range(3):
        at(engine, (3200 * curve, "crossfader_curve", float(curve)))
        for k in range(32):
            at(engine, (3200 * curve + 100 * k, "crossfader", k * 200 / 31 - 100))
    return engine.render(FRAMES)


def headphones():
    engine = playing(wave(480), noise(10), channels=4, deck2__pfl=1.0, deck2__fader=-60.0)
    at(
        engine,
        (1000, "phones.mix", 70.0),
        (2500, "phones.split", 1.0),
        (4000, "phones.volume", 0.0),
    )
    return engine.render(FRAMES // 2)


def synced():
    engine = playing(wave(480), wave(375), clock__source=1.0)
    for op, deck, x, frame in (
        (Op.SYNC, 1, 2.0, 500),  # heard: it glides, and is bent into phase
        (Op.LOOP_BEATLOOP, 0, 0.0, 3000),
        (Op.SEEK, 1, 1.0, 4500),  # lands in phase
        (Op.PLAY, 0, 0.0, 7000),  # the tempo stays
    ):
        engine.push(Command(op, deck=deck, x=x, when=When.FRAME, frame=frame))
    at(engine, (2000, "deck1.rate", 1.03), (6000, "deck1.bend", 4.0))
    return engine.render(FRAMES)


def keylock():
    stems = {"drums": noise(11), "bass": wave(440)}
    engine = playing(stems, deck1__keylock=1.0, deck1__rate=1.06)  # locked to the beats
    at(engine, (2200, "deck1.rate", 0.94), (4000, "deck1.keylock", 0.0))
    at(engine, (5000, "deck1.keylock", 1.0), (7500, "deck1.reverse", 1.0))
    for path, place in (("start", 0.1), ("end", 0.13)):
        at(engine, (5500, f"deck1.loop.{path}", place))
    engine.push(Command(Op.SEEK, x=0.11, when=When.FRAME, frame=5501))
    engine.push(Command(Op.LOOP_ACTIVE, x=1.0, when=When.FRAME, frame=5502))
    return engine.render(FRAMES)


def pitch_shift():
    engine = playing({"drums": noise(12), "bass": wave(350)}, deck1__pitch=3.0)
    at(engine, (3000, "deck1.pitch", -7.0), (6000, "deck1.keylock", 1.0), (6500, "deck1.rate", 1.5))
    return engine.render(FRAMES)


def finer():
    stems = {"vocals": wave(161), "drums": noise(16), "other": wave(117)}
    engine = playing(stems, deck1__keylock=1.0, deck1__keylock_mode=1.0, deck1__rate=1.06)
    at(engine, (2200, "deck1.rate", 0.94), (4000, "deck1.pitch", 3.0), (7000, "deck1.pitch", 0.0))
    engine.push(Command(Op.SEEK, x=0.11, when=When.FRAME, frame=5501))
    return engine.render(FRAMES)


def press(engine, *buttons, stem=0):
    """Press buttons: operation, deck, x and frame of each; those of stems are of one stem."""
    for op, deck, x, frame in buttons:
        engine.push(Command(op, deck=deck, target=stem, x=x, when=When.FRAME, frame=frame))


def loop_roll():
    engine = playing(wave(480), deck1__rate=1.03, deck1__loop__length=1 / 16)
    press(engine, (Op.LOOP_ROLL, 0, 1.0, 1501), (Op.LOOP_ROLL, 0, 0.0, 7003))
    at(engine, (4000, "deck1.rate", 0.9))
    return engine.render(FRAMES)


def stem_loop():
    engine = playing({"vocals": wave(300), "drums": noise(11)})
    at(engine, (500, "deck1.stem.vocals.loop_length", 1 / 8))
    press(engine, (Op.STEM_LOOP, 0, 1.0, 1001), (Op.STEM_LOOP, 0, 0.0, 8003))
    at(engine, (5000, "deck1.rate", 1.2), (6000, "deck1.stem.vocals.loop_length", 1 / 32))
    return engine.render(FRAMES)


def stem_roll():
    engine = playing({"vocals": noise(12), "drums": wave(200)}, deck1__rate=0.97)
    at(engine, (500, "deck1.stem.vocals.loop_length", 1 / 16), (4000, "deck1.reverse", 1.0))
    press(engine, (Op.STEM_ROLL, 0, 1.0, 2001), (Op.STEM_ROLL, 0, 0.0, 7003))
    press(engine, (Op.JUMP, 0, 1.0, 3000))
    return engine.render(FRAMES)


def two_with_vocals(**settings):
    """Return an engine with two decks of two stems, at 124 and 128 BPM."""
    first = {"vocals": wave(300), "drums": noise(13)}
    return playing(first, {"vocals": noise(14), "drums": wave(411)}, **settings)


def stem_swap():
    engine = two_with_vocals(deck2__rate=0.95)
    press(engine, (Op.STEM_SWAP, 0, 1.0, 1001))
    press(engine, (Op.STEM_SWAP_HOLD, 1, 1.0, 5001), (Op.STEM_SWAP_HOLD, 1, 0.0, 6001), stem=1)
    engine.push(Command(Op.STEMS_UNDO, deck=-1, when=When.FRAME, frame=8000))
    at(engine, (3000, "deck1.rate", 1.1))
    return engine.render(FRAMES)


def hand_over():
    engine = two_with_vocals()
    press(engine, (Op.STEM_HAND_OVER, 0, 1.0, 1001), (Op.PLAY, 0, 0.0, 3000))
    press(engine, (Op.JUMP, 1, 2.0, 4001), (Op.STEM_HAND_OVER, 0, 1.0, 8003))
    return engine.render(FRAMES)


def stem_faders():
    engine = two_with_vocals(stem_fader__curve=1.0)
    for k in range(32):
        at(engine, (200 * k, "stem_fader.vocals", k * 200 / 31 - 100))
    at(engine, (7000, "stem_fader.curve", 2.0), (8000, "stem_fader.drums", -100.0))
    return engine.render(FRAMES)


def acapella():
    engine = playing({"vocals": wave(300), "drums": noise(15)})
    press(engine, (Op.ACAPELLA, 0, 1.0, 1001), (Op.INSTRUMENTAL, 0, 1.0, 4003))
    press(engine, (Op.INSTRUMENTAL, 0, 0.0, 7001))
    return engine.render(FRAMES)


def cue_loop(block=512):
    engine = playing(wave(317), block=block, deck1__rate=1.03)
    at(engine, (100, "deck1.hotcue1.position", 1.0), (100, "deck1.hotcue1.end", 1.04))
    for op, x, frame in ((Op.HOTCUE_KIND, 1.0, 101), (Op.HOTCUE_PRESS, 1.0, 1003)):
        engine.push(Command(op, x=x, when=When.FRAME, frame=frame))
    return engine.render(FRAMES)


def cue_fade_in(block=512):
    engine = playing({"drums": noise(11), "bass": wave(480)}, block=block, deck1__rate=0.97)
    at(engine, (100, "deck1.hotcue1.position", 1.0), (100, "deck1.hotcue1.end", 1.1))
    for op, x, frame in ((Op.HOTCUE_KIND, 2.0, 101), (Op.HOTCUE_PRESS, 1.0, 1003)):
        engine.push(Command(op, x=x, when=When.FRAME, frame=frame))
    engine.push(Command(Op.HOTCUE_PRESS, x=1.0, when=When.FRAME, frame=3001))  # again, in the fade
    return engine.render(FRAMES)


def presses(engine, *rows):
    """Send verbs of the first deck, each with a number and at a frame."""
    press(engine, *((op, 0, x, frame) for op, x, frame in rows))


def brake():
    engine = playing(wave(317), deck1__brake_time=0.06, deck1__start_time=0.03)
    presses(engine, (Op.BRAKE, 1.0, 1003), (Op.PLAY, 1.0, 3001), (Op.BRAKE, 1.0, 6000))
    return engine.render(FRAMES)


def spinback():
    engine = playing({"drums": noise(11), "bass": wave(480)}, deck1__spinback_time=0.2)
    presses(engine, (Op.SEEK, 1.5, 200), (Op.SPINBACK, 1.0, 1003))
    return engine.render(FRAMES + 2400)


def scratch():
    engine = playing({"drums": noise(12), "bass": wave(300)})
    presses(engine, (Op.SEEK, 1.5, 100))
    at(engine, (500, "deck1.touch", 1.0), (1001, "deck1.scratch", 400.0))
    at(engine, (2003, "deck1.scratch", -900.0), (3000, "deck1.scratch", 0.0))
    for k in range(40):
        place = 0.03 * ((k % 20) - abs((k % 20) - 10)) / 10
        at(engine, (3500 + 120 * k, "deck1.platter", place))
    at(engine, (8333, "deck1.touch", 0.0))
    return engine.render(FRAMES)


def slip():
    engine = playing({"drums": noise(13), "bass": wave(240)}, deck1__slip=1.0)
    presses(engine, (Op.SEEK, 1.0, 100), (Op.CENSOR, 1.0, 700), (Op.CENSOR, 0.0, 2501))
    at(engine, (3000, "deck1.loop.start", 1.0), (3000, "deck1.loop.end", 1.02))
    presses(engine, (Op.LOOP_ACTIVE, 1.0, 3001), (Op.LOOP_ACTIVE, 0.0, 6003))
    at(engine, (7000, "deck1.touch", 1.0), (7000, "deck1.scratch", -300.0))
    at(engine, (8501, "deck1.touch", 0.0), (8501, "deck1.scratch", 0.0))
    return engine.render(FRAMES)


def pads():
    engine = Offline(RATE, block=128)
    for number, pcm in enumerate((noise(16)[:3000], wave(300)[:5000], wave(111)[:700])):
        engine.load_pad(number, pcm, rate=RATE)
    settings = (
        ("pad1.pitch", 4.0), ("pad1.attack", 3.0), ("pad2.mode", 2.0), ("pad2.start", 13.0),
        ("pad2.end", 61.0), ("pad2.choke", 1.0), ("pad3.choke", 1.0), ("pad3.reverse", 1.0),
        ("pad3.pan", 40.0), ("pad1.volume", -3.0),
    )  # fmt: skip
    for path, value in settings:
        engine.set(path, value)
    engine.render(1024)
    hits = (
        (0, 100, 1101),
        (1, 127, 1500),
        (2, 64, 4003),
        (0, 127, 4100),
        (1, 90, 6000),
        (1, 0, 9001),
    )
    for pad, force, frame in hits:
        engine.push(
            Command(Op.PAD_HIT, deck=-1, target=pad, x=float(force), when=When.FRAME, frame=frame)
        )
    at(engine, (7001, "pad2.pitch", -5.0), (8000, "sampler.volume", -6.0))
    return engine.render(FRAMES)


def effect(kind, *changes, source=None, **settings):
    """Return an engine whose deck goes through an effect, and the sound of 0.2 s of it."""
    chosen = {"fx1__slot1__kind": float(KIND_NAMES.index(kind)), "fx1__on": 1.0, "deck1__fx1": 1.0}
    settings = chosen | {"fx1__mix": 80.0} | settings
    engine = playing(noise(20, 9000) if source is None else source, **settings)
    at(engine, *changes)
    return engine.render(FRAMES)


def effect_echo():
    return effect("echo", (5000, "fx1.slot1.param_a", 12.5), (7003, "fx1.slot1.param_c", 20.0),
                  fx1__slot1__param_a=0.0, fx1__slot1__param_b=80.0)  # fmt: skip


def effect_pingpong():
    return effect("pingpong", (4001, "deck1.fader", -60.0), (6000, "fx1.on", 0.0),
                  fx1__slot1__param_a=0.0, fx1__slot1__param_b=80.0)  # fmt: skip


def effect_reverb():
    return effect("reverb", (3001, "deck1.fader", -60.0), (6000, "fx1.slot1.on", 0.0))


def effect_flanger():
    return effect("flanger", (4001, "fx1.macro", 90.0), fx1__slot1__param_a=0.0)


def effect_phaser():
    return effect("phaser", (4001, "fx1.slot1.param_c", 90.0), fx1__slot1__param_a=0.0)


def effect_crush():
    return effect("crush", (3001, "fx1.slot1.param_b", 20.0), (6000, "fx1.slot1.param_c", 50.0))


def effect_repeat():
    return effect("repeat", (3001, "fx1.slot1.on", 1.0), (8003, "fx1.slot1.on", 0.0),
                  fx1__slot1__on=0.0, fx1__slot1__param_a=0.0, fx1__mix=100.0)  # fmt: skip


def effect_gate():
    return effect("gate", (5000, "fx1.slot1.param_b", 80.0), fx1__slot1__param_a=0.0)


def effect_sweep():
    return effect("sweep", (5000, "fx1.slot1.param_b", 100.0), fx1__slot1__param_a=0.0)


def effect_compress():
    return effect("compress", (3001, "deck1.trim", 12.0), (6000, "deck1.trim", -20.0))


def effect_tapestop():
    return effect("tapestop", (2001, "fx1.slot1.on", 1.0), (6003, "fx1.slot1.on", 0.0),
                  fx1__slot1__on=0.0, fx1__slot1__param_a=12.5, fx1__slot1__param_b=0.0,
                  fx1__mix=100.0)  # fmt: skip


def effect_chain():
    kinds = {f"fx1__slot{n}__kind": float(KIND_NAMES.index(kind))
             for n, kind in ((2, "echo"), (3, "reverb"))}  # fmt: skip
    stems = {"vocals": noise(21), "drums": wave(411)}
    return effect(
        "crush", (3001, "fx1.mode", 1.0), (5000, "deck1.stem.vocals.fx1", 0.0),
        (6000, "master.fx1", 1.0), (7000, "fx1.slot2.kind", 5.0),
        source=stems, deck1__fx1=0.0, deck1__stem__vocals__fx1=1.0, **kinds,
        fx1__slot2__param_a=0.0,
    )  # fmt: skip


EFFECTS = (
    effect_echo, effect_pingpong, effect_reverb, effect_flanger, effect_phaser, effect_crush,
    effect_repeat, effect_gate, effect_sweep, effect_compress, effect_tapestop, effect_chain,
)  # fmt: skip
FEATURES = (
    *EFFECTS,
    mute, solo, volume, pan, equaliser, filters, loop_seam, jump, varispeed, limiter, crossfader,
    headphones, synced, keylock, finer, pitch_shift, loop_roll, stem_loop, stem_roll, stem_swap,
    hand_over, stem_faders, acapella, cue_loop, cue_fade_in, brake, spinback, scratch, slip,
    pads,
)  # fmt: skip


def digests():
    """Return the sum of every scene's bytes."""
    return {
        scene.__name__: hashlib.sha256(scene().tobytes()).hexdigest()
        for scene in (everything, *FEATURES)
    }


if __name__ == "__main__":
    build.ensure = lambda _=None: Path(sys.argv[1])
    print(json.dumps(digests()))
