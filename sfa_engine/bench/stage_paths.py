"""The cost of the stage's hot paths: set a control, press a button, readings for many listeners.

No engine runs: commands go to a ring that is emptied between rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sfa_engine.bench.rig import Result, result
from sfa_engine.engine.command import Ring
from sfa_engine.engine.layout import COMMANDS
from sfa_engine.engine.memory import Memory
from sfa_engine.stage.conductor import Conductor

ROUNDS = 40
LISTENERS = 100


def bench_stage() -> list[Result]:
    """Measure the calls of surfaces for each message; medians of rounds."""
    memory = Memory.anonymous()
    conductor = Conductor(memory)
    ring = memory.engine["rings"][Ring.STAGE]

    def empty() -> None:
        ring["tail"] = ring["done"] = ring["head"]

    def change(number: int) -> None:
        conductor.set_nowait("deck1.eq.low.gain", -float(number % 12))

    def press(_: int) -> None:
        conductor.press_nowait("deck1.hotcue1.press")

    def read(number: int) -> None:
        if number % LISTENERS == 0:
            memory.engine["serial"] += 1  # the kernel has published a block
        conductor.readings()["deck1.level"]

    count = COMMANDS // 2
    return [
        result("set_nowait_us", _median_us(change, count, empty), "us", ROUNDS * count),
        result("press_nowait_us", _median_us(press, count, empty), "us", ROUNDS * count),
        result("readings_100_listeners_us", LISTENERS * _median_us(read, 5 * LISTENERS, empty),
               "us", ROUNDS * 5),
    ]  # fmt: skip


def _median_us(call: Callable[[int], None], count: int, before: Callable[[], None]) -> float:
    """Return the CPU time of a call, as the median over rounds of `count` calls."""
    costs = []
    for _ in range(ROUNDS):
        before()
        began = time.thread_time_ns()
        for number in range(count):
            call(number)
        costs.append((time.thread_time_ns() - began) / count / 1e3)
    return sorted(costs)[ROUNDS // 2]
