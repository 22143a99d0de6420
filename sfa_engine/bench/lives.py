"""`sfa bench engine --only lives`: recovery from killed processes while two decks play.

Stage and host are killed in turn under `sfa start`, which restarts them. Blocks are counted beside
the do-nothing client's on the same device, over the same time.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from functools import partial

import numpy as np

from sfa_engine.bench.rig import Result, Rig, bundle_of, result
from sfa_engine.engine.layout import READING_INDEX
from sfa_engine.system.child import wait_for
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import STAGE_LOCK

KILLS = 5  # of each
LIFE_S = 2.5  # between two kills; a shorter life is not restarted at once
TRACK_S = 120.0
MUSIC_LEVEL = 0.001  # of the master, above which music plays


def bench_lives(device: str | None) -> list[Result]:
    """Kill stage and host repeatedly; measure the time to recover."""
    with bundle_of(TRACK_S) as bundle, ExitStack() as stack:
        rig = Rig(stack, device, 128, supervised=True)
        rig.play_busy(bundle)
        rig.client.close()
        return _kill_stages(rig) + _kill_hosts(rig)


def _kill_stages(rig: Rig) -> list[Result]:
    """Measure from a stage's death to the first command that the next one applies."""
    mine, null = rig.host.memory.engine, rig.null.memory.engine
    words = ("blocks", "late", "device_misses")
    before = {word: (int(mine[word]), int(null[word])) for word in words}
    took_s = []
    for _ in range(KILLS):
        time.sleep(LIFE_S)
        pid = lock_holder(rig.runtime / STAGE_LOCK)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(partial(_steers, rig, pid), "next stage")
        with rig.connect() as client:
            client.call("set", path="master.volume", value=-1.0, wait=True)
        took_s.append(time.monotonic() - began)
    blocks, late, misses = (
        (int(mine[word]) - before[word][0], int(null[word]) - before[word][1]) for word in words
    )
    return [
        result("stage_killed_steering_s", float(np.median(took_s)), "s", KILLS, rig.null_start_s),
        result("stage_killed_steering_worst_s", max(took_s), "s", KILLS, rig.null_start_s),
        result("stage_killed_blocks", blocks[0], "blocks", KILLS, blocks[1]),
        result("stage_killed_own_late_blocks", late[0], "blocks", blocks[0]),
        result("stage_killed_device_misses", misses[0], "blocks", blocks[0], misses[1]),
    ]


def _steers(rig: Rig, pid: int) -> bool:
    """Return whether a stage other than process `pid` answers."""
    return lock_holder(rig.runtime / STAGE_LOCK) not in {0, pid} and rig.answers()


def _kill_hosts(rig: Rig) -> list[Result]:
    """Measure from a host's death to music, and the error of its position."""
    engine = rig.host.memory.engine
    took_s, off_ms = [], []
    for _ in range(KILLS):
        time.sleep(LIFE_S)
        pid = int(engine["host_pid"])
        before = rig.host.memory.snapshot()
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(partial(_plays, rig, pid), "music")
        took_s.append(time.monotonic() - began)
        off_ms.append(abs(_moved_ms(before, rig.host.memory.snapshot())))
    return [
        result("host_killed_music_s", float(np.median(took_s)), "s", KILLS, rig.null_start_s),
        result("host_killed_music_worst_s", max(took_s), "s", KILLS, rig.null_start_s),
        result("host_killed_off_ms", float(np.median(off_ms)), "ms", KILLS),
        result("host_killed_off_worst_ms", max(off_ms), "ms", KILLS),
    ]


def _plays(rig: Rig, pid: int) -> bool:
    """Return whether a host other than process `pid` plays music."""
    engine = rig.host.memory.engine
    if int(engine["host_pid"]) in {0, pid} or engine["fresh"]:
        return False
    return rig.host.memory.reading("master.level") > MUSIC_LEVEL


def _moved_ms(before: np.void, after: np.void) -> float:
    """Return how far deck 1 is ahead of its due position, in ms."""
    beat, tempo = READING_INDEX["deck1.beat"], READING_INDEX["deck1.tempo"]
    beats = float(after["flat"][beat] - before["flat"][beat])
    passed_ms = (int(after["monotonic_ns"]) - int(before["monotonic_ns"])) / 1e6
    return beats * 60_000 / float(before["flat"][tempo]) - passed_ms
