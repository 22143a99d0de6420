"""The engine in a Link session: it leads, or follows when `clock.source` is ``link``.

Link is polled 30 times a second, at 20 us a poll. Its callbacks are never set: they run in a thread
of Link's that waits for the interpreter, and a process that exits meanwhile hangs or aborts.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import trio

from sfa_engine.desk import DECK_NUMBERS
from sfa_engine.engine.command import ClockSource
from sfa_engine.errors import Refused
from sfa_engine.surfaces.link.frame_time import FrameTime, link_ahead_ns
from sfa_engine.surfaces.link.settings import LinkConfig

if TYPE_CHECKING:
    from sfa_engine.stage.core import Core

logger = logging.getLogger(__name__)
POLL_S = 1 / 30
UPDATE_S = 0.5  # longest time between two updates of the kernel while it follows
MAX_OFF_S = 0.0003  # of the beat: more is corrected, less may be measurement error
MAX_OFF_BPM = 0.01
PATIENCE = 3  # consecutive polls with a wrong beat before other peers are made to jump


def open_link(bpm: float) -> Any:
    """Return Link's own object, not yet in a session.

    Raises
    ------
    Refused
        Its package is not installed.
    """
    try:
        import link
    except ImportError:
        raise Refused(
            "Ableton Link is not installed", "install it with `pip install 'sfa-engine[link]'`"
        ) from None
    return link.Link(bpm)


class LinkSurface:
    """Joins the Link session while `clock.link` is on.

    Parameters
    ----------
    core : Core
    config : LinkConfig
    """

    def __init__(self, core: Core, config: LinkConfig) -> None:
        self._conductor = core.conductor
        self._latency_s = config.latency_ms / 1e3
        self._link: Any = None
        self._times: FrameTime | None = None
        self._sent: tuple[int, float, float, bool] | None = None  # frame, beat, tempo, playing
        self._sent_s = 0.0
        self._wrong = 0
        self._trouble = ""
        self._conductor.stage.checks["clock.link"] = self._check

    def _check(self, value: float) -> None:
        """Refuse to switch Link on when it is not installed."""
        if value and self._link is None:
            self._link = open_link(self._conductor.get("clock.tempo"))

    async def run(self) -> None:
        """Poll the session until cancelled."""
        try:
            while True:
                try:
                    self.poll(trio.current_time())
                except Exception as error:  # must not end the stage, with all other surfaces
                    if repr(error) != self._trouble:
                        self._trouble = repr(error)
                        logger.exception("Link")
                await trio.sleep(POLL_S)
        finally:
            self._leave()

    def poll(self, now_s: float) -> None:
        """Synchronise the session and the engine's clock."""
        if not self._conductor.get("clock.link"):
            self._leave()
            return
        if self._link is None or not self._link.enabled:
            try:
                self._check(1.0)
            except Refused as error:
                logger.warning("clock.link is switched off: %s", error)
                self._conductor.stage.put("clock.link", 0.0)
                return
            self._link.startStopSyncEnabled = True
            self._link.enabled = True
        self._synchronise(now_s)

    def _leave(self) -> None:
        if self._link is not None and self._link.enabled:
            self._link.enabled = False
            self._send_lost()
            self._show(0, 0.0)

    def _show(self, peers: int, tempo: float) -> None:
        self._conductor.stage.put("clock.link_peers", float(peers))
        self._conductor.stage.put("clock.link_tempo", round(tempo, 2))

    def _synchronise(self, now_s: float) -> None:
        memory = self._conductor.memory
        snapshot = memory.snapshot()
        rate = float(memory.engine["sample_rate"])
        if rate <= 0.0 or not snapshot["monotonic_ns"]:
            return  # no block rendered yet
        latency_s = memory.latency_s + self._latency_s
        if self._times is None or (self._times.rate, self._times.latency_s) != (rate, latency_s):
            self._times = FrameTime(rate, latency_s)
        self._times.add(int(snapshot["frame"]), int(snapshot["monotonic_ns"]))
        frame = int(snapshot["frame"])
        micros = self._times.micros(frame, link_ahead_ns())
        state, peers = self._link.captureSessionState(), self._link.numPeers()
        self._show(peers, state.tempo())
        bar = int(snapshot["clock"]["beats_per_bar"]) or 4
        theirs = state.beatAtTime(micros, bar)
        follows = self._conductor.get("clock.source") == ClockSource.LINK and peers > 0
        if follows:
            self._follow(frame, theirs, state.tempo(), state.isPlaying(), now_s)
            return
        self._send_lost()
        clock = snapshot["clock"]
        ours = float(clock["beat"]) + (frame - int(clock["frame"])) * float(clock["speed"])
        self._lead(state, micros, ours - int(clock["downbeat"]), theirs, bar)

    def _follow(self, frame: int, beat: float, tempo: float, playing: bool, now_s: float) -> None:
        """Send the session's clock to the kernel, twice a second and when it deviates."""
        self._wrong = 0
        rate = self._times.rate if self._times else 0.0
        if self._sent is not None and now_s - self._sent_s < UPDATE_S:
            sent_frame, sent_beat, sent_tempo, sent_playing = self._sent
            expected = sent_beat + (frame - sent_frame) * sent_tempo / 60 / rate
            off_s = abs(beat - expected) * 60 / tempo
            if off_s < MAX_OFF_S and tempo == sent_tempo and playing == sent_playing:
                return
        if self._conductor.follow_link(frame, beat, tempo, playing):
            self._sent, self._sent_s = (frame, beat, tempo, playing), now_s

    def _send_lost(self) -> None:
        if self._sent is not None and self._conductor.follow_link(0, 0.0, 0.0, False):
            self._sent = None

    def _lead(self, state: Any, micros: int, ours: float, theirs: float, bar: int) -> None:
        """Set the session's tempo, beat and start/stop to those of the engine's clock."""
        tempo = self._conductor.get("clock.tempo")
        changed = False
        if abs(state.tempo() - tempo) > MAX_OFF_BPM:
            state.setTempo(tempo, micros)
            changed = True
        off = (ours - theirs + bar / 2) % bar - bar / 2
        self._wrong = self._wrong + 1 if abs(off) * 60 / tempo > MAX_OFF_S else 0
        if self._wrong >= PATIENCE or (changed and self._wrong):
            state.forceBeatAtTime(ours, micros, bar)
            self._wrong = 0
            changed = True
        transport = self._conductor.memory.engine["transport"]
        playing = any(bool(transport[number - 1]["playing"]) for number in DECK_NUMBERS)
        if state.isPlaying() != playing:
            state.setIsPlaying(playing, micros)
            changed = True
        if changed:
            self._link.commitSessionState(state)
