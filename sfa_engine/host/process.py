"""The audio process: owns the device, the engine's memory and the PCM, and outlives the others.

It goes on playing whatever happens to them. What needs files or devices is requested on a
socket, one JSON line each way; everything else goes by the command ring.

======================= ================= ===============================================
thread                  module            what it does
======================= ================= ===============================================
main                    `device_keeper`   checks that the device still asks for blocks
one a client            `requests`        load, eject, refresh, info, quit
resume, one a deck      `decks`           loads again what the previous host had loaded
resume-pads             `pads`            the same for the sampler's pads
fill, one a track       `loader`          reads the rest of a track into memory
warm                    `warm`            touches PCM before it is played
effects                 `user_effects`    starts, watches and ends the processes of user effects
graph                   `graph`           watches the links of our outputs and the rate of
                                          JACK's or PipeWire's graph
journal                 `journal`         appends what the kernel did to a file
snapshot                `resume`          writes the state down, for after a power cut
record                  `recorder`        drains the sound into files, while it is recorded
audio                   `device`          PortAudio's, JACK's or the timer's: machine code
                                          only
midi watch              `midi`            opens MIDI ports again that went and came back
MIDI                    `midi_jack`       JACK's, machine code only; without JACK ours, see
                                          `midi_poll`
======================= ================= ===============================================

Two kinds of locks: one a deck in `decks`, held while the deck's track is replaced, and the
loader's own over its media slots, which may be taken while a deck's is held, never the other way.
The pads have one, too, under which the loader's may be taken.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, SfaError
from sfa_engine.host import build, realtime, resume
from sfa_engine.host.capture import CaptureSettings
from sfa_engine.host.decks import RESUME_TIMEOUT_S, Decks
from sfa_engine.host.device import DeviceRequest
from sfa_engine.host.device_keeper import DeviceKeeper, rebase
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.journal import FOLDER, JournalSettings, JournalWriter
from sfa_engine.host.loader import Loader
from sfa_engine.host.midi import Midi
from sfa_engine.host.pads import SOUNDS_FOLDER, Pads
from sfa_engine.host.recorder import RecordSettings
from sfa_engine.host.requests import Requests
from sfa_engine.host.resume import Snapshots
from sfa_engine.host.sound import Sound
from sfa_engine.host.user_effects import UserEffects
from sfa_engine.host.warm import Warmer
from sfa_engine.system import log
from sfa_engine.system.process_lock import take_lock
from sfa_engine.system.runtime_files import ENGINE_MEMORY, HOST_LOCK, HOST_SOCKET
from sfa_engine.system.unix_socket import listen_unix

WATCH_S = 0.05  # between two checks of the device
SNAPSHOT_TIMEOUT_S = 5.0  # for the tracks of a snapshot: nothing plays yet


@dataclass(frozen=True)
class Files:
    """What the host writes.

    Parameters
    ----------
    data : pathlib.Path, optional
        Folder of what outlives a power cut; without, there is neither journal nor snapshot.
    journal : JournalSettings
    record : RecordSettings
    capture : CaptureSettings
    resume : bool
        Go on with the set of the snapshot, if no host's memory is there.
    """

    data: Path | None = None
    journal: JournalSettings = field(default_factory=JournalSettings)
    record: RecordSettings = field(default_factory=lambda: RecordSettings(Path.cwd()))
    capture: CaptureSettings = field(default_factory=CaptureSettings)
    resume: bool = False


class Host:
    """The audio process's Python side.

    Parameters
    ----------
    runtime : pathlib.Path
        Folder of memory and socket.
    request : DeviceRequest
    files : Files, optional
    warm : bool
        Keep PCM warm; without, `sfa bench perform` shows what that saves.
    budget : float
        Share of a block's time, above which quality steps down; 0: never.
    """

    decks: Decks
    pads: Pads
    requests: Requests
    midi: Midi
    effects: UserEffects
    warmer: Warmer
    sound: Sound

    def __init__(
        self,
        runtime: Path,
        request: DeviceRequest,
        files: Files | None = None,
        *,
        warm: bool = True,
        budget: float = 0.0,
    ) -> None:
        files = files or Files()
        self.runtime = runtime
        self.request = request
        self._files = files
        self._warm = warm
        self._budget = budget
        self._kernel = kernel = build.load(build.ensure())
        self._lock = take_lock(runtime / HOST_LOCK, "a host", "stop it first with `sfa stop`")
        path = runtime / ENGINE_MEMORY
        try:
            self.memory = Memory.open(path)
            self._adopted = int(self.memory.engine["blocks"]) > 0
        except EngineError:
            self.memory = Memory.create(path)
            self._adopted = False
        self._resumes = False
        if files.resume and files.data is not None and not self._adopted:
            self._restore(files.data / resume.FILE)
        self._stop = threading.Event()
        self.journal: JournalWriter | None = None
        self.snapshots: Snapshots | None = None
        if files.data is not None:
            self.snapshots = Snapshots(self.memory, files.data / resume.FILE)
            if files.journal.enabled:
                self.journal = JournalWriter(self.memory, files.data / FOLDER, files.journal)
        self.keeper = DeviceKeeper(self.memory, request, kernel, self._stop)

    def _restore(self, path: Path) -> None:
        """Take up the set of a snapshot; without one, begin a new set and say why."""
        try:
            found = resume.restore(self.memory, path)
        except SfaError as error:
            log.write("warning", f"nothing is resumed: {error}")
            self.memory.rest()
            return
        self._resumes = True
        where = f"a downbeat of deck {found.deck}" if found.deck else "where it stood"
        log.write("info", f"resuming the set of {found.ago_s:.0f} s ago, at {where}")

    def open(self) -> None:
        """Open the requested device, or the timer while it is unavailable; resume the decks."""
        engine = self.memory.engine
        found, rate, error = self.keeper.find()
        if self._adopted or self._resumes:
            rebase(engine, rate)
        dsp = DspState(self.memory, rate, self.request.channels)
        dsp.record["ladder_budget"] = self._budget
        if self._budget <= 0.0:
            engine["ladder"] = 0  # of a host that had a budget: nothing would step up again
        locked = realtime.lock_memory()
        self.decks = Decks(self.memory, Loader(dsp, lock=locked))
        self.sound = Sound(dsp, self.decks, self._files.record, self._files.capture)
        kept = self._files.data or self.runtime
        self.pads = Pads(self.memory, dsp, self.decks.loader, kept / SOUNDS_FOLDER)
        self.warmer = Warmer(dsp, self.decks.loader, self._stop, self.sound.taps, self.pads)
        self.midi = Midi(self.memory, dsp, self._kernel, self._stop)
        self.effects = UserEffects(dsp, self._stop)
        self.requests = Requests(
            *(self.memory, dsp, self.decks, self.keeper, self.midi),
            *(self.pads, self.effects, self._stop, self.sound),
        )
        self.requests.journal, self.requests.snapshots = self.journal, self.snapshots
        for count in ("late", "device_misses", "reports_lost", "worst_ns", "relinked_ns"):
            engine[count] = 0
        engine["host_pid"] = os.getpid()
        engine["host_started_ns"] = time.monotonic_ns()
        engine["locked"] = locked
        engine["resuming"] = self._adopted
        engine["block"] = self.request.block
        engine["journalled"] = 0
        if self.journal is not None:
            self.journal.begin(rate, self.request.channels)
        self.decks.loader.on_send = self._note
        if self._adopted or self._resumes:
            self.decks.resume_all(RESUME_TIMEOUT_S if self._adopted else SNAPSHOT_TIMEOUT_S)
        self.keeper.drive(dsp, found, rate, error)
        if self._adopted or self._resumes:
            threading.Thread(target=self.pads.resume, name="resume-pads", daemon=True).start()
        if self.snapshots is not None:
            self.snapshots.begin()

    def _note(self, entry: dict[str, Any]) -> None:
        """Have a load in the journal before the kernel has it, and in a snapshot afterwards."""
        if self.journal is not None:
            self.journal.note(entry)
        if self.snapshots is not None:
            self.snapshots.loaded()

    def run(self) -> None:
        """Play until SIGTERM or a `quit` request."""
        path = self.runtime / HOST_SOCKET
        server = listen_unix(path, backlog=16)
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.keeper.priority.handle_overload()
        self.open()
        for target, name, arguments in (
            (self.requests.server.serve, "requests", (server,)),
            (self.keeper.graph.run, "graph", ()),
            (self.midi.run, "midi watch", ()),
            (self.effects.run, "effects", ()),
        ):
            threading.Thread(target=target, name=name, args=arguments, daemon=True).start()
        if self._warm:
            threading.Thread(target=self.warmer.run, name="warm", daemon=True).start()
        woken, waker = socket.socketpair()  # by a signal, whichever thread it interrupts
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        woken.settimeout(WATCH_S)
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                woken.recv(64)
            self.decks.loader.free()
            self.pads.free()
            self.keeper.watch()
        self.midi.end()
        self.keeper.close()
        self.effects.end()
        self.sound.recorder.end()
        for writer in (self.journal, self.snapshots):
            if writer is not None:
                writer.end()
        self.memory.engine["host_pid"] = 0
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def files_of(data: Path | None, text: str, *, resumes: bool = False) -> Files:
    """Return what is written, from the settings as JSON: sections of the configuration."""
    given = json.loads(text)
    record = dict(given.get("record", {}))
    folder = record.pop("folder", "") or (data or Path.cwd()) / "recordings"
    return Files(
        data,
        JournalSettings(**given.get("journal", {})),
        RecordSettings(Path(folder), **record),
        CaptureSettings(**given.get("capture", {})),
        resumes,
    )


def main() -> int:
    """Run the audio process; the ``sfa`` command starts it."""
    parser = argparse.ArgumentParser(prog="sfa-host", description=main.__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--device", default="default")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--block", type=int, default=128)
    parser.add_argument("--channels", type=int, default=2)
    parser.add_argument(
        "--budget", type=float, default=75.0, help="percent of a block's time; 0: never step down"
    )
    parser.add_argument("--cold", action="store_true", help="do not keep PCM warm, to measure")
    parser.add_argument("--log", type=Path, help="folder of the logs")
    parser.add_argument("--data", type=Path, help="folder of what outlives a power cut")
    parser.add_argument("--files", default="{}", help="settings of what is written, as JSON")
    parser.add_argument("--resume", action="store_true", help="go on with the set of the snapshot")
    given = parser.parse_args()
    log.start("host", given.log)
    request = DeviceRequest(given.device, given.rate, given.block, given.channels)
    try:
        files = files_of(given.data, given.files, resumes=given.resume)
        budget = given.budget / 100.0
        Host(given.runtime, request, files, warm=not given.cold, budget=budget).run()
    except SfaError as error:
        log.write("error", str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
