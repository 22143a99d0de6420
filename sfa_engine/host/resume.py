"""After a power failure: a snapshot of the engine's state, and a set that goes on from it.

A thread writes the snapshot once a second and at each load. The next host takes it up when told to:
everything is where it was when the snapshot was taken, and then time goes on to the next downbeat
of the deck that leads, or plays, so that the set goes on in time, and the decks with each other.
"""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfa_engine.engine.journal import HEAD, pack_batch, parse_batches, put_state, state_of
from sfa_engine.engine.layout import BLOCKS, LAYOUT, TICK
from sfa_engine.engine.memory import Memory
from sfa_engine.errors import MediaError
from sfa_engine.system import log
from sfa_engine.system.atomic import write_durably
from sfa_engine.track.media import read_bundle

FILE = "resume.sfaj"  # in the data folder
PERIOD_S = 1.0
MAX_LOOKS = 400  # between two blocks, for a state of one moment
LOOK_S = 0.0005
END_TIMEOUT_S = 2.0
NEAR = 1e-6  # beats, within which a downbeat is this one


class Snapshots:
    """Writes a snapshot once a second, and at each load.

    Parameters
    ----------
    memory : Memory
    path : pathlib.Path

    Attributes
    ----------
    error : str
        Why the last one could not be written; empty if it was.
    """

    def __init__(self, memory: Memory, path: Path) -> None:
        self._memory = memory
        self._path = path
        self._wake = threading.Event()
        self._stop = False
        self._frame = -1
        self._thread = threading.Thread(target=self._run, name="snapshot", daemon=True)
        self.error = ""

    def begin(self) -> None:
        """Begin to write."""
        self._thread.start()

    def loaded(self) -> None:
        """Write one soon."""
        self._wake.set()

    def end(self) -> None:
        """Write the last one."""
        self._stop = True
        self._wake.set()
        self._thread.join(END_TIMEOUT_S)

    def describe(self) -> dict[str, Any]:
        """Return the state of the snapshots, for health."""
        return {"error": self.error}

    def _run(self) -> None:
        while not self._stop:
            self._wake.wait(PERIOD_S)
            if self._wake.is_set():
                self._wake.clear()
                if not self._stop:
                    time.sleep(4 * TICK / 1000)  # for the kernel to have the track
            self.write()

    def write(self) -> None:
        """Write a snapshot, unless no time has passed."""
        found = copy_state(self._memory)
        if found is None:
            return
        frame, state = found
        if frame == self._frame:
            return
        engine = self._memory.engine
        entry = {
            "kind": "resume",
            "at_s": time.time(),
            "layout": LAYOUT,
            "rate": float(engine["sample_rate"]),
            "frame": frame,
            "state": state,
        }
        try:
            write_durably(self._path, HEAD + pack_batch([entry], 0, b"")[0], 0o600)
        except OSError as error:
            why = error.strerror or str(error)
            if why != self.error:
                log.write("error", f"{self._path} cannot be written: {why}")
            self.error = why
            return
        self._frame = frame
        self.error = ""


def copy_state(memory: Memory) -> tuple[int, bytes] | None:
    """Return the frame and the state of a moment between two blocks; None if there is no such.

    A block begins by writing its time, and ends by noting that it had begun at this time.
    """
    engine = memory.engine
    for _ in range(MAX_LOOKS):
        blocks, began = int(engine["blocks"]), int(engine["monotonic_ns"])
        if blocks and int(engine["block_start_ns"][(blocks - 1) % BLOCKS]) == began:
            state = state_of(memory)
            frame = int(engine["emitted"])
            if (int(engine["blocks"]), int(engine["monotonic_ns"])) == (blocks, began):
                return frame, state
        time.sleep(LOOK_S)
    return None


@dataclass(frozen=True)
class Resumed:
    """Where a set goes on.

    Parameters
    ----------
    frame : int
        Of the engine.
    rate : float
        Frames a second, of the set so far.
    ago_s : float
        Since the snapshot was taken.
    deck : int
        Whose downbeat it is, from 1; 0: none plays with a grid.
    """

    frame: int
    rate: float
    ago_s: float
    deck: int


