"""The cue button in each mode, as tables: what it does to play, the place and the cue point.

Rows are those of the Mixxx user manual, section "Using Cue Modes", for Pioneer, Mixxx and Numark.
"""

import numpy as np
import pytest

from sfa_engine.engine.command import Op
from sfa_engine.engine.layout import TICK
from sfa_engine.engine.ring import Command
from sfa_engine.host.offline import Offline

RATE = 48_000
SILENCE = np.zeros((60 * RATE, 2), np.int16)
MODES = {"cdj": 0.0, "mixxx": 1.0, "numark": 2.0}
AT_CUE, ELSEWHERE = 10.0, 20.0


def deck(mode, *, playing, place_s, touched=False):
    engine = Offline(RATE, 2, TICK)
    engine.load(0, {"mix": SILENCE}, rate=RATE)
    engine.render(TICK)
    engine.set("deck1.cue_mode", MODES[mode])
    engine.set("deck1.cue_point", AT_CUE)
    engine.push(Command(Op.SEEK, x=place_s))
    if playing:
        # Straight to the transport: PLAY moves the cue point of a numark deck.
        engine.set("deck1.cue_mode", 0.0)
        engine.push(Command(Op.PLAY, x=1.0))
        engine.render(TICK)
        engine.set("deck1.cue_mode", MODES[mode])
    if touched:
        engine.set("deck1.touch", 1.0)
        engine.render(4800)
    engine.render(TICK)
    return engine


def press(engine, op, x=1.0, seconds=0.1):
    engine.push(Command(op, x=x))
    engine.render(round(seconds * RATE / TICK) * TICK)


def state(engine):
    """Return whether the deck plays, where it is, and where its cue point is."""
    transport = engine.memory.engine["transport"][0]
    value = engine.memory.value
    return bool(transport["playing"]), value("deck1.position"), value("deck1.cue_point")


PAUSED_AT_CUE = {"playing": False, "place_s": AT_CUE}
PAUSED_ELSEWHERE = {"playing": False, "place_s": ELSEWHERE}
PLAYING = {"playing": True, "place_s": ELSEWHERE}
# mode, state, presses: whether it plays, where it is, where the cue point is
TABLE = [
    # paused at the cue point: plays while held, and back
    *(
        row
        for mode in MODES
        for row in (
            (mode, PAUSED_AT_CUE, "cue+", (True, AT_CUE + 0.1, AT_CUE)),
            (mode, PAUSED_AT_CUE, "cue+ cue-", (False, AT_CUE, AT_CUE)),
            (mode, PAUSED_AT_CUE, "cue+ play cue-", (True, AT_CUE + 0.3, AT_CUE)),
            (mode, PAUSED_AT_CUE, "play", (True, AT_CUE + 0.1, AT_CUE)),
        )
    ),
    # paused elsewhere
    ("cdj", PAUSED_ELSEWHERE, "cue+ cue-", (False, ELSEWHERE, ELSEWHERE)),
    ("mixxx", PAUSED_ELSEWHERE, "cue+ cue-", (False, ELSEWHERE, ELSEWHERE)),
    ("numark", PAUSED_ELSEWHERE, "cue+ cue-", (False, AT_CUE, AT_CUE)),
    ("cdj", PAUSED_ELSEWHERE, "play", (True, ELSEWHERE + 0.1, AT_CUE)),
    ("mixxx", PAUSED_ELSEWHERE, "play", (True, ELSEWHERE + 0.1, AT_CUE)),
    ("numark", PAUSED_ELSEWHERE, "play", (True, ELSEWHERE + 0.1, ELSEWHERE)),
    # playing: to the cue point, and paused there
    *(
        row
        for mode in MODES
        for row in (
            (mode, PLAYING, "cue+", (False, AT_CUE, AT_CUE)),
            (mode, PLAYING, "cue+ cue-", (False, AT_CUE, AT_CUE)),
            (mode, PLAYING, "cue+ cue- cue+", (True, AT_CUE + 0.1, AT_CUE)),
        )
    ),
    # at the end of the track nothing is stored
    *(
        (mode, {"playing": False, "place_s": 60.0}, "cue+ cue-", (False, AT_CUE, AT_CUE))
        for mode in MODES
    ),
]


@pytest.mark.parametrize(("mode", "before", "presses", "after"), TABLE)
def test_the_cue_button_does_what_the_manual_says(mode, before, presses, after):
    engine = deck(mode, **before)
    for word in presses.split():
        press(engine, Op.PLAY if word == "play" else Op.CUE, 0.0 if word == "cue-" else 1.0)
    plays, place_s, point_s = state(engine)
    assert plays is after[0]
    assert place_s == pytest.approx(after[1], abs=0.003)
    assert point_s == pytest.approx(after[2], abs=0.003)


@pytest.mark.parametrize(("mode", "goes_on"), [("cdj", False), ("mixxx", True)])
def test_under_a_hand_the_cue_button_stores_the_point(mode, goes_on):
    engine = deck(mode, touched=True, **PLAYING)
    held = state(engine)[1]
    press(engine, Op.CUE)
    press(engine, Op.CUE, 0.0)
    assert state(engine)[2] == pytest.approx(held, abs=1e-6)
    engine.set("deck1.touch", 0.0)
    engine.render(RATE // 2)
    plays, place_s, _ = state(engine)
    assert plays is goes_on
    assert place_s == pytest.approx(held + (0.49 if goes_on else 0.0), abs=0.01)


def test_a_numark_deck_under_a_hand_goes_to_the_cue_point():
    engine = deck("numark", touched=True, **PLAYING)
    press(engine, Op.CUE)
    assert state(engine)[1:] == pytest.approx((AT_CUE, AT_CUE))


def lamps(engine, seconds=2.0):
    """Return the shares of the time that the cue and the play lamp are lit, and their changes."""
    seen = []
    for _ in range(round(seconds * RATE / 480)):
        engine.render(480)
        values = engine.memory.snapshot()["values"]["deck"][0]
        seen.append((float(values["cue_lamp"]), float(values["play_lamp"])))
    seen = np.array(seen)
    return seen.mean(axis=0), np.abs(np.diff(seen, axis=0)).sum(axis=0) / seconds


@pytest.mark.parametrize(
    ("mode", "before", "cue", "play"),
    [
        # changes a second: 4 is on and off twice; 0 with a share of 1 is lit, of 0 is dark
        *((mode, PLAYING, (0.0, 0.0), (1.0, 0.0)) for mode in MODES),
        ("cdj", PAUSED_AT_CUE, (1.0, 0.0), (0.5, 2.0)),
        ("mixxx", PAUSED_AT_CUE, (1.0, 0.0), (0.0, 0.0)),
        ("numark", PAUSED_AT_CUE, (1.0, 0.0), (0.0, 0.0)),
        ("cdj", PAUSED_ELSEWHERE, (0.5, 4.0), (0.5, 2.0)),
        ("mixxx", PAUSED_ELSEWHERE, (0.5, 2.0), (0.0, 0.0)),
        ("numark", PAUSED_ELSEWHERE, (0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_the_lamps_blink_as_the_mode_does(mode, before, cue, play):
    share, changes = lamps(deck(mode, **before))
    for lamp, (lit, often) in enumerate((cue, play)):
        assert share[lamp] == pytest.approx(lit, abs=0.1)
        assert changes[lamp] == pytest.approx(often, abs=0.6)
