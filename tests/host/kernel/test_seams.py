"""Grids with seams: two anchors a millisecond apart between which the beat number jumps."""

import numpy as np
import pytest

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import TICK
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
QUIET = np.zeros((40 * RATE, 2), np.int16)
BEAT = 24_000  # frames at 120 BPM
CUT = 20.3  # beats of the first piece; the next one starts with a downbeat


def seam(cut=CUT, beats_per_bar=4):
    """Return a grid of 120 BPM that is cut after some beats; a new bar starts there."""
    at = cut * BEAT
    new = beats_per_bar * (np.floor(cut / beats_per_bar) + 1)
    before = (at - 48) / BEAT
    return Grid(
        (Anchor(0.0, 0.0), Anchor(at - 48, before), Anchor(at, float(new))), 120.0, beats_per_bar
    )


class Decks:
    """Two decks: a track with a seam on the first, one of 124 BPM without on the second."""

    def __init__(self, grid):
        self.engine = Offline(RATE, 2, TICK)
        other = Grid((Anchor(0.0, 0.0),), 124.0)
        for deck, one in enumerate((grid, other)):
            self.engine.load(deck, {"mix": QUIET}, rate=RATE, grid=one)
        self.wait(TICK / RATE)

    def wait(self, seconds):
        self.engine.render(round(seconds * RATE))

    def do(self, op, deck=1, x=1.0):
        self.engine.commands.push(Command(op, deck=deck - 1, x=x))
        self.engine.render(TICK)

    def reading(self, name):
        return self.engine.memory.reading(name)

    def value(self, path):
        return self.engine.memory.value(path)


@pytest.mark.parametrize("cut", [20.3, 20.02, 21.5, 22.0, 23.85, 23.98])
def test_a_follower_keeps_its_tempo_over_a_seam_and_bends_into_phase(cut):
    decks = Decks(seam(cut))
    decks.do(Op.PLAY, 1)
    decks.do(Op.SYNC, 2, 2.0)
    decks.do(Op.PLAY, 2)
    decks.engine.set("crossfader", 0.0)
    decks.wait(2.0)
    tempi, rates = [], []
    for _ in range(round(18.0 * RATE / TICK)):
        decks.engine.render(TICK)
        tempi.append(decks.reading("deck1.tempo"))
        rates.append(decks.value("deck2.rate"))
    assert np.isfinite(tempi).all()
    assert np.isfinite(rates).all()
    assert np.ptp(rates) < 0.03 * np.median(rates)
    assert np.median(tempi) == pytest.approx(120.0, abs=1e-6)
    assert abs(decks.reading("deck2.phase_error")) < 0.002


def test_quantise_finds_the_downbeat_after_a_seam():
    decks = Decks(seam())
    at_s = CUT * BEAT / RATE
    decks.engine.set("deck1.quantise", 1.0)
    decks.engine.render(TICK)
    decks.do(Op.SEEK, 1, at_s + 0.08)
    decks.do(Op.LOOP_BEATLOOP, 1)
    start = decks.value("deck1.loop.start")
    length = decks.value("deck1.loop.length")
    assert start == pytest.approx(at_s, abs=0.0011)
    assert decks.value("deck1.loop.end") == pytest.approx(start + length * BEAT / RATE, abs=0.0011)


def test_a_loop_over_a_seam_goes_round_and_ends():
    decks = Decks(seam())
    decks.do(Op.SEEK, 1, (CUT - 2) * BEAT / RATE)
    decks.do(Op.PLAY, 1)
    decks.do(Op.LOOP_BEATLOOP, 1)
    start, end = decks.value("deck1.loop.start"), decks.value("deck1.loop.end")
    assert end > start
    for _ in range(40):
        decks.wait(0.25)
        assert start - 0.01 <= decks.value("deck1.position") <= end + 0.01


def test_every_beat_of_a_seam_rises():
    for cut in np.linspace(8.01, 12.0, 57):
        beats = seam(cut).beats(len(QUIET), RATE)
        assert (np.diff(beats) > 1.0).all()