def restore(memory: Memory, path: Path) -> Resumed:
    """Put a snapshot into new memory, and let time go on to the next downbeat.

    Raises
    ------
    MediaError
        There is no snapshot, or it cannot be used.
    """
    try:
        contents = parse_batches(path.read_bytes())
    except FileNotFoundError:
        raise MediaError("there is no set to resume", "start without --resume") from None
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}", "start without --resume") from None
    except MediaError as error:
        raise MediaError(f"{path} {error.message}", "start without --resume") from None
    if contents.damage or not contents.entries:
        raise MediaError(f"{path} is damaged: {contents.damage}", "start without --resume")
    entry = contents.entries[0]
    if entry.get("kind") != "resume" or entry["layout"] != LAYOUT:
        raise MediaError(
            f"{path} is of another version of the engine, or of another number of decks",
            "start without --resume",
        )
    put_state(memory, entry["state"])
    engine = memory.engine
    engine["fresh"] = 1
    engine["resuming"] = 0
    engine["sample_rate"] = entry["rate"]
    deck, frame = next_downbeat(engine, int(entry["frame"]))
    # On the raster, at most 31 frames before the downbeat: its attack is heard.
    frame = max(-(-int(entry["frame"]) // TICK), frame // TICK) * TICK
    engine["frame"] = engine["emitted"] = frame
    engine["monotonic_ns"] = time.monotonic_ns()
    return Resumed(frame, float(entry["rate"]), time.time() - float(entry["at_s"]), deck)


def next_downbeat(engine: np.void, frame: int) -> tuple[int, int]:
    """Return the deck, from 1, that the set goes on by, and the frame of its next downbeat.

    The deck that leads comes first, then the others in their order; without one that plays
    forwards on a grid it is this frame, of deck 0.
    """
    lead = int(engine["lead"])
    decks = sorted(range(len(engine["transport"])), key=lambda deck: (deck + 1 != lead, deck))
    for deck in decks:
        transport = engine["transport"][deck]
        head = transport["head"]
        speed = float(head["speed"])
        if not transport["playing"] or not bytes(transport["bundle"]) or speed <= 0.0:
            continue
        with suppress(MediaError, OSError, ValueError):
            track = read_bundle(Path(os.fsdecode(bytes(transport["bundle"])))).track
            if track.grid is None:
                continue
            places = track.grid.beats(track.frames, track.rate)
            numbers = track.grid.first_beat(track.frames, track.rate) + np.arange(len(places))
            downbeats = places[numbers % track.grid.beats_per_bar == 0]
            anchor, position = int(head["anchor_frame"]), float(head["anchor_position"])
            here = position + (frame - anchor) * speed
            way = way_to(downbeats, here, loop_of(engine, deck, here))
            if way is not None:
                return deck + 1, math.floor(anchor + (here + way - position) / speed)
    return 0, frame


def way_to(
    downbeats: npt.NDArray[np.float64], here: float, loop: tuple[float, float] | None
) -> float | None:
    """Return how far a deck has to run to its next downbeat, in track frames; None: there is none.

    In a loop it is the next within the loop, perhaps after its end; without one the loop's start.
    """
    ahead = downbeats[downbeats >= here - NEAR]
    if loop is None:
        return float(ahead[0]) - here if len(ahead) else None
    start, end = loop
    ahead = ahead[ahead < end - NEAR]
    if len(ahead):
        return float(ahead[0]) - here
    again = downbeats[(downbeats >= start - NEAR) & (downbeats < end - NEAR)]
    return end - here + (float(again[0]) - start if len(again) else 0.0)


def loop_of(engine: np.void, deck: int, place: float) -> tuple[float, float] | None:
    """Return the ends of the loop that a deck, from 0, goes round, in track frames."""
    loop = engine["values"]["deck"][deck]["loop"]
    rate = float(engine["transport"][deck]["track_rate"])
    start, end = float(loop["start"]) * rate, float(loop["end"]) * rate
    return (start, end) if loop["active"] and 0.0 <= start <= place < end else None
