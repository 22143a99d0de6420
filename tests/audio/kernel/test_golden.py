"""A scene with a little of everything, compared whole with how it sounded when it was right."""

from pathlib import Path

import numpy as np

from sfa_engine.audio.command import Op, When
from sfa_engine.audio.grid import Anchor, Grid
from sfa_engine.audio.offline import Offline
from sfa_engine.audio.ring import Command

GOLDEN = Path(__file__).parents[2] / "golden" / "scene.npy"
RATE = 48_000
TOLERANCE = 1e-6  # the last bit differs between processors


def scene():
    """Render half a second in which most of the kernel has its turn: float32[24000, 2]."""
    rng = np.random.default_rng(42)
    noise = (rng.standard_normal((4 * RATE, 2)) * 4000).astype(np.int16)
    engine = Offline(RATE)
    for deck, bpm in enumerate((124.0, 128.0)):
        stems = {"drums": np.roll(noise, 1000 * deck, 0), "bass": noise[::-1].copy()}
        engine.load(deck, stems, rate=RATE, grid=Grid((Anchor(500.0, 0.0),), bpm))
    engine.render(32)
    engine.push(Command(Op.LEADER, whom=0, x=1.0))
    engine.push(Command(Op.PLAY, whom=0, x=1.0))
    engine.push(Command(Op.SYNC, whom=1, x=2.0))
    engine.push(Command(Op.PLAY, whom=1, x=1.0))
    for path, value, frame in (
        ("deck1.rate", 1.04, 1000),
        ("deck1.stem.drums.mute", 1.0, 3001),
        ("deck2.eq.low.kill", 1.0, 4000),
        ("deck2.stem.bass.pan", -50.0, 5000),
        ("deck1.filter", -60.0, 7003),
        ("crossfader", 30.0, 9000),
        ("crossfader_curve", 1.0, 9500),
        ("deck1.trim", 9.0, 12_000),
        ("deck2.filter", 70.0, 15_000),
        ("deck1.reverse", 1.0, 18_000),
    ):
        engine.set(path, value, frame)
    for op, frame in ((Op.HOTCUE_PRESS, 2500), (Op.LOOP_AUTO, 11_000), (Op.HOTCUE_PRESS, 20_001)):
        engine.push(Command(op, when=When.FRAME, frame=frame))
    return engine.render(24_000)


def test_the_scene_sounds_as_it_did(accept_golden, tmp_path):
    heard = scene()
    if accept_golden:
        np.save(GOLDEN, heard)
    golden = np.load(GOLDEN)
    assert heard.shape == golden.shape
    assert heard.dtype == golden.dtype
    different = np.abs(heard - golden).max()
    if different > TOLERANCE:
        np.save(tmp_path / "heard.npy", heard)
    assert different <= TOLERANCE, f"by {different:g}; what was heard is in {tmp_path}/heard.npy"
    assert np.abs(golden).max() > 0.1
