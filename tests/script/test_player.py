"""A script played on a running engine, beside the same script rendered."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trio
from engine_process import bundles  # noqa: F401 - a fixture, found by its name

from sfa_engine.engine.layout import LATENCY
from sfa_engine.host.offline import Offline
from sfa_engine.script import player
from sfa_engine.script.render import perform
from sfa_engine.script.script import parse_script
from sfa_engine.stage.conductor import Conductor

RATE = 48_000
MIX = """
0   load 1 "{0}"
0   load 2 "{1}"
0   set  deck1.leader on
0   set  deck2.eq.low.kill on
0.1 set  deck1.play on
0.5 set  deck2.sync beat
1   set  deck2.play on at bar deck1
1   ramp crossfader -100 100 over 3
2   ramp deck1.filter 0 60 over 2
3   press deck1.hotcue1.press
4   press deck2.loop.beatloop
5   press deck1.hotcue1.press
6   end
"""


class Engine:
    """The stage's conductor on the kernel, called as its socket is; its time is the player's."""

    def __init__(self):
        self.kernel = Offline(RATE)
        self.kernel.render(64)
        self.conductor = Conductor(self.kernel.memory)
        self.sound = []

    def call(self, method, **params):
        if method == "status":
            frame = int(self.kernel.memory.engine["emitted"])
            return {"engine": {"rate": float(RATE), "frame": frame}}
        if method == "deck.load":
            self.kernel.load(params["deck"] - 1, Path(params["path"]))
            return {}
        do = {"set": self.conductor.set, "press": self.conductor.press}[method]
        trio.run(partial(do, params["path"], params["value"], when=params["when"]))
        return {}

    def sleep(self, seconds):
        self.sound.append(self.kernel.render(round(seconds * RATE)))
        self.conductor.pump()


@pytest.mark.slow
def test_a_script_played_live_is_to_the_byte_the_script_rendered(bundles, monkeypatch):  # noqa: F811
    script = parse_script(MIX.format(*bundles))
    engine = Engine()
    monkeypatch.setattr(player.time, "sleep", engine.sleep)
    player.play_script(engine, script)
    played = np.concatenate(engine.sound)
    rendered = np.concatenate(list(perform(script, RATE)))
    start = int(np.flatnonzero(played.any(axis=1))[0])
    start_rendered = int(np.flatnonzero(rendered.any(axis=1))[0])
    frames = min(len(played) - start, len(rendered) - start_rendered)
    assert frames > 5.5 * RATE - LATENCY
    assert np.array_equal(
        played[start : start + frames], rendered[start_rendered : start_rendered + frames]
    )
