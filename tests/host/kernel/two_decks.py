"""Two decks with silent tracks of some tempi, for what is said of their time."""

import numpy as np

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import TICK
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
QUIET = np.zeros((90 * RATE, 2), np.int16)


class Decks:
    """Two decks with silent tracks of some tempi; commands are done at once."""

    def __init__(self, *tempi, firsts=(0.0, 0.0), bars=(4, 4)):
        self.engine = Offline(RATE, 2, TICK)
        for deck, bpm in enumerate(tempi):
            self.load(deck + 1, bpm, firsts[deck], bars[deck])

    def load(self, deck, bpm, first=0.0, bar=4):
        grid = Grid((Anchor(first * RATE, 0.0),), bpm, bar) if bpm else None
        self.engine.load(deck - 1, {"mix": QUIET}, rate=RATE, grid=grid)
        self.wait(TICK / RATE)

    def wait(self, seconds):
        self.engine.render(round(seconds * RATE))

    def do(self, op, deck=1, x=1.0, **fields):
        self.engine.reported()
        writer = self.engine.loader._commands if op is Op.LOAD else self.engine.commands
        ticket = writer.push(Command(op, deck=deck - 1, x=x, **fields))
        self.engine.render(TICK)
        return next(
            report for report in self.engine.reported() if report.is_end and report.ticket == ticket
        )

    def set(self, path, value):
        self.engine.set(path, value)
        self.engine.render(TICK)

    def play(self, deck):
        self.do(Op.PLAY, deck)

    def stop(self, deck):
        self.do(Op.PLAY, deck, 0.0)

    def sync(self, deck, mode="beat"):
        self.do(Op.SYNC, deck, float(("off", "tempo", "beat").index(mode)))

    def tempo(self, deck):
        return self.engine.memory.reading(f"deck{deck}.tempo")

    def error(self, deck):
        """Return how far a deck is from the leader's beat, in seconds."""
        return self.engine.memory.reading(f"deck{deck}.phase_error") * 60 / self.tempo(deck)

    def value(self, path):
        return self.engine.memory.value(path)

    def position(self, deck):
        return self.value(f"deck{deck}.position")

    def tempi(self, deck, seconds):
        """Return a deck's tempo of every tick of some seconds."""
        found = []
        for _ in range(round(seconds * RATE / TICK)):
            self.engine.render(TICK)
            found.append(self.tempo(deck))
        return np.array(found)
