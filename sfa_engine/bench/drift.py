"""How far two synced decks are apart after two hours of jumps: by their timelines and by ear.

Each deck plays clicks on its off-beats, in two stems of which one goes to the other deck and back;
one deck is heard on the left and one on the right. Between two
gestures the decks have time to settle; from there on each click must have one on the other side,
at the same frame. Loops have their seams on the beat, so that no seam cuts a click.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sfa_engine.bench.random_set import STEM, Action, RandomSet, timed
from sfa_engine.bench.rig import RATE, Result, result
from sfa_engine.desk import CONTROLS
from sfa_engine.engine.intents import NOW, command_for
from sfa_engine.engine.layout import LATENCY, TICK
from sfa_engine.errors import EngineError
from sfa_engine.host.offline import Offline
from sfa_engine.track.grid import Anchor, Grid

TEMPOS_BPM = {1: 124.0, 2: 128.0}
TRACK_S = 1800.0
GESTURES = 500
SETTLE_S = 11.0  # half a beat at 4 % takes 7 s, the last of it 3 s, and a gesture up to 1 s
CLICK_FRAMES = 64  # of the track; 1.3 ms
CLICK_LEVEL = 8_000  # of each stem
SILENCE = 1e-3  # of a click of 0.25 or 0.5; interpolation rings at -90 dB around one
SEED = 11

Clicks = npt.NDArray[np.float64]


def click_track(bpm: float, seconds: float) -> npt.NDArray[np.int16]:
    """Return silence with a click on each off-beat, which may lie between two frames.

    Returns
    -------
    int16[frames, 2]
        Pages without a click are never written, and take no memory.
    """
    track = np.zeros((round(seconds * RATE), 2), np.int16)
    beat = 60.0 * RATE / bpm
    half = CLICK_FRAMES // 2
    for k in range(1, int(len(track) / beat) - 1):
        centre = (k + 0.5) * beat
        first = math.floor(centre) - half
        place = (np.arange(first, first + CLICK_FRAMES + 2) - centre) / half
        shape = np.where(np.abs(place) < 1.0, 0.5 + 0.5 * np.cos(np.pi * place), 0.0)
        track[first : first + len(shape)] = np.round(shape * CLICK_LEVEL)[:, None]
    return track


def click_times(sound: npt.NDArray[np.float32], first_frame: int) -> Clicks:
    """Return the centres of the clicks in a channel, in engine frames; cut ones are left out."""
    loud = np.flatnonzero(np.abs(sound) > SILENCE)
    if not len(loud):
        return np.zeros(0)
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > CLICK_FRAMES) + 1)
    whole = [p for p in parts if p[0] > CLICK_FRAMES and p[-1] < len(sound) - CLICK_FRAMES]
    centres = [
        float(np.dot(index, weights := sound[index].astype(np.float64)) / weights.sum())
        for part in whole
        for index in [np.arange(part[0], part[-1] + 1)]
    ]
    return np.array(centres) + first_frame


def farthest(ones: Clicks, others: Clicks) -> float:
    """Return the largest distance from a click to the nearest one on the other side, in frames.

    The first and the last may have theirs outside of what was recorded.
    """
    if len(ones) < 3 or not len(others):
        return math.inf
    inner = ones[1:-1]
    return float(np.abs(inner[:, None] - others[None, :]).min(axis=1).max())


def beat_of(machine: np.void, frame: float, bpm: float) -> float:
    """Return a deck's beat at an engine frame, by its timeline."""
    head = machine["head"]
    gone = frame - int(head["anchor_frame"])
    place = float(head["anchor_position"]) + gone * float(head["speed"])
    return place / float(machine["track_rate"] or RATE) * bpm / 60.0


def timeline_drift(engine: np.void) -> float:
    """Return how far the follower's beat is from the leader's, by their timelines, in frames."""
    frame = int(engine["frame"])
    machines = engine["transport"]
    beats = [beat_of(machines[deck - 1], frame, bpm) for deck, bpm in TEMPOS_BPM.items()]
    apart = (beats[1] - beats[0] + 0.5) % 1.0 - 0.5
    speed = abs(float(machines[0]["head"]["speed"]))
    return abs(apart) * 60.0 * RATE / TEMPOS_BPM[1] / speed if speed else math.inf


@dataclass
class Drift:
    """What was measured."""

    timeline: list[float] = field(default_factory=list)  # frames, one a gesture
    heard: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)  # of what is heard behind the timeline
    frames: int = 0


