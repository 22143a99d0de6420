"""Starts, jumps and hot cues that wait for a phrase, of a deck or of the session, to the frame."""

import numpy as np
import pytest

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.command import ReportKind, Ring
from sfa_engine.engine.intents import Moment, command_for
from sfa_engine.engine.layout import TICK
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

RATE = 48_000
SECONDS = 120


def engine_of(bpm=120.0, beats_per_bar=4, block=512):
    engine = Offline(RATE, 2, block)
    silence = np.zeros((SECONDS * RATE, 2), np.int16)
    for deck in range(2):
        grid = Grid((Anchor(0.0, 0.0),), bpm, beats_per_bar)
        engine.load(deck, {"mix": silence}, rate=RATE, grid=grid)
    engine.render(512)
    return engine


def do(engine, path, value, at="now"):
    ticket = engine.push(command_for(CONTROLS[path], value, Moment.parse(at), 0))
    engine.render(512)
    return ticket


def frame_of(engine, ticket, seconds=40.0):
    """Render until a command has been done; return the frame it was done at."""
    for _ in range(round(seconds * RATE / 512)):
        engine.render(512)
        for report in engine.reported():
            if report.ticket == ticket and report.ring == Ring.STAGE and report.is_end:
                assert report.kind is not ReportKind.REFUSED, report
                return report.frame
    pytest.fail(f"not done in {seconds} s")


def beat_at(engine, deck, frame, bpm=120.0):
    head = engine.memory.engine["transport"][deck]["head"]
    gone = frame - int(head["anchor_frame"])
    return (float(head["anchor_position"]) + gone * float(head["speed"])) * bpm / 60.0 / RATE


@pytest.mark.parametrize(
    ("bars", "beats_per_bar", "expected"),
    [(8, 4, 32), (4, 4, 16), (1, 4, 4), (2, 7, 14), (4, 3, 12)],
)
def test_a_deck_starts_on_the_phrase_of_another(bars, beats_per_bar, expected):
    engine = engine_of(beats_per_bar=beats_per_bar)
    do(engine, "clock.bars_per_phrase", float(bars))
    do(engine, "deck1.position", 0.75)
    do(engine, "deck1.play", 1.0)
    ticket = do(engine, "deck2.play", 1.0, "phrase deck1")
    frame = frame_of(engine, ticket)
    assert 0.0 <= beat_at(engine, 0, frame) - expected < 1.01 * 120 / 60 / RATE
    machine = engine.memory.engine["transport"][1]["head"]
    assert (int(machine["anchor_frame"]), float(machine["anchor_position"])) == (frame, 0.0)


def test_a_phrase_of_the_session_begins_with_its_downbeat():
    engine = engine_of()
    engine.render(3 * RATE + 17 * TICK)
    aligned = frame_of(engine, do(engine, "clock.align", 1.0))
    ticket = do(engine, "deck1.play", 1.0, "phrase")
    frame = frame_of(engine, ticket)
    assert (frame - aligned) / (RATE * 0.5) == pytest.approx(32.0, abs=1e-4)


@pytest.mark.parametrize(
    ("path", "value", "place_s"), [("deck1.jump", 8.0, 20.0), ("deck1.hotcue1.press", 1.0, 40.0)]
)
def test_a_jump_waits_for_its_own_phrase(path, value, place_s):
    engine = engine_of()
    do(engine, "deck1.hotcue1.position", 40.0)
    do(engine, "deck1.position", 5.0)
    do(engine, "deck1.play", 1.0)
    ticket = do(engine, path, value, "phrase deck1")
    frame = frame_of(engine, ticket)
    # Beat 32 is at 16 s; the jump goes 8 beats on from there, the cue where it was set.
    assert beat_at(engine, 0, frame) / 2.0 == pytest.approx(place_s, abs=1.01 / RATE)


def test_a_loop_does_not_stop_the_count_of_phrases():
    engine = engine_of()
    do(engine, "deck1.quantise", 1.0)
    do(engine, "deck1.loop.length", 2.0)
    do(engine, "deck1.play", 1.0)
    began = int(engine.memory.engine["transport"][0]["head"]["anchor_frame"])
    do(engine, "deck1.loop.beatloop", 1.0)
    ticket = do(engine, "deck2.play", 1.0, "phrase deck1")
    frame = frame_of(engine, ticket)
    assert frame - began == pytest.approx(32 * 0.5 * RATE, abs=1)


@pytest.mark.parametrize("block", [64, 480, 1024])
def test_it_is_the_same_frame_whatever_the_block(block):
    engine = engine_of(block=block)
    do(engine, "deck1.play", 1.0)
    ticket = do(engine, "deck2.play", 1.0, "phrase deck1")
    assert frame_of(engine, ticket) == frame_of_default()


def frame_of_default():
    engine = engine_of()
    do(engine, "deck1.play", 1.0)
    return frame_of(engine, do(engine, "deck2.play", 1.0, "phrase deck1"))
