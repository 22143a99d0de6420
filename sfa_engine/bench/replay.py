"""`sfa bench perform --only replay`: a set that is killed again and again, then rendered again.

The engine runs under `sfa start` on a sound server; its master is recorded, as floats. In turn the
stage, the host, or all of it are killed with -9 at random moments; after all the runtime folder is
emptied, as by a power failure, and the set goes on with ``--resume``.

=================== ============================================================================
figure              what
=================== ============================================================================
replay_identical    1 if every recorded sample is in the replay of its journal, where it was played
replay_controls     kinds of controls that were moved, beside all that there are
resume_error_ms     from the downbeat of the grid to where the first block of a resumed set began
=================== ============================================================================
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.bench.random_set import (
    FIRST_S,
    PADS,
    Action,
    RandomSet,
    families,
    request_of,
    timed,
)
from sfa_engine.bench.rig import Result, Rig, result
from sfa_engine.engine.command import ReportKind
from sfa_engine.engine.journal import SUFFIX, Journal, Segment, parse, put_state
from sfa_engine.engine.layout import LATENCY, MOVED_FRAMES
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, Refused, SfaError
from sfa_engine.host.replay import MASTER, Replay
from sfa_engine.system.child import wait_for
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.system.runtime_files import BACKSTAGE_LOCK, HOST_LOCK, STAGE_LOCK, SUPERVISOR_LOCK
from sfa_engine.track.wav import OWN_HEADER_BYTES

VICTIMS = ("stage", "host", "all")
LIFE_S = (2.2, 5.0)  # between two kills; a shorter life is not restarted at once
CONFIG = """
[osc]
enabled = false
[record]
format = "float"
"""
SEED = 21
ON_BEAT = 1e-3  # beats, within which a loop is of whole beats
STEADY = 1e-6  # of a speed, within which it is the same
Progress = Callable[[float], None]
Audio = npt.NDArray[np.float32]


@dataclass
class Recorded:
    """A file of the master, and the engine frame that it begins with."""

    path: Path
    first_frame: int
    set_id: int

    def sound(self) -> Audio:
        """Return its samples; a cut file has what is there."""
        data = self.path.read_bytes()[OWN_HEADER_BYTES:]
        return np.frombuffer(data[: len(data) // 8 * 8], "<f4").reshape(-1, 2)


@dataclass
class Found:
    """What a run has found."""

    recorded: list[Recorded] = field(default_factory=list)
    resume_errors_ms: list[float] = field(default_factory=list)
    gestures: int = 0
    moved: set[str] = field(default_factory=set)  # families of controls


def perform_and_kill(
    rig: Rig,
    bundles: dict[int, Path],
    length_s: float,
    *,
    gestures: int,
    kills: int,
    bar: Progress = lambda _: None,
    victims: tuple[str, ...] = VICTIMS,
) -> Found:
    """Perform at random while processes are killed, and record all of it."""
    hands = RandomSet(SEED, length_s, every=True)
    rng, found = np.random.default_rng(SEED), Found()
    client = rig.connect()
    for deck, bundle in bundles.items():
        client.call("deck.load", deck=deck, path=str(bundle))
    _wait_read(rig, bundles)
    client.call("pad.slice", deck=1, count=PADS, start_s=FIRST_S)
    state = client.call("record.start")
    found.recorded.append(_recorded(rig, state))
    _do(client, hands.begin())
    moments = set(np.linspace(1, gestures, kills + 1).astype(int)[1:] if kills else [])
    killed = 0
    for number in range(1, gestures + 1):
        bar(number / gestures)
        memory = rig.host.memory
        positions = {deck: memory.value(f"deck{deck}.position") for deck in bundles}
        try:
            _do(client, hands.draw(positions))
        except SfaError:  # of a stage that was just killed
            client.close()
            client = _connected(rig)
        found.gestures += 1
        time.sleep(float(rng.uniform(0.2, 0.8)))
        if number in moments:
            victim = victims[killed % len(victims)]
            killed += 1
            time.sleep(float(rng.uniform(*LIFE_S)))
            client.close()
            _kill(rig, victim, found)
            client = _connected(rig)
            _wait_read(rig, bundles)
    client.call("record.stop")
    client.close()
    found.moved = families().keys() & hands.counts.keys()
    return found


def _kill(rig: Rig, victim: str, found: Found) -> None:
    """Kill a process, or all; return when the next ones play and record."""
    memory = rig.host.memory
    if victim == "all":
        _power_failure(rig)
        rig.restart_supervised("--resume")
        found.resume_errors_ms += resume_errors_ms(rig)
        with _connected(rig) as client:
            client.call("record.start")
    else:
        pid = lock_holder(rig.runtime / (HOST_LOCK if victim == "host" else STAGE_LOCK))
        os.kill(pid, signal.SIGKILL)
        if victim == "stage":
            wait_for(lambda: _is_next(rig, STAGE_LOCK, pid), "the next stage")
            return
        wait_for(lambda: int(memory.engine["host_pid"]) not in {0, pid}, "the next host")
    with _connected(rig) as client:
        wait_for(lambda: client.call("record.status")["on"], "the next recording")
        found.recorded.append(_recorded(rig, client.call("record.status")))


def _wait_read(rig: Rig, bundles: dict[int, Path]) -> None:
    """Wait until the tracks are all in memory: a jump to a place that is not would be silent."""
    paths = [f"deck{deck}.ready" for deck in bundles]
    wait_for(lambda: min(map(rig.host.memory.reading, paths)) >= 100.0, "the tracks")


def _is_next(rig: Rig, lock: str, pid: int) -> bool:
    return lock_holder(rig.runtime / lock) not in {0, pid} and rig.answers()


def _power_failure(rig: Rig) -> None:
    """Kill all processes at once, and forget what is only in memory."""
    for lock in (SUPERVISOR_LOCK, HOST_LOCK, STAGE_LOCK, BACKSTAGE_LOCK):
        pid = lock_holder(rig.runtime / lock)
        if pid:
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not lock_holder(rig.runtime / HOST_LOCK), "the host's end")
    for path in rig.runtime.iterdir():
        if path.is_file() and path.suffix != ".toml":
            path.unlink()


def _connected(rig: Rig) -> Any:
    """Return a client of a stage that answers."""
    wait_for(rig.answers, "the stage")
    return rig.connect()


def _recorded(rig: Rig, state: dict[str, Any]) -> Recorded:
    memory = Memory.open(rig.host.memory.path or rig.runtime / "engine.memory")
    return Recorded(Path(state["path"]), int(state["first_frame"]), int(memory.engine["set_id"]))


def _do(client: Any, actions: list[Action]) -> None:
    """Do a gesture by the control socket; what a deck refuses is left out."""
    began = time.monotonic()
    for at_s, action in timed(actions):
        time.sleep(max(0.0, began + at_s - time.monotonic()))
        method, value = request_of(action)
        with suppress(Refused):
            client.call(method, path=action.path, value=value)


# ---------------------------------------------------------------------- judge


def resume_errors_ms(rig: Rig) -> list[float]:
    """Return how far the first block of a resumed set began from a downbeat, in ms.

    It is worked out back from a later reading of the deck that leads: nothing has touched it yet.
    Nothing is returned of a deck that stands, or whose motion is not its tempo's, or that loops
    parts of a beat. A deck whose speed changed since it began, as one that starts up slowly does,
    cannot be worked out back.
    """
    begun = _first_segment(rig)
    first = begun.first_frame
    memory = rig.host.memory
    rate = float(memory.engine["sample_rate"])
    before = Memory.anonymous()
    put_state(before, begun.host["state"])
    lead = max(1, int(before.engine["lead"]))  # what waited for its beat may change it since
    moves = memory.value(f"deck{lead}.play") and not any(
        memory.value(f"deck{lead}.{name}") for name in ("reverse", "touch", "bend")
    )
    if not moves:
        return []
    for _ in range(100):
        snapshot, frame = memory.snapshot(), int(memory.engine["emitted"])
        if int(snapshot["frame"]) + int(memory.engine["block"]) == frame:
            break
        time.sleep(0.001)
    else:
        raise EngineError("no reading of one block was to be had", "measure on a calmer machine")
    speeds = [
        float(each.engine["transport"][lead - 1]["head"]["speed"]) for each in (before, memory)
    ]
    if not math.isclose(*speeds, rel_tol=STEADY):
        return []
    reading = snapshot["values"]["deck"][lead - 1]
    beat_s = 60.0 / float(reading["tempo"])
    # The reading is of the next frame on the raster.
    raster = -(-frame // 32) * 32
    began = float(reading["beat"]) - (raster - first) / rate / beat_s
    loop = memory.engine["values"]["deck"][lead - 1]["loop"]
    loops = bool(loop["active"])
    beats = float(loop["end"] - loop["start"]) / beat_s / memory.value(f"deck{lead}.rate")
    if loops and abs(beats - round(beats)) > ON_BEAT:
        return []
    # A loop may have no downbeat, and then begins with its start, on a beat.
    bar = 1.0 if loops else 4.0
    off = began - round(began / bar) * bar
    return [abs(off) * beat_s * 1e3]


def _first_segment(rig: Rig) -> Segment:
    """Return what the journal has of the resumed set, once its first frame is there: never 0."""

    def segment() -> Segment:
        return parse(journals(rig)[-1].read_bytes()).segments[-1]

    wait_for(lambda: segment().first_frame > 0, "the first batch of the journal")
    return segment()


def journals(rig: Rig) -> list[Path]:
    """Return the journals of a rig, the one that was written last at the end."""
    folder = rig.runtime / "data" / "sfa" / "journals"
    return sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)


def differing(found: Found, parsed: list[Journal]) -> tuple[int, int]:
    """Return how many recorded samples are not those of the replay, and how many were compared.

    Not compared is what a recording has after a frame of a track that was not in memory in time:
    the journal says so, and the replay plays it.
    """
    wrong = compared = 0
    for journal in parsed:
        set_id = journal.head.get("set_id")
        recorded = [each for each in found.recorded if each.set_id == set_id]
        if not recorded:
            continue
        replay = Replay(journal)
        sound = np.concatenate([pieces[MASTER] for pieces in replay.pieces()])
        for each in recorded:
            mine = each.sound()
            start = each.first_frame - replay.first
            theirs = sound[start : start + len(mine)]
            whole = min(len(theirs), _whole_until(journal, each.first_frame) - each.first_frame)
            mine, theirs = mine[: max(0, whole)], theirs[: max(0, whole)]
            wrong += int(np.count_nonzero((mine != theirs).any(axis=1)))
            compared += len(mine)
    return wrong, compared


def _whole_until(journal: Journal, frame: int) -> int:
    """Return the frame from which the host that played a frame lacked a part of a track.

    It is reported up to `MOVED_FRAMES` later.
    """
    segment = [each for each in journal.segments if each.first_frame <= frame][-1]
    lacking = segment.of_kind(ReportKind.STARVED)["frame"]
    return int(lacking.min()) - MOVED_FRAMES - LATENCY if len(lacking) else 1 << 62


def bench_replay(
    bundles: dict[int, Path],
    length_s: float,
    device: str | None,
    gestures: int,
    kills: int,
    bar: Progress,
) -> list[Result]:
    """Perform, kill, and render again."""
    with ExitStack() as stack:
        rig = Rig(stack, device, 128, supervised=True, alone=True, config=CONFIG)
        rig.client.close()
        found = perform_and_kill(rig, bundles, length_s, gestures=gestures, kills=kills, bar=bar)
        rig.end_supervised()
        parsed = [parse(path.read_bytes()) for path in journals(rig)]
        wrong, compared = differing(found, parsed)
    errors = found.resume_errors_ms
    p99 = float(np.percentile(errors, 99)) if errors else 0.0
    return [
        result("replay_identical", float(wrong == 0 and compared > 0), "", compared),
        result("replay_differing_frames", wrong, "frames", compared),
        result("replay_controls", len(found.moved), "families", found.gestures, len(families())),
        result("resume_error_ms_p99", p99, "ms", len(errors)),
    ]


assert LATENCY < 32