class Performance:
    """Two decks offline under random hands.

    Parameters
    ----------
    seed : int
    block : int
        Frames a call of the kernel.
    """

    def __init__(self, seed: int = SEED, block: int = 512) -> None:
        self.engine = Offline(RATE, 2, block)
        self.hands = RandomSet(seed, TRACK_S)
        self._block = block
        for deck, bpm in TEMPOS_BPM.items():
            grid = Grid((Anchor(0.0, 0.0),), bpm)
            stems = dict.fromkeys(("drums", STEM), click_track(bpm, TRACK_S))
            self.engine.load(deck - 1, stems, rate=RATE, grid=grid)
            for stem in stems:
                self.engine.set(f"deck{deck}.stem.{stem}.pan", -100.0 if deck == 1 else 100.0)
        self.engine.render(block)
        self._do(self.hands.begin())

    def _do(self, actions: list[Action]) -> float:
        """Do a gesture; return how long it took."""
        done_s = 0.0
        for at_s, action in timed(actions):
            if at_s > done_s:
                self.render(at_s - done_s)
                done_s = at_s
            control = CONTROLS[action.path]
            self.engine.push(command_for(control, action.value, NOW, 0))
            self.engine.render(TICK)  # the ring's order is kept between verbs and settings
        return done_s

    def render(self, seconds: float) -> npt.NDArray[np.float32]:
        """Return the next seconds, in whole blocks."""
        return self.engine.render(round(seconds * RATE / self._block) * self._block)

    def positions_s(self) -> dict[int, float]:
        """Return where the decks are."""
        return {deck: self.engine.memory.value(f"deck{deck}.position") for deck in TEMPOS_BPM}

    def run(self, seconds: float, gestures: int, bar: Callable[[float], None]) -> Drift:
        """Play so many seconds, with so many gestures spread over them."""
        each_s = seconds / gestures
        if each_s <= SETTLE_S + 2.0:
            raise EngineError(
                f"{gestures} gestures in {seconds:g} s leave {each_s:.3g} s to each",
                f"give at least {SETTLE_S + 2.0:g} s each: they settle in {SETTLE_S:g} s",
            )
        drift = Drift()
        memory = self.engine.memory.engine
        for number in range(gestures):
            bar(number / gestures)
            took_s = self._do(self.hands.draw(self.positions_s()))
            self.render(SETTLE_S - took_s)
            first = int(memory["frame"])
            sound = self.render(each_s - SETTLE_S)
            drift.timeline.append(timeline_drift(memory))
            if not self._is_locked():
                left, right = (click_times(sound[:, c], first) for c in (0, 1))
                drift.heard.append(max(farthest(left, right), farthest(right, left)))
                drift.lag.append(self._lag(left))
            self.engine.reported()
        drift.frames = int(memory["frame"])
        return drift

    def _is_locked(self) -> bool:
        """Return whether a deck's pitch is not its speed's: its clicks are spliced then."""
        paths = [f"deck{deck}.{name}" for deck in TEMPOS_BPM for name in ("keylock", "pitch")]
        return any(self.engine.memory.value(path) != 0.0 for path in paths)

    def _lag(self, clicks: Clicks) -> float:
        """Return how far the last click of the leader is from where its timeline says, in frames.

        Every earlier anchor is gone by now; the newest is exact from its frame on.
        """
        machine = self.engine.memory.engine["transport"][0]
        head = machine["head"]
        since = clicks[clicks - LATENCY > float(head["anchor_frame"])]
        if not len(since):
            return 0.0
        beat = beat_of(machine, float(since[-1]) - LATENCY, TEMPOS_BPM[1])
        apart = beat - 0.5 - round(beat - 0.5)
        return abs(apart) * 60.0 * RATE / TEMPOS_BPM[1] / abs(float(head["speed"]))


def bench_drift(seconds: float, gestures: int, bar: Callable[[float], None]) -> list[Result]:
    """Measure how far two synced decks are apart, over so many seconds of random gestures."""
    performance = Performance()
    drift = performance.run(seconds, gestures, bar)
    results = [
        result("sync_drift_samples", max(drift.timeline), "samples", len(drift.timeline)),
        result("drift_audio_s", drift.frames / RATE, "s", sum(performance.hands.counts.values())),
    ]
    if drift.heard:
        results += [
            result("sync_heard_drift_samples", max(drift.heard), "samples", len(drift.heard)),
            result("timeline_lag_samples", max(drift.lag), "samples", len(drift.lag)),
        ]
    return results
