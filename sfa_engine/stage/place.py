"""Where a deck is right now, between two blocks of the audio thread. Reads the engine's memory."""

from __future__ import annotations

import time

from sfa_engine.engine.layout import LATENCY
from sfa_engine.engine.memory import Memory

RETRIES = 8  # of a reading that the audio thread writes meanwhile
MAX_AHEAD_S = 0.1  # beyond the last block: a device that stands still moves no deck


def place_s(memory: Memory, deck: int, *, heard: bool = False) -> float:
    """Return the position of a deck, from 1, in seconds of its track.

    Parameters
    ----------
    memory : Memory
    deck : int
    heard : bool
        Of what the device plays now, a block and the limiter's latency after it was rendered: what
        a hand taps along to.
    """
    engine = memory.engine
    machine = engine["transport"][deck - 1]
    rate = float(machine["track_rate"]) or 1.0
    before = None
    for _ in range(RETRIES):
        head = machine["head"]
        line = (int(head["anchor_frame"]), float(head["anchor_position"]), float(head["speed"]))
        clock = (int(engine["emitted"]), int(engine["monotonic_ns"]))
        if (line, clock) == before:
            break
        before = (line, clock)
    anchor_frame, anchor, speed = line
    if not machine["playing"]:
        return float(machine["position"]) / rate
    device_rate = float(engine["sample_rate"])
    passed_s = min(MAX_AHEAD_S, max(0.0, (time.monotonic_ns() - clock[1]) / 1e9))
    frame = clock[0] + passed_s * device_rate
    if heard:
        frame -= int(engine["block"]) + LATENCY
    return (anchor + (frame - anchor_frame) * speed) / rate
